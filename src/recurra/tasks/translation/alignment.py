"""Where two parallel files of unequal length part, judged by the lengths of their lines.

A sentence and its translation are about equally long (Gale and Church, 1993, "A Program for Aligning Sentences in
Bilingual Corpora"); a sentence and some other sentence's translation are not. Where a line is missing from one file,
the lines after it fit better one line further on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.arrays import DoubleArray

WINDOW = 100
"""How many lines on each side of a place speak for or against it."""

NEAR = 20
"""How many lines may be missing at one place, if not all are."""

FITTING, STRONGER = 4.0, 5.5
"""Evidence in standard errors: for lines that are expected to fit, and for one place out of all."""


def parting(first: Sequence[str], second: Sequence[str]) -> int | None:
    """The number of the line, from 1, near which two files part; None if there is no evidence of any.

    Args:
        first: the lines of one file.
        second: the lines of the other, which are their translations as long as no line is missing.
    """
    a, b = _lengths(first), _lengths(second)
    common = min(len(a), len(b))
    if not common:
        return None
    b += np.median(a[:common] - b[:common])
    ways = [(a, b), (b, a)]  # lines are missing from the one or the other
    missing = abs(len(a) - len(b))
    indices = [_place(_gain(*way, shift)) for way in ways for shift in sorted({*range(1, NEAR + 1), missing} - {0})]
    found = [index for index in indices if index is not None]
    if found:
        return min(found) + 1
    ending = np.sum([_gain(*way, shift)[-WINDOW:] for way in ways for shift in (1, 2, 3)], axis=0)
    return common + 1 if _evidence(-ending) >= FITTING else None  # the shorter file ends too early


def _lengths(lines: Sequence[str]) -> DoubleArray:
    """The logarithm of each line's number of characters."""
    return np.log1p(np.array([len(line) for line in lines], dtype=np.float64))


def _gain(a: DoubleArray, b: DoubleArray, shift: int) -> DoubleArray:
    """How much better line n of one file fits line n + shift than line n of the other; 0 where that is not there."""
    common = min(len(a), len(b))
    gain = np.zeros(common)
    end = max(0, min(common, len(b) - shift))
    straight, shifted = np.abs(a[:end] - b[:end]), np.abs(a[:end] - b[shift : shift + end])
    gain[:end] = np.minimum(straight, 1) - np.minimum(shifted, 1)
    return gain


def _place(gain: DoubleArray) -> int | None:
    """The first line from which a shift fits better, having fitted worse before; None if there is none.

    Args:
        gain: how much better each line fits when shifted.
    """
    total, squares = (np.concatenate([[0.0], np.cumsum(values)]) for values in (gain, gain**2))
    begins = np.arange(len(gain))
    ends = np.minimum(begins + WINDOW, len(gain))
    evidence = (total[ends] - total[begins]) / np.sqrt(squares[ends] - squares[begins] + 1e-9)
    found = np.flatnonzero(evidence >= STRONGER)
    if not len(found):
        return None
    begin = int(found[0])  # the window begins before the place
    index = begin + int(np.argmin(total[begin : ends[begin]]))
    before = gain[max(0, index - WINDOW) : index]
    return index if len(before) < NEAR or _evidence(-before) >= FITTING else None


def _evidence(values: DoubleArray) -> float:
    """By how many standard errors the mean of some values is above zero."""
    return float(values.sum() / np.sqrt((values**2).sum() + 1e-9))
