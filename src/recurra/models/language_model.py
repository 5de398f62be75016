"""A recurrent language model: the next symbol's distribution from all symbols before it."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.config import AUTO, check_range
from recurra.models.cells import CellName, State
from recurra.models.dropout import Noise
from recurra.models.recurrent import Recurrent

SWITCH_STD = 0.3
"""Of a reader's first weights: a dozen switches that are on together weigh as much as the symbol."""


@dataclass(frozen=True)
class Architecture:
    """What a language model is made of; what is not given is chosen by the preset and the size of the data."""

    cell: CellName = "lstm"
    """The recurrent cell."""
    hidden_size: int = AUTO
    """Units in a layer."""
    num_layers: int = AUTO
    """Recurrent layers, one on top of the other."""
    embedding_size: int = AUTO
    """Features of a symbol where it enters."""
    dropout: float = AUTO
    """Share of features zeroed in training before, between and after the layers, the same at all steps of a chunk."""
    forget_bias: float = AUTO
    """Where the forget gates of an LSTM start: the higher, the longer it remembers at first."""
    tied: bool = AUTO
    """Use the embedding as the output layer too (Press and Wolf 2017)."""

    def __post_init__(self) -> None:
        check_range("hidden_size", self.hidden_size, 1, 16384)
        check_range("num_layers", self.num_layers, 1, 32)
        check_range("embedding_size", self.embedding_size, 1, 16384)
        check_range("dropout", self.dropout, 0.0, 0.95)
        check_range("forget_bias", self.forget_bias, -20.0, 20.0)


class Reader(Protocol):
    """What is known by rule from the symbols read so far: in music, the beat and which notes still sound.

    Attributes:
        size: switches it sets for each symbol.
        state_size: numbers it keeps from one symbol to the next; all are zero before the first.
    """

    size: int
    state_size: int

    def read(
        self, symbols: NDArray[np.int64], state: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Read symbols `(batch, time)` on from a state `(batch, state_size)`, which is not changed.

        Returns:
            The switches after each symbol, `(batch, time, size)`, 0 or 1, and the new state.
        """


class LanguageModel(nn.Module):
    """Embedding, recurrent stack, output layer (Mikolov et al. 2010).

    With a reader, what it works out enters the stack beside the symbol, and its state, `(1, batch, state_size)`, is the
    last part of the model's.

    Args:
        vocabulary_size: number of symbols.
        architecture: a resolved one.
        reader: what works out more than the last symbol.
    """

    def __init__(self, vocabulary_size: int, architecture: Architecture, reader: Reader | None = None) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.dropout = architecture.dropout
        self.reader = reader
        self.embedding = nn.Embedding(vocabulary_size, architecture.embedding_size)
        self.switches: nn.Linear | None = None
        if reader:
            self.switches = nn.Linear(reader.size, architecture.embedding_size, bias=False)
        self.recurrent = Recurrent(
            architecture.cell,
            architecture.embedding_size,
            architecture.hidden_size,
            architecture.num_layers,
            dropout=architecture.dropout,
            forget_bias=architecture.forget_bias,
        )
        self.projection: nn.Linear | None = None
        if architecture.tied and architecture.hidden_size != architecture.embedding_size:
            self.projection = nn.Linear(architecture.hidden_size, architecture.embedding_size, bias=False)
        self.output = nn.Linear(
            architecture.embedding_size if architecture.tied else architecture.hidden_size, vocabulary_size
        )
        self.scale = math.sqrt(architecture.embedding_size) if architecture.tied else 1.0
        if architecture.tied:
            self.output.weight = self.embedding.weight
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Inputs of unit variance to the stack, outputs that start near even chances."""
        nn.init.normal_(self.embedding.weight, std=1 / self.scale)
        if self.switches:
            nn.init.normal_(self.switches.weight, std=SWITCH_STD)
        if self.output.weight is not self.embedding.weight:
            nn.init.normal_(self.output.weight, std=0.5 / math.sqrt(self.output.in_features))
        nn.init.zeros_(self.output.bias)

    def forward(self, symbols: Tensor, state: State | None = None, noise: Noise | None = None) -> tuple[Tensor, State]:
        """Score every next symbol of whole sequences.

        Args:
            symbols: `(batch, time)`.
            state: the state to go on from; None at the beginning.
            noise: where dropout comes from; None for no dropout.

        Returns:
            Logits, `(batch, time, vocabulary_size)`, and the new state.
        """
        outputs, state = self.trace(symbols, state, noise=noise)
        top = noise.drop_units(outputs[-1], self.dropout) if noise else outputs[-1]
        return self.read_out(top), state

    def trace(
        self, symbols: Tensor, state: State | None = None, mask: Tensor | None = None, noise: Noise | None = None
    ) -> tuple[list[Tensor], State]:
        """What every layer of the stack makes of whole sequences, from the bottom; see `Recurrent.trace`.

        A mask spares the stack what is not there, but not the reader.
        """
        inputs, before, read = self._enter(symbols, state)
        if noise:
            inputs = noise.drop_units(inputs, self.dropout)
        outputs, after = self.recurrent.trace(inputs, before, mask, noise)
        return outputs, after + read

    def _enter(self, symbols: Tensor, state: State | None) -> tuple[Tensor, State | None, State]:
        """What enters the stack, `symbols.shape + (embedding_size,)`, the stack's state, and the reader's new one."""
        inputs: Tensor = self.embedding(symbols) * self.scale
        if self.reader is None or self.switches is None:
            return inputs, state, ()
        rows = symbols.reshape(len(symbols), -1).cpu().numpy()
        before = np.zeros((len(rows), self.reader.state_size), np.float32)
        if state is not None:
            before = state[-1][0].detach().cpu().numpy()
        switches, after = self.reader.read(rows, before)
        on = torch.from_numpy(switches).to(inputs).reshape(*symbols.shape, -1)
        read = (torch.from_numpy(after).to(inputs.device)[None],)
        return inputs + self.switches(on), None if state is None else state[:-1], read

    def read_out(self, outputs: Tensor) -> Tensor:
        """Logits `(..., vocabulary_size)` of the stack's outputs `(..., hidden_size)`."""
        logits: Tensor = self.output(self.projection(outputs) if self.projection else outputs)
        return logits

    def step(self, symbols: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Score the next symbol after one more.

        Args:
            symbols: `(batch,)`.
            state: the state to go on from; None at the beginning.

        Returns:
            Logits, `(batch, vocabulary_size)`, and the new state.
        """
        state = self.advance(symbols, state)
        return self.read_out(state[0][-1]), state

    def advance(self, symbols: Tensor, state: State | None = None) -> State:
        """The state after one more symbol, `(batch,)`; its h of the top layer is what `read_out` takes."""
        inputs, before, read = self._enter(symbols, state)
        _, after = self.recurrent.step(inputs, before)
        return after + read
