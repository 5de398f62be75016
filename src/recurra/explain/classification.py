"""The picture of a classifier's scores: how far its probabilities can be trusted, and what it takes for what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recurra.evaluation.classification import Scores
from recurra.explain.lettering import printable
from recurra.explain.pictures import LINE_COLOURS, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_NAMES = 40
"""With more classes than this the confusion matrix has no names and no numbers."""

MAX_NUMBERS = 12
"""With more classes than this its cells have no numbers."""

GAP_COLOUR = "#c8553d"


def draw_scores(scores: Scores, labels: Sequence[str], path: Path) -> None:
    """Draw the reliability diagram (Guo et al. 2017, figure 1), how many answers it rests on, and the confusion matrix.

    Args:
        scores: what to draw.
        labels: the classes by name.
        path: the PNG to write.
    """
    from matplotlib.figure import Figure

    size = min(max(4.6, 0.55 * len(labels) + 1.5), 11.0)
    figure = Figure(figsize=(5.2 + size, max(4.8, size)), layout="constrained")
    grid = figure.add_gridspec(1, 2, width_ratios=(5.2, size))
    left, right = figure.add_subfigure(grid[0, 0]), figure.add_subfigure(grid[0, 1])
    above, below = left.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    _draw_reliability(above, scores)
    _draw_counts(below, scores)
    _draw_confusion(right.subplots(), scores, labels)
    save(figure, path)


def _draw_reliability(axes: Axes, scores: Scores) -> None:
    """Bars as high as a bin is accurate, and how far that is from its mean probability."""
    bins = [part for part in scores.bins if part.count]
    width = bins[0].high - bins[0].low
    middles = [(part.low + part.high) / 2 for part in bins]
    accuracy = [part.accuracy for part in bins]
    gaps = [part.confidence - part.accuracy for part in bins]
    axes.bar(middles, accuracy, width, color=LINE_COLOURS[1], edgecolor="white", label="share of right answers")
    axes.bar(middles, gaps, width, accuracy, color=f"{GAP_COLOUR}44", edgecolor=GAP_COLOUR, hatch="//", linewidth=0.6,
             label="gap to their probability")  # fmt: skip
    axes.plot([0, 1], [0, 1], color="#00000088", linewidth=1, linestyle="--", label="exactly right probabilities")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_ylabel("share of right answers")
    low, high = scores.ece_range
    axes.set_title(
        f"expected calibration error {scores.ece:.4f}\n(exactly right probabilities: {low:.4f} to {high:.4f})",
        fontsize=10,
        loc="left",
    )
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_counts(axes: Axes, scores: Scores) -> None:
    """How many answers each bin holds."""
    middles = [(part.low + part.high) / 2 for part in scores.bins]
    width = scores.bins[0].high - scores.bins[0].low
    axes.bar(middles, [part.count for part in scores.bins], width, color="#9aa5ad", edgecolor="white")
    axes.set_xlabel("probability of the answer")
    axes.set_ylabel("answers")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_confusion(axes: Axes, scores: Scores, labels: Sequence[str]) -> None:
    """The confusion matrix, each row as shares of its class, with counts."""
    totals = scores.confusion.sum(axis=1, keepdims=True)
    shares = scores.confusion / np.maximum(totals, 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xlabel("answer")
    axes.set_ylabel("label")
    axes.set_title(f"accuracy {scores.accuracy:.1%}, macro F1 {scores.macro_f1:.3f}", fontsize=10, loc="left")
    if len(labels) > MAX_NAMES:
        return
    positions = range(len(labels))
    names = [printable(label if len(label) <= 20 else f"{label[:19]}…") for label in labels]
    turned = max(map(len, names)) * len(names) > 40
    for ticks in (axes.set_xticks(positions, names, rotation=60 if turned else 0, ha="right" if turned else "center"),
                  axes.set_yticks(positions, names)):  # fmt: skip
        for tick in ticks:
            tick.label1.set_parse_math(False)
    if len(labels) <= MAX_NUMBERS:
        for (row, column), count in np.ndenumerate(scores.confusion):
            colour = "white" if shares[row, column] > 0.55 else "#222222"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=9)
