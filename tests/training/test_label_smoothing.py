"""The smoothed loss against PyTorch's, value and gradient."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from recurra.training.label_smoothing import smoothed_cross_entropy


@given(
    st.integers(1, 9),
    st.integers(1, 30),
    st.floats(0, 1),
    st.floats(0.01, 60),
    st.integers(0, 10**6),
    st.floats(0.1, 3),
)
def test_it_is_pytorchs(rows: int, tokens: int, smoothing: float, spread: float, seed: int, scale: float) -> None:
    torch.manual_seed(seed)
    logits = (torch.randn(rows, tokens, dtype=torch.float64) * spread).requires_grad_()
    right = torch.randint(tokens, (rows,))
    ours = smoothed_cross_entropy(logits, right, smoothing)
    theirs = F.cross_entropy(logits, right, reduction="sum", label_smoothing=smoothing)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    gradients = [torch.autograd.grad(scale * loss, logits)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-10)


def test_without_gradients_it_is_the_same() -> None:
    logits, right = torch.randn(4, 7), torch.tensor([0, 3, 6, 6])
    with torch.no_grad():
        loss = smoothed_cross_entropy(logits, right, 0.1)
    expected = F.cross_entropy(logits, right, reduction="sum", label_smoothing=0.1)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
