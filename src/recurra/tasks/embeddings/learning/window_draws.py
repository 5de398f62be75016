"""What chance decides about a text before it is learned from: words left out, widths of windows, noise words.

All of it is a function of the text and of one number, so that it is the same whoever draws it, and when. A kernel has
a twin in plain Python beside it, which gives the same numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import DoubleArray, IntArray
from recurra.kernels import jit

Words = NDArray[np.int32]
Thresholds = NDArray[np.uint64]
"""Shares of 2 ** 32: a random number of 32 bits below one is a yes."""

POWER = 0.75
"""Of a word's count, what its chance to be a noise word goes with (Mikolov et al. 2013, arXiv 1310.4546)."""

_TRIES = 32
"""A noise word that the window has already is drawn anew this often; then the next word in turn is taken."""

_GAMMA, _FIRST, _SECOND = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_30, _27, _31, _32 = (np.uint64(n) for n in (30, 27, 31, 32))
_LOW = np.uint64(2**32 - 1)


class Noise(NamedTuple):
    """A table that a noise word is drawn from with one random number (Walker's alias method).

    `accept` and `alias`, `(words,)` each: of all columns, one is drawn evenly; its own word is taken with the chance
    `accept`, else its alias.
    """

    accept: Thresholds
    alias: Words


class DrawnWindows(NamedTuple):
    """Words and what each is told apart from.

    `words` are those left after some were left out, `(centres,)`. The window of one is the words from its entry of
    `begins` to before that of `ends`, without itself. `negatives` are its noise words, `(centres, negative_samples)`,
    all distinct and none of them the word itself.
    """

    words: Words
    begins: Words
    ends: Words
    negatives: Words

    def pairs(self, together: bool) -> int:
        """The pairs of a centre and one word of its window; of a centre and its whole window, if `together`."""
        sizes = self.ends - self.begins - 1
        return int(np.minimum(sizes, 1).sum() if together else sizes.sum())


def noise_table(counts: IntArray) -> Noise:
    """The table of the words' counts to the power of 3/4."""
    weights = counts.astype(np.float64) ** POWER
    return Noise(*_alias_table(weights * (len(weights) / weights.sum())))


def keep_thresholds(counts: IntArray, subsample: float) -> Thresholds:
    """The chance of each word not to be left out, as word2vec's program has it (its paper has another formula).

    Args:
        counts: of each word, `(words,)`.
        subsample: share of all words above which a word is left out now and then; 0 for never.
    """
    if not subsample:
        return np.full(len(counts), 2**32, np.uint64)
    ratio = subsample * counts.sum() / counts
    chance = np.minimum(np.sqrt(ratio) + ratio, 1.0)
    return np.asarray(chance * 2**32).astype(np.uint64)


@jit()
def _alias_table(shares: DoubleArray) -> tuple[Thresholds, Words]:
    """Vose's way to make it; `shares` have a mean of one and are used up."""
    size = shares.shape[0]
    accept = np.empty(size, np.uint64)
    alias = np.arange(size).astype(np.int32)
    few, many = np.empty(size, np.int64), np.empty(size, np.int64)
    less = more = 0
    for word in range(size):
        if shares[word] < 1.0:
            few[less] = word
            less += 1
        else:
            many[more] = word
            more += 1
    while less > 0 and more > 0:
        less -= 1
        poor, rich = few[less], many[more - 1]
        accept[poor] = np.uint64(shares[poor] * 4294967296.0)
        alias[poor] = rich
        shares[rich] -= 1.0 - shares[poor]
        if shares[rich] < 1.0:
            more -= 1
            few[less] = rich
            less += 1
    for index in range(less):  # one but for rounding
        accept[few[index]] = np.uint64(4294967296)
    for index in range(more):
        accept[many[index]] = np.uint64(4294967296)
    return accept, alias


def draw_windows(text: Words, keep: Thresholds, noise: Noise, window: int, negatives: int, seed: Any) -> DrawnWindows:
    """Leave words out, and draw windows and noise words for the rest.

    Args:
        text: indices of words; what is negative ends a line, which no window reaches beyond.
        keep: `keep_thresholds`.
        noise: `noise_table`; of more words than `negatives`.
        window: words on each side at most; each word draws its own number from 1 to this.
        negatives: noise words for each word.
        seed: a 64-bit number.
    """
    size = len(text)
    words, begins, ends = (np.empty(size, np.int32) for _ in range(3))
    drawn = DrawnWindows(words, begins, ends, np.empty((size, negatives), np.int32))
    count = _draw_windows(np.asarray(text), keep, *noise, window, np.uint64(seed), *drawn)
    return DrawnWindows(*(array[:count] for array in drawn))


@jit()
def _scrambled(state: np.uint64) -> np.uint64:
    """A random number of 64 bits from a state that goes up by `_GAMMA` (SplitMix64, Steele et al. 2014)."""
    state = (state ^ (state >> _30)) * _FIRST
    state = (state ^ (state >> _27)) * _SECOND
    return state ^ (state >> _31)


@jit()
def _draw_windows(
    text: Words,
    keep: Thresholds,
    accept: Thresholds,
    alias: Words,
    window: int,
    state: np.uint64,
    words: Words,
    begins: Words,
    ends: Words,
    negatives: Words,
) -> int:
    size, samples = np.uint64(accept.shape[0]), negatives.shape[1]
    widths = np.uint64(window)
    count = line = 0
    for index in range(text.shape[0] + 1):
        if index < text.shape[0] and text[index] >= 0:
            state += _GAMMA
            words[count] = text[index]
            count += (_scrambled(state) >> _32) < keep[text[index]]
            continue
        for centre in range(line, count):
            state += _GAMMA
            reach: Any = np.int64(((_scrambled(state) >> _32) * widths) >> _32) + 1
            begins[centre] = centre - min(reach, centre - line)
            ends[centre] = centre + 1 + min(reach, count - centre - 1)
            for number in range(samples):
                word, tries = words[centre], 0
                while word == words[centre] or _among(negatives, centre, number, word):
                    if tries < _TRIES:
                        state += _GAMMA
                        value = _scrambled(state)
                        column = ((value >> _32) * size) >> _32
                        word = np.int32(column) if (value & _LOW) < accept[column] else alias[column]
                    else:
                        word = np.int32((word + 1) % accept.shape[0])
                    tries += 1
                negatives[centre, number] = word
        line = count
    return count


@jit()
def _among(negatives: Words, centre: int, number: int, word: int) -> bool:
    """Whether a word is one of the first noise words of a centre."""
    found = False
    for earlier in range(number):
        found |= negatives[centre, earlier] == word
    return found


def draw_windows_reference(
    text: Words, keep: Thresholds, noise: Noise, window: int, negatives: int, seed: int
) -> DrawnWindows:
    """As `draw_windows`."""
    randoms = _randoms(seed)
    kept: list[tuple[int, int, int, list[int]]] = []
    line: list[int] = []
    for token in [*text.tolist(), -1]:
        if token >= 0:
            line += [token] if next(randoms) >> 32 < keep[token] else []
            continue
        begin = len(kept)
        for index, word in enumerate(line):
            reach = ((next(randoms) >> 32) * window >> 32) + 1
            chosen: list[int] = []
            for _ in range(negatives):
                chosen.append(_noise_word(noise, randoms, {word, *chosen}, word))
            first, end = max(0, index - reach), min(len(line), index + reach + 1)
            kept.append((word, begin + first, begin + end, chosen))
        line = []
    words, begins, ends = (np.array([row[column] for row in kept], np.int32) for column in range(3))
    return DrawnWindows(words, begins, ends, np.array([row[3] for row in kept], np.int32).reshape(-1, negatives))


def _randoms(seed: int) -> Any:
    """The numbers that `_scrambled` gives, one after another."""
    mask = 2**64 - 1
    while True:
        seed = (seed + int(_GAMMA)) & mask
        value = ((seed ^ seed >> 30) * int(_FIRST)) & mask
        value = ((value ^ value >> 27) * int(_SECOND)) & mask
        yield value ^ value >> 31


def _noise_word(noise: Noise, randoms: Any, taken: set[int], word: int) -> int:
    for _ in range(_TRIES):
        value = next(randoms)
        column = (value >> 32) * len(noise.accept) >> 32
        word = column if value & 2**32 - 1 < noise.accept[column] else int(noise.alias[column])
        if word not in taken:
            return word
    while word in taken:
        word = (word + 1) % len(noise.accept)
    return word
