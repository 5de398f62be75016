"""Training a sentiment model: what it learns, what it begins from, how sure it may be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from embedding import made_vectors, save_vectors

from recurra import modelfile, sentiment
from recurra.errors import OptionError, RecurraError
from recurra.evaluation.classification import fit_temperature, softmax
from recurra.tasks.sentiment.config import Config, buckets_of, resolve
from recurra.tasks.sentiment.data import open_texts as read_texts
from recurra.tasks.sentiment.data import split_validation
from recurra.tasks.sentiment.model import Model

Command = Callable[..., Any]
Refused = Callable[..., str]


def weights(model: Model) -> dict[str, torch.Tensor]:
    return modelfile.unique_tensors(model.network)


def same(first: Model, second: Model) -> bool:
    return all(torch.equal(tensor, weights(second)[name]) for name, tensor in weights(first).items())


def train(data: Any, *arguments: Any, **options: Any) -> Model:
    return sentiment.train(data, *arguments, progress=False, **options)


def test_an_lstm_reads_not_and_an_average_does_not(
    trained_sentiment: Path, opinions_file: Path, tiny_sentiment: dict[str, Any]
) -> None:
    lstm = sentiment.Model.load(trained_sentiment)
    assert lstm.record["accuracy"] == 1.0
    sizes = {name: tiny_sentiment[name] for name in ("embedding_size", "evaluations", "batch_size")}
    average = train(opinions_file, model="average", steps=120, learning_rate=0.02, **sizes)
    assert 0.5 < average.record["accuracy"] < 0.95
    pair = ["The meal number 3 was good.", "The meal number 3 was not good."]
    assert [found.label for found in lstm.classify(pair)] == ["positive", "negative"]
    double = average.probabilities([*pair, "not", ""])
    assert np.isfinite(double).all()


def test_the_temperature_is_the_one_that_fits_the_validation_part(trained_sentiment: Path, opinions_file: Path) -> None:
    model = sentiment.Model.load(trained_sentiment)
    _, kept = split_validation(read_texts([opinions_file]))
    labels = np.array([model.labels.index(label) for label in kept.labels])
    logits = model.logits(kept.texts)
    assert model.temperature == pytest.approx(fit_temperature(logits, labels), rel=1e-4)
    np.testing.assert_allclose(model.probabilities(kept.texts), softmax(logits / model.temperature), rtol=1e-6)
    nats = -np.log(model.probabilities(kept.texts)[np.arange(len(labels)), labels]).mean()
    assert model.record["nats"] == pytest.approx(nats, rel=1e-3)
    assert model.record["validation_count"] == len(labels)


def test_class_weights_make_a_rare_label_count(tiny_sentiment: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    rows = [
        (f"{' '.join(rng.choice(list('abcdef'), size=4))} {n % 40}", "rare" if n % 10 == 0 else "usual")
        for n in range(400)
    ]
    options = tiny_sentiment | {"steps": 40, "learning_rate": 0.01}
    shares = []
    for class_weights in ("none", "balanced"):
        model = train(rows, class_weights=class_weights, **options)
        logits = model.logits([text for text, _ in rows])
        shares.append(float(softmax(logits)[:, model.labels.index("rare")].mean()))
    assert shares[0] < 0.25
    assert shares[1] > 0.4


def test_a_run_that_was_stopped_goes_on_the_same_way(
    opinions_file: Path, tmp_path: Path, tiny_sentiment: dict[str, Any]
) -> None:
    options = tiny_sentiment | {"dropout": 0.3, "word_dropout": 0.2, "evaluations": 2}
    whole = train(opinions_file, tmp_path / "whole", **options | {"steps": 12})

    def stop(point: Any) -> None:
        if point.step >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sentiment.train(
            opinions_file, tmp_path / "m", progress=stop, **options | {"steps": 12, "checkpoint_seconds": 0.0}
        )
    resumed = train(opinions_file, tmp_path / "m", resume=True)
    assert same(whole, resumed)
    assert resumed.record["temperature"] == whole.record["temperature"]
    assert same(sentiment.Model.load(tmp_path / "m"), resumed)


class TestEmbeddings:
    @pytest.fixture
    def vectors(self, tmp_path: Path) -> Path:
        return save_vectors(tmp_path / "vectors", made_vectors(["the", "superb", "film", "was", "not", "horrid"], 8))

    def test_words_that_are_only_in_the_vectors_are_known(
        self, opinions_file: Path, vectors: Path, tiny_sentiment: dict[str, Any]
    ) -> None:
        model = train(
            opinions_file, embeddings=vectors, freeze_embeddings=True, **tiny_sentiment | {"embedding_size": None}
        )
        assert model.config.embedding_size == 8
        assert model.vocabulary.words[model.vocabulary.learned :] == ["superb", "horrid"]
        assert model.unknown_in("The superb film was unheard of.") == ["unheard", "of"]
        one, other = model.logits(["superb", "horrid"])
        assert not np.allclose(one, other)
        network = model.network
        rows = made_vectors(["the", "superb", "film", "was", "not", "horrid"], 8)
        weight, given = network.embeddings.weight, network.embeddings.given
        factor = float(given[0, 0] / rows.matrix[1, 0])
        np.testing.assert_allclose(given.detach(), factor * rows.matrix[[1, 5]], rtol=1e-4)
        the = model.vocabulary.index["the"]
        np.testing.assert_allclose(weight[the].detach(), factor * rows.matrix[0], rtol=1e-4)

    def test_learned_ones_move_and_what_was_found_is_told(
        self, opinions_file: Path, vectors: Path, tmp_path: Path, recurra: Command, tiny_sentiment_options: list[str]
    ) -> None:
        options = [*tiny_sentiment_options, "--extra-words", 1]
        answer = recurra(
            "sentiment", "train", opinions_file, "--out", tmp_path / "m", "--embeddings", vectors, *options
        )
        assert answer.status == 0, answer
        words = " ".join(answer.err.split())
        assert "vectors has vectors for 4 of " in words
        assert "1 of its other words" in words
        assert str(vectors) not in (tmp_path / "m" / "config.json").read_text()
        model = sentiment.Model.load(tmp_path / "m")
        film, was = (model.network.embeddings.weight[model.vocabulary.index[word]] for word in ("film", "was"))
        rows = made_vectors(["the", "superb", "film", "was", "not", "horrid"], 8)
        assert not np.allclose((film / was).detach(), rows.matrix[2] / rows.matrix[3], rtol=1e-3)

    def test_what_does_not_fit_is_refused(
        self, opinions_file: Path, vectors: Path, trained_sentiment: Path, tiny_sentiment: dict[str, Any]
    ) -> None:
        options = tiny_sentiment | {"embedding_size": 9}
        with pytest.raises(OptionError, match="`embedding_size` is 9, but the vectors of vectors have 8 dimensions"):
            train(opinions_file, embeddings=vectors, **options)
        with pytest.raises(OptionError, match="`freeze_embeddings` is about vectors that are begun from; give `embed"):
            train(opinions_file, freeze_embeddings=True)
        with pytest.raises(OptionError, match="`model` ngrams has no word vectors"):
            train(opinions_file, embeddings=vectors, model="ngrams")
        with pytest.raises(OptionError, match="`embeddings` gives a new model its vectors"):
            train(opinions_file, embeddings=vectors, from_model=trained_sentiment)
        with pytest.raises(RecurraError, match="is a sentiment model"):
            train(opinions_file, embeddings=trained_sentiment)


class TestOptions:
    def test_each_model_takes_only_what_it_has_a_use_for(self) -> None:
        for name, value in (("hidden_size", 4), ("pooling", "max"), ("bits", 10), ("bidirectional", False)):
            with pytest.raises(OptionError, match=f"`{name}` does nothing for `model` average"):
                Config(model="average", **{name: value})
        with pytest.raises(OptionError, match="`embedding_size` does nothing for `model` ngrams"):
            Config(model="ngrams", embedding_size=4)
        for model in ("average", "lstm", "ngrams", "mix"):
            config = resolve(
                Config(model=model, bits=10) if model in ("ngrams", "mix") else Config(model=model), np.full(50, 20)
            )
            assert Config(**vars(config)) == config

    @pytest.mark.parametrize("lengths", [[1] * 10, [3, 500] * 30, [20] * 7000, [100_000, 1, 1]])
    def test_batches_hold_texts_and_can_be_shared(self, lengths: list[int]) -> None:
        config = resolve(Config(max_length=300), np.array(lengths))
        assert config.batch_size is not None
        assert config.batch_size % 64 == 0
        assert config.batch_size >= min(max(lengths), 300)
        buckets = buckets_of(config, np.array(lengths))
        assert sorted(int(n) for step in range(buckets.steps_per_epoch) for n in buckets.batch(step)) == list(
            range(len(lengths))
        )
        assert config.steps is not None

    def test_texts_of_different_lengths_meet_in_a_batch(self) -> None:
        lengths = np.random.default_rng(0).integers(1, 17, 1000)
        buckets = buckets_of(resolve(Config(), lengths), lengths)
        met = [len(set(lengths[buckets.batch(step)])) for step in range(buckets.steps_per_epoch)]
        assert min(met[:-1]) > 8
        far = buckets_of(resolve(Config(), np.array([3, 300] * 100)), np.array([3, 300] * 100))
        assert sum(len({n % 2 for n in far.batch(step)}) == 2 for step in range(far.steps_per_epoch)) <= 1

    def test_a_model_of_other_labels_is_no_beginning(self, trained_sentiment: Path) -> None:
        rows = [(f"text {number}", "ab"[number % 2]) for number in range(40)]
        with pytest.raises(RecurraError, match="which the training texts have not; they have negative, positive"):
            train(rows, from_model=trained_sentiment, steps=1)
