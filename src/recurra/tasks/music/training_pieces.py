"""The training pieces of a music model, kept beside its weights so that copies of them can be told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recurra.arrayfile import map_arrays, write_arrays
from recurra.errors import RecurraError
from recurra.modelfolder import PIECES
from recurra.tasks.music.novelty import Index, index_stored
from recurra.tasks.music.packed_pieces import Arrays, require_sound, unpack
from recurra.tasks.music.pieces import Piece


@dataclass(frozen=True)
class TrainingPieces:
    """The pieces a model was trained on.

    Attributes:
        arrays: see `packed_pieces.pack`.
        names: of the pieces.
    """

    arrays: Arrays
    names: tuple[str, ...]

    @cached_property
    def index(self) -> Index:
        """Ready to be searched for what is copied."""
        return index_stored(self.arrays, self.names)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The pieces themselves, without what `pack` leaves out."""
        return unpack(self.arrays, self.names)

    @classmethod
    def load(cls, path: Path) -> TrainingPieces | None:
        """Read the file; None if there is none.

        Raises:
            RecurraError: if it is damaged.
        """
        if not path.exists():
            return None
        arrays = map_arrays(path)
        try:
            names = tuple(str(name) for name in json.loads(arrays.pop("names").tobytes()))
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise RecurraError(f"{path} is damaged ({error}); copy the model again, or delete this file") from error
        require_sound(arrays, names, str(path))
        return cls(arrays, names)

    def save(self, folder: Path) -> None:
        """Write the file into a model folder."""
        names = np.frombuffer(json.dumps(self.names).encode(), dtype=np.uint8).copy()
        write_arrays(folder / PIECES, {**self.arrays, "names": names})
