"""Where somebody speaks in a recording."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.tasks.speech.wakeword.spans import spoken_span

RATE = 8000


def burst(begin: float, end: float, seconds: float, noise: float, level: float = 0.3) -> np.ndarray:
    """A tone in noise."""
    times = np.arange(round(seconds * RATE)) / RATE
    tone = level * np.sin(2 * np.pi * 700 * times) * ((times >= begin) & (times < end))
    return np.asarray(tone + np.random.default_rng(0).normal(0, noise, len(times)), np.float32)


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.02])
@pytest.mark.parametrize(("begin", "end"), [(0.5, 1.1), (0.0, 0.8), (1.2, 2.0)])
def test_a_tone_is_where_it_is(noise: float, begin: float, end: float) -> None:
    found = spoken_span(burst(begin, end, 2.0, noise), RATE)
    assert np.array(found) / RATE == pytest.approx([begin, end], abs=0.05)


def test_padding_with_nothing_a_click_and_rumble_do_not_matter() -> None:
    samples = burst(0.5, 1.1, 2.0, 0.005)
    samples[100:104] = 0.9
    samples += 0.2 * np.sin(2 * np.pi * 20 * np.arange(len(samples)) / RATE).astype(np.float32)
    padded = np.concatenate([samples, np.zeros(2 * RATE, np.float32)])
    assert np.array(spoken_span(padded, RATE)) / RATE == pytest.approx([0.5, 1.1], abs=0.06)


def test_a_short_pause_is_within_a_word_and_a_long_one_is_not() -> None:
    for pause, end in ((0.2, 1.4), (0.5, 0.6)):
        samples = burst(0.2, 0.6, 2.5, 0.002) + burst(0.6 + pause, 1.2 + pause, 2.5, 0.0, 0.1)
        assert spoken_span(samples, RATE)[1] / RATE == pytest.approx(end, abs=0.05)


def test_all_of_what_is_too_short_or_always_the_same() -> None:
    assert spoken_span(np.ones(100, np.float32), RATE) == (0, 100)
    assert spoken_span(np.zeros(RATE, np.float32), RATE) == (0, RATE)
    begin, end = spoken_span(burst(0.0, 1.0, 1.0, 0.0), RATE)
    assert end - begin >= 0.9 * RATE
