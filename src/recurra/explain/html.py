"""What every page that the program writes needs; nothing here imports a network."""

from __future__ import annotations

import json
from typing import Any


def embed(values: Any) -> str:
    """JSON that stands inside a script element whatever its strings hold: ASCII, no markup characters, no NaN."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
