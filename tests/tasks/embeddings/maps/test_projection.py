"""Principal components are the eigenvectors of the covariance; groups are those of k-means."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.tasks.embeddings.maps.projection import clusters, principal
from recurra.tasks.embeddings.nearest import unit


def test_principal_components_are_eigenvectors_of_the_covariance() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 6)) * (5, 3, 2, 1, 1, 1) + 7
    found = principal(vectors)
    values, directions = np.linalg.eigh(np.cov(vectors.T, bias=True))
    np.testing.assert_allclose(found.explained, values[::-1][:2] / values.sum())
    np.testing.assert_allclose(np.abs(found.directions @ directions[:, ::-1][:, :2]), np.eye(2), atol=1e-9)
    points = found.project(vectors)
    np.testing.assert_allclose(points.var(axis=0), values[::-1][:2])
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-9)
    assert all(row[np.abs(row).argmax()] > 0 for row in found.directions)


@pytest.mark.parametrize(("vectors", "explained"), [(np.ones((4, 3)), (0, 0)), (np.arange(4.0)[:, None], (1, 0))])
def test_where_there_are_fewer_directions_the_rest_is_zero(vectors: np.ndarray, explained: tuple[float, ...]) -> None:
    found = principal(vectors)
    assert tuple(found.explained) == pytest.approx(explained)
    assert found.project(vectors).shape == (4, 2)


def test_groups_are_of_like_directions_the_largest_first() -> None:
    rng = np.random.default_rng(1)
    truth = np.repeat([0, 1, 2], [10, 30, 20])
    units = unit((5 * np.eye(6)[truth] + rng.normal(size=(60, 6)) * 0.4) * rng.uniform(0.1, 9, (60, 1)))
    for seed in range(5):
        groups = clusters(units, 3, np.random.default_rng(seed))
        assert (groups == np.array([2, 0, 1])[truth]).all()


def test_every_vector_is_in_the_group_whose_mean_direction_is_nearest() -> None:
    units = unit(np.random.default_rng(2).normal(size=(80, 5)))
    groups = clusters(units, 4, np.random.default_rng(0))
    means = unit(np.stack([units[groups == group].sum(axis=0) for group in range(groups.max() + 1)]))
    assert (groups == (units @ means.T).argmax(axis=1)).all()


def test_there_are_no_more_groups_than_different_vectors() -> None:
    units = np.repeat(np.eye(4)[:2], (3, 5), axis=0)
    assert clusters(units, 8, np.random.default_rng(0)).tolist() == [1] * 3 + [0] * 5
