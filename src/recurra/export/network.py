"""The weights of networks as the graphs take them: NumPy arrays by name."""

from __future__ import annotations

import numpy as np
from torch import nn

from recurra.arrays import FloatArray
from recurra.export.decoder import DecoderWeights
from recurra.modelfile import unique_tensors
from recurra.models.decoder import Decoder


def weights_of(network: nn.Module) -> dict[str, FloatArray]:
    """A network's weights by name."""
    return {name: tensor.cpu().float().numpy() for name, tensor in unique_tensors(network).items()}


def decoder_weights(decoder: Decoder) -> DecoderWeights:
    """A decoder's weights."""
    weights = weights_of(decoder)
    embedding = weights.pop("embedding.weight")
    return DecoderWeights(
        decoder.cell,
        decoder.num_layers,
        decoder.hidden_size,
        embedding * np.float32(decoder.scale),
        weights.pop("output.weight", embedding),
        weights,
    )
