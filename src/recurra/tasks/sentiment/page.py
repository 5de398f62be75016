"""One HTML file that shows why texts got their labels: words coloured by effect, the mood's curve, pairs, neighbours.

It holds all it needs and asks no network for anything. All of it stands there without JavaScript but for what pointing
at a word tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from recurra.explain.html import page
from recurra.explain.page import short, shorts
from recurra.files import require_writable_parent, write_text_atomic
from recurra.tasks.sentiment.explanation import Explanation
from recurra.tasks.sentiment.figure import draw, figure_svg, side
from recurra.tasks.sentiment.telling import MINUS, MOST_NGRAMS, TIMES, percent, signed

MOST_PICTURED = 6
"""Texts in the picture."""

LONGEST_EXAMPLE = 300
"""Characters of an example that are shown."""


def write_page(
    path: Path, name: str, facts: Mapping[str, str], explanations: Sequence[Explanation]
) -> tuple[Path, ...]:
    """Write the page, and the same as a picture beside it, `page.png`.

    Args:
        path: the page to write, say `page.html`.
        name: of the model.
        facts: lines on the model, label to text.
        explanations: what it shows, at least one.

    Returns:
        The files written: the page, then the picture.

    Raises:
        RecurraError: if they cannot be written.
    """
    require_writable_parent(path)
    parts = page_parts(name, facts, explanations)
    data = [page_data(each) for each in explanations]
    write_text_atomic(path, page("recurra.tasks.sentiment", "page", f"{name}: why this label", parts, data))
    picture = path.with_name(f"{path.stem}.png")
    draw(explanations[:MOST_PICTURED], picture)
    return path, picture


def page_parts(name: str, facts: Mapping[str, str], explanations: Sequence[Explanation]) -> dict[str, str]:
    """What goes into the places of the page, markup."""
    return {
        "model": escape(name),
        "facts": "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items()),
        "about": _about(explanations[0]),
        "for": escape(explanations[0].target) if _one_direction(explanations) else "the answer",
        "against": escape(explanations[0].opposite),
        "texts": "".join(_section(each, number) for number, each in enumerate(explanations)),
    }


def _one_direction(explanations: Sequence[Explanation]) -> bool:
    return len(explanations[0].labels) == 2 or len({each.target for each in explanations}) == 1


def _about(explanation: Explanation) -> str:
    if len(explanation.labels) == 2:
        return f"the log-odds of <b>{escape(explanation.target)}</b>, ln(p / (1 {MINUS} p))"
    return f"the log-odds of the answer, ln(p / (1 {MINUS} p))"


def page_data(explanation: Explanation) -> dict[str, Any]:
    """What the page's script tells of a text's words, as JSON values."""
    saliency, attribution = explanation.saliency, explanation.attribution
    return {
        "words": list(saliency.words),
        "target": explanation.target,
        "odds": short(saliency.log_odds),
        "effects": shorts(saliency.occlusion),
        "gradients": None if attribution is None else shorts(attribution.effects),
        "after": [short(value) for value in explanation.after_words],
        "known": [int(known) for known in explanation.known],
        "pairs": [[first, second, short(effect)] for first, second, effect in explanation.strongest],
    }


def _section(explanation: Explanation, number: int) -> str:
    """All that is shown of one text."""
    probability = percent(float(explanation.saliency.probabilities.max()))
    return (
        f'<section class="one" data-number="{number}" aria-labelledby="head-{number}">'
        f'<div class="head"><h2 id="head-{number}"><span class="faint">answer</span> {escape(explanation.answer)} '
        f"<small>{probability}</small></h2>{_classes(explanation)}</div>"
        f'<p class="words" dir="auto">{_flow(explanation)}</p>'
        '<p class="told live-only" role="status">&nbsp;</p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="the words in a figure">'
        f'{figure_svg(explanation)}</div><div class="columns">{_pairs(explanation)}{_ngrams(explanation)}'
        f"{_examples(explanation)}</div>{_table(explanation)}</section>"
    )


def _flow(explanation: Explanation) -> str:
    """The text as words, coloured by their effects; the first can be reached with Tab, the others with arrows."""
    spans = []
    for position, word in enumerate(explanation.saliency.words):
        effect = float(explanation.saliency.occlusion[position])
        unknown = "" if explanation.known[position] else " unknown"
        spans.append(
            f'<span class="word {side(effect)}{unknown}" data-word="{position}" tabindex="{-1 if position else 0}" '
            f'role="img" aria-label="{escape(word)}: {signed(effect)}" '
            f'style="--share:{abs(effect) / explanation.scale:.3f}">{escape(word)}</span>'
        )
    return " ".join(spans)


def _classes(explanation: Explanation) -> str:
    """The probability of every label as a bar; of more than two the most probable first."""
    probabilities = explanation.saliency.probabilities
    order = np.arange(2) if len(probabilities) == 2 else np.argsort(-probabilities, kind="stable")
    rows = []
    for label in order.tolist():
        value = float(probabilities[label])
        kind = "for" if label == explanation.saliency.target else "against"
        rows.append(
            f'<tr><th scope="row">{escape(explanation.labels[label])}</th>'
            f'<td class="bar"><i class="{kind}" style="width:{100 * value:.1f}%"></i></td>'
            f"<td>{percent(value)}</td></tr>"
        )
    return f'<table class="classes"><caption>probabilities</caption><tbody>{"".join(rows)}</tbody></table>'


def _pairs(explanation: Explanation) -> str:
    """The strongest interactions, in words."""
    words, shown = explanation.saliency.words, explanation.strongest
    tried = len(explanation.saliency.paired)
    among = "" if tried == len(words) else f" Tried among the {tried} words with the largest effects."
    if not shown:
        return f"<div><h3>Pairs</h3><p>No two words do together what each does not do alone.{among}</p></div>"
    rows = "".join(
        f'<tr><td class="text"><bdi>{escape(words[pair.first])}</bdi> {TIMES} <bdi>{escape(words[pair.second])}</bdi>'
        f'</td><td class="{side(pair.effect)}">{signed(pair.effect)}</td></tr>'
        for pair in shown
    )
    about = f"What two words do together beyond what each does alone.{among}"
    return f'<div><h3>Pairs</h3><p>{about}</p><table class="list"><tbody>{rows}</tbody></table></div>'


def _ngrams(explanation: Explanation) -> str:
    """What n-grams add, the largest effects."""
    rows = "".join(
        f'<tr><td class="text"><bdi>{escape(each.ngram)}</bdi></td>'
        f'<td class="{side(each.effect)}">{signed(each.effect)}</td></tr>'
        for each in explanation.ngrams[:MOST_NGRAMS]
    )
    about = "What runs of words add to the log-odds."
    return f'<div><h3>N-grams</h3><p>{about}</p><table class="list"><tbody>{rows}</tbody></table></div>' if rows else ""


def _examples(explanation: Explanation) -> str:
    """The nearest examples."""
    rows = "".join(
        f"<tr><td>{each.similarity:.2f}</td><td>{escape(each.label)}</td>"
        f'<td class="text" dir="auto">{escape(_cut(each.text))}</td></tr>'
        for each in explanation.examples
    )
    about = "Texts that the network sees most like this one (cosine), with their own labels."
    table = f'<table class="list"><tbody>{rows}</tbody></table>'
    return f"<div><h3>Nearest examples</h3><p>{about}</p>{table}</div>" if rows else ""


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_EXAMPLE else f"{text[:LONGEST_EXAMPLE]} …"


def _table(explanation: Explanation) -> str:
    """All figures of the words, for those who cannot see the figure or want the numbers."""
    attribution = explanation.attribution
    rows = []
    for position, (word, after) in enumerate(zip(explanation.saliency.words, explanation.after_words, strict=True)):
        gradient = "" if attribution is None else f"<td>{signed(float(attribution.effects[position]))}</td>"
        rows.append(
            f'<tr><th scope="row" class="text"><bdi>{escape(word)}</bdi></th>'
            f"<td>{signed(float(explanation.saliency.occlusion[position]))}</td>{gradient}"
            f"<td>{percent(float(after))}</td></tr>"
        )
    gradients = "" if attribution is None else '<th scope="col">integrated gradients</th>'
    return (
        f"<details><summary>Every word in numbers</summary><p>{_completeness(explanation)}</p>"
        f'<div class="table"><table><thead><tr><th scope="col" class="text">word</th><th scope="col">taken away</th>'
        f'{gradients}<th scope="col">p({escape(explanation.target)}) after it</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def _completeness(explanation: Explanation) -> str:
    """What integrated gradients add up to."""
    attribution = explanation.attribution
    whole = f"The log-odds of {escape(explanation.target)} are {signed(explanation.saliency.log_odds)}."
    if attribution is None:
        return f"{whole} The model reads no word vectors, so there are no integrated gradients."
    return (
        f"{whole} With unknown words in place of all words they are "
        f"{signed(explanation.saliency.log_odds - attribution.change)}; integrated gradients, taken at "
        f"{attribution.steps} points, add up to the difference but for {abs(attribution.gap):.4f}."
    )
