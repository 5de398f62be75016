"""A text model in one HTML file: opened in a browser it writes what the model writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from browser import PHONE, scrolls_sideways

from recurra import text
from recurra.export.html_file import SMALL
from recurra.kernels.int8 import Int8Matrix
from recurra.tasks.shared.exporting import export
from recurra.tasks.text.config import Config
from recurra.tasks.text.model import Model

if TYPE_CHECKING:
    from playwright.sync_api import Page

KINDS: dict[str, dict[str, Any]] = {
    "characters": {"num_layers": 2, "tied": True, "ngrams": 4, "ngram_rows": 60},
    "bytes": {"cell": "gru", "ngrams": 3, "ngram_rows": 300, "ngram_size": 5},
    "words": {"cell": "rnn"},
    "subwords": {"cell": "rnn-relu", "tied": True, "vocabulary_size": 300, "embedding_size": 6},
}
"""Every kind of token, and with it every cell, and every way to the output layer."""

NASTY = [
    "",
    " ",
    "  two  spaces ",
    "I'll say it's they\N{RIGHT SINGLE QUOTATION MARK}re don't 'tis rock'n'roll",
    "line\n\n end\t\ttab \r\nof Windows\r",
    "e\u0301te\u0301 nai\u0308ve \u1e69 \u0917\u0941\u0923\u0930\u093e\u091c\u0940 \u0646\u0645\u200c\u0627",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1eb\U0001f1f7\U0001f1e9\U0001f1ea",
    "1\ufe0f\u20e3 \U0001f44d\U0001f3fd!",
    "3.14 x² ½ Ⅳ ١٢٣ a_b __init__ <placeholder> < b > c",
    "漢字かな交じり文。한국어 ไทย",
    "no\xa0break\u2003wide\u3000ideographic\x85next\x1cfile \ufeff mark",
    "col·lecció soft\xadhyphen צ״ל",
    "\ue9a0 is \ue9a9",
]


@pytest.fixture(scope="module", params=sorted(KINDS))
def model(
    request: pytest.FixtureRequest, corpus_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Model, Path]:
    """A tiny model of a kind of tokens, and its page."""
    folder = tmp_path_factory.mktemp("written") / request.param
    options = {"steps": 3, "hidden_size": 32, "embedding_size": 8, "evaluations": 1, "batch_size": 4}
    options |= {"sequence_length": 8, "dropout": 0.0, "min_count": 1, "learning_rate": 0.05}
    text.train(corpus_file, folder, Config(**options | KINDS[request.param] | {"tokens": request.param}))
    export(folder, folder.with_suffix(".html"))
    return Model.load(folder), folder.with_suffix(".html")


def written(page: Page, prompt: str, **options: Any) -> str:
    """What the page writes after a prompt."""
    return str(page.evaluate("([prompt, options]) => writeText(prompt, options)", [prompt, {"length": 90} | options]))


def test_it_writes_what_the_model_writes(model: tuple[Model, Path], visit: Callable[..., Page]) -> None:
    own, path = model
    page = visit(path)
    for prompt in ("", "The cat ", "Dogs were naïve\n\N{SNOWMAN}", " "):
        assert written(page, prompt) == own.write(prompt, length=90, greedy=True)
        drawn = own.write(prompt, length=90, temperature=0.9, seed=7)
        assert written(page, prompt, temperature=0.9, seed=7) == drawn
        narrow = own.write(prompt, length=90, temperature=1.4, top_p=0.6, top_k=20, seed=2**70 + 1)
        assert written(page, prompt, temperature=1.4, topP=0.6, topK=20, seed=str(2**70 + 1)) == narrow


def test_it_reads_what_the_model_reads(model: tuple[Model, Path], visit: Callable[..., Page]) -> None:
    own, path = model
    page = visit(path)
    generator = np.random.default_rng(0)
    alphabet = list("".join(NASTY) + "aZ9'’ \n")
    random = ["".join(generator.choice(alphabet, size=12)) for _ in range(150)]
    read = page.evaluate("texts => texts.map(text => [tokenizer.encode(text), tokenizer.split(text)])", NASTY + random)
    for sentence, (tokens, parts) in zip(NASTY + random, read, strict=True):
        assert tokens == own.tokenizer.encode(sentence).tolist(), sentence
        assert parts == own.tokenizer.split(sentence), sentence


def test_a_person_sees_what_it_writes_and_what_else_was_probable(
    model: tuple[Model, Path], visit: Callable[..., Page]
) -> None:
    own, path = model
    page = visit(path, viewport=PHONE)
    page.get_by_label("Begin with").fill("The dogs")
    page.get_by_label("Temperature").fill("0")
    page.get_by_label("Tokens").fill("30")
    page.get_by_role("button", name="Write").click()
    page.get_by_role("status").filter(has_text="Done: 30 tokens").wait_for()
    assert page.text_content("#text") == own.write("The dogs", length=30, greedy=True)
    page.locator("#text .token").first.focus()
    page.keyboard.press("ArrowRight")
    second = list(own.generate("The dogs", length=2, greedy=True))[1]
    assert page.locator("#detail tr").count() == 5
    shown = float(page.locator("#detail td:nth-child(2)").first.inner_text().strip("<> %"))
    assert shown == pytest.approx(100 * np.exp(second.log_prob), abs=0.06)
    assert not scrolls_sideways(page)


def test_eight_bits_write_what_rounded_weights_write(model: tuple[Model, Path], visit: Callable[..., Page]) -> None:
    _, path = model
    folder = path.with_suffix("")
    rounded, count = Model.load(folder), 0
    with torch.no_grad():
        for weight in rounded.network.parameters():
            if weight.ndim == 2 and weight.numel() >= SMALL:
                count += 1
                steps, scale = Int8Matrix.of(weight.numpy())
                weight.copy_(torch.from_numpy(steps * scale[:, None]))
    assert count
    export(folder, path.with_suffix(".8.html"), int8=True)
    page = visit(path.with_suffix(".8.html"))
    assert written(page, "The ", length=90) == rounded.write("The ", length=90, greedy=True)
    assert written(page, "", temperature=1, seed=4) == rounded.write("", length=90, temperature=1.0, seed=4)


@pytest.mark.parametrize("model", ["characters"], indirect=True)
def test_what_stands_in_the_address_is_asked_at_once(model: tuple[Model, Path], visit: Callable[..., Page]) -> None:
    page = visit(f"{model[1].as_uri()}#The%20cat%E2%98%83")
    page.get_by_role("status").filter(has_text="Done").wait_for()
    assert page.input_value("#prompt") == "The cat\N{SNOWMAN}"
    page = visit(f"{model[1].as_uri()}#100%")
    assert page.inner_text("#told") == "Ready."


@pytest.mark.parametrize("model", ["characters"], indirect=True)
def test_it_stops_when_told(model: tuple[Model, Path], visit: Callable[..., Page]) -> None:
    page = visit(model[1])
    page.get_by_label("Tokens").fill("20000")
    page.get_by_role("button", name="Write").click()
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("status").filter(has_text="Stopped").wait_for()
    assert 0 < page.locator("#text .token").count() < 20000


@pytest.mark.parametrize("model", ["words", "subwords"], indirect=True)
def test_what_is_wrong_is_said(model: tuple[Model, Path], visit: Callable[..., Page]) -> None:
    own, path = model
    page = visit(path)
    page.evaluate("document.getElementById('form').noValidate = true")
    for field, value, said in [("Temperature", "-1", "0 to 10"), ("Tokens", "", "1 to 20000"), ("Seed", "-4", "Seed")]:
        page.get_by_label(field).fill(value)
        page.get_by_role("button", name="Write").click()
        assert said in page.inner_text("#told")
        page.reload()
        page.evaluate("document.getElementById('form').noValidate = true")
    page.get_by_label("Begin with").fill("The \N{SNOWMAN}")
    page.get_by_role("button", name="Write").click()
    page.get_by_role("status").filter(has_text="Done").wait_for()
    assert ("no token for “\N{SNOWMAN}”" in page.inner_text("#told")) == (own.tokenizer.unknown is not None)
