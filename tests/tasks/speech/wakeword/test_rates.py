"""Intervals are those of scipy; words and alarms are counted as a person would; the threshold keeps its promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2

from recurra.tasks.speech.wakeword.rates import (
    LOGITS,
    Rates,
    choose_threshold,
    judged,
    poisson_bound,
    rates,
    wilson,
)

STEP = 0.03


@pytest.mark.parametrize(("count", "total"), [(0, 5), (3, 63), (63, 63), (1, 1), (40, 1000)])
def test_the_interval_of_a_share_is_scipys(count: int, total: int) -> None:
    expected = binomtest(count, total).proportion_ci(0.95, method="wilson")
    assert wilson(count, total) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_nothing_is_known_of_no_words() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    nothing = Rates(0, 0, 0, 0.0)
    assert math.isnan(nothing.misses)
    assert math.isnan(nothing.alarms_an_hour)
    assert math.isinf(nothing.bound)
    assert "nothing is known" in nothing.proved()


@pytest.mark.parametrize("count", [0, 1, 2, 7, 60, 900])
def test_the_bound_of_alarms_is_scipys(count: int) -> None:
    assert poisson_bound(count) == pytest.approx(chi2.ppf(0.95, 2 * count + 2) / 2, rel=1e-6)


def test_no_alarms_in_an_hour_prove_three_an_hour() -> None:
    found = Rates(10, 1, 0, 1.0)
    assert found.bound == pytest.approx(-math.log(0.05))
    assert "0 false alarm(s) in 60.0 minutes" in found.proved()
    assert "fewer than 3 an hour" in found.proved()
    assert Rates(10, 1, 0, 0.1).bound == pytest.approx(10 * found.bound)
    assert found.to_json()["misses"] == 0.1


@pytest.mark.parametrize(
    ("seconds", "ends", "expected"),
    [
        ([], [1.0], (1, 0)),
        ([1.2], [1.0], (0, 0)),
        ([0.8], [1.0], (0, 0)),
        ([0.6], [1.0], (1, 1)),
        ([1.9], [1.0], (1, 1)),
        ([1.0, 1.5], [1.0], (0, 1)),
        ([1.0, 5.0, 9.0], [1.0, 9.0], (0, 1)),
        ([1.5], [1.0, 1.4], (1, 0)),
    ],
)
def test_words_and_alarms(seconds: list[float], ends: list[float], expected: tuple[int, int]) -> None:
    steps = [[round(second / STEP) for second in each] for each in (seconds, ends)]
    assert judged(steps[0], steps[1], STEP) == expected


def stream(seed: int) -> tuple[np.ndarray, list[int]]:
    """Probabilities with a peak after each word, most of them high, and peaks elsewhere, most of them low."""
    random = np.random.default_rng(seed)
    probabilities = np.full(4000, 1e-4, np.float32)
    places = np.arange(50, 3950, 60)
    is_word = random.random(len(places)) < 0.3
    logits = np.where(is_word, random.normal(4, 2, len(places)), random.normal(-3, 2, len(places)))
    probabilities[places] = 1 / (1 + np.exp(-logits))
    return probabilities, (places[is_word] - 2).tolist()


@given(st.integers(0, 1000), st.sampled_from([0.0, 1.0, 60.0, 1000.0]))
def test_the_threshold_keeps_the_alarms_asked_for_and_costs_no_word(seed: int, allowed: float) -> None:
    probabilities, ends = stream(seed)
    hours = 0.03
    threshold = choose_threshold(probabilities, ends, hours, allowed, STEP)
    found = rates(probabilities, ends, hours, threshold, STEP)
    tried = [rates(probabilities, ends, hours, float(1 / (1 + np.exp(-logit))), STEP) for logit in LOGITS]
    possible = [each for each in tried if each.alarms <= allowed * hours]
    if possible:
        assert found.alarms <= allowed * hours
        assert found.missed == min(each.missed for each in possible)
    assert found.hours == hours
    assert found.words == len(ends)


def test_the_threshold_is_between_other_sound_and_the_word() -> None:
    probabilities = np.full(1000, 1e-4, np.float32)
    probabilities[[100, 300]] = 0.5, 1 / (1 + np.exp(-4.0))
    threshold = choose_threshold(probabilities, [299], 0.01, 1.0, STEP)
    assert np.log(threshold / (1 - threshold)) == pytest.approx(2.0, abs=0.15)
