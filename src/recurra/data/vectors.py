"""Word vectors in a model folder, mapped: for the task that trains them, and for those that begin from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurra import modelfolder
from recurra.arrayfile import Arrays, map_arrays
from recurra.arrays import BoolArray, FloatArray
from recurra.config import check_range, from_dict, read_json
from recurra.data.word_index import WordIndex
from recurra.data.words import WordSplitter
from recurra.errors import RecurraError

TASK = "embeddings"
"""The task whose model folders hold vectors."""

FNV_OFFSET, FNV_PRIME = 2166136261, 16777619


@dataclass(frozen=True)
class CharacterNgrams:
    """Which runs of characters of a word have vectors of their own (Bojanowski et al. 2017, arXiv 1607.04606).

    Attributes:
        shortest: characters of the shortest, the marks `<` and `>` around the word counted.
        longest: of the longest.
        buckets: rows that the runs are hashed into; several may share one.
    """

    shortest: int
    longest: int
    buckets: int

    def __post_init__(self) -> None:
        check_range("shortest", self.shortest, 1, self.longest)
        check_range("longest", self.longest, 1, 100)
        check_range("buckets", self.buckets, 1, 2**28)

    def rows(self, word: str) -> list[int]:
        """The rows of a word's runs, in the order they begin; FNV-1a over UTF-8, modulo `buckets`."""
        marked = f"<{word}>"
        runs = (
            marked[begin : begin + length]
            for begin in range(len(marked))
            for length in range(self.shortest, self.longest + 1)
            if begin + length <= len(marked)
        )
        return [_fnv(run) % self.buckets for run in runs]


def _fnv(text: str) -> int:
    """The 32-bit FNV-1a hash of a text's UTF-8."""
    value = FNV_OFFSET
    for byte in text.encode("utf-8", "surrogatepass"):
        value = ((value ^ byte) * FNV_PRIME) & 0xFFFFFFFF
    return value


@dataclass(frozen=True)
class Vectors:
    """Words with a vector each.

    Attributes:
        words: the most frequent first.
        matrix: a row for each, `(words, size)`; where words are made of character n-grams too, these are in it already.
        counts: how often each was seen, `(words,)`; zeros if that is not known.
        splitter: how the text they were learned from was taken apart.
        ngrams: which runs of characters have vectors too; None if none have.
        ngram_rows: theirs, `(buckets, size)`; None likewise.
    """

    words: WordIndex
    matrix: FloatArray
    counts: np.ndarray[Any, Any]
    splitter: WordSplitter
    ngrams: CharacterNgrams | None = None
    ngram_rows: FloatArray | None = None

    @property
    def size(self) -> int:
        """The dimensions of a vector."""
        return int(self.matrix.shape[1])

    @classmethod
    def open(cls, folder: Path) -> Vectors:
        """Map the vectors of a model folder; whoever needs them unaltered calls `modelfolder.require_unaltered` too.

        Raises:
            RecurraError: if the folder is not an embeddings model, or its files do not fit together.
        """
        modelfolder.read_config(folder, TASK)
        weights, vocabulary = folder / modelfolder.WEIGHTS, folder / modelfolder.VOCABULARY
        return cls.from_arrays(map_arrays(weights), read_json(vocabulary), str(weights))

    def arrays(self) -> Arrays:
        """What goes into the file of the weights."""
        rows = {} if self.ngram_rows is None else {"ngrams": self.ngram_rows}
        return {"vectors": self.matrix, "counts": self.counts} | rows | self.words.arrays()

    def vocabulary(self) -> dict[str, Any]:
        """What goes into `vocabulary.json`."""
        return {"splitter": self.splitter.to_json(), "ngrams": self.ngrams and asdict(self.ngrams)}

    @classmethod
    def from_arrays(cls, arrays: Arrays, vocabulary: object, where: str) -> Vectors:
        """The vectors that `arrays` and `vocabulary` describe; `where` names their origin in errors.

        Raises:
            RecurraError: if they do not fit together.
        """
        words = WordIndex.from_arrays(arrays, where)
        match vocabulary:
            case {"splitter": splitter, "ngrams": None}:
                ngrams = None
            case {"splitter": splitter, "ngrams": dict(runs)}:
                ngrams = from_dict(CharacterNgrams, runs, where)
            case _:
                raise RecurraError(f"the vocabulary of {where} is damaged; copy the model again")
        matrix, counts, rows = arrays.get("vectors"), arrays.get("counts"), arrays.get("ngrams")
        if matrix is None or counts is None or (rows is None) != (ngrams is None):
            raise RecurraError(f"{where} does not hold what vectors need; copy the model again")
        size = matrix.shape[-1] if matrix.ndim == 2 else 0
        _require(matrix, (len(words), size), np.float32, where)
        _require(counts, (len(words),), np.int64, where)
        if rows is not None and ngrams is not None:
            _require(rows, (ngrams.buckets, size), np.float32, where)
        return cls(words, matrix, counts, WordSplitter.from_json(splitter, where), ngrams, rows)

    def of(self, words: Sequence[str]) -> tuple[FloatArray, BoolArray]:
        """The vectors of words.

        A word that is not among them is looked up in small letters, if all of them are, and then made of its character
        n-grams, if these have vectors.

        Returns:
            `(words, size)`, zeros where there is none; and which there are, `(words,)`.
        """
        result = np.zeros((len(words), self.size), np.float32)
        found = np.zeros(len(words), np.bool_)
        for number, word in enumerate(words):
            index = self.find(word)
            vector = self.composed(word) if index is None else self.matrix[index]
            if vector is not None:
                result[number], found[number] = vector, True
        return result, found

    def find(self, word: str) -> int | None:
        """The index of a word as it is, or else in small letters if all of them are; None if it is not among them."""
        index = self.words.find(word)
        if index is None and self.splitter.lowercase:
            return self.words.find(word.lower())
        return index

    def composed(self, word: str) -> FloatArray | None:
        """The vector of a word that is not among them: the mean of its character n-grams'; None without these."""
        if self.ngrams is None or self.ngram_rows is None:
            return None
        rows = self.ngrams.rows(word.lower() if self.splitter.lowercase else word)
        return self.ngram_rows[rows].mean(axis=0) if rows else None


def _require(array: np.ndarray[Any, Any], shape: tuple[int, ...], kind: type, where: str) -> None:
    if array.shape != shape or array.dtype != kind:
        raise RecurraError(f"{where}: words and vectors do not fit together; copy the model again")
