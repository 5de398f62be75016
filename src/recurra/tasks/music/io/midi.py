"""MIDI files in and out."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recurra.errors import RecurraError, os_errors
from recurra.files import write_atomic
from recurra.tasks.music.grid import assemble, spans
from recurra.tasks.music.pieces import TICKS, Note, Piece, Track

MAX_BYTES = 16 * 2**20
"""The largest file that is read."""

MAX_NOTES = 2_000_000

MAX_TRACKS = 64
"""Tracks kept of one file; beyond it those of one instrument become one."""

UNPLACED = {0x01: "texts", 0x05: "lyrics", 0x06: "markers", 0x59: "key signatures"}
"""Meta events that are counted, since a `Piece` has no place for them."""

META_LENGTHS = {0x03: 0, 0x2F: 0, 0x51: 3, 0x58: 2}
"""Meta events that are read, and the bytes they need: name, end of track, tempo, metre."""

NOTES_AND_PROGRAMS = (0x8, 0x9, 0xC)
"""First halves of the status bytes of channel events that are read."""

DRUM_CHANNEL = 9
"""Where General MIDI has its drums, from 0."""

DRUM_BANKS = {"XG": (126, 127), "GM2": (120,)}
"""Banks (the first byte of their number) whose programs are drum kits."""

GS_RESET = b"\x42\x12\x40\x00\x7f"
"""Part of the message that says a file is for Roland's GS, in which bank 127 holds no drums."""

NOTHING = b"\xff\x7f\x00"
"""An event without meaning, to keep time."""

END = b"\xff\x2f\x00"
"""Of a track."""

WRITTEN_TICKS = 480
"""Ticks a quarter in files that are written."""


def read_midi(path: Path) -> Piece:
    """Read one MIDI file.

    Onsets and ends go to the nearest sixteenth or triplet (`grid.STEPS`), all else as `grid.assemble` says.

    Raises:
        RecurraError: if it cannot be read, is damaged or too large, or holds no notes.
    """
    symusic = require_symusic()
    with os_errors("reading", path):
        if path.stat().st_size > MAX_BYTES:
            raise RecurraError(f"{path} is larger than {MAX_BYTES // 2**20} MiB, which no piece of music is; split it")
        data = path.read_bytes()
    try:
        contents = _check(data)
        score = symusic.Score.from_midi(contents.data)
        left_out = contents.left_out
        tracks, notes = _tracks(score, left_out)
        if contents.note_ons > sum(len(track.notes) for track in score.tracks):
            left_out["notes never ended"] = contents.note_ons - sum(len(track.notes) for track in score.tracks)
        scale = TICKS / score.ticks_per_quarter
        meters = [(change.time * scale, change.numerator, change.denominator) for change in score.time_signatures]
        tempos = [(change.time * scale, change.qpm) for change in score.tempos]
        return assemble(path.name, tracks, notes, meters, tempos, left_out)
    except (ValueError, RuntimeError) as error:
        reason = str(error).removeprefix("MiniMidi: ").rstrip(".!")
        raise RecurraError(f"{path} {reason}; give another MIDI file") from error


def write_midi(piece: Piece, path: Path, timing: Callable[[int], float] | None = None) -> None:
    """Write a piece as a MIDI file, all or nothing.

    Args:
        piece: what to write.
        path: where; a file there is replaced.
        timing: moves a tick (of `TICKS` a quarter) to where it is played, fractions allowed, for swing. Metres and
            tempos stay.

    Raises:
        RecurraError: if it cannot be written.
    """
    data = midi_bytes(piece, timing)
    write_atomic(path, lambda temporary: _write_bytes(temporary, data))


def midi_bytes(piece: Piece, timing: Callable[[int], float] | None = None) -> bytes:
    """What `write_midi` writes."""
    score = to_score(piece, timing)
    data: bytes = score.dumps_midi()
    return data


def to_score(piece: Piece, timing: Callable[[int], float] | None = None) -> Any:
    """A piece as symusic's score, `WRITTEN_TICKS` a quarter; `timing` as for `write_midi`."""
    symusic = require_symusic()
    scale = WRITTEN_TICKS // TICKS
    score = symusic.Score(WRITTEN_TICKS)
    score.time_signatures.extend(
        [symusic.TimeSignature(meter.onset * scale, meter.numerator, meter.denominator) for meter in piece.meters]
    )
    score.tempos.extend([symusic.Tempo(tempo.onset * scale, qpm=tempo.quarters_per_minute) for tempo in piece.tempos])
    for track in piece.tracks:
        score.tracks.append(symusic.Track(track.name, track.program, track.drums))

    def position(tick: int) -> int:
        return round((timing(tick) if timing else tick) * scale)

    notes: list[list[Any]] = [[] for _ in piece.tracks]
    for note in piece.notes:
        onset = position(note.onset)
        duration = max(1, position(note.end) - onset)
        notes[note.track].append(symusic.Note(onset, duration, note.pitch, note.velocity))
    for track, own in zip(score.tracks, notes, strict=True):
        track.notes.extend(own)
    return score


def require_symusic() -> Any:
    """The library symusic, or one sentence that says how to get it."""
    try:
        import symusic
    except ImportError as error:
        raise RecurraError("MIDI files need one more package: pip install 'recurra[music]'") from error
    return symusic


class _Contents(NamedTuple):
    """What `_check` saw: the MIDI in plain form, how many notes begin, and what a `Piece` has no place for."""

    data: bytes
    note_ons: int
    left_out: Counter[str]


def _check(data: bytes) -> _Contents:
    """Walk a file from end to end and put it plainly.

    symusic reads beyond the end of a damaged file, or crashes, and takes some rare events for others; it never gets to
    see those.

    Raises:
        ValueError: if anything but its text is not as the standard has it; the message goes on after the file's name.
    """
    if not data:
        raise ValueError("is empty")
    if data[:4] == b"RIFF" and data[8:16] == b"RMIDdata":
        data = data[20 : 20 + int.from_bytes(data[16:20], "little")]
    if data[:4] != b"MThd" or len(data) < 14:
        raise ValueError("is not a MIDI file")
    size, layout, declared, ticks = struct.unpack(">IHHH", data[4:14])
    if size != 6:
        raise ValueError(f"has a damaged header (of {size} bytes)")
    if layout > 1:
        raise ValueError(f"holds separate sequences (MIDI format {layout}), not one piece")
    if ticks == 0 or ticks >= 0x8000:
        raise ValueError("counts time in frames, not in quarters")
    at, count, left_out = 14, 0, Counter[str]()
    kits = _Kits(DRUM_BANKS["GM2"] if GS_RESET in data else sum(DRUM_BANKS.values(), ()))
    kept: list[bytes] = []
    while at < len(data):
        name, end = data[at : at + 4], at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        if name != b"MTrk" and len(kept) >= declared:
            break  # some programs leave rubbish behind
        if at + 8 > len(data) or end > len(data):
            raise ValueError(f"is damaged or cut off (in its {len(data)} bytes, byte {at} begins what has no end)")
        if name == b"MTrk":
            plain, notes = _plain_track(data, at + 8, end, left_out, kits)
            kept.append(b"MTrk" + struct.pack(">I", len(plain)) + plain)
            count += notes
        at = end
    if count > MAX_NOTES:
        raise ValueError(f"holds {count} notes, but at most {MAX_NOTES} are read")
    if len(kept) > 0xFFFF:
        raise ValueError(f"holds {len(kept)} tracks, more than a MIDI file can count")
    header = b"MThd" + struct.pack(">IHHH", 6, layout, len(kept), ticks)
    return _Contents(header + b"".join(kept), count, left_out)


class _Kits:
    """Which channels play drums, as XG, GS and GM2 say it.

    Args:
        banks: that hold drum kits.
    """

    def __init__(self, banks: tuple[int, ...]) -> None:
        self._banks = banks
        self._channels: set[int] = set()

    def see(self, status: int, body: bytes) -> None:
        """Take note of a change of bank, or of GS's message "use for rhythm part"."""
        if status >> 4 == 0xB and len(body) == 2 and body[0] == 0:
            self._set(status & 15, body[1] in self._banks)
        elif status == 0xF0 and body[:1] == b"\x41" and body[2:5] == b"\x42\x12\x40" and body[6:7] == b"\x15":
            part = body[5] & 15  # 0 is the tenth channel, 1 to 9 the first nine
            self._set(part if part > 9 else (part or 10) - 1, len(body) > 7 and body[7] > 0)

    def _set(self, channel: int, drums: bool) -> None:
        if drums:
            self._channels.add(channel)
        else:
            self._channels.discard(channel)

    def placed(self, status: int) -> int:
        """A status with drums on the channel where they are looked for."""
        return status & 0xF0 | DRUM_CHANNEL if status & 15 in self._channels else status


def _plain_track(data: bytes, at: int, end: int, left_out: Counter[str], kits: _Kits) -> tuple[bytes, int]:
    """One track with nothing in it but what a `Piece` can hold, each event with its status; and its count of notes."""
    plain = bytearray()
    count = running = time = 0
    while at < end:
        begin = at
        delta, at = _number(data, at, end)
        plain += data[begin:at]
        time += delta
        status = data[at] if at < end and data[at] >= 0x80 else running
        at += at < end and data[at] >= 0x80
        if 0x80 <= status < 0xF0:
            running, body, at = status, at, at + (1 if 0xC0 <= status < 0xE0 else 2)
            if at <= end and max(data[body:at]) >= 0x80:
                raise ValueError(f"is damaged (byte {begin} begins an event with impossible values)")
            kits.see(status, data[body:at])
            event = bytes([kits.placed(status)]) + data[body:at] if status >> 4 in NOTES_AND_PROGRAMS else NOTHING
            count += status >> 4 == 0x9 and event[-1] > 0
        elif status in (0xF0, 0xF7, 0xFF):
            kind = data[at] if status == 0xFF and at < end else 0
            length, body = _number(data, at + (status == 0xFF), end)
            event, at = data[at - 1 : body + length] if kind in META_LENGTHS else NOTHING, body + length
            if status == 0xF0:
                kits.see(status, data[body : body + length])
            if length < META_LENGTHS.get(kind, 0):
                raise ValueError(f"is damaged (byte {begin} begins an event that is too short)")
            if kind in UNPLACED:
                left_out[UNPLACED[kind]] += 1
        else:
            raise ValueError(f"is damaged (byte {begin} does not begin an event)")
        if at > end:
            raise ValueError(f"is damaged (byte {begin} begins an event that its track cuts off)")
        if time >= 2**31:
            raise ValueError("is many days long")
        plain += event
        if event == END:
            return bytes(plain), count
    return bytes(plain) + b"\0" + END, count


def _number(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of one to four bytes, and where it ends."""
    value = 0
    for position in range(at, min(at + 4, end)):
        value = value << 7 | data[position] & 0x7F
        if data[position] < 0x80:
            return value, position + 1
    raise ValueError(f"is damaged (byte {at} begins a number that does not end)")


def _tracks(score: Any, left_out: Counter[str]) -> tuple[list[Track], list[Note]]:
    """Tracks that play, and their notes on the grid; symusic has made one of each channel and instrument."""
    playing = [track for track in score.tracks if len(track.notes)]
    tracks = [Track(track.name, track.program, track.is_drum) for track in playing]
    indices = list(range(len(tracks)))
    if len(tracks) > MAX_TRACKS:
        kinds = list(dict.fromkeys(track[1:] for track in tracks))
        indices = [kinds.index(track[1:]) for track in tracks]
        left_out["tracks made one with others of their instrument"] = len(tracks) - len(kinds)
        tracks = [Track("", *kind) for kind in kinds]
    notes: list[Note] = []
    for position, track in zip(indices, playing, strict=True):
        if position >= MAX_TRACKS:
            left_out[f"notes in tracks beyond {MAX_TRACKS}"] += len(track.notes)
            continue
        notes += _notes(track.notes.numpy(), TICKS / score.ticks_per_quarter, position)
    return tracks[:MAX_TRACKS], notes


def _notes(columns: dict[str, Any], scale: float, track: int) -> list[Note]:
    begins = columns["time"].astype(np.float64)
    onsets, durations = spans(begins * scale, (begins + columns["duration"]) * scale)
    velocities = np.clip(columns["velocity"], 1, 127)
    rows = zip(onsets.tolist(), durations.tolist(), columns["pitch"].tolist(), velocities.tolist(), strict=True)
    return [Note(*row, track) for row in rows]


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)
