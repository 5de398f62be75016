"""Commands out of functions and options: what the verbs of all tasks have in common.

A command is a function whose docstring says what its arguments are; each field of an options dataclass among them
becomes an option of its own, listed in help under the dataclass's group with the field's docstring.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Collection, Sequence
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import Group, Parameter

from recurra.config import Derived, Options, field_docstrings, hints_of
from recurra.errors import OptionError
from recurra.progress import note

Result = TypeVar("Result")

GROUPS = {
    name: Group(title, sort_key=rank)
    for rank, (name, title) in enumerate(
        {
            "run": "Run",
            "data": "Data",
            "training": "Training",
            "network": "Network",
            "composition": "Composition",
            "search": "Search",
            "sampling": "Sampling",
            "address": "Address",
            "limits": "Limits",
            "options": "Options",
        }.items()
    )
}
"""What help lists options under, in this order."""

Several = Parameter(consume_multiple=1, negative_iterable=())
"""An option that takes all the names after it, at least one."""


def command(function: Callable[..., Result]) -> Callable[..., Result]:
    """A function as a command: each field of its options dataclasses becomes an option.

    The dataclasses are parameters with defaults, whose values are the options' defaults.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    signature = inspect.signature(function)
    gathered: dict[str, type[Options]] = {}
    parameters = []
    for name, parameter in signature.parameters.items():
        hint = hints[name]
        if isinstance(hint, type) and issubclass(hint, Options):
            gathered[name] = hint
            parameters += _fields_of(hint, parameter.default)
        else:
            alone = parameter.kind == inspect.Parameter.KEYWORD_ONLY
            parameters.append(parameter.replace(annotation=_plain(hint, alone and _is_text(hint))))

    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Result:
        for name, kind in gathered.items():
            fields = [field.name for field in dataclasses.fields(kind)]
            named[name] = kind(**{field: named.pop(field) for field in fields if field in named})
        return function(*arguments, **named)

    # Positional parameters first, as the language wants it.
    parameters.sort(key=lambda parameter: parameter.kind)
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__
    return run


def _plain(hint: Any, dashes: bool) -> Any:
    return Annotated[hint, Parameter(group=GROUPS["run"], negative=(), allow_leading_hyphen=dashes)]


def _fields_of(kind: type[Options], default: Options) -> list[inspect.Parameter]:
    helps = field_docstrings(kind)  # type: ignore[arg-type] # mypy takes __hash__ of its instances for its own
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=getattr(default, name),
            annotation=Annotated[
                hint,
                Parameter(
                    help=helps[name],
                    group=GROUPS[_group_of(kind, name)],
                    negative=None if getattr(default, name) is not False and bool in _options(hint) else (),
                    allow_leading_hyphen=_is_text(hint),
                ),
            ],
        )
        for name, hint in hints_of(kind).items()
        if Derived not in typing.get_args(hint)
    ]


def _group_of(kind: type[Options], name: str) -> str:
    """The group of the class that first defines a field."""
    owner = next(cls for cls in reversed(kind.__mro__) if name in vars(cls).get("__annotations__", {}))
    return str(vars(owner).get("group", "options"))


def _is_text(hint: Any) -> bool:
    """Whether a value may begin with a dash: one text may; several texts end where the next option begins."""
    return str in _options(hint) and typing.get_origin(_bare(hint)) is not tuple


def _options(hint: Any) -> tuple[Any, ...]:
    """The types a hint allows, whatever stands beside them in an annotation."""
    return (_bare(hint), *typing.get_args(_bare(hint)))


def _bare(hint: Any) -> Any:
    """A hint without what stands beside it in an annotation."""
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint


def note_unknown(parts: Collection[str]) -> None:
    """Tell a person what the model has no token for."""
    if parts:
        listed = " ".join(part if part.isprintable() and part.strip() else repr(part) for part in islice(parts, 20))
        note(f"the model has never seen {listed}{' ...' if len(parts) > 20 else ''}; read as its unknown token")


def require_given(data: Sequence[str], what: str, swallowed: str | None = None) -> None:
    """Refuse a command that was given nothing to work on.

    Args:
        data: what was given.
        what: what may be named, for the message.
        swallowed: an option that was given and takes all the names after it.

    Raises:
        OptionError: if there is nothing.
    """
    if not data:
        before = f" before --{swallowed}, which takes all the names after it" if swallowed else ""
        raise OptionError(f"there is nothing to read; name {what}{before}")


def require_file_name(out: Path) -> None:
    """Refuse a folder where a file is to be written.

    Raises:
        OptionError: if `out` is one.
    """
    if out.is_dir():
        raise OptionError(f"`out` {out} is a folder; give the name of a file in it")
