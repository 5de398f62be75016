"""A picture as a grid of features: a small convolutional network of our own.

Shapes: B batch, H and W pixels, C channels, h and w positions of the grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.arrays import DoubleArray

STEM = 4
"""Pixels to a side of the squares that the first layer cuts a picture into."""

WIDEST_GRID = 8
"""Positions to a side, at most: a decoder that attends costs more than this encoder."""

MOMENTUM = 0.1
"""How much of the running mean and variance each batch replaces."""

POSITION_FEATURES = 8


@dataclass(frozen=True)
class Places:
    """Where the positions of a grid are in the square that a network sees, from the left as from the top.

    Attributes:
        size: width and height of the square, pixels.
        count: positions to a side.
        first: the middle of what the first one sees, pixels.
        step: from one to the next, pixels.
    """

    size: float
    count: int
    first: float
    step: float

    @classmethod
    def even(cls, size: float, count: int) -> Places:
        """Positions that divide the square evenly, as those of a network of which nothing else is known."""
        return cls(size, count, size / count / 2, size / count)

    @property
    def middles(self) -> DoubleArray:
        """The middle of what each position in a row sees, `(count,)`."""
        middles: DoubleArray = self.first + self.step * np.arange(self.count, dtype=np.float64)
        return middles

    @property
    def edges(self) -> DoubleArray:
        """Where a position ends and the next begins, half way between their middles, `(count + 1,)`."""
        edges: DoubleArray = np.concatenate([[0.0], self.middles[1:] - self.step / 2, [self.size]])
        return edges


class BatchNorm(nn.Module):
    """Batch normalisation (Ioffe and Szegedy 2015), told by its caller whether it is in training.

    Args:
        channels: C.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """Normalise `(B, C, h, w)`: in training by the batch itself, else by the running mean and variance.

        Of several processes each normalises by its own part of the batch; what they keep is the mean of all.
        """
        if not training:
            return F.batch_norm(inputs, self.mean, self.variance, self.weight, self.bias)
        mean, variance = self.mean.clone(), self.variance.clone()  # what the backward pass keeps must not change
        outputs = F.batch_norm(inputs, mean, variance, self.weight, self.bias, True, MOMENTUM)
        self.mean.copy_(_mean_of_processes(mean))
        self.variance.copy_(_mean_of_processes(variance))
        return outputs


def _mean_of_processes(own: Tensor) -> Tensor:
    """The mean over the processes that train together, of which this may be the only one."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return own
    total = own.clone()
    torch.distributed.all_reduce(total)
    return total / torch.distributed.get_world_size()


class SmallEncoder(nn.Module):
    """Convolutions, each with batch normalisation and a rectifier, down to a grid of at most 8 by 8 positions.

    The first cuts the picture into squares of 4 by 4 pixels; the second looks at their neighbours; every further one
    halves height and width.

    Args:
        image_size: width and height of a picture in pixels.
        channels: C.
    """

    def __init__(self, image_size: int, channels: int) -> None:
        super().__init__()
        half, side = max(1, channels // 2), image_size // STEM
        width = channels if side <= WIDEST_GRID else half
        layers = [nn.Conv2d(3, half, STEM, stride=STEM, bias=False), nn.Conv2d(half, width, 3, padding=1, bias=False)]
        while side > WIDEST_GRID:
            layers.append(nn.Conv2d(width, channels, 3, stride=2, padding=1, bias=False))
            width, side = channels, math.ceil(side / 2)
        self.channels = channels
        self.positions = side * side
        # A convolution of 3 by 3 with padding sees as far to the left as to the right of its middle.
        self.places = Places(image_size, side, STEM / 2, STEM * 2 ** (len(layers) - 2))
        self.convolutions = nn.ModuleList(layers)
        self.norms = nn.ModuleList(BatchNorm(layer.out_channels) for layer in layers)
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, pixels: Tensor, training: bool) -> Tensor:
        """Read pictures.

        Args:
            pixels: `(B, H, W, 3)`, red, green and blue, 0 to 255.
            training: whether to normalise by the batch.

        Returns:
            Features, `(B, C, h, w)`, not below 0.
        """
        features = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1  # channels last in memory, as they come
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            features = F.relu(norm(convolution(features), training))
        return features


def position_features(height: int, width: int, device: torch.device) -> Tensor:
    """Where each position of a grid is, `(height * width, POSITION_FEATURES)`.

    Sine and cosine of half a turn and of a whole one over the height, then over the width.
    """

    def waves(size: int) -> Tensor:
        angles = math.pi * (torch.arange(size, device=device) + 0.5) / size  # (size,)
        return torch.stack([angles.cos(), angles.sin(), (2 * angles).cos(), (2 * angles).sin()], dim=1)  # (size, 4)

    down, across = waves(height)[:, None].expand(-1, width, -1), waves(width)[None].expand(height, -1, -1)
    return torch.cat([down, across], dim=-1).flatten(0, 1)
