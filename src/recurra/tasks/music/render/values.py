"""Durations as they are written: note values, dots, ties and triplets, by the metre."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from recurra.tasks.music.pieces import TICKS, Meter

BINARY = {
    72: ("whole", 1), 48: ("whole", 0), 36: ("half", 1), 24: ("half", 0), 18: ("quarter", 1), 12: ("quarter", 0),
    9: ("eighth", 1), 6: ("eighth", 0), 3: ("16th", 0),
}  # fmt: skip
"""Name and dots of the values without triplets, by ticks."""

TRIPLET = {
    16: ("half", 0), 8: ("quarter", 0), 4: ("eighth", 0), 3: ("16th", 1), 2: ("16th", 0), 1: ("32nd", 0),
}  # fmt: skip
"""The same in triplets, three in the time of two."""

STEPS = {24: (16, 8), 12: (8, 4, 3, 2, 1), 6: (4, 2, 1)}
"""By ticks of a group of triplets: the values it is made of, the longest first."""


class Span(NamedTuple):
    """What a voice does from a tick of the bar to another: `sounds`, or rests."""

    begin: int
    end: int
    sounds: bool


class Value(NamedTuple):
    """A part of a span that is written as one note or rest.

    Attributes:
        span: number of the span.
        begin: tick in the bar.
        end: tick in the bar.
        kind: MusicXML's name of the value.
        dots: behind it.
        group: ticks of the triplet it is in, or 0.
        opens: whether it is the first of its triplet.
        closes: whether it is the last.
    """

    span: int
    begin: int
    end: int
    kind: str
    dots: int
    group: int = 0
    opens: bool = False
    closes: bool = False


class _Cell(NamedTuple):
    """A stretch of a bar that is a triplet, `group` ticks long when whole."""

    begin: int
    end: int
    group: int


def values_of(spans: Sequence[Span], meter: Meter) -> list[Value]:
    """How a bar's spans are written, in order.

    Args:
        spans: one after another without a gap; ticks count from where a whole bar begins, so that a pickup, which is
            the end of one, begins later.
        meter: the bar's.
    """
    edges = {span.begin for span in spans} | {spans[-1].end}
    cells = _triplets(edges, spans[0].begin, spans[-1].end, meter)
    written: list[Value] = []
    for number, span in enumerate(spans):
        begin = span.begin
        while begin < span.end:
            cell = next((cell for cell in cells if cell.end > begin), None)
            if cell is None or cell.begin >= span.end:
                end = span.end
            else:
                end = cell.begin if cell.begin > begin else min(cell.end, span.end)
            if cell is not None and cell.begin <= begin:
                written += _in_triplet(number, begin, end, cell)
            else:
                written += [
                    Value(number, *part, *BINARY[part[1] - part[0]]) for part in _split(begin, end, span, meter)
                ]
            begin = end
    return written


def _triplets(edges: set[int], begin: int, end: int, meter: Meter) -> list[_Cell]:
    """Where triplets are needed: as few ticks as hold all edges that sixteenths do not reach."""
    compound = meter.beat % 18 == 0
    cells: list[_Cell] = []
    while begin < end:
        step = 6 if compound else TICKS
        inner = {edge for edge in edges if begin < edge < begin + 2 * TICKS}
        off = {edge - begin for edge in inner} - {8, 16}
        if not compound and begin % (2 * TICKS) == 0 and begin + 2 * TICKS <= end and inner and not off:
            cells.append(_Cell(begin, begin + 2 * TICKS, 2 * TICKS))
            begin += 2 * TICKS
            continue
        finish = min(end, (begin // step + 1) * step)
        cells += _triplets_within(edges, begin, finish)
        begin = finish
    return cells


def _triplets_within(edges: set[int], begin: int, end: int) -> list[_Cell]:
    """Triplets of a quarter or an eighth, or less at the ends of a bar."""
    inner = {edge for edge in edges if begin <= edge <= end} | {begin, end}
    if all(edge % 3 == 0 for edge in inner):
        return []
    middle = (begin // 6 + 1) * 6
    if middle >= end:
        return [_Cell(begin, end, 6)]
    if end - begin == TICKS and middle not in edges:
        return [_Cell(begin, end, TICKS)]
    if middle in edges:
        return _triplets_within(edges, begin, middle) + _triplets_within(edges, middle, end)
    return [_Cell(begin, end, TICKS)]


def _in_triplet(number: int, begin: int, end: int, cell: _Cell) -> list[Value]:
    values = []
    base = cell.begin - cell.begin % cell.group
    while begin < end:
        step = next(
            step for step in STEPS[cell.group]
            if begin + step <= end and (step == 1 or step == 3 or (begin - base) % min(step, cell.group // 3) == 0)
        )  # fmt: skip
        kind, dots = TRIPLET[step]
        opens, closes = begin == cell.begin, begin + step == cell.end
        values.append(Value(number, begin, begin + step, kind, dots, cell.group, opens, closes))
        begin += step
    return values


def _split(begin: int, end: int, span: Span, meter: Meter) -> list[tuple[int, int]]:
    """A stretch outside triplets in parts of one value each, cut at the strongest places of the metre."""
    if end - begin in BINARY and _readable(begin, end, span.sounds, meter):
        return [(begin, end)]
    inner = range(begin // 3 * 3 + 3, end, 3)
    strongest = max(_strength(index, meter) for index in inner)
    cuts = [index for index in inner if _strength(index, meter) == strongest]
    fitting = [index for index in cuts if index - begin in BINARY]
    cut = (fitting or cuts)[-1] if span.sounds else cuts[0]
    return _split(begin, cut, span, meter) + _split(cut, end, span, meter)


def _readable(begin: int, end: int, sounds: bool, meter: Meter) -> bool:
    """Whether one value may hide the places of the metre that it covers."""
    inner = max((_strength(index, meter) for index in range(begin + 3, end, 3)), default=-1)
    ends = sorted((_strength(begin, meter), _strength(end, meter)))
    compound = meter.beat % 18 == 0
    dotted = bool(BINARY[end - begin][1])
    if end - begin <= 3:
        return True
    if not sounds:
        return inner < ends[0] and (compound or not dotted)
    if compound:
        return inner < _strength(meter.beat, meter) or inner < ends[0] or (inner == ends[0] and inner < ends[1])
    return inner <= ends[1] + (0 if dotted else 1)


def _strength(index: int, meter: Meter) -> int:
    """How strong a place of a bar is: 0 for the weakest."""
    half = meter.bar // 2 if meter.numerator % 2 == 0 and meter.numerator >= 4 else 0
    periods = [meter.bar, half, meter.beat, TICKS if meter.beat % TICKS == 0 else 0, 6 if meter.beat % 6 == 0 else 0]
    kept = sorted({period for period in periods if period and period % 3 == 0}, reverse=True)
    return next((len(kept) - rank for rank, period in enumerate(kept) if index % period == 0), 0)
