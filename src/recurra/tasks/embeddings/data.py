"""A text as numbers of words, on disk, and the words that are counted on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from recurra.tasks.embeddings.config import Config

Indices = NDArray[np.int32]

LINE_END = -1
"""What stands after the words of a line: no window reaches beyond it."""

GONE = -2
"""What stands for a word without a vector, before it is taken out."""

MIN_WORDS, MIN_TYPES = 100, 10
"""A text with fewer words, or fewer distinct ones often enough, is refused: there is nothing to learn from it."""

VALIDATION_SHARE = 100
"""Of a text that comes without another for validation, one line in this many is kept for it ..."""

MAX_VALIDATION = 100_000
"""... but not more words than this."""

_BLOCK = 2**20


@dataclass(frozen=True)
class Counted:
    """Every word of a text and how often it stands there.

    Attributes:
        words: the distinct ones.
        counts: of each, `(len(words),)`.
        vectors: so many of the first have vectors already.
    """

    words: Sequence[str]
    counts: IntArray
    vectors: int = 0


NOTHING = Counted((), np.zeros(0, np.int64))


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
        validation: what to measure the loss on, likewise; if empty, lines are taken out of the text.
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
        train, kept, name = *_divided(text, folder), "a hundredth of it"
    types = _Types(pieces, config.splitter, before)
    counts = types.counted(train)
    seen = int(counts.sum())
    require_spaces(dict(zip(types.words, counts.tolist(), strict=True)))
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
    return Data(
        corpus=corpus,
        words=WordIndex.of([types.words[number] for number in ranked]),
        counts=counts[ranked],
        rare=Counted([types.words[number] for number in rest], counts[rest]),
        train=_written(folder / "train.bin", map(types.indexed(index), _blocks(train))),
        validation=_written(folder / "kept.bin", map(types.indexed(index), _blocks(kept))),
        validation_name=name,
        seen=seen,
        digest=_digest(text, pieces),
    )


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


class _Types:
    """The distinct words that pieces stand for: " The" and "the" are one.

    Attributes:
        words: those of the model begun from first.
        of_piece: the word of each piece, `(pieces + 1,)`; `GONE` for what is none; the last is that of `LINE_END`.
    """

    def __init__(self, pieces: _Pieces, splitter: WordSplitter, before: Counted) -> None:
        numbers = {word: number for number, word in enumerate(before.words)}
        found = (splitter.word(piece) for piece in islice(pieces, 1, None))
        of_piece = [numbers.setdefault(word, len(numbers)) if word else GONE for word in found]
        self.of_piece = np.array([*of_piece, LINE_END], np.int32)
        self.words = list(numbers)

    def counted(self, text: Indices) -> IntArray:
        """How often each word stands in a text of pieces, `(words,)`."""
        pieces = np.zeros(len(self.of_piece), np.int64)
        for block in _blocks(text):
            pieces += np.bincount(block + 1, minlength=len(pieces))  # line ends first
        counts = np.zeros(len(self.words), np.int64)
        words = self.of_piece[:-1]
        np.add.at(counts, words[words >= 0], pieces[1:][words >= 0])
        return counts

    def ranked(self, counts: IntArray, config: Config, vectors: int) -> IntArray:
        """The words that get vectors, the most frequent first; the first `vectors` words have them already."""
        enough = np.flatnonzero((counts >= config.min_count) | (np.arange(len(counts)) < vectors))
        order = sorted(enough.tolist(), key=lambda number: (-counts[number], self.words[number]))
        limit = config.vocabulary_size or len(order)
        kept = [number for rank, number in enumerate(order) if rank < limit or number < vectors]
        return np.array(kept, np.int64)

    def indexed(self, index: Indices) -> Callable[[Indices], Indices]:
        """A function from pieces to indices of words, without those that have none."""
        of_piece = np.where(self.of_piece < 0, self.of_piece, index[self.of_piece])

        def replaced(block: Indices) -> Indices:
            found: Indices = of_piece[block]
            return np.asarray(found[found != GONE])

        return replaced


def _numbered(corpus: Corpus, splitter: WordSplitter, pieces: _Pieces, path: Path) -> Indices:
    """A text as numbers of pieces, on disk, with a line end after the last."""

    def blocks() -> Iterator[Indices]:
        for text in corpus.text():
            found = splitter.pieces(text)
            yield np.fromiter(map(pieces.__getitem__, found), np.int32, len(found))
        yield np.array([LINE_END], np.int32)

    return _written(path, blocks())


def _divided(text: Indices, folder: Path) -> tuple[Indices, Indices]:
    """A text without one line in a hundred, and these; without its last hundredth, if it has few lines."""
    lines = sum(int((block == LINE_END).sum()) for block in _blocks(text))
    if lines < 2 * VALIDATION_SHARE:
        cut = len(text) - min(len(text) // VALIDATION_SHARE, MAX_VALIDATION)
        return text[:cut], text[cut:]
    chosen = max(VALIDATION_SHARE, -(-len(text) // MAX_VALIDATION))

    def parts(kept: bool) -> Iterator[Indices]:
        before = 0
        for block in _blocks(text):
            ends = block == LINE_END
            line = before + np.cumsum(ends) - ends
            before += int(ends.sum())
            yield block[(line % chosen == chosen - 1) == kept]

    return _written(folder / "rest.bin", parts(False)), _written(folder / "kept-pieces.bin", parts(True))


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
