"""Frozen dataclasses to JSON and back, strictly: an unknown, missing or ill-typed entry is refused by name."""

from __future__ import annotations

import dataclasses
import json
import reprlib
import sys
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from recurra.errors import OptionError, RecurraError, os_errors

T = TypeVar("T")

AUTO: Any = None
"""The default of a field that a preset fills in from the data; a resolved configuration holds none of them."""

MAX_JSON_BYTES = 256 * 2**20
"""A JSON file larger than this is not read: no vocabulary or configuration is."""


def from_dict(cls: type[T], values: object, where: str) -> T:
    """Build the dataclass `cls` from JSON values; `where` names their origin in errors.

    Raises:
        RecurraError: if `values` is no object, or an entry is unknown, missing, ill-typed or out of range.
    """
    if not isinstance(values, dict):
        raise RecurraError(
            f"{where}: expected an object of options, found {type(values).__name__}; the file is damaged"
        )
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            shown = reprlib.repr(name)
            raise RecurraError(f"{where}: unknown entry {shown}; it was made by another version or altered by hand")
    for name, field in fields.items():
        if name not in values:
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                raise RecurraError(f"{where}: entry {name!r} is missing; the file is damaged")
        elif not _fits(values[name], hints[name]):
            shown = reprlib.repr(values[name])
            raise RecurraError(f"{where}: entry {name!r} has the unfit value {shown}; the file is damaged")
    try:
        return cls(**values)
    except OptionError as error:
        raise RecurraError(f"{where}: {error}; the file is damaged") from error


def _fits(value: object, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _fits(value, typing.get_args(hint)[0])
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in typing.get_args(hint))
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def fill_in(config: T, **defaults: Any) -> T:
    """The configuration with every field that was left to `AUTO` set to its default here."""
    missing = {name: value for name, value in defaults.items() if getattr(config, name) is None}
    return dataclasses.replace(config, **missing)  # type: ignore[type-var]


def check_range(name: str, value: float | None, low: float, high: float) -> None:
    """Raise `OptionError` unless `value` is None or `low <= value <= high`; `name` is the option's field."""
    if value is not None and not low <= value <= high:
        option = name.replace("_", "-")
        raise OptionError(f"--{option} is {value}, but must be between {low} and {high}")


def read_json(path: Path) -> Any:
    """The JSON value of a file, refused in one sentence if it is missing, too large or no JSON."""
    with os_errors("reading", path):
        if path.stat().st_size > MAX_JSON_BYTES:
            raise RecurraError(f"{path} is larger than {MAX_JSON_BYTES} bytes; it is not a file this program wrote")
        data = path.read_bytes()
    try:
        return json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise RecurraError(
            f"{path} is no JSON ({error}); the file is damaged, copy or train the model again"
        ) from error


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON's")


def dump_json(value: Any) -> str:
    """JSON text as this program writes it: UTF-8 readable, indented, one final newline, no NaN."""
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
