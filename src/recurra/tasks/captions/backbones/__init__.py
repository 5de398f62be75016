"""Networks that others have trained on pictures, for the features before their classifiers.

Two families are written here, so that only a file of weights is needed: ResNet with torchvision's names, and
EfficientNet-Lite0. Any other comes from the library `transformers`, where that is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from recurra.errors import OptionError, RecurraError
from recurra.tasks.captions.backbones import efficientnet_lite, resnet, weights
from recurra.tasks.captions.backbones.network import IMAGENET_MEAN, IMAGENET_STD, Backbone, Color

TRANSFORMERS = "transformers"
"""The name of a backbone that is a folder of that library's."""


class Family(NamedTuple):
    """How to make a network, and what belongs to it."""

    build: Callable[[], nn.Module]
    channels: int
    head: str
    mean: Color
    std: Color


def _resnet(name: str) -> Family:
    channels = 512 if name in ("resnet18", "resnet34") else 2048
    return Family(lambda: resnet.ResNet(name), channels, resnet.HEAD, IMAGENET_MEAN, IMAGENET_STD)


FAMILIES = {name: _resnet(name) for name in resnet.DEPTHS} | {
    "efficientnet-lite0": Family(
        efficientnet_lite.EfficientNetLite0,
        efficientnet_lite.CHANNELS,
        efficientnet_lite.HEAD,
        (127 / 255,) * 3,
        (128 / 255,) * 3,
    )
}
"""What can be had from a file of weights, by name."""

NAMES = (*FAMILIES, TRANSFORMERS)
"""What `backbone` knows."""


def backbone(name: str, path: Path | None) -> Backbone:
    """A network with weights that others have trained.

    Args:
        name: one of `NAMES`.
        path: the file of its weights (safetensors, or a state dict that `torch.save` wrote); the folder of a model for
            transformers; None for untrained weights.

    Raises:
        OptionError: if there is no such network, or transformers has no folder.
        RecurraError: if the weights do not fit, or transformers is needed and not installed.
    """
    if name == TRANSFORMERS:
        if path is None:
            raise OptionError("a backbone of transformers needs `weights`: the folder that holds the model")
        from recurra.tasks.captions.backbones import pretrained

        return pretrained.read(path)
    family = _family(name)
    if path is None:
        return _wrapped(name, family, family.build())
    with torch.device("meta"):
        module = family.build()
    weights.load(module, path, name, family.head)
    return _wrapped(name, family, module)


def rebuild(description: dict[str, Any], where: str) -> Backbone:
    """The network that a `Backbone.description` is of, with untrained weights; `where` names its origin in errors.

    Raises:
        RecurraError: if it does not describe one, or transformers is needed and not installed.
    """
    name = description.get("name") if isinstance(description, dict) else None
    if name == TRANSFORMERS:
        from recurra.tasks.captions.backbones import pretrained

        return pretrained.rebuild(description, where)
    if not isinstance(name, str) or name not in FAMILIES:
        raise RecurraError(f"{where} does not say what its backbone is; the file is damaged, copy the model again")
    return backbone(name, None)


def _family(name: str) -> Family:
    if name not in FAMILIES:
        raise OptionError(f"`backbone` {name!r} is not known; there are {', '.join(NAMES)}")
    return FAMILIES[name]


def _wrapped(name: str, family: Family, module: nn.Module) -> Backbone:
    return Backbone(module, family.channels, 224, family.mean, family.std, {"name": name})
