"""Labels of texts over HTTP: what the commands say."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from serving import Running, error_of

from recurra.devices import DeviceName
from recurra.errors import RecurraError
from recurra.serve.work import advance
from recurra.tasks.sentiment.serving import PART, Classification, Reader, classify

Command = Callable[..., Any]
TEXT = "The film was not good."


def ask(served: Running, **values: Any) -> Any:
    """An answer."""
    answer = served.client.post("/v1/sentiment/classify", json=values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_label_is_that_of_the_command(served: Running, recurra: Command, trained_sentiment: Path) -> None:
    expected = json.loads(recurra("sentiment", "classify", trained_sentiment, TEXT, "--json").out)
    answer = ask(served, text=TEXT)
    assert answer["label"] == expected["label"] == "negative"
    assert answer["probabilities"] == pytest.approx(expected["probabilities"])
    assert answer["texts"][0]["probability"] == pytest.approx(expected["probability"])
    several = ask(served, text=[TEXT, "The meal was lovely zounds."])
    assert several["texts"][0]["probability"] == pytest.approx(answer["probability"])
    assert several["texts"][1]["unknown"] == ["zounds"]
    assert several["count"] == 2
    assert "explanation" not in several["texts"][0]


def test_many_texts_have_the_labels_of_each(served: Running) -> None:
    texts = [f"The book number {number} was {'not ' * (number % 2)}dull." for number in range(150)]
    told = ask(served, text=texts)["texts"]
    assert [each["text"] for each in told] == texts
    assert {each["label"] for each in told[::2]} == {"negative"}
    assert {each["label"] for each in told[1::2]} == {"positive"}


def test_why_is_what_explain_tells(served: Running, recurra: Command, trained_sentiment: Path) -> None:
    expected = json.loads(recurra("sentiment", "explain", trained_sentiment, TEXT, "--json").out)["texts"][0]
    explanation = ask(served, text=TEXT, explain=True)["texts"][0]["explanation"]
    assert [word["word"] for word in explanation["words"]] == ["the", "film", "was", "not", "good", "."]
    for word, known in zip(explanation["words"], expected["words"], strict=True):
        for name in ("effect", "after", "gradients"):
            assert word[name] == pytest.approx(known[name], abs=1e-4)
    assert explanation["pairs"][0]["words"] == expected["pairs"][0]["words"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "`text` is missing"),
        ({"text": []}, "0 texts are given"),
        ({"text": " "}, "a text is empty"),
        ({"text": ["a", ""]}, "a text is empty"),
        ({"text": ["a"] * 51, "explain": True}, "51 texts are given; give 1 to 50"),
        ({"text": "a " * 3000, "explain": True}, "words"),
        ({"texts": "a"}, "did you mean `text`?"),
    ],
)
def test_what_cannot_be_classified_is_refused(served: Running, values: dict[str, Any], sentence: str) -> None:
    answer = served.client.post("/v1/sentiment/classify", json=values)
    assert sentence in error_of(answer, 400, answer.json()["error"]["code"])


def test_without_pytorch_it_classifies_and_says_what_explaining_needs(
    trained_sentiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device: DeviceName = "cpu"
    reader = Reader(trained_sentiment, device)
    monkeypatch.setitem(sys.modules, "recurra.tasks.sentiment.model", None)

    def missing(name: str, *others: Any) -> Any:
        raise ModuleNotFoundError(name="torch")

    monkeypatch.setattr("builtins.__import__", missing)
    with pytest.raises(RecurraError, match="explaining a label needs torch"):
        _ = reader.model
    monkeypatch.undo()
    made = advance(classify(reader, Classification(text=TEXT)), 60)
    assert made.answer["label"] == "negative"
    assert PART.about(reader) == {"labels": ["negative", "positive"]}


def test_requests_at_once_get_the_answers_they_get_one_after_the_other(served: Running) -> None:
    asked = [{"text": f"The song number {number} was not bad.", "explain": bool(number % 2)} for number in range(6)]

    def one(values: dict[str, Any]) -> Any:
        return ask(served, **values)

    alone = [one(values) for values in asked]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(one, asked)) == alone
