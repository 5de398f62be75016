"""Recurra trains recurrent sequence models on a person's own data and uses them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from recurra.lazy import attach
from recurra.tasks import TASKS

if TYPE_CHECKING:
    from recurra.devices import DeviceName
    from recurra.tasks import captions as captions
    from recurra.tasks import embeddings as embeddings
    from recurra.tasks import music as music
    from recurra.tasks import sentiment as sentiment
    from recurra.tasks import speech as speech
    from recurra.tasks import text as text
    from recurra.tasks import translation as translation

__version__ = "0.1.0"

# PyTorch's threads wait for each other by spinning, for so long that as soon as another program wants a core they are
# several times slower than one thread. A shorter spin costs next to nothing. It must be set before torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__all__ = ["captions", "embeddings", "load", "music", "sentiment", "speech", "text", "translation"]

_get, _names = attach("recurra.tasks", dict.fromkeys(TASKS, ""))


def __getattr__(name: str) -> Any:
    if name in TASKS:
        return _get(name)
    raise AttributeError(f"module 'recurra' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


@overload
def load(path: str | Path, device: DeviceName = ..., *, task: Literal["text"]) -> text.Model: ...


@overload
def load(path: str | Path, device: DeviceName = ..., *, task: Literal["music"]) -> music.Model: ...


@overload
def load(path: str | Path, device: DeviceName = ..., *, task: Literal["embeddings"]) -> embeddings.Model: ...


@overload
def load(path: str | Path, device: DeviceName = ..., *, task: Literal["sentiment"]) -> sentiment.Model: ...


@overload
def load(path: str | Path, device: DeviceName = ..., *, task: Literal["translation"]) -> translation.Model: ...


@overload
def load(path: str | Path, device: DeviceName = ..., *, task: Literal["captions"]) -> captions.Model: ...


@overload
def load(path: str | Path, device: DeviceName = ..., *, task: Literal["speech"]) -> speech.Model: ...


@overload
def load(
    path: str | Path, device: DeviceName = ...
) -> (
    text.Model | music.Model | embeddings.Model | sentiment.Model | translation.Model | captions.Model | speech.Model
): ...


def load(path: str | Path, device: DeviceName = "auto", *, task: str | None = None) -> Any:
    """Load a model folder, whichever task it is of.

    Args:
        path: the folder.
        device: where to put the weights and compute; auto takes a GPU if there is one.
        task: refuse a model of any other task.

    Raises:
        RecurraError: if the folder is not a model of this version, or anything about it is damaged.
    """
    from recurra import modelfolder
    from recurra.errors import RecurraError

    found = modelfolder.read_config(Path(path), task)["task"]
    if found not in TASKS:
        raise RecurraError(f"{path} is a {found} model, which this version does not know; update recurra")
    return _get(found).Model.load(path, device)
