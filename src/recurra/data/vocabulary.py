"""Sentences to tokens and back, for one side of sentence pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from recurra.arrays import IntArray
from recurra.data import tokenizer as tokenizers
from recurra.data.placeholders import NO_PLACEHOLDERS, Placeholders
from recurra.data.tokenizer import SPACED, Normalization, Tokenizer, TokenKind, Tokens
from recurra.errors import RecurraError

BLOCK = 10_000
"""Sentences that vocabularies are counted in at once; affects memory and speed only."""


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer of single sentences, with two tokens more: what every output is begun with, and what ends it.

    Attributes:
        tokenizer: text to tokens and back.
    """

    tokenizer: Tokenizer

    @classmethod
    def build(
        cls,
        kind: TokenKind,
        *sides: Sequence[str],
        limit: int,
        min_count: int,
        normalization: Normalization | None = "NFC",
    ) -> Vocabulary:
        """Make the vocabulary of sentences; for the arguments, and what is refused, see `VocabularyPair.build`."""
        between = " " if kind in SPACED else ""
        # Normalised one by one: one that begins with a mark does not lend it to the one before.
        whole = ((tokenizers.normalized(sentence, normalization) for sentence in side) for side in sides)
        blocks = (between + between.join(block) for side in whole for block in batched(side, BLOCK))
        built = tokenizers.build(kind, blocks, limit, min_count, normalization=None)
        return cls.from_json(built.to_json() | {"normalization": normalization}, "this vocabulary")

    @property
    def start(self) -> int:
        """The token before the first."""
        return self.tokenizer.size

    @property
    def end(self) -> int:
        """The token after the last."""
        return self.tokenizer.size + 1

    @property
    def size(self) -> int:
        """Number of distinct tokens."""
        return self.tokenizer.size + 2

    @cached_property
    def unwritable(self) -> list[int]:
        """The tokens that no output may have: the start, the unknown one, and whatever ends a line."""
        ends = [token for token in range(self.tokenizer.size) if set(self.tokenizer.piece(token)) & set(b"\r\n")]
        unknown = [] if self.tokenizer.unknown is None else [self.tokenizer.unknown]
        return sorted({self.start, *unknown, *ends})

    def encode(self, sentence: str) -> Tokens:
        """The tokens of a sentence, the end at last, `(length,)`, at least one."""
        tokens = self.tokenizer.encode(self._spaced(sentence))
        return np.append(tokens, self.end).astype(np.int32)

    def split(self, sentence: str) -> list[str]:
        """The parts of a sentence that `encode` looks up, in order, without the end."""
        return self.tokenizer.split(self._spaced(sentence))

    def runs_of(self, symbol: str) -> list[list[int]]:
        """The tokens that a character without letters is, at the beginning of a word and within; none if unknown."""
        forms = (symbol, " " + symbol) if self.tokenizer.kind == "words" else (symbol,)
        runs = [self.tokenizer.encode(form).tolist() for form in forms]
        return [run for run in runs if self.tokenizer.unknown not in run]

    def unknown_in(self, sentence: str, tokens: Tokens | None = None) -> list[str]:
        """The characters or words of a sentence that there is no token for, each once.

        Args:
            sentence: as it was encoded.
            tokens: what `encode` made of it, if that is at hand.
        """
        unknown = self.tokenizer.unknown
        if unknown is None:
            return []
        missing = np.flatnonzero((self.encode(sentence) if tokens is None else tokens) == unknown)
        if not len(missing):
            return []
        parts = self.split(sentence)  # one for each token, where tokens can be unknown
        return list(dict.fromkeys(parts[index].strip(" ") or parts[index] for index in missing))

    def unknown_share(self, sequences: Sequence[Tokens]) -> float:
        """The share of all tokens that are the unknown one."""
        if self.tokenizer.unknown is None or not sequences:
            return 0.0
        return float((np.concatenate(sequences) == self.tokenizer.unknown).mean())

    def decode(self, tokens: Iterable[int], unknown: Sequence[str] = ()) -> str:
        """The sentence of tokens without start and end.

        Args:
            tokens: what was written.
            unknown: what the unknown ones among them stand for, in order; if not given, U+FFFD.
        """
        if unknown:
            texts = iter(unknown)
            own = self.tokenizer.unknown
            pieces = (next(texts).encode() if token == own else self.tokenizer.piece(int(token)) for token in tokens)
            text = b"".join(pieces).decode("utf-8", "replace")
        else:
            text = tokenizers.decode(self.tokenizer, tokens)
        return text[1:] if self.tokenizer.kind in SPACED and text.startswith(" ") else text

    def shown(self, tokens: Sequence[int]) -> list[str]:
        """Tokens as a person reads them one by one; a part of a character as its bytes."""
        return [_shown(self.tokenizer.piece(token)) for token in tokens]

    def to_json(self) -> dict[str, Any]:
        """Everything needed to make it again, as JSON values."""
        return self.tokenizer.to_json()

    @classmethod
    def from_json(cls, values: object, where: str) -> Vocabulary:
        """The vocabulary that `to_json` described; `where` names the origin in errors."""
        return cls(tokenizers.from_json(values, where))

    def _spaced(self, sentence: str) -> str:
        return " " + sentence if self.tokenizer.kind in SPACED and sentence else sentence


def batched(sentences: Iterable[str], size: int) -> Iterator[list[str]]:
    """Runs of at most `size` sentences."""
    sentences = iter(sentences)
    while run := list(islice(sentences, size)):
        yield run


def _shown(piece: bytes) -> str:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return "".join(f"<{byte:02X}>" for byte in piece)


class _EncodedPair(NamedTuple):
    source: Tokens
    target: Tokens

    def fits(self, longest: int) -> bool:
        """Whether neither side has more tokens, the end not counted."""
        return max(len(self.source), len(self.target)) <= longest + 1


class Sequences(NamedTuple):
    """Sentence pairs as tokens.

    Attributes:
        sources: each with its end token.
        targets: each with its end token.
    """

    sources: Sequence[Tokens]
    targets: Sequence[Tokens]

    def lengths(self) -> IntArray:
        """Of both sides of each pair, `(pairs, 2)`."""
        return np.array([[len(a), len(b)] for a, b in zip(*self, strict=True)], np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class VocabularyPair:
    """Both sides.

    Attributes:
        source: of what is read.
        target: of what is written; the source's own if they share one vocabulary.
        placeholders: what is not translated but copied.
    """

    source: Vocabulary
    target: Vocabulary
    placeholders: Placeholders = NO_PLACEHOLDERS

    @property
    def joint(self) -> bool:
        """Whether both sides share one vocabulary."""
        return self.source is self.target

    @property
    def kind(self) -> str:
        """What the sides are made of: words, or words and characters."""
        return " and ".join(dict.fromkeys((self.source.tokenizer.kind, self.target.tokenizer.kind)))

    @classmethod
    def build(
        cls,
        kinds: tuple[TokenKind, TokenKind],
        sources: Sequence[str],
        targets: Sequence[str],
        joint: bool,
        limit: int,
        min_count: int,
        normalization: Normalization | None = "NFC",
        placeholders: Placeholders = NO_PLACEHOLDERS,
    ) -> VocabularyPair:
        """Make the vocabularies of sentence pairs.

        Args:
            kinds: which tokens, of the sources and of the targets.
            sources: sentences.
            targets: their translations.
            joint: one vocabulary for both sides.
            limit: largest number of tokens in a vocabulary.
            min_count: what a side has less often becomes the unknown token.
            normalization: the Unicode normal form that sentences are brought to, see `tokenizer.build`.
            placeholders: what is not translated but copied.

        Raises:
            RecurraError: if most of a side would be unknown, or it puts no spaces between the words that are asked for.
        """

        def make(kind: TokenKind, *sides: Sequence[str]) -> Vocabulary:
            return Vocabulary.build(kind, *sides, limit=limit, min_count=min_count, normalization=normalization)

        if placeholders.count:
            masked = [placeholders.mask_pair(*pair) for pair in zip(sources, targets, strict=True)]
            sources, targets = [source for source, _ in masked], [target for _, target in masked]
        if joint:
            both = make(kinds[0], sources, targets)
            return cls(both, both, placeholders)
        return cls(make(kinds[0], sources), make(kinds[1], targets), placeholders)

    def encode(self, sources: Sequence[str], targets: Sequence[str], longest: int) -> tuple[Sequences, int]:
        """Pairs as tokens, but for those with more than `longest` on a side; and how many these are."""
        pairs = [self._encoded(*pair) for pair in zip(sources, targets, strict=True)]
        kept = [pair for pair in pairs if pair.fits(longest)]
        return Sequences([pair.source for pair in kept], [pair.target for pair in kept]), len(pairs) - len(kept)

    def fitting(self, sources: Sequence[str], targets: Sequence[str], longest: int) -> list[bool]:
        """Which pairs `encode` keeps."""
        return [self._encoded(*pair).fits(longest) for pair in zip(sources, targets, strict=True)]

    def _encoded(self, source: str, target: str) -> _EncodedPair:
        source, target = self.placeholders.mask_pair(source, target)
        return _EncodedPair(self.source.encode(source), self.target.encode(target))

    def to_json(self) -> dict[str, Any]:
        """Everything needed to make them again, as JSON values; no target if it is the source."""
        target = {} if self.joint else {"target": self.target.to_json()}
        kept = {"placeholders": self.placeholders.to_json()} if self.placeholders.count else {}
        return {"source": self.source.to_json()} | target | kept

    @classmethod
    def from_json(cls, values: object, where: str) -> VocabularyPair:
        """The vocabularies that `to_json` described; `where` names the origin in errors."""
        match values:
            case {"source": source, **rest}:
                first = Vocabulary.from_json(source, where)
                second = Vocabulary.from_json(rest["target"], where) if "target" in rest else first
                kept = rest.get("placeholders")
                return cls(first, second, NO_PLACEHOLDERS if kept is None else Placeholders.from_json(kept, where))
        raise RecurraError(f"{where} holds no vocabularies; the file is damaged, copy or train the model again")
