"""CTC: collapsing, probabilities and alignments against PyTorch and against all paths, one by one."""

import itertools
import math

import numpy as np
import pytest
import torch

from recurra.arrays import DoubleArray
from recurra.errors import RecurraError
from recurra.tasks.speech import ctc
from recurra.tasks.speech.ctc import align, align_reference, forward_reference, greedy, labelling_log_prob


def random_log_probs(rng: np.random.Generator, frames: int, symbols: int, scale: float = 2.0) -> DoubleArray:
    logits = scale * rng.standard_normal((frames, symbols))
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def collapsed(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    """What a path is a path of."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != blank)


def probabilities(log_probs: DoubleArray, blank: int) -> dict[tuple[int, ...], float]:
    """The probability of every labelling, from all paths."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        labelling = collapsed(path, blank)
        found[labelling] = found.get(labelling, 0.0) + math.exp(log_probs[range(len(path)), path].sum())
    return found


def test_greedy_collapses_the_best_path() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        frames, blank = int(rng.integers(0, 12)), int(rng.integers(3))
        log_probs = random_log_probs(rng, frames, 3)
        path = log_probs.argmax(axis=1)
        found = greedy(log_probs, blank)
        assert tuple(found.symbols) == collapsed(tuple(path.tolist()), blank)
        for symbol, start, stop, log_prob in zip(*found, strict=True):
            assert (path[start:stop] == symbol).all()
            assert start == 0 or path[start - 1] != symbol
            assert stop == frames or path[stop] != symbol
            assert log_prob == log_probs[start:stop, symbol].max()


def test_probability_of_a_labelling_is_that_of_its_paths() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        blank = int(rng.integers(3))
        log_probs = random_log_probs(rng, int(rng.integers(0, 7)), 3)
        for labelling, probability in probabilities(log_probs, blank).items():
            assert labelling_log_prob(log_probs, labelling, blank) == pytest.approx(math.log(probability), abs=1e-9)
            assert forward_reference(log_probs, labelling, blank) == pytest.approx(math.log(probability), abs=1e-9)
    too_long = [other for other in range(3) if other != blank][:1] * len(log_probs)
    assert labelling_log_prob(log_probs, [*too_long, *too_long], blank) == -math.inf


def test_probability_of_a_labelling_is_pytorchs_loss() -> None:
    rng = np.random.default_rng(2)
    for _ in range(30):
        frames, length = int(rng.integers(30, 300)), int(rng.integers(0, 15))
        log_probs = random_log_probs(rng, frames, 5)
        labelling = rng.integers(1, 5, length)
        loss = torch.nn.functional.ctc_loss(
            torch.from_numpy(log_probs)[:, None],
            torch.from_numpy(labelling)[None],
            torch.tensor([frames]),
            torch.tensor([length]),
            reduction="sum",
        )
        assert labelling_log_prob(log_probs, labelling, 0) == pytest.approx(-float(loss), abs=1e-9 * frames)


def test_alignment_is_the_best_of_all_paths() -> None:
    rng = np.random.default_rng(3)
    for _ in range(60):
        blank = int(rng.integers(3))
        log_probs = random_log_probs(rng, int(rng.integers(1, 7)), 3)
        best: dict[tuple[int, ...], tuple[float, tuple[int, ...]]] = {}
        for path in itertools.product(range(3), repeat=len(log_probs)):
            candidate = (float(log_probs[range(len(path)), path].sum()), path)
            best[collapsed(path, blank)] = max(best.get(collapsed(path, blank), candidate), candidate)
        for labelling, (log_prob, path) in best.items():
            assert align_reference(log_probs, labelling, blank) == (pytest.approx(log_prob), list(path))
            found = align(log_probs, labelling, blank)
            again = np.full(len(log_probs), blank)
            for symbol, start, stop, peak in zip(*found, strict=True):
                again[start:stop] = symbol
                assert peak == log_probs[start:stop, symbol].max()
            assert tuple(again.tolist()) == path
            assert tuple(found.symbols) == labelling


def test_alignment_refuses_what_does_not_fit() -> None:
    log_probs = np.log(np.full((4, 3), 1 / 3))
    assert ctc.frames_needed([1, 1, 2, 2]) == 6
    with pytest.raises(RecurraError, match="4 symbols needs 6 frames, but there are 4"):
        align(log_probs, [1, 1, 2, 2], 0)
    with pytest.raises(RecurraError, match="symbol 0 cannot be in a text"):
        align(log_probs, [1, 0], 0)
    with pytest.raises(RecurraError, match="symbol 3 cannot be in a text"):
        align(log_probs, [3], 0)
    log_probs = np.full((4, 3), -np.inf)
    log_probs[:, 0] = 0
    with pytest.raises(RecurraError, match="its probability is 0"):
        align(log_probs, [1], 0)


def test_an_alignment_too_large_for_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctc, "MAX_ALIGNMENT_BYTES", 11)
    with pytest.raises(RecurraError, match="4 frames and 1 symbols are too many"):
        align(np.log(np.full((4, 3), 1 / 3)), [1], 0)


def test_words_stand_between_separators() -> None:
    space = 9
    symbols = np.array([space, 1, 2, space, space, 3, 1, 4, space])
    labelling = ctc.Labelling(symbols, np.arange(9) * 10, np.arange(9) * 10 + 4, -np.arange(9.0))
    assert ctc.words(labelling, space) == [ctc.Word(1, 3, 10, 24, -3.0), ctc.Word(5, 8, 50, 74, -18.0)]
    assert ctc.words(ctc.empty_labelling(), space) == []
    assert ctc.words(ctc.Labelling(*(part[:1] for part in labelling)), space) == []


@pytest.mark.parametrize(
    ("rows", "blank", "message"),
    [
        (np.full((3, 4), 0.25), 0, "frame 0 holds probabilities where log-probabilities belong"),
        (np.zeros((2, 4)), 0, "frame 0 add up to 4, not to 1; if these are logits"),
        (np.log([[0.5, 0.5], [0.5, 0.55]]), 0, "frame 1 add up to 1.05"),
        (np.array([[0.0, -np.inf], [np.nan, 0.0]]), 0, "frame 1: the model's probabilities are not numbers"),
        (np.array([[np.inf, 0.0]]), 0, "frame 0: the model's probabilities are not numbers"),
        (np.zeros(4), 0, r"have the shape \(4,\)"),
        (np.zeros((4, 1)), 0, r"have the shape \(4, 1\)"),
        (np.log([[0.5, 0.5]]), 2, "the blank is symbol 2, but there are only 2"),
        (np.log([[0.5, 0.5]]), -1, "the blank is symbol -1"),
    ],
)
def test_what_are_no_log_probabilities_is_refused(rows: DoubleArray, blank: int, message: str) -> None:
    with pytest.raises(RecurraError, match=message):
        greedy(rows, blank)


def test_half_precision_is_near_enough() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        log_probs = random_log_probs(rng, 20, 29, 4.0)
        assert len(greedy(log_probs.astype(np.float16), 0).symbols)
    assert len(greedy(np.zeros((0, 3)), 0).symbols) == 0
