"""Bodies of requests: read within limits of size and time, then taken apart, whatever they claim to be."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from recurra.serve.contract import Endpoint
from recurra.serve.errors import FieldError, RequestError
from recurra.serve.limits import Limits

MAX_DEPTH = 8
"""JSON of a request is not nested deeper."""

LARGE = 100_000
"""A body of more bytes is taken apart in another thread."""

MAX_ELEMENTS = 10_000
"""Nor has it more values; nor a form more parts."""

_STRUCTURE = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)

JSON_TYPE, FORM_TYPE, MULTIPART_TYPE = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"


@dataclass(frozen=True)
class Body:
    """What a request came with.

    Attributes:
        values: fields to values.
        typed: whether the values are JSON's; else all are text.
        file: what was uploaded; None if nothing was.
    """

    values: Mapping[str, Any]
    typed: bool = True
    file: bytes | None = None


async def read_body(request: Request, most: int, seconds: float, hold: Callable[[int], None]) -> bytes:
    """The body of a request, read no further than is allowed, whatever its header says of its length.

    Args:
        request: whose body is still to come.
        most: bytes that it may have.
        seconds: in which it must be there.
        hold: told of every part that is kept; refuses it if there is no room.

    Raises:
        RequestError: if it is larger, or slower.
        ClientDisconnect: if the client went away.
    """
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told[:20]) > most:
        raise _too_large(most)
    received = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                hold(len(chunk))
                received += chunk
                if len(received) > most:
                    raise _too_large(most)
    except TimeoutError:
        raise RequestError(
            f"the body did not come within {seconds:g} seconds; send it faster",
            408,
            "body_too_slow",
            headers={"Connection": "close"},
        ) from None
    return bytes(received)


def _too_large(most: int) -> RequestError:
    return RequestError(f"the body has more than {most:,} bytes; send less", 413, "body_too_large")


async def body_of(request: Request, endpoint: Endpoint, limits: Limits, hold: Callable[[int], None]) -> Body:
    """What a request came with, by its content type.

    Args:
        request: whose body is still to come.
        endpoint: where it goes.
        limits: of its size, and of the time in which it must be there.
        hold: see `read_body`.

    Raises:
        RequestError: if it is too large, too slow, or not what its type says.
    """
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    is_json = kind == JSON_TYPE or kind.endswith("+json")
    most = limits.max_body_bytes
    if endpoint.upload:  # in base64 it is a third longer
        most += limits.max_upload_bytes * 4 // 3 if is_json else limits.max_upload_bytes
    elif not (is_json or (endpoint.form and kind in (FORM_TYPE, MULTIPART_TYPE))):
        raise _wrong_type(kind, endpoint.form)
    body = await read_body(request, most, limits.max_body_seconds, hold)
    taken_apart = partial(_taken_apart, body, "json" if is_json else kind, parameters, request.url.query, endpoint)
    # What takes long is not done between the answers to others.
    found = await asyncio.to_thread(taken_apart) if len(body) > LARGE else taken_apart()
    if found.file is not None and len(found.file) > limits.max_upload_bytes:
        raise _too_large(limits.max_upload_bytes)
    return found


def _taken_apart(body: bytes, kind: str, parameters: str, query: str, endpoint: Endpoint) -> Body:
    if kind == "json":
        return _with_file(Body(json_object(body)), endpoint.upload)
    if kind == MULTIPART_TYPE:
        values, file = multipart(body, parameters, endpoint.upload)
        return Body(values, typed=False, file=file)
    if not endpoint.upload:
        return Body(form(body), typed=False)
    return Body(_pairs(query), typed=False, file=body)


def _wrong_type(kind: str, form: bool) -> RequestError:
    wanted = f"{JSON_TYPE} or {FORM_TYPE}" if form else JSON_TYPE
    return RequestError(
        f"the content type is {kind[:80] or 'not given'}; send {wanted}",
        415,
        "unsupported_media_type",
    )


def json_object(body: bytes) -> dict[str, Any]:
    """The object that JSON text in UTF-8 is.

    Raises:
        RequestError: if it is something else, nested deeply, or has a name twice or what is no JSON number.
    """
    _require_flat(body)
    try:
        text = body.decode("utf-8-sig")
        values = json.loads(text, parse_constant=_no_number, object_pairs_hook=_distinct)
    except UnicodeDecodeError as error:
        raise _no_json(f"it is not UTF-8, first at byte {error.start:,}") from error
    except (ValueError, RecursionError) as error:
        raise _no_json(str(error)[:200]) from error
    if not isinstance(values, dict):
        raise _no_json("it is no object; put the fields in braces")
    return values


def _require_flat(body: bytes) -> None:
    """Refuse JSON that would take a multiple of its size in memory, before it is read."""
    depth = deepest = elements = 0
    for match in _STRUCTURE.finditer(body):
        mark = body[match.start()]
        if mark in b"[{":
            depth += 1
            deepest = max(depth, deepest)
        elif mark in b"]}":
            depth -= 1
        elements += mark != ord('"')
        if deepest > MAX_DEPTH or elements > MAX_ELEMENTS:
            raise _no_json(f"it is nested deeper than {MAX_DEPTH}, or has more than {MAX_ELEMENTS:,} values")


def _no_json(reason: str) -> RequestError:
    return RequestError(f"the body cannot be read as JSON: {reason}", 400, "invalid_json")


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{twice[:100]!r} stands there twice")
    return values


def _with_file(body: Body, upload: str | None) -> Body:
    """A body whose file is no longer base64."""
    if upload is None or not isinstance(text := body.values.get(upload), str):
        return body
    try:
        file = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FieldError(upload, f"`{upload}` is not base64; encode the file's bytes, with no line ends") from None
    return Body({name: value for name, value in body.values.items() if name != upload}, file=file)


def form(body: bytes) -> dict[str, Any]:
    """The fields of a form; one that comes several times is a list.

    Raises:
        RequestError: if it cannot be read.
    """
    try:
        return _pairs(body.decode("ascii"))
    except UnicodeDecodeError:
        raise _no_form("it is not percent-encoded") from None


def _pairs(text: str) -> dict[str, Any]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=MAX_ELEMENTS)
    except ValueError as error:
        raise _no_form(str(error)[:200]) from error
    return _gathered(pairs)


def _gathered(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name not in values:
            values[name] = value
        elif isinstance(values[name], list):
            values[name].append(value)
        else:
            values[name] = [values[name], value]
    return values


def _no_form(reason: str) -> RequestError:
    return RequestError(f"the form cannot be read: {reason}", 400, "invalid_form")


def multipart(body: bytes, parameters: str, upload: str | None) -> tuple[dict[str, Any], bytes | None]:
    """The fields of a form in parts (RFC 7578), and the file in it.

    Args:
        body: the form.
        parameters: of its content type, with the boundary.
        upload: the name of the field that is a file, or None; a part called `file` is taken for it too.

    Raises:
        RequestError: if it cannot be read.
    """
    found = re.search(r'boundary=(?:"([^"]{1,200})"|([^;\s]{1,200}))', parameters)
    if not found:
        raise _no_form("its content type names no boundary")
    mark = b"--" + (found[1] or found[2]).encode("latin-1", "replace")
    parts = (b"\r\n" + body).split(b"\r\n" + mark, MAX_ELEMENTS)
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        raise _no_form("it is cut off, or its boundary is another")
    pairs: list[tuple[str, str]] = []
    file = None
    for part in parts[1:-1]:
        head, blank, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'[;\s]name=(?:"([^"]*)"|([^;\s"]+))', head)
        if not (blank and name):
            raise _no_form("a part has no name")
        called = (name[1] or name[2] or b"").decode("utf-8", "replace").removesuffix("[]")
        if upload and called in (upload, "file"):
            file = content
            continue
        try:
            pairs.append((called, content.decode("utf-8")))
        except UnicodeDecodeError:
            raise FieldError(called[:100], f"`{called[:100]}` is not UTF-8; send text") from None
    return _gathered(pairs), file
