"""The encoder: a sequence of tokens read in both directions, an annotation for each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recurra.models.architecture import Architecture
from recurra.models.dropout import DropoutGenerator
from recurra.models.recurrent import Recurrent


class Encoder(nn.Module):
    """Embeddings and a bidirectional recurrent stack (Bahdanau et al. 2015, arXiv 1409.0473, section 3.2).

    Args:
        embedding: of the tokens; may be shared with a decoder.
        scale: what its vectors are multiplied by.
        architecture: a resolved one.
    """

    def __init__(self, embedding: nn.Embedding, scale: float, architecture: Architecture) -> None:
        super().__init__()
        self.embedding = embedding
        self.scale = scale
        self.dropout = architecture.dropout
        self.word_dropout = architecture.word_dropout
        self.recurrent = Recurrent(
            architecture.cell,
            embedding.embedding_dim,
            architecture.hidden_size,
            architecture.num_layers,
            bidirectional=True,
            dropout=architecture.dropout,
            forget_bias=architecture.forget_bias,
        )

    @property
    def output_size(self) -> int:
        """Features of an annotation."""
        return self.recurrent.output_size

    def forward(self, tokens: Tensor, mask: Tensor, generator: DropoutGenerator | None = None) -> tuple[Tensor, Tensor]:
        """Read whole sequences.

        Args:
            tokens: `(batch, positions)`.
            mask: `(batch, positions)`, True for what is there: each row up to its length (at least 1), then False.
            generator: where dropout comes from; None for no dropout.

        Returns:
            The annotations, `(batch, positions, output_size)`, zero at padding, and a summary of each row,
            `(batch, output_size)`: where each of the two directions ends.
        """
        inputs: Tensor = self.embedding(tokens) * self.scale
        if generator:
            inputs = generator.drop_units(generator.drop_steps(inputs, self.word_dropout), self.dropout)
        annotations = self.recurrent.annotate(inputs, mask, generator)
        if generator:
            annotations = generator.drop_units(annotations, self.dropout)
        forward, backward = annotations.chunk(2, dim=-1)
        ends = mask.sum(dim=1) - 1
        rows = torch.arange(len(tokens), device=tokens.device)
        return annotations, torch.cat([forward[rows, ends], backward[:, 0]], dim=-1)
