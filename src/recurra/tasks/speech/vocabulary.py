"""The vocabulary of a speech model: its symbols, and what its features are brought to the same level with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.errors import RecurraError
from recurra.tasks.speech.features import Normalization
from recurra.tasks.speech.symbols import Symbols


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
        arrays = (self.normalization.mean, self.normalization.std)
        mean, std = ([float(f"{value:.9g}") for value in array] for array in arrays)
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
