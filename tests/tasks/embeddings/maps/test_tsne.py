"""t-SNE is what its paper says: its similarities, its gradient, and points that keep the neighbours of the vectors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recurra.tasks.embeddings.maps import tsne as module
from recurra.tasks.embeddings.maps.tsne import divergence, gradient, plain_gradient, similarities, tsne


def random_similarities(count: int, rng: np.random.Generator) -> np.ndarray:
    weights = rng.random((count, count)).astype(np.float32)
    weights += weights.T
    np.fill_diagonal(weights, 0)
    return weights / weights.sum()


def squared_distances(vectors: np.ndarray) -> np.ndarray:
    return ((vectors[:, None] - vectors) ** 2).sum(axis=-1)


def three_groups(each: int = 15) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(3), each)
    return 10 * np.eye(8)[groups] + rng.normal(size=(3 * each, 8)), groups


@pytest.mark.parametrize(("perplexity", "scale"), [(2.0, 1.0), (5.0, 1e-3), (12.0, 1e4)])
def test_conditional_similarities_are_gaussian_and_have_the_perplexity(perplexity: float, scale: float) -> None:
    vectors = scale * np.random.default_rng(1).normal(size=(40, 6))
    distances = squared_distances(vectors)
    conditional = module._conditional(distances.copy(), 0, perplexity)
    assert (np.diagonal(conditional) == 0).all()
    for own, row in enumerate(conditional):
        others = np.arange(40) != own
        p, squares = row[others], distances[own][others]
        assert -(p * np.log(np.maximum(p, 1e-300))).sum() == pytest.approx(math.log(perplexity), abs=1e-6)
        kept = p > 1e-12  # where the logarithm is a line in the squared distance, the density is a Gaussian
        line = np.polyfit(squares[kept] / scale**2, np.log(p[kept]), 1)
        np.testing.assert_allclose(np.polyval(line, squares[kept] / scale**2), np.log(p[kept]), atol=1e-5)
        assert line[0] < 0


def test_joint_similarities_are_the_symmetrised_conditional_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.random.default_rng(2).normal(size=(30, 5))
    conditional = module._conditional(squared_distances(vectors), 0, 4.0)
    for rows in (7, 256):  # worked out in blocks of so many
        monkeypatch.setattr(module, "_ROWS", rows)
        joint = similarities(vectors, 4.0)
        np.testing.assert_allclose(joint, (conditional + conditional.T) / 60, atol=1e-7)
        assert joint.sum() == pytest.approx(1, abs=1e-5)


def test_the_compiled_gradient_is_the_plain_one() -> None:
    rng = np.random.default_rng(3)
    similar = random_similarities(37, rng)
    points = rng.normal(size=(37, 2)).astype(np.float32)
    np.testing.assert_allclose(gradient(similar, points), plain_gradient(similar, points), atol=2e-7)


def test_the_plain_gradient_is_that_of_the_divergence() -> None:
    rng = np.random.default_rng(4)
    similar, points = random_similarities(9, rng).astype(np.float64), rng.normal(size=(9, 2))
    slope = np.zeros_like(points)
    for place in np.ndindex(*points.shape):
        step = np.zeros_like(points)
        step[place] = 1e-5
        slope[place] = (divergence(similar, points + step) - divergence(similar, points - step)) / 2e-5
    np.testing.assert_allclose(plain_gradient(similar, points), slope, atol=1e-7)


def test_the_divergence_falls_and_is_that_of_the_points() -> None:
    vectors, _ = three_groups()
    similar = similarities(vectors, 10.0)
    runs = [tsne(vectors, 1, 10.0, iterations) for iterations in (1, 300, 1500)]
    assert [run.divergence for run in runs] == pytest.approx([divergence(similar, run.points) for run in runs])
    assert runs[0].divergence > runs[1].divergence > 0
    assert runs[2].divergence <= runs[1].divergence + 1e-3
    assert runs[2].divergence < 0.5 * runs[0].divergence
    np.testing.assert_allclose(runs[2].points.mean(axis=0), 0, atol=1e-9)
    assert np.abs(gradient(similar, runs[2].points.astype(np.float32))).max() < 1e-4, "a minimum"


def test_what_is_apart_stays_apart() -> None:
    vectors, groups = three_groups()
    distances = squared_distances(tsne(vectors, 1).points)
    same = groups[:, None] == groups
    assert distances[same].max() < distances[~same].min()


def test_neighbours_are_kept() -> None:
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(60), np.zeros(60)], axis=1)
    distances = squared_distances(tsne(ring, 1, 5.0).points)
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1)[:, :2]
    beside = (nearest - np.arange(60)[:, None]) % 60
    assert np.isin(beside, (1, 59)).mean() > 0.9


def test_the_seed_makes_the_picture() -> None:
    vectors, _ = three_groups()
    first, again, other = (tsne(vectors, seed, iterations=300).points for seed in (1, 1, 2))
    assert (first == again).all()
    assert not (first == other).all()


@pytest.mark.parametrize(
    "vectors",
    [np.eye(3), np.ones((7, 4)), np.arange(8.0)[:, None], np.repeat(np.eye(4), 3, axis=0)],
    ids=["three", "all-equal", "one-dimension", "equal-in-threes"],
)
def test_few_equal_or_flat_vectors_have_places_too(vectors: np.ndarray) -> None:
    placed = tsne(vectors, 1)
    assert np.isfinite(placed.points).all()
    assert math.isfinite(placed.divergence)
    assert len(np.unique(placed.points, axis=0)) == len(vectors), "none on another"
