"""Vectors in files of other programs: word2vec's text and binary, fastText's .vec, GloVe's text, NumPy's .npy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from recurra.arrays import FloatArray
from recurra.data.text import read_blocks
from recurra.data.vectors import Vectors
from recurra.data.word_index import WordIndex
from recurra.errors import OptionError, RecurraError, os_errors
from recurra.files import write_atomic
from recurra.progress import bar, note
from recurra.tasks.embeddings.io.vector_lines import NUMBER, LineError, count_numbers, read_lines

Format = Literal["auto", "text", "binary", "glove", "npy"]

ENDINGS: dict[str, Format] = {".txt": "text", ".vec": "text", ".bin": "binary", ".npy": "npy"}
"""What is written to a file by the ending of its name."""

CALLED: dict[str, str] = {
    "text": "word2vec text",
    "binary": "word2vec binary",
    "glove": "GloVe text",
    "npy": "NumPy array",
}

LARGEST = 4096
"""Dimensions of a vector, at most."""

LONGEST_LINE, LONGEST_WORD = 2**20, 2**16
"""Bytes of a line of text, and of a word among binary vectors, at most: what is longer is something else."""

_ROWS = 4096
"""Vectors that are written, or read from an array, at a time."""

_HEADER = re.compile(rb"\s*(\d{1,18})[ \t]+(\d{1,18})[ \t]*\r?")
_NO_TEXT = re.compile(rb"[^\t\n\r\x20-\x7e]")
_FAST_TEXT = (793712314).to_bytes(4, "little")
_MARK = b"\xef\xbb\xbf"
_REMEDY = "fetch or write the file again"


@dataclass
class Gathered:
    """Vectors as they are read: the rows go to a file, so that they are never in memory together.

    Attributes:
        path: where they come from.
        rows: the file that they go to.
        unit: what a number in a message counts: line or vector.
        size: dimensions of a vector; 0 until it is known.
        words: those so far, each once.
        told: what is to be told: for each kind of oddity how many there are, and the first one's number.
    """

    path: Path
    rows: BinaryIO
    unit: str = "line"
    size: int = 0
    words: dict[str, None] = field(default_factory=dict)
    told: dict[str, list[int]] = field(default_factory=dict)

    def fault(self, number: int, what: str, remedy: str = _REMEDY) -> RecurraError:
        """What is said of a file that cannot be read; `number` is that of the line or vector at fault, from 1."""
        return RecurraError(f"{self.path}, {self.unit} {number:,}: {what}; {remedy}")

    def set_size(self, size: int) -> None:
        """Say how many dimensions vectors have.

        Raises:
            RecurraError: if vectors of so many are not read.
        """
        if not 1 <= size <= LARGEST:
            raise self.fault(1, f"its vectors have {size:,} dimensions, not 1 to {LARGEST:,}")
        self.size = size

    def add(self, words: Sequence[bytes], matrix: FloatArray, numbers: Sequence[int]) -> None:
        """Take some words and their vectors.

        Args:
            words: in UTF-8.
            matrix: a row each, `(words, size)`.
            numbers: of their lines or vectors, from 1.

        Raises:
            RecurraError: if a vector is not finite.
        """
        finite = np.isfinite(matrix).all(axis=1)
        if not finite.all():
            raise self.fault(numbers[int(finite.argmin())], "NaN, infinity or a number too large for float32")
        kept = [place for place, word in enumerate(words) if self._take(word, numbers[place])]
        for place in kept:
            if not matrix[place].any():
                self._tell("zero", numbers[place])
        self.rows.write(matrix[kept].astype("<f4", copy=False).tobytes())

    def _take(self, encoded: bytes, number: int) -> bool:
        """Take a word, if it is one and is new."""
        try:
            word = encoded.decode("utf-8")
        except UnicodeDecodeError:
            word = encoded.decode("utf-8", "replace")
            self._tell("encoding", number)
        if not word:
            self._tell("empty", number)
            return False
        if word in self.words:
            self._tell("duplicate", number)
            return False
        self.words[word] = None
        return True

    def _tell(self, what: str, number: int) -> None:
        self.told.setdefault(what, [0, number])[0] += 1

    def sentences(self) -> list[str]:
        """What a person is told of the file."""
        meaning = {
            "encoding": "words that are not UTF-8; what does not fit was replaced",
            "empty": "vectors without a word, left out",
            "duplicate": "words that had stood there before; the first vector of each was kept",
            "zero": "zero vectors; they were kept, but are near nothing",
        }
        return [
            f"{self.path}: {count:,} {meaning[what]} (the first: {self.unit} {number:,})"
            for what, (count, number) in self.told.items()
        ]

    def vectors(self) -> tuple[WordIndex, FloatArray]:
        """All words and their vectors, mapped, `(words, size)`."""
        if not self.words:
            raise RecurraError(f"{self.path} holds no vectors; {_REMEDY}")
        self.rows.flush()
        return WordIndex.of(list(self.words)), np.memmap(self.rows, "<f4", "r", shape=(len(self.words), self.size))


def read_vectors(path: Path, rows: BinaryIO) -> tuple[Gathered, Format]:
    """Read a file of vectors; what it holds tells its format.

    Args:
        path: word2vec's text or binary, fastText's .vec or GloVe's text, packed or not; or .npy, with a file of words,
            one a line, of the same name but .txt beside it.
        rows: an empty file that vectors go to.

    Raises:
        RecurraError: if it is nothing of this kind, or is damaged; file and line are named.
    """
    gathered = Gathered(path, rows)
    with bar("reading") as shown:
        blocks = _watched(path, lambda share: shown.update(share, f"{len(gathered.words):,} words"))
        first = next(blocks, b"")
        kind = _format_of(path, first)
        if kind == "npy":
            _read_npy(gathered)
        elif kind == "binary":
            gathered.unit = "vector"
            _read_binary(gathered, first, blocks)
        else:
            kind = _read_text(gathered, first, blocks)
    return gathered, kind


def _watched(path: Path, report: Callable[[float], None]) -> Iterator[bytes]:
    """The blocks of a file, with a report of the share that has been read, as far as that is known."""
    with os_errors("reading", path):
        if not path.is_file():
            raise RecurraError(f"there is no file {path}; check the name")
        size = path.stat().st_size
    done = 0
    for block in read_blocks(path):
        yield block
        done += len(block)
        report(min(1.0, done / max(size, 1)))


def _format_of(path: Path, beginning: bytes) -> Format:
    """What a file is that begins like this."""
    if beginning.startswith(b"\x93NUMPY"):
        return "npy"
    if beginning.startswith((b"\x80", b"PK")):
        raise RecurraError(
            f"{path} is an archive or was pickled, which is not read; save it with gensim's save_word2vec_format"
        )
    if beginning.startswith(_FAST_TEXT):
        raise RecurraError(f"{path} is a whole model of fastText's, which is not read; take the .vec file beside it")
    if not beginning:
        raise RecurraError(f"{path} is empty; {_REMEDY}")
    first, _, rest = beginning.partition(b"\n")
    if header := _HEADER.fullmatch(first):
        row = rest.partition(b" ")[2][: 4 * min(int(header[2]), LARGEST)]
        digits = rest.partition(b"\n")[0].split()[1:]
        is_text = len(digits) == int(header[2]) and all(map(NUMBER.fullmatch, digits))
        if not is_text and _NO_TEXT.search(row):
            return "binary"
    if b"\0" in beginning:
        raise RecurraError(f"{path} is neither text nor word2vec's binary format; {_REMEDY}")
    return "text"


def _read_text(gathered: Gathered, first: bytes, blocks: Iterator[bytes]) -> Format:
    """Read vectors in digits, with a header (word2vec, fastText) or without one (GloVe)."""
    wanted, at, counted = None, 1, 0
    for text in _whole_lines(gathered, first.removeprefix(_MARK), blocks):
        if not gathered.size:
            line, _, rest = text.partition(b"\n")
            if header := _HEADER.fullmatch(line):
                wanted, size = int(header[1]), int(header[2])
                text, at = rest, 2
            elif not (size := count_numbers(line)):
                raise gathered.fault(at, "there are no numbers after a word", "give a file of vectors")
            gathered.set_size(size)
        if b"\0" in text:
            raise gathered.fault(at + text[: text.index(b"\0")].count(b"\n"), "it is not text (a zero byte)")
        try:
            lines = read_lines(text, gathered.size)
        except LineError as error:
            raise gathered.fault(at + error.number, str(error)) from error
        gathered.add(lines.words, lines.matrix, (lines.numbers + at).tolist())
        counted += len(lines.words)
        at += lines.total
    if wanted is not None and counted != wanted:
        what = f"it tells of {wanted:,} vectors, but there are {counted:,}"
        raise gathered.fault(1, what, "correct it, or fetch the file again")
    return "glove" if wanted is None else "text"


def _whole_lines(gathered: Gathered, first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """A text in blocks that end with a line."""
    held, lines = first, 0
    for block in blocks:
        cut = held.rfind(b"\n") + 1
        if cut:
            yield held[:cut]
            lines += held.count(b"\n", 0, cut)
        held = held[cut:] + block
        if len(held) - len(block) > LONGEST_LINE:
            raise gathered.fault(lines + 1, f"it is longer than {LONGEST_LINE:,} bytes")
    if held:
        yield held


def _read_binary(gathered: Gathered, first: bytes, blocks: Iterator[bytes]) -> None:
    """Read word2vec's binary format: a word, a space, float32 little-endian, with or without a line end after them."""
    header, _, data = first.partition(b"\n")
    match = _HEADER.fullmatch(header)
    wanted, size = (int(match[1]), int(match[2])) if match else (0, 0)
    gathered.set_size(size)
    done = 0
    while True:
        words: list[bytes] = []
        rows: list[bytes] = []
        at = 0
        while done + len(words) < wanted:
            space = data.find(b" ", at)
            if space < 0 or space + 1 + 4 * size > len(data):
                break
            words.append(data[at:space].lstrip(b"\r\n"))
            rows.append(data[space + 1 : space + 1 + 4 * size])
            at = space + 1 + 4 * size
        matrix = np.frombuffer(b"".join(rows), "<f4").reshape(-1, size)
        gathered.add(words, matrix, range(done + 1, done + 1 + len(words)))
        done, data = done + len(words), data[at:]
        if done == wanted and data.strip(b"\r\n"):
            raise gathered.fault(wanted, "more follows than the first line tells of")
        if len(data) > LONGEST_WORD + 4 * size:
            raise gathered.fault(done + 1, "there is no word before it")
        block = next(blocks, b"")
        if not block:
            break
        data += block
    if done < wanted:
        raise gathered.fault(done + 1, f"the file ends here, of {wanted:,} vectors")


def _read_npy(gathered: Gathered) -> None:
    """Read an array, and the words beside it."""
    path = gathered.path
    beside = path.with_suffix(".txt")
    if not beside.is_file():
        raise RecurraError(f"there is no {beside}: put the words of {path.name} there, one a line, in its order")
    try:
        with os_errors("reading", path):
            matrix = np.load(path, "r")  # objects, which would be unpickled, are refused
    except (ValueError, EOFError) as error:
        raise RecurraError(f"{path} is damaged ({error}); {_REMEDY}") from error
    if matrix.ndim != 2 or matrix.dtype.kind != "f":
        raise RecurraError(f"{path} is {matrix.dtype} of shape {matrix.shape}, not numbers in rows; give such an array")
    gathered.set_size(matrix.shape[1])
    words = b"".join(read_blocks(beside)).removeprefix(_MARK).split(b"\n")
    words = [word.removesuffix(b"\r") for word in (words if words[-1] else words[:-1])]
    if len(words) != len(matrix):
        raise RecurraError(f"{beside} has {len(words):,} words, but {path} {len(matrix):,} vectors; give one for each")
    for begin in range(0, len(words), _ROWS):
        part = words[begin : begin + _ROWS]
        with np.errstate(over="ignore"):
            rows = np.asarray(matrix[begin : begin + _ROWS], np.float32)
        gathered.add(part, rows, range(begin + 1, begin + 1 + len(part)))
    if matrix.dtype.itemsize > 4:
        note(f"{path}: {matrix.dtype} was rounded to float32")


def write_vectors(vectors: Vectors, out: Path, kind: Format = "auto") -> tuple[Path, ...]:
    """Write vectors for other programs, all or nothing.

    Text has nine significant digits, with which a float32 is read back as it was.

    Args:
        vectors: what to write; vectors of character n-grams are left out, which is told in a note.
        out: the file; of .npy, the words go to a .txt of the same name, one a line.
        kind: the format; auto decides by the ending of the name: .txt and .vec are text (word2vec, fastText, gensim),
            .bin is binary, .npy NumPy's.

    Returns:
        The files.

    Raises:
        OptionError: if it is not clear what to write.
        RecurraError: if a word cannot be written so, a vector is not finite, or writing fails.
    """
    kind = ENDINGS.get(out.suffix.lower(), "auto") if kind == "auto" else kind
    if kind == "auto" or (kind == "npy" and out.suffix.lower() != ".npy"):
        raise OptionError(f"{out}: its name must end in {', '.join(ENDINGS)}, or `format` must say what to write")
    words = [word.encode("utf-8", "surrogatepass") for word in vectors.words]
    _require_writable(words, kind)
    _require_finite(vectors.matrix, out)
    if vectors.ngram_rows is not None:
        note(f"{out}: only words have vectors there; those of character n-grams are left out")
    if kind == "npy":
        beside = out.with_suffix(".txt")
        write_atomic(beside, lambda path: _write(path, (word + b"\n" for word in words)))
        write_atomic(out, lambda path: _write_npy(path, vectors.matrix))
        return out, beside
    header = b"" if kind == "glove" else f"{len(words)} {vectors.size}\n".encode()
    rows = _binary_rows if kind == "binary" else _text_rows
    write_atomic(out, lambda path: _write(path, rows(header, words, vectors.matrix)))
    return (out,)


_SPLITS = {
    "text": re.compile(rb"[\s\0]"),
    "binary": re.compile(rb"\s"),
    "glove": re.compile(rb"[^\S ]|\0|  |^ | $| [-+.\d]+$"),
    "npy": re.compile(rb"\n|\r$"),
}
"""What a word may not hold where it would be read back as another."""


def _require_writable(words: Sequence[bytes], kind: Format) -> None:
    for word in words:
        if _SPLITS[kind].search(word):
            shown = repr(word.decode("utf-8", "replace"))[:80]
            remedy = "leave it out" if kind == "npy" else "write .npy instead"
            raise RecurraError(f"{CALLED[kind]} files cannot hold the word {shown}, for its white space; {remedy}")


def _require_finite(matrix: FloatArray, out: Path) -> None:
    for begin in range(0, len(matrix), _ROWS):
        if not np.isfinite(matrix[begin : begin + _ROWS]).all():
            raise RecurraError(f"{out} is not written: the vectors are not finite numbers; make or fetch them again")


def _write(path: Path, parts: Iterator[bytes]) -> None:
    with open(path, "wb") as file:
        for part in parts:
            file.write(part)


def _write_npy(path: Path, matrix: FloatArray) -> None:
    with open(path, "wb") as file:  # a name that does not end in .npy would be given that ending
        np.save(file, matrix)


def _text_rows(header: bytes, words: Sequence[bytes], matrix: FloatArray) -> Iterator[bytes]:
    yield header
    line = b" ".join([b"%s"] + [b"%.9g"] * matrix.shape[1]) + b"\n"
    for begin in range(0, len(words), _ROWS):
        rows = matrix[begin : begin + _ROWS].tolist()
        yield b"".join(line % (word, *row) for word, row in zip(words[begin : begin + _ROWS], rows, strict=True))


def _binary_rows(header: bytes, words: Sequence[bytes], matrix: FloatArray) -> Iterator[bytes]:
    yield header
    for word, row in zip(words, matrix, strict=True):
        yield word + b" " + row.astype("<f4", copy=False).tobytes() + b"\n"
