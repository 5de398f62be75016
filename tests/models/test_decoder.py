"""The decoder: against a loop over the cells' equations, against itself step by step, for rows that come and go."""

from __future__ import annotations

from functools import partial
from itertools import pairwise, product
from typing import Any, Literal, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.models.attention import attention_scores
from recurra.models.attention_loop import AttentionMemory
from recurra.models.cells import CELLS, State, Weights
from recurra.models.decoder import Decoder
from recurra.models.dropout import DropoutGenerator
from recurra.runtime.cells import AttentionCell, state_parts

exactly = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-12)
identically = partial(torch.testing.assert_close, rtol=0, atol=0)

AttentionKind = Literal["additive", "multiplicative", "none"]
each_cell = pytest.mark.parametrize("cell", ["lstm", "gru"])
each_attention = pytest.mark.parametrize("attention", ["additive", "multiplicative", "none"])
layers = st.integers(1, 3)
times = st.integers(1, 5)
some_lengths = st.lists(st.integers(1, 5), min_size=1, max_size=4)
seeds = st.integers(0, 1000)

TOKENS, SIZE, VALUE_SIZE, HIDDEN, SCALE = 7, 3, 6, 4, 1.3


def make(
    cell: AttentionCell, attention: AttentionKind, num_layers: int = 1, tied: bool = False, seed: int = 0, **more: Any
) -> Decoder:
    torch.manual_seed(seed)
    options = {"dropout": 0.0, "word_dropout": 0.0, "forget_bias": 0.5} | more
    architecture = EncoderDecoderArchitecture(
        cell=cell,
        attention=attention,
        hidden_size=HIDDEN,
        num_layers=num_layers,
        embedding_size=SIZE,
        tied=tied,
        **options,
    )
    decoder = Decoder(nn.Embedding(TOKENS, SIZE), SCALE, VALUE_SIZE, architecture).double()
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.normal_(std=0.6)
    return decoder


class Given(NamedTuple):
    """What a decoder is run with."""

    tokens: Tensor
    state: State
    values: Tensor
    mask: Tensor
    memory: AttentionMemory | None


def arguments(decoder: Decoder, lengths: list[int], time: int, seed: int) -> Given:
    torch.manual_seed(seed + 1)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    values = torch.randn(*mask.shape, VALUE_SIZE).double() * mask[:, :, None]
    shape = (decoder.num_layers, len(lengths), HIDDEN)
    state = tuple(torch.randn(shape).double() for _ in range(state_parts(decoder.cell)))
    memory = decoder.attention_memory(values, mask) if decoder.attention else None
    return Given(torch.randint(TOKENS, (len(lengths), time)), state, values, mask, memory)


def same_state(one: State, other: State) -> None:
    for a, b in zip(one, other, strict=True):
        exactly(a, b)


def run_row(decoder: Decoder, case: Given, row: int) -> tuple[list[Tensor], list[Tensor], State]:
    """The slow reference: one row, a token at a time, by the equations of `models.cells` on input beside context."""
    state = [tuple(part[number, row : row + 1] for part in case.state) for number in range(decoder.num_layers)]
    values = case.values[row, case.mask[row]]
    features, all_weights = [], []
    for token in case.tokens[row]:
        embedded = decoder.embedding.weight[token][None] * SCALE
        read, outputs = [embedded], embedded
        for number in range(decoder.num_layers):
            if decoder.attention and number == 0:
                size = decoder.attention.attention_size
                entering = F.linear(embedded, decoder.inputs.weight[:size], decoder.inputs.bias[:size])
                query = decoder.attention.query(state[0][0]) + entering
                keys = decoder.attention.key(values)
                all_weights.append(
                    torch.softmax(attention_scores(query[None], keys[None], decoder.attention.score)[0, 0], dim=0)
                )
                read.insert(0, (all_weights[-1] @ values)[None])
                outputs = torch.cat([embedded, read[0]], dim=1)
                both = torch.cat([decoder.inputs.weight[size:], decoder.context.weight], dim=1)
                weights = Weights(both, decoder.hidden.weight, decoder.inputs.bias[size:], decoder.hidden.bias)
            else:
                assert decoder.upper_layers is not None
                weights = decoder.upper_layers.weights(number - (decoder.attention is not None))
            state[number] = CELLS[decoder.cell](outputs, state[number], weights)
            outputs = state[number][0]
        features.append(torch.tanh(decoder.readout(torch.cat([outputs, *read], dim=1)))[0])
    return features, all_weights, tuple(torch.stack(parts) for parts in zip(*state, strict=True))


@each_cell
@each_attention
@given(lengths=some_lengths, time=times, num_layers=layers, tied=st.booleans(), seed=seeds)
def test_forward_is_a_loop_over_the_equations_a_row_at_a_time(
    cell: AttentionCell, attention: AttentionKind, lengths: list[int], time: int, num_layers: int, tied: bool, seed: int
) -> None:
    decoder = make(cell, attention, num_layers, tied, seed)
    case = arguments(decoder, lengths, time, seed)
    features, weights, end = decoder(case.tokens, case.state, case.memory)
    for row, length in enumerate(lengths):
        expected, all_weights, expected_end = run_row(decoder, case, row)
        exactly(features[row], torch.stack(expected))
        same_state(tuple(part[:, row : row + 1] for part in end), expected_end)
        if weights is not None:
            exactly(weights[row, :, :length], torch.stack(all_weights))
            assert torch.count_nonzero(weights[row, :, length:]) == 0
    assert (weights is None) == (attention == "none")


@each_cell
@each_attention
@given(lengths=some_lengths, time=times, num_layers=layers, tied=st.booleans(), seed=seeds)
def test_step_is_forward_one_token_at_a_time(
    cell: AttentionCell, attention: AttentionKind, lengths: list[int], time: int, num_layers: int, tied: bool, seed: int
) -> None:
    decoder = make(cell, attention, num_layers, tied, seed)
    case = arguments(decoder, lengths, time, seed)
    features, weights, end = decoder(case.tokens, case.state, case.memory)
    state = case.state
    for place in range(time):
        feature, step_weights, state = decoder.step(case.tokens[:, place], state, case.memory)
        exactly(feature, features[:, place])
        if weights is None:
            assert step_weights is None
        else:
            exactly(step_weights, weights[:, place])
    same_state(state, end)


@each_cell
@each_attention
@given(lengths=some_lengths, num_layers=layers, seed=seeds, data=st.data())
def test_rows_of_any_sources_are_those_sources_each_alone(
    cell: AttentionCell, attention: AttentionKind, lengths: list[int], num_layers: int, seed: int, data: st.DataObject
) -> None:
    """Several rows of one source, none of another, in two steps between which rows go and are repeated."""
    decoder = make(cell, attention, num_layers, seed=seed)
    case = arguments(decoder, lengths, 1, seed)
    number = st.integers(0, len(lengths) - 1)
    rows = torch.tensor(sorted(data.draw(st.lists(number, min_size=1, max_size=8))))
    state = tuple(part[:, rows] + torch.randn(len(rows), 1) for part in case.state)
    for _ in range(2):
        tokens = torch.randint(TOKENS, (len(rows),))
        features, weights, end = decoder.step(tokens, state, case.memory, rows)
        for place, source in enumerate(rows.tolist()):
            length = lengths[source]
            alone = None
            if case.memory:
                alone = decoder.attention_memory(
                    case.values[source : source + 1, :length], case.mask[source : source + 1, :length]
                )
            one = slice(place, place + 1)
            expected = decoder.step(tokens[one], tuple(part[:, one] for part in state), alone)
            exactly(features[one], expected[0])
            same_state(tuple(part[:, one] for part in end), expected[2])
            if weights is not None:
                exactly(weights[one, :length], expected[1])
                assert torch.count_nonzero(weights[place, length:]) == 0
        kept = torch.tensor(sorted(data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=8))))
        rows, state = rows[kept], tuple(part[:, kept] for part in end)


@each_cell
@each_attention
@given(borders=st.lists(st.integers(1, 6), max_size=3), num_layers=layers, seed=seeds)
def test_a_sequence_in_parts_is_the_sequence_whole(
    cell: AttentionCell, attention: AttentionKind, borders: list[int], num_layers: int, seed: int
) -> None:
    decoder = make(cell, attention, num_layers, seed=seed)
    case = arguments(decoder, [3, 5], 7, seed)
    features, weights, end = decoder(case.tokens, case.state, case.memory)
    kept = tuple(part.clone() for part in case.state)
    parts, all_weights, state = [], [], case.state
    for begin, stop in pairwise([0, *sorted(set(borders)), 7]):
        part, step_weights, state = decoder(case.tokens[:, begin:stop], state, case.memory)
        parts.append(part)
        all_weights.append(step_weights)
    exactly(torch.cat(parts, dim=1), features)
    if weights is not None:
        exactly(torch.cat([step_weights for step_weights in all_weights if step_weights is not None], dim=1), weights)
    same_state(state, end)
    for now, before in zip(case.state, kept, strict=True):
        identically(now, before)


@pytest.mark.parametrize(("cell", "num_layers"), list(product(["lstm", "gru"], [1, 3])))
def test_the_first_state_is_a_layer_of_the_summary(cell: AttentionCell, num_layers: int) -> None:
    decoder = make(cell, "additive", num_layers)
    summary = torch.randn(2, VALUE_SIZE).double()
    blocks = (summary @ decoder.initial.weight.T + decoder.initial.bias).split(HIDDEN, dim=1)
    state = decoder.initial_state(summary)
    assert len(state) * num_layers == len(blocks)
    for number, block in enumerate(blocks):
        part, layer = divmod(number, num_layers)
        exactly(state[part][layer], block if part else torch.tanh(block))


@each_attention
def test_a_tied_decoder_has_one_table(attention: AttentionKind) -> None:
    tied, free = (make("gru", attention, tied=tied) for tied in (True, False))
    assert tied.output.weight is tied.embedding.weight
    assert free.output.weight is not free.embedding.weight
    assert free.output.weight.shape == (TOKENS, HIDDEN)


@torch.no_grad()
@each_cell
@each_attention
def test_what_it_begins_with(cell: AttentionCell, attention: AttentionKind) -> None:
    torch.manual_seed(0)
    options = EncoderDecoderArchitecture(cell, 64, 2, 32, 0.0, 2.0, tied=False, attention=attention, word_dropout=0.0)
    decoder = Decoder(nn.Embedding(50, 32), 1.0, 96, options)
    assert torch.count_nonzero(decoder.output.bias) == 0
    logits = torch.tanh(torch.randn(100, 64)) @ decoder.output.weight.T
    assert float(logits.std()) < 0.7, "outputs do not start near even chances"
    if attention == "none":
        return
    for block in decoder.hidden.weight.chunk(3 if cell == "gru" else 4):
        torch.testing.assert_close(block @ block.T, torch.eye(64), rtol=0, atol=1e-5)
    gates = decoder.inputs(torch.randn(500, 32))[:, 64:] + decoder.context(torch.randn(500, 96))
    assert 0.9 < float(gates.std()) < 1.1
    assert torch.count_nonzero(decoder.inputs.bias) == 0
    bias = decoder.hidden.bias.clone()
    if cell == "lstm":
        assert bias[64:128].tolist() == [2.0] * 64
        bias[64:128] = 0
    assert torch.count_nonzero(bias) == 0


def test_dropout_is_before_between_and_after_the_layers_and_the_same_at_all_steps() -> None:
    """With dropout, in parts, each with the same masks: the whole could not be cut if masks changed over time."""
    decoder = make("lstm", "additive", 2, dropout=0.5)
    case = arguments(decoder, [3, 4], 4, 0)

    def source() -> DropoutGenerator:
        return DropoutGenerator.of_step(5, 6, slice(0, 2), 2)

    features, weights, end = decoder(case.tokens, case.state, case.memory, source())
    first, all_weights, state = decoder(case.tokens[:, :3], case.state, case.memory, source())
    last, last_weights, state = decoder(case.tokens[:, 3:], state, case.memory, source())
    exactly(torch.cat([first, last], dim=1), features)
    exactly(torch.cat([all_weights, last_weights], dim=1), weights)
    same_state(state, end)

    calls: list[tuple[int, ...]] = []

    class Recording(DropoutGenerator):
        def drop_units(self, inputs: Tensor, rate: float) -> Tensor:
            assert rate == 0.5
            calls.append(tuple(inputs.shape))
            return super().drop_units(inputs, rate)

    decoder(case.tokens, case.state, case.memory, Recording(torch.Generator(), slice(0, 2), 2))
    assert calls == [(2, 4, SIZE), (2, 4, HIDDEN), (2, 4, HIDDEN), (2, 4, HIDDEN)]


def test_hidden_tokens_enter_as_nothing() -> None:
    decoder = make("gru", "multiplicative", word_dropout=0.5)
    case = arguments(decoder, [3, 4], 6, 0)
    kept = DropoutGenerator.of_step(1, 2, slice(0, 2), 2).drop_steps(torch.ones(2, 6, 1), 0.5)[:, :, 0]
    assert 0 < int(kept.sum()) < 12
    with torch.no_grad():
        decoder.embedding.weight[TOKENS - 1] = 0
    case.tokens.clamp_(max=TOKENS - 2)
    noisy, _, _ = decoder(case.tokens, case.state, case.memory, DropoutGenerator.of_step(1, 2, slice(0, 2), 2))
    hidden = torch.where(kept == 1, case.tokens, TOKENS - 1)
    exactly(noisy, decoder(hidden, case.state, case.memory)[0])


def test_nothing_to_attend_to_is_refused() -> None:
    values = torch.zeros(2, 3, VALUE_SIZE).double()
    with pytest.raises(ValueError, match="empty"):
        make("lstm", "additive").attention_memory(values, torch.tensor([[True, True, True], [False, False, False]]))
    with pytest.raises(ValueError, match="without attention"):
        make("lstm", "none").attention_memory(values, torch.ones(2, 3, dtype=torch.bool))
