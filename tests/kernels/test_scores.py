"""The gradient of additive scores against automatic differentiation, and against its NumPy twin."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.kernels import scores

first_call_compiles = settings(deadline=None, max_examples=60)


@first_call_compiles
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_it_is_the_gradient_of_additive_scores(batch: int, positions: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys, query, vector, grads, begun = (
        rng.standard_normal(shape, dtype=np.float32)
        for shape in ((batch, positions, size), (batch, size), size, (batch, positions), (batch, positions, size))
    )
    grads[rng.random(grads.shape) < 0.3] = 0
    leaves = [torch.from_numpy(array).double().requires_grad_() for array in (keys, query, vector)]
    features = torch.tanh(leaves[0] + leaves[1][:, None])
    expected = torch.autograd.grad((features @ leaves[2] * torch.from_numpy(grads)).sum(), leaves)
    for function in (scores.scores_backward, scores.scores_backward_reference):
        keys_grad, query_grad, vector_grad = begun.copy(), np.full_like(query, np.nan), begun[0, 0].copy()
        function(np.tanh(keys + query[:, None]), grads, keys_grad, query_grad, vector_grad)
        results = ((keys_grad - begun) * vector, query_grad * vector, vector_grad - begun[0, 0])
        for result, gradient in zip(results, expected, strict=True):
            np.testing.assert_allclose(result, gradient.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("wrong", range(1, 5))
def test_sizes_that_do_not_fit_are_refused(wrong: int) -> None:
    shapes = [(2, 3, 4), (2, 3), (2, 3, 4), (2, 4), (4,)]
    shapes[wrong] = tuple(size + 1 for size in shapes[wrong])
    with pytest.raises(ValueError, match=r"gradient for each|do not fit"):
        scores.scores_backward(*(np.zeros(shape, np.float32) for shape in shapes))
