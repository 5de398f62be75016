"""What may follow an unfinished output, and the most probable of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recurra.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from recurra.decoding.constraints import Constraints, Required
from recurra.decoding.step import LogProbs
from recurra.errors import NOT_NUMBERS, RecurraError

IMPOSSIBLE = -1e6
"""What a log-probability of -inf counts in sums, nats: what follows a forced but impossible token still compares."""


class Candidates(NamedTuple):
    """Possible next tokens of each row, `(rows, columns)`: the end or what is forced first, then the most probable.

    What occurs in what is required comes between these.

    Attributes:
        tokens: their numbers.
        log_probs: the model's own, nats.
        allowed: whether it may come. At least one of each row may, unless the row lacks what is required and cannot
            get it; its log-probability is -inf only where it is forced or nothing else is left.
    """

    tokens: IntArray
    log_probs: DoubleArray
    allowed: BoolArray


@dataclass(frozen=True)
class DecodingProblem:
    """What is to be written: an output for each sentence of a batch.

    Attributes:
        start: what the first step reads.
        end: the token that ends an output.
        limits: longest output of each sentence, in tokens, the end not counted; not below 0.
        positions: how many positions of each sentence are real, the rest being padding; None where all are.
        prefixes: forced beginning of each sentence's output, which no other rule applies to; None for none.
        suppressed: tokens that are never written, such as padding.
        barred: further ones for each sentence; None for none.
        required: what must be in each sentence's output, see `constraints`; where it needs more tokens than the limit
            leaves after the prefix, the limit is raised. None for nothing.

    Raises:
        ValueError: if the numbers of limits, positions, prefixes, what is required and what is barred differ, a limit
            is below 0, or a prefix holds the end.
    """

    start: int
    end: int
    limits: Sequence[int]
    positions: Sequence[int] | None = None
    prefixes: Sequence[Sequence[int]] | None = None
    suppressed: Sequence[int] = ()
    required: Sequence[Required] | None = None
    barred: Sequence[Sequence[int]] | None = None

    def __post_init__(self) -> None:
        lists = {
            "positions": self.positions,
            "prefixes": self.prefixes,
            "lists of what is required": self.required,
            "lists of what is barred": self.barred,
        }
        for name, given in lists.items():
            if given is not None and len(given) != len(self.limits):
                raise ValueError(f"there are {len(self.limits)} limits, but {len(given)} {name}")
        if any(limit < 0 for limit in self.limits):
            raise ValueError("a limit is below 0")
        if any(self.end in prefix for prefix in self.prefixes or ()):
            raise ValueError("a prefix holds the end")


class OutputRules:
    """The outputs that are admitted: long enough, not too long, with what is forced and without what is suppressed.

    A token of probability 0 does not come, unless it is forced. Where nothing else may come the end does.

    Args:
        problem: what is to be written.
        min_length: shortest output, in tokens, where the limit is not below it.
        no_repeat_ngram_size: no run of this many tokens comes twice; 0 for any.
    """

    def __init__(self, problem: DecodingProblem, min_length: int = 0, no_repeat_ngram_size: int = 0) -> None:
        self.end, self.min_length, self.no_repeat_ngram_size = problem.end, min_length, no_repeat_ngram_size
        prefixes = [()] * len(problem.limits) if problem.prefixes is None else problem.prefixes
        self.excluded = np.array(sorted({*problem.suppressed, problem.end}), dtype=np.int64)
        # By token; the last entry stands for all that are larger.
        self._is_excluded = np.zeros(self.excluded[-1] + 2, dtype=np.bool_)
        self._is_excluded[self.excluded] = True
        self._barred = problem.barred if problem.barred and any(problem.barred) else None
        self.constraints = Constraints(problem.required) if problem.required and any(problem.required) else None
        lengths = np.array([len(prefix) for prefix in prefixes], dtype=np.int64)
        needed = lengths if self.constraints is None else lengths + self.constraints.fewest
        self.limits: IntArray = np.maximum(np.array(problem.limits, dtype=np.int64), needed)
        # One column more than the longest prefix, so that there is one to read after it.
        self._prefixes = np.full((len(lengths), int(lengths.max(initial=0)) + 1), -1, dtype=np.int64)
        for row, prefix in zip(self._prefixes, prefixes, strict=True):
            row[: len(prefix)] = prefix

    def forced(self, sentences: IntArray, length: int) -> IntArray:
        """What must follow `length` tokens: the prefix's next, or the end at the limit, or -1 for no such thing.

        Args:
            sentences: number of each row's, `(rows,)`.
            length: of all rows.
        """
        column = min(length, self._prefixes.shape[1] - 1)
        tokens: IntArray = np.where(length < self.limits[sentences], self._prefixes[sentences, column], self.end)
        return tokens

    def impossible(self, sentences: IntArray, written: IntArray | None) -> tuple[IntArray, IntArray]:
        """What must not come next, beside what is suppressed everywhere.

        Args:
            sentences: number of each row's, `(rows,)`.
            written: the tokens so far, `(rows, length)`; None where repeats are allowed.

        Returns:
            Rows and tokens, `(pairs,)` each: what is barred from the row's sentence, and what would end a run for the
            second time.
        """
        rows, tokens = self._repeats(written)
        if self._barred:
            pairs = [(row, token) for row, n in enumerate(sentences.tolist()) for token in self._barred[n]]
            barred = np.array(pairs, dtype=np.int64).reshape(-1, 2)
            rows, tokens = np.concatenate([rows, barred[:, 0]]), np.concatenate([tokens, barred[:, 1]])
        return rows, tokens

    def _repeats(self, written: IntArray | None) -> tuple[IntArray, IntArray]:
        """Rows and the tokens that would end a run in them for the second time."""
        if written is None or written.shape[1] < self.no_repeat_ngram_size:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        runs = np.lib.stride_tricks.sliding_window_view(written, self.no_repeat_ngram_size, axis=1)
        last = written[:, written.shape[1] - self.no_repeat_ngram_size + 1 :]
        rows, positions = np.nonzero((runs[:, :, :-1] == last[:, None]).all(axis=2))
        return rows, runs[rows, positions, -1]

    def candidates(
        self,
        log_probs: LogProbs,
        sentences: IntArray,
        length: int,
        written: IntArray | None,
        count: int,
        met: BoolArray | None = None,
    ) -> Candidates:
        """The most probable tokens that may come next, and the end if it may.

        Args:
            log_probs: of the next token.
            sentences: number of each row's, `(rows,)`.
            length: tokens so far in every row.
            written: the tokens so far, `(rows, length)`, for `impossible`.
            count: how many, beside the end and what occurs in what is required, are certain to be among them.
            met: whether each row has all that is required, `(rows,)`: others do not end. None where nothing is.

        Raises:
            RecurraError: if the log-probabilities are not numbers.
        """
        forced = self.forced(sentences, length)
        first = np.where(forced < 0, self.end, forced)[:, None]
        rows, barred = self.impossible(sentences, written)
        unforced = barred != first[rows, 0]  # what is forced comes whatever else is said of it
        named = np.empty((len(first), 0), dtype=np.int64) if met is None else self._named(sentences)
        columns = min(count + len(self.excluded) + named.shape[1], log_probs.vocabulary_size)
        values, most = log_probs.without(rows[unforced], barred[unforced]).largest(
            columns, np.concatenate([first, np.maximum(named, 0)], axis=1)
        )
        tokens = np.concatenate([first, named, most], axis=1)
        check_numbers(values)

        allowed = values > -np.inf
        never = self._is_excluded[np.minimum(tokens[:, 1:], len(self._is_excluded) - 1)] | (tokens[:, 1:] < 0)
        never[:, named.shape[1] :] |= (most[:, :, None] == named[:, None]).any(axis=2)  # they are there already
        allowed[:, 1:] &= (forced < 0)[:, None] & ~never
        allowed[:, 0] &= length >= self.min_length
        allowed[:, 0] |= (forced >= 0) | ~allowed[:, 1:].any(axis=1)
        if met is not None:
            allowed[:, 0] &= met | (first[:, 0] != self.end)
        return Candidates(tokens, values, allowed)

    def _named(self, sentences: IntArray) -> IntArray:
        """The tokens that occur in what is required of each row, -1 for none."""
        assert self.constraints is not None
        return self.constraints.tokens[sentences]


def check_numbers(log_probs: DoubleArray | FloatArray) -> None:
    """Refuse log-probabilities among which there is NaN.

    Raises:
        RecurraError: if there is.
    """
    if np.isnan(log_probs).any():
        raise RecurraError(NOT_NUMBERS)
