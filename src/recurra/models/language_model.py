"""A recurrent language model: the next token's distribution from all tokens before it.

Shapes: B batch, T time, E embedding_size, H hidden_size, N the largest n of n-grams, R rule features.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from recurra.config import required
from recurra.models.architecture import Architecture
from recurra.models.cells import State
from recurra.models.dropout import DropoutGenerator
from recurra.models.ngram_embedding import NgramEmbedding
from recurra.models.recurrent import Recurrent
from recurra.runtime.cells import state_parts
from recurra.runtime.rules import RuleFeatures

RULE_FEATURE_STD = 0.3
"""Of the initial weights of rule features: a dozen that are on together weigh as much as the token."""


class LanguageModel(nn.Module):
    """Embedding, recurrent stack, output layer (Mikolov et al. 2010).

    The state is the stack's, then, with n-grams, that of their tables, `(1, B, N - 1)` whole numbers, then, with rules,
    theirs, `(1, B, state_size)`. What the tables hold of the last tokens together, and what the rules work out, enters
    the stack beside the token. A state of zeros is that before any token.

    Args:
        vocabulary_size: number of tokens.
        architecture: a resolved one.
        rules: work out more than the last token.

    Raises:
        ValueError: if the cell is not one of the choices, or the architecture is not resolved.
    """

    def __init__(self, vocabulary_size: int, architecture: Architecture, rules: RuleFeatures | None = None) -> None:
        super().__init__()
        size = required(architecture.embedding_size, "embedding_size")
        hidden_size = required(architecture.hidden_size, "hidden_size")
        tied = required(architecture.tied, "tied")
        self.vocabulary_size = vocabulary_size
        self.dropout = required(architecture.dropout, "dropout")
        self.rules = rules
        self.embedding = nn.Embedding(vocabulary_size, size)
        ngrams = architecture.tables()
        self.ngram_embedding = NgramEmbedding(ngrams, size, architecture.ngram_dropout or 0.0) if ngrams else None
        self.rule_embedding: nn.Linear | None = None
        if rules:
            self.rule_embedding = nn.Linear(rules.size, size, bias=False)
        self.recurrent = Recurrent(
            architecture.cell,
            size,
            hidden_size,
            required(architecture.num_layers, "num_layers"),
            dropout=self.dropout,
            forget_bias=required(architecture.forget_bias, "forget_bias"),
        )
        self.projection: nn.Linear | None = None
        if tied and hidden_size != size:
            self.projection = nn.Linear(hidden_size, size, bias=False)
        self.output = nn.Linear(size if tied else hidden_size, vocabulary_size)
        self.scale = math.sqrt(size) if tied else 1.0
        if tied:
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
            tokens: `(B, T)`.
            state: the state to go on from; None at the beginning.
            generator: where dropout comes from; None for no dropout.

        Returns:
            Logits, `(B, T, vocabulary_size)`, and the new state.
        """
        outputs, state = self.layer_outputs(tokens, state, generator=generator)
        top = generator.drop_units(outputs[-1], self.dropout) if generator else outputs[-1]  # (B, T, H)
        return self.compute_logits(top), state

    def layer_outputs(
        self,
        tokens: Tensor,
        state: State | None = None,
        mask: Tensor | None = None,
        generator: DropoutGenerator | None = None,
    ) -> tuple[list[Tensor], State]:
        """What every layer of the stack makes of whole sequences, from the bottom; see `Recurrent.layer_outputs`.

        A mask spares the stack and the tables what is not there, but not the rules.
        """
        inputs, before, beside = self._embed(tokens, state, mask, generator)  # (B, T, E)
        if generator:
            inputs = generator.drop_units(inputs, self.dropout)
        outputs, after = self.recurrent.layer_outputs(inputs, before, mask, generator)  # (B, T, H) each
        return outputs, after + beside

    def _embed(
        self,
        tokens: Tensor,
        state: State | None,
        mask: Tensor | None = None,
        generator: DropoutGenerator | None = None,
        silent: bool = False,
    ) -> tuple[Tensor, State | None, State]:
        """What enters the stack, `(B, T, E)`, its state, and the new state of tables and rules; see `next_state`."""
        inputs: Tensor = self.embedding(tokens) * self.scale  # (B, T, E)
        stack = None if state is None else state[: state_parts(self.recurrent.cell)]
        beside: State = ()
        if self.ngram_embedding:
            read = self.ngram_embedding.start(len(tokens)) if state is None else state[len(stack or ())]
            found, after = self.ngram_embedding(tokens, read, mask, generator)  # (B, T, E), (1, B, N - 1)
            inputs, beside = inputs if silent else inputs + found, (after,)
        if self.rules and self.rule_embedding:
            rule_features, after = self._read_rules(self.rules, tokens, state)  # (B, T, R), (1, B, state_size)
            inputs, beside = inputs + self.rule_embedding(rule_features.to(inputs)), (*beside, after)
        return inputs, stack, beside

    @staticmethod
    def _read_rules(rules: RuleFeatures, tokens: Tensor, state: State | None) -> tuple[Tensor, Tensor]:
        """The features of the rules, `(B, T, R)`, and their new state."""
        before = np.zeros((len(tokens), rules.state_size), np.float32)
        if state is not None:
            before = state[-1][0].detach().cpu().numpy()
        rule_features, after = rules.read(tokens.cpu().numpy(), before)
        return torch.from_numpy(rule_features), torch.from_numpy(after).to(tokens.device)[None]

    def compute_logits(self, outputs: Tensor) -> Tensor:
        """Logits `(..., vocabulary_size)` of the stack's outputs `(..., H)`."""
        logits: Tensor = self.output(self.projection(outputs) if self.projection else outputs)
        return logits

    def step(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Score the next token after one more.

        Args:
            tokens: `(B,)`.
            state: the state to go on from; None at the beginning.

        Returns:
            Logits, `(B, vocabulary_size)`, and the new state.
        """
        state = self.next_state(tokens, state)
        return self.compute_logits(state[0][-1]), state

    def next_state(self, tokens: Tensor, state: State | None = None, silent: bool = False) -> State:
        """The state after one more token, `(B,)`; its h of the top layer is what `compute_logits` takes.

        Args:
            tokens: `(B,)`.
            state: the state to go on from; None at the beginning.
            silent: the tables of n-grams add nothing to this token.
        """
        inputs, before, beside = self._embed(tokens[:, None], state, silent=silent)  # (B, 1, E)
        _, after = self.recurrent.step(inputs[:, 0], before)
        return after + beside
