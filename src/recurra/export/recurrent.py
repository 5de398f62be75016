"""Recurrent layers as graphs: one step written out, whole sequences by ONNX's own operators.

Shapes: B batch, T time, I input_size, H hidden_size, D directions, L layers, G gates stacked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.arrays import FloatArray
from recurra.export.graph import Graph, Value
from recurra.runtime.cells import CellName, LayerWeights, state_parts

Weights = Mapping[str, np.ndarray[Any, Any]]


def layers_of(weights: Weights, part: str) -> list[list[LayerWeights]]:
    """The weights of a stack, for each layer those of its directions.

    Args:
        weights: of a network, by the names they have in its file.
        part: where the stack is in it, `recurrent.`.
    """
    found: list[list[LayerWeights]] = []
    while f"{part}layers.{len(found)}.weight_hh_l0" in weights:
        layer = f"{part}layers.{len(found)}."
        ends = [end for end in ("_l0", "_l0_reverse") if f"{layer}weight_hh{end}" in weights]
        names = [[f"{layer}{name}{end}" for name in LayerWeights._fields] for end in ends]
        found.append([LayerWeights(*(np.asarray(weights[name], np.float32) for name in each)) for each in names])
    return found


def cell_step(
    graph: Graph, cell: CellName, from_inputs: Value, state: Sequence[Value], weight: FloatArray, bias: FloatArray
) -> list[Value]:
    """One step of a layer, by the equations of `models.cells`.

    Args:
        graph: where.
        cell: which equations.
        from_inputs: what the gates get from the inputs, `(B, G)`; all biases in it but a GRU's own of the hidden state.
        state: `(h, c)` or `(h,)`, each `(B, H)`.
        weight: of the hidden state, `(G, H)`.
        bias: of a GRU's hidden state, `(G,)`.

    Returns:
        The new state.
    """
    from_hidden = graph.linear(state[0], weight)  # (B, G)
    return gates_step(graph, cell, from_inputs, from_hidden + bias if cell == "gru" else from_hidden, state)


def gates_step(
    graph: Graph, cell: CellName, from_inputs: Value, from_hidden: Value, state: Sequence[Value]
) -> list[Value]:
    """As `cell_step`, from both products on, each `(B, G)`."""
    if cell == "gru":
        return _gru(graph, from_inputs, from_hidden, state[0])
    gates = from_inputs + from_hidden
    if cell == "lstm":
        return _lstm(graph, gates, state[1])
    return [graph.apply("Relu" if cell == "rnn-relu" else "Tanh", gates)]


def _lstm(graph: Graph, gates: Value, c: Value) -> list[Value]:
    i, f, g, o = graph.several("Split", gates, count=4, axis=-1, num_outputs=4)  # (B, H) each
    c = graph.apply("Sigmoid", f) * c + graph.apply("Sigmoid", i) * graph.apply("Tanh", g)
    return [graph.apply("Sigmoid", o) * graph.apply("Tanh", c), c]


def _gru(graph: Graph, from_inputs: Value, from_hidden: Value, h: Value) -> list[Value]:
    input_r, input_z, input_n = graph.several("Split", from_inputs, count=3, axis=-1, num_outputs=3)  # (B, H) each
    hidden_r, hidden_z, hidden_n = graph.several("Split", from_hidden, count=3, axis=-1, num_outputs=3)
    r, z = graph.apply("Sigmoid", input_r + hidden_r), graph.apply("Sigmoid", input_z + hidden_z)
    n = graph.apply("Tanh", input_n + r * hidden_n)
    return [n + z * (h - n)]


def step_layers(
    graph: Graph, cell: CellName, inputs: Value, layers: Sequence[LayerWeights], states: Sequence[Sequence[Value]]
) -> list[list[Value]]:
    """One step of layers, each reading the one below.

    Args:
        graph: where.
        cell: of the layers.
        inputs: of the bottom, `(B, I)`.
        layers: from the bottom.
        states: `(h, c)` or `(h,)` of each, `(B, H)` tensors.

    Returns:
        The new states; the output of the top is the first part of the last.
    """
    ends: list[list[Value]] = []
    for layer, state in zip(layers, states, strict=True):
        from_inputs = graph.linear(inputs, layer.weight_ih, layer.bias(cell))
        ends.append(cell_step(graph, cell, from_inputs, state, layer.weight_hh, layer.bias_hh))
        inputs = ends[-1][0]
    return ends


_OPERATORS: dict[CellName, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "lstm": ("LSTM", (0, 3, 1, 2), {}),
    "gru": ("GRU", (1, 0, 2), {"linear_before_reset": 1}),
    "rnn": ("RNN", (0,), {"activations": "Tanh"}),
    "rnn-relu": ("RNN", (0,), {"activations": "Relu"}),
}
"""ONNX's operator for each cell, PyTorch's gates in its order, and its further attributes."""


def sequence_layers(
    graph: Graph,
    cell: CellName,
    inputs: Value,
    lengths: Value | None,
    layers: Sequence[Sequence[LayerWeights]],
    states: Sequence[Sequence[Value]] = (),
) -> tuple[Value, list[list[Value]]]:
    """Whole sequences through a stack.

    Args:
        graph: where.
        cell: of its layers.
        inputs: `(B, T, I)`.
        lengths: `(B,)`; None if all have the same.
        layers: from the bottom, for each those of its directions.
        states: `(h, c)` or `(h,)` of each layer, `(B, H)` tensors, of a stack with one direction; none: all empty.

    Returns:
        The outputs of the top, `(B, T, D * H)`, zero where nothing is, and the new states, of one direction.
    """
    lengths = None if lengths is None else lengths.cast(np.int32)
    ends = []
    outputs = inputs.transpose(1, 0, 2)  # (T, B, I), as ONNX has it
    for index, directions in enumerate(layers):
        before = [part.unsqueeze(0) for part in states[index]] if states else []  # (1, B, H) each
        outputs, end = _sequence_layer(graph, cell, outputs, lengths, directions, before)  # (T, B, D * H)
        ends.append(end)
    return outputs.transpose(1, 0, 2), ends


def _sequence_layer(
    graph: Graph,
    cell: CellName,
    inputs: Value,
    lengths: Value | None,
    directions: Sequence[LayerWeights],
    state: Sequence[Value],
) -> tuple[Value, list[Value]]:
    """One layer over `(T, B, I)`: its outputs `(T, B, D * H)`, and the state its first direction ends in."""
    operator, order, attributes = _OPERATORS[cell]
    if "activations" in attributes:
        attributes = {"activations": [attributes["activations"]] * len(directions)}
    hidden_size = directions[0].weight_hh.shape[1]
    matrices = [
        graph.concat([graph.matrix(_reordered(weights[part], order)).unsqueeze(0) for weights in directions], axis=0)
        for part in range(2)
    ]
    biases = [np.concatenate([_reordered(bias, order) for bias in weights[2:]]) for weights in directions]
    outputs, *end = graph.several(
        operator,
        *(inputs, *matrices, np.stack(biases), lengths, *state),
        count=1 + state_parts(cell),
        hidden_size=hidden_size,
        direction="forward" if len(directions) == 1 else "bidirectional",
        **attributes,
    )  # (T, D, B, H), (D, B, H) each
    outputs = outputs.transpose(0, 2, 1, 3).reshape(0, 0, len(directions) * hidden_size)
    return outputs, [part.take(0) for part in end]


def mask_of(graph: Graph, sequences: Value, lengths: Value) -> Value:
    """True up to the length `(B,)` of each of some sequences `(B, T, ...)`: `(B, T)`."""
    time = graph.apply("Shape", sequences, start=1, end=2, dtype=np.int64).squeeze(0)
    positions = graph.apply("Range", np.array(0, np.int64), time, np.array(1, np.int64), dtype=np.int64)  # (T,)
    return positions.unsqueeze(0) < lengths.unsqueeze(1)


def ends_of(graph: Graph, outputs: Value, lengths: Value, hidden_size: int, directions: int) -> Value:
    """Where each direction ends, `(B, D * H)`: of outputs `(B, T, D * H)` the last, or the first from the end."""
    at = (lengths - 1).unsqueeze(1)  # (B, 1)
    last = graph.apply("GatherND", outputs, at, batch_dims=1)  # (B, D * H)
    if directions == 1:
        return last
    forward, _ = last.split(1, hidden_size, hidden_size)
    _, backward = outputs.take(0, axis=1).split(1, hidden_size, hidden_size)
    return graph.concat([forward, backward], axis=1)


def _reordered(array: FloatArray, order: Sequence[int]) -> FloatArray:
    """The blocks of gates, stacked along the first axis, in another order."""
    blocks = np.split(array, len(order))
    return np.concatenate([blocks[index] for index in order])


STATE = ("h", "c")
"""What the parts of a state are called; what comes out is called `next_h`, `next_c`."""


def state_inputs(graph: Graph, cell: CellName, num_layers: int, hidden_size: int) -> list[list[Value]]:
    """The state of a stack as inputs `(L, B, H)`: for each layer `(h, c)` or `(h,)`, each `(B, H)`."""
    names = STATE[: state_parts(cell)]
    state = [graph.input(name, np.float32, num_layers, "batch", hidden_size) for name in names]
    return [[part.take(index) for part in state] for index in range(num_layers)]


def state_outputs(graph: Graph, ends: Sequence[Sequence[Value]], hidden_size: int) -> None:
    """The new states of the layers, each `(B, H)` tensors, as outputs `(L, B, H)`."""
    for name, parts in zip(STATE, zip(*ends, strict=True), strict=False):
        stacked = graph.concat([part.unsqueeze(0) for part in parts], axis=0)
        graph.output(f"next_{name}", stacked, len(ends), "batch", hidden_size)
