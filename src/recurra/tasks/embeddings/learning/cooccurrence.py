"""Counting which words stand together, in bounded memory (Pennington et al. 2014, section 3).

Two words of a line that are `distance` words apart, at most `window`, count 1 / distance for each other. The text is
taken in pieces that fit the memory. For each piece the places of every word are listed, so that a row of counts, those
of one word, is added up in one array that has a cell for each word, and goes to disk before the next row begins.
The rows of several pieces are added up again, word by word.

Counts are whole numbers of units, see `units_of`, so that they do not depend on the order of adding: neither the memory
nor the number of pieces changes a byte of what comes out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import IntArray
from recurra.errors import os_errors
from recurra.kernels import jit
from recurra.tasks.embeddings.data import Indices

Records = np.ndarray[Any, Any]
"""Structured arrays of the types below."""

COUNT = np.dtype([("word", np.int32), ("context", np.int32), ("units", np.int64)])

TRIPLE = np.dtype([("word", np.int32), ("context", np.int32), ("weight", np.float32)])
"""What is counted: how much two words stand together; once for both orders, the rarer word, of the higher index, first.
"""

MAX_UNITS = 2**28
"""Most units that two neighbours count: a pair of words may stand side by side 2^35 times."""

_CELLS = 16
"""Cells of a row that are looked through together, if any of them is in use."""


def count_together(text: Indices, words: int, window: int, memory: float, path: Path) -> Records:
    """Count which words stand together.

    Args:
        text: indices of words, `(length,)`; what is negative ends a line.
        words: how many words there are; indices are below it.
        window: most words from one to the other.
        memory: bytes to take, about; a row of all words is held in any case.
        path: where the counts go; a file that stands there is replaced.

    Returns:
        Mapped, `(pairs,)` of `TRIPLE`, sorted by word, then by context. A word and a context that are not the same
        stand for two entries of the matrix, which is symmetric; a word that stands beside itself counts for both.
    """
    units = units_of(window)
    length = max(int(memory / 8), 1)  # half of the memory for four bytes a place, a quarter for counts
    buffer = np.zeros(max(int(memory / 4) // COUNT.itemsize, words), COUNT)
    pieces = [(begin, min(begin + length, len(text))) for begin in range(0, len(text), length)]
    counted = (_counts_of(text, words, units, begin, end, buffer) for begin, end in pieces)
    if len(pieces) < 2:
        return _written(path, TRIPLE, (_weighed(block, units) for blocks in counted for block in blocks))
    runs = path.with_suffix(".runs")
    ends: list[int] = []

    def listed() -> Iterator[Records]:
        for blocks in counted:
            size = ends[-1] if ends else 0
            for block in blocks:
                size += len(block)
                yield block
            ends.append(size)

    try:
        merged = _merged(_written(runs, COUNT, listed()), np.array([0, *ends]), words, buffer)
        return _written(path, TRIPLE, (_weighed(block, units) for block in merged))
    finally:
        runs.unlink(missing_ok=True)


def units_of(window: int) -> IntArray:
    """What words at each distance count, `(window + 1,)`; the number at 1 is how many units are a whole.

    A whole has `lcm(1, ..., window)` units up to a window of 20, so that 1 / distance is exact; `MAX_UNITS` beyond, so
    that it is within 2^-29.
    """
    common = math.lcm(*range(1, window + 1))
    whole = common if common <= MAX_UNITS else MAX_UNITS
    return np.array([0, *(round(whole / distance) for distance in range(1, window + 1))], np.int64)


def _weighed(counts: Records, units: IntArray) -> Records:
    """Counts as they are used, in wholes."""
    triples = np.empty(len(counts), TRIPLE)
    triples["word"], triples["context"] = counts["word"], counts["context"]
    triples["weight"] = counts["units"] / units[1]
    return triples


def _written(path: Path, kind: np.dtype[Any], blocks: Iterator[Records]) -> Records:
    """Records one block after another on disk, mapped."""
    with os_errors("writing", path):
        with open(path, "wb") as file:
            for block in blocks:
                file.write(block.tobytes())
        size = path.stat().st_size // kind.itemsize
        return np.memmap(path, kind, "r", shape=(size,)) if size else np.zeros(0, kind)


def _counts_of(text: Indices, words: int, units: IntArray, begin: int, end: int, buffer: Records) -> Iterator[Records]:
    """The counts of the words of a piece of the text, sorted, in blocks that are used before the next comes."""
    text = np.asarray(text)
    begins = np.zeros(words + 1, np.int64)
    places = np.empty(end - begin, np.int32)
    _list_places(text, begin, end, begins, places)
    yield from _blocks(buffer, words, lambda *row: _count_rows(text, units, begin, begins, places, *row))


def _merged(counts: Records, ends: IntArray, words: int, buffer: Records) -> Iterator[Records]:
    """The sums of sorted runs of counts, sorted, in blocks that are used before the next comes."""
    counts = np.asarray(counts)
    cursors = ends[:-1].copy()
    yield from _blocks(buffer, words, lambda *row: _merge_rows(counts, ends, cursors, *row))


Row = tuple[int, IntArray, NDArray[np.bool_], Records]
"""What a kernel that adds up rows is given: the first word, a row of zeros, which groups of its cells are in use, none,
and where counts go."""


def _blocks(buffer: Records, words: int, add_up: Callable[..., tuple[int, int]]) -> Iterator[Records]:
    """The rows of all words, as many at a time as the buffer takes.

    Args:
        buffer: `(counts,)`, at least as many as there are words.
        words: how many there are.
        add_up: fills the buffer from a word on; gives the word it did not come to, and the counts it wrote.
    """
    row, used, word = np.zeros(words, np.int64), np.zeros(-(-words // _CELLS), np.bool_), 0
    while word < words:
        word, written = add_up(word, row, used, buffer)
        yield buffer[:written]


@jit()
def _list_places(text: Indices, begin: int, end: int, begins: IntArray, places: Indices) -> None:
    """Where each word stands, counted from `begin`: those of word w are `places[begins[w] : begins[w + 1]]`."""
    for place in range(begin, end):
        if text[place] >= 0:
            begins[text[place] + 1] += 1
    for word in range(len(begins) - 1):
        begins[word + 1] += begins[word]
    for place in range(begin, end):
        if text[place] >= 0:
            places[begins[text[place]]] = place - begin
            begins[text[place]] += 1
    for word in range(len(begins) - 1, 0, -1):
        begins[word] = begins[word - 1]
    begins[0] = 0


@jit()
def _count_rows(
    text: Indices,
    units: IntArray,
    begin: int,
    begins: IntArray,
    places: Indices,
    word: int,
    row: IntArray,
    used: NDArray[np.bool_],
    buffer: Records,
) -> tuple[int, int]:
    """Fill the buffer with the counts of words, each with those of no higher index."""
    written = 0
    while word < len(row) and written + word < len(buffer):
        for index in range(begins[word], begins[word + 1]):
            place = begin + places[index]
            for step in (-1, 1):
                for distance in range(1, len(units)):
                    other = place + step * distance
                    if other < 0 or other >= len(text) or text[other] < 0:
                        break
                    context = text[other]
                    if context <= word:
                        row[context] += units[distance]
                        used[context // _CELLS] = True
        written = _take(word, row, used, buffer, written)
        word += 1
    return word, written


@jit()
def _merge_rows(
    counts: Records,
    ends: IntArray,
    cursors: IntArray,
    word: int,
    row: IntArray,
    used: NDArray[np.bool_],
    buffer: Records,
) -> tuple[int, int]:
    """Fill the buffer with the counts of words, added up over runs; the cursors say how far each run is read."""
    written = 0
    while word < len(row) and written + word < len(buffer):
        for run in range(len(cursors)):
            while cursors[run] < ends[run + 1] and counts[cursors[run]].word == word:
                context = counts[cursors[run]].context
                row[context] += counts[cursors[run]].units
                used[context // _CELLS] = True
                cursors[run] += 1
        written = _take(word, row, used, buffer, written)
        word += 1
    return word, written


@jit()
def _take(word: int, row: IntArray, used: NDArray[np.bool_], buffer: Records, written: int) -> int:
    """Move what a row holds into the buffer, and leave zeros; how many counts are there now."""
    for group in range(word // _CELLS + 1):
        if used[group]:
            used[group] = False
            for context in range(group * _CELLS, min((group + 1) * _CELLS, len(row))):
                if row[context]:
                    buffer[written].word = word
                    buffer[written].context = context
                    buffer[written].units = row[context]
                    written += 1
                    row[context] = 0
    return written
