"""The encoder: rows in any company, both directions, and where each ends."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.models.dropout import DropoutGenerator
from recurra.models.encoder import Encoder
from recurra.models.recurrent import Recurrent
from recurra.runtime.cells import AttentionCell

exactly = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-12)
each_cell = pytest.mark.parametrize("cell", ["lstm", "gru"])
some_lengths = st.lists(st.integers(1, 6), min_size=1, max_size=5)
seeds = st.integers(0, 1000)

TOKENS, SIZE, HIDDEN, SCALE = 9, 3, 4, 1.7


def make(cell: AttentionCell, seed: int, layers: int = 1, dropout: float = 0.0, word_dropout: float = 0.0) -> Encoder:
    torch.manual_seed(seed)
    architecture = EncoderDecoderArchitecture(
        cell=cell,
        hidden_size=HIDDEN,
        num_layers=layers,
        embedding_size=SIZE,
        dropout=dropout,
        word_dropout=word_dropout,
        forget_bias=0.5,
        tied=False,
    )
    encoder = Encoder(nn.Embedding(TOKENS, SIZE), SCALE, architecture).double()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.normal_(std=0.7)
    return encoder


def batch(lengths: list[int], more: int, seed: int) -> tuple[Tensor, Tensor]:
    """Tokens, any at padding too, and the mask."""
    torch.manual_seed(seed + 1)
    time = max(lengths) + more
    return torch.randint(TOKENS, (len(lengths), time)), torch.arange(time) < torch.tensor(lengths)[:, None]


@each_cell
@given(lengths=some_lengths, more=st.integers(0, 3), layers=st.integers(1, 3), seed=seeds)
def test_padding_and_batch_mates_change_nothing(
    cell: AttentionCell, lengths: list[int], more: int, layers: int, seed: int
) -> None:
    encoder = make(cell, seed, layers)
    tokens, mask = batch(lengths, more, seed)
    annotations, summary = encoder(tokens, mask)
    assert annotations.shape == (*tokens.shape, encoder.output_size)
    assert torch.count_nonzero(annotations[~mask]) == 0
    for row, length in enumerate(lengths):
        alone, alone_summary = encoder(tokens[row : row + 1, :length], mask[row : row + 1, :length])
        exactly(annotations[row, :length], alone[0])
        exactly(summary[row], alone_summary[0])


@each_cell
@given(lengths=some_lengths, seed=seeds)
def test_backward_is_flip_run_flip(cell: AttentionCell, lengths: list[int], seed: int) -> None:
    encoder = make(cell, seed)
    tokens, mask = batch(lengths, 0, seed)
    annotations, summary = encoder(tokens, mask)
    one_way = Recurrent(cell, SIZE, HIDDEN).double()
    for row, length in enumerate(lengths):
        inputs = encoder.embedding.weight[tokens[row : row + 1, :length]] * SCALE
        for direction, half in enumerate((slice(0, HIDDEN), slice(HIDDEN, 2 * HIDDEN))):
            for mine, theirs in zip(
                one_way.weights(0), encoder.recurrent.weights(0, reverse=direction == 1), strict=True
            ):
                mine.data.copy_(theirs)
            outputs, end = one_way(inputs.flip(1) if direction else inputs)
            exactly(annotations[row : row + 1, :length, half], outputs.flip(1) if direction else outputs)
            exactly(summary[row, half], end[0][0, 0])


@each_cell
@given(lengths=some_lengths, layers=st.integers(1, 3), seed=seeds)
def test_the_summary_is_where_both_directions_of_the_top_layer_end(
    cell: AttentionCell, lengths: list[int], layers: int, seed: int
) -> None:
    encoder = make(cell, seed, layers)
    tokens, mask = batch(lengths, 1, seed)
    _, (h, *_) = encoder.recurrent(encoder.embedding(tokens) * SCALE, mask=mask)
    exactly(encoder(tokens, mask)[1], torch.cat([h[-2], h[-1]], dim=-1))


def test_dropout_hides_tokens_then_units_then_parts_of_the_annotations() -> None:
    encoder = make("lstm", 0, layers=2, dropout=0.4, word_dropout=0.3)
    tokens, mask = batch([6, 4, 5], 0, 0)
    source, again = (DropoutGenerator.of_step(2, 3, slice(0, 3), 3) for _ in range(2))
    inputs = again.drop_units(again.drop_steps(encoder.embedding(tokens) * SCALE, 0.3), 0.4)
    annotations = again.drop_units(encoder.recurrent.annotate(inputs, mask, again), 0.4)
    noisy, summary = encoder(tokens, mask, source)
    exactly(noisy, annotations)
    exactly(summary[:, HIDDEN:], annotations[:, 0, HIDDEN:])
    assert not torch.allclose(noisy, encoder(tokens, mask)[0])


@pytest.mark.parametrize("mask", [[[True, False, True]], [[False, False, False]]])
def test_a_mask_with_a_gap_or_an_empty_row_is_refused(mask: list[list[bool]]) -> None:
    with pytest.raises(ValueError, match="at least 1, then False"):
        make("gru", 0)(torch.zeros(1, 3, dtype=torch.int64), torch.tensor(mask))
