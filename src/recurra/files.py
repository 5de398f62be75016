"""Writing that is all or nothing: a crash or a full disk leaves the old file or folder, never half of the new one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from recurra.errors import OptionError, RecurraError, os_errors


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a file beside `path` (what it links to), flush it to the disk, then move it into place.

    Raises:
        RecurraError: if the disk is full or the place cannot be written; `path` is then as it was.
    """
    if path.name in ("", ".."):
        raise RecurraError(f"{path} is a folder, not a file; give the name of a file to write")
    with os_errors("writing", path):
        path = followed(path)
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise RecurraError(f"{path} is a device or a pipe, which a file cannot replace; give a file's name")
        temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            write(temporary)
            os.chmod(temporary, 0o666 & ~_umask())
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text_atomic(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, all or nothing."""
    write_atomic(path, lambda temporary: _write_text(temporary, text))


def _write_text(path: Path, text: str) -> None:
    # A file name that is not UTF-8 comes as lone surrogates; escaped like this they are JSON for the same.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def replace_folder(new: Path, target: Path) -> None:
    """Put the complete folder `new` in the place of `target`, which may exist.

    Between the two renames of an overwrite the old folder stands at `.<target>.old`; `recover_folder` puts it back
    should the machine stop exactly there.
    """
    with os_errors("writing", target):
        if not target.exists():
            new.rename(target)
            return
        old = _old(target)
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)


def recover_folder(target: Path) -> None:
    """Undo an overwrite that was cut off between its two renames."""
    with os_errors("reading", target):
        target = followed(target)
        if not target.exists() and _old(target).is_dir():
            _old(target).rename(target)


def require_writable_parent(path: Path) -> None:
    """Fail early, before any work is done, if nothing can be written at `path`."""
    with os_errors("writing", path):
        parent = followed(path).absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise RecurraError(f"writing {path} failed: no permission in {parent}; choose another place for `out`")


def require_suffix(path: Path, *suffixes: str) -> None:
    """Refuse a name that says another kind of file than will be written; `suffixes` are the right ones, `.png`.

    Raises:
        OptionError: if it does.
    """
    if path.suffix.lower() not in suffixes:
        raise OptionError(f"{path}: its name must end in {' or '.join(suffixes)}")


def lock(descriptor: int) -> None:
    """Lock an open file against all other processes that lock it, until it is closed or this process ends.

    Raises:
        OSError: if another process has it.
    """
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def followed(path: Path) -> Path:
    """What a link leads to; any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _old(target: Path) -> Path:
    # Hidden: `bard.old` may well be what somebody calls a model of their own.
    return target.with_name(f".{target.name}.old")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
