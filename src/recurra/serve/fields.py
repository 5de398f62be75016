"""The fields of a request: a frozen dataclass with documented fields, read from JSON, a form or a query.

A field's annotation says what it may be, see `recurra.config.Options`; its docstring is what /docs says of it.
"""

from __future__ import annotations

import difflib
import re
import reprlib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, TypeVar

from recurra.config import Options, hints_of
from recurra.errors import OptionError
from recurra.serve.errors import FieldError, RequestError

RequestT = TypeVar("RequestT", bound="Request")


@dataclass(frozen=True, kw_only=True)
class Request(Options):
    """What is asked of a model.

    Attributes:
        unsupported: fields that clients send and that are not supported, with the values that ask for nothing.
        ignored: fields that clients send and that change nothing.
        lenient: whether any other field is ignored too; else it is refused.
    """

    unsupported: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    ignored: ClassVar[frozenset[str]] = frozenset()
    lenient: ClassVar[bool] = False

    model: str | None = None
    """Name of the model; may be left out where only one of the task is served."""


def read_fields(kind: type[RequestT], values: Mapping[str, Any], *, typed: bool = True) -> RequestT:
    """The request that some values make; a field that is null counts as not given.

    Args:
        kind: what is asked for.
        values: field names to JSON values.
        typed: whether numbers are numbers; those of a form or a query are text.

    Raises:
        FieldError: if a field is missing, is not known, or has a value that it cannot have.
    """
    hints = hints_of(kind)
    given = {}
    for name, value in values.items():
        if name in hints:
            if value is not None:
                given[name] = _converted(name, value, hints[name], typed)
        else:
            _require_harmless(kind, name, value)
    for field in fields(kind):
        if field.name not in given and field.default is MISSING:
            raise FieldError(field.name, f"`{field.name}` is missing; give it", "missing_field")
    try:
        return kind(**given)
    except OptionError as error:
        named = re.search(r"`(\w+)`", str(error))
        raise FieldError(named[1] if named else "", str(error)) from error


def _require_harmless(kind: type[Request], name: str, value: Any) -> None:
    """Refuse a field that is not known or not supported, unless it changes nothing."""
    if name in kind.ignored or value is None:
        return
    if name in kind.unsupported:
        if value in kind.unsupported[name]:
            return
        raise FieldError(name, f"`{name}` is not supported; leave it out", "unsupported_field")
    if kind.lenient:
        return
    known = list(hints_of(kind))
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"
    raise FieldError(name[:100], f"there is no field {reprlib.repr(name)}; {hint}", "unknown_field")


def _converted(name: str, value: Any, hint: Any, typed: bool) -> Any:
    """A value as its field takes it: lists as tuples, text of a form as the number it stands for."""
    kinds = kinds_of(hint)
    if isinstance(value, list) and tuple in kinds:
        if not all(isinstance(item, str) for item in value):
            raise FieldError(name, f"`{name}` is a list of other things than text; give text")
        value = tuple(value)
    elif isinstance(value, str) and tuple in kinds and str not in kinds:
        value = (value,)
    elif isinstance(value, str) and not typed:
        value = _of_text(name, value, kinds)
    for text in texts_in(value):
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise FieldError(name, f"`{name}` holds half a character (a lone surrogate); send whole ones")
    return value


def _of_text(name: str, text: str, kinds: frozenset[Any]) -> Any:
    """What text of a form or a query stands for."""
    if str in kinds:
        return text
    if bool in kinds and text.lower() in ("true", "1", "false", "0"):
        return text.lower() in ("true", "1")
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                continue
    raise FieldError(name, f"`{name}` is {reprlib.repr(text)}, which it cannot be; /docs says what it may be")


def kinds_of(hint: Any) -> frozenset[Any]:
    """The types that an annotation allows; a choice among texts is text."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return kinds_of(typing.get_args(hint)[0])
    if origin in (typing.Union, types.UnionType):
        return frozenset().union(*map(kinds_of, typing.get_args(hint)))
    if origin is typing.Literal:
        return frozenset(map(type, typing.get_args(hint)))
    return frozenset([origin or hint])


def texts_in(value: Any) -> Iterator[str]:
    """The texts in the value of a field."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        yield from value


def require_length(request: Request, most: int, but: str | None = None) -> None:
    """Refuse a request with too much text.

    Args:
        request: what is asked.
        most: characters of all its fields together.
        but: a field that is not counted.

    Raises:
        RequestError: if there is more.
    """
    for field in fields(request):
        if field.name != but:
            most -= sum(map(len, texts_in(getattr(request, field.name))))
            if most < 0:
                raise RequestError("the text is too long; send it in parts", 413, "text_too_long", field.name)
