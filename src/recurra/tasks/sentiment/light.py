"""The networks of `networks` and `ngrams` in NumPy, to use and not to train.

Shapes: B batch, T words of the longest text, E embedding_size, C classes, K columns of the n-grams.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.arrays import FloatArray, IntArray
from recurra.config import required
from recurra.data.buckets import pad
from recurra.runtime.recurrent import annotate, stack_shapes
from recurra.runtime.stored import Shapes, Weights, within
from recurra.tasks.sentiment.config import Config
from recurra.tasks.sentiment.data import Encoded, Vocabulary
from recurra.tasks.sentiment.scoring import cut_middle

PACE = 2.0
"""N-grams learn so much faster than a network at the same learning rate: there is a weight for each, seldom met."""


def shapes_of(config: Config, vocabulary: Vocabulary) -> Shapes:
    """The shapes of the weights of a model, by the names they have in its file."""
    if config.model == "mix":
        parts = {"network": _network_shapes(config, vocabulary), "ngrams": _ngram_shapes(config, vocabulary)}
        shapes = {f"{part}.{name}": shape for part, named in parts.items() for name, shape in named.items()}
        return shapes | {"weights": (2,)}
    return _ngram_shapes(config, vocabulary) if config.model == "ngrams" else _network_shapes(config, vocabulary)


def _ngram_shapes(config: Config, vocabulary: Vocabulary) -> Shapes:
    classes = len(vocabulary.labels)
    columns = 1 if classes == 2 else classes
    rows = 1 << required(config.bits, "bits")
    return {"weight": (rows, columns), "bias": (columns,), "ratios": (rows, columns)}


def _network_shapes(config: Config, vocabulary: Vocabulary) -> Shapes:
    size, classes = required(config.embedding_size, "embedding_size"), len(vocabulary.labels)
    shapes: Shapes = {"embeddings.weight": (vocabulary.learned, size)}
    if vocabulary.given:
        shapes["embeddings.given"] = (vocabulary.given, size)
    if config.model != "average":
        hidden_size, both = required(config.hidden_size, "hidden_size"), required(config.bidirectional, "bidirectional")
        layers = required(config.num_layers, "num_layers")
        stack = stack_shapes(required(config.cell, "cell"), size, hidden_size, layers, both)
        shapes |= {f"recurrent.{name}": shape for name, shape in stack.items()}
        size = hidden_size * (1 + both)
    return shapes | {"output.weight": (classes, size), "output.bias": (classes,)}


def logits_of(config: Config, weights: Weights, texts: Sequence[Encoded]) -> FloatArray:
    """The logits of texts, `(B, C)`.

    Args:
        config: a resolved one.
        weights: see `shapes_of`.
        texts: at least one.
    """
    if config.model == "mix":
        network = _network_logits(config, within(weights, "network"), texts)
        ngrams = _ngram_logits(within(weights, "ngrams"), texts)
        mixed: FloatArray = weights["weights"][0] * network + weights["weights"][1] * ngrams
        return mixed
    return _ngram_logits(weights, texts) if config.model == "ngrams" else _network_logits(config, weights, texts)


def _ngram_logits(weights: Weights, texts: Sequence[Encoded]) -> FloatArray:
    sums = [_sum(weights, text.ngrams) for text in texts]
    columns: FloatArray = np.stack(sums) + weights["bias"]  # (B, K)
    if columns.shape[1] > 1:
        return columns
    halves: FloatArray = np.concatenate([-columns, columns], axis=-1) * np.float32(0.5)
    return halves


def _sum(weights: Weights, rows: IntArray) -> FloatArray:
    """What some n-grams add, `(K,)`."""
    values: FloatArray = (weights["weight"][rows] * (np.float32(PACE) * weights["ratios"][rows])).sum(axis=0)
    return values


def _network_logits(config: Config, weights: Weights, texts: Sequence[Encoded]) -> FloatArray:
    padded = pad([cut_middle(text.tokens, config.max_length) for text in texts])
    vectors = _vectors(weights, padded.tokens)  # (B, T, E)
    lengths: IntArray = padded.mask.sum(axis=1)  # (B,)
    if config.model == "average":
        pooled: FloatArray = (vectors * padded.mask[:, :, None]).sum(axis=1) / lengths[:, None].astype(np.float32)
    else:
        layers = within(weights, "recurrent")
        outputs = annotate(required(config.cell, "cell"), layers, vectors, lengths)  # (B, T, H)
        pooled = _pooled(config, outputs, lengths)
    logits: FloatArray = pooled @ weights["output.weight"].T + weights["output.bias"]
    return logits


def _vectors(weights: Weights, tokens: IntArray) -> FloatArray:
    """The vectors of words `(B, T)`: learned ones, then given ones."""
    learned = weights["embeddings.weight"]
    is_learned = tokens < len(learned)
    vectors: FloatArray = learned[np.where(is_learned, tokens, 0)].astype(np.float32)
    if "embeddings.given" in weights:
        vectors[~is_learned] = weights["embeddings.given"][tokens[~is_learned] - len(learned)]
    return vectors


def _pooled(config: Config, outputs: FloatArray, lengths: IntArray) -> FloatArray:
    """What is made of the outputs `(B, T, H)` for all words, `(B, H)`."""
    if config.pooling == "mean":
        mean: FloatArray = outputs.sum(axis=1) / lengths[:, None].astype(np.float32)  # zero where nothing is
        return mean
    if config.pooling == "max":
        there = np.arange(outputs.shape[1]) < lengths[:, None]
        largest: FloatArray = np.where(there[:, :, None], outputs, -np.float32(np.inf)).max(axis=1)
        return largest
    last: FloatArray = outputs[np.arange(len(outputs)), lengths - 1]
    if not config.bidirectional:
        return last
    half = outputs.shape[2] // 2
    return np.concatenate([last[:, :half], outputs[:, 0, half:]], axis=-1)  # where each direction ends
