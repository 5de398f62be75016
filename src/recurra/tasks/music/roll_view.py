"""A passage that is music shown as a piano roll: in the pictures neurons.png and surprisal.png, and on the page.

Above each row of the roll is a strip of all its tokens, those of one time side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import BoolArray, DoubleArray, FloatArray
from recurra.explain import pictures
from recurra.explain.html import part
from recurra.explain.lettering import printable
from recurra.explain.measurements import Measured
from recurra.explain.page import short, shorts
from recurra.explain.passage import Passage
from recurra.explain.pictures import DIVERGING, SEQUENTIAL, UNITS_SHOWN, colours_of, surprisal_scale
from recurra.explain.units import Tracker
from recurra.tasks.music.lanes import DrawnNote, Lane, Roll, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, LEFT, RIGHT = 13.0, 0.55, 0.2
"""Of a picture and its margins, inches."""

TITLE, NUMBERS = 0.42, 0.26
"""Height above a row with and without a title, inches."""

LANE = 0.052
"""Height of a lane, inches; all lanes of a row are `TALLEST` at most."""

TALLEST = 2.6

STRIP, MARKS = (0.5, 2.7), (3.0, 3.9)
"""Where the strip of tokens and the marks of a feature are, in lanes above the highest."""

SURPRISAL_ROWS = 10
"""Rows in surprisal.png."""

NUMBER_ROOM = 8
"""Ticks between two bar numbers at least."""

RGBA = DoubleArray


@dataclass(frozen=True)
class RollView(Roll):
    """A roll that draws itself: see `explain.passage.View`."""

    def draw_units(self, passage: Passage, values: FloatArray, trackers: Sequence[Tracker], path: Path) -> None:
        """Draw a row of the roll for each found unit: notes coloured by it once they are read, and marks."""
        rows = self.rows()
        shown = trackers[:UNITS_SHOWN]
        if not shown or not self.notes:
            return pictures.draw_units(passage, values, [], path)
        chosen = [telling_row(self, rows, passage.features[tracker.feature]) for tracker in shown]
        sheet = _Sheet(self, chosen, 0.1, titled=True)
        last = [note.last for note in self.notes]
        for tracker, row in zip(shown, chosen, strict=True):
            unit = values[:, tracker.unit]
            colours = colours_of(unit / max(float(np.abs(unit).max()), 1e-9), DIVERGING)
            axes = sheet.next(row, pictures.describe(tracker))
            _draw_row(axes, self, row, colours, colours[last])
            _draw_marks(axes, self, row, passage.features[tracker.feature])
        sheet.save(path)

    def draw_surprisal(self, passage: Passage, bits: NDArray[np.floating], path: Path) -> None:
        """Draw the beginning: notes coloured by what all their tokens cost, the strip by what each did."""
        cost = np.concatenate([[0.0], bits])
        roll = self.beginning(len(cost))
        notes = roll.own(cost)
        scale = surprisal_scale(notes if len(notes) else bits)
        rows = roll.rows()[:SURPRISAL_ROWS]
        sheet = _Sheet(roll, rows, 0.9, titled=False)
        mean = f"{printable(passage.source)}: mean {bits.mean():.2f} bits a {passage.unit}"
        sheet.title(mean + (f", {notes.mean():.2f} bits a note" if len(notes) else ""), scale)
        for row in rows:
            strip, colours = (colours_of(values / scale, SEQUENTIAL, low=0.0) for values in (cost, notes))
            title = printable(row.bars[0].title)
            _draw_row(sheet.next(row, title), roll, row, strip, colours)
        sheet.save(path)

    def page_data(self, measured: Measured) -> dict[str, Any]:
        """The roll of what is shown, and what each note cost."""
        roll = self.beginning(measured.shown)
        bits = np.concatenate([[0.0], measured.surprisal.bits])
        cost = roll.own(bits)
        return {
            "unit": "note",
            "bits": shorts(cost),
            "mean": short(cost.mean(), 4) if len(cost) else None,
            "scale": surprisal_scale(cost if len(cost) else bits),
            **roll.drawn(),
            "spans": [[round(float(begin), 2), round(float(end), 2)] for begin, end in roll.spans],
        }

    def script(self) -> str:
        """What draws the roll on the page."""
        return "".join(part("recurra.tasks.music", name) for name in ("roll.js", "roll_view.js"))

    def style(self) -> str:
        """What the roll looks like there."""
        return part("recurra.tasks.music", "roll.css")


def telling_row(roll: Roll, rows: Sequence[Row], holds: BoolArray) -> Row:
    """The row in which a feature is most nearly as often there as not; rows much shorter than others do not count."""
    enough = 0.75 * max(row.end - row.begin for row in rows)
    sums = np.concatenate([[0], np.cumsum(holds)])

    def balance(row: Row) -> float:
        begin, end = np.searchsorted(roll.times, (row.begin, row.end))
        return min(inside := int(sums[end] - sums[begin]), int(end - begin) - inside)

    return max((row for row in rows if row.end - row.begin >= enough), key=balance)


class _Sheet:
    """A picture of rows, one below the other.

    Args:
        roll: what they are of.
        rows: what will be drawn.
        head: space above all, inches.
        titled: every row has a title, not only those that begin a piece.
    """

    def __init__(self, roll: Roll, rows: Sequence[Row], head: float, titled: bool) -> None:
        from matplotlib.figure import Figure

        self.roll, self.titled = roll, titled
        self.longest = max(row.end - row.begin for row in rows)
        self.height = head + 0.1 + sum(self._head(row) + self._height(row) for row in rows)
        self.figure = Figure(figsize=(WIDTH, self.height), facecolor="white")
        self.top = self.height - head

    def _head(self, row: Row) -> float:
        return TITLE if self.titled or row.bars[0].title else NUMBERS

    def _height(self, row: Row) -> float:
        lowest, highest = self.roll.lanes_in(row)
        lanes = highest - lowest + 1
        return min(LANE, TALLEST / lanes) * (lanes + MARKS[1])

    def title(self, text: str, scale: float) -> None:
        """Write above all rows what it is, and what colours mean."""
        self.figure.text(LEFT / WIDTH, 1 - 0.3 / self.height, text, fontsize=12, weight="bold", parse_math=False)
        legend = self.figure.add_axes(
            (LEFT / WIDTH, 1 - 0.62 / self.height, 2.5 / WIDTH, 0.14 / self.height), frameon=True
        )
        ramp = colours_of(np.linspace(0, 1, 64), SEQUENTIAL, low=0.0)[None]
        legend.imshow(ramp, aspect="auto", extent=(0, scale, 0, 1))
        legend.set_yticks([])
        legend.tick_params(labelsize=8, length=2)
        self.figure.text((LEFT + 2.6) / WIDTH, 1 - 0.61 / self.height, "bits", fontsize=8)

    def next(self, row: Row, title: str) -> Axes:
        """Axes for the next row, in ticks and lanes."""
        height = self._height(row)
        self.top -= self._head(row) + height
        width = (WIDTH - LEFT - RIGHT) * (row.end - row.begin) / self.longest
        axes = self.figure.add_axes(
            (LEFT / WIDTH, self.top / self.height, width / WIDTH, height / self.height), frameon=False
        )
        lowest, highest = self.roll.lanes_in(row)
        axes.set(xlim=(row.begin, row.end), ylim=(lowest - 0.5, highest + 0.5 + MARKS[1]), xticks=[])
        axes.tick_params(length=0)
        axes.set_title(title, fontsize=8.5, loc="left", pad=12, parse_math=False)
        return axes

    def save(self, path: Path) -> None:
        pictures.save(self.figure, path)


def _draw_row(axes: Axes, roll: Roll, row: Row, tokens: RGBA, notes: RGBA) -> None:
    """Draw lanes, bars and beats, the notes, and the strip of tokens above, each in its colour."""
    from matplotlib.collections import PolyCollection

    lowest, highest = roll.lanes_in(row)
    end = row.bars[-1].end
    _draw_lanes(axes, roll.lanes, lowest, highest, row.begin, end)
    number_end = row.begin
    for bar in row.bars:
        axes.plot([bar.begin] * 2, [lowest - 0.5, highest + 0.5 + STRIP[1]], color="#8c877b", linewidth=0.9, zorder=2)
        for beat in range(bar.begin + bar.beat, bar.end, bar.beat):
            axes.plot([beat] * 2, [lowest - 0.5, highest + 0.5], color="#d8d4ca", linewidth=0.5, zorder=1)
        if bar.begin >= number_end:
            axes.annotate(str(bar.number), (bar.begin, 1), (1, 1.5), xycoords=("data", "axes fraction"),
                          textcoords="offset points", fontsize=7.5, color="#666666")  # fmt: skip
            number_end = bar.begin + NUMBER_ROOM
    axes.plot([end] * 2, [lowest - 0.5, highest + 0.5 + STRIP[1]], color="#8c877b", linewidth=0.9, zorder=2)
    inside = roll.inside(row)
    shapes = [_corners(roll.notes[index]) for index in inside]
    axes.add_collection(
        PolyCollection(shapes, facecolors=notes[inside], edgecolors="#55504a", linewidths=0.6, zorder=3)
    )
    begin, after = np.searchsorted(roll.times, (row.begin, row.end))
    boxes = [_box(left, right, *STRIP, highest) for left, right in roll.spans[begin:after]]
    axes.add_collection(
        PolyCollection(boxes, facecolors=tokens[begin:after], edgecolors="#d8d4ca", linewidths=0.25, zorder=3)
    )


def _draw_lanes(axes: Axes, lanes: Sequence[Lane], lowest: int, highest: int, begin: int, end: int) -> None:
    shown = range(lowest, highest + 1)
    for lane in shown:
        if lanes[lane].shaded:
            axes.fill_between([begin, end], lane - 0.5, lane + 0.5, color="#f1efe9", linewidth=0, zorder=0)
        if lanes[lane].label:
            axes.plot([begin, end], [lane - 0.5] * 2, color="#b9b4a8", linewidth=0.6, zorder=1)
    for edge in (lowest - 0.5, highest + 0.5):
        axes.plot([begin, end], [edge] * 2, color="#8c877b", linewidth=0.8, zorder=2)
    labelled = [lane for lane in shown if lanes[lane].label]
    axes.set_yticks(labelled, [lanes[lane].label for lane in labelled], fontsize=7)


def _draw_marks(axes: Axes, roll: Roll, row: Row, holds: BoolArray) -> None:
    from matplotlib.collections import PolyCollection

    _, highest = roll.lanes_in(row)
    begin, after = np.searchsorted(roll.times, (row.begin, row.end))
    spans = roll.spans[begin:after][holds[begin:after]]
    boxes = [_box(left, right, *MARKS, highest) for left, right in spans]
    axes.add_collection(PolyCollection(boxes, facecolors="#222222", linewidths=0, zorder=3))


def _corners(note: DrawnNote) -> list[tuple[float, float]]:
    left, right = note.onset + 0.25, note.onset + note.duration - 0.25
    return [(left, note.lane - 0.42), (right, note.lane - 0.42), (right, note.lane + 0.42), (left, note.lane + 0.42)]


def _box(left: float, right: float, bottom: float, top: float, highest: int) -> list[tuple[float, float]]:
    base = highest + 0.5
    return [(left, base + bottom), (right, base + bottom), (right, base + top), (left, base + top)]
