"""One step of a decoder: all that a search over whole sequences knows of a model, whatever it is computed with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from recurra.arrays import DoubleArray, FloatArray, IntArray

StateT = TypeVar("StateT")


class LogProbs(Protocol):
    """Log-probabilities of the next token of each row, `(rows, vocabulary_size)`, wherever they are kept.

    In nats, never above 0; -inf for what cannot come. None of the methods changes them.
    """

    @property
    def vocabulary_size(self) -> int:
        """Tokens of each row."""

    def without(self, rows: IntArray, tokens: IntArray) -> LogProbs:
        """The same with -inf for some tokens: `tokens[n]` of the row `rows[n]`."""

    def largest(self, count: int, named: IntArray) -> tuple[DoubleArray, IntArray]:
        """Those of named tokens, and the `count` largest of each row, the largest first.

        Which of several equal ones are taken depends on their row alone.

        Args:
            count: at most `vocabulary_size`.
            named: tokens of each row, `(rows, columns)`.

        Returns:
            The log-probabilities of the named and of the largest, `(rows, columns + count)`, and which tokens the
            largest are, `(rows, count)`.
        """

    def numpy(self) -> FloatArray:
        """All of them as an array, which is not to be written to."""

    def mean(self, others: Sequence[Any]) -> LogProbs:
        """Those of the mean of these probabilities and of others of the same kind, never above 0."""


class StepOutput(NamedTuple, Generic[StateT]):
    """What a decoder says after one more token of each row.

    Attributes:
        log_probs: of the next token.
        state: after the token.
        weights: what each row attends to in this step, `(rows, positions)`, exactly 0 at padding; None without
            attention.
    """

    log_probs: LogProbs
    state: StateT
    weights: FloatArray | None


class DecoderStep(Protocol[StateT]):
    """A decoder, a step at a time.

    Rows come, go and are repeated between two steps: whatever belongs to a row must be in its state, if only the number
    of its sentence.
    """

    def __call__(self, tokens: IntArray, state: StateT) -> StepOutput[StateT]:
        """Read the last token of each row, `(rows,)`, on from the state before it, which is not changed."""

    def select(self, state: StateT, rows: IntArray) -> StateT:
        """The state of some rows, in their order; a row may be named more than once."""
