"""Text to tokens and back: characters, bytes, words or byte-pair subwords.

Every tokenizer is lossless but for its unknown token: the pieces of a text, joined, are the text. So any token has a
piece of UTF-8 of its own, and text can be shown while it is made.
"""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from recurra.errors import RecurraError

TokenKind = Literal["characters", "bytes", "words", "subwords"]
Tokens = NDArray[Any]

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""How the unknown token is written."""

MAX_UNKNOWN_SHARE = 0.5
"""With more than this share of a corpus unknown, its vocabulary is absurd and training is refused."""

MAX_CHARACTER_PERPLEXITY = 4000
"""So too if a character alone is harder to guess than one of this many; Chinese poems have 650, random ones 20,000."""

_WORD = re.compile(r" ?<\w+>| ?\w+(?:['’]\w+)*| ?[^\w\s]|\s")  # noqa: RUF001 (the apostrophe people type)


class Tokenizer(Protocol):
    """What every kind of tokens can do.

    Attributes:
        kind: the name it goes by in options and files.
        size: number of distinct tokens.
        unknown: the token for what was not seen in training, or None if there can be no such thing.
    """

    kind: TokenKind
    size: int
    unknown: int | None

    def encode(self, text: str) -> Tokens:
        """The tokens of a text, `(length,)`; what is unknown becomes `unknown`."""

    def split(self, text: str) -> list[str]:
        """The parts of a text that `encode` looks up, in order."""

    def piece(self, token: int) -> bytes:
        """The UTF-8 bytes one token stands for; a byte or a byte-pair subword may be part of a character."""

    def to_json(self) -> dict[str, Any]:
        """Everything needed to make it again, as JSON values."""


class Characters:
    """One token a Unicode character; token 0 is the unknown one."""

    kind: TokenKind = "characters"
    unknown: int | None = 0

    def __init__(self, characters: Sequence[str]) -> None:
        if any(not isinstance(c, str) or len(c) != 1 for c in characters) or len(set(characters)) < len(characters):
            raise ValueError("the characters of a vocabulary must be single and distinct")
        self.characters = list(characters)
        self.size = len(self.characters) + 1
        self._tokens = np.zeros(0x110000, dtype=np.uint32)
        self._tokens[[ord(c) for c in self.characters]] = np.arange(1, self.size)

    @classmethod
    def build(cls, blocks: Iterable[str], limit: int, min_count: int) -> Characters:
        """The at most `limit` most frequent characters seen at least `min_count` times."""
        counts = np.zeros(0x110000, dtype=np.int64)
        for block in blocks:
            counts += np.bincount(_code_points(block), minlength=len(counts))
        kept = sorted(np.flatnonzero(counts >= min_count), key=lambda code: (-counts[code], code))[:limit]
        _require_sense(int(counts[kept].sum()), int(counts.sum()), "characters")
        _require_favourites(counts)
        return cls(sorted(chr(code) for code in kept))

    def encode(self, text: str) -> Tokens:
        """One token a character, `(len(text),)`."""
        return self._tokens[_code_points(text)]

    def split(self, text: str) -> list[str]:
        """The characters."""
        return list(text)

    def piece(self, token: int) -> bytes:
        """The character in UTF-8."""
        return (self.characters[token - 1] if token else UNKNOWN).encode("utf-8", "surrogatepass")

    def to_json(self) -> dict[str, Any]:
        """The characters in the order of their tokens."""
        return {"kind": self.kind, "tokens": self.characters}


class Bytes:
    """One token a byte of UTF-8 (or of whatever the files hold); nothing is ever unknown."""

    kind: TokenKind = "bytes"
    size = 256
    unknown: int | None = None

    def encode(self, text: str) -> Tokens:
        """One token a byte."""
        return np.frombuffer(text.encode("utf-8", "surrogateescape"), dtype=np.uint8)

    def split(self, text: str) -> list[str]:
        """The characters, some of several bytes."""
        return list(text)

    def piece(self, token: int) -> bytes:
        """The byte itself."""
        return bytes([token])

    def to_json(self) -> dict[str, Any]:
        """Nothing but the kind."""
        return {"kind": self.kind}


class Words:
    """One token a word with the space before it, a mark or a line end; token 0 is the unknown one.

    For writing that puts spaces between words.
    """

    kind: TokenKind = "words"
    unknown: int | None = 0

    def __init__(self, words: Sequence[str]) -> None:
        if any(not isinstance(word, str) or not word for word in words) or len(set(words)) < len(words):
            raise ValueError("the words of a vocabulary must be non-empty and distinct")
        self.words = list(words)
        self.size = len(self.words) + 1
        self._tokens = {word: token for token, word in enumerate(self.words, 1)}

    @classmethod
    def build(cls, blocks: Iterable[str], limit: int, min_count: int) -> Words:
        """The at most `limit` most frequent words seen at least `min_count` times."""
        counts: Counter[str] = Counter()
        for block in blocks:
            counts.update(_WORD.findall(block))
        ranked = sorted((word for word, n in counts.items() if n >= min_count), key=lambda word: (-counts[word], word))
        _require_sense(sum(counts[word] for word in ranked[:limit]), counts.total(), "words")
        return cls(ranked[:limit])

    def encode(self, text: str) -> Tokens:
        """One token a word."""
        return np.array([self._tokens.get(word, 0) for word in _WORD.findall(text)], dtype=np.uint32)

    def split(self, text: str) -> list[str]:
        """The words, each with the space before it."""
        return _WORD.findall(text)

    def piece(self, token: int) -> bytes:
        """The word in UTF-8, with its space."""
        return (self.words[token - 1] if token else " " + UNKNOWN).encode("utf-8", "surrogatepass")

    def to_json(self) -> dict[str, Any]:
        """The words in the order of their tokens."""
        return {"kind": self.kind, "tokens": self.words}


class Subwords:
    """Byte-pair subwords over bytes (Sennrich et al. 2016; made and run by `tokenizers`); nothing is ever unknown."""

    kind: TokenKind = "subwords"
    unknown: int | None = None

    def __init__(self, tokens: Sequence[str], merges: Sequence[Sequence[str]]) -> None:
        to_byte = {character: byte for byte, character in _byte_characters().items()}
        if any(not isinstance(name, str) or not name or not to_byte.keys() >= set(name) for name in tokens):
            raise ValueError("the pieces of a vocabulary must be non-empty and of bytes")
        known = set(tokens)
        if len(known) < len(tokens) or not known >= to_byte.keys():
            raise ValueError("the pieces of a vocabulary must be distinct, and all bytes among them")
        if any(not _is_merge(merge, known) for merge in merges):
            raise ValueError("the merges of a vocabulary must be pairs of its pieces that make another")
        self.tokens = list(tokens)
        self.merges = [list(merge) for merge in merges]
        self.size = len(self.tokens)
        self._tokenizer = _byte_pair_tokenizer(self.tokens, self.merges)
        self._pieces = [bytes(to_byte[c] for c in name) for name in self.tokens]

    @classmethod
    def build(cls, blocks: Iterable[str], limit: int, min_count: int) -> Subwords:
        """At most `limit` pieces, but at least the bytes, merged from pairs seen at least `min_count` times."""
        from tokenizers import pre_tokenizers, trainers

        trainer = trainers.BpeTrainer(
            vocab_size=max(limit, 256),
            min_frequency=min_count,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
        tokenizer = _byte_pair_tokenizer([], [])
        tokenizer.train_from_iterator((_without_surrogates(line) for line in _lines(blocks)), trainer)
        model = json.loads(tokenizer.to_str())["model"]
        return cls(sorted(model["vocab"], key=model["vocab"].__getitem__), model["merges"])

    def encode(self, text: str) -> Tokens:
        """One token a piece."""
        return np.array(self._tokenizer.encode(_without_surrogates(text)).ids, dtype=np.uint32)

    def split(self, text: str) -> list[str]:
        """The pieces, in the library's own spelling."""
        return list(self._tokenizer.encode(_without_surrogates(text)).tokens)

    def piece(self, token: int) -> bytes:
        """The bytes of the piece."""
        return self._pieces[token]

    def to_json(self) -> dict[str, Any]:
        """The pieces in the order of their tokens, and the merges in the order they are tried."""
        return {"kind": self.kind, "tokens": self.tokens, "merges": self.merges}


def build(kind: TokenKind, blocks: Iterable[str], limit: int, min_count: int) -> Tokenizer:
    """Make the tokenizer of a corpus.

    Args:
        kind: which tokens.
        blocks: the text, as `Corpus.blocks` gives it.
        limit: largest number of tokens to keep.
        min_count: what is seen less often becomes the unknown token.

    Raises:
        RecurraError: if most of the text would be unknown.
    """
    if kind == "characters":
        return Characters.build(blocks, limit, min_count)
    if kind == "words":
        return Words.build(blocks, limit, min_count)
    if kind == "subwords":
        return Subwords.build(blocks, limit, min_count)
    return Bytes()


def from_json(values: object, where: str) -> Tokenizer:
    """The tokenizer that `to_json` described; `where` names the origin in errors."""
    try:
        match values:
            case {"kind": "characters", "tokens": list(tokens)}:
                return Characters(tokens)
            case {"kind": "words", "tokens": list(tokens)}:
                return Words(tokens)
            case {"kind": "subwords", "tokens": list(tokens), "merges": list(merges)}:
                return Subwords(tokens, merges)
            case {"kind": "bytes"}:
                return Bytes()
    except ValueError as error:
        raise RecurraError(f"{where}: {error}; the file is damaged, copy or train the model again") from error
    raise RecurraError(f"{where} holds no vocabulary; the file is damaged, copy or train the model again")


def unknown_in(tokenizer: Tokenizer, text: str) -> list[str]:
    """The characters or words of a text that there is no token for, each once."""
    unknown = tokenizer.unknown
    if unknown is None:
        return []
    parts = (part for part in dict.fromkeys(tokenizer.split(text)) if unknown in tokenizer.encode(part))
    return list(dict.fromkeys(part.strip(" ") or part for part in parts))


def decode(tokenizer: Tokenizer, tokens: Iterable[int]) -> str:
    """The text of tokens; bytes that make no character show as U+FFFD."""
    return b"".join(tokenizer.piece(int(token)) for token in tokens).decode("utf-8", "replace")


def decoder() -> Callable[[bytes], str]:
    """A function from each token's bytes to the text they complete, for text that is shown while it is made."""
    incremental = codecs.getincrementaldecoder("utf-8")("replace")
    return incremental.decode


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _lines(blocks: Iterable[str]) -> Iterator[str]:
    for block in blocks:
        yield from block.splitlines(keepends=True)


def _require_sense(known: int, total: int, what: str) -> None:
    if total and known < (1 - MAX_UNKNOWN_SHARE) * total:
        raise RecurraError(
            f"this text has an absurd vocabulary: {total - known} of its {total} {what} are rarer than --min-count "
            "or beyond --vocabulary-size; is it text in the right --encoding? --tokens bytes models anything"
        )


def _require_favourites(counts: NDArray[np.int64]) -> None:
    """Every script has frequent and rare characters; noise that happens to be valid text has not."""
    shares = counts[counts > 0] / max(int(counts.sum()), 1)
    perplexity = float(np.exp(-(shares * np.log(shares)).sum()))
    if perplexity > MAX_CHARACTER_PERPLEXITY:
        raise RecurraError(
            f"this text has an absurd vocabulary: {len(shares)} different characters, nearly all as frequent as each "
            "other; is it text in the right --encoding? --tokens bytes models anything"
        )


def _is_merge(merge: object, known: set[str]) -> bool:
    match merge:
        case [str(left), str(right)]:
            return left in known and right in known and left + right in known
    return False


def _byte_pair_tokenizer(tokens: Sequence[str], merges: Sequence[Sequence[str]]) -> Any:
    """The library's tokenizer; the arguments must be sound, since it dies of a merge that is not."""
    import tokenizers
    from tokenizers import models, pre_tokenizers

    vocabulary = {name: token for token, name in enumerate(tokens)}
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=[(left, right) for left, right in merges]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def _without_surrogates(text: str) -> str:
    """The text with U+FFFD for lone surrogates, which is how Python passes on bytes that are no text."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _byte_characters() -> dict[int, str]:
    """The printable character byte-level BPE writes for each byte (Radford et al. 2019)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
