"""Embeddings of the last 2, 3, ... tokens together, each n-gram hashed into a row; `runtime.ngrams` says which.

Shapes: B batch, T time, N the largest n.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recurra.models.dropout import DropoutGenerator
from recurra.runtime.ngrams import Ngrams, hashed_rows


class NgramEmbedding(nn.Module):
    """Tables of n-grams, one for each n from 2 to N, beneath each other in one weight.

    What stood before is state: the last N - 1 tokens, `(1, B, N - 1)`, counted from 1, 0 before the beginning, the
    last at the end. The tables begin empty: n-grams that are never seen add nothing.

    Args:
        ngrams: their sizes.
        embedding_size: features of the sum; where the rows have others, a linear map brings them there.
        dropout: share of the rows' features that is zeroed in training.
    """

    def __init__(self, ngrams: Ngrams, embedding_size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.ngrams = ngrams
        tables = ngrams.largest - 1
        self.table = nn.Embedding(tables * ngrams.num_rows, ngrams.size, sparse=True)
        self.map: nn.Linear | None = None
        if ngrams.size != embedding_size:
            self.map = nn.Linear(tables * ngrams.size, embedding_size, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Empty tables; a map that keeps the variance."""
        nn.init.zeros_(self.table.weight)
        if self.map:
            nn.init.normal_(self.map.weight, std=self.map.in_features**-0.5)

    def start(self, batch: int) -> Tensor:
        """The state before any token."""
        return torch.zeros(1, batch, self.ngrams.largest - 1, dtype=torch.int64, device=self.table.weight.device)

    def forward(
        self, tokens: Tensor, before: Tensor, mask: Tensor | None = None, generator: DropoutGenerator | None = None
    ) -> tuple[Tensor, Tensor]:
        """What the n-grams that end at each token add to its embedding.

        Args:
            tokens: `(B, T)`.
            before: the state.
            mask: `(B, T)`, True for what is there; each row True up to its length, then False.
            generator: where dropout comes from; None for none.

        Returns:
            `(B, T, embedding_size)` and the new state.
        """
        rows, after = self.rows(tokens, before, mask)  # (B, T, N - 1)
        found: Tensor = self.table(rows).flatten(2)  # (B, T, (N - 1) * size)
        if generator:
            found = generator.drop_units(found, self.dropout)
        if self.map:
            return self.map(found), after
        return found.reshape(*rows.shape, -1).sum(dim=2), after

    def rows(self, tokens: Tensor, before: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Which rows of the weight they are, `(B, T, N - 1)`, and the new state; see `forward`."""
        time, reach, num_rows = tokens.shape[1], self.ngrams.largest - 1, self.ngrams.num_rows
        ids = torch.cat([before[0], tokens + 1], dim=1)  # (B, N - 1 + T)
        recent = [ids[:, reach - back : reach - back + time] for back in range(reach + 1)]  # (B, T) each
        rows = [index * num_rows + row for index, row in enumerate(hashed_rows(recent, num_rows))]
        after = ids[:, time:]  # (B, N - 1)
        if mask is not None:
            ends = mask.sum(dim=1, keepdim=True) + torch.arange(reach, device=ids.device)  # (B, N - 1)
            after = ids.gather(1, ends)
        return torch.stack(rows, dim=-1), after[None]
