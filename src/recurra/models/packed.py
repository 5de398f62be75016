"""A language model with its weights packed once, for one token at a time: the fast twin of `LanguageModel.step`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from recurra.arrays import FloatArray
from recurra.kernels.recurrence import affine, gru_step, lstm_step, rnn_step
from recurra.models.cells import CellName, State
from recurra.models.language_model import LanguageModel

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


class PackedLanguageModel:
    """A frozen copy of a language model that runs on one core, without autograd, one stream at a time.

    What the first layer makes of a token, and of a rule feature, depends on nothing else, so it is worked out once
    for each.

    Args:
        model: the language model; later changes of it are not seen.
    """

    def __init__(self, model: LanguageModel) -> None:
        recurrent = model.recurrent
        self.cell: CellName = recurrent.cell
        self.hidden_size = recurrent.hidden_size
        self.vocabulary_size = model.vocabulary_size
        self._embedding = _array(model.embedding.weight) * np.float32(model.scale)
        self._layers = []
        for index in range(recurrent.num_layers):
            weight_ih, weight_hh, bias_ih, bias_hh = (_array(tensor) for tensor in recurrent.weights(index))
            weight = np.ascontiguousarray(np.concatenate([weight_ih, weight_hh], axis=1).T)
            self._layers.append(_Layer(weight, bias_ih if self.cell == "gru" else bias_ih + bias_hh, bias_hh))
        self._table: FloatArray | None = None
        self._rules = model.rules
        self._rule_table: FloatArray = (
            _array(model.rule_embedding.weight).T if model.rule_embedding else np.empty((0, 0), np.float32)
        )
        first = self._layers[0]
        if self.vocabulary_size * len(first.bias) <= MAX_TABLE:
            features = self._embedding.shape[1]
            with np.errstate(over="ignore", invalid="ignore"):  # huge weights are for who reads the logits to refuse
                self._table = (self._embedding @ first.weight[:features] + first.bias).astype(np.float32, copy=False)
                if self._rules:
                    self._rule_table = self._rule_table @ first.weight[:features]
            self._layers[0] = first._replace(weight=first.weight[features:])
        output = model.output.weight @ model.projection.weight if model.projection else model.output.weight
        self._output = np.ascontiguousarray(_array(output).T)
        self._output_bias = _array(model.output.bias)

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


def single_stream(model: LanguageModel) -> tuple[Callable[[int, Any], tuple[FloatArray, Any]], Any]:
    """The step of a model for one stream of tokens, and its state before any input; it runs where the model is.

    On a CPU the weights are packed anew at each call, so that changes of them are seen.
    """
    device = model.output.weight.device
    if device.type == "cpu":
        packed = PackedLanguageModel(model)
        return packed.step, packed.zero_state()

    @torch.no_grad()
    def step(token: int, state: State | None) -> tuple[FloatArray, State]:
        logits, state = model.step(torch.tensor([token], device=device), state)
        return _array(logits[0]), state

    return step, None


def _array(tensor: Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().cpu().float().numpy().copy()
    return array
