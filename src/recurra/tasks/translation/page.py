"""One HTML file that shows how a model turned a sequence into another: attention weights, and other outputs.

It holds all it needs and asks no network for anything. The translation, its attention map, the table of outputs and the
beam tree stand there without JavaScript; with it, outputs can be chosen and ranked anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.arrays import FloatArray
from recurra.explain.attention_map import FAINT, attention_svg, check_shape, draw_attention, shown
from recurra.explain.beam_tree import (
    count_of,
    finished_nodes,
    nodes_to_draw,
    normalized,
    path_to,
    rule_of,
    tree_svg,
)
from recurra.explain.html import page
from recurra.files import require_writable_parent, write_text_atomic

if TYPE_CHECKING:
    from recurra.decoding.beam_search import Normalization
    from recurra.decoding.hypothesis import Hypothesis
    from recurra.decoding.search_tree import Tree

MOST_LISTED = 50
"""Outputs listed beyond those the search gave."""

MOST_MAPS = 50
"""Outputs whose attention the page has a map of, ..."""

MOST_WEIGHTS = 2_000_000
"""... if their maps have no more weights than this, all together."""

DEAR = 3.0
"""Nats from which on a token has the strongest colour."""

NOTHING = "(nothing)"
"""Stands for an empty output."""

PENALTY = 1e-5
"""A score that differs from the normalised sum by less, relatively, has no coverage penalty in it."""


@dataclass(frozen=True)
class Explanation:
    """What a search found for one source, and how to write it.

    Attributes:
        model: its name.
        facts: lines for its card, label to text.
        source: what was to be translated, as it was typed.
        source_tokens: what the model read, a string a position of the attention weights, with their spaces; the empty
            string is the end.
        hypotheses: the outputs, the best first; at least one.
        name: what an output token is called, with its spaces; the end's name is the empty string.
        text: output tokens, without the end, as text.
        normalization: what the search ranked by.
        alpha: its exponent.
        tree: what the search considered; None if it was not kept.
    """

    model: str
    facts: Mapping[str, str]
    source: str
    source_tokens: Sequence[str]
    hypotheses: Sequence[Hypothesis]
    name: Callable[[int], str]
    text: Callable[[Sequence[int]], str]
    normalization: Normalization
    alpha: float
    tree: Tree | None = None


@dataclass(frozen=True)
class Candidate:
    """An output as the page lists it.

    Attributes:
        text: what it says, in words if that is nothing.
        tokens: strings, the end last.
        log_probs: theirs, nats.
        total: their sum.
        score: what it is ranked by.
        penalty: the part of the score that is not the normalised sum: what the source left unattended costs.
        weights: its attention weights; None if they are not known.
        path: its nodes in the tree, the first token's first; empty without one.
        given: the search gave it; else it is another that finished.
    """

    text: str
    tokens: Sequence[str]
    log_probs: Sequence[float]
    total: float
    score: float
    penalty: float
    weights: FloatArray | None
    path: Sequence[int]
    given: bool


def write_translation_page(path: Path, explanation: Explanation) -> tuple[Path, ...]:
    """Write the page and, if the model has attention, the best output's map beside it, `page-attention.png`.

    Args:
        path: the page to write, say `page.html`.
        explanation: what it shows.

    Returns:
        The files written: the page, then the map.

    Raises:
        ValueError: if there is no output, or weights do not fit the tokens.
        RecurraError: if they cannot be written.
    """
    require_writable_parent(path)
    listed = candidates(explanation)
    title = f"{explanation.model}: why this translation"
    parts, data = page_parts(explanation, listed), page_data(explanation, listed)
    write_text_atomic(path, page("recurra.tasks.translation", "page", title, parts, data))
    best = listed[0]
    if best.weights is None:
        return (path,)
    picture = path.with_name(f"{path.stem}-attention.png")
    draw_attention(best.weights, explanation.source_tokens, best.tokens, picture, f"{explanation.source} → {best.text}")
    return path, picture


def candidates(explanation: Explanation) -> list[Candidate]:
    """The outputs that the search gave, then the best `MOST_LISTED` others that finished in its tree, the best first.

    Where a coverage penalty was part of the scores there are no others: theirs is not known.

    Raises:
        ValueError: if there is no output, or weights do not fit the tokens.
    """
    if not explanation.hypotheses:
        raise ValueError("there is no output to explain")
    given = [_given(explanation, hypothesis) for hypothesis in explanation.hypotheses]
    if explanation.tree is None or any(candidate.penalty for candidate in given):
        return given
    tree, rule = explanation.tree, rule_of(explanation.normalization, explanation.alpha)
    known = {hypothesis.node for hypothesis in explanation.hypotheses}
    others = [node for node in finished_nodes(tree) if node not in known]
    others.sort(key=lambda node: -normalized(tree.nodes[node].total, tree.nodes[node].depth, rule))
    return given + [_other(explanation, tree, node) for node in others[:MOST_LISTED]]


def _given(explanation: Explanation, hypothesis: Hypothesis) -> Candidate:
    tokens = [*map(explanation.name, hypothesis.tokens), ""]
    if hypothesis.weights is not None:
        check_shape(hypothesis.weights, explanation.source_tokens, tokens)
    total = math.fsum(hypothesis.log_probs)
    penalty = hypothesis.score - normalized(total, len(tokens), rule_of(explanation.normalization, explanation.alpha))
    return Candidate(
        text=explanation.text(hypothesis.tokens) or NOTHING,
        tokens=tokens,
        log_probs=hypothesis.log_probs,
        total=total,
        score=hypothesis.score,
        penalty=penalty if abs(penalty) > PENALTY * (1 + abs(hypothesis.score)) else 0.0,
        weights=hypothesis.weights,
        path=path_to(explanation.tree, hypothesis.node) if explanation.tree and hypothesis.node is not None else (),
        given=True,
    )


def _other(explanation: Explanation, tree: Tree, end: int) -> Candidate:
    path = path_to(tree, end)
    nodes = [tree.nodes[index] for index in path]
    tokens = tuple(node.token for node in nodes[:-1])
    total = nodes[-1].total
    return Candidate(
        text=explanation.text(tokens) or NOTHING,
        tokens=[*map(explanation.name, tokens), ""],
        log_probs=[node.log_prob for node in nodes],
        total=total,
        score=normalized(total, len(nodes), rule_of(explanation.normalization, explanation.alpha)),
        penalty=0.0,
        weights=None,
        path=path,
        given=False,
    )


def page_data(explanation: Explanation, listed: Sequence[Candidate]) -> dict[str, Any]:
    """What the page's script needs, as JSON values."""
    rule = rule_of(explanation.normalization, explanation.alpha)
    mapped = _mapped(listed)
    return {
        "kind": rule.kind,
        "alpha": rule.alpha,
        "sources": [shown(token) for token in explanation.source_tokens],
        "candidates": [
            {
                "text": candidate.text,
                "tokens": [shown(token) for token in candidate.tokens],
                "log_probs": [_finite(value) for value in candidate.log_probs],
                "total": _finite(candidate.total),
                "length": len(candidate.tokens),
                "penalty": _finite(candidate.penalty),
                "weights": None if candidate.weights is None or position >= mapped else _rounded(candidate.weights),
                "path": list(candidate.path),
            }
            for position, candidate in enumerate(listed)
        ],
    }


def _finite(value: float) -> float | None:
    """JSON knows no infinity; null stands for it."""
    return float(value) if math.isfinite(value) else None


def _rounded(weights: FloatArray) -> list[list[float]]:
    """With nothing for what a map leaves white: most of a long one."""
    return [[round(weight, 4) if weight >= FAINT else 0 for weight in row] for row in np.nan_to_num(weights).tolist()]


def _mapped(listed: Sequence[Candidate]) -> int:
    """How many outputs, from the first, may have a map."""
    sizes = [0 if candidate.weights is None else candidate.weights.size for candidate in listed[:MOST_MAPS]]
    return sum(size <= MOST_WEIGHTS for size in accumulate(sizes))


def page_parts(explanation: Explanation, kept: Sequence[Candidate]) -> dict[str, str]:
    """What goes into the places of the page, markup."""
    mapped = _mapped(kept)
    attends = any(candidate.weights is not None for candidate in kept)
    covers = any(candidate.penalty for candidate in kept)
    rule = rule_of(explanation.normalization, explanation.alpha)
    parts = {
        "model": escape(explanation.model),
        "facts": "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in explanation.facts.items()),
        "source": escape(explanation.source),
        "translation": escape(kept[0].text),
        "attends": "" if attends else "hidden",
        "attends-not": "hidden" if attends else "",
        "mapped": "" if attends and mapped else "hidden",
        "no-map": "" if attends and not mapped else "hidden",
        "sources": "".join(_source(token) for token in explanation.source_tokens),
        "outputs": "".join(_output(candidate, position) for position, candidate in enumerate(kept)),
        "maps": "".join(_map(explanation, candidate, position) for position, candidate in enumerate(kept[:mapped])),
        "covers": "" if covers else "hidden",
        "rows": "".join(_row(candidate, position, covers) for position, candidate in enumerate(kept)),
        "about-rows": escape(_about_rows(explanation, kept, mapped)),
        "most-alpha": f"{max(2, math.ceil(rule.alpha))}",
        "alpha-step": "0.05" if math.isclose(rule.alpha * 20, round(rule.alpha * 20)) else "0.01",
        "alpha": f"{rule.alpha:g}",
        "power": "checked" if rule.kind == "power" else "",
        "gnmt": "checked" if rule.kind == "gnmt" else "",
        "searches": "" if explanation.tree else "hidden",
    }
    return parts | _tree_parts(explanation.tree, explanation.name, kept)


def _source(token: str) -> str:
    return f'<span class="token"><bdi>{escape(shown(token))}</bdi><small></small></span>'


def _output(candidate: Candidate, position: int) -> str:
    """The tokens of an output, coloured by what they cost; only the best one's are to be seen at first."""
    tokens = []
    for step, (token, log_prob) in enumerate(zip(candidate.tokens, candidate.log_probs, strict=True)):
        cost = min(1.0, max(0.0, -log_prob / DEAR))
        tokens.append(
            f'<button type="button" class="token" data-step="{step}" tabindex="{0 if step == 0 else -1}" '
            f'style="--cost:{cost:.3f}"><bdi>{escape(shown(token))}</bdi><small>{_percent(log_prob)}</small></button>'
        )
    return f'<div class="strip" id="output-{position}" {"hidden" if position else ""}>{"".join(tokens)}</div>'


def _percent(log_prob: float) -> str:
    percent = 100 * math.exp(log_prob)
    return f"{percent:.0f} %" if percent >= 9.5 else f"{percent:.1f} %" if percent >= 0.05 else "&lt; 0.1 %"


def _map(explanation: Explanation, candidate: Candidate, position: int) -> str:
    if candidate.weights is None:
        return ""
    drawing = attention_svg(candidate.weights, explanation.source_tokens, candidate.tokens)
    return f'<div class="map" id="map-{position}" {"hidden" if position else ""}>{drawing}</div>'


def _row(candidate: Candidate, position: int, covers: bool) -> str:
    current = "" if position else ' aria-current="true"'
    return (
        f'<tr id="row-{position}"{current}><td class="rank">{position + 1}</td>'
        f'<td class="text"><bdi>{escape(candidate.text)}</bdi></td>'
        f'<td class="score">{_number(candidate.score)}</td>'
        f"<td>{_number(candidate.total)}</td><td>{len(candidate.tokens)}</td>"
        f"{f'<td>{_number(candidate.penalty)}</td>' if covers else ''}"
        f"<td>{'given' if candidate.given else 'finished too'}</td></tr>"
    )


def _number(value: float) -> str:
    return f"{value:.4f}".replace("-", "\N{MINUS SIGN}")


def _about_rows(explanation: Explanation, listed: Sequence[Candidate], mapped: int) -> str:
    """What the table leaves out."""
    notes = []
    if explanation.tree and any(candidate.penalty for candidate in listed):
        notes.append("Others that finished are not listed, since what their coverage costs is not known.")
    elif explanation.tree and (missing := len(finished_nodes(explanation.tree)) - len(listed)) > 0:
        notes.append(f"{missing} more finished and are not listed.")
    if any(candidate.weights is not None for candidate in listed[mapped:]):
        notes.append(
            f"Only the first {mapped} have an attention map here." if mapped else "They are too long for maps."
        )
    return " ".join(notes)


def _tree_parts(tree: Tree | None, name: Callable[[int], str], kept: Sequence[Candidate]) -> dict[str, str]:
    if tree is None:
        return {"tree": "", "about-tree": ""}
    drawn = nodes_to_draw(tree, [candidate.path[-1] for candidate in kept if candidate.path])
    missing = len(tree.nodes) - len(drawn)
    left_out = f" Of {count_of(tree, range(len(tree.nodes)))}, {missing} are left out to keep this readable."
    about = f"Here are {count_of(tree, drawn)}." + (left_out if missing else "")
    return {"tree": tree_svg(tree, name, drawn, set(kept[0].path)), "about-tree": about}
