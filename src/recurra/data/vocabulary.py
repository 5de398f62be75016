"""Sentences to symbols and back, for one side of sentence pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.data import tokenizer as tokenizers
from recurra.data.tokenizer import Kind, Symbols, Tokenizer
from recurra.errors import RecurraError

SPACED: tuple[Kind, ...] = ("words", "pieces")
"""Symbols that hold the space before a word: a sentence is read with one before its first word too."""


BLOCK = 10_000
"""Sentences that vocabularies are counted in at once; affects memory and speed only."""


@dataclass(frozen=True)
class Language:
    """A tokenizer of single sentences, with two symbols more: what every output is begun with, and what ends it.

    Attributes:
        tokenizer: text to symbols and back.
    """

    tokenizer: Tokenizer

    @property
    def start(self) -> int:
        """The symbol before the first."""
        return self.tokenizer.size

    @property
    def end(self) -> int:
        """The symbol after the last."""
        return self.tokenizer.size + 1

    @property
    def size(self) -> int:
        """Number of distinct symbols."""
        return self.tokenizer.size + 2

    @cached_property
    def unwritable(self) -> list[int]:
        """The symbols that no output may have: the start, the unknown one, and whatever ends a line."""
        ends = [symbol for symbol in range(self.tokenizer.size) if set(self.tokenizer.piece(symbol)) & set(b"\r\n")]
        unknown = [] if self.tokenizer.unknown is None else [self.tokenizer.unknown]
        return sorted({self.start, *unknown, *ends})

    def encode(self, sentence: str) -> Symbols:
        """The symbols of a sentence, the end at last, `(length,)`, at least one."""
        symbols = self.tokenizer.encode(self._spaced(sentence))
        return np.append(symbols, self.end).astype(np.int32)

    def split(self, sentence: str) -> list[str]:
        """The parts of a sentence that `encode` looks up, in order, without the end."""
        return self.tokenizer.split(self._spaced(sentence))

    def unknown_in(self, sentence: str) -> list[str]:
        """The characters or words of a sentence that there is no symbol for, each once."""
        unknown = self.tokenizer.unknown
        if unknown is None:
            return []
        parts = (part for part in self.split(sentence) if unknown in self.tokenizer.encode(part))
        return list(dict.fromkeys(part.strip(" ") or part for part in parts))

    def unknown_share(self, sequences: Sequence[Symbols]) -> float:
        """The share of all symbols that are the unknown one."""
        if self.tokenizer.unknown is None or not sequences:
            return 0.0
        return float((np.concatenate(sequences) == self.tokenizer.unknown).mean())

    def decode(self, symbols: Iterable[int]) -> str:
        """The sentence of symbols without start and end."""
        text = tokenizers.decode(self.tokenizer, symbols)
        return text[1:] if self.tokenizer.kind in SPACED and text.startswith(" ") else text

    def shown(self, symbols: Sequence[int]) -> list[str]:
        """Symbols as a person reads them one by one; a part of a character as its bytes."""
        return [_shown(self.tokenizer.piece(symbol)) for symbol in symbols]

    def _spaced(self, sentence: str) -> str:
        return " " + sentence if self.tokenizer.kind in SPACED and sentence else sentence


def batched(sentences: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Runs of at most `size` sentences."""
    return (sentences[begin : begin + size] for begin in range(0, len(sentences), size))


def _shown(piece: bytes) -> str:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return "".join(f"<{byte:02X}>" for byte in piece)


class Sequences(NamedTuple):
    """Sentence pairs as symbols.

    Attributes:
        sources: each with its end symbol.
        targets: each with its end symbol.
    """

    sources: Sequence[Symbols]
    targets: Sequence[Symbols]

    def lengths(self) -> NDArray[np.int64]:
        """Of both sides of each pair, `(pairs, 2)`."""
        return np.array([[len(a), len(b)] for a, b in zip(*self, strict=True)], np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class Languages:
    """Both sides.

    Attributes:
        source: of what is read.
        target: of what is written; the source's own if they share one vocabulary.
    """

    source: Language
    target: Language

    @property
    def joint(self) -> bool:
        """Whether both sides share one vocabulary."""
        return self.source is self.target

    @classmethod
    def build(
        cls, kind: Kind, sources: Sequence[str], targets: Sequence[str], joint: bool, limit: int, min_count: int
    ) -> Languages:
        """Make the vocabularies of sentence pairs.

        Args:
            kind: which symbols.
            sources: sentences.
            targets: their translations.
            joint: one vocabulary for both sides.
            limit: largest number of symbols in a vocabulary.
            min_count: what a side has less often becomes the unknown symbol.

        Raises:
            RecurraError: if most of a side would be unknown.
        """

        def make(*sides: Sequence[str]) -> Language:
            between = " " if kind in SPACED else ""
            blocks = (between + between.join(block) for side in sides for block in batched(side, BLOCK))
            return Language(tokenizers.build(kind, blocks, limit, min_count))

        if joint:
            both = make(sources, targets)
            return cls(both, both)
        return cls(make(sources), make(targets))

    def encode(self, sources: Sequence[str], targets: Sequence[str], longest: int) -> tuple[Sequences, int]:
        """Pairs as symbols, but for those with more than `longest` on a side; and how many these are."""
        pairs = zip(map(self.source.encode, sources), map(self.target.encode, targets), strict=True)
        kept = [pair for pair in pairs if max(map(len, pair)) <= longest + 1]
        return Sequences([source for source, _ in kept], [target for _, target in kept]), len(sources) - len(kept)

    def to_json(self) -> dict[str, Any]:
        """Everything needed to make them again, as JSON values; no target if it is the source."""
        target = {} if self.joint else {"target": self.target.tokenizer.to_json()}
        return {"source": self.source.tokenizer.to_json()} | target

    @classmethod
    def from_json(cls, values: object, where: str) -> Languages:
        """The languages that `to_json` described; `where` names the origin in errors."""
        match values:
            case {"source": source, "target": target}:
                return cls(*(Language(tokenizers.from_json(side, where)) for side in (source, target)))
            case {"source": source}:
                both = Language(tokenizers.from_json(source, where))
                return cls(both, both)
        raise RecurraError(f"{where} holds no vocabularies; the file is damaged, copy or train the model again")
