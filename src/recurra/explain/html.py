"""What every page that the program writes needs; nothing here imports a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from importlib import resources
from typing import Any


def page(package: str, name: str, title: str, parts: Mapping[str, str], data: Any) -> str:
    """A page as one file that holds all it needs.

    Args:
        package: where its parts are: its body `name.html`, its style `name.css`, and `name.js`, whose `show` is called
            with the document and the data.
        name: of these files.
        title: of the page.
        parts: what goes into the places of the body, markup.
        data: for its script, JSON values.
    """
    return fill(
        part("recurra.explain", "frame.html"),
        {
            "title": escape(title),
            "base": part("recurra.explain", "base.css"),
            "style": part(package, f"{name}.css"),
            "body": body(package, name, parts),
            "data": embed(data),
            "script": part(package, f"{name}.js"),
        },
    )


def body(package: str, name: str, parts: Mapping[str, str]) -> str:
    """The body of a page, markup; see `page`."""
    return fill(part(package, f"{name}.html"), parts)


def part(package: str, name: str) -> str:
    """A file that lies beside the modules of a package."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def embed(values: Any) -> str:
    """JSON that stands inside a script element whatever its strings hold: ASCII, no markup characters, no NaN."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def fill(template: str, parts: Mapping[str, str]) -> str:
    """The template with its parts in their places, `{{name}}`; what stands in a part is never taken for a place."""
    pieces = template.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        place, _, rest = piece.partition("}}")
        filled.append(parts[place] + rest)
    return "".join(filled)
