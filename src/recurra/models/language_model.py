"""A recurrent language model: the next symbol's distribution from all symbols before it."""

import math
from dataclasses import dataclass

from torch import Tensor, nn

from recurra.config import AUTO, check_range
from recurra.models.cells import CellName, State
from recurra.models.dropout import Noise
from recurra.models.recurrent import Recurrent


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


class LanguageModel(nn.Module):
    """Embedding, recurrent stack, output layer (Mikolov et al. 2010).

    Args:
        vocabulary_size: number of symbols.
        architecture: a resolved one.
    """

    def __init__(self, vocabulary_size: int, architecture: Architecture) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.dropout = architecture.dropout
        self.embedding = nn.Embedding(vocabulary_size, architecture.embedding_size)
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
        inputs = self.embed(symbols)
        if noise:
            inputs = noise.drop_units(inputs, self.dropout)
        outputs, state = self.recurrent(inputs, state, noise=noise)
        if noise:
            outputs = noise.drop_units(outputs, self.dropout)
        return self.read_out(outputs), state

    def embed(self, symbols: Tensor) -> Tensor:
        """What enters the stack, `(..., embedding_size)`; scaled up where the output layer keeps embeddings small."""
        inputs: Tensor = self.embedding(symbols)
        return inputs * self.scale

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
        outputs, state = self.recurrent.step(self.embed(symbols), state)
        return self.read_out(outputs), state
