"""Vectors brought to two dimensions so that they can be drawn: principal components, and groups to colour them by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import DoubleArray, IntArray
from recurra.tasks.embeddings.nearest import unit

Floats = NDArray[np.floating]

ROUNDS = 50
"""Passes of k-means, at most; it has mostly settled after twenty."""


@dataclass(frozen=True)
class Principal:
    """Principal components.

    Attributes:
        mean: of the vectors, `(size,)`.
        directions: orthonormal, `(components, size)`, that of the largest variance first.
        explained: the share of the variance along each, `(components,)`; zeros if there is none.
    """

    mean: DoubleArray
    directions: DoubleArray
    explained: DoubleArray

    def project(self, vectors: Floats) -> DoubleArray:
        """Where vectors, `(count, size)`, are along the directions, `(count, components)`."""
        points: DoubleArray = (vectors - self.mean) @ self.directions.T
        return points


def principal(vectors: Floats, components: int = 2) -> Principal:
    """The directions in which vectors differ most (Pearson 1901), by a singular value decomposition.

    Where vectors have fewer directions than asked for, the others are zeros. The sign of a direction means nothing:
    its entry of the largest size is made positive, so that pictures come out the same everywhere.

    Args:
        vectors: `(count, size)`.
        components: how many directions.
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    _, singular, rows = np.linalg.svd(vectors - mean, full_matrices=False)
    variance = singular**2
    directions = np.zeros((components, vectors.shape[1]))
    explained = np.zeros(components)
    for number, row in enumerate(rows[:components]):
        directions[number] = row * np.sign(row[np.abs(row).argmax()])
        explained[number] = variance[number] / max(variance.sum(), 1e-300)
    return Principal(mean, directions, explained)


def clusters(units: DoubleArray, count: int, rng: np.random.Generator) -> IntArray:
    """Groups of vectors that point the same way: spherical k-means (Dhillon and Modha 2001), begun as k-means++ does.

    Args:
        units: vectors of length one, `(count, size)`.
        count: groups; fewer come out if there are not so many different vectors.
        rng: draws the first centres.

    Returns:
        The group of each, `(count,)`, the largest group being 0.
    """
    centres = _first_centres(units, count, rng)
    group = (units @ centres.T).argmax(axis=1)
    for _ in range(ROUNDS):
        sums = np.stack([units[group == number].sum(axis=0) for number in range(len(centres))])
        renewed = (units @ unit(sums).T).argmax(axis=1)
        if (renewed == group).all():
            break
        group = renewed
    _, group, sizes = np.unique(group, return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return rank[group]


def _first_centres(units: DoubleArray, count: int, rng: np.random.Generator) -> DoubleArray:
    """Vectors far from each other: each drawn in proportion to its squared distance from the nearest one before it."""
    chosen = [int(rng.integers(len(units)))]
    distance = 2 - 2 * units @ units[chosen[0]]
    while len(chosen) < count and distance.max() > 1e-9:
        weight = np.maximum(distance, 0)
        chosen.append(int(rng.choice(len(units), p=weight / weight.sum())))
        distance = np.minimum(distance, 2 - 2 * units @ units[chosen[-1]])
    return units[chosen]
