"""The n-grams of a text as rows of a table: hashed, so that there is no vocabulary and no unknown word.

The hash of an n-gram is FNV-1a in 64 bits (Fowler, Noll and Vo; RFC 9923) over its words in UTF-8 with the byte 0xFF,
which UTF-8 has not, between them; then MurmurHash3's finaliser (Appleby), since FNV leaves its upper bits poorly mixed
where inputs are short. The row is the upper `bits` of these 64. Nothing is random in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import IntArray
from recurra.data.tokenizer import Tokens
from recurra.kernels import jit

Bytes = NDArray[np.uint8]

SEPARATOR = 0xFF
"""The byte between the words of an n-gram."""

MIN_BITS, MAX_BITS = 10, 22
"""Tables that are chosen if no size is given: from a thousand to four million rows."""

_BASIS, _PRIME = 0xCBF29CE484222325, 0x100000001B3
_MIX_1, _MIX_2, _SHIFT = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53, 33
_BASIS_64, _PRIME_64, _MIX_1_64, _MIX_2_64, _SHIFT_64 = map(np.uint64, (_BASIS, _PRIME, _MIX_1, _MIX_2, _SHIFT))


@dataclass(frozen=True)
class Hasher:
    """Makes rows of n-grams.

    Attributes:
        longest: words of the longest n-gram.
        bits: the table has 2 to the power of this many rows.
    """

    longest: int = 3
    bits: int = MAX_BITS

    @property
    def size(self) -> int:
        """Rows of the table."""
        return 1 << self.bits

    def rows(self, words: Sequence[str]) -> IntArray:
        """The rows of a text's n-grams, each once and in order, `(n-grams,)`."""
        encoded = [word.encode("utf-8", "surrogatepass") for word in (*words, "")]
        return hashed(np.frombuffer(bytes((SEPARATOR,)).join(encoded), np.uint8), self.longest, self.bits)

    def narrowed(self, rows: Tokens, bits: int) -> Tokens:
        """What `rows` would be in a table of at most as many `bits`."""
        narrow = rows >> (self.bits - bits)
        return narrow[np.diff(narrow, prepend=-1) > 0]

    def row(self, ngram: Sequence[str]) -> int:
        """The row of one n-gram: the plain twin of the kernel that `rows` is made by."""
        code = _BASIS
        for byte in bytes((SEPARATOR,)).join(word.encode("utf-8", "surrogatepass") for word in ngram):
            code = (code ^ byte) * _PRIME % 2**64
        code = (code ^ (code >> _SHIFT)) * _MIX_1 % 2**64
        code = (code ^ (code >> _SHIFT)) * _MIX_2 % 2**64
        return (code ^ (code >> _SHIFT)) >> (64 - self.bits)

    def ngrams(self, words: Sequence[str]) -> Iterator[Sequence[str]]:
        """The n-grams of a text, from left to right, the shorter before the longer."""
        for begin in range(len(words)):
            for end in range(begin + 1, min(begin + self.longest, len(words)) + 1):
                yield words[begin:end]


@jit()
def hashed(text: Bytes, longest: int, bits: int) -> IntArray:
    """The rows of the n-grams of a text's words.

    Args:
        text: the words in UTF-8, a separator after each.
        longest: words of the longest n-gram.
        bits: of a row's number.

    Returns:
        Each row once, in order, `(n-grams,)`.
    """
    words = 0
    for byte in text:
        words += byte == SEPARATOR
    rows = np.empty(words * longest, np.int64)
    count = begin = 0
    while begin < text.shape[0]:
        code = _BASIS_64
        position = begin
        length = 0
        while position < text.shape[0] and length < longest:
            if text[position] == SEPARATOR:
                rows[count] = _row(code, bits)
                count += 1
                length += 1
                begin = position + 1 if length == 1 else begin
            code = (code ^ np.uint64(text[position])) * _PRIME_64
            position += 1
    return _distinct(np.sort(rows[:count]))


@jit()
def _row(code: np.uint64, bits: int) -> np.int64:
    """The row of an n-gram of which FNV-1a has made `code`."""
    code = (code ^ (code >> _SHIFT_64)) * _MIX_1_64
    code = (code ^ (code >> _SHIFT_64)) * _MIX_2_64
    return np.int64((code ^ (code >> _SHIFT_64)) >> np.uint64(64 - bits))


@jit()
def _distinct(rows: IntArray) -> IntArray:
    """Sorted numbers, each once; in their own memory."""
    count = 0
    for row in rows:
        if count == 0 or row != rows[count - 1]:
            rows[count] = row
            count += 1
    return rows[:count]


def suitable_bits(occupied: int) -> int:
    """A table with four rows for each distinct n-gram, if it is not too large; then one in nine is shared.

    Args:
        occupied: the rows of a table of `MAX_BITS` that texts have.
    """
    distinct = load(min(occupied, 2**MAX_BITS - 1), 2**MAX_BITS) * 2**MAX_BITS
    return min(max(math.ceil(math.log2(4 * distinct + 1)), MIN_BITS), MAX_BITS)


def occupation(occupied: int, bits: int) -> str:
    """What a person is told of a table of which so many rows are occupied."""
    size = 1 << bits
    return (
        f"n-grams: {occupied:,} of {size:,} rows are occupied, about {shared_share(occupied, size):.0%} of these by "
        f"several (`bits` {bits})"
    )


def shared_share(occupied: int, size: int) -> float:
    """The share of a table's occupied rows that several n-grams have, as it is to be expected of a hash."""
    if occupied in (0, size):
        return float(occupied > 0)
    mean = load(occupied, size)
    return 1 - mean * math.exp(-mean) / -math.expm1(-mean)


def load(occupied: int, size: int) -> float:
    """How many distinct n-grams there are for each row of a table of which so many rows are occupied, as is to be
    expected: the n-grams of a row are Poisson distributed, so that exp(-load) of the rows are empty.
    """
    return -math.log1p(-occupied / size)
