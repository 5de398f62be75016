"""A language model with its weights packed once, for one symbol at a time: the fast twin of `LanguageModel.step`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from recurra.kernels.recurrence import affine, gru_step, lstm_step, rnn_step
from recurra.models.cells import CellName
from recurra.models.language_model import LanguageModel

FloatArray = NDArray[np.float32]
PackedState = tuple[tuple[FloatArray, ...], ...]
"""A layer's `(h,)` or `(h, c)`, each `(hidden_size,)`, for every layer."""


@dataclass(frozen=True)
class _Layer:
    weight: FloatArray
    bias_ih: FloatArray
    bias_hh: FloatArray
    bias: FloatArray


class PackedLanguageModel:
    """A frozen copy of a language model that runs on one core, without autograd, one stream at a time.

    Args:
        model: the language model; later changes of it are not seen.
    """

    def __init__(self, model: LanguageModel) -> None:
        recurrent = model.recurrent
        self.cell: CellName = recurrent.cell
        self.hidden_size = recurrent.hidden_size
        self.vocabulary_size = model.vocabulary_size
        self._embedding = _array(model.embedding.weight)
        self._layers = []
        for number in range(recurrent.num_layers):
            weight_ih, weight_hh, bias_ih, bias_hh = (_array(tensor) for tensor in recurrent.weights(number))
            weight = np.ascontiguousarray(np.concatenate([weight_ih, weight_hh], axis=1).T)
            self._layers.append(_Layer(weight, bias_ih, bias_hh, bias_ih + bias_hh))
        output = model.output.weight @ model.projection.weight if model.projection else model.output.weight
        self._output = np.ascontiguousarray(_array(output).T)
        self._output_bias = _array(model.output.bias)

    def zero_state(self) -> PackedState:
        """The state before any input."""
        zero = np.zeros(self.hidden_size, dtype=np.float32)
        return ((zero, zero) if self.cell == "lstm" else (zero,),) * len(self._layers)

    def step(self, symbol: int, state: PackedState) -> tuple[FloatArray, PackedState]:
        """Score the next symbol after one more.

        Args:
            symbol: the symbol read.
            state: the state to go on from; not changed.

        Returns:
            Logits, `(vocabulary_size,)`, and the new state.
        """
        inputs = self._embedding[symbol]
        new = []
        for layer, before in zip(self._layers, state, strict=True):
            after = self._layer_step(layer, inputs, before)
            inputs = after[0]
            new.append(after)
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
            gru_step(inputs, state[0], layer.weight, layer.bias_ih, layer.bias_hh, gates, h_out)
            return (h_out,)
        gates = np.empty(self.hidden_size, dtype=np.float32)
        rnn_step(inputs, state[0], layer.weight, layer.bias, gates, h_out, self.cell == "rnn-relu")
        return (h_out,)


def _array(tensor: Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().cpu().float().numpy().copy()
    return array
