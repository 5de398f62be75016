"""How sentiment models are served: labels with their probabilities, and which words they came from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.devices import DeviceName
from recurra.errors import pytorch_needed
from recurra.explain.html import body
from recurra.serve.contract import Endpoint, Json, Part, Pieces
from recurra.serve.errors import FieldError
from recurra.serve.fields import Request
from recurra.tasks.sentiment.classifier import Classifier

if TYPE_CHECKING:
    from recurra.tasks.sentiment.explanation import Explanation
    from recurra.tasks.sentiment.model import Model

GROUP = 64
"""Texts that are classified together, before others have their turn."""

MOST_TEXTS = 10_000
"""Texts of one request."""

MOST_EXPLAINED = 50
"""Those of one whose answers are to be explained."""


class Reader:
    """A model that classifies without PyTorch, and explains with it as soon as it is asked to.

    Args:
        folder: of the model.
        device: where explanations are computed.
    """

    def __init__(self, folder: Path, device: DeviceName) -> None:
        self.classifier = Classifier.load(folder)
        self._folder = folder
        self._device = device

    @cached_property
    def model(self) -> Model:
        """The model that explains."""
        with pytorch_needed("explaining a label"):
            from recurra.tasks.sentiment.model import Model

        return Model.load(self._folder, self._device)


@dataclass(frozen=True, kw_only=True)
class Classification(Request):
    """Texts to be classified."""

    text: str | tuple[str, ...]
    """The text, or a list of texts."""
    explain: bool = False
    """Tell what each word did, the pairs of words that belong together, and the mood after each word."""
    html: bool = False
    """With `explain`, tell it as markup too, as the page of this server shows it."""


def classify(reader: Reader, request: Classification) -> Pieces:
    """The label of each text; a piece is a group of texts, or one that is explained."""
    texts = [request.text] if isinstance(request.text, str) else list(request.text)
    most = MOST_EXPLAINED if request.explain else MOST_TEXTS
    if not 0 < len(texts) <= most:
        raise FieldError("text", f"{len(texts):,} texts are given; give 1 to {most:,} at once")
    if not all(text.strip() for text in texts):
        raise FieldError("text", "a text is empty; give one that has a word")
    told = []
    for begin in range(0, len(texts), GROUP):
        group = texts[begin : begin + GROUP]
        for text, label in zip(group, reader.classifier.classify(group), strict=True):
            told.append({"text": text} | label._asdict() | {"unknown": reader.classifier.unknown_in(text)})
        yield None
    if request.explain:
        from recurra.tasks.sentiment.telling import explained_figures

        for values in told:
            found = reader.model.explain(values["text"])
            values["explanation"] = explained_figures(found)["texts"][0]
            if request.html:
                values |= _as_markup(reader.model, found.explanations[0])
            yield None
    return {name: told[0][name] for name in ("label", "probability", "probabilities")} | {
        "texts": told,
        "count": len(told),
    }


def _as_markup(model: Model, explanation: Explanation) -> dict[str, Json]:
    """The body of the page of `explain`, and what its script needs."""
    from recurra.tasks.sentiment.page import page_data, page_parts

    parts = page_parts(model.name, {}, [explanation])
    return {"html": body("recurra.tasks.sentiment", "page", parts), "page": page_data(explanation)}


PART = Part(
    load=Reader,
    endpoints=(
        Endpoint(
            "/v1/sentiment/classify",
            "Says what a text is: its label, the probability of each, and why.",
            Classification,
            classify,
            {"text": "not feeling happy", "explain": True},
        ),
    ),
    about=lambda reader: {"labels": reader.classifier.labels},
    page=(
        ("recurra.tasks.sentiment", "panel.js"),
        ("recurra.tasks.sentiment", "page.js"),
        ("recurra.tasks.sentiment", "page.css"),
    ),
)
