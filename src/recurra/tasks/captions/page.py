"""One HTML gallery of pictures: what is said of each, and for every word where the model looked.

It holds all it needs, the pictures too, and asks no network for anything. All of it stands there without JavaScript but
for the large picture's following the word that is pointed at.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recurra.arrays import FloatArray
from recurra.explain.html import page
from recurra.files import require_writable_parent, write_text_atomic
from recurra.tasks.captions.explanation import Checked, Explained, Explanation, Word
from recurra.tasks.captions.figure import (
    UNFINISHED,
    VEIL,
    draw,
    map_size,
    percent,
    veil,
    written,
)
from recurra.tasks.captions.pictures import How, shown

if TYPE_CHECKING:
    from PIL import Image

    from recurra.tasks.captions.config import Config

QUALITY = 85
"""Of the JPEGs."""

CRISP = 160
"""A picture with no side longer than this, pixels, is kept as it is, and shown in squares."""

MOST_MAPS = 60
"""Words of a caption with a picture of their own."""

LEVELS = 64
"""Shades of a veil."""

HOW: dict[How, str] = {
    "stretch": "stretched to",
    "crop": "cut to their middle and brought to",
    "pad": "padded with white and brought to",
}


def write_page(path: Path, name: str, config: Config, explained: Explained) -> tuple[Path, ...]:
    """Write the page, and the first of its pictures as one beside it, `page.png`.

    Args:
        path: the page to write, say `page.html`.
        name: of the model.
        config: of the model.
        explained: what it shows.

    Returns:
        The files written: the page, then the picture.

    Raises:
        RecurraError: if they cannot be written.
    """
    require_writable_parent(path)
    parts = page_parts(name, config, explained)
    write_text_atomic(path, page("recurra.tasks.captions", "page", f"{name}: where it looked", parts, None))
    picture = path.with_name(f"{path.stem}.png")
    draw(explained.explanations, picture)
    return path, picture


def page_parts(name: str, config: Config, explained: Explained) -> Mapping[str, str]:
    """What goes into the places of the template."""
    count = len(explained.explanations)
    return {
        "model": escape(name),
        "count": f"{count:,} picture{'s' * (count != 1)}",
        "about": _about(config, explained.explanations[0]),
        "left": _left_out(explained.left_out),
        "pictures": "".join(_section(each, number) for number, each in enumerate(explained.explanations)),
    }


def _about(config: Config, explanation: Explanation) -> str:
    """How the model sees pictures, and what is shown of that."""
    size = f"{config.image_size} x {config.image_size} pixels"
    seen = f"The network sees pictures {HOW[config.fit]} {size}."
    weights = explanation.captions[0].weights
    if weights is None:
        return (
            f"{seen} This model has no attention: it writes from one summary of the whole picture, so there is no "
            "place it looked at for a word."
        )
    rows, columns = weights.shape[1:]
    return (
        f"{seen} For each word it spreads its attention over {rows} x {columns} places. What is clear got the most, "
        "the rest is veiled; between the places it is smoothed, for showing only, and each word has its own scale. "
        "The percentage is how probable the word was, given the picture and the words before."
    )


def _left_out(reasons: Sequence[str]) -> str:
    if not reasons:
        return ""
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return f"<details><summary>left out: {len(reasons):,}</summary><ul>{items}</ul></details>"


def _section(explanation: Explanation, number: int) -> str:
    """All that is shown of one picture."""
    width, height = explanation.size
    name = escape(shown(explanation.source))
    crisp = " crisp" if max(explanation.size) <= CRISP else ""
    return (
        f'<section class="one{crisp}" aria-labelledby="head-{number}" '
        f'style="--picture:url({_data_url(explanation.picture)});--ratio:{width / height:.5g}">'
        f'<h2 id="head-{number}" dir="auto">{escape(written(explanation))}</h2>'
        f'<p class="faint"><bdi>{name}</bdi>, {width:,} x {height:,} pixels</p>{_checked(explanation.checked)}'
        f'<div class="columns"><div class="stage" role="img" aria-label="{name}"></div>'
        f'<div class="words" role="toolbar" aria-label="words of the caption" dir="auto">{_words(explanation)}</div>'
        f"</div>{_captions(explanation)}</section>"
    )


def _checked(checked: Checked | None) -> str:
    """What is known of a drawn scene's caption."""
    if checked is None:
        return ""
    verdict = {True: "true", False: "not true", None: "not understood by the checker"}[checked.true]
    inside = "" if checked.inside is None else f"; {percent(checked.inside)} of the attention is inside what it names"
    said = "; ".join(map(escape, dict.fromkeys(checked.said)))
    return f'<p>This caption is {verdict}{inside}. <span class="faint">The scene has: {said}.</span></p>'


def _words(explanation: Explanation) -> str:
    """The words as buttons, each with the picture as it is seen for it; one can be reached with Tab."""
    buttons = [_word(explanation, word, number) for number, word in enumerate(explanation.words)]
    return "".join(buttons) or '<p class="faint">(no words)</p>'


def _word(explanation: Explanation, word: Word, number: int) -> str:
    shows, where = "", ""
    if word.weights is not None and number < MOST_MAPS:
        shows = f'<span class="thumb"><img src="{_veil_url(explanation, word.weights)}" alt=""></span>'
    if word.weights is not None:
        x, y = (100 * at / side for at, side in zip(explanation.centre(word.weights), explanation.size, strict=True))
        where = f" attention around {x:.0f} % from the left, {y:.0f} % from the top"
    label = f"{escape(word.text)}: {percent(word.probability)}{where and ';'}{where}"
    return (
        f'<button class="word" tabindex="{-1 if number else 0}" aria-pressed="false" aria-label="{label}">{shows}'
        f"<b>{escape(word.text)}</b><small>{escape(percent(word.probability))}</small>"
        f'<i style="width:{100 * word.probability:.1f}%"></i></button>'
    )


def _captions(explanation: Explanation) -> str:
    """The best captions with their log-probabilities."""
    rows = "".join(
        f'<tr><td class="text" dir="auto">{escape(each.text) or "(no words)"}{"" if each.finished else UNFINISHED}</td>'
        f"<td>{each.log_prob:.2f}</td><td>{each.score:.3f}</td></tr>"
        for each in explanation.captions
    )
    names = ('<th class="text" scope="col">the best captions', '<th scope="col">ln p', '<th scope="col">score')
    return f"<table><thead><tr>{'</th>'.join(names)}</th></tr></thead><tbody>{rows}</tbody></table>"


def _data_url(picture: Image.Image) -> str:
    """A picture as it stands in the page."""
    if max(picture.size) <= CRISP:
        return f"data:image/png;base64,{_encoded(picture, 'PNG')}"
    return f"data:image/jpeg;base64,{_encoded(picture, 'JPEG')}"


def _veil_url(explanation: Explanation, weights: FloatArray) -> str:
    """What lies over the picture for a word: one colour, more or less transparent."""
    from PIL import Image

    covered = veil(explanation, weights, map_size(explanation))
    image = Image.fromarray(np.rint((LEVELS - 1) * covered).astype(np.uint8))
    image.putpalette([*VEIL] * LEVELS)
    image.info["transparency"] = bytes(round(255 * level / (LEVELS - 1)) for level in range(LEVELS))
    return f"data:image/png;base64,{_encoded(image, 'PNG')}"


def _encoded(image: Image.Image, kind: str) -> str:
    file = BytesIO()
    image.save(file, kind, quality=QUALITY, optimize=True)
    return base64.b64encode(file.getvalue()).decode()
