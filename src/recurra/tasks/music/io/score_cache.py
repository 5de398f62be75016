"""What scores were read as, on disk, so that one that was read before costs next to nothing.

The cache is a folder; each entry is what one score was read as, see `piece_files`. Its name is a digest of the score's
content and name, how it is read, and the reader itself: neither the score's folder nor its date matters, and whatever
changes in the reader, in music21 or in symusic makes other entries. An entry that is damaged is made again. MIDI files
and piano rolls are not kept: a MIDI file takes 1.6 thousandths of a second to read, its entry would take 1.0.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from recurra.errors import RecurraError, os_errors
from recurra.tasks.music.io.piece_files import read_pieces, write_pieces
from recurra.tasks.music.pieces import Piece

VARIABLE = "RECURRA_CACHE"
"""The environment variable that names another folder, or is `OFF`."""

OFF = "off"


def cache_folder() -> Path | None:
    """Where scores are kept: what `RECURRA_CACHE` says, else in the user's folder for caches; None if switched off."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen:
        return None if chosen == OFF else Path(chosen, "scores")
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        home = os.path.expanduser("~/Library/Caches")
    else:
        home = os.environ.get("XDG_CACHE_HOME", "")  # which the standard ignores if it is no absolute path
        home = home if os.path.isabs(home) else os.path.expanduser("~/.cache")
    return Path(home, "recurra", "scores") if os.path.isabs(home) else None


def entry_name(path: Path, expand: bool, charset: str) -> str:
    """The name of the entry of a score.

    Args:
        path: the score.
        expand: see `scores.read_score`.
        charset: likewise.

    Raises:
        RecurraError: if it cannot be read.
    """
    with os_errors("reading", path), open(path, "rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    key = [_reader(), path.name, expand, charset, content]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest() + ".safetensors"


def load(entry: Path) -> tuple[Piece, ...] | None:
    """The pieces of an entry; None if there is none, or it is damaged."""
    try:
        return read_pieces(entry) if entry.is_file() else None
    except (OSError, RecurraError):
        return None


def store(entry: Path, pieces: tuple[Piece, ...]) -> bool:
    """Make an entry; false if pieces or disk do not allow it."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        write_pieces(entry, pieces)
    except (OSError, RecurraError):
        return False
    return True


@cache
def _reader() -> str:
    """A digest of all that reads scores."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted([*here.glob("*.py"), *here.parent.glob("*.py")]):
        digest.update(path.read_bytes())
    for package in ("recurra", "music21", "symusic"):
        try:
            digest.update(version(package).encode())
        except PackageNotFoundError:
            digest.update(b"?")
    return digest.hexdigest()
