"""MIDI in and out: bytes built by hand, a round trip that keeps everything, and files that are none."""

import io
import itertools
import os
import random
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recurra.errors import RecurraError
from recurra.tasks.music import grid
from recurra.tasks.music.grid import STEPS, snap
from recurra.tasks.music.io import midi
from recurra.tasks.music.io.midi import midi_bytes, read_midi, write_midi
from recurra.tasks.music.pieces import TICKS, Meter, Note, Piece, Tempo, Track

Event = tuple[int, bytes]
QUARTER = 480


def number(value: int) -> bytes:
    parts = [value & 127]
    while value := value >> 7:
        parts.insert(0, value & 127 | 128)
    return bytes(parts)


def track(*events: Event) -> bytes:
    body = b"".join(number(delta) + event for delta, event in events) + b"\0\xff\x2f\0"
    return b"MTrk" + struct.pack(">I", len(body)) + body


def file(*tracks: bytes, layout: int = 1, quarter: int = QUARTER, count: int | None = None) -> bytes:
    return (
        b"MThd" + struct.pack(">IHHH", 6, layout, len(tracks) if count is None else count, quarter) + b"".join(tracks)
    )


def on(pitch: int, velocity: int = 80, channel: int = 0) -> bytes:
    return bytes([0x90 | channel, pitch, velocity])


def off(pitch: int, channel: int = 0) -> bytes:
    return bytes([0x80 | channel, pitch, 0])


def metre(numerator: int, power: int) -> bytes:
    return bytes([0xFF, 0x58, 4, numerator, power, 24, 8])


def tempo(microseconds: int) -> bytes:
    return b"\xff\x51\x03" + microseconds.to_bytes(3, "big")


A_QUARTER: tuple[Event, ...] = ((0, on(60)), (QUARTER, off(60)))


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
    assert piece.tempos == (Tempo(0, 100.0),)
    assert piece.left_out == {"impossible metres": 4, "impossible tempos": 3}


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
        assert meters[-1][1:] == real[-1][1]


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
    assert "days long" in refused(file(track(*[(2**28 - 1, on(60)), (2**28 - 1, off(60))] * 9)))


def test_many_tracks_become_few(read) -> None:
    same = read(file(*[track(*A_QUARTER)] * 9_999))
    assert (len(same.tracks), len(same.notes)) == (1, 1)
    assert same.left_out == {"tracks made one with others of their instrument": 9_998, "doubled notes": 9_998}
    different = read(file(*[track((0, bytes([0xC0, program])), *A_QUARTER) for program in range(100)]))
    assert [track.program for track in different.tracks] == list(range(midi.MAX_TRACKS))
    assert different.left_out["notes in tracks beyond 64"] == 36


GS_RHYTHM = bytes([0xF0, 10, 0x41, 0x10, 0x42, 0x12, 0x40, 0x11, 0x15, 0x01, 0x19, 0xF7])
GS_RESET = bytes([0xF0, 10, 0x41, 0x10, 0x42, 0x12, 0x40, 0x00, 0x7F, 0x00, 0x41, 0xF7])


@pytest.mark.parametrize(
    ("before", "drums"),
    [
        ([bytes([0xB0, 0, 127])], True),  # XG
        ([bytes([0xB0, 0, 120])], True),  # GM2
        ([bytes([0xB0, 0, 1])], False),
        ([bytes([0xB0, 0, 127]), bytes([0xB0, 0, 0])], False),
        ([GS_RHYTHM], True),
        ([GS_RHYTHM.replace(b"\x11\x15", b"\x12\x15")], False),  # of another channel
        ([GS_RESET, bytes([0xB0, 0, 127])], False),
    ],
)
def test_drum_kits_on_other_channels(read, before: list[bytes], drums: bool) -> None:
    events = [(0, event) for event in [*before, bytes([0xC0, 0]), on(36)]]
    piece = read(file(track(*events, (QUARTER, off(36)))))
    assert [(one.drums, note.pitch) for one, note in zip(piece.tracks, piece.notes, strict=True)] == [(drums, 36)]


def test_what_has_no_place_is_counted(read) -> None:
    words = [(0, b"\xff\x05\x02la"), (0, b"\xff\x06\x01A"), (0, b"\xff\x59\x02\x01\0"), (0, b"\xff\x01\x02by")]
    piece = read(file(track(*words, (0, b"\xb0\x40\x7f"), (0, b"\xf0\x02\x01\xf7")), track(*A_QUARTER)))
    assert piece.tracks == (Track(),)
    assert piece.left_out == {"lyrics": 1, "markers": 1, "key signatures": 1, "texts": 1}


GOOD = file(
    track((0, b"\xff\x03\x04name"), (0, metre(3, 2)), (0, tempo(500_000)), *A_QUARTER, (0, on(61)), (9, off(61)))
)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"MThd", "not a MIDI file"),
        (b"RIFF rubbish that is none", "not a MIDI file"),
        (b"MThd\0\0\0\x07" + GOOD[8:], "damaged header"),
        (file(track(*A_QUARTER), layout=2), "format 2"),
        (file(track(*A_QUARTER), quarter=0), "frames"),
        (file(track(*A_QUARTER), quarter=0xE728), "frames"),
        (file(), "no notes"),
        (file(track()), "no notes"),
        (file(track((0, b"\x40\x40"))), "does not begin an event"),
        (file(track((0, b"\xf4"))), "does not begin an event"),
        (file(track((0, b"\x90\x80\x40"))), "impossible values"),
        (file(track((0, b"\xff\x51\x01\x05"))), "too short"),
        (file(track((0, b"\xff\x01\x60"))), "cuts off"),
        (file(b"MTrk\0\0\0\x04\xff\xff\xff\xff"), "does not end"),
        (file(b"MTrk\xff\xff\xff\xff\0\x90"), "cut off"),
    ],
)
def test_a_file_that_is_none_gets_one_sentence(refused, data: bytes, reason: str) -> None:
    assert reason in refused(data)


def test_every_cut_is_noticed(refused) -> None:
    for length in range(len(GOOD)):
        refused(GOOD[:length])


def test_oddities_of_programs_that_wrote_it_do_not_matter(read) -> None:
    expected = read(GOOD)
    assert read(GOOD + b"\x1a" * 7) == expected, "rubbish behind"
    assert read(GOOD[:14] + b"XFIH\0\0\0\2ab" + GOOD[14:]) == expected, "a chunk nobody knows"
    assert read(GOOD[:10] + b"\x01\xf4" + GOOD[12:]) == expected, "five hundred tracks announced"
    riff = b"RIFF" + struct.pack("<I", len(GOOD) + 12) + b"RMIDdata" + struct.pack("<I", len(GOOD)) + GOOD
    assert read(riff) == expected


def test_limits(read, refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midi, "MAX_NOTES", 1)
    assert "holds 2 notes" in refused(GOOD)
    monkeypatch.setattr(midi, "MAX_BYTES", len(GOOD) - 1)
    assert "larger" in refused(GOOD)


def test_a_missing_file_and_a_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecurraError, match=r"reading .*none\.mid failed"):
        read_midi(tmp_path / "none.mid")
    monkeypatch.setitem(sys.modules, "symusic", None)
    with pytest.raises(RecurraError, match=r"pip install 'recurra\[music\]'"):
        read_midi(tmp_path / "none.mid")


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


FUZZ = """
import random, sys
from pathlib import Path
from recurra.tasks.music.io.midi import read_midi
from recurra.errors import RecurraError
path, rounds = Path(sys.argv[1]), int(sys.argv[2])
good, rng = path.read_bytes(), random.Random(1)
read = 0
for _ in range(rounds):
    data = bytearray(good[: rng.randrange(len(good))] if rng.random() < 0.2 else good)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if len(data) > 22:
            data[rng.randrange(14, len(data))] = rng.choice((0, 127, 128, 255, 0xF0, 0x90, rng.randrange(256)))
    path.write_bytes(data)
    try:
        read += len(read_midi(path).notes) > 0
    except RecurraError:
        pass
print(read)
"""


@pytest.mark.parametrize("rounds", [500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_damaged_bytes_never_crash(tmp_path: Path, rounds: int) -> None:
    path = tmp_path / "song.mid"
    tracks = (Track("Violin", 40), Track("Drums", 0, True))
    notes = tuple(Note(6 * place, 6, 50 + place % 9, 80, place % 2) for place in range(20))
    write_midi(Piece("x", tracks, notes, 240, (Meter(0, 1, 4), Meter(12, 4, 4)), (Tempo(0, 90.0),)), path)
    done = subprocess.run([sys.executable, "-c", FUZZ, path, str(rounds)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > rounds // 20, "hardly any was read, so nothing was tested"


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
