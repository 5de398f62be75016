"""A packed model: one zip of what is needed to use a model folder, without its checkpoint and its training pieces."""

from __future__ import annotations

import io
import shutil
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from recurra.errors import RecurraError, os_errors
from recurra.files import replace_folder, require_suffix, require_writable_parent, write_atomic
from recurra.modelfolder import CARD, CONFIG, FINISHED, PIECES, VOCABULARY, WEIGHTS
from recurra.runtime import stored
from recurra.training.history import HISTORY, PICTURE

NEEDED = (CARD, CONFIG, PICTURE, HISTORY, WEIGHTS, VOCABULARY)
"""The files of a model folder that are packed, as far as they are there."""

MAX_RATIO = 300
"""An archive that unpacks to more than this many times its size is refused."""

_BLOCK = 2**20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_DAMAGED = (BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error)
"""What `zipfile` raises for a damaged archive, an encrypted one or one packed by a method it does not know."""


@dataclass(frozen=True)
class Sizes:
    """How large a model folder is, in bytes.

    Attributes:
        weights: the network.
        checkpoint: what `--resume` goes on from.
        training_pieces: the pieces a music model was trained on.
        all: every file of the folder.
    """

    weights: int
    checkpoint: int
    training_pieces: int
    all: int


def sizes(folder: Path) -> Sizes:
    """How large a model folder and its parts are."""
    return Sizes(*(_size(path) for path in (folder / WEIGHTS, folder / FINISHED, folder / PIECES, folder)))


def _size(path: Path) -> int:
    """The bytes of a file, or of all files below a folder; 0 if there is nothing."""
    with os_errors("reading", path):
        files = path.rglob("*") if path.is_dir() else (path,)
        return sum(file.stat().st_size for file in files if file.is_file())


def pack(folder: Path, out: Path, with_pieces: bool = False) -> dict[str, int]:
    """Write a model as one zip, all or nothing; the same model always gives the same archive.

    Args:
        folder: the model folder.
        out: the archive, .zip.
        with_pieces: keep the training pieces of a music model.

    Returns:
        What was left out: the bytes of each file or folder by name.

    Raises:
        RecurraError: if the folder is not a whole model, or writing fails; `out` is then as it was.
    """
    require_suffix(out, ".zip")
    stored.load(folder)
    if with_pieces and not (folder / PIECES).is_file():
        raise RecurraError(f"{folder} holds no training pieces; leave out `with_pieces`")
    wanted = (*NEEDED, PIECES) if with_pieces else NEEDED
    kept = sorted(name for name in wanted if (folder / name).is_file())
    require_writable_parent(out)
    write_atomic(out, lambda temporary: _write(folder, kept, temporary, out))
    with os_errors("reading", folder):
        return {path.name: _size(path) for path in sorted(folder.iterdir()) if path.name not in kept}


def _write(folder: Path, names: list[str], path: Path, out: Path) -> None:
    """Write files of a folder into an archive that depends on nothing but their names and contents.

    Args:
        folder: where they are.
        names: theirs.
        path: the archive to write.
        out: what it is called in messages.
    """
    with ZipFile(path, "w") as archive:
        for name in names:
            info = ZipInfo(name, _EPOCH)
            info.create_system = 3  # Unix, wherever it is written
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.compress_type = ZIP_STORED if name == WEIGHTS else ZIP_DEFLATED  # noise gains nothing
            with os_errors("reading", folder / name), open(folder / name, "rb") as source:
                info.file_size = (folder / name).stat().st_size  # decides whether 64-bit sizes are needed
                with os_errors("writing", out), archive.open(info, "w") as target:
                    shutil.copyfileobj(source, target, _BLOCK)


def unpack(archive: Path, folder: Path) -> None:
    """Make a model folder of a packed model, all or nothing.

    Args:
        archive: what `pack` wrote; it may come from anybody.
        folder: where; there must not be anything.

    Raises:
        RecurraError: if the archive is damaged, holds anything but the files of a model, unpacks to far more than its
            size, or the model in it is not whole; nothing is left behind.
    """
    with new_model(folder, str(archive)) as new:
        _extract(archive, new)


@contextmanager
def new_model(folder: Path, origin: str) -> Iterator[Path]:
    """A place for the files of a model that comes from elsewhere: it becomes the folder if they make a whole model.

    Args:
        folder: what to make; there must not be anything.
        origin: what the model is called in errors.

    Raises:
        RecurraError: if there is something, or the model is not whole; nothing is left behind.
    """
    with os_errors("writing", folder):
        if folder.exists() or folder.name in ("", ".."):
            raise RecurraError(f"{folder} exists already; give `out` the name of a folder to make")
    new = folder.with_name(f".{folder.name}.new")
    try:
        yield new
        try:
            stored.load(new)
        except RecurraError as error:  # say it of what people know, not of the folder being made
            raise RecurraError(str(error).replace(str(new), origin)) from error
        replace_folder(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    """Make a folder of the files of an archive."""
    try:
        with os_errors("reading", archive), _Bounded(archive) as file, ZipFile(file) as opened:
            members = _checked(opened, archive)
            require_writable_parent(folder)
            with os_errors("writing", folder):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                for member in members:
                    with opened.open(member) as source, open(folder / member.filename, "wb") as target:
                        shutil.copyfileobj(source, target, _BLOCK)
    except _DAMAGED as error:
        raise RecurraError(f"{archive} is damaged or not a zip file ({error}); copy it again") from error


class _Bounded(io.FileIO):
    """A file that is read in small parts only: `zipfile` would read a table of contents of any length."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most `size` bytes; no archive of a model asks for many at once."""
        if size is not None and size > _BLOCK:
            raise BadZipFile("its table of contents is too long")
        return super().read(-1 if size is None else size)


def _checked(opened: ZipFile, archive: Path) -> list[ZipInfo]:
    """The members of an archive, if they are plain files of a model, each once, and not too large."""
    members = opened.infolist()
    names = [member.filename for member in members]
    for member in members:
        kind = stat.S_IFMT(member.external_attr >> 16)
        if member.filename not in (*NEEDED, PIECES):
            raise RecurraError(
                f"{archive} holds {_short(member.filename)}, which is not a file of a model; pack the model again"
            )
        if kind not in (0, stat.S_IFREG) or names.count(member.filename) > 1:
            raise RecurraError(
                f"{archive} holds {member.filename} as a link or more than once; get it from somebody you trust"
            )
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise BadZipFile(f"{member.filename} is compressed by a method other than deflate")
    limit = MAX_RATIO * archive.stat().st_size
    if sum(member.file_size for member in members) > limit:
        raise RecurraError(f"{archive} would unpack to more than {MAX_RATIO} times its size; it is not a packed model")
    return members


def _short(name: str) -> str:
    return repr(name if len(name) <= 60 else f"{name[:60]}...")
