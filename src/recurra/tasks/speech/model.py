"""A trained recogniser: it transcribes recordings, is measured, and shows what it heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from recurra.arrays import FloatArray
from recurra.config import required
from recurra.data.sources import several
from recurra.errors import RecurraError
from recurra.progress import bar
from recurra.tasks.shared.model import SavedModel
from recurra.tasks.speech.accuracy import Accuracy, measure
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.ctc import greedy
from recurra.tasks.speech.data import Part
from recurra.tasks.speech.features import Normalization
from recurra.tasks.speech.networks import CtcNetwork
from recurra.tasks.speech.objective import batches_of, heard, steps_of
from recurra.tasks.speech.recordings import open_recordings
from recurra.tasks.speech.symbols import BLANK, Symbols


@dataclass(frozen=True)
class Vocabulary:
    """What a speech model writes, and what it hears with.

    Attributes:
        symbols: of its transcripts.
        normalization: of its features.
    """

    symbols: Symbols
    normalization: Normalization

    def to_json(self) -> dict[str, Any]:
        """Everything needed to make it again, as JSON values."""
        mean, std = ([float(f"{value:.9g}") for value in array] for array in (self.normalization.mean, self.normalization.std))
        return self.symbols.to_json() | {"mean": mean, "std": std}

    @classmethod
    def from_json(cls, values: object, where: str) -> Vocabulary:
        """The vocabulary that `to_json` described; `where` names the origin in errors."""
        match values:
            case {"mean": list(mean), "std": list(std)} if len(mean) == len(std) and all(
                isinstance(value, int | float) for value in (*mean, *std)
            ):
                normalization = Normalization(np.array(mean, np.float32), np.array(std, np.float32))
                if np.isfinite(normalization.mean).all() and (normalization.std > 0).all():
                    return cls(Symbols.from_json(values, where), normalization)
        raise RecurraError(f"{where} holds no symbols or no features' mean; copy or train the model again")
