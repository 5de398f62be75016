"""Where to compute, by the name it has in options."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from recurra.errors import OptionError

if TYPE_CHECKING:
    import torch

DeviceName = Literal["auto", "cpu", "cuda", "mps"]


def device_named(name: str | torch.device) -> torch.device:
    """The device of a name; `auto` takes a GPU if there is one.

    Raises:
        OptionError: if there is no such device on this machine.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, available in there.items() if available))
    kind = str(name).partition(":")[0]
    if kind not in there:
        raise OptionError(f"`device` is {name!r}, but must be one of auto, cpu, cuda, mps")
    if not there[kind]:
        raise OptionError(f"`device` is {name}, but PyTorch sees no such device here; use cpu")
    return torch.device(name)


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
