"""Models of word vectors that nobody has trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.data.vectors import CharacterNgrams, Vectors
from recurra.data.word_index import WordIndex
from recurra.data.words import WordSplitter
from recurra.tasks.embeddings import Model
from recurra.tasks.embeddings.config import Config, resolve

RECORD = {
    "data": "made up",
    "words": 1000,
    "validation": "a hundredth of it",
    "validation_loss": 2.5,
    "loss_unit": "nats a pair",
    "epochs": 1.0,
    "seconds": 2.0,
}
"""What the record of a trained model has."""


def model_of(
    words: Sequence[str],
    matrix: np.ndarray | Sequence[Sequence[float]],
    *,
    lowercase: bool = True,
    ngrams: CharacterNgrams | None = None,
) -> Model:
    """A model of given vectors."""
    vectors = np.asarray(matrix, np.float32)
    rows = None
    if ngrams is not None:
        rows = np.random.default_rng(5).normal(size=(ngrams.buckets, vectors.shape[1])).astype(np.float32)
    counts = np.arange(len(words), 0, -1).astype(np.int64)
    made = Vectors(WordIndex.of(words), vectors, counts, WordSplitter(lowercase=lowercase), ngrams, rows)
    config = resolve(Config(embedding_size=vectors.shape[1], lowercase=lowercase, characters=ngrams is not None))
    return Model(made, config, dict(RECORD), "vec")


ROYAL = {
    "king": (1.0, 0.1, 1.0),
    "man": (0.0, 0.2, 1.0),
    "woman": (0.1, 1.0, 0.0),
    "queen": (1.0, 1.0, 0.1),
    "prince": (0.9, 0.0, 0.8),
    "zero": (0.0, 0.0, 0.0),
    "spoon": (-1.0, 0.3, -0.5),
}
"""Words whose vectors are (royal, female, male)."""


def royal() -> Model:
    """The model of `ROYAL`."""
    return model_of(list(ROYAL), list(ROYAL.values()))
