"""How translation models are served: as LibreTranslate is asked, and with all that is known of a translation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from recurra.config import Range
from recurra.decoding.beam_search import BeamSearch
from recurra.errors import pytorch_needed
from recurra.serve.contract import Endpoint, Json, Listing, Models, Part, Pieces
from recurra.serve.errors import FieldError
from recurra.serve.fields import Request
from recurra.tasks.shared.searched import WIDEST, Searched
from recurra.tasks.translation.translator import Translating, Translator

AUTO = "auto"
"""Any language that a model reads."""

LINES = 16
"""Lines that are translated together, before others have their turn."""

MOST_TEXTS = 1000
"""Texts of one request."""


class Pair:
    """The languages of a model, by its name.

    A model that is called like two codes, en-fr, translates between them. Of any other nothing is known but its name,
    which then stands for both sides.

    Args:
        name: of the model.
    """

    def __init__(self, name: str) -> None:
        codes = re.fullmatch(r"([a-z]{2,3})[-_]([a-z]{2,3})", name)
        self.source, self.target = (codes[1], codes[2]) if codes else (name, name)


@dataclass(frozen=True, kw_only=True)
class Translation(Request):
    """Text to be translated."""

    ignored: ClassVar[frozenset[str]] = frozenset({"api_key", "secret"})
    lenient: ClassVar[bool] = True

    q: str | tuple[str, ...]
    """The text, or a list of texts; their lines are translated one by one."""
    source: str = AUTO
    """Language of the text, as /languages names it; auto for whatever the model reads."""
    target: str = ""
    """Language to translate into; may be left out where only one model translates."""
    format: Literal["text", "html"] = "text"
    """What the text is; markup is not supported."""
    alternatives: Annotated[int, Range(0, WIDEST - 1)] = 0
    """How many other translations to give."""


def choose(models: Models, request: Translation) -> str | None:
    """The model for the languages of a request; None where any will do.

    Raises:
        FieldError: if there is none.
    """
    if not request.target and request.source == AUTO:
        return None
    pairs = {name: Pair(name) for name in models}
    for name, pair in pairs.items():
        if request.source in (AUTO, pair.source) and request.target in ("", pair.target):
            return name
    known = ", ".join(f"{pair.source} to {pair.target}" for pair in pairs.values())
    raise FieldError(
        "target", f"{request.source[:40]} to {request.target[:40]!r} is not translated here; there is {known}"
    )


def languages(models: Models) -> Json:
    """The languages that are read, each with those it is translated into, as LibreTranslate lists them."""
    targets: dict[str, list[str]] = {}
    for pair in map(Pair, models):
        targets.setdefault(pair.source, []).append(pair.target)
    return [{"code": code, "name": code, "targets": known} for code, known in targets.items()]


def translate(model: Translating, request: Translation) -> Pieces:
    """Translate a text, or each of several; a piece is a group of lines."""
    if request.format != "text":
        raise FieldError("format", "`format` html is not supported; send text without markup", "unsupported_field")
    texts = [request.q] if isinstance(request.q, str) else request.q
    if len(texts) > MOST_TEXTS:
        raise FieldError("q", f"{len(texts):,} texts are too many; send at most {MOST_TEXTS:,} at once")
    count = request.alternatives + 1
    search = BeamSearch(beam_size=max(BeamSearch.beam_size, count), n_best=count)
    made = []
    for text in texts:
        made.append((yield from _versions(model, text, search)))
    best = [versions[0] for versions in made]
    others = [list(dict.fromkeys(version for version in versions[1:] if version != versions[0])) for versions in made]
    single = isinstance(request.q, str)
    answer: dict[str, Any] = {"translatedText": best[0] if single else best}
    if request.alternatives:
        answer["alternatives"] = others[0] if single else others
    if request.source == AUTO:  # nothing is detected: it is what the model reads
        detected = {"language": Pair(model.name).source, "confidence": 0.0}
        answer["detectedLanguage"] = detected if single else [detected] * len(made)
    return answer


def _versions(model: Translating, text: str, search: BeamSearch) -> Pieces:
    """The best translations of a text, the best first: of each line its best, then of each its second."""
    lines = text.splitlines() or [""]
    found: list[list[str]] = []
    for begin in range(0, len(lines), LINES):
        sources = [model.source(line, search) for line in lines[begin : begin + LINES]]
        for source, hypotheses in zip(sources, model.hypotheses(sources, search), strict=True):
            found.append([model.text_of(hypothesis, source) for hypothesis in hypotheses] or [""])
        yield None
    deepest = max(map(len, found))
    return ["\n".join(line[min(rank, len(line) - 1)] for line in found) for rank in range(deepest)]


@dataclass(frozen=True, kw_only=True)
class Explained(Searched):
    """A sentence whose translation is to be explained."""

    text: str
    """The sentence."""
    html: bool = False
    """Tell it as markup too, as the page of this server shows it."""


def explain(model: Translating, request: Explained) -> Json:
    """The best translations of a sentence, what they attended to, and what the search considered."""
    with pytorch_needed("explaining a translation"):
        from recurra.tasks.translation.explaining import explained
    return explained(model, request.text, request.search(), request.html)


PART = Part(
    load=lambda folder, device: Translator.load(folder),
    endpoints=(
        Endpoint(
            "/translate",
            "Translates a text, as LibreTranslate does; its clients work with it. A form will do as well.",
            Translation,
            translate,
            {"q": "3 January 2024", "source": AUTO},
            choose=choose,
            form=True,
        ),
        Endpoint(
            "/v1/translation/explain",
            "Tells all that is known of a sentence's translations: their scores, what they attended to, the beam tree.",
            Explained,
            explain,
            {"text": "3 January 2024", "beam_size": 5},
        ),
    ),
    listings=(Listing("/languages", "The languages that are translated, as LibreTranslate lists them.", languages),),
    about=lambda model: {"source": Pair(model.name).source, "target": Pair(model.name).target},
    page=(
        ("recurra.tasks.translation", "panel.js"),
        ("recurra.tasks.translation", "page.js"),
        ("recurra.tasks.translation", "page.css"),
    ),
)
