"""/docs: what the server does, in plain words, with lines that can be copied."""

from __future__ import annotations

import json
import re
import shlex
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from recurra.config import Range, field_docstrings, hints_of
from recurra.serve.contract import Endpoint, Part
from recurra.serve.fields import Request, kinds_of

if TYPE_CHECKING:
    from recurra.serve.service import Served

WORDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list of texts",
    dict: "an object",
}
"""What types are called."""

INTRODUCTION = """
<p>This server runs models trained with Recurra. It asks no other host for anything. <a href="/">Its page</a> uses them
without any of what follows.</p>
<p>Requests and answers are JSON in UTF-8. <code>GET /v1/models</code> lists the models; <code>model</code> may be left
out where only one of its task is served. An error is <code>{"error": {"message", "type", "param", "code"}}</code>: what
is wrong and what to do, in one sentence. A field that is not known is refused.</p>
"""


def documentation(models: Collection[Served], parts: Mapping[str, Part], base: str) -> str:
    """The page, HTML.

    Args:
        models: those that are served.
        parts: of their tasks.
        base: the beginning of this server's addresses.
    """
    tasks = dict.fromkeys(served.task for served in models)
    body = "".join(_task(task, [each for each in models if each.task == task], parts[task], base) for task in tasks)
    listed = f"<h2>Models</h2>{_pre(f'curl {base}/v1/models')}"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Recurra: how to ask this server</title>'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="/assets/icon.svg">'
        '<link rel="stylesheet" href="/assets/docs.css">'
        f"<main><h1>How to ask this server</h1>{INTRODUCTION}{listed}{body}</main></html>"
    )


def _task(task: str, models: Sequence[Served], part: Part, base: str) -> str:
    """What can be asked of the models of a task; the examples are for the first that they suit."""
    asked = ""
    for endpoint in part.endpoints:
        suiting = [served for served in models if endpoint.suits(served.model)]
        if suiting:
            line = _pre(curl(endpoint, suiting[0], base))
            asked += f"<h3>POST {escape(endpoint.path)}</h3><p>{escape(endpoint.summary)}</p>{line}{_fields(endpoint)}"
    read = "".join(
        f"<h3>GET {escape(e.path)}</h3><p>{escape(e.summary)}</p>{_pre(f'curl {base}{e.path}')}" for e in part.listings
    )
    return f"<h2>{escape(task.capitalize())}</h2>{asked}{read}"


def curl(endpoint: Endpoint, served: Served, base: str) -> str:
    """A line that asks an endpoint something, for a shell."""
    example = endpoint.example(served.model) if callable(endpoint.example) else endpoint.example
    values = {"model": served.name} | dict(example)
    if endpoint.upload:
        address = shlex.quote(f"{base}{endpoint.path}?{urlencode(values, errors='surrogateescape')}")
        return f"curl --data-binary @{shlex.quote(endpoint.upload_example)} {address}"
    body = shlex.quote(json.dumps(values, ensure_ascii=False))
    return f"curl {base}{endpoint.path} -H 'Content-Type: application/json' -d {body}"


def _pre(line: str) -> str:
    return f"<pre><code>{escape(line, quote=False)}</code></pre>"


def _fields(endpoint: Endpoint) -> str:
    rows = "".join(
        f"<dt><code>{escape(name)}</code> {escape(what)}</dt><dd>{escape(said)}</dd>"
        for name, what, said in described(endpoint.request, endpoint.upload)
    )
    return f"<dl>{rows}</dl>"


def described(request: type[Request], upload: str | None = None) -> Iterator[tuple[str, str, str]]:
    """The fields of a request: name, what it may be, and what it does."""
    said = field_docstrings(request)  # type: ignore[arg-type] # mypy takes __hash__ of its instances for its own
    for field, hint in zip(fields(request), hints_of(request).values(), strict=True):
        what = "the file, or base64 in JSON" if field.name == upload else _kinds(hint)
        if field.default is MISSING:
            what += "; must be given"
        elif field.default not in (None, "", ()):
            what += f"; {json.dumps(field.default)} if not given"
        yield field.name, what, in_fields(said[field.name])


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def in_fields(said: str) -> str:
    """A help text with options as fields: `--beam-size` is `beam_size` here."""
    return re.sub(
        r"--([a-z][a-z-]*)", lambda found: found[1].replace("-", "_"), said.replace("\n", " ").replace("`", "")
    )


def _kinds(hint: Any) -> str:
    """What a value may be, in words."""
    between = ""
    if typing.get_origin(hint) is typing.Annotated:
        hint, *extras = typing.get_args(hint)
        between = "".join(f", {_number(e.low)} to {_number(e.high)}" for e in extras if isinstance(e, Range))
    for option in (hint, *typing.get_args(hint)):
        if typing.get_origin(option) is typing.Literal:
            return f"one of {', '.join(map(str, typing.get_args(option)))}"
    found = kinds_of(hint)
    return " or ".join(word for kind, word in WORDS.items() if kind in found) + between
