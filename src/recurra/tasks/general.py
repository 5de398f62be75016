"""Commands that belong to no task: `recurra info`, `recurra demo`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Literal

from recurra import modelfile
from recurra.errors import os_errors
from recurra.tasks.output import print_json, print_table


def info(model: Path, *, json: bool = False) -> None:
    """Say what a model folder holds.

    Parameters
    ----------
    model
        The model folder.
    json
        Print one JSON object.
    """
    file = modelfile.load(model)
    parameters = sum(tensor.numel() for tensor in file.tensors.values())
    if json:
        print_json({"task": file.task, "parameters": parameters, "config": file.config, "record": file.record})
        return
    print_table({"task": file.task, "parameters": parameters})
    print("\ntraining")
    print_table({f"  {name}": value for name, value in file.record.items()})
    print("\nconfiguration")
    print_table({f"  {name}": value for name, value in file.config.items()})


def demo(
    task: Literal["text", "music", "translation"] = "text", *, out: Path = Path("demo"), minutes: float | None = None
) -> None:
    """Train on a sample for a few minutes, use the model and draw its pictures.

    Parameters
    ----------
    task
        Which task to show.
    out
        The folder for everything that is made; an earlier demo there is replaced.
    minutes
        How long to train; a minute for text, three for music, two for translation, if not given.
    """
    with os_errors("writing", out):
        out.mkdir(parents=True, exist_ok=True)
    import_module(f"recurra.tasks.{task}.commands").demo(out, minutes)
