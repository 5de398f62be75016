"""The names of the recurrent cells, their states and weights; `models.cells` has their equations."""

from __future__ import annotations

from typing import Literal, NamedTuple

from recurra.arrays import FloatArray

CellName = Literal["lstm", "gru", "rnn", "rnn-relu"]

AttentionCell = Literal["lstm", "gru"]
"""The cells a layer that attends can have."""

GATE_COUNTS: dict[CellName, int] = {"lstm": 4, "gru": 3, "rnn": 1, "rnn-relu": 1}
"""Stacked blocks in each cell's weights."""


def state_parts(cell: CellName) -> int:
    """Arrays in the state of a cell."""
    return 2 if cell == "lstm" else 1


LayerState = tuple[FloatArray, ...]
"""`(h,)` or `(h, c)` of a layer, each `(hidden_size,)` or `(rows, hidden_size)`."""


class LayerWeights(NamedTuple):
    """The four weights of one layer, gates stacked as in PyTorch; see `models.cells`."""

    weight_ih: FloatArray
    weight_hh: FloatArray
    bias_ih: FloatArray
    bias_hh: FloatArray

    def bias(self, cell: CellName) -> FloatArray:
        """All there is to add to the gates, but for a GRU, which keeps the hidden state's own apart in `bias_hh`."""
        return self.bias_ih.copy() if cell == "gru" else self.bias_ih + self.bias_hh

    def without_inputs(self) -> LayerWeights:
        """Those of a layer whose inputs have been multiplied already, and come as its bias."""
        return self._replace(weight_ih=self.weight_ih[:, :0])
