"""Frozen dataclasses to JSON and back, strictly: an unknown, missing or ill-typed entry is refused by name."""

from __future__ import annotations

import dataclasses
import difflib
import json
import reprlib
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

from recurra.errors import OptionError, RecurraError, os_errors

T = TypeVar("T")


class Range(NamedTuple):
    """What an option's numbers must lie between, both ends included; stands in its annotation."""

    low: float
    high: float


class Derived:
    """Marks a field, in its annotation, that follows from the others: it is kept with them, but is no option."""


@dataclass(frozen=True)
class Options:
    """Options of a run or of a verb, in frozen fields whose docstrings are their help.

    A field that may be None is filled in by whoever uses it. Numbers are checked against the `Range` in a field's
    annotation, choices against its `Literal`.

    Raises:
        OptionError: if a value is not possible; the message names the field.
    """

    group: ClassVar[str] = "options"
    """What help lists them under."""

    may_be_none: ClassVar[frozenset[str]] = frozenset()
    """Fields that may be None in a configuration that is resolved."""

    def __post_init__(self) -> None:
        for name, hint in hints_of(type(self)).items():
            _check(name, getattr(self, name), hint)


def hints_of(cls: type) -> dict[str, Any]:
    """The annotations of a dataclass's fields, by name."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


@cache
def field_docstrings(cls: type) -> dict[str, str]:
    """The docstring of every field of a dataclass, wherever it is defined, as one line."""
    from docstring_parser import parse_from_object  # takes long, and only helps and /docs need it

    helps: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base):
            helps |= {
                item.arg_name: " ".join((item.description or "").split()) for item in parse_from_object(base).params
            }
    return helps


_KINDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "True or False",
    type(None): "None",
    tuple[str, ...]: "a list of texts",
    dict[str, Any]: "an object",
}
"""What types are called in messages."""


def _check(name: str, value: object, hint: Any) -> None:
    """Raise `OptionError` unless a field may have the value."""
    if typing.get_origin(hint) is typing.Annotated:
        hint, *extras = typing.get_args(hint)
        for extra in extras:
            if isinstance(extra, Range) and isinstance(value, int | float):
                check_range(name, value, extra.low, extra.high)
    for option in (hint, *typing.get_args(hint)):
        if typing.get_origin(option) is typing.Literal and value is not None and value not in typing.get_args(option):
            choices = ", ".join(map(str, typing.get_args(option)))
            raise OptionError(f"`{name}` is {reprlib.repr(value)}, but must be one of {choices}")
    if not _fits(value, hint):
        kinds = " or ".join(_KINDS.get(kind, str(kind)) for kind in _alternatives(hint))
        raise OptionError(f"`{name}` is {reprlib.repr(value)}, but must be {kinds}")


def _alternatives(hint: Any) -> tuple[Any, ...]:
    """The types any of which a value may be of."""
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def with_options(options: T, given: Mapping[str, Any]) -> T:
    """Options with some of their fields set anew.

    Raises:
        OptionError: if there is no field of that name, or its value is not possible.
    """
    known = [field.name for field in dataclasses.fields(options)]  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
            raise OptionError(f"there is no option `{name}`; {hint}")
    return dataclasses.replace(options, **given)  # type: ignore[type-var]


MAX_JSON_BYTES = 256 * 2**20
"""A JSON file larger than this is not read: neither vocabularies nor configurations are."""


def from_dict(cls: type[T], values: object, where: str) -> T:
    """Build the resolved dataclass `cls` from JSON values; `where` names their origin in errors.

    Raises:
        RecurraError: if `values` is not an object, or an entry is unknown, missing, ill-typed, out of range, or null
            where a resolved configuration has a value.
    """
    if not isinstance(values, dict):
        raise RecurraError(
            f"{where}: expected an object of options, found {type(values).__name__}; the file is damaged"
        )
    hints = hints_of(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            shown = reprlib.repr(name)
            raise RecurraError(f"{where}: unknown entry {shown}; it was made by another version or altered by hand")
    for name, field in fields.items():
        if name not in values:
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                raise RecurraError(f"{where}: entry {name!r} is missing; the file is damaged")
        elif not _fits(values[name], hints[name]) or (
            values[name] is None and issubclass(cls, Options) and name not in cls.may_be_none
        ):
            shown = reprlib.repr(values[name])
            raise RecurraError(f"{where}: entry {name!r} has the invalid value {shown}; the file is damaged")
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
    if origin is tuple:
        return isinstance(value, tuple | list)
    if origin is dict:
        return isinstance(value, dict)
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def fill_in(config: T, **defaults: Any) -> T:
    """The configuration with every field that is None set to its default here."""
    missing = {name: value for name, value in defaults.items() if getattr(config, name) is None}
    return dataclasses.replace(config, **missing)  # type: ignore[type-var]


def required(value: T | None, name: str) -> T:
    """A value that a resolved configuration has; `name` is its field.

    Raises:
        OptionError: if it is None.
    """
    if value is None:
        raise OptionError(f"`{name}` is not set; give it, or let a preset fill it in")
    return value


def check_range(name: str, value: float | None, low: float, high: float) -> None:
    """Raise `OptionError` unless `value` is None or `low <= value <= high`; `name` is the option's field."""
    if value is not None and not low <= value <= high:
        raise OptionError(f"`{name}` is {value}, but must be between {low:,} and {high:,}")


def read_json(path: Path) -> Any:
    """The JSON value of a file, refused in one sentence if it is missing, too large or not JSON."""
    with os_errors("reading", path):
        if path.stat().st_size > MAX_JSON_BYTES:
            raise RecurraError(f"{path} is larger than {MAX_JSON_BYTES} bytes; it is not a file this program wrote")
        data = path.read_bytes()
    try:
        return json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise RecurraError(
            f"{path} is not JSON ({error}); the file is damaged, copy or train the model again"
        ) from error


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def dump_json(value: Any) -> str:
    """JSON text as this program writes it: UTF-8 readable, indented, one final newline, no NaN."""
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
