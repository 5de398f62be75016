"""Skip-gram and CBOW: what is drawn, what is learned from it, and that neither threads nor a restart change it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from recurra.data.corpus import Corpus
from recurra.data.vectors import CharacterNgrams
from recurra.data.word_index import WordIndex
from recurra.errors import RecurraError
from recurra.tasks.embeddings.config import Config, resolve
from recurra.tasks.embeddings.counted import NOTHING
from recurra.tasks.embeddings.data import LINE_END, Data
from recurra.tasks.embeddings.learning import window_kernels as kernels
from recurra.tasks.embeddings.learning.character_ngrams import runs_of
from recurra.tasks.embeddings.learning.window_draws import (
    DrawnWindows,
    Noise,
    draw_windows,
    draw_windows_reference,
    keep_thresholds,
    noise_table,
)
from recurra.tasks.embeddings.learning.window_kernels import Runs
from recurra.tasks.embeddings.learning.windows import Windows as Learner

ALL = 2**32

texts = st.lists(st.integers(-1, 11), max_size=60).map(lambda tokens: np.array(tokens, np.int32))
counts = st.lists(st.integers(1, 10**6), min_size=12, max_size=40).map(lambda numbers: np.array(numbers, np.int64))


def chances(noise: Noise) -> np.ndarray[Any, Any]:
    """What a table gives each word, worked out from its entries."""
    accept = noise.accept.astype(np.float64) / ALL
    result = accept.copy()
    np.add.at(result, noise.alias, 1 - accept)
    return result / len(result)


@given(counts)
def test_noise_words_go_with_the_three_quarters_power_of_counts(counts: np.ndarray[Any, Any]) -> None:
    expected = counts**0.75 / (counts**0.75).sum()
    np.testing.assert_allclose(chances(noise_table(counts)), expected, rtol=1e-6, atol=1e-9)


def test_noise_words_are_drawn_from_their_table() -> None:
    counts = np.array([1, 1, 400, 30, 7, 7, 90, 2000, 13, 13], np.int64)
    text = np.tile(np.array([0, 1, LINE_END], np.int32), 20_000)
    drawn = draw_windows(text, np.full(10, ALL, np.uint64), noise_table(counts), 1, 1, 5)
    of_first = drawn.negatives[drawn.words == 0, 0]
    shares = counts**0.75
    shares[0] = 0  # never the word itself
    assert (of_first != 0).all()
    seen = np.bincount(of_first, minlength=10)[1:]
    assert chisquare(seen, len(of_first) * shares[1:] / shares.sum()).pvalue > 1e-4


@settings(max_examples=40)
@given(texts, counts, st.integers(1, 6), st.sampled_from((1, 3, 5, 11)), st.integers(0, 2**64 - 1), st.booleans())
def test_draws_are_those_of_the_plain_twin(
    text: Any, counts: Any, window: int, negatives: int, seed: int, some: bool
) -> None:
    keep, noise = keep_thresholds(counts, 0.02 if some else 0.0), noise_table(counts)
    drawn = draw_windows(text, keep, noise, window, negatives, seed)
    for ours, plain in zip(drawn, draw_windows_reference(text, keep, noise, window, negatives, seed), strict=True):
        assert (ours == plain).all()
    for word, noise_words in zip(drawn.words, drawn.negatives, strict=True):
        assert len({word, *noise_words}) == 1 + negatives, "distinct, and never the word itself"
        assert max(noise_words) < len(counts)
    if not some:
        assert (drawn.words == text[text >= 0]).all()


def test_windows_end_where_lines_do_and_are_evenly_wide() -> None:
    line = np.arange(40, dtype=np.int32)
    text = np.concatenate([np.append(line, LINE_END)] * 500).astype(np.int32)
    drawn = draw_windows(text, np.full(40, ALL, np.uint64), noise_table(np.ones(40, np.int64)), 4, 2, 1)
    place = np.arange(len(drawn.words))
    begin, end = place // 40 * 40, place // 40 * 40 + 40
    assert (drawn.begins >= begin).all()
    assert (drawn.ends <= end).all()
    inner = (place % 40 >= 4) & (place % 40 < 36)
    before, after = (place - drawn.begins)[inner], (drawn.ends - 1 - place)[inner]
    assert (before == after).all()
    assert chisquare(np.bincount(before, minlength=5)[1:]).pvalue > 1e-4


def test_frequent_words_are_left_out_as_word2vec_does_and_windows_reach_over_the_gap() -> None:
    counts = np.array([500_000, 1000, 300, 40], np.int64)
    keep = keep_thresholds(counts, 1e-3) / ALL
    share = counts / counts.sum()
    expected = (math.sqrt(share[0] / 1e-3) + 1) * 1e-3 / share[0]
    np.testing.assert_allclose(keep, [expected, (math.sqrt(share[1] / 1e-3) + 1) * 1e-3 / share[1], 1, 1][:1] + [1] * 3)
    text = np.zeros(100_000, np.int32)
    text[::50] = 3
    table = noise_table(np.array([5, 5, 5, 5], np.int64))
    drawn = draw_windows(text, keep_thresholds(counts, 1e-3), table, 3, 1, 2)
    assert (drawn.words == 3).sum() == 2000
    assert (drawn.words == 0).sum() == pytest.approx(98_000 * expected, rel=0.05)
    widths = drawn.ends - drawn.begins
    assert widths[10:-10].min() == 3, "the words left out are not in the way"


def some_windows(vocabulary: int, centres: int, negatives: int, seed: int = 0) -> DrawnWindows:
    rng = np.random.default_rng(seed)
    text = rng.integers(-1, vocabulary, centres).astype(np.int32)
    noise = noise_table(rng.integers(1, 100, vocabulary))
    return draw_windows(text, np.full(vocabulary, ALL, np.uint64), noise, 3, negatives, seed)


def no_runs(words: int) -> Runs:
    return Runs(np.zeros(words + 1, np.int64), np.zeros(0, np.int32))


def some_runs(words: int, buckets: int) -> Runs:
    rng = np.random.default_rng(3)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 5, words))])
    return Runs(offsets, rng.integers(0, buckets, offsets[-1]).astype(np.int32))


def state(words: int, size: int, buckets: int = 0, kind: Any = np.float32) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(1)
    return [rng.normal(scale=0.5, size=(rows, size)).astype(kind) for rows in (words, words, buckets)]


@pytest.mark.parametrize("size", [3, 100])
@pytest.mark.parametrize("kernel", ["skip-gram", "cbow", "five", "skip-gram of n-grams", "cbow of n-grams"])
def test_kernels_learn_what_the_plain_twin_does(kernel: str, size: int) -> None:
    buckets = 9 if "n-grams" in kernel else 0
    windows = some_windows(30, 200, 5 if kernel == "five" else 3)
    runs = some_runs(30, buckets) if buckets else no_runs(30)
    ours, plain = state(30, size, buckets), state(30, size, buckets, np.float64)
    together = kernel.startswith("cbow")
    if kernel == "five":
        kernels.skip_gram(size)(*windows, ours[0], ours[1], np.float32(0.1))
    else:
        kernels.learn_windows(*windows, *ours, *runs, together, np.float32(0.1))
    kernels.learn_windows_reference(windows, *plain, runs, together, 0.1)
    for one, other in zip(ours, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def one_window(words: list[int], centre: int, negatives: list[int]) -> DrawnWindows:
    """One word with all the others around it; the others have none."""
    place = np.arange(len(words), dtype=np.int32)
    begins, ends = place.copy(), place + 1
    begins[centre], ends[centre] = 0, len(words)
    rows = np.tile(np.array(negatives, np.int32), (len(words), 1))
    return DrawnWindows(np.array(words, np.int32), begins, ends.astype(np.int32), rows)


@pytest.mark.parametrize("together", [False, True])
def test_a_step_goes_down_the_gradient_of_the_loss(together: bool) -> None:
    words = [1, 4, 2, 1] if together else [1, 4]  # several pairs would be several steps
    windows = one_window(words, 1, [0, 3])
    inputs, outputs, ngrams = state(6, 4, kind=np.float64)
    before = inputs.copy(), outputs.copy()
    kernels.learn_windows_reference(windows, inputs, outputs, ngrams, no_runs(6), together, 1e-3)
    for number, moved in enumerate((inputs, outputs)):
        for index in np.ndindex(moved.shape):
            arrays = [array.copy() for array in before]
            losses = []
            for sign in (1, -1):
                arrays[number][index] = before[number][index] + sign * 1e-5
                losses.append(kernels.total_loss_reference(windows, *arrays, together))
            slope = (losses[0] - losses[1]) / 2e-5
            assert (moved - before[number])[index] == pytest.approx(-1e-3 * slope, rel=1e-5, abs=1e-12)


def test_each_row_that_a_word_is_made_of_moves_as_its_vector_would() -> None:
    runs = Runs(np.array([0, 2, 2], np.int64), np.array([1, 0], np.int32))
    inputs, outputs, ngrams = state(2, 4, 2, np.float64)
    vectors = np.array([(inputs[0] + ngrams[0] + ngrams[1]) / 3, inputs[1]])
    alone, right = vectors.copy(), outputs.copy()
    windows = one_window([0, 1], 1, [0])
    kernels.learn_windows_reference(windows, alone, right, ngrams[:0], no_runs(2), False, 0.1)
    old = inputs.copy(), ngrams.copy()
    kernels.learn_windows_reference(windows, inputs, outputs, ngrams, runs, False, 0.1)
    for row, was in ((inputs[0], old[0][0]), (ngrams[0], old[1][0]), (ngrams[1], old[1][1])):
        np.testing.assert_allclose(row - was, alone[0] - vectors[0])
    np.testing.assert_allclose(outputs, right)
    np.testing.assert_allclose(
        kernels.compose(*(a.astype(np.float32) for a in (inputs, ngrams)), *runs)[0],
        (inputs[0] + ngrams.sum(axis=0)) / 3,
        rtol=1e-5,
    )


@pytest.mark.parametrize("together", [False, True])
def test_the_loss_is_that_of_the_plain_twin(together: bool) -> None:
    windows = some_windows(20, 100, 4)
    inputs, outputs, _ = state(20, 10)
    ours = kernels.total_loss(*windows, inputs, outputs, together)
    assert ours == pytest.approx(kernels.total_loss_reference(windows, inputs, outputs, together), rel=1e-12)
    nothing = kernels.total_loss(*windows, inputs, np.zeros_like(outputs), together)
    assert nothing / windows.pairs(together) == pytest.approx(5 * math.log(2)), "each of five is a coin"


@given(st.lists(st.text(min_size=1, max_size=9), unique=True, max_size=8), st.integers(1, 4), st.integers(0, 3))
def test_n_grams_of_a_vocabulary_are_those_of_its_words(words: list[str], shortest: int, more: int) -> None:
    ngrams = CharacterNgrams(shortest, shortest + more, 1000)
    runs = runs_of(WordIndex.of(words), ngrams)
    found = [runs.rows[a:b].tolist() for a, b in zip(runs.offsets, runs.offsets[1:], strict=False)]
    assert found == [ngrams.rows(word) for word in words]


def made_data(lines: int = 400, seed: int = 0) -> Data:
    """Lines of words of one of four themes; every theme has ten words."""
    rng = np.random.default_rng(seed)
    themes = rng.integers(0, 4, lines)
    words = rng.integers(0, 10, (lines, 12)) + 10 * themes[:, None]
    text = np.concatenate([np.append(line, LINE_END) for line in words]).astype(np.int32)
    names = [f"{'abcd'[number // 10]}{number % 10}" for number in range(40)]
    counts = np.bincount(text[text >= 0], minlength=40)
    return Data(
        Corpus("made up", ()), WordIndex.of(names), counts, NOTHING, text, text[: 13 * 60], "a part", 12 * lines, ""
    )


SMALL: dict[str, Any] = {"embedding_size": 16, "subsample": 0.0, "epochs": 8, "learning_rate": 0.05, "threads": 1}


def learned(learner: Learner, epochs: int = 8) -> Learner:
    steps = learner.parts * epochs
    for part in range(steps):
        learner.learn(part, learner.learning_rate(part / steps))
    return learner


VARIANTS: dict[str, dict[str, Any]] = {
    "skip-gram": {},
    "three noise words": {"negative_samples": 3},
    "cbow": {"method": "cbow", "learning_rate": 0.3},
    "n-grams": {"characters": True, "buckets": 100},
    "cbow of n-grams": {"method": "cbow", "characters": True, "buckets": 100, "learning_rate": 0.3},
    "hogwild": {"deterministic": False, "threads": 2},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_words_of_one_theme_come_together_and_the_loss_falls(variant: str) -> None:
    data = made_data()
    learner = Learner(resolve(Config(**SMALL | VARIANTS[variant])), data)
    first = learner.losses()
    assert first == pytest.approx((learner.guessing, learner.guessing))
    learned(learner)
    assert max(learner.losses()) < 0.9 * learner.guessing
    vectors = learner.vectors()
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = vectors @ vectors.T
    same = np.arange(40) // 10 == np.arange(40)[:, None] // 10
    assert alike[same & ~np.eye(40, dtype=bool)].mean() > alike[~same].mean() + 0.4


@pytest.mark.parametrize("variant", ["skip-gram", "cbow of n-grams"])
def test_threads_change_nothing_and_neither_does_a_new_start(variant: str) -> None:
    data = made_data()
    options = SMALL | VARIANTS[variant] | {"subsample": 0.01}
    once = learned(Learner(resolve(Config(**options)), data)).arrays()
    for threads in (2, 4):
        learner = Learner(resolve(Config(**options | {"threads": threads})), data)
        steps = learner.parts * 8
        for part in range(steps):
            if part == steps // 3:
                kept = {name: array.copy() for name, array in learner.arrays().items()}
                learner = Learner(resolve(Config(**options | {"threads": threads})), data)
                learner.restore(kept)
            learner.learn(part, learner.learning_rate(part / steps))
        for name, array in learner.arrays().items():
            assert (array == once[name]).all(), name


def test_what_was_drawn_ahead_is_used_for_its_own_part_only() -> None:
    data = made_data()
    one, two = (Learner(resolve(Config(**SMALL | {"threads": threads})), data) for threads in (1, 2))
    for learner in (one, two):
        learner.learn(0, 0.1)
        learner.learn(3, 0.1)
    assert (one.vectors() == two.vectors()).all()


def test_the_seed_and_the_part_decide_what_is_drawn() -> None:
    data = made_data()
    first, other = (Learner(resolve(Config(**SMALL | {"seed": seed})), data) for seed in (1, 2))
    assert (first.vectors() != other.vectors()).any()
    for learner in (first, other):
        learner.restore({name: np.ones_like(array) for name, array in first.arrays().items()})
        learner.learn(0, 0.1)
    assert (first.vectors() != other.vectors()).any()
    again = Learner(resolve(Config(**SMALL)), data)
    again.restore({name: np.ones_like(array) for name, array in first.arrays().items()})
    again.learn(again.parts, 0.1)
    assert (first.vectors() != again.vectors()).any(), "a second epoch draws anew"


def test_every_word_of_an_epoch_is_read_once() -> None:
    data = made_data()
    learner = Learner(resolve(Config(**SMALL)), data)
    assert learner.parts > 1
    assert sum(learner.learn(part, 0.01) for part in range(learner.parts)) == 12 * 400


def test_the_learning_rate_falls_in_a_straight_line() -> None:
    learner = Learner(resolve(Config(**SMALL)), made_data())
    assert [learner.learning_rate(x) for x in (0.0, 0.5, 1.0)] == pytest.approx([0.05, 0.025, 5e-6])


@pytest.mark.parametrize(
    ("options", "text", "said"),
    [
        ({"negative_samples": 40}, None, "must be less"),
        ({}, [0, LINE_END, 1, LINE_END], "no line with two words"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(options: dict[str, Any], text: Any, said: str) -> None:
    data = made_data()
    if text:
        data = Data(**{**vars(data), "train": np.array(text * 50, np.int32)})
    with pytest.raises(RecurraError, match=said):
        Learner(resolve(Config(**SMALL | options)), data)


def test_a_state_of_another_shape_is_not_taken() -> None:
    learner = Learner(resolve(Config(**SMALL)), made_data())
    with pytest.raises(ValueError, match="another shape"):
        learner.restore({name: array[:1] for name, array in learner.arrays().items()})


def test_a_diverged_run_ends_in_a_loss_that_is_not_finite() -> None:
    learner = Learner(resolve(Config(**SMALL)), made_data())
    learner.restore({name: np.full_like(array, np.nan) for name, array in learner.arrays().items()})
    learner.learn(0, 0.1)
    assert not math.isfinite(learner.losses()[0])
