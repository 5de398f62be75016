"""One step of a language model as a graph: tokens and state in, logits and state out.

Shapes: B batch, V vocabulary_size, E embedding_size, H hidden_size, G gates stacked, R rule features.
"""

from __future__ import annotations

import math

import numpy as np

from recurra.arrays import FloatArray
from recurra.export.graph import Graph, Value
from recurra.export.recurrent import Weights, cell_step, layers_of, state_inputs, state_outputs, step_layers
from recurra.runtime.cells import CellName, LayerWeights


def add_step(graph: Graph, cell: CellName, weights: Weights, tokens: Value, features: Value | None = None) -> None:
    """Write the step of a language model into a graph: its state as inputs, its logits and new state as outputs.

    Args:
        graph: where.
        cell: of its recurrent layers.
        weights: by the names they have in the model's file.
        tokens: read, `(B,)`.
        features: what rules say after them, `(B, R)`; None without rules.
    """
    weights = {name: np.asarray(array, np.float32) for name, array in weights.items()}
    bottom, *upper = (directions[0] for directions in layers_of(weights, "recurrent."))
    size = bottom.weight_hh.shape[1]
    states = state_inputs(graph, cell, 1 + len(upper), size)
    entering = _first_product(graph, cell, weights, bottom, tokens, features)  # (B, G)
    ends = [cell_step(graph, cell, entering, states[0], bottom.weight_hh, bottom.bias_hh)]
    ends += step_layers(graph, cell, ends[0][0], upper, states[1:])
    graph.output("logits", _logits(graph, weights, ends[-1][0]), "batch", len(weights["output.bias"]))
    state_outputs(graph, ends, size)


def _first_product(
    graph: Graph,
    cell: CellName,
    weights: dict[str, FloatArray],
    layer: LayerWeights,
    tokens: Value,
    features: Value | None,
) -> Value:
    """What the first layer's gates get from a token and the rules, `(B, G)`; one table for both steps where smaller."""
    embedding = weights["embedding.weight"]  # (V, E)
    scaled: FloatArray = embedding * np.float32(1.0 if "output.weight" in weights else math.sqrt(embedding.shape[1]))
    rules = weights.get("rule_embedding.weight")  # (E, R)
    gates, size = layer.weight_ih.shape
    rows = len(scaled) + (0 if rules is None else rules.shape[1])
    if rows * gates <= rows * size + gates * size:
        table: FloatArray = scaled @ layer.weight_ih.T + layer.bias(cell)
        product = graph.lookup(table, tokens, "embedding")
        if features is not None and rules is not None:
            product = product + graph.linear(features, layer.weight_ih @ rules, name="rule_embedding")
        return product
    inputs = graph.lookup(scaled, tokens, "embedding")  # (B, E)
    if features is not None and rules is not None:
        inputs = inputs + graph.linear(features, rules, name="rule_embedding")
    return graph.linear(inputs, layer.weight_ih, layer.bias(cell))


def _logits(graph: Graph, weights: dict[str, FloatArray], outputs: Value) -> Value:
    """Logits `(B, V)` of the top layer's outputs `(B, H)`."""
    if "projection.weight" in weights:
        outputs = graph.linear(outputs, weights["projection.weight"])
    weight = weights.get("output.weight", weights["embedding.weight"])
    return graph.linear(outputs, weight, weights["output.bias"], name="output")
