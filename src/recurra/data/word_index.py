"""Distinct words by number, in arrays, so that hundreds of thousands of them are there as soon as a file is mapped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np

from recurra.arrayfile import Arrays
from recurra.arrays import IntArray
from recurra.errors import RecurraError

LONGEST_LOOKED_FOR = 40
"""Letters of a word that near spellings are looked for, at most."""


class WordIndex(Sequence[str]):
    """Distinct words, the most frequent first; a word's index is its place among them.

    Args:
        text: all words in UTF-8, one after another, `(bytes,)`.
        offsets: where each begins, and where the last ends, `(words + 1,)`.
        order: the indices in the order of the words' bytes, `(words,)`.
    """

    def __init__(self, text: np.ndarray[Any, Any], offsets: IntArray, order: np.ndarray[Any, Any]) -> None:
        self.text = text
        self.offsets = offsets
        self.order = order

    @classmethod
    def of(cls, words: Sequence[str]) -> WordIndex:
        """The index of words that are distinct and not empty."""
        encoded = [word.encode("utf-8", "surrogatepass") for word in words]
        offsets = np.zeros(len(words) + 1, np.int64)
        np.cumsum([len(word) for word in encoded], out=offsets[1:])
        order = np.array(sorted(range(len(encoded)), key=encoded.__getitem__), np.int32)
        return cls(np.frombuffer(b"".join(encoded), np.uint8), offsets, order)

    def arrays(self) -> Arrays:
        """What it is made of, to be kept in a file."""
        return {"words": self.text, "word_offsets": self.offsets, "word_order": self.order}

    @classmethod
    def from_arrays(cls, arrays: Arrays, where: str) -> WordIndex:
        """The index that `arrays` described; `where` names the origin in errors."""
        try:
            text, offsets, order = (arrays[name] for name in ("words", "word_offsets", "word_order"))
        except KeyError as error:
            raise RecurraError(f"{where} holds no {error}; the file is damaged, copy the model again") from error
        kinds = (text.dtype, offsets.dtype, order.dtype) == (np.uint8, np.int64, np.int32)
        if not kinds or not (text.ndim == offsets.ndim == order.ndim == 1) or not _fit(len(text), offsets, order):
            raise RecurraError(f"{where}: its words do not fit together; the file is damaged, copy the model again")
        return cls(text, offsets, order)

    def __len__(self) -> int:
        return len(self.order)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._bytes(int(index) % len(self)).decode("utf-8", "replace")

    def __iter__(self) -> Iterator[str]:
        return (self[number] for number in range(len(self)))

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.find(word) is not None

    def find(self, word: str) -> int | None:
        """The index of a word, None if it is not among them."""
        wanted = word.encode("utf-8", "surrogatepass")
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._bytes(int(self.order[middle])) < wanted:
                low = middle + 1
            else:
                high = middle
        if low < len(self) and self._bytes(int(self.order[low])) == wanted:
            return int(self.order[low])
        return None

    def near(self, word: str, count: int = 3) -> list[str]:
        """Words that are spelled nearly like this one, the nearest first, and of these the most frequent first.

        They are at most two letters inserted, left out, replaced or swapped with the next away, one for a word of up to
        four letters (the restricted distance of Damerau 1964), and longer than that: two other letters are no spelling.
        """
        if not 1 < len(word) <= LONGEST_LOOKED_FOR:
            return []
        most = 1 if len(word) < 5 else 2
        try:
            letters = _letters(bytes(self.text).decode("utf-8", "surrogatepass"))
        except UnicodeDecodeError:  # a damaged file: no help with spelling
            return []
        begins = np.zeros(len(self.text) + 1, np.int64)
        np.cumsum((self.text & 0xC0) != 0x80, out=begins[1:])  # of bytes in letters: continuation bytes begin none
        starts = begins[self.offsets]
        lengths = np.diff(starts)
        candidates = np.flatnonzero((abs(lengths - len(word)) <= most) & (lengths > most))
        distances = _distances(_letters(word), letters, starts[candidates], lengths[candidates])
        chosen = np.argsort(distances, kind="stable")[:count]
        return [self[int(candidates[number])] for number in chosen if distances[number] <= most]

    @cached_property
    def by_word(self) -> dict[str, int]:
        """Every word's index, for whoever looks up many; it takes a moment to make."""
        return {word: index for index, word in enumerate(self)}

    def _bytes(self, index: int) -> bytes:
        return bytes(self.text[self.offsets[index] : self.offsets[index + 1]])


def _fit(size: int, offsets: IntArray, order: np.ndarray[Any, Any]) -> bool:
    """Whether offsets and order are of so many bytes, and of each other."""
    if len(offsets) != len(order) + 1 or (offsets[0], offsets[-1]) != (0, size) or bool((np.diff(offsets) < 0).any()):
        return False
    return not len(order) or bool(order.min() >= 0 and order.max() < len(order))


def _letters(text: str) -> np.ndarray[Any, Any]:
    """The code points of a text, `(letters,)`."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _distances(
    word: np.ndarray[Any, Any], letters: np.ndarray[Any, Any], starts: IntArray, lengths: IntArray
) -> np.ndarray[Any, Any]:
    """How far other words are from one: the usual table of edit distances, row by row, of all others at once.

    Args:
        word: its letters, `(length,)`.
        letters: those of all words, one after another.
        starts: where each of the others begins, `(others,)`.
        lengths: how long each is, `(others,)`.

    Returns:
        `(others,)`.
    """
    width = int(lengths.max(initial=0))
    places = np.minimum(starts + np.arange(width)[:, None], len(letters) - 1)
    others = letters[places]  # what follows a shorter word does no harm: its distance stands at its own length
    rows = [np.repeat(np.arange(width + 1, dtype=np.int8)[:, None], len(starts), axis=1)]
    for i, letter in enumerate(word):
        row = np.empty_like(rows[-1])
        row[0] = i + 1
        for j in range(width):
            row[j + 1] = np.minimum(rows[-1][j] + (others[j] != letter), np.minimum(rows[-1][j + 1], row[j]) + 1)
            if i and j:
                swapped = (others[j] == word[i - 1]) & (others[j - 1] == letter)
                row[j + 1] = np.where(swapped, np.minimum(row[j + 1], rows[-2][j - 1] + 1), row[j + 1])
        rows = [rows[-1], row]
    return rows[-1][lengths, np.arange(len(starts))]
