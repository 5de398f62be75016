"""A trained model for other programs: what is written is told by the ending of its name, and by the model's task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from recurra import modelfolder
from recurra.errors import OptionError, RecurraError
from recurra.files import require_suffix, require_writable_parent
from recurra.progress import note
from recurra.tasks import TASKS
from recurra.tasks.shared import archive
from recurra.tasks.shared.commands import require_file_name
from recurra.tasks.shared.output import readable_size

WRITERS = {".onnx": "to_onnx", ".html": "to_html"}
"""The module of a task that writes files of each ending; its function `write` takes a model folder, the file to write
and whether to round weights to eight bits, and gives the files it has written."""

ENDINGS = (*WRITERS, ".zip")

_PACKAGES = ("onnx", "onnxscript")
"""What the extra `export` brings."""


def export(folder: Path, out: Path, int8: bool = False) -> Sequence[Path]:
    """Write a model for other programs.

    Args:
        folder: the model folder.
        out: the file to write, which says what it is by its ending, one of `ENDINGS`.
        int8: round large weights to eight bits.

    Returns:
        The files written, of which the first is `out` unless the model takes several of this kind.

    Raises:
        OptionError: if the ending is another, or `out` is a folder.
        RecurraError: if the folder is not a whole model, models of its task have no such form, a package is missing,
            or writing fails; what stood at `out` is then as it was.
    """
    require_suffix(out, *ENDINGS)
    require_file_name(out)
    require_writable_parent(out)
    if out.suffix.lower() == ".zip":
        return _packed(folder, out, int8)
    task = modelfolder.read_config(folder)["task"]
    with _package_needed(out):
        return writer_of(task, out.suffix.lower())(folder, out, int8)


@contextmanager
def _package_needed(out: Path) -> Iterator[None]:
    """Say in one sentence that a package of the extra is missing, which writing `out` takes."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _PACKAGES:
            raise
        raise RecurraError(f"{out} needs one more package, {error.name}: pip install 'recurra[export]'") from error


def writer_of(task: str, ending: str) -> Callable[[Path, Path, bool], Sequence[Path]]:
    """What writes models of a task as files of an ending.

    Raises:
        RecurraError: if nothing does, or the task is not known.
    """
    if task not in TASKS:
        raise RecurraError(f"this version knows no task {task!r}, which the model is of; update recurra")
    module = f"recurra.tasks.{task}.{WRITERS[ending]}"
    if find_spec(module) is None:
        others = [other for other in ENDINGS if other != ending]
        raise RecurraError(
            f"{modelfolder.model_of(task)} cannot be written as {ending}; give `out` the ending {' or '.join(others)}"
        )
    write: Callable[[Path, Path, bool], Sequence[Path]] = import_module(module).write
    return write


def _packed(folder: Path, out: Path, int8: bool) -> Sequence[Path]:
    """The folder as a zip, without its checkpoint and its training pieces."""
    if int8:
        raise OptionError("`int8` is for .onnx and .html, a .zip holds the model as it is; leave it out")
    note_left_out(archive.pack(folder, out))
    return (out,)


def note_left_out(sizes: dict[str, int]) -> None:
    """Tell a person what was left out of an archive, and how many bytes each is."""
    for name, size in sizes.items():
        note(f"left out: {name}, {readable_size(size)}")
