"""Text files: packed or not, in any encoding, checked to the end and read in blocks, so that size does not matter."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import regex

from recurra.errors import RecurraError, os_errors

BLOCK_BYTES = 2**20
"""How much of a file is in memory at a time."""

MAX_UNPACKED_RATIO = 300
"""A packed file that unpacks to more than this many times its size ..."""

MIN_UNPACKED_LIMIT = 2**30
"""... and to more bytes than this is refused as a bomb."""

BEGINNING = 4096
"""Bytes of a file that are looked at to see what it is."""

LONGEST_GRAPHEME = 1000
"""Characters; where more belong together (a letter with very many marks) they are cut apart."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as the mark of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
"""Byte-order marks, and the codecs that read them."""

_PACKED = re.compile(rb"(?P<gz>\x1f\x8b)|(?P<bz2>BZh[1-9](?:1AY&SY|\x17rE8P\x90))|(?P<xz>\xfd7zXZ\0)")
"""What packed files begin with, by what their names usually end in."""

_FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\xd0\xcf\x11\xe0", "an office document"),
    (b"%PDF-", "a PDF"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3\0", "a database"),
    (b"{\\rtf", "rich text (RTF)"),
)
"""What files begin with that people have for text or tables, and what they are."""

_GRAPHEME = regex.compile(r"\X")


@dataclass(frozen=True)
class TextFile:
    """A text file that has been read once to the end and found good.

    Attributes:
        path: where it is.
        encoding: the codec that reads it; None passes its bytes on as they are (`surrogateescape`).
        carriage_returns: whether carriage returns alone end its lines; they do where there is no line feed.
    """

    path: Path
    encoding: str | None
    carriage_returns: bool

    def blocks(self, newlines: bool = False) -> Iterator[str]:
        """The text in blocks of about a megabyte, each cut after a line end wherever there is one.

        Where a line is longer than that it is cut before a space, or else between two characters that nothing joins.
        A token that does not span lines is therefore not cut in two, and blocks can be normalised one by one. Line
        ends are read as one newline character each.

        Args:
            newlines: also those among bytes that are passed on as they are otherwise.
        """
        texts = _decoded(self.path, self.encoding)
        if newlines or self.encoding is not None:
            texts = _newlines(texts, self.carriage_returns)
        return _cut(texts)


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The whole text of one small file, with the same checks and errors as a corpus; its lines end in newlines."""
    require_encoding(encoding)
    return with_newlines("".join(_decoded(path, encoding)))


def require_encoding(encoding: str) -> None:
    """Refuse what is not an encoding of text."""
    try:
        "a".encode(encoding)  # refuses codecs that are not for text, such as base64
        codecs.getincrementaldecoder(encoding)
    except (LookupError, ValueError):
        raise RecurraError(
            f"`encoding` {encoding} is not an encoding that Python knows; try utf-8, latin-1 or gb18030"
        ) from None


def encoding_of(beginning: bytes, encoding: str) -> str:
    """The codec that reads bytes which begin like this: their byte-order mark decides, else `encoding` does."""
    return next((codec for mark, codec in _MARKS if beginning.startswith(mark)), codecs.lookup(encoding).name)


def require_text(beginning: bytes, path: Path) -> None:
    """Refuse files of programs that save text in formats of their own, which no encoding reads."""
    for mark, kind in _FOREIGN:
        if beginning.startswith(mark):
            raise RecurraError(f"{path} is {kind}, not text; save it as plain text, or a table as CSV, and give that")


def with_newlines(text: str) -> str:
    """The text with a newline for each line end; carriage returns alone are line ends only where there is no other."""
    text = text.replace("\r\n", "\n")
    return text if "\n" in text else text.replace("\r", "\n")


def checked(path: Path, encoding: str, raw: bool) -> TextFile:
    """A file that has been read to the end; see `corpus.open_corpus`.

    Raises:
        RecurraError: if it is empty or is not text in this encoding.
    """
    return _check_bytes(path, encoding) if raw else _check(path, encoding)


def _check(path: Path, encoding: str | None) -> TextFile:
    length, line_feeds = 0, False
    for text in _decoded(path, encoding):  # to the end, wherever the first text is
        length += len(text)
        line_feeds = line_feeds or "\n" in text
    if not length:
        raise RecurraError(f"{path} is empty; give a file with text in it")
    return TextFile(path, encoding, carriage_returns=not line_feeds)


def _check_bytes(path: Path, encoding: str) -> TextFile:
    codec = encoding_of(_beginning(path), encoding)
    if codec not in ("utf-8", "utf-8-sig"):
        try:
            return _check(path, encoding)
        except RecurraError:
            if codecs.lookup(encoding).name != "utf-8":
                raise
            # Nobody named an encoding, and the bytes only happen to begin as a mark does.
    return _check(path, None)


def _decoded(path: Path, encoding: str | None) -> Iterator[str]:
    """The text of one file in blocks, as they come, without its byte-order mark; None lets bytes pass as they are."""
    beginning = _beginning(path)
    if encoding:
        require_text(beginning, path)
    codec = encoding_of(beginning, encoding) if encoding else "utf-8"
    decoder = codecs.getincrementaldecoder(codec)("strict" if encoding else "surrogateescape")
    zeros_allowed = encoding is None or codec.startswith(("utf-16", "utf-32"))
    size, lines = 0, 1
    for data in chain(read_blocks(path), [b""]):
        if not zeros_allowed and (zero := data.find(b"\0")) >= 0:
            remedy = _remedy(beginning, codec, "give a text file, name its `encoding`")
            raise RecurraError(f"{path} is not text (a zero byte at byte {size + zero}); {remedy}")
        size += len(data)
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeError as error:
            reason = str(error)
            if isinstance(error, UnicodeDecodeError):  # of what the decoder had not used yet
                lines += error.object[: error.start].decode(error.encoding, "ignore").count("\n")
                reason = f"byte {size - len(error.object) + error.start} does not fit, in line {lines}"
            name = codec.removesuffix("-sig")
            remedy = _remedy(beginning, codec, "name the right one with `encoding`")
            raise RecurraError(f"{path} is not {name}: {reason}; {remedy}") from error
        lines += text.count("\n")
        if text:
            yield text


def _remedy(beginning: bytes, codec: str, usual: str) -> str:
    """What to do about a file that is not what it was read as."""
    probable = _utf_16(beginning)
    if probable and probable != codec:
        return f"it is probably UTF-16 without its byte-order mark: give `encoding` {probable}"
    return f"{usual}, or model it as it is with `tokens` bytes and no `encoding`"


def _utf_16(beginning: bytes) -> str | None:
    """The kind of UTF-16 that bytes without a mark probably are, if any.

    Read as UTF-16 they are characters that exist, without controls, and 2 % of them are ASCII: the spaces and line ends
    of any script. Text of one byte a character has hardly any, read so.
    """
    found: dict[str, int] = {}
    for name in ("utf-16-le", "utf-16-be"):
        try:
            text = codecs.getincrementaldecoder(name)().decode(beginning)
        except UnicodeError:
            continue
        if not any(unicodedata.category(c) in ("Cc", "Cn", "Co") for c in text if c not in "\t\n\f\r"):
            found[name] = sum(c < "\x7f" for c in text)
    best = max(found, key=lambda name: found[name], default=None)
    return best if best and 100 * found[best] > len(beginning) else None


def read_blocks(path: Path) -> Iterator[bytes]:
    """The bytes of one file in blocks, unpacked if they are packed by gzip, bzip2 or xz; a bomb is refused."""
    with os_errors("reading", path):
        with open(path, "rb") as file:
            packed = _PACKED.match(file.read(16))
        ending = f".{packed.lastgroup}" if packed else ""
        limit = max(path.stat().st_size * MAX_UNPACKED_RATIO, MIN_UNPACKED_LIMIT)
        total = 0
        try:
            with _open(path, ending) as file:
                while data := file.read(BLOCK_BYTES):
                    total += len(data)
                    if ending and total > limit:
                        raise RecurraError(f"{path} unpacks to over {limit} bytes, far more than text does; unpack it")
                    yield data
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise RecurraError(f"{path} is a damaged {ending} file ({error}); fetch or pack it again") from error


def _open(path: Path, ending: str) -> io.BufferedIOBase:
    if ending == ".gz":
        return gzip.GzipFile(path)
    if ending == ".bz2":
        return bz2.BZ2File(path)
    if ending == ".xz":
        return lzma.LZMAFile(path)
    return open(path, "rb")


def _beginning(path: Path) -> bytes:
    """The first bytes of a file, unpacked: enough for a byte-order mark, and to judge by."""
    data = b""
    for block in read_blocks(path):
        data += block
        if len(data) >= BEGINNING:
            break
    return data[:BEGINNING]


def _newlines(texts: Iterator[str], carriage_returns: bool) -> Iterator[str]:
    """Text in blocks with a newline for each line end."""
    held = ""
    for text in texts:
        text = held + text
        held = "\r" if text.endswith("\r") else ""  # perhaps half of a line end
        text = text.removesuffix("\r").replace("\r\n", "\n")
        if text:
            yield text.replace("\r", "\n") if carriage_returns else text
    if held:
        yield "\n" if carriage_returns else "\r"


def _cut(texts: Iterator[str]) -> Iterator[str]:
    held = ""
    for text in texts:
        cut = text.rfind("\n") + 1
        cut += len(held) if cut else 0
        held += text
        if not cut and len(held) >= BLOCK_BYTES:
            cut = _place_to_cut(held)
        if cut:
            yield held[:cut]
            held = held[cut:]
    if held:
        yield held


def _place_to_cut(line: str) -> int:
    """Where a part of a long line can end: before the space before its last word, or before its last grapheme."""
    space = line.rfind(" ")
    while space > 0 and (space + 1 == len(line) or line[space + 1].isspace()):
        space = line.rfind(" ", 0, space)
    if space > 0:
        return space
    begins = [grapheme.start() for grapheme in _GRAPHEME.finditer(line, max(0, len(line) - LONGEST_GRAPHEME))]
    return int(begins[-1])
