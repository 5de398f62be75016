"""Standard MIDI Files byte by byte: the events of each track, of damaged files as far as they can be read.

Written by "Standard MIDI Files 1.0" (MIDI Manufacturers Association, RP-001) and "RIFF MIDI" (RP-029). Each event is
looked at once, whatever the lengths in the file say, so time and memory grow with its size only.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

MAX_EVENTS = 2_000_000
"""Events of the largest file that is read."""

MAX_TRACKS = 0xFFFF
"""As many as the header of a MIDI file can count."""

MAX_PREFIX = 2**16
"""Bytes before the header that are passed over."""

MAX_TICK = 2**31
"""Where time ends: at 32,767 ticks a quarter, nine hours."""

MAX_FAULTS = 4
"""Faults of one file that are told; the rest are counted."""

META, SYSEX, ESCAPE = 0xFF, 0xF0, 0xF7
NOTHING = 0xFE
"""The status of an event without a meaning: on a cable it says that the cable is still there."""

END_OF_TRACK = 0x2F

ASSUMED_TEMPO = 120.0
"""Quarters a minute where a file states no tempo."""

STRAY_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Data bytes after status bytes that are for cables, not for files; the others have none."""

Event = tuple[int, int, int, int, bytes]
"""Tick from the beginning, status, first and second data byte (0 if there is none), bytes.

Of a meta event (`META`) the first is its kind and the bytes are its contents; those of a system exclusive message
(`SYSEX`, or `ESCAPE` for its continuation) come after the length."""


class MidiTrack(NamedTuple):
    """A track: its events, the tick it ends at, and whether it was there to its end."""

    events: list[Event]
    end: int
    whole: bool


class MidiFile(NamedTuple):
    """What a file holds.

    Attributes:
        layout: its format: 0 or 1 for one piece, 2 for a sequence in each track.
        ticks: a quarter; of a file that counts frames, at `ASSUMED_TEMPO`.
        frames: whether it counts frames.
        tracks: in their order.
        faults: in what it is not by the standard, and how it was read, in parts of a sentence.
    """

    layout: int
    ticks: float
    frames: bool
    tracks: list[MidiTrack]
    faults: tuple[str, ...]


def parse(data: bytes) -> MidiFile:
    """The events of a file.

    Raises:
        ValueError: if it is no MIDI file, or too large a one; the message goes on after the file's name.
    """
    if not data:
        raise ValueError("is empty")
    faults = _Faults()
    data = _unwrapped(data, faults)
    layout, declared = int.from_bytes(data[8:10], "big"), int.from_bytes(data[10:12], "big")
    size = int.from_bytes(data[4:8], "big")
    begin = 8 + size if 6 <= size <= len(data) - 8 and data[14:18] != b"MTrk" else 14
    if size != 6:
        faults.tell(f"its header has {size:,} bytes, not 6")
    if layout > 2:
        faults.tell(f"it is of format {layout}, which does not exist; read as format 1")
        layout = 1
    if layout == 2:
        faults.tell("it holds a sequence in each track (format 2); each is read as a piece")
    ticks, frames = _division(int.from_bytes(data[12:14], "big"), faults)
    tracks = _tracks(data, begin, faults)
    if len(tracks) != declared:
        faults.tell(f"it announces {declared} tracks and holds {len(tracks)}")
    return MidiFile(layout, ticks, frames, tracks, faults.told())


class _Faults:
    """Collects what is told of a file: the first sentences, and how many events of a kind."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._more = 0
        self.events: Counter[str] = Counter()

    def tell(self, sentence: str) -> None:
        if len(self._sentences) < MAX_FAULTS:
            self._sentences.append(sentence)
        else:
            self._more += 1

    def told(self) -> tuple[str, ...]:
        counted = [f"{kind}: {count:,}" for kind, count in self.events.items()]
        return (*self._sentences, *([f"{self._more:,} faults more"] if self._more else []), *counted)


def _unwrapped(data: bytes, faults: _Faults) -> bytes:
    """The file from its header on."""
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        data = _riff_data(data)
    at = data.find(b"MThd", 0, MAX_PREFIX)
    if at < 0 or len(data) < at + 14:
        raise ValueError("is not a MIDI file")
    if at:
        faults.tell(f"{at:,} bytes stand before its header" + (" (MacBinary)" if at == 128 and not data[0] else ""))
    return data[at:]


def _riff_data(data: bytes) -> bytes:
    """The contents of the chunk `data`; everything, if it is not found."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return data


def _division(division: int, faults: _Faults) -> tuple[float, bool]:
    """Ticks a quarter, and whether the file counts frames."""
    if division < 0x8000:
        if not division:
            raise ValueError("says that a quarter has no ticks, so its time cannot be known")
        return division, False
    rate, parts = 256 - (division >> 8), division & 0xFF
    if not parts:
        raise ValueError("says that a frame has no ticks, so its time cannot be known")
    faults.tell(f"it counts time in frames, not in quarters; read at {ASSUMED_TEMPO:g} quarters a minute")
    seconds = 60 / ASSUMED_TEMPO
    return (30_000 / 1001 if rate == 29 else rate) * parts * seconds, True


def _tracks(data: bytes, at: int, faults: _Faults) -> list[MidiTrack]:
    """All tracks from a position on; chunks of other names are passed over, as the standard asks."""
    tracks: list[MidiTrack] = []
    events = 0
    while at < len(data):
        if data[at : at + 4] == b"MTrk" and at + 8 <= len(data):
            if len(tracks) == MAX_TRACKS:
                raise ValueError(f"holds more than {MAX_TRACKS} tracks, more than a MIDI file can count")
            track, at = _track_chunk(data, at, len(tracks) + 1, MAX_EVENTS - events, faults)
            tracks.append(track)
            events += len(track.events)
        elif (end := _end_of_chunk(data, at)) is not None:
            at = end
        else:
            found = data.find(b"MTrk", at + 1)
            rubbish = (len(data) if found < 0 else found) - at
            faults.tell(f"{rubbish:,} bytes that mean nothing stand after {_place(len(tracks))}")
            at += rubbish
    return tracks


def _place(track: int) -> str:
    return f"track {track}" if track else "the header"


def _end_of_chunk(data: bytes, at: int) -> int | None:
    """Where a chunk ends that has a name and fits into the file; None if there is none at that position."""
    end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    named = all(0x20 <= letter < 0x7F for letter in data[at : at + 4])
    return end if named and at + 8 <= end <= len(data) and len(data) >= at + 8 else None


def _track_chunk(data: bytes, at: int, number: int, room: int, faults: _Faults) -> tuple[MidiTrack, int]:
    """The track whose chunk begins at `at`, and where to read on.

    The length that the chunk states is believed if something follows there: a chunk, or the end of the file.
    """
    stated = int.from_bytes(data[at + 4 : at + 8], "big")
    end = at + 8 + stated
    believed = end == len(data) or (end < len(data) and _end_of_chunk(data, end) is not None)
    if not believed:
        following = data.find(b"MTrk", at + 8)
        end = len(data) if following < 0 else following
    track, stop, reason = _events(data, at + 8, end, room, faults.events)
    if reason and track.whole and at + 8 + stated > len(data) == end:
        track, reason = track._replace(whole=False), "is cut off"
    if reason:
        faults.tell(f"track {number} {reason}")
        return track, end
    while believed and stop < end and data[stop : stop + 4] != b"MTrk":
        counts = Counter[str]()
        more, following, reason = _events(data, stop, end, room - len(track.events), counts)
        if not more.whole or len(more.events) < 2:
            break
        faults.tell(f"track {number} has an end in its middle; what follows is read too")
        faults.events += counts
        track.events.extend((track.end + event[0], *event[1:]) for event in more.events)
        track, stop = track._replace(end=track.end + more.end), following
    if stop < end and (not believed or data[stop : stop + 4] == b"MTrk"):
        believed, end = False, stop
    elif stop < end:
        faults.tell(f"{end - stop:,} bytes stand behind the end of track {number}")
    if not believed and end - at - 8 != stated:
        faults.tell(f"track {number} has {end - at - 8:,} bytes, not {stated:,} as it says")
    return track, end


def _events(data: bytes, at: int, end: int, room: int, faults: Counter[str]) -> tuple[MidiTrack, int, str]:
    """The events from `at` to the end of the track, at most to `end`.

    Returns:
        The track, where it stops, and why it is not whole; empty if it is.
    """
    events: list[Event] = []
    tick = running = 0
    while at < end:
        begin = at
        try:
            delta = data[at]
            at += 1
            if delta >= 0x80:
                delta, at = _number(data, begin)
            status = data[at] if data[at] >= 0x80 else running
            at += data[at] >= 0x80
            if tick + delta >= MAX_TICK or status < 0x80:
                raise ValueError("lasts for days" if status >= 0x80 else "holds what is no event")
            if status < 0xF0:
                running = status
                event, at = _channel_event(data, at, tick + delta, status, faults)
            else:
                event, at = _system_event(data, at, end, tick + delta, status, faults)
        except IndexError:
            at = end + 1
        except ValueError as error:
            return MidiTrack(events, tick, False), at, f"{error}; {end - begin:,} bytes of it are not read"
        if at > end:
            return MidiTrack(events, tick, False), at, "is cut off"
        tick = event[0]
        events.append(event)
        if len(events) > room:
            raise ValueError(f"holds more than {MAX_EVENTS:,} events, which no piece of music does")
        if status == META and event[2] == END_OF_TRACK:
            return MidiTrack(events, tick, True), at, ""
    return MidiTrack(events, tick, True), at, "has no event that ends it"


def _channel_event(data: bytes, at: int, tick: int, status: int, faults: Counter[str]) -> tuple[Event, int]:
    """An event of one channel, whose data begin at `at`, and where it ends.

    A value above 127 becomes 127; an event whose note or number is above 127 becomes one without a meaning.
    """
    first, second = data[at], 0
    at += 1
    if not 0xC0 <= status < 0xE0:
        second = data[at]
        at += 1
    if first >= 0x80:
        faults["events for notes or numbers above 127, which there are none of"] += 1
        return (tick, NOTHING, 0, 0, b""), at
    if second >= 0x80:
        faults["events with a value above 127, taken for 127"] += 1
        second = 0x7F
    return (tick, status, first, second, b""), at


def _system_event(data: bytes, at: int, end: int, tick: int, status: int, faults: Counter[str]) -> tuple[Event, int]:
    """Any other event, likewise; beyond `end` nothing is copied."""
    if status not in (META, SYSEX, ESCAPE):
        faults["events that belong on cables, not in files"] += 1
        for _ in range(STRAY_DATA.get(status, 0)):
            at += data[at] < 0x80
        return (tick, status, 0, 0, b""), at
    kind = data[at] if status == META else 0
    length, body = _number(data, at + (status == META))
    at = body + length
    return (tick, status, kind, 0, data[body:at] if at <= end else b""), at


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to four bytes, and where it ends."""
    value = 0
    for position in range(at, at + 4):
        value = value << 7 | data[position] & 0x7F
        if data[position] < 0x80:
            return value, position + 1
    raise ValueError("holds a number that does not end")
