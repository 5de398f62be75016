"""What can be chosen about a sentiment model, and what is chosen if nothing is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from recurra.arrays import IntArray
from recurra.config import Options, Range, fill_in, required
from recurra.data.buckets import Buckets
from recurra.data.columns import Header
from recurra.data.words import WordKind
from recurra.errors import OptionError
from recurra.runtime.cells import CellName
from recurra.training.options import Training, limited

ModelKind = Literal["average", "lstm", "ngrams", "mix"]
Pooling = Literal["last", "mean", "max"]

_VECTORS = ("embedding_size", "dropout", "word_dropout")
_RECURRENT = (*_VECTORS, "cell", "hidden_size", "num_layers", "bidirectional", "pooling")
_NGRAMS = ("longest_ngram", "bits")

USED: dict[ModelKind, tuple[str, ...]] = {
    "average": _VECTORS,
    "lstm": _RECURRENT,
    "ngrams": _NGRAMS,
    "mix": (*_RECURRENT, *_NGRAMS),
}
"""The options of the network that each model has a use for; the others stay None."""

TEXTS_IN_BATCH: dict[ModelKind, int] = {"average": 50, "lstm": 50, "ngrams": 200, "mix": 50}
"""Texts of average length in a batch; its words are a multiple of 64, which several processes can share."""

LENGTH_STEP = 16
"""Texts with as many words, but for less than this, come in batches in any order: the labels of texts of just one
length are not those of all, and a network that is trained on such batches is pulled to and fro."""

_RECIPE: dict[str, Any] = dict(
    embedding_size=100,
    dropout=0.25,
    word_dropout=0.05,
    cell="lstm",
    hidden_size=128,
    num_layers=1,
    bidirectional=True,
    pooling="max",
    longest_ngram=3,
)

_LEARNING: dict[ModelKind, dict[str, Any]] = {
    "average": dict(learning_rate=3e-3, weight_decay=0.01),
    "lstm": dict(learning_rate=2e-3, weight_decay=0.01),
    "ngrams": dict(learning_rate=2e-3, weight_decay=0.01),
    "mix": dict(learning_rate=2e-3, weight_decay=0.01),
}

MAX_EPOCHS: dict[ModelKind, int] = {"average": 20, "lstm": 10, "ngrams": 4, "mix": 10}
"""More passes over the texts than this only make a model learn them by heart ..."""

MANY_WORDS, MANY_EPOCHS = 500_000, 4
"""... and so do more than `MANY_EPOCHS` over texts of more words than this, ..."""

MIN_STEPS = 500
"""... but fewer steps than this teach a network nothing, however often it has seen every text."""


@dataclass(frozen=True)
class _Network(Options):
    group: ClassVar[str] = "network"

    model: ModelKind = "lstm"
    """Averaged word vectors, a recurrent network, hashed n-grams, or a recurrent network and n-grams together."""
    cell: CellName | None = None
    """The recurrent cell; lstm if not given."""
    hidden_size: Annotated[int | None, Range(1, 16384)] = None
    """Units in a recurrent layer, in each direction."""
    num_layers: Annotated[int | None, Range(1, 32)] = None
    """Recurrent layers, stacked."""
    bidirectional: bool | None = None
    """Read texts from the end too."""
    pooling: Pooling | None = None
    """What is made of the outputs for all words: the last, their mean, or the largest of each unit."""
    embedding_size: Annotated[int | None, Range(1, 16384)] = None
    """Size of a word's vector; that of the vectors begun from, if some are."""
    dropout: Annotated[float | None, Range(0.0, 0.95)] = None
    """Share of features zeroed in training, of word vectors and of what is made of them."""
    word_dropout: Annotated[float | None, Range(0.0, 0.95)] = None
    """Share of words hidden from the network in training."""
    freeze_embeddings: bool = False
    """Keep the vectors that --embeddings gave as they are."""
    longest_ngram: Annotated[int | None, Range(1, 8)] = None
    """Words of the longest n-gram."""
    bits: Annotated[int | None, Range(4, 28)] = None
    """N-grams are hashed into 2 to the power of this many rows; by the length of all texts if not given."""


@dataclass(frozen=True)
class _Learning(Training):
    group: ClassVar[str] = "training"

    batch_size: Annotated[int | None, Range(1, 2**24)] = None
    """Words in a batch, padding included, all processes together; 50 texts of average length if not given."""
    clip_norm: Annotated[float, Range(1e-6, 1e6)] = 1.0
    """Largest norm of the gradient; larger ones are scaled down to it."""
    average: Annotated[float, Range(0.0, 1.0)] = 0.3
    """Share of the run, at its end, whose evaluated weights are averaged."""
    patience: Annotated[int, Range(0, 100_000)] = 10
    """Stop after this many evaluations without a better validation loss; 0 for never."""
    class_weights: Literal["none", "balanced"] = "none"
    """Balanced: each class counts as much as any other in training, however few texts it has."""


@dataclass(frozen=True)
class Config(_Network, _Learning):
    """Everything that can be chosen about a sentiment model."""

    group: ClassVar[str] = "data"
    may_be_none: ClassVar[frozenset[str]] = Training.may_be_none | frozenset(USED["mix"])

    words: WordKind | None = None
    """What a word is: Unicode's words, or what stands between spaces; judged by the texts if not given."""
    lowercase: bool = True
    """Bring words to small letters."""
    min_count: Annotated[int | None, Range(1, 2**31)] = None
    """Words seen less often than this are the unknown word."""
    vocabulary_size: Annotated[int, Range(1, 2**24)] = 100_000
    """Most words of the training texts, the rarest left out."""
    extra_words: Annotated[int, Range(0, 2**24)] = 50_000
    """Words of the vectors begun from that the training texts lack: so many, the most frequent, are known too."""
    max_length: Annotated[int, Range(2, 2**20)] = 400
    """Words read of a longer text, a quarter of them from its beginning, the others from its end; n-grams read all."""
    encoding: str = "utf-8"
    """How the files of texts encode text."""
    columns: str = ""
    """Columns or keys of a table to read as text,label: names or numbers, joined with a plus."""
    header: Header = "auto"
    """Whether the first line of a table names its columns; judged by its contents if not given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        idle = [name for name in USED["mix"] if name not in USED[self.model] and getattr(self, name) is not None]
        if idle:
            raise OptionError(f"`{idle[0]}` does nothing for `model` {self.model}; leave it out, or take another model")

    @property
    def reads_ngrams(self) -> bool:
        """Whether the model takes n-grams."""
        return self.model in ("ngrams", "mix")

    @property
    def reads_vectors(self) -> bool:
        """Whether the model takes word vectors."""
        return self.model != "ngrams"


def resolve_words(config: Config) -> Config:
    """Fill in what decides on how texts are read, but for `bits`, which goes by how many words there are."""
    config = fill_in(config, min_count=1)
    return fill_in(config, longest_ngram=_RECIPE["longest_ngram"]) if config.reads_ngrams else config


def resolve(config: Config, lengths: IntArray) -> Config:
    """Fill in what was not given.

    Args:
        config: with the vocabulary's options, as `read_data` gives it.
        lengths: of the texts to train on, in words, `(texts,)`.
    """
    read = _read_lengths(config, lengths)
    size = 64 * math.ceil(min(max(TEXTS_IN_BATCH[config.model] * read.mean(), read.max()), 2**20) / 64)
    recipe = (
        {name: _RECIPE[name] for name in USED[config.model] if name in _RECIPE}
        | _LEARNING[config.model]
        | {"batch_size": size}
    )
    config = fill_in(config, **recipe)
    epochs = min(MAX_EPOCHS[config.model], MANY_EPOCHS if lengths.sum() > MANY_WORDS else math.inf)
    enough = int(epochs) * buckets_of(config, lengths).steps_per_epoch
    return limited(config, max(enough, MIN_STEPS) if config.reads_vectors else enough)


def _read_lengths(config: Config, lengths: IntArray) -> IntArray:
    """So many words of each text are read, padding included: a multiple of `LENGTH_STEP`."""
    return -(-np.minimum(lengths, config.max_length) // LENGTH_STEP) * LENGTH_STEP


def buckets_of(config: Config, lengths: IntArray) -> Buckets:
    """The batches of texts of these lengths, `(texts,)`."""
    read = _read_lengths(config, lengths)
    return Buckets(np.stack([read, read], axis=1), required(config.batch_size, "batch_size"), config.seed)
