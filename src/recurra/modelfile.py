"""The weights of a trained model: from a network into its folder, and back; see `modelfolder`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from torch import Tensor, nn

from recurra import modelfolder
from recurra.arrayfile import reported
from recurra.config import read_json
from recurra.errors import OptionError, RecurraError, os_errors
from recurra.files import write_atomic
from recurra.modelfolder import CONFIG, VOCABULARY, WEIGHTS

NetworkT = TypeVar("NetworkT", bound=nn.Module)

_NUMBERS = (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.int32, torch.uint8)
"""The types a tensor of a model may have."""


@dataclass(frozen=True)
class ModelFile:
    """What a model folder holds.

    Attributes:
        task: the task it belongs to.
        config: its configuration, as JSON values.
        record: how it was trained and how good it is, as JSON values.
        vocabulary: its tokens, as JSON values.
        tensors: its weights by name.
    """

    task: str
    config: dict[str, Any]
    record: dict[str, Any]
    vocabulary: Any
    tensors: Mapping[str, Tensor]


def save(folder: Path, model: ModelFile, card: str, complete: Callable[[Path], None] | None = None) -> None:
    """Write a model folder, or replace the one that stands there, all or nothing.

    Args:
        folder: where.
        model: what.
        card: the model card, Markdown.
        complete: puts further files into the new folder before it takes its place.

    Raises:
        RecurraError: if a weight is not finite, something else than a model stands there, or writing fails; `folder`
            is then as it was.
    """
    _require_finite(model.tensors, folder)
    content = {"task": model.task, "config": model.config, "record": model.record}
    modelfolder.write(
        folder, content, model.vocabulary, card, lambda path: write_tensors(path, model.tensors), complete
    )


def load(folder: Path, task: str | None = None) -> ModelFile:
    """Read a model folder.

    Args:
        folder: where.
        task: refuse a model of any other task.

    Raises:
        RecurraError: if anything about the folder is not as `save` left it.
    """
    config = modelfolder.read_config(folder, task)
    modelfolder.require_unaltered(folder, config, WEIGHTS, VOCABULARY)
    tensors = read_tensors(folder / WEIGHTS)
    _require_finite(tensors, folder)
    vocabulary = read_json(folder / VOCABULARY)
    return ModelFile(config["task"], config["config"], config["record"], vocabulary, tensors)


def restore(build: Callable[[], NetworkT], file: ModelFile, folder: Path) -> NetworkT:
    """The network of a model folder.

    Args:
        build: makes it, with any weights.
        file: what the folder holds.
        folder: for messages.

    Raises:
        RecurraError: if names or shapes of the weights do not fit, or the configuration is not a network's.
    """
    try:
        with torch.device("meta"):
            network = build()
    except OptionError as error:
        raise RecurraError(f"{folder / CONFIG}: {error}; the file is damaged, copy the model again") from error
    fill(network, file.tensors, str(folder / WEIGHTS))
    return network


def fill(module: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Give a network its weights; names and shapes must fit exactly.

    A network made under `torch.device("meta")` costs neither time nor memory before it is known that they do.

    Raises:
        RecurraError: if they do not.
    """
    wanted = unique_tensors(module)
    if set(wanted) != set(tensors):
        raise RecurraError(f"{where} holds the weights of another network; its files do not belong together")
    for name, tensor in wanted.items():
        if tensor.shape != tensors[name].shape:
            raise RecurraError(
                f"{where}: {name} is {tuple(tensors[name].shape)}, expected {tuple(tensor.shape)}; "
                "its files do not belong together"
            )
    with torch.no_grad():
        for name, tensor in wanted.items():
            if not tensor.is_meta:
                tensor.copy_(tensors[name])
    _make_real(module, tensors)


def _make_real(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put weights in the place of those on the device `meta`, which are only shapes; shared ones stay shared."""
    names = {tensor: name for name, tensor in named_tensors(module) if tensor.is_meta}
    made = {tensor: tensors[name].to(tensor.dtype, copy=True) for tensor, name in names.items()}
    made |= {each: nn.Parameter(made[each], each.requires_grad) for each in made if isinstance(each, nn.Parameter)}
    for part in module.modules():
        for name, tensor in [*part._parameters.items(), *part._buffers.items()]:
            if tensor in made:
                setattr(part, name, made[tensor])


def named_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """What a network has learned, with names, shared ones once: parameters, then buffers, such as running means."""
    yield from module.named_parameters()
    yield from module.named_buffers()


def unique_tensors(module: nn.Module) -> dict[str, Tensor]:
    """A network's weights by name, shared ones once."""
    return {name: tensor.detach() for name, tensor in named_tensors(module)}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file, all or nothing."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def write(temporary: Path) -> None:
        with reported():
            save_file(plain, temporary, metadata)

    write_atomic(path, write)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file."""
    with os_errors("reading", path):
        data = path.read_bytes()
    try:
        return load_tensors(data)
    except SafetensorError as error:
        raise RecurraError(f"{path} is damaged ({error}); copy the file or train the model again") from error


def _require_finite(tensors: Mapping[str, Tensor], where: Path) -> None:
    for name, tensor in tensors.items():
        if tensor.dtype not in _NUMBERS:
            raise RecurraError(f"{where}: the weights {name} are {tensor.dtype}; the file is damaged, copy it again")
        if not bool(torch.isfinite(tensor).all()):
            raise RecurraError(f"{where}: the weights {name} hold NaN or infinity; train the model again")
