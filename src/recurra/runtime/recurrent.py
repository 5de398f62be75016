"""Recurrent layers over whole sequences, in NumPy: for texts to classify; `models.recurrent` is what they are of.

Shapes: B batch, T time, I input_size, H hidden_size, D directions, G gates stacked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from recurra.arrays import FloatArray, IntArray
from recurra.runtime.cells import GATE_COUNTS, CellName, LayerState, LayerWeights, state_parts
from recurra.runtime.stored import Shapes, Weights

Run = Callable[[CellName, LayerWeights, FloatArray, LayerState | None], tuple[FloatArray, LayerState]]
"""One layer in one direction over whole sequences `(B, T, I)` from a state, its arrays `(B, H)`, or None for an empty
one: the outputs `(B, T, H)`, and the state at the end."""


def stack_shapes(cell: CellName, input_size: int, hidden_size: int, num_layers: int, bidirectional: bool) -> Shapes:
    """The shapes of the weights of a recurrent stack, by the names they have within it."""
    gates = GATE_COUNTS[cell] * hidden_size
    shapes: Shapes = {}
    for index in range(num_layers):
        size = hidden_size * (1 + bidirectional) if index else input_size
        for end in ("", "_reverse") if bidirectional else ("",):
            wanted = ((gates, size), (gates, hidden_size), (gates,), (gates,))
            names = (f"layers.{index}.{part}_l0{end}" for part in LayerWeights._fields)
            shapes |= dict(zip(names, wanted, strict=True))
    return shapes


def annotate(
    cell: CellName, weights: Weights, inputs: FloatArray, lengths: IntArray, run: Run | None = None
) -> FloatArray:
    """The top layer's outputs for sequences of different lengths, each read from an empty state.

    Args:
        cell: of the layers.
        weights: of the stack, by the names of `stack_shapes`.
        inputs: `(B, T, I)`.
        lengths: `(B,)`, at least 1.
        run: a layer's loop, if not the one in NumPy: `layers.run_stream` is faster for one long sequence.

    Returns:
        `(B, T, D * H)`, zero where nothing is.
    """
    run = run or run_layer
    time = np.arange(inputs.shape[1])
    mask = time < lengths[:, None]  # (B, T)
    reversed_time = np.where(mask, lengths[:, None] - 1 - time, time)  # (B, T)
    batch = np.arange(len(inputs))[:, None]  # (B, 1)
    for index in range(_depth(weights)):
        outputs, _ = run(cell, layer_weights(weights, index, ""), inputs, None)  # (B, T, H)
        if f"layers.{index}.weight_hh_l0_reverse" in weights:
            backward, _ = run(cell, layer_weights(weights, index, "_reverse"), inputs[batch, reversed_time], None)
            outputs = np.concatenate([outputs, backward[batch, reversed_time]], axis=-1)  # (B, T, 2 * H)
        inputs = outputs * mask[:, :, None]
    return inputs


def layer_weights(weights: Weights, index: int, end: str) -> LayerWeights:
    """The weights of a layer of a stack `stack_shapes`; `end` is "_reverse" for the second direction."""
    names = (f"layers.{index}.{part}_l0{end}" for part in LayerWeights._fields)
    return LayerWeights(*(np.asarray(weights[name], np.float32) for name in names))


def advance(
    cell: CellName,
    weights: Weights,
    inputs: FloatArray,
    state: Sequence[LayerState] | None,
    run: Run | None = None,
) -> tuple[FloatArray, list[LayerState]]:
    """The next steps of streams through layers that read from one end.

    Args:
        cell: of the layers.
        weights: of the stack, by the names of `stack_shapes`.
        inputs: `(B, T, I)`.
        state: of each layer, its arrays `(B, H)`; None before the first step.
        run: see `annotate`.

    Returns:
        The top layer's outputs, `(B, T, H)`, and the new state.
    """
    ends, run = [], run or run_layer
    for index in range(_depth(weights)):
        inputs, end = run(cell, layer_weights(weights, index, ""), inputs, state[index] if state else None)
        ends.append(end)
    return inputs, ends


def _depth(weights: Weights) -> int:
    return sum(name.endswith("weight_hh_l0") for name in weights)


def run_layer(
    cell: CellName, weights: LayerWeights, inputs: FloatArray, state: LayerState | None
) -> tuple[FloatArray, LayerState]:
    """See `Run`; in NumPy."""
    hidden_size = weights.weight_hh.shape[1]
    outputs = np.empty((*inputs.shape[:2], hidden_size), np.float32)
    state = state or (np.zeros((len(inputs), hidden_size), np.float32),) * state_parts(cell)
    from_inputs = inputs @ weights.weight_ih.T + weights.bias(cell)  # (B, T, G)
    for time in range(inputs.shape[1]):
        from_hidden = state[0] @ weights.weight_hh.T  # (B, G)
        if cell == "gru":
            from_hidden += weights.bias_hh
        state = new_state(cell, from_inputs[:, time], from_hidden, state)
        outputs[:, time] = state[0]
    return outputs, state


def new_state(cell: CellName, from_inputs: FloatArray, from_hidden: FloatArray, state: LayerState) -> LayerState:
    """The equations of `models.cells`, of the two products `(B, G)` with their biases."""
    if cell == "gru":
        parts: Sequence[FloatArray] = np.split(from_inputs, 3, axis=-1)
        hidden: Sequence[FloatArray] = np.split(from_hidden, 3, axis=-1)
        r, z = _sigmoid(parts[0] + hidden[0]), _sigmoid(parts[1] + hidden[1])
        n = np.tanh(parts[2] + r * hidden[2])
        return ((1 - z) * n + z * state[0],)
    gates = from_inputs + from_hidden
    if cell == "lstm":
        i, f, g, o = np.split(gates, 4, axis=-1)
        c = _sigmoid(f) * state[1] + _sigmoid(i) * np.tanh(g)
        return _sigmoid(o) * np.tanh(c), c
    return (np.maximum(gates, 0) if cell == "rnn-relu" else np.tanh(gates),)


def _sigmoid(x: FloatArray) -> FloatArray:
    sigmoid: FloatArray = np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * x)
    return sigmoid
