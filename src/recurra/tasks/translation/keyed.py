"""Texts of programs as web projects have them: a JSON file for each language, in which each text has a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recurra.data.tables import Row, ending, read_whole

MIN_SHARED = 0.5
"""Of the keys of the smaller file; with fewer in common two files are tables of their own."""


def rows_by_key(first: Path, second: Path, encoding: str) -> tuple[list[Row], list[str]] | None:
    """The texts of two files that have the same key, and sentences on those that stand in one file only.

    None if the files are anything else than two objects whose texts have mostly the same keys.
    """
    if ending(first) != ".json" or ending(second) != ".json":
        return None
    sources, targets = (dict(_leaves(_document(path, encoding))) for path in (first, second))
    shared = [key for key in sources if key in targets]
    if not shared or len(shared) < MIN_SHARED * min(len(sources), len(targets)):
        return None
    told = [
        f"{path}: {len(keys):,} key(s) that {other} does not have, such as {keys[0][:60]!r}"
        for path, other, keys in (
            (first, second, [key for key in sources if key not in targets]),
            (second, first, [key for key in targets if key not in sources]),
        )
        if keys
    ]
    return [(number, [sources[key], targets[key]]) for number, key in enumerate(shared, 1)], told


def _document(path: Path, encoding: str) -> Any:
    """What a file holds; nothing if it is not one JSON document, which is told where it is read as a table."""
    try:
        return json.loads(read_whole(path, encoding))
    except (ValueError, RecursionError):
        return None


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """The texts in nested objects, by their keys with dots. Arrays hold records, not texts with keys."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else name)
