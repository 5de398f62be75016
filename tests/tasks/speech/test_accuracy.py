"""Error rates against figures counted by hand and by plain dynamic programming."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.evaluation.classification import calibration_error, reliability
from recurra.tasks.speech.accuracy import align, measure, right_words
from recurra.tasks.speech.transcript import SUREST, fit_temperature, softened


def distance(first: list[str], second: list[str]) -> int:
    """Levenshtein's, row by row."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        previous, row = row, [i]
        for j, b in enumerate(second, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (a != b)))
    return row[-1]


def test_by_hand() -> None:
    said = ["the cat sat", "on the mat", "yes"]
    heard = ["the cat sat", "on a mat now", ""]
    found = measure(heard, said)
    assert found.errors.tolist() == [0, 2, 1]
    assert found.words.tolist() == [3, 3, 1]
    assert found.wer == pytest.approx(3 / 7)
    assert found.cer == pytest.approx((0 + distance(list(heard[1]), list(said[1])) + 3) / (11 + 10 + 3))
    assert found.exact_match == pytest.approx(1 / 3)
    assert set(found.confusions) == {("the", "a", 1), ("", "now", 1), ("yes", "", 1)}
    assert align(heard[1], said[1]) == [
        ("equal", "on", "on"),
        ("substitute", "the", "a"),
        ("equal", "mat", "mat"),
        ("insert", "", "now"),
    ]


SENTENCES = st.lists(st.sampled_from("abc"), min_size=1, max_size=6)


@given(st.lists(st.tuples(SENTENCES, st.lists(st.sampled_from("abc"), max_size=6)), min_size=1, max_size=6))
def test_the_fewest_errors_over_all_words(pairs: list[tuple[list[str], list[str]]]) -> None:
    found = measure([" ".join(heard) for _, heard in pairs], [" ".join(said) for said, _ in pairs])
    errors = [distance(heard, said) for said, heard in pairs]
    assert found.errors.tolist() == errors
    assert found.wer == pytest.approx(sum(errors) / sum(len(said) for said, _ in pairs))
    assert found.interval[0] <= found.interval[1]


def test_the_interval_is_wide_enough_and_no_wider() -> None:
    rng = np.random.default_rng(0)
    wrong = rng.random(400) < 0.2
    found = measure(["b" if each else "a" for each in wrong], ["a"] * 400)
    low, high = found.interval
    spread = 1.96 * np.sqrt(wrong.mean() * (1 - wrong.mean()) / 400)
    assert (low, high) == pytest.approx((wrong.mean() - spread, wrong.mean() + spread), abs=0.01)


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        measure([], [])


def test_words_that_are_right() -> None:
    heard = [["a", "b", "c"], [], ["x", "a"]]
    said = [["a", "c"], ["d"], ["y", "a", "z"]]
    assert right_words(heard, said).tolist() == [True, False, True, False, True]


def test_a_temperature_makes_confidences_true() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(2, 2, 20_000)
    right = rng.random(len(odds)) < 1 / (1 + np.exp(-odds / 3))
    sure = 1 / (1 + np.exp(-odds))
    temperature = fit_temperature(sure, right)
    assert temperature == pytest.approx(3, rel=0.05)
    calibrated = np.array([softened(log_prob, temperature) for log_prob in np.log(sure)])
    assert calibrated == pytest.approx(1 / (1 + np.exp(-odds / 3)), abs=0.02)
    assert calibration_error(reliability(calibrated, right)) < 0.02 < calibration_error(reliability(sure, right))
    assert softened(0.0, 1.0) == pytest.approx(SUREST)
    assert softened(-np.inf, 1.0) == pytest.approx(1 - SUREST)
    assert softened(-0.5, 1.0) == pytest.approx(np.exp(-0.5))
