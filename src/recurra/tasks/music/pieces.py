"""A piece of music as everything above works with it: notes on a grid of ticks, with tracks, metres and tempos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

TICKS = 12
"""Ticks in a quarter note: sixteenths are 3, triplet eighths 4, triplet sixteenths 2."""

METER_DENOMINATORS = (1, 2, 4, 8, 16, 32)
"""Of the notes that a metre may count."""

MIDDLE_VELOCITY = 80
"""Of notes for which none is known."""


DRUM_PLACES = {
    35: ("E", 4, ""), 36: ("F", 4, ""), 38: ("C", 5, ""), 40: ("C", 5, ""), 37: ("C", 5, "x"), 39: ("C", 5, "x"),
    41: ("G", 4, ""), 43: ("A", 4, ""), 45: ("B", 4, ""), 47: ("D", 5, ""), 48: ("E", 5, ""), 50: ("E", 5, ""),
    42: ("G", 5, "x"), 44: ("D", 4, "x"), 46: ("G", 5, "circle-x"), 49: ("A", 5, "x"), 57: ("A", 5, "x"),
    51: ("F", 5, "x"), 53: ("F", 5, "diamond"), 59: ("F", 5, "x"), 52: ("B", 5, "x"), 55: ("B", 5, "x"),
}  # fmt: skip
"""Line or space of each drum on a percussion staff, as a treble clef would call it, and its head."""


class Note(NamedTuple):
    """A note: `onset` and `duration` (at least 1) in ticks, `pitch` a MIDI number (60 is middle C).

    `velocity` is 1 to 127, `track` a place in `Piece.tracks`.
    """

    onset: int
    duration: int
    pitch: int
    velocity: int = MIDDLE_VELOCITY
    track: int = 0

    @property
    def end(self) -> int:
        """The first tick at which it no longer sounds."""
        return self.onset + self.duration


class Track(NamedTuple):
    """Who plays: `program` is General MIDI's, 0 to 127; of drums, a pitch is not a height but an instrument."""

    name: str = ""
    program: int = 0
    drums: bool = False


class Meter(NamedTuple):
    """A metre from tick `onset` on, which begins a bar: `numerator` beats of a `denominator`-th note in each.

    A pickup is a shorter bar: a metre of its own that lasts one bar.
    """

    onset: int
    numerator: int
    denominator: int

    @property
    def bar(self) -> int:
        """Length of a bar in ticks."""
        return 4 * TICKS * self.numerator // self.denominator

    @property
    def beat(self) -> int:
        """Length of a beat in ticks: of three eighths where the metre is compound (6/8, 9/8, 12/8)."""
        compound = self.denominator >= 8 and self.numerator % 3 == 0 and self.numerator > 3
        return 4 * TICKS * (3 if compound else 1) // self.denominator


class Tempo(NamedTuple):
    """A tempo from tick `onset` on, in quarter notes a minute."""

    onset: int
    quarters_per_minute: float


ChangeT = TypeVar("ChangeT", Meter, Tempo)

COMMON_TIME = Meter(0, 4, 4)
MODERATO = Tempo(0, 100.0)

PLAYED_TEMPO = Tempo(0, 500.0)
"""Of performances: a tick is a hundredth of a second."""

PLAYED_METER = Meter(0, 67, 32)
"""Of performances, which have none: a "bar" of it is 100 ticks, a second."""


@dataclass(frozen=True)
class Piece:
    """A piece of music.

    Attributes:
        name: what a person would call it.
        tracks: who plays; at least one.
        notes: sorted by onset, track, pitch; in one track no two notes of one pitch sound at once.
        length: ticks, at least as far as the last note's end.
        meters: sorted, the first at 0.
        tempos: sorted, the first at 0.
        left_out: how many things of a kind were in the file but are not here, by what they are called.
        repaired: what was wrong with the file, and how it was read all the same, in parts of a sentence.
        performance: whether its times are those of a performance, on no grid: a tick is a hundredth of a second.
        off_grid: share of notes that were moved far to lie on the grid, see `grid.off_grid`.
    """

    name: str
    tracks: tuple[Track, ...]
    notes: tuple[Note, ...]
    length: int
    meters: tuple[Meter, ...] = (COMMON_TIME,)
    tempos: tuple[Tempo, ...] = (MODERATO,)
    left_out: Mapping[str, int] = field(default_factory=dict)
    repaired: tuple[str, ...] = ()
    performance: bool = False
    off_grid: float = field(default=0.0, compare=False)


def bar_lines(piece: Piece) -> list[int]:
    """The ticks at which bars begin, and at which the last ends: not before the end of the piece."""
    return _lines(piece, [meter.bar for meter in piece.meters])


def beat_lines(piece: Piece) -> list[int]:
    """The same of beats."""
    return _lines(piece, [meter.beat for meter in piece.meters])


def _lines(piece: Piece, steps: Sequence[int]) -> list[int]:
    """Equal steps from each metre on until the next one begins or the piece ends, then where the last step ends."""
    ends = [*(meter.onset for meter in piece.meters[1:]), piece.length]
    lines: list[int] = []
    end_of_last = 0
    for meter, step, end in zip(piece.meters, steps, ends, strict=True):
        begun = range(meter.onset, min(end, piece.length), max(step, 1))
        if begun:
            lines += begun
            end_of_last = begun[-1] + max(step, 1)
    return [*lines, end_of_last]


def has_pickup(piece: Piece) -> bool:
    """Whether the first metre is a pickup's: it lasts one bar, which is shorter than those of the second.

    One that counts longer notes than the second is a metre of its own.
    """
    return begins_short(piece.meters)


def begins_short(meters: Sequence[Meter]) -> bool:
    """The same of metres by themselves."""
    if len(meters) < 2:
        return False
    first, second = meters[:2]
    return second.onset - first.onset <= first.bar < second.bar and first.denominator >= second.denominator


def part(piece: Piece, begin: int, end: int) -> Piece:
    """What begins from tick `begin` on and before `end`, notes cut there."""
    notes = [
        note._replace(onset=note.onset - begin, duration=min(note.duration, end - note.onset))
        for note in piece.notes
        if begin <= note.onset < end
    ]
    return replace(
        piece,
        notes=tuple(notes),
        length=end - begin,
        meters=_from(piece.meters, begin, end),
        tempos=_from(piece.tempos, begin, end),
    )


def _from(changes: Sequence[ChangeT], begin: int, end: int) -> tuple[ChangeT, ...]:
    """The changes of metre or tempo that hold between two ticks, counted from the first."""
    first = max((index for index, change in enumerate(changes) if change.onset <= begin), default=0)
    return tuple(c._replace(onset=max(c.onset - begin, 0)) for c in changes[first:] if c.onset < end)
