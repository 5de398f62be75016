"""`recurra serve`: model folders behind HTTP, each by the part of its task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from recurra import modelfolder
from recurra.devices import DeviceName
from recurra.errors import OptionError, RecurraError, os_errors, pytorch_needed
from recurra.serve.contract import Part
from recurra.serve.limits import Limits
from recurra.serve.service import Served, Service
from recurra.tasks import TASKS


def part_of(task: str) -> Part:
    """What a task says of how it is served."""
    part: Part = import_module(f"recurra.tasks.{task}.serving").PART
    return part


def open_service(folders: Sequence[Path], device: DeviceName, limits: Limits) -> Service:
    """Load models and make them ready to be asked.

    Args:
        folders: of the models; each is called by its folder's name.
        device: where to compute, for models that are computed by PyTorch.
        limits: of requests.

    Raises:
        RecurraError: if one cannot be loaded, or two have one name.
    """
    if not folders:
        raise OptionError("there is no model to serve; name the folder of one, or of several")
    paths = [folder.absolute() for folder in folders]
    twice = [name for name, count in Counter(path.name for path in paths).items() if count > 1]
    if twice:
        raise OptionError(f"two models are called {twice[0]!r}, by which requests could not tell them; rename a folder")
    models = [_load(path, device) for path in paths]
    return Service(models, {served.task: part_of(served.task) for served in models}, limits)


def _load(folder: Path, device: DeviceName) -> Served:
    task = modelfolder.read_config(folder)["task"]
    if task not in TASKS:
        raise RecurraError(f"{folder} is a {task} model, which this version does not know; update recurra")
    with pytorch_needed(f"serving {modelfolder.model_of(task)}"):
        model = part_of(task).load(folder, device)
    with os_errors("reading", folder):
        created = int((folder / modelfolder.CONFIG).stat().st_mtime)
        file = folder / modelfolder.CARD
        card = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    return Served(folder.name, task, model, created, facts_of(card), card)


def facts_of(card: str) -> dict[str, str]:
    """The facts that a model card lists, label to text."""
    lines = (line.removeprefix("- ").partition(": ") for line in card.splitlines() if line.startswith("- "))
    return {label: text for label, _, text in lines if text}
