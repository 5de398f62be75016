"""Phrases: words so often side by side that they are taken for one, "new_york".

How much together two words are is their normalised pointwise mutual information (Bouma 2009): 1 if neither ever stands
without the other, 0 if they meet as often as chance has it, -1 if never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import DoubleArray, IntArray
from recurra.kernels import jit

Indices = NDArray[np.int32]
Blocks = Callable[[], Iterable[Indices]]
"""A text as numbers of words, in blocks; -1 and -2 are no words, and stand between those that are."""

MARK = "_"
"""What joins the words of a phrase."""

MAX_PAIRS = 2**24
"""Pairs of words in memory, at most; of more, a share is counted in each of several passes over the text."""

_SCRAMBLE = np.uint64(0x9E3779B97F4A7C15)


class Phrases(NamedTuple):
    """Pairs of words and what each becomes.

    `keys`, `(phrases,)`, ascending, are the number of the first word times `words` plus that of the second; `joined`
    are the numbers of the phrases, likewise.
    """

    words: int
    keys: IntArray
    joined: Indices


def npmi(pairs: IntArray, firsts: IntArray, seconds: IntArray, total: int) -> DoubleArray:
    """The normalised pointwise mutual information of words, from counts: -1 to 1.

    Args:
        pairs: how often the two stand side by side, more than never.
        firsts: how often the first stands anywhere.
        seconds: likewise, the second.
        total: all words.
    """
    together = np.log(pairs / total)
    return np.asarray((together - np.log(firsts / total) - np.log(seconds / total)) / -together)


def find_pairs(text: Blocks, length: int, counts: IntArray, min_count: int, threshold: float) -> IntArray:
    """The pairs of words that are phrases.

    Args:
        text: of numbers of words.
        length: of the text.
        counts: how often each word stands there, `(words,)`.
        min_count: how often a pair must, at least.
        threshold: how much together it must be.

    Returns:
        Keys as those of `Phrases`, ascending.
    """
    words, total = len(counts), int(counts.sum())
    passes = max(1, -(-length // MAX_PAIRS))
    found = []
    for number in range(passes):
        keys, pairs = _counted(_keys(text, counts, min_count, passes, number))
        keys, pairs = keys[pairs >= min_count], pairs[pairs >= min_count]
        measure = npmi(pairs, counts[keys // words], counts[keys % words], total)
        found.append(keys[measure >= threshold])
    return np.sort(np.concatenate(found))


def _keys(text: Blocks, counts: IntArray, min_count: int, passes: int, number: int) -> Iterator[IntArray]:
    """The pairs of neighbours of which both are frequent, as far as they belong to this pass."""
    frequent = np.append(counts >= min_count, [False, False])  # the last for what is no word: -2 and -1
    last = np.full(1, -1, np.int32)
    for block in text():
        tokens = np.concatenate([last, block])
        last = tokens[-1:]
        both = frequent[tokens[:-1]] & frequent[tokens[1:]]
        keys = tokens[:-1][both].astype(np.int64) * len(counts) + tokens[1:][both]
        yield keys[(keys.astype(np.uint64) * _SCRAMBLE >> np.uint64(32)) % np.uint64(passes) == number]


def _counted(blocks: Iterable[IntArray]) -> tuple[IntArray, IntArray]:
    """The distinct keys, ascending, and how often each comes."""
    parts = [np.unique(keys, return_counts=True) for keys in blocks]
    keys = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in parts)])
    counts = np.concatenate([np.zeros(0, np.int64), *(part[1] for part in parts)])
    distinct, place = np.unique(keys, return_inverse=True)
    totals = np.zeros(len(distinct), np.int64)
    np.add.at(totals, place, counts)
    return distinct, totals


def join(text: Iterable[Indices], phrases: Phrases) -> Iterator[Indices]:
    """A text with its phrases joined, from its beginning to its end."""
    held = np.zeros(0, np.int32)
    for block in text:
        tokens = np.concatenate([held, block])
        joined = np.empty_like(tokens)
        used, count = _join(tokens, phrases.words, phrases.keys, phrases.joined, joined)
        held = tokens[used:]  # the last one, which may be the first of a phrase
        yield joined[:count]
    yield held


@jit()
def _join(tokens: Indices, words: int, keys: IntArray, joined: Indices, result: Indices) -> tuple[int, int]:
    """Join phrases up to the last token; how many were used, and how many came of them."""
    place = count = 0
    while place < tokens.shape[0] - 1:
        first, second = tokens[place], tokens[place + 1]
        result[count] = first
        place += 1
        if first >= 0 and second >= 0:
            key = np.int64(first) * words + second
            index = np.searchsorted(keys, key)
            if index < keys.shape[0] and keys[index] == key:
                result[count] = joined[index]
                place += 1
        count += 1
    return place, count


def join_reference(tokens: list[int], pairs: dict[tuple[int, int], int]) -> list[int]:
    """As `join`."""
    result, place = [], 0
    while place < len(tokens):
        phrase = pairs.get((tokens[place], tokens[place + 1])) if place + 1 < len(tokens) else None
        result.append(tokens[place] if phrase is None else phrase)
        place += 1 if phrase is None else 2
    return result
