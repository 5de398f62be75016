"""Recurra trains recurrent sequence models on a person's own data and uses them."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# PyTorch's threads wait for each other by spinning, for so long that as soon as another program wants a core they are
# several times slower than one thread. A shorter spin costs next to nothing. It must be set before torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__all__ = ["load", "music", "text", "translation"]


def __getattr__(name: str) -> Any:
    if name in ("music", "text", "translation"):
        return import_module(f"recurra.tasks.{name}")
    raise AttributeError(f"module 'recurra' has no attribute {name!r}")


def load(folder: str) -> Any:
    """Load a model folder, whichever task it is of."""
    from pathlib import Path

    from recurra import modelfile
    from recurra.errors import RecurraError
    from recurra.tasks import TASKS

    task = modelfile.load(Path(folder)).task
    if task not in TASKS:
        raise RecurraError(f"{folder} is a {task} model, which this version does not know; update recurra")
    return import_module(f"recurra.tasks.{task}").Model.load(folder)
