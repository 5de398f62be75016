"""The encoder: a sequence of tokens read in both directions, an annotation for each.

Shapes: B batch, S positions, E embedding_size, V output_size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recurra.config import required
from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.models.dropout import DropoutGenerator
from recurra.models.recurrent import Recurrent


class Encoder(nn.Module):
    """Embeddings and a bidirectional recurrent stack (Bahdanau et al. 2015, arXiv 1409.0473, section 3.2).

    Args:
        embedding: of the tokens; may be shared with a decoder.
        scale: what its vectors are multiplied by.
        architecture: a resolved one.

    Raises:
        ValueError: if the cell is not one of the choices, or the architecture is not resolved.
    """

    def __init__(self, embedding: nn.Embedding, scale: float, architecture: EncoderDecoderArchitecture) -> None:
        super().__init__()
        self.embedding = embedding
        self.scale = scale
        self.dropout = required(architecture.dropout, "dropout")
        self.word_dropout = required(architecture.word_dropout, "word_dropout")
        self.recurrent = Recurrent(
            architecture.cell,
            embedding.embedding_dim,
            required(architecture.hidden_size, "hidden_size"),
            required(architecture.num_layers, "num_layers"),
            bidirectional=True,
            dropout=self.dropout,
            forget_bias=required(architecture.forget_bias, "forget_bias"),
        )

    @property
    def output_size(self) -> int:
        """Features of an annotation."""
        return self.recurrent.output_size

    def forward(self, tokens: Tensor, mask: Tensor, generator: DropoutGenerator | None = None) -> tuple[Tensor, Tensor]:
        """Read whole sequences.

        Args:
            tokens: `(B, S)`.
            mask: `(B, S)`, True for what is there: each row up to its length (at least 1), then False; better on the
                CPU, where its lengths are needed, than on a GPU, which would be waited for.
            generator: where dropout comes from; None for no dropout.

        Returns:
            The annotations, `(B, S, V)`, zero at padding, and a summary of each row, `(B, V)`: where each of the two
            directions ends.
        """
        inputs: Tensor = self.embedding(tokens) * self.scale  # (B, S, E)
        if generator:
            inputs = generator.drop_units(generator.drop_steps(inputs, self.word_dropout), self.dropout)
        annotations = self.recurrent.annotate(inputs, mask, generator)  # (B, S, V)
        if generator:
            annotations = generator.drop_units(annotations, self.dropout)
        forward, backward = annotations.chunk(2, dim=-1)  # (B, S, V / 2) each
        batch = torch.arange(len(tokens), device=tokens.device)
        last = (mask.sum(dim=1) - 1).to(tokens.device)  # (B,)
        return annotations, torch.cat([forward[batch, last], backward[:, 0]], dim=-1)
