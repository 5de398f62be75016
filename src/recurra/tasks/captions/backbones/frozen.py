"""Batch normalisation that is not learned: its statistics are weights like others, and never move."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FrozenBatchNorm(nn.Module):
    """Batch normalisation with the statistics it was trained with, in training and in use alike.

    Tuning a backbone on small batches would spoil them, and a picture would be read differently by its batch mates.
    Names are those of `torch.nn.BatchNorm2d`, but all four are parameters, so that a model file holds them.

    Args:
        channels: of its inputs, `(batch, channels, height, width)`.
        eps: added to variances.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.running_mean = nn.Parameter(torch.zeros(channels), requires_grad=False)
        self.running_var = nn.Parameter(torch.ones(channels), requires_grad=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """The inputs, normalised."""
        mean, variance = self.running_mean.detach(), self.running_var.detach()
        return F.batch_norm(inputs, mean, variance, self.weight, self.bias, eps=self.eps)


def conv(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias, padded on all sides so that a stride of 1 keeps the size."""
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, groups=groups, bias=False)
