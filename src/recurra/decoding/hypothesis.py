"""Outputs, finished ones and how unfinished ones came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recurra.arrays import DoubleArray, FloatArray, IntArray


@dataclass(frozen=True)
class Hypothesis:
    """An output that has ended.

    Attributes:
        tokens: without start and end, a forced prefix included.
        log_probs: of every token and, last, of the end, nats, `(len(tokens) + 1,)`.
        score: what it is ranked by.
        weights: what each token and the end attended to, `(len(tokens) + 1, positions)`, the padding of its sentence
            left out; None without attention.
        node: index of its end in the tree; None without one.
    """

    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]
    score: float
    weights: FloatArray | None
    node: int | None = None


class Ended(NamedTuple):
    """Where an output that has ended is read from.

    Attributes:
        score: what it is ranked by.
        length: its tokens, the end not counted.
        row: its row after that many.
        log_prob: of the end, nats.
        node: index of the end in the tree; None without one.
    """

    score: float
    length: int
    row: int
    log_prob: float
    node: int | None = None


class _Extension(NamedTuple):
    parents: IntArray
    tokens: IntArray
    log_probs: DoubleArray


class History:
    """The rows of every step, each with a pointer to the row of the step before that it goes on from.

    Args:
        positions: how many positions of each sentence are real, the rest being padding; None where all are.
    """

    def __init__(self, positions: Sequence[int] | None) -> None:
        self._positions = positions
        self._extensions: list[_Extension] = []
        self._weights: list[FloatArray] = []

    def record_weights(self, weights: FloatArray | None) -> None:
        """Keep what the present rows attended to in this step, `(rows, positions)`."""
        if weights is not None:
            self._weights.append(weights.copy())  # the step may use its array again

    def extend(self, parents: IntArray, tokens: IntArray, log_probs: DoubleArray) -> None:
        """Go on to new rows, `(rows,)` each: the row before, the token that was added, and its log-probability."""
        self._extensions.append(_Extension(parents, tokens, log_probs))

    def read(self, ended: Ended, sentence: int) -> Hypothesis:
        """An output that has ended, of the sentence of that index."""
        row = ended.row
        tokens, log_probs, rows = [], [ended.log_prob], [row]
        for extension in reversed(self._extensions[: ended.length]):
            tokens.append(int(extension.tokens[row]))
            log_probs.append(float(extension.log_probs[row]))
            row = int(extension.parents[row])
            rows.append(row)
        weights = None
        if self._weights:
            real = None if self._positions is None else self._positions[sentence]
            weights = np.empty((len(rows), self._weights[0][0, :real].size), self._weights[0].dtype)
            for index, (step, row) in enumerate(zip(self._weights, reversed(rows), strict=False)):
                weights[index] = step[row, :real]
        return Hypothesis(tuple(reversed(tokens)), tuple(reversed(log_probs)), ended.score, weights, ended.node)
