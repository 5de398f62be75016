"""A model folder as arrays: what `modelfile` reads as tensors, number by number; the refusals are in test_modelfile."""

from pathlib import Path

import numpy as np
import pytest
import torch

from recurra import modelfile
from recurra.errors import RecurraError
from recurra.modelfile import ModelFile
from recurra.runtime import stored

TYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with weights of all types and some odd shapes."""
    tensors = {str(kind): (10 * torch.randn(3, 4)).abs().to(kind) for kind in TYPES}
    tensors |= {"none": torch.zeros(0, 3), "scalar": torch.tensor(2.5), "odd": torch.tensor([-0.0, 1e-45, -3e38])}
    model = ModelFile("text", {"hidden_size": 8}, {"nats": 1.25}, {"tokens": ["a", "春"]}, tensors)
    modelfile.save(tmp_path / "model", model, "")
    return tmp_path / "model"


def test_everything_is_as_modelfile_reads_it(folder: Path) -> None:
    model, file = modelfile.load(folder), stored.load(folder, "text")
    assert (file.task, file.config, file.record) == (model.task, model.config, model.record)
    assert (file.vocabulary, file.folder) == (model.vocabulary, folder)
    assert set(file.weights) == set(model.tensors)
    for name, tensor in model.tensors.items():
        wanted = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
        assert file.weights[name].dtype == wanted.dtype
        np.testing.assert_array_equal(file.weights[name], wanted)


def test_names_and_shapes_must_fit(folder: Path) -> None:
    file = stored.load(folder)
    shapes = {name: array.shape for name, array in file.weights.items()}
    file.require_shapes(shapes)
    with pytest.raises(
        RecurraError, match=r"model\.safetensors: none is \(0, 3\), expected \(3, 0\); its files do not"
    ):
        file.require_shapes(shapes | {"none": (3, 0)})
    for others in (shapes | {"more": (1,)}, {"none": (0, 3)}):
        with pytest.raises(RecurraError, match=r"model\.safetensors holds the weights of another network; its files"):
            file.require_shapes(others)
