"""The small encoder: PyTorch's batch normalisation, grids that are small enough, positions that can be told apart."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from recurra.tasks.captions.image_encoder import POSITION_FEATURES, BatchNorm, SmallEncoder, position_features


def test_batch_normalisation_is_pytorchs_in_training_and_outside() -> None:
    torch.manual_seed(1)
    ours, theirs = BatchNorm(5), nn.BatchNorm2d(5)
    for part in (ours, theirs):
        nn.init.constant_(part.weight, 1.7)
        nn.init.constant_(part.bias, 0.3)
    for _ in range(3):
        inputs = torch.randn(4, 5, 3, 2) * 3 + 1
        torch.testing.assert_close(ours(inputs, training=True), theirs.train()(inputs))
    assert torch.equal(ours.mean, theirs.running_mean)
    assert torch.equal(ours.variance, theirs.running_var)
    before = ours.mean.clone()
    torch.testing.assert_close(ours(inputs, training=False), theirs.eval()(inputs))
    assert torch.equal(ours.mean, before)


@pytest.mark.parametrize("size", [16, 32, 50, 64, 96, 100, 129, 224, 256])
def test_the_grid_is_as_it_says_and_at_most_eight_by_eight(size: int) -> None:
    encoder = SmallEncoder(size, 8)
    pixels = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8)
    grid = encoder(pixels, training=False)
    assert grid.shape[0] == 2
    assert grid.shape[1] == encoder.channels == 8
    assert grid.shape[2] * grid.shape[3] == encoder.positions <= 64
    assert (grid >= 0).all()


def test_a_position_sees_its_part_of_the_picture_and_not_the_other_end() -> None:
    torch.manual_seed(1)
    encoder = SmallEncoder(64, 8)
    pixels = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    changed = pixels.clone()
    changed[0, 8:16, 48:56, 0] = 255  # rows 8 to 15, columns 48 to 55: position (1, 6)
    moved = (encoder(changed, training=False) != encoder(pixels, training=False)).any(dim=1)[0]
    assert moved[1, 6]
    assert not moved[3:].any()
    assert not moved[:, :5].any()


def test_positions_differ_from_each_other_and_left_from_right_by_a_line() -> None:
    features = position_features(8, 6, torch.device("cpu"))
    assert features.shape == (48, POSITION_FEATURES)
    assert (torch.cdist(features, features) + torch.eye(48) > 0.1).all()
    grid = features.unflatten(0, (8, 6))
    assert any((grid[:, 1:, feature] < grid[:, :-1, feature]).all() for feature in range(POSITION_FEATURES))
    assert any((grid[1:, :, feature] < grid[:-1, :, feature]).all() for feature in range(POSITION_FEATURES))
