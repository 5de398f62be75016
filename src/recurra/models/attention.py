"""Attention: how much each position of what was read counts for a query, which is what a decoder knows so far.

Shapes: B batch, Q queries, S positions, A attention_size.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from recurra.models.cells import check_choice

AttentionName = Literal["additive", "multiplicative"]

MOST_FEATURES = 2**24
"""Numbers between queries and keys that are worked out at once; affects memory and speed only."""


class Attention(nn.Module):
    """A small network from a query and an annotation to a score; a softmax over the positions makes weights of scores.

    It holds the weights; `models.attention_loop` runs them.

    Additive (Bahdanau et al. 2015, arXiv 1409.0473, section A.1.2): score = v . tanh(W query + U value).
    Multiplicative (Luong et al. 2015, arXiv 1508.04025, "general", through a product of two smaller matrices and scaled
    as by Vaswani et al. 2017): score = (W query) . (U value) / sqrt(attention_size).

    Args:
        kind: which of the two.
        query_size: features of a query.
        value_size: features of an annotation.
        attention_size: features in which they are compared.

    Raises:
        ValueError: if the kind is not one of the two.
    """

    def __init__(self, kind: AttentionName, query_size: int, value_size: int, attention_size: int) -> None:
        super().__init__()
        check_choice("attention", kind, AttentionName)
        self.kind = kind
        self.attention_size = attention_size
        self.query = nn.Linear(query_size, attention_size, bias=False)
        self.key = nn.Linear(value_size, attention_size, bias=kind == "additive")
        self.score = nn.Parameter(torch.empty(attention_size)) if kind == "additive" else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scores of about unit variance for inputs of unit variance."""
        for layer in (self.query, self.key):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
        if self.score is not None:
            nn.init.zeros_(self.key.bias)
            nn.init.normal_(self.score, std=self.attention_size**-0.5)


def attention_scores(query: Tensor, keys: Tensor, vector: Tensor | None) -> Tensor:
    """Scores `(B, Q, S)` of projected queries and keys.

    Args:
        query: projected already, `(B, Q, A)`.
        keys: `(B, S, A)`.
        vector: v of additive attention, `(A,)`; None for multiplicative.
    """
    if vector is None:
        return query @ keys.transpose(1, 2) / math.sqrt(keys.shape[-1])  # (B, Q, S)
    at_once = max(1, MOST_FEATURES // keys.numel())
    if query.shape[1] > at_once:
        return torch.cat([attention_scores(part, keys, vector) for part in torch.split(query, at_once, dim=1)], dim=1)
    return torch.tanh(query[:, :, None] + keys[:, None]) @ vector  # (B, Q, S, A) @ (A,) = (B, Q, S)
