"""A picture as a grid of features: a network that others have trained, frozen or tuned.

Shapes: B batch, H and W pixels, C channels, h and w positions of the grid.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.config import required
from recurra.errors import OptionError
from recurra.tasks.captions.backbones import TRANSFORMERS, backbone, rebuild
from recurra.tasks.captions.backbones.network import Backbone
from recurra.tasks.captions.config import SMALL_SIZE, Config
from recurra.tasks.captions.image_encoder import WIDEST_GRID, Places

BATCH_SIZE = 16
"""Pictures that are read at a time; affects memory and speed only."""


class Settled(NamedTuple):
    """What was chosen of the encoder, filled in.

    Attributes:
        config: with image size and, unless it is the small one, the backbone's description.
        backbone: with weights that others have trained; None for the small encoder, and where they come from elsewhere:
            a model that was begun from, a run that is gone on with.
    """

    config: Config
    backbone: Backbone | None


def settled(config: Config) -> Settled:
    """Fill in what was not given of the encoder, and read the file of its weights where a run begins with it.

    Raises:
        OptionError: if options do not go together.
        RecurraError: if the weights cannot be read or do not fit.
    """
    if config.encoder == "small":
        _require_small(config)
        return Settled(replace(config, image_size=config.image_size or SMALL_SIZE), None)
    if config.tune and config.cache:
        raise OptionError("`cache` keeps features of a backbone that is not trained; leave it out, or `tune`")
    if config.backbone is not None:
        return Settled(config, None)
    if not config.weights:
        what = "the folder of a model" if config.encoder == TRANSFORMERS else "the file that others have trained"
        raise OptionError(f"`encoder` {config.encoder} needs `weights`: {what}")
    found = backbone(config.encoder, Path(config.weights))
    return Settled(replace(config, backbone=found.description, image_size=config.image_size or found.size), found)


def _require_small(config: Config) -> None:
    for name in ("weights", "cache", "tune"):
        if getattr(config, name):
            raise OptionError(f"`{name}` is for a backbone; choose one by `encoder`, or leave it out")


class BackboneEncoder(nn.Module):
    """A backbone, and means over squares of its features where they are too many for a decoder that attends.

    Where it is frozen its features are rounded to 16 bits, as those that are kept on disk are: what a model is trained
    on and what it describes is the same.

    Args:
        backbone: the network.
        image_size: width and height of a picture in pixels.
        tune: whether it is trained too.

    Raises:
        OptionError: if it cannot read pictures of this size.
    """

    def __init__(self, backbone: Backbone, image_size: int, tune: bool) -> None:
        super().__init__()
        self.backbone = replace(backbone, module=_Pooled(backbone.module))
        self.module = self.backbone.module
        self.tune = tune
        if not tune:
            self.module.requires_grad_(False)
        device = next(self.module.parameters()).device
        try:
            with torch.no_grad():
                shape = self.module(torch.zeros(1, 3, image_size, image_size, device=device)).shape
        except (RuntimeError, ValueError) as error:
            raise OptionError(
                f"`image_size` {image_size} is none that this backbone can read; leave it out for {backbone.size}"
            ) from error
        self.channels = int(shape[1])
        self.positions = int(shape[2] * shape[3])
        self.places = Places.even(image_size, int(shape[2]))

    def forward(self, pixels: Tensor, training: bool) -> Tensor:
        """Read pictures.

        Args:
            pixels: `(B, H, W, 3)`, red, green and blue, 0 to 255.
            training: changes nothing here: what its normalisation knows never moves.

        Returns:
            Features, `(B, C, h, w)`, of at most 8 by 8 positions.
        """
        parts = torch.split(pixels, BATCH_SIZE)
        features = torch.cat([self.module(self.backbone.normalize(part)) for part in parts])
        return features if self.tune else features.half().float()


class _Pooled(nn.Module):
    """A network whose map of features is brought to at most 8 by 8 positions."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.network(pixels)
        while max(features.shape[2:]) > WIDEST_GRID:
            features = F.avg_pool2d(features, 2, ceil_mode=True)
        return features


def encoder_of(config: Config, given: Backbone | None) -> BackboneEncoder:
    """The encoder of a resolved configuration, with the weights of a backbone that is given, else untrained ones.

    Raises:
        OptionError: if it cannot read pictures of the size that was chosen.
        RecurraError: if the configuration does not describe a backbone.
    """
    made = given or rebuild(config.backbone or {}, "the configuration of the model")
    return BackboneEncoder(made, required(config.image_size, "image_size"), config.tune)


def encoder_words(config: Config) -> str:
    """A few words on the encoder."""
    if config.encoder == "small":
        return "small encoder"
    return f"{config.encoder} encoder, {'tuned' if config.tune else 'frozen'}"
