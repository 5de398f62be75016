"""Lines as they come, from a file or from whoever types them, in groups that are worth working on together."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

from recurra.errors import RecurraError

MAX_LINE = 2**20
"""Bytes of a line; what is longer is no line of text."""


def groups(stream: BinaryIO, most: int, encoding: str = "utf-8") -> Iterator[list[str]]:
    """Whatever lines there are, without waiting for more: one that is typed comes alone, a file in groups of `most`.

    Args:
        stream: ends of lines may be of any kind; a byte-order mark is left out.
        most: largest group.
        encoding: how the bytes encode text.

    Raises:
        RecurraError: if a line is too long or no text in the encoding; the lines before it come first.
    """
    arrived: queue.Queue[str | RecurraError | None] = queue.Queue(maxsize=2 * most)
    threading.Thread(target=_read, args=(stream, encoding, arrived.put), daemon=True).start()
    while True:
        group, last = _group(arrived, most)
        if group:
            yield group
        if isinstance(last, RecurraError):
            raise last
        if last is None:
            return


def _group(arrived: queue.Queue[str | RecurraError | None], most: int) -> tuple[list[str], str | RecurraError | None]:
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


def _read(stream: BinaryIO, encoding: str, put: Callable[[str | RecurraError | None], None]) -> None:
    number = 0
    try:
        for line in _split(stream):
            number += 1
            text = line.decode(encoding)
            put(text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}") if number == 1 else text)
    except (UnicodeDecodeError, LookupError, OSError, ValueError) as error:
        put(RecurraError(f"line {number} cannot be read as {encoding} text ({error}); give the text in that encoding"))
    put(None)


def _split(stream: BinaryIO) -> Iterator[bytes]:
    """Lines without their ends, of whatever system."""
    pending = b""
    while line := stream.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise ValueError(f"it is longer than {MAX_LINE:,} bytes")
        # What the stream takes for a line may hold several that end with a carriage return alone.
        *whole, pending = line.removesuffix(b"\n").removesuffix(b"\r").split(b"\r")
        yield from whole
        yield pending
