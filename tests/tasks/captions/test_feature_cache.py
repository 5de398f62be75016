"""Features on disk: the ones the backbone makes, each made once, and never a wrong one."""

import numpy as np
import pytest
import torch
from torch import nn

from recurra.errors import RecurraError
from recurra.files import lock
from recurra.tasks.captions import feature_cache
from recurra.tasks.captions.backbones.network import Backbone
from recurra.tasks.captions.feature_cache import cached_features

CPU = torch.device("cpu")


class Counting(nn.Module):
    """A small network that counts the pictures it is shown, and stops where it is told to."""

    def __init__(self, seed: int = 1, stop: int = 1000, scale: float = 1.0) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 5, 4, stride=4)
        generator = torch.Generator().manual_seed(seed)
        for parameter in self.parameters():
            parameter.data = scale * torch.randn(parameter.shape, generator=generator)
        self.seen, self.stop = 0, stop

    def forward(self, pixels):
        if pixels.any():  # not the zeros that only ask for a shape
            if self.seen + len(pixels) > self.stop:
                raise KeyboardInterrupt
            self.seen += len(pixels)
        return self.convolution(pixels)


def backbone(**options):
    return Backbone(Counting(**options), 5, 8, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4), {"name": "counting"})


@pytest.fixture
def pixels():
    return np.random.default_rng(1).integers(0, 256, (20, 8, 12, 3), np.uint8)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr(feature_cache, "BATCH_SIZE", 6)


def files(folder):
    (place,) = folder.iterdir()
    return place / "features.bin", place / "index.bin", place / "about.json"


def test_features_are_the_backbones_in_half_precision(tmp_path, pixels):
    network = backbone()
    features = cached_features(tmp_path / "cache", network, pixels, CPU)
    order = np.array([7, 0, 19, 7])
    with torch.no_grad():
        expected = network.module(network.normalize(torch.from_numpy(pixels[order])))
    assert features.shape == (20, 5, 2, 3)
    assert len(features) == 20
    assert features[order].dtype == np.float16
    np.testing.assert_allclose(features[order], expected.numpy(), rtol=2e-3, atol=2e-3)


def test_pixels_are_normalized_by_color(pixels):
    expected = (pixels / 255 - np.array([0.5, 0.4, 0.3])) / np.array([0.2, 0.3, 0.4])
    given = backbone().normalize(torch.from_numpy(pixels))
    np.testing.assert_allclose(given, expected.transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-5)


def test_each_picture_is_read_once_whatever_its_place(tmp_path, pixels):
    first, again, more = backbone(), backbone(), backbone()
    doubled = np.concatenate([pixels[:10], pixels[:10]])
    features = cached_features(tmp_path, first, doubled, CPU)
    assert first.module.seen == 10
    turned = cached_features(tmp_path, again, pixels[:10][::-1], CPU)
    assert again.module.seen == 0
    everything = np.arange(10)
    assert np.array_equal(turned[everything], features[everything[::-1]])
    assert np.array_equal(features[everything + 10], features[everything])
    cached_features(tmp_path, more, pixels, CPU)
    assert more.module.seen == 10


@pytest.mark.parametrize("tail", [b"", b"half of a picture's"])
def test_a_run_that_was_stopped_goes_on(tmp_path, pixels, tail):
    whole = cached_features(tmp_path / "whole", backbone(), pixels, CPU)
    with pytest.raises(KeyboardInterrupt):
        cached_features(tmp_path / "stopped", backbone(stop=13), pixels, CPU)
    for path in files(tmp_path / "stopped")[:2]:
        path.write_bytes(path.read_bytes() + tail)
    rest = backbone()
    features = cached_features(tmp_path / "stopped", rest, pixels, CPU)
    assert rest.module.seen == 8
    for path, expected in zip(files(tmp_path / "stopped"), files(tmp_path / "whole"), strict=True):
        assert path.read_bytes() == expected.read_bytes()
    assert np.array_equal(features[np.arange(20)], whole[np.arange(20)])


@pytest.mark.parametrize("lost", [0, 1])
def test_an_end_that_is_lost_is_made_again(tmp_path, pixels, lost):
    expected = cached_features(tmp_path, backbone(), pixels, CPU)[np.arange(20)]
    path = files(tmp_path)[lost]
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4 + 1])
    rest = backbone()
    features = cached_features(tmp_path, rest, pixels, CPU)
    assert rest.module.seen == 5
    assert np.array_equal(features[np.arange(20)], expected)


def test_other_weights_and_other_pixels_have_other_features(tmp_path, pixels):
    cached_features(tmp_path, backbone(), pixels, CPU)
    for other, given in ((backbone(seed=2), pixels), (backbone(), pixels[:, :4]), (backbone(), pixels ^ 1)):
        cached_features(tmp_path, other, np.ascontiguousarray(given), CPU)
        assert other.module.seen == 20


def test_damaged_features_are_refused(tmp_path, pixels):
    cached_features(tmp_path, backbone(), pixels, CPU)
    path = files(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    features = cached_features(tmp_path, backbone(), pixels, CPU)
    features[np.arange(10)]
    with pytest.raises(RecurraError, match="is damaged; delete"):
        features[np.arange(20)]


@pytest.mark.parametrize("about", ["{}", "not JSON", None])
def test_a_folder_of_something_else_is_refused(tmp_path, pixels, about):
    cached_features(tmp_path, backbone(), pixels, CPU)
    header = files(tmp_path)[2]
    header.unlink() if about is None else header.write_text(about)
    with pytest.raises(RecurraError, match="does not hold features of this backbone"):
        cached_features(tmp_path, backbone(), pixels, CPU)


def test_two_processes_do_not_add_at_once(tmp_path, pixels):
    cached_features(tmp_path, backbone(), pixels[:5], CPU)
    with open(files(tmp_path)[1], "r+b") as other:
        lock(other.fileno())
        with pytest.raises(RecurraError, match="another process is adding features"):
            cached_features(tmp_path, backbone(), pixels, CPU)
    cached_features(tmp_path, backbone(), pixels, CPU)


def test_features_too_large_for_half_precision_are_refused(tmp_path, pixels):
    with pytest.raises(RecurraError, match="too large for 16 bits"):
        cached_features(tmp_path, backbone(scale=1e5), pixels, CPU)


def test_a_place_that_cannot_be_written_is_said(tmp_path, pixels):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecurraError, match="failed: a part of this path is a file"):
        cached_features(tmp_path / "file", backbone(), pixels, CPU)
