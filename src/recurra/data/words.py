"""Text to words: what a word is, in any script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import regex

from recurra.errors import RecurraError

WordKind = Literal["words", "spaces"]

MAX_UNSPACED_SHARE = 0.5
"""A text of which a larger share is written without spaces between words is not modelled as words."""

# A word is letters, digits, marks and joiners (UAX 29), and so is what stands between letters without ending the word:
# an apostrophe, a Catalan middle dot, a soft hyphen, the Hebrew geresh and gershayim. Any other character is a token
# with all that belongs to it: variation selectors, the rest of a flag or of a family of emoji.
_WITHIN = "['\N{RIGHT SINGLE QUOTATION MARK}\N{MIDDLE DOT}\N{SOFT HYPHEN}\u05f3\u05f4]"


def _word_pattern(letter: str, symbol: str) -> str:
    return rf" ?<{letter}+>| ?{letter}+(?:{_WITHIN}{letter}+)*| ?{symbol}|\s"


WORD_PATTERN = _word_pattern(r"[\w\p{N}]", r"(?![\w\p{N}\s])\X")
"""What finds words in any text, for the package `regex` ..."""

LATIN_WORD_PATTERN = _word_pattern(r"\w", r"[^\w\s]")
"""... and what finds the same words in a text of Latin letters, for `re`."""

_WORD, _LATIN_WORD = regex.compile(WORD_PATTERN), re.compile(LATIN_WORD_PATTERN)
_BEYOND_LATIN = re.compile("[^\0-\x1b\x20-\u02ff\u2010-\u203e€™]")
"""`re` takes half the time of `regex` but knows no marks and joiners; without this it finds the same words."""

_UNSPACED = {
    regex.compile(r"[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}ー]"): 3,
    regex.compile(r"(?!\p{M})[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]"): 5,
}
"""The letters of scripts that put no spaces between words, and what words are shorter than on average, where a text
has been split into words nevertheless."""

_MARKS_OF_WORDS = regex.compile(r"[\w\p{N}]")
"""What a word has, and a punctuation mark has not."""


@dataclass(frozen=True)
class WordSplitter:
    """How text is taken apart into words, brought to Unicode's normal form NFC first.

    Attributes:
        kind: `words` are Unicode's (UAX 29), a punctuation mark being one of its own; `spaces` takes whatever stands
            between white space, for text that has been split already.
        lowercase: bring them to small letters.
        punctuation: keep the words without a letter or digit.
    """

    kind: WordKind = "words"
    lowercase: bool = True
    punctuation: bool = True

    def split(self, text: str) -> list[str]:
        """The words of a text, in order."""
        return [word for piece in self.pieces(text) if (word := self.word(piece))]

    def pieces(self, text: str) -> list[str]:
        """The parts of a text that `word` makes words of, one by one; a newline for each line end.

        A corpus has few distinct pieces, so that it is faster to count these and to make words of them afterwards.
        """
        text = unicodedata.normalize("NFC", text)
        if self.kind == "words":
            return find_words(text)
        words = [word for line in text.split("\n") for word in (*line.split(), "\n")]
        return words[:-1]

    def word(self, piece: str) -> str:
        """The word of one of `pieces`; empty if it is none."""
        word = piece.strip()
        if not self.punctuation and not has_letters(word):
            return ""
        return word.lower() if self.lowercase else word

    def to_json(self) -> dict[str, Any]:
        """Everything needed to make it again, as JSON values."""
        return {"kind": self.kind, "lowercase": self.lowercase, "punctuation": self.punctuation}

    @classmethod
    def from_json(cls, values: object, where: str) -> WordSplitter:
        """The splitter that `to_json` described; `where` names the origin in errors."""
        match values:
            case {"kind": "words" | "spaces" as kind, "lowercase": bool(lowercase), "punctuation": bool(punctuation)}:
                return cls(kind, lowercase, punctuation)
        raise RecurraError(f"{where} does not say what its words are; the file is damaged, copy the model again")


def has_letters(word: str) -> bool:
    """Whether a word has a letter or a digit, which punctuation has not."""
    return _MARKS_OF_WORDS.search(word) is not None


def find_words(text: str) -> list[str]:
    """The words of a text, each with the space before it; joined, they are the text."""
    return (_WORD if _BEYOND_LATIN.search(text) else _LATIN_WORD).findall(text)


def require_spaces(counts: Mapping[str, int], remedy: str = "take `tokens` characters or `tokens` subwords") -> None:
    """Refuse words that are whole clauses; a script without spaces that has been split into words is fine.

    Args:
        counts: of every word in a text.
        remedy: what to do about it.

    Raises:
        RecurraError: if the text puts no spaces between its words.
    """
    total = sum(len(word) * count for word, count in counts.items())
    unspaced = 0
    for letter, longest in _UNSPACED.items():
        lengths = ((word, len(letter.findall(word))) for word in counts if not word.isascii())
        own = {word: length for word, length in lengths if length}
        if sum(own[word] * counts[word] for word in own) > longest * sum(counts[word] for word in own):
            unspaced += sum(len(word) * counts[word] for word in own)
    if unspaced > MAX_UNSPACED_SHARE * total:
        raise RecurraError(
            "this text puts no spaces between its words, as Chinese, Japanese and Thai do not, so they cannot be told "
            f"apart; {remedy}"
        )
