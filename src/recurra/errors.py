"""What goes wrong for a user, and how a run ends: every message names what, where and what to do.

An option in a message stands in backticks under its Python name, `hidden_size`; the command line shows it as it is
typed there, --hidden-size.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 400
"""Characters of a message that are shown, whatever was given."""


class RecurraError(Exception):
    """The input or the machine was at fault. The message is one sentence: what, where, what to do."""

    status = 1


class Interrupted(RecurraError):
    """A signal asked the run to stop; everything is saved and the message says how to go on.

    Args:
        message: one sentence for the user.
        signal_number: the signal that arrived; the exit status is 128 plus it (SIGINT: 130, SIGTERM: 143).
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number
        self.status = 128 + signal_number


class OptionError(RecurraError, ValueError):
    """An option has an impossible value; the message names it and what is possible."""

    status = 2


def with_typed_options(message: str) -> str:
    """A message with its options as they are typed on the command line."""
    return re.sub(r"`([a-z][a-z0-9_]*)`", lambda match: "--" + match.group(1).replace("_", "-"), message)


def as_typed(message: str) -> str:
    """A message as the command line shows it: options as they are typed, one line of bounded length."""
    return bounded(with_typed_options(message))


def bounded(message: str) -> str:
    """A message on one line of bounded length."""
    text = " ".join(message.splitlines())
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}"


NOT_NUMBERS = "the model's probabilities are not numbers; its weights are damaged, train it again"
"""Of a model that has NaN or infinity for an answer."""


_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EACCES: "no permission; choose another place or change its permissions",
    errno.EPERM: "not permitted; choose another place or change its permissions",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.ENOENT: "there is no such file or folder; check the name",
    errno.ENOTDIR: "a part of this path is a file, not a folder; check the name",
    errno.EISDIR: "this is a folder, not a file; check the name",
    errno.EEXIST: "a file of that name is in the way; choose another place",
    errno.EFBIG: "the file is too large for this place; choose another one",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


def explain_os_error(error: OSError, doing: str, path: Path | str) -> RecurraError:
    """One sentence for an `OSError` met while `doing` something (`"writing"`) to `path`."""
    remedy = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
    return RecurraError(f"{doing} {path} failed: {remedy}")


_TRAINING = ("accelerate", "torch")
"""The packages that an installation which only uses models may lack."""


_EXTRAS = {"PIL": "captions", "kaldi_native_fbank": "speech", "soundfile": "speech", "soxr": "speech"}
"""Packages that whole tasks need, and the extra that brings each."""


@contextmanager
def pytorch_needed(what: str) -> Iterator[None]:
    """Say in one sentence that an installation lacks PyTorch, or what a whole task needs; `what` needs it."""
    try:
        yield
    except ImportError as error:
        wrapped = error.__cause__  # cyclopts says of a module of commands only that it cannot be imported
        name = wrapped.name if isinstance(wrapped, ModuleNotFoundError) else error.name
        if name in _EXTRAS:
            raise RecurraError(
                f"{what} needs {name}, which is not installed here; pip install 'recurra[{_EXTRAS[name]}]'"
            ) from error
        if name not in _TRAINING:
            raise
        raise RecurraError(
            f"{what} needs {name}, which is not installed here; pip install {' '.join(_TRAINING)}, or use a "
            "model where they are"
        ) from error


@contextmanager
def os_errors(doing: str, path: Path | str) -> Iterator[None]:
    """Turn an `OSError` raised inside into one sentence about `path`."""
    try:
        yield
    except OSError as error:
        raise explain_os_error(error, doing, path) from error
