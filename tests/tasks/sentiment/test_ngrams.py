"""N-grams with naive-Bayes ratios, alone and beside a network: formulas by brute force, and what is found."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from recurra.data.buckets import Buckets
from recurra.data.words import WordSplitter
from recurra.models.dropout import DropoutGenerator
from recurra.tasks import sentiment
from recurra.tasks.sentiment.config import Config
from recurra.tasks.sentiment.data import Encoded, Labelled, Vocabulary, encode
from recurra.tasks.sentiment.hashing import Hasher
from recurra.tasks.sentiment.networks import Average, make_batch
from recurra.tasks.sentiment.ngrams import Mix, Ngrams, contributions, fit_weights
from recurra.tasks.sentiment.objective import Classification

WORDS = ["a", "b", "c", "d", "e"]
VOCABULARY = Vocabulary(["", "?", *WORDS], ["x", "y", "z"], WordSplitter(), 7)
HASHER = Hasher(2, 12)
AVERAGE = Config(model="average", embedding_size=4, dropout=0.3, word_dropout=0.1)


def drawn(seed: int, count: int) -> list[list[str]]:
    """Texts of words, an empty one among them."""
    rng = np.random.default_rng(seed)
    return [[WORDS[number] for number in rng.integers(5, size=rng.integers(0, 7))] for _ in range(count - 1)] + [[]]


def encoded(texts: list[list[str]]) -> list[Encoded]:
    return [encode(text, VOCABULARY, HASHER) for text in texts]


def ngrams(classes: int, seed: int = 0) -> Ngrams:
    """With weights drawn at random."""
    torch.manual_seed(seed)
    made = Ngrams(HASHER.size, classes)
    for parameter in made.parameters():
        parameter.data.normal_()
    return made


def mix(classes: int = 3) -> Mix:
    made = Mix(Average(VOCABULARY, AVERAGE), ngrams(classes))
    made.weights.data.copy_(torch.tensor([0.7, 1.9]))
    return made


@pytest.mark.parametrize("classes", [2, 3])
@given(st.integers(0, 10**6))
def test_ratios_are_those_of_the_paper(classes: int, seed: int) -> None:
    texts = drawn(seed, 12)
    labels = np.random.default_rng(seed).integers(classes, size=12)
    made = Ngrams(HASHER.size, classes)
    held = [{tuple(ngram) for ngram in HASHER.ngrams(text)} for text in texts]
    every = sorted(set().union(*held))
    assert made.count(Labelled(encoded(texts), labels)) == len(every)
    for column, label in enumerate([1] if classes == 2 else range(classes)):
        inside = {
            ngram: 1 + sum(ngram in text for text, own in zip(held, labels, strict=True) if own == label)
            for ngram in every
        }
        others = {
            ngram: 1 + sum(ngram in text for text, own in zip(held, labels, strict=True) if own != label)
            for ngram in every
        }
        for ngram in every:
            ratio = math.log(inside[ngram] / sum(inside.values()) / (others[ngram] / sum(others.values())))
            expected = ratio if inside[ngram] + others[ngram] > 3 else 0.0  # in two texts or more
            assert float(made.ratios[HASHER.row(ngram), column]) == pytest.approx(expected, abs=1e-6)
    assert int((made.ratios != 0).any(dim=1).sum()) <= len(every)


@pytest.mark.parametrize("classes", [2, 3])
def test_at_first_an_empty_text_has_the_shares_of_the_classes(classes: int) -> None:
    labels = np.array([0] * 5 + [1] * 20 + [2] * 11 * (classes - 2))
    made = Ngrams(HASHER.size, classes)
    made.count(Labelled(encoded([["a"]] * len(labels)), labels))
    found = made(make_batch(encoded([[]]), 10)).softmax(dim=-1)[0]
    expected = (1 + np.bincount(labels)) / (1 + np.bincount(labels)).sum()
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(0, 9))
def test_batch_mates_and_padding_change_nothing(classes: int, seed: int, count: int, width: int) -> None:
    made, texts = ngrams(classes, seed % 7), encoded(drawn(seed, count))
    with torch.no_grad():
        together = made(make_batch(texts, 3, width))
        for text, logits in zip(texts, together, strict=True):
            torch.testing.assert_close(logits, made(make_batch([text], 100))[0])


@pytest.mark.parametrize("make", [lambda: ngrams(2), lambda: ngrams(3), mix], ids=["two", "three", "mix"])
@given(st.integers(0, 10**6))
def test_logits_are_the_sum_of_contributions(make: Any, seed: int) -> None:
    network, words = make(), drawn(seed, 2)[0]
    found = contributions(network, HASHER, words)
    assert [name for each in found for name in each.ngram.split(" / ")] == list(
        dict.fromkeys(" ".join(ngram) for ngram in HASHER.ngrams(words))
    )
    with torch.no_grad():
        batches = [
            make_batch([Encoded(encode(words, VOCABULARY, None).tokens, each)], 100)
            for each in (HASHER.rows(words), HASHER.rows([]))
        ]
        logits, without = (network(batch)[0].double().numpy() for batch in batches)
    np.testing.assert_allclose(sum((each.values for each in found), np.zeros(len(logits))), logits - without, atol=1e-4)


def test_ngrams_that_share_a_row_stand_together() -> None:
    hasher = Hasher(1, 4)
    shared = [f"w{number}" for number in range(200) if hasher.row([f"w{number}"]) == 5][:2]
    found = contributions(Ngrams(16, 2), hasher, [shared[0], "x", shared[1], shared[0]])
    assert found[0].ngram == " / ".join(shared)


def test_a_mix_learns_its_parts_and_answers_with_their_weighted_sum() -> None:
    network = mix()
    texts, labels = encoded(drawn(5, 6)), np.array([0, 1, 2, 0, 1, 2])
    batch = make_batch(texts, 100)
    first, second = network.network(batch), network.ngrams(batch)
    torch.testing.assert_close(network(batch), 0.7 * first + 1.9 * second)
    lengths = np.array([[len(text.tokens)] * 2 for text in texts])
    data = Labelled(texts, labels)
    objective = Classification(data, data, Buckets(lengths, 1000), np.ones(3, np.float32), 100)
    random = DropoutGenerator.of_step(1, 0, slice(0, 1000), 1000)
    order = objective.buckets.batch(0)
    chosen, right = make_batch([texts[number] for number in order], 100), torch.from_numpy(labels[order])
    torch.manual_seed(0)
    loss, count, _ = objective.loss(network, 0, None, random, torch.device("cpu"))
    own = network.network(chosen, DropoutGenerator.of_step(1, 0, slice(0, 1000), 1000).shared(6))
    parts = [F.cross_entropy(logits, right, reduction="sum") for logits in (own, network.ngrams(chosen))]
    torch.testing.assert_close(loss, sum(parts) / 2)
    assert count == 6


def test_weights_of_a_mix_are_the_best_on_a_grid() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(3, size=400)
    strengths = np.array([1.0, 2.0])[:, None, None]
    parts = (strengths * np.eye(3)[labels] + rng.normal(size=(2, 400, 3)) * 2).astype(np.float32)
    parts[0] *= 3

    def nats(*weights: float) -> float:
        logits = torch.from_numpy(np.tensordot(weights, parts, 1))
        return float(F.cross_entropy(logits, torch.from_numpy(labels)))

    found = fit_weights(parts, labels)
    grid = min(nats(first, second) for first in np.linspace(0, 1, 11) for second in np.linspace(0, 1, 11))
    assert nats(*found) <= grid + 1e-4
    network = mix()
    np.testing.assert_allclose(network.weigh(parts, labels), np.tensordot(found, parts, 1), atol=1e-5)
    np.testing.assert_allclose(network.weights.numpy(), found, rtol=1e-6)


def test_weights_stay_finite_and_a_part_that_misleads_gets_none() -> None:
    labels = np.array([0, 1] * 20)
    right = np.eye(2, dtype=np.float32)[labels]
    found = fit_weights(np.stack([right, -right]), labels)
    assert 1 < found[0] < 100
    assert found[1] < 0.05


def planted(count: int = 120) -> list[tuple[str, str]]:
    """Texts that are bad if "not good" stands in them, and good if both words do, but apart."""
    rng = np.random.default_rng(0)
    texts = []
    for number in range(count):
        filler = [f"w{each}" for each in rng.integers(12, size=6)]
        filler[2:2] = ["not", "good"] if number % 2 else ["good", filler[0], "not"]
        texts.append((" ".join(filler), "bad" if number % 2 else "good"))
    return texts


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ngrams") / "model"
    sentiment.train(planted(), folder, model="ngrams", steps=20, evaluations=2, progress=False)
    return folder


def test_a_planted_ngram_is_found(trained: Path) -> None:
    model = sentiment.Model.load(trained)
    assert model.classify("w1 was not good w2").label == "bad"
    assert model.classify("good w2 and not w1").label == "good"
    hasher = Hasher(3, model.config.bits or 0)
    found = contributions(model.network, hasher, ["w1", "not", "good", "unheard"])
    assert max(found, key=lambda each: each.values[model.labels.index("bad")]).ngram == "not good"
    assert next(each for each in found if each.ngram == "unheard").values.tolist() == [0, 0]


def test_it_is_the_same_when_it_is_loaded_and_goes_on_when_it_is_resumed(trained: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = dict(model="mix", evaluations=2, embedding_size=4, hidden_size=4, progress=False)
    model = sentiment.train(planted(), tmp_path / "mix", steps=4, **options)
    texts = [text for text, _ in planted(6)]
    loaded = sentiment.Model.load(tmp_path / "mix")
    np.testing.assert_array_equal(loaded.probabilities(texts), model.probabilities(texts))
    np.testing.assert_array_equal(loaded.probabilities([text.split() for text in texts]), loaded.probabilities(texts))
    assert isinstance(loaded.network, Mix)
    longer = sentiment.train(planted(), tmp_path / "mix", resume=True, steps=8, **options)
    assert isinstance(longer.network, Mix)
    assert longer.record["steps"] == 8
    torch.testing.assert_close(longer.network.ngrams.ratios, loaded.network.ngrams.ratios, rtol=0, atol=0)
    again = sentiment.Model.load(trained).network
    assert isinstance(again, Ngrams)
    torch.testing.assert_close(again.ratios, loaded.network.ngrams.ratios, rtol=0, atol=0)
