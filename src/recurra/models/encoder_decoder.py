"""Sequence to sequence: an encoder reads, a decoder writes, attention lets it look back."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor, nn

from recurra.models.architecture import Architecture
from recurra.models.cells import State
from recurra.models.decoder import Decoder, Looked
from recurra.models.dropout import DropoutGenerator
from recurra.models.encoder import Encoder


class Encoded(NamedTuple):
    """A batch of sources, read.

    Attributes:
        looked: what the decoder may look at; None without attention.
        state: of the decoder, before its first token.
    """

    looked: Looked | None
    state: State


class EncoderDecoder(nn.Module):
    """The whole network.

    Args:
        source_size: tokens of the sources.
        target_size: tokens of the targets; None if they are the sources', which are then embedded once.
        architecture: a resolved one.
    """

    def __init__(self, source_size: int, target_size: int | None, architecture: Architecture) -> None:
        super().__init__()
        size = architecture.embedding_size
        self.scale = math.sqrt(size) if architecture.tied else 1.0
        embedding = nn.Embedding(source_size, size)
        self.encoder = Encoder(embedding, self.scale, architecture)
        target = embedding if target_size is None else nn.Embedding(target_size, size)
        self.decoder = Decoder(target, self.scale, self.encoder.output_size, architecture)
        for table in dict.fromkeys((embedding, target)):
            nn.init.normal_(table.weight, std=1 / self.scale)

    def encode(self, sources: Tensor, mask: Tensor, generator: DropoutGenerator | None = None) -> Encoded:
        """Read sources.

        Args:
            sources: `(batch, positions)`.
            mask: `(batch, positions)`, True for what is there: each row up to its length (at least 1), then False.
            generator: where dropout comes from; None for no dropout.
        """
        annotations, summary = self.encoder(sources, mask, generator)
        looked = self.decoder.look(annotations, mask) if self.decoder.attention else None
        return Encoded(looked, self.decoder.begin_state(summary))

    def forward(
        self, sources: Tensor, mask: Tensor, targets: Tensor, there: Tensor, generator: DropoutGenerator | None = None
    ) -> Tensor:
        """Read sources and score every next token of targets, each told the right ones before it.

        Args:
            sources: `(batch, positions)`.
            mask: `(batch, positions)`, as in `encode`.
            targets: the tokens to go on from, `(batch, time)`: the start, then all but the last to be predicted.
            there: `(batch, time)`, True for the predictions that count; no others are made.
            generator: where dropout comes from; None for no dropout.

        Returns:
            Logits of those that count, row by row, `(predictions, target_size)`.
        """
        features, _ = self.trace(sources, mask, targets, generator)
        return self.read_out(features[there])

    def trace(
        self, sources: Tensor, mask: Tensor, targets: Tensor, generator: DropoutGenerator | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """As `forward`, up to the features for `read_out`, `(batch, time, size)`; and the attention weights.

        The weights are `(batch, time, positions)`, None without attention.
        """
        looked, state = self.encode(sources, mask, generator)
        features, weights, _ = self.decoder(targets, state, looked, generator)
        return features, weights

    def read_out(self, features: Tensor) -> Tensor:
        """Logits `(..., target_size)` of the decoder's features."""
        logits: Tensor = self.decoder.output(features)
        return logits
