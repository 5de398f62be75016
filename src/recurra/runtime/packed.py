"""A language model with its weights packed once, for one token at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.arrays import FloatArray
from recurra.runtime.cells import GATE_COUNTS, CellName, LayerState, LayerWeights
from recurra.runtime.layers import Layer, Output, Precision, kinds_of
from recurra.runtime.ngrams import Ngrams, hashed_rows
from recurra.runtime.rules import RuleFeatures

Arrays = Mapping[str, np.ndarray[Any, Any]]

PackedState = tuple[Any, ...]
"""A layer's `(h,)` or `(h, c)`, each `(hidden_size,)`, for every layer; with n-grams, then the last tokens, as many
whole numbers as one n-gram has before its last, see `runtime.ngrams`; with rules, then theirs, `(state,)`."""

MAX_TABLE = 2**24
"""Largest number of entries (64 MiB) of the table that stands for the first layer's product with the embedding."""

EMPTY: FloatArray = np.empty(0, dtype=np.float32)


def shapes_of(
    cell: CellName,
    vocabulary_size: int,
    embedding_size: int,
    hidden_size: int,
    num_layers: int,
    tied: bool,
    rule_features: int = 0,
    ngrams: Ngrams | None = None,
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
        ngrams: its tables of n-grams, if it has any.
    """
    gates = GATE_COUNTS[cell] * hidden_size
    shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (vocabulary_size, embedding_size)}
    if ngrams:
        tables = ngrams.largest - 1
        shapes["ngram_embedding.table.weight"] = (tables * ngrams.num_rows, ngrams.size)
        if ngrams.size != embedding_size:
            shapes["ngram_embedding.map.weight"] = (embedding_size, tables * ngrams.size)
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
    for each, unless there are n-grams, whose rows are too many for that.

    Args:
        cell: of the recurrent layers.
        weights: a language model's, by the names they have in its file, `shapes_of`; later changes are not seen.
        rules: those that it was trained with.
        precision: of the weights of the layers; with int8 they are rounded.
        ngrams: its tables of n-grams, if it has any.
        compiled: see `kinds_of`.
    """

    def __init__(
        self,
        cell: CellName,
        weights: Arrays,
        rules: RuleFeatures | None = None,
        precision: Precision = "float32",
        ngrams: Ngrams | None = None,
        compiled: bool = True,
    ) -> None:
        make_layer, make_output = kinds_of(precision, compiled)
        self.compiled = compiled
        weights = {name: np.asarray(array, np.float32) for name, array in weights.items()}
        embedding = weights["embedding.weight"]
        tied = "output.weight" not in weights
        layers = _layers(weights)
        self.cell: CellName = cell
        self.hidden_size = layers[0].weight_hh.shape[1]
        self.vocabulary_size, size = embedding.shape
        self._entering = embedding * np.float32(math.sqrt(size) if tied else 1.0)
        self._rules = rules
        self._rule_table: FloatArray = np.empty((0, 0), np.float32)
        if rules:
            self._rule_table = weights["rule_embedding.weight"].T.copy()
        self._ngrams = _Tables(ngrams, weights) if ngrams else None
        self._has_table = not ngrams and self.vocabulary_size * len(layers[0].bias_ih) <= MAX_TABLE
        if self._has_table:
            weight = layers[0].weight_ih.T
            with np.errstate(over="ignore", invalid="ignore"):  # huge weights are for who reads the logits to refuse
                self._entering = self._entering @ weight + layers[0].bias(cell)
                if rules:
                    self._rule_table = self._rule_table @ weight
            layers[0] = layers[0].without_inputs()
        self._layers: list[Layer] = [make_layer(cell, layer) for layer in layers]
        output = embedding if tied else weights["output.weight"]
        if "projection.weight" in weights:
            with np.errstate(over="ignore", invalid="ignore"):
                output = output @ weights["projection.weight"]
        self._output: Output = make_output(output, weights["output.bias"])

    def zero_state(self) -> PackedState:
        """The state before any input."""
        zero = np.zeros(self.hidden_size, dtype=np.float32)
        state: PackedState = ((zero, zero) if self.cell == "lstm" else (zero,),) * len(self._layers)
        if self._ngrams:
            state += ((0,) * self._ngrams.reach,)
        return (*state, (np.zeros(self._rules.state_size, np.float32),)) if self._rules else state

    def step(self, token: int, state: PackedState) -> tuple[FloatArray, PackedState]:
        """Score the next token after one more.

        Args:
            token: the token read.
            state: the state to go on from; not changed.

        Returns:
            Logits, `(vocabulary_size,)`, and the new state.
        """
        entering = self._entering[token]
        beside: PackedState = ()
        if self._ngrams:
            found, last = self._ngrams.read(token, state[len(self._layers)])
            entering, beside = entering + found, (last,)
        if self._rules:
            rule_features, after = self._rules.read(np.array([[token]]), state[-1][0][None])
            with np.errstate(over="ignore", invalid="ignore"):
                entering = entering + self._rule_table[rule_features[0, 0] > 0].sum(axis=0)
            beside += ((after[0],),)
        inputs, layers = self._run(entering, state)
        return self._output(inputs), layers + beside

    def _run(self, entering: FloatArray, state: PackedState) -> tuple[FloatArray, PackedState]:
        """The top layer's output, of what enters the lowest, and the layers' new state."""
        new: list[LayerState] = []
        inputs = entering
        for layer, before in zip(self._layers, state, strict=False):
            is_multiplied = self._has_table and not new
            inputs, bias = (EMPTY, entering) if is_multiplied else (inputs, layer.bias)
            new.append(layer.step(inputs, bias, before))
            inputs = new[-1][0]
        return inputs, tuple(new)


class _Tables:
    """The tables of n-grams, one token at a time."""

    def __init__(self, ngrams: Ngrams, weights: Arrays) -> None:
        self.reach = ngrams.largest - 1
        self._num_rows = ngrams.num_rows
        self._table = weights["ngram_embedding.table.weight"]
        self._first = np.arange(self.reach) * ngrams.num_rows
        self._map = weights.get("ngram_embedding.map.weight")

    def read(self, token: int, before: tuple[int, ...]) -> tuple[FloatArray, tuple[int, ...]]:
        """What the n-grams that end with a token add to its embedding, and the last tokens after it."""
        last = (*before, int(token) + 1)
        found = self._table[self._first + hashed_rows(last[::-1], self._num_rows)]
        return found.sum(axis=0) if self._map is None else self._map @ found.ravel(), last[1:]


def _layers(weights: Arrays) -> list[LayerWeights]:
    """The recurrent layers, from the bottom."""
    depth = sum(".weight_hh_l" in name for name in weights)
    return [
        LayerWeights(*(weights[f"recurrent.layers.{index}.{part}_l0"] for part in LayerWeights._fields))
        for index in range(depth)
    ]
