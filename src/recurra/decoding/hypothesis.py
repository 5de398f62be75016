"""Outputs, finished ones and how unfinished ones came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import Tensor

from recurra.decoding.candidates import DoubleArray, IntArray
from recurra.decoding.sampling import FloatArray


@dataclass(frozen=True)
class Hypothesis:
    """An output that has ended.

    Attributes:
        symbols: without start and end, a forced prefix included.
        log_probs: of every symbol and, last, of the end, nats, `(len(symbols) + 1,)`.
        score: what it is ranked by.
        weights: what each symbol and the end attended to, `(len(symbols) + 1, positions)`, the padding of its sentence
            left out; None without attention.
        node: place of its end in the tree; None without one.
    """

    symbols: tuple[int, ...]
    log_probs: tuple[float, ...]
    score: float
    weights: FloatArray | None
    node: int | None = None


class Ended(NamedTuple):
    """Where an output that has ended is read from.

    Attributes:
        score: what it is ranked by.
        length: its symbols, the end not counted.
        row: its row after that many.
        log_prob: of the end, nats.
        node: place of the end in the tree; None without one.
    """

    score: float
    length: int
    row: int
    log_prob: float
    node: int | None = None


class _Layer(NamedTuple):
    parents: IntArray
    symbols: IntArray
    log_probs: DoubleArray


class History:
    """The rows of every step, each with a pointer to the row of the step before that it goes on from.

    Args:
        positions: how many positions of each sentence are real, the rest being padding; None where all are.
    """

    def __init__(self, positions: Sequence[int] | None) -> None:
        self._positions = positions
        self._layers: list[_Layer] = []
        self._weights: list[FloatArray] = []

    def attend(self, weights: Tensor | None) -> FloatArray | None:
        """Keep what the present rows attended to in this step, `(rows, positions)`; returned as an array."""
        if weights is None:
            return None
        # A copy: the step may use its tensor again.
        self._weights.append(np.array(weights.float().cpu().numpy()))
        return self._weights[-1]

    def extend(self, parents: IntArray, symbols: IntArray, log_probs: DoubleArray) -> None:
        """Go on to new rows, `(rows,)` each: the row before, the symbol that was added, and its log-probability."""
        self._layers.append(_Layer(parents, symbols, log_probs))

    def read(self, ended: Ended, sentence: int) -> Hypothesis:
        """An output that has ended, of the sentence of that number."""
        row = ended.row
        symbols, log_probs, rows = [], [ended.log_prob], [row]
        for layer in reversed(self._layers[: ended.length]):
            symbols.append(int(layer.symbols[row]))
            log_probs.append(float(layer.log_probs[row]))
            row = int(layer.parents[row])
            rows.append(row)
        weights = None
        if self._weights:
            real = None if self._positions is None else self._positions[sentence]
            weights = np.empty((len(rows), self._weights[0][0, :real].size), self._weights[0].dtype)
            for place, (step, row) in enumerate(zip(self._weights, reversed(rows), strict=False)):
                weights[place] = step[row, :real]
        return Hypothesis(tuple(reversed(symbols)), tuple(reversed(log_probs)), ended.score, weights, ended.node)
