"""What a task says of how it is served: its models, and its endpoints as functions of a model and a request.

A task's `serving.py` holds one `Part`. An answer is a pure function: it takes the model and the fields of a request
and gives JSON values. It is called in the model's own thread, never twice at once for one model. One that takes long
is a generator instead: it gives `None`, or a part of the answer, as often as it can, and returns the whole at its end.
Between two of these other requests have their turn, and a client that went away is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recurra.devices import DeviceName
from recurra.serve.fields import Request

Json = Any
"""A JSON value."""

Pieces = Generator[Json, None, Json]
"""An answer made piece by piece: what is given on the way is a part of the answer, or None; at its end the whole."""

Models = Mapping[str, Any]
"""The models of a task that are served, by name."""


@dataclass(frozen=True)
class Text:
    """An answer that is not JSON.

    Attributes:
        content: what is sent.
        kind: its content type.
    """

    content: str
    kind: str = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Endpoint:
    """A path that requests can be posted to.

    Attributes:
        path: `/v1/completions`.
        summary: what it does, in a sentence.
        request: what can be asked.
        answer: answers it: takes the model and the request, gives JSON values, a `Text`, or `Pieces`.
        example: fields of a request that works, for /docs, without `model`; or makes them for a model.
        suits: whether a model can be asked this.
        choose: names the model that a request is for, where that is not in its field `model`.
        upload: the field of `request`, `bytes`, that holds a file: it comes as the whole body, with the other fields in
            the query; as a part of a form; or as base64 in JSON.
        upload_example: the name of a file for /docs.
        form: whether a form will do as well as JSON.
        streams: whether pieces are sent as they come (server-sent events) if the field `stream` is true.
    """

    path: str
    summary: str
    request: type[Request]
    answer: Callable[[Any, Any], Json | Pieces]
    example: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]] = field(default_factory=dict)
    suits: Callable[[Any], bool] = lambda model: True
    choose: Callable[[Models, Any], str | None] | None = None
    upload: str | None = None
    upload_example: str = ""
    form: bool = False
    streams: bool = False


@dataclass(frozen=True)
class Listing:
    """A path that tells something of a task's models.

    Attributes:
        path: `/languages`.
        summary: what it tells, in a sentence.
        answer: takes the models of the task by name and gives JSON values.
    """

    path: str
    summary: str
    answer: Callable[[Models], Json]


@dataclass(frozen=True)
class Part:
    """What a task says of how it is served.

    Attributes:
        load: reads a model folder.
        endpoints: what can be asked of a model.
        listings: what can be read of all.
        about: what /v1/models says of a model besides what it says of every model.
        page: the files of its panel of the page, each with the package it lies in: `panel.js`, and what that asks for.
    """

    load: Callable[[Path, DeviceName], Any]
    endpoints: Sequence[Endpoint]
    listings: Sequence[Listing] = ()
    about: Callable[[Any], dict[str, Json]] = lambda model: {}
    page: Sequence[tuple[str, str]] = ()
