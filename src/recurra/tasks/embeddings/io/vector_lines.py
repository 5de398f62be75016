"""Lines of a word and its vector in digits, many at a time: what word2vec, fastText and GloVe write as text."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from recurra.arrays import FloatArray, IntArray
from recurra.errors import RecurraError

NUMBER = re.compile(rb"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE)
_SPACES = re.compile(rb"[ \t]+")

_NEWLINE = ord("\n")


class Lines(NamedTuple):
    """Lines of vectors.

    Attributes:
        words: as bytes.
        matrix: a row each, `(words, size)`.
        numbers: the lines they were read from, from 0, `(words,)`.
        total: lines in all.
    """

    words: list[bytes]
    matrix: FloatArray
    numbers: IntArray
    total: int


def read_lines(text: bytes, size: int) -> Lines:
    """The words and vectors of whole lines; a line of nothing but white space counts for nothing.

    Args:
        text: lines, each ending in a newline but perhaps the last.
        size: numbers on each line; the word is what stands before, with or without spaces.

    Raises:
        LineError: if a line is not such a line.
    """
    from recurra.tasks.embeddings.io.digits import ODD, parse  # Numba takes a while to import, which others are spared

    data = np.frombuffer(text, np.uint8)
    ends = np.append(np.flatnonzero(data == _NEWLINE), len(data))
    begins = np.append(0, ends[:-1] + 1)
    matrix = np.zeros((len(ends), size), np.float32)
    word_ends = np.zeros(len(ends), np.int64)
    parse(data, begins, ends, matrix, word_ends)
    words, kept = [], []
    for number, (begin, word_end) in enumerate(zip(begins.tolist(), word_ends.tolist(), strict=True)):
        if word_end == ODD:
            line = text[begin : ends[number]]
            if not line.strip():
                continue
            word, matrix[number] = read_line(line, size, number)
            words.append(word)
        else:
            words.append(text[begin:word_end])
        kept.append(number)
    return Lines(words, matrix[kept], np.array(kept, np.int64), len(ends) - text.endswith(b"\n"))


class LineError(RecurraError):
    """A line is at fault.

    Args:
        number: which, from 0, of those that were given.
        reason: what is wrong with it.
    """

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


def read_line(line: bytes, size: int, number: int = 0) -> tuple[bytes, FloatArray]:
    """The word and the vector of a line; the plain reference of `parse`, which also knows what is wrong with a line.

    Args:
        line: without its end.
        size: numbers that are expected.
        number: of the line, for errors.

    Raises:
        LineError: if it is not a word and so many numbers.
    """
    fields = _SPACES.split(line.rstrip(b" \t\r"))
    word, numbers = b" ".join(fields[:-size]).strip(b" "), fields[-size:]
    if len(fields) <= size or (len(fields) > size + 1 and NUMBER.fullmatch(fields[-size - 1])):
        raise LineError(number, f"it has {count_numbers(line):,} numbers after its word, not {size:,}")
    for field in numbers:
        if not NUMBER.fullmatch(field):
            raise LineError(number, f"{field[:40].decode('utf-8', 'replace')!r} is not a number")
    with np.errstate(over="ignore"):
        return word, np.array([float(field) for field in numbers]).astype(np.float32)


def count_numbers(line: bytes) -> int:
    """How many numbers a line ends in, its first field apart, which is a word even if it is a number."""
    fields = _SPACES.split(line.rstrip(b" \t\r"))[1:]
    count = 0
    while count < len(fields) and NUMBER.fullmatch(fields[-count - 1]):
        count += 1
    return count
