"""Messages in Morse code: their timing, their noise, their characters."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from recurra.tasks.speech.morse import CODE, NOISE_BANDWIDTH, RATE, Conditions, key, keying, morse

EVEN = Conditions(snr=100.0, words_a_minute=20.0, jitter=0.0, fading=0.0)


def runs(text: str) -> list[tuple[bool, float]]:
    """How long the key is down and up, in dots."""
    down = keying(text, EVEN, np.random.default_rng(0))
    return [(bool(state), len(list(run)) / (RATE * 0.06)) for state, run in groupby(down.tolist())]


def test_paris_takes_fifty_dots() -> None:
    found = runs("PARIS")
    assert sum(length for _, length in found) == pytest.approx(4 + 50)
    marks = ".--. .- .-. .. ..."
    expected = [(False, 4.0)]
    for character in marks.split():
        for mark in character:
            expected += [(True, 3.0 if mark == "-" else 1.0), (False, 1.0)]
        expected[-1] = (False, 3.0)
    expected[-1] = (False, 7.0)
    assert found == [(state, pytest.approx(length)) for state, length in expected]


def test_every_character_has_a_code_of_its_own() -> None:
    assert len(set(CODE.values())) == len(CODE) == 41
    assert all(set(code) <= {".", "-"} for code in CODE.values())
    assert (CODE["S"], CODE["O"], CODE["5"], CODE["?"]) == ("...", "---", ".....", "..--..")


@pytest.mark.parametrize("snr", [-6.0, 0.0, 10.0])
def test_the_noise_is_what_is_asked_for(snr: float) -> None:
    conditions = Conditions(snr=snr, words_a_minute=6.0, jitter=0.0, fading=0.0, pitch=600.0)
    samples = key("MMMMMMMM", conditions, 3).astype(float)
    down = keying("MMMMMMMM", conditions, np.random.default_rng(3))
    edge = np.convolve(np.abs(np.diff(down.astype(float), prepend=0)), np.ones(101), "same") > 0
    tone = samples[down & ~edge]
    noise = samples[~down & ~edge]
    noise_power = noise.var() * NOISE_BANDWIDTH / (RATE / 2)
    assert 10 * np.log10((tone.var() - noise.var()) / noise_power) == pytest.approx(snr, abs=0.7)


def test_fading_goes_as_far_as_is_said() -> None:
    conditions = Conditions(snr=100.0, words_a_minute=2.0, jitter=0.0, fading=15.0)
    samples = key("TTTTTT", conditions, 1)
    down = keying("TTTTTT", conditions, np.random.default_rng(1))
    peaks = [np.abs(part).max() for part in np.split(samples, range(40, len(samples), 40))]
    held = [peak for peak, part in zip(peaks, np.split(down, range(40, len(down), 40)), strict=True) if part.all()]
    assert 20 * np.log10(max(held) / min(held)) == pytest.approx(15, abs=1.5)


def test_the_sample_is_the_same_each_time_and_begins_easily() -> None:
    first, again, other = morse(16), morse(16), morse(16, seed=2)
    assert [item.text for item in first] == [item.text for item in again] != [item.text for item in other]
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one.load(RATE), two.load(RATE))
    assert [len(item.text) == 1 for item in first[:4]] == [True, True, False, False]
    assert all(len(item.text) <= 4 for item in first[:4])
    whole = morse(3, conditions=EVEN)
    for item in [*first, *whole]:
        samples = item.load(RATE)
        assert np.abs(samples).max() <= 0.5
        assert set(item.text) <= {*CODE, " "}
    assert [len(item.load(RATE)) / RATE for item in whole] == pytest.approx([item.seconds for item in whole])
    assert len(first[0].load(8000)) == pytest.approx(2 * len(first[0].load(RATE)), abs=2)
