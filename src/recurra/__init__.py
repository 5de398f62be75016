"""Recurra trains recurrent sequence models on a person's own data and uses them."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# PyTorch's threads wait for each other by spinning, which makes them ten times slower than one thread as soon as
# another program wants a core. Sleeping costs next to nothing. This has to be said before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__all__ = ["load", "text"]


def __getattr__(name: str) -> Any:
    if name == "text":
        return import_module("recurra.tasks.text")
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
