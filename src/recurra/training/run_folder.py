"""The folder of a run while it trains, `OUT.training` beside the model folder `OUT` to come; how a run is resumed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from recurra import arrayfile, modelfolder
from recurra.config import Options, from_dict
from recurra.errors import OptionError, RecurraError, os_errors
from recurra.files import lock, require_writable_parent, write_text_atomic
from recurra.modelfolder import FINISHED, VOCABULARY
from recurra.training.history import PICTURE

CHECKPOINT = "checkpoint.safetensors"
"""The file that holds the state of a run."""

LOCK = "lock"
"""The file that is locked while a process trains in the folder."""

MAY_CHANGE = frozenset(
    (
        *("minutes", "steps", "epochs", "learning_rate", "clip_norm", "patience"),
        *("device", "threads", "precision", "checkpoint_seconds", "tensorboard"),
    )
)
"""What a resumed run may be told anew."""

ConfigT = TypeVar("ConfigT", bound=Options)


class SavedRun(NamedTuple):
    """What is known of a run before it is gone on with.

    `config` is its resolved configuration as JSON values, `data` the digest of what it is trained on, `begun_from` the
    name of the model whose weights it began with, None if there was none; `checkpoint` and `vocabulary` are files.
    """

    config: dict[str, Any]
    data: str
    begun_from: str | None
    checkpoint: Path
    vocabulary: Path


def of(out: Path) -> Path:
    """The run folder of a model folder."""
    return out.with_name(f"{out.name}.training")


@contextmanager
def opened(out: Path, resume: bool, overwrite: bool) -> Iterator[Path]:
    """The run folder for the time of a run, locked; what was made for a run that never began is removed again.

    Args:
        out: the model folder to come.
        resume: go on with what is there.
        overwrite: begin anew, whatever is there; the old model stays until the new one is finished.

    Raises:
        RecurraError: if something is in the way, another process trains there, there is nothing to go on with, or
            nothing can be written there.
    """
    _require_place(out, resume, overwrite)
    work = of(out)
    missing = [folder for folder in (work, *work.absolute().parents) if not folder.exists()]
    with os_errors("writing", out):
        work.mkdir(parents=True, exist_ok=True)
    try:
        require_writable_parent(out)
        with _locked(work, out):
            yield work
    except BaseException:
        if missing and not (work / CHECKPOINT).exists():
            shutil.rmtree(missing[-1], ignore_errors=True)
        raise


@contextmanager
def _locked(work: Path, out: Path) -> Iterator[None]:
    """Keep other processes out of a run folder; the lock ends with this process, however that ends."""
    path = work / LOCK
    with os_errors("writing", work):
        file = open(path, "a+b")  # noqa: SIM115 (closed below: what goes wrong in between is not about it)
    with file:
        try:
            lock(file.fileno())
            ours = os.path.samestat(os.fstat(file.fileno()), os.stat(path))  # not one that was just taken away
        except OSError:
            ours = False
        if not ours:
            raise RecurraError(f"another process is training {out}; wait until it has ended, or give another `out`")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _require_place(out: Path, resume: bool, overwrite: bool) -> None:
    modelfolder.require_place(out)
    if resume and overwrite:
        raise OptionError("`resume` goes on and `overwrite` starts anew; give one of them")
    if resume and saved(out) is None:
        raise RecurraError(
            f"there is no checkpoint of {out} to go on from; train it anew, with `overwrite` if it is there"
        )
    if not (resume or overwrite):
        if out.exists():
            raise RecurraError(f"{out} exists already; replace it with `overwrite`, or go on training it with `resume`")
        if (of(out) / CHECKPOINT).exists():
            raise RecurraError(
                f"{of(out)} holds an unfinished run; go on with `resume`, or start anew with `overwrite`"
            )


def saved(out: Path) -> SavedRun | None:
    """The run to go on with: one that was stopped, or the finished one of the model folder; None without either."""
    folders = ((of(out), of(out) / VOCABULARY), (out / FINISHED, out / VOCABULARY))
    for folder, vocabulary in folders:
        path = folder / CHECKPOINT
        if path.exists():
            match read_figures(path).get("config"):
                case {"config": dict(config), "data": str(data), "begun_from": str() | None as begun_from}:
                    return SavedRun(config, data, begun_from, path, vocabulary)
            raise RecurraError(f"the checkpoint {path} is damaged; start again with `overwrite`")
    return None


def read_figures(path: Path) -> dict[str, Any]:
    """Only the figures of a checkpoint file.

    Raises:
        RecurraError: if it is damaged.
    """
    try:
        return arrayfile.read_figures(path)
    except RecurraError as error:
        raise RecurraError(f"the checkpoint {path} is damaged; start again with `overwrite`") from error


def begin(work: Path, run: SavedRun | None, vocabulary: str) -> None:
    """Put the state of the run to go on with into the run folder, or clear it for a new one."""
    with os_errors("writing", work):
        if run is None:
            (work / CHECKPOINT).unlink(missing_ok=True)
        elif run.checkpoint.parent != work:
            shutil.copy(run.checkpoint, work / CHECKPOINT)
    write_text_atomic(work / VOCABULARY, vocabulary)


def resumed(run: SavedRun, given: ConfigT) -> ConfigT:
    """The saved configuration with what was given anew.

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
            raise RecurraError(
                f"this run has `{field.name}` {getattr(result, field.name)}, which a resumed run cannot change; "
                "leave it out, or start anew with `overwrite`"
            )
    return result


def require_same_data(run: SavedRun, digest: str, out: Path) -> None:
    """Refuse to go on with a run on other data.

    Args:
        run: the saved run.
        digest: of the data that are given.
        out: its model folder, for the message.

    Raises:
        RecurraError: if they are not those it began with.
    """
    if run.data != digest:
        raise RecurraError(f"the data are not those that the run of {out} began with; give the same")


def finish(save: Callable[[Callable[[Path], None]], None], work: Path | None, further: Callable[[Path], None]) -> None:
    """Write a model folder, all or nothing.

    Args:
        save: writes it, with what the function it is given puts into the new folder.
        work: the folder of the run, of which what is worth keeping goes into the model folder; None without one.
        further: puts files of its own into the new folder.
    """

    def complete(new: Path) -> None:
        further(new)
        if work:
            _keep(work, new)

    save(complete)
    if work:
        shutil.rmtree(work)


def _keep(work: Path, folder: Path) -> None:
    """Copy what is worth keeping of a finished run into the new model folder."""
    shutil.copy(work / PICTURE, folder / PICTURE)
    (folder / FINISHED).mkdir()
    shutil.copy(work / CHECKPOINT, folder / FINISHED / CHECKPOINT)
    if (work / "tensorboard").is_dir():
        shutil.copytree(work / "tensorboard", folder / "tensorboard")
