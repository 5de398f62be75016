"""The captions network: its step is its forward pass, and a picture is described whatever is beside it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from recurra.config import fill_in
from recurra.models.decoder import Decoder
from recurra.models.dropout import DropoutGenerator
from recurra.tasks.captions.config import Config, resolve
from recurra.tasks.captions.networks import CaptionNetwork

VOCABULARY = 11

closely = torch.testing.assert_close


def network(**options: Any) -> CaptionNetwork:
    torch.manual_seed(1)
    made = CaptionNetwork(VOCABULARY, resolve(Config(hidden_size=7, channels=6, image_size=32, **options), 20, 5))
    for norm in made.encoder.norms:
        norm.mean.normal_()
        norm.variance.uniform_(0.5, 2)
    return made.double()


def pictures(count: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 32, 32, 3), dtype=torch.uint8, generator=generator)


def double(model: CaptionNetwork) -> Any:
    """A forward pass with pixels read in double precision."""

    def read(pixels: Tensor, training: bool) -> Tensor:
        features = pixels.permute(0, 3, 1, 2).double() / 127.5 - 1
        for convolution, norm in zip(model.encoder.convolutions, model.encoder.norms, strict=True):
            features = norm(convolution(features), training).relu()
        return features

    return read


CAPTIONS = torch.tensor([[9, 1, 2, 3], [9, 4, 5, 6], [9, 7, 8, 1]])
MASK = torch.tensor([[True] * 4, [True, True, False, False], [True, True, True, False]])


each_attention = pytest.mark.parametrize("attention", ["additive", "multiplicative", "none"])


@each_attention
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_step_is_a_part_of_the_forward_pass(attention: Any, cell: Any) -> None:
    model = network(attention=attention, cell=cell, attention_size=3, num_layers=2)
    grid = double(model)(pictures(3), training=False)
    logits, weights = model(grid, torch.arange(3), CAPTIONS, torch.ones_like(MASK))
    memory, state = model.encode(grid)
    for time, tokens in enumerate(CAPTIONS.T):
        features, looked, state = model.decoder.step(tokens, state, memory)
        closely(model.compute_logits(features), logits.unflatten(0, (3, 4))[:, time])
        if weights is not None:
            closely(looked, weights[:, time])
    assert (weights is None) == (attention == "none")


@each_attention
def test_a_picture_is_read_alike_whatever_is_beside_it_and_padding_changes_nothing(attention: Any) -> None:
    model = network(attention=attention)
    grid = double(model)(pictures(3), training=False)
    together, _ = model(grid, torch.arange(3), CAPTIONS, MASK)
    alone = []
    for row, length in enumerate(MASK.sum(dim=1).tolist()):
        only = double(model)(pictures(3)[row : row + 1], training=False)
        logits, _ = model(only, torch.zeros(1, dtype=torch.long), CAPTIONS[row : row + 1, :length], MASK[:1, :length])
        alone.append(logits)
    closely(together, torch.cat(alone))


@each_attention
def test_several_captions_of_a_picture_are_scored_as_if_each_had_its_own(attention: Any) -> None:
    model = network(attention=attention)
    which = torch.tensor([0, 0, 1])
    grid = double(model)(pictures(2), training=False)
    logits, weights = model(grid, which, CAPTIONS, MASK)
    own_logits, own_weights = model(grid[which], torch.arange(3), CAPTIONS, MASK)
    closely(logits, own_logits)
    assert weights is None or torch.allclose(weights, own_weights)


def test_pixels_and_the_features_made_of_them_come_to_the_same() -> None:
    model = network().float()
    pixels = pictures(2)
    features = model.encoder(pixels, training=False)
    closely(model.annotate(pixels), model.annotate(features))
    assert not torch.equal(model.annotate(pixels), model.annotate(pixels.flip(1)))


def test_only_training_changes_the_running_mean_and_normalises_by_the_batch() -> None:
    model = network().float()
    before = [norm.mean.clone() for norm in model.encoder.norms]
    model.encode(pictures(4))
    assert all(torch.equal(norm.mean, mean) for norm, mean in zip(model.encoder.norms, before, strict=True))
    model.encode(pictures(4), DropoutGenerator.of_step(1, 1, slice(0, 4), 4))
    assert not any(torch.equal(norm.mean, mean) for norm, mean in zip(model.encoder.norms, before, strict=True))


def test_with_attention_the_first_state_knows_nothing_of_the_picture_and_without_it_does() -> None:
    for attention, knows in (("additive", False), ("none", True)):
        model = network(attention=attention).float()
        one, other = (model.encode(pictures(2, seed)).state[0] for seed in (1, 2))
        assert torch.equal(one, other) != knows


def test_attention_may_be_narrower_than_the_state_and_is_as_wide_if_not_given() -> None:
    config = resolve(Config(hidden_size=7, attention_size=3), 20, 5)
    assert CaptionNetwork(VOCABULARY, config).decoder.attention.key.out_features == 3
    plain = fill_in(Config(tied=False, dropout=0.0, word_dropout=0.0, forget_bias=0.0), hidden_size=7, num_layers=1)
    assert Decoder(torch.nn.Embedding(5, 4), 1.0, 6, plain).attention.key.out_features == 7


def test_dropout_is_of_the_annotations_and_only_where_it_is_asked_for() -> None:
    model = network(dropout=0.5).float()
    grid = model.encoder(pictures(3), training=False)
    generator = DropoutGenerator.of_step(1, 1, slice(0, 3), 3)
    assert (model.annotate(grid, generator)[:, :, :6] == 0).float().mean() > (grid == 0).float().mean() + 0.1
    assert torch.equal(model.annotate(grid), model.annotate(grid))
