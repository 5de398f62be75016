"""A translation model in one HTML file: opened in a browser it translates as the model does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browser import PHONE, scrolls_sideways

from recurra import translation
from recurra.decoding.beam_search import BeamSearch
from recurra.errors import RecurraError
from recurra.tasks.shared.exporting import export
from recurra.tasks.translation.config import Config
from recurra.tasks.translation.model import Model

if TYPE_CHECKING:
    from playwright.sync_api import Page

KINDS: dict[str, dict[str, Any]] = {
    "words": {"num_layers": 2, "copy_words": True},
    "subwords": {"cell": "gru", "attention": "multiplicative", "vocabulary_size": 300},
    "characters": {"attention": "none", "tied": False, "num_layers": 2, "keep": "none"},
}
"""Models that between them have every part a page can have."""

SENTENCES = [
    "The cat eats 12 fish.",
    "THE CAT EATS 12 FISH AT HOME, PARIS.",
    "the dog sleeps in room 3.5 and Zanzibar <b>, {name} 007x 9",
    "Nai\u0308ve \N{SNOWMAN} the the",
    "12",
    "DOG",
]


def _pairs() -> list[tuple[str, str]]:
    """Sentences with numbers, a name and their translations."""
    generator = np.random.default_rng(0)
    nouns, verbs = {"cat": "chat", "dog": "chien", "fish": "poisson"}, {"eats": "mange", "sees": "voit"}
    pairs = []
    for _ in range(220):
        noun, verb, number = (
            str(generator.choice(list(nouns))),
            str(generator.choice(list(verbs))),
            generator.integers(99),
        )
        name = ["Anna", "Bob", "Paris", "Rome"][int(generator.integers(4))]
        pairs.append(
            (f"The {noun} {verb} {number} fish, {name}.", f"Le {nouns[noun]} {verbs[verb]} {number} poissons, {name}.")
        )
    return pairs


@pytest.fixture(scope="module", params=sorted(KINDS))
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    """A tiny model of a kind, and its page."""
    folder = tmp_path_factory.mktemp("translated") / request.param
    table = folder.with_suffix(".tsv")
    table.write_text("".join(f"{source}\t{target}\n" for source, target in _pairs()), encoding="utf-8")
    options = {"steps": 12, "hidden_size": 14, "embedding_size": 10, "attention_size": 6, "evaluations": 1}
    options |= {"batch_size": 300, "dropout": 0.0, "learning_rate": 0.02, "num_layers": 1}
    translation.train(table, folder, Config(**options | KINDS[request.param] | {"tokens": request.param}))
    export(folder, folder.with_suffix(".html"))
    return Model.load(folder), folder.with_suffix(".html")


def translated(page: Page, sentence: str, beam_size: int) -> dict[str, Any]:
    """What the page makes of a sentence."""
    script = """([sentence, beamSize]) => {
      const { source, outputs, texts } = translate(sentence, beamSize);
      const maps = outputs.map(({ weights }) => weights && weights.map(row => Array.from(row)));
      return { read: source.text, tokens: source.tokens, texts, maps, scores: outputs.map(({ score }) => score) };
    }"""
    return dict(page.evaluate(script, [sentence, beam_size]))


def compare(own: Model, page: Page, sentence: str, beam_size: int) -> None:
    """The page reads, writes and attends as the model."""
    found = translated(page, sentence, beam_size)
    source = own.source(sentence)
    assert found["read"] == source.reading.text
    assert found["tokens"] == source.tokens.tolist()
    try:
        (best,) = own.hypotheses([source], BeamSearch(beam_size=beam_size, n_best=beam_size))
    except RecurraError:
        assert not found["texts"]
        return
    assert found["texts"] == [own.text_of(hypothesis, source) for hypothesis in best]
    np.testing.assert_allclose(found["scores"], [hypothesis.score for hypothesis in best], atol=1e-5)
    for shown, hypothesis in zip(found["maps"], best, strict=True):
        if hypothesis.weights is None:
            assert shown is None
        else:
            np.testing.assert_allclose(shown, hypothesis.weights, atol=1e-5)


def test_it_translates_as_the_model_does(model: tuple[Model, Path], visit: Callable[..., Page]) -> None:
    own, path = model
    page = visit(path)
    sources = [own.source(sentence) for sentence in SENTENCES]
    assert any(source.required for source in sources) == (own.config.keep != "none")
    assert any(source.reading.recased is not None for source in sources)
    for sentence in SENTENCES:
        for beam_size in (1, 4):
            compare(own, page, sentence, beam_size)


def test_a_person_sees_the_translation_and_what_was_attended_to(
    trained_translation: Path, tmp_path: Path, visit: Callable[..., Page]
) -> None:
    own = Model.load(trained_translation)
    export(trained_translation, tmp_path / "reverser.html")
    page = visit(f"{(tmp_path / 'reverser.html').as_uri()}#abcde", viewport=PHONE)
    page.get_by_role("status").filter(has_text="Done").wait_for()
    assert page.text_content("#translation") == own.translate("abcde")
    page.locator("#targets span").first.focus()
    page.keyboard.press("ArrowRight")
    source = own.source("abcde")
    (best,) = own.hypotheses([source])
    weights = best[0].weights
    assert weights is not None
    names = [*"abcde", "⏎"]
    place = int(weights[1].argmax())
    told = f"“{own.shown(own.vocabularies.target, source, best[0].tokens)[1]}” attended to “{names[place]}”"
    assert page.inner_text("#looked").startswith(f"{told} {weights[1, place]:.2f}")
    assert page.locator("#map rect").count() == weights.size
    page.locator("#outputs button").nth(1).click()
    assert page.text_content("#translation") == page.locator("#outputs button").nth(1).text_content()
    assert not scrolls_sideways(page)
    for sentence in ("", "a" * 1001):
        page.get_by_label("Translate").fill(sentence)
        page.get_by_role("button", name="Translate").click()
        assert page.locator("#told.trouble").inner_text().endswith((".", "it."))


def test_a_pattern_that_browsers_do_not_know_is_told(tmp_path: Path, visit: Callable[..., Page]) -> None:
    table = tmp_path / "pairs.tsv"
    table.write_text("".join(f"{source}\t{target}\n" for source, target in _pairs()), encoding="utf-8")
    tiny = {"steps": 1, "hidden_size": 4, "embedding_size": 4, "evaluations": 1, "num_layers": 1, "dropout": 0.0}
    translation.train(table, tmp_path / "m", Config(**tiny, keep=r"(?i:\bPARIS\b)|\d+", tokens="words"))
    export(tmp_path / "m", tmp_path / "m.html")
    page = visit(tmp_path / "m.html")
    assert "a pattern that a browser cannot use" in page.inner_text("#told")
    assert translated(page, "The cat eats 12 fish.", 1)["read"] == "The cat eats 12 fish."
