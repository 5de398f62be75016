"""MIDI in and out: bytes built by hand, a round trip that keeps everything, and files that are none."""

import contextlib
import io
import itertools
import os
import random
import struct
import sys
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from midi_files import A_QUARTER, QUARTER, control, file, metre, name, off, on, program, tempo, track

from recurra.errors import RecurraError
from recurra.tasks.music import grid
from recurra.tasks.music.grid import STEPS, snap
from recurra.tasks.music.io import midi, midi_events
from recurra.tasks.music.io.charsets import AUTO
from recurra.tasks.music.io.midi import midi_bytes, read_midi, read_midi_pieces, write_midi
from recurra.tasks.music.io.midi_events import parse
from recurra.tasks.music.io.reading import Reading
from recurra.tasks.music.packed_pieces import pack, require_sound
from recurra.tasks.music.pieces import METER_DENOMINATORS, TICKS, Meter, Note, Piece, Tempo, Track


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], Piece]:
    def from_bytes(data: bytes) -> Piece:
        path = tmp_path / "song.mid"
        path.write_bytes(data)
        return read_midi(path)

    return from_bytes


@pytest.fixture
def refused(read: Callable[[bytes], Piece]) -> Callable[[bytes], str]:
    def answer(data: bytes) -> str:
        with pytest.raises(RecurraError, match=r"song\.mid .*; ") as error:
            read(data)
        assert "\n" not in str(error.value)
        return str(error.value)

    return answer


def test_notes_tracks_metres_and_tempos_are_read(read) -> None:
    piece = read(
        file(
            track((0, metre(6, 3)), (0, tempo(500_000)), (3 * QUARTER, metre(2, 2)), (0, tempo(400_000))),
            track((0, b"\xff\x03\x05Flute"), (0, b"\xc0\x49"), *A_QUARTER, (2 * QUARTER, on(62, 1)), (240, on(62, 0))),
            track((160, on(36, 127, 9)), (160, off(36, 9))),
        )
    )
    assert piece.tracks == (Track("Flute", 73), Track("", 0, True))
    assert piece.notes == (Note(0, 12, 60, 80, 0), Note(4, 4, 36, 127, 1), Note(36, 6, 62, 1, 0))
    assert piece.meters == (Meter(0, 6, 8), Meter(36, 2, 4))
    assert piece.tempos == (Tempo(0, 120.0), Tempo(36, 150.0))
    assert (piece.length, piece.name, piece.left_out) == (42, "song.mid", {})


def test_channels_and_instruments_of_one_midi_track_are_tracks_of_their_own(read) -> None:
    events = itertools.chain.from_iterable(
        ((0, bytes([0xC0 | channel, 5 * channel])), (0, on(60, 80, channel)), (QUARTER, off(60, channel)))
        for channel in range(16)
    )
    piece = read(file(track(*events), layout=0))
    assert len(piece.tracks) == 16
    assert {track.program for track in piece.tracks} == {5 * channel for channel in range(16)}
    assert [track.program for track in piece.tracks if track.drums] == [45]


@given(st.fractions(min_value=0, max_value=100, max_denominator=2000))
def test_onsets_go_to_the_nearest_step_of_the_grid(quarters: Fraction) -> None:
    exact = quarters * TICKS
    (found,) = snap([float(exact)]).tolist()
    every = [whole * TICKS + step for whole in range(102) for step in STEPS]
    nearest = min(abs(exact - place) for place in every)
    assert found in every
    assert abs(exact - found) == pytest.approx(float(nearest), abs=1e-9)
    assert found == max(place for place in every if abs(exact - place) <= nearest + Fraction(1, 10**12))


@pytest.mark.parametrize("quarter", [1, 24, 96, 120, 192, 384, 480, 960, 1024, 32767])
@pytest.mark.parametrize("pitches", [range(60, 68)])
def test_sixteenths_and_triplets_survive_any_resolution(read, quarter: int, pitches: range) -> None:
    if quarter == 1:
        pytest.skip("a resolution of whole quarters has no sixteenths")
    places = [step for step in STEPS if step < TICKS]
    events = [(round(step * quarter / TICKS), on(pitch)) for step, pitch in zip(places, pitches, strict=True)]
    ends = [(round((step + 3) * quarter / TICKS), off(pitch)) for step, pitch in zip(places, pitches, strict=True)]
    timeline = sorted(events + ends)
    deltas = [after - before for before, after in itertools.pairwise([0, *(time for time, _ in timeline)])]
    piece = read(file(track(*zip(deltas, (event for _, event in timeline), strict=True)), quarter=quarter))
    assert [note.onset for note in piece.notes] == places


def test_whole_quarters_only(read) -> None:
    piece = read(file(track((1, on(60)), (1, off(60)), (3, on(61)), (2, off(61))), quarter=1))
    assert [note[:3] for note in piece.notes] == [(12, 12, 60), (60, 24, 61)]


def test_a_note_lasts_at_least_one_step(read) -> None:
    piece = read(file(track((0, on(60)), (0, off(60)), (160, on(61)), (1, off(61)), (79, on(62)), (10, off(62)))))
    assert [note[:3] for note in piece.notes] == [(0, 2, 60), (4, 2, 61), (6, 2, 62)]


def test_a_note_struck_again_is_cut_and_a_doubled_one_is_one(read) -> None:
    again = read(file(track((0, on(60)), (240, on(60, 70)), (240, off(60)), (240, off(60)))))
    assert [note[:2] for note in again.notes] == [(0, 6), (6, 12)]
    assert again.left_out == {"ends of notes struck again": 1}
    doubled = read(file(track((0, on(60)), (0, on(60, 70)), (240, off(60)), (240, off(60)))))
    assert [note[:2] for note in doubled.notes] == [(0, 12)]
    assert doubled.left_out == {"doubled notes": 1}


def test_notes_never_ended_are_counted(read, refused) -> None:
    piece = read(file(track((0, on(60)), (0, on(64)), (QUARTER, off(60)))))
    assert [note.pitch for note in piece.notes] == [60]
    assert piece.left_out == {"notes never ended": 1}
    assert "no notes" in refused(file(track((0, on(60)))))


def test_impossible_metres_and_tempos_are_left_out(read) -> None:
    bad = [(0, metre(0, 2)), (0, metre(3, 7)), (0, metre(3, 255)), (0, metre(255, 0))]
    slow = [(0, tempo(0)), (0, tempo(1)), (0, tempo(2**24 - 1))]
    piece = read(file(track(*bad, *slow, *A_QUARTER)))
    assert piece.meters == (Meter(0, 4, 4),)
    assert piece.tempos == (Tempo(0, 120.0),)
    assert piece.left_out == {"impossible metres": 4, "impossible tempos": 3}
    short = read(file(track((0, b"\xff\x58\x01\x03"), (0, b"\xff\x51\x02\x07\xa1"), *A_QUARTER)))
    assert (short.meters, short.tempos) == ((Meter(0, 4, 4),), (Tempo(0, 120.0),))
    assert short.left_out == {"impossible metres": 1, "impossible tempos": 1}


def test_drums_alone_are_no_performance(tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    path.write_bytes(file(track((0, on(36, channel=9)), (QUARTER, off(36, channel=9)))))
    with pytest.raises(RecurraError, match=r"song\.mid holds only drums, which performances leave out; give another"):
        read_midi_pieces(path, played=True)


def test_performances_keep_to_tempos_that_can_be(tmp_path: Path) -> None:
    """A tempo of no time at all would put every note at the beginning."""
    path = tmp_path / "song.mid"
    slow = [(0, tempo(0)), (QUARTER, tempo(2**24 - 1))]
    path.write_bytes(file(track(*slow), track((0, on(60)), (QUARTER, off(60)), (0, on(62)), (QUARTER, off(62)))))
    (piece,) = read_midi_pieces(path, played=True)
    assert [(note.onset, note.end) for note in piece.notes] == [(0, 50), (50, 100)]
    assert piece.left_out == {"impossible tempos": 2}


@pytest.mark.parametrize(("counted", "kept"), [((48, 6), (24, 32)), ((8, 6), (4, 32)), ((64, 8), (8, 32))])
def test_metres_of_smaller_notes_than_a_model_can_keep_count_larger_ones(
    read, counted: tuple[int, int], kept: tuple[int, int]
) -> None:
    piece = read(file(track((0, metre(*counted)), *A_QUARTER)))
    assert piece.meters == (Meter(0, *kept),)
    require_sound(pack([piece]), [piece.name], "the file", "mend it")


def test_of_changes_at_one_moment_the_last_counts(read) -> None:
    events = [(0, metre(3, 2)), (0, metre(4, 2)), (0, tempo(500_000)), (0, tempo(600_000)), (0, metre(4, 2))]
    piece = read(file(track(*events, *A_QUARTER)))
    assert (piece.meters, piece.tempos) == ((Meter(0, 4, 4),), (Tempo(0, 100.0),))
    assert piece.left_out == {"metres overruled at once": 1, "tempos overruled at once": 1}


def test_a_metre_within_a_bar_cuts_it_off(read) -> None:
    # 4/4, and after six quarters and a sixteenth 3/4
    change = 6 * QUARTER + QUARTER // 4
    piece = read(file(track((change, metre(3, 2))), track((0, on(60)), (20 * QUARTER, off(60)))))
    assert piece.meters == (Meter(0, 4, 4), Meter(48, 9, 16), Meter(75, 3, 4))


def test_a_pickup_stays_a_short_metre(read) -> None:
    piece = read(file(track((0, metre(1, 2)), (QUARTER, metre(4, 2)), (4 * QUARTER, metre(4, 2)), *A_QUARTER)))
    assert piece.meters == (Meter(0, 1, 4), Meter(12, 4, 4))


METRES = st.tuples(st.integers(0, 9), st.sampled_from([1, 2, 3, 4, 8, 16, 32, 64]))


@given(st.lists(st.tuples(st.integers(0, 300), METRES), max_size=8))
def test_every_metre_begins_a_bar(changes: list[tuple[int, tuple[int, int]]]) -> None:
    meters = grid.whole_bars([(tick, *pair) for tick, pair in changes], midi.Counter())
    assert meters[0].onset == 0
    for before, after in itertools.pairwise(meters):
        assert after.onset > before.onset
        assert (after.onset - before.onset) % before.bar == 0
        assert after.bar * after.denominator == 4 * TICKS * after.numerator, "a bar of whole ticks"
    # the last word is the file's own
    real = [
        (round(tick / 3) * 3, pair) for tick, pair in sorted(changes, key=lambda change: change[0]) if usable(*pair)
    ]
    if real:
        numerator, denominator = real[-1][1]
        finer = max(denominator // METER_DENOMINATORS[-1], 1)
        assert meters[-1][1:] == (numerator // finer, denominator // finer)


def usable(numerator: int, denominator: int) -> bool:
    return numerator > 0 and denominator != 3 and (48 * numerator) % (3 * denominator) == 0


def test_what_comes_after_the_last_note_is_counted(read) -> None:
    piece = read(file(track((QUARTER, metre(3, 2)), (0, tempo(500_000))), track(*A_QUARTER)))
    assert (piece.length, piece.meters) == (12, (Meter(0, 4, 4),))
    assert piece.left_out == {"metres after the last note": 1, "tempos after the last note": 1}


@given(
    silences=st.lists(st.integers(0, 40 * 48), min_size=1, max_size=4),
    changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 7)), max_size=4),
)
@example(silences=[181], changes=[(194, 1)])
def test_long_silences_are_shortened_by_whole_bars(silences: list[int], changes: list[tuple[int, int]]) -> None:
    left_out: midi.Counter[str] = midi.Counter()
    notes, now = [], 0
    for silence in silences:
        notes.append(Note(now + silence, 12, 60))
        now += silence + 12
    meters = [(tick, beats, 4) for tick, beats in changes]
    piece = grid.assemble("x", [Track()], notes, meters, [(30, 120.0)], left_out)
    heard = [change for change in meters if grid._sixteenth(change[0]) < now]
    whole = [meter for meter in grid.whole_bars(heard, midi.Counter()) if meter.onset < now]
    assert [meter[1:] for meter in piece.meters] == [meter[1:] for meter in whole], "every metre is still there"
    for before, after in zip(notes, piece.notes, strict=True):
        assert place_in_bar(whole, before.onset) == place_in_bar(piece.meters, after.onset)
    removed = sum(meter_bars(whole, now)) - sum(meter_bars(piece.meters, piece.length))
    assert left_out["bars of silence"] == removed
    ends = [0, *(note.end for note in piece.notes[:-1])]
    gaps = [note.onset - end for end, note in zip(ends, piece.notes, strict=True)]
    assert max(gaps) < (grid.MAX_SILENCE + 1) * 7 * 12 * (len(whole))
    if len(whole) == 1:
        assert max(gaps) < (grid.MAX_SILENCE + 1) * whole[0].bar


def in_force(meters: Iterable[Meter], tick: int) -> Meter:
    return [meter for meter in meters if meter.onset <= tick][-1]


def place_in_bar(meters: Iterable[Meter], tick: int) -> tuple[Meter, int]:
    meter = in_force(meters, tick)
    return meter[1:], (tick - meter.onset) % meter.bar


def meter_bars(meters: tuple[Meter, ...], length: int) -> list[int]:
    ends = [*(meter.onset for meter in meters[1:]), length]
    return [-(-(end - meter.onset) // meter.bar) for meter, end in zip(meters, ends, strict=True)]


def test_hours_of_silence_are_no_piece_of_hours(read, refused, monkeypatch: pytest.MonkeyPatch) -> None:
    piece = read(file(track((4000 * QUARTER, on(60)), (QUARTER, off(60)))))
    assert piece.notes == (Note(16 * 48, 12, 60),)
    assert piece.left_out == {"bars of silence": 1000 - 16}
    held = [(0, on(60)), (80_000 * QUARTER, off(60))]
    assert "80000 quarters long" in refused(file(track(*held)))
    assert "quarters long" in refused(file(track(*[(2**28 - 1, on(60)), (2**28 - 1, off(60))] * 9)))


def test_many_tracks_become_few(read) -> None:
    same = read(file(*[track(*A_QUARTER)] * 9_999))
    assert (len(same.tracks), len(same.notes)) == (1, 1)
    assert same.left_out == {"tracks made one with others of their instrument": 9_998, "doubled notes": 9_998}
    different = read(file(*[track((0, bytes([0xC0, program])), *A_QUARTER) for program in range(100)]))
    assert [track.program for track in different.tracks] == list(range(midi.MAX_TRACKS))
    assert different.left_out["notes in tracks beyond 64"] == 36


def test_what_has_no_place_is_counted(read) -> None:
    words = [(0, b"\xff\x05\x02la"), (0, b"\xff\x06\x01A"), (0, b"\xff\x59\x02\x01\0"), (0, b"\xff\x01\x02by")]
    piece = read(file(track(*words, (0, control(1, 9)), (0, b"\xf0\x02\x01\xf7")), track(*A_QUARTER)))
    assert piece.tracks == (Track(),)
    events = {"lyrics": 1, "markers": 1, "key signatures": 1, "texts": 1}
    assert piece.left_out == {**events, "controllers": 1, "system exclusive messages": 1}


def test_the_pedal_is_applied_before_the_grid(read) -> None:
    held = ((0, control(64, 127)), (0, on(60)), (9, off(60)), (QUARTER - 9, control(64, 0)))
    assert [note[:3] for note in read(file(track(*held))).notes] == [(0, 12, 60)]


def test_until_a_tempo_is_stated_it_is_120(read) -> None:
    assert read(file(track(*A_QUARTER))).tempos == (Tempo(0, 120.0),)
    late = read(file(track((0, on(60)), (QUARTER, tempo(400_000)), (QUARTER, off(60)))))
    assert late.tempos == (Tempo(0, 120.0), Tempo(12, 150.0))
    early = read(file(track((3, tempo(400_000)), *A_QUARTER)))
    assert early.tempos == (Tempo(0, 150.0),), "at once, on the grid"
    assert read(file(track((0, tempo(1)), *A_QUARTER))).tempos == (Tempo(0, 120.0),), (
        "impossible ones count for nothing"
    )


def test_frames_have_no_tempos(read) -> None:
    piece = read(
        file(track((0, tempo(400_000)), (0, on(60)), (500, off(60)), (0, on(62)), (250, off(62))), quarter=0xE728)
    )
    assert [note[:3] for note in piece.notes] == [(0, 12, 60), (12, 6, 62)]
    assert piece.tempos == (Tempo(0, 120.0),)
    assert piece.left_out == {"tempos of a file that counts frames": 1}
    assert piece.repaired == ("it counts time in frames, not in quarters; read at 120 quarters a minute",)


def test_each_sequence_of_format_2_is_a_piece(tmp_path: Path) -> None:
    path = tmp_path / "songs.mid"
    second = track((0, tempo(400_000)), (0, metre(3, 2)), (0, program(9)), (QUARTER, on(64)), (QUARTER, off(64)))
    path.write_bytes(file(track(*A_QUARTER), track((0, name(b"empty"))), second, layout=2))
    one, two = read_midi_pieces(path)
    assert (one.name, two.name) == ("songs.mid #1", "songs.mid #3")
    assert [note[:3] for note in (*one.notes, *two.notes)] == [(0, 12, 60), (12, 12, 64)]
    assert (one.tempos, two.tempos) == ((Tempo(0, 120.0),), (Tempo(0, 150.0),))
    assert (one.meters[0][1:], two.meters[0][1:], two.tracks[0].program) == ((4, 4), (3, 4), 9)
    assert one.repaired == ("it holds a sequence in each track (format 2); each is read as a piece",)
    assert two.repaired == (), "told once"
    path.write_bytes(file(track(), layout=2))
    with pytest.raises(RecurraError, match="holds no notes"):
        read_midi_pieces(path)


@pytest.mark.parametrize("charset", [AUTO, "cp1252", "cp932"])
def test_names_of_tracks_are_decoded(tmp_path: Path, charset: str) -> None:
    path = tmp_path / "song.mid"
    text = "ピアノ" if charset == "cp932" else "Ténor"
    coded = text.encode("utf-8" if charset == AUTO else charset)
    path.write_bytes(file(track((0, name(b"a\0")), *A_QUARTER), track((0, name(coded)), *A_QUARTER)))
    assert [track.name for track in read_midi(path).tracks] == ["a", text]
    assert [track.name for track in read_midi_pieces(path, Reading(charset=charset))[0].tracks] == ["a", text]
    garbled = read_midi_pieces(path, Reading(charset="latin-1"))[0]
    assert garbled.tracks[1].name == coded.decode("latin-1").translate(midi.CONTROLS)


def test_strict_refuses_what_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    path.write_bytes(GOOD)
    assert read_midi_pieces(path, Reading(strict=True)) == read_midi_pieces(path)
    path.write_bytes(GOOD[:-9])
    assert read_midi_pieces(path)[0].repaired == ("track 1 is cut off",)
    with pytest.raises(RecurraError, match=r"song\.mid is damaged or unusual: track 1 is cut off; leave out `strict`"):
        read_midi_pieces(path, Reading(strict=True))


GOOD = file(
    track((0, b"\xff\x03\x04name"), (0, metre(3, 2)), (0, tempo(500_000)), *A_QUARTER, (0, on(61)), (9, off(61)))
)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"MThd", "not a MIDI file"),
        (b"RIFF rubbish that is none", "not a MIDI file"),
        (file(), "no notes"),
        (file(track()), "no notes"),
        (file(track(*A_QUARTER), quarter=0), "no ticks"),
        (file(track((0, b"\x40\x40"))), "no notes"),
    ],
)
def test_a_file_that_is_none_gets_one_sentence(refused, data: bytes, reason: str) -> None:
    assert reason in refused(data)


def test_every_cut_is_noticed(read) -> None:
    for length in range(len(GOOD)):
        try:
            piece = read(GOOD[:length])
        except RecurraError:
            continue
        assert piece.repaired, length
        assert piece.notes[0] in (Note(0, 12, 60), Note(0, 1, 60)), length


def test_oddities_of_programs_that_wrote_it_do_not_matter(read) -> None:
    expected = read(GOOD)
    assert read(GOOD[:14] + b"XFIH\0\0\0\2ab" + GOOD[14:]) == expected, "a chunk nobody knows"
    riff = b"RIFF" + struct.pack("<I", len(GOOD) + 12) + b"RMIDdata" + struct.pack("<I", len(GOOD)) + GOOD
    assert read(riff) == expected
    for damaged in (GOOD + b"\x1a" * 7, GOOD[:10] + b"\x01\xf4" + GOOD[12:]):  # 500 tracks announced
        found = read(damaged)
        assert replace(found, repaired=()) == expected
        assert len(found.repaired) == 1


def test_limits(read, refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midi_events, "MAX_EVENTS", 1)
    assert "more than 1 events" in refused(GOOD)
    monkeypatch.setattr(midi, "MAX_BYTES", len(GOOD) - 1)
    assert "larger" in refused(GOOD)


def test_a_missing_file_and_a_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecurraError, match=r"reading .*none\.mid failed"):
        read_midi(tmp_path / "none.mid")
    monkeypatch.setitem(sys.modules, "symusic", None)
    with pytest.raises(RecurraError, match=r"pip install 'recurra\[music\]'"):
        write_midi(Piece("x", (Track(),), (Note(0, 6, 60),), 6), tmp_path / "song.mid")


STEP_PLACES = [whole * TICKS + step for whole in range(40) for step in STEPS[:-1]]


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    """Pieces as a reader makes them: on the grid, every track in use, no change after the last note."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5)
    tracks = draw(st.lists(st.builds(Track, names, st.integers(0, 127), st.booleans()), min_size=1, max_size=20))
    left_out: midi.Counter[str] = midi.Counter()
    notes = []
    for place in range(len(tracks)):
        for _ in range(draw(st.integers(1, 12))):
            onset, end = sorted(rng.sample(STEP_PLACES, 2))
            notes.append(Note(onset, end - onset, rng.randrange(128), rng.randrange(1, 128), place))
    meters = [
        (rng.randrange(480), rng.randrange(1, 13), rng.choice([2, 4, 8, 16])) for _ in range(draw(st.integers(0, 4)))
    ]
    tempos = [(rng.randrange(480), rng.uniform(5, 600)) for _ in range(draw(st.integers(0, 4)))]
    return grid.assemble("song.mid", tracks, notes, meters, tempos, left_out)


@given(pieces())
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, piece: Piece) -> None:
    path = tmp_path_factory.mktemp("round") / "song.mid"
    write_midi(piece, path)
    again = read_midi(path)
    assert again.notes == piece.notes
    assert again.tracks == piece.tracks
    assert again.meters == piece.meters
    assert again.tempos == piece.tempos
    assert again.length == piece.length
    assert again.left_out == {}


@given(pieces())
def test_another_library_hears_the_same(tmp_path_factory: pytest.TempPathFactory, piece: Piece) -> None:
    path = tmp_path_factory.mktemp("mido") / "song.mid"
    write_midi(piece, path)
    scale = midi.WRITTEN_TICKS // TICKS
    expected = sorted(
        (n.onset * scale, n.end * scale, n.pitch, n.velocity, piece.tracks[n.track].drums) for n in piece.notes
    )
    assert sorted(heard(mido.MidiFile(path))) == expected


def heard(song: mido.MidiFile) -> list[tuple[int, int, int, int, bool]]:
    notes = []
    for events in song.tracks:
        now, sounding = 0, {}
        for event in events:
            now += event.time
            if event.type == "note_on" and event.velocity:
                assert (event.channel, event.note) not in sounding, "struck before it has ended"
                sounding[event.channel, event.note] = now, event.velocity
            elif event.type in ("note_off", "note_on"):
                begin, velocity = sounding.pop((event.channel, event.note))
                notes.append((begin, now, event.note, velocity, event.channel == 9))
        assert not sounding
    return notes


def test_timing_moves_notes_but_not_bars() -> None:
    piece = Piece("x", (Track(),), (Note(0, 6, 60), Note(6, 6, 62), Note(12, 12, 64)), 24, (Meter(0, 2, 4),))
    data = midi_bytes(piece, lambda tick: tick + (tick % 12 == 6) * 1.5)
    song = mido.MidiFile(file=io.BytesIO(data))
    assert [note[:3] for note in sorted(heard(song))] == [(0, 300, 60), (300, 480, 62), (480, 960, 64)]


def test_nothing_half_written(tmp_path: Path) -> None:
    piece = Piece("x", (Track(),), (Note(0, 6, 60),), 6)
    with pytest.raises(RecurraError, match="writing"):
        write_midi(piece, tmp_path / "none" / "song.mid")
    write_midi(piece, tmp_path / "song.mid")
    assert os.listdir(tmp_path) == ["song.mid"]


@pytest.mark.parametrize("rounds", [500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_damaged_bytes_never_crash(rounds: int) -> None:
    tracks = (Track("Violin", 40), Track("Drums", 0, True))
    notes = tuple(Note(6 * place, 6, 50 + place % 9, 80, place % 2) for place in range(20))
    good = midi_bytes(Piece("x", tracks, notes, 240, (Meter(0, 1, 4), Meter(12, 4, 4)), (Tempo(0, 90.0),)))
    rng, whole = random.Random(1), 0
    for _ in range(rounds):
        data = bytearray(good[: rng.randrange(len(good))] if rng.random() < 0.2 else good)
        for _ in range(rng.choice((1, 1, 2, 8))):
            if len(data) > 22:
                data[rng.randrange(14, len(data))] = rng.choice((0, 127, 128, 255, 0xF0, 0x90, rng.randrange(256)))
        with contextlib.suppress(ValueError):
            (piece,) = midi._pieces("song", parse(bytes(data)), AUTO, False)
            assert piece.notes
            require_sound(pack([piece]), ["song"], "it", "mend it")
            whole += len(piece.notes) == len(notes)
    assert rounds // 20 < whole < rounds


@pytest.mark.slow
@pytest.mark.skipif("RECURRA_DATA" not in os.environ, reason="RECURRA_DATA names no folder with the Nottingham files")
def test_all_nottingham_tunes_load_and_survive(tmp_path: Path) -> None:
    with tarfile.open(Path(os.environ["RECURRA_DATA"]) / "music" / "nottingham-midi.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    files = sorted(tmp_path.rglob("*.mid"))
    assert len(files) == 1034
    begun = kept = 0
    for path in files:
        piece = read_midi(path)
        begun += sum(len(heard_on) for heard_on in mido_notes(path))
        kept += len(piece.notes)
        write_midi(piece, tmp_path / "again.mid")
        assert read_midi(tmp_path / "again.mid").notes == piece.notes
    assert kept >= 0.99 * begun


def mido_notes(path: Path) -> list[list[int]]:
    return [
        [event.note for event in events if event.type == "note_on" and event.velocity]
        for events in mido.MidiFile(path).tracks
    ]


def test_the_grid_is_sixteenths_and_triplets() -> None:
    sixteenths = {Fraction(place, 4) for place in range(5)}
    triplets = {Fraction(place, 6) for place in range(7)}
    assert np.lcm(4, 6) == TICKS
    assert {Fraction(step, TICKS) for step in STEPS} == sixteenths | triplets
