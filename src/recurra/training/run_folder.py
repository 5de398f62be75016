"""The folder of a run while it trains, `OUT.training` beside the model folder `OUT` to come; how a run is resumed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from recurra import modelfile
from recurra.config import from_dict
from recurra.errors import OptionError, RecurraError, os_errors
from recurra.files import require_writable_parent, write_text_atomic
from recurra.modelfile import CONFIG, VOCABULARY, ModelFile
from recurra.training import checkpoint
from recurra.training.history import HISTORY, PICTURE
from recurra.training.trainer import Training

FINISHED = "training"
"""Where a finished model folder keeps the checkpoint to go on from."""

MAY_CHANGE = frozenset(
    (
        *("minutes", "steps", "learning_rate", "clip_norm", "patience"),
        *("device", "precision", "checkpoint_seconds", "tensorboard"),
    )
)
"""What a resumed run may be told anew."""

ConfigT = TypeVar("ConfigT", bound=Training)


class SavedRun(NamedTuple):
    """What is known of a run before it is gone on with.

    `config` is its resolved configuration as JSON values, `data` the digest of what it is trained on; `checkpoint` and
    `vocabulary` are files.
    """

    config: dict[str, Any]
    data: str
    checkpoint: Path
    vocabulary: Path


def of(out: Path) -> Path:
    """The run folder of a model folder."""
    return out.with_name(f"{out.name}.training")


@contextmanager
def opened(out: Path, resume: bool, overwrite: bool) -> Iterator[Path]:
    """The run folder for the time of a run; what was made for a run that is refused before it begins is removed again.

    Args:
        out: the model folder to come.
        resume: go on with what is there.
        overwrite: begin anew, whatever is there; the old model stays until the new one is finished.

    Raises:
        RecurraError: if something is in the way, or nothing can be written there.
    """
    _require_place(out, resume, overwrite)
    work = of(out)
    missing = [folder for folder in (work, *work.absolute().parents) if not folder.exists()]
    with os_errors("writing", out):
        work.mkdir(parents=True, exist_ok=True)
    try:
        require_writable_parent(out)
        yield work
    except RecurraError:
        if missing and not (work / checkpoint.FILE).exists():
            shutil.rmtree(missing[-1], ignore_errors=True)
        raise


def _require_place(out: Path, resume: bool, overwrite: bool) -> None:
    if out.name in ("", ".."):
        raise RecurraError(f"--out {out} has no name of its own; give the name of a folder to make")
    if resume and overwrite:
        raise OptionError("--resume goes on and --overwrite starts anew; give one of them")
    if out.exists() and not out.is_dir():
        raise RecurraError(f"{out} is a file; give --out the name of a folder to make")
    if out.is_dir() and not (out / CONFIG).exists() and any(out.iterdir()):
        raise RecurraError(f"{out} is a folder of something else, not a model; give --out another name")
    if not (resume or overwrite):
        if out.exists():
            raise RecurraError(f"{out} exists already; replace it with --overwrite, or go on training it with --resume")
        if of(out).exists():
            raise RecurraError(
                f"{of(out)} holds an unfinished run; go on with --resume, or start anew with --overwrite"
            )


def saved(out: Path) -> SavedRun | None:
    """The run to go on with: one that was stopped, or the finished one of the model folder; None without either."""
    indices = ((of(out), of(out) / VOCABULARY), (out / FINISHED, out / VOCABULARY))
    for folder, vocabulary in indices:
        path = folder / checkpoint.FILE
        if path.exists():
            match checkpoint.read_figures(path).get("config"):
                case {"config": dict(config), "data": str(data)}:
                    return SavedRun(config, data, path, vocabulary)
            raise RecurraError(f"the checkpoint {path} is damaged; start again with --overwrite")
    return None


def begin(work: Path, run: SavedRun | None, vocabulary: str) -> None:
    """Put the state of the run to go on with into the run folder, or clear it for a new one."""
    with os_errors("writing", work):
        if run is None:
            (work / checkpoint.FILE).unlink(missing_ok=True)
        elif run.checkpoint.parent != work:
            shutil.copy(run.checkpoint, work / checkpoint.FILE)
    write_text_atomic(work / VOCABULARY, vocabulary)


def resumed(run: SavedRun, given: ConfigT) -> ConfigT:
    """The saved configuration with what was given anew; steps that are given hold whatever the clock said before.

    Raises:
        RecurraError: if something is given that a run cannot change on its way.
    """
    result = from_dict(type(given), run.config, str(run.checkpoint))
    for field in fields(given):
        value = getattr(given, field.name)
        if value == field.default:
            continue
        if field.name in MAY_CHANGE:
            result = replace(result, **{field.name: value})
        elif value != getattr(result, field.name):
            option = field.name.replace("_", "-")
            raise RecurraError(
                f"this run has --{option} {getattr(result, field.name)}, which a resumed run cannot change; "
                "leave it out, or start anew with --overwrite"
            )
    if given.steps is not None and given.minutes is None:
        result = replace(result, minutes=None)
    return result


def finish(folder: Path, file: ModelFile, card: str, work: Path | None, *further: Callable[[Path], None]) -> None:
    """Write a model folder, all or nothing.

    Args:
        folder: where.
        file: what.
        card: the model card, Markdown.
        work: the folder of the run, of which what is worth keeping goes into the model folder; None without one.
        further: each puts a file of its own into the new folder.
    """

    def complete(new: Path) -> None:
        for put in further:
            put(new)
        if work:
            _keep(work, new)

    modelfile.save(folder, file, card, complete)
    if work:
        shutil.rmtree(work)


def _keep(work: Path, folder: Path) -> None:
    """Copy what is worth keeping of a finished run into the new model folder."""
    for name in (PICTURE, HISTORY):
        shutil.copy(work / name, folder / name)
    (folder / FINISHED).mkdir()
    shutil.copy(work / checkpoint.FILE, folder / FINISHED / checkpoint.FILE)
    if (work / "tensorboard").is_dir():
        shutil.copytree(work / "tensorboard", folder / "tensorboard")
