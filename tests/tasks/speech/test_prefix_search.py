"""Prefix beam search against all paths one by one, its plain twin, and itself fed in pieces."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recurra.arrays import DoubleArray, IntArray
from recurra.errors import OptionError, RecurraError
from recurra.tasks.speech.ctc import Labelling, align, empty_labelling, joined
from recurra.tasks.speech.hot_words import bonus_reference, compile_hot_words
from recurra.tasks.speech.prefix_search import (
    EXACT,
    Hypothesis,
    PrefixDecoder,
    PrefixSearch,
    prefix_search_reference,
)

WIDE = PrefixSearch(beam_size=4000, n_best=4000, symbol_threshold=None, beam_threshold=None, lag=None)
"""Wider than there are texts of a few frames."""


def random_log_probs(rng: np.random.Generator, frames: int, symbols: int) -> DoubleArray:
    logits = rng.uniform(0.5, 5) * rng.standard_normal((frames, symbols))
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def all_texts(frames: int, symbols: int, blank: int) -> tuple[IntArray, list[tuple[int, ...]]]:
    """The number of the text of each path `(paths,)`, and the texts."""
    texts: dict[tuple[int, ...], int] = {}
    numbers = [
        texts.setdefault(tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != blank), len(texts))
        for path in itertools.product(range(symbols), repeat=frames)
    ]
    return np.array(numbers), list(texts)


def text_probabilities(log_probs: DoubleArray, numbers: IntArray) -> DoubleArray:
    """The probability of each text."""
    paths = np.ones(1)
    for row in np.exp(log_probs):
        paths = np.multiply.outer(paths, row).ravel()
    return np.bincount(numbers, paths)


def found_texts(hypotheses: Sequence[Hypothesis]) -> list[tuple[int, ...]]:
    return [tuple(hypothesis.labelling.symbols.tolist()) for hypothesis in hypotheses]


def test_the_best_text_of_10000_matrices_is_that_of_all_paths() -> None:
    rng = np.random.default_rng(0)
    decoder = PrefixDecoder(4, 3, PrefixSearch(beam_size=1200, symbol_threshold=None, beam_threshold=None))
    known = {frames: all_texts(frames, 4, 3) for frames in range(1, 8)}
    assert max(len(texts) for _, texts in known.values()) <= 1200
    for _ in range(10_000):
        frames = int(rng.choice(range(1, 8), p=[0.1, 0.1, 0.2, 0.2, 0.2, 0.15, 0.05]))
        log_probs = random_log_probs(rng, frames, 4)
        numbers, texts = known[frames]
        probabilities = text_probabilities(log_probs, numbers)
        best = decoder(log_probs)[0]
        assert tuple(best.labelling.symbols.tolist()) == texts[probabilities.argmax()]
        assert best.log_prob == pytest.approx(math.log(probabilities.max()), abs=1e-9)
        assert best.score == best.log_prob


def test_every_text_is_found_once_with_its_probability() -> None:
    rng = np.random.default_rng(1)
    numbers, texts = all_texts(5, 4, 1)
    for _ in range(20):
        log_probs = random_log_probs(rng, 5, 4)
        hypotheses = PrefixDecoder(4, 1, WIDE)(log_probs)
        expected = dict(zip(texts, np.log(text_probabilities(log_probs, numbers)), strict=True))
        assert len(hypotheses) == len(texts)
        assert {text: h.log_prob for text, h in zip(found_texts(hypotheses), hypotheses, strict=True)} == pytest.approx(
            expected, abs=1e-9
        )
        scores = [hypothesis.score for hypothesis in hypotheses]
        assert scores == sorted(scores, reverse=True)


def test_probabilities_too_small_for_a_float_are_exact() -> None:
    log_probs = np.array([[-800.0, 0.0, -900.0], [-2000.0, 0.0, -1000.0], [0.0, -1500.0, -1500.0]])
    numbers, texts = all_texts(3, 3, 0)
    paths = np.array(list(itertools.product(range(3), repeat=3)))
    expected = np.full(len(texts), -np.inf)
    np.logaddexp.at(expected, numbers, log_probs[range(3), paths].sum(axis=1))
    hypotheses = PrefixDecoder(3, 0, WIDE)(log_probs)
    found = {text: h.log_prob for text, h in zip(found_texts(hypotheses), hypotheses, strict=True)}
    assert found == pytest.approx(dict(zip(texts, expected, strict=True)), abs=1e-9)


def random_case(rng: np.random.Generator) -> tuple[DoubleArray, int, PrefixSearch, dict[Any, float], int | None]:
    """Frames, the blank, options, hot words and the separator."""
    symbols = int(rng.integers(2, 7))
    blank = int(rng.integers(symbols))
    size = int(rng.choice([1, 2, 5, 20, 300]))
    options = PrefixSearch(
        beam_size=size,
        n_best=min(size, 50),
        symbol_threshold=[None, -2.0, -5.0][rng.integers(3)],
        beam_threshold=[None, -1.0, -10.0][rng.integers(3)],
        lag=[None, 0, 2, 5][rng.integers(4)],
        alpha=float(rng.uniform(0.1, 2)),
        beta=float(rng.choice([0.0, 1.0, -0.7])),
    )
    letters = [symbol for symbol in range(symbols) if symbol != blank]
    separator = letters[0] if len(letters) > 1 and rng.random() < 0.6 else None
    words = {}
    for _ in range(int(rng.integers(0, 5))):
        word = tuple(rng.choice(letters, int(rng.integers(1, 5))).tolist())
        if separator not in (word[0], word[-1]):
            words[word] = float(rng.uniform(0.2, 4))
    return random_log_probs(rng, int(rng.integers(1, 12)), symbols), blank, options, words, separator


def assert_same(found: Sequence[Hypothesis], expected: Sequence[Hypothesis]) -> None:
    assert found_texts(found) == found_texts(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-9)
        assert one.score == pytest.approx(other.score, abs=1e-9)
        for part, same in zip(one.labelling, other.labelling, strict=True):
            np.testing.assert_array_equal(part, same)


class Bigrams:
    """A scorer made of a table of random log-probabilities, also of the end."""

    def __init__(self, rng: np.random.Generator, symbols: int) -> None:
        table = np.log(rng.dirichlet(np.ones(symbols + 1), symbols + 1))
        self.rows, self.ends = table[:, :symbols], table[:, symbols]
        self.extended = 0

    def start(self) -> tuple[DoubleArray, int]:
        return self.rows[-1], -1

    def extend(self, states: Sequence[int], symbols: IntArray) -> tuple[DoubleArray, Sequence[int]]:
        self.extended += len(states)
        assert len(states) == len(symbols)
        return self.rows[symbols], symbols.tolist()

    def finish(self, states: Sequence[int]) -> DoubleArray:
        return self.ends[list(states)]

    def log_prob(self, text: Sequence[int]) -> float:
        return float(sum(self.rows[a, b] for a, b in itertools.pairwise([-1, *text])) + self.ends[[-1, *text][-1]])


def test_search_is_its_reference() -> None:
    rng = np.random.default_rng(2)
    for case in range(200):
        log_probs, blank, options, words, separator = random_case(rng)
        symbols = log_probs.shape[1]
        hot = compile_hot_words(words, symbols, blank, separator)
        scorer = Bigrams(rng, symbols) if case % 3 == 0 else None
        every = int(rng.choice([1, 3, 64]))
        found = PrefixDecoder(symbols, blank, options, hot, scorer, every)(log_probs)
        assert_same(found, prefix_search_reference(log_probs, blank, options, words, separator, scorer, every))


def test_frames_of_probability_zero() -> None:
    rng = np.random.default_rng(3)
    for _ in range(100):
        log_probs, blank, options, words, separator = random_case(rng)
        symbols = log_probs.shape[1]
        kept = rng.random(log_probs.shape) < 0.5
        kept[:, 0] |= ~kept.any(axis=1)
        with np.errstate(divide="ignore"):
            probabilities = np.where(kept, np.exp(log_probs), 0)
            log_probs = np.log(probabilities / probabilities.sum(axis=1, keepdims=True))
        found = PrefixDecoder(symbols, blank, options, compile_hot_words(words, symbols, blank, separator))(log_probs)
        expected = prefix_search_reference(log_probs, blank, options, words, separator)
        expected = [hypothesis for hypothesis in expected if hypothesis.log_prob > -math.inf]
        assert sorted(h.score for h in found) == pytest.approx(sorted(h.score for h in expected), abs=1e-9)


@pytest.mark.parametrize("separator", [None, 0])
def test_hot_words_are_as_in_all_paths(separator: int | None) -> None:
    rng = np.random.default_rng(4)
    numbers, texts = all_texts(6, 4, 3)
    for _ in range(15):
        words = {(1, 2): 2.0, (2,): float(rng.uniform(0, 1) + 0.1), (1, 2, 1): 3.0, (2, 0, 1): 1.5, (1,): 0.5}
        words = {word: weight for word, weight in words.items() if rng.random() < 0.7}
        log_probs = random_log_probs(rng, 6, 4)
        bonus = [bonus_reference(words, separator, text, True) for text in texts]
        scores = np.log(text_probabilities(log_probs, numbers)) + bonus
        found = PrefixDecoder(4, 3, WIDE, compile_hot_words(words, 4, 3, separator))(log_probs)
        assert found_texts(found)[0] == texts[scores.argmax()]
        assert [hypothesis.score for hypothesis in found] == pytest.approx(sorted(scores, reverse=True), abs=1e-9)


def test_a_hot_word_is_a_whole_word() -> None:
    space, c, a, t, e, weight = 0, 1, 2, 3, 4, 5.0
    words = {(c, a, t): weight}

    def gained(text: tuple[int, ...], separator: int | None) -> float:
        frames = np.full((2 * len(text), 6), -np.inf)  # A blank after each symbol.
        frames[0::2, :][range(len(text)), text] = 0
        frames[1::2, 5] = 0
        hypothesis = PrefixDecoder(6, 5, EXACT, compile_hot_words(words, 6, 5, separator))(frames)[0]
        assert tuple(hypothesis.labelling.symbols) == text
        return hypothesis.score - hypothesis.log_prob

    assert gained((c, a, t), space) == pytest.approx(weight)
    assert gained((e, space, c, a, t, space, a), space) == pytest.approx(weight)
    assert gained((c, a, t, e), space) == pytest.approx(0)  # "cat" in "category"
    assert gained((e, c, a, t), space) == pytest.approx(0)  # "cat" in "bobcat"
    assert gained((c, a), space) == pytest.approx(0)
    assert gained((e, c, a, t, e), None) == pytest.approx(weight)
    assert gained((c, a), None) == pytest.approx(0)


def test_a_prefix_gets_partial_credit() -> None:
    """Without it the hot word's beginning would be dropped before the hot word is complete."""
    log_probs = np.log([[0.01, 0.29, 0.70], [0.01, 0.30, 0.69]])
    options = PrefixSearch(beam_size=1, symbol_threshold=None, beam_threshold=None)
    assert found_texts(PrefixDecoder(3, 0, options)(log_probs)) == [(2,)]
    hot = compile_hot_words({(1, 2): 4.0}, 3, 0)
    assert found_texts(PrefixDecoder(3, 0, options, hot)(log_probs)) == [(1, 2)]


@pytest.mark.parametrize(
    ("word", "weight", "message"),
    [
        ((), 1.0, "a hot word is empty"),
        ((1, 3), 1.0, "holds a symbol that cannot be in a text"),
        ((1, 9), 1.0, "holds a symbol that cannot be in a text"),
        ((0, 1), 1.0, "begins or ends with the separator"),
        ((1, 0), 1.0, "begins or ends with the separator"),
        ((1,), 0.0, "must be above 0"),
        ((1,), math.nan, "must be above 0"),
    ],
)
def test_impossible_hot_words_are_refused(word: tuple[int, ...], weight: float, message: str) -> None:
    with pytest.raises(RecurraError, match=message):
        compile_hot_words({word: weight}, 4, 3, 0)


def in_pieces(decoder: PrefixDecoder, log_probs: DoubleArray, sizes: Sequence[int]) -> list[Hypothesis]:
    """What a decoder makes of frames that arrive in pieces."""
    state, emitted, start = decoder.start(), empty_labelling(), 0
    for size in sizes:
        before = [part.copy() for part in state[:4]]
        more, after = decoder.advance(log_probs[start : start + size], state)
        for part, kept in zip(state[:4], before, strict=True):
            assert part.tobytes() == kept.tobytes()  # A state is a value.
        emitted, state, start = joined(emitted, more), after, start + size
    assert start >= len(log_probs)
    return [h._replace(labelling=joined(emitted, h.labelling)) for h in decoder.finish(state)]


def test_pieces_of_any_size_give_the_same() -> None:
    rng = np.random.default_rng(5)
    for case in range(60):
        log_probs, blank, options, words, separator = random_case(rng)
        symbols = log_probs.shape[1]
        log_probs = random_log_probs(rng, int(rng.integers(20, 90)), symbols)
        scorer = Bigrams(rng, symbols) if case % 3 == 0 else None
        hot = compile_hot_words(words, symbols, blank, separator)
        every = int(rng.choice([1, 3, 16]))
        decoder = PrefixDecoder(symbols, blank, options, hot, scorer, every)
        whole = decoder(log_probs)
        for sizes in ([1] * len(log_probs), [0, 7] * len(log_probs), [len(log_probs)]):
            again = in_pieces(decoder, log_probs, sizes)
            assert_same(again, whole)
            assert [(h.log_prob, h.score) for h in again] == [(h.log_prob, h.score) for h in whole]
        if options.lag is None:
            assert_same(whole, PrefixDecoder(symbols, blank, options, hot, scorer, emit_every=10**6)(log_probs))
        assert all((np.diff(hypothesis.labelling.starts) > 0).all() for hypothesis in whole)


@pytest.mark.parametrize("options", [PrefixSearch(), replace(EXACT, lag=500)])
def test_the_state_of_a_long_recording_stays_small(options: PrefixSearch) -> None:
    rng = np.random.default_rng(6)
    decoder = PrefixDecoder(5, 0, options)
    state, sizes, emitted = decoder.start(), [], 0
    for _ in range(40):
        logits = rng.standard_normal((100, 5)) + 8 * np.eye(5)[rng.integers(0, 5, 100)]
        labelling, state = decoder.advance(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True), state)
        emitted += len(labelling.symbols)
        sizes.append(len(state.tree) + len(state.times))
    assert max(sizes[20:]) < 1.5 * max(sizes[:20])
    assert emitted > 2000


def test_there_is_room_for_any_number_of_frames() -> None:
    """The tree grows where nothing is emitted for long, and nothing changes by that."""
    rng = np.random.default_rng(7)
    log_probs = random_log_probs(rng, 700, 4)
    found, emitting = (PrefixDecoder(4, 0, EXACT, emit_every=every)(log_probs) for every in (10**6, 64))
    assert_same(found, emitting)


def test_symbols_are_entered_where_they_are() -> None:
    """In frames that leave no doubt, the frame of each symbol is in its span by forced alignment."""
    rng = np.random.default_rng(8)
    for _ in range(20):
        path = np.repeat(rng.integers(0, 5, 40), rng.integers(1, 4, 40))
        logits = rng.standard_normal((len(path), 5)) + 10 * np.eye(5)[path]
        log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        for options in (PrefixSearch(), EXACT):
            labelling: Labelling = PrefixDecoder(5, 0, options)(log_probs)[0].labelling
            aligned = align(log_probs, labelling.symbols, 0)
            assert (labelling.starts >= aligned.starts).all()
            assert (labelling.starts < aligned.stops).all()
            assert (labelling.stops == labelling.starts + 1).all()
            assert (labelling.log_probs == log_probs[labelling.starts, labelling.symbols]).all()


def test_language_model_is_as_in_all_paths() -> None:
    rng = np.random.default_rng(9)
    numbers, texts = all_texts(5, 4, 0)
    for _ in range(30):
        options = replace(WIDE, alpha=float(rng.uniform(0.2, 2)), beta=0.6)
        scorer = Bigrams(rng, 4)
        log_probs = random_log_probs(rng, 5, 4)
        language = np.array([options.alpha * scorer.log_prob(text) + options.beta * len(text) for text in texts])
        scores = np.log(text_probabilities(log_probs, numbers)) + language
        found = PrefixDecoder(4, 0, options, scorer=scorer)(log_probs)
        assert found_texts(found)[0] == texts[scores.argmax()]
        assert [hypothesis.score for hypothesis in found] == pytest.approx(sorted(scores, reverse=True), abs=1e-9)


def test_a_language_model_that_says_nothing_changes_nothing() -> None:
    rng = np.random.default_rng(10)
    for _ in range(40):
        log_probs, blank, options, words, separator = random_case(rng)
        symbols = log_probs.shape[1]
        hot = compile_hot_words(words, symbols, blank, separator)
        silent = Bigrams(rng, symbols)
        silent.rows, silent.ends = np.zeros_like(silent.rows), np.zeros_like(silent.ends)
        without = PrefixDecoder(symbols, blank, options, hot)(log_probs)
        assert_same(PrefixDecoder(symbols, blank, options, hot, silent)(log_probs), without)
        weightless = replace(options, alpha=0.0)
        loud = Bigrams(rng, symbols)
        assert_same(PrefixDecoder(symbols, blank, weightless, hot, loud)(log_probs), without)
        assert loud.extended == 0


def test_only_new_prefixes_are_scored() -> None:
    scorer = Bigrams(np.random.default_rng(11), 3)
    frames = np.log(np.array([[0.998, 0.001, 0.001]] * 40 + [[0.001, 0.998, 0.001]] + [[0.998, 0.001, 0.001]] * 40))
    assert found_texts(PrefixDecoder(3, 0, PrefixSearch(), scorer=scorer)(frames)) == [(1,)]
    assert scorer.extended <= 4


def test_bad_language_models_are_refused() -> None:
    frames = np.log(np.full((3, 3), 1 / 3))
    broken = Bigrams(np.random.default_rng(12), 3)
    broken.rows = np.full_like(broken.rows, np.nan)
    with pytest.raises(RecurraError, match="scores are not numbers"):
        PrefixDecoder(3, 0, scorer=broken)(frames)
    other = Bigrams(np.random.default_rng(12), 5)
    with pytest.raises(RecurraError, match=r"shape \(1, 5\) for 1 prefixes and 3 symbols"):
        PrefixDecoder(3, 0, scorer=other)(frames)
    strict = Bigrams(np.random.default_rng(12), 3)
    strict.rows = np.full_like(strict.rows, -np.inf)
    with np.errstate(divide="ignore"), pytest.raises(RecurraError, match="rules out everything"):
        PrefixDecoder(3, 0, scorer=strict)(np.log([[0.0, 1.0, 0.0]]))


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(OptionError, match="`n_best` is 3, but must be at most `beam_size`, which is 2"):
        PrefixSearch(beam_size=2, n_best=3)
    with pytest.raises(RecurraError, match="the blank is symbol 3, but there are only 3"):
        PrefixDecoder(3, 3)
    with pytest.raises(RecurraError, match="the hot words are for 4 symbols, the model has 3"):
        PrefixDecoder(3, 0, hot_words=compile_hot_words({(1,): 1.0}, 4, 0))
    decoder = PrefixDecoder(3, 0)
    with pytest.raises(RecurraError, match="the frames have 4 symbols, but the search is for 3"):
        decoder(np.log(np.full((2, 4), 0.25)))
    with pytest.raises(RecurraError, match="frame 1 holds probabilities"):
        decoder(np.array([[0.0, -np.inf, -np.inf], [0.5, 0.25, 0.25]]))


def test_no_frames() -> None:
    assert found_texts(PrefixDecoder(3, 0)(np.zeros((0, 3)))) == [()]
