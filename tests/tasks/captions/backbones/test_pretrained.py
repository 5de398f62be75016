"""Backbones of transformers: without that library what is needed is said; a stand-in shows what is made of a model."""

import json
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from recurra import modelfile
from recurra.errors import OptionError, RecurraError
from recurra.tasks.captions.backbones import backbone, rebuild
from recurra.tasks.captions.backbones.pretrained import Pretrained


class Patches(nn.Module):
    """A vision transformer's face: tokens of the patches, row by row, after some others."""

    def __init__(self, extra):
        super().__init__()
        self.extra = extra
        self.register_buffer("table", torch.tensor([2.0]))
        self.register_buffer("index", torch.tensor([1]))
        self.dropout = nn.Dropout(0.5)

    def forward(self, pixel_values):
        tokens = self.dropout(pixel_values.flatten(2).transpose(1, 2) * self.table)
        others = torch.full((len(tokens), self.extra, tokens.shape[2]), -1.0)
        return SimpleNamespace(last_hidden_state=torch.cat([others, tokens], dim=1))


@pytest.mark.parametrize("extra", [0, 1, 5])
def test_tokens_become_a_grid_without_those_before_them(extra):
    pixels = torch.rand(2, 3, 7, 7)
    network = Pretrained(Patches(extra)).train()
    assert torch.equal(network(pixels), 2 * pixels)


def test_tokens_of_no_square_are_refused():
    with pytest.raises(RecurraError, match="are no square"):
        Pretrained(Patches(9))(torch.rand(1, 3, 7, 7))


def test_tables_are_weights_that_are_not_trained():
    parameters = dict(Pretrained(Patches(1)).named_parameters())
    assert list(parameters) == ["network.table"]
    assert not parameters["network.table"].requires_grad


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    with pytest.raises(OptionError, match="needs `weights`: the folder"):
        backbone("transformers", None)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(RecurraError, match="pip install transformers"):
        backbone("transformers", tmp_path)


@pytest.mark.parametrize("description", [None, [], {}, {"name": "vgg"}, {"name": ["resnet18"]}])
def test_a_description_of_nothing_is_refused(description):
    with pytest.raises(RecurraError, match=r"config\.json does not say what its backbone is"):
        rebuild(description, "config.json")


@pytest.fixture
def library():
    return pytest.importorskip("transformers", reason="transformers is not installed")


def make(library, folder, preprocessing):
    torch.manual_seed(1)
    config = library.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=64, patch_size=16
    )
    model = library.AutoModel.from_config(config).eval()
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing))
    return model


@pytest.mark.filterwarnings("ignore")
def test_a_model_of_the_library_is_read_and_made_again(library, tmp_path):
    model = make(library, tmp_path, {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 0.5]})
    found = backbone("transformers", tmp_path)
    assert (found.channels, found.size, found.mean, found.std) == (16, 64, (0.5, 0.5, 0.5), (0.25, 0.5, 0.5))
    pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = model(pixel_values=pixels).last_hidden_state[:, 1:].transpose(1, 2).reshape(2, 16, 4, 4)
        torch.testing.assert_close(found.module(pixels), expected)
        with torch.device("meta"):
            again = rebuild(json.loads(json.dumps(found.description)), "config.json")
        modelfile.fill(again.module, modelfile.unique_tensors(found.module), "model.safetensors")
        assert torch.equal(again.module(pixels), found.module(pixels))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("std", [[0, 1, 1], [1, 1], "1", [1, 1, "1"], [1, 1, float("inf")]])
def test_preprocessing_that_is_no_numbers_is_refused(library, tmp_path, std):
    make(library, tmp_path, {"image_std": std})
    with pytest.raises(RecurraError, match=r"does not say in numbers|is not JSON"):
        backbone("transformers", tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_a_folder_of_something_else_is_refused(library, tmp_path):
    with pytest.raises(RecurraError, match=r"has no config\.json"):
        backbone("transformers", tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "none of these"}')
    with pytest.raises(RecurraError, match="cannot make a backbone"):
        backbone("transformers", tmp_path)
