"""The recurrent cells as their equations: the reference that everything fast is tested against.

Each takes `inputs` `(batch, input_size)`, a state of `(batch, hidden_size)` tensors and the four weights in PyTorch's
layout: `weight_ih` `(gates * hidden_size, input_size)`, `weight_hh` `(gates * hidden_size, hidden_size)`, `bias_ih` and
`bias_hh` `(gates * hidden_size,)`. Each returns the new state, whose first tensor is the output.

Shapes: B batch, H hidden_size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import torch
from torch import Tensor

from recurra.runtime.cells import CellName

State = tuple[Tensor, ...]
"""`(h,)`, or `(h, c)` for an LSTM."""


class Weights(NamedTuple):
    """The four weights of one layer in one direction, gates stacked as in PyTorch."""

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor
    bias_hh: Tensor


def rnn_cell(inputs: Tensor, state: State, weights: Weights) -> State:
    """Elman's cell (1990): h' = tanh(W x + b + U h + b')."""
    (h,) = state
    return (torch.tanh(inputs @ weights.weight_ih.T + weights.bias_ih + h @ weights.weight_hh.T + weights.bias_hh),)


def rnn_relu_cell(inputs: Tensor, state: State, weights: Weights) -> State:
    """Elman's cell with a rectifier (Le et al. 2015, arXiv 1504.00941): h' = max(0, W x + b + U h + b')."""
    (h,) = state
    return (torch.relu(inputs @ weights.weight_ih.T + weights.bias_ih + h @ weights.weight_hh.T + weights.bias_hh),)


def gru_cell(inputs: Tensor, state: State, weights: Weights) -> State:
    """Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078), the reset gate after the product as in cuDNN.

    r = sigmoid(W_r x + b_r + U_r h + b'_r)
    z = sigmoid(W_z x + b_z + U_z h + b'_z)
    n = tanh(W_n x + b_n + r * (U_n h + b'_n))
    h' = (1 - z) * n + z * h
    """
    (h,) = state
    input_r, input_z, input_n = (inputs @ weights.weight_ih.T + weights.bias_ih).chunk(3, dim=-1)  # (B, H) each
    hidden_r, hidden_z, hidden_n = (h @ weights.weight_hh.T + weights.bias_hh).chunk(3, dim=-1)  # (B, H) each
    r = torch.sigmoid(input_r + hidden_r)  # (B, H)
    z = torch.sigmoid(input_z + hidden_z)  # (B, H)
    n = torch.tanh(input_n + r * hidden_n)  # (B, H)
    return ((1 - z) * n + z * h,)


def lstm_cell(inputs: Tensor, state: State, weights: Weights) -> State:
    """Long short-term memory (Hochreiter and Schmidhuber 1997) with the forget gate of Gers et al. (2000).

    i, f, o = sigmoid(W x + b + U h + b'), g = tanh(W_g x + b_g + U_g h + b'_g)
    c' = f * c + i * g
    h' = o * tanh(c')
    """
    h, c = state
    gates = inputs @ weights.weight_ih.T + weights.bias_ih + h @ weights.weight_hh.T + weights.bias_hh  # (B, 4 * H)
    i, f, g, o = gates.chunk(4, dim=-1)  # (B, H) each
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)  # (B, H)
    return torch.sigmoid(o) * torch.tanh(c), c


CELLS: dict[CellName, Callable[[Tensor, State, Weights], State]] = {
    "lstm": lstm_cell,
    "gru": gru_cell,
    "rnn": rnn_cell,
    "rnn-relu": rnn_relu_cell,
}
"""Every cell by the name it has in options and files."""


def check_choice(name: str, value: str, choices: Any) -> None:
    """Refuse a value that is not one of the choices of a `Literal` type.

    Raises:
        ValueError: if it is not.
    """
    if value not in get_args(choices):
        raise ValueError(f"{name} is {value!r}, but must be one of: {', '.join(get_args(choices))}")
