"""Answers on their way to a client: JSON at once, or pieces as they come (server-sent events)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from typing import Any

from starlette.types import Receive, Send

from recurra.serve.contract import Json
from recurra.serve.errors import RequestError, error_values

LAST_EVENT = b"data: [DONE]\n\n"
"""Ends a stream, as OpenAI's clients expect it."""


def to_json(values: Json) -> bytes:
    """JSON text in UTF-8; NaN and infinity, which JSON has not, are a fault."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace")  # lone surrogates, of the name of a folder, are JSON like this


async def respond(
    send: Send, status: int, body: bytes, kind: str = "application/json", headers: dict[str, str] | None = None
) -> None:
    """Send a whole answer."""
    told = {"content-type": kind, "content-length": str(len(body)), "cache-control": "no-store"} | (headers or {})
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def respond_error(send: Send, error: RequestError) -> None:
    """Send an error."""
    await respond(send, error.http_status, to_json(error_values(error)), headers=error.headers)


class EventStream:
    """Events to a client, each sent at once; the header goes before the first.

    Args:
        send: to the client.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def events(self, events: Sequence[Json]) -> None:
        """Send some events."""
        await self._write(b"".join(b"data: " + to_json(values) + b"\n\n" for values in events))

    async def end(self) -> None:
        """Send the last event."""
        await self._write(LAST_EVENT)
        await self._send({"type": "http.response.body", "body": b""})

    async def _write(self, body: bytes) -> None:
        if not self.begun:
            self.begun = True
            headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": True})


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do some work until it is done or the client has gone away, which stops it.

    Args:
        receive: from the client, whose request has been read.
        work: what to do.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
