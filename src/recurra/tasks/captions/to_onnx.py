"""A captions model as ONNX: an encoder, which reads pictures, and a step, which writes one more token of each caption.

The encoder takes pixels as bytes and normalises them itself. A backbone that others have trained is followed by
PyTorch's exporter, all else is written out.

Shapes: B pictures, H and W pixels, C channels, h and w positions of the grid, S = h * w, V features of an annotation.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from recurra.config import required
from recurra.data.tokenizer import SPACED
from recurra.export.decoder import DecoderWeights, add_beginning, add_decoder_step
from recurra.export.graph import Graph, Value
from recurra.export.network import decoder_weights, weights_of
from recurra.export.pytorch import traced
from recurra.export.tokens import metadata_of
from recurra.tasks.captions.backbone_encoder import BackboneEncoder
from recurra.tasks.captions.image_encoder import SmallEncoder, position_features
from recurra.tasks.captions.model import Model
from recurra.tasks.captions.networks import CaptionNetwork
from recurra.tasks.shared.onnx_file import write_graphs

EPS = 1e-5
"""What PyTorch's batch normalisation adds to variances."""


def write(folder: Path, out: Path, int8: bool) -> Sequence[Path]:
    """Write a captions model as ONNX.

    Args:
        folder: the model folder.
        out: what the two files are called after: `x.onnx` makes `x.encoder.onnx` and `x.step.onnx`.
        int8: round weights to eight bits, but for those of a backbone.

    Returns:
        The files.

    Raises:
        RecurraError: if anything about the folder is not as it was saved, PyTorch's exporter cannot follow the
            backbone, or writing fails.
    """
    model = Model.load(folder)
    decoder = decoder_weights(model.network.decoder)
    encoder, step = Graph("encoder", int8), Graph("step", int8)
    _add_encoder(encoder, model.network, required(model.config.image_size, "image_size"), decoder)
    add_decoder_step(step, decoder, ragged=False)
    return write_graphs([encoder, step], out, model.task, _metadata(model))


def _metadata(model: Model) -> dict[str, Any]:
    vocabulary, config = model.vocabulary, model.config
    return {
        "image_size": config.image_size,
        "fit": config.fit,
        "grid": round(model.network.positions**0.5),
        "max_tokens": config.max_tokens,
        "start": vocabulary.start,
        "end": vocabulary.end,
        "unwritable": vocabulary.unwritable,
        "spaced": vocabulary.tokenizer.kind in SPACED,
        **metadata_of(vocabulary.tokenizer),
    }


def _add_encoder(graph: Graph, network: CaptionNetwork, size: int, decoder: DecoderWeights) -> None:
    pixels = graph.input("pixels", np.uint8, "batch", size, size, 3)  # (B, H, W, 3)
    encoder = network.encoder
    values = pixels.transpose(0, 3, 1, 2).cast(np.float32)  # (B, 3, H, W)
    if isinstance(encoder, BackboneEncoder):
        grid = _backbone(graph, encoder, values, size)  # (B, C, h, w)
    else:
        grid = _small(graph, encoder, values)  # (B, C, h, w)
    features = grid.reshape(0, encoder.channels, encoder.positions).transpose(0, 2, 1)  # (B, S, C)
    side = round(encoder.positions**0.5)
    where = position_features(side, side, torch.device("cpu")).float().numpy()  # (S, P)
    batch = graph.apply("Shape", pixels, start=0, end=1, dtype=np.int64)
    shape = graph.concat([batch, graph.constant(np.array(where.shape))], axis=0)
    values = graph.concat([features, graph.apply("Expand", where, shape, dtype=np.float32)], axis=2)  # (B, S, V)
    summary = values.sum(1) / encoder.positions  # (B, V)
    if decoder.attends and not network.summary:
        summary = summary * 0.0  # the first state knows nothing of the picture
    add_beginning(graph, decoder, values, summary)


def _small(graph: Graph, encoder: SmallEncoder, pixels: Value) -> Value:
    """The grid of our own network, its normalisation made part of its convolutions."""
    values = pixels / 127.5 - 1.0
    for index, convolution in enumerate(encoder.convolutions):
        assert isinstance(convolution, nn.Conv2d)
        norm = weights_of(encoder.norms[index])
        scale = norm["weight"] / np.sqrt(norm["variance"] + EPS)
        weight = weights_of(convolution)["weight"] * scale[:, None, None, None]
        shift = norm["bias"] - norm["mean"] * scale
        attributes = {"strides": list(convolution.stride), "pads": [int(side) for side in convolution.padding] * 2}
        values = graph.apply("Relu", graph.apply("Conv", values, graph.matrix(weight), shift, **attributes))
    return values


def _backbone(graph: Graph, encoder: BackboneEncoder, pixels: Value, size: int) -> Value:
    """The grid of a network that others have trained; rounded to 16 bits where it was in training."""
    mean, std = (np.array(color, np.float32)[:, None, None] for color in (encoder.backbone.mean, encoder.backbone.std))
    grid = graph.include(traced(encoder.module, torch.zeros(2, 3, size, size)), (pixels / 255.0 - mean) / std)
    return grid if encoder.tune else grid.cast(np.float16).cast(np.float32)
