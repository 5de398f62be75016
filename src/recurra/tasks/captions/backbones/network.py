"""What a backbone is, wherever its weights come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from recurra.tasks.captions.backbones import weights

Color = tuple[float, float, float]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Backbone:
    """A network for the features of pictures.

    Attributes:
        module: `forward(pixels)` gives `(batch, channels, grid_height, grid_width)` for `(batch, 3, height, width)`,
            normalised (see `normalize`). Its weights are parameters, none are buffers, so that a model file holds all.
        channels: of the features.
        size: height and width of pictures that it was trained on, in pixels.
        mean: of red, green and blue, from 0 to 1, that it expects.
        std: their standard deviations.
        description: what `rebuild` needs to make the network again, as JSON values.
    """

    module: nn.Module
    channels: int
    size: int
    mean: Color
    std: Color
    description: dict[str, Any]

    def normalize(self, pixels: Tensor) -> Tensor:
        """Pixels as `module` takes them, `(batch, 3, height, width)` float32, of `(batch, height, width, 3)` bytes.

        They stay channels last in memory, which makes the convolutions about twice as fast on a CPU.
        """
        mean, std = (torch.tensor(color, device=pixels.device)[:, None, None] for color in (self.mean, self.std))
        return (pixels.permute(0, 3, 1, 2).float() / 255 - mean) / std

    def digest(self) -> str:
        """Tells its weights from all others."""
        return weights.digest(self.module)

    @torch.no_grad()
    def grid(self) -> tuple[int, int]:
        """How many features high and wide a picture of `size` is."""
        device = next(self.module.parameters()).device
        shape = self.module(torch.zeros(1, 3, self.size, self.size, device=device)).shape
        return int(shape[2]), int(shape[3])
