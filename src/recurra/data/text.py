"""Text files in: a file, several, a folder, gzip, any encoding; read in blocks, so size does not matter.

`open_corpus` checks every file from end to end before any work starts, and a `Corpus` can then be read as often as
needed without surprises.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from recurra.data import samples
from recurra.data.sources import PREFIX, called, find_files, sample_named
from recurra.errors import RecurraError, os_errors

BLOCK_BYTES = 2**20
"""How much of a file is in memory at a time."""

MAX_GZIP_RATIO = 300
"""A .gz file that unpacks to more than this many times its size ..."""

MIN_GZIP_LIMIT = 2**30
"""... and to more bytes than this is refused as a bomb."""

SUFFIXES = (".txt", ".txt.gz")
"""What is taken from a folder."""


@dataclass(frozen=True)
class Corpus:
    """Text files that have been read once to the end and found good.

    Attributes:
        name: what a person would call it, for notes and the model card.
        files: the files, in the order they are read; empty for a sample.
        encoding: of every file.
        raw: bytes are passed through as they are (`surrogateescape`), whatever the files hold.
        skipped: one sentence for every file that was left out.
    """

    name: str
    files: tuple[Path, ...]
    encoding: str = "utf-8"
    raw: bool = False
    skipped: tuple[str, ...] = ()

    def blocks(self) -> Iterator[str]:
        """The text in blocks of about a megabyte, each cut after a line end wherever there is one.

        A token that does not span lines is therefore never cut in two. Line ends are read as one newline character
        each, unless `raw`.
        """
        if not self.files:
            yield samples.TEXTS[self.name.removeprefix(PREFIX)]()
        for path in self.files:
            yield from _cut_at_lines(_decode(path, self.encoding, self.raw))


def open_corpus(sources: Sequence[str | Path], encoding: str = "utf-8", raw: bool = False) -> Corpus:
    """Find and check text files.

    Args:
        sources: files, folders (every .txt and .txt.gz below), or one `sample:NAME`.
        encoding: how the files encode text, a name Python knows.
        raw: pass bytes through as they are; for models of bytes.

    Raises:
        RecurraError: if a source is missing, nothing readable is left, or all is empty. Among several files a broken
            one is skipped and listed in `Corpus.skipped`.
    """
    require_encoding(encoding)
    names = [str(source) for source in sources]
    if sample_named(names, samples.TEXTS, "text"):
        return Corpus(names[0], ())
    found, skipped = find_files(names, SUFFIXES)
    good = []
    for path in found:
        try:
            _check(path, encoding, raw)
            good.append(path)
        except RecurraError as error:
            if len(found) == 1:
                raise
            skipped.append(str(error))
    if not good:
        raise RecurraError(f"no readable text in {', '.join(names)}: {skipped[0] if skipped else 'nothing found'}")
    return Corpus(called(names), tuple(good), encoding, raw, tuple(skipped))


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The whole text of one small file, plain or .gz, with the same checks and errors as a corpus."""
    require_encoding(encoding)
    return "".join(_decode(path, encoding, raw=False))


def require_encoding(encoding: str) -> None:
    """Refuse what is no encoding of text."""
    try:
        "a".encode(encoding)  # refuses codecs that are none of text, such as base64
        codecs.getincrementaldecoder(encoding)
    except (LookupError, ValueError):
        raise RecurraError(
            f"--encoding {encoding} is no encoding Python knows; try utf-8, latin-1 or gb18030"
        ) from None


def _check(path: Path, encoding: str, raw: bool) -> None:
    if not sum(len(block) for block in _decode(path, encoding, raw)):  # to the end, wherever the first text is
        raise RecurraError(f"{path} is empty; give a file with text in it")


def _decode(path: Path, encoding: str, raw: bool) -> Iterator[str]:
    """The text of one file in blocks, as they come."""
    encoding = codecs.lookup(encoding).name
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    decoder: codecs.IncrementalDecoder
    if raw:
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    else:
        decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)  # type: ignore[assignment]
    wide = encoding.startswith(("utf-16", "utf-32"))
    index = 0
    for data in read_blocks(path):
        if not raw and not wide and (zero := data.find(b"\0")) >= 0:
            raise RecurraError(
                f"{path} is not text (a zero byte at byte {index + zero}); give a text file, name its --encoding, "
                "or model it as it is with --tokens bytes"
            )
        index += len(data)
        try:
            text = decoder.decode(data)
        except UnicodeError as error:
            raise _encoding_error(path, encoding, index, error) from error
        if text:
            yield text
    try:
        text = decoder.decode(b"", True)
    except UnicodeError as error:
        raise _encoding_error(path, encoding, index, error) from error
    if text:
        yield text


def _encoding_error(path: Path, encoding: str, end: int, error: UnicodeError) -> RecurraError:
    """What is wrong with a file of which `end` bytes have been read; the decoder keeps back what it has not used."""
    name = encoding.removesuffix("-sig")
    reason = str(error)
    if isinstance(error, UnicodeDecodeError):
        reason = f"byte {end - len(error.object) + error.start} does not fit"
    return RecurraError(f"{path} is not {name}: {reason}; name the right one with --encoding")


def read_blocks(path: Path) -> Iterator[bytes]:
    """The bytes of one file in blocks, unpacked if its name ends in .gz; a .gz bomb is refused."""
    with os_errors("reading", path):
        limit = max(path.stat().st_size * MAX_GZIP_RATIO, MIN_GZIP_LIMIT)
        zipped = path.suffix.lower() == ".gz"
        opener: Callable[[Path], BinaryIO] = _open_gzip if zipped else _open_plain
        total = 0
        try:
            with opener(path) as file:
                while data := file.read(BLOCK_BYTES):
                    total += len(data)
                    if zipped and total > limit:
                        raise RecurraError(f"{path} unpacks to over {limit} bytes, far more than text does; unpack it")
                    yield data
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise RecurraError(f"{path} is a damaged .gz file ({error}); fetch or pack it again") from error


def _open_plain(path: Path) -> BinaryIO:
    return open(path, "rb")


def _open_gzip(path: Path) -> BinaryIO:
    return gzip.open(path, "rb")  # type: ignore[return-value]


def _cut_at_lines(blocks: Iterator[str]) -> Iterator[str]:
    held = ""
    for block in blocks:
        cut = block.rfind("\n") + 1
        if cut == 0 and len(held) < BLOCK_BYTES:
            held += block
            continue
        yield held + block[:cut] if cut else held
        held = block[cut:] if cut else block
    if held:
        yield held
