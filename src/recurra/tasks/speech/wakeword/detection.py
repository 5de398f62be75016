"""Sound as it comes to the moments at which a word has ended, chunk by chunk, in bounded memory."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from recurra.arrays import BoolArray, FloatArray
from recurra.tasks.speech.audio import SILENCE
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.features import FeatureStream, Normalization
from recurra.tasks.speech.listening import Hearing

WORD = 1
"""The number of the word among what a detector tells apart; 0 is everything else."""

REST_SECONDS = 1.0
"""After a detection there is no other for so long: a word is not counted twice."""

HEARD_SECONDS = 1.5
"""There is no word where nothing was louder than -80 dB for so long."""

_FLOOR = np.random.default_rng(0).normal(0, 10 ** (-70 / 20), 2**15).astype(np.float32)


class Detection(NamedTuple):
    """A word that was heard.

    Attributes:
        word: which one.
        seconds: when it had just ended, from the beginning of the recording.
        probability: that it was the word, by the model; the highest around that moment.
    """

    word: str
    seconds: float
    probability: float

    def values(self) -> dict[str, Any]:
        """What was heard, as JSON values."""
        return self._asdict() | {"probability": round(self.probability, 5)}


class Spotting(NamedTuple):
    """How far a stream of probabilities has been looked through.

    Attributes:
        step: of the next probability.
        peak: the highest probability since they rose above the threshold; 0 if they are not above it.
        peak_step: where it was.
        rested: from this step on there may be a detection.
    """

    step: int = 0
    peak: float = 0.0
    peak_step: int = 0
    rested: int = 0


def spot(
    probabilities: FloatArray, state: Spotting, threshold: float, rest: int
) -> tuple[list[tuple[int, float]], Spotting]:
    """The steps at which the probability reaches the threshold and stops rising, each with its probability.

    Args:
        probabilities: of the next steps of a stream, `(steps,)`.
        state: what came before.
        threshold: above 0.
        rest: steps from a detection to the next, at least.

    Returns:
        the detections, and the state to go on with.
    """
    step, peak, peak_step, rested = state
    found = []
    for probability in probabilities.tolist():
        if peak and probability <= peak:
            found.append((peak_step, peak))
            peak, rested = 0.0, peak_step + rest
        elif probability >= threshold and step >= rested:
            peak, peak_step = probability, step
        step += 1
    return found, Spotting(step, peak, peak_step, rested)


def with_floor(samples: FloatArray, begin: int) -> FloatArray:
    """Samples `(samples,)` with noise at -70 dB, always the same.

    Nothing at all between two recordings is so far below the faintest sound, in decibels, that a network would hear
    little else; in training, in files and from a microphone this is the quiet.

    Args:
        samples: of a stream.
        begin: how many came before them.
    """
    places = np.arange(begin, begin + len(samples)) % len(_FLOOR)
    return np.asarray(np.asarray(samples, np.float32) + _FLOOR[places])


class ProbabilityStream:
    """Samples in, for each step the probability that the word has just ended out; one chunk or many give the same.

    Args:
        network: a detector's.
        config: its own.
        normalization: of its features.
    """

    def __init__(self, network: Hearing, config: Config, normalization: Normalization) -> None:
        self._network = network
        self._features = FeatureStream(config.features, normalization)
        self._state: Any = None
        self._loudness = _Loudness(config)
        self._samples = 0

    def feed(self, samples: FloatArray) -> FloatArray:
        """The probabilities of the steps that these samples, at the model's rate, complete, `(steps,)`."""
        self._loudness.feed(samples)
        begin, self._samples = self._samples, self._samples + len(samples)
        return self._advance(self._features.feed(with_floor(samples, begin)))

    def finish(self) -> FloatArray:
        """The probability of the last step, after the last samples; `(1,)` or `(0,)`."""
        return self._advance(self._features.finish())

    def _advance(self, steps: FloatArray) -> FloatArray:
        if not len(steps):
            return np.zeros(0, np.float32)
        log_probs, self._state = self._network.hear_on(steps, self._state)
        probabilities: FloatArray = np.exp(log_probs[:, WORD])
        return np.where(self._loudness.heard(len(steps)), probabilities, np.float32(0))


def samples_in_step(config: Config) -> int:
    """Samples from a step of the network to the next, as the filter banks count them."""
    options = config.features
    return options.stack * int(options.rate * options.step_ms / 1000)


class _Loudness:
    """Whether anything was heard shortly before each step, whatever the sizes of the chunks."""

    def __init__(self, config: Config) -> None:
        self._hop = samples_in_step(config)
        self._reach = math.ceil(HEARD_SECONDS / config.features.step_seconds)
        self._rest = np.zeros(0, np.float32)
        self._last = self._reach
        self._since = [self._last]  # steps since something was heard before it, of the next steps as far as known

    def feed(self, samples: FloatArray) -> None:
        samples = np.concatenate([self._rest, np.asarray(samples, np.float32)])
        whole = len(samples) // self._hop * self._hop
        self._rest = samples[whole:]
        for loudest in np.abs(samples[:whole]).reshape(-1, self._hop).max(axis=1, initial=0).tolist():
            self._last = 0 if loudest >= SILENCE else self._last + 1
            self._since.append(self._last)

    def heard(self, count: int) -> BoolArray:
        """For each of the next steps, `(count,)`; the samples before them were fed."""
        known, self._since = self._since[:count], self._since[count:]
        return np.array(known) < self._reach


class Detector:
    """A recording as it comes: samples in, detections out as soon as the probability stops rising.

    Args:
        probabilities: of its steps.
        word: which one is detected.
        threshold: probability from which on it is.
        step_seconds: time of a step.
    """

    def __init__(self, probabilities: ProbabilityStream, word: str, threshold: float, step_seconds: float) -> None:
        self._probabilities = probabilities
        self._word = word
        self._threshold = threshold
        self._step_seconds = step_seconds
        self._state = Spotting()

    def feed(self, samples: FloatArray) -> list[Detection]:
        """What these samples, at the model's rate, bring."""
        return self._spotted(self._probabilities.feed(samples))

    def finish(self) -> list[Detection]:
        """The rest, after the last samples."""
        return self._spotted(np.append(self._probabilities.finish(), np.float32(0)))

    def _spotted(self, probabilities: FloatArray) -> list[Detection]:
        rest = round(REST_SECONDS / self._step_seconds)
        found, self._state = spot(probabilities, self._state, self._threshold, rest)
        return [Detection(self._word, round((step + 1) * self._step_seconds, 3), p) for step, p in found]
