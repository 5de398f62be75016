"""Which steps are detections, chunk by chunk as in one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.speech.audio import SILENCE
from recurra.tasks.speech.config import Config, resolve, with_preset
from recurra.tasks.speech.features import Normalization
from recurra.tasks.speech.networks import CtcNetwork
from recurra.tasks.speech.wakeword.detection import (
    HEARD_SECONDS,
    ProbabilityStream,
    Spotting,
    _Loudness,
    samples_in_step,
    spot,
)

PROBABILITIES = st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.6, 0.6, 0.9, 1.0]), max_size=40)


def all_of(probabilities: list[float], threshold: float, rest: int) -> list[tuple[int, float]]:
    """Detections of a whole stream."""
    return spot(np.array([*probabilities, 0.0], np.float64), Spotting(), threshold, rest)[0]


def plain(probabilities: list[float], threshold: float, rest: int) -> list[tuple[int, float]]:
    """The same by looking for each detection from where the last one allows it."""
    found, begin = [], 0
    while True:
        above = [step for step in range(begin, len(probabilities)) if probabilities[step] >= threshold]
        if not above:
            return found
        step = above[0]
        while step + 1 < len(probabilities) and probabilities[step + 1] > probabilities[step]:
            step += 1
        found.append((step, probabilities[step]))
        begin = max(step + rest, step + 2)


@given(PROBABILITIES, st.sampled_from([0.2, 0.55, 1.0]), st.integers(2, 9))
def test_detections_are_where_the_probability_stops_rising(
    probabilities: list[float], threshold: float, rest: int
) -> None:
    assert all_of(probabilities, threshold, rest) == plain(probabilities, threshold, rest)


@given(PROBABILITIES, st.lists(st.integers(0, 40), max_size=4), st.integers(2, 9))
def test_chunks_are_the_whole(probabilities: list[float], cuts: list[int], rest: int) -> None:
    values, state, found = np.array([*probabilities, 0.0]), Spotting(), []
    for chunk in np.split(values, sorted(min(cut, len(values)) for cut in cuts)):
        part, state = spot(chunk, state, 0.55, rest)
        found += part
    assert found == all_of(probabilities, 0.55, rest)


@pytest.mark.parametrize(("apart", "count"), [(9, 1), (10, 2)])
def test_a_word_is_not_counted_twice(apart: int, count: int) -> None:
    probabilities = [0.0] * 30
    probabilities[3] = probabilities[3 + apart] = 0.9
    assert len(all_of(probabilities, 0.5, 10)) == count


@pytest.mark.parametrize("options", [{"rate": 11_025}, {"rate": 8000, "step_ms": 12.5, "window_ms": 5.0, "stack": 2}])
def test_what_is_kept_of_a_stream_does_not_grow(options: dict[str, Any]) -> None:
    config = Config(**options, detect="a", mel_bands=6, hidden_size=4, num_layers=1, steps=1)
    config = resolve(with_preset(config, False), 60.0)
    network = CtcNetwork(2, config)
    stream = ProbabilityStream(network, config, Normalization(np.full(6, 8, np.float32), np.ones(6, np.float32)))
    random, steps = np.random.default_rng(0), 0
    for _ in range(30):
        steps += len(stream.feed(random.normal(0, 0.1, 30_001).astype(np.float32)))
        assert len(stream._loudness._since) <= 3
        assert len(stream._loudness._rest) < samples_in_step(config)
    assert steps == pytest.approx(30 * 30_001 / samples_in_step(config), abs=2)


def test_what_is_heard_is_heard_for_a_while() -> None:
    config = with_preset(Config(rate=8000, stack=1, detect="a"), False)  # a step is 10 ms
    loudness = _Loudness(config)
    samples = np.zeros(4 * 8000, np.float32)
    samples[8000] = 2 * SILENCE
    loudness.feed(samples)
    heard = loudness.heard(400)
    assert np.flatnonzero(heard).tolist() == list(range(101, 101 + round(HEARD_SECONDS / 0.01)))
