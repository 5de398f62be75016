"""Filter banks: the same in chunks as whole, against plain Fourier transforms, normalised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.speech.features import (
    PRIOR_FRAMES,
    FeatureOptions,
    FeatureStream,
    FilterBank,
    Normalization,
    RunningMean,
    normalized,
    stacked,
)

OPTIONS = FeatureOptions(rate=8000, mel_bands=12, stack=3, memory_seconds=0.2)


def sound(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, length).astype(np.float32)


def normalization(bands: int = 12) -> Normalization:
    rng = np.random.default_rng(1)
    return Normalization(rng.normal(10, 1, bands).astype(np.float32), rng.uniform(1, 3, bands).astype(np.float32))


@given(st.lists(st.integers(1, 1500), min_size=1, max_size=12), st.floats(0, 1))
def test_chunks_give_the_same_bits_as_the_whole(lengths: list[int], memory: float) -> None:
    options = FeatureOptions(rate=8000, mel_bands=12, stack=3, memory_seconds=memory)
    samples = sound(sum(lengths))
    whole, parts = FeatureStream(options, normalization()), FeatureStream(options, normalization())
    expected = np.concatenate([whole.feed(samples), whole.finish()])
    ends = np.cumsum(lengths)
    made = [parts.feed(samples[end - length : end]) for end, length in zip(ends, lengths, strict=True)]
    assert np.array_equal(np.concatenate([*made, parts.finish()]), expected)
    frames = FilterBank(options).feed(samples)
    assert np.array_equal(stacked(normalized(frames, options, normalization()), 3), expected)


def test_single_samples_too() -> None:
    samples = sound(700)
    bank = FilterBank(OPTIONS)
    made = np.concatenate([bank.feed(samples[index : index + 1]) for index in range(700)])
    assert np.array_equal(made, FilterBank(OPTIONS).feed(samples))
    assert len(made) == 1 + (700 - 200) // 80


def test_no_dither_is_added() -> None:
    assert np.array_equal(FilterBank(OPTIONS).feed(sound(2000)), FilterBank(OPTIONS).feed(sound(2000)))
    silent = FilterBank(OPTIONS).feed(np.zeros(2000, np.float32))
    assert np.array_equal(silent, np.broadcast_to(silent[0, 0], silent.shape))


@pytest.mark.parametrize("pitch", [300.0, 1000.0, 3000.0])
def test_a_tone_is_loudest_in_the_band_around_it(pitch: float) -> None:
    tone = np.sin(2 * np.pi * pitch * np.arange(4000) / 8000).astype(np.float32)
    frames = FilterBank(OPTIONS).feed(tone)
    mel = 1127 * np.log1p(np.array([20.0, 4000.0, pitch]) / 700)
    band = (mel[2] - mel[0]) / (mel[1] - mel[0]) * 13 - 1  # centres of bands are 1 to 12 of 13 equal parts in mel
    assert abs(int(frames.mean(axis=0).argmax()) - band) < 0.6


def test_ten_times_the_amplitude_is_ln_100_more() -> None:
    quiet, loud = (FilterBank(OPTIONS).feed(sound(4000) * scale) for scale in (0.05, 0.5))
    np.testing.assert_allclose(loud - quiet, np.log(100), atol=1e-3)


def test_the_running_mean_is_the_mean_so_far_and_then_forgets() -> None:
    options = FeatureOptions(memory_seconds=0.2, step_ms=10.0)  # 20 frames
    frames = np.random.default_rng(3).normal(5, 2, (60, 4)).astype(np.float32)
    start = np.full(4, 9.0, np.float32)
    mean, expected = start.astype(float), []
    for number, frame in enumerate(frames):
        mean = mean + (frame - mean) / min(PRIOR_FRAMES + 1 + number, 20)
        expected.append(frame - mean)
    np.testing.assert_allclose(RunningMean(start, options).take_off(frames), expected, atol=1e-4)
    early = (PRIOR_FRAMES * start + frames[:10].sum(axis=0)) / (PRIOR_FRAMES + 10)
    np.testing.assert_allclose(expected[9], frames[9] - early, atol=1e-4)


def test_without_a_memory_the_training_mean_is_taken_off() -> None:
    options = FeatureOptions(memory_seconds=0.0)
    frames = np.random.default_rng(3).normal(5, 2, (9, 4)).astype(np.float32)
    start = np.arange(4, dtype=np.float32)
    np.testing.assert_array_equal(RunningMean(start, options).take_off(frames), frames - start)


def test_the_last_step_is_filled_with_its_last_frame() -> None:
    frames = np.arange(10, dtype=np.float32).reshape(5, 2)
    assert stacked(frames, 3).tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 8, 9]]
    assert stacked(frames[:0], 3).shape == (0, 6)
