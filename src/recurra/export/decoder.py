"""What writes: the beginning of a decoder, and one step of it, as graphs; `models.decoder` is what they are of.

Shapes: B batch, S positions of the source, E embedding_size, H hidden_size, V value_size, A attention_size, G gates, L
layers, F features for the output layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from recurra.arrays import FloatArray
from recurra.export.graph import Graph, Value
from recurra.export.recurrent import (
    STATE,
    Weights,
    gates_step,
    layers_of,
    mask_of,
    state_inputs,
    state_outputs,
    step_layers,
)
from recurra.runtime.cells import AttentionCell, state_parts


@dataclass(frozen=True)
class DecoderWeights:
    """A decoder's weights.

    Attributes:
        cell: of its layers.
        num_layers: how many.
        hidden_size: units of each.
        embedding: of its tokens, scaled, `(tokens, E)`.
        output: of its output layer, `(tokens, F)`.
        weights: the others, by the names they have in it.
    """

    cell: AttentionCell
    num_layers: int
    hidden_size: int
    embedding: FloatArray
    output: FloatArray
    weights: Weights

    @property
    def attends(self) -> bool:
        """Whether it attends to what was read."""
        return "attention.query.weight" in self.weights


def add_beginning(graph: Graph, decoder: DecoderWeights, values: Value, summary: Value) -> None:
    """Write what a decoder begins with into the graph of an encoder, as outputs called like the inputs of the step.

    Args:
        graph: of the encoder.
        decoder: its weights.
        values: the annotations, `(B, S, V)`.
        summary: of what was read, `(B, V)`.
    """
    weights, size = decoder.weights, decoder.hidden_size
    parts = state_parts(decoder.cell)
    state = graph.linear(summary, weights["initial.weight"], weights["initial.bias"])
    h, *c = state.split(1, *[decoder.num_layers * size] * parts)  # (B, L * H) each
    for name, part in zip(STATE, [graph.apply("Tanh", h), *c], strict=False):
        layers = part.reshape(0, decoder.num_layers, size).transpose(1, 0, 2)  # (L, B, H)
        graph.output(name, layers, decoder.num_layers, "batch", size)
    if decoder.attends:
        keys = graph.linear(values, weights["attention.key.weight"], weights.get("attention.key.bias"))
        graph.output("keys", keys, "batch", "source", len(weights["attention.key.weight"]))
        graph.output("values", values, "batch", "source", weights["context.weight"].shape[1])


def add_decoder_step(graph: Graph, decoder: DecoderWeights, ragged: bool) -> None:
    """Write one step of a decoder into a graph: tokens, state and what is attended to in, logits and state out.

    Args:
        graph: where.
        decoder: its weights.
        ragged: whether sources have different `lengths`, which are then an input too.
    """
    weights = decoder.weights
    tokens = graph.input("tokens", np.int64, "batch")
    states = state_inputs(graph, decoder.cell, decoder.num_layers, decoder.hidden_size)
    embedded = graph.lookup(decoder.embedding, tokens, "embedding")  # (B, E)
    outputs, context, ends = embedded, [], []
    if decoder.attends:
        end, attended, shares = _attend(graph, decoder, embedded, states[0], ragged)
        outputs, context, ends = end[0], [attended], [end]
        graph.output("attention", shares, "batch", "source")
    if upper := [directions[0] for directions in layers_of(weights, "upper_layers.")]:
        ends += step_layers(graph, decoder.cell, outputs, upper, states[len(ends) :])
    known = graph.concat([ends[-1][0], *context, embedded], axis=1)
    features = graph.apply("Tanh", graph.linear(known, weights["readout.weight"], weights["readout.bias"]))  # (B, F)
    logits = graph.linear(features, decoder.output, weights["output.bias"], name="output")
    graph.output("logits", logits, "batch", len(decoder.output))
    state_outputs(graph, ends, decoder.hidden_size)


def _attend(
    graph: Graph, decoder: DecoderWeights, embedded: Value, state: list[Value], ragged: bool
) -> tuple[list[Value], Value, Value]:
    """The bottom layer's new state, what it attended to `(B, V)`, and by which weights `(B, S)`."""
    weights = decoder.weights
    query_weight = weights["attention.query.weight"]  # (A, H)
    size, value_size = len(query_weight), weights["context.weight"].shape[1]
    keys = graph.input("keys", np.float32, "batch", "source", size)
    values = graph.input("values", np.float32, "batch", "source", value_size)
    gates = len(weights["hidden.bias"])
    inputs = graph.linear(embedded, weights["inputs.weight"], weights["inputs.bias"])  # (B, A + G)
    query, from_inputs = inputs.split(1, size, gates)
    recurrent = np.concatenate([query_weight, weights["hidden.weight"]])  # (A + G, H)
    recurrent_bias = np.concatenate([np.zeros(size, np.float32), weights["hidden.bias"]])
    own_query, from_hidden = graph.linear(state[0], recurrent, recurrent_bias).split(1, size, gates)
    scores = _scores(graph, query + own_query, keys, weights)  # (B, S)
    if ragged:
        there = mask_of(graph, keys, graph.input("lengths", np.int64, "batch"))
        scores = graph.where(there, scores, -np.inf)
    shares = scores.softmax()  # (B, S)
    context = graph.apply("MatMul", shares.unsqueeze(1), values).squeeze(1)  # (B, V)
    from_inputs = from_inputs + graph.linear(context, weights["context.weight"])
    return gates_step(graph, decoder.cell, from_inputs, from_hidden, state), context, shares


def _scores(graph: Graph, query: Value, keys: Value, weights: Weights) -> Value:
    """Scores `(B, S)` of queries `(B, A)`, see `models.attention`."""
    vector = weights.get("attention.score")
    if vector is not None:
        features = graph.apply("Tanh", keys + query.unsqueeze(1))  # (B, S, A)
        return graph.apply("MatMul", features, vector[:, None]).squeeze(2)
    product = graph.apply("MatMul", keys, query.unsqueeze(2)).squeeze(2)
    return product / math.sqrt(len(weights["attention.query.weight"]))
