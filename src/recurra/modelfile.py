"""A trained model on disk: a folder of `config.json`, `model.safetensors`, `vocabulary.json` and a `README.md` card.

Nothing is unpickled and no name in a file is imported. Whatever is missing, truncated, altered, from another version or
not finite is refused in one sentence, before any of it is used.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from torch import Tensor, nn

from recurra.config import dump_json, read_json
from recurra.errors import OptionError, RecurraError, os_errors
from recurra.files import followed, recover_folder, replace_folder, write_atomic, write_text_atomic

NetworkT = TypeVar("NetworkT", bound=nn.Module)

FORMAT_VERSION = 2
"""Raised whenever a folder written now could not be read by the last release."""

_NUMBERS = (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.int32, torch.uint8)
"""The types a tensor of a model may have."""

CONFIG, WEIGHTS, VOCABULARY, CARD = "config.json", "model.safetensors", "vocabulary.json", "README.md"

FINISHED = "training"
"""Where a finished model folder keeps the checkpoint to go on from."""

PIECES = "pieces.safetensors"
"""Where a music model keeps its training pieces; it may be taken out before the model is given away."""


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
    require_place(folder)
    _require_finite(model.tensors, folder)
    folder = followed(folder)
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        with os_errors("writing", folder):
            new.mkdir(parents=True)
            write_tensors(new / WEIGHTS, model.tensors)
            write_text_atomic(new / VOCABULARY, dump_json(model.vocabulary))
            write_text_atomic(new / CARD, card)
            header = {"format_version": FORMAT_VERSION, "task": model.task}
            digests = {name: _sha256(new / name) for name in (WEIGHTS, VOCABULARY)}
            content = header | {"config": model.config, "record": model.record, "sha256": digests}
            write_text_atomic(new / CONFIG, dump_json(content))
            if complete:
                complete(new)
            replace_folder(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def require_place(folder: Path) -> None:
    """Refuse a place for a model folder where something else would be lost.

    Raises:
        RecurraError: if it has no name, or is a file or a folder of something else.
    """
    if folder.name in ("", ".."):
        raise RecurraError(f"`out` {folder} has no name of its own; give the name of a folder to make")
    with os_errors("reading", folder):
        if folder.exists() and not folder.is_dir():
            raise RecurraError(f"{folder} is a file; give `out` the name of a folder to make")
        if folder.is_dir() and not (folder / CONFIG).exists() and any(folder.iterdir()):
            raise RecurraError(f"{folder} is a folder of something else, not a model; give `out` another name")


def load(folder: Path, task: str | None = None) -> ModelFile:
    """Read a model folder.

    Args:
        folder: where.
        task: refuse a model of any other task.

    Raises:
        RecurraError: if anything about the folder is not as `save` left it.
    """
    config = read_config(folder, task)
    for name in (WEIGHTS, VOCABULARY):
        with os_errors("reading", folder / name):
            digest = _sha256(folder / name)
        if digest != config["sha256"].get(name):
            raise RecurraError(f"{folder / name} is not the file that was saved (truncated or altered); copy it again")
    tensors = read_tensors(folder / WEIGHTS)
    _require_finite(tensors, folder)
    vocabulary = read_json(folder / VOCABULARY)
    return ModelFile(config["task"], config["config"], config["record"], vocabulary, tensors)


def read_config(folder: Path, task: str | None = None) -> dict[str, Any]:
    """The `config.json` of a model folder: `task`, `config`, `record` and `sha256`, each of its type; see `load`."""
    recover_folder(folder)
    with os_errors("reading", folder):
        if not folder.is_dir():
            raise RecurraError(f"there is no model folder {folder}; check the name, or train one with `out` {folder}")
        if not (folder / CONFIG).exists():
            raise RecurraError(f"{folder} is not a trained model (it has no {CONFIG}); name the folder given to `out`")
    config = read_json(folder / CONFIG)
    version = config.get("format_version") if isinstance(config, dict) else None
    if type(version) is not int or version < 1:
        raise RecurraError(f"{folder / CONFIG} does not say its format; the file is damaged, copy the model again")
    if version > FORMAT_VERSION:
        raise RecurraError(
            f"{folder} was made by a newer version (format {version}, this one knows {FORMAT_VERSION}); update recurra"
        )
    if version < FORMAT_VERSION:
        raise RecurraError(
            f"{folder} was made by an older version (format {version}, this one reads {FORMAT_VERSION}); "
            "train it again on the same data"
        )
    expected = {"task": str, "config": dict, "record": dict, "sha256": dict}
    if any(not isinstance(config.get(name), kind) for name, kind in expected.items()):
        raise RecurraError(f"{folder / CONFIG} is incomplete; the file is damaged, copy the model again")
    if task is not None and config["task"] != task:
        raise RecurraError(f"{folder} is a {config['task']} model, not a {task} model; use it with that task")
    return dict(config)


def tell(record: Mapping[str, Any], template: str) -> str:
    """A sentence with figures of a model's record, `{nats:.4f}`; the file it comes from may have been altered by hand.

    Raises:
        RecurraError: if they are not there, or are not figures.
    """
    try:
        return template.format_map(record)
    except (KeyError, TypeError, ValueError) as error:
        raise RecurraError(
            f"the model's record in {CONFIG} is damaged ({type(error).__name__}: {error}); copy the model again"
        ) from error


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
    names = {parameter: name for name, parameter in module.named_parameters() if parameter.is_meta}
    made = {parameter: nn.Parameter(tensors[name].to(parameter.dtype, copy=True)) for parameter, name in names.items()}
    for part in module.modules():
        for name, parameter in list(part._parameters.items()):
            if parameter in made:
                setattr(part, name, made[parameter])


def unique_tensors(module: nn.Module) -> dict[str, Tensor]:
    """A network's weights by name, shared ones once."""
    return {name: parameter.detach() for name, parameter in module.named_parameters()}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file, all or nothing."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def write(temporary: Path) -> None:
        try:
            save_file(plain, temporary, metadata)
        except SafetensorError as error:  # the library reports a full disk as its own error
            raise OSError(_errno_of(error), str(error)) from error

    write_atomic(path, write)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file."""
    with os_errors("reading", path):
        data = path.read_bytes()
    try:
        return load_tensors(data)
    except SafetensorError as error:
        raise RecurraError(f"{path} is damaged ({error}); copy the file or train the model again") from error


def _errno_of(error: SafetensorError) -> int:
    """The operating system's error number inside a safetensors error ("... (os error 28)"), 0 if there is none."""
    _, found, number = str(error).partition("os error ")
    digits = number.split(")")[0]
    return int(digits) if found and digits.isdigit() else 0


def _require_finite(tensors: Mapping[str, Tensor], where: Path) -> None:
    for name, tensor in tensors.items():
        if tensor.dtype not in _NUMBERS:
            raise RecurraError(f"{where}: the weights {name} are {tensor.dtype}; the file is damaged, copy it again")
        if not bool(torch.isfinite(tensor).all()):
            raise RecurraError(f"{where}: the weights {name} hold NaN or infinity; train the model again")


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
