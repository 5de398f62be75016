"""In what order the bars of a score are played: repeat signs, endings, D.C., D.S., Fine, Coda, orders of sections.

Bars with marks go in, their order comes out, whatever format they were written in. A `:|` goes back to the last `|:`,
to the end of the last repeat, or to the beginning, whichever came last. After a D.C. or D.S. no repeat is played again,
and of endings the last.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

MAX_TIMES = 8
"""How often a repeat is played at most."""

MAX_BARS = 20_000
"""Bars that are played at most; beyond it a score is played once through."""

MAX_JUMPS = 16
"""D.C. and D.S. that are followed."""

MAX_SECTIONS = 1_000
"""In an order of sections."""


@dataclass
class BarMarks:
    """What stands at one bar about the order of bars.

    Attributes:
        start: a repeat begins before it.
        times: how often what leads up to its end is played: 2 for a plain `:|`, 1 where there is none.
        endings: the rounds of a repeat in which it is played; in all, if there are none.
        label: the section that begins with it.
        segno: where a D.S. goes to.
        coda: a coda sign stands before it, or (two of them in a score) the first of both is where to leave.
        leave_before: "To Coda" stands before it.
        leave: "To Coda" stands at its end.
        fine: the piece ends after it, once there has been a D.C. or D.S.
        jump: D.C. ("capo") or D.S. ("segno") at its end.
    """

    start: bool = False
    times: int = 1
    endings: frozenset[int] = frozenset()
    label: str = ""
    segno: bool = False
    coda: bool = False
    leave_before: bool = False
    leave: bool = False
    fine: bool = False
    jump: Literal["", "capo", "segno"] = ""

    @property
    def written(self) -> int:
        """How many signs that ask for another order stand here."""
        return (self.times > 1) + bool(self.jump)


_JUMPS: Mapping[str, str] = {
    r"d\W*c\W*|da\W*capo": "capo",
    r"d\W*s\W*|dal?\W*segno": "segno",
    r"to\W*coda|da\W*coda|al\W*coda": "leave",
    r"fine": "fine",
    r"coda": "coda",
    r"segno|sign": "segno sign",
}


def sign_of(text: str) -> str:
    """The sign that a text such as "D.C. al Fine" is: capo, segno (D.S.), leave (To Coda), fine, coda, segno sign."""
    words = " ".join(text[:80].lower().split()).strip(" .!()^_<>@")
    for pattern, sign in _JUMPS.items():
        tail = r"(?:\W*(?:al|e|poi)?\W*(?:fine|coda|segno|la|\W)*)?" if sign in ("capo", "segno") else r"\W*"
        if re.fullmatch(f"(?:{pattern}){tail}", words):
            return sign
    return ""


def put_sign(bar: BarMarks, sign: str, begun: bool) -> None:
    """Note a sign of `sign_of` at a bar.

    Args:
        bar: changed.
        sign: of `sign_of`.
        begun: whether something of the bar has sounded before the sign.
    """
    if sign in ("capo", "segno"):
        bar.jump = "capo" if sign == "capo" else "segno"
    elif sign == "fine":
        bar.fine = True
    elif sign == "leave":
        bar.leave, bar.leave_before = bar.leave or begun, bar.leave_before or not begun
    elif sign == "coda":
        bar.coda = True
    elif sign == "segno sign":
        bar.segno = True


def play_order(marks: Sequence[BarMarks], left_out: Counter[str], sections: Sequence[str] = ()) -> list[int]:
    """The bars in the order they are played, by their places.

    Args:
        marks: of each bar.
        left_out: counts the signs that cannot be followed; then the bars are played once through.
        sections: labels in the order they are played, each with its repeats; none plays the bars as written.

    Returns:
        At most `MAX_BARS` places, or all of them once; each occurs, but those of sections that `sections` leaves out.
    """
    bars = _sensible(marks, left_out)
    pieces = _sections(bars, sections) if sections else [(0, len(bars))]
    if pieces is None:
        left_out["orders of sections"] += 1
        pieces = [(0, len(bars))]
    order: list[int] = []
    for begin, end in pieces:
        walked = _walk(bars[begin:end], MAX_BARS - len(order)) if len(bars) <= MAX_BARS else None
        if walked is None:
            left_out["repeats"] += sum(bar.written for bar in marks)
            return list(range(len(bars)))
        order += [begin + place for place in walked]
    return order


def sections_of(text: str) -> list[str]:
    """The letters of an order of sections as ABC has it: "A(AB)2C3" is A A B A B C C C; empty if it makes no sense."""
    stack: list[list[str]] = [[]]
    for letter, opening, closing, times in re.findall(r"([A-Za-z])|(\()|(\))|(\d+)", text):
        if letter:
            stack[-1].append(letter)
        elif opening:
            stack.append([])
        elif closing and len(stack) > 1:
            group = stack.pop()
            stack[-1].append("".join(group))
        elif times and stack[-1]:
            stack[-1][-1] *= min(int(times[:4]), MAX_SECTIONS + 1)
        if sum(map(len, stack[-1])) > MAX_SECTIONS or len(stack) > MAX_SECTIONS:
            return []
    return list("".join(stack[0])) if len(stack) == 1 else []


def _sections(bars: Sequence[BarMarks], sections: Sequence[str]) -> list[tuple[int, int]] | None:
    """From where to where each section of an order reaches, or nothing if one is not written."""
    begins = [place for place, bar in enumerate(bars) if bar.label]
    reach = {bars[begin].label: (begin, end) for begin, end in zip(begins, [*begins[1:], len(bars)], strict=False)}
    if not all(label in reach for label in sections) or len(sections) > MAX_SECTIONS:
        return None
    lead = [(0, begins[0])] if begins and begins[0] else []
    return lead + [reach[label] for label in sections]


def _sensible(marks: Sequence[BarMarks], left_out: Counter[str]) -> list[BarMarks]:
    """Marks with what is understood but not written, without what leads nowhere."""
    bars = [replace(bar) for bar in marks]
    for bar, after in zip(bars, [*bars[1:], BarMarks()], strict=False):
        if bar.endings and after.endings != bar.endings:
            bar.times = max(bar.times, 2)  # at the end of an ending a repeat is meant, if rounds are left
    for bar in bars:
        if bar.times > MAX_TIMES:
            left_out[f"repeats beyond {MAX_TIMES} times"] += bar.times - MAX_TIMES
            bar.times = MAX_TIMES
        if bar.endings and max(bar.endings) > MAX_TIMES:
            left_out[f"repeats beyond {MAX_TIMES} times"] += 1
            bar.endings = frozenset(round for round in bar.endings if round <= MAX_TIMES)
    if nested := _nested(bars):
        left_out["repeats inside repeats, played one after the other"] += nested
    codas = [place for place, bar in enumerate(bars) if bar.coda]
    if len(codas) > 1 and not any(bar.leave or bar.leave_before for bar in bars):
        bars[codas[0]].coda, bars[codas[0]].leave_before = False, True
    signed = any(bar.segno for bar in bars)
    for count, bar in enumerate(bar for bar in bars if bar.jump):
        if count >= MAX_JUMPS or (bar.jump == "segno" and not signed):
            left_out["D.C. or D.S. that cannot be followed"] += 1
            bar.jump = ""
    return bars


def _nested(bars: Sequence[BarMarks]) -> int:
    """How many repeats begin and end between the beginning and the end of another."""
    nested = 0
    inside: list[int] = []  # of each repeat that has begun, those that have begun and ended since
    ended = False  # by the first of endings in a row
    for bar in bars:
        if bar.start:
            inside.append(0)
        ended = ended and bool(bar.endings) and not bar.start
        if bar.times > 1 and inside and not ended:
            nested += inside.pop()
            if inside:
                inside[-1] += 1
            ended = bool(bar.endings)
    return nested


def _walk(bars: Sequence[BarMarks], most: int) -> list[int] | None:
    """Play the bars; None if that takes more than `most`, or leaves one out."""
    coda = max((place for place, bar in enumerate(bars) if bar.coda), default=None)
    rounds = _rounds(bars)
    order: list[int] = []
    jumped: set[int] = set()
    returned = False
    place = begin = 0
    round_ = 1
    while place < len(bars) and len(order) <= most:
        bar = bars[place]
        left_endings = place > 0 and bool(bars[place - 1].endings) and not bar.endings
        if (bar.start or left_endings) and place != begin:
            begin, round_ = place, 1
        if returned and bar.leave_before and coda is not None:
            place, begin, round_, returned = coda, coda, 1, False
            continue
        if bar.endings and (rounds[place] if returned else round_) not in bar.endings:
            place += 1
            continue
        order.append(place)
        if returned and bar.fine:
            break
        if returned and bar.leave and coda is not None:
            place, begin, round_, returned = coda, coda, 1, False
        elif bar.times > 1 and not returned and round_ < rounds[place]:
            place, round_ = begin, round_ + 1
        elif bar.jump and place not in jumped:
            jumped.add(place)
            signs = [sign for sign, other in enumerate(bars) if other.segno] if bar.jump == "segno" else [0]
            place = begin = max((sign for sign in signs if sign <= place), default=signs[0] if signs else 0)
            returned, round_ = True, 1
        else:
            place += 1
            if bar.times > 1:
                begin, round_ = place, 1
    return order if len(order) <= most and len(set(order)) == len(bars) else None


def _rounds(bars: Sequence[BarMarks]) -> list[int]:
    """How often the repeat that ends at each bar is played: as the endings around it say, else as its sign does."""
    rounds = [bar.times for bar in bars]
    begin = 0
    for place, bar in enumerate(bars):
        before = bars[place - 1].endings if place else frozenset()
        if bar.start or not (before and bar.endings) or min(bar.endings) < min(before):
            begin = place
        if bar.endings and (place + 1 == len(bars) or not bars[place + 1].endings or bars[place + 1].start):
            most = max(max(other.endings) for other in bars[begin : place + 1])
            rounds[begin : place + 1] = [max(most, other.times) for other in bars[begin : place + 1]]
    return rounds
