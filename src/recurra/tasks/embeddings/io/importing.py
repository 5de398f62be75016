"""A model of vectors that another program has made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import numpy as np

import recurra
from recurra import modelfolder
from recurra.data.vectors import Vectors
from recurra.data.word_index import WordIndex
from recurra.data.words import WordSplitter, has_letters
from recurra.errors import RecurraError, os_errors
from recurra.files import require_writable_parent
from recurra.progress import note
from recurra.tasks.embeddings.config import Config, resolve
from recurra.tasks.embeddings.io.formats import CALLED, read_vectors
from recurra.tasks.embeddings.model import IMPORTED, Model


def import_vectors(source: str | Path, out: str | Path | None = None, *, overwrite: bool = False) -> Model:
    """Make a model of a file of vectors; what is odd about the file is told in notes.

    How often words were seen is not known, so that their counts are 0; their order is kept, and should be by frequency.
    Words are looked up in small letters if no word of the file has capitals.

    Args:
        source: word2vec's text or binary, fastText's .vec, GloVe's text or .npy; see `formats.read_vectors`.
        out: the model folder to make; None keeps the vectors in a temporary file only.
        overwrite: replace the model that is there.

    Raises:
        RecurraError: if the file is nothing of this kind or is damaged, or writing fails.
    """
    source = Path(source)
    place = None if out is None else Path(out)
    if place is not None:
        modelfolder.require_place(place)
        if place.exists() and not overwrite:
            raise RecurraError(f"{place} exists already; replace it with `overwrite`, or give `out` another name")
        require_writable_parent(place)
    with _rows_beside(place) as rows:
        gathered, kind = read_vectors(source, rows)
        words, matrix = gathered.vectors()
        for sentence in gathered.sentences():
            note(sentence)
        splitter = _splitter(words)
        config = Config(embedding_size=gathered.size, lowercase=splitter.lowercase, punctuation=splitter.punctuation)
        record = {"data": source.name, IMPORTED: CALLED[kind], "words": len(words), "recurra": recurra.__version__}
        vectors = Vectors(words, matrix, np.zeros(len(words), np.int64), splitter)
        model = Model(vectors, resolve(config), record, source.name if place is None else place.name)
        if place is None:
            return model
        model.save(place)
    return Model.load(place)


@contextmanager
def _rows_beside(place: Path | None) -> Iterator[BinaryIO]:
    """A file for vectors on the disk where the model will be, which is gone afterwards."""
    folder = None if place is None else place.absolute().parent
    with os_errors("writing", place or "a temporary file"), TemporaryFile(dir=folder) as file:
        yield file


def _splitter(words: WordIndex) -> WordSplitter:
    """How a text must be taken apart to find these words in it, as far as they tell."""
    lowercase = all(word == word.lower() for word in words)
    return WordSplitter("words", lowercase, punctuation=not all(map(has_letters, words)))
