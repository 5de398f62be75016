"""Pieces as a few arrays, small enough to lie in a model's folder, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import BoolArray, IntArray
from recurra.errors import RecurraError
from recurra.tasks.music.pieces import (
    METER_DENOMINATORS,
    MIDDLE_VELOCITY,
    MODERATO,
    PLAYED_TEMPO,
    Meter,
    Note,
    Piece,
    Track,
)

Arrays = dict[str, NDArray[Any]]

DTYPES: dict[str, type[np.integer[Any]]] = {
    "onset": np.int32,
    "duration": np.int32,
    "pitch": np.uint8,
    "track": np.uint16,
    "program": np.uint8,
    "drums": np.uint8,
    "meter_onset": np.int32,
    "numerator": np.int32,
    "denominator": np.int32,
    "length": np.int32,
    "first_note": np.int64,
    "first_track": np.int64,
    "first_meter": np.int64,
}
"""What is kept: of each note, each track, each metre, each piece; and where each piece's begin, `(pieces + 1,)`."""

VELOCITY = "velocity"
"""Of performances also the velocity of each note is kept, `(notes,)` of uint8."""

NOTES = ("onset", "duration", "pitch", "track")
"""Of a note: 11 bytes."""

TRACKS = ("program", "drums")
METERS = ("meter_onset", "numerator", "denominator")
OWNERS = {"first_note": NOTES, "first_track": TRACKS, "first_meter": METERS}


def pack(pieces: Sequence[Piece], velocities: bool = False) -> Arrays:
    """Pieces as arrays of `DTYPES`, without names, tempos, what was left out and, but of performances, velocities.

    Args:
        pieces: all performances, or none.
        velocities: keep them, whatever the pieces are.

    Raises:
        RecurraError: if a piece has a number that is too large.
    """
    columns = {
        "first_note": _offsets([len(piece.notes) for piece in pieces]),
        "first_track": _offsets([len(piece.tracks) for piece in pieces]),
        "first_meter": _offsets([len(piece.meters) for piece in pieces]),
        "length": np.array([piece.length for piece in pieces], np.int64),
        "program": _column([track.program for piece in pieces for track in piece.tracks]),
        "drums": _column([int(track.drums) for piece in pieces for track in piece.tracks]),
    }
    for index, name in enumerate(METERS):
        columns[name] = _column([meter[index] for piece in pieces for meter in piece.meters])
    for name in NOTES:
        columns[name] = _column([getattr(note, name) for piece in pieces for note in piece.notes])
    dtypes = dict(DTYPES)
    if velocities or (pieces and all(piece.performance for piece in pieces)):
        columns[VELOCITY] = _column([note.velocity for piece in pieces for note in piece.notes])
        dtypes[VELOCITY] = np.uint8
    for name, values in columns.items():
        lost = values[values != values.astype(dtypes[name])]
        if len(lost):
            raise RecurraError(f"a piece with {lost[0]} as its {name} cannot be stored; leave it out")
    return {name: columns[name].astype(dtype) for name, dtype in dtypes.items()}


def unpack(
    arrays: Mapping[str, NDArray[Any]],
    names: Sequence[str],
    source: str = "the stored pieces",
    performance: bool | None = None,
) -> tuple[Piece, ...]:
    """The pieces of `pack`, each note with a middle velocity if none is kept, each track without a name.

    Args:
        arrays: as `pack` made them; everything about them is checked.
        names: of the pieces.
        source: where the arrays are from, for messages.
        performance: whether they are performances; those with velocities are, if not given.

    Raises:
        RecurraError: if they are not as `pack` makes them; the message names the array and the piece.
    """
    require_sound(arrays, names, source)
    table = {name: arrays[name].tolist() for name in DTYPES}
    played = VELOCITY in arrays if performance is None else performance
    velocities = arrays[VELOCITY].tolist() if VELOCITY in arrays else repeat(MIDDLE_VELOCITY)
    notes = list(map(Note, *(table[name] for name in NOTES[:3]), velocities, table["track"]))
    tracks = list(map(Track, repeat(""), table["program"], map(bool, table["drums"])))
    meters = list(map(Meter, *(table[name] for name in METERS)))
    parts = ([slice(*pair) for pair in pairwise(table[name])] for name in ("first_note", "first_track", "first_meter"))
    tempos = (PLAYED_TEMPO if played else MODERATO,)
    return tuple(
        Piece(name, tuple(tracks[track]), tuple(notes[note]), length, tuple(meters[meter]), tempos, performance=played)
        for name, length, note, track, meter in zip(names, table["length"], *parts, strict=True)
    )


REMEDY = "they are damaged, take another copy or train again"


def require_sound(arrays: Mapping[str, NDArray[Any]], names: Sequence[str], source: str, remedy: str = REMEDY) -> None:
    """Check all that `unpack` does, without making a piece.

    Args:
        arrays: as `pack` made them.
        names: of the pieces.
        source: where the arrays are from, for messages.
        remedy: what to do about it, for messages.

    Raises:
        RecurraError: as `unpack`.
    """
    _require_shapes(arrays, len(names), source)
    _require_values(arrays, names, source, remedy)


def _require_shapes(arrays: Mapping[str, NDArray[Any]], pieces: int, source: str) -> None:
    """All arrays are there, of their types, and as long as the offsets say."""
    for name, dtype in DTYPES.items():
        if name not in arrays or arrays[name].dtype != dtype or arrays[name].ndim != 1:
            raise _damaged(source, f"the array {name!r} is missing or of another type")
    if len(arrays["length"]) != pieces:
        raise _damaged(source, f"there are {len(arrays['length'])} pieces but {pieces} names")
    velocities = arrays.get(VELOCITY, np.ones(len(arrays["pitch"]), np.uint8))
    if velocities.dtype != np.uint8 or velocities.shape != arrays["pitch"].shape:
        raise _damaged(source, f"the array {VELOCITY!r} is of another type or length")
    if not ((velocities > 0) & (velocities < 128)).all():
        raise _damaged(source, f"the array {VELOCITY!r} has a value that is no velocity")
    for owner, columns in OWNERS.items():
        offsets = arrays[owner]
        if len(offsets) != pieces + 1 or offsets[0] != 0 or (np.diff(offsets) < 0).any():
            raise _damaged(source, f"the array {owner!r} does not part {pieces} pieces")
        for name in columns:
            if len(arrays[name]) != offsets[-1]:
                raise _damaged(source, f"the array {name!r} has {len(arrays[name])} values instead of {offsets[-1]}")


def _require_values(arrays: Mapping[str, NDArray[Any]], names: Sequence[str], source: str, remedy: str) -> None:
    """Every piece is one: what `recurra.tasks.music.pieces.Piece` promises holds."""
    column = {name: values.astype(np.int64) for name, values in arrays.items() if name in DTYPES}
    counts = {owner: np.diff(column[owner]) for owner in OWNERS}
    note_piece = np.repeat(np.arange(len(names)), counts["first_note"])
    meter_piece = np.repeat(np.arange(len(names)), counts["first_meter"])
    track_piece = np.repeat(np.arange(len(names)), counts["first_track"])
    pieces = np.arange(len(names))

    def require(good: BoolArray, piece: IntArray, what: str) -> None:
        if not good.all():
            raise _damaged(source, f"{names[piece[good.argmin()]]!r} has {what}", remedy)

    require(column["length"] >= 0, pieces, "a length below 0")
    require(counts["first_track"] > 0, pieces, "no track")
    require(counts["first_meter"] > 0, pieces, "no metre")
    require(column["program"] < 128, track_piece, "a track whose program is above 127")
    require(column["drums"] < 2, track_piece, "a track that is neither drums nor not")
    require(
        column["meter_onset"][column["first_meter"][:-1]] == 0, pieces, "a first metre that is not at its beginning"
    )
    require(_rising([column["meter_onset"]], meter_piece), meter_piece, "metres out of order")
    require(column["numerator"] > 0, meter_piece, "a metre without beats")
    require(np.isin(column["denominator"], METER_DENOMINATORS), meter_piece, "a metre of unknown notes")
    require(column["pitch"] < 128, note_piece, "a pitch above 127")
    require(column["onset"] >= 0, note_piece, "a note before its beginning")
    require(column["duration"] > 0, note_piece, "a note without duration")
    ends = column["onset"] + column["duration"]
    require(ends <= column["length"][note_piece], note_piece, "a note beyond its end")
    require(column["track"] < counts["first_track"][note_piece], note_piece, "a note of no track")
    keys = [column[name] for name in ("onset", "track", "pitch")]
    require(_rising(keys, note_piece), note_piece, "notes out of order")
    order = np.lexsort((column["onset"], column["pitch"], column["track"], note_piece))
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for key in (column["pitch"], column["track"], note_piece):
        same &= key[order[1:]] == key[order[:-1]]
    apart = ends[order[:-1]] <= column["onset"][order[1:]]
    require(apart | ~same, note_piece[order[1:]], "a note that begins while it sounds")


def _rising(keys: Sequence[IntArray], piece: IntArray) -> BoolArray:
    """Whether each row comes after the one before it, compared key by key, in the same piece."""
    good = np.zeros(len(piece), np.bool_)
    for key in reversed(keys):
        good[1:] = (key[1:] > key[:-1]) | (key[1:] == key[:-1]) & good[1:]
    good[1:] |= piece[1:] != piece[:-1]
    good[:1] = True
    return good


def _damaged(source: str, what: str, remedy: str = REMEDY) -> RecurraError:
    return RecurraError(f"{source}: {what}; {remedy}")


def _offsets(counts: Sequence[int]) -> IntArray:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def _column(values: Sequence[int]) -> IntArray:
    return np.array(values, np.int64)
