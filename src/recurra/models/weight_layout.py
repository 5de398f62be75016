"""Weights in the memory order in which products of a small batch read them."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def with_contiguous_input_weights(network: Network) -> Network:
    """A copy that gives the same results, to rounding, in less time where the batch is small; to use, not to train.

    A linear layer keeps its weights output by output, and a product on a CPU copies them to input by input first: for a
    batch of 64 about a fifth of its time. In the copy the weights of one input are contiguous already. Embeddings stay
    as they are, since they are read token by token; an output layer that shares them gets weights of its own.
    """
    copy = deepcopy(network)
    for layer in copy.modules():
        if isinstance(layer, nn.Linear):
            layer.weight = nn.Parameter(layer.weight.detach().T.contiguous().T, requires_grad=False)
    # a GPU wants a recurrent layer's weights in one piece, which PyTorch sees to when a network is moved, not copied
    return copy.to(next(copy.parameters()).device)
