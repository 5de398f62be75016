"""Text in files that do not say how it is encoded: UTF-8, Shift-JIS or Latin-1, told apart by its bytes."""

from __future__ import annotations

import codecs
import re
import unicodedata

from recurra.errors import OptionError

AUTO = "auto"

UNFIT = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")
"""Encodings Python knows that are for other things than files, and slow."""

_PAIR = re.compile(rb"[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]|.", re.DOTALL)
"""A character of Shift-JIS: of two bytes or of one."""

_KANA = re.compile(rb"\x82[\x9f-\xf1]|\x83[\x40-\x96]")
"""Hiragana and katakana."""

_COMMON = re.compile(rb"[\x81-\x9f][\x80-\xfc]")
"""A pair that no Latin word holds: two bytes above 127, of which the first is no letter of Latin-1."""

_HALF_WIDTH = re.compile(rb"[\xa1-\xdf]{3,}")
"""Katakana of half width, one byte each; in Latin-1, signs and capitals with accents."""


def require_charset(name: str) -> None:
    """Refuse, as the option `charset`, what is not the name of an encoding."""
    if name != AUTO and not is_charset(name):
        raise OptionError(f"`charset` is {name[:40]!r}, which is no encoding; give auto, utf-8, shift_jis or the like")


def is_charset(name: str) -> bool:
    """Whether Python knows an encoding of text by that name, and it is one that files have."""
    try:
        known = codecs.lookup(name)
    except (LookupError, ValueError):
        return False
    return known._is_text_encoding and known.name not in UNFIT


def decode_text(data: bytes, charset: str = AUTO) -> str:
    """The text that bytes stand for.

    Args:
        data: as they are in the file.
        charset: an encoding; `AUTO` guesses.
    """
    return data.decode(guess_charset(data) if charset == AUTO else charset, "replace")


def guess_charset(data: bytes) -> str:
    """The encoding of text: UTF-8 where it fits, Shift-JIS where it fits and looks Japanese, else Latin-1.

    Latin-1 is taken with the characters that Windows adds to it, where all of them are known.
    """
    try:
        data.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        pass
    if _is_shift_jis(data):
        return "cp932"
    try:
        data.decode("cp1252")
        return "cp1252"
    except UnicodeDecodeError:
        return "latin-1"


def _is_shift_jis(data: bytes) -> bool:
    try:
        text = data.decode("cp932")
    except UnicodeDecodeError:
        return False
    if any(unicodedata.category(letter) == "Co" for letter in text):  # for private use: what is in no table
        return False
    pairs = [found for found in _PAIR.findall(data) if len(found) == 2]
    japanese = sum(bool(_KANA.fullmatch(pair) or _COMMON.fullmatch(pair)) for pair in pairs)
    half_width = any(min(found) < 0xC0 for found in _HALF_WIDTH.findall(data))
    return 2 * japanese >= len(pairs) if pairs else half_width
