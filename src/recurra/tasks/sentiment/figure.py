"""The figure of an explanation: the mood's curve over the words, bars for each word, arcs between pairs.

As SVG for the page, where words can be pointed at, and as a picture.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from html import escape
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recurra.explain.lettering import printable
from recurra.tasks.sentiment.explanation import Explanation
from recurra.tasks.sentiment.saliency import Pair
from recurra.tasks.sentiment.telling import percent, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEFT, RIGHT, TOP = 78, 18, 14
"""Pixels beside the figure, and above it."""

CURVE, BAND, BARS, ARCS = 112, 36, 124, 64
"""How high its parts are, from the top, pixels."""

CHARACTER, PADDING, NARROWEST = 8.5, 16, 44
"""How wide a word's column is: by its letters, and at least, pixels."""

WIDE, MOST_WIDENED = 860, 2.5
"""The columns of a short text are widened, up to so many times, until all together have so many pixels."""

MOST_DRAWN = 60
"""Words of a text in the picture."""

LEVEL = 12
"""More words than this stand aslant in the picture."""

FOR, AGAINST, INK = "#2a6fb8", "#d2552f", "#1d2126"
"""The picture's colours of what speaks for the target and against it, and of lines."""


def figure_svg(explanation: Explanation) -> str:
    """One SVG; columns, bars and arcs carry `data-word` and `data-pair` for the page's script."""
    words, pairs = explanation.saliency.words, explanation.strongest
    widths = widths_of(words)
    ends = [LEFT + NARROWEST / 2 + end for end in accumulate(widths)]
    centres = [end - width / 2 for end, width in zip(ends, widths, strict=True)]
    width = ends[-1] + RIGHT
    height = TOP + CURVE + BAND + BARS + (ARCS if pairs else 10)
    label = escape(f"p({explanation.target}) after each word, and the effect of each word; the numbers are below")
    return (
        f'<svg width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}" role="img" '
        f'aria-label="{label}">{_curve(explanation, centres, width)}{_bars(explanation, centres, widths, width)}'
        f"{_arcs(pairs, centres)}{_columns(words, ends, widths, height)}</svg>"
    )


def widths_of(words: Sequence[str]) -> list[float]:
    """How wide the column of each word is, pixels."""
    letters = [sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in word) for word in words]
    widths = [max(NARROWEST, CHARACTER * count + PADDING) for count in letters]
    wider = min(MOST_WIDENED, max(1.0, WIDE / sum(widths)))
    return [wider * width for width in widths]


def _curve(explanation: Explanation, centres: Sequence[float], width: float) -> str:
    """The target's probability before all words and after each, coloured from one half up and down."""
    start = float(explanation.saliency.curve[0, explanation.saliency.target])
    values = [start, *explanation.after_words.tolist()]
    places = [float(LEFT), *centres]
    half = _height(0.5)
    line = "L".join(f"{x:.1f} {_height(value):.1f}" for x, value in zip(places, values, strict=True))
    area = f"M{LEFT} {half:.1f}L{line}L{places[-1]:.1f} {half:.1f}Z"
    grid = "".join(
        f'<path class="grid" d="M{LEFT} {_height(value):.1f}H{width - RIGHT:.1f}"/>'
        f'<text class="tick" x="{LEFT - 8}" y="{_height(value) + 4:.1f}">{value:g}</text>'
        for value in (0, 0.5, 1)
    )
    dots = "".join(
        f'<circle class="{side(value - 0.5)}" cx="{x:.1f}" cy="{_height(value):.1f}" r="3.5"/>'
        for x, value in zip(places, values, strict=True)
    )
    target = explanation.target if len(explanation.target) <= 8 else f"{explanation.target[:7]}…"
    return (
        f'{grid}<text class="tick" x="{LEFT - 30}" y="{half - 3:.1f}">p of</text>'
        f'<text class="tick" x="{LEFT - 30}" y="{half + 11:.1f}">{escape(target)}</text>'
        f"{_clipped('for', area, width, 0, half)}{_clipped('against', area, width, half, CURVE)}"
        f'<path class="curve" d="M{line}"/>{dots}'
    )


def _height(probability: float) -> float:
    return TOP + CURVE * (1 - probability)


def _clipped(kind: str, area: str, width: float, top: float, height: float) -> str:
    """The part of an area in a strip: an inner SVG shows nothing beyond its edges."""
    return (
        f'<svg x="0" y="{top:.1f}" width="{width:.0f}" height="{height:.1f}" '
        f'viewBox="0 {top:.1f} {width:.0f} {height:.1f}"><path class="area {kind}" d="{area}"/></svg>'
    )


def _bars(explanation: Explanation, centres: Sequence[float], widths: Sequence[float], width: float) -> str:
    """Bars upwards for the target, downwards against it: full for occlusion, hollow for integrated gradients."""
    middle, longest = TOP + CURVE + BAND + BARS / 2, BARS / 2 - 6
    parts = [
        f'<path class="axis" d="M{LEFT} {middle}H{width - RIGHT:.1f}"/>',
        f'<text class="tick" x="{LEFT - 8}" y="{middle - longest + 9}">{signed(explanation.scale, 1)}</text>',
        f'<text class="tick" x="{LEFT - 8}" y="{middle + 4}">effect</text>',
        f'<text class="tick" x="{LEFT - 8}" y="{middle + longest}">{signed(-explanation.scale, 1)}</text>',
    ]
    pixels = longest / explanation.scale
    for position, (centre, room) in enumerate(zip(centres, widths, strict=True)):
        thick = min(18.0, room / 3)
        effect = float(explanation.saliency.occlusion[position])
        parts.append(_bar("bar", pixels * effect, centre - thick - 1, middle, thick))
        if explanation.attribution is not None:
            gradient = float(explanation.attribution.effects[position])
            parts.append(_bar("bar hollow", pixels * gradient, centre + 1, middle, thick))
    return "".join(parts)


def _bar(kind: str, height: float, left: float, middle: float, thick: float) -> str:
    return (
        f'<rect class="{kind} {side(height)}" x="{left:.1f}" y="{middle - max(height, 0.0):.1f}" width="{thick:.1f}" '
        f'height="{abs(height):.1f}" rx="2"/>'
    )


def _arcs(pairs: Sequence[Pair], centres: Sequence[float]) -> str:
    """Below the bars, from word to word: the thicker, the stronger."""
    if not pairs:
        return ""
    top = TOP + CURVE + BAND + BARS
    largest = max(abs(pair.effect) for pair in pairs)
    widest = max(centres[pair.second] - centres[pair.first] for pair in pairs)
    parts = [f'<text class="tick" x="{LEFT - 8}" y="{top + 14}">pairs</text>']
    for pair in reversed(pairs):  # the strongest on top
        begin, end = centres[pair.first], centres[pair.second]
        low = top + 4 / 3 * (16 + (ARCS - 24) * (end - begin) / widest)
        thick = 1 + 4 * abs(pair.effect) / largest
        curve = f"M{begin:.1f} {top}C{begin:.1f} {low:.1f} {end:.1f} {low:.1f} {end:.1f} {top}"
        parts.append(
            f'<path class="arc {side(pair.effect)}" data-pair="{pair.first} {pair.second}" d="{curve}" '
            f'style="stroke-width:{thick:.1f}"><title>{signed(pair.effect)}</title></path>'
        )
    return "".join(parts)


def _columns(words: Sequence[str], ends: Sequence[float], widths: Sequence[float], height: float) -> str:
    """The words, and over each column something to point at."""
    baseline = TOP + CURVE + BAND / 2 + 6
    return "".join(
        f'<g class="column" data-word="{position}"><text x="{end - width / 2:.1f}" y="{baseline}">{escape(word)}</text>'
        f'<rect x="{end - width:.1f}" y="0" width="{width:.1f}" height="{height}"/></g>'
        for position, (word, end, width) in enumerate(zip(words, ends, widths, strict=True))
    )


def side(effect: float) -> str:
    """The class of what speaks for the target, or against it."""
    return "for" if effect > 0 else "against"


def draw(explanations: Sequence[Explanation], path: Path) -> None:
    """Draw the curve and the bars of some texts, one below the other.

    Args:
        explanations: of the texts.
        path: the PNG to write.
    """
    from matplotlib.figure import Figure

    from recurra.explain.pictures import save

    longest = max(min(len(each.saliency.words), MOST_DRAWN) for each in explanations)
    figure = Figure(figsize=(max(6.0, 2.2 + 0.62 * longest), 4.2 * len(explanations)), layout="constrained")
    parts = figure.subfigures(len(explanations), 1, squeeze=False)[:, 0]
    for part, explanation in zip(parts, explanations, strict=True):
        above, below = part.subplots(2, 1, height_ratios=[1, 1.25])
        _draw_curve(above, explanation)
        _draw_bars(below, explanation)
    save(figure, path)


def _draw_curve(axes: Axes, explanation: Explanation) -> None:
    total = len(explanation.saliency.words)
    count = min(total, MOST_DRAWN)
    start = explanation.saliency.curve[0, explanation.saliency.target]
    values, places = np.concatenate([[start], explanation.after_words[:count]]), np.arange(-1, count)
    for colour, beyond in ((FOR, values >= 0.5), (AGAINST, values <= 0.5)):
        axes.fill_between(places, 0.5, values, where=beyond, interpolate=True, color=colour, alpha=0.16, linewidth=0)
    axes.axhline(0.5, color="#00000030", linewidth=0.8)
    axes.plot(places, values, color=INK, linewidth=1.6)
    axes.scatter(places, values, s=26, zorder=3, color=[FOR if value > 0.5 else AGAINST for value in values])
    axes.set(xlim=(-1.35, count - 0.4), ylim=(-0.06, 1.06), xticks=[], yticks=[0, 0.5, 1])
    axes.set_ylabel(printable(f"p({explanation.target})"), fontsize=9, parse_math=False)
    more = f" (the first {count} of {total} words)" if total > count else ""
    title = f"{explanation.answer}, {percent(float(explanation.saliency.probabilities.max()))}{more}"
    axes.set_title(printable(title), fontsize=10, loc="left", parse_math=False)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _draw_bars(axes: Axes, explanation: Explanation) -> None:
    words = explanation.saliency.words[:MOST_DRAWN]
    kinds = [(explanation.saliency.occlusion, -0.2, True)]
    if explanation.attribution is not None:
        kinds.append((explanation.attribution.effects, 0.2, False))
    for effects, shift, full in kinds:
        shown = effects[: len(words)]
        colours = [FOR if effect > 0 else AGAINST for effect in shown]
        fill = colours if full else "none"
        axes.bar(np.arange(len(words)) + shift, shown, 0.36, color=fill, edgecolor=colours, linewidth=1.1)
    axes.axhline(0, color="#00000060", linewidth=0.8)
    lowest, highest = (sign * max(float((sign * effects).max()) for effects, _, _ in kinds) for sign in (-1, 1))
    room = 0.08 * explanation.scale
    axes.set(xlim=(-1.35, len(words) - 0.4), ylim=(min(lowest, 0) - room, max(highest, 0) + room))
    axes.set_xticks(range(len(words)), [printable(word).replace("$", r"\$") for word in words], fontsize=10)
    if len(words) > LEVEL:
        axes.tick_params(axis="x", labelrotation=35)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("effect, log-odds\n(hollow: integrated gradients)", fontsize=9)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
