"""Piano rolls in: the published collections of polyphonic music, as JSON lists of the pitches in each frame."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recurra.errors import RecurraError, os_errors
from recurra.tasks.music.pieces import TICKS, Note, Piece, Track

MAX_BYTES = 256 * 2**20
"""The largest file that is read."""

MAX_FRAMES = 10_000_000
"""In all the pieces of a file together."""

Frames = list[tuple[int, ...]]
"""The pitches that sound in each frame, sorted."""


def read_rolls(path: Path, frame: int = TICKS) -> tuple[Piece, ...]:
    """Read the pieces of one file: a list of pieces, each a list of frames, each a list of MIDI note numbers.

    A pitch in consecutive frames is one note, since a roll does not tell a held note from a repeated one.

    Args:
        path: the .json file.
        frame: ticks a frame.

    Returns:
        One piece for each in the file, `length` exactly its frames, all notes in one track.

    Raises:
        RecurraError: if it cannot be read or is not such a list; the message says which piece and frame.
    """
    rolls = _rolls(path)
    pieces = []
    for number, roll in enumerate(rolls, 1):
        frames = [_pitches(column, path, number, index) for index, column in enumerate(roll, 1)]
        pieces.append(from_frames(frames, frame, f"{path.name} #{number}"))
    return tuple(pieces)


def from_frames(frames: Frames, frame: int, name: str) -> Piece:
    """One piece from its frames of `frame` ticks."""
    notes: list[Note] = []
    begun: dict[int, int] = {}
    for index, pitches in enumerate([*frames, ()]):
        for pitch in [pitch for pitch in begun if pitch not in pitches]:
            begin = begun.pop(pitch)
            notes.append(Note(begin * frame, (index - begin) * frame, pitch))
        for pitch in pitches:
            begun.setdefault(pitch, index)
    notes.sort(key=lambda note: (note.onset, note.pitch))
    return Piece(name, (Track(),), tuple(notes), len(frames) * frame)


def to_frames(piece: Piece, frame: int) -> Frames:
    """The pitches that sound at the first tick of each frame, drums left out.

    Args:
        piece: of any length; a last frame cut off by its end counts whole.
        frame: ticks a frame.
    """
    frames: list[set[int]] = [set() for _ in range(-(-piece.length // frame))]
    for note in piece.notes:
        if not piece.tracks[note.track].drums:
            for index in range(-(-note.onset // frame), -(-note.end // frame)):
                frames[index].add(note.pitch)
    return [tuple(sorted(pitches)) for pitches in frames]


def _rolls(path: Path) -> list[list[Any]]:
    with os_errors("reading", path):
        if path.stat().st_size > MAX_BYTES:
            raise RecurraError(f"{path} is larger than {MAX_BYTES // 2**20} MiB; split it")
        data = path.read_bytes()
    try:
        rolls = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RecurraError(f"{path} is not JSON ({error}); give a list of pieces") from error
    if not isinstance(rolls, list):
        raise RecurraError(f"{path} does not hold a list of pieces; give a list of pieces, each a list of frames")
    if not rolls:
        raise RecurraError(f"{path} holds no pieces; give a list with some")
    for number, roll in enumerate(rolls, 1):
        if not isinstance(roll, list):
            raise RecurraError(
                f"piece {number} in {path} is not a list of frames; write each frame as a list of numbers"
            )
        if not roll:
            raise RecurraError(f"piece {number} in {path} has no frames; leave it out")
    if (count := sum(map(len, rolls))) > MAX_FRAMES:
        raise RecurraError(f"{path} holds {count} frames, but at most {MAX_FRAMES} are read; split it")
    return rolls


def _pitches(column: Any, path: Path, number: int, index: int) -> tuple[int, ...]:
    if not isinstance(column, list):
        raise RecurraError(
            f"frame {index} of piece {number} in {path} is not a list of note numbers; write [] for a silent one"
        )
    for pitch in column:
        if type(pitch) is not int or not 0 <= pitch <= 127:  # True is an int as well
            raise RecurraError(
                f"frame {index} of piece {number} in {path} holds {str(pitch)[:20]}, which is not a note number; "
                "use whole numbers from 0 to 127"
            )
    return tuple(sorted(set(column)))
