"""Scores of a classifier against plain counting, and calibration against what is known of it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from recurra.errors import RecurraError
from recurra.evaluation import classification as module
from recurra.evaluation.classification import (
    BINS,
    calibrated_range,
    calibration_error,
    confusion_matrix,
    fit_temperature,
    measure,
    reliability,
    softmax,
)
from recurra.explain.classification import draw_scores


def drawn(seed: int, count: int, classes: int, sharpness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn with the probabilities of `sharpness` times the logits."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, classes))
    labels = [int(rng.choice(classes, p=row)) for row in softmax(sharpness * logits)]
    return logits, np.array(labels)


class TestFigures:
    @given(st.integers(0, 10**6), st.integers(1, 40), st.integers(2, 5))
    def test_equal_plain_counting(self, seed: int, count: int, classes: int) -> None:
        logits, labels = drawn(seed, count, classes)
        probabilities = softmax(logits)
        answers = [max(range(classes), key=lambda c: row[c]) for row in probabilities]
        scores = measure(probabilities, labels)
        pairs = list(zip(labels.tolist(), answers, strict=True))
        assert scores.count == count
        assert scores.accuracy == pytest.approx(sum(a == b for a, b in pairs) / count)
        nats = [-math.log(row[label]) for row, label in zip(probabilities, labels, strict=True)]
        assert scores.nats == pytest.approx(sum(nats) / count)
        f1s = []
        for label, score in enumerate(scores.classes):
            both = pairs.count((label, label))
            given_it, have_it = answers.count(label), labels.tolist().count(label)
            assert score.count == have_it
            assert score.precision == (both / given_it if given_it else 0)
            assert score.recall == (both / have_it if have_it else 0)
            wrong = given_it + have_it - 2 * both
            f1 = 2 * both / (2 * both + wrong) if both + wrong else 0.0
            assert score.f1 == pytest.approx(f1)
            f1s += [f1] if have_it else []
            assert scores.confusion[label].tolist() == [pairs.count((label, other)) for other in range(classes)]
        assert scores.macro_f1 == pytest.approx(sum(f1s) / len(f1s))

    def test_a_right_answer_of_no_probability_is_a_number_still(self) -> None:
        scores = measure(np.array([[1.0, 0.0]]), np.array([1]))
        assert math.isfinite(scores.nats)
        assert scores.nats > 700

    def test_what_is_no_number_is_refused(self) -> None:
        for refused in (lambda bad: measure(bad, np.array([0])), lambda bad: fit_temperature(bad, np.array([0]))):
            with pytest.raises(RecurraError, match="are not numbers"):
                refused(np.array([[math.nan, 1.0]]))


class TestCalibrationError:
    @given(st.integers(0, 10**6), st.integers(1, 60))
    def test_equals_the_definition(self, seed: int, count: int) -> None:
        rng = np.random.default_rng(seed)
        confidences = rng.choice([rng.random(), 7 / BINS, 1.0, 1e-9], size=count) * rng.choice([1.0, 0.5], size=count)
        right = rng.random(count) < 0.6
        expected = 0.0
        for number in range(BINS):
            low, high = number / BINS, (number + 1) / BINS
            inside = [index for index, c in enumerate(confidences) if low < c <= high]
            if inside:
                accuracy = sum(bool(right[index]) for index in inside) / len(inside)
                confidence = sum(confidences[index] for index in inside) / len(inside)
                expected += len(inside) / count * abs(accuracy - confidence)
                assert reliability(confidences, right)[number].count == len(inside)
        assert calibration_error(reliability(confidences, right)) == pytest.approx(expected)

    def test_the_range_is_that_of_labels_drawn_from_the_probabilities(self) -> None:
        logits, _ = drawn(1, 300, 3)
        probabilities = softmax(logits)
        rng = np.random.default_rng(5)
        errors = []
        for _ in range(400):  # whole labels drawn, not only whether the answer is right
            labels = (probabilities.cumsum(axis=1) > rng.random((300, 1))).argmax(axis=1)
            right = labels == probabilities.argmax(axis=1)
            errors.append(calibration_error(reliability(probabilities.max(axis=1), right)))
        low, high = calibrated_range(probabilities.max(axis=1))
        assert low == pytest.approx(np.quantile(errors, 0.025), abs=0.006)
        assert high == pytest.approx(np.quantile(errors, 0.975), abs=0.006)
        assert calibrated_range(probabilities.max(axis=1)) == (low, high)

    def test_the_more_examples_the_smaller_it_is(self) -> None:
        few, many = (calibrated_range(np.full(count, 0.7), draws=200)[1] for count in (100, 10_000))
        assert many == pytest.approx(few / 10, rel=0.3)

    def test_too_sure_a_model_is_out_of_the_range(self) -> None:
        logits, labels = drawn(2, 500, 2)
        assert measure(softmax(4 * logits), labels).ece > 2 * measure(softmax(4 * logits), labels).ece_range[1]


class TestTemperature:
    @given(st.integers(0, 10**6), st.integers(2, 60), st.integers(2, 5), st.sampled_from([0.3, 1.0, 3.0]))
    def test_is_where_nats_are_lowest(self, seed: int, count: int, classes: int, scale: float) -> None:
        logits, labels = drawn(seed, count, classes)
        logits = (scale * logits).astype(np.float32)

        def nats(log_temperature: float) -> float:
            scaled = logits.astype(np.float64) / math.exp(log_temperature)
            costs = np.log(np.exp(scaled).sum(axis=1, keepdims=True)) - scaled  # -log p of every class
            targets = (count * np.eye(classes)[labels] + 1) / (count + classes)
            return float((targets * costs).sum(axis=1).mean())

        low, high = map(math.log, module.TEMPERATURES)
        best = minimize_scalar(nats, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
        found = fit_temperature(logits, labels)
        assert module.TEMPERATURES[0] * (1 - 1e-9) <= found <= module.TEMPERATURES[1] * (1 + 1e-9)
        assert nats(math.log(found)) <= best.fun + 1e-6

    def test_undoes_a_scale(self) -> None:
        logits, labels = drawn(3, 20_000, 3)
        assert fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.05)

    def test_answers_that_are_all_right_are_trusted_as_far_as_their_number_goes(self) -> None:
        """Laplace's rule: N right answers give the next one a probability of (N + 1) / (N + 2)."""
        for count in (2, 100, 2000):
            labels = np.arange(count) % 2
            logits = 3.0 * np.eye(2)[labels]
            sure = softmax(logits / fit_temperature(logits, labels))[0, labels[0]]
            assert sure == pytest.approx((count + 1) / (count + 2), abs=1e-4)

    def test_ends_at_a_bound_where_there_is_no_best(self) -> None:
        logits = np.array([[0.01, 0.0], [0.0, 0.01]] * 100)
        assert fit_temperature(logits, np.array([0, 1] * 100)) == pytest.approx(module.TEMPERATURES[0])
        assert fit_temperature(logits, np.array([1, 0] * 100)) == pytest.approx(module.TEMPERATURES[1])


@pytest.mark.parametrize("classes", [2, 13, 45])
def test_the_picture_shows_the_scores(classes: int, tmp_path: Path) -> None:
    logits, labels = drawn(4, 200, classes)
    names = ["$x_1", "_", *(f"a label with a name of some length, {number}" for number in range(2, classes))]
    for name, sharp in (("a.png", 1.0), ("b.png", 1.0), ("c.png", 3.0)):
        draw_scores(measure(softmax(sharp * logits), labels), names, tmp_path / name)
    first, again, other = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert first.startswith(b"\x89PNG")
    assert first == again != other


def test_a_confusion_matrix_knows_rows_from_columns() -> None:
    assert confusion_matrix(np.array([1, 1, 0]), np.array([0, 0, 0]), 2).tolist() == [[1, 2], [0, 0]]
