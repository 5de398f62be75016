"""Recurrent layers and output layers for one stream in compiled steps, with weights of 32 bits or of 8."""

from __future__ import annotations

import numpy as np

from recurra.arrays import FloatArray
from recurra.kernels.int8 import Int8Matrix, add_scaled_product
from recurra.kernels.recurrence import affine, gru_gates, gru_step, lstm_gates, lstm_step, rnn_gates, rnn_step
from recurra.runtime.cells import CellName, LayerState, LayerWeights, state_parts


class Float32Layer:
    """A layer whose weights are as they were trained.

    Args:
        cell: its cell.
        weights: of it; copied.
    """

    def __init__(self, cell: CellName, weights: LayerWeights) -> None:
        self.cell: CellName = cell
        # Inputs over hidden, `(input_size + hidden_size, gates)`: see `kernels.recurrence`.
        self._weight = np.concatenate([weights.weight_ih, weights.weight_hh], axis=1).T.copy()
        self.bias = weights.bias(cell)
        self._bias_hh = weights.bias_hh.copy()

    def step(self, inputs: FloatArray, bias: FloatArray, state: LayerState) -> LayerState:
        """See `Layer`."""
        h = state[0]
        h_out = np.empty_like(h)
        if self.cell == "lstm":
            gates, c_out = np.empty_like(bias), np.empty_like(h)
            lstm_step(inputs, h, state[1], self._weight, bias, gates, h_out, c_out)
            return h_out, c_out
        if self.cell == "gru":
            gru_step(inputs, h, self._weight, bias, self._bias_hh, np.empty((2, len(bias)), np.float32), h_out)
            return (h_out,)
        rnn_step(inputs, h, self._weight, bias, np.empty_like(bias), h_out, self.cell == "rnn-relu")
        return (h_out,)


def run_stream(
    cell: CellName, weights: LayerWeights, inputs: FloatArray, state: LayerState | None
) -> tuple[FloatArray, LayerState]:
    """See `recurrent.Run`; of one sequence, `(1, T, I)`, in compiled steps."""
    layer, hidden_size = Float32Layer(cell, weights.without_inputs()), weights.weight_hh.shape[1]
    now = tuple(part[0] for part in state) if state else (np.zeros(hidden_size, np.float32),) * state_parts(cell)
    outputs = np.empty((1, inputs.shape[1], hidden_size), np.float32)
    nothing: FloatArray = np.empty(0, np.float32)
    for time, gates in enumerate(inputs[0] @ weights.weight_ih.T + layer.bias):
        now = layer.step(nothing, gates, now)
        outputs[0, time] = now[0]
    return outputs, tuple(part[None] for part in now)


class Int8Layer:
    """A layer whose weights are rounded to eight bits; states and sums are float32.

    Args:
        cell: its cell.
        weights: of it; copied.
    """

    def __init__(self, cell: CellName, weights: LayerWeights) -> None:
        self.cell: CellName = cell
        self._inputs, self._hidden = Int8Matrix.of(weights.weight_ih), Int8Matrix.of(weights.weight_hh)
        self.bias = weights.bias(cell)
        self._bias_hh = weights.bias_hh.copy()

    def step(self, inputs: FloatArray, bias: FloatArray, state: LayerState) -> LayerState:
        """See `Layer`."""
        h = state[0]
        h_out = np.empty_like(h)
        if self.cell == "gru":
            both = np.stack([bias, self._bias_hh])
            self._add_inputs(inputs, both[0])
            add_scaled_product(h, *self._hidden, both[1])
            gru_gates(both, h, h_out)
            return (h_out,)
        gates = bias.copy()
        self._add_inputs(inputs, gates)
        add_scaled_product(h, *self._hidden, gates)
        if self.cell == "lstm":
            c_out = np.empty_like(h)
            lstm_gates(gates, state[1], h_out, c_out)
            return h_out, c_out
        rnn_gates(gates, h_out, self.cell == "rnn-relu")
        return (h_out,)

    def _add_inputs(self, inputs: FloatArray, gates: FloatArray) -> None:
        if len(inputs):
            add_scaled_product(inputs, *self._inputs, gates)


class Float32Output:
    """An output layer whose weights are as they were trained.

    Args:
        weight: `(vocabulary_size, hidden_size)`; copied.
        bias: `(vocabulary_size,)`; copied.
    """

    def __init__(self, weight: FloatArray, bias: FloatArray) -> None:
        self._weight, self._bias = weight.T.copy(), bias.copy()

    def __call__(self, inputs: FloatArray) -> FloatArray:
        """See `Output`."""
        logits = np.empty_like(self._bias)
        affine(inputs, self._weight, self._bias, logits)
        return logits


class Int8Output:
    """An output layer whose weights are rounded to eight bits.

    Args:
        weight: `(vocabulary_size, hidden_size)`.
        bias: `(vocabulary_size,)`; copied.
    """

    def __init__(self, weight: FloatArray, bias: FloatArray) -> None:
        self._weight, self._bias = Int8Matrix.of(weight), bias.copy()

    def __call__(self, inputs: FloatArray) -> FloatArray:
        """See `Output`."""
        logits = self._bias.copy()
        add_scaled_product(inputs, *self._weight, logits)
        return logits
