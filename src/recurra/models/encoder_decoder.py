"""Sequence to sequence: an encoder reads, a decoder writes and attends to what was read.

Shapes: B batch, S positions of the sources, T time, V annotation features, F features for the output layer.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor, nn

from recurra.config import required
from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.models.attention_loop import AttentionMemory
from recurra.models.cells import State
from recurra.models.decoder import Decoder, Writer
from recurra.models.dropout import DropoutGenerator
from recurra.models.encoder import Encoder


class Encoded(NamedTuple):
    """A batch of sources, read.

    Attributes:
        memory: what the decoder attends to; None without attention.
        state: of the decoder, before its first token.
    """

    memory: AttentionMemory | None
    state: State


class EncoderDecoder(Writer):
    """The whole network.

    Args:
        source_size: tokens of the sources.
        target_size: tokens of the targets; None if they are the sources', which are then embedded once.
        architecture: a resolved one.

    Raises:
        ValueError: if the cell or the attention is not one of the choices, or the architecture is not resolved.
    """

    def __init__(self, source_size: int, target_size: int | None, architecture: EncoderDecoderArchitecture) -> None:
        super().__init__()
        size = required(architecture.embedding_size, "embedding_size")
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
            sources: `(B, S)`.
            mask: `(B, S)`, True for what is there: each row up to its length (at least 1), then False.
            generator: where dropout comes from; None for no dropout.
        """
        annotations, summary = self.encoder(sources, mask, generator)  # (B, S, V), (B, V)
        memory = self.decoder.attention_memory(annotations, mask) if self.decoder.attention else None
        return Encoded(memory, self.decoder.initial_state(summary))

    def forward(
        self,
        sources: Tensor,
        mask: Tensor,
        targets: Tensor,
        target_mask: Tensor,
        generator: DropoutGenerator | None = None,
    ) -> Tensor:
        """Read sources and score every next token of targets, each told the right ones before it.

        Args:
            sources: `(B, S)`.
            mask: `(B, S)`, as in `encode`.
            targets: the tokens to go on from, `(B, T)`: the start, then all but the last to be predicted.
            target_mask: `(B, T)`, True for the predictions that count; no others are made.
            generator: where dropout comes from; None for no dropout.

        Returns:
            Logits of those that count, row by row, `(predictions, target_size)`.
        """
        features, _ = self.forward_features(sources, mask, targets, generator)
        return self.compute_logits(features[target_mask])

    def forward_features(
        self, sources: Tensor, mask: Tensor, targets: Tensor, generator: DropoutGenerator | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """As `forward`, up to the features for `compute_logits`, `(B, T, F)`; and the attention weights, `(B, T, S)`.

        The weights are None without attention.
        """
        memory, state = self.encode(sources, mask, generator)
        features, weights, _ = self.decoder(targets, state, memory, generator)  # (B, T, F), (B, T, S)
        return features, weights
