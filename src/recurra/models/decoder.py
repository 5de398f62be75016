"""The decoder: a recurrent language model of the outputs that looks back at what was read."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from recurra.models.architecture import Architecture
from recurra.models.attention import Attention
from recurra.models.attention_loop import AttentionMemory, attend, step
from recurra.models.cells import GATE_COUNTS, State, state_parts
from recurra.models.dropout import DropoutGenerator
from recurra.models.recurrent import Recurrent


class Looked(NamedTuple):
    """A memory made ready for one decoder, see `Decoder.look`.

    Attributes:
        values: the annotations, `(batch, positions, size)`.
        attending: what the loop needs.
    """

    values: Tensor
    attending: AttentionMemory

    def at(self, numbers: Tensor) -> Looked:
        """What is made ready of some of the batch."""
        keys, projected_values, mask = (part[numbers] for part in self.attending[:3])
        return Looked(
            self.values[numbers], self.attending._replace(keys=keys, projected_values=projected_values, mask=mask)
        )


class Decoder(nn.Module):
    """Embedding, a recurrent stack whose bottom layer attends, a deep output layer.

    Bahdanau et al. 2015, arXiv 1409.0473, appendix A.2: the attention's query is the bottom layer's previous state, the
    context enters its gates, and the output is read from state, context and last token (here through a tanh). That
    state has not seen the last token, so the query is of both: what Sennrich et al. 2017, arXiv 1703.04357, have a
    second cell for. Layers above the first read the one below. Without attention the decoder sees no more of the source
    than its first state (Sutskever et al. 2014, arXiv 1409.3215; Cho et al. 2014, arXiv 1406.1078).

    State: `(num_layers, batch, hidden_size)` tensors, `(h, c)` or `(h,)`.

    Args:
        embedding: of the tokens; may be shared with an encoder.
        scale: what its vectors are multiplied by.
        value_size: features of an annotation, and of the summary.
        architecture: a resolved one.
    """

    def __init__(self, embedding: nn.Embedding, scale: float, value_size: int, architecture: Architecture) -> None:
        super().__init__()
        cell, hidden_size, size = architecture.cell, architecture.hidden_size, embedding.embedding_dim
        self.embedding = embedding
        self.scale = scale
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = architecture.num_layers
        self.dropout = architecture.dropout
        self.word_dropout = architecture.word_dropout
        self.forget_bias = architecture.forget_bias
        self.begin = nn.Linear(value_size, state_parts(cell) * self.num_layers * hidden_size)
        self.attention: Attention | None = None
        above, below = self.num_layers, size
        if architecture.attention != "none":
            self.attention = Attention(architecture.attention, hidden_size, value_size, hidden_size)
            gates = GATE_COUNTS[cell] * hidden_size
            self.inputs = nn.Linear(size, self.attention.attention_size + gates)
            self.context = nn.Linear(value_size, gates, bias=False)
            self.hidden = nn.Linear(hidden_size, gates)
            above, below = self.num_layers - 1, hidden_size
        self.above: Recurrent | None = None
        if above:
            self.above = Recurrent(cell, below, hidden_size, above, dropout=self.dropout, forget_bias=self.forget_bias)
        read = hidden_size + size + (value_size if self.attention else 0)
        self.readout = nn.Linear(read, size if architecture.tied else hidden_size)
        self.output = nn.Linear(self.readout.out_features, embedding.num_embeddings)
        if architecture.tied:
            self.output.weight = embedding.weight
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As in `Recurrent`; outputs start near even chances."""
        for layer in (self.begin, self.readout):
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

    def begin_state(self, summary: Tensor) -> State:
        """The state before the first token, from a summary of what was read, `(batch, value_size)`."""
        parts = self.begin(summary).unflatten(1, (state_parts(self.cell), self.num_layers, self.hidden_size))
        h, *c = parts.permute(1, 2, 0, 3)
        return torch.tanh(h), *c

    def look(self, values: Tensor, mask: Tensor) -> Looked:
        """Make annotations ready to be looked at: all that is the same for every step.

        Args:
            values: `(batch, positions, value_size)`, zero at padding.
            mask: `(batch, positions)`, True for what is there.

        Raises:
            ValueError: if a row has nothing to look at, or the decoder does not look.
        """
        if self.attention is None:
            raise ValueError("a decoder without attention has nothing to look with")
        if not bool(mask.any(dim=1).all()):
            raise ValueError("a row of the mask is empty: there is nothing to look at")
        bias = torch.cat([self.hidden.bias.new_zeros(self.hidden_size), self.hidden.bias])
        weight = torch.cat([self.attention.query.weight.T, self.hidden.weight.T], dim=1).T  # input by input (`layout`)
        keys, projected_values = self.attention.key(values), self.context(values)
        return Looked(values, AttentionMemory(keys, projected_values, mask, weight, bias, self.attention.score))

    def forward(
        self, tokens: Tensor, state: State, looked: Looked | None, generator: DropoutGenerator | None = None
    ) -> tuple[Tensor, Tensor | None, State]:
        """Run whole sequences, each step told the right tokens before it.

        Args:
            tokens: `(batch, time)`.
            state: the state to go on from.
            looked: what to look at; None without attention.
            generator: where dropout comes from; None for no dropout.

        Returns:
            Features for `output`, `(batch, time, size)`; the attention weights, `(batch, time, positions)`, None
            without attention; the new state.
        """
        inputs = self._embed(tokens)
        if generator:
            inputs = generator.drop_units(generator.drop_steps(inputs, self.word_dropout), self.dropout)
        outputs, rest, context, weights, ends = inputs, state, [], None, []
        if looked:
            first, rest = _bottom(state)
            entering = self.inputs(inputs).transpose(0, 1)
            outputs, weights, end = attend(self.cell, entering, first, looked.attending)
            outputs, weights = outputs.transpose(0, 1), weights.transpose(0, 1)
            context = [weights @ looked.values]
            ends.append(tuple(part[None] for part in end))
        if self.above:
            if looked and generator:
                outputs = generator.drop_units(outputs, self.dropout)
            outputs, end = self.above(outputs, rest, generator=generator)
            ends.append(end)
        if generator:
            outputs = generator.drop_units(outputs, self.dropout)
        features = self._read(outputs, context, inputs)
        if generator:
            features = generator.drop_units(features, self.dropout)
        return features, weights, _stack(ends)

    def step(
        self, tokens: Tensor, state: State, looked: Looked | None, rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None, State]:
        """As `forward` for one more token of each row.

        Args:
            tokens: `(rows,)`.
            state: the state to go on from.
            looked: what to look at; None without attention.
            rows: whose memory each row looks at, `(rows,)`, ascending; None for each at its own.

        Returns:
            Features `(rows, size)`, weights `(rows, positions)`, the new state.
        """
        inputs = self._embed(tokens)
        outputs, rest, context, weights, ends = inputs, state, [], None, []
        if looked:
            first, rest = _bottom(state)
            end, seen, weights = step(self.cell, self.inputs(inputs), first, looked.attending, looked.values, rows)
            outputs, context = end[0], [seen]
            ends.append(tuple(part[None] for part in end))
        if self.above:
            outputs, end = self.above.step(outputs, rest)
            ends.append(end)
        return self._read(outputs, context, inputs), weights, _stack(ends)

    def _embed(self, tokens: Tensor) -> Tensor:
        inputs: Tensor = self.embedding(tokens) * self.scale
        return inputs

    def _read(self, outputs: Tensor, context: list[Tensor], inputs: Tensor) -> Tensor:
        return torch.tanh(self.readout(torch.cat([outputs, *context, inputs], dim=-1)))


def _bottom(state: State) -> tuple[State, State]:
    """The state of the bottom layer, and of those above."""
    return tuple(part[0] for part in state), tuple(part[1:] for part in state)


def _stack(ends: list[State]) -> State:
    """The states of all layers, `(num_layers, rows, hidden_size)` a part, from those of some of them."""
    return tuple(torch.cat(parts) for parts in zip(*ends, strict=True))
