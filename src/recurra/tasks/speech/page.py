"""One HTML file that plays a passage and shows what was heard: spectrogram, probabilities, text, over one time axis.

It holds all it needs, the sound too, and asks no network for anything.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from recurra.arrays import FloatArray
from recurra.explain.html import page
from recurra.explain.page import short
from recurra.files import require_writable_parent, write_text_atomic
from recurra.tasks.speech.explanation import Explanation, best_path
from recurra.tasks.speech.figure import SPACE, colour_of, draw, drawn_symbols, peaks, scaled
from recurra.tasks.speech.symbols import BLANK

SPECTROGRAM, CURVES, PATH, WORDS, AXIS = 150, 170, 22, 40, 26
"""How high the parts of the figure are, from the top, pixels."""

SYMBOL, SECOND, NARROWEST, WIDEST = 26, 60, 900, 12_000
"""Pixels for each symbol of the text and for each second, whichever is more; of the whole, at least and at most."""

TICKS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds that ticks may be apart ..."""

TICK = 70
"""... of which the first is taken that gives at least so many pixels."""

TOLD = 3
"""Symbols of a step that are told where one points."""


PROBABILITIES = (
    "the probability of each symbol at each step (dotted: the blank, “nothing new”); the most probable symbol of each "
    "step; and the text. Repeats of a symbol are merged, then blanks are taken out."
)
WEIGHTS = "what was attended to while each symbol was written, a row for each, the first above; and the text."
"""What is below the spectrogram."""


def write_page(path: Path, name: str, explanation: Explanation) -> None:
    """Write the page, and the same as a picture beside it, `page.png`.

    Args:
        path: the page to write, say `page.html`.
        name: of the model.
        explanation: what it shows.

    Raises:
        RecurraError: if they cannot be written.
    """
    require_writable_parent(path)
    parts, data = page_parts(name, explanation), page_data(explanation)
    write_text_atomic(path, page("recurra.tasks.speech", "page", f"{name}: what was heard", parts, data))
    draw(explanation, path.with_name(f"{path.stem}.png"))


def page_parts(name: str, explanation: Explanation) -> Mapping[str, str]:
    """What goes into the places of the template."""
    return {
        "model": escape(name),
        "source": escape(explanation.source),
        "span": f"{explanation.begin:.2f} to {explanation.begin + explanation.seconds:.2f} s",
        "sound": _sound(explanation),
        "words": _words(explanation),
        "figure": page_figure(explanation),
        "middle": PROBABILITIES if explanation.weights is None else WEIGHTS,
        "texts": "".join(
            f'<tr><td class="text">{escape(text) or "(no text)"}</td><td>{log_prob:.2f}</td></tr>'
            for text, log_prob in explanation.alternatives
        ),
    }


def page_data(explanation: Explanation) -> dict[str, Any]:
    """What the page's script tells of a moment, as JSON values."""
    return {
        "names": [name.replace(" ", SPACE) or "blank" for name in explanation.names],
        "told": [] if explanation.probabilities is None else _told(explanation.probabilities),
        "step": explanation.step_seconds,
        "begin": explanation.begin,
        "seconds": explanation.seconds,
        "width": _width(explanation),
        "words": [[word.text, word.start, word.end, short(word.confidence)] for word in explanation.transcript.words],
    }


def _told(probabilities: FloatArray) -> list[list[list[float | None]]]:
    """The best symbols of each step, each with its probability."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOLD]
    values = np.take_along_axis(probabilities, best, axis=1)
    return [
        [[symbol, short(value)] for symbol, value in zip(symbols, row, strict=True)]
        for symbols, row in zip(best.tolist(), values, strict=True)
    ]


def _sound(explanation: Explanation) -> str:
    """The passage as a WAV file in a data URL."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, explanation.samples, explanation.rate, format="WAV", subtype="PCM_16")
    return f"data:audio/wav;base64,{base64.b64encode(file.getvalue()).decode()}"


def _words(explanation: Explanation) -> str:
    """The words as buttons that play them."""
    if not explanation.transcript.words:
        return '<span class="faint">(nothing was heard)</span>'
    return " ".join(
        f'<button class="word" data-word="{number}" style="--sure: {word.confidence:.3f}">{escape(word.text)}</button>'
        for number, word in enumerate(explanation.transcript.words)
    )


def _width(explanation: Explanation) -> int:
    wanted = max(SYMBOL * len(explanation.labelling.symbols), SECOND * explanation.seconds)
    return round(min(max(wanted, NARROWEST), WIDEST))


def page_figure(explanation: Explanation) -> str:
    """One SVG; `data-word` marks what belongs to a word."""
    width, height = _width(explanation), SPECTROGRAM + CURVES + PATH + WORDS + AXIS
    scale = width / explanation.seconds
    return (
        f'<svg class="heard" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="spectrogram, probabilities of the symbols and the text over time">'
        f"{_spectrogram(explanation, scale)}{_middle(explanation, scale)}"
        f"{_text(explanation, scale)}{_axis(explanation, scale, height)}"
        f'<line class="cursor" x1="0" x2="0" y1="0" y2="{height - AXIS}"/></svg>'
    )


def _spectrogram(explanation: Explanation, scale: float) -> str:
    values = scaled(explanation.spectrogram).T[::-1]
    return _image(values, "magma", 0, SPECTROGRAM, values.shape[1] * explanation.frame_seconds * scale)


def _image(values: FloatArray, colours: str, top: int, height: int, width: float) -> str:
    """Values from 0 to 1 as an image in a data URL, the first row above."""
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, values, cmap=colours, vmin=0, vmax=1, format="png")
    return (
        f'<image x="0" y="{top}" width="{width:.1f}" height="{height}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"/>'
    )


def _middle(explanation: Explanation, scale: float) -> str:
    """The probabilities of the symbols and the best path, or the weights of the attention."""
    if explanation.probabilities is not None:
        return _curves(explanation, explanation.probabilities, scale) + _path(
            explanation, explanation.probabilities, scale
        )
    return "" if explanation.weights is None else _weights(explanation, explanation.weights, scale)


def _weights(explanation: Explanation, weights: FloatArray, scale: float) -> str:
    """A row for each symbol of the text; its letter stands where the most is attended to."""
    if not len(weights):
        return ""
    height = CURVES / len(weights)
    image = _image(
        weights / weights.max(), "Blues", SPECTROGRAM, CURVES, weights.shape[1] * explanation.step_seconds * scale
    )
    letters = []
    for row, (weight, symbol) in enumerate(zip(weights, explanation.labelling.symbols.tolist(), strict=True)):
        x, y = (int(weight.argmax()) + 0.5) * explanation.step_seconds * scale, SPECTROGRAM + (row + 0.5) * height + 5
        name = escape(explanation.names[symbol].replace(" ", SPACE))
        letters.append(f'<text class="letter" style="fill: {colour_of(symbol)}" x="{x:.1f}" y="{y:.1f}">{name}</text>')
    return "".join([image, *letters])


def _curves(explanation: Explanation, probabilities: FloatArray, scale: float) -> str:
    """A line for each symbol, its letter over each peak."""
    bottom, room = SPECTROGRAM + CURVES, CURVES - 30
    steps = (np.arange(len(probabilities)) + 0.5) * explanation.step_seconds * scale
    lines = [
        f'<polyline class="{"blank" if symbol == BLANK else "symbol"}" style="stroke: {colour_of(symbol)}" '
        f'points="{_points(steps, bottom - room * probabilities[:, symbol])}"/>'
        for symbol in (BLANK, *drawn_symbols(probabilities, explanation.labelling))
    ]
    letters = [
        f'<text class="letter" style="fill: {colour_of(symbol)}" x="{steps[step]:.1f}" '
        f'y="{bottom - room * probability - 4:.1f}">{escape(explanation.names[symbol].replace(" ", SPACE))}</text>'
        for step, symbol, probability in peaks(probabilities, explanation.labelling)
    ]
    return "".join([*lines, *letters])


def _points(x: Sequence[float] | np.ndarray, y: np.ndarray) -> str:
    """The points of a line; those in a level stretch are left out but for its ends."""
    heights = np.round(y, 1)
    level = np.zeros(len(heights), bool)
    level[1:-1] = (heights[1:-1] == heights[:-2]) & (heights[1:-1] == heights[2:])
    return " ".join(f"{a:.1f},{b:.1f}" for a, b, left in zip(x, heights, level, strict=True) if not left)


def _path(explanation: Explanation, probabilities: FloatArray, scale: float) -> str:
    """The best symbol of each step as a row of cells."""
    width, top = explanation.step_seconds * scale, SPECTROGRAM + CURVES + 3
    return "".join(
        f'<rect class="cell" x="{step * width:.1f}" y="{top}" width="{width:.2f}" height="{PATH - 6}" '
        f'style="fill: {colour_of(symbol)}"/>'
        for step, symbol in enumerate(best_path(probabilities).tolist())
        if symbol != BLANK
    )


def _text(explanation: Explanation, scale: float) -> str:
    top = SPECTROGRAM + CURVES + PATH
    parts = []
    for number, word in enumerate(explanation.transcript.words):
        left, right = word.start * scale, word.end * scale
        parts.append(
            f'<g class="said" data-word="{number}">'
            f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{top + 6}" y2="{top + 6}"/>'
            f'<text x="{(left + right) / 2:.1f}" y="{top + 26}">{escape(word.text)}</text></g>'
        )
    return "".join(parts)


def _axis(explanation: Explanation, scale: float, height: int) -> str:
    apart = next((each for each in TICKS if each * scale >= TICK), TICKS[-1])
    first = -(-explanation.begin // apart)
    parts = []
    for number in range(int(explanation.seconds / apart) + 1):
        second = (first + number) * apart
        x = (second - explanation.begin) * scale
        if x <= explanation.seconds * scale:
            parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 8}">{second:.10g} s</text>')
    return "".join(parts)
