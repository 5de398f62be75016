"""The names of the recurrent cells, and what follows from them; `models.cells` has their equations."""

from __future__ import annotations

from typing import Literal

CellName = Literal["lstm", "gru", "rnn", "rnn-relu"]

AttentionCell = Literal["lstm", "gru"]
"""The cells a layer that attends can have."""

GATE_COUNTS: dict[CellName, int] = {"lstm": 4, "gru": 3, "rnn": 1, "rnn-relu": 1}
"""Stacked blocks in each cell's weights."""


def state_parts(cell: CellName) -> int:
    """Arrays in the state of a cell."""
    return 2 if cell == "lstm" else 1
