"""How commands print: results to standard output, one JSON object if asked for."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object, with null for what JSON has no number for."""
    clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in value.items()}
    print(json.dumps(clean, ensure_ascii=False))


def print_table(value: Mapping[str, Any]) -> None:
    """A name and a value a line."""
    width = max((len(name) for name in value), default=0)
    for name, item in value.items():
        shown = f"{item:,.4f}" if isinstance(item, float) else f"{item:,}" if type(item) is int else str(item)
        print(f"{name:<{width}}  {shown}")


def stream(text: str) -> None:
    """Text at once, without waiting for a line end."""
    sys.stdout.write(text)
    sys.stdout.flush()
