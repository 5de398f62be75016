"""Drawing the next token without compiled code, for short texts; `kernels.sampling` has the rules."""

from __future__ import annotations

import numpy as np

from recurra.arrays import FloatArray

LEAST = np.float32(-87.0)
"""The exponent below which nothing is drawn: `kernels.EXPONENT_MIN`."""


def draw_plainly(logits: FloatArray, temperature: float, top_k: int, top_p: float, uniform: float) -> tuple[int, float]:
    """The twin of `kernels.sampling.draw`, in float64: the same arguments but for the scratch space, the same result.

    Where ``uniform`` or ``top_p`` is within float32's rounding of a boundary, the two may take different sides of it.
    """
    if not (temperature >= 0 and top_k >= 0 and 0 < top_p <= 1 and 0 <= uniform < 1):
        raise ValueError("draw: needs temperature >= 0, top_k >= 0, 0 < top_p <= 1 and 0 <= uniform < 1")
    if not np.all(logits < np.inf):
        raise ValueError("draw: the logits hold NaN or +inf")
    if not np.any(logits > -np.inf):
        raise ValueError("draw: no token is allowed, all the logits are -inf")

    below_top = logits.astype(np.float64) - logits.max()
    log_probs = below_top - np.log(np.exp(below_top).sum())
    token = int(np.argmax(logits))
    if temperature > 0:
        with np.errstate(over="ignore"):
            exponents = below_top / temperature
        weights = np.where(exponents < LEAST, 0.0, np.exp(exponents))
        if top_k > 0 or top_p < 1:
            most_probable_first = np.argsort(-logits, kind="stable")
        if top_k > 0:
            weights[most_probable_first[top_k:]] = 0.0
        if top_p < 1:
            mass = np.cumsum(weights[most_probable_first])
            kept = int(np.searchsorted(mass, top_p * mass[-1])) + 1
            weights[most_probable_first[kept:]] = 0.0
        cumulative = np.cumsum(weights)
        token = int(np.searchsorted(cumulative, uniform * cumulative[-1], side="right"))
    return token, float(log_probs[token])
