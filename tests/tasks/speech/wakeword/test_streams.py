"""Streams are made of what they say, as loud as they say, and their words end where they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detecting import DETECTOR, DETECTOR_RATE

from recurra.tasks.speech.config import Config, with_preset
from recurra.tasks.speech.wakeword import streams
from recurra.tasks.speech.wakeword.data import read_detector_data
from recurra.tasks.speech.wakeword.streams import (
    LEVEL,
    Mixer,
    any_noise,
    at_level,
    coloured,
    faded,
    in_turn,
    levelled,
    looped,
)

RATE = DETECTOR_RATE


@pytest.fixture
def mixer(words_file: Path, tmp_path: Path) -> Mixer:
    config = with_preset(Config(**DETECTOR | {"detect": "cab", "gain_db": 0.0}), False)
    return Mixer(read_detector_data([words_file], [], config, tmp_path).train, config)


def test_a_stream_is_that_of_its_seed(mixer: Mixer) -> None:
    first, again, other = (mixer.draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.samples, again.samples)
    assert first.ends == again.ends
    assert not np.array_equal(first.samples, other.samples)
    assert len(first.samples) == mixer.length == 8 * RATE


def test_words_end_where_it_is_said(mixer: Mixer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STEADY", 1.0)
    monkeypatch.setattr(streams, "TILT", 0.0)
    monkeypatch.setattr(streams, "GAP_SECONDS", 0.0)
    found = 0
    for seed in range(20):
        samples, ends = mixer.draw(np.random.default_rng(seed))
        for end in ends:
            before, after = samples[end - RATE // 20 : end - RATE // 50], samples[end + RATE // 50 : end + RATE // 25]
            assert before.std() > 5 * after.std(), "quiet follows"
            spectrum = np.abs(np.fft.rfft(samples[end - RATE // 10 : end - RATE // 50]))
            pitch = spectrum.argmax() * RATE / (0.08 * RATE)
            assert pitch == pytest.approx(300 * 1.35, abs=25), "and b was the last letter"
            found += 1
    assert found > 30


def test_no_word_ends_in_what_only_resembles_it(mixer: Mixer, monkeypatch: pytest.MonkeyPatch) -> None:
    for words, near, some in ((0.0, 1.0, False), (1.0, 0.0, True), (0.0, 0.0, False)):
        monkeypatch.setattr(streams, "WORDS", words)
        monkeypatch.setattr(streams, "NEAR", near)
        drawn = [mixer.draw(np.random.default_rng(seed)) for seed in range(5)]
        assert [bool(stream.ends) for stream in drawn] == [some] * 5
        assert all(stream.samples.std() > 0.02 for stream in drawn)


def test_speed_and_level(mixer: Mixer) -> None:
    def drawn(**options: Any) -> np.ndarray:
        changed = Mixer(mixer.part, with_preset(Config(**DETECTOR | {"detect": "cab"} | options), False))
        sound = 0.01 * np.sin(2 * np.pi * np.arange(RATE) / 8, dtype=np.float32)
        items = [changed._changed(sound, RATE // 2, np.random.default_rng(seed)) for seed in range(40)]
        assert all(item.ends == [round(len(item.samples) / 2)] for item in items)
        return np.array([(len(item.samples) / RATE, decibels(item.samples)) for item in items])

    same = drawn(gain_db=0.0)
    assert (same[:, 0] == 1).all()
    assert same[:, 1] == pytest.approx(np.full(40, LEVEL), abs=0.2)
    lengths = drawn(speed=0.2)[:, 0]
    assert 1 / 1.2 - 0.01 <= lengths.min() < 0.9 < 1.1 < lengths.max() <= 1.21
    levels = drawn(gain_db=12.0)[:, 1] - LEVEL
    assert -12.3 <= levels.min() < -8 < 8 < levels.max() <= 12.1


def decibels(samples: np.ndarray) -> float:
    """The level of samples."""
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))))


def test_the_loud_part_of_a_recording_is_brought_to_a_level() -> None:
    tone = np.sin(np.arange(RATE) * 0.9)
    for gain in (0.003, 0.5):
        samples = np.concatenate([np.zeros(3 * RATE), gain * tone, np.zeros(RATE)]).astype(np.float32)
        assert decibels(levelled(samples, RATE)[3 * RATE : 4 * RATE]) == pytest.approx(LEVEL, abs=0.3)
    nothing = np.zeros(RATE, np.float32)
    assert np.array_equal(levelled(nothing, RATE), nothing)
    assert len(levelled(nothing[:0], RATE)) == 0


def test_noise_is_so_far_below_that_level_and_changes_after_some_recordings(mixer: Mixer) -> None:
    noise = np.random.default_rng(0).normal(0, 3, 10_000).astype(np.float32)
    assert decibels(at_level(noise, -40.0)) == pytest.approx(-40, abs=0.1)
    assert not at_level(np.zeros(9, np.float32), -10.0).any()
    over, random, quiet = any_noise(5.0), np.random.default_rng(1), np.zeros(4000, np.float32)
    levels = np.array([decibels(over(quiet, random)) for _ in range(30 * 8)]).reshape(30, 8)
    assert np.ptp(levels, axis=1).max() < 1e-3
    assert LEVEL - 50.1 < levels.min() < LEVEL - 40 < LEVEL - 10 < levels.max() < LEVEL - 4.9
    streams = [mixer.draw(np.random.default_rng(seed)).samples for seed in range(20)]
    quietest = [min(decibels(part) for part in np.array_split(samples, 160) if part.any()) for samples in streams]
    assert min(quietest) < -60 < LEVEL - 32 < max(quietest)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_coloured_noise_falls_as_it_should(slope: float) -> None:
    power = np.abs(np.fft.rfft(coloured(2**16, slope, np.random.default_rng(0)))) ** 2
    low, high = power[2000:2400].mean(), power[16_000:19_200].mean()
    assert 10 * np.log10(low / high) == pytest.approx(20 * slope * np.log10(8), abs=1.0)


def test_a_recording_of_noise_begins_again_where_it_ends() -> None:
    found = looped(np.arange(7, dtype=np.float32), 20, np.random.default_rng(3))
    assert ((np.diff(found) == 1) | (np.diff(found) == -6)).all()


def test_a_fade_changes_only_the_ends() -> None:
    sound = np.ones(RATE, np.float32)
    found = faded(sound, RATE)
    assert found[0] == found[-1] == 0
    assert (found[40:-40] == 1).all()
    assert len(faded(sound[:1], RATE)) == 1


def test_recordings_in_turn_are_whole_and_once() -> None:
    tone = 0.3 * np.sin(np.arange(RATE) * 0.9).astype(np.float32)
    word = np.concatenate([np.zeros(RATE // 2), tone, np.zeros(RATE // 2)]).astype(np.float32)
    turns = list(in_turn([(tone, False), (word, True), (tone, False)], RATE, np.random.default_rng(0), None))
    assert [turn.seconds for turn in turns] == [1.0, 2.0, 1.0]
    assert [turn.end is None for turn in turns] == [True, False, True]
    for turn, original in zip(turns, (tone, word, tone), strict=True):
        pause = len(turn.samples) - len(original)
        assert 0.2 <= pause / RATE <= 1.0
        assert not turn.samples[:pause].any()
        assert np.array_equal(turn.samples[pause + 100 : -100], original[100:-100])
    end = turns[1].end
    assert end is not None
    assert (end - (len(turns[1].samples) - len(word))) / RATE == pytest.approx(1.5, abs=0.05)
