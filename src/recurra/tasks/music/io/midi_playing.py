"""MIDI events to the notes that are heard: what channels, pedals, bends and modes do to them.

Written by the MIDI 1.0 Detailed Specification; drum kits by GM2, GS and XG. What a note cannot hold is counted.
"""

from __future__ import annotations

import bisect
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from recurra.tasks.music.io.midi_events import META, SYSEX, Event, MidiTrack

DRUM_CHANNEL = 9
"""Where General MIDI has its drums, from 0."""

DRUM_BANKS = {"XG": (126, 127), "GM2": (120,)}
"""Banks (the first byte of their number) whose programs are drum kits."""

GS_RESET = b"\x42\x12\x40\x00\x7f"
"""Part of the message that says a file is for Roland's GS, in which bank 127 holds no drums."""

RESETS = (b"\x7e\x7f\x09", b"\x41\x10\x42\x12\x40\x00\x7f", b"\x43\x10\x4c\x00\x00\x7e")
"""How messages begin that put an instrument into its first state, which is assumed anyway."""

PEDAL_DOWN = 64
"""From this value on a pedal is down."""

BENT = 0.95
"""Semitones from which on a note is read at the pitch it is bent to."""

AUDIBLE = 0.25
"""Semitones; bends that lead further from the pitch that is read are counted."""

MOMENTS = 16
"""At which a note's bend is looked at, evenly spread over its length."""

NAME, PORT, TEMPO, METRE = 0x03, 0x21, 0x51, 0x58
"""Meta events that are read."""

UNPLACED = {
    0x01: "texts", 0x02: "copyright notices", 0x04: "instrument names", 0x05: "lyrics", 0x06: "markers",
    0x07: "cue points", 0x08: "program names", 0x54: "SMPTE offsets", 0x59: "key signatures",
    0x7F: "events for one program only",
}  # fmt: skip
"""Meta events that are counted, since a `Piece` has no place for them."""

BANK, DATA, VOLUME, BANK_LOW, DATA_LOW, EXPRESSION, PEDAL, SOSTENUTO, SOFT = 0, 6, 7, 32, 38, 11, 64, 66, 67
PARAMETERS = (98, 99, 100, 101)
ALL_SOUND_OFF, RESET, LOCAL, ALL_NOTES_OFF = 120, 121, 122, 123
"""Numbers of controllers."""

BEND_RANGE = 0
"""The registered parameter that says how far bends go, in semitones."""

NO_PARAMETER = 0x3FFF


@dataclass
class PlayedTrack:
    """Who plays, and what, note by note: onsets and ends in ticks of the file, pitches, velocities."""

    name: bytes
    program: int
    drums: bool
    notes: list[PlayedNote] = field(default_factory=list)


@dataclass(slots=True)
class PlayedNote:
    """A note; `end` is -1 as long as it is not known."""

    begin: int
    pitch: int
    velocity: int
    end: int = -1


@dataclass
class _Channel:
    """What holds on a channel at a moment, and what sounds there."""

    drums: bool
    program: int = 0
    bank: int = 0
    pedal: bool = False
    pressed: dict[int, int] = field(default_factory=dict)
    """How far the other pedals are pressed."""
    parameter: int = NO_PARAMETER
    bend_range: float = 2.0
    sounding: dict[tuple[int, int], deque[PlayedNote]] = field(default_factory=dict)
    """Notes struck and not released, by MIDI track and pitch, the oldest first."""
    held: dict[int, list[PlayedNote]] = field(default_factory=dict)
    """Notes that only the pedal holds, by pitch."""
    bends: list[tuple[int, float]] = field(default_factory=list)
    """From which tick on the bend is how many semitones."""
    notes: list[PlayedNote] = field(default_factory=list)
    """Everything played, to be bent."""


def play(tracks: Sequence[MidiTrack], left_out: Counter[str]) -> list[PlayedTrack]:
    """The notes of tracks that sound together, one track for each instrument of a MIDI track's channel.

    A note ends where it is released, or, if the sustain pedal is down then, where the pedal is lifted or the pitch
    struck again, whichever comes first. Drums do not mind the pedal. Notes that nothing ends are left out; where their
    track is cut off, they end there.

    Args:
        tracks: of a file.
        left_out: counts what the notes cannot hold.
    """
    player = _Player(tracks, left_out)
    for event, index in _in_order(tracks):
        player.see(event, index)
    player.finish()
    return [player.parts[key] for key in sorted(player.parts)]


def has_notes(track: MidiTrack) -> bool:
    """Whether a note begins in a track."""
    return any(status >> 4 == 0x9 and velocity for _, status, _, velocity, _ in track.events)


def _in_order(tracks: Sequence[MidiTrack]) -> Iterable[tuple[Event, int]]:
    """All events with the place of their track, sorted by time; at one moment as the tracks are."""
    together = [(event, index) for index, track in enumerate(tracks) for event in track.events]
    if len(tracks) > 1:
        together.sort(key=lambda item: item[0][0])
    return together


class _Player:
    """Plays events in the order of time.

    Tracks with the same channel (and port) share what holds there, such as a pedal in a track of its own. But where
    there are more instruments than channels, programs use a channel again for another instrument: tracks that set
    different programs on one channel each have it to themselves.
    """

    def __init__(self, tracks: Sequence[MidiTrack], left_out: Counter[str]) -> None:
        self.parts: dict[tuple[int, int, int, bool], PlayedTrack] = {}
        self._tracks = tracks
        self._left_out = left_out
        self._names = [_last(track, NAME) for track in tracks]
        self._ports = [_last(track, PORT) for track in tracks]
        self._reused = _reused(tracks, self._ports)
        gs = any(GS_RESET in event[4] for track in tracks for event in track.events if event[1] == SYSEX)
        self._banks = DRUM_BANKS["GM2"] if gs else sum(DRUM_BANKS.values(), ())
        self._channels: dict[tuple[bytes, int, int], _Channel] = {}
        self._found: dict[tuple[int, int], _Channel] = {}
        self._last = 0

    def see(self, event: Event, index: int) -> None:
        """Let an event of a track happen."""
        tick, status, first, second, data = event
        kind = status >> 4
        if kind == 0xF:
            self._see_other(status, first, index, data)
            return
        channel = self._found.get((index, status & 15)) or self._channel(index, status & 15)
        if kind == 0x9 and second:
            self._strike(channel, index, status & 15, PlayedNote(tick, first, second))
        elif kind <= 0x9:
            self._release(channel, index, first, tick)
        elif kind == 0xB:
            self._control(channel, first, second, tick)
        elif kind == 0xC:
            channel.program = first
        elif kind == 0xE:
            channel.bends.append((tick, ((second << 7 | first) / 8192 - 1) * channel.bend_range))
        else:
            self._left_out["aftertouch"] += 1

    def finish(self) -> None:
        """End what still sounds, and bend the notes."""
        for channel in self._channels.values():
            for note in (note for notes in channel.held.values() for note in notes):
                note.end = max(self._last, note.begin)
            for (index, _), notes in channel.sounding.items():
                for note in notes if not self._tracks[index].whole else ():
                    note.end = self._tracks[index].end if self._tracks[index].end > note.begin else -1
            if any(bend for _, bend in channel.bends):
                self._bend(channel)
        for part in self.parts.values():
            ended = [note for note in part.notes if note.end >= 0]
            self._left_out["notes never ended"] += len(part.notes) - len(ended)
            part.notes = ended

    def _channel(self, index: int, number: int) -> _Channel:
        port = self._ports[index]
        key = (port, number, index if (port, number) in self._reused else -1)
        if key not in self._channels:
            self._channels[key] = _Channel(number == DRUM_CHANNEL)
        self._found[index, number] = self._channels[key]
        return self._channels[key]

    def _strike(self, channel: _Channel, index: int, number: int, note: PlayedNote) -> None:
        drums = channel.drums or channel.bank in self._banks
        key = (index, DRUM_CHANNEL if drums else number, channel.program, drums)
        part = self.parts.get(key)
        if part is None:
            part = self.parts[key] = PlayedTrack(self._names[index], channel.program, drums)
        part.notes.append(note)
        if not drums:
            channel.notes.append(note)
        self._end_held(channel, note.pitch, note.begin)
        channel.sounding.setdefault((index, note.pitch), deque()).append(note)
        self._last = note.begin

    def _release(self, channel: _Channel, index: int, pitch: int, tick: int) -> None:
        """The oldest note of a pitch is released."""
        notes = channel.sounding.get((index, pitch))
        if not notes:
            return
        note = notes.popleft()
        self._last = tick
        if channel.pedal and not (channel.drums or channel.bank in self._banks):
            channel.held.setdefault(pitch, []).append(note)
        else:
            note.end = tick

    def _end_held(self, channel: _Channel, pitch: int, tick: int) -> None:
        for note in channel.held.pop(pitch, ()):
            note.end = tick

    def _lift(self, channel: _Channel, tick: int) -> None:
        """The pedal goes up."""
        channel.pedal = False
        for pitch in list(channel.held):
            self._end_held(channel, pitch, tick)

    def _control(self, channel: _Channel, number: int, value: int, tick: int) -> None:
        if number == PEDAL:
            if value >= PEDAL_DOWN:
                channel.pedal = True
            else:
                self._lift(channel, tick)
        elif number == BANK:
            channel.bank = value
            self._left_out["banks of instruments"] += value > 0 and value not in sum(DRUM_BANKS.values(), ())
        elif number in PARAMETERS or number in (DATA, DATA_LOW):
            self._set_parameter(channel, number, value)
        elif number in (ALL_SOUND_OFF, RESET) or number >= ALL_NOTES_OFF:
            self._quiet(channel, number, tick)
        elif number in (SOSTENUTO, SOFT):
            self._left_out["uses of the sostenuto or soft pedal"] += (
                value >= PEDAL_DOWN > channel.pressed.get(number, 0)
            )
            channel.pressed[number] = value
        elif number in (VOLUME, EXPRESSION):
            self._left_out["changes of volume"] += 1
        elif number == BANK_LOW:
            self._left_out["banks of instruments"] += value > 0
        else:
            self._left_out["controllers"] += 1

    def _quiet(self, channel: _Channel, number: int, tick: int) -> None:
        """All Sound Off ends everything, Reset All Controllers lifts the pedal, All Notes Off and modes release all."""
        if number == RESET:
            self._lift(channel, tick)
            channel.bends.append((tick, 0.0))
            channel.parameter = NO_PARAMETER
            return
        pedal = channel.pedal
        if number == ALL_SOUND_OFF:
            self._lift(channel, tick)
        for (index, pitch), notes in channel.sounding.items():
            for _ in range(len(notes)):
                self._release(channel, index, pitch, tick)
        channel.sounding.clear()
        channel.pedal = pedal

    def _set_parameter(self, channel: _Channel, number: int, value: int) -> None:
        """Of registered parameters only the range of bends is read."""
        low, high = channel.parameter & 0x7F, channel.parameter >> 7
        if number in (100, 101):
            channel.parameter = high << 7 | value if number == 100 else value << 7 | low
        elif number in PARAMETERS:
            channel.parameter = NO_PARAMETER
            self._left_out["controllers"] += 1
        elif channel.parameter != BEND_RANGE:
            self._left_out["controllers"] += 1
        elif number == DATA:
            channel.bend_range = float(value)
        else:
            channel.bend_range = int(channel.bend_range) + value / 100

    def _see_other(self, status: int, kind: int, index: int, data: bytes) -> None:
        """A meta event or a system exclusive message; names, ports, tempos and metres are read elsewhere."""
        if status == META:
            if kind in UNPLACED:
                self._left_out[UNPLACED[kind]] += 1
        elif status == SYSEX and data[:1] == b"\x41" and data[2:5] == b"\x42\x12\x40" and data[6:7] == b"\x15":
            part = data[5] & 15  # GS: "use for rhythm part"; 0 is the tenth channel, 1 to 9 the first nine
            number = part if part > 9 else (part or 10) - 1
            self._channel(index, number).drums = len(data) > 7 and data[7] > 0
        elif status == SYSEX and not data.startswith(RESETS):
            self._left_out["system exclusive messages"] += 1

    def _bend(self, channel: _Channel) -> None:
        """Read notes at the pitch they are bent to for most of their length; count those bent otherwise."""
        ticks, bends = [tick for tick, _ in channel.bends], [bend for _, bend in channel.bends]
        for note in channel.notes:
            step = max(note.end - note.begin, 0) / MOMENTS
            places = [bisect.bisect_right(ticks, note.begin + (n + 0.5) * step) - 1 for n in range(MOMENTS)]
            values = [bends[place] if place >= 0 else 0.0 for place in places]
            shift, often = Counter(round(value) if abs(value) >= BENT else 0 for value in values).most_common(1)[0]
            shift = shift if 2 * often > MOMENTS and 0 <= note.pitch + shift <= 127 else 0
            note.pitch += shift
            self._left_out["notes whose pitch bends"] += any(abs(value - shift) > AUDIBLE for value in values)


def _last(track: MidiTrack, kind: int) -> bytes:
    """What the last meta event of a kind says; empty if there is none."""
    return next((event[4] for event in reversed(track.events) if event[1] == META and event[2] == kind), b"")


def _reused(tracks: Sequence[MidiTrack], ports: Sequence[bytes]) -> set[tuple[bytes, int]]:
    """Ports and channels on which several tracks set different programs."""
    programs: dict[tuple[bytes, int], set[int]] = {}
    for track, port in zip(tracks, ports, strict=True):
        own: dict[int, int] = {}
        for _, status, first, _, _ in track.events:
            if status >> 4 == 0xC:
                own.setdefault(status & 15, first)
        for channel, program in own.items():
            programs.setdefault((port, channel), set()).add(program)
    return {key for key, found in programs.items() if len(found) > 1}
