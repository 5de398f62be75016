"""How a sentence is translated: gathered for a page, and as JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from recurra.decoding.beam_search import BeamSearch
from recurra.errors import RecurraError
from recurra.explain.attention_map import attention_svg, shown
from recurra.explain.beam_tree import nodes_to_draw, tree_svg
from recurra.explain.html import body
from recurra.tasks.translation.page import MOST_LISTED, Candidate, Explanation, candidates, page_data, page_parts
from recurra.tasks.translation.translator import Translating


def explanation_of(
    model: Translating, sentence: str, search: BeamSearch, facts: Mapping[str, str] | None = None
) -> Explanation:
    """How a sentence is translated, with all outputs of the beam.

    Args:
        model: translates it.
        sentence: what to translate.
        search: how to search.
        facts: of the model's card.

    Raises:
        RecurraError: if there is no sentence, or it is too long.
    """
    if not sentence.strip():
        raise RecurraError("there is no sentence to explain; give one that is not empty")
    chosen = replace(search, n_best=min(search.beam_size, MOST_LISTED))
    source = model.source(sentence, chosen)
    (found,) = model.search([source], chosen, trees=True)
    read, target = model.vocabularies.source, model.vocabularies.target

    def text(tokens: Iterable[int]) -> str:
        return source.reading.restored(target.decode(tokens), model.vocabularies.placeholders)

    return Explanation(
        model=model.name,
        facts=facts or {},
        source=source.text,
        source_tokens=[*model.shown(read, source, source.tokens[:-1].tolist()), ""],
        hypotheses=found.hypotheses,
        name=lambda token: "" if token == target.end else model.shown(target, source, [token])[0],
        text=text,
        normalization=chosen.normalization,
        alpha=chosen.alpha,
        tree=found.tree,
    )


def explained(model: Translating, sentence: str, search: BeamSearch, html: bool = False) -> dict[str, Any]:
    """The best translations of a sentence, what they attended to, and what the search considered, as JSON values.

    Args:
        model: translates it.
        sentence: what to translate.
        search: how to search.
        html: tell it as markup too, `html`: the body of the page of `explain`.

    Raises:
        RecurraError: if there is no sentence, or it is too long.
    """
    explanation = explanation_of(model, sentence, search)
    listed = candidates(explanation)
    best = listed[0]
    values = page_data(explanation, listed) | {
        "source": explanation.source,
        "text": explanation.text(explanation.hypotheses[0].tokens),
        "normalization": explanation.normalization,
        "attention_svg": None
        if best.weights is None
        else attention_svg(best.weights, explanation.source_tokens, best.tokens),
    }
    for candidate, told in zip(listed, values["candidates"], strict=True):
        told |= {"score": candidate.score, "given": candidate.given}
    if html:
        values["html"] = body("recurra.tasks.translation", "page", page_parts(explanation, listed))
    return values | _tree(explanation, listed)


def _tree(explanation: Explanation, listed: Iterable[Candidate]) -> dict[str, Any]:
    """The beam tree: its nodes as JSON values, `[parent, token, log_prob, total, state]`, and drawn."""
    tree = explanation.tree
    assert tree is not None
    drawn = nodes_to_draw(tree, [candidate.path[-1] for candidate in listed if candidate.path])
    places = {index: place for place, index in enumerate(drawn)}
    nodes = [
        [
            None if node.parent is None else places[node.parent],
            "" if node.parent is None else shown(explanation.name(node.token)),
            round(node.log_prob, 6),
            round(node.total, 6),
            node.state,
        ]
        for node in (tree.nodes[index] for index in drawn)
    ]
    first = next(iter(listed))
    return {
        "tree": {"nodes": nodes, "numbers": drawn, "left_out": len(tree.nodes) - len(drawn)},
        "tree_svg": tree_svg(tree, explanation.name, drawn, set(first.path)),
    }
