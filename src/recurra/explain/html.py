"""What every page that the program writes needs; nothing here imports a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


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
