"""Text to tokens and back: characters, bytes, words or byte-pair subwords.

Text is brought to Unicode's normal form NFC first, so that an accented letter is the same token however a file spells
it. After that every tokenizer is lossless but for its unknown token: the tokens of a text, joined, are the text. So
any token has UTF-8 bytes of its own, and text can be shown while it is made.
"""

from __future__ import annotations

import codecs
import io
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import IntArray
from recurra.data.text import with_newlines
from recurra.data.words import find_words, require_spaces
from recurra.errors import RecurraError

TokenKind = Literal["characters", "bytes", "words", "subwords"]
Normalization = Literal["NFC"]
Tokens = NDArray[Any]

SPACED: tuple[TokenKind, ...] = ("words", "subwords")
"""Tokens that hold the space before a word."""

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""How the unknown token is written."""

MAX_UNKNOWN_SHARE = 0.5
"""With more than this share of a corpus unknown, its vocabulary is absurd and training is refused."""

MAX_CHARACTER_PERPLEXITY = 4000
"""So too if a character alone is harder to guess than one of this many; Chinese poems have 650, random ones 20,000."""

PLACEHOLDERS = "".join(map(chr, range(0xE9A0, 0xE9AA)))
"""Characters of Unicode's private use area that stand for what is not translated, see `placeholders`."""

# As in GPT-2 (Radford et al. 2019), but marks and joiners stay with their letter, and a line end and
# a placeholder are alone.
_JOINED = r"[\p{M}\x{200C}\x{200D}]"
_SUBWORD_LIMITS = (
    rf"['\x{{2019}}](?:s|t|re|ve|m|ll|d)(?!{_JOINED})"
    rf"| ?\p{{L}}(?:\p{{L}}|{_JOINED})*"
    rf"| ?\p{{N}}(?:\p{{N}}|{_JOINED})*"
    rf"|[{PLACEHOLDERS}]"
    rf"| ?[^\s\p{{L}}\p{{N}}{PLACEHOLDERS}]+"
    r"|\n|[^\S\n]+(?!\S)|[^\S\n]+"
)
"""What no subword reaches beyond."""


class Tokenizer(Protocol):
    """What every kind of tokens can do.

    Attributes:
        kind: the name it goes by in options and files.
        size: number of distinct tokens.
        unknown: the token for what was not seen in training, or None if there can be no such thing.
        boundary: the token before every document and after the last, or None if documents are not told apart. No text
            is ever encoded as it, and it stands for no bytes.
        normalization: the Unicode normal form that text is brought to first; None leaves it as it is.
    """

    kind: TokenKind
    size: int
    unknown: int | None
    boundary: int | None
    normalization: Normalization | None

    def encode(self, text: str) -> Tokens:
        """The tokens of a text, `(length,)`; what is unknown becomes `unknown`."""

    def split(self, text: str) -> list[str]:
        """The parts of a text, normalised, that `encode` looks up, in order."""

    def piece(self, token: int) -> bytes:
        """The UTF-8 bytes one token stands for; a byte or a byte-pair subword may be part of a character."""

    def to_json(self) -> dict[str, Any]:
        """Everything needed to make it again, as JSON values."""


class Characters:
    """One token a Unicode character; token 0 is the unknown one."""

    kind: TokenKind = "characters"
    unknown: int | None = 0
    boundary: int | None = None

    def __init__(self, characters: Sequence[str], normalization: Normalization | None = "NFC") -> None:
        if any(not isinstance(c, str) or len(c) != 1 for c in characters) or len(set(characters)) < len(characters):
            raise ValueError("the characters of a vocabulary must be single and distinct")
        self.characters = list(characters)
        self.normalization = normalization
        self.size = len(self.characters) + 1
        self._tokens = np.zeros(0x110000, dtype=np.uint32)
        self._tokens[[ord(c) for c in self.characters]] = np.arange(1, self.size)

    @classmethod
    def build(
        cls, blocks: Iterable[str], limit: int, min_count: int, normalization: Normalization | None = "NFC"
    ) -> Characters:
        """The at most `limit` most frequent characters seen at least `min_count` times."""
        counts = np.zeros(0x110000, dtype=np.int64)
        for block in blocks:
            counts += np.bincount(_code_points(normalized(block, normalization)), minlength=len(counts))
        kept = sorted(np.flatnonzero(counts >= min_count), key=lambda code: (-counts[code], code))[:limit]
        _require_sense(int(counts[kept].sum()), int(counts.sum()), "characters")
        _require_favourites(counts)
        return cls(sorted(chr(code) for code in kept), normalization)

    def encode(self, text: str) -> Tokens:
        """One token a character."""
        return self._tokens[_code_points(normalized(text, self.normalization))]

    def split(self, text: str) -> list[str]:
        """The characters."""
        return list(normalized(text, self.normalization))

    def piece(self, token: int) -> bytes:
        """The character in UTF-8."""
        return (self.characters[token - 1] if token else UNKNOWN).encode("utf-8", "surrogatepass")

    def to_json(self) -> dict[str, Any]:
        """The characters in the order of their tokens."""
        return {"kind": self.kind, "normalization": self.normalization, "tokens": self.characters}


class Bytes:
    """One token a byte of UTF-8 (or of whatever the files hold), never normalised; nothing is ever unknown."""

    kind: TokenKind = "bytes"
    size = 256
    unknown: int | None = None
    boundary: int | None = None
    normalization: Normalization | None = None

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
    """One token a word with the space before it, any other character or a line end; token 0 is the unknown one.

    A word is what Unicode says it is (UAX 29): letters with their combining marks and joiners. For writing that puts
    spaces between words.
    """

    kind: TokenKind = "words"
    unknown: int | None = 0
    boundary: int | None = None

    def __init__(self, words: Sequence[str], normalization: Normalization | None = "NFC") -> None:
        if any(not isinstance(word, str) or not word for word in words) or len(set(words)) < len(words):
            raise ValueError("the words of a vocabulary must be non-empty and distinct")
        self.words = list(words)
        self.normalization = normalization
        self.size = len(self.words) + 1
        self._tokens = {word: token for token, word in enumerate(self.words, 1)}

    @classmethod
    def build(
        cls, blocks: Iterable[str], limit: int, min_count: int, normalization: Normalization | None = "NFC"
    ) -> Words:
        """The at most `limit` most frequent words seen at least `min_count` times."""
        counts: Counter[str] = Counter()
        for block in blocks:
            counts.update(find_words(normalized(block, normalization)))
        require_spaces(counts)
        ranked = sorted((word for word, n in counts.items() if n >= min_count), key=lambda word: (-counts[word], word))
        _require_sense(sum(counts[word] for word in ranked[:limit]), counts.total(), "words")
        return cls(ranked[:limit], normalization)

    def encode(self, text: str) -> Tokens:
        """One token a word."""
        return np.array([self._tokens.get(word, 0) for word in self.split(text)], dtype=np.uint32)

    def split(self, text: str) -> list[str]:
        """The words, each with the space before it."""
        return find_words(normalized(text, self.normalization))

    def piece(self, token: int) -> bytes:
        """The word in UTF-8, with its space."""
        return (self.words[token - 1] if token else " " + UNKNOWN).encode("utf-8", "surrogatepass")

    def to_json(self) -> dict[str, Any]:
        """The words in the order of their tokens."""
        return {"kind": self.kind, "normalization": self.normalization, "tokens": self.words}


class Subwords:
    """Byte-pair subwords over bytes (Sennrich et al. 2016; made and run by `tokenizers`); nothing is ever unknown."""

    kind: TokenKind = "subwords"
    unknown: int | None = None
    boundary: int | None = None

    def __init__(
        self, tokens: Sequence[str], merges: Sequence[Sequence[str]], normalization: Normalization | None = "NFC"
    ) -> None:
        to_byte = {character: byte for byte, character in _byte_characters().items()}
        if any(not isinstance(name, str) or not name or not to_byte.keys() >= set(name) for name in tokens):
            raise ValueError("the subwords of a vocabulary must be non-empty and of bytes")
        known = set(tokens)
        if len(known) < len(tokens) or not known >= to_byte.keys():
            raise ValueError("the subwords of a vocabulary must be distinct, and all bytes among them")
        if any(not _is_merge(merge, known) for merge in merges):
            raise ValueError("the merges of a vocabulary must be pairs of its subwords that make another")
        self.tokens = list(tokens)
        self.merges = [list(merge) for merge in merges]
        self.normalization = normalization
        self.size = len(self.tokens)
        self._tokenizer = _byte_pair_tokenizer(self.tokens, self.merges)
        self._bytes = [bytes(to_byte[c] for c in name) for name in self.tokens]

    @classmethod
    def build(
        cls, blocks: Iterable[str], limit: int, min_count: int, normalization: Normalization | None = "NFC"
    ) -> Subwords:
        """At most `limit` subwords, but at least the bytes, merged from pairs seen at least `min_count` times."""
        from tokenizers import pre_tokenizers, trainers

        trainer = trainers.BpeTrainer(
            vocab_size=max(limit, 256),
            min_frequency=min_count,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
        tokenizer = _byte_pair_tokenizer([], [])
        blocks = (_without_surrogates(normalized(block, normalization)) for block in blocks)
        tokenizer.train_from_iterator((line for block in blocks for line in io.StringIO(block, newline="\n")), trainer)
        model = json.loads(tokenizer.to_str())["model"]
        return cls(sorted(model["vocab"], key=model["vocab"].__getitem__), model["merges"], normalization)

    def encode(self, text: str) -> Tokens:
        """One token a subword."""
        return np.array(self._encoding(text).ids, dtype=np.uint32)

    def split(self, text: str) -> list[str]:
        """The subwords, in the library's own spelling."""
        return list(self._encoding(text).tokens)

    def _encoding(self, text: str) -> Any:
        return self._tokenizer.encode(_without_surrogates(normalized(text, self.normalization)))

    def piece(self, token: int) -> bytes:
        """The bytes of the subword."""
        return self._bytes[token]

    def to_json(self) -> dict[str, Any]:
        """The subwords in the order of their tokens, and the merges in the order they are tried."""
        return {
            "kind": self.kind,
            "normalization": self.normalization,
            "tokens": self.tokens,
            "merges": self.merges,
        }


class WithBoundary:
    """The tokens of another tokenizer, and the boundary after them."""

    def __init__(self, inner: Tokenizer) -> None:
        self.inner = inner
        self.kind = inner.kind
        self.unknown = inner.unknown
        self.normalization = inner.normalization
        self.boundary: int | None = inner.size
        self.size = inner.size + 1

    def encode(self, text: str) -> Tokens:
        """The other's tokens."""
        return self.inner.encode(text)

    def split(self, text: str) -> list[str]:
        """The other's parts."""
        return self.inner.split(text)

    def piece(self, token: int) -> bytes:
        """The other's bytes; none for the boundary."""
        return b"" if token == self.boundary else self.inner.piece(token)

    def to_json(self) -> dict[str, Any]:
        """The other's, and that there is a boundary."""
        return self.inner.to_json() | {"boundary": True}


def build(
    kind: TokenKind,
    blocks: Iterable[str],
    limit: int,
    min_count: int,
    normalization: Normalization | None = "NFC",
) -> Tokenizer:
    """Make the tokenizer of a corpus.

    Args:
        kind: which tokens.
        blocks: the text, as `Corpus.text` gives it.
        limit: largest number of tokens to keep.
        min_count: what is seen less often becomes the unknown token.
        normalization: the Unicode normal form that text is brought to, now and whenever it is encoded; None leaves it
            as it is. Bytes are never normalised.

    Raises:
        RecurraError: if most of the text would be unknown, or words are asked for and it puts no spaces between them.
    """
    if kind == "characters":
        return Characters.build(blocks, limit, min_count, normalization)
    if kind == "words":
        return Words.build(blocks, limit, min_count, normalization)
    if kind == "subwords":
        return Subwords.build(blocks, limit, min_count, normalization)
    return Bytes()


def from_json(values: object, where: str) -> Tokenizer:
    """The tokenizer that `to_json` described; `where` names the origin in errors."""
    try:
        match values:
            case {"boundary": True, **inner}:
                return WithBoundary(from_json(inner, where))
            case {"kind": "characters", "normalization": "NFC" | None as form, "tokens": list(tokens)}:
                return Characters(tokens, form)
            case {"kind": "words", "normalization": "NFC" | None as form, "tokens": list(tokens)}:
                return Words(tokens, form)
            case {
                "kind": "subwords",
                "normalization": "NFC" | None as form,
                "tokens": list(tokens),
                "merges": list(merges),
            }:
                return Subwords(tokens, merges, form)
            case {"kind": "bytes"}:
                return Bytes()
    except ValueError as error:
        raise RecurraError(f"{where}: {error}; the file is damaged, copy or train the model again") from error
    raise RecurraError(f"{where} holds no vocabulary; the file is damaged, copy or train the model again")


def normalized(text: str, form: Normalization | None) -> str:
    """The text in a Unicode normal form; as it is if that is None."""
    return unicodedata.normalize(form, text) if form else text


def decode(tokenizer: Tokenizer, tokens: Iterable[int]) -> str:
    """The text of tokens; bytes that make no character show as U+FFFD."""
    return b"".join(tokenizer.piece(int(token)) for token in tokens).decode("utf-8", "replace")


def decoder(skip: int = 0) -> Callable[[bytes], str]:
    """A function from each token's bytes to the text they complete, for text that is shown while it is made.

    Args:
        skip: leave out this many bytes at the beginning, see `Prompt.held`.
    """
    incremental = codecs.getincrementaldecoder("utf-8")("replace")

    def decode(data: bytes) -> str:
        nonlocal skip
        shown = data[skip:]
        skip -= len(data) - len(shown)
        return incremental.decode(shown)

    return decode


class Prompt(NamedTuple):
    """The beginning of a text, for a model that is to go on with it.

    Attributes:
        tokens: what the model reads, `(length,)`, at least one.
        held: the end of the prompt that is not among the tokens, because it belongs to the token that comes next: what
            is written begins with these bytes, and they are not shown again.
        suppressed: the tokens that must not come next, `(count,)`: the unknown one, and all that do not begin with
            `held`.
        unknown: the parts of the prompt that there is no token for, each once.
    """

    tokens: Tokens
    held: bytes
    suppressed: IntArray
    unknown: list[str]


def read_prompt(tokenizer: Tokenizer, text: str) -> Prompt:
    """A prompt, read as the corpus would have it.

    Words and subwords hold the space before them, so a space at the end of a prompt is held back for the token to
    come, and a first word that is known only after a space is read after one. Line ends of all systems are newlines,
    but to bytes. A document begins with the prompt, and is not empty without one. Where documents are not told apart an
    empty prompt is read as a line end, which is what texts begin after.
    """
    if tokenizer.kind != "bytes":
        text = with_newlines(text)
    unknown = tokenizer.unknown
    held = b" " if tokenizer.kind in SPACED and text.endswith(" ") else b""
    fit = np.array([tokenizer.piece(token).startswith(held) for token in range(tokenizer.size)])
    boundary = tokenizer.boundary
    if unknown is not None:
        fit[unknown] = False
    if boundary is not None and not text:
        fit[boundary] = False
    if fit.any():
        text = text[: len(text) - len(held)]
    else:  # no word has a space before it
        held, fit = b"", np.arange(tokenizer.size) != unknown
    read = text if boundary is not None else text or "\n"
    tokens = tokenizer.encode(read)
    if tokenizer.kind == "words" and read and tokens[0] == unknown:
        spaced = tokenizer.encode(" " + read)
        if spaced[0] != unknown:
            read, tokens = " " + read, spaced
    parts = () if unknown is None or not text else zip(tokenizer.split(read), tokens, strict=True)
    missing = dict.fromkeys(part.strip(" ") or part for part, token in parts if token == unknown)
    if boundary is not None:
        tokens = np.append(boundary, tokens)
    return Prompt(tokens, held, np.flatnonzero(~fit), list(missing))


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _require_sense(known: int, total: int, what: str) -> None:
    if total and known < (1 - MAX_UNKNOWN_SHARE) * total:
        raise RecurraError(
            f"this text has an absurd vocabulary: {total - known} of its {total} {what} are rarer than `min_count` "
            "or beyond `vocabulary_size`; is it text in the right `encoding`? `tokens` bytes models anything"
        )


def _require_favourites(counts: IntArray) -> None:
    """Every script has frequent and rare characters; noise that happens to be valid text has not."""
    shares = counts[counts > 0] / max(int(counts.sum()), 1)
    perplexity = float(np.exp(-(shares * np.log(shares)).sum()))
    if perplexity > MAX_CHARACTER_PERPLEXITY:
        raise RecurraError(
            f"this text has an absurd vocabulary: {len(shares)} different characters, nearly all as frequent as each "
            "other; is it text in the right `encoding`? `tokens` bytes models anything"
        )


def _is_merge(merge: object, known: set[str]) -> bool:
    match merge:
        case [str(left), str(right)]:
            return left in known and right in known and left + right in known
    return False


def _byte_pair_tokenizer(tokens: Sequence[str], merges: Sequence[Sequence[str]]) -> Any:
    """The library's tokenizer; the arguments must be sound, since it crashes on a merge that is not."""
    import tokenizers
    from tokenizers import models, pre_tokenizers

    vocabulary = {name: token for token, name in enumerate(tokens)}
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=[(left, right) for left, right in merges]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(_SUBWORD_LIMITS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


def _without_surrogates(text: str) -> str:
    """The text with U+FFFD for lone surrogates, which is how Python passes on bytes that are not text."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _byte_characters() -> dict[int, str]:
    """The printable character byte-level BPE writes for each byte (Radford et al. 2019)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
