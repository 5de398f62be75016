"""A corpus: text files, rows of JSONL or texts in memory, and the documents that they are made of.

`open_corpus` checks every file from end to end before any work starts, and a `Corpus` can then be read as often as
needed without errors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recurra.data.columns import Wanted
from recurra.data.sources import PREFIX, called, find_files, sample_named
from recurra.data.tables import Row, collect, ending, read_tables
from recurra.data.text import BLOCK_BYTES, TextFile, checked, require_encoding
from recurra.errors import OptionError, RecurraError

Documents = Literal["auto", "files", "lines", "paragraphs", "none"]

Block = str | None
"""A part of a document; None stands before each document and after the last."""

SUFFIXES = (".txt", ".txt.gz", ".txt.bz2", ".txt.xz")
"""What is taken from a folder."""

ROWS = (".jsonl", ".ndjson")
"""Files of which each row is a text."""

WANTED = Wanted(
    ("text", "content", "body", "document", "article", "story", "passage", "paragraph", "poem", "lyrics", "sentence"),
    whole=True,
)
"""What is read from a row."""

MAX_NAME = 40
"""A string that is longer, has no separator and no ending is more likely a text than the name of a file."""


@dataclass(frozen=True)
class Texts:
    """Texts themselves where files could be named: `Texts(["first document", "second"])`.

    Attributes:
        texts: each is a document.
    """

    texts: Sequence[str]

    def __post_init__(self) -> None:
        if isinstance(self.texts, str):
            raise RecurraError("Texts takes several texts; put the one into a list: Texts([...])")
        object.__setattr__(self, "texts", tuple(self.texts))

    @property
    def called(self) -> str:
        """What a person would call them."""
        return "1 given text" if len(self.texts) == 1 else f"{len(self.texts):,} given texts"


Source = str | Path | Texts
"""A file, a folder or a sample by name, or texts themselves."""


@dataclass(frozen=True)
class Corpus:
    """Texts that have been read once to the end and found good.

    Attributes:
        name: what a person would call it, for notes and the model card.
        files: the files, in the order they are read, and texts that are in memory.
        documents: what a document is, not `auto`; if `files`, each file or text in memory.
        skipped: one sentence for every file or row that was left out.
    """

    name: str
    files: tuple[TextFile | Texts, ...]
    documents: Documents = "none"
    skipped: tuple[str, ...] = ()

    def blocks(self) -> Iterator[Block]:
        """All documents in blocks as those of `TextFile.blocks`, None before each and after the last.

        Blank lines are not documents, and lines and paragraphs are without the line end after them. If `documents` is
        `none` there is no None, but a line end between two files where the first ends without.
        """
        last: Block = "\n"
        for text in self._texts():
            if self.documents == "none" and last and not last.endswith("\n"):
                yield "\n"
            for block in _split(text, self.documents):
                yield block
                last = block
        if self.documents != "none":
            yield None

    def text(self) -> Iterator[str]:
        """The same with a line end for each None, in blocks that are not small, to be counted."""
        for block in _merged("\n" if block is None else block for block in self.blocks()):
            assert block is not None
            yield block

    def _texts(self) -> Iterator[Iterator[str]]:
        """Each file, and each text in memory, in blocks."""
        for file in self.files:
            if isinstance(file, Texts):
                yield from (iter([text]) for text in file.texts)
            else:
                yield file.blocks(newlines=self.documents in ("lines", "paragraphs"))


def open_corpus(
    sources: Sequence[Source],
    encoding: str = "utf-8",
    raw: bool = False,
    documents: Documents = "none",
    columns: str = "",
) -> Corpus:
    """Find and check texts.

    A byte-order mark decides how a file is encoded, whatever `encoding` says.

    Args:
        sources: files, folders (every .txt below, also packed as .gz, .bz2 or .xz) and texts, or one `sample:NAME`.
        encoding: how the files encode text, a name Python knows.
        raw: for models of bytes: what is UTF-8, or is not text at all, passes as it is, byte for byte. Text in another
            encoding, which is named or has a byte-order mark, is decoded all the same, so that bytes of UTF-8 are
            modelled and what the model writes can be read.
        documents: what a document is; `auto` takes `files` if there are several, or JSONL, whose rows they are then.
        columns: the key of the text in JSONL, see `parse_columns`; found by what it is called if not given.

    Raises:
        RecurraError: if a source is missing, nothing readable is left, or all is empty. Among several files a broken
            one is skipped and listed in `Corpus.skipped`.
    """
    require_encoding(encoding)
    if not sources:
        raise OptionError("there is no text; name a file, a folder or sample:pydocs, or give Texts([...])")
    names = [source.called if isinstance(source, Texts) else str(source) for source in sources]
    if sample := sample_named(names, "text"):
        return Corpus(names[0], (Texts([sample()]),), "none" if documents == "auto" else documents)
    found: list[Path | Texts] = []
    skipped: list[str] = []
    for source in sources:
        if isinstance(source, Texts):
            found.append(_given(source, skipped))
            continue
        _require_name(source)
        files, others = find_files([str(source)], SUFFIXES)
        found += files
        skipped += others
    good: list[TextFile | Texts] = []
    for file in found:
        try:
            if isinstance(file, Texts):
                good.append(file)
            elif ending(file) in ROWS:
                table = read_tables([file], WANTED, columns, encoding=encoding)
                good.append(Texts(table.columns[0]))
                skipped += table.skipped
            else:
                good.append(checked(file, encoding, raw))
        except RecurraError as error:
            if len(found) == 1:
                raise
            skipped.append(str(error))
    if not good:
        raise RecurraError(f"no readable text in {', '.join(names)}: {skipped[0] if skipped else 'nothing found'}")
    if documents == "auto":
        count = sum(len(file.texts) if isinstance(file, Texts) else 1 for file in good)
        has_rows = any(isinstance(file, Path) and ending(file) in ROWS for file in found)
        documents = "files" if count > 1 or has_rows else "none"
    return Corpus(called(names), tuple(good), documents, tuple(skipped))


def _given(given: Texts, skipped: list[str]) -> Texts:
    """Those texts that are some, with newlines for line ends; what is left out is told in `skipped`."""
    rows: list[Row] = [
        (index, [text] if isinstance(text, str) else f"this is not a text but {type(text).__name__}")
        for index, text in enumerate(given.texts)
    ]
    table = collect("texts", "Texts", WANTED, rows, unit="index")
    skipped += table.skipped
    return Texts(table.columns[0])


def _require_name(source: str | Path) -> None:
    """Refuse a string that is the text itself, and what is no name at all."""
    if not isinstance(source, str | Path):
        raise OptionError(f"{type(source).__name__} is neither a file's name nor Texts([...]); give one of them")
    if isinstance(source, Path) or os.path.exists(source) or source.startswith(PREFIX):
        return
    spaced, long = re.search(r"\s", source), len(source) > MAX_NAME and os.sep not in source
    if (spaced or long) and not re.search(r"\.\w{1,5}$", source):
        shown = source if len(source) <= MAX_NAME else source[: MAX_NAME - 3] + "..."
        raise RecurraError(f"there is no file or folder {shown!r}; to give the text itself, wrap it: Texts([...])")


def _split(blocks: Iterator[str], documents: Documents) -> Iterator[Block]:
    """One text as documents, with None before each; as it is if there are none."""
    if documents in ("lines", "paragraphs"):
        yield from _merged(_lines(blocks, documents == "paragraphs"))
        return
    if documents == "files":
        yield None
    yield from blocks


def _lines(blocks: Iterable[str], paragraphs: bool) -> Iterator[Block]:
    """Lines that are not blank, None before each, or before the first of each paragraph."""
    inside = continued = False  # in a document; in a line of which a part was in the last block
    blanks = ""  # at the end of a block; a line may begin with them
    for block in blocks:
        *lines, rest = (blanks + block).split("\n")
        blanks = ""
        for line, ends in [*((line, True) for line in lines), (rest, False)]:
            if not continued and not line.strip():
                inside, blanks = inside and not ends, line
                continue
            if not inside:
                yield None
            elif not continued:
                yield "\n"
            yield line
            inside, continued = paragraphs or not ends, not ends


def _merged(blocks: Iterable[Block]) -> Iterator[Block]:
    """The same with small neighbours joined."""
    held: list[str] = []
    size = 0
    for block in blocks:
        if held and (block is None or size + len(block) > BLOCK_BYTES):
            yield "".join(held)
            held, size = [], 0
        if block is None:
            yield None
        else:
            held.append(block)
            size += len(block)
    if held:
        yield "".join(held)
