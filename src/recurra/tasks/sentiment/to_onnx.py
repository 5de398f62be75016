"""A sentiment model as ONNX: whole texts in, the calibrated probability of every label out.

Shapes: B batch, T words of the longest text, E embedding_size, H features of the recurrent outputs, N n-grams, C
classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurra.config import required
from recurra.data.words import LATIN_WORD_PATTERN, WORD_PATTERN
from recurra.export.graph import Graph, Value
from recurra.export.recurrent import ends_of, layers_of, mask_of, sequence_layers
from recurra.runtime.stored import Weights, within
from recurra.tasks.sentiment.classifier import TASK, Classifier
from recurra.tasks.sentiment.light import PACE
from recurra.tasks.shared.onnx_file import write_graphs


def write(folder: Path, out: Path, int8: bool) -> Sequence[Path]:
    """Write a sentiment model as ONNX.

    Args:
        folder: the model folder.
        out: the file.
        int8: round weights to eight bits, but for those of n-grams, of which each is a number or a few.

    Returns:
        The file.

    Raises:
        RecurraError: if anything about the folder is not as it was saved, or writing fails.
    """
    model = Classifier.load(folder)
    graph = Graph("classify", int8)
    logits = _logits(graph, model)
    graph.output("probabilities", (logits / model.temperature).softmax(), "batch", len(model.labels))
    return write_graphs([graph], out, TASK, _metadata(model))


def _metadata(model: Classifier) -> dict[str, Any]:
    config, vocabulary = model.config, model.vocabulary
    facts: dict[str, Any] = {"labels": model.labels, "splitter": vocabulary.splitter.to_json()}
    if vocabulary.splitter.kind == "words":
        facts |= {"latin_word_pattern": LATIN_WORD_PATTERN, "word_pattern": WORD_PATTERN}
    if config.reads_vectors:
        facts |= {"words": vocabulary.words, "max_length": config.max_length}
    if config.reads_ngrams:
        facts |= {"longest_ngram": config.longest_ngram, "bits": config.bits}
    return facts


def _logits(graph: Graph, model: Classifier) -> Value:
    """The logits of texts, `(B, C)`, as `light.logits_of` has them."""
    weights = {name: np.asarray(array, np.float32) for name, array in model.weights.items()}
    if model.config.model == "mix":
        of_network, of_ngrams = map(float, weights["weights"])
        network = _network_logits(graph, model, within(weights, "network")) * of_network
        return network + _ngram_logits(graph, within(weights, "ngrams")) * of_ngrams
    if model.config.model == "ngrams":
        return _ngram_logits(graph, weights)
    return _network_logits(graph, model, weights)


def _ngram_logits(graph: Graph, weights: Weights) -> Value:
    rows = graph.input("ngrams", np.int64, "batch", "ngrams")  # (B, N), -1 after each text's end
    table = graph.constant(weights["weight"] * (np.float32(PACE) * weights["ratios"]), "ngrams")
    there = (rows > -1).cast(np.float32).unsqueeze(2)  # (B, N, 1)
    columns = (table.take(rows) * there).sum(1) + weights["bias"]  # (B, C), or (B, 1) for two classes
    if len(weights["bias"]) > 1:
        return columns
    return columns * np.array([-0.5, 0.5], np.float32)


def _network_logits(graph: Graph, model: Classifier, weights: Weights) -> Value:
    words = graph.input("words", np.int64, "batch", "time")
    lengths = graph.input("lengths", np.int64, "batch")
    tables = [weights[name] for name in ("embeddings.weight", "embeddings.given") if name in weights]
    inputs = graph.lookup(np.concatenate(tables), words, "embedding")  # (B, T, E)
    there = mask_of(graph, words, lengths).unsqueeze(2)  # (B, T, 1)
    count = lengths.cast(np.float32).unsqueeze(1)  # (B, 1)
    if model.config.model == "average":
        pooled = (inputs * there.cast(np.float32)).sum(1) / count
    else:
        pooled = _pooled(graph, model, weights, inputs, lengths, there, count)
    return graph.linear(pooled, weights["output.weight"], weights["output.bias"])


def _pooled(
    graph: Graph, model: Classifier, weights: Weights, inputs: Value, lengths: Value, there: Value, count: Value
) -> Value:
    """What is made of the recurrent outputs for all words, `(B, H)`."""
    config, layers = model.config, layers_of(weights, "recurrent.")
    outputs, _ = sequence_layers(graph, required(config.cell, "cell"), inputs, lengths, layers)  # (B, T, H)
    if config.pooling == "mean":
        return outputs.sum(1) / count
    if config.pooling == "max":
        return graph.where(there, outputs, -np.inf).max(1)
    return ends_of(graph, outputs, lengths, required(config.hidden_size, "hidden_size"), len(layers[0]))
