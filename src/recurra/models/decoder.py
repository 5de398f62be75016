"""The decoder: a recurrent language model of the outputs that attends to what was read.

Shapes: B batch, T time, S positions of the source, E embedding_size, H hidden_size, V value_size, A attention_size,
G gates, L num_layers, F features for the output layer. In a single step N rows attend to B sources.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recurra.config import required
from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.models.attention import Attention
from recurra.models.attention_loop import AttentionMemory, attend, attend_step
from recurra.models.cells import State, check_choice
from recurra.models.dropout import DropoutGenerator
from recurra.models.recurrent import Recurrent
from recurra.runtime.cells import GATE_COUNTS, AttentionCell, state_parts


class Decoder(nn.Module):
    """Embedding, a recurrent stack whose bottom layer attends, a deep output layer.

    Bahdanau et al. 2015, arXiv 1409.0473, appendix A.2: the attention's query is the bottom layer's previous state, the
    context enters its gates, and the output is made of state, context and last token (here through a tanh). That
    state does not know the last token, so the query is of both: what Sennrich et al. 2017, arXiv 1703.04357, have a
    second cell for. Layers above the first read the one below. Without attention the decoder knows no more of the
    source than its first state (Sutskever et al. 2014, arXiv 1409.3215; Cho et al. 2014, arXiv 1406.1078).

    State: `(L, B, H)` tensors, `(h, c)` or `(h,)`.

    Args:
        embedding: of the tokens; may be shared with an encoder.
        scale: what its vectors are multiplied by.
        value_size: features of an annotation, and of the summary.
        architecture: a resolved one.
        project_values: put all values through the gates' weights once instead of the context in each step; pays where
            there are not many more positions than steps.

    Raises:
        ValueError: if the cell or the attention is not one of the choices, or the architecture is not resolved.
    """

    def __init__(
        self,
        embedding: nn.Embedding,
        scale: float,
        value_size: int,
        architecture: EncoderDecoderArchitecture,
        project_values: bool = True,
    ) -> None:
        super().__init__()
        cell, tied = architecture.cell, required(architecture.tied, "tied")
        check_choice("cell", cell, AttentionCell)
        hidden_size, size = required(architecture.hidden_size, "hidden_size"), embedding.embedding_dim
        self.embedding = embedding
        self.scale = scale
        self.project_values = project_values
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = required(architecture.num_layers, "num_layers")
        self.dropout = required(architecture.dropout, "dropout")
        self.word_dropout = required(architecture.word_dropout, "word_dropout")
        self.forget_bias = required(architecture.forget_bias, "forget_bias")
        self.initial = nn.Linear(value_size, state_parts(cell) * self.num_layers * hidden_size)
        self.attention: Attention | None = None
        upper, upper_inputs = self.num_layers, size
        if architecture.attention != "none":
            attention_size = architecture.attention_size or hidden_size
            self.attention = Attention(architecture.attention, hidden_size, value_size, attention_size)
            gates = GATE_COUNTS[cell] * hidden_size
            self.inputs = nn.Linear(size, self.attention.attention_size + gates)
            self.context = nn.Linear(value_size, gates, bias=False)
            self.hidden = nn.Linear(hidden_size, gates)
            upper, upper_inputs = self.num_layers - 1, hidden_size
        self.upper_layers: Recurrent | None = None
        if upper:
            self.upper_layers = Recurrent(
                cell, upper_inputs, hidden_size, upper, dropout=self.dropout, forget_bias=self.forget_bias
            )
        readout_inputs = hidden_size + size + (value_size if self.attention else 0)
        self.readout = nn.Linear(readout_inputs, size if tied else hidden_size)
        self.output = nn.Linear(self.readout.out_features, embedding.num_embeddings)
        if tied:
            self.output.weight = embedding.weight
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As in `Recurrent`; outputs start near even chances."""
        for layer in (self.initial, self.readout):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)
        if self.output.weight is not self.embedding.weight:
            nn.init.normal_(self.output.weight, std=0.5 * self.output.in_features**-0.5)
        nn.init.zeros_(self.output.bias)
        if self.attention:
            for layer in (self.inputs, self.context):
                nn.init.normal_(layer.weight, std=(self.inputs.in_features + self.context.in_features) ** -0.5)
            for block in self.hidden.weight.data.chunk(GATE_COUNTS[self.cell]):
                nn.init.orthogonal_(block)
            nn.init.zeros_(self.inputs.bias)
            nn.init.zeros_(self.hidden.bias)
            if self.cell == "lstm":
                self.hidden.bias.data[self.hidden_size : 2 * self.hidden_size] = self.forget_bias

    def initial_state(self, summary: Tensor) -> State:
        """The state before the first token, from a summary of what was read, `(B, V)`."""
        parts = self.initial(summary).unflatten(1, (state_parts(self.cell), self.num_layers, self.hidden_size))
        h, *c = parts.permute(1, 2, 0, 3)  # (L, B, H) each
        return torch.tanh(h), *c

    def attention_memory(self, values: Tensor, mask: Tensor) -> AttentionMemory:
        """Make annotations ready to be attended to: all that is the same for every step.

        Args:
            values: `(B, S, V)`, zero at padding.
            mask: `(B, S)`, True for what is there; on the CPU or where the values are.

        Raises:
            ValueError: if a row has nothing to attend to, or the decoder has no attention.
        """
        if self.attention is None:
            raise ValueError("a decoder without attention has no memory to attend to")
        if not bool(mask.any(dim=1).all()):
            raise ValueError("a row of the mask is empty: there is nothing to attend to")
        keys = self.attention.key(values)  # (B, S, A)
        # Input by input, as in `weight_layout`.
        weight = torch.cat([self.attention.query.weight.T, self.hidden.weight.T], dim=1).T  # (A + G, H)
        bias = torch.cat([self.hidden.bias.new_zeros(self.attention.attention_size), self.hidden.bias])  # (A + G,)
        memory = AttentionMemory(values, keys, None, mask.to(values.device), weight, bias, self.attention.score)
        if self.project_values:
            return memory._replace(projected_values=self.context(values))  # (B, S, G)
        return memory._replace(context_weight=self.context.weight.T.contiguous().T)  # (G, V)

    def forward(
        self, tokens: Tensor, state: State, memory: AttentionMemory | None, generator: DropoutGenerator | None = None
    ) -> tuple[Tensor, Tensor | None, State]:
        """Run whole sequences, each step told the right tokens before it.

        Args:
            tokens: `(B, T)`.
            state: the state to go on from.
            memory: what to attend to; None without attention.
            generator: where dropout comes from; None for no dropout.

        Returns:
            Features for `output`, `(B, T, F)`; the attention weights, `(B, T, S)`, None without attention; the new
            state.
        """
        embedded = self._embed(tokens)  # (B, T, E)
        if generator:
            embedded = generator.drop_units(generator.drop_steps(embedded, self.word_dropout), self.dropout)
        outputs, upper_state, context, weights, ends = embedded, state, [], None, []
        if memory:
            bottom_state, upper_state = _split(state)  # (B, H) each, (L - 1, B, H) each
            inputs = self.inputs(embedded).transpose(0, 1)  # (T, B, A + G)
            outputs, weights, end = attend(self.cell, inputs, bottom_state, memory)  # (T, B, H), (T, B, S)
            outputs, weights = outputs.transpose(0, 1), weights.transpose(0, 1)  # (B, T, H), (B, T, S)
            context = [weights @ memory.values]  # (B, T, V)
            ends.append(tuple(part[None] for part in end))  # (1, B, H) each
        if self.upper_layers:
            if memory and generator:
                outputs = generator.drop_units(outputs, self.dropout)
            outputs, end = self.upper_layers(outputs, upper_state, generator=generator)  # (B, T, H)
            ends.append(end)
        if generator:
            outputs = generator.drop_units(outputs, self.dropout)
        features = self._features(outputs, context, embedded)  # (B, T, F)
        if generator:
            features = generator.drop_units(features, self.dropout)
        return features, weights, _join(ends)

    def step(
        self, tokens: Tensor, state: State, memory: AttentionMemory | None, sources: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None, State]:
        """As `forward` for one more token of each row.

        Args:
            tokens: `(N,)`.
            state: the state to go on from.
            memory: what to attend to; None without attention.
            sources: index of each row's source in the memory, `(N,)`, ascending; None for each its own.

        Returns:
            Features `(N, F)`, attention weights `(N, S)`, the new state.
        """
        embedded = self._embed(tokens)  # (N, E)
        outputs, upper_state, context, weights, ends = embedded, state, [], None, []
        if memory:
            bottom_state, upper_state = _split(state)  # (N, H) each, (L - 1, N, H) each
            inputs = self.inputs(embedded)  # (N, A + G)
            end, attended, weights = attend_step(self.cell, inputs, bottom_state, memory, sources)
            outputs, context = end[0], [attended]  # (N, H), (N, V)
            ends.append(tuple(part[None] for part in end))  # (1, N, H) each
        if self.upper_layers:
            outputs, end = self.upper_layers.step(outputs, upper_state)  # (N, H)
            ends.append(end)
        return self._features(outputs, context, embedded), weights, _join(ends)

    def _embed(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.embedding(tokens) * self.scale
        return embedded

    def _features(self, outputs: Tensor, context: list[Tensor], embedded: Tensor) -> Tensor:
        """Features for `output`, `(..., F)`, from `(..., H)`, `(..., V)` and `(..., E)`."""
        return torch.tanh(self.readout(torch.cat([outputs, *context, embedded], dim=-1)))


def _split(state: State) -> tuple[State, State]:
    """The state of the bottom layer, and of those above."""
    return tuple(part[0] for part in state), tuple(part[1:] for part in state)


def _join(states: list[State]) -> State:
    """The states of all layers, `(L, B, H)` a part, from those of some of them."""
    return tuple(torch.cat(parts) for parts in zip(*states, strict=True))


class Writer(nn.Module):
    """A network whose outputs a decoder writes, whatever it is that it reads."""

    decoder: Decoder

    def compute_logits(self, features: Tensor) -> Tensor:
        """Logits `(..., target_size)` of the decoder's features `(..., F)`."""
        logits: Tensor = self.decoder.output(features)
        return logits
