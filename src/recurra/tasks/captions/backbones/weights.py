"""Weights that others have trained: from a local file into a network, names and shapes checked."""

from __future__ import annotations

import hashlib
import io
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from recurra.errors import RecurraError, os_errors

_WRAPPERS = ("state_dict", "model", "model_state_dict")
"""Where a training script's checkpoint keeps the state dict."""

_UNUSED = "num_batches_tracked"
"""What names of counters end in that have no part in the features."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a state dict that `torch.save` wrote, by name.

    Only tensors and plain containers are read from the latter (`torch.load` with `weights_only=True`); what kind of
    file it is, its first bytes say.

    Raises:
        RecurraError: if it cannot be read, is damaged, or holds anything else.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise RecurraError(f"{path} is a device or a pipe; give `weights` a file")
    with os_errors("reading", path):
        data = path.read_bytes()
    try:
        if data[:1] == b"\x80" or data[:4] == b"PK\x03\x04":
            return _state_dict(_load(data))
        return load_safetensors(data)
    except Exception as error:  # a damaged file ends in nearly all there are
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise RecurraError(
            f"{path} is damaged, or is no file of weights alone ({said}); "
            "give `weights` a safetensors file or a state dict that torch.save wrote"
        ) from error


def _load(data: bytes) -> Any:
    if data[:1] != b"\x80":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:  # such files are not compressed: a bomb would be
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("it is compressed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of storage types that PyTorch is about to drop
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _state_dict(content: Any) -> dict[str, Tensor]:
    if isinstance(content, Mapping):
        content = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), content)
    if not isinstance(content, Mapping) or not content:
        raise ValueError("it holds no state dict")
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ValueError("its state dict holds other things than tensors")
    return dict(content)


def load(module: nn.Module, path: Path, name: str, head: str) -> None:
    """Give a network the weights of a file.

    Args:
        module: of parameters alone; made under `torch.device("meta")` it costs nothing before they are known to fit.
        path: of the file, see `read_weights`.
        name: what to call the network in messages.
        head: names that begin so are of the classifier, and left out.

    Raises:
        RecurraError: if the file cannot be read, a name is missing or unknown, a shape is another, or a weight is not
            a finite number.
    """
    found = read_weights(path)
    wanted = module.state_dict()
    used = {key: value for key, value in found.items() if not (key.startswith(head) or key.endswith(_UNUSED))}
    _require_names(set(wanted), set(used), path, name)
    for key, tensor in used.items():
        if tensor.shape != wanted[key].shape:
            shapes = f"{tuple(tensor.shape)} instead of {tuple(wanted[key].shape)}"
            raise RecurraError(f"{path} holds the weights of another network than {name}: {key} is {shapes}")
        if not tensor.is_floating_point():
            raise RecurraError(f"{path}: {key} is {tensor.dtype}, not floating point; give weights that are")
        if not bool(torch.isfinite(tensor).all()):
            raise RecurraError(f"{path}: {key} holds NaN or infinity; the file is damaged, copy it again")
    copies = {key: tensor.to(torch.float32, copy=True).contiguous() for key, tensor in used.items()}
    module.load_state_dict(copies, assign=True)


def _require_names(wanted: set[str], found: set[str], path: Path, name: str) -> None:
    if missing := sorted(wanted - found):
        fault = f"{missing[0]} and {len(missing) - 1} others are missing"
    elif unknown := sorted(found - wanted):
        fault = f"it has no place for {unknown[0][:60]!r} and {len(unknown) - 1} others"
    else:
        return
    raise RecurraError(f"{path} does not hold the weights of {name}: {fault}; is it of another network?")


def digest(module: nn.Module) -> str:
    """The SHA-256 of a network's weights, names and shapes, whatever file they came from."""
    total = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        plain = tensor.detach().cpu().contiguous()
        total.update(f"{name} {plain.dtype} {tuple(plain.shape)}\n".encode())
        total.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
