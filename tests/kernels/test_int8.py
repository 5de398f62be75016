"""Weights of eight bits: none is off by more than half a step, and the product is NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.arrays import FloatArray
from recurra.kernels.int8 import Int8Matrix, add_scaled_product, add_scaled_product_reference


def normal(*shape: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@given(st.integers(0, 70), st.integers(0, 70), st.integers(0, 1000))
def test_the_product_is_the_references(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.integers(-127, 128, (rows, columns)).astype(np.int8)
    inputs, scale, out = normal(columns, seed=seed), normal(rows, seed=seed + 1), normal(rows, seed=seed + 2)
    expected = add_scaled_product_reference(inputs, weight, scale, out)
    add_scaled_product(inputs, weight, scale, out)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-3)


@given(st.integers(1, 9), st.integers(0, 20), st.integers(0, 1000), st.sampled_from([1e-30, 1.0, 1e30]))
def test_no_weight_is_off_by_more_than_half_a_step_of_its_row(rows: int, columns: int, seed: int, size: float) -> None:
    weight = normal(rows, columns, seed=seed) * np.float32(size)
    weight[0] = 0
    matrix = Int8Matrix.of(weight)
    assert matrix.weight.dtype == np.int8
    steps = np.abs(weight).max(axis=1, initial=0) / 127
    error = np.abs(matrix.weight * matrix.scale[:, None].astype(np.float64) - weight)
    assert (error <= steps[:, None] * 0.5001).all()
    assert (matrix.weight[0] == 0).all()


def test_the_largest_weights_of_a_row_are_exact_however_small_they_are() -> None:
    matrix = Int8Matrix.of(np.array([[1, -1, 0.5], [1e-5, 0, 1e-5]], np.float32))
    assert matrix.weight.tolist() == [[127, -127, 64], [127, 0, 127]]
    np.testing.assert_allclose(matrix.scale, [1 / 127, 1e-5 / 127], rtol=1e-6)


@pytest.mark.parametrize("sizes", [(3, 4, 5, 5), (4, 4, 5, 5), (3, 5, 4, 5), (3, 5, 5, 4)], ids=str)
def test_sizes_that_do_not_fit_are_refused(sizes: tuple[int, int, int, int]) -> None:
    inputs, rows, scale, out = sizes
    with pytest.raises(ValueError, match="do not fit together"):
        add_scaled_product(normal(inputs), np.zeros((rows, 3), np.int8), normal(scale), normal(out))
