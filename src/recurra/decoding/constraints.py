"""What must be in an output: runs of tokens, of each of which it has one form or another.

A beam that keeps only the most probable unfinished outputs loses those that have begun with what is required. So the
search keeps the best of every bank: the outputs that lack equally many tokens (grid beam search, Hokamp and Liu 2017).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.arrays import BoolArray, IntArray

Run = Sequence[int]
"""Tokens one after another."""

Forms = Sequence[Run]
"""What is required once: one of these runs is in the output."""

Required = Sequence[Forms]
"""All that is required of an output. Runs may overlap in it."""

NEVER = 2**20
"""The length of a run that is not there, which no output is ever through with."""


def fewest_tokens(required: Required) -> int:
    """With so many tokens more an output has all that is required, if its limit leaves room for them."""
    return sum(min(len(run) for run in forms) for forms in required)


def holds(output: Sequence[int], required: Required) -> bool:
    """Whether an output has all that is required."""
    return all(any(_within(output, run) for run in forms) for forms in required)


def _within(output: Sequence[int], run: Run) -> bool:
    return any(tuple(output[begin : begin + len(run)]) == tuple(run) for begin in range(len(output) - len(run) + 1))


class Constraints:
    """Follows how far unfinished outputs have come with what is required of them: an automaton for each run.

    How far an output has come is a value, `progress` `(rows, requirements, forms)`: of each run the number of its
    tokens that the output ends with (Knuth, Morris and Pratt 1977), or all of them once it has had the run.

    Args:
        required: of the output of each sentence; no run is empty.

    Attributes:
        tokens: those that occur in the runs of each sentence, `(sentences, tokens)`, filled up with -1.
        fewest: tokens each output needs for all that is required, `(sentences,)`.
    """

    def __init__(self, required: Sequence[Required]) -> None:
        if any(not run for each in required for forms in each for run in forms):
            raise ValueError("a run of no tokens is required")
        count = len(required)
        known = [sorted({token for forms in each for run in forms for token in run}) for each in required]
        runs = [(n, g, k, run) for n, each in enumerate(required) for g, forms in enumerate(each)
                for k, run in enumerate(forms)]  # fmt: skip
        groups = max((len(each) for each in required), default=0)
        forms = max((len(forms) for each in required for forms in each), default=0)
        longest = max((len(run) for *_, run in runs), default=0)
        self.tokens: IntArray = np.full((count, max(map(len, known), default=0)), -1, dtype=np.int64)
        for row, tokens in zip(self.tokens, known, strict=True):
            row[: len(tokens)] = tokens
        self._lengths = np.full((count, groups, forms), NEVER, dtype=np.int64)
        for number, each in enumerate(required):
            self._lengths[number, len(each) :] = 0  # what is not required is there
        # By sentence, requirement, form, progress and index of the token in `tokens`, the last standing for all others.
        self._next = np.zeros((count, groups, forms, longest + 1, self.tokens.shape[1] + 1), dtype=np.int64)
        for number, group, form, run in runs:
            self._lengths[number, group, form] = len(run)
            self._next[number, group, form, : len(run) + 1, : len(known[number])] = _automaton(run, known[number])
            self._next[number, group, form, len(run)] = len(run)
        self.fewest: IntArray = np.array([fewest_tokens(each) for each in required], dtype=np.int64)

    def first(self) -> IntArray:
        """The progress of an output of no tokens of each sentence."""
        return np.zeros(self._lengths.shape, dtype=np.int64)

    def advance(self, progress: IntArray, sentences: IntArray, tokens: IntArray) -> IntArray:
        """The progress with one more token.

        Args:
            progress: of each row.
            sentences: index of each row's, `(rows,)`.
            tokens: that each row could be continued by, `(rows, columns)`.

        Returns:
            `(rows, columns, requirements, forms)`.
        """
        same = tokens[:, :, None] == self.tokens[sentences][:, None]
        index = np.where(same.any(axis=2), same.argmax(axis=2), self.tokens.shape[1])
        groups, forms = np.arange(self._lengths.shape[1]), np.arange(self._lengths.shape[2])
        found: IntArray = self._next[
            sentences[:, None, None, None], groups[:, None], forms, progress[:, None], index[:, :, None, None]
        ]
        return found

    def lacking(self, progress: IntArray, sentences: IntArray) -> IntArray:
        """How many tokens are lacking at most: the rest of one run, and then the others that are left, from the start.

        There is always a token after which fewer are.

        Args:
            progress: `(rows, ..., requirements, forms)`.
            sentences: index of each row's, `(rows,)`.

        Returns:
            `(rows, ...)`.
        """
        between = (1,) * (progress.ndim - 3)
        lengths = self._lengths[sentences].reshape(len(sentences), *between, *self._lengths.shape[1:])
        left = (lengths - progress).min(axis=-1)
        whole = np.where(left > 0, lengths.min(axis=-1), 0)
        total: IntArray = whole.sum(axis=-1) + (left - whole).min(axis=-1, initial=0)
        return total

    def met(self, progress: IntArray, sentences: IntArray) -> BoolArray:
        """Whether nothing is lacking, `(rows,)`."""
        complete: BoolArray = self.lacking(progress, sentences) == 0
        return complete


def _automaton(run: Run, tokens: Sequence[int]) -> IntArray:
    """How many tokens of a run an output ends with after one more token, by how many it ended with, and the token."""
    table = np.zeros((len(run) + 1, len(tokens)), dtype=np.int64)
    for length in range(len(run)):
        for index, token in enumerate(tokens):
            ending = (*run[:length], token)
            fits = (size for size in range(length + 1, 0, -1) if ending[-size:] == tuple(run[:size]))
            table[length, index] = next(fits, 0)
    return table
