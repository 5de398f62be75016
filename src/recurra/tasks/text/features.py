"""Text as a passage: what is shown for each token, and the nameable features of text.

Features are read off the characters and taken, for tokens of several characters, at the last one of each; a byte that
is part of a character has the features of that character. All describe the moment after the token was read, so
"capital next" is about the token to come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from recurra.arrays import BoolArray, IntArray
from recurra.data.tokenizer import UNKNOWN, Tokenizer, Tokens, decode
from recurra.explain.passage import Passage

LINE_END_WITHIN = 5
"""What "line end within ..." means, in characters."""

INCOMPLETE = "\N{MIDDLE DOT}"
"""Shown for a token that does not complete a character."""

BRACKETS = {"(": ")", "[": "]", "{": "}", "（": "）", "［": "］", "【": "】", "《": "》", "〈": "〉", "〔": "〕"}  # noqa: RUF001
"""Opening brackets and what closes each."""

QUOTES = {"\N{LEFT DOUBLE QUOTATION MARK}": "\N{RIGHT DOUBLE QUOTATION MARK}", "「": "」", "『": "』", "«": "»"}
"""Opening quotation marks other than the straight one, and what closes each. Single ones are left out: an apostrophe is
not told from a closing mark without understanding the text."""

STRAIGHT = '"'

_SENTENCE_ENDS = ".!?。！？…"  # noqa: RUF001


def passage(tokenizer: Tokenizer, tokens: Tokens, source: str) -> Passage:
    """Text tokens with labels and features; the boundary between documents has those of a line end.

    Args:
        tokenizer: what made the tokens.
        tokens: `(time,)`.
        source: what a person would call the text.
    """
    pieces = [tokenizer.piece(int(token)) or b"\n" for token in tokens]
    text = b"".join(pieces).decode("utf-8", "surrogateescape")
    character_ends = np.cumsum(_byte_lengths(text))
    piece_ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    last = np.searchsorted(character_ends, piece_ends)  # the character that holds each piece's last byte
    complete = np.searchsorted(character_ends, piece_ends, side="right")  # how many characters are over by then
    begins = np.concatenate([[0], complete])[:-1]
    labels = [_readable(text[begin:end]) or INCOMPLETE for begin, end in zip(begins, complete, strict=True)]
    features = {name: values[last] for name, values in character_features(text).items()}
    unit = {"characters": "character", "bytes": "byte", "words": "word", "subwords": "piece"}[tokenizer.kind]
    return Passage(tokens, labels, features, namer(tokenizer), source, unit)


def namer(tokenizer: Tokenizer) -> Callable[[int], str]:
    """How a tokenizer's tokens are called: their text, bytes that make none in hexadecimal."""

    def name(token: int) -> str:
        if token == tokenizer.unknown:
            return "unknown"
        if token == tokenizer.boundary:
            return "document end"
        text = decode(tokenizer, [token])
        return "0x" + tokenizer.piece(token).hex() if UNKNOWN in text else text

    return name


def character_features(text: str) -> dict[str, BoolArray]:
    """The nameable features of a text, by name, each `(len(text),)`.

    "Late in the line" is beyond the median place, over all characters; what is "next" does not hold at the very end.
    """
    here = list(text)
    following = [*here[1:], ""]
    index = _places_in_line(text)
    quotes, brackets = enclosures(text)
    return {
        "inside quotes": quotes,
        "inside brackets": brackets,
        "late in the line": index > np.median(index) if text else np.zeros(0, dtype=bool),
        "first word of the line": _first_words(text),
        "line end next": _where(following, lambda c: c == "\n"),
        f"line end within {LINE_END_WITHIN}": _line_end_within(text, LINE_END_WITHIN),
        "capital next": _where(following, str.isupper),
        "digit next": _where(following, str.isdigit),
        "space next": _where(following, lambda c: c == " "),
        "sentence end next": _where(following, lambda c: c != "" and c in _SENTENCE_ENDS),
        "after a space": _where(here, str.isspace),
        "inside a word": _where(here, str.isalnum) & _where(following, str.isalnum),
        "inside capitals": _where(here, str.isupper) & _where(following, str.isupper),
        "after a sentence end": _where(here, lambda c: c in _SENTENCE_ENDS),
    }


def enclosures(text: str) -> tuple[BoolArray, BoolArray]:
    """Which characters are inside double quotes and inside brackets, each `(len(text),)`.

    An opening mark counts as inside, a closing one as outside. Brackets nest; a closing mark closes everything opened
    since its partner and is ignored if it has none. A blank line closes all, so that an unbalanced mark does no harm
    beyond its paragraph.
    """
    in_quotes, in_brackets = np.zeros(len(text), dtype=bool), np.zeros(len(text), dtype=bool)
    awaited: list[str] = []
    previous = ""
    for position, character in enumerate(text):
        if character == STRAIGHT:
            if not _close(awaited, STRAIGHT):
                awaited.append(STRAIGHT)
        elif closing := BRACKETS.get(character) or QUOTES.get(character):
            awaited.append(closing)
        elif character == "\n" and previous == "\n":
            awaited.clear()
        else:
            _close(awaited, character)
        if character not in " \t\r":
            previous = character
        in_quotes[position] = any(mark in _QUOTE_ENDS for mark in awaited)
        in_brackets[position] = any(mark not in _QUOTE_ENDS for mark in awaited)
    return in_quotes, in_brackets


_QUOTE_ENDS = {STRAIGHT, *QUOTES.values()}


def _close(awaited: list[str], mark: str) -> bool:
    """Close the innermost enclosure that awaits `mark` and all inside it; False if there is none."""
    if mark not in awaited:
        return False
    while awaited.pop() != mark:
        pass
    return True


def _where(characters: Sequence[str], holds: Callable[[str], bool]) -> BoolArray:
    return np.fromiter((holds(character) for character in characters), dtype=bool, count=len(characters))


def _places_in_line(text: str) -> IntArray:
    """How many characters stand before each one in its line; a line end belongs to the line it ends."""
    indices = np.empty(len(text), dtype=np.int64)
    begin = 0
    for line in text.split("\n"):
        end = min(begin + len(line) + 1, len(text))
        indices[begin:end] = np.arange(end - begin)
        begin = end
    return indices


def _line_end_within(text: str, count: int) -> BoolArray:
    ends = np.flatnonzero(_where(text, lambda c: c == "\n"))
    indices = np.arange(len(text))
    next_end = np.searchsorted(ends, indices, side="right")
    padded = np.append(ends, len(text) + count + 1)
    result: BoolArray = padded[next_end] - indices <= count
    return result


def _first_words(text: str) -> BoolArray:
    """True from the beginning of a line to the end of its first word."""
    result = np.zeros(len(text), dtype=bool)
    begin = 0
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        result[begin : begin + indent + len(line.lstrip().partition(" ")[0])] = True
        begin += len(line) + 1
    return result


def _byte_lengths(text: str) -> IntArray:
    """Bytes each character came from; a byte that was not UTF-8 (a surrogate escape) is one."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    lengths: IntArray = 1 + (codes >= 0x80) + (codes >= 0x800).astype(np.int64) + (codes >= 0x10000)
    lengths[(codes >= 0xDC80) & (codes <= 0xDCFF)] = 1
    return lengths


def _readable(text: str) -> str:
    """The same with bytes that made no character replaced."""
    return "".join(UNKNOWN if "\ud800" <= character <= "\udfff" else character for character in text)
