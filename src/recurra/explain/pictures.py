"""The pictures beside the page: context.png, neurons.png and surprisal.png."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import BoolArray, DoubleArray, FloatArray
from recurra.explain.effective_context import NEGLIGIBLE, ContextLoss, GradientNorms
from recurra.explain.lettering import draw_cells, lay_out, printable
from recurra.explain.passage import Passage
from recurra.explain.units import Tracker
from recurra.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE_COLOURS = ("#c8553d", "#2a6f97", "#6a994e", "#8d6a9f", "#d9a441", "#5c6770")
"""Of models, in the order given."""

DIVERGING = ("#3a6fd8", "#ffffff", "#d8483a")
"""Of activations: low, zero, high; a black letter is readable on each."""

SEQUENTIAL = ("#ffffff", "#ffe08a", "#f79452", "#e0526b")
"""Of surprisal, from none to much."""

COLUMNS = 100
"""Character cells in a row, at most."""

CELL = (0.088, 0.185)
"""Width and height of a character cell, inches."""

LETTER = 9.5
"""Size of the letters in a cell, points."""

UNITS_SHOWN = 8
"""Found units drawn, a strip each."""

STRIP_ROWS = 2
"""Rows of a strip."""

SURPRISAL_ROWS = 32
"""Rows of text in surprisal.png."""

FLOOR = 1e-8
"""Relative gradients below this are not drawn."""

DPI = 130


def draw_context(
    names: Sequence[str], gradients: Sequence[GradientNorms], contexts: Sequence[ContextLoss], unit: str, path: Path
) -> None:
    """Draw how gradients fall with distance, and loss with the length of context; one line a model.

    Args:
        names: of the models.
        gradients: one a model.
        contexts: one a model.
        unit: what a token is called.
        path: the PNG to write.
    """
    figure = _figure(11, 4.4)
    left, right = figure.subplots(1, 2)
    colours = _cycle(len(names))
    for gradient, colour in zip(gradients, colours, strict=True):
        steps = np.arange(1, gradient.norms.shape[1])
        curve = np.where(gradient.relative[1:] > 0, gradient.relative[1:], np.nan)
        left.plot(steps, curve, color=colour, linewidth=1.8)
    left.axhline(NEGLIGIBLE, color="#00000055", linewidth=0.8, linestyle=":")
    left.set_yscale("log")
    left.set_xlim(left=1)
    left.set_ylim(max(left.get_ylim()[0], FLOOR), max(2.0, min(left.get_ylim()[1], 1e3)))
    left.set_title("how strongly an output depends on an earlier state", fontsize=10, loc="left")
    left.set_xlabel(f"{unit}s back, k")
    left.set_ylabel("gradient norm, relative to k = 1")
    for context, colour in zip(contexts, colours, strict=True):
        right.plot(context.lengths, context.mean, color=colour, linewidth=1.8, marker="o", markersize=3.5)
        position = context.lengths.index(context.effective)
        right.plot([context.effective], [context.mean[position]], "o", color=colour, markersize=9, fillstyle="none")
    right.set_xscale("log", base=2)
    ticks = contexts[0].lengths
    right.set_xticks(ticks, [str(length) for length in ticks])
    right.set_title("loss with the context cut short (ring: effective context)", fontsize=10, loc="left")
    right.set_xlabel(f"{unit}s of context")
    right.set_ylabel(f"nats a {unit}")
    _legend(left, names)
    for axes in (left, right):
        _tidy(axes)
    save(figure, path)


def draw_units(passage: Passage, values: FloatArray, trackers: Sequence[Tracker], path: Path) -> None:
    """Draw a strip of text for each found unit, a bar under where the feature holds; see `passage.Drawing`."""
    shown = trackers[:UNITS_SHOWN]
    figure = _figure(0.2 + CELL[0] * COLUMNS, 0.1 + (0.3 + CELL[1] * STRIP_ROWS) * max(1, len(shown)))
    if not shown:
        figure.set_size_inches(figure.get_figwidth(), 1.5)
        figure.text(
            0.5, 0.5, "no unit knows more of a feature that is frequent here than the token alone tells", ha="center"
        )
        return save(figure, path)
    strips = np.atleast_1d(figure.subplots(len(shown), 1))
    for axes, tracker in zip(strips, shown, strict=True):
        _draw_strip(axes, passage, values[:, tracker.unit], tracker)
    save(figure, path)


def _draw_strip(axes: Axes, passage: Passage, values: FloatArray, tracker: Tracker) -> None:
    holds = passage.features[tracker.feature]
    begin = telling_window(holds, COLUMNS * STRIP_ROWS)
    cells = lay_out(passage.labels[begin : begin + COLUMNS * STRIP_ROWS], COLUMNS, break_lines=False)
    cells = [cell for cell in cells if cell.row < STRIP_ROWS]
    scale = max(float(np.abs(values).max()), 1e-9)
    draw_cells(axes, cells, colours_of(values[begin : begin + len(cells)] / scale, DIVERGING), COLUMNS, LETTER)
    for cell in cells:
        if holds[begin + cell.index]:
            bottom = cell.row + 0.97
            axes.plot([cell.column, cell.column + cell.width], [bottom, bottom], color="#222222", linewidth=1.4)
    axes.set_title(describe(tracker), fontsize=8.5, loc="left", pad=2, parse_math=False)


def describe(tracker: Tracker) -> str:
    """What a found unit does, in a line."""
    sign = "high" if tracker.sign > 0 else "low"
    given = "" if tracker.given_auc is None else f", what it is given: {tracker.given_auc:.3f}"
    title = f"{tracker.feature}: unit {tracker.unit} goes {sign}, AUC {tracker.auc:.3f}"
    return f"{title}  (the token alone: {tracker.token_auc:.3f}{given})"


def telling_window(holds: BoolArray, length: int) -> int:
    """Where a window of some length begins in which a feature is most nearly as often there as not; the first such."""
    if len(holds) <= length:
        return 0
    sums = np.concatenate([[0], np.cumsum(holds)])
    inside = sums[length:] - sums[:-length]
    return int(np.minimum(inside, length - inside).argmax())


def draw_surprisal(passage: Passage, bits: NDArray[np.floating], path: Path) -> None:
    """Draw the beginning of a text, coloured by surprisal; see `passage.Drawing`."""
    most = min(COLUMNS * SURPRISAL_ROWS, 1 + len(bits))
    cells = lay_out(passage.labels[:most], COLUMNS, break_lines=True)
    cells = [cell for cell in cells if cell.row < SURPRISAL_ROWS]
    rows, columns = cells[-1].row + 1, max(40, *(cell.column + cell.width for cell in cells))
    scale = surprisal_scale(bits)
    colours = colours_of(np.concatenate([[0.0], bits / scale])[: len(cells)], SEQUENTIAL, low=0.0)
    figure = _figure(0.8 + CELL[0] * columns, 0.5 + CELL[1] * max(rows, 6))
    axes, legend = figure.subplots(1, 2, width_ratios=(columns, 1.5))
    draw_cells(axes, cells, colours, columns, LETTER)
    axes.set_title(
        f"{printable(passage.source)}: mean {bits.mean():.2f} bits", fontsize=10, loc="left", parse_math=False
    )
    legend.imshow(colours_of(np.linspace(0, 1, 64), SEQUENTIAL, low=0.0)[:, None], origin="lower", aspect="auto",
                  extent=(0, 1, 0, scale))  # fmt: skip
    legend.set_xticks([])
    legend.yaxis.tick_right()
    legend.set_title("bits", fontsize=9)
    save(figure, path)


def surprisal_scale(bits: NDArray[np.floating]) -> float:
    """Bits that are drawn in the strongest colour: few tokens are beyond."""
    return max(1.0, float(np.ceil(np.quantile(bits, 0.98))))


def colours_of(values: NDArray[np.floating], scale: Sequence[str], low: float = -1.0) -> DoubleArray:
    """RGBA `(..., 4)` of values between `low` and 1 on a scale of evenly spaced colours, clipped at its ends."""
    from matplotlib.colors import to_rgba_array

    stops = to_rgba_array(list(scale))
    position = (np.clip(values, low, 1.0) - low) / (1.0 - low) * (len(stops) - 1)
    return np.stack([np.interp(position, np.arange(len(stops)), channel) for channel in stops.T], axis=-1)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _cycle(count: int) -> list[str]:
    return [LINE_COLOURS[number % len(LINE_COLOURS)] for number in range(count)]


def _legend(axes: Axes, names: Sequence[str]) -> None:
    """A legend of the first lines; names are put in afterwards, since "_" and "$" in a label mean something."""
    lines = axes.get_lines()[: len(names)]
    legend = axes.legend(lines, ["model"] * len(lines), frameon=False)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(printable(name))


def _tidy(axes: Axes) -> None:
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, path: Path) -> None:
    """Write a picture, all or nothing."""
    write_atomic(path, lambda temporary: figure.savefig(temporary, dpi=DPI, format="png"))
