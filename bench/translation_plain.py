"""The peer of the translation measurements: the same network and the same search as a tutorial writes them.

An `nn.LSTMCell` in a Python loop over the target's tokens, the attention worked out by hand at each of them; one
sentence at a time and a list of hypotheses when it translates. Weights are copied from Recurra's network, dropout masks
are drawn from the same generator in the same order, so that losses and translations can be compared, not only times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurra.models.dropout import DropoutGenerator
from recurra.models.encoder_decoder import EncoderDecoder

State = tuple[Tensor, Tensor]


class Masks:
    """A training step's dropout masks, drawn in the order Recurra draws them; without a generator, none."""

    def __init__(self, generator: DropoutGenerator | None, rate: float, token_rate: float) -> None:
        self.generator, self.rate, self.token_rate = generator, rate, token_rate

    def embedded(self, batch: int, time: int, size: int) -> Tensor:
        """What to multiply embeddings by, `(batch, time, features)`: tokens are dropped, and features."""
        ones = torch.ones(batch, time, size)
        if self.generator is None:
            return ones
        return self.generator.drop_units(self.generator.drop_steps(ones, self.token_rate), self.rate)

    def units(self, batch: int, time: int, size: int) -> Tensor:
        """What to multiply features by, `(batch, time, size)`."""
        ones = torch.ones(batch, time, size)
        return ones if self.generator is None else self.generator.drop_units(ones, self.rate)


class Plain(nn.Module):
    """One layer each way and an LSTM decoder with additive attention.

    Args:
        network: whose weights to copy.
    """

    def __init__(self, network: EncoderDecoder) -> None:
        super().__init__()
        decoder = network.decoder
        attention, output = decoder.attention, decoder.output
        if attention is None or attention.score is None or decoder.cell != "lstm" or decoder.num_layers > 1:
            raise ValueError("the plain loop is written for one LSTM layer with additive attention")
        size, hidden, values = decoder.embedding.embedding_dim, decoder.hidden_size, network.encoder.output_size
        self.scale, self.dropout, self.word_dropout = network.scale, decoder.dropout, decoder.word_dropout
        self.source = nn.Embedding(*network.encoder.embedding.weight.shape)
        tied = decoder.embedding is network.encoder.embedding
        self.target = self.source if tied else nn.Embedding(*decoder.embedding.weight.shape)
        self.encoder = nn.LSTM(size, hidden, batch_first=True, bidirectional=True)
        self.begin = nn.Linear(values, 2 * hidden)
        self.cell = nn.LSTMCell(size + values, hidden)
        self.query = nn.Linear(hidden + size, attention.attention_size)
        self.key = nn.Linear(values, attention.attention_size)
        self.score = nn.Linear(attention.attention_size, 1, bias=False)
        self.readout = nn.Linear(decoder.readout.in_features, decoder.readout.out_features)
        self.output = nn.Linear(output.in_features, output.out_features)
        if output.weight is decoder.embedding.weight:
            self.output.weight = self.target.weight
        with torch.no_grad():
            self.source.weight.copy_(network.encoder.embedding.weight)
            self.target.weight.copy_(decoder.embedding.weight)
            self.encoder.load_state_dict(network.encoder.recurrent.layers[0].state_dict())
            self.begin.load_state_dict(decoder.initial.state_dict())
            asking, entering = decoder.inputs.weight.split([attention.attention_size, 4 * hidden])
            self.query.weight.copy_(torch.cat([attention.query.weight, asking], dim=1))
            self.query.bias.copy_(decoder.inputs.bias[: attention.attention_size])
            self.cell.weight_ih.copy_(torch.cat([entering, decoder.context.weight], dim=1))
            self.cell.bias_ih.copy_(decoder.inputs.bias[attention.attention_size :])
            self.cell.weight_hh.copy_(decoder.hidden.weight)
            self.cell.bias_hh.copy_(decoder.hidden.bias)
            self.key.load_state_dict(attention.key.state_dict())
            self.score.weight.copy_(attention.score[None])
            self.readout.load_state_dict(decoder.readout.state_dict())
            self.output.load_state_dict(output.state_dict())

    def encode(self, sources: Tensor, mask: Tensor, masks: Masks) -> tuple[Tensor, State]:
        """The annotations of sources, `(batch, positions, values)`, and the decoder's first state."""
        inputs = self.source(sources) * self.scale
        inputs = inputs * masks.embedded(*inputs.shape)
        packed = pack_padded_sequence(inputs, mask.sum(dim=1), batch_first=True, enforce_sorted=False)
        outputs, _ = self.encoder(packed)
        values, _ = pad_packed_sequence(outputs, batch_first=True)
        values = values * masks.units(*values.shape)
        forward, backward = values.chunk(2, dim=-1)
        ends = forward[torch.arange(len(sources)), mask.sum(dim=1) - 1]
        h, c = self.begin(torch.cat([ends, backward[:, 0]], dim=-1)).chunk(2, dim=-1)
        return values, (torch.tanh(h), c)

    def look(self, inputs: Tensor, h: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """The context, `(batch, values)`: the values weighted by how well their keys fit state and last token."""
        query = self.query(torch.cat([h, inputs], dim=-1))
        scores = self.score(torch.tanh(query[:, None] + keys))[:, :, 0]
        weights = torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=-1)
        return torch.bmm(weights[:, None], values)[:, 0]

    def advance(self, inputs: Tensor, state: State, keys: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, State]:
        """One step: the context and the new state."""
        context = self.look(inputs, state[0], keys, values, mask)
        return context, self.cell(torch.cat([inputs, context], dim=-1), state)

    def forward(
        self, sources: Tensor, mask: Tensor, targets: Tensor, there: Tensor, generator: DropoutGenerator | None = None
    ) -> Tensor:
        """As `EncoderDecoder.forward`, everything in the loop: embedding, keys, attention, readout, output layer."""
        masks = Masks(generator, self.dropout, self.word_dropout)
        values, state = self.encode(sources, mask, masks)
        keep_inputs = masks.embedded(*targets.shape, self.target.embedding_dim)
        keep_state = masks.units(*targets.shape, self.cell.hidden_size)
        keep_features = masks.units(*targets.shape, self.readout.out_features)
        logits = []
        for time in range(targets.shape[1]):
            inputs = self.target(targets[:, time]) * self.scale * keep_inputs[:, time]
            context, state = self.advance(inputs, state, self.key(values), values, mask)
            read = torch.cat([state[0] * keep_state[:, time], context, inputs], dim=-1)
            logits.append(self.output(torch.tanh(self.readout(read)) * keep_features[:, time]))
        return torch.stack(logits, dim=1)[there]

    def step(self, tokens: Tensor, state: State, keys: Tensor, values: Tensor) -> tuple[Tensor, State]:
        """Log-probabilities of what follows one token of each row, `(rows, target_size)`, and the new state."""
        inputs = self.target(tokens) * self.scale
        mask = torch.ones(values.shape[:2], dtype=torch.bool)
        context, state = self.advance(inputs, state, keys, values, mask)
        read = torch.cat([state[0], context, inputs], dim=-1)
        return torch.log_softmax(self.output(torch.tanh(self.readout(read))), dim=-1), state


class Better(Plain):
    """The plain loop without what is first taken out of it: embedding and keys come before, the output after."""

    def forward(
        self, sources: Tensor, mask: Tensor, targets: Tensor, there: Tensor, generator: DropoutGenerator | None = None
    ) -> Tensor:
        """As `Plain.forward`."""
        masks = Masks(generator, self.dropout, self.word_dropout)
        values, state = self.encode(sources, mask, masks)
        inputs = self.target(targets) * self.scale
        inputs = inputs * masks.embedded(*inputs.shape)
        keep_state = masks.units(*targets.shape, self.cell.hidden_size)
        keep_features = masks.units(*targets.shape, self.readout.out_features)
        keys = self.key(values)
        outputs, contexts = [], []
        for embedded, keep in zip(inputs.unbind(1), keep_state.unbind(1), strict=True):
            context, state = self.advance(embedded, state, keys, values, mask)
            outputs.append(state[0] * keep)
            contexts.append(context)
        read = torch.cat([torch.stack(outputs, dim=1), torch.stack(contexts, dim=1), inputs], dim=-1)[there]
        return self.output(torch.tanh(self.readout(read)) * keep_features[there])


@dataclass(frozen=True)
class Beginning:
    """An unfinished output."""

    tokens: tuple[int, ...]
    total: float
    state: State


@dataclass(frozen=True)
class Rules:
    """What the naive search needs to know beside the network: tokens, and the longest output."""

    start: int
    end: int
    suppressed: Sequence[int]
    limit: int


@torch.no_grad()
def naive_search(plain: Plain, source: Tensor, beam_size: int, rules: Rules, together: bool = False) -> tuple[int, ...]:
    """The best output for one source by its mean log-probability, looked for as `decoding.beam_search` does.

    Args:
        plain: the network.
        source: tokens with the end, `(positions,)`.
        beam_size: how many unfinished outputs are followed.
        rules: see there.
        together: step all unfinished outputs as one batch, keys projected once; False steps one after the other.
    """
    values, state = plain.encode(source[None], torch.ones(1, len(source), dtype=torch.bool), Masks(None, 0, 0))
    keys = plain.key(values) if together else None
    beam, best, best_score = [Beginning((), 0.0, state)], (), -torch.inf
    while beam:
        candidates = []
        for beginning, log_probs, after in _stepped(plain, beam, keys, values, rules.start):
            log_probs[rules.suppressed] = -torch.inf
            if len(beginning.tokens) == rules.limit:
                candidates.append((beginning.total + float(log_probs[rules.end]), beginning, rules.end, after))
                continue
            top, tokens = log_probs.topk(beam_size)
            for log_prob, token in zip(top.tolist(), tokens.tolist(), strict=True):
                candidates.append((beginning.total + log_prob, beginning, token, after))
        candidates.sort(key=lambda candidate: -candidate[0])
        beam = []
        for total, beginning, token, after in candidates[:beam_size]:
            if token != rules.end:
                beam.append(Beginning((*beginning.tokens, token), total, after))
            elif total / (len(beginning.tokens) + 1) > best_score:
                best, best_score = beginning.tokens, total / (len(beginning.tokens) + 1)
        if beam and beam[0].total / (rules.limit + 1) <= best_score:
            break
    return best


def _stepped(
    plain: Plain, beam: Sequence[Beginning], keys: Tensor | None, values: Tensor, start: int
) -> list[tuple[Beginning, Tensor, State]]:
    """What follows each unfinished output."""
    last = [beginning.tokens[-1] if beginning.tokens else start for beginning in beam]
    if keys is None:
        each = [
            plain.step(torch.tensor([token]), beginning.state, plain.key(values), values)
            for token, beginning in zip(last, beam, strict=True)
        ]
        return [(beginning, log_probs[0], after) for beginning, (log_probs, after) in zip(beam, each, strict=True)]
    joined = tuple(torch.cat(parts) for parts in zip(*(beginning.state for beginning in beam), strict=True))
    count = len(beam)
    log_probs, (h, c) = plain.step(torch.tensor(last), joined, keys.expand(count, -1, -1), values.expand(count, -1, -1))
    return [(beginning, log_probs[row], (h[row : row + 1], c[row : row + 1])) for row, beginning in enumerate(beam)]
