"""The application: endpoints of the models of a service, the page and its help."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Mapping
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from recurra.errors import RecurraError
from recurra.serve.bodies import JSON_TYPE, Body, body_of
from recurra.serve.contract import Endpoint, Json, Listing, Part, Text
from recurra.serve.documentation import documentation
from recurra.serve.errors import FieldError, RequestError, as_request_error, error_values
from recurra.serve.fields import Request, read_fields, require_length
from recurra.serve.guard import Guard
from recurra.serve.limits import Address
from recurra.serve.service import Served, Service
from recurra.serve.streaming import EventStream, respond, respond_error, to_json, while_connected
from recurra.serve.work import Place, slices

TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
}
"""The kinds of files the page is made of, by their endings."""

PAGE = "page.html"
"""What is at /."""


class Asked:
    """An endpoint as an ASGI application.

    Args:
        service: the models.
        task: whose endpoint it is.
        endpoint: what it does.
    """

    def __init__(self, service: Service, task: str, endpoint: Endpoint) -> None:
        self.service = service
        self.task = task
        self.endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            with self.service.desk.place() as place:
                await self._answer(HttpRequest(scope, receive), send, place)
        except RequestError as error:
            await respond_error(send, error)
        except ClientDisconnect:
            return

    async def _answer(self, http: HttpRequest, send: Send, place: Place) -> None:
        body = await body_of(http, self.endpoint, self.service.limits, place.hold)
        request = self._request(body)
        served = self.service.chosen(self.task, self.endpoint, request)
        stream = EventStream(send) if self.endpoint.streams and getattr(request, "stream", False) else None
        await while_connected(http.receive, self._work(served, request, send, stream))

    def _request(self, body: Body) -> Request:
        values, upload = dict(body.values), self.endpoint.upload
        if upload:
            if body.file is None:
                raise FieldError(upload, f"`{upload}` is missing; send the file as the body", "missing_field")
            values[upload] = body.file
        request = read_fields(self.endpoint.request, values, typed=body.typed)
        require_length(request, self.service.limits.max_text_length, upload)
        return request

    async def _work(self, served: Served, request: Request, send: Send, stream: EventStream | None) -> None:
        """Have a request answered; what goes wrong while a stream is under way is its last event."""
        try:
            answer = await self._within_time(served, request, stream)
            content, kind = (b"", "") if stream else written(answer)
        except Exception as error:
            refusal = told_as_error(error)
            if not (stream and stream.begun):
                raise refusal from error
            await stream.events([error_values(refusal)])
        if stream:
            await stream.end()
        else:
            await respond(send, 200, content, kind)

    async def _within_time(self, served: Served, request: Request, stream: EventStream | None) -> Json:
        worker, answer = self.service.workers[served.name], None
        async with asyncio.timeout(self.service.limits.max_seconds):
            async for part in slices(worker, lambda: self.endpoint.answer(served.model, request)):
                if stream and part.pieces:
                    await stream.events(part.pieces)
                answer = part.answer
        return answer


def written(answer: Json | Text) -> tuple[bytes, str]:
    """An answer as it is sent, and its content type."""
    if isinstance(answer, Text):
        return answer.content.encode(), answer.kind
    return to_json(answer), JSON_TYPE


def told_as_error(error: Exception) -> RequestError:
    """What a client is told of an error; one that nobody foresaw is told to whoever runs the server too."""
    if isinstance(error, RecurraError):
        return as_request_error(error)
    if isinstance(error, TimeoutError):
        return RequestError("the answer took too long; ask for less", 503, "timeout", headers={"Retry-After": "1"})
    if isinstance(error, MemoryError):
        return RequestError("the memory is used up; ask for less", 503, "no_memory", headers={"Retry-After": "1"})
    traceback.print_exception(error, file=sys.stderr)
    return RequestError("the server has a fault; its terminal says which", 500, "fault")


class Told:
    """What is read and not asked, as an ASGI application."""

    def __init__(self, service: Service, task: str, listing: Listing) -> None:
        self.service = service
        self.task = task
        self.listing = listing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await respond(send, 200, to_json(self.listing.answer(self.service.of_task(self.task))))


class Models:
    """/v1/models: all, or one by its name."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        name = scope["path_params"].get("name")
        if name is None:
            told = [self.service.told(served) for served in self.service.models.values()]
            await respond(send, 200, to_json({"object": "list", "data": told}))
        elif name in self.service.models:
            await respond(send, 200, to_json(self.service.told(self.service.models[name])))
        else:
            error = RequestError(f"there is no model {name[:100]!r}; GET /v1/models lists them", 404, "model_not_found")
            await respond_error(send, error)


class File:
    """A file that does not change, as an ASGI application."""

    def __init__(self, content: bytes, kind: str) -> None:
        self.content = content
        self.kind = kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await respond(send, 200, self.content, self.kind)


def assets(parts: Mapping[str, Part]) -> dict[str, File]:
    """What the page is made of, by name: its own files, and in a folder for each task those of its panel."""
    found = {entry.name: entry for entry in (resources.files("recurra.serve") / "assets").iterdir()}
    found["base.css"] = resources.files("recurra.explain") / "base.css"
    for task, part in parts.items():
        found |= {f"{task}/{name}": resources.files(package) / name for package, name in part.page}
    return {
        name: File(entry.read_bytes(), TYPES[ending])
        for name, entry in found.items()
        if (ending := name.rpartition(".")[2]) in TYPES
    }


async def _refuse(request: HttpRequest, error: Exception) -> Any:
    """What Starlette refuses: a path or a method that is not there."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    path = request.url.path[:100]
    sentence = {
        404: f"there is nothing at {path!r}; /docs says what there is",
        405: f"{path} does not take {request.method[:20]}; it takes {(error.headers or {}).get('Allow', 'GET')}",
    }.get(error.status_code, str(error.detail))
    refusal = RequestError(sentence, error.status_code, code, headers=error.headers)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await respond_error(send, refusal)

    return answer


def make_app(service: Service, address: Address, base: str = "http://127.0.0.1:8000") -> ASGIApp:
    """The application of a service.

    Args:
        service: the models.
        address: where it listens, and under which names.
        base: the beginning of its addresses, for /docs.
    """
    files = assets(service.parts)
    help_page = documentation(service.models.values(), service.parts, base).encode(errors="replace")
    routes = [
        Route("/", files[PAGE], methods=["GET"]),
        Route("/docs", File(help_page, TYPES["html"]), methods=["GET"]),
        Route("/v1/models", Models(service), methods=["GET"]),
        Route("/v1/models/{name}", Models(service), methods=["GET"]),
        *(Route(f"/assets/{name}", file, methods=["GET"]) for name, file in files.items()),
    ]
    for task in dict.fromkeys(served.task for served in service.models.values()):
        part = service.parts[task]
        routes += [Route(e.path, Asked(service, task, e), methods=["POST"]) for e in part.endpoints]
        routes += [Route(e.path, Told(service, task, e), methods=["GET"]) for e in part.listings]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refuse})
    app.router.redirect_slashes = False
    return Guard(app, address.host, address.allowed_hosts)
