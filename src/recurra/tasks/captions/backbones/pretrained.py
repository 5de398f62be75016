"""Backbones of the library `transformers`: any model for pictures that it knows, from a local folder."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from recurra.config import read_json
from recurra.errors import RecurraError
from recurra.tasks.captions.backbones.network import IMAGENET_MEAN, IMAGENET_STD, Backbone, Color

_SIZE = 224
"""Height and width in pixels where the folder does not say."""

_SMALLEST, _LARGEST = 16, 1024

_EXTRA_TOKENS = 8
"""Most tokens that a vision transformer puts before those of its patches: class and registers."""

_FAULTS = (AttributeError, ImportError, IndexError, KeyError, OSError, RuntimeError, TypeError, ValueError)
"""What the library raises for a folder or a configuration that it cannot use."""

_UNUSED = ("pooler", "classifier")
"""Parts that have no share in the features, so that they may be missing."""


class Pretrained(nn.Module):
    """A model of the library's, brought to one face: pixels in, a map of features out.

    It stays in evaluation mode, without dropout and with the statistics it was trained with. Numbers that it keeps in
    buffers are made parameters that are not trained, so that a model file holds them.

    Args:
        network: the model.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.eval()
        for part in network.modules():
            for name, buffer in list(part._buffers.items()):
                if buffer is not None and buffer.is_floating_point() and name not in part._non_persistent_buffers_set:
                    del part._buffers[name]
                    part.register_parameter(name, nn.Parameter(buffer, requires_grad=False))

    def train(self, mode: bool = True) -> Pretrained:
        """Stay in evaluation mode, whatever the rest of the network does."""
        return super().train(False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Features, `(batch, channels, grid, grid)`, of normalised pixels `(batch, 3, size, size)`."""
        features: Tensor = self.network(pixel_values=pixels).last_hidden_state
        return features if features.dim() == 4 else _as_grid(features)


def _as_grid(tokens: Tensor) -> Tensor:
    """The tokens of patches `(batch, tokens, channels)` as a square; class and registers, before them, are left out."""
    side = math.isqrt(tokens.shape[1])
    extra = tokens.shape[1] - side**2
    if extra > _EXTRA_TOKENS:
        raise RecurraError(f"this backbone gives {tokens.shape[1]} features, which are no square; choose another one")
    return tokens[:, extra:].transpose(1, 2).reshape(len(tokens), -1, side, side)


def read(folder: Path) -> Backbone:
    """The backbone in a folder of the library's: `config.json`, safetensors weights, `preprocessor_config.json`.

    Nothing is downloaded, unpickled or run from the folder.

    Raises:
        RecurraError: if the library is not installed, or the folder does not hold such a model.
    """
    library = _library()
    if not (folder / "config.json").is_file():
        raise RecurraError(f"{folder} is no folder of a transformers model (it has no config.json); check `weights`")
    try:
        with torch.device("cpu"):
            network, report = library.AutoModel.from_pretrained(
                str(folder),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except _FAULTS as error:
        raise _unusable(str(folder), error) from error
    missing = [name for name in report["missing_keys"] if not any(part in name for part in _UNUSED)]
    if missing:
        raise RecurraError(f"{folder} lacks weights of its own network, {min(missing)} among them; copy it again")
    config = json.loads(network.config.to_json_string(use_diff=False))
    config.pop("_name_or_path", None)  # where it lay on this machine
    return _wrapped(network, {"name": "transformers", "config": config, **_preprocessing(folder, config)}, str(folder))


def rebuild(description: dict[str, Any], where: str) -> Backbone:
    """The network that `Backbone.description` is of, with untrained weights; `where` names its origin in errors.

    Raises:
        RecurraError: if the library is not installed or does not know such a network.
    """
    library = _library()
    try:
        values = dict(description["config"])
        config = library.AutoConfig.for_model(values.pop("model_type"), **values)
        with torch.device("cpu"):  # never on the device meta: tables that it computes are in no file
            network = library.AutoModel.from_config(config, trust_remote_code=False)
    except _FAULTS as error:
        raise _unusable(where, error) from error
    return _wrapped(network, description, where)


def _library() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise RecurraError("a backbone of transformers needs that library: pip install transformers") from error
    transformers.utils.logging.disable_progress_bar()
    return transformers


def _wrapped(network: nn.Module, description: dict[str, Any], where: str) -> Backbone:
    module = Pretrained(getattr(network, "vision_model", network))  # of a pair for pictures and text
    size, mean, std = _checked(description, where)
    try:
        with torch.no_grad(), torch.device("cpu"):
            features = module(torch.zeros(1, 3, size, size))
    except _FAULTS as error:
        raise _unusable(where, error) from error
    return Backbone(module, features.shape[1], size, mean, std, description)


def _preprocessing(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """What the folder says of the pictures that its model takes: `size`, `mean` and `std`."""
    path = folder / "preprocessor_config.json"
    found = read_json(path) if path.exists() else {}
    found = found if isinstance(found, dict) else {}
    vision = config.get("vision_config")
    size = (vision if isinstance(vision, dict) else config).get("image_size") or _SIZE
    for given in (found.get("size"), found.get("crop_size")):
        if isinstance(given, dict):
            given = given.get("height", given.get("shortest_edge"))
        size = given or size
    return {"size": size, "mean": found.get("image_mean", IMAGENET_MEAN), "std": found.get("image_std", IMAGENET_STD)}


def _checked(description: dict[str, Any], where: str) -> tuple[int, Color, Color]:
    """Size, mean and standard deviations of a description, which is a file's."""
    match description:
        case {"size": int(size), "mean": [_, _, _] as mean, "std": [_, _, _] as std}:
            colors = [value for value in (*mean, *std) if type(value) in (int, float) and math.isfinite(value)]
            if len(colors) == 6 and min(std) > 0 and _SMALLEST <= size <= _LARGEST:
                return size, (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])
    raise RecurraError(
        f"{where} does not say in numbers what pictures its backbone takes (a size from {_SMALLEST} to {_LARGEST}, a "
        "mean and a deviation of three colours); copy it again"
    )


def _unusable(where: str, error: Exception) -> RecurraError:
    said = " ".join(str(error).split())[:160] or type(error).__name__
    return RecurraError(f"transformers cannot make a backbone of {where} ({said}); is it a model for pictures?")
