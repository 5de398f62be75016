"""Recordings in turn through a detector, with where the words ended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from recurra.arrays import FloatArray
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.wakeword.detection import ProbabilityStream, samples_in_step
from recurra.tasks.speech.wakeword.streams import Overlay, in_turn


class MeasuredStream(NamedTuple):
    """A stream as a detector heard it.

    Attributes:
        probabilities: of its steps, `(steps,)`.
        ends: steps in which a word ended.
        hours: of recordings without the word.
    """

    probabilities: FloatArray
    ends: list[int]
    hours: float


def measured_stream(
    stream: ProbabilityStream,
    recordings: Iterable[tuple[FloatArray, bool]],
    config: Config,
    *,
    over: Overlay | None = None,
    seed: int = 0,
) -> MeasuredStream:
    """Recordings in turn, as one stream without end, through a detector; only one of them is in memory.

    Args:
        stream: fresh.
        recordings: samples of each, and whether it is the word.
        config: the detector's.
        over: adds noise, see `in_turn`.
        seed: of pauses and noise.
    """
    hop, position, seconds = samples_in_step(config), 0, 0.0
    probabilities, ends = [], list[int]()
    for turn in in_turn(recordings, config.features.rate, np.random.default_rng(seed), over):
        if turn.end is None:
            seconds += turn.seconds
        else:
            ends.append((position + turn.end) // hop)
        position += len(turn.samples)
        probabilities.append(stream.feed(turn.samples))
    probabilities.append(stream.finish())
    return MeasuredStream(np.concatenate(probabilities), ends, seconds / 3600)
