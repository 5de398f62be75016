"""The picture of an explanation: each picture, then for each word the same with what was not attended to veiled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recurra.arrays import DoubleArray, FloatArray
from recurra.explain.attention_map import cut
from recurra.explain.lettering import lettered
from recurra.explain.pictures import DPI, save
from recurra.tasks.captions.explanation import Explanation
from recurra.tasks.captions.pictures import Pixels, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PICTURED = 6
"""Pictures that are drawn; ..."""

MOST_PANELS = 40
"""... and words of each."""

VEIL, STRENGTH = (92, 98, 108), 0.88
"""The colour of what got no attention, red, green and blue, and how much of it covers the picture there."""

MAP = 48
"""Longer side of a veil, pixels; it is stretched over the picture."""

PANEL, GAP, LABEL, TITLE, EDGE = 1.45, 0.12, 0.24, 0.5, 0.15
"""Inches: a panel's side, between panels, a word above one, the caption above all, around everything."""

IN_ROW = 8
"""Panels beside each other."""

LONGEST_LABEL, LONGEST_TITLE = 14, 120
"""Columns of a word and of a title that are drawn."""

UNFINISHED = " ..."
"""What is shown after a caption that was cut off."""


class Size(NamedTuple):
    """Width and height."""

    width: int
    height: int


def percent(probability: float) -> str:
    """A probability as people read it."""
    return "<1 %" if 0 < probability < 0.005 else f"{100 * probability:.0f} %"


def written(explanation: Explanation) -> str:
    """The caption, marked if it was cut off."""
    best = explanation.captions[0]
    return f"{best.text or '(no words)'}{'' if best.finished else UNFINISHED}"


def map_size(explanation: Explanation) -> Size:
    """Pixels of a veil, of the picture's shape."""
    longest = max(explanation.size)
    return Size(*(max(1, round(MAP * side / longest)) for side in explanation.size))


def veil(explanation: Explanation, weights: FloatArray, size: Size) -> DoubleArray:
    """How much of the picture is covered, `(height, width)`, from 0 where most attention went to `STRENGTH`."""
    covered: DoubleArray = STRENGTH * (1 - explanation.smoothed(weights, *size))
    return covered


def veiled(explanation: Explanation, weights: FloatArray, size: Size) -> Pixels:
    """The picture as it is shown for a word, `(height, width, 3)`."""
    pixels = np.asarray(explanation.picture.resize(size)).astype(np.float64)
    covered = veil(explanation, weights, size)[..., None]
    return np.rint(pixels * (1 - covered) + np.array(VEIL) * covered).astype(np.uint8)


def draw(explanations: Sequence[Explanation], path: Path) -> None:
    """Draw the first `MOST_PICTURED` pictures, below one another.

    Args:
        explanations: at least one.
        path: the PNG to write.

    Raises:
        RecurraError: if it cannot be written.
    """
    from matplotlib.figure import Figure

    drawn = explanations[:MOST_PICTURED]
    columns = min(IN_ROW, max(len(_panels(each)) for each in drawn) + 1)
    width = 2 * EDGE + max(columns, 4) * (PANEL + GAP) - GAP
    heights = [_height(each) for each in drawn]
    figure = Figure(figsize=(width, 2 * EDGE + sum(heights)))
    top = EDGE
    for explanation, height in zip(drawn, heights, strict=True):
        _draw_one(figure, explanation, top)
        top += height
    save(figure, path)


def _panels(explanation: Explanation) -> list[tuple[str, FloatArray]]:
    """Label and weights of what is drawn beside the picture."""
    return [
        (f"{cut(word.text, LONGEST_LABEL)}  {percent(word.probability)}", word.weights)
        for word in explanation.words[:MOST_PANELS]
        if word.weights is not None
    ]


def _shape(explanation: Explanation) -> tuple[float, float]:
    """Width and height of a panel, inches."""
    longest = max(explanation.size)
    across, down = (max(PANEL * side / longest, 0.02) for side in explanation.size)
    return across, down


def _height(explanation: Explanation) -> float:
    """What a picture takes with its panels, inches."""
    lines = math.ceil((1 + len(_panels(explanation))) / IN_ROW)
    return TITLE + lines * (LABEL + _shape(explanation)[1] + GAP) + GAP


def _draw_one(figure: Figure, explanation: Explanation, top: float) -> None:
    """A picture and its panels, `top` inches from the upper edge."""
    width, height = figure.get_size_inches()
    across, down = _shape(explanation)
    _write(figure, EDGE, top + 0.02, written(explanation), LONGEST_TITLE, size=11)
    more = len(explanation.words) - MOST_PANELS
    name = shown(explanation.source) + (f", and {more} words more" if more > 0 and explanation.attends else "")
    _write(figure, EDGE, top + 0.24, name, LONGEST_TITLE, size=8, color="#6b737c")
    size = Size(
        *(
            max(1, min(round(side * DPI), kept))
            for side, kept in zip((across, down), explanation.picture.size, strict=True)
        )
    )
    plain = np.asarray(explanation.picture.resize(size))
    drawn = [(label, veiled(explanation, weights, size)) for label, weights in _panels(explanation)]
    for number, (label, pixels) in enumerate([("", plain), *drawn]):
        line, column = divmod(number, IN_ROW)
        left = EDGE + column * (PANEL + GAP)
        above = top + TITLE + line * (LABEL + down + GAP) + LABEL
        _write(figure, left, above - LABEL + 0.03, label, LONGEST_LABEL + 8, size=9)
        axes = figure.add_axes((left / width, 1 - (above + down) / height, across / width, down / height))
        axes.imshow(pixels, aspect="auto", interpolation="nearest")
        axes.set_axis_off()


def _write(
    figure: Figure, left: float, top: float, text: str, longest: int, size: float, color: str = "#1d2126"
) -> None:
    """A line of text at a place in inches from the upper left corner, in a font that has its letters."""
    width, height = figure.get_size_inches()
    text, font = lettered(cut(" ".join(text.split()), longest))
    figure.text(left / width, 1 - top / height, text, va="top", color=color, fontproperties=font, size=size,
                parse_math=False)  # fmt: skip
