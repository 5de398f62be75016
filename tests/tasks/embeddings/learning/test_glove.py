"""GloVe: its cost and gradient against automatic differentiation, its runs byte for byte, what it learns."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RecurraError
from recurra.tasks.embeddings import Config, Model, Texts, train
from recurra.tasks.embeddings.config import resolve
from recurra.tasks.embeddings.data import Data, read_data
from recurra.tasks.embeddings.learning import glove
from recurra.tasks.embeddings.learning.cooccurrence import TRIPLE, Records
from recurra.tasks.embeddings.learning.glove import Costs, Glove, first_state, predicted, shuffled

SMALL: dict[str, Any] = dict(method="glove", embedding_size=12, min_count=1, epochs=4, window=3)


def sentences(count: int, seed: int = 0, words: int = 20) -> str:
    """Lines of seven words, all about one of two topics: those of even numbers or those of odd ones."""
    rng = np.random.default_rng(seed)
    lines = 2 * rng.integers(words // 2, size=(count, 7)) + rng.integers(2, size=(count, 1))
    return "\n".join(" ".join(f"w{chr(97 + number)}" for number in line) for line in lines)


def learner(folder: Path, text: str = sentences(300), validation: str = sentences(40, 1), **options: Any) -> Glove:
    config = resolve(Config(**SMALL | options))
    return Glove(config, read(folder, text, validation, config), folder)


def read(folder: Path, text: str, validation: str, config: Config) -> Data:
    folder.mkdir(exist_ok=True)
    return read_data([Texts([text])], [Texts([validation])], config, folder)


def some_pairs(count: int, words: int, seed: int) -> Records:
    """Any pairs, some of a word with itself, some counted more often than `X_MAX`."""
    rng = np.random.default_rng(seed)
    pairs = np.zeros(count, TRIPLE)
    pairs["word"], pairs["context"] = rng.integers(words, size=(2, count))
    pairs["weight"] = np.exp(rng.uniform(-2, 6, count))
    return pairs


def stated_cost(vectors: torch.Tensor, biases: torch.Tensor, i: int, j: int, count: float) -> torch.Tensor:
    """0.5 f(X) (w_i . c_j + a_i + b_j - ln X)^2 of one entry."""
    error = vectors[i, 0] @ vectors[j, 1] + biases[i, 0] + biases[j, 1] - np.log(count)
    return 0.5 * min(1.0, count / 100) ** 0.75 * error**2


@pytest.mark.parametrize("pair", [(2, 0, 3.5), (2, 2, 2.5), (1, 0, 900.0)])
@pytest.mark.parametrize("begun", [1.0, 4.0])
def test_a_step_is_the_gradient_of_the_stated_cost_by_the_rule_of_adagrad(
    pair: tuple[int, int, float], begun: float
) -> None:
    size, rate = 5, 2.0
    state, biases = first_state(3, size, 0)
    state[:, :2, :size] *= 9  # large enough to tell one vector from another
    state[:, 2:], biases[:, 2:] = begun, begun
    before = [torch.from_numpy(array[:, :2].astype(np.float64)).requires_grad_() for array in (state, biases)]
    i, j, count = pair
    cost = torch.stack([stated_cost(*before, *entry, count) for entry in {(i, j), (j, i)}]).sum()
    gradients = torch.autograd.grad(cost, before)
    costs = Costs.of(np.array([pair], TRIPLE))
    assert costs.training(predicted(state, biases, costs.pairs)) == pytest.approx(
        cost.item() / len({(i, j), (j, i)}), rel=1e-5
    )
    glove.learn_pairs(state, biases, *costs, np.zeros(1, np.int64), np.float32(rate))
    for after, start, gradient in zip((state, biases), before, gradients, strict=True):
        step = rate * gradient.numpy()
        assert np.abs(step).max() > 5e-4
        np.testing.assert_allclose(after[:, :2], start.detach().numpy() - step / np.sqrt(begun), rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(after[:, 2:], begun + step**2, rtol=1e-4)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_kernels_are_as_their_references(count: int, size: int, seed: int) -> None:
    costs = Costs.of(some_pairs(count, 6, seed))
    order = np.random.default_rng(seed).permutation(-(-count // glove.RUN))
    state, biases = first_state(6, size, seed)
    exact = state.astype(np.float64), biases.astype(np.float64)
    glove.learn_pairs(state, biases, *costs, order, np.float32(0.1))
    glove.learn_pairs_reference(*exact, *costs, order, 0.1)
    np.testing.assert_allclose(state, exact[0], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(biases, exact[1], rtol=1e-3, atol=1e-4)
    exact = state.astype(np.float64), biases.astype(np.float64)
    expected = glove.predicted_reference(*exact, costs.pairs)
    np.testing.assert_allclose(predicted(state, biases, costs.pairs), expected, rtol=1e-4, atol=1e-5)


def test_counts_get_the_weight_of_the_paper() -> None:
    costs = Costs.of(np.array([(1, 0, 1), (2, 0, 99), (3, 0, 100), (4, 0, 1e6)], TRIPLE))
    np.testing.assert_allclose(costs.weights, [0.01**0.75, 0.99**0.75, 1, 1], rtol=1e-5)
    np.testing.assert_allclose(costs.logs, np.log([1, 99, 100, 1e6]), rtol=1e-6)


def test_vectors_begin_small_and_even_and_at_the_begin_of_a_cache_line() -> None:
    state, biases = first_state(400, 20, 3)
    assert state.ctypes.data % 64 == 0
    assert state.shape == (400, 4, 32)
    for values in (state[:, :2, :20], biases[:, :2]):
        assert 0.0249 < np.abs(values).max() <= 0.025
        assert np.abs(values).mean() == pytest.approx(0.0125, rel=0.05)
    assert not state[:, :2, 20:].any()
    assert (state[:, 2:] == 1).all()
    assert (biases[:, 2:] == 1).all()
    assert not np.array_equal(state, first_state(400, 20, 4)[0])


@pytest.mark.parametrize("count", [5, 64, 8 * 40, 8 * 40 + 3])
def test_a_shuffle_moves_whole_runs_to_any_place(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glove, "_SHUFFLED", 7)
    pairs = np.zeros(count, TRIPLE)
    pairs["word"] = np.arange(count)
    found = [np.array(shuffled(pairs, seed, tmp_path / f"{seed}{again}")["word"]) for seed in (1, 2) for again in "ab"]
    whole = count // 8 * 8
    for words in found:
        assert sorted(words) == list(range(count))
        runs = words[:whole].reshape(-1, 8)
        assert (np.diff(runs, axis=1) == 1).all()
        assert (runs[:, 0] % 8 == 0).all()
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[2], found[3])
    if whole > 64:
        assert not np.array_equal(found[0], found[2])
        moved = np.abs(found[0][:whole:8] // 8 - np.arange(whole // 8))
        assert moved.mean() > whole / 8 / 5  # a third, if every place is as likely
        assert len(set(found[0][:56] // 56)) > 1  # not only inside of a region


def test_an_epoch_takes_every_pair_once_in_an_order_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glove, "_CHUNK", 16)
    monkeypatch.setattr(glove, "_PART", 12 * 48)
    learning = learner(tmp_path)
    assert len(learning.pairs) > 90
    assert learning.parts == -(-len(learning.pairs) // 48)
    orders = []
    for epoch in range(2):
        taken: list[tuple[int, int]] = []
        for number in range(learning.parts):
            costs, order = learning._part(epoch, number)
            for run in order:
                taken += costs.pairs[8 * run : 8 * run + 8][["word", "context"]].tolist()
        orders.append(taken)
    assert learning._part(0, 0)[1].tolist() != list(range(6))
    assert sorted(orders[0][:48]) != sorted(orders[1][:48])  # a part has other pairs, not only in another order
    expected = learning.pairs[["word", "context"]].tolist()
    assert Counter(orders[0]) == Counter(orders[1]) == Counter(expected)
    assert len({tuple(orders[0]), tuple(orders[1]), tuple(expected)}) == 3


def run_of(learning: Glove, parts: range) -> bytes:
    for part in parts:
        learning.learn(part, 0.05)
    return b"".join(array.tobytes() for array in learning.arrays().values())


def test_the_bytes_are_the_same_for_any_threads_and_any_memory(tmp_path: Path) -> None:
    variants = [dict(threads=1), dict(threads=2), dict(threads=4), dict(memory=0.01)]
    found = [run_of(learner(tmp_path / str(n), **options), range(3)) for n, options in enumerate(variants)]
    assert len(set(found)) == 1
    assert run_of(learner(tmp_path / "other", seed=2), range(3)) != found[0]


def test_threads_that_learn_together_learn(tmp_path: Path) -> None:
    learning = learner(tmp_path, deterministic=False, threads=3)
    before = learning.losses()
    run_of(learning, range(30))
    assert learning.losses()[0] < before[0] / 2


def test_a_run_goes_on_from_its_arrays_as_if_never_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glove, "_CHUNK", 16)
    monkeypatch.setattr(glove, "_PART", 1)
    whole, first, second = (learner(tmp_path / name) for name in ("whole", "first", "second"))
    assert whole.parts > 4
    expected = run_of(whole, range(7))
    run_of(first, range(3))
    second.restore({name: array.copy() for name, array in first.arrays().items()})
    assert run_of(second, range(3, 7)) == expected


def test_words_of_an_epoch_add_up_to_those_of_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glove, "_CHUNK", 16)
    monkeypatch.setattr(glove, "_PART", 1)
    learning = learner(tmp_path)
    assert sum(learning.learn(part, 0.0) for part in range(learning.parts)) == 2100


def test_losses_are_the_stated_means_over_entries() -> None:
    costs = Costs.of(np.array([(1, 0, 200), (1, 1, 10)], TRIPLE))
    errors = np.array([[0.3, -0.2], [-0.1, 5.0]])  # the 5 is of an entry that stands in the first row already
    predictions = np.log([200, 10]) + errors
    weight = 0.1**0.75
    assert costs.training(predictions) == pytest.approx((0.09 + 0.01 + weight * 0.04) / 6, rel=1e-5)
    expected = (
        (np.exp(0.3) - 1 - 1.5 * 0.3) + (np.exp(-0.1) - 1 + 1.5 * 0.1) + weight * (np.exp(-0.2) - 1 + 0.7 * 0.2)
    ) / 3
    assert costs.validation(predictions, np.array([1.5, 0.7])) == pytest.approx(expected, rel=1e-5)


def test_the_validation_loss_is_least_for_what_is_so_on_average() -> None:
    costs = Costs.of(some_pairs(50, 6, 0))
    ratios = np.random.default_rng(0).uniform(0.2, 3, 50)
    best = np.tile(np.log(costs.pairs["weight"] * ratios), (2, 1))
    for shift in (-0.1, 0.1):
        assert costs.validation(best + shift, ratios) > costs.validation(best, ratios)
    near = np.tile(costs.logs, (2, 1)) + np.random.default_rng(1).uniform(-0.01, 0.01, (2, 50))
    assert costs.validation(near, np.ones(50)) == pytest.approx(costs.training(near), rel=0.01)


def test_counts_of_the_validation_text_are_scaled_to_those_of_the_training_text(tmp_path: Path) -> None:
    text = sentences(60)
    alike = learner(tmp_path / "alike", f"{text}\n{text}", text)
    np.testing.assert_allclose(alike.ratios, 1, rtol=1e-6)
    other = learner(tmp_path / "other", "\n".join(["wa wb wc wd we wf wg wh wi wj"] * 12), "wa wb\nwb wa\nwi wi\nzz wc")
    named = {word: number for number, word in enumerate(sorted(f"w{letter}" for letter in "abcdefghij"))}
    assert len(other.ratios) == 24
    total = 12 * (9 + 8 / 2 + 7 / 3)  # of pairs, each counted once
    found = {
        (int(pair["word"]), int(pair["context"])): ratio
        for pair, ratio in zip(other.sample.pairs, other.ratios, strict=True)
        if ratio
    }
    assert found == {(named["wb"], named["wa"]): pytest.approx(2 / 12 * total / 4)}


def test_a_loss_is_measured_on_a_sample_of_all_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glove, "SAMPLE", 40)
    learning = learner(tmp_path)
    assert len(learning.sample.pairs) == len(learning.ratios) == 40
    assert len(np.unique(learning.sample.pairs["word"])) > 3


@pytest.mark.parametrize("validation", [sentences(40, 1), "wa\nwb"])
def test_guessing_is_the_loss_of_the_best_constant(validation: str, tmp_path: Path) -> None:
    learning = learner(tmp_path, validation=validation)
    learning.state[:] = 0

    def loss(constant: float) -> float:
        learning.biases[:, :2] = constant / 2
        return learning.losses()[1]

    assert min(map(loss, np.linspace(-5, 5, 1001))) == pytest.approx(learning.guessing, rel=1e-3)


def test_a_validation_text_without_pairs_is_answered_by_the_sample(tmp_path: Path) -> None:
    learning = learner(tmp_path, validation="wa\nwb")
    assert learning.losses()[0] == learning.losses()[1]


def test_a_text_of_lines_of_one_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecurraError, match=r"no two words of .* stand in one line"):
        learner(tmp_path, sentences(60).replace(" ", "\n"))


def test_words_of_a_topic_come_to_lie_together(tmp_path: Path) -> None:
    config = resolve(Config(**SMALL))
    data = read(tmp_path, sentences(300), sentences(300, 1), config)
    learning = Glove(config, data, tmp_path)
    before = learning.losses()
    run_of(learning, range(60))
    after = learning.losses()
    assert after[0] < before[0] / 10
    assert after[1] < min(before[1], learning.guessing) / 2
    vectors = learning.vectors()
    np.testing.assert_allclose(vectors, learning.state[:, 0, :12] + learning.state[:, 1, :12])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -1)
    topics = np.array([ord(word[1]) % 2 for word in data.words])
    assert (topics[similar.argmax(axis=1)] == topics).all()


def test_a_run_that_is_resumed_gives_the_bytes_of_one_that_went_through(tmp_path: Path) -> None:
    data = Texts([sentences(300)])
    whole = train(data, tmp_path / "whole", **SMALL, progress=False)
    train(data, tmp_path / "halves", **SMALL | dict(epochs=2), progress=False)
    halves = train(data, tmp_path / "halves", **SMALL, resume=True, progress=False)
    assert halves.learned().keys() == whole.learned().keys() > {"word/inputs", "word/output_bias_squares"}
    for name, array in whole.learned().items():
        assert array.tobytes() == halves.learned()[name].tobytes()
    assert whole.vectors.matrix.tobytes() == halves.vectors.matrix.tobytes()
    assert whole.record["loss_unit"] == "cost a pair"
    assert whole.record["validation_loss"] < whole.history[0].validation_loss


def test_more_text_goes_on_from_what_was_learned(tmp_path: Path) -> None:
    train(Texts([sentences(300)]), tmp_path / "first", **SMALL, progress=False)
    first = Model.load(tmp_path / "first")
    more = train(Texts([sentences(300, 7, 24)]), from_model=first, epochs=1, learning_rate=1e-9, progress=False)
    assert set(more.vectors.words) > set(first.vectors.words)
    rows = [more.vectors.words.by_word[word] for word in first.vectors.words]
    for name, array in first.learned().items():
        if name.startswith("word/"):
            np.testing.assert_allclose(more.learned()[name][rows], array, rtol=1e-5, atol=1e-7)
