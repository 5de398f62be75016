"""The encoder-decoder of `models.encoder_decoder` in NumPy, to use and not to train.

Shapes: B sources, S positions, V annotation features.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from recurra.arrays import BoolArray, FloatArray, IntArray
from recurra.runtime.decoder import Decoder, DecoderSizes, Encoded, decoder_shapes
from recurra.runtime.recurrent import annotate, stack_shapes
from recurra.runtime.stored import Shapes, Weights, within


class EncoderDecoderSizes(NamedTuple):
    """What an encoder-decoder is made of.

    Attributes:
        source_size: tokens of the sources.
        decoder: what the decoder is made of; the encoder is like it.
        joint: whether sources and targets have the same tokens, which are then embedded once.
    """

    source_size: int
    decoder: DecoderSizes
    joint: bool


def shapes_of(sizes: EncoderDecoderSizes) -> Shapes:
    """The shapes of the weights of an encoder-decoder, by the names they have in its file."""
    cell, size = sizes.decoder.cell, sizes.decoder.embedding_size
    stack = stack_shapes(cell, size, sizes.decoder.hidden_size, sizes.decoder.num_layers, True)
    return {
        "encoder.embedding.weight": (sizes.source_size, size),
        **{f"encoder.recurrent.{name}": shape for name, shape in stack.items()},
        **{f"decoder.{name}": shape for name, shape in decoder_shapes(sizes.decoder, sizes.joint).items()},
    }


class EncoderDecoder:
    """The whole network.

    Args:
        sizes: what it is made of.
        weights: by the names of `shapes_of`.
    """

    def __init__(self, sizes: EncoderDecoderSizes, weights: Weights) -> None:
        scale = math.sqrt(sizes.decoder.embedding_size) if sizes.decoder.tied else 1.0
        self._cell = sizes.decoder.cell
        self._scale = np.float32(scale)
        self._embedding = weights["encoder.embedding.weight"]
        self._recurrent = within(weights, "encoder.recurrent")
        shared = {"embedding.weight": self._embedding} if sizes.joint else {}
        self.decoder = Decoder(sizes.decoder, shared | within(weights, "decoder"), scale)

    def encode(self, sources: IntArray, mask: BoolArray) -> Encoded:
        """Read sources.

        Args:
            sources: `(B, S)`.
            mask: `(B, S)`, True for what is there: each row up to its length (at least 1), then False.
        """
        inputs = np.asarray(self._embedding[sources], np.float32) * self._scale
        lengths: IntArray = mask.sum(axis=1)
        annotations = annotate(self._cell, self._recurrent, inputs, lengths)  # (B, S, V)
        memory = self.decoder.memory(annotations, mask) if self.decoder.attends else None
        return Encoded(memory, self.decoder.initial_state(summary_of(annotations, lengths)))


def summary_of(annotations: FloatArray, lengths: IntArray, bidirectional: bool = True) -> FloatArray:
    """Where each direction of annotations `(B, S, V)` ends, `(B, V)`."""
    last: FloatArray = annotations[np.arange(len(lengths)), lengths - 1]
    if not bidirectional:
        return last
    half = annotations.shape[2] // 2
    return np.concatenate([last[:, :half], annotations[:, 0, half:]], axis=1)
