"""Weights that lie in the order in which products of few rows read them."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def laid_out(network: Network) -> Network:
    """A copy that gives the same results, to rounding, in less time where a step has few rows; to use, not to train.

    A linear layer keeps its weights output by output, and a product on a CPU brings them input by input first: for 64
    rows about a fifth of its time. In the copy they lie so already. Embeddings are looked up row by row and stay as
    they are, so an output layer that shares them gets weights of its own.
    """
    copy = deepcopy(network)
    for layer in copy.modules():
        if isinstance(layer, nn.Linear):
            layer.weight = nn.Parameter(layer.weight.detach().T.contiguous().T, requires_grad=False)
    return copy
