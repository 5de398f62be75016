"""One step of a decoder: all that a search over whole sequences knows of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from recurra.models.cells import State


class StepOutput(NamedTuple):
    """What a decoder says after one more token of each row.

    Attributes:
        log_probs: of the next token, `(rows, vocabulary_size)`, nats, never above 0; -inf for what cannot come.
        state: after the token; a tuple of tensors whose dimension 1 is the rows.
        weights: what each row attends to in this step, `(rows, positions)`, exactly 0 at padding; None without
            attention.
    """

    log_probs: Tensor
    state: State
    weights: Tensor | None


DecoderStep = Callable[[Tensor, State], StepOutput]
"""Takes the last tokens, `(rows,)` int64, and the state before them.

Rows come, go and are repeated between two steps: whatever belongs to a row must be in its state, if only the number of
its sentence, `(1, rows)`.
"""


def select_rows(state: State, rows: Tensor) -> State:
    """The state of some rows, in their order; a row may be named more than once.

    Args:
        state: tensors whose dimension 1 is the rows.
        rows: numbers, int64, on the state's device.
    """
    return tuple(part.index_select(1, rows) for part in state)
