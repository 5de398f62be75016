"""A model folder as arrays: what `modelfile` makes tensors of, with the same checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurra import modelfolder
from recurra.arrayfile import Arrays, map_arrays
from recurra.config import read_json
from recurra.errors import OptionError, RecurraError
from recurra.modelfolder import CONFIG, VOCABULARY, WEIGHTS

Weights = Mapping[str, np.ndarray[Any, Any]]
"""Weights by name."""

Shapes = dict[str, tuple[int, ...]]
"""Their shapes by name."""

_NUMBERS = ("float64", "float32", "float16", "int64", "int32", "uint8")
"""The types weights may have."""


@dataclass(frozen=True)
class StoredModel:
    """What a model folder holds.

    Attributes:
        folder: where.
        task: the task it belongs to.
        config: its configuration, as JSON values.
        record: how it was trained and how good it is, as JSON values.
        vocabulary: its tokens, as JSON values.
        weights: by name; mapped, not to be written to.
    """

    folder: Path
    task: str
    config: dict[str, Any]
    record: dict[str, Any]
    vocabulary: Any
    weights: Arrays

    @property
    def config_file(self) -> str:
        """Where the configuration comes from, for messages."""
        return str(self.folder / CONFIG)

    @property
    def vocabulary_file(self) -> str:
        """Where the vocabulary comes from, for messages."""
        return str(self.folder / VOCABULARY)

    @contextmanager
    def damaged_configuration(self) -> Iterator[None]:
        """Say of an option that is refused that the folder has it, as of any configuration no network is made by."""
        try:
            yield
        except OptionError as error:
            raise RecurraError(f"{self.config_file}: {error}; the file is damaged, copy the model again") from error

    def require_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse weights that are not those of the network that the configuration describes.

        Raises:
            RecurraError: if names or shapes are others.
        """
        require_shapes({name: array.shape for name, array in self.weights.items()}, shapes, str(self.folder / WEIGHTS))


def within(weights: Weights, part: str) -> dict[str, np.ndarray[Any, Any]]:
    """The weights of a part, by the names they have within it."""
    return {name.removeprefix(f"{part}."): array for name, array in weights.items() if name.startswith(f"{part}.")}


def require_shapes(found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Refuse weights whose names or shapes do not fit exactly; `where` names their origin.

    Raises:
        RecurraError: if they do not.
    """
    if set(wanted) != set(found):
        raise RecurraError(f"{where} holds the weights of another network; its files do not belong together")
    for name, shape in wanted.items():
        if shape != found[name]:
            raise RecurraError(f"{where}: {name} is {found[name]}, expected {shape}; its files do not belong together")


def load(folder: Path, task: str | None = None) -> StoredModel:
    """Read a model folder.

    Args:
        folder: where.
        task: refuse a model of any other task.

    Raises:
        RecurraError: if anything about the folder is not as it was saved.
    """
    config = modelfolder.read_config(folder, task)
    modelfolder.require_unaltered(folder, config, WEIGHTS, VOCABULARY)
    weights = map_arrays(folder / WEIGHTS)
    for name, array in weights.items():
        if array.dtype.name not in _NUMBERS:
            raise RecurraError(f"{folder}: the weights {name} are {array.dtype}; the file is damaged, copy it again")
        if not np.isfinite(array).all():
            raise RecurraError(f"{folder}: the weights {name} hold NaN or infinity; train the model again")
    vocabulary = read_json(folder / VOCABULARY)
    return StoredModel(folder, config["task"], config["config"], config["record"], vocabulary, weights)
