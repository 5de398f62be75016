"""A score as it is written, bar by bar, and the piece that comes of playing it.

The readers of ABC, MusicXML and kern come to the same `WrittenScore`; all that follows, they share. Positions are whole
numbers of `UNITS` a quarter, so that what ends and what begins at one moment compare equal, in tuplets too.
"""

from __future__ import annotations

import bisect
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from recurra.errors import OptionError
from recurra.tasks.music.grid import SIXTEENTH, assemble, spans
from recurra.tasks.music.harmony import chord_tones
from recurra.tasks.music.io.repeats import BarMarks, play_order
from recurra.tasks.music.pieces import MIDDLE_VELOCITY, TICKS, Note, Piece, Track

UNITS = 10_080
"""In a quarter: divisible by all tuplets up to 10."""

CHORD_TRACK = Track("Chords", 24)
"""Who plays the chord symbols: a guitar, so that no voice for piano is taken for it."""

CHORD_ROOT = 48
"""Chord symbols sound from the octave of this pitch on."""

DYNAMICS = {
    "pppp": 10, "ppp": 16, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112, "fff": 126, "ffff": 127, "n": 1,
}  # fmt: skip
"""Velocities, those of `notation.VELOCITIES`."""

ACCENTS = ("sf", "sfz", "sffz", "fz", "rf", "rfz", "sfp", "sfpp", "fp")
"""Dynamics of one moment; what holds after them is what they end in, or what held before."""


_OLD_QUALITIES = ((r"^([A-G][#b]?)d(?=7?(?:/|$))", r"\1dim"), (r"^([A-G][#b]?)a(?=7?(?:/|$))", r"\1aug"), (r" ", ""))
"""What ABC of the nineties has: Cd, Fa7, A/c+."""


class Sounding(NamedTuple):
    """A note in a bar: from where to where in units from the bar's beginning, and whether it is tied to others."""

    begin: int
    end: int
    pitch: int
    velocity: int = MIDDLE_VELOCITY
    tied_before: bool = False
    tied_after: bool = False


class WrittenPart(NamedTuple):
    """Who plays, and the notes of each bar, sorted; bars at the end may be missing."""

    track: Track
    bars: Sequence[Sequence[Sounding]]


@dataclass
class WrittenBar:
    """A bar: its length in units, its metre, tempos `(units, quarters a minute)` in it, signs at it."""

    length: int
    meter: tuple[int, int] = (4, 4)
    tempos: list[tuple[int, float]] = field(default_factory=list)
    marks: BarMarks = field(default_factory=BarMarks)


class WrittenScore(NamedTuple):
    """A score; `sections` is the order of labels it asks for, if it does."""

    name: str
    bars: Sequence[WrittenBar]
    parts: Sequence[WrittenPart]
    sections: Sequence[str] = ()


def to_piece(score: WrittenScore, left_out: Counter[str], expand: bool = True) -> Piece:
    """Play a score.

    Args:
        score: at least one bar.
        left_out: counts what cannot be played; its contents become the piece's.
        expand: in the order its signs ask for; else once through.

    Raises:
        ValueError: see `grid.assemble`.
    """
    bars = score.bars
    order: Sequence[int] = range(len(bars))
    if expand:
        order = play_order([bar.marks for bar in bars], left_out, score.sections)
    begins = list(accumulate((bars[place].length for place in order), initial=0))
    tracks: list[Track] = []
    notes: list[Note] = []
    for part in score.parts:
        found = _notes(part, order, begins, len(tracks))
        if found:
            tracks.append(part.track)
            notes += found
    tempos = [
        (_ticks(begin + at), pace)
        for begin, place in zip(begins, order, strict=False)
        for at, pace in bars[place].tempos
    ]
    return assemble(score.name, tracks, notes, _meters(bars, order, begins, left_out), tempos, left_out)


def cut(notes: Iterable[Sounding], lengths: Sequence[int]) -> list[list[Sounding]]:
    """Notes bar by bar, tied where a bar line cuts them.

    Args:
        notes: from where to where in units from the beginning of the score.
        lengths: of its bars; what lies beyond the last goes with that.
    """
    begins = list(accumulate(lengths, initial=0))
    last = len(lengths) - 1
    bars: list[list[Sounding]] = [[] for _ in lengths]
    for note in notes:
        at = min(max(bisect.bisect_right(begins, note.begin) - 1, 0), last)
        begin, tied = note.begin, note.tied_before
        while True:
            goes_on = at < last and note.end > begins[at + 1]
            end = begins[at + 1] if goes_on else note.end
            piece = Sounding(begin - begins[at], end - begins[at], note.pitch, note.velocity, tied, goes_on)
            bars[at].append(piece if goes_on else piece._replace(tied_after=note.tied_after))
            if not goes_on:
                break
            begin, tied, at = end, True, at + 1
    return [sorted(bar) for bar in bars]


def chord_part(symbols: Sequence[tuple[int, str]], lengths: Sequence[int], left_out: Counter[str]) -> list[WrittenPart]:
    """A part that plays chord symbols, each held until the next: none, if there are no symbols.

    Args:
        symbols: positions in units, and what is written there, in order.
        lengths: of the bars.
        left_out: counts those that are not understood; there the chord before goes on.
    """
    held: list[tuple[int, tuple[int, ...]]] = []
    for at, symbol in symbols:
        try:
            pitches = voiced(symbol)
        except OptionError:
            left_out["chord symbols"] += 1
            continue
        if held and held[-1][0] == at:
            held.pop()  # alternatives, the last of which counts
        held.append((at, pitches))
    ends = [*(at for at, _ in held[1:]), sum(lengths)]
    notes = [
        Sounding(at, end, pitch)
        for (at, pitches), end in zip(held, ends, strict=False)
        for pitch in pitches
        if end > at
    ]
    return [WrittenPart(CHORD_TRACK, cut(notes, lengths))] if notes else []


def voiced(symbol: str) -> tuple[int, ...]:
    """The pitches that play a chord symbol, in close position above the root; a bass after a slash lies below.

    Raises:
        OptionError: if it is not known.
    """
    written = re.sub(r"/([a-g])(\+?)", lambda bass: f"/{bass[1].upper()}{'#' * len(bass[2])}", symbol.strip(" ()"))
    for pattern, plain in _OLD_QUALITIES:
        written = re.sub(pattern, plain, written)
    tones = chord_tones(written)
    if tones is None:
        return ()
    root = CHORD_ROOT + tones.root
    pitches = {root + interval for interval in tones.intervals}
    if tones.bass is not None:
        low = CHORD_ROOT - 12 + tones.bass
        pitches = {low} | {pitch for pitch in pitches if (pitch - low) % 12}
    return tuple(sorted(pitches))


def _notes(part: WrittenPart, order: Sequence[int], begins: Sequence[int], track: int) -> list[Note]:
    """The notes of a part as they are played, tied ones joined."""
    joined: list[Sounding] = []
    open_ties: dict[tuple[int, int], int] = {}
    for place, offset in zip(order, begins, strict=False):
        for note in part.bars[place] if place < len(part.bars) else ():
            begin, end = offset + note.begin, offset + note.end
            index = open_ties.pop((note.pitch, begin), None) if note.tied_before else None
            if index is None:
                index = len(joined)
                joined.append(note._replace(begin=begin, end=end))
            else:
                joined[index] = joined[index]._replace(end=end)
            if note.tied_after:
                open_ties[note.pitch, end] = index
    onsets, durations = spans([_ticks(note.begin) for note in joined], [_ticks(note.end) for note in joined])
    return [
        Note(onset, duration, note.pitch, note.velocity, track)
        for onset, duration, note in zip(onsets.tolist(), durations.tolist(), joined, strict=True)
    ]


def _ticks(units: int) -> float:
    return units * TICKS / UNITS


def _meters(
    bars: Sequence[WrittenBar], order: Sequence[int], begins: Sequence[int], left_out: Counter[str]
) -> list[tuple[float, int, int]]:
    """The metre of each bar as it is played: of a pickup and of other bars that are not whole, their own."""
    if len(order) == 1:
        return [(0.0, *bars[0].meter)]
    changes = []
    for count, (place, begin) in enumerate(zip(order, begins, strict=False), 1):
        numerator, denominator = bars[place].meter
        length = bars[place].length * TICKS
        whole = length * denominator % (4 * TICKS * UNITS * numerator) == 0  # also rests of several bars
        if not whole and count < len(order):
            if length % (SIXTEENTH * UNITS):
                left_out["bars of a length no metre has"] += 1
            else:
                while length * denominator % (4 * TICKS * UNITS):
                    denominator *= 2
                numerator = length * denominator // (4 * TICKS * UNITS)
        changes.append((_ticks(begin), numerator, denominator))
    return changes
