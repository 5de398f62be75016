"""Sequences drawn as rows of coloured character cells, in any script that an installed font has."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.font_manager import FontProperties

LINE_END = "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"
"""How a line end is shown."""

_SHOWN = {"\n": LINE_END, "\t": "\N{RIGHTWARDS ARROW}", "\r": LINE_END}

_FAMILIES = (
    "DejaVu Sans Mono",
    "Noto Sans Mono CJK SC",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti TC",
    "Microsoft YaHei",
    "SimHei",
    "Droid Sans Fallback",
    "Arial Unicode MS",
    "DejaVu Sans",
)
"""Fonts to look for a character in, in this order; the first comes with matplotlib."""


@dataclass(frozen=True)
class Cell:
    """Where a token stands.

    Attributes:
        index: of the token.
        row: counted from the top.
        column: of its first character.
        text: what is written, `width` columns.
        width: columns it takes.
    """

    index: int
    row: int
    column: int
    text: str
    width: int


def lay_out(labels: Sequence[str], columns: int, break_lines: bool) -> list[Cell]:
    """Place labels one after another, going on in the next row where one does not fit.

    Args:
        labels: what is shown for each token.
        columns: width of a row.
        break_lines: also begin a new row after a label that ends in a line end.
    """
    cells = []
    row = column = 0
    for index, label in enumerate(labels):
        text = "".join(_shown(character) for character in label)
        width = min(max(1, sum(width_of(character) for character in text)), columns)
        if column + width > columns:
            row, column = row + 1, 0
        cells.append(Cell(index, row, column, text, width))
        column += width
        if break_lines and label.endswith("\n"):
            row, column = row + 1, 0
    return cells


def width_of(character: str) -> int:
    """Columns a character takes: two for a Chinese one, none for an accent that sits on the one before."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def colour_grid(cells: Sequence[Cell], colours: NDArray[np.floating], rows: int, columns: int) -> NDArray[np.floating]:
    """An image `(rows, columns, 4)` with every cell in its colour, transparent elsewhere.

    Args:
        cells: as laid out.
        colours: RGBA of each token, `(len(cells), 4)`.
        rows: height of the image.
        columns: width of the image.
    """
    grid = np.zeros((rows, columns, 4))
    for cell, colour in zip(cells, colours, strict=True):
        if cell.row < rows:
            grid[cell.row, cell.column : cell.column + cell.width] = colour
    return grid


def draw_cells(axes: Axes, cells: Sequence[Cell], colours: NDArray[np.floating], columns: int, size: float) -> None:
    """Draw cells into axes, one unit of data a column and a row; characters that no font has are left out.

    Args:
        axes: where; limits are set and frames removed.
        cells: as laid out.
        colours: RGBA of each token.
        columns: width of a row.
        size: of the letters, points.
    """
    rows = max(cell.row for cell in cells) + 1
    grid = colour_grid(cells, colours, rows, columns)
    axes.imshow(grid, extent=(0, columns, rows, 0), aspect="auto", interpolation="nearest")
    for cell in cells:
        column: float = cell.column
        for character in cell.text:
            font = font_of(character)
            width = width_of(character)
            if font is not None and not character.isspace():
                faint = character in _SHOWN.values()
                axes.text(
                    column + width / 2,
                    cell.row + 0.53,
                    character,
                    fontproperties=font,
                    fontsize=size,
                    color="#00000055" if faint else "#111111",
                    ha="center",
                    va="center_baseline",
                    parse_math=False,
                    clip_on=True,
                )
            column += width
    axes.set(xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[])
    axes.set_frame_on(False)


def printable(text: str) -> str:
    """The text without what the standard font cannot draw, for titles and legends."""
    return "".join(character if font_of(character, only_first=True) else "?" for character in text)


def _shown(character: str) -> str:
    return _SHOWN.get(character, character if character.isprintable() else " ")


@cache
def font_of(character: str, only_first: bool = False) -> FontProperties | None:
    """The first font that has a character; None if there is none, so that matplotlib never has to warn."""
    from matplotlib.font_manager import FontProperties

    for path in _font_files()[:1] if only_first else (*_font_files(), *_other_font_files()):
        if ord(character) in _characters(path):
            return FontProperties(fname=path)
    return None


def not_drawn(labels: Sequence[str]) -> list[str]:
    """The characters of labels that no installed font has, each once: emoji, often, and rare scripts."""
    characters = dict.fromkeys(character for label in labels for character in label if character.isprintable())
    return [character for character in characters if not character.isspace() and font_of(character) is None]


@cache
def font_of_word(word: str) -> FontProperties | None:
    """The first font that has all characters of a word, preferably the proportional one; None if there is none."""
    from matplotlib.font_manager import FontProperties

    for path in (_font_files()[-1], *_font_files()):
        if frozenset(map(ord, word)) <= _characters(path):
            return FontProperties(fname=path)
    return None


def lettered(text: str) -> tuple[str, FontProperties | None]:
    """A text and a font that can write all of it; without one, what the standard font can write."""
    font = font_of_word(text)
    return (text, font) if font else (printable(text), None)


@cache
def _font_files() -> tuple[str, ...]:
    from matplotlib.font_manager import FontProperties, findfont, fontManager

    installed = {entry.name for entry in fontManager.ttflist}
    return tuple(findfont(FontProperties(family=name)) for name in _FAMILIES if name in installed)


@cache
def _other_font_files() -> tuple[str, ...]:
    """All other fonts that are installed, but for one that has a box for every character there is."""
    from matplotlib.font_manager import fontManager

    files = dict.fromkeys(entry.fname for entry in fontManager.ttflist if "LastResort" not in entry.name)
    return tuple(sorted(file for file in files if file not in _font_files()))


@cache
def _characters(path: str) -> frozenset[int]:
    """What a font has; nothing if it is made of pictures, which matplotlib cannot draw, or cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset(font.get_charmap()) if font.scalable else frozenset()
