"""t-SNE, exact (van der Maaten and Hinton 2008): points in the plane whose neighbours are those of the vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import DoubleArray, FloatArray
from recurra.kernels import jit
from recurra.progress import Bar, bar
from recurra.tasks.embeddings.maps.projection import principal

Floats = NDArray[np.floating]

PERPLEXITY = 30.0
"""Neighbours that a point counts with, about; fewer, where there are not three times as many points."""

ITERATIONS = 1500
"""Steps of gradient descent."""

LEARNING_RATE, MOMENTUM = 50.0, 0.8
"""Of the descent; the gradient has the paper's factor of 4 in it."""

START = 1e-4
"""Standard deviation of the first points."""

NOISE = 1e-5
"""Standard deviation of what is added to them: vectors that are equal, or on a line, would stay so otherwise."""

_MIN_GAIN = 0.01
_HALVINGS = 40
_ROWS = 256


@dataclass(frozen=True)
class Tsne:
    """What t-SNE comes to.

    Attributes:
        points: `(count, 2)`, their mean at zero.
        divergence: how far they are from having the neighbours of the vectors: Kullback-Leibler, nats, 0 at best.
    """

    points: DoubleArray
    divergence: float


def tsne(vectors: Floats, seed: int, perplexity: float = PERPLEXITY, iterations: int = ITERATIONS) -> Tsne:
    """Place vectors in the plane by t-SNE, beginning from their principal components.

    The paper exaggerates similarities at first, so that what a random beginning has put apart finds together. From
    principal components that is not needed: vectors of words end at a lower divergence without it.

    Time and memory are quadratic: 2,000 vectors take some seconds and 32 MB.

    Args:
        vectors: `(count, size)`, at least 3.
        seed: of the noise on the first points; the same one gives the same picture.
        perplexity: effective number of neighbours; brought down to a third of the others.
        iterations: steps of gradient descent.
    """
    similar = similarities(vectors, min(perplexity, (len(vectors) - 1) / 3))
    points = _first_points(vectors, np.random.default_rng(seed))
    gains, velocity = np.ones_like(points), np.zeros_like(points)
    with bar("t-SNE") as shown:
        for iteration in range(iterations):
            _descend(points, velocity, gains, gradient(similar, points))
            _tell(shown, iteration, iterations)
    exact = points.astype(np.float64)
    return Tsne(exact - exact.mean(axis=0), divergence(similar, exact))


def _tell(shown: Bar, iteration: int, iterations: int) -> None:
    if iteration % 20 == 0:
        shown.update(iteration / iterations)


def _descend(points: FloatArray, velocity: FloatArray, gains: FloatArray, slope: FloatArray) -> None:
    """One step, in place, with a gain for each coordinate (Jacobs 1988): up where the slope keeps its direction."""
    keeps = (slope > 0) != (velocity > 0)
    gains[:] = np.maximum(np.where(keeps, gains + np.float32(0.2), gains * np.float32(0.8)), np.float32(_MIN_GAIN))
    velocity[:] = np.float32(MOMENTUM) * velocity - np.float32(LEARNING_RATE) * gains * slope
    points += velocity


def _first_points(vectors: Floats, rng: np.random.Generator) -> FloatArray:
    """The first two principal components, small, and a little noise."""
    points = principal(vectors).project(vectors)
    points *= START / max(float(points[:, 0].std()), 1e-300)
    points += rng.normal(scale=NOISE, size=points.shape)
    return points.astype(np.float32)


def similarities(vectors: Floats, perplexity: float) -> FloatArray:
    """How similar vectors are: the joint probabilities p_ij of the paper's equations 1 and, symmetrised, of 3.1.

    Args:
        vectors: `(count, size)`.
        perplexity: 2 to the entropy, in bits, of the Gaussian around each point; below the number of other points.

    Returns:
        `(count, count)`, symmetric, zero on the diagonal, of sum one.
    """
    exact = vectors.astype(np.float64)
    squares = (exact**2).sum(axis=1)
    result = np.empty((len(exact), len(exact)), np.float32)
    for begin in range(0, len(exact), _ROWS):
        block = slice(begin, min(begin + _ROWS, len(exact)))
        distances = np.maximum(squares[block, None] + squares - 2 * exact[block] @ exact.T, 0)
        result[block] = _conditional(distances, begin, perplexity)
    result += result.T.copy()
    result /= result.sum(dtype=np.float64)
    return result


def _conditional(distances: DoubleArray, begin: int, perplexity: float) -> DoubleArray:
    """Equation 1 for rows from `begin` on, with the precisions, found by bisection, that give the perplexity.

    Distances count from the nearest other point and in units of their mean: neither changes what can be reached, and
    the precision is then in the same range whatever the vectors are.
    """
    rows = np.arange(len(distances))
    distances[rows, begin + rows] = np.inf
    distances -= distances.min(axis=1, keepdims=True)
    distances[rows, begin + rows] = 0
    distances /= np.maximum(distances.mean(axis=1, keepdims=True), 1e-300)
    distances[rows, begin + rows] = np.inf
    finite = np.where(np.isinf(distances), 0, distances)
    low, high = np.full((len(rows), 1), -20.0), np.full((len(rows), 1), 20.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        weights = np.exp(-np.exp(middle) * distances)
        total = weights.sum(axis=1, keepdims=True)
        entropy = np.log(total) + np.exp(middle) * (weights * finite).sum(axis=1, keepdims=True) / total
        wide = entropy > math.log(perplexity)
        low, high = np.where(wide, middle, low), np.where(wide, high, middle)
    conditional: DoubleArray = weights / total
    return conditional


@jit(fastmath=frozenset({"reassoc", "contract"}))
def gradient(similar: FloatArray, points: FloatArray) -> FloatArray:
    """The gradient of the Kullback-Leibler divergence (equation 5).

    In one pass over all pairs: the sum over which the q_ij are normalised is not known before its end, so what draws
    together and what drives apart are added up by themselves. `plain_gradient` says the same in five lines.

    Args:
        similar: as `similarities` gives them, `(count, count)`.
        points: `(count, 2)`.

    Returns:
        `(count, 2)`.
    """
    count = len(points)
    one = np.float32(1)
    x, y = points[:, 0].copy(), points[:, 1].copy()
    attracted, repelled = np.empty((count, 2), np.float32), np.empty((count, 2), np.float32)
    total = 0.0
    for i in range(count):
        row = similar[i]
        x_i, y_i = x[i], y[i]
        near = near_x = near_y = far_x = far_y = np.float32(0)
        for j in range(count):
            dx, dy = x_i - x[j], y_i - y[j]
            kernel = one / (one + dx * dx + dy * dy)
            pull, push = row[j] * kernel, kernel * kernel
            near += kernel
            near_x += pull * dx
            near_y += pull * dy
            far_x += push * dx
            far_y += push * dy
        attracted[i, 0], attracted[i, 1] = near_x, near_y
        repelled[i, 0], repelled[i, 1] = far_x, far_y
        total += float(near - one)
    return np.float32(4) * (attracted - repelled / np.float32(total))


def plain_gradient(similar: Floats, points: Floats) -> DoubleArray:
    """What `gradient` computes, as the equation has it, in float64."""
    kernel, apart = _kernel(points), points[:, None].astype(np.float64) - points
    q = kernel / kernel.sum()
    result: DoubleArray = 4 * (((similar - q) * kernel)[:, :, None] * apart).sum(axis=1)
    return result


def divergence(similar: Floats, points: Floats) -> float:
    """The Kullback-Leibler divergence, nats, that t-SNE makes small: of the q_ij from the p_ij."""
    kernel, kept = _kernel(points), similar > 0
    p, q = similar[kept].astype(np.float64), kernel[kept] / kernel.sum()
    return float((p * np.log(p / q)).sum())


def _kernel(points: Floats) -> DoubleArray:
    """The numerators of equation 4: Student's t-distribution of the distances of points, zero on the diagonal."""
    x, y = points.astype(np.float64).T
    kernel: DoubleArray = 1 / (1 + (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2)
    np.fill_diagonal(kernel, 0)
    return kernel
