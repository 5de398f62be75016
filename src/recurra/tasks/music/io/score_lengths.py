"""Lengths that no score has, found before music21 works them out.

music21 takes time and memory that grow with the square of the beats in a bar: forty bytes can cost minutes, or all the
memory there is. Each function raises a `ValueError` whose message goes on after the file's name.
"""

from __future__ import annotations

import re
from fractions import Fraction

from recurra.tasks.music.grid import MAX_QUARTERS

MAX_NOTE = 256
"""Quarters in the longest note, rest or bar that is read: 64 whole notes, eight times the longest note with a name."""

MAX_BEATS = 128
"""The largest number of beats in a metre."""

MAX_DIGITS = 12
"""Of a number: Python takes long over numbers of thousands of digits."""

_NUMBER = re.compile(r"\d+")
_KERN_METER = re.compile(r"\*M(\d+)/(\d+)")
_KERN_RATIO = re.compile(r"(\d+)%(\d+)")


def check_kern(text: str) -> None:
    """Refuse a Humdrum file with a length or a metre that no note and no bar has."""
    total = Fraction(0)
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        for beats, beat in _KERN_METER.findall(line):
            check_meter(beats, beat, number)
        if not line.startswith(("!", "*")):
            for below, above in _KERN_RATIO.findall(line):
                length = 4 * _ratio(above, below, number)
                check_length(length, number)
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
            check_length(4 * self.beats / max(_sum(text, line), Fraction(1)), line)
        elif name in ("divisions", "duration"):
            value = _decimal(text, line)
            if name == "duration":
                check_length(value / self.divisions, line)
            elif value > 0:
                self.divisions = value


def check_meter(beats: str, beat: str, line: int) -> tuple[int, int]:
    """The numbers of a metre such as "3+2/8"; one that no bar has is refused."""
    number, below = _sum(beats or "0", line), _whole(beat or "0", line)
    _check_beats(number, line)
    check_length(4 * number / max(below, 1), line)
    return int(number), below


def _check_beats(beats: Fraction, line: int) -> None:
    if beats > MAX_BEATS:
        raise ValueError(f"has a metre of {_told(beats)} beats in line {line}, but at most {MAX_BEATS} are read")


def check_length(quarters: Fraction, line: int) -> None:
    """Refuse a note, rest or bar that is too long."""
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
