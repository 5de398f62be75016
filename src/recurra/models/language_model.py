"""A recurrent language model: the next token's distribution from all tokens before it."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.config import AUTO, check_range
from recurra.models.cells import CellName, State
from recurra.models.dropout import DropoutGenerator
from recurra.models.recurrent import Recurrent

RULE_FEATURE_STD = 0.3
"""Of the first weights of rule features: a dozen that are on together weigh as much as the token."""


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
    """Features of a token where it enters."""
    dropout: float = AUTO
    """Share of features zeroed in training before, between and after the layers."""
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


class RuleFeatures(Protocol):
    """What is known by rule from the tokens read so far: in music, the beat and which notes still sound.

    Attributes:
        size: rule_features it sets for each token.
        state_size: numbers it keeps from one token to the next; all are zero before the first.
    """

    size: int
    state_size: int

    def read(
        self, tokens: NDArray[np.int64], state: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Read tokens `(batch, time)` on from a state `(batch, state_size)`, which is not changed.

        Returns:
            The rule_features after each token, `(batch, time, size)`, 0 or 1, and the new state.
        """


class LanguageModel(nn.Module):
    """Embedding, recurrent stack, output layer (Mikolov et al. 2010).

    With rules, what they work out enters the stack beside the token, and their state, `(1, batch, state_size)`, is the
    last part of the model's.

    Args:
        vocabulary_size: number of tokens.
        architecture: a resolved one.
        rules: work out more than the last token.
    """

    def __init__(self, vocabulary_size: int, architecture: Architecture, rules: RuleFeatures | None = None) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.dropout = architecture.dropout
        self.rules = rules
        self.embedding = nn.Embedding(vocabulary_size, architecture.embedding_size)
        self.rule_embedding: nn.Linear | None = None
        if rules:
            self.rule_embedding = nn.Linear(rules.size, architecture.embedding_size, bias=False)
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
        if self.rule_embedding:
            nn.init.normal_(self.rule_embedding.weight, std=RULE_FEATURE_STD)
        if self.output.weight is not self.embedding.weight:
            nn.init.normal_(self.output.weight, std=0.5 / math.sqrt(self.output.in_features))
        nn.init.zeros_(self.output.bias)

    def forward(
        self, tokens: Tensor, state: State | None = None, generator: DropoutGenerator | None = None
    ) -> tuple[Tensor, State]:
        """Score every next token of whole sequences.

        Args:
            tokens: `(batch, time)`.
            state: the state to go on from; None at the beginning.
            generator: where dropout comes from; None for no dropout.

        Returns:
            Logits, `(batch, time, vocabulary_size)`, and the new state.
        """
        outputs, state = self.trace(tokens, state, generator=generator)
        top = generator.drop_units(outputs[-1], self.dropout) if generator else outputs[-1]
        return self.read_out(top), state

    def trace(
        self,
        tokens: Tensor,
        state: State | None = None,
        mask: Tensor | None = None,
        generator: DropoutGenerator | None = None,
    ) -> tuple[list[Tensor], State]:
        """What every layer of the stack makes of whole sequences, from the bottom; see `Recurrent.trace`.

        A mask spares the stack what is not there, but not the rules.
        """
        inputs, before, read = self._enter(tokens, state)
        if generator:
            inputs = generator.drop_units(inputs, self.dropout)
        outputs, after = self.recurrent.trace(inputs, before, mask, generator)
        return outputs, after + read

    def _enter(self, tokens: Tensor, state: State | None) -> tuple[Tensor, State | None, State]:
        """What enters the stack, `tokens.shape + (embedding_size,)`, the stack's state, and the new one of the
        rules.
        """
        inputs: Tensor = self.embedding(tokens) * self.scale
        if self.rules is None or self.rule_embedding is None:
            return inputs, state, ()
        rows = tokens.reshape(len(tokens), -1).cpu().numpy()
        before = np.zeros((len(rows), self.rules.state_size), np.float32)
        if state is not None:
            before = state[-1][0].detach().cpu().numpy()
        rule_features, after = self.rules.read(rows, before)
        on = torch.from_numpy(rule_features).to(inputs).reshape(*tokens.shape, -1)
        read = (torch.from_numpy(after).to(inputs.device)[None],)
        return inputs + self.rule_embedding(on), None if state is None else state[:-1], read

    def read_out(self, outputs: Tensor) -> Tensor:
        """Logits `(..., vocabulary_size)` of the stack's outputs `(..., hidden_size)`."""
        logits: Tensor = self.output(self.projection(outputs) if self.projection else outputs)
        return logits

    def step(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Score the next token after one more.

        Args:
            tokens: `(batch,)`.
            state: the state to go on from; None at the beginning.

        Returns:
            Logits, `(batch, vocabulary_size)`, and the new state.
        """
        state = self.advance(tokens, state)
        return self.read_out(state[0][-1]), state

    def advance(self, tokens: Tensor, state: State | None = None) -> State:
        """The state after one more token, `(batch,)`; its h of the top layer is what `read_out` takes."""
        inputs, before, read = self._enter(tokens, state)
        _, after = self.recurrent.step(inputs, before)
        return after + read
