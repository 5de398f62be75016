"""A piano roll: where the tokens of a passage are in time, and the notes they make up.

A token stands at the time that is reached once it has been read: what goes on to a later time stands there. The
tokens of one time share the space up to the next equally, in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import DoubleArray, IntArray

ROW = 4 * 48
"""Ticks in a row at most, a pickup not counted, unless a single bar is longer: four bars of common time."""

GAP = 12
"""Ticks left after a piece."""

MIN_LANES = 12
"""Lanes shown at least."""


class Lane(NamedTuple):
    """A line of the roll for one pitch.

    Attributes:
        label: written beside it; mostly nothing.
        shaded: drawn darker, as black keys are.
    """

    label: str
    shaded: bool


class DrawnNote(NamedTuple):
    """A note.

    Attributes:
        first: its first token ...
        last: ... and its last; those between are its own too.
        onset: ticks.
        duration: ticks.
        lane: counted from the lowest.
        name: what a person would call it.
    """

    first: int
    last: int
    onset: int
    duration: int
    lane: int
    name: str


class DrawnBar(NamedTuple):
    """A bar, in ticks; a pickup's number is 0, and `title` is the piece's if it is its first."""

    begin: int
    end: int
    beat: int
    number: int
    title: str = ""


class Row(NamedTuple):
    """Bars that stand side by side; the row goes from tick `begin` to tick `end`."""

    begin: int
    end: int
    bars: tuple[DrawnBar, ...]


@dataclass(frozen=True)
class Roll:
    """A passage as notes on a page.

    Attributes:
        times: the tick reached after each token, never falling, `(time,)`.
        end: the tick at which the last token's time is over.
        notes: in the order of their tokens.
        bars: in their order; between two pieces is a gap.
        lanes: from the lowest.
    """

    times: IntArray
    end: int
    notes: tuple[DrawnNote, ...]
    bars: tuple[DrawnBar, ...]
    lanes: tuple[Lane, ...]

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self.times)

    @property
    def spans(self) -> DoubleArray:
        """Where each token's share of the time begins and ends, ticks, `(time, 2)`."""
        ticks, moment, counts = np.unique(self.times, return_inverse=True, return_counts=True)
        room = np.diff(np.append(ticks, self.end)) / counts
        index = np.arange(len(self.times)) - (np.cumsum(counts) - counts)[moment]
        begins = self.times + index * room[moment]
        return np.stack([begins, begins + room[moment]], axis=1)

    def beginning(self, length: int) -> Self:
        """What the first so many tokens make up; lanes that nothing is on are left out at both sides."""
        if length < len(self.times):
            later = self.times[self.times > self.times[length - 1]]
            end = int(later[0]) if len(later) else self.end
        else:
            end = self.end
        notes = [note for note in self.notes if note.last < length]
        lowest, highest = self.lanes_of(notes)
        return replace(
            self,
            times=self.times[:length],
            end=end,
            notes=tuple(note._replace(lane=note.lane - lowest) for note in notes),
            bars=tuple(bar for bar in self.bars if bar.begin < end),
            lanes=self.lanes[lowest : highest + 1],
        )

    def lanes_of(self, notes: Sequence[DrawnNote]) -> tuple[int, int]:
        """The lowest and the highest lane to show where there are some notes."""
        used = [note.lane for note in notes] or [0]
        lowest, highest = max(min(used) - 1, 0), min(max(used) + 1, len(self.lanes) - 1)
        missing = max(0, MIN_LANES - (highest - lowest + 1))
        lowest = max(0, lowest - missing // 2)
        return lowest, min(max(highest, lowest + MIN_LANES - 1), len(self.lanes) - 1)

    def rows(self) -> list[Row]:
        """All bars in rows of at most `ROW` ticks; a piece begins a new one, and what it ends in has a gap after it."""
        groups: list[list[DrawnBar]] = []
        for bar in self.bars:
            room = ROW + (groups[-1][0].end - groups[-1][0].begin if groups and groups[-1][0].number == 0 else 0)
            if groups and not bar.title and bar.end - groups[-1][0].begin <= room:
                groups[-1].append(bar)
            else:
                groups.append([bar])
        rows = []
        for index, bars in enumerate(groups):
            last = index + 1 == len(groups) or bool(groups[index + 1][0].title)
            rows.append(Row(bars[0].begin, bars[-1].end + GAP * last, tuple(bars)))
        return rows

    def inside(self, row: Row) -> list[int]:
        """Which notes sound in a row."""
        return [
            index
            for index, note in enumerate(self.notes)
            if note.onset < row.end and note.onset + note.duration > row.begin
        ]

    def lanes_in(self, row: Row) -> tuple[int, int]:
        """The lowest and the highest lane to show in a row."""
        return self.lanes_of([self.notes[index] for index in self.inside(row)])

    def drawn(self) -> dict[str, Any]:
        """Lanes, rows and notes as roll.js draws them, JSON values."""
        rows = self.rows()
        shown = [dict(zip(("lowest", "highest"), self.lanes_in(row), strict=True)) for row in rows]
        return {
            "groups": [note._asdict() for note in self.notes],
            "lanes": [lane._asdict() for lane in self.lanes],
            "rows": [
                {"begin": row.begin, "end": row.end, **lanes, "bars": [bar._asdict() for bar in row.bars]}
                for row, lanes in zip(rows, shown, strict=True)
            ],
        }

    def own(self, values: NDArray[np.floating]) -> DoubleArray:
        """The sum over each note's own tokens of values of all tokens, `(time,)` to `(notes,)`."""
        sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        ends = np.array([(note.first, note.last + 1) for note in self.notes], dtype=np.int64).reshape(-1, 2)
        own: DoubleArray = sums[ends[:, 1]] - sums[ends[:, 0]]
        return own
