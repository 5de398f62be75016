"""The loss of label smoothing with one array of the size of its logits, by far the largest of a training step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def smoothed_cross_entropy(logits: Tensor, right: Tensor, smoothing: float) -> Tensor:
    """Summed cross-entropy against targets of 1 - smoothing, and smoothing spread evenly over all tokens.

    Szegedy et al. 2016, arXiv 1512.00567, section 7. The same as `F.cross_entropy(logits, right, reduction="sum",
    label_smoothing=smoothing)`, which reads and writes several arrays of this size; can be differentiated once.

    Args:
        logits: `(predictions, tokens)`.
        right: `(predictions,)`.
        smoothing: 0 to 1.
    """
    loss: Tensor = _Smoothed.apply(logits, right, smoothing)  # type: ignore[no-untyped-call]
    return loss


class _Smoothed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, right: Tensor, smoothing: float) -> Tensor:
        probabilities = torch.softmax(logits, dim=1)
        # The logarithm of a row's normaliser, by its largest logit and that one's probability, which is the largest.
        normaliser = logits.amax(dim=1) - probabilities.amax(dim=1).log()
        chosen = logits.gather(1, right[:, None])[:, 0]
        loss = (normaliser - (1 - smoothing) * chosen).sum()
        if smoothing:
            loss -= smoothing / logits.shape[1] * logits.sum()
        ctx.probabilities, ctx.right, ctx.smoothing = probabilities, right, smoothing
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor, None, None]:
        # In place, so there is no second time: the array is given away.
        gradient, ctx.probabilities = ctx.probabilities, None
        gradient.mul_(scale)
        if ctx.smoothing:
            gradient.sub_(scale * (ctx.smoothing / gradient.shape[1]))
        share = (scale * (ctx.smoothing - 1)).to(gradient.dtype)
        gradient.scatter_add_(1, ctx.right[:, None], share.expand(len(ctx.right), 1))
        return gradient, None, None
