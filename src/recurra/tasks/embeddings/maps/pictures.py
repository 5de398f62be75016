"""Words and analogies as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recurra.arrays import DoubleArray
from recurra.explain.lettering import font_of_word, printable
from recurra.files import write_atomic
from recurra.tasks.embeddings.maps.labels import Label, draw_labels, shortened
from recurra.tasks.embeddings.maps.parallelogram import Parallelogram
from recurra.tasks.embeddings.maps.word_map import WordMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

COLOURS = ("#b5482f", "#1f6391", "#4d7a35", "#7a4f94", "#946410", "#47616f", "#b0407a", "#13786f")
"""Of groups, dark enough for letters on white."""

INK, FAINT, LINE, ACCENT, OTHER = "#1d2126", "#6b737c", "#dcdfe3", "#c8553d", "#2a6f97"

WIDTH, HEIGHT, DPI = 12.0, 10.0, 140
"""Of a picture, inches, and pixels an inch."""

FRAME = (0.03, 0.08, 0.94, 0.865)
"""Left, bottom, width and height of what is drawn, as shares of the picture."""

LARGEST, SMALLEST = 14.0, 7.5
"""Letters of the most and the least frequent word, points; their dots shrink alike."""

MARGIN = 0.08
"""Room around the points, as a share of their extent."""


def draw_map(word_map: WordMap, path: Path) -> str:
    """Draw a map of words: dots and names by frequency, coloured by groups.

    Args:
        word_map: what is drawn.
        path: the PNG to write.

    Returns:
        How many words have a dot but no name, a sentence; empty if all have one.
    """
    canvas, axes = _new(f"{word_map.name}: {len(word_map.words):,} words")
    _fit(axes, word_map.points)
    sizes = letter_sizes(len(word_map.words))
    colours = [COLOURS[group % len(COLOURS)] for group in word_map.groups]
    x, y = word_map.points.T
    axes.scatter(x, y, s=(sizes * 0.4) ** 2, c=colours, alpha=0.4, linewidths=0)
    labels = [
        Label(word, point, size, colour, size * 0.2 * DPI / 72)
        for word, point, size, colour in zip(word_map.words, word_map.points, sizes, colours, strict=True)
    ]
    unnamed = _unnamed(word_map.words, draw_labels(axes, canvas, labels, np.zeros((0, 2))))
    _name_axes(axes, word_map.axes)
    _save(canvas, [f"{line}." for line in (word_map.faithful, unnamed.capitalize()) if line], path)
    return unnamed


def _unnamed(words: Sequence[str], count: int) -> str:
    fontless = sum(font_of_word(shortened(word)) is None for word in words)
    reasons = {"for want of room": count - fontless, "since no font here has their letters": fontless}
    parts = [f"{number:,} {reason}" for reason, number in reasons.items() if number]
    return f"dots without a name: {', '.join(parts)}" if parts else ""


def letter_sizes(count: int) -> DoubleArray:
    """Points of the letters of words, the most frequent first: falling with the logarithm of the rank, `(count,)`."""
    fall = np.log1p(np.arange(count)) / np.log1p(max(count - 1, 1))
    sizes: DoubleArray = LARGEST - (LARGEST - SMALLEST) * fall
    return sizes


def draw_analogy(analogy: Parallelogram, path: Path) -> None:
    """Draw an analogy: an arrow from a to b, the same again from c, and one from c to d; the words around are grey.

    Args:
        analogy: what is drawn.
        path: the PNG to write.
    """
    a, b, c, d = analogy.words
    sought = f"{b} - {a} + {c}"
    canvas, axes = _new(f"{a} is to {b} as {c} is to {d}")
    points, ring, around = analogy.points, analogy.sum_point, analogy.around_points
    _fit(axes, np.concatenate([points, [ring], around]))
    axes.scatter(around[:, 0], around[:, 1], s=14, color=FAINT, alpha=0.5, linewidths=0)
    arrows = (
        (points[0], points[1], ACCENT, False),
        (points[2], points[3], OTHER, False),
        (points[2], ring, ACCENT, True),
    )
    for begin, end, colour, dashed in arrows:
        _arrow(axes, begin, end, colour, dashed)
    colours = (ACCENT, ACCENT, OTHER, OTHER)
    axes.scatter(points[:, 0], points[:, 1], s=60, color=colours, zorder=6)
    axes.scatter(ring[0], ring[1], s=70, facecolor="white", edgecolor=ACCENT, linewidths=1.6, zorder=6)
    labels = [Label(word, *row) for word, *row in zip(analogy.words, points, [17] * 4, colours, [11] * 4, strict=True)]
    labels.append(Label(sought, ring, 12, ACCENT, 12))
    labels += [Label(word, point, 9.5, FAINT, 4) for word, point in zip(analogy.around, around, strict=True)]
    steps = np.linspace(0, 1, 60)[:, None]
    lines = np.concatenate([(1 - steps) * begin + steps * end for begin, end, *_ in arrows])
    draw_labels(axes, canvas, labels, lines)
    _name_axes(axes, [f"{100 * share:.0f} % of the variance of the four words" for share in analogy.explained])
    holds = "the nearest word" if analogy.rank == 1 else f"number {analogy.rank:,} of the words near it"
    about = f"The ring is {sought}; {d} is {holds} (cosine {analogy.similarity:.2f})."
    plane = "The plane is that of the four words' principal components; the words in grey are those around them."
    _save(canvas, [about, plane], path)


def _arrow(axes: Axes, begin: DoubleArray, end: DoubleArray, colour: str, dashed: bool = False) -> None:
    axes.annotate(
        "",
        (end[0], end[1]),
        (begin[0], begin[1]),
        arrowprops={
            "arrowstyle": "-|>,head_width=0.35,head_length=0.7",
            "color": colour,
            "linewidth": 2.0 if not dashed else 1.4,
            "linestyle": (0, (4, 3)) if dashed else "-",
            "shrinkA": 5,
            "shrinkB": 6,
        },
    )


def _new(title: str) -> tuple[FigureCanvasAgg, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = FigureCanvasAgg(Figure(figsize=(WIDTH, HEIGHT), dpi=DPI))
    axes = canvas.figure.add_axes(FRAME)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_color(LINE)
    _write(axes.set_title("", loc="left", fontsize=15, color=INK, pad=10), title)
    return canvas, axes


def _fit(axes: Axes, points: DoubleArray) -> None:
    """Set limits that hold all points, a unit being as long upwards as it is across."""
    low, high = points.min(axis=0), points.max(axis=0)
    box = np.array([WIDTH * FRAME[2], HEIGHT * FRAME[3]])
    unit = max(((high - low) / box).max(), 1e-9) * (1 + 2 * MARGIN)
    low, high = (low + high - unit * box) / 2, (low + high + unit * box) / 2
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))


def _name_axes(axes: Axes, names: Sequence[str]) -> None:
    if names:
        axes.set_xlabel(names[0], fontsize=9, color=FAINT)
        axes.set_ylabel(names[1], fontsize=9, color=FAINT)


def _write(artist: Text, text: str) -> None:
    """Let an artist show a text as it is, in a font that has its characters if there is one."""
    font, size = font_of_word(text.replace("\n", "")), artist.get_fontsize()
    artist.set_parse_math(False)
    artist.set_text(text if font else "\n".join(map(printable, text.split("\n"))))
    if font:
        artist.set_fontproperties(font)
        artist.set_fontsize(size)


def _save(canvas: FigureCanvasAgg, footnote: Sequence[str], path: Path) -> None:
    """Write a picture with lines below it, all or nothing."""
    artist = canvas.figure.text(FRAME[0], 0.052, "", fontsize=9, color=FAINT, va="top", linespacing=1.5)
    _write(artist, "\n".join(footnote))
    write_atomic(path, lambda temporary: canvas.figure.savefig(temporary, dpi=DPI, format="png"))
