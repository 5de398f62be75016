"""A sentiment model in one HTML file: opened in a browser it finds the labels, effects and moods of the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browser import PHONE, scrolls_sideways

from recurra import sentiment
from recurra.tasks.sentiment.config import Config
from recurra.tasks.sentiment.model import Model
from recurra.tasks.sentiment.saliency import explain_words
from recurra.tasks.shared.exporting import export

if TYPE_CHECKING:
    from playwright.sync_api import Page

KINDS: dict[str, dict[str, Any]] = {
    "average": {},
    "lstm": {"cell": "gru", "num_layers": 2, "pooling": "last", "max_length": 6},
    "ngrams": {"bits": 12},
    "mix": {"pooling": "mean", "bidirectional": False, "bits": 11},
}

TEXTS = [
    "The film was not good.",
    "the MEAL number 3 wasn't <br/>awful, naïve \N{SNOWMAN}\u2003!",
    "good",
    "The book was good " * 3,
]


@pytest.fixture(scope="module", params=sorted(KINDS))
def model(
    request: pytest.FixtureRequest, opinions_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Model, Path]:
    """A tiny model of a kind, and its page; that of n-grams has three labels."""
    folder = tmp_path_factory.mktemp("read") / request.param
    table = folder.with_suffix(".tsv")
    text = opinions_file.read_text(encoding="utf-8")
    table.write_text(text.replace("fine.\tpositive", "fine.\tso-so") if request.param == "ngrams" else text)
    network = {"hidden_size": 8, "embedding_size": 8, "dropout": 0.0} if request.param in ("lstm", "mix") else {}
    options = {"steps": 12, "evaluations": 1, "batch_size": 256, "learning_rate": 0.02} | network
    sentiment.train(table, folder, Config(**options | KINDS[request.param] | {"model": request.param}))
    export(folder, folder.with_suffix(".html"))
    return Model.load(folder), folder.with_suffix(".html")


def test_it_finds_what_the_model_finds(model: tuple[Model, Path], visit: Callable[..., Page]) -> None:
    own, path = model
    page = visit(path)
    script = """text => {
      const { words, target, probabilities, effects, after } = explainAll(text);
      return { words, target, probabilities: Array.from(probabilities), effects, after };
    }"""
    for text in TEXTS:
        found = page.evaluate(script, text)
        assert found["words"] == own.vocabulary.split(text)
        expected = explain_words(found["words"], lambda texts: own.logits(texts).astype(np.float64) / own.temperature)
        assert found["target"] == expected.target
        np.testing.assert_allclose(found["probabilities"], expected.probabilities, atol=1e-5)
        np.testing.assert_allclose(found["effects"], expected.occlusion, atol=1e-4)
        np.testing.assert_allclose(found["after"], expected.curve[1:, expected.target], atol=1e-5)
    empty = page.evaluate("Array.from(classifier.probabilities([]))")
    np.testing.assert_allclose(empty, own.probabilities([[]])[0], atol=1e-5)


def test_a_person_sees_the_label_and_the_words(
    trained_sentiment: Path, tmp_path: Path, visit: Callable[..., Page]
) -> None:
    own = Model.load(trained_sentiment)
    export(trained_sentiment, tmp_path / "mood.html")
    page = visit(tmp_path / "mood.html", viewport=PHONE)
    page.get_by_role("button", name="Read").click()
    assert "nothing to read" in page.inner_text("#told.trouble")
    page.get_by_label("Text").fill("The film was not lovely, Zanzibar.")
    page.keyboard.press("Enter")
    page.get_by_role("status").filter(has_text="Done").wait_for()
    answer = own.classify("The film was not lovely, Zanzibar.")
    assert page.inner_text("#answer").startswith(answer.label)
    assert float(page.inner_text("#answer small").strip("> %")) == pytest.approx(100 * answer.probability, abs=0.11)
    assert page.locator("#words .unknown").all_inner_texts() == [",", "zanzibar"]
    page.locator("#words .word").first.focus()
    page.keyboard.press("End")
    assert page.inner_text("#effect").startswith("“.”")
    assert page.locator("#curve circle").count() == page.locator("#words .word").count() == 8
    assert not scrolls_sideways(page)
    page.get_by_label("Text").fill("film " * 201)
    page.keyboard.press("Enter")
    page.get_by_role("status").filter(has_text="only the label").wait_for()
    page = visit(f"{(tmp_path / 'mood.html').as_uri()}#good")
    page.get_by_role("status").filter(has_text="Done").wait_for()
    assert page.inner_text("#words").strip() == "good"
