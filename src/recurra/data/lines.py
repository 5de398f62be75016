"""Lines as they come, from a file or from whoever types them, in groups that are worth working on together."""

from __future__ import annotations

import codecs
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

from recurra.data.text import encoding_of
from recurra.errors import RecurraError

MAX_LINE = 2**20
"""Bytes of a line; what is longer is not a line of text."""

READ_BYTES = 2**16
"""At most so many bytes are read at once."""

_LINE_FEED = re.compile(rb"\r?\n")
_CARRIAGE_RETURN = re.compile(rb"\r\n|\n|\r(?!\Z)")  # one at the end may be half of a line end

Read = Callable[[int], bytes | None]

Item = str | RecurraError | None
"""A line, what went wrong, or the end."""


def groups(stream: BinaryIO, most: int) -> Iterator[list[str]]:
    """Whatever lines there are, without waiting for more: one that is typed comes alone, a file in groups of `most`.

    Args:
        stream: UTF-8, or what its byte-order mark says, of which nothing has been read. Lines end in a line feed, with
            or without a carriage return before it; in carriage returns only where there is no line feed.
        most: largest group.

    Raises:
        RecurraError: if a line is too long or not text, or the stream fails; the lines before it come first.
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
        for line in _split(_in_utf_8(_arriving(read))):
            put(_checked(line).decode())
            number += 1
    except (OSError, ValueError) as error:
        put(RecurraError(f"line {number} cannot be read as UTF-8 text ({error}); give text in that encoding"))
    put(None)


def _arriving(read: Read) -> Iterator[bytes]:
    while (block := read(READ_BYTES)) != b"":
        if block is None:  # a stream that does not wait has nothing yet
            time.sleep(0.01)
        else:
            yield block


def _in_utf_8(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same without its byte-order mark, in UTF-8 whatever the mark says."""
    beginning = b""
    for block in blocks:
        beginning += block
        if beginning[0] not in b"\xef\xfe\xff\0" or len(beginning) >= len(codecs.BOM_UTF32):
            break
    codec = encoding_of(beginning, "utf-8")
    if codec in ("utf-8", "utf-8-sig"):  # what does not fit is found line by line
        yield beginning.removeprefix(codecs.BOM_UTF8)
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(codec)()
    yield decoder.decode(beginning).encode()
    for block in blocks:
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


def _split(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines without their ends."""
    rest = b""
    line_end = None  # not known before the first line feed, or before a line would be too long without one
    for block in blocks:
        rest += block
        if line_end is None and b"\n" in block:
            line_end = _LINE_FEED
        if line_end is None and b"\r" in rest and len(rest) > MAX_LINE:
            line_end = _CARRIAGE_RETURN
        if line_end:
            *lines, rest = line_end.split(rest)
            yield from lines
        _checked(rest)
    if line_end is _LINE_FEED:
        yield from [rest] if rest else []
    else:
        *lines, rest = rest.split(b"\r")
        yield from [*lines, rest] if rest else lines


def _checked(line: bytes) -> bytes:
    if len(line) > MAX_LINE:
        raise ValueError(f"it is longer than {MAX_LINE:,} bytes")
    return line
