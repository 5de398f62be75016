"""Effects of words against what they must be by hand; integrated gradients against integrals that are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from recurra.arrays import DoubleArray
from recurra.data.tokenizer import UNKNOWN
from recurra.tasks.sentiment import saliency as module
from recurra.tasks.sentiment.config import Config
from recurra.tasks.sentiment.data import UNKNOWN_WORD, Vocabulary, encode
from recurra.tasks.sentiment.networks import Average, Recurrent, make_batch
from recurra.tasks.sentiment.saliency import (
    Represent,
    explain_words,
    integrated_gradients,
    log_odds,
    most_important,
    nearest,
    prefixes_of,
    without,
)

WEIGHTS = {"happy": 2.0, "sad": -1.5, "feeling": 0.25, "very": 0.5}


class Calls:
    """A model by a formula: the log-odds of the second of two labels; it counts how often it is asked."""

    def __init__(self, turns: bool) -> None:
        self.turns = turns
        self.count = 0

    def odds(self, words: Sequence[str]) -> float:
        turned = (-1) ** (self.turns * list(words).count("not"))
        return turned * sum(WEIGHTS.get(word, 0.0) for word in words)

    def __call__(self, texts: Sequence[Sequence[str]]) -> DoubleArray:
        self.count += 1
        return np.array([[0.7 - self.odds(words), 0.7] for words in texts])


class TestLogOdds:
    @given(st.lists(st.floats(-30, 30), min_size=2, max_size=5))
    def test_is_the_logarithm_of_p_to_the_rest(self, logits: list[float]) -> None:
        values = np.array(logits)
        probabilities = np.exp(values) / np.exp(values).sum()
        for target, probability in enumerate(probabilities):
            rest = math.fsum(np.delete(probabilities, target))
            assert log_odds(values, target) == pytest.approx(math.log(probability / rest), abs=1e-9)

    def test_takes_many_at_once_and_large_ones(self) -> None:
        values = np.array([[0.0, 2000.0, 1.0], [-2000.0, 0.0, 0.0]])
        assert log_odds(values, 1) == pytest.approx([1999.0 - math.log1p(math.exp(-1)), 0.0])


class TestTakingWordsAway:
    def test_a_negation_by_hand(self) -> None:
        """f(not feeling happy) = -2.25; without "not" 2.25, without "happy" -0.25, without both 0.25."""
        found = explain_words(["not", "feeling", "happy"], Calls(turns=True))
        assert found.target == 1
        assert found.log_odds == pytest.approx(-2.25)
        assert found.occlusion == pytest.approx([-4.5, -0.25, -2.0])
        assert [pair[:2] for pair in found.pairs] == [(0, 2), (0, 1), (1, 2)]
        assert [pair.effect for pair in found.pairs] == pytest.approx([-4.0, -0.5, 0.0])
        odds = [0.0, 0.0, -0.25, -2.25]
        assert found.prefixes == [0, 1, 2, 3]
        assert found.curve[:, 1] == pytest.approx([1 / (1 + math.exp(-value)) for value in odds])
        assert found.probabilities == pytest.approx(found.curve[-1])

    def test_weights_of_words_are_their_effects_and_no_pair_has_one(self) -> None:
        words = ["very", "happy", "and", "not", "sad", "very"]
        found = explain_words(words, Calls(turns=False))
        assert found.occlusion == pytest.approx([WEIGHTS.get(word, 0.0) for word in words])
        assert len(found.pairs) == math.comb(6, 2)
        assert [pair.effect for pair in found.pairs] == pytest.approx([0.0] * 15)

    def test_all_is_asked_in_two_calls(self) -> None:
        score = Calls(turns=True)
        explain_words(["not", "very", "happy"] * 20, score)
        assert score.count == 2

    def test_a_single_word_has_no_pairs(self) -> None:
        found = explain_words(["sad"], Calls(turns=True))
        assert found.pairs == []
        assert found.occlusion == pytest.approx([-1.5])

    def test_pairs_of_a_long_text_are_those_of_its_most_important_words(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MOST_PAIRED", 3)
        words = ["the", "very", "not", "a", "happy", "feeling", "an"]
        score = Calls(turns=True)
        found = explain_words(words, score)
        assert list(found.paired) == [1, 2, 4]
        for pair in found.pairs:
            kept = {
                taken: score.odds(without(words, *taken))
                for taken in ((), (pair.first,), (pair.second,), (pair.first, pair.second))
            }
            both = kept[()] - kept[(pair.first,)] - kept[(pair.second,)] + kept[(pair.first, pair.second)]
            assert pair.effect == pytest.approx(both)
        assert {pair[:2] for pair in found.pairs} == set(combinations([1, 2, 4], 2))

    def test_of_more_than_two_labels_the_answer_is_explained(self) -> None:
        def score(texts: Sequence[Sequence[str]]) -> DoubleArray:
            return np.array([[0.0, float(words.count("a")), 2.0 * words.count("b")] for words in texts])

        found = explain_words(["a", "b", "c"], score)
        assert found.target == 2
        expected = [log_odds(np.array(logits), 2) for logits in ([0, 1, 2], [0, 0, 2], [0, 1, 0], [0, 1, 2])]
        assert found.occlusion == pytest.approx([float(expected[0] - each) for each in expected[1:]])

    def test_the_unknown_word_takes_the_place_of_others(self) -> None:
        assert without(["a", "b", "c"], 0, 2) == [UNKNOWN, "b", UNKNOWN]
        assert vocabulary().encode([UNKNOWN]).tolist() == [UNKNOWN_WORD]

    def test_the_most_important_stand_in_the_order_of_the_text(self) -> None:
        assert most_important(np.array([1.0, -3.0, 0.0, 2.0, -2.0]), 3) == [1, 3, 4]

    @given(st.integers(1, 5000))
    def test_beginnings_go_from_nothing_to_all(self, length: int) -> None:
        found = prefixes_of(length)
        assert (found[0], found[-1]) == (0, length)
        assert min(np.diff(found)) >= 1
        assert len(found) == 1 + min(length, module.MOST_PREFIXES)
        assert max(np.diff(found)) <= math.ceil(length / module.MOST_PREFIXES)


class Formula(nn.Module):
    """Two logits, of which the second is a formula of the sum of all numbers of the vectors."""

    def __init__(self, power: int) -> None:
        super().__init__()
        self.power = power

    def logits_of(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        total = vectors.sum(dim=(1, 2))
        return torch.stack([torch.zeros_like(total), total**self.power], dim=1)


class TestIntegratedGradients:
    @pytest.mark.parametrize("power", [1, 2, 3])
    def test_are_what_the_integral_is(self, power: int) -> None:
        """Of (sum of x)^k, from zero, a number x has x * (sum of x)^(k - 1)."""
        vectors = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        found = integrated_gradients(Formula(power), vectors, torch.zeros_like(vectors), 1)
        total = float(vectors.sum())
        assert found.effects == pytest.approx((vectors.sum(dim=1) * total ** (power - 1)).numpy())
        assert found.change == pytest.approx(total**power)
        assert abs(found.gap) < 1e-9
        assert found.steps == module.FIRST_STEPS

    def test_the_other_label_has_the_opposite(self) -> None:
        vectors = torch.randn(4, 2, generator=torch.Generator().manual_seed(2))
        one, other = (integrated_gradients(Formula(2), vectors, torch.ones_like(vectors), t).effects for t in (0, 1))
        assert one == pytest.approx(-other, rel=1e-4)

    def test_are_exact_for_averaged_vectors(self) -> None:
        """Each word has its part of the mean, along the difference of the two rows of the output layer."""
        network = Average(vocabulary(), CONFIG)
        with torch.no_grad():
            network.embeddings.weight.copy_(torch.randn(network.embeddings.weight.shape))
        vectors = network.embeddings(torch.tensor([[2, 3, 4, 3]]))[0].detach()
        baseline = network.embeddings(torch.tensor([[UNKNOWN_WORD]]))[0].detach().expand_as(vectors)
        found = integrated_gradients(network, vectors, baseline, 1)
        direction = (network.output.weight[1] - network.output.weight[0]).detach()
        assert found.effects == pytest.approx(((vectors - baseline) @ direction / 4).numpy(), abs=1e-6)
        assert abs(found.gap) < 1e-6

    def test_of_a_recurrent_network_leave_a_small_gap(self) -> None:
        torch.manual_seed(3)
        network = Recurrent(vocabulary(), CONFIG_LSTM)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(4)
        vectors = network.embeddings(torch.tensor([[2, 3, 4, 3, 2]]))[0].detach()
        found = integrated_gradients(network, vectors, torch.zeros_like(vectors), 1)
        assert abs(found.change) > 0.1
        assert abs(found.gap) <= module.SMALL_GAP * abs(found.change)
        assert float(found.effects.sum()) == pytest.approx(found.change + found.gap)
        assert all(parameter.grad is None for parameter in network.parameters())

    def test_points_are_doubled_as_long_as_the_gap_is_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "FIRST_STEPS", 1)
        monkeypatch.setattr(module, "PATH_BATCH", 3)
        vectors = torch.ones(2, 2, dtype=torch.float64)
        assert integrated_gradients(Formula(2), vectors, torch.zeros_like(vectors), 1).steps == 1
        assert integrated_gradients(Formula(9), vectors, torch.zeros_like(vectors), 1).steps == 4
        monkeypatch.setattr(module, "MOST_STEPS", 2)
        found = integrated_gradients(Formula(9), vectors, torch.zeros_like(vectors), 1)
        assert found.steps == 2
        assert abs(found.gap) > module.SMALL_GAP * abs(found.change)


WORDS = ["", UNKNOWN, "good", "bad", "not"]
CONFIG = Config(model="average", embedding_size=6, dropout=0.0, word_dropout=0.0)
CONFIG_LSTM = Config(
    embedding_size=6,
    dropout=0.0,
    word_dropout=0.0,
    cell="lstm",
    hidden_size=5,
    num_layers=1,
    bidirectional=True,
    pooling="max",
)


def vocabulary() -> Vocabulary:
    values = {
        "splitter": {"kind": "words", "lowercase": True, "punctuation": True},
        "labels": ["negative", "positive"],
        "learned": len(WORDS),
        "words": WORDS[2:],
    }
    return Vocabulary.from_json(values, "here")


class TestNeighbours:
    @pytest.mark.parametrize(("kind", "config"), [(Average, CONFIG), (Recurrent, CONFIG_LSTM)])
    def test_the_representation_is_what_the_last_layer_reads(self, kind: type[nn.Module], config: Config) -> None:
        torch.manual_seed(1)
        network = kind(vocabulary(), config)
        batch = make_batch([encode(words, vocabulary(), None) for words in (["good"], ["not", "bad", "x"])], 10)
        features = Represent(network)(batch)
        assert torch.equal(network.get_submodule("output")(features), network(batch))
        assert not network.get_submodule("output")._forward_pre_hooks

    def test_are_those_with_the_largest_cosine_about_the_mean(self) -> None:
        rng = np.random.default_rng(4)
        examples = rng.normal(3.0, 1.0, (40, 5)).astype(np.float32)
        own = rng.normal(3.0, 1.0, 5).astype(np.float32)
        mean = examples.mean(axis=0)
        cosines = [
            float((row - mean) @ (own - mean) / np.linalg.norm(row - mean) / np.linalg.norm(own - mean))
            for row in examples
        ]
        found = nearest(own, examples, 6)
        assert [each.position for each in found] == sorted(range(40), key=lambda at: -cosines[at])[:6]
        assert [each.similarity for each in found] == pytest.approx(sorted(cosines, reverse=True)[:6], abs=1e-5)

    def test_examples_that_are_all_alike_are_no_error(self) -> None:
        found = nearest(np.ones(3, np.float32), np.ones((2, 3), np.float32), 5)
        assert [tuple(each) for each in found] == [(0, 0.0), (1, 0.0)]
