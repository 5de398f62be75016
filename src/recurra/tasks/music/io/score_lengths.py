"""Lengths that no score has, found before music21 works them out.

music21 takes time and memory that grow with the square of the beats in a bar: forty bytes can cost minutes, or all the
memory there is. Each function raises a `ValueError` whose message goes on after the file's name.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

from recurra.tasks.music.grid import MAX_QUARTERS

MAX_NOTE = 256
"""Quarters in the longest note, rest or bar that is read: 64 whole notes, eight times the longest note with a name."""

MAX_BEATS = 128
"""The largest number of beats in a metre."""

MAX_BAR_WORK = 2**20
"""Of a tune of ABC, summed over the lengths of bars longer than their metre, the square of the length in the finest
step in them: a few seconds of work for music21."""

MAX_DIGITS = 12
"""Of a number: Python takes long over numbers of thousands of digits."""

_NUMBER = re.compile(r"\d+")
_ABC_METER = re.compile(r"(?:^|[^\[])M:([^%]*)|\[M:([^\]%]*)")
_ABC_OTHER_FIELD = re.compile(r"[A-LN-Za-z]:|%")
_KERN_METER = re.compile(r"\*M(\d+)/(\d+)")
_KERN_RATIO = re.compile(r"(\d+)%(\d+)")


def check_abc_meters(text: str, first_line: int) -> None:
    """Refuse a tune of ABC with a metre that no bar has.

    Args:
        text: the tune.
        first_line: of the tune in its file, from 1.
    """
    for number, line in enumerate(text.split("\n"), first_line):
        for values in [] if _ABC_OTHER_FIELD.match(line) else _ABC_METER.findall(line):
            beats, _, beat = "".join(values).partition("/")
            # music21 takes all digits on each side for one number, whatever stands between them.
            _check_meter("".join(_NUMBER.findall(beats)), "".join(_NUMBER.findall(beat)), number)


def check_abc_notes(tokens: list[Any], text: str, first_line: int) -> None:
    """Refuse a tune of ABC with a note or bars that no score has.

    Args:
        tokens: music21's, of `ABCHandler.process`.
        text: the tune they are of.
        first_line: of the tune in its file, from 1.
    """
    total = bar = Fraction(0)
    metre = step = Fraction(4)
    too_long: dict[Fraction, Fraction] = {}  # bars longer than their metre, each with its finest step
    for token in [*tokens, None]:
        kind = type(token).__name__
        if kind in ("ABCBar", "NoneType"):
            if bar > metre:
                too_long[bar] = min(step, too_long.get(bar, step))
            bar, step = Fraction(0), metre
        elif kind == "ABCMetadata" and token.isMeter() and (parameters := token.getTimeSignatureParameters()):
            metre = Fraction(4 * parameters[0], max(parameters[1], 1))
            step = _common(step, metre)
        elif quarters := getattr(token, "quarterLength", None):
            length = Fraction(quarters)
            if tuplet := token.activeTuplet:
                length *= Fraction(tuplet.numberNotesNormal, max(tuplet.numberNotesActual, 1))
            if length > MAX_NOTE:
                _check_length(length, first_line + text.partition(token.src)[0].count("\n"))
            step = _common(step, length)
            bar += length
            total += length
    _check_total(total)
    if sum((length / finest) ** 2 for length, finest in too_long.items()) > MAX_BAR_WORK:
        raise ValueError(
            f"has bars that are too long, one of {_told(max(too_long))} quarters; divide them by bar lines"
        )


def check_kern(text: str) -> None:
    """Refuse a Humdrum file with a length or a metre that no note and no bar has."""
    total = Fraction(0)
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        for beats, beat in _KERN_METER.findall(line):
            _check_meter(beats, beat, number)
        if not line.startswith(("!", "*")):
            for below, above in _KERN_RATIO.findall(line):
                length = 4 * _ratio(above, below, number)
                _check_length(length, number)
                total += length
            if "." * MAX_DIGITS in line:
                raise ValueError(f"has a note with {MAX_DIGITS} dots or more in line {number}, which no score has")
    _check_total(total)


class XmlLengths:
    """Watches the elements of a MusicXML file go by."""

    def __init__(self) -> None:
        self.divisions = Fraction(1)
        self.beats = Fraction(0)

    def see(self, name: str, text: str, line: int) -> None:
        """Take note of an element, and refuse a length that no note, rest or bar has.

        Args:
            name: of the element.
            text: what stands in it.
            line: where it ends, from 1.
        """
        if name == "beats":
            self.beats = _sum(text, line)
            _check_beats(self.beats, line)
        elif name == "beat-type":
            _check_length(4 * self.beats / max(_sum(text, line), Fraction(1)), line)
        elif name in ("divisions", "duration"):
            value = _decimal(text, line)
            if name == "duration":
                _check_length(value / self.divisions, line)
            elif value > 0:
                self.divisions = value


def _check_meter(beats: str, beat: str, line: int) -> None:
    number = Fraction(_whole(beats or "0", line))
    _check_beats(number, line)
    _check_length(4 * number / max(_whole(beat or "0", line), 1), line)


def _check_beats(beats: Fraction, line: int) -> None:
    if beats > MAX_BEATS:
        raise ValueError(f"has a metre of {_told(beats)} beats in line {line}, but at most {MAX_BEATS} are read")


def _check_length(quarters: Fraction, line: int) -> None:
    if quarters > MAX_NOTE:
        raise ValueError(
            f"has a note, rest or bar of {_told(quarters)} quarters in line {line}, and {MAX_NOTE} is the most that is "
            "read"
        )


def _check_total(quarters: Fraction) -> None:
    if quarters > MAX_QUARTERS:
        raise ValueError(f"is {_told(quarters)} quarters long, but at most {MAX_QUARTERS} are read")


def _whole(digits: str, line: int) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"has a number of {len(digits)} digits in line {line}, which no score has")
    return int(digits)


def _ratio(above: str, below: str, line: int) -> Fraction:
    return Fraction(_whole(above, line), max(_whole(below, line), 1))


def _common(a: Fraction, b: Fraction) -> Fraction:
    """The largest step that both are whole numbers of."""
    divisor = math.lcm(a.denominator, b.denominator)
    return Fraction(math.gcd(int(a * divisor), int(b * divisor)) or 1, divisor)


def _sum(text: str, line: int) -> Fraction:
    """Beats such as "3" or "3+2+3"."""
    return Fraction(sum(_whole(digits, line) for digits in _NUMBER.findall(text)))


def _decimal(text: str, line: int) -> Fraction:
    """A number such as "12" or "0.5"; 0 for what is not one, which music21 refuses itself."""
    found = re.fullmatch(r"\s*(\d+)(?:\.(\d*))?\s*", text)
    if not found:
        return Fraction(0)
    whole, part = found[1], found[2] or ""
    return Fraction(_whole(whole + part, line), 10 ** len(part))


def _told(value: Fraction) -> str:
    return f"{float(value):,.10g}"
