"""What can be chosen about word embeddings, and what is chosen if nothing is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from recurra.config import Options, Range, fill_in
from recurra.data.vectors import CharacterNgrams
from recurra.data.words import WordKind, WordSplitter

Method = Literal["negative-sampling", "softmax", "glove", "cbow"]

_RECIPES: dict[Method, dict[str, Any]] = {
    "negative-sampling": dict(epochs=5, learning_rate=0.025, window=5),
    "softmax": dict(epochs=5, learning_rate=0.1, window=5),
    "glove": dict(epochs=25, learning_rate=0.05, window=10),
    "cbow": dict(epochs=5, learning_rate=0.15, window=5),
}
"""What the papers and their programs take; but CBOW, whose gradient is that of a mean, learns more with three times the
learning rate of word2vec's program, and softmax, which has no program, learns by AdaGrad."""


@dataclass(frozen=True)
class _Learning(Options):
    group: ClassVar[str] = "training"

    method: Method = "negative-sampling"
    """Skip-gram by negative sampling or the full softmax, GloVe, or CBOW by negative sampling."""
    embedding_size: Annotated[int, Range(1, 4096)] = 100
    """Dimensions of a vector."""
    window: Annotated[int | None, Range(1, 1000)] = None
    """Words on each side that are a word's context, at most: each word draws its own number up to this."""
    epochs: Annotated[int | None, Range(1, 100_000)] = None
    """Passes over the text; 25 over the counts of GloVe, else 5, if not given."""
    minutes: Annotated[float | None, Range(1e-6, 1e7)] = None
    """Train for at most this long; all epochs if not given."""
    learning_rate: Annotated[float | None, Range(1e-9, 10.0)] = None
    """Learning rate at the start; it falls in a straight line to nearly nothing, but for GloVe's."""
    negative_samples: Annotated[int, Range(1, 64)] = 5
    """Noise words that each word is told apart from, for negative sampling."""
    subsample: Annotated[float, Range(0.0, 1.0)] = 1e-3
    """Share of all words above which a word is left out now and then; 0 for never."""
    seed: Annotated[int, Range(0, 2**63 - 1)] = 1
    """Seed of everything random: first vectors, windows, noise words."""
    deterministic: bool = True
    """The same bytes on any number of threads: one of them learns."""
    threads: Annotated[int, Range(0, 1024)] = 0
    """Threads to use; 0 for one a core."""
    evaluations: Annotated[int, Range(1, 100_000)] = 10
    """Times that the loss is measured, on training and on validation text."""
    checkpoint_seconds: Annotated[float, Range(0.0, 1e6)] = 60.0
    """Seconds between checkpoints: how much a kill can lose."""
    memory: Annotated[float, Range(0.01, 1e4)] = 1.0
    """Gigabytes that GloVe may take to count which words stand together; the rest goes to the disk."""
    characters: bool = False
    """Make vectors of character n-grams too, so that any word has one (fastText's way)."""
    shortest_ngram: Annotated[int, Range(1, 100)] = 3
    """Characters of the shortest n-gram, with the marks around the word."""
    longest_ngram: Annotated[int, Range(1, 100)] = 6
    """Characters of the longest n-gram."""
    buckets: Annotated[int, Range(1, 2**28)] = 200_000
    """Rows that n-grams are hashed into."""


@dataclass(frozen=True)
class Config(_Learning):
    """Everything that can be chosen about word embeddings."""

    group: ClassVar[str] = "data"
    may_be_none: ClassVar[frozenset[str]] = frozenset(("minutes", "vocabulary_size"))

    words: WordKind = "words"
    """What a word is: Unicode's words, or whatever stands between white space."""
    lowercase: bool = True
    """Bring words to small letters."""
    punctuation: bool = False
    """Keep words without a letter or digit."""
    min_count: Annotated[int, Range(1, 2**31)] = 5
    """Words seen less often have no vector."""
    vocabulary_size: Annotated[int | None, Range(2, 2**31)] = None
    """Most words to have vectors, the rarest left out; any number if not given."""
    phrases: Annotated[int, Range(0, 8)] = 0
    """Passes that join words often seen together: new_york after one, new_york_times after two."""
    phrase_threshold: Annotated[float, Range(-1.0, 1.0)] = 0.5
    """How much together two words must be to be joined: normalised pointwise mutual information."""
    encoding: str = "utf-8"
    """How the corpus encodes text."""
    columns: str = ""
    """The key of the text in JSONL; found by what it is called if not given."""

    @property
    def splitter(self) -> WordSplitter:
        """How text is taken apart."""
        return WordSplitter(self.words, self.lowercase, self.punctuation)

    @property
    def ngrams(self) -> CharacterNgrams | None:
        """Which runs of characters have vectors; None if none have."""
        return CharacterNgrams(self.shortest_ngram, self.longest_ngram, self.buckets) if self.characters else None


def resolve(config: Config) -> Config:
    """Fill in what was not given, by method."""
    return fill_in(config, **_RECIPES[config.method])
