"""The networks that read texts: against plain loops, and whatever stands beside a text in a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from embedding import made_vectors
from hypothesis import given
from hypothesis import strategies as st

from recurra.data.buckets import Buckets
from recurra.data.words import WordSplitter
from recurra.models.cells import CELLS
from recurra.models.dropout import DropoutGenerator
from recurra.models.pretrained import Pretrained
from recurra.tasks.sentiment.config import Config
from recurra.tasks.sentiment.data import Encoded, Labelled, Vocabulary
from recurra.tasks.sentiment.networks import (
    INITIAL_STD,
    Average,
    Recurrent,
    WordVectors,
    cut_middle,
    make_batch,
    score_texts,
)
from recurra.tasks.sentiment.objective import Classification, calibrated_nats, class_weights

WORDS = [f"w{number}" for number in range(30)]
VOCABULARY = Vocabulary(["", "?", *WORDS], ["a", "b", "c"], WordSplitter(), 32)
SIZES: dict[str, Any] = dict(embedding_size=6, dropout=0.4, word_dropout=0.2)
STACK: dict[str, Any] = dict(hidden_size=5, num_layers=2, cell="lstm", bidirectional=True, pooling="max")
CONFIGS = [Config(model="average", **SIZES)] + [
    Config(**SIZES | STACK | {"pooling": pooling, "bidirectional": both, "cell": cell})
    for pooling, both, cell in [
        ("last", True, "lstm"),
        ("mean", True, "gru"),
        ("max", False, "rnn"),
        ("last", False, "gru"),
    ]
]


def built(config: Config, vocabulary: Vocabulary = VOCABULARY) -> Average | Recurrent:
    torch.manual_seed(3)
    return (Average if config.model == "average" else Recurrent)(vocabulary, config)


def text(*tokens: int) -> Encoded:
    return Encoded(np.array(tokens, np.int32), np.empty(0, np.int32))


def drawn(seed: int, count: int, longest: int = 12) -> list[Encoded]:
    rng = np.random.default_rng(seed)
    return [text(*rng.integers(1, 32, size=rng.integers(1, longest + 1))) for _ in range(count)]


def alone(network: torch.nn.Module, one: Encoded) -> np.ndarray:
    with torch.no_grad():
        return network(make_batch([one], 100))[0].numpy()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.model}-{config.pooling}-{config.cell}")
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(0, 20))
def test_padding_and_batch_mates_change_nothing(config: Config, seed: int, count: int, width: int) -> None:
    network, texts = built(config), drawn(seed, count)
    with torch.no_grad():
        together = network(make_batch(texts, 100, width)).numpy()
    for one, logits in zip(texts, together, strict=True):
        np.testing.assert_allclose(logits, alone(network, one), atol=1e-5)
    scored = score_texts(network, texts, torch.device("cpu"), 100)
    np.testing.assert_allclose(scored, together, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS[1:], ids=lambda config: f"{config.pooling}-{config.cell}")
def test_a_recurrent_network_is_its_cells_one_after_another(config: Config) -> None:
    network = built(config)
    assert isinstance(network, Recurrent)
    for one in drawn(1, 5):
        steps = network.embeddings.weight.detach()[one.tokens]
        for layer in range(2):
            sides = []
            for reverse in (False, True)[: network.recurrent.directions]:
                weights = network.recurrent.weights(layer, reverse)
                state = tuple(torch.zeros(1, 5) for _ in range(2 if config.cell == "lstm" else 1))
                outputs = []
                for step in reversed(steps) if reverse else steps:
                    state = CELLS[network.recurrent.cell](step[None], state, weights)
                    outputs.append(state[0][0])
                sides.append(torch.stack(outputs[::-1] if reverse else outputs))
            steps = torch.cat(sides, dim=1).detach()
        last = torch.cat([steps[-1, :5], steps[0, 5:]]) if network.recurrent.directions == 2 else steps[-1]
        pooled = {"last": last, "mean": steps.mean(dim=0), "max": steps.amax(dim=0)}[network.pooling]
        expected = pooled @ network.output.weight.T + network.output.bias
        np.testing.assert_allclose(alone(network, one), expected.detach(), atol=1e-5)


def test_an_average_is_the_mean_of_the_vectors() -> None:
    network = built(CONFIGS[0])
    weight = network.embeddings.weight.detach().numpy()
    for one in drawn(2, 5):
        mean = sum(weight[token] for token in one.tokens) / len(one.tokens)
        expected = network.output.weight.detach().numpy() @ mean + network.output.bias.detach().numpy()
        np.testing.assert_allclose(alone(network, one), expected, atol=1e-5)
    assert alone(network, text(5, 9)) == pytest.approx(alone(network, text(9, 5)), abs=1e-6)


@pytest.mark.parametrize("config", CONFIGS[:2], ids=lambda config: config.model)
def test_dropout_is_a_function_of_the_step_and_of_a_generator_only(config: Config) -> None:
    network, batch = built(config), make_batch(drawn(3, 4), 100)

    def logits(step: int) -> torch.Tensor:
        return network(batch, DropoutGenerator.of_step(1, step, slice(0, 4), 4)).detach()

    assert torch.equal(logits(1), logits(1))
    assert not torch.equal(logits(1), logits(2))
    assert not torch.equal(logits(1), network(batch).detach())
    assert torch.equal(network(batch), network(batch))
    still = built(replace(config, dropout=0.0, word_dropout=0.0))
    assert torch.equal(still(batch, DropoutGenerator.of_step(1, 1, slice(0, 4), 4)), still(batch))
    only_words = built(replace(config, dropout=0.0, word_dropout=0.6))
    assert not torch.equal(only_words(batch, DropoutGenerator.of_step(1, 1, slice(0, 4), 4)), only_words(batch))


class TestBatches:
    def test_the_middle_of_a_long_text_is_not_read(self) -> None:
        long = np.arange(100)
        assert cut_middle(long, 100) is long
        assert cut_middle(long, 8).tolist() == [0, 1, 94, 95, 96, 97, 98, 99]
        assert cut_middle(long, 2).tolist() == [98, 99]
        batch = make_batch([text(*range(1, 21)), text(7)], 8)
        assert batch.tokens.tolist() == [[1, 2, 15, 16, 17, 18, 19, 20], [7] + [0] * 7]
        assert batch.lengths.tolist() == [8, 1]

    def test_n_grams_come_one_text_after_another(self) -> None:
        texts = [Encoded(np.array([1], np.int32), np.array(rows, np.int32)) for rows in ([5, 6], [], [2, 9, 4])]
        batch = make_batch(texts, 100)
        assert batch.ngrams.tolist() == [5, 6, 2, 9, 4]
        assert batch.offsets.tolist() == [0, 2, 2]
        assert batch.ngrams.dtype == batch.tokens.dtype == torch.int64


class TestWordVectors:
    VOCABULARY = Vocabulary(["", "?", "b", "a", "the", "film"], ["x", "y"], WordSplitter(), 4)

    def pretrained(self) -> Pretrained:
        rows, found = made_vectors(["the", "a", "film"]).of(self.VOCABULARY.words)
        return Pretrained("v", rows, found)

    def test_found_words_have_their_vectors_scaled_and_others_keep_theirs(self) -> None:
        vectors = WordVectors(self.VOCABULARY, 4)
        before = vectors.weight.detach().clone()
        given_ones = self.pretrained()
        vectors.fill(given_ones)
        read = vectors(torch.tensor([[0, 1, 2, 3, 4, 5]]))[0].detach().numpy()
        np.testing.assert_array_equal(read[:2], 0)
        np.testing.assert_array_equal(read[2], before[2])
        factor = read[3] / given_ones.rows[3]
        np.testing.assert_allclose(factor, factor[0], rtol=1e-5)
        np.testing.assert_allclose(read[3:], given_ones.rows[3:] * factor[0], rtol=1e-5)
        assert np.sqrt(np.square(read[3:]).mean()) == pytest.approx(INITIAL_STD, rel=1e-5)

    def test_given_vectors_are_not_learned_and_frozen_ones_neither(self) -> None:
        vectors = WordVectors(self.VOCABULARY, 4)
        vectors.fill(self.pretrained())
        vectors(torch.tensor([[0, 2, 4]])).sum().backward()
        assert vectors.given is not None
        assert vectors.given.grad is None
        assert vectors.weight.grad is not None
        assert vectors.weight.grad.abs().sum(dim=1).tolist() == [0, 0, 4, 0]
        assert not WordVectors(self.VOCABULARY, 4, freeze=True).weight.requires_grad


class TestObjective:
    def objective(self, **options: Any) -> Classification:
        texts, labels = drawn(5, 40), np.random.default_rng(5).integers(0, 3, 40)
        train = Labelled(texts, labels)
        lengths = np.stack([train.lengths()] * 2, axis=1)
        weights = class_weights(labels, 3, balanced=True)
        return Classification(train, Labelled(texts[:9], labels[:9]), Buckets(lengths, 48, 1), weights, 100, **options)

    @pytest.mark.parametrize("config", CONFIGS[:3], ids=lambda config: f"{config.model}-{config.pooling}")
    @pytest.mark.parametrize("processes", [2, 3, 16])
    def test_several_processes_together_do_what_one_does(self, config: Config, processes: int) -> None:
        objective, network = self.objective(), built(config)
        for step in range(objective.buckets.steps_per_epoch):
            whole = DropoutGenerator.of_step(1, step, slice(0, 48), 48)
            loss, count, _ = objective.loss(network, step, None, whole, torch.device("cpu"))
            total, terms, share = 0.0, 0, 48 // processes
            for process in range(processes):
                rows = slice(share * process, share * (process + 1))
                generator = DropoutGenerator.of_step(1, step, rows, 48)
                part, number, _ = objective.loss(network, step, None, generator, torch.device("cpu"))
                assert part.requires_grad
                total, terms = total + float(part.detach()), terms + number
            assert terms == count
            assert total == pytest.approx(float(loss.detach()), rel=1e-4)

    def test_the_loss_is_the_weighted_cross_entropy(self) -> None:
        objective = self.objective()
        network = built(replace(CONFIGS[0], dropout=0.0, word_dropout=0.0))
        generator = DropoutGenerator.of_step(1, 0, slice(0, 48), 48)
        loss, count, _ = objective.loss(network, 0, None, generator, torch.device("cpu"))
        expected = 0.0
        for number in objective.buckets.batch(0):
            label = int(objective.train.labels[number])
            log_probs = F.log_softmax(torch.from_numpy(alone(network, objective.train.texts[number])), dim=0)
            expected -= float(objective.weights[label] * log_probs[label])
        assert count == len(objective.buckets.batch(0))
        assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)

    def test_the_validation_loss_does_not_mind_a_scale(self) -> None:
        objective, network = self.objective(), built(CONFIGS[0])
        before = objective.validation_loss(network, torch.device("cpu"))
        with torch.no_grad():
            network.output.weight *= 3
            network.output.bias *= 3
        assert objective.validation_loss(network, torch.device("cpu")) == pytest.approx(before, rel=1e-4)
        with torch.no_grad():
            network.output.weight *= float("nan")
        assert objective.validation_loss(network, torch.device("cpu")) == float("inf")

    def test_class_weights(self) -> None:
        labels = np.array([0, 0, 0, 2])
        assert class_weights(labels, 3, balanced=False).tolist() == [1, 1, 1]
        weights = class_weights(labels, 3, balanced=True)
        assert weights[labels].mean() == pytest.approx(1)
        assert 3 * weights[0] == pytest.approx(weights[2])
        assert weights[1] == 1
        logits = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]], np.float32)
        plain = calibrated_nats(logits, np.array([0, 1, 1]), np.ones(2, np.float32))
        assert calibrated_nats(logits, np.array([0, 1, 1]), np.array([1, 2], np.float32)) > plain

    def test_of_many_validation_texts_some_from_all_over_are_scored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        objective, network = self.objective(), built(CONFIGS[0])
        texts, labels = objective.validation
        monkeypatch.setattr("recurra.tasks.sentiment.objective.MONITOR_TEXTS", 5)
        some = replace(objective, validation=Labelled(texts[::2], labels[::2]))
        loss = objective.validation_loss(network, torch.device("cpu"))
        assert loss == pytest.approx(some.validation_loss(network, torch.device("cpu")))
        monkeypatch.undo()
        assert loss != pytest.approx(objective.validation_loss(network, torch.device("cpu")))
