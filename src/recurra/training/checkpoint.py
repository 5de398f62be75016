"""The state of a run on disk: one safetensors file, its figures as JSON in the header, replaced all or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recurra.modelfile import read_tensors, write_tensors
from recurra.training.run_folder import CHECKPOINT, read_figures


def save(folder: Path, groups: Mapping[str, Mapping[str, Tensor]], figures: Mapping[str, Any]) -> None:
    """Write a checkpoint into a folder.

    Args:
        folder: where; the last checkpoint there stays whole until this one is.
        groups: named groups of named tensors.
        figures: anything else, as JSON values.
    """
    tensors = {f"{group}/{name}": tensor for group, members in groups.items() for name, tensor in members.items()}
    # Copies: several names may share one memory (tied weights, a best that is the current one).
    write_tensors(
        folder / CHECKPOINT, {name: t.clone() for name, t in tensors.items()}, {"figures": json.dumps(figures)}
    )


def load(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Read the checkpoint of a folder: the groups of tensors and the figures.

    Raises:
        RecurraError: if it is damaged.
    """
    path = folder / CHECKPOINT
    figures = read_figures(path)
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in read_tensors(path).items():
        group, _, member = name.partition("/")
        groups.setdefault(group, {})[member] = tensor
    return groups, figures


def optimizer_tensors(optimizers: Sequence[torch.optim.Optimizer], names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """The optimisers' tensors, named `key/parameter`."""
    return {
        f"{key}/{names[parameter]}": value
        for optimizer in optimizers
        for parameter, slots in optimizer.state.items()
        for key, value in slots.items()
    }


def restore_optimizers(
    optimizers: Sequence[torch.optim.Optimizer], names: Mapping[Tensor, str], tensors: Mapping[str, Tensor]
) -> None:
    """Put tensors from `optimizer_tensors` back."""
    owners = {
        names[parameter]: (optimizer, parameter)
        for optimizer in optimizers
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    for full_name, tensor in tensors.items():
        key, _, name = full_name.partition("/")
        optimizer, parameter = owners[name]
        optimizer.state[parameter][key] = tensor.to(parameter.device)
