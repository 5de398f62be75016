"""How good a classifier is: what it gets right, class by class, and whether its probabilities mean what they say.

Shapes: N examples, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import BoolArray, DoubleArray, IntArray
from recurra.errors import NOT_NUMBERS, RecurraError

BINS = 15
"""Bins of equal width that confidences are sorted into, as in Guo et al. 2017."""

DRAWS = 1000
"""Times that labels are drawn to see what calibration error chance alone makes."""

TEMPERATURES = (0.05, 20.0)
"""Between these a temperature is looked for."""

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class ClassScore:
    """How well one class is found.

    Attributes:
        precision: of the examples that were given this class, the share that has it; 0 if none were given it.
        recall: of those that have it, the share that was given it; 0 if none have it.
        f1: the harmonic mean of the two.
        count: examples that have it.
    """

    precision: float
    recall: float
    f1: float
    count: int


@dataclass(frozen=True)
class Bin:
    """The examples whose answer has a probability above `low`, but not above `high`.

    Attributes:
        low: where the bin begins.
        high: where it ends.
        count: examples in it.
        confidence: the mean probability of their answers; 0 without examples.
        accuracy: the share of their answers that is right; 0 without examples.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Scores:
    """How good a classifier is.

    Attributes:
        accuracy: share of answers that are right.
        nats: mean -log p of the right class, nats.
        ece: expected calibration error, see `calibration_error`.
        ece_range: see `calibrated_range`.
        macro_f1: mean F1 of the classes that the examples have.
        count: examples.
        classes: each by itself, (C).
        confusion: how often each class, a row, was given each class, a column, `(C, C)`.
        bins: by the probability of the answer.
    """

    accuracy: float
    nats: float
    ece: float
    ece_range: tuple[float, float]
    macro_f1: float
    count: int
    classes: list[ClassScore]
    confusion: IntArray
    bins: list[Bin]


def measure(probabilities: Floats, labels: IntArray) -> Scores:
    """Compare a classifier's probabilities with the right classes; its answer is the most probable one.

    Args:
        probabilities: of each class, `(N, C)`; at least one example.
        labels: the right classes, `(N,)`.

    Raises:
        RecurraError: if a probability is not a number.
    """
    if not np.isfinite(probabilities).all():
        raise RecurraError(NOT_NUMBERS)
    answers = probabilities.argmax(axis=1)  # (N,)
    confidences = probabilities.max(axis=1).astype(np.float64)  # (N,)
    confusion = confusion_matrix(answers, labels, probabilities.shape[1])
    classes = class_scores(confusion)
    bins = reliability(confidences, answers == labels)
    right = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return Scores(
        accuracy=float((answers == labels).mean()),
        nats=float(-np.log(np.maximum(right, np.finfo(np.float64).tiny)).mean()),
        ece=calibration_error(bins),
        ece_range=calibrated_range(confidences),
        macro_f1=float(np.mean([score.f1 for score in classes if score.count])),
        count=len(labels),
        classes=classes,
        confusion=confusion,
        bins=bins,
    )


def confusion_matrix(answers: IntArray, labels: IntArray, classes: int) -> IntArray:
    """How often each right class, a row, was given each answer, a column, `(C, C)`."""
    counts = np.bincount(labels * classes + answers, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def class_scores(confusion: IntArray) -> list[ClassScore]:
    """Precision, recall and F1 of each class of a confusion matrix."""

    def score(label: int) -> ClassScore:
        found, given, there = (
            int(n) for n in (confusion[label, label], confusion[:, label].sum(), confusion[label].sum())
        )
        return ClassScore(found / max(given, 1), found / max(there, 1), 2 * found / max(given + there, 1), there)

    return [score(label) for label in range(len(confusion))]


def bin_numbers(confidences: DoubleArray) -> IntArray:
    """The bin of each confidence, from 0; each bin holds its upper end."""
    return np.clip(np.ceil(confidences * BINS).astype(np.int64) - 1, 0, BINS - 1)


def reliability(confidences: DoubleArray, right: BoolArray) -> list[Bin]:
    """The answers sorted into bins by their probability.

    Args:
        confidences: the probability of each answer, `(N,)`.
        right: whether it is the right one, `(N,)`.
    """
    numbers = bin_numbers(confidences)
    counts = np.bincount(numbers, minlength=BINS)
    sums = np.bincount(numbers, confidences, BINS), np.bincount(numbers, right.astype(np.float64), BINS)
    means = [total / np.maximum(counts, 1) for total in sums]
    return [
        Bin(number / BINS, (number + 1) / BINS, int(counts[number]), float(means[0][number]), float(means[1][number]))
        for number in range(BINS)
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error (Guo et al. 2017, arXiv 1706.04599, equation 3): how far, on average over the
    examples, the accuracy of a bin is from its mean confidence.
    """
    total = sum(part.count for part in bins)
    return sum(part.count * abs(part.accuracy - part.confidence) for part in bins) / max(total, 1)


def calibrated_range(confidences: DoubleArray, draws: int = DRAWS, seed: int = 0) -> tuple[float, float]:
    """Where 95 % of the calibration errors lie if these confidences are exactly right.

    A model that is perfectly calibrated has an error too, since a bin's accuracy is that of finitely many examples.
    Whether each answer is right is drawn with the probability that it has.

    Args:
        confidences: the probability of each answer, `(N,)`.
        draws: how often.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    order = np.argsort(confidences, kind="stable")
    confidences = confidences[order]
    begins = np.flatnonzero(np.diff(bin_numbers(confidences), prepend=-1))  # of the bins that are not empty
    expected = np.add.reduceat(confidences, begins)
    errors = np.empty(draws)
    for draw in range(draws):
        right = generator.random(len(confidences)) < confidences
        found = np.add.reduceat(right.astype(np.float64), begins)
        errors[draw] = np.abs(found - expected).sum() / len(confidences)
    low, high = np.quantile(errors, (0.025, 0.975))
    return float(low), float(high)


def fit_temperature(logits: Floats, labels: IntArray) -> float:
    """The temperature that makes the right classes most probable (Guo et al. 2017, section 4.2).

    The mean -log p of softmax(logits / T) is convex in 1 / T; where it is lowest is found by halving an interval by the
    sign of its derivative. N examples, even if all answers are right, do not show that the next one is: as in Platt
    1999 (section 2.2) each counts as if it had its class with probability (N + 1) / (N + C), and any other with
    1 / (N + C).

    Args:
        logits: `(N, C)`.
        labels: the right classes, `(N,)`.

    Returns:
        T, between the `TEMPERATURES`.

    Raises:
        RecurraError: if a logit is not a number.
    """
    if not np.isfinite(logits).all():
        raise RecurraError(NOT_NUMBERS)
    logits = logits.astype(np.float64)
    logits = logits - logits.max(axis=1, keepdims=True)
    count, classes = logits.shape
    right = (count * logits[np.arange(count), labels] + logits.sum(axis=1)) / (count + classes)
    low, high = np.log(1 / TEMPERATURES[1]), np.log(1 / TEMPERATURES[0])
    for _ in range(50):
        middle = (low + high) / 2
        expected = (softmax(logits * np.exp(middle)) * logits).sum(axis=1)
        if (expected - right).mean() < 0:
            low = middle
        else:
            high = middle
    return float(np.exp(-(low + high) / 2))


def softmax(logits: Floats) -> DoubleArray:
    """Probabilities of logits `(N, C)`."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]
