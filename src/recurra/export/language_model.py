"""One step of a language model as a graph: tokens and state in, logits and state out.

Shapes: B batch, V vocabulary_size, E embedding_size, H hidden_size, G gates stacked, N the largest n of n-grams, R rule
features.
"""

from __future__ import annotations

import math

import numpy as np

from recurra.arrays import FloatArray
from recurra.export.graph import Graph, Value
from recurra.export.recurrent import Weights, cell_step, layers_of, state_inputs, state_outputs, step_layers
from recurra.runtime.cells import CellName, LayerWeights
from recurra.runtime.ngrams import MASK, MULTIPLIER, Ngrams


def add_step(
    graph: Graph,
    cell: CellName,
    weights: Weights,
    tokens: Value,
    features: Value | None = None,
    ngrams: Ngrams | None = None,
) -> None:
    """Write the step of a language model into a graph: its state as inputs, its logits and new state as outputs.

    Args:
        graph: where.
        cell: of its recurrent layers.
        weights: by the names they have in the model's file.
        tokens: read, `(B,)`.
        features: what rules say after them, `(B, R)`; None without rules.
        ngrams: the tables of n-grams; None without. The last tokens are their state, input `recent` and output
            `next_recent`, `(1, B, largest - 1)`, counted from 1, 0 before the beginning: float32 as all state is.
    """
    weights = {name: np.asarray(array, np.float32) for name, array in weights.items()}
    bottom, *upper = (directions[0] for directions in layers_of(weights, "recurrent."))
    size = bottom.weight_hh.shape[1]
    states = state_inputs(graph, cell, 1 + len(upper), size)
    ids = _last_tokens(graph, tokens, ngrams.largest) if ngrams else None  # (B, N)
    found = _found(graph, weights, ids, ngrams) if ids and ngrams else None  # (B, E)
    entering = _first_product(graph, cell, weights, bottom, tokens, features, found)  # (B, G)
    ends = [cell_step(graph, cell, entering, states[0], bottom.weight_hh, bottom.bias_hh)]
    ends += step_layers(graph, cell, ends[0][0], upper, states[1:])
    graph.output("logits", _logits(graph, weights, ends[-1][0]), "batch", len(weights["output.bias"]))
    state_outputs(graph, ends, size)
    if ids and ngrams:  # behind the others, as among the inputs: what counts on the order finds the logits first
        after = ids.take(range(1, ngrams.largest), axis=1).cast(np.float32)
        graph.output("next_recent", after.unsqueeze(0), 1, "batch", ngrams.largest - 1)


def _first_product(
    graph: Graph,
    cell: CellName,
    weights: dict[str, FloatArray],
    layer: LayerWeights,
    tokens: Value,
    features: Value | None,
    found: Value | None,
) -> Value:
    """What the first layer's gates get from a token, what n-grams add to its embedding, and the rules, `(B, G)`.

    Without n-grams one table does for both steps where it is smaller.
    """
    embedding = weights["embedding.weight"]  # (V, E)
    scaled: FloatArray = embedding * np.float32(1.0 if "output.weight" in weights else math.sqrt(embedding.shape[1]))
    rules = weights.get("rule_embedding.weight")  # (E, R)
    gates, size = layer.weight_ih.shape
    rows = len(scaled) + (0 if rules is None else rules.shape[1])
    if found is None and rows * gates <= rows * size + gates * size:
        table: FloatArray = scaled @ layer.weight_ih.T + layer.bias(cell)
        product = graph.lookup(table, tokens, "embedding")
        if features is not None and rules is not None:
            product = product + graph.linear(features, layer.weight_ih @ rules, name="rule_embedding")
        return product
    inputs = graph.lookup(scaled, tokens, "embedding")  # (B, E)
    if found:
        inputs = inputs + found
    if features is not None and rules is not None:
        inputs = inputs + graph.linear(features, rules, name="rule_embedding")
    return graph.linear(inputs, layer.weight_ih, layer.bias(cell))


def _last_tokens(graph: Graph, tokens: Value, largest: int) -> Value:
    """The last tokens, those just read at the end, counted from 1: `(B, N)`."""
    before = graph.input("recent", np.float32, 1, "batch", largest - 1).squeeze(0).cast(np.int64)  # exact below 2^24
    return graph.concat([before, (tokens + 1).unsqueeze(1)], axis=1)


def _found(graph: Graph, weights: dict[str, FloatArray], ids: Value, ngrams: Ngrams) -> Value:
    """What the n-grams that end at the last tokens add to their embedding, `(B, E)`; see `models.ngram_embedding`."""
    reach = ngrams.largest - 1
    recent = [ids.take(reach - back, axis=1) for back in range(reach + 1)]  # (B,) each
    rows = [
        (row + index * ngrams.num_rows).unsqueeze(1)
        for index, row in enumerate(_hashed_rows(graph, recent, ngrams.num_rows))
    ]
    table = weights["ngram_embedding.table.weight"]
    found = graph.lookup(table, graph.concat(rows, axis=1), "ngrams")  # (B, N - 1, size)
    if "ngram_embedding.map.weight" not in weights:
        return found.sum(axis=1)
    return graph.linear(found.reshape(0, -1), weights["ngram_embedding.map.weight"], name="ngram_map")


def _hashed_rows(graph: Graph, recent: list[Value], num_rows: int) -> list[Value]:
    """As `runtime.ngrams.hashed_rows`, shifts and masks as divisions, whose numbers are never negative."""
    rows = []
    state = recent[0]
    for before in recent[1:]:
        state = _modulo(graph, state * MULTIPLIER + before)
        mixed = graph.apply("BitwiseXor", state, state / 2**15) * MULTIPLIER
        rows.append(_modulo(graph, mixed) * num_rows / 2**32)
    return rows


def _modulo(graph: Graph, value: Value) -> Value:
    """The remainder by 2^32."""
    return graph.apply("Mod", value, np.array(MASK + 1, np.int64))


def _logits(graph: Graph, weights: dict[str, FloatArray], outputs: Value) -> Value:
    """Logits `(B, V)` of the top layer's outputs `(B, H)`."""
    if "projection.weight" in weights:
        outputs = graph.linear(outputs, weights["projection.weight"])
    weight = weights.get("output.weight", weights["embedding.weight"])
    return graph.linear(outputs, weight, weights["output.bias"], name="output")
