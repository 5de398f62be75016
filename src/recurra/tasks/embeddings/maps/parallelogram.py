"""An analogy in the plane: a is to b as c is to d, with the words around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recurra.arrays import DoubleArray
from recurra.data.vectors import Vectors
from recurra.errors import OptionError, RecurraError
from recurra.tasks.embeddings.maps.projection import principal
from recurra.tasks.embeddings.nearest import unit

SEARCHED = 50_000
"""The most frequent words, among which those around are looked for."""

AROUND = 5
"""Words around each of the four, and around b - a + c."""

TIE = 1e-6
"""Cosines that differ by less are equal: vectors are float32."""


@dataclass(frozen=True)
class Parallelogram:
    """Four words of which the first is to the second as the third is to the fourth.

    Attributes:
        words: a, b, c, d.
        points: where they are, `(4, 2)`.
        sum_point: where b - a + c is, of vectors of length one, `(2,)`: in the corner of a parallelogram.
        around: the words near them, and near b - a + c.
        around_points: where these are, `(around, 2)`.
        similarity: the cosine of d and b - a + c.
        rank: of d by that, among the most frequent words without a, b and c; 1 if the analogy holds.
        explained: the share of the variance of all these words along each axis, `(2,)`.
    """

    words: tuple[str, str, str, str]
    points: DoubleArray
    sum_point: DoubleArray
    around: tuple[str, ...]
    around_points: DoubleArray
    similarity: float
    rank: int
    explained: DoubleArray

    @classmethod
    def of(cls, vectors: Vectors, words: tuple[str, str, str, str]) -> Parallelogram:
        """Place four words and those around them.

        Raises:
            OptionError: if the four are not different.
            RecurraError: if the model does not know one, or its vector is zero.
        """
        units = unit(_known(vectors, words))
        sought = unit((units[1] - units[0] + units[2])[None])
        similarity = float(units[3] @ sought[0])
        found = [vectors.find(word) for word in words]
        a, b, c, d = (word if at is None else vectors.words[at] for word, at in zip(words, found, strict=True))
        candidates = unit(np.asarray(vectors.matrix[:SEARCHED]))
        scores = candidates @ np.concatenate([sought, units]).T
        known = [at for at in found if at is not None and at < len(candidates)]
        scores[known] = -np.inf
        rank = 1 + int((scores[:, 0] > similarity + TIE).sum())
        near = _best(scores)
        plane = principal(units)
        return cls(
            (a, b, c, d),
            plane.project(units),
            plane.project(units[1] - units[0] + units[2]),
            tuple(vectors.words[at] for at in near),
            plane.project(candidates[near]),
            similarity,
            rank,
            plane.explained,
        )


def _best(scores: DoubleArray) -> list[int]:
    """The rows that are among the best of a column, those of zero vectors and of minus infinity left out."""
    near = np.unique(np.argsort(-scores, axis=0, kind="stable")[:AROUND])
    return [int(at) for at in near if np.isfinite(scores[at]).all() and scores[at].any()]


def _known(vectors: Vectors, words: tuple[str, str, str, str]) -> DoubleArray:
    matrix, found = vectors.of(words)
    if not found.all():
        unknown = " and ".join(word for word, known in zip(words, found, strict=True) if not known)
        raise RecurraError(f"the model does not know {unknown}; give other words for `analogy`")
    if len(np.unique(matrix, axis=0)) < 4 or not matrix.any(axis=1).all():
        raise OptionError(
            f"the words of `analogy` are {', '.join(words)}; give four different ones, none a zero vector"
        )
    return matrix.astype(np.float64)
