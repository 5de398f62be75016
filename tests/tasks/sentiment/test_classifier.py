"""Classifying without PyTorch: the same probabilities as with it, for every kind of network."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from unimported import command_without_torch, without_torch

from recurra.config import dump_json
from recurra.data.words import WordSplitter
from recurra.errors import RecurraError
from recurra.modelfile import unique_tensors
from recurra.runtime.cells import CellName
from recurra.tasks.sentiment.classifier import Classifier
from recurra.tasks.sentiment.config import Config
from recurra.tasks.sentiment.data import Vocabulary
from recurra.tasks.sentiment.light import shapes_of
from recurra.tasks.sentiment.model import Model

WORDS = ["", "�", "good", "bad", "not", "film", "the", "was", "awful", "fine"]
VECTORS: dict[str, Any] = dict(embedding_size=5, dropout=0.0, word_dropout=0.0)
STACK: dict[str, Any] = VECTORS | dict(hidden_size=6)
NGRAMS: dict[str, Any] = dict(longest_ngram=2, bits=5)
CELLS: tuple[CellName, ...] = ("lstm", "gru", "rnn", "rnn-relu")
SHAPES: tuple[dict[str, Any], ...] = (
    dict(num_layers=1, bidirectional=True, pooling="max"),
    dict(num_layers=2, bidirectional=False, pooling="last"),
    dict(num_layers=2, bidirectional=True, pooling="last"),
    dict(num_layers=1, bidirectional=True, pooling="mean"),
)
CONFIGS = [
    Config(model="average", **VECTORS),
    Config(model="ngrams", **NGRAMS),
    Config(model="mix", cell="lstm", num_layers=1, bidirectional=True, pooling="max", **STACK, **NGRAMS),
    *(Config(model="lstm", cell=cell, **shape, **STACK) for cell, shape in product(CELLS, SHAPES)),
]
TEXTS = ["The film was not good", "fine", "unheard of, awful " * 20, "bad bad bad", "", "the film the film was fine"]


def model_of(config: Config, labels: int, learned: int) -> Model:
    """A model with weights at random."""
    vocabulary = Vocabulary(WORDS, [f"label {n}" for n in range(labels)], WordSplitter("unicode", True), learned)
    torch.manual_seed(labels)
    network = Model.build(config, vocabulary)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape))
    return Model(network, vocabulary, config, {"temperature": 1.5})


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.model} {config.cell} {config.pooling}")
@pytest.mark.parametrize(("labels", "learned"), [(2, len(WORDS)), (3, 6)])
def test_the_same_probabilities(config: Config, labels: int, learned: int) -> None:
    model = model_of(config, labels, learned)
    tensors = unique_tensors(model.network)
    assert shapes_of(config, model.vocabulary) == {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    weights = {name: tensor.numpy() for name, tensor in tensors.items()}
    light = Classifier(model.vocabulary, config, model.record, weights)
    np.testing.assert_allclose(light.logits(TEXTS), model.logits(TEXTS), atol=1e-5)
    np.testing.assert_allclose(light.probabilities(TEXTS), model.probabilities(TEXTS), atol=1e-5)
    assert [found.label for found in light.classify(TEXTS)] == [found.label for found in model.classify(TEXTS)]
    assert light.classify([]) == []
    assert light.unknown_in(TEXTS[2]) == model.unknown_in(TEXTS[2])


def test_a_long_text_is_cut_as_the_model_cuts_it() -> None:
    config = Config(model="average", max_length=4, **VECTORS)
    model = model_of(config, 2, len(WORDS))
    weights = {name: tensor.numpy() for name, tensor in unique_tensors(model.network).items()}
    light = Classifier(model.vocabulary, config, model.record, weights)
    text = "good bad awful the film was fine not"
    assert light.probabilities([text])[0] == pytest.approx(model.probabilities([text])[0], abs=1e-6)
    assert light.probabilities([text])[0] == pytest.approx(light.probabilities(["good was fine not"])[0], abs=1e-6)


def test_the_command_classifies_without_pytorch(trained_sentiment: Path, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("the film was good\nthe meal was not good\n", encoding="utf-8")
    for arguments in (["the film was not good"], ["--file", str(tmp_path / "lines.txt")]):
        code = f"""
from recurra.cli import main
status = main(["sentiment", "classify", {str(trained_sentiment)!r}, *{arguments!r}, "--json"])
print(status, [name for name in ("torch", "accelerate", "matplotlib") if sys.modules.get(name)])
"""
        answer, rest = without_torch(code).stdout.splitlines()
        assert rest == "0 []"
        for found in json.loads(answer)["texts"]:
            expected = Model.load(trained_sentiment).classify(found["text"])
            assert found["label"] == expected.label
            assert found["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)


def test_one_text_does_not_wake_pytorch_where_it_is(trained_sentiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recurra.cli import main

    monkeypatch.setattr(Model, "load", lambda *_: pytest.fail("the heavy model was loaded"))
    assert main(["sentiment", "classify", str(trained_sentiment), "good"]) == 0


def test_what_needs_pytorch_says_so(trained_sentiment: Path) -> None:
    done = command_without_torch("sentiment", "explain", trained_sentiment, "good")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: this command needs torch, which is not installed here; pip install ")


def test_a_configuration_without_a_size_is_refused(sentiment_model: Path) -> None:
    content = json.loads((sentiment_model / "config.json").read_text(encoding="utf-8"))
    content["config"]["cell"] = None
    (sentiment_model / "config.json").write_text(dump_json(content), encoding="utf-8")
    with pytest.raises(RecurraError, match=r"config\.json: .*the file is damaged") as error:
        Classifier.load(sentiment_model)
    assert error.value.status == 1
