"""A speech model as ONNX: under CTC one graph from features to log-probabilities, else an encoder and a step.

A network that reads from one end takes and gives its state, so that it can listen to a stream.

Shapes: B batch, S steps, I features of a step, H hidden_size, D directions, V symbols.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from recurra.export.decoder import add_beginning, add_decoder_step
from recurra.export.graph import Graph, Value
from recurra.export.network import decoder_weights, weights_of
from recurra.export.recurrent import ends_of, layers_of, sequence_layers, state_inputs, state_outputs
from recurra.tasks.shared.onnx_file import write_graphs
from recurra.tasks.speech.attending import DENSER, SPARE, Reach
from recurra.tasks.speech.attention_network import AttentionNetwork
from recurra.tasks.speech.features import PRIOR_FRAMES, SCALE
from recurra.tasks.speech.model import Model
from recurra.tasks.speech.networks import CtcNetwork
from recurra.tasks.speech.symbols import BLANK, EDGE


def write(folder: Path, out: Path, int8: bool) -> Sequence[Path]:
    """Write a speech model as ONNX.

    Args:
        folder: the model folder.
        out: the file of a network under CTC; one that attends makes `x.encoder.onnx` and `x.step.onnx` of `x.onnx`.
        int8: round weights to eight bits.

    Returns:
        The files.

    Raises:
        RecurraError: if anything about the folder is not as it was saved, or writing fails.
    """
    model = Model.load(folder)
    network = model.network
    graphs = _attending(network, int8) if isinstance(network, AttentionNetwork) else [_by_ctc(network, int8)]
    return write_graphs(graphs, out, model.task, _metadata(model))


def _by_ctc(network: CtcNetwork, int8: bool) -> Graph:
    graph = Graph("listen", int8)
    weights, recurrent = weights_of(network), network.recurrent
    features = graph.input("features", np.float32, "batch", "steps", recurrent.input_size)
    layers = layers_of(weights, "recurrent.")
    if recurrent.directions == 2:
        lengths = graph.input("lengths", np.int64, "batch")
        outputs, _ = sequence_layers(graph, recurrent.cell, features, lengths, layers)  # (B, S, D * H)
        _add_log_probs(graph, outputs, weights["output.weight"], weights["output.bias"])
        return graph
    states = state_inputs(graph, recurrent.cell, len(layers), recurrent.hidden_size)
    outputs, ends = sequence_layers(graph, recurrent.cell, features, None, layers, states)  # (B, S, H)
    _add_log_probs(graph, outputs, weights["output.weight"], weights["output.bias"])
    state_outputs(graph, ends, recurrent.hidden_size)
    return graph


def _add_log_probs(graph: Graph, outputs: Value, weight: Any, bias: Any) -> None:
    log_probs = graph.apply("LogSoftmax", graph.linear(outputs, weight, bias), axis=-1)
    graph.output("log_probs", log_probs, "batch", "steps", len(bias))


def _attending(network: AttentionNetwork, int8: bool) -> list[Graph]:
    encoder, step = Graph("encoder", int8), Graph("step", int8)
    listener = network.encoder.recurrent
    decoder = decoder_weights(network.decoder)
    features = encoder.input("features", np.float32, "batch", "source", listener.input_size)
    lengths = encoder.input("lengths", np.int64, "batch")
    layers = layers_of(weights_of(listener), "")
    annotations, _ = sequence_layers(encoder, listener.cell, features, lengths, layers)  # (B, S, D * H)
    summary = ends_of(encoder, annotations, lengths, listener.hidden_size, listener.directions)
    add_beginning(encoder, decoder, annotations, summary)
    add_decoder_step(step, decoder, ragged=True)
    return [encoder, step]


def _metadata(model: Model) -> dict[str, Any]:
    """What is needed to make features of sound and text of symbols; number 0 is CTC's blank, and both of the edges."""
    normalization = model.vocabulary.to_json()
    facts: dict[str, Any] = {
        "symbols": ["", *model.symbols.names],
        "between": model.symbols.between,
        "features": asdict(model.config.features) | {"scale": SCALE, "prior_frames": PRIOR_FRAMES},
        "mean": normalization["mean"],
        "std": normalization["std"],
    }
    if isinstance(model.network, AttentionNetwork):
        reach = Reach.from_record(model.record)
        limit = {"per_step": DENSER * reach.density, "spare": SPARE, "seconds": reach.seconds}
        return facts | {"start": EDGE, "end": EDGE, "limit": limit}
    facts |= {"blank": BLANK}
    if model.config.detect:
        facts |= {"detect": model.config.detect, "threshold": model.record.get("threshold", 0.5)}
    return facts
