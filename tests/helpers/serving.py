"""A server in a thread, for tests: one of all tasks, and one of a task that does what tests want."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import httpx
import pytest
from vectoring import royal

from recurra.config import Range
from recurra.errors import RecurraError
from recurra.serve.app import make_app
from recurra.serve.contract import Endpoint, Part, Pieces, Text
from recurra.serve.fields import Request
from recurra.serve.limits import Address, Limits
from recurra.serve.server import base_of, listen, make_server
from recurra.serve.service import Served, Service
from recurra.tasks.shared.serving import open_service


@dataclass(frozen=True)
class Running:
    """A server that runs.

    Attributes:
        url: the beginning of its addresses.
        client: asks it.
        service: its models.
    """

    url: str
    client: httpx.Client
    service: Service

    def connect(self) -> socket.socket:
        """A connection, for what no client sends."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return socket.create_connection((host, int(port)), timeout=20)


@contextmanager
def running(service: Service, address: Address = Address(port=0)) -> Iterator[Running]:
    """Serve for the time of a `with` block."""
    with listen(address) as listening, service:
        url = base_of(listening)
        server = make_server(make_app(service, address, url), service.limits.max_body_seconds)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
                yield Running(url, client, service)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def royal_vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a few word vectors; not to be altered."""
    folder = tmp_path_factory.mktemp("royal") / "royal"
    royal().save(folder)
    return folder


@pytest.fixture(scope="session")
def served(
    trained_folder: Path,
    trained_music: Path,
    royal_vectors: Path,
    trained_sentiment: Path,
    trained_translation: Path,
    trained_captions: Path,
    trained_speech: Path,
) -> Iterator[Running]:
    """A server of a tiny model of each task."""
    folders = [
        *(trained_folder, trained_music, royal_vectors, trained_sentiment),
        *(trained_translation, trained_captions, trained_speech),
    ]
    with running(open_service(folders, "cpu", Limits())) as server:
        yield server


@dataclass
class Puppet:
    """A model that does what tests want.

    Attributes:
        go: work that waits goes on when it is set.
        steps: of all work that goes step by step.
        closed: set when such work has been given up or is done.
        active: calls that are under way; `most_active` of them were at once.
    """

    name: str = "puppet"
    go: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)
    steps: int = 0
    active: int = 0
    most_active: int = 0


@dataclass(frozen=True, kw_only=True)
class Echo(Request):
    """What is given back."""

    unsupported: ClassVar[Mapping[str, tuple[Any, ...]]] = {"penalty": (0,)}
    ignored: ClassVar[frozenset[str]] = frozenset({"user"})

    text: str
    """Any text."""
    texts: str | tuple[str, ...] = ()
    """Some texts."""
    list: tuple[str, ...] = ()
    """More texts."""
    number: Annotated[int, Range(0, 100)] = 1
    """A number."""
    share: Annotated[float | None, Range(0, 1)] = None
    """A share."""
    flag: bool = False
    """Yes or no."""


@dataclass(frozen=True, kw_only=True)
class Steps(Request):
    """Work in steps."""

    count: Annotated[int, Range(0, 10**9)] = 3
    """Steps."""
    size: Annotated[int, Range(0, 10**6)] = 1
    """Characters of a piece."""
    fail_after: int | None = None
    """Fail after so many."""
    stream: bool = False
    """Send pieces as they come."""


@dataclass(frozen=True, kw_only=True)
class File(Request):
    """A file."""

    file: bytes
    """Any bytes."""
    note: str = ""
    """Any text."""
    number: Annotated[int, Range(0, 100)] = 1
    """A number."""


def _echo(model: Puppet, request: Echo) -> Any:
    names = ("text", "texts", "list", "number", "share", "flag")
    return {"model": model.name} | {name: getattr(request, name) for name in names}


def _steps(model: Puppet, request: Steps) -> Pieces:
    try:
        for number in range(request.count):
            model.steps += 1
            if number == request.fail_after:
                raise RecurraError("that was one step too many; ask for fewer")
            time.sleep(0.001)
            yield {"step": number, "text": "x" * request.size}
        return {"steps": request.count}
    finally:
        model.closed.set()


def _wait(model: Puppet, request: Request) -> Any:
    model.active += 1
    model.most_active = max(model.most_active, model.active)
    model.steps += 1
    model.started.set()
    try:
        assert model.go.wait(20)
    finally:
        model.active -= 1
    return {"waited": True}


def _fail(error: Callable[[], Exception]) -> Callable[[Puppet, Request], Any]:
    def fail(model: Puppet, request: Request) -> Any:
        raise error()

    return fail


def _nan(model: Puppet, request: Request) -> Any:
    return {"value": float("nan")}


def _take(model: Puppet, request: File) -> Any:
    return {"size": len(request.file), "sum": sum(request.file), "note": request.note, "number": request.number}


PUPPETS = Part(
    load=lambda folder, device: Puppet(),
    endpoints=(
        Endpoint("/echo", "Gives back.", Echo, _echo, {"text": "a 'b' \"c\" <d> é"}),
        Endpoint("/form", "Gives back.", Echo, _echo, {"text": "a"}, form=True),
        Endpoint("/steps", "Works.", Steps, _steps, streams=True),
        Endpoint("/wait", "Waits.", Request, _wait),
        Endpoint(
            "/refuse", "Refuses.", Request, _fail(lambda: RecurraError("no:\nthis is not to be had; ask another"))
        ),
        Endpoint("/fault", "Fails.", Request, _fail(lambda: ValueError("unforeseen"))),
        Endpoint("/memory", "Fails.", Request, _fail(MemoryError)),
        Endpoint("/nan", "Fails.", Request, _nan),
        Endpoint("/text", "Gives text.", Request, lambda model, request: Text("naïve\n")),
        Endpoint("/suits", "Gives back.", Echo, _echo, {"text": "a"}, suits=lambda model: model.name == "two"),
        Endpoint("/choose", "Gives back.", Echo, _echo, {"text": "a"}, choose=lambda models, asked: asked.text),
        Endpoint("/file", "Takes a file.", File, _take, {"number": 3}, upload="file", upload_example="a file.bin"),
    ),
    about=lambda model: {"strings": 9},
)


def puppets(*names: str, limits: Limits = Limits(), tasks: Sequence[str] = ()) -> Service:
    """Puppets that can be served; `tasks` are theirs, if they are not all of one."""
    own = list(tasks) or ["puppets"] * len(names)
    models = [
        Served(name, task, Puppet(name), 17, {"made of": "wood"}, f"# {name}\n")
        for name, task in zip(names, own, strict=True)
    ]
    return Service(models, dict.fromkeys(own, PUPPETS), limits)


def until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def head(path: str, length: int, kind: str = "application/json") -> bytes:
    """The header of a request whose body says it has some length."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def received(connection: socket.socket) -> bytes:
    """The whole of an answer that says its length."""
    answer = b""
    while part := connection.recv(65536):
        answer += part
        head, blank, body = answer.partition(b"\r\n\r\n")
        length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b": 0")
        if blank and len(body) >= int(length.split(b":")[1]):
            break
    return answer


def error_of(response: httpx.Response, status: int, code: str) -> str:
    """The sentence of an error, which has the form that all have."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code, error
    assert error["type"] == ("invalid_request_error" if status < 500 else "server_error")
    message = str(error["message"])
    assert "\n" not in message
    assert len(message) < 450
    return message
