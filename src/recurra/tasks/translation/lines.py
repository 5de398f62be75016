"""Lines as they come, from a file or from whoever types them, in groups that are worth working on together."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

from recurra.errors import RecurraError

MAX_LINE = 2**20
"""Bytes of a line; what is longer is no line of text."""

BLOCK = 2**16
"""At most so many bytes are read at once."""

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")  # a carriage return at the end may be half of one
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"

Read = Callable[[int], bytes | None]

Item = str | RecurraError | None
"""A line, what went wrong, or the end."""


def groups(stream: BinaryIO, most: int) -> Iterator[list[str]]:
    """Whatever lines there are, without waiting for more: one that is typed comes alone, a file in groups of `most`.

    Args:
        stream: UTF-8, of which nothing has been read; ends of lines may be of any kind, a byte-order mark is left out.
        most: largest group.

    Raises:
        RecurraError: if a line is too long or no text, or the stream fails; the lines before it come first.
    """
    # Below the stream's buffer, if it has one: a thread that waits for input with the buffer's lock held makes Python
    # abort when the program ends before it.
    read = getattr(stream, "raw", stream).read
    arrived: queue.Queue[Item] = queue.Queue(maxsize=2 * most)
    threading.Thread(target=_read, args=(read, arrived.put), daemon=True).start()
    while True:
        group, last = _group(arrived, most)
        if group:
            yield group
        if isinstance(last, RecurraError):
            raise last
        if last is None:
            return


def _group(arrived: queue.Queue[Item], most: int) -> tuple[list[str], Item]:
    """The lines there are, at least one unless there is an end, and what came last."""
    group: list[str] = []
    item = arrived.get()
    while isinstance(item, str):
        group.append(item)
        if len(group) == most:
            return group, item
        try:
            item = arrived.get_nowait()
        except queue.Empty:
            return group, group[-1]
    return group, item


def _read(read: Read, put: Callable[[Item], None]) -> None:
    number = 1
    try:
        for line in _split(read):
            text = _checked(line).decode()
            put(text.removeprefix(_BYTE_ORDER_MARK) if number == 1 else text)
            number += 1
    except (OSError, ValueError) as error:
        put(RecurraError(f"line {number} cannot be read as UTF-8 text ({error}); give text in that encoding"))
    put(None)


def _split(read: Read) -> Iterator[bytes]:
    """Lines without their ends."""
    rest = b""
    while (block := read(BLOCK)) != b"":
        if block is None:  # a stream that does not wait has nothing yet
            time.sleep(0.01)
            continue
        *lines, rest = _LINE_END.split(rest + block)
        yield from lines
        _checked(rest)
    if rest:
        yield rest.removesuffix(b"\r")


def _checked(line: bytes) -> bytes:
    if len(line) > MAX_LINE:
        raise ValueError(f"it is longer than {MAX_LINE:,} bytes")
    return line
