"""The vectors that point most nearly the same way: neighbours, analogies and the odd one out, exactly, in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import DoubleArray, FloatArray, IntArray
from recurra.errors import RecurraError

AnalogyMethod = Literal["add", "multiply"]

EPSILON = 0.001
"""What 3CosMul adds to what it divides by."""

SHORTEST, LONGEST = 1e-30, 1e30
"""A shorter vector counts as zero; a longer one is damaged."""

QUERIES, GROUP = 512, 32
"""Queries that are worked on at a time; words that are looked through as one."""

BLOCK = 2**19
"""Similarities that are in memory at a time: as many as fit into a core's cache ..."""

LARGEST = 2**15
"""... and words they are to, at most; a multiple of `GROUP`."""

Scores = NDArray[np.floating[Any]]


class Rule(NamedTuple):
    """How words are scored.

    Attributes:
        combine: from similarities to queries, `(words, queries)`, to scores, `(words, scores)`.
        queries: so many make one score.
    """

    combine: Callable[[Scores], Scores]
    queries: int = 1


class Found(NamedTuple):
    """The nearest words of one query, the nearest first: their indices and scores, `(count,)`."""

    indices: IntArray
    scores: DoubleArray


class Nearest:
    """Words by cosine similarity to a query.

    All answers are exact: as if worked out in float64 for every word; of words with equal scores the first comes first.
    Zero vectors point nowhere and are never found. Memory is bounded, however many words and queries there are.

    Args:
        matrix: a vector each word, `(words, size)`; it may be mapped.
        name: what to call it in messages.
    """

    def __init__(self, matrix: FloatArray, name: str = "the model") -> None:
        self.matrix = np.asarray(matrix)
        self.name = name

    @cached_property
    def scales(self) -> FloatArray:
        """What makes each vector one of unit length, `(words,)`; 0 for a zero vector.

        Raises:
            RecurraError: if a vector is not finite.
        """
        result = np.zeros(len(self.matrix), np.float32)
        for begin in range(0, len(result), LARGEST):
            norms = lengths(self.matrix[begin : begin + LARGEST])
            if not (norms < LONGEST).all():
                raise RecurraError(f"the vectors of {self.name} are not finite numbers; make or fetch them again")
            there = norms >= SHORTEST
            result[begin : begin + LARGEST][there] = 1 / norms[there]
        return result

    def similar(self, queries: Scores, count: int, exclude: Sequence[Sequence[int]] = ()) -> list[Found]:
        """The words whose vectors have the largest cosine with each query.

        Args:
            queries: vectors of any length, `(queries, size)`.
            count: words to find, fewer if there are no more.
            exclude: indices of words not to be found, for each query; none if empty.

        Raises:
            RecurraError: if a query is a zero vector.
        """
        units = unit(queries)
        self._require_direction(units)
        return [
            found
            for begin in range(0, len(units), QUERIES)
            for found in self._search(
                units[begin : begin + QUERIES].astype(np.float32),
                units[begin : begin + QUERIES],
                COSINE,
                count,
                exclude[begin : begin + QUERIES],
            )
        ]

    def analogy(
        self, question: Scores, count: int, exclude: Sequence[int] = (), method: AnalogyMethod = "add"
    ) -> Found:
        """What is to `c` as `b` is to `a`.

        Args:
            question: the vectors of a, b and c, `(3, size)`: man, king, woman.
            count: words to find.
            exclude: indices of words not to be found: those asked with.
            method: `add` finds the largest cosine with b - a + c, these brought to unit length first (3CosAdd; Mikolov,
                Yih and Zweig 2013, equation 1); `multiply` the largest cos(x, b) cos(x, c) / (cos(x, a) + 0.001),
                cosines brought to [0, 1] first (3CosMul; Levy and Goldberg 2014, equation 4).

        Raises:
            RecurraError: if a vector, or their sum, is zero.
        """
        units = unit(question)
        self._require_direction(units)
        if method == "add":
            (found,) = self.similar((units[1] - units[0] + units[2])[None], count, [exclude])
        else:
            # In float64: of similarities near -1 a product tells far less than they do.
            (found,) = self._search(units, units, PRODUCT, count, [exclude])
        return found

    def _require_direction(self, units: DoubleArray) -> None:
        if not units.any(axis=1).all():
            raise RecurraError(f"a zero vector of {self.name} points nowhere and has no neighbours; ask for others")

    def _search(
        self, queries: Scores, exact: DoubleArray, rule: Rule, count: int, exclude: Sequence[Sequence[int]]
    ) -> Iterator[Found]:
        """The best words of one batch of queries.

        Words are looked through in groups, by the best score in each: a word that may be among the best is in a group
        whose best score is at least the count-th best of them, rounding apart. These groups are scored in float64.

        Args:
            queries: unit vectors, `(queries, size)`, in the precision to look through words with.
            exact: the same in float64.
            rule: how words are scored.
            count: words to find.
            exclude: indices of words not to be found, for each score.
        """
        best = np.concatenate([_best_of_groups(scores) for scores in self._blocks(queries, rule, exclude)]).T
        rounding = 2 * queries.shape[1] * float(np.finfo(np.float32).eps)
        wanted = min(count, best.shape[1])
        bounds = np.partition(best, -wanted, axis=1)[:, -wanted]
        for number, bound in enumerate(bounds):
            groups = np.flatnonzero(best[number] >= bound - 2 * rounding)
            asked = exact[number * rule.queries : (number + 1) * rule.queries]
            yield self._exact(groups, asked, rule, count, exclude[number] if exclude else ())

    def _blocks(self, queries: Scores, rule: Rule, exclude: Sequence[Sequence[int]]) -> Iterator[Scores]:
        """The scores of all words block by block, `(words, scores)`; -inf for those that may not be found."""
        banned = np.array([(word, number) for number, words in enumerate(exclude) for word in words], np.int64)
        banned = banned.reshape(-1, 2)[np.argsort(banned.reshape(-1, 2)[:, 0], kind="stable")]
        step = min(LARGEST, max(1, BLOCK // len(queries) // GROUP) * GROUP)
        begins = range(0, len(self.matrix), step)
        cuts = np.searchsorted(banned[:, 0], [*begins, len(self.matrix)])
        similarities = np.empty((step, len(queries)), queries.dtype)
        columns = np.ascontiguousarray(queries.T)
        for begin, (low, high) in zip(begins, pairwise(cuts), strict=True):
            words, scales = (array[begin : begin + step] for array in (self.matrix, self.scales))
            here = similarities[: len(words)]
            if len(queries) > words.shape[1]:  # then vectors are fewer numbers than similarities
                np.matmul(words * scales[:, None], columns, out=here)
            else:
                np.matmul(words, columns, out=here)
                here *= scales[:, None]
            scores = rule.combine(here)
            scores[scales == 0] = -np.inf
            scores[banned[low:high, 0] - begin, banned[low:high, 1]] = -np.inf
            yield scores

    def _exact(self, groups: IntArray, queries: DoubleArray, rule: Rule, count: int, taken: Sequence[int]) -> Found:
        """The best words of some groups, scored in float64."""
        indices, scores = np.zeros(0, np.int64), np.zeros(0)
        for begin in range(0, len(groups), LARGEST // GROUP):
            part = (groups[begin : begin + LARGEST // GROUP, None] * GROUP + np.arange(GROUP)).ravel()
            part = part[part < len(self.matrix)]
            part = part[(self.scales[part] > 0) & ~np.isin(part, taken)]
            units = unit(self.matrix[part])
            # Not by matmul, which may round equal rows differently.
            cosines = np.stack([(units * query).sum(axis=1) for query in queries], axis=1)
            indices, scores = np.append(indices, part), np.append(scores, rule.combine(cosines))
            order = np.lexsort((indices, -scores))[:count]
            indices, scores = indices[order], scores[order]
        return Found(indices, scores)


def _best_of_groups(scores: Scores) -> Scores:
    """The best score in each group of words, `(groups, scores)`; the last group may be smaller."""
    words, count = scores.shape
    if words % GROUP or count < GROUP:  # the other way is faster only where a row is long
        return np.maximum.reduceat(scores, np.arange(0, words, GROUP), axis=0)
    best: Scores = scores.reshape(-1, GROUP, count).max(axis=1)
    return best


def multiplied(similarities: Scores) -> Scores:
    """3CosMul of similarities to a, b and c, `(words, 3)`: `(words, 1)`."""
    a, b, c = np.clip((similarities + 1) / 2, 0, 1).T
    result: Scores = (b * c / (a + EPSILON))[:, None]
    return result


COSINE = Rule(lambda similarities: similarities)
PRODUCT = Rule(multiplied, 3)


def odd_ones(vectors: Scores) -> DoubleArray:
    """The cosine of each vector with the mean of all, brought to unit length first: the odd one's is least.

    Args:
        vectors: `(vectors, size)`.

    Returns:
        `(vectors,)`.
    """
    units = unit(vectors)
    mean = unit(units.mean(axis=0, keepdims=True))[0]
    cosines: DoubleArray = (units * mean).sum(axis=1)
    return cosines


def lengths(vectors: Scores) -> DoubleArray:
    """The Euclidean length of each vector, `(vectors,)`."""
    exact = vectors.astype(np.float64)
    squares: DoubleArray = (exact * exact).sum(axis=1)
    return np.sqrt(squares)


def unit(vectors: Scores) -> DoubleArray:
    """Vectors of unit length, `(vectors, size)`; those that are as good as zero become zero."""
    norms = lengths(vectors)
    norms[norms < SHORTEST] = np.inf
    return vectors / norms[:, None]
