"""The folder of a trained model: `config.json`, the weights, `vocabulary.json` and a `README.md` card.

Nothing is unpickled and no name in a file is imported. Whatever is missing, truncated, altered or from another version
is refused in one sentence, before any of it is used. Nothing here needs PyTorch.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recurra.config import dump_json, read_json
from recurra.errors import RecurraError, os_errors
from recurra.files import followed, recover_folder, replace_folder, write_text_atomic

FORMAT_VERSION = 2
"""Raised whenever a folder written now could not be read by the last release."""

CONFIG, WEIGHTS, VOCABULARY, CARD = "config.json", "model.safetensors", "vocabulary.json", "README.md"

FINISHED = "training"
"""Where a finished model folder keeps the checkpoint to go on from."""

PIECES = "pieces.safetensors"
"""Where a music model keeps its training pieces; it may be taken out before the model is given away."""


def write(
    folder: Path,
    content: Mapping[str, Any],
    vocabulary: Any,
    card: str,
    write_weights: Callable[[Path], None],
    complete: Callable[[Path], None] | None = None,
) -> None:
    """Write a model folder, or replace the one that stands there, all or nothing.

    Args:
        folder: where.
        content: `task`, `config` and `record`, as JSON values.
        vocabulary: as JSON values.
        card: the model card, Markdown.
        write_weights: writes the file of the weights.
        complete: puts further files into the new folder before it takes its place.

    Raises:
        RecurraError: if something else than a model stands there, or writing fails; `folder` is then as it was.
    """
    require_place(folder)
    folder = followed(folder)
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        with os_errors("writing", folder):
            new.mkdir(parents=True)
            write_weights(new / WEIGHTS)
            write_text_atomic(new / VOCABULARY, dump_json(vocabulary))
            write_text_atomic(new / CARD, card)
            digests = {name: _sha256(new / name) for name in (WEIGHTS, VOCABULARY)}
            write_text_atomic(new / CONFIG, dump_json({"format_version": FORMAT_VERSION, **content, "sha256": digests}))
            if complete:
                complete(new)
            replace_folder(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def require_unaltered(folder: Path, config: Mapping[str, Any], *names: str) -> None:
    """Refuse files of a model folder that are not the ones that were saved.

    Args:
        folder: where.
        config: what `read_config` gave.
        names: of the files.

    Raises:
        RecurraError: if the SHA-256 of one is another, or it cannot be read.
    """
    for name in names:
        with os_errors("reading", folder / name):
            digest = _sha256(folder / name)
        if digest != config["sha256"].get(name):
            raise RecurraError(f"{folder / name} is not the file that was saved (truncated or altered); copy it again")


def require_place(folder: Path) -> None:
    """Refuse a place for a model folder where something else would be lost.

    Raises:
        RecurraError: if it has no name, or is a file or a folder of something else.
    """
    if folder.name in ("", ".."):
        raise RecurraError(f"`out` {folder} has no name of its own; give the name of a folder to make")
    with os_errors("reading", folder):
        if folder.exists() and not folder.is_dir():
            raise RecurraError(f"{folder} is a file; give `out` the name of a folder to make")
        if folder.is_dir() and not (folder / CONFIG).exists() and any(folder.iterdir()):
            raise RecurraError(f"{folder} is a folder of something else, not a model; give `out` another name")


def read_config(folder: Path, task: str | None = None) -> dict[str, Any]:
    """The `config.json` of a model folder: `task`, `config`, `record` and `sha256`, each of its type; see `load`."""
    recover_folder(folder)
    with os_errors("reading", folder):
        if not folder.is_dir():
            raise RecurraError(f"there is no model folder {folder}; check the name, or train one with `out` {folder}")
        if not (folder / CONFIG).exists():
            raise RecurraError(f"{folder} is not a trained model (it has no {CONFIG}); name the folder given to `out`")
    config = read_json(folder / CONFIG)
    version = config.get("format_version") if isinstance(config, dict) else None
    if type(version) is not int or version < 1:
        raise RecurraError(f"{folder / CONFIG} does not say its format; the file is damaged, copy the model again")
    if version > FORMAT_VERSION:
        raise RecurraError(
            f"{folder} was made by a newer version (format {version}, this one knows {FORMAT_VERSION}); update recurra"
        )
    if version < FORMAT_VERSION:
        raise RecurraError(
            f"{folder} was made by an older version (format {version}, this one reads {FORMAT_VERSION}); "
            "train it again on the same data"
        )
    expected = {"task": str, "config": dict, "record": dict, "sha256": dict}
    if any(not isinstance(config.get(name), kind) for name, kind in expected.items()):
        raise RecurraError(f"{folder / CONFIG} is incomplete; the file is damaged, copy the model again")
    if task is not None and config["task"] != task:
        raise RecurraError(f"{folder} is {model_of(config['task'])}, not {model_of(task)}; use it with that task")
    return dict(config)


def model_of(task: str) -> str:
    """A model of a task as a sentence calls it: a text model, an embeddings model."""
    return f"{'an' if task[:1] in tuple('aeiou') else 'a'} {task} model"


def tell(record: Mapping[str, Any], template: str) -> str:
    """A sentence with figures of a model's record, `{nats:.4f}`; the file it comes from may have been altered by hand.

    Raises:
        RecurraError: if they are not there, or are not figures.
    """
    try:
        return template.format_map(record)
    except (KeyError, TypeError, ValueError) as error:
        raise RecurraError(
            f"the model's record in {CONFIG} is damaged ({type(error).__name__}: {error}); copy the model again"
        ) from error


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
