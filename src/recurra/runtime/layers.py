"""Recurrent layers and output layers for one stream: what they do, and how it is done without compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np

from recurra.arrays import FloatArray
from recurra.errors import OptionError
from recurra.runtime.cells import CellName, LayerState, LayerWeights
from recurra.runtime.recurrent import new_state

Precision = Literal["float32", "int8"]
"""How many bits the weights have that are multiplied."""


class Layer(Protocol):
    """A recurrent layer.

    Attributes:
        bias: what is added to the gates if a step is not given anything else.
    """

    bias: FloatArray

    def step(self, inputs: FloatArray, bias: FloatArray, state: LayerState) -> LayerState:
        """One time step; the state, whose h is the output, is not changed.

        Args:
            inputs: `(input_size,)`.
            bias: what is added to the gates of the inputs, `(gates * hidden_size,)`.
            state: before the step.
        """


class Output(Protocol):
    """An output layer."""

    def __call__(self, inputs: FloatArray) -> FloatArray:
        """Logits `(vocabulary_size,)` of a state `(hidden_size,)`."""


class PlainLayer:
    """A layer in NumPy, which takes no time to start: the twin of `compiled.Float32Layer`.

    Args:
        cell: its cell.
        weights: of it.
    """

    def __init__(self, cell: CellName, weights: LayerWeights) -> None:
        self.cell: CellName = cell
        self._weights = weights
        self.bias = weights.bias(cell)

    def step(self, inputs: FloatArray, bias: FloatArray, state: LayerState) -> LayerState:
        """See `Layer`."""
        with np.errstate(over="ignore", invalid="ignore"):  # huge weights are for who reads the logits to refuse
            from_hidden = self._weights.weight_hh @ state[0]
            if self.cell == "gru":
                from_hidden += self._weights.bias_hh
            from_inputs = bias + self._weights.weight_ih @ inputs if len(inputs) else bias
            return new_state(self.cell, from_inputs, from_hidden, state)


class PlainOutput:
    """An output layer in NumPy: the twin of `compiled.Float32Output`.

    Args:
        weight: `(vocabulary_size, hidden_size)`.
        bias: `(vocabulary_size,)`.
    """

    def __init__(self, weight: FloatArray, bias: FloatArray) -> None:
        self._weight, self._bias = weight, bias

    def __call__(self, inputs: FloatArray) -> FloatArray:
        """See `Output`."""
        with np.errstate(over="ignore", invalid="ignore"):
            logits: FloatArray = self._weight @ inputs + self._bias
        return logits


class Kinds(NamedTuple):
    """What makes the layers of a network, and its output layer."""

    layer: Callable[[CellName, LayerWeights], Layer]
    output: Callable[[FloatArray, FloatArray], Output]


def kinds_of(precision: Precision, compiled: bool = True) -> Kinds:
    """The layers of a precision.

    Args:
        precision: of their weights.
        compiled: whether float32 layers are compiled ones: faster at each step, but half a second to start.

    Raises:
        OptionError: if there is no such precision.
    """
    if precision not in get_args(Precision):
        raise OptionError(f"`precision` is {precision!r}, but must be one of {', '.join(get_args(Precision))}")
    if precision == "float32" and not compiled:
        return Kinds(PlainLayer, PlainOutput)
    from recurra.runtime import compiled as kinds

    if precision == "int8":
        return Kinds(kinds.Int8Layer, kinds.Int8Output)
    return Kinds(kinds.Float32Layer, kinds.Float32Output)
