"""MIDI files in and out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.errors import RecurraError, os_errors
from recurra.files import write_atomic
from recurra.tasks.music.grid import FASTEST, SLOWEST, assemble, off_grid, spans
from recurra.tasks.music.io.charsets import AUTO, decode_text, guess_charset
from recurra.tasks.music.io.midi_events import ASSUMED_TEMPO, META, MidiFile, MidiTrack, parse
from recurra.tasks.music.io.midi_playing import METRE, TEMPO, PlayedNote, PlayedTrack, has_notes, play
from recurra.tasks.music.io.reading import Reading
from recurra.tasks.music.performance import performance, tempo_map
from recurra.tasks.music.pieces import COMMON_TIME, PLAYED_TEMPO, TICKS, Note, Piece, Tempo, Track

MAX_BYTES = 16 * 2**20
"""The largest file that is read."""

MAX_TRACKS = 64
"""Tracks kept of one file; beyond it those of one instrument become one."""

MAX_POWER = 16
"""Of two, in the lower number of a metre."""

CONTROLS = dict.fromkeys((*range(32), *range(127, 160)))
"""Characters that no name shows."""

NO_NOTES = "holds no notes"

WRITTEN_TICKS = 480
"""Ticks a quarter in files that are written."""

WRITTEN_TEMPO = 125.0
"""Quarters a minute of performances that are written."""


def read_midi(path: Path) -> Piece:
    """Read one MIDI file; of several pieces in it, the first. See `read_midi_pieces`."""
    return read_midi_pieces(path)[0]


def read_midi_pieces(path: Path, reading: Reading = Reading(), played: bool = False) -> tuple[Piece, ...]:
    """Read the pieces of a MIDI file: one, or as many as it has sequences (format 2).

    Onsets and ends go to the nearest sixteenth or triplet (`grid.STEPS`), all else as `grid.assemble` and
    `midi_playing.play` say. What is damaged is read as far as it can be, and told in `Piece.repaired`. If `played`,
    pieces are performances: onsets and ends as `performance.performance` has them, without metres and drums.

    Raises:
        RecurraError: if it cannot be read, is no MIDI file, too large, or holds no notes; if `reading` is strict, also
            if it is damaged.
    """
    with os_errors("reading", path):
        if path.stat().st_size > MAX_BYTES:
            raise RecurraError(f"{path} is larger than {MAX_BYTES // 2**20} MiB, which no piece of music is; split it")
        data = path.read_bytes()
    try:
        file = parse(data)
        if reading.strict and file.faults:
            raise RecurraError(f"{path} is damaged or unusual: {file.faults[0]}; leave out `strict` to read it anyway")
        return _pieces(path.name, file, reading.charset, played)
    except ValueError as error:
        raise RecurraError(f"{path} {error}; give another MIDI file") from error


def _pieces(name: str, file: MidiFile, charset: str, played: bool = False) -> tuple[Piece, ...]:
    if file.layout < 2:
        return (replace(_piece(name, file, file.tracks, charset, played), repaired=file.faults),)
    sequences = [(f"{name} #{number}", [track]) for number, track in enumerate(file.tracks, 1) if has_notes(track)]
    pieces = [_piece(own_name, file, tracks, charset, played) for own_name, tracks in sequences]
    if not pieces:
        raise ValueError(NO_NOTES)
    return (replace(pieces[0], repaired=file.faults), *pieces[1:])


def _piece(name: str, file: MidiFile, tracks: Sequence[MidiTrack], charset: str, played: bool) -> Piece:
    left_out: Counter[str] = Counter()
    scale = TICKS / file.ticks
    heard = play(tracks, left_out)
    meters, tempos = _changes(tracks, scale, left_out)
    if file.frames:
        left_out["tempos of a file that counts frames"] += len(tempos)
        tempos = []
    if not any(round(tick) <= 0 and SLOWEST <= pace <= FASTEST for tick, pace in tempos):
        tempos.insert(0, (0.0, ASSUMED_TEMPO))
    if played:
        return _performance(name, heard, scale, tempos, left_out)
    players, notes = _players(heard, scale, charset, left_out)
    piece = assemble(name, players, notes, meters, tempos, left_out)
    return replace(piece, off_grid=off_grid([note.begin * scale for track in heard for note in track.notes]))


def _performance(
    name: str, heard: Sequence[PlayedTrack], scale: float, tempos: Sequence[tuple[float, float]], left_out: Counter[str]
) -> Piece:
    believed = [(tick, pace) for tick, pace in tempos if SLOWEST <= pace <= FASTEST]
    left_out["impossible tempos"] += len(tempos) - len(believed)
    lengths = {tick: 60 / (pace * TICKS) for tick, pace in sorted(believed, key=lambda change: change[0])}
    seconds = tempo_map(list(lengths), list(lengths.values()))
    pitched = [track for track in heard if not track.drums]
    if not any(track.notes for track in pitched) and any(track.notes for track in heard):
        raise ValueError("holds only drums, which performances leave out")
    left_out["drum notes"] += sum(len(track.notes) for track in heard if track.drums)
    programs = Counter(track.program for track in pitched for _ in track.notes)
    rows = [
        (seconds(note.begin * scale), seconds(note.end * scale), note.pitch, note.velocity)
        for track in pitched
        for note in track.notes
    ]
    return performance(name, rows, programs.most_common(1)[0][0] if programs else 0, left_out)


def _changes(
    tracks: Sequence[MidiTrack], scale: float, left_out: Counter[str]
) -> tuple[list[tuple[float, int, int]], list[tuple[float, float]]]:
    """Metres and tempos of all tracks, in ticks of a `Piece`."""
    meters: list[tuple[float, int, int]] = []
    tempos: list[tuple[float, float]] = []
    for track in tracks:
        for tick, status, kind, _, data in track.events:
            if status != META or kind not in (TEMPO, METRE):
                continue
            if len(data) < (3 if kind == TEMPO else 2):
                left_out["impossible tempos" if kind == TEMPO else "impossible metres"] += 1
            elif kind == TEMPO:
                tempos.append((tick * scale, 60e6 / max(int.from_bytes(data[:3], "big"), 1)))
            else:
                meters.append((tick * scale, data[0], 1 << min(data[1], MAX_POWER)))
    return meters, tempos


def _players(
    played: Sequence[PlayedTrack], scale: float, charset: str, left_out: Counter[str]
) -> tuple[list[Track], list[Note]]:
    """Tracks that play, and their notes on the grid."""
    playing = [track for track in played if track.notes]
    charset = guess_charset(b"\n".join(track.name for track in playing)) if charset == AUTO else charset
    tracks = [Track(_name(track.name, charset), track.program, track.drums) for track in playing]
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
        notes += _notes(track.notes, scale, position)
    return tracks[:MAX_TRACKS], notes


def _name(data: bytes, charset: str) -> str:
    """A track's name without control characters."""
    return decode_text(data, charset).translate(CONTROLS)


def _notes(played: Sequence[PlayedNote], scale: float, track: int) -> list[Note]:
    begins, ends = np.array([(note.begin, note.end) for note in played], dtype=np.float64).T
    onsets, durations = spans(begins * scale, ends * scale)
    rows = zip(played, onsets.tolist(), durations.tolist(), strict=True)
    return [Note(onset, duration, note.pitch, note.velocity, track) for note, onset, duration in rows]


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
    """A piece as symusic's score, `WRITTEN_TICKS` a quarter; `timing` as for `write_midi`.

    A performance is written in 125 quarters a minute, of which every tick is a thousandth of a second.
    """
    symusic = require_symusic()
    if piece.performance:
        slower = PLAYED_TEMPO.quarters_per_minute / WRITTEN_TEMPO
        piece = replace(piece, meters=(COMMON_TIME,), tempos=(Tempo(0, WRITTEN_TEMPO),))
        return to_score(replace(piece, performance=False), lambda tick: tick / slower)
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


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)
