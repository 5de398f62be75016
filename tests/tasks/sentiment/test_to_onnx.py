"""A sentiment model as ONNX gives the probabilities that the model gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exporting import Session

from recurra import sentiment
from recurra.tasks.sentiment.classifier import Classifier
from recurra.tasks.sentiment.config import Config
from recurra.tasks.sentiment.to_onnx import write

TEXTS = ["The film number 3 was not good.", "dull", "The meal was not lovely, and the book number 7 was awful, awful"]
OF_THREE = [(f"{word} thing {number}", label) for number in range(20) for word, label in zip("abc", "xyz", strict=True)]


def probabilities(session: Session, model: Classifier, texts: Sequence[str]) -> np.ndarray:
    """Those of several texts in one batch."""
    encoded = [model.encode(text) for text in texts]
    words = np.zeros((len(texts), max(len(each.tokens) for each in encoded)), np.int64)
    ngrams = np.full((len(texts), max(len(each.ngrams) for each in encoded)), -1)
    for row, each in enumerate(encoded):
        words[row, : len(each.tokens)] = each.tokens
        ngrams[row, : len(each.ngrams)] = each.ngrams
    lengths = np.array([len(each.tokens) for each in encoded])
    return session(words=words, lengths=lengths, ngrams=ngrams)["probabilities"]


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        (3, {"model": "average"}),
        (2, {"model": "lstm", "pooling": "last", "hidden_size": 6}),
        (2, {"model": "lstm", "pooling": "last", "hidden_size": 6, "bidirectional": False, "cell": "gru"}),
        (3, {"model": "lstm", "pooling": "mean", "hidden_size": 6, "cell": "rnn", "num_layers": 2}),
        (2, {"model": "mix", "pooling": "max", "hidden_size": 6, "bits": 10}),
        (2, {"model": "ngrams", "bits": 10}),
        (3, {"model": "ngrams", "bits": 10}),
    ],
)
def test_texts_of_different_lengths_side_by_side(labels: int, options: dict[str, Any], tmp_path: Path) -> None:
    sizes = {} if options["model"] == "ngrams" else {"embedding_size": 7}
    config = Config(**options | sizes, steps=8, evaluations=1, learning_rate=0.05)
    sentiment.train(opinions(80) if labels == 2 else OF_THREE, tmp_path / "m", config, progress=False)
    model = Classifier.load(tmp_path / "m")
    texts = TEXTS if labels == 2 else ["a thing 3", "b", "what a c, what a b"]
    wanted = model.probabilities(texts)
    assert np.abs(wanted - wanted[0]).max() > 1e-3
    exact, rounded = (Session(write(tmp_path / "m", tmp_path / "m.onnx", int8)[0]) for int8 in (False, True))
    assert np.allclose(probabilities(exact, model, texts), wanted, atol=1e-5)
    assert np.allclose(probabilities(rounded, model, texts), wanted, atol=0.02)


def opinions(count: int) -> list[tuple[str, str]]:
    """Texts of two labels."""
    rng = np.random.default_rng(0)
    words = [["good", "lovely"], ["bad", "awful"]]
    return [(f"The film number {n} was {rng.choice(words[n % 2])}.", str(n % 2)) for n in range(count)]


def test_the_temperature_is_in_it(trained_sentiment: Path, tmp_path: Path) -> None:
    model = Classifier.load(trained_sentiment)
    assert model.temperature != 1.0
    session = Session(write(trained_sentiment, tmp_path / "m.onnx", False)[0])
    assert np.allclose(probabilities(session, model, TEXTS), model.probabilities(TEXTS), atol=1e-4)
    assert session.metadata["labels"] == model.labels
