"""Embeddings that begin from word vectors learned elsewhere, of an embeddings model (transfer learning)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from recurra.arrays import BoolArray, FloatArray
from recurra.config import Options, with_options
from recurra.data.vectors import Vectors
from recurra.errors import OptionError, RecurraError

ArchitectureT = TypeVar("ArchitectureT", bound=Options)


@dataclass(frozen=True)
class Pretrained:
    """Vectors for the words of a vocabulary.

    Attributes:
        name: of the model they are from.
        rows: one for each word, `(words, size)`; zeros where there is none.
        found: which there are, `(words,)`.
    """

    name: str
    rows: FloatArray
    found: BoolArray

    @classmethod
    def read(cls, folder: str | Path, words: Sequence[str]) -> Pretrained:
        """The vectors of an embeddings model for some words.

        Raises:
            RecurraError: if the folder is not such a model, or has vectors for none of the words.
        """
        rows, found = Vectors.open(Path(folder)).of(words)
        if not np.isfinite(rows).all():
            raise RecurraError(f"{folder} holds vectors that are not numbers; train or import it again")
        if not found.any():
            raise RecurraError(f"{folder} has vectors for none of the {len(words):,} words; are they of this language?")
        return cls(Path(folder).name, rows, found)

    @property
    def size(self) -> int:
        """The dimensions of a vector."""
        return int(self.rows.shape[1])

    def fit(self, architecture: ArchitectureT) -> ArchitectureT:
        """The architecture, whose options have an `embedding_size`, with embeddings of this size.

        Raises:
            OptionError: if another size was asked for.
        """
        given = getattr(architecture, "embedding_size")  # noqa: B009
        if given not in (None, self.size):
            raise OptionError(
                f"`embedding_size` is {given}, but the vectors of {self.name} have {self.size} dimensions; leave it out"
            )
        return with_options(architecture, {"embedding_size": self.size})

    def fill(self, embedding: nn.Embedding) -> None:
        """Give the words their vectors, scaled together to the spread that the embedding's rows have.

        A network is made for inputs of that spread; words without a vector keep the row they have.
        """
        weight = embedding.weight
        with torch.no_grad():
            vectors = torch.from_numpy(self.scaled(float(weight.square().mean().sqrt())))
            weight[torch.from_numpy(np.flatnonzero(self.found))] = vectors

    def scaled(self, spread: float) -> FloatArray:
        """The vectors of the words that have one, `(found, size)`, scaled together to this root mean square."""
        vectors = self.rows[self.found]
        own = max(float(np.sqrt(np.square(vectors).mean())), 1e-12)
        return vectors * np.float32(spread / own)

    def told(self, what: str = "words") -> str:
        """What a person is told, a line; `what` the words are of."""
        return f"{self.name} has vectors for {int(self.found.sum()):,} of {len(self.found):,} {what}"
