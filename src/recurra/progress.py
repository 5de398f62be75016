"""Progress bars and notes, on standard error; results go to standard output and are not printed here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from recurra.errors import with_typed_options

Item = TypeVar("Item")

console = Console(stderr=True, highlight=False, soft_wrap=True)


command_line: ContextVar[bool] = ContextVar("command_line", default=False)
"""Whether notes are for somebody who types commands: options in them are shown as they are typed."""

_silent: ContextVar[bool] = ContextVar("silent", default=False)


@contextmanager
def silence(on: bool = True) -> Iterator[None]:
    """No notes and no bars for the time of a `with` block, if `on`."""
    token = _silent.set(on or _silent.get())
    try:
        yield
    finally:
        _silent.reset(token)


def speaks() -> bool:
    """Whether this process talks to the person: the only one, or the first of those a launcher has started."""
    return not _silent.get() and os.environ.get("RANK", "0") == "0"


def note(message: str) -> None:
    """One line for the person at the terminal; options in backticks stand as they are typed there."""
    if speaks():
        console.print(with_typed_options(message) if command_line.get() else message, markup=False)


Report = Callable[[float], None]
"""Told the share of the work that is done."""


def unreported(share: float) -> None:
    """A report to nobody."""


class Bar(Protocol):
    """What long work reports to."""

    def update(self, done: float, text: str = "") -> None:
        """Show that the share `done` (0 to 1) of the work is finished, with a short text beside the bar."""


class _RichBar:
    def __init__(self, progress: Progress, description: str) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=1.0, text="")

    def update(self, done: float, text: str = "") -> None:
        self._progress.update(self._task, completed=min(done, 1.0), text=text)


class _Silent:
    def update(self, done: float, text: str = "") -> None:
        """Show nothing: standard error is not a terminal, or another process has the bar."""


@contextmanager
def bar(description: str) -> Iterator[Bar]:
    """A progress bar for the time of a `with` block; silent where standard error is not a terminal."""
    if not (speaks() and console.is_terminal):
        yield _Silent()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:3.0f}%"),
        TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield _RichBar(progress, description)


def in_groups(items: Sequence[Item], size: int, description: str) -> Iterator[Sequence[Item]]:
    """Items in groups of `size`, with a bar that says how many of them have been worked on."""
    with bar(description) as shown:
        for begin in range(0, len(items), size):
            group = items[begin : begin + size]
            yield group
            done = begin + len(group)
            shown.update(done / len(items), f"{done:,} of {len(items):,}")
