"""Word vectors of no use, in a model folder, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recurra import arrayfile, modelfolder
from recurra.data.vectors import CharacterNgrams, Vectors
from recurra.data.word_index import WordIndex
from recurra.data.words import WordSplitter


def made_vectors(words: Sequence[str], size: int = 4, ngrams: CharacterNgrams | None = None) -> Vectors:
    """Vectors drawn at random."""
    rng = np.random.default_rng(0)
    rows = None if ngrams is None else rng.normal(size=(ngrams.buckets, size)).astype(np.float32)
    matrix = rng.normal(size=(len(words), size)).astype(np.float32)
    return Vectors(WordIndex.of(words), matrix, np.arange(len(words), 0, -1), WordSplitter(), ngrams, rows)


def save_vectors(folder: Path, vectors: Vectors) -> Path:
    """The folder of an embeddings model, without what only that task needs."""
    modelfolder.write(
        folder,
        {"task": "embeddings", "config": {}, "record": {}},
        vectors.vocabulary(),
        "# card",
        lambda path: arrayfile.write_arrays(path, vectors.arrays()),
    )
    return folder
