"""The recurrent stack: any cell, deep, one or both directions. Whole sequences run in PyTorch's own kernels.

Shapes: B batch, T time, I input_size, H hidden_size, D directions, L num_layers; a state is `(L * D, B, H)` tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurra.models.cells import CELLS, State, Weights, check_choice
from recurra.models.dropout import DropoutGenerator
from recurra.runtime.cells import GATE_COUNTS, CellName, state_parts

_MODULES: dict[CellName, Callable[..., nn.Module]] = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "rnn": partial(nn.RNN, nonlinearity="tanh"),
    "rnn-relu": partial(nn.RNN, nonlinearity="relu"),
}

_FUNCTIONS: dict[CellName, Callable[..., tuple[Tensor, ...]]] = {
    "lstm": torch.lstm,
    "gru": torch.gru,
    "rnn": torch.rnn_tanh,
    "rnn-relu": torch.rnn_relu,
}
"""What the modules above call."""


class Recurrent(nn.Module):
    """Layers of recurrent cells.

    Two faces: `forward` over whole sequences, for training, and `step` for one time step, for generation. They agree.
    State is an argument and a result, a tuple of `(L * D, B, H)` tensors, `(h,)` or `(h, c)`; None is all zeros.

    Args:
        cell: name of the cell, see `CELLS`.
        input_size: features of an input.
        hidden_size: units of a layer in one direction.
        num_layers: layers, each reading the one below.
        bidirectional: a second pass from the end, its output beside the first one's.
        dropout: rate between layers, shared over time.
        forget_bias: where an LSTM's forget gates start: the higher, the longer it remembers at first.

    Raises:
        ValueError: if the cell is not one of `CELLS`.
    """

    def __init__(
        self,
        cell: CellName,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        forget_bias: float = 1.0,
    ) -> None:
        super().__init__()
        check_choice("cell", cell, CellName)
        self.cell = cell
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.directions = 2 if bidirectional else 1
        self.dropout = dropout
        self.forget_bias = forget_bias
        sizes = [input_size] + [hidden_size * self.directions] * (num_layers - 1)
        self.layers = nn.ModuleList(
            _MODULES[cell](size, hidden_size, batch_first=True, bidirectional=bidirectional) for size in sizes
        )
        self.reset_parameters()

    @property
    def output_size(self) -> int:
        """Features of an output."""
        return self.hidden_size * self.directions

    def reset_parameters(self) -> None:
        """Orthogonal recurrent weights, a block a gate (Saxe et al. 2014); the identity for rectifiers (Le 2015).

        Input weights keep the variance of their inputs (LeCun et al. 1998), biases are zero but the forget gates'
        (Jozefowicz et al. 2015).
        """
        for name, parameter in self.named_parameters():
            kind = name.rpartition(".")[2]
            if kind.startswith("weight_hh"):
                for block in parameter.data.chunk(GATE_COUNTS[self.cell]):
                    nn.init.eye_(block) if self.cell == "rnn-relu" else nn.init.orthogonal_(block)
            elif kind.startswith("weight_ih"):
                nn.init.normal_(parameter.data, std=parameter.shape[1] ** -0.5)
            else:
                parameter.data.zero_()
                if self.cell == "lstm" and kind.startswith("bias_ih"):
                    parameter.data[self.hidden_size : 2 * self.hidden_size] = self.forget_bias

    def zero_state(self, batch: int) -> State:
        """The state before any input."""
        weight = next(self.parameters())
        shape = (self.num_layers * self.directions, batch, self.hidden_size)
        return tuple(weight.new_zeros(shape) for _ in range(state_parts(self.cell)))

    def forward(
        self,
        inputs: Tensor,
        state: State | None = None,
        mask: Tensor | None = None,
        generator: DropoutGenerator | None = None,
    ) -> tuple[Tensor, State]:
        """Run whole sequences.

        Args:
            inputs: `(B, T, I)`.
            state: the state to go on from.
            mask: `(B, T)`, True for what is there; each row True up to its length (at least 1), then False.
                Outputs there are zero, and the state is the one at each row's end.
            generator: where dropout comes from; None for no dropout.

        Returns:
            The top layer's outputs, `(B, T, D * H)`, and the new state.

        Raises:
            ValueError: if shapes do not fit or a mask has a gap or an empty row.
        """
        outputs, state = self.layer_outputs(inputs, state, mask, generator)
        return outputs[-1], state

    def layer_outputs(
        self,
        inputs: Tensor,
        state: State | None = None,
        mask: Tensor | None = None,
        generator: DropoutGenerator | None = None,
    ) -> tuple[list[Tensor], State]:
        """As `forward`, with the outputs of every layer, from the bottom."""
        if inputs.dim() != 3 or inputs.shape[-1] != self.input_size:
            raise ValueError(f"inputs are {tuple(inputs.shape)}, expected (batch, time, {self.input_size})")
        state = self.zero_state(len(inputs)) if state is None else state
        lengths = None if mask is None else _lengths(mask, inputs)
        outputs, ends = [], []
        for index, layer in enumerate(self.layers):
            if index and generator:
                inputs = generator.drop_units(inputs, self.dropout)
            here = slice(index * self.directions, (index + 1) * self.directions)
            inputs, end = self._run(layer, inputs, tuple(part[here] for part in state), lengths)  # (B, T, D * H)
            outputs.append(inputs)
            ends.append(end)
        return outputs, tuple(torch.cat(parts) for parts in zip(*ends, strict=True))

    def _run(self, layer: nn.Module, inputs: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, State]:
        """One layer over whole sequences; `state` is `(D, B, H)` tensors."""
        contiguous = tuple(part.contiguous() for part in state)
        start = contiguous if self.cell == "lstm" else contiguous[0]
        if lengths is None:
            outputs, end = layer(inputs, start)
        else:
            packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
            packed, end = layer(packed, start)
            outputs, _ = pad_packed_sequence(packed, batch_first=True, total_length=inputs.shape[1])
        return outputs, end if isinstance(end, tuple) else (end,)

    def annotate(self, inputs: Tensor, mask: Tensor, generator: DropoutGenerator | None = None) -> Tensor:
        """The top layer's outputs for sequences of different lengths, each read from an empty state.

        As `forward` with a mask, but for the end state, and faster on a CPU: each direction runs on its own over all
        positions, the one from the end over sequences reversed up to their lengths, since what comes after a sequence's
        end changes nothing before it.

        Args:
            inputs: `(B, T, I)`.
            mask: `(B, T)`, True for what is there, as in `forward`.
            generator: where dropout comes from; None for no dropout.

        Returns:
            `(B, T, D * H)`, zero where nothing is.
        """
        if inputs.device.type != "cpu":  # where a kernel wants the weights of both directions in one piece
            return self.forward(inputs, mask=mask, generator=generator)[0]
        lengths = _lengths(mask, inputs)  # (B,)
        time = torch.arange(inputs.shape[1])  # (T,)
        reversed_time = torch.where(mask, lengths[:, None] - 1 - time, time)  # (B, T)
        batch = torch.arange(len(inputs))[:, None]  # (B, 1)
        for index in range(self.num_layers):
            if index and generator:
                inputs = generator.drop_units(inputs, self.dropout)
            outputs = self._run_direction(inputs, self.weights(index))  # (B, T, H)
            if self.directions == 2:
                backward = self._run_direction(inputs[batch, reversed_time], self.weights(index, reverse=True))
                outputs = torch.cat([outputs, backward[batch, reversed_time]], dim=-1)  # (B, T, 2 * H)
            inputs = outputs * mask[:, :, None]
        return inputs

    def _run_direction(self, inputs: Tensor, weights: Weights) -> Tensor:
        """One layer in one direction over whole sequences, from an empty state."""
        zero = inputs.new_zeros(1, len(inputs), self.hidden_size)  # (1, B, H)
        start = (zero, zero) if self.cell == "lstm" else zero
        return _FUNCTIONS[self.cell](inputs, start, weights, True, 1, 0.0, False, False, True)[0]  # (B, T, H)

    def step(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run one time step by the cells' equations; `models.packed` has the fast way.

        Args:
            inputs: `(B, I)`.
            state: the state to go on from.

        Returns:
            The top layer's output, `(B, H)`, and the new state.

        Raises:
            ValueError: for a bidirectional stack, whose outputs depend on what is still to come.
        """
        if self.directions == 2:
            raise ValueError("a bidirectional stack has no single steps: its outputs depend on later inputs")
        state = self.zero_state(len(inputs)) if state is None else state
        ends = []
        for index in range(self.num_layers):
            end = CELLS[self.cell](inputs, tuple(part[index] for part in state), self.weights(index))  # (B, H) each
            inputs = end[0]  # (B, H)
            ends.append(end)
        return inputs, tuple(torch.stack(parts) for parts in zip(*ends, strict=True))

    def weights(self, layer: int, reverse: bool = False) -> Weights:
        """The weights of one layer in one direction."""
        suffix = "_reverse" if reverse else ""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return Weights(*(getattr(self.layers[layer], f"{name}_l0{suffix}") for name in names))


def _lengths(mask: Tensor, inputs: Tensor) -> Tensor:
    """Of each row of a mask, `(B,)`, on the CPU."""
    if mask.shape != inputs.shape[:2]:
        raise ValueError(f"mask is {tuple(mask.shape)}, expected {tuple(inputs.shape[:2])}")
    lengths = mask.sum(dim=1).cpu()
    if bool((lengths == 0).any()) or bool((mask[:, 1:] & ~mask[:, :-1]).any()):
        raise ValueError("each row of a mask must be True up to a length of at least 1, then False")
    return lengths
