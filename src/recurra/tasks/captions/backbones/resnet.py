"""ResNet, up to its last feature map (He et al. 2016), with the names of torchvision's state dicts."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from recurra.tasks.captions.backbones.frozen import FrozenBatchNorm, conv

WIDTHS = (64, 128, 256, 512)
"""Channels within the blocks of each stage."""

DEPTHS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}
"""Blocks of each stage, table 1 of the paper."""

HEAD = "fc."
"""What the names of the classifier begin with, which is no part of the features."""


class ResNet(nn.Module):
    """Convolutions in residual blocks; each stage after the first halves the resolution.

    Args:
        name: a key of `DEPTHS`.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        block = BasicBlock if name in ("resnet18", "resnet34") else Bottleneck
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = FrozenBatchNorm(WIDTHS[0])
        channels = WIDTHS[0]
        for number, (width, depth) in enumerate(zip(WIDTHS, DEPTHS[name], strict=True), 1):
            first = block(channels, width, stride=1 if number == 1 else 2)
            channels = width * block.expansion
            rest = [block(channels, width) for _ in range(depth - 1)]
            self.add_module(f"layer{number}", nn.Sequential(first, *rest))
        self.channels = channels

    def forward(self, pixels: Tensor) -> Tensor:
        """Features, `(batch, channels, height / 32, width / 32)`, of normalised pixels `(batch, 3, height, width)`."""
        features = F.max_pool2d(F.relu(self.bn1(self.conv1(pixels))), 3, stride=2, padding=1)  # (B, 64, H / 4, W / 4)
        for number in range(1, len(WIDTHS) + 1):
            features = self.get_submodule(f"layer{number}")(features)
        return features


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and what goes around them.

    Args:
        inputs: channels that come in.
        width: channels that go out.
        stride: of the first convolution.
    """

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv(inputs, width, 3, stride)
        self.bn1 = FrozenBatchNorm(width)
        self.conv2 = conv(width, width, 3)
        self.bn2 = FrozenBatchNorm(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, inputs: Tensor) -> Tensor:
        """`(batch, width, height / stride, width / stride)` of `(batch, inputs, height, width)`."""
        hidden = F.relu(self.bn1(self.conv1(inputs)))
        return F.relu(self.bn2(self.conv2(hidden)) + self.downsample(inputs))


class Bottleneck(nn.Module):
    """A 3 x 3 convolution between two of 1 x 1 that make it narrower and wider again; the stride is the 3 x 3 one's.

    Args:
        inputs: channels that come in.
        width: channels within; four times as many go out.
        stride: of the convolution in the middle, as torchvision has it (the paper: of the first).
    """

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = conv(inputs, width, 1)
        self.bn1 = FrozenBatchNorm(width)
        self.conv2 = conv(width, width, 3, stride)
        self.bn2 = FrozenBatchNorm(width)
        self.conv3 = conv(width, outputs, 1)
        self.bn3 = FrozenBatchNorm(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, inputs: Tensor) -> Tensor:
        """`(batch, 4 * width, height / stride, width / stride)` of `(batch, inputs, height, width)`."""
        hidden = F.relu(self.bn1(self.conv1(inputs)))
        hidden = F.relu(self.bn2(self.conv2(hidden)))
        return F.relu(self.bn3(self.conv3(hidden)) + self.downsample(inputs))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """What brings the inputs of a block to the shape of its outputs; nothing where they have it."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(conv(inputs, outputs, 1, stride), FrozenBatchNorm(outputs))
