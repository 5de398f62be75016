"""The folder of a run while it trains, `OUT.training` beside the model folder `OUT` to come; how a run is resumed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from recurra.config import from_dict
from recurra.errors import RecurraError, os_errors
from recurra.files import require_writable_parent
from recurra.modelfile import CONFIG, VOCABULARY
from recurra.training import checkpoint
from recurra.training.metrics import HISTORY, PICTURE

FINISHED = "training"
"""Where a finished model folder keeps the checkpoint to go on from."""

MAY_CHANGE = frozenset(
    (
        *("minutes", "steps", "learning_rate", "clip", "patience"),
        *("device", "precision", "checkpoint_seconds", "tensorboard"),
    )
)
"""What a resumed run may be told anew."""

ConfigT = TypeVar("ConfigT")


class Saved(NamedTuple):
    """What a checkpoint knows of its run: the resolved configuration, and the digest of the data, as JSON values."""

    config: dict[str, Any]
    data: str


def of(out: Path) -> Path:
    """The run folder of a model folder."""
    return out.with_name(f"{out.name}.training")


def prepare(out: Path, resume: bool, overwrite: bool) -> Path:
    """Make the run folder, with the state of the run to go on with in it.

    Args:
        out: the model folder to come.
        resume: go on with what is there.
        overwrite: begin anew, whatever is there; the old model stays until the new one is finished.

    Raises:
        RecurraError: if something is in the way, or nothing can be written there.
    """
    if out.name in ("", ".."):
        raise RecurraError(f"--out {out} has no name of its own; give the name of a folder to make")
    work = of(out)
    if resume and overwrite:
        raise RecurraError("--resume goes on and --overwrite starts anew; give one of them")
    if out.exists() and not out.is_dir():
        raise RecurraError(f"{out} is a file; give --out the name of a folder to make")
    if out.is_dir() and not (out / CONFIG).exists() and any(out.iterdir()):
        raise RecurraError(f"{out} is a folder of something else, not a model; give --out another name")
    if not (resume or overwrite):
        if out.exists():
            raise RecurraError(f"{out} exists already; replace it with --overwrite, or go on training it with --resume")
        if work.exists():
            raise RecurraError(f"{work} holds an unfinished run; go on with --resume, or start anew with --overwrite")
    require_writable_parent(out)
    with os_errors("writing", work):
        if overwrite:
            shutil.rmtree(work, ignore_errors=True)
        if resume and not work.exists() and (out / FINISHED / checkpoint.FILE).exists():
            work.mkdir()
            shutil.copy(out / VOCABULARY, work / VOCABULARY)
            shutil.copy(out / FINISHED / checkpoint.FILE, work / checkpoint.FILE)
        work.mkdir(exist_ok=True)
    return work


@contextmanager
def removed_if_refused(work: Path) -> Iterator[None]:
    """Leave no run folder behind if a run is refused before it has begun."""
    try:
        yield
    except RecurraError:
        if not (work / checkpoint.FILE).exists():
            shutil.rmtree(work, ignore_errors=True)
        raise


def saved(work: Path) -> Saved | None:
    """What the checkpoint in a run folder knows; None if the run was stopped before its first one."""
    if not (work / checkpoint.FILE).exists():
        return None
    match checkpoint.read_figures(work / checkpoint.FILE).get("config"):
        case {"config": dict(config), "data": str(data)}:
            return Saved(config, data)
    raise RecurraError(f"the checkpoint in {work} is damaged; start again with --overwrite")


def resumed(config: dict[str, Any], given: ConfigT, work: Path) -> ConfigT:
    """The saved configuration with what was given anew.

    Raises:
        RecurraError: if something is given that a run cannot change on its way.
    """
    result = from_dict(type(given), config, str(work))
    for field in fields(given):  # type: ignore[arg-type]
        value = getattr(given, field.name)
        if value == field.default:
            continue
        if field.name in MAY_CHANGE:
            result = replace(result, **{field.name: value})  # type: ignore[type-var]
        elif value != getattr(result, field.name):
            option = field.name.replace("_", "-")
            raise RecurraError(
                f"the run in {work} has --{option} {getattr(result, field.name)}, which a resumed run cannot change; "
                "leave it out, or start anew with --overwrite"
            )
    return result


def keep(work: Path, folder: Path) -> None:
    """Copy what is worth keeping of a finished run into the new model folder."""
    for name in (PICTURE, HISTORY):
        shutil.copy(work / name, folder / name)
    (folder / FINISHED).mkdir()
    shutil.copy(work / checkpoint.FILE, folder / FINISHED / checkpoint.FILE)
    if (work / "tensorboard").is_dir():
        shutil.copytree(work / "tensorboard", folder / "tensorboard")
