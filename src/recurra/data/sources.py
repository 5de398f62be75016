"""What a person names as data: files, folders of them, or one sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from recurra.errors import RecurraError, os_errors

PREFIX = "sample:"

SAMPLES = {
    "text": {"pydocs": "recurra.data.samples:pydocs"},
    "music": {"chorales": "recurra.tasks.music.chorales:chorales"},
    "sample of labelled texts": {"moods": "recurra.tasks.sentiment.moods:moods"},
    "sample of pictures": {"shapes": "recurra.tasks.captions.shapes:shapes"},
    "sample of recordings": {"morse": "recurra.tasks.speech.morse:morse"},
    "sample of sentence pairs": {"dates": "recurra.tasks.translation.dates:dates"},
}
"""The samples of each kind of data by name, and the function that makes each, imported only when it is asked for."""


def several(data: Any) -> list[Any]:
    """What is given, as a list, whether it is one thing or a list or tuple of several."""
    return list(data) if isinstance(data, list | tuple) else [data]


def sample_named(names: Sequence[str], kind: str) -> Callable[[], Any] | None:
    """What makes the sample that is asked for; None if files are.

    Args:
        names: what was given.
        kind: of data, see `SAMPLES`.

    Raises:
        RecurraError: if there is no such sample.
    """
    if len(names) != 1 or not names[0].startswith(PREFIX):
        return None
    samples = SAMPLES[kind]
    home = samples.get(names[0].removeprefix(PREFIX))
    if home is None:
        known = ", ".join(PREFIX + name for name in samples)
        raise RecurraError(f"there is no {kind} called {names[0]}; the samples are: {known}")
    module, _, function = home.partition(":")
    make: Callable[[], Any] = getattr(import_module(module), function)
    return make


def find_files(names: Sequence[str], endings: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The files that are named, and those below folders whose names end as wanted, sorted; a sentence on all others.

    Raises:
        RecurraError: if something is missing or can be read only once, or a folder holds no such file.
    """
    found: list[Path] = []
    skipped: list[str] = []
    for name in names:
        if name.startswith(PREFIX):
            raise RecurraError(f"{name} cannot be mixed with files; give it alone")
        path = Path(name)
        with os_errors("reading", path):
            if path.is_file():
                found.append(path)
            elif not name or not path.exists():
                raise RecurraError(f"there is no file or folder {name!r}; check the name")
            elif path.is_dir():
                taken, others = _files_below(path, endings)
                found += taken
                if others:
                    skipped.append(f"{path}: {others} file(s) left out that are not {listed(endings)}")
            else:
                raise RecurraError(f"{path} is a pipe or a device, which can be read only once; copy it to a file")
    return found, skipped


def _files_below(folder: Path, endings: Sequence[str]) -> tuple[list[Path], int]:
    """The files wanted, and how many others there are."""
    inside = sorted(path for path in folder.rglob("*") if path.is_file())
    taken = [path for path in inside if path.name.lower().endswith(tuple(endings))]
    if not taken and (folder / "config.json").is_file():
        raise RecurraError(f"{folder} is the folder of a model, not data; name the files themselves")
    if not taken:
        raise RecurraError(f"the folder {folder} holds no {listed(endings)} file; name the files themselves")
    return taken, len(inside) - len(taken)


def listed(words: Sequence[str]) -> str:
    """The words as a person lists them: a, b or c."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def called(names: Sequence[str]) -> str:
    """What a person would call files and folders."""
    return Path(names[0]).absolute().name + (f" and {len(names) - 1} more" if len(names) > 1 else "")
