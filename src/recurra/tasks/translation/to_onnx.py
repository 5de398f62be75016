"""A translation model as ONNX: an encoder, which reads sentences, and a step, which writes one more token of each.

Shapes: B batch, S positions of the sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurra.config import required
from recurra.data.vocabulary import Vocabulary
from recurra.export.decoder import DecoderWeights, add_beginning, add_decoder_step
from recurra.export.graph import Graph
from recurra.export.network import decoder_weights, weights_of
from recurra.export.recurrent import Weights, ends_of, layers_of, sequence_layers
from recurra.export.tokens import metadata_of
from recurra.tasks.shared.onnx_file import write_graphs
from recurra.tasks.translation.config import SPARE, Config
from recurra.tasks.translation.model import Model


def write(folder: Path, out: Path, int8: bool) -> Sequence[Path]:
    """Write a translation model as ONNX.

    Args:
        folder: the model folder.
        out: what the two files are called after: `x.onnx` makes `x.encoder.onnx` and `x.step.onnx`.
        int8: round weights to eight bits.

    Returns:
        The files.

    Raises:
        RecurraError: if anything about the folder is not as it was saved, or writing fails.
    """
    model = Model.load(folder)
    decoder = decoder_weights(model.network.decoder)
    encoder, step = Graph("encoder", int8), Graph("step", int8)
    _add_encoder(encoder, model.config, weights_of(model.network.encoder), model.network.scale, decoder)
    add_decoder_step(step, decoder, ragged=decoder.attends)
    return write_graphs([encoder, step], out, model.task, _metadata(model))


def _add_encoder(graph: Graph, config: Config, weights: Weights, scale: float, decoder: DecoderWeights) -> None:
    tokens = graph.input("tokens", np.int64, "batch", "source")
    lengths = graph.input("lengths", np.int64, "batch")
    inputs = graph.lookup(weights["embedding.weight"] * np.float32(scale), tokens, "embedding")
    layers = layers_of(weights, "recurrent.")
    annotations, _ = sequence_layers(graph, config.cell, inputs, lengths, layers)  # (B, S, V)
    hidden_size = required(config.hidden_size, "hidden_size")
    add_beginning(graph, decoder, annotations, ends_of(graph, annotations, lengths, hidden_size, 2))


def _metadata(model: Model) -> dict[str, Any]:
    vocabularies = model.vocabularies
    return {
        "source": _side(vocabularies.source),
        "target": _side(vocabularies.target),
        "placeholders": vocabularies.placeholders.to_json() if vocabularies.placeholders.count else None,
        "max_ratio": model.config.max_ratio,
        "spare": SPARE,
    }


def _side(vocabulary: Vocabulary) -> dict[str, Any]:
    facts = {"start": vocabulary.start, "end": vocabulary.end, "unwritable": vocabulary.unwritable}
    return metadata_of(vocabulary.tokenizer) | facts
