"""Labelled texts out of what people have, and as numbers of words: tables, pairs in Python, or a sample."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recurra.arrays import IntArray
from recurra.config import fill_in, required
from recurra.data.columns import Header, Wanted
from recurra.data.sources import find_files, sample_named
from recurra.data.tables import TABLES, Row, Table, collect, read_tables
from recurra.data.text import require_encoding
from recurra.data.tokenizer import UNKNOWN, Tokens
from recurra.data.vectors import Vectors
from recurra.data.words import WordKind, WordSplitter
from recurra.errors import OptionError, RecurraError
from recurra.tasks.sentiment.config import Config, resolve_words
from recurra.tasks.sentiment.hashing import MAX_BITS, Hasher, suitable_bits

_TEXTS = "text review sentence tweet comment content phrase document message body reviewtext review_text headline title"
_LABELS = "label sentiment stars rating class category score polarity target overall airline_sentiment label_text"

WANTED = Wanted(
    tuple(f"{text},{label}" for text in _TEXTS.split() for label in _LABELS.split()), whole=True, labelled=True
)

MIN_TEXTS = 10
"""Fewer texts are refused: there is nothing to learn from them, and nothing to validate on."""

MAX_LABELS = 1000
"""A table with more different labels has none: they are numbers or texts."""

GIVEN = "texts given in Python"

PADDING, UNKNOWN_WORD = 0, 1
"""The numbers that are no word's."""

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_ENDS = ".,!?;:"


@dataclass(frozen=True)
class Texts:
    """Texts with their labels.

    Attributes:
        name: what a person would call them, for notes and the model card.
        texts: as they were, but for white space around them.
        labels: of each.
        skipped: sentences for the user on what was left out, with file and line.
    """

    name: str
    texts: list[str]
    labels: list[str]
    skipped: list[str]

    def __len__(self) -> int:
        return len(self.texts)


def open_texts(data: Sequence[Any], encoding: str = "utf-8", columns: str = "", header: Header = "auto") -> Texts:
    """Read labelled texts; lines without a text and a label are left out and told in `Texts.skipped`.

    Args:
        data: tables, see `read_tables`, one `sample:NAME`, or the pairs themselves, as tuples of text and label.
        encoding: how the files encode text, a name Python knows.
        columns: which columns of a table hold text and label, see `parse_columns`.
        header: whether the first line of a table names its columns.

    Raises:
        RecurraError: if a file is missing, is not text, or most of its lines do not hold a text and a label; if no text
            is left.
    """
    require_encoding(encoding)
    names = [str(each) for each in data if isinstance(each, str | Path)]
    if len(names) < len(data):
        table = _given(data)
    elif sample := sample_named(names, "sample of labelled texts"):
        written, answers = zip(*sample(), strict=True)
        table = Table(names[0], (list(written), list(answers)), [])
    else:
        return _texts(read_tables(find_files(names, TABLES)[0], WANTED, columns, header, encoding))
    texts = _texts(table)
    if columns or header != "auto":
        texts.skipped.append(f"`columns` and `header`, which do nothing for {texts.name}: they are for tables")
    return texts


def _texts(table: Table) -> Texts:
    texts, labels = table.columns
    return Texts(
        table.name, [text.strip() for text in texts], [" ".join(label.split()) for label in labels], table.skipped
    )


def _given(data: Sequence[Any]) -> Table:
    """The texts of a list."""
    rows: list[Row] = []
    for index, pair in enumerate(data):
        match pair:
            case (str(text), str() | int() as label):
                rows.append((index, [text, str(label)]))
            case _:
                raise RecurraError(f"{GIVEN}, index {index}: this is {type(pair).__name__}; give (text, label)")
    return collect(GIVEN, GIVEN, WANTED, rows, unit="index")


def _labels_of(texts: Texts) -> list[str]:
    """The classes of texts to train on, refused if they cannot be labels: they do not come again."""
    distinct = sorted_labels(texts.labels)
    if len(distinct) < 2:
        raise RecurraError(f"every text of {texts.name} has the label {distinct[0][:40]!r}; give texts of two labels")
    if len(distinct) > MAX_LABELS or 2 * len(distinct) > len(texts):
        shown = ", ".join(repr(label[:24]) for label in islice(distinct, 3))
        raise RecurraError(
            f"{texts.name} has {len(distinct):,} different labels in {len(texts):,} rows ({shown} ...), and a label is "
            "something that comes again; name the columns of text and label with `columns`"
        )
    return distinct


def contradictions(texts: Texts) -> str:
    """A sentence on texts that come with more than one label; empty if none do."""
    first: dict[str, str] = {}
    several = {
        text: None
        for text, label in zip(texts.texts, texts.labels, strict=True)
        if first.setdefault(text, label) != label
    }
    if not several:
        return ""
    example = next(iter(several))
    shown = example if len(example) <= 40 else f"{example[:37]}..."
    return f"{texts.name}: {len(several):,} text(s) come with more than one label, such as {shown!r}"


def split_validation(texts: Texts, share: float = 0.1, most: int = 2500, seed: int = 0) -> tuple[Texts, Texts]:
    """Draw a part for validation, as much of each label as of any other; a text that comes twice is not in both.

    Args:
        texts: all there are.
        share: of them that is kept for validation, above 0 and below 1, ...
        most: ... but about as many as this at most.
        seed: of the draw.

    Returns:
        What is left to train on, and what is kept for validation; both in their old order.

    Raises:
        RecurraError: if no label has two different texts.
    """
    if not 0 < share < 1 or most < 1:
        raise OptionError(
            f"a share of {share} and {most} at most cannot be kept for validation; give above 0 and below 1, and 1"
        )
    groups: dict[str, list[int]] = {}
    for position, text in enumerate(texts.texts):
        groups.setdefault(text, []).append(position)
    by_label: dict[str, list[list[int]]] = {}
    for group in groups.values():
        by_label.setdefault(texts.labels[group[0]], []).append(group)
    share = min(share, most / len(texts))
    generator = np.random.default_rng(seed)
    held: set[int] = set()
    for label in sorted(by_label):
        own = by_label[label]
        count = min(int(np.ceil(share * len(own))), len(own) - 1)
        held.update(chain.from_iterable(own[number] for number in generator.permutation(len(own))[:count]))
    if not held:
        raise RecurraError(f"no label of {texts.name} has two different texts, so none can be kept for validation")
    kept = sorted(held)
    rest = [position for position in range(len(texts)) if position not in held]
    name = f"{len(kept):,} texts of {texts.name}, drawn at random"
    return _part(texts, rest, texts.name, texts.skipped), _part(texts, kept, name, [])


def _part(texts: Texts, positions: Sequence[int], name: str, skipped: list[str]) -> Texts:
    return Texts(
        name,
        [texts.texts[position] for position in positions],
        [texts.labels[position] for position in positions],
        skipped,
    )


def sorted_labels(labels: Iterable[str]) -> list[str]:
    """The classes, by name; numbers by their value."""

    def rank(label: str) -> tuple[int, float, str]:
        try:
            return 0, float(label), label
        except ValueError:
            return 1, 0.0, label

    return sorted(set(labels), key=rank)


def split_already(texts: Iterable[str]) -> bool:
    """Whether texts have been taken apart into words: their punctuation stands alone."""
    alone = attached = 0
    for word in chain.from_iterable(text.split() for text in texts):
        if word[-1] in _ENDS:
            alone, attached = (alone, attached + 1) if word.strip(_ENDS) else (alone + 1, attached)
    return alone > 10 * attached


@dataclass(frozen=True)
class Vocabulary:
    """Words and labels, and their numbers.

    Attributes:
        words: number 0 is padding and no word, 1 stands for all unknown ones; then those that the network learns a
            vector of, the most frequent first, then those with a given one.
        labels: the classes by name.
        splitter: how a text is taken apart.
        learned: so many of the words have a learned vector, padding and the unknown word counted.
    """

    words: list[str]
    labels: list[str]
    splitter: WordSplitter
    learned: int

    @property
    def given(self) -> int:
        """So many of the words have a given vector."""
        return len(self.words) - self.learned

    @cached_property
    def index(self) -> dict[str, int]:
        """The number of each word."""
        return {word: number for number, word in enumerate(self.words) if number > UNKNOWN_WORD}

    @cached_property
    def label_index(self) -> dict[str, int]:
        """The number of each class."""
        return {label: number for number, label in enumerate(self.labels)}

    def split(self, text: str) -> list[str]:
        """The words of a text; a line break of HTML is a space."""
        return [word for word in self.splitter.split(_BREAK.sub(" ", text)) if word]

    def encode(self, words: Sequence[str]) -> Tokens:
        """The numbers of words, `(length,)`; one unknown word if there is none."""
        index = self.index
        return np.array([index.get(word, UNKNOWN_WORD) for word in words] or [UNKNOWN_WORD], np.int32)

    def to_json(self) -> dict[str, Any]:
        """Everything needed to make it again, as JSON values."""
        return {
            "splitter": self.splitter.to_json(),
            "labels": self.labels,
            "learned": self.learned,
            "words": self.words[UNKNOWN_WORD + 1 :],
        }

    @classmethod
    def from_json(cls, values: object, where: str) -> Vocabulary:
        """The vocabulary that `to_json` described; `where` names the origin in errors."""
        match values:
            case {
                "splitter": splitter,
                "labels": list(labels),
                "learned": int(learned),
                "words": list(words),
            } if _distinct(labels) and len(labels) > 1 and _distinct(words):
                words = ["", UNKNOWN, *words]
                if UNKNOWN_WORD < learned <= len(words):
                    return cls(words, labels, WordSplitter.from_json(splitter, where), learned)
        raise RecurraError(f"{where} holds no vocabulary; the file is damaged, copy or train the model again")

    @classmethod
    def build(
        cls,
        texts: Sequence[str],
        labels: Sequence[str],
        config: Config,
        vectors: Vectors | None = None,
    ) -> Vocabulary:
        """Make the vocabulary of texts.

        Args:
            texts: to train on.
            labels: the classes.
            config: what is a word, and which are known; with `words` and `min_count`.
            vectors: to begin from; a word that has one is known however rare it is.

        Raises:
            RecurraError: if no word is frequent enough.
        """
        splitter = WordSplitter(required(config.words, "words"), config.lowercase)
        empty = cls(["", UNKNOWN], list(labels), splitter, UNKNOWN_WORD + 1)
        if not config.reads_vectors:
            return empty
        counts = Counter(chain.from_iterable(map(empty.split, texts)))
        min_count = required(config.min_count, "min_count")
        ranked = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
        found = vectors.of(ranked)[1] if vectors else np.zeros(len(ranked), np.bool_)
        known = [word for word, has in zip(ranked, found, strict=True) if counts[word] >= min_count or has]
        known = known[: config.vocabulary_size]
        if not known:
            raise RecurraError(
                f"no word of the texts is seen `min_count` {min_count} times; give a smaller one, or more texts"
            )
        further = _further(vectors, counts, config) if vectors else []
        return cls(["", UNKNOWN, *known, *further], list(labels), splitter, len(known) + UNKNOWN_WORD + 1)


def _further(vectors: Vectors, counts: Counter[str], config: Config) -> list[str]:
    """The most frequent words of vectors that texts lack."""
    lacking = (word for word in vectors.words if word not in counts)
    return list(islice(lacking, config.extra_words))


def _distinct(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values) and len(set(values)) == len(values)


class Encoded(NamedTuple):
    """A text as numbers.

    Attributes:
        tokens: of its words, `(length,)`, at least one.
        ngrams: the rows of its n-grams, `(n-grams,)`; none if the model takes none.
    """

    tokens: Tokens
    ngrams: Tokens


_NO_NGRAMS = np.empty(0, np.int32)


def hasher_of(config: Config) -> Hasher | None:
    """What makes n-grams for a model of this configuration, for the largest table if it says nothing of that; None if
    it takes none.
    """
    if not config.reads_ngrams:
        return None
    return Hasher(required(config.longest_ngram, "longest_ngram"), config.bits or MAX_BITS)


def encode(words: Sequence[str], vocabulary: Vocabulary, hasher: Hasher | None) -> Encoded:
    """A text, taken apart into words, as numbers."""
    return Encoded(vocabulary.encode(words), hasher.rows(words).astype(np.int32) if hasher else _NO_NGRAMS)


class Labelled(NamedTuple):
    """Texts as numbers.

    Attributes:
        texts: all of them.
        labels: the class of each, `(texts,)`.
    """

    texts: list[Encoded]
    labels: IntArray

    def lengths(self) -> IntArray:
        """Words of each text, `(texts,)`."""
        return np.array([len(text.tokens) for text in self.texts], np.int64)


@dataclass(frozen=True)
class Data:
    """Labelled texts as numbers.

    Attributes:
        name: where they came from.
        config: as it was given, with what decides on the vocabulary filled in.
        vocabulary: of words and labels.
        train: to learn from.
        validation: to choose the best weights on, and the temperature.
        validation_name: what the validation part is, for the model card.
        left_out: sentences on what was left out.
        told: sentences on what is strange.
        digest: of all texts and labels, in their order.
    """

    name: str
    config: Config
    vocabulary: Vocabulary
    train: Labelled
    validation: Labelled
    validation_name: str
    left_out: list[str]
    told: list[str]
    digest: str


def read_data(
    sources: Sequence[Any],
    validation: Sequence[Any],
    config: Config,
    vocabulary: Vocabulary | None = None,
    vectors: Vectors | None = None,
) -> Data:
    """Read labelled texts.

    Args:
        sources: tables, a sample, or pairs, see `open_texts`.
        validation: likewise, to validate on; nothing draws a part.
        config: which words.
        vocabulary: an existing one, for a run that is resumed or begins from a model; None builds it.
        vectors: to begin from.

    Raises:
        RecurraError: if the texts cannot be read, are too few, or have only one label.
    """
    options = (config.encoding, config.columns, config.header)
    texts = open_texts(sources, *options)
    if len(texts) < MIN_TEXTS:
        raise RecurraError(f"there are {len(texts)} texts in {texts.name}; at least {MIN_TEXTS} are needed to train on")
    labels = vocabulary.labels if vocabulary else _labels_of(texts)
    train, other = (texts, open_texts(validation, *options)) if validation else split_validation(texts)
    if vocabulary is None:
        kind: WordKind = "spaces" if split_already(islice(train.texts, 1000)) else "words"
        config = fill_in(resolve_words(config), words=kind)
        vocabulary = Vocabulary.build(train.texts, labels, config, vectors)
    left_out = [*texts.skipped, *(other.skipped if validation else ())]
    told = [sentence for part in (train, other) if (sentence := contradictions(part))]
    name = other.name if validation else f"{len(other):,} texts drawn from it"
    hasher = hasher_of(config)
    learned, kept = encode_texts(train, vocabulary, hasher), encode_texts(other, vocabulary, hasher)
    if hasher and config.bits is None:
        config = fill_in(config, bits=suitable_bits(occupied_rows(learned, hasher.size)))
        learned, kept = (_narrowed(part, hasher, required(config.bits, "bits")) for part in (learned, kept))
    return Data(texts.name, config, vocabulary, learned, kept, name, left_out, told, _digest(train, other))


def _digest(*parts: Texts) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(json.dumps([part.texts, part.labels]).encode())
    return digest.hexdigest()


def encode_texts(texts: Texts, vocabulary: Vocabulary, hasher: Hasher | None) -> Labelled:
    """Texts as numbers.

    Raises:
        RecurraError: if a label is not one of the vocabulary's.
    """
    unknown = Counter(label for label in texts.labels if label not in vocabulary.label_index)
    if unknown:
        label, count = unknown.most_common(1)[0]
        known = ", ".join(label[:40] for label in vocabulary.labels[:10])
        more = f" and {len(vocabulary.labels) - 10} more" if len(vocabulary.labels) > 10 else ""
        raise RecurraError(
            f"{texts.name} has {count:,} text(s) with the label {label[:40]!r}, which the training texts have not; "
            f"they have {known}{more}: correct it, or leave these texts out"
        )
    numbers = np.array([vocabulary.label_index[label] for label in texts.labels], np.int64)
    return Labelled([encode(vocabulary.split(text), vocabulary, hasher) for text in texts.texts], numbers)


def occupied_rows(texts: Labelled, size: int) -> int:
    """How many rows of a table of `size` the n-grams of texts have."""
    occupied = np.zeros(size, np.bool_)
    for text in texts.texts:
        occupied[text.ngrams] = True
    return int(np.count_nonzero(occupied))


def _narrowed(texts: Labelled, hasher: Hasher, bits: int) -> Labelled:
    """The same texts for a table of at most as many bits as the hasher's."""
    return Labelled([Encoded(text.tokens, hasher.narrowed(text.ngrams, bits)) for text in texts.texts], texts.labels)


def describe(data: Data) -> tuple[str, ...]:
    """What a person is told of the texts, lines."""
    vocabulary, train = data.vocabulary, data.train
    counts = np.bincount(train.labels, minlength=len(vocabulary.labels)).tolist()
    shares = ", ".join(
        f"{label[:24]} {count:,}" for label, count in islice(zip(vocabulary.labels, counts, strict=True), 10)
    )
    kind = "split at spaces" if vocabulary.splitter.kind == "spaces" else "split into words"
    lengths = train.lengths()
    most = data.config.max_length
    long = int((lengths > most).sum()) if data.config.reads_vectors else 0
    if data.config.reads_vectors:
        share = f"{_unknown_share(data.validation):.1%} of the validation words unknown"
        kind = f"{kind}, vocabulary {len(vocabulary.words) - UNKNOWN_WORD - 1:,}, {share}"
    return (
        *(f"left out: {reason}" for reason in data.left_out),
        *data.told,
        f"{data.name}: {len(lengths):,} texts of {lengths.mean():.0f} words on average to train on ({shares}), "
        f"{len(data.validation.texts):,} for validation; {kind}",
        *([f"{long:,} text(s) are longer than `max_length` {most} words; their middle is not read"] if long else ()),
    )


def _unknown_share(texts: Labelled) -> float:
    """The share of all words that are unknown."""
    return float(np.mean(np.concatenate([text.tokens for text in texts.texts]) == UNKNOWN_WORD))
