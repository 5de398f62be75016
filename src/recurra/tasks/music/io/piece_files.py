"""Pieces in a file with all that is known of them: names, tempos, loudness, what was left out and what was repaired."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.arrayfile import map_arrays, read_figures, write_arrays
from recurra.errors import RecurraError
from recurra.tasks.music.packed_pieces import Arrays, pack, unpack
from recurra.tasks.music.pieces import Piece, Tempo

TEMPOS = "tempo_onset", "tempo"
"""Of each tempo of the pieces, one piece after another: its tick, and quarters a minute."""


def write_pieces(path: Path, pieces: Sequence[Piece]) -> None:
    """Write pieces that are no performances, all or nothing.

    Raises:
        RecurraError: if they cannot be kept so that they come back the same, or the disk is full.
    """
    tempos = [tempo for piece in pieces for tempo in piece.tempos]
    arrays = pack(pieces, velocities=True)
    arrays[TEMPOS[0]] = np.array([tempo.onset for tempo in tempos], np.int64)
    arrays[TEMPOS[1]] = np.array([tempo.quarters_per_minute for tempo in tempos], np.float64)
    about = [_about(piece) for piece in pieces]
    write_arrays(path, arrays, {"pieces": about, "check": _check(arrays, about)})


def read_pieces(path: Path) -> tuple[Piece, ...]:
    """The pieces of `write_pieces`.

    Raises:
        RecurraError: if the file is not as it was written, or what is in it makes no pieces.
    """
    arrays = {name: np.array(values) for name, values in map_arrays(path).items()}
    figures = read_figures(path)
    try:
        about = figures["pieces"]
        if figures["check"] != _check(arrays, about):
            raise ValueError("the check fails")
        onsets, paces = (arrays.pop(name).tolist() for name in TEMPOS)
        tempos = [Tempo(*tempo) for tempo in zip(onsets, paces, strict=True)]
        ends = np.cumsum([int(item["tempos"]) for item in about], dtype=np.int64).tolist()
        if len(tempos) != (ends[-1] if ends else 0):
            raise ValueError("tempos are missing")
        pieces = unpack(arrays, [str(item["name"]) for item in about], str(path), performance=False)
        return tuple(
            _completed(piece, item, tempos[begin:end])
            for piece, item, begin, end in zip(pieces, about, [0, *ends], ends, strict=False)
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise RecurraError(f"{path} is damaged ({error}); delete it") from error


def _about(piece: Piece) -> dict[str, Any]:
    """What no array holds of a piece."""
    return {
        "name": piece.name,
        "tracks": [track.name for track in piece.tracks],
        "tempos": len(piece.tempos),
        "left_out": dict(piece.left_out),
        "repaired": list(piece.repaired),
        "off_grid": piece.off_grid,
    }


def _completed(piece: Piece, about: Mapping[str, Any], tempos: Sequence[Tempo]) -> Piece:
    """A piece with what no array holds of it."""
    onsets = [tempo.onset for tempo in tempos]
    paces = [tempo.quarters_per_minute for tempo in tempos]
    if not onsets or onsets[0] != 0 or onsets != sorted(onsets):
        raise ValueError("tempos are out of order")
    if not all(math.isfinite(pace) and pace > 0 for pace in paces):
        raise ValueError("a tempo is none")
    return replace(
        piece,
        tracks=tuple(track._replace(name=str(name)) for track, name in zip(piece.tracks, about["tracks"], strict=True)),
        tempos=tuple(tempos),
        left_out={str(kind): int(count) for kind, count in about["left_out"].items()},
        repaired=tuple(map(str, about["repaired"])),
        off_grid=float(about["off_grid"]),
    )


def _check(arrays: Arrays, about: Any) -> int:
    """The CRC-32 of everything in the file."""
    check = zlib.crc32(json.dumps(about).encode())
    for name, values in sorted(arrays.items()):
        check = zlib.crc32(np.ascontiguousarray(values).tobytes(), zlib.crc32(name.encode(), check))
    return check
