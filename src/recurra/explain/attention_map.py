"""The attention map: the weights of each output token over the source tokens, as a PNG and as SVG for a page.

Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", 2015, figure 3.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recurra.arrays import DoubleArray, FloatArray
from recurra.explain.lettering import LINE_END, font_of, width_of
from recurra.explain.pictures import colours_of, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

END = "\N{RETURN SYMBOL}"
"""How the end of a sequence, the empty string, is shown."""

_SPACE = "\N{OPEN BOX}"

_SHOWN = {"\n": LINE_END, "\r": LINE_END, "\t": "→", "\N{SOFT HYPHEN}": "-"}

_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""Not to be seen themselves, but to be seen by the letters beside them."""

_UNKNOWN = "\N{REPLACEMENT CHARACTER}"

_NOT_DRAWN = "\N{WHITE SQUARE}"
"""Stands for a character that no installed font has."""

LOOK = ("#ffffff", "#9dc4de", "#2a6f97", "#0e2c40")
"""Of weights, from nothing to the largest."""

LONGEST_LABEL = 20
"""Columns of a label that are drawn."""

LONGEST_TITLE = 90
"""Columns of a title that are drawn."""

COLUMN, LETTER = 0.08, 9.5
"""Width of a letter in a label, inches, and its size, points."""

LARGEST, LEGIBLE = 0.36, 0.185
"""Sides of a cell, inches: of a small map, and the least at which a label fits beside it."""

MIDDLING, WIDEST = 11.0, 27.0
"""Sides of a map, inches: beyond the first, cells shrink while labels still fit; at the second, labels are left out."""

FAINT = 0.005
"""Weights below this are left white in the SVG."""


def shown(token: str, longest: int = 10**9) -> str:
    """A token as it can be seen: spaces and line ends as signs, the empty one as the end, a long one cut short.

    Args:
        token: a character, a piece or a word, with its spaces; the empty string is the end.
        longest: columns it may take.
    """
    return cut("".join(map(_sign, token)), longest) or END


def _sign(character: str) -> str:
    if unicodedata.category(character) == "Zs":
        return _SPACE
    seen = character.isprintable() or character in _JOINERS
    return _SHOWN.get(character, character if seen else _UNKNOWN)


def cut(text: str, longest: int) -> str:
    """A text, or its beginning and an ellipsis where it takes more columns than `longest`."""
    if columns_of(text) <= longest:
        return text
    text = text[:longest]
    while columns_of(text) > longest - 1:
        text = text[:-1]
    return text + "…"


def columns_of(text: str) -> int:
    """Columns a text takes, two for a Chinese character."""
    return sum(width_of(character) for character in text)


def draw_attention(
    weights: FloatArray, sources: Sequence[str], targets: Sequence[str], path: Path, title: str = ""
) -> None:
    """Draw an attention map as a PNG: a row an output token, a column a source token, the darker the more weight.

    Args:
        weights: `(len(targets), len(sources))`, 0 to 1.
        sources: what was read; the empty string is the end.
        targets: what was written; the empty string is the end.
        path: the PNG to write.
        title: above the map.

    Raises:
        ValueError: if the weights have another shape, or there are none.
        RecurraError: if the picture cannot be written.
    """
    from matplotlib.figure import Figure

    check_shape(weights, sources, targets)
    labels = [[shown(token, LONGEST_LABEL) for token in tokens] for tokens in (sources, targets)]
    above, beside = (max(columns_of(label) for label in side) * COLUMN for side in labels)
    cell, line = side_of_cell(len(sources)), side_of_cell(len(targets))
    turned = above > cell - 0.02
    left, top = beside + 0.42, (above if turned else 0.17) + 0.34 + (0.3 if title else 0.0)
    across, down = cell * len(sources), line * len(targets)
    title = cut(" ".join(title.split()), LONGEST_TITLE)
    width, height = left + max(across, COLUMN * 1.1 * columns_of(title) - left) + 0.8, top + down + 0.15
    figure = Figure(figsize=(width, height))
    bottom = 0.15 / height
    axes = figure.add_axes((left / width, bottom, across / width, down / height))
    largest = max(float(np.nanmax(weights)), 1e-9)
    axes.imshow(colours_of(np.nan_to_num(weights) / largest, LOOK, low=0.0), aspect="auto", interpolation="nearest")
    _rule(axes, len(targets), len(sources))
    _label(axes, labels[0], math.ceil(LEGIBLE / cell - 1e-6), "upwards" if turned else "above")
    _label(axes, labels[1], math.ceil(LEGIBLE / line - 1e-6), "beside")
    faint: dict[str, Any] = {"fontsize": 8, "color": "#6b737c"}
    figure.text((left + 0.02) / width, 1 - (0.08 + (0.3 if title else 0.0)) / height, "input →", va="top", **faint)
    figure.text(0.08 / width, bottom + down / height, "← output", rotation=90, va="top", **faint)
    if title:
        text, fonts = _in_fonts(title)
        figure.text(0.08 / width, 1 - 0.08 / height, text, va="top", fontsize=10, fontfamily=fonts, parse_math=False)
    _draw_scale(figure.add_axes(((left + across + 0.14) / width, bottom, 0.12 / width, down / height)), largest)
    save(figure, path)


def check_shape(weights: FloatArray, sources: Sequence[str], targets: Sequence[str]) -> None:
    """Require a weight for every output token and source token.

    Raises:
        ValueError: if there are others, or none.
    """
    if weights.shape != (len(targets), len(sources)) or not weights.size:
        raise ValueError(f"weights {weights.shape} of {len(targets)} output and {len(sources)} source tokens")


def side_of_cell(count: int) -> float:
    """Side of a cell, inches, where there are so many in a row."""
    return min(LARGEST, max(LEGIBLE, MIDDLING / count), WIDEST / count)


def _rule(axes: Axes, rows: int, columns: int) -> None:
    """Thin lines between cells, a frame around all."""
    if max(rows, columns) <= 100:
        axes.set_xticks(np.arange(0.5, columns - 1), minor=True)
        axes.set_yticks(np.arange(0.5, rows - 1), minor=True)
        axes.grid(which="minor", color="#00000014", linewidth=0.5)
    axes.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
    axes.spines[:].set_color("#00000044")


def _label(axes: Axes, labels: Sequence[str], every: int, position: Literal["above", "upwards", "beside"]) -> None:
    """Write the labels beside the map, each as near to its row or column as it can be."""
    for index in range(0, len(labels), every):
        text, fonts = _in_fonts(labels[index])
        over = position != "beside"
        # A position in cells along the side, and in points away from it.
        axes.annotate(
            text,
            (index, 1) if over else (0, index),
            (0, 4) if over else (-4, 0),
            xycoords=("data", "axes fraction") if over else ("axes fraction", "data"),
            textcoords="offset points",
            annotation_clip=False,
            fontfamily=fonts,
            fontsize=LETTER,
            parse_math=False,
            rotation=90 if position == "upwards" else 0,
            ha="center" if over else "right",
            va="bottom" if over else "center",
        )


def _in_fonts(text: str) -> tuple[str, list[str]]:
    """A text without what cannot be drawn, and the fonts it takes, so that matplotlib never has to warn."""
    drawn = "".join(character if font_of(character) else _NOT_DRAWN for character in text)
    fonts = [font for character in _NOT_DRAWN + drawn if (font := font_of(character))]
    return drawn, list(dict.fromkeys(font.get_name() for font in fonts))


def _draw_scale(axes: Axes, largest: float) -> None:
    colours: DoubleArray = colours_of(np.linspace(0, 1, 64), LOOK, low=0.0)[:, None]
    axes.imshow(colours, origin="lower", aspect="auto", extent=(0, 1, 0, largest))
    axes.set_xticks([])
    axes.set_yticks([0, largest], ["0", f"{largest:.2g}"])
    axes.yaxis.tick_right()
    axes.tick_params(length=0, labelsize=8)
    axes.spines[:].set_color("#00000044")


def attention_svg(weights: FloatArray, sources: Sequence[str], targets: Sequence[str]) -> str:
    """An attention map as SVG markup for a page, whose style gives it colours.

    Cells have the class `look` and the weight, divided by the map's largest, as their opacity; a row's label has the
    class `target`, a column's `source`. The attributes `data-left`, `data-top` and `data-cell` say where cells are.

    Args:
        weights: `(len(targets), len(sources))`.
        sources: what was read.
        targets: what was written.

    Raises:
        ValueError: if the weights have another shape, or there are none.
    """
    check_shape(weights, sources, targets)
    across, down = ([shown(token, LONGEST_LABEL) for token in side] for side in (sources, targets))
    above, beside = (7.8 * max(columns_of(label) for label in labels) for labels in (across, down))
    cell = max(16, min(30, round(900 / max(len(across), len(down)))))
    turned = above > cell - 2
    left, top = math.ceil(beside) + 12, (math.ceil(above) if turned else 14) + 10
    right, bottom = left + cell * len(across), top + cell * len(down)
    largest = max(float(np.nanmax(weights)), 1e-9)
    parts = [
        f'<svg width="{right + 2}" height="{bottom + 2}" viewBox="0 0 {right + 2} {bottom + 2}" role="img" '
        f'data-left="{left}" data-top="{top}" data-cell="{cell}" '
        f'aria-label="attention map: {len(down)} output tokens in rows, {len(across)} source tokens in columns">'
    ]
    parts += [
        _source_label(label, left + cell * (position + 0.5), top - 6, turned) for position, label in enumerate(across)
    ]
    parts += [
        f'<text class="target" x="{left - 6}" y="{top + cell * (position + 0.5) + 4.5:g}">{escape(label)}</text>'
        for position, label in enumerate(down)
    ]
    for row, column in np.argwhere(np.nan_to_num(weights) >= FAINT):
        parts.append(
            f'<rect class="look" x="{left + cell * column}" y="{top + cell * row}" width="{cell}" height="{cell}" '
            f'fill-opacity="{weights[row, column] / largest:.3f}"/>'
        )
    lines = [f"M{left + cell * position} {top}V{bottom}" for position in range(len(across) + 1)]
    lines += [f"M{left} {top + cell * position}H{right}" for position in range(len(down) + 1)]
    parts.append(f'<path class="rule" d="{"".join(lines)}"/><rect class="frame"/><rect class="frame"/></svg>')
    return "".join(parts)


def _source_label(label: str, x: float, y: float, turned: bool) -> str:
    position = (
        f'transform="rotate(-90 {x + 4.5:g} {y:g})" x="{x + 4.5:g}"' if turned else f'text-anchor="middle" x="{x:g}"'
    )
    return f'<text class="source" {position} y="{y:g}">{escape(label)}</text>'
