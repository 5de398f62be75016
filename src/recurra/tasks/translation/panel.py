"""What the page of `serve` shows of a translation: the body of the page of `explain`, and what its script needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from recurra.config import Range
from recurra.decoding.beam_search import BeamSearch
from recurra.explain.html import body
from recurra.serve.contract import Endpoint
from recurra.serve.fields import Request
from recurra.tasks.translation.model import Model
from recurra.tasks.translation.page import candidates, page_data, page_parts

WIDEST = 20
"""Of a beam whose tree is shown."""


@dataclass(frozen=True, kw_only=True)
class Shown(Request):
    """A sentence whose translation is to be explained."""

    q: str
    """What to translate."""
    beam_size: Annotated[int, Range(1, WIDEST)] = 5
    """Partial translations that are kept at each step; all that finish are shown."""


def explained(model: Model, request: Shown) -> dict[str, Any]:
    """How a sentence is translated, as markup and data for the page."""
    explanation = model.explanation(request.q, BeamSearch(beam_size=request.beam_size))
    listed = candidates(explanation)
    return {
        "html": body("recurra.tasks.translation", "page", page_parts(explanation, listed)),
        "data": page_data(explanation, listed),
    }


EXPLAIN = Endpoint(
    "/v1/explain/translation",
    "Shows how a sentence is translated, for the page: its attention map, its beam tree, its runners-up.",
    Shown,
    explained,
    {"q": "good morning"},
)
