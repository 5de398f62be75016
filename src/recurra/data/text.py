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
from recurra.errors import RecurraError, os_errors

BLOCK_BYTES = 2**20
"""How much of a file is in memory at a time."""

MAX_GZIP_RATIO = 300
"""A .gz file that unpacks to more than this many times its size (and a gigabyte) is refused as a bomb."""

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

        A symbol that does not span lines is therefore never cut in two. Line ends are read as one newline character
        each, unless `raw`.
        """
        if not self.files:
            yield samples.TEXTS[self.name.removeprefix(samples.PREFIX)]()
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
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise RecurraError(
            f"--encoding {encoding} is no encoding Python knows; try utf-8, latin-1 or gb18030"
        ) from None
    names = [str(source) for source in sources]
    if len(names) == 1 and names[0].startswith(samples.PREFIX):
        if names[0].removeprefix(samples.PREFIX) not in samples.TEXTS:
            known = ", ".join(samples.PREFIX + name for name in samples.TEXTS)
            raise RecurraError(f"there is no text called {names[0]}; the samples are: {known}")
        return Corpus(names[0], ())
    found, skipped = _find(names)
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
    name = Path(names[0]).name + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    return Corpus(name, tuple(good), encoding, raw, tuple(skipped))


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The whole text of one small file, plain or .gz, with the same checks and errors as a corpus."""
    return "".join(_decode(path, encoding, raw=False))


def _find(names: list[str]) -> tuple[list[Path], list[str]]:
    found: list[Path] = []
    skipped: list[str] = []
    for name in names:
        path = Path(name)
        if name.startswith(samples.PREFIX):
            raise RecurraError(f"{name} cannot be mixed with files; give it alone")
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file())
            taken = [p for p in inside if p.name.lower().endswith(SUFFIXES)]
            if not taken:
                raise RecurraError(f"the folder {path} holds no .txt or .txt.gz file; name the files themselves")
            if len(inside) > len(taken):
                skipped.append(f"{path}: {len(inside) - len(taken)} file(s) left out that are not .txt or .txt.gz")
            found += taken
        elif path.exists():
            found.append(path)
        else:
            raise RecurraError(f"there is no file or folder {path}; check the name")
    return found, skipped


def _check(path: Path, encoding: str, raw: bool) -> None:
    if not any(_decode(path, encoding, raw)):
        raise RecurraError(f"{path} is empty; give a file with text in it")


def _decode(path: Path, encoding: str, raw: bool) -> Iterator[str]:
    """The text of one file in blocks, as they come."""
    encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    decoder: codecs.IncrementalDecoder
    if raw:
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    else:
        decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)  # type: ignore[assignment]
    wide = "16" in encoding or "32" in encoding
    place = 0
    for data in _read(path):
        if not raw and not wide and (zero := data.find(b"\0")) >= 0:
            raise RecurraError(
                f"{path} is not text (a zero byte at byte {place + zero}); give a text file, name its --encoding, "
                "or model it as it is with --symbols bytes"
            )
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(data)
        except UnicodeDecodeError as error:
            raise _encoding_error(path, encoding, place - pending + error.start) from error
        if text:
            yield text
        place += len(data)
    try:
        text = decoder.decode(b"", True)
    except UnicodeDecodeError as error:
        raise _encoding_error(path, encoding, place - len(error.object) + error.start) from error
    if text:
        yield text


def _encoding_error(path: Path, encoding: str, place: int) -> RecurraError:
    name = encoding.removesuffix("-sig")
    return RecurraError(f"{path} is not {name}: byte {place} does not fit; name the right one with --encoding")


def _read(path: Path) -> Iterator[bytes]:
    """The bytes of one file, unpacked if its name ends in .gz."""
    with os_errors("reading", path):
        limit = max(path.stat().st_size * MAX_GZIP_RATIO, 2**30)
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
