"""A language model with its weights packed once, for one token at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from recurra.arrays import FloatArray
from recurra.kernels.recurrence import affine, gru_step, lstm_step, rnn_step
from recurra.runtime.cells import GATE_COUNTS, CellName
from recurra.runtime.rules import RuleFeatures

Arrays = Mapping[str, np.ndarray[Any, Any]]

PackedState = tuple[tuple[FloatArray, ...], ...]
"""A layer's `(h,)` or `(h, c)`, each `(hidden_size,)`, for every layer; then that of the rules, if there is one."""

MAX_TABLE = 2**24
"""Largest number of entries (64 MiB) of the table that stands for the first layer's product with the embedding."""

EMPTY: FloatArray = np.empty(0, dtype=np.float32)


class _Layer(NamedTuple):
    """The weights of a layer: inputs over hidden, `(input_size + hidden_size, gates)`, and the biases `(gates,)`.

    `bias` is all there is to add, but for a GRU, which keeps the hidden state's own apart in `bias_hh`.
    """

    weight: FloatArray
    bias: FloatArray
    bias_hh: FloatArray


def shapes_of(
    cell: CellName,
    vocabulary_size: int,
    embedding_size: int,
    hidden_size: int,
    num_layers: int,
    tied: bool,
    rule_features: int = 0,
) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights of a language model, by the names they have in its file.

    Args:
        cell: of its recurrent layers.
        vocabulary_size: number of tokens.
        embedding_size: features of one.
        hidden_size: units of a layer.
        num_layers: recurrent layers.
        tied: whether the embedding is the output layer too.
        rule_features: those that stand beside a token, 0 without rules.
    """
    gates = GATE_COUNTS[cell] * hidden_size
    shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (vocabulary_size, embedding_size)}
    if rule_features:
        shapes["rule_embedding.weight"] = (embedding_size, rule_features)
    for index in range(num_layers):
        layer = f"recurrent.layers.{index}."
        shapes[layer + "weight_ih_l0"] = (gates, hidden_size if index else embedding_size)
        shapes[layer + "weight_hh_l0"] = (gates, hidden_size)
        shapes[layer + "bias_ih_l0"] = shapes[layer + "bias_hh_l0"] = (gates,)
    if tied and hidden_size != embedding_size:
        shapes["projection.weight"] = (embedding_size, hidden_size)
    if not tied:
        shapes["output.weight"] = (vocabulary_size, hidden_size)
    return shapes | {"output.bias": (vocabulary_size,)}


class PackedLanguageModel:
    """A language model that runs on one core, without autograd, one stream at a time: the fast twin of its `step`.

    What the first layer makes of a token, and of a rule feature, depends on nothing else, so it is worked out once
    for each.

    Args:
        cell: of the recurrent layers.
        weights: a language model's, by the names they have in its file, `shapes_of`; later changes are not seen.
        rules: those that it was trained with.
    """

    def __init__(self, cell: CellName, weights: Arrays, rules: RuleFeatures | None = None) -> None:
        weights = {name: np.asarray(array, np.float32) for name, array in weights.items()}
        embedding = weights["embedding.weight"]
        tied = "output.weight" not in weights
        self.cell: CellName = cell
        self.vocabulary_size, features = embedding.shape
        self._embedding = embedding * np.float32(math.sqrt(features) if tied else 1.0)
        self._layers = [_layer(cell, weights, index) for index in range(_depth(weights))]
        self.hidden_size = len(self._layers[0].weight) - features
        self._table: FloatArray | None = None
        self._rules = rules
        self._rule_table: FloatArray = (
            weights["rule_embedding.weight"].T.copy() if rules else np.empty((0, 0), np.float32)
        )
        first = self._layers[0]
        if self.vocabulary_size * len(first.bias) <= MAX_TABLE:
            with np.errstate(over="ignore", invalid="ignore"):  # huge weights are for who reads the logits to refuse
                self._table = (self._embedding @ first.weight[:features] + first.bias).astype(np.float32, copy=False)
                if rules:
                    self._rule_table = self._rule_table @ first.weight[:features]
            self._layers[0] = first._replace(weight=first.weight[features:])
        output = embedding if tied else weights["output.weight"]
        if "projection.weight" in weights:
            with np.errstate(over="ignore", invalid="ignore"):
                output = output @ weights["projection.weight"]
        self._output = output.T.copy()
        self._output_bias = weights["output.bias"].copy()

    def zero_state(self) -> PackedState:
        """The state before any input."""
        zero = np.zeros(self.hidden_size, dtype=np.float32)
        layers: PackedState = ((zero, zero) if self.cell == "lstm" else (zero,),) * len(self._layers)
        return (*layers, (np.zeros(self._rules.state_size, np.float32),)) if self._rules else layers

    def step(self, token: int, state: PackedState) -> tuple[FloatArray, PackedState]:
        """Score the next token after one more.

        Args:
            token: the token read.
            state: the state to go on from; not changed.

        Returns:
            Logits, `(vocabulary_size,)`, and the new state.
        """
        new: list[tuple[FloatArray, ...]] = []
        entering = (self._embedding if self._table is None else self._table)[token]
        if self._rules:
            rule_features, after = self._rules.read(np.array([[token]]), state[-1][0][None])
            with np.errstate(over="ignore", invalid="ignore"):
                entering = entering + self._rule_table[rule_features[0, 0] > 0].sum(axis=0)
        inputs = entering
        for layer, before in zip(self._layers, state, strict=False):
            if not new and self._table is not None:
                inputs, layer = EMPTY, layer._replace(bias=entering)
            new.append(self._layer_step(layer, inputs, before))
            inputs = new[-1][0]
        if self._rules:
            new.append((after[0],))
        logits = np.empty(self.vocabulary_size, dtype=np.float32)
        affine(inputs, self._output, self._output_bias, logits)
        return logits, tuple(new)

    def _layer_step(self, layer: _Layer, inputs: FloatArray, state: tuple[FloatArray, ...]) -> tuple[FloatArray, ...]:
        h_out = np.empty(self.hidden_size, dtype=np.float32)
        if self.cell == "lstm":
            gates, c_out = np.empty(4 * self.hidden_size, dtype=np.float32), np.empty_like(h_out)
            lstm_step(inputs, state[0], state[1], layer.weight, layer.bias, gates, h_out, c_out)
            return h_out, c_out
        if self.cell == "gru":
            gates = np.empty((2, 3 * self.hidden_size), dtype=np.float32)
            gru_step(inputs, state[0], layer.weight, layer.bias, layer.bias_hh, gates, h_out)
            return (h_out,)
        gates = np.empty(self.hidden_size, dtype=np.float32)
        rnn_step(inputs, state[0], layer.weight, layer.bias, gates, h_out, self.cell == "rnn-relu")
        return (h_out,)


def _depth(weights: Arrays) -> int:
    """How many recurrent layers there are."""
    return sum(".weight_hh_l" in name for name in weights)


def _layer(cell: CellName, weights: Arrays, index: int) -> _Layer:
    """A layer's weights as they are read."""
    parts = (f"recurrent.layers.{index}.{part}_l0" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    weight_ih, weight_hh, bias_ih, bias_hh = (weights[name] for name in parts)
    weight = np.concatenate([weight_ih, weight_hh], axis=1).T.copy()
    return _Layer(weight, bias_ih.copy() if cell == "gru" else bias_ih + bias_hh, bias_hh.copy())
