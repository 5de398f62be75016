"""Pieces to tokens and back: what a notation was made for comes back whole, what it lacks is counted, all decodes."""

from __future__ import annotations

import os
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recurra.tasks.music.grid import one_a_pitch
from recurra.tasks.music.io.rolls import to_frames
from recurra.tasks.music.notation import VELOCITIES, MusicRules, Notation
from recurra.tasks.music.pieces import Meter, Note, Piece, Tempo, Track, bar_lines
from recurra.tasks.music.rule_features import BARS, DRUM, DURATION, LEFT, METER, PITCH, STEP, TRACK, VELOCITY
from recurra.tasks.music.transcription import MAX_DURATION, MAX_GAP, decode, encode, joined, refitted, roles, suit

METERS = ((4, 4), (3, 4), (6, 8), (1, 8), (5, 16))
TRACKS = (
    Track("Flute", 73), Track("Violin", 40), Track("Viola", 41), Track("Bass", 32), Track("Kit", 0, True),
    Track("Shaker", 0, True),
)  # fmt: skip


@st.composite
def pieces(draw: st.DrawFn, drums: bool = True, least_tracks: int = 1) -> Piece:
    """Any valid piece: pickups, metres that change, overlapping pitches across tracks, long waits, unisons."""
    choice = st.lists(st.sampled_from(TRACKS[: 6 if drums else 4]), min_size=least_tracks, max_size=4, unique=True)
    tracks = tuple(draw(choice))
    meters, onset = [], 0
    for meter in draw(st.lists(st.sampled_from(METERS), min_size=1, max_size=4)):
        meters.append(Meter(onset, *meter))
        onset += meters[-1].bar * draw(st.integers(1, 4)) + draw(st.sampled_from([0, 0, 5]))
    wait = draw(st.sampled_from([0, 0, 1000]))
    spans = st.tuples(
        st.integers(0, onset + wait), st.sampled_from([1, 2, 3, 4, 6, 7, 12, 48, MAX_DURATION]), st.integers(0, 127),
        st.integers(1, 127), st.integers(0, len(tracks) - 1),
    )  # fmt: skip
    low = draw(st.sampled_from([0, 60]))
    reached: dict[tuple[int, int], int] = {}
    notes = []
    for begin, duration, pitch, velocity, track in sorted(draw(st.lists(spans, max_size=30))):
        pitch = low + pitch % 5 if low else pitch
        if begin >= reached.get((track, pitch), 0):
            notes.append(Note(begin, duration, pitch, velocity, track))
            reached[track, pitch] = begin + duration
    notes.sort(key=lambda note: (note.onset, note.track, note.pitch))
    length = max([onset, *(note.end for note in notes)]) + draw(st.sampled_from([0, 1, 300]))
    return Piece("piece", tracks, tuple(notes), length, tuple(meters), (Tempo(0, draw(st.integers(30, 200))),))


def nearest(velocity: int) -> int:
    return min(VELOCITIES, key=lambda step: (abs(step - velocity), step))


def told(meters: tuple[Meter, ...]) -> list[tuple[int, int, int]]:
    """Metres without those that say nothing new."""
    kept: list[Meter] = []
    for meter in meters:
        last = kept[-1] if kept else None
        if not (last and last[1:] == meter[1:] and (meter.onset - last.onset) % last.bar == 0):
            kept.append(meter)
    return [tuple(meter) for meter in kept]


def require_valid(piece: Piece) -> None:
    """What the docstring of `Piece` promises."""
    assert piece.tracks
    assert list(piece.notes) == sorted(piece.notes, key=lambda note: (note.onset, note.track, note.pitch))
    ends: dict[tuple[int, int], int] = {}
    for note in piece.notes:
        assert note.duration >= 1
        assert 0 <= note.track < len(piece.tracks)
        assert 0 <= note.pitch <= 127
        assert 1 <= note.velocity <= 127
        assert note.onset >= ends.get((note.track, note.pitch), 0), "two notes of one pitch sound at once in a track"
        ends[note.track, note.pitch] = note.end
    assert piece.length >= max(ends.values(), default=0)
    for changes in (piece.meters, piece.tempos):
        assert changes[0].onset == 0
        assert [change.onset for change in changes] == sorted({change.onset for change in changes})


@given(piece=pieces())
def test_a_piece_comes_back_from_its_own_notation(piece: Piece) -> None:
    notation = suit([piece], "notes", 0, True, True)
    assume(notation.tracks or sum(track.drums for track in piece.tracks) < 2)  # else drums are merged
    tokens, lost = encode(piece, notation)
    assert not +lost
    again = decode(tokens, notation, "again")
    require_valid(again)
    own, others = (
        # Where one pitched track is all there is, no tracks are told apart but drums from the rest.
        [role if notation.tracks else track.drums for role, track in zip(roles(tracks), tracks, strict=True)]
        for tracks in (piece.tracks, again.tracks)
    )
    before = [(note.onset, note.duration, note.pitch, nearest(note.velocity), own[note.track]) for note in piece.notes]
    after = [(note.onset, note.duration, note.pitch, note.velocity, others[note.track]) for note in again.notes]
    assert Counter(before) == Counter(after)
    assert told(again.meters) == told(piece.meters)
    assert again.length == piece.length
    assert again.tempos[0].quarters_per_minute == pytest.approx(piece.tempos[0].quarters_per_minute, abs=0.01)


@given(piece=pieces(drums=False, least_tracks=2))
def test_merged_tracks_lose_doubled_notes_alone_and_count_them(piece: Piece) -> None:
    notation = suit([piece], "notes", 0, False, False)
    assert notation.tracks == ()
    tokens, lost = encode(piece, notation)
    again = decode(tokens, notation, "again")
    require_valid(again)
    begun = {(note.onset, note.pitch) for note in piece.notes}
    assert {(note.onset, note.pitch) for note in again.notes} == begun
    assert set(+lost) <= {"notes doubled by merged tracks"}
    assert lost.total() == len(piece.notes) - len(begun)
    longest = {key: max(note.duration for note in piece.notes if (note.onset, note.pitch) == key) for key in begun}
    for note in again.notes:
        following = [onset for onset, pitch in begun if pitch == note.pitch and onset > note.onset]
        assert note.duration == min([longest[note.onset, note.pitch], *(onset - note.onset for onset in following)])
    assert again.length == piece.length


@given(piece=pieces(drums=False), frame=st.sampled_from([1, 3, 12]))
def test_frames_come_back(piece: Piece, frame: int) -> None:
    notation = suit([piece], "frames", frame, True, True)
    tokens, lost = encode(piece, notation)
    again = decode(tokens, notation, "again")
    require_valid(again)
    assert to_frames(again, frame) == to_frames(piece, frame)
    assert again.length == -(-piece.length // frame) * frame
    assert set(+lost) <= {"metres that change within a frame"}


@given(piece=pieces(), others=st.lists(pieces(), min_size=1, max_size=2), tracks=st.booleans(), frames=st.booleans())
def test_what_a_vocabulary_lacks_is_left_out_and_counted(
    piece: Piece, others: list[Piece], tracks: bool, frames: bool
) -> None:
    notation = suit(others, "frames" if frames else "notes", 6, tracks, True)
    tokens, lost = encode(piece, notation, length=True)
    again = decode(tokens, notation, "again")
    require_valid(again)
    assert tokens.min() >= 0
    assert tokens.max() < notation.size
    if not frames:
        gone = lost["notes of pitches or drums that are not in the vocabulary"] + lost["notes doubled by merged tracks"]
        assert len(again.notes) == len(piece.notes) - gone
    else:
        kept = {
            (place, pitch)
            for place, pitches in enumerate(to_frames(piece, 6))
            for pitch in pitches
            if notation.lowest <= pitch <= notation.highest
        }
        found = {(place, pitch) for place, pitches in enumerate(to_frames(again, 6)) for pitch in pitches}
        assert found == kept
        drums = sum(piece.tracks[note.track].drums for note in piece.notes)
        assert lost["drum notes"] == drums


@given(
    piece=pieces(),
    tracks=st.booleans(),
    frames=st.booleans(),
    seed=st.integers(0, 10**6),
    length=st.integers(0, 200),
)
def test_any_tokens_at_all_are_a_valid_piece(piece: Piece, tracks: bool, frames: bool, seed: int, length: int) -> None:
    notation = suit([piece], "frames" if frames else "notes", 3, tracks, True)
    rng = np.random.default_rng(seed)
    kinds = np.array([token.kind for token in notation.tokens])
    chosen = rng.choice(np.unique(kinds), size=length)
    require_valid(decode([int(rng.choice(np.flatnonzero(kinds == kind))) for kind in chosen], notation, "x"))


def spelled(piece: Piece, notation: Notation, length: bool = False) -> list[tuple[int, int]]:
    return [tuple(notation.tokens[number]) for number in encode(piece, notation, length)[0]]


def test_the_order_of_tokens() -> None:
    notes = (Note(0, 12, 64, 80, 0), Note(0, 24, 48, 33, 1), Note(0, 24, 52, 33, 1), Note(0, 3, 36, 112, 2))
    late = (Note(36, 12, 65, 80, 0),)
    meters = (Meter(0, 1, 4), Meter(12, 3, 4))
    piece = Piece("x", (Track("Flute", 73), Track("Bass", 32), Track("Kit", 0, True)), notes + late, 48, meters)
    notation = suit([piece], "notes", 0, True, True)
    assert notation.tracks == piece.tracks
    assert notation.meters == ((3, 4), (1, 4))
    assert notation.drums == (36,)
    assert notation.steps == (1, 12, 24)
    low = notation.lowest
    assert low == 42
    assert spelled(piece, notation, length=True) == [
        (0, 0), (BARS, 2), (METER, 1),
        (TRACK, 0), (PITCH, 64 - low), (DURATION, 12), (VELOCITY, VELOCITIES.index(80)),
        (TRACK, 1), (PITCH, 48 - low), (DURATION, 24), (VELOCITY, 1), (PITCH, 52 - low), (DURATION, 24), (VELOCITY, 1),
        (TRACK, 2), (DRUM, 36), (DURATION, 3), (VELOCITY, 6),
        (STEP, 12), (METER, 0), (STEP, 24),
        (TRACK, 0), (PITCH, 65 - low), (DURATION, 12), (VELOCITY, 4), (STEP, 12),
    ]  # fmt: skip
    assert spelled(piece, notation)[1] == (BARS, 0)
    frames = suit([piece], "frames", 12, True, True)
    assert spelled(replace(piece, meters=meters[:1]), frames) == [
        (0, 0), (BARS, 0), (METER, 1), (PITCH, 48 - low), (PITCH, 52 - low), (PITCH, 64 - low), (STEP, 12),
        (PITCH, 48 - low), (PITCH, 52 - low), (STEP, 12), (STEP, 12), (PITCH, 65 - low), (STEP, 12),
    ]  # fmt: skip


def beginning(pickup: tuple[int, int] | None, meter: tuple[int, int], bars: int = 4) -> Piece:
    """A piece of one note a bar, that begins with a pickup or without."""
    first = (Meter(0, *pickup),) if pickup else ()
    whole = Meter(first[0].bar if first else 0, *meter)
    onsets = [*(0 for _ in first), *range(whole.onset, whole.onset + bars * whole.bar, whole.bar)]
    notes = tuple(Note(onset, 3, 60) for onset in onsets)
    return Piece("x", (Track(),), notes, whole.onset + bars * whole.bar, (*first, whole))


def test_the_metre_of_a_collection_is_the_one_most_of_its_time_is_in() -> None:
    jigs = [beginning((1, 8), (6, 8)) for _ in range(8)]
    # A first strain that ends in a short bar, for the pickup of the next.
    jigs = [replace(jig, meters=(*jig.meters, Meter(78, 5, 8), Meter(108, 1, 8), Meter(114, 6, 8))) for jig in jigs]
    notation = suit([*jigs, beginning(None, (4, 4), 1)], "notes", 0, True, False)
    assert notation.meters[0] == (6, 8)
    assert set(notation.meters[1:]) == {(1, 8), (5, 8), (4, 4)}


def test_the_pickups_of_a_collection_are_counted_by_their_metre() -> None:
    pieces = [beginning((1, 8), (6, 8))] * 3 + [beginning(None, (6, 8))] + [beginning((1, 4), (3, 4))] * 2
    # Not a pickup: as long as the rest, or counted in longer notes.
    pieces += [beginning((4, 4), (2, 4)), beginning((1, 2), (3, 4))]
    notation = suit(pieces, "notes", 0, True, False)
    found = {
        (notation.meters[pickup] if pickup >= 0 else None, notation.meters[meter]): count
        for pickup, meter, count in notation.pickups
    }
    assert found == {
        ((1, 8), (6, 8)): 3, (None, (6, 8)): 1, ((1, 4), (3, 4)): 2, (None, (4, 4)): 1, (None, (1, 2)): 1,
    }  # fmt: skip
    quarters = suit(pieces, "frames", 12, True, False)
    place = quarters.meters.index
    assert (place((1, 4)), place((3, 4)), 2) in quarters.pickups
    assert (-1, place((6, 8)), 4) in quarters.pickups, "an eighth cannot be written in frames of a quarter"
    assert suit([beginning(None, (3, 4))], "notes", 0, True, False).pickups == ()


def test_a_model_that_goes_on_with_other_pieces_knows_where_theirs_begin() -> None:
    eighths = Piece("x", (Track(),), (Note(0, 3, 60), Note(6, 3, 60), Note(12, 3, 60)), 24)
    triplets = Piece("x", (Track(),), (Note(0, 3, 60), Note(4, 3, 60), Note(8, 3, 60)), 24)
    jig = beginning((1, 8), (6, 8))
    notation = suit([eighths, beginning(None, (6, 8)), jig], "notes", 0, True, False)
    assert refitted(notation, [eighths, beginning(None, (6, 8)), jig]) == notation
    other = refitted(notation, [triplets, jig])
    assert dict(other.onsets)[12] == (0, 4, 6, 8)
    assert sorted(count for _, _, count in other.pickups) == [1, 1]
    old = replace(notation, onsets=(), pickups=())
    assert refitted(old, [triplets]) == old


def test_where_in_a_beat_the_notes_of_a_collection_begin() -> None:
    notes = tuple(Note(onset, 3, 60) for onset in (0, 9, 16, 36, 42, 52))
    piece = Piece("x", (Track(),), notes, 72, (Meter(0, 3, 4), Meter(36, 6, 8)))
    assert suit([piece], "notes", 0, True, False).onsets == ((12, (0, 4, 9)), (18, (0, 6, 16)))
    # Frames that begin in the middle of a note do not count, those in which it is first heard do.
    long = replace(piece, notes=(Note(0, 12, 60), Note(18, 12, 60), Note(31, 5, 62)), meters=(Meter(0, 4, 4),))
    assert suit([long], "frames", 3, True, False).onsets == ((12, (0, 6, 9)),)


@pytest.mark.parametrize(
    ("bars", "said"), [(1, [1]), (100, [100]), (150, [100, 50]), (300, [100] * 3), (2000, [100] * 20), (2001, [0])]
)
def test_a_length_of_many_bars_is_said_by_several_tokens(bars: int, said: list[int]) -> None:
    piece = Piece("x", (Track(),), (Note(0, 12, 60),), 48 * bars)
    notation = suit([piece], "notes", 0, True, False)
    assert [value for kind, value in spelled(piece, notation, length=True) if kind == BARS] == said
    tokens, _ = encode(piece, notation, length=True)
    _, state = MusicRules(notation).read(tokens[None, : 1 + len(said)], np.zeros((1, MusicRules(notation).state_size)))
    assert state[0, LEFT] == sum(said)
    assert decode(tokens, notation, "x").notes == piece.notes


def test_a_duration_belongs_to_the_note_just_before_it() -> None:
    piece = Piece("x", (Track(),), (Note(0, 3, 60), Note(12, 6, 62)), 24)
    notation = suit([piece], "notes", 0, False, False)
    pitch, duration, step = notation.number(PITCH, 6), notation.number(DURATION, 6), notation.number(STEP, 12)
    assert decode([pitch, step, duration], notation, "x").notes == (Note(0, 1, 60),)
    assert decode([duration, pitch, duration, step], notation, "x").notes == (Note(0, 6, 60),)


def test_a_metre_that_begins_anew_is_written() -> None:
    meters = (Meter(0, 4, 4), Meter(48, 4, 4), Meter(60, 4, 4))
    piece = Piece("x", (Track(),), (Note(0, 108, 60),), 108, meters)
    notation = suit([piece], "notes", 0, False, False)
    again = decode(encode(piece, notation)[0], notation, "again")
    assert again.meters == (meters[0], meters[2])
    assert bar_lines(again) == bar_lines(piece) == [0, 48, 60, 108]


def test_a_metre_the_vocabulary_lacks_is_counted() -> None:
    notation = suit([Piece("x", (Track(),), (Note(0, 12, 60),), 12)], "notes", 0, False, False)
    piece = Piece("y", (Track(),), (Note(0, 12, 60),), 48, (Meter(0, 4, 4), Meter(12, 7, 8)))
    assert encode(piece, notation)[1]["metres that are not in the vocabulary"] == 1


def test_long_waits_are_several_steps_and_long_notes_are_cut() -> None:
    piece = Piece("x", (Track(),), (Note(0, 1, 60), Note(3 * MAX_GAP + 7, MAX_DURATION + 5, 60)), 700)
    notation = suit([piece], "notes", 0, False, False)
    assert max(notation.steps) == MAX_GAP
    tokens, lost = encode(piece, notation)
    again = decode(tokens, notation, "x")
    assert [note.onset for note in again.notes] == [0, 3 * MAX_GAP + 7]
    assert again.notes[1].duration == MAX_DURATION
    assert again.length == 700
    assert +lost == {"durations that are not in the vocabulary, changed to the nearest": 1}


def test_a_piece_of_silence() -> None:
    piece = Piece("x", (Track(),), (), 30)
    for kind in ("notes", "frames"):
        notation = suit([piece], kind, 6, True, True)
        again = decode(encode(piece, notation)[0], notation, "again")
        assert (again.notes, again.length) == ((), 30)


def test_tracks_are_matched_by_what_they_are() -> None:
    names = (Track("Violin I", 40), Track("Violin II", 40), Track("Cello", 42), Track("Horn", 60))
    ones = tuple(Note(0, 12, 60 + place, 80, place) for place in range(4))
    notation = suit([Piece("x", names, ones, 12)], "notes", 0, True, False)
    assert notation.tracks == names
    # Strings after winds, three violins: the third string is the last known one; a flute is nobody's like.
    other = (Track("Horn", 61), Track("A", 41), Track("B", 41), Track("C", 41), Track("D", 41), Track("Flute", 73))
    piece = Piece("y", other, tuple(Note(0, 12, 60 + place, 80, place) for place in range(6)), 12)
    tokens, lost = encode(piece, notation)
    again = decode(tokens, notation, "again")
    assert {note.pitch: note.track for note in again.notes} == {60: 3, 61: 0, 62: 1, 63: 2, 64: 2, 65: 0}
    assert +lost == {"tracks that play as another instrument": 6, "tracks made one with another of their kind": 1}
    assert not +encode(Piece("x", names, ones, 12), notation)[1]


def test_frames_join_what_goes_on_and_overlaps() -> None:
    assert joined([Note(0, 6, 60), Note(6, 6, 60), Note(18, 6, 60), Note(18, 6, 60), Note(6, 6, 62)]) == [
        Note(0, 12, 60),
        Note(6, 6, 62),
        Note(18, 6, 60),
    ]


def test_of_notes_that_overlap_the_earlier_is_cut() -> None:
    notes = [Note(0, 10, 60), Note(4, 2, 60), Note(4, 6, 60), Note(4, 9, 61), Note(0, 8, 60, 80, 1)]
    assert list(one_a_pitch(notes, Counter())) == [
        Note(0, 4, 60),
        Note(0, 8, 60, 80, 1),
        Note(4, 6, 60),
        Note(4, 9, 61),
    ]


def kept_share(collection: list[Piece]) -> float:
    """Share of notes that come back with their pitch, onset, duration and role."""
    notation = suit(collection, "notes", 0, True, False)
    kept = count = 0
    for piece in collection:
        again = decode(encode(piece, notation)[0], notation, piece.name)
        own, others = roles(piece.tracks), roles(again.tracks)
        before = Counter((n.onset, n.duration, n.pitch, own[n.track] if notation.tracks else 0) for n in piece.notes)
        after = Counter((n.onset, n.duration, n.pitch, others[n.track] if notation.tracks else 0) for n in again.notes)
        kept += (before & after).total()
        count += len(piece.notes)
        assert again.length == piece.length
    return kept / count


def test_chorales_come_back() -> None:
    pytest.importorskip("music21")
    from music21 import corpus

    from recurra.tasks.music.io.scores import read_score

    files = [path for path in corpus.getComposer("bach") if Path(path).suffix == ".mxl"]
    assert kept_share([read_score(Path(path))[0] for path in files[:20]]) >= 0.99


@pytest.mark.slow
@pytest.mark.skipif("RECURRA_DATA" not in os.environ, reason="RECURRA_DATA names no folder with the Nottingham files")
def test_nottingham_comes_back(tmp_path: Path) -> None:
    from recurra.tasks.music.data import open_pieces

    with tarfile.open(Path(os.environ["RECURRA_DATA"]) / "music" / "nottingham-midi.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    collection = open_pieces([tmp_path])
    assert len(collection.pieces) == 1034
    assert kept_share(list(collection.pieces)) >= 0.99


def test_rare_drums_stay_and_instruments_beyond_the_last_track_are_told() -> None:
    families = [Track(program=8 * family) for family in range(16)]
    notes = tuple(Note(0, 12, 60 + number, track=number) for number in range(16))
    whole = Piece("whole", tuple(families), notes, 48)
    with_drums = Piece("drums", (families[0], Track("Kit", 0, True)), (Note(0, 12, 60), Note(0, 12, 36, track=1)), 48)
    notation = suit([whole, whole, with_drums], "notes", 12, True, False)
    assert len(notation.tracks) == 16
    assert notation.tracks[-1].drums
    tokens, lost = encode(with_drums, notation)
    assert +lost == {}
    assert [note.pitch for note in decode(tokens, notation, "again").notes] == [60, 36]
    assert +encode(whole, notation)[1] == {"tracks that play as another instrument": 1}
