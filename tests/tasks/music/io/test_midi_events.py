"""MIDI files byte by byte: clean ones as mido reads them, damaged ones as far as they go, hostile ones in no time."""

import contextlib
import io
import struct
import time

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st
from midi_files import A_QUARTER, QUARTER, chunk, events, file, metre, name, number, off, on, program, tempo, track
from mido.midifiles.meta import encode_variable_int

from recurra.tasks.music.io import midi_events
from recurra.tasks.music.io.midi_events import ESCAPE, META, SYSEX, Event, MidiFile, parse

GOOD = file(
    track((0, name(b"one")), (0, metre(3, 2)), (0, tempo(500_000)), *A_QUARTER),
    track((0, name(b"two")), (0, program(5)), (0, on(64)), (QUARTER, off(64)), (0, on(65)), (90, off(65))),
)
FIRST = 14
"""Where the first track's chunk begins ..."""

SECOND = FIRST + 8 + int.from_bytes(GOOD[18:22], "big")
"""... and the second's."""


def notes(found: MidiFile) -> list[list[tuple[int, int]]]:
    """Tick and pitch of what begins, for each track."""
    return [[(e[0], e[2]) for e in one.events if e[1] >> 4 == 9 and e[3]] for one in found.tracks]


ALL = [[(0, 60)], [(0, 64), (QUARTER, 65)]]


def written(event: Event) -> list[int]:
    """The bytes of an event, as mido has them."""
    _, status, first, second, data = event
    if status == META:
        return [status, first, *encode_variable_int(len(data)), *data]
    if status in (SYSEX, ESCAPE):
        return [status, *data]
    return [status, first] if 0xC0 <= status < 0xE0 else [status, first, second]


def as_mido_reads(data: bytes) -> list[list[tuple[int, list[int]]]]:
    tracks = []
    for messages in mido.MidiFile(file=io.BytesIO(data)).tracks:
        now = 0
        tracks.append([(now := now + message.time, message.bytes()) for message in messages])
    return tracks


DATA = st.integers(0, 127)
CHANNEL_EVENTS = st.tuples(st.sampled_from([0x8, 0x9, 0xA, 0xB, 0xE]), st.integers(0, 15), DATA, DATA).map(
    lambda parts: bytes([parts[0] << 4 | parts[1], parts[2], parts[3]])
) | st.tuples(st.sampled_from([0xC, 0xD]), st.integers(0, 15), DATA).map(
    lambda parts: bytes([parts[0] << 4 | parts[1], parts[2]])
)
OTHER_EVENTS = st.one_of(
    st.binary(max_size=200).map(lambda text: b"\xff\x01" + number(len(text)) + text),
    st.integers(1, 2**24 - 1).map(tempo),
    st.tuples(st.integers(1, 255), st.integers(0, 6)).map(lambda parts: metre(*parts)),
    st.lists(DATA, max_size=20).map(lambda body: b"\xf0" + number(len(body) + 1) + bytes(body) + b"\xf7"),
)
TRACKS = st.lists(st.tuples(st.integers(0, 2**28 - 1), CHANNEL_EVENTS | OTHER_EVENTS), max_size=8).map(
    lambda given: track(*given)
)


@given(st.lists(TRACKS, max_size=4), st.integers(0, 1), st.integers(1, 0x7FFF))
def test_a_clean_file_is_what_mido_reads(tracks: list[bytes], layout: int, quarter: int) -> None:
    data = file(*tracks, layout=layout, quarter=quarter)
    found = parse(data)
    assert (found.layout, found.ticks, found.frames, found.faults) == (layout, quarter, False, ())
    assert [[(event[0], written(event)) for event in one.events] for one in found.tracks] == as_mido_reads(data)
    assert all(one.whole and one.end == one.events[-1][0] for one in found.tracks)


def test_running_status_goes_on_after_other_events() -> None:
    found = parse(file(track((0, on(60)), (5, b"\x3c\0"), (0, b"\xff\x01\0"), (2, b"\x40\x50"))))
    assert [event[:4] for event in found.tracks[0].events[:4]] == [
        (0, 0x90, 60, 80), (5, 0x90, 60, 0), (5, META, 1, 0), (7, 0x90, 64, 80),
    ]  # fmt: skip


def relength(data: bytes, at: int, size: int) -> bytes:
    """The chunk that begins at `at` says that it has another size."""
    return data[: at + 4] + struct.pack(">I", size) + data[at + 8 :]


LONG_HEADER = chunk(b"MThd", GOOD[8:14] + b"more") + GOOD[14:]
NO_END = events(*A_QUARTER)
ENDS_TWICE = chunk(b"MTrk", events((0, b"\xff\x2f\0"), *A_QUARTER, (0, b"\xff\x2f\0")))


@pytest.mark.parametrize(
    ("data", "told", "expected"),
    [
        (relength(GOOD, FIRST, 9999), "track 1 has 35 bytes, not 9,999 as it says", ALL),
        (relength(GOOD, FIRST, 5), "track 1 has 35 bytes, not 5 as it says", ALL),
        (relength(GOOD, FIRST, 0), "track 1 has 35 bytes, not 0 as it says", ALL),
        (relength(GOOD, FIRST, 35 + 8 + 31), "track 1 has 35 bytes, not 74 as it says", ALL),
        (relength(GOOD, SECOND, 2**32 - 1), "track 2 has 31 bytes, not 4,294,967,295 as it says", ALL),
        (GOOD[:-7], "track 2 is cut off", ALL),
        (GOOD[:-4], "track 2 is cut off", ALL),
        (GOOD[:-13], "track 2 is cut off", [ALL[0], ALL[1][:1]]),
        (GOOD[:SECOND], "it announces 2 tracks and holds 1", ALL[:1]),
        (GOOD[: SECOND + 6], "6 bytes that mean nothing stand after track 1", ALL[:1]),
        (GOOD[:SECOND] + b"\x85\1\2" + GOOD[SECOND:], "3 bytes that mean nothing stand after track 1", ALL),
        (GOOD[:FIRST] + b"\x85\1\2" + GOOD[FIRST:], "3 bytes that mean nothing stand after the header", ALL),
        (GOOD + b"\x1a" * 7, "7 bytes that mean nothing stand after track 2", ALL),
        (GOOD[:FIRST] + chunk(b"XFIH", b"ab") + GOOD[FIRST:], "", ALL),
        (LONG_HEADER, "its header has 10 bytes, not 6", ALL),
        (relength(GOOD, 0, 10), "its header has 10 bytes, not 6", ALL),
        (relength(GOOD, 0, 0), "its header has 0 bytes, not 6", ALL),
        (b"\0\4song" + bytes(122) + GOOD, "128 bytes stand before its header (MacBinary)", ALL),
        (b"a letter\n" + GOOD, "9 bytes stand before its header", ALL),
        (file(*[track(*A_QUARTER)] * 2, layout=2), "it holds a sequence in each track", [[(0, 60)]] * 2),
        (file(track(*A_QUARTER), layout=7), "it is of format 7, which does not exist", [[(0, 60)]]),
        (file(track(*A_QUARTER), count=9), "it announces 9 tracks and holds 1", [[(0, 60)]]),
        (file(chunk(b"MTrk", NO_END)), "track 1 has no event that ends it", [[(0, 60)]]),
        (file(chunk(b"MTrk", NO_END + b"\0\xff\x2f\0" + bytes(9))), "9 bytes stand behind the end", [[(0, 60)]]),
        (file(ENDS_TWICE), "track 1 has an end in its middle; what follows is read too", [[(0, 60)]]),
        (file(chunk(b"MTrk", b"\0\x40\x40" + NO_END)), "holds what is no event; 12 bytes of it are not read", [[]]),
        (file(chunk(b"MTrk", b"\0\xc0\5" + b"\xff" * 4)), "holds a number that does not end", [[]]),
        (file(track((0, on(60)), (3, b"\xf8"), (4, on(61)))), "on cables, not in files: 1", [[(0, 60), (7, 61)]]),
        (file(track((0, b"\xf2\1\2"), (0, b"\xf3\1"), (0, b"\xf6"), (4, on(61)))), "not in files: 3", [[(4, 61)]]),
        (file(track((0, b"\xb0\7\xc8"), (0, on(60)))), "a value above 127, taken for 127: 1", [[(0, 60)]]),
        (file(track((0, b"\x90\xc8\x40"), (3, on(60)))), "which there are none of: 1", [[(3, 60)]]),
    ],
)  # fmt: skip
def test_a_damaged_file_is_read_as_far_as_it_can_be_and_told(
    data: bytes, told: str, expected: list[list[tuple[int, int]]]
) -> None:
    found = parse(data)
    assert notes(found) == expected
    assert told in "; ".join(found.faults)
    assert bool(told) == bool(found.faults)


def test_what_follows_an_end_in_the_middle_comes_after_it() -> None:
    ended = events((7, b"\xff\x2f\0"))
    found = parse(file(chunk(b"MTrk", ended + events((2, on(60)), (3, on(61))) + ended + events((1, on(62))) + ended)))
    assert notes(found) == [[(9, 60), (12, 61), (20, 62)]]
    assert found.tracks[0].end == 27


def test_a_value_above_127_is_the_largest() -> None:
    assert parse(file(track((0, b"\xb0\7\xc8")))).tracks[0].events[0] == (0, 0xB0, 7, 127, b"")


@pytest.mark.parametrize("size", [len(GOOD), 0, 9999])
def test_riff_is_a_wrapping_that_says_nothing(size: int) -> None:
    def riff(*chunks: bytes) -> bytes:
        return b"RIFF" + struct.pack("<I", 4 + sum(map(len, chunks))) + b"RMID" + b"".join(chunks)

    info = b"LIST" + struct.pack("<I", 15) + b"INFOINAM" + struct.pack("<I", 3) + b"abc" + b"\0"
    data = b"data" + struct.pack("<I", len(GOOD)) + GOOD
    assert parse(riff(data)) == parse(riff(info, data)) == parse(riff(data, info)) == parse(GOOD)
    if size:
        assert notes(parse(riff(b"data" + struct.pack("<I", size) + GOOD))) == ALL


@pytest.mark.parametrize(
    ("division", "ticks"),
    [(0xE728, 500.0), (0xE250, 1200.0), (0xE364, 30_000 / 1001 * 50)],  # 25 x 40, 30 x 80, 29.97 x 100 a second
)
def test_frames_are_read_at_120_quarters_a_minute(division: int, ticks: float) -> None:
    found = parse(file(track(*A_QUARTER), quarter=division))
    assert (found.ticks, found.frames) == (pytest.approx(ticks), True)
    assert found.faults == ("it counts time in frames, not in quarters; read at 120 quarters a minute",)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"MThd", "not a MIDI file"),
        (b"RIFF rubbish that is none", "not a MIDI file"),
        (bytes(2**16) + GOOD, "not a MIDI file"),
        (file(track(*A_QUARTER), quarter=0), "a quarter has no ticks"),
        (file(track(*A_QUARTER), quarter=0xE700), "a frame has no ticks"),
    ],
)
def test_what_cannot_be_read_at_all(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(data)


def test_every_cut_leaves_what_stands_before_it() -> None:
    whole = notes(parse(GOOD))
    for length in range(FIRST, len(GOOD)):
        found = parse(GOOD[:length])
        assert found.faults, length
        assert all(part == all_[: len(part)] for part, all_ in zip(notes(found), whole, strict=False))


def test_few_faults_are_told_of_many() -> None:
    found = parse(file(*[relength(track(*A_QUARTER), 0, 3)] * 50))
    assert len(found.faults) == midi_events.MAX_FAULTS + 1
    assert found.faults[-1] == "46 faults more"


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midi_events, "MAX_EVENTS", 13)
    assert parse(GOOD)
    monkeypatch.setattr(midi_events, "MAX_EVENTS", 12)
    with pytest.raises(ValueError, match="more than 12 events"):
        parse(GOOD)
    monkeypatch.setattr(midi_events, "MAX_TRACKS", 1)
    with pytest.raises(ValueError, match="more than 1 tracks"):
        parse(GOOD)


SIZE = 2**18


@pytest.mark.parametrize(
    "data",
    [
        file(b"MTrk\0\0\0\0" * 20_000),
        file(b"MTrk\xff\xff\xff\xff\0\xff\x2f\0" * 20_000),
        file(*(relength(b"MTrk\0\0\0\0\0\xff\x2f\0", 0, n * 12 - 8) for n in range(20_000, 0, -1))),
        file(b"MTr" * (SIZE // 3)),
        file(b"MTrk\0\0\0\0ABCD\0\0\0\0" * (SIZE // 16)),
        file(chunk(b"MTrk", b"\0\xff\x2f\0" * (SIZE // 4))),
        file(chunk(b"MTrk", b"\0\xf0" + number(SIZE) + bytes(SIZE // 2))),
        file(chunk(b"MTrk", (b"\0\xf0\x7f" + bytes(9)) * (SIZE // 12))),
        b"RIFF\0\0\0\0RMID" + b"LIST\0\0\0\0" * (SIZE // 8),
        file(chunk(b"MTrk", b"\0\x90" + b"\x3c\x50\0" * (SIZE // 3))),
    ],
    ids=range(10),
)  # fmt: skip
def test_no_file_takes_longer_than_its_size(data: bytes) -> None:
    begun = time.process_time()
    with contextlib.suppress(ValueError):
        assert sum(len(one.events) for one in parse(data).tracks) <= len(data)
    assert time.process_time() - begun < 5.0


@given(st.data())
def test_any_bytes_are_read_or_refused(data: st.DataObject) -> None:
    rubbish = data.draw(st.binary(max_size=60))
    at, end = sorted(data.draw(st.tuples(st.integers(4, len(GOOD)), st.integers(4, len(GOOD)))))
    damaged = GOOD[:at] + rubbish + GOOD[end:]
    try:
        found = parse(damaged)
    except ValueError:
        assert damaged[:14] != GOOD[:14], "only the header can be past mending"
        return
    for one in found.tracks:
        ticks = [event[0] for event in one.events]
        assert ticks == sorted(ticks)
        assert all(0 <= event[2] < 128 and 0 <= event[3] < 128 for event in one.events if event[1] < 0xF0)
        assert one.end >= max(ticks, default=0)
