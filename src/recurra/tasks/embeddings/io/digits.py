"""Digits to float32, many at a time and compiled: the numbers on lines of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra.arrays import FloatArray, IntArray
from recurra.kernels import jit

_LARGEST_POWER = 290
_POWERS = np.array([float(f"1e{power}") for power in range(-_LARGEST_POWER, _LARGEST_POWER + 1)])

_DOUBT = 2.0**-50
"""Relative error, at most, of a number that is read with a product of two float64."""

SPACE, TAB, RETURN = b" \t\r"
_PLUS, _MINUS, _POINT, _ZERO, _NINE, _E = b"+-.09e"

ODD = -1
"""Where a line's word ends if the line is not plain: read it by `vector_lines.read_line`."""


@jit()
def parse(
    data: np.ndarray[Any, Any],
    begins: IntArray,
    ends: IntArray,
    matrix: FloatArray,
    word_ends: IntArray,
) -> None:
    """Read lines backwards: as many numbers as the matrix is wide, and a word that has no spaces.

    A number is read as an integer times a power of ten in float64, and taken if everything within that product's error
    is the same float32. What cannot be told so, or is not plain, is left to `vector_lines.read_line`.

    Args:
        data: the text, bytes.
        begins: where each line begins, `(lines,)`.
        ends: where it ends, likewise.
        matrix: the vectors, `(lines, size)`; written to.
        word_ends: where each line's word ends, or `ODD`, `(lines,)`; written to.
    """
    for line in range(len(begins)):
        begin, at = begins[line], ends[line]
        plain = True
        for place in range(matrix.shape[1] - 1, -1, -1):
            while at > begin and (data[at - 1] == SPACE or data[at - 1] == TAB or data[at - 1] == RETURN):
                at -= 1
            end = at
            while at > begin and data[at - 1] != SPACE and data[at - 1] != TAB:
                at -= 1
            matrix[line, place], sound = number(data, at, end)
            plain = plain and sound
            if not plain:
                break
        while at > begin and (data[at - 1] == SPACE or data[at - 1] == TAB):
            at -= 1
        for letter in data[begin:at]:
            plain = plain and letter != SPACE and letter != TAB
        word_ends[line] = at if plain and at > begin else ODD


@jit()
def number(data: np.ndarray[Any, Any], at: int, end: int) -> tuple[np.float32, bool]:
    """The float32 that some bytes are the digits of, and whether it is sure that they are."""
    negative = at < end and data[at] == _MINUS
    if at < end and (data[at] == _MINUS or data[at] == _PLUS):
        at += 1
    integer, power, count, seen, fraction = 0, 0, 0, 0, False
    while at < end:
        if _ZERO <= data[at] <= _NINE:
            seen += 1
            if count < 18:
                integer = integer * 10 + int(data[at]) - _ZERO
                count += 1 if integer else 0
                power -= fraction
            else:  # its digits are beyond what float64 tells
                power += not fraction
        elif data[at] == _POINT and not fraction:
            fraction = True
        else:
            break
        at += 1
    sound = seen > 0
    if sound and at < end and (data[at] | 32) == _E:
        at += 1
        down = at < end and data[at] == _MINUS
        if at < end and (data[at] == _MINUS or data[at] == _PLUS):
            at += 1
        exponent = 0
        sound = at < end
        while at < end and _ZERO <= data[at] <= _NINE and exponent < 1000:
            exponent = exponent * 10 + int(data[at]) - _ZERO
            at += 1
        power += -exponent if down else exponent
    if not sound or at < end or abs(power) > _LARGEST_POWER:
        return np.float32(0), False
    value = np.float64(integer) * _POWERS[power + _LARGEST_POWER]
    low, high = np.float32(value * (1 - _DOUBT)), np.float32(value * (1 + _DOUBT))
    return -low if negative else low, low == high
