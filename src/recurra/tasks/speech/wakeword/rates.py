"""How good a detector is: words missed and false alarms, with what so much sound can prove; and its threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.arrays import FloatArray
from recurra.tasks.speech.wakeword.detection import REST_SECONDS, Spotting, spot

EARLY_SECONDS, LATE_SECONDS = 0.3, 0.8
"""A detection from so long before a word's measured end to so long after it is of that word."""

LOGITS = np.arange(-3.0, 9.01, 0.1)
"""Thresholds that are tried, as log-odds."""

NORMAL_95 = 1.959964
"""The normal distribution has 95 % between this and its negative."""


@dataclass(frozen=True)
class Rates:
    """What a detector made of a stream of words and other sound.

    Attributes:
        words: in the stream.
        missed: of these.
        alarms: detections where no word was.
        hours: of other recordings in the stream; gaps between recordings do not count.
    """

    words: int
    missed: int
    alarms: int
    hours: float

    @property
    def misses(self) -> float:
        """Share of the words that were missed."""
        return self.missed / self.words if self.words else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of that share (Wilson 1927)."""
        return wilson(self.missed, self.words)

    @property
    def alarms_an_hour(self) -> float:
        """False alarms an hour of other recordings."""
        return self.alarms / self.hours if self.hours else math.nan

    @property
    def bound(self) -> float:
        """The largest number an hour that so few alarms leave possible, with 95 % confidence."""
        return poisson_bound(self.alarms) / self.hours if self.hours else math.inf

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "misses": self.misses,
            "misses_interval": list(self.interval),
            "words": self.words,
            "missed": self.missed,
            "false_alarms": self.alarms,
            "false_alarms_per_hour": self.alarms_an_hour,
            "false_alarms_bound": self.bound,
            "hours": self.hours,
        }

    def proved(self) -> str:
        """What the alarms prove, in a sentence."""
        minutes = f"{60 * self.hours:.1f} minutes of other recordings"
        if not self.hours:
            return "there were no recordings without the word: nothing is known of false alarms"
        return (
            f"{self.alarms} false alarm(s) in {minutes} prove no more than that there are fewer than {self.bound:.3g} "
            "an hour (95 %)"
        )


def wilson(count: int, total: int) -> tuple[float, float]:
    """95 % interval of a share of `count` among `total` (Wilson 1927, "Probable inference"); 0 to 1 of nothing."""
    if not total:
        return 0.0, 1.0
    share, z2 = count / total, NORMAL_95**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = NORMAL_95 / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return (max(0.0, middle - half) if count else 0.0), (min(1.0, middle + half) if count < total else 1.0)


def poisson_bound(count: int) -> float:
    """The mean of a Poisson distribution that gives `count` or fewer with a probability of 5 % only.

    Of 0 it is -ln 0.05, about 3: the rule of three.
    """
    low, high = 0.0, 10.0 + 3.0 * count
    while high - low > 1e-9 * high:
        mean = (low + high) / 2
        logs = [k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(count + 1)]
        if math.fsum(map(math.exp, logs)) > 0.05:
            low = mean
        else:
            high = mean
    return high


def judged(steps: Sequence[int], ends: Sequence[int], step_seconds: float) -> tuple[int, int]:
    """Words that were missed, and false alarms.

    Args:
        steps: of the detections, rising.
        ends: steps in which a word ended, rising.
        step_seconds: time of a step.
    """
    early, late = round(EARLY_SECONDS / step_seconds), round(LATE_SECONDS / step_seconds)
    free, missed = list(steps), 0
    for end in ends:
        hit = next((step for step in free if end - early <= step <= end + late), None)
        if hit is None:
            missed += 1
        else:
            free.remove(hit)
    return missed, len(free)


def rates(probabilities: FloatArray, ends: Sequence[int], hours: float, threshold: float, step_seconds: float) -> Rates:
    """How good a threshold is on a stream.

    Args:
        probabilities: of its steps, `(steps,)`.
        ends: steps in which a word ended.
        hours: of other recordings in it.
        threshold: of detections.
        step_seconds: time of a step.
    """
    ended = np.append(probabilities, np.float32(0))
    found, _ = spot(ended, Spotting(), threshold, round(REST_SECONDS / step_seconds))
    missed, alarms = judged([step for step, _ in found], ends, step_seconds)
    return Rates(len(ends), missed, alarms, hours)


def choose_threshold(
    probabilities: FloatArray, ends: Sequence[int], hours: float, allowed: float, step_seconds: float
) -> float:
    """The threshold for a rate of false alarms.

    It is the lowest from which on there are at most `allowed` an hour, moved up half-way to where the next word would
    be missed: that costs nothing here, and other sound may come nearer to the word than this.

    Args:
        probabilities: of the steps of a stream that was not trained on, `(steps,)`.
        ends: steps in which a word ended.
        hours: of other recordings in it.
        allowed: false alarms an hour.
        step_seconds: time of a step.
    """
    thresholds = 1 / (1 + np.exp(-LOGITS))
    found = [rates(probabilities, ends, hours, float(each), step_seconds) for each in thresholds]
    first = len(found) - 1
    while first and found[first - 1].alarms <= allowed * hours:
        first -= 1
    last = first
    while last + 1 < len(found) and found[last + 1].missed == found[first].missed:
        last += 1
    return float(1 / (1 + math.exp(-(LOGITS[first] + LOGITS[last]) / 2)))
