"""Files of weights: what is read, and what is refused in one sentence."""

import io
import os
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from recurra.errors import OptionError, RecurraError
from recurra.tasks.captions.backbones import backbone
from recurra.tasks.captions.backbones.weights import read_weights


@pytest.fixture(scope="module")
def made():
    return backbone("efficientnet-lite0", None)


@pytest.fixture
def state(made):
    """What torchvision saves: classifier and counters too."""
    classifier = {"_fc.weight": torch.zeros(10, 1280), "_fc.bias": torch.zeros(10)}
    return {**made.module.state_dict(), **classifier, "_bn1.num_batches_tracked": torch.tensor(3)}


def saved(state, path):
    torch.save(state, path)
    return path


@pytest.mark.parametrize(
    "wrap",
    [dict, lambda state: {"state_dict": state, "epoch": 3}, lambda state: {"model": state, "args": {"lr": 0.1}}],
)
def test_state_dicts_are_read(made, state, tmp_path, wrap):
    assert backbone("efficientnet-lite0", saved(wrap(state), tmp_path / "any.name")).digest() == made.digest()


def test_the_older_format_of_torch_is_read(made, state, tmp_path):
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert backbone("efficientnet-lite0", tmp_path / "old.pth").digest() == made.digest()


def test_safetensors_are_read_whatever_they_are_called(made, state, tmp_path):
    save_file(state, tmp_path / "lite0.pth")
    assert backbone("efficientnet-lite0", tmp_path / "lite0.pth").digest() == made.digest()


def test_half_precision_becomes_float32(made, state, tmp_path):
    half = {name: tensor.half() for name, tensor in state.items()}
    found = backbone("efficientnet-lite0", saved(half, tmp_path / "half.pth")).module.state_dict()
    for name, tensor in made.module.state_dict().items():
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], tensor.half().float())


def test_every_weight_is_in_the_digest(made):
    other = backbone("efficientnet-lite0", None)
    other.module.load_state_dict(made.module.state_dict())
    assert other.digest() == made.digest()
    other.module._blocks[-1]._bn2.running_var.data[-1] += 1
    assert other.digest() != made.digest()


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


def refused(name, path, match):
    with pytest.raises(RecurraError, match=match) as caught:
        backbone(name, path)
    message = str(caught.value)
    assert len(message) < 400 + len(str(path))
    assert "\n" not in message
    assert str(path) in message


def test_nothing_else_is_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for new in (True, False):
        torch.save({"a": Evil()}, tmp_path / "evil.pth", _use_new_zipfile_serialization=new)
        refused("efficientnet-lite0", tmp_path / "evil.pth", "no file of weights alone")
    assert not (tmp_path / "evil").exists()


def test_compressed_files_are_refused(tmp_path):
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(9)}, buffer)
    with zipfile.ZipFile(buffer) as plain, zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry))
    refused("efficientnet-lite0", tmp_path / "bomb.pth", "it is compressed")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02", b"\x80", b"words", b"\xff" * 100, b"{}" * 9])
def test_files_of_something_else_are_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    refused("efficientnet-lite0", tmp_path / "file", "is damaged, or is no file of weights alone")


@pytest.mark.parametrize("content", [[], {}, 3, {"a": 1}, {1: torch.zeros(1)}, {"state_dict": {"a": "b"}}])
def test_state_dicts_of_other_things_are_refused(tmp_path, content):
    refused("efficientnet-lite0", saved(content, tmp_path / "file"), "state dict")


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.9, 0.9999])
def test_files_cut_off_are_refused(state, tmp_path, share):
    small = {name: tensor for name, tensor in state.items() if tensor.numel() < 5000}
    for path in (saved(small, tmp_path / "cut.pth"), tmp_path / "cut.safetensors"):
        if path.suffix == ".safetensors":
            save_file(small, path)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        with pytest.raises(RecurraError, match="is damaged"):
            read_weights(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    refused("efficientnet-lite0", tmp_path / "none.pth", "there is no such file")
    refused("efficientnet-lite0", tmp_path, "this is a folder")
    refused("efficientnet-lite0", Path(os.devnull), "is a device or a pipe")


def test_weights_of_another_network_are_refused(state, tmp_path):
    path = saved(state, tmp_path / "lite0.pth")
    refused("resnet34", path, r"does not hold the weights of resnet34: bn1\.bias and 179 others are missing")
    del state["_bn1.bias"]
    refused("efficientnet-lite0", saved(state, path), r"of efficientnet-lite0: _bn1\.bias and 0 others are missing")


def test_a_name_too_many_is_refused(state, tmp_path):
    state["layer5.weight"] = torch.zeros(1)
    refused("efficientnet-lite0", saved(state, tmp_path / "more.pth"), "no place for 'layer5.weight'")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda tensor: tensor[:, :1], r"is \(32, 1, 3, 3\) instead of \(32, 3, 3, 3\)"),
        (lambda tensor: tensor[:1, :1, :1, :1].expand(2**20, 2**20, 7, 7), "instead of"),
        (lambda tensor: tensor.int(), "not floating point"),
        (lambda tensor: tensor / 0, "NaN or infinity"),
    ],
)
def test_weights_that_do_not_fit_are_refused(state, tmp_path, change, match):
    state["_conv_stem.weight"] = change(state["_conv_stem.weight"])
    refused("efficientnet-lite0", saved(state, tmp_path / "other.pth"), match)


def test_an_unknown_name_is_an_option_error():
    with pytest.raises(OptionError, match=r"`backbone` 'vgg' is not known; there are resnet18, .*transformers"):
        backbone("vgg", None)
