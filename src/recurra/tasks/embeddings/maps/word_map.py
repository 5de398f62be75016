"""Which words of a model are drawn, and where: a map of them in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recurra.arrays import DoubleArray, FloatArray, IntArray
from recurra.data.vectors import Vectors
from recurra.errors import RecurraError
from recurra.progress import note
from recurra.tasks.embeddings.maps.projection import clusters, principal
from recurra.tasks.embeddings.maps.tsne import tsne
from recurra.tasks.embeddings.nearest import unit

Projection = Literal["pca", "t-sne"]

FEWEST, MOST = 3, 5000
"""Words that can be drawn: t-SNE takes time and memory quadratic in them."""

GROUPS = 8
"""Groups that words are coloured by ..."""

WORDS_A_GROUP = 10
"""... if there are so many for each, else fewer."""

_NAMED = 8


@dataclass(frozen=True)
class Chosen:
    """Words to be drawn.

    Attributes:
        words: distinct, the most frequent first; those made of character n-grams last.
        units: their vectors, brought to length one, `(words, size)`.
    """

    words: tuple[str, ...]
    units: DoubleArray


@dataclass(frozen=True)
class WordMap:
    """Words in the plane.

    Attributes:
        name: of the model.
        words: the most frequent first.
        units: their vectors, of length one, `(words, size)`.
        points: where they are, `(words, 2)`, y upwards.
        groups: which of a few groups each belongs to, `(words,)`, the largest being 0.
        projection: how vectors became points.
        axes: what the axes are, two names; empty if they mean nothing.
        faithful: a sentence on how far the map is to be believed.
    """

    name: str
    words: tuple[str, ...]
    units: DoubleArray
    points: DoubleArray
    groups: IntArray
    projection: Projection
    axes: tuple[str, ...]
    faithful: str


def choose(vectors: Vectors, words: Sequence[str]) -> Chosen:
    """The words of a map; what cannot be drawn of those asked for is told.

    Args:
        vectors: of the model.
        words: those asked for.

    Raises:
        RecurraError: if there are fewer than three words to draw.
    """
    found: dict[str, tuple[int, FloatArray]] = {}
    unknown, empty = [], []
    for word in words:
        index = vectors.find(word)
        vector = vectors.composed(word) if index is None else vectors.matrix[index]
        if vector is None:
            unknown.append(word)
        elif not vector.any():
            empty.append(word)
        elif index is None:
            found.setdefault(word, (len(vectors.words), vector))
        else:
            found.setdefault(vectors.words[index], (index, vector))
    _tell("the model does not know", unknown)
    _tell("of length zero, without a direction, is the vector of", empty)
    if len(found) < FEWEST:
        raise RecurraError(
            f"{len(found)} of the {len(words):,} words can be drawn, too few for a map; give at least {FEWEST} that "
            "the model knows for `words`, or none for the most frequent"
        )
    ranked = sorted(found.items(), key=lambda item: item[1][0])
    matrix = np.stack([vector for _, (_, vector) in ranked])
    return Chosen(tuple(word for word, _ in ranked), unit(matrix))


def _tell(what: str, words: Sequence[str]) -> None:
    """Say which words are left out."""
    if words:
        named = ", ".join(words[:_NAMED]) + (f" and {len(words) - _NAMED:,} more" if len(words) > _NAMED else "")
        note(f"left out: {what} {named}")


def make_map(name: str, chosen: Chosen, projection: Projection, seed: int) -> WordMap:
    """Place words in the plane, their vectors brought to length one: directions count, as for neighbours.

    Args:
        name: of the model.
        chosen: the words.
        projection: how.
        seed: of groups, and of t-SNE.
    """
    units = chosen.units
    groups = clusters(units, min(GROUPS, max(1, len(units) // WORDS_A_GROUP)), np.random.default_rng(seed))
    axes: tuple[str, ...] = ()
    if projection == "t-sne":
        placed = tsne(units, seed)
        # Turned so that it is wider than high, as pictures are: t-SNE itself knows no directions.
        points = principal(placed.points).project(placed.points)
        faithful = (
            f"t-SNE (KL divergence {placed.divergence:.2f} nats): words that are near each other are alike; how far "
            "groups are apart, and how large they are, means little"
        )
    else:
        components = principal(units)
        points = components.project(units)
        first, second = (f"{100 * share:.1f} % of the variance" for share in components.explained)
        axes = (f"first principal component, {first}", f"second principal component, {second}")
        shown = 100 * components.explained.sum()
        faithful = (
            f"Two principal components, {shown:.0f} % of how words differ: those near each other here need not be alike"
        )
    return WordMap(name, chosen.words, units, points, groups, projection, axes, faithful)
