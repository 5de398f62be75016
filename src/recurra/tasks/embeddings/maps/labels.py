"""Names beside points in a picture: none on another, the first ones first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from recurra.arrays import DoubleArray
from recurra.explain.lettering import font_of_word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg

GAP = 1.5
"""Pixels between a dot and its name, and between two names."""

MOST_CHARACTERS = 40
"""Of a name; what is longer, an address perhaps, is cut off."""

_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
"""Where a name may stand, from its dot: the first that is free is taken."""


@dataclass(frozen=True)
class Label:
    """A name to be written.

    Attributes:
        text: what is written.
        point: beside which, in data.
        size: of the letters, points.
        colour: of the letters.
        radius: of its dot, pixels.
    """

    text: str
    point: DoubleArray
    size: float
    colour: str
    radius: float


def draw_labels(axes: Axes, canvas: FigureCanvasAgg, labels: Sequence[Label], others: DoubleArray) -> int:
    """Write names, the first ones first, each beside its dot where no other name is and, if it can be, no dot.

    Args:
        axes: where; their limits are set.
        canvas: of the figure, with the resolution it is saved in.
        labels: what is written.
        others: points in data that names should not cover besides the dots, `(count, 2)`.

    Returns:
        How many names are not written, for want of room or of a font.
    """
    from matplotlib.patheffects import withStroke

    dots = _dots(axes, labels, others)
    frame = np.array(axes.get_window_extent().padded(-GAP).extents)
    taken = np.zeros((0, 4))
    halo = [withStroke(linewidth=2.2, foreground="white")]
    for label in labels:
        box = _place(canvas, label, axes.transData.transform(label.point), frame, taken, dots)
        if box is None:
            continue
        taken = np.vstack([taken, box])
        axes.text(
            (box[0] + box[2]) / 2,
            (box[1] + box[3]) / 2,
            shortened(label.text),
            transform=None,
            fontproperties=font_of_word(shortened(label.text)),
            fontsize=label.size,
            color=label.colour,
            ha="center",
            va="center",
            parse_math=False,
            path_effects=halo,
            zorder=5,
        )
    return len(labels) - len(taken)


def shortened(text: str) -> str:
    """A name as it is written."""
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 3] + "..."


def _dots(axes: Axes, labels: Sequence[Label], others: DoubleArray) -> DoubleArray:
    """The boxes that dots and other points take, pixels, `(count, 4)`."""
    points = axes.transData.transform(np.concatenate([[label.point for label in labels], others.reshape(-1, 2)]))
    radius = np.array([label.radius for label in labels] + [1.0] * len(others))[:, None]
    return np.hstack([points - radius, points + radius])


def _place(
    canvas: FigureCanvasAgg,
    label: Label,
    centre: DoubleArray,
    frame: DoubleArray,
    taken: DoubleArray,
    dots: DoubleArray,
) -> DoubleArray | None:
    """The box of a name, pixels: left, bottom, right, top; None if there is no room, or no font."""
    size = _extent(canvas, label)
    if size is None:
        return None
    second = None
    for box in _boxes(centre, label.radius + GAP, size):
        inside = (box[:2] >= frame[:2]).all() and (box[2:] <= frame[2:]).all()
        if inside and not _overlap(box, taken):
            if not _overlap(box, dots):
                return box
            second = box if second is None else second
    return second


def _extent(canvas: FigureCanvasAgg, label: Label) -> DoubleArray | None:
    """Width and height of a name, pixels."""
    font = font_of_word(shortened(label.text))
    if font is None:
        return None
    font = font.copy()
    font.set_size(label.size)
    measure = cast(Any, canvas).get_renderer().get_text_width_height_descent
    (width, height, _), (_, line, _) = (measure(text, font, ismath=False) for text in (shortened(label.text), "lp"))
    return np.array([width, max(height, line)])


def _boxes(centre: DoubleArray, distance: float, size: DoubleArray) -> Iterator[DoubleArray]:
    """Boxes of a size around a dot, as near as may be."""
    for side in np.array(_SIDES):
        reach = distance if 0 in side else distance * 0.7
        middle = centre + side * (size / 2 + reach)
        yield np.concatenate([middle - size / 2, middle + size / 2])


def _overlap(box: DoubleArray, boxes: DoubleArray) -> bool:
    """Whether a box has a part in common with any of several."""
    return bool(((boxes[:, :2] < box[2:] + GAP) & (boxes[:, 2:] > box[:2] - GAP)).all(axis=1).any())
