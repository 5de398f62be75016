"""The picture of what was heard: spectrogram, probabilities of the symbols and the text, over one time axis."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recurra.arrays import FloatArray
from recurra.explain.lettering import lettered
from recurra.explain.pictures import LINE_COLOURS, save
from recurra.tasks.speech.ctc import Labelling
from recurra.tasks.speech.explanation import Explanation, best_path
from recurra.tasks.speech.symbols import BLANK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RANGE = 60.0
"""Decibels between the loudest of a spectrogram and what is drawn as nothing."""

WIDE = (9.0, 40.0)
"""Inches of the picture, at least and at most; ..."""

SYMBOL_INCHES = 0.26
"""... so many for each symbol of the text in between."""

FAINT = "#8a929b"
SPACE = "␣"
"""The space between words, as a letter."""

PEAK = 0.12
"""Symbols with a smaller probability get no letter."""


class Peak(NamedTuple):
    """Where a symbol's letter stands: `step`, `symbol`, `probability`."""

    step: int
    symbol: int
    probability: float


QUIET = 20.0
"""Decibels that are drawn as the loudest if nothing is louder: about those of the last bit of 16."""


def scaled(spectrogram: FloatArray) -> FloatArray:
    """Decibels as 0 to 1, the loudest 1; silence is 0."""
    top = max(float(spectrogram.max()), QUIET)
    clipped: FloatArray = np.clip((spectrogram - top) / RANGE + 1, 0, 1)
    return clipped


def peaks(probabilities: FloatArray, labelling: Labelling) -> list[Peak]:
    """The highest step of each run of a symbol on the best path, and of each symbol of the text."""
    path, found = best_path(probabilities), set()
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    runs = list(zip(starts.tolist(), [*starts[1:].tolist(), len(path)], path[starts].tolist(), strict=True))
    runs += list(zip(labelling.starts.tolist(), labelling.stops.tolist(), labelling.symbols.tolist(), strict=True))
    for start, stop, symbol in runs:
        if symbol != BLANK:
            step = start + int(probabilities[start:stop, symbol].argmax())
            found.add((step, symbol))
    each = (Peak(step, symbol, float(probabilities[step, symbol])) for step, symbol in sorted(found))
    return [peak for peak in each if peak.probability >= PEAK]


def drawn_symbols(probabilities: FloatArray, labelling: Labelling) -> list[int]:
    """The symbols that have a line: those of the text and of the best path, in the order they come in; no blank."""
    seen = [*labelling.symbols.tolist(), *best_path(probabilities).tolist()]
    return [symbol for symbol in dict.fromkeys(seen) if symbol != BLANK]


def colour_of(symbol: int) -> str:
    """A symbol's colour in the picture and on the page."""
    return LINE_COLOURS[symbol % len(LINE_COLOURS)]


def draw(explanation: Explanation, path: Path) -> None:
    """Draw the passage.

    Args:
        explanation: what was heard.
        path: the PNG to write.

    Raises:
        RecurraError: if it cannot be written.
    """
    from matplotlib.figure import Figure

    width = float(np.clip(SYMBOL_INCHES * len(explanation.labelling.symbols) + 1, *WIDE))
    figure = Figure(figsize=(width, 5.6), layout="constrained")
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1.1))
    _draw_spectrogram(above, explanation)
    if explanation.probabilities is not None:
        _draw_peaks(middle, explanation, explanation.probabilities)
        _draw_path(below, explanation, explanation.probabilities)
    elif explanation.weights is not None:
        _draw_weights(middle, explanation, explanation.weights)
    _draw_text(below, explanation)
    title, font = lettered(f"{explanation.source}: {explanation.transcript.text or '(no text)'}")
    above.set_title(title, fontsize=10, loc="left", parse_math=False, fontproperties=font)
    below.set_xlabel("seconds")
    below.set_xlim(explanation.begin, explanation.begin + explanation.seconds)
    save(figure, path)


def _draw_spectrogram(axes: Axes, explanation: Explanation) -> None:
    frames, bands = explanation.spectrogram.shape
    begin = explanation.begin
    axes.imshow(
        scaled(explanation.spectrogram).T,
        origin="lower",
        aspect="auto",
        cmap="magma",
        interpolation="nearest",
        extent=(begin, begin + frames * explanation.frame_seconds, 0.5, bands + 0.5),
    )
    axes.set_ylabel("mel band")


def _draw_peaks(axes: Axes, explanation: Explanation, probabilities: FloatArray) -> None:
    steps = explanation.begin + (np.arange(len(probabilities)) + 0.5) * explanation.step_seconds
    axes.fill_between(steps, probabilities[:, BLANK], color="#00000012", linewidth=0)
    axes.plot(steps, probabilities[:, BLANK], color=FAINT, linewidth=0.8, linestyle=":")
    for symbol in drawn_symbols(probabilities, explanation.labelling):
        axes.plot(steps, probabilities[:, symbol], color=colour_of(symbol), linewidth=1.5)
    for peak in peaks(probabilities, explanation.labelling):
        name, font = lettered(explanation.names[peak.symbol].replace(" ", SPACE))
        axes.annotate(name, (steps[peak.step], peak.probability), (0, 2), textcoords="offset points", ha="center",
                      color=colour_of(peak.symbol), fontsize=10, fontproperties=font, parse_math=False)  # fmt: skip
    axes.set_ylim(0, 1.18)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("probability (dotted: blank)")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_weights(axes: Axes, explanation: Explanation, weights: FloatArray) -> None:
    """A row for each symbol of the text, the first above."""
    end = explanation.begin + weights.shape[1] * explanation.step_seconds
    axes.set_ylabel("attention")
    axes.set_yticks([])
    if not len(weights):
        return
    axes.imshow(weights, aspect="auto", cmap="Blues", vmin=0, interpolation="nearest",
                extent=(explanation.begin, end, len(weights) - 0.5, -0.5))  # fmt: skip
    axes.set_yticks(range(len(weights)))
    for label, symbol in zip(axes.set_yticklabels([""] * len(weights)), explanation.labelling.symbols, strict=True):
        text, font = lettered(explanation.names[symbol].replace(" ", SPACE))
        label.set(text=text, fontproperties=font, fontsize=min(10, 150 / len(weights)), parse_math=False)


def _draw_path(axes: Axes, explanation: Explanation, probabilities: FloatArray) -> None:
    """The best symbol of each step."""
    width = explanation.step_seconds
    for step, symbol in enumerate(best_path(probabilities).tolist()):
        colour = "#e4e7ea" if symbol == BLANK else colour_of(symbol)
        left = explanation.begin + step * width
        axes.barh(1.5, width, left=left, height=0.7, color=colour, edgecolor="white", linewidth=0.4)


def _draw_text(axes: Axes, explanation: Explanation) -> None:
    """The words, below the best path if there is one."""
    for word in explanation.transcript.words:
        left, right = explanation.begin + word.start, explanation.begin + word.end
        axes.plot([left, right], [0.86, 0.86], color="#222222", linewidth=1.2)
        text, font = lettered(word.text)
        axes.text((left + right) / 2, 0.42, text, ha="center", va="center", fontsize=10, clip_on=True,
                  parse_math=False, fontproperties=font)  # fmt: skip
    if explanation.probabilities is None:
        axes.set_ylim(0, 1)
        axes.set_yticks([0.5], ["text"])
    else:
        axes.set_ylim(0, 2)
        axes.set_yticks([0.5, 1.5], ["text", "best path"])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
