"""Word embeddings in one HTML file: opened in a browser it finds what the model finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browser import PHONE, scrolls_sideways

from recurra.data.vectors import Vectors
from recurra.data.word_index import WordIndex
from recurra.data.words import WordSplitter
from recurra.errors import RecurraError
from recurra.modelfolder import WEIGHTS
from recurra.tasks.embeddings import to_html
from recurra.tasks.embeddings.config import Config, resolve
from recurra.tasks.embeddings.model import Model
from recurra.tasks.shared.exporting import export

if TYPE_CHECKING:
    from playwright.sync_api import Page

WORDS = ["nothing", "king", "queen", "man", "woman", "naïve", "<b>", *(f"word{number}" for number in range(200))]

RECORD = {"data": "made up", "words": 1, "epochs": 1.0, "seconds": 0.0, "validation": "none", "validation_loss": 0.0}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    """Vectors drawn at random, of which the first is zero and two are the same; and their page."""
    matrix = np.random.default_rng(0).normal(size=(len(WORDS), 12)).astype(np.float32)
    matrix[0] = 0
    matrix[9] = 2 * matrix[8]
    counts = np.arange(len(WORDS), 0, -1)
    vectors = Vectors(WordIndex.of(WORDS), matrix, counts, WordSplitter())
    folder = tmp_path_factory.mktemp("found") / "vectors"
    Model(vectors, resolve(Config()), RECORD | {"loss_unit": "nats"}).save(folder)
    export(folder, folder.with_suffix(".html"))
    return Model.load(folder), folder.with_suffix(".html")


def test_it_finds_what_the_model_finds(model: tuple[Model, Path], visit: Callable[..., Page]) -> None:
    own, path = model
    page = visit(path)
    for word in ("king", "QUEEN", "word3", "<b>"):
        found = page.evaluate("word => similar(word, 300)", word)
        expected = own.similar(word, count=300)
        assert [each["word"] for each in found] == [each.word for each in expected]
        np.testing.assert_allclose([each["score"] for each in found], [each.similarity for each in expected], atol=1e-6)
    found = page.evaluate("analogy('man', 'king', 'woman', 9)")
    expected = own.analogy("man", "king", "woman", count=9)
    assert [each["word"] for each in found] == [each.word for each in expected]
    np.testing.assert_allclose([each["score"] for each in found], [each.similarity for each in expected], atol=1e-6)
    for word in ("qeuen", "kin", "wrod12", "x", "zzzzzz", "nahive"):
        assert page.evaluate("word => vectors.near(word)", word) == own.vectors.words.near(word)


def test_a_person_finds_neighbours_and_analogies(model: tuple[Model, Path], visit: Callable[..., Page]) -> None:
    own, path = model
    page = visit(f"{path.as_uri()}#king", viewport=PHONE)
    expected = [each.word for each in own.similar("king", count=15)]
    assert page.locator("#rows button").all_text_contents() == expected
    page.locator("#rows button").first.click()
    assert page.inner_text("#asked") == f"Neighbours of {expected[0]}"
    for field, word in zip("abc", ("man", "king", "woman"), strict=True):
        page.locator(f"#{field}").fill(word)
    page.get_by_role("button", name="to what?").click()
    assert page.locator("#rows button").first.text_content() == own.analogy("man", "king", "woman")[0].word
    assert not scrolls_sideways(page)
    for word, said in [("kign", "did you mean king"), ("nothing", "zero vector"), (" ", "missing")]:
        page.get_by_label("Neighbours of").fill(word)
        page.keyboard.press("Enter")
        assert said in page.inner_text("#told.trouble")


def test_too_many_vectors_are_rounded_and_the_rarest_left_out(
    model: tuple[Model, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visit: Callable[..., Page]
) -> None:
    own, path = model
    monkeypatch.setattr(to_html, "MOST_BYTES", 12 * 100 + 5)
    export(path.with_suffix(""), tmp_path / "small.html")
    page = visit(tmp_path / "small.html")
    assert "of 8 bits" in page.inner_text("#facts")
    assert page.inner_text("#left-out").startswith("Of the model's 207 words the first 100")
    found = page.evaluate("similar('king', 300)")
    assert len(found) == 98  # but itself and the zero vector
    exact = {each.word: each.similarity for each in own.similar("king", count=300)}
    np.testing.assert_allclose([each["score"] for each in found], [exact[each["word"]] for each in found], atol=0.02)


def test_damaged_vectors_are_refused(model: tuple[Model, Path], tmp_path: Path) -> None:
    _, path = model
    weights = path.with_suffix("") / WEIGHTS
    content = weights.read_bytes()
    weights.write_bytes(content[:-4] + b"abcd")
    try:
        with pytest.raises(RecurraError, match="not the file that was saved"):
            export(path.with_suffix(""), tmp_path / "x.html")
    finally:
        weights.write_bytes(content)
