"""A text as numbers of words, on disk, and the words that are counted on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import IntArray
from recurra.data.corpus import Corpus, Source, open_corpus
from recurra.data.word_index import WordIndex
from recurra.data.words import WordSplitter, require_spaces
from recurra.errors import RecurraError, os_errors
from recurra.tasks.embeddings import phrases
from recurra.tasks.embeddings.config import Config
from recurra.tasks.embeddings.counted import NOTHING, Counted

Indices = NDArray[np.int32]

LINE_END = -1
"""What stands after the words of a line: no window reaches beyond it."""

GONE = -2
"""What stands for a word without a vector, before it is taken out."""

MIN_WORDS, MIN_TYPES = 100, 10
"""A text with fewer words, or fewer distinct ones often enough, is refused: there is nothing to learn from it."""

VALIDATION_SHARE, SMALL_VALIDATION_SHARE = 100, 10
"""Of a text without another for validation one line in so many is kept for it, in so many of a small text ..."""

MAX_VALIDATION = 100_000
"""... but not more words than this."""

TRAIN, KEPT = "train.bin", "kept.bin"
"""The files of word numbers that stay while a run goes on."""

_BLOCK = 2**20


@dataclass(frozen=True)
class Data:
    """A text as numbers of words.

    Attributes:
        corpus: where it came from.
        words: those that get vectors, the most frequent first.
        counts: how often each was seen, by the model begun from too, `(words,)`.
        rare: the others, which are too rare or too many; they count when training goes on with more text.
        train: indices of words, `(length,)`, with `LINE_END` after each line; other words are left out.
        validation: likewise, not trained on.
        validation_name: what the validation part is, for the model card.
        seen: words in the text to train on, the rare ones among them.
        digest: of the text; tells whether a resumed run has the same.
    """

    corpus: Corpus
    words: WordIndex
    counts: IntArray
    rare: Counted
    train: Indices
    validation: Indices
    validation_name: str
    seen: int
    digest: str


def read_data(
    sources: Sequence[Source], validation: Sequence[Source], config: Config, folder: Path, before: Counted = NOTHING
) -> Data:
    """Read a text into files of word numbers.

    Args:
        sources: files, folders, texts or a sample, see `open_corpus`.
        validation: what to measure the loss on, likewise; if empty, some lines are taken out of the text.
        config: what a word is, and which get vectors.
        folder: where the files go.
        before: the words that the model begun from has counted; all of its vectors' words stay.

    Raises:
        RecurraError: if the text cannot be read, or has too few words.
    """
    corpus = open_corpus(sources, config.encoding, columns=config.columns)
    pieces = _Pieces()
    train = text = _numbered(corpus, config.splitter, pieces, folder / "text.bin")
    if validation:
        other = open_corpus(validation, config.encoding, columns=config.columns)
        kept, name = _numbered(other, config.splitter, pieces, folder / "validation.bin"), other.name
    else:
        train, kept, name = _divided(text, folder)
    digest = _digest(text, pieces)
    types = _Types.of(pieces, config.splitter, before.words)
    for number in range(config.phrases):
        train, kept, types = _with_phrases(train, kept, types, before, config, folder / f"phrases{number}")
    counts = types.counted(train)
    seen = int(counts.sum())
    require_spaces(dict(zip(types.words, counts.tolist(), strict=True)), "part them and give `words` spaces")
    counts[: len(before.words)] += before.counts
    ranked = types.ranked(counts, config, before.vectors)
    if seen < MIN_WORDS or len(ranked) < MIN_TYPES:
        raise RecurraError(
            f"{corpus.name} is too short to learn from: {seen:,} words, {len(ranked):,} of them distinct and seen "
            f"`min_count` {config.min_count} times; at least {MIN_WORDS} and {MIN_TYPES} are needed"
        )
    index = np.full(len(types.words), GONE, np.int32)
    index[ranked] = np.arange(len(ranked), dtype=np.int32)
    rest = np.flatnonzero((index == GONE) & (counts > 0))
    train, kept = (
        _written(folder / called, _without_gaps(types.numbered(index), part))
        for called, part in ((TRAIN, train), (KEPT, kept))
    )
    for path in folder.glob("*.bin"):
        if path.name not in (TRAIN, KEPT):
            path.unlink()
    words = WordIndex.of([types.words[number] for number in ranked])
    rare = Counted([types.words[number] for number in rest], counts[rest])
    return Data(corpus, words, counts[ranked], rare, train, kept, name, seen, digest)


def describe(data: Data) -> tuple[str, ...]:
    """What a person is told of a text, lines."""
    rare = int(data.rare.counts.sum())
    left = f"; {len(data.rare.words):,} rarer ones, {rare:,} words of the text, have none, but are counted"
    return (
        *(f"left out: {reason}" for reason in data.corpus.skipped),
        f"{data.corpus.name}: {data.seen:,} words to learn from; {len(data.words):,} distinct ones get vectors"
        + (left if rare else ""),
    )


class _Pieces(dict[str, int]):
    """What `WordSplitter.pieces` finds, numbered as it comes; a line end is `LINE_END`."""

    def __init__(self) -> None:
        super().__init__({"\n": LINE_END})

    def __missing__(self, piece: str) -> int:
        self[piece] = number = len(self) - 1
        return number


@dataclass(frozen=True)
class _Types:
    """The distinct words that the numbers of a text stand for: of its pieces, " The" and "the" are one.

    Attributes:
        words: those of the model begun from first.
        of_number: the word of each number, `GONE` for what is none; at the end those of `GONE` and of `LINE_END`.
    """

    words: list[str]
    of_number: Indices

    @classmethod
    def of(cls, pieces: _Pieces, splitter: WordSplitter, before: Sequence[str]) -> _Types:
        """The words that pieces stand for."""
        numbers = {word: number for number, word in enumerate(before)}
        found = (splitter.word(piece) for piece in islice(pieces, 1, None))
        of_piece = [numbers.setdefault(word, len(numbers)) if word else GONE for word in found]
        return cls(list(numbers), np.array([*of_piece, GONE, LINE_END], np.int32))

    @classmethod
    def plain(cls, words: list[str]) -> _Types:
        """Those of a text whose numbers are words already."""
        return cls(words, np.array([*range(len(words)), GONE, LINE_END], np.int32))

    def counted(self, text: Indices) -> IntArray:
        """How often each word stands in a text, `(words,)`."""
        numbers = np.zeros(len(self.of_number), np.int64)
        for block in _blocks(text):
            numbers += np.bincount(block - GONE, minlength=len(numbers))
        counts = np.zeros(len(self.words), np.int64)
        real = self.of_number >= 0
        np.add.at(counts, self.of_number[real], np.roll(numbers, GONE)[real])
        return counts

    def ranked(self, counts: IntArray, config: Config, vectors: int) -> IntArray:
        """The words that get vectors, the most frequent first; the first `vectors` words have them already."""
        enough = np.flatnonzero((counts >= config.min_count) | (np.arange(len(counts)) < vectors))
        order = sorted(enough.tolist(), key=lambda number: (-counts[number], self.words[number]))
        limit = config.vocabulary_size or len(order)
        kept = [number for rank, number in enumerate(order) if rank < limit or number < vectors]
        return np.array(kept, np.int64)

    def numbered(self, index: Indices) -> Indices:
        """What the numbers of a text become if its words become those of `index`."""
        return np.where(self.of_number < 0, self.of_number, index[self.of_number])


def _with_phrases(
    train: Indices, kept: Indices, types: _Types, before: Counted, config: Config, path: Path
) -> tuple[Indices, Indices, _Types]:
    """A text with its phrases for words, and those of the model begun from, whether they are frequent or not."""
    counts = types.counted(train)
    numbers = {word: number for number, word in enumerate(types.words)}
    halves = (word.rpartition(phrases.MARK) for word in before.words[: before.vectors])
    known = [(numbers[a], numbers[b]) for a, _, b in halves if a in numbers and b in numbers]
    new = phrases.find_pairs(
        lambda: _mapped(types.of_number, train), len(train), counts, config.min_count, config.phrase_threshold
    )
    old = np.array([first * len(counts) + second for first, second in known], np.int64)
    keys = np.union1d(new, old)
    names = (types.words[key // len(counts)] + phrases.MARK + types.words[key % len(counts)] for key in keys)
    joined = np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int32)
    found = phrases.Phrases(len(counts), keys, joined)
    texts = (phrases.join(_mapped(types.of_number, text), found) for text in (train, kept))
    train, kept = (_written(path.with_suffix(f".{n}.bin"), text) for n, text in enumerate(texts))
    return train, kept, _Types.plain(list(numbers))


def _mapped(numbers: Indices, text: Indices) -> Iterator[Indices]:
    return (numbers[block] for block in _blocks(text))


def _without_gaps(numbers: Indices, text: Indices) -> Iterator[Indices]:
    return (block[block != GONE] for block in _mapped(numbers, text))


def _numbered(corpus: Corpus, splitter: WordSplitter, pieces: _Pieces, path: Path) -> Indices:
    """A text as numbers of pieces, on disk, with a line end after the last."""

    def blocks() -> Iterator[Indices]:
        for text in corpus.text():
            found = splitter.pieces(text)
            yield np.fromiter(map(pieces.__getitem__, found), np.int32, len(found))
        yield np.array([LINE_END], np.int32)

    return _written(path, blocks())


def _divided(text: Indices, folder: Path) -> tuple[Indices, Indices, str]:
    """A text without one line in so many, these lines, and what they are; if it has few lines, its end is cut off."""
    lines = sum(int((block == LINE_END).sum()) for block in _blocks(text))
    small = min(VALIDATION_SHARE, max(SMALL_VALIDATION_SHARE, len(text) // 1000))
    chosen = max(small, -(-len(text) // MAX_VALIDATION))
    if lines < 2 * chosen:
        cut = len(text) - len(text) // chosen
        return text[:cut], text[cut:], f"its last part of {chosen}"

    def parts(kept: bool) -> Iterator[Indices]:
        before = 0
        for block in _blocks(text):
            ends = block == LINE_END
            line = before + np.cumsum(ends) - ends
            before += int(ends.sum())
            yield block[(line % chosen == chosen - 1) == kept]

    return (
        _written(folder / "rest.bin", parts(False)),
        _written(folder / "lines.bin", parts(True)),
        f"one line in {chosen} of it",
    )


def _blocks(text: Indices) -> Iterator[Indices]:
    """A text in blocks, each read when it is used."""
    return (np.asarray(text[begin : begin + _BLOCK]) for begin in range(0, len(text), _BLOCK))


def _written(path: Path, blocks: Iterable[Indices]) -> Indices:
    """Blocks one after another on disk, mapped."""
    with os_errors("writing", path):
        with open(path, "wb") as file:
            for block in blocks:
                file.write(block.tobytes())
        size = path.stat().st_size // 4
        return np.memmap(path, np.int32, "r", shape=(size,)) if size else np.zeros(0, np.int32)


def _digest(text: Indices, pieces: _Pieces) -> str:
    digest = hashlib.sha256("\n".join(pieces).encode("utf-8", "surrogatepass"))
    for block in _blocks(text):
        digest.update(block.tobytes())
    return digest.hexdigest()
