"""How much of a written text is copied from a corpus: the longest passages they share, and the share of new n-grams.

White space of any kind and length counts as one space, and texts are compared in Unicode's normal form NFC.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import IntArray
from recurra.errors import RecurraError
from recurra.evaluation.text_metrics import words_of

LEAST = 32
"""Characters of a passage; shorter ones are what everybody says."""

PASSAGES = 5
"""So many passages are given."""

SIZES = (1, 2, 3, 4, 5, 6)
"""Words of the n-grams that are counted."""

MAX_CHARACTERS = 2**28
"""A corpus with more is refused: it is held in memory."""

MAX_PAIRS = 200_000
"""Of more pairs of equal places only the first are followed, but for one of each place in the written text."""

_FACTOR = np.uint64(0x9E3779B97F4A7C15)

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Passage:
    """A passage of a written text that the corpus has too.

    Attributes:
        text: it.
        begin: where it begins in the written text, in characters, white space counted as one space.
        source: the part of the corpus that has it.
    """

    text: str
    begin: int
    source: str


@dataclass(frozen=True)
class Novelty:
    """What is new in a written text.

    Attributes:
        passages: the longest that the corpus has too, the longest first, none within or across another.
        copied: share of the characters that are in a passage of at least `LEAST` characters that the corpus has.
        new: for each number of words the share of its n-grams that the corpus does not have; none where it has none.
        count: characters of the written text.
    """

    passages: list[Passage]
    copied: float
    new: dict[int, float]
    count: int


def compare(written: str, corpus: Iterable[tuple[str, str]]) -> Novelty:
    """Compare a written text with a corpus; the longest passage is exact.

    Args:
        written: the text.
        corpus: names and texts.

    Raises:
        RecurraError: if the corpus is too large, or a side is empty.
    """
    text = plain(written)
    parts = [(name, plain(other)) for name, other in corpus]
    if not text or not any(other for _, other in parts):
        raise RecurraError("there is nothing to compare: the text or the corpus is empty; give both")
    if sum(len(other) for _, other in parts) > MAX_CHARACTERS:
        raise RecurraError(f"the corpus has more than {MAX_CHARACTERS:,} characters; give a part of it")
    codes = [_codes(other) for _, other in parts]
    covered, found = _common(_codes(text), codes)
    passages = [Passage(text[begin : begin + length], begin, parts[part][0]) for length, begin, part in found]
    return Novelty(passages, float(covered.mean()), _new(text, [other for _, other in parts]), len(text))


def plain(text: str) -> str:
    """A text as it is compared."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _codes(text: str) -> Hashes:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)


def _windows(codes: Hashes) -> Iterator[tuple[int, Hashes]]:
    """Hashes of all windows of 1, 2, 4, ... characters, by their place: of two halves, polynomials modulo 2^64."""
    length, hashes = 1, (codes + np.uint64(1)) * _FACTOR
    factor = _FACTOR
    while len(hashes):
        yield length, hashes
        hashes = hashes[:-length] * factor + hashes[length:]
        length, factor = 2 * length, factor * factor


def _common(written: Hashes, corpus: Sequence[Hashes]) -> tuple[NDArray[np.bool_], list[tuple[int, int, int]]]:
    """Which characters are in a passage of `LEAST` that a part of the corpus has, and the longest such passages.

    Returns:
        `(length,)`; and of each passage length, begin, and the index of the part.
    """
    with np.errstate(over="ignore"):
        own = {length: hashes for length, hashes in _windows(written) if length >= LEAST}
        places = [_shared(own, part) for part in corpus]
    covered = np.zeros(len(written), dtype=bool)
    shortest = own.get(LEAST, written[:0])
    for shared in places:
        there = shared[LEAST][1] if LEAST in shared else written[:0]
        for place in np.flatnonzero(np.isin(shortest, there)).tolist():
            covered[place : place + LEAST] = True
    found: list[tuple[int, int, int]] = []
    taken = np.zeros(len(written), dtype=bool)
    for length in sorted(own, reverse=True):
        candidates = []
        for index, shared in enumerate(places):
            if length in shared:
                candidates += _followed(written, corpus[index], own[length], *shared[length], length, taken, index)
        for size, begin, part in sorted(set(candidates), key=lambda each: (-each[0], each[1], each[2])):
            if not taken[begin : begin + size].any():
                taken[begin : begin + size] = True
                found.append((size, begin, part))
        if len(found) >= PASSAGES:
            break
    return covered, sorted(found, key=lambda each: (-each[0], each[1]))[:PASSAGES]


def _shared(own: dict[int, Hashes], part: Hashes) -> dict[int, tuple[IntArray, Hashes]]:
    """The places in a part of the corpus whose windows the written text has too, and their hashes, by length."""
    found = {}
    for length, hashes in _windows(part):
        if length < LEAST:
            continue
        if length not in own:
            break
        there = np.flatnonzero(np.isin(hashes, own[length]))
        if not len(there):
            break
        found[length] = (there, hashes[there])
    return found


def _followed(
    written: Hashes,
    part: Hashes,
    own: Hashes,
    places: IntArray,
    hashes: Hashes,
    length: int,
    taken: NDArray[np.bool_],
    index: int,
) -> list[tuple[int, int, int]]:
    """The whole passages around windows that two texts share: length, begin, and the index of the part."""
    order = np.argsort(hashes, kind="stable")
    first, last = (np.searchsorted(hashes[order], own, side=side) for side in ("left", "right"))
    found, pairs, ends = [], 0, dict[int, int]()
    for begin in np.flatnonzero(last > first).tolist():
        if taken[begin : begin + length].any():
            continue
        most = last[begin] if pairs < MAX_PAIRS else first[begin] + 1
        for place in places[order[first[begin] : most]].tolist():
            pairs += 1
            diagonal = place - begin
            if begin < ends.get(diagonal, 0):  # within one that was followed
                continue
            low, high = _extended(written, part, begin, place, taken)
            ends[diagonal] = high
            if high - low >= length:
                found.append((high - low, low, index))
    return found


def _extended(written: Hashes, part: Hashes, begin: int, place: int, taken: NDArray[np.bool_]) -> tuple[int, int]:
    """From where to where a text goes on like a part of the corpus around a place, outside of what is taken."""
    low, high, shift = begin, begin, place - begin
    while low > 0 and low + shift > 0 and not taken[low - 1] and written[low - 1] == part[low - 1 + shift]:
        low -= 1
    while high < len(written) and high + shift < len(part) and not taken[high] and written[high] == part[high + shift]:
        high += 1
    return low, high


def _new(text: str, corpus: Sequence[str]) -> dict[int, float]:
    """The share of a text's n-grams of words that no part of a corpus has, by n."""
    words = words_of(text)
    ids = {word: number for number, word in enumerate(dict.fromkeys(words), 1)}
    own = np.array([ids[word] for word in words], dtype=np.uint64)
    others = [np.array([ids.get(word, 0) for word in words_of(part)], dtype=np.uint64) for part in corpus]
    found = {}
    for size in SIZES:
        if len(own) >= size:
            grams = _ngrams(own, size)
            old = np.concatenate([_ngrams(part, size) for part in others])
            found[size] = float(1 - np.isin(grams, old).mean())
    return found


def _ngrams(ids: Hashes, size: int) -> Hashes:
    """Hashes of all runs of so many words, but of those with a word that the written text does not have (0)."""
    if len(ids) < size:
        return ids[:0]
    runs = np.lib.stride_tricks.sliding_window_view(ids, size)
    total = np.zeros(len(runs), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for column in range(size):
            total = (total + runs[:, column]) * _FACTOR
            total ^= total >> np.uint64(31)
    return total[(runs > 0).all(axis=1)]
