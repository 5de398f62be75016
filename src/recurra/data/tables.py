"""Sentence pairs out of what people have: a table of two columns, two parallel files, or a sample."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from recurra.data.sources import PREFIX, find_files, sample_named
from recurra.data.text import read_blocks, require_encoding
from recurra.errors import OptionError, RecurraError, os_errors
from recurra.tasks.translation.alignment import parting
from recurra.tasks.translation.dates import dates

PAIRS = {"dates": dates}
"""The samples of sentence pairs by name."""

MAX_BYTES = 2**30
"""A larger file, unpacked, is refused: all pairs are held in memory."""

MAX_LINES = 10_000_000
"""So is one with more lines: even empty ones take memory, and packed they take no room at all."""

MAX_CHARACTERS = 2**17
"""A pair with a longer sentence is left out; ten thousand words are half of it."""

TABLES = (".tsv", ".csv", ".jsonl")
"""How the names of tables end; a single file of any other name is read as the first."""

_HEADERS = (("source", "target"), ("src", "tgt"))

_LINE_END = re.compile("\r\n|\n|\r")  # and nothing else: str.splitlines would cut at U+2028 and form feeds as well

_NO_TEXT = re.compile("[\0\ud800-\udfff]")

_BLANK = "nothing is there"

Row = tuple[int, list[str] | str]
"""The number of a line, from 1, and its cells; or why it has none."""


@dataclass(frozen=True)
class Pairs:
    """Sentences with their translations.

    Attributes:
        name: what a person would call them, for notes and the model card.
        sources: sentences, without white space around them and without line ends; otherwise as they were.
        targets: their translations, as many.
        skipped: sentences for the user on what was left out, with file and line.
    """

    name: str
    sources: list[str]
    targets: list[str]
    skipped: list[str]

    def __len__(self) -> int:
        return len(self.sources)


def open_pairs(names: Sequence[str | Path], encoding: str = "utf-8") -> Pairs:
    """Read sentence pairs; lines without a pair are left out and told in `Pairs.skipped`.

    Args:
        names: one table, two parallel files (line n is the translation of line n), or one `sample:NAME`. A table is
            .tsv (a tab between the columns; nothing is quoted), .csv (a comma, semicolon or tab; quotes) or .jsonl
            (objects with the keys source and target, or with just two texts, the source first). The first two
            columns are read, or those a first line calls source and target. Any file may be packed (.gz).
        encoding: how the files encode text, a name Python knows.

    Raises:
        RecurraError: if a file is missing, is no text, or most of its lines hold no pair; if parallel files have
            unequal numbers of lines; if no pair is left.
    """
    require_encoding(encoding)
    given = [str(name) for name in names]
    sample = sample_named(given, PAIRS, "sample of sentence pairs")
    if sample:
        written, answers = zip(*PAIRS[sample](), strict=True)
        return Pairs(PREFIX + sample, list(written), list(answers), [])
    paths = _files(given)
    if len(paths) == 2:
        return _parallel(paths[0], paths[1], encoding)
    return _table(paths[0], encoding)


def _files(names: Sequence[str]) -> list[Path]:
    """The one or two files that are named."""
    for name in names:
        with os_errors("reading", name):
            if name and Path(name).is_dir():
                raise RecurraError(f"{name} is a folder; name a table of two columns or two parallel files")
    paths, _ = find_files(names, TABLES)
    if not 1 <= len(paths) <= 2:
        raise RecurraError(f"{len(paths)} files are given for sentence pairs; give one table or two parallel files")
    if len(paths) == 2 and all(_ending(path) in TABLES for path in paths):
        raise RecurraError(f"{paths[0]} and {paths[1]} are both tables; give one table or two parallel text files")
    return paths


def _ending(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def read_lines(path: Path, encoding: str = "utf-8") -> list[str]:
    """The lines of one text file, plain or .gz, without their ends (of any system) and without a byte-order mark.

    Raises:
        RecurraError: if the file cannot be read, is empty, is no text in this encoding, or is larger than `MAX_BYTES`.
    """
    require_encoding(encoding)
    lines = _LINE_END.split(_read(path, encoding))
    return lines if lines[-1] else lines[:-1]


def _read(path: Path, encoding: str) -> str:
    data = bytearray()
    for block in read_blocks(path):
        data += block
        if len(data) > MAX_BYTES:
            raise RecurraError(f"{path} holds more than {MAX_BYTES:,} bytes of pairs; give a part of it")
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeError as error:
        begin = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = _line_at(data[:begin].decode(encoding, "ignore")) if begin else 1
        raise RecurraError(f"{path}, line {line}: this is not {encoding}; name the right --encoding") from error
    if "\0" in text:
        line = _line_at(text[: text.index("\0")])
        raise RecurraError(f"{path}, line {line}: a zero byte, which no text has; give text or name its --encoding")
    if max(text.count("\n"), text.count("\r")) > MAX_LINES:
        raise RecurraError(f"{path} has more than {MAX_LINES:,} lines; give a part of it")
    if not text.strip():
        raise RecurraError(f"{path} is empty; give a file with sentences in it")
    return text


def _line_at(before: str) -> int:
    """The number of the line that some text ends in."""
    return len(_LINE_END.findall(before)) + 1


def _parallel(first: Path, second: Path, encoding: str) -> Pairs:
    """The pairs of two files, line by line."""
    sources, targets = read_lines(first, encoding), read_lines(second, encoding)
    told = []
    for path, lines, other in ((first, sources, targets), (second, targets, sources)):
        rest = lines[len(other) :]
        if rest and not any(line.strip() for line in rest):
            del lines[len(other) :]
            told.append(f"{path}: the last {len(rest)} line(s), which are empty")
    if len(sources) != len(targets):
        position = parting(sources, targets)
        hint = f", and the files part probably near line {position:,}" if position else ""
        raise RecurraError(
            f"{first} has {len(sources):,} lines but {second} has {len(targets):,}{hint}; line n of one must be the "
            "translation of line n of the other: put in what is missing or cut off what is too much"
        )
    rows = (
        (position, [source, target]) for position, (source, target) in enumerate(zip(sources, targets, strict=True), 1)
    )
    name = f"{first.name} and {second.name}"
    return _collect(name, name, rows, told)


def _table(path: Path, encoding: str) -> Pairs:
    """The pairs of one table."""
    read: dict[str, tuple[Callable[[str], list[Row]], str]] = {
        ".csv": (_csv_rows, "give a source and a target with a comma between them"),
        ".jsonl": (_json_rows, 'give {"source": "...", "target": "..."} in each line'),
    }
    rows_of, expected = read.get(
        _ending(path), (_tsv_rows, "give a source and a target with a tab between them, or two parallel files")
    )
    text = _read(path, encoding)
    try:
        rows = rows_of(text)
    except csv.Error as error:
        raise RecurraError(f"{path}, {error}; close its quotes, and write a quote within quotes twice") from error
    wrong = [(line, cells) for line, cells in rows if isinstance(cells, str) and cells != _BLANK]
    if 2 * len(wrong) > len(rows):
        line, reason = wrong[0]
        raise RecurraError(
            f"{path}, line {line}: {reason} ({len(wrong):,} of {len(rows):,} lines are wrong); {expected}"
        )
    return _collect(path.name, str(path), *_columns(path, rows))


def _tsv_rows(text: str) -> list[Row]:
    return [(number, _cells(line.split("\t"))) for number, line in enumerate(_LINE_END.split(text), 1) if line]


def _cells(cells: list[str]) -> list[str] | str:
    if not any(cell.strip() for cell in cells):
        return _BLANK
    return cells if len(cells) > 1 else "there is only one column"


def _csv_rows(text: str) -> list[Row]:
    """The records of a CSV file, by the number of the line they begin in."""
    rows: list[Row] = []
    csv.field_size_limit(MAX_BYTES)  # what is too long for a sentence is left out, and not the whole file
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True, skipinitialspace=True)
    line = 1
    try:
        for cells in reader:
            rows.append((line, _cells(cells)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise csv.Error(f"line {line}: what begins here is no CSV ({error})") from error
    # A comma that should have been quoted makes one column more, and wrong pairs.
    widths = Counter(len(cells) for _, cells in rows if isinstance(cells, list))
    usual = max(widths, key=lambda width: widths[width], default=0)
    uneven = "the number of columns is not that of the other lines"
    return [(line, cells if isinstance(cells, str) or len(cells) == usual else uneven) for line, cells in rows]


def _delimiter(text: str) -> str:
    """What stands between the columns, judged by which gives most of the first records equally many of them."""
    beginning = text[: 2 * MAX_CHARACTERS]

    def agreeing(delimiter: str) -> int:
        reader = csv.reader(io.StringIO(beginning, newline=""), delimiter=delimiter, skipinitialspace=True)
        return max(Counter(len(cells) for cells in islice(reader, 100) if len(cells) > 1).values(), default=0)

    # Of two the one less often before a space: sentences have commas and semicolons of their own.
    return max((",", ";", "\t"), key=lambda delimiter: (agreeing(delimiter), -beginning.count(delimiter + " ")))


def _json_rows(text: str) -> list[Row]:
    """The source and target of each JSON line; the first good one decides under which keys they are."""
    rows: list[Row] = []
    keys: tuple[str, str] | None = None
    for number, line in enumerate(_LINE_END.split(text), 1):
        if not line.strip():
            rows += [(number, _BLANK)] if line else []
            continue
        record = _json_object(line)
        if isinstance(record, str):
            rows.append((number, record))
            continue
        keys = keys or _keys(record)
        cells = [record.get(key) for key in keys or ()]
        if len(cells) == 2 and all(isinstance(cell, str) for cell in cells):
            rows.append((number, [str(cell) for cell in cells]))
        else:
            named = (
                f"no texts called {keys[0]!r} and {keys[1]!r}" if keys else "not just two texts, or source and target"
            )
            rows.append((number, f"there are {named}"))
    return rows


def _json_object(line: str) -> dict[str, Any] | str:
    """The object in a line, the one inside if it has no other content; or what is wrong."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return "this is no JSON"
    if isinstance(record, dict) and len(record) == 1 and isinstance(inner := next(iter(record.values())), dict):
        record = inner
    return record if isinstance(record, dict) else "this is no JSON object"


def _keys(record: dict[str, Any]) -> tuple[str, str] | None:
    """Which texts of an object are source and target."""
    called = {key.strip().lower(): key for key in record}
    names = _named(called)
    if names:
        return called[names[0]], called[names[1]]
    texts = [key for key, value in record.items() if isinstance(value, str)]
    return (texts[0], texts[1]) if len(texts) == 2 else None


def _named(header: Collection[str]) -> tuple[str, str] | None:
    """What a header in small letters calls source and target; None if it is none."""
    return next((names for names in _HEADERS if all(name in header for name in names)), None)


def _columns(path: Path, rows: list[Row]) -> tuple[list[Row], list[str]]:
    """The rows with the columns of source and target only, without a header; and what is to be told about it."""
    wide = max((len(cells) for _, cells in rows if isinstance(cells, list)), default=0)
    which = "the first two"
    source, target = 0, 1
    first, header = _first(rows)
    names = _named(header)
    if names:
        source, target = (header.index(name) for name in names)
        rows, which = rows[:first] + rows[first + 1 :], " and ".join(names)
    taken = [(line, _taken(cells, source, target)) for line, cells in rows]
    return taken, [f"{path}: all columns but {which} (there are up to {wide})"] if wide > 2 else []


def _first(rows: list[Row]) -> tuple[int, list[str]]:
    """The place of the first row with two texts, and they in small letters; none if there is no such row."""
    for position, (_, cells) in enumerate(rows):
        if isinstance(cells, list) and sum(bool(cell.strip()) for cell in cells) > 1:
            return position, [cell.strip().lower() for cell in cells]
    return 0, []


def _taken(cells: list[str] | str, source: int, target: int) -> list[str] | str:
    if isinstance(cells, str):
        return cells
    return [cells[source], cells[target]] if len(cells) > max(source, target) else "there are too few columns"


def _collect(name: str, position: str, rows: Iterable[Row], told: list[str]) -> Pairs:
    """The pairs of all rows that hold one, and sentences on the others."""
    pairs: list[tuple[str, str]] = []
    left_out: dict[str, list[int]] = {}
    for line, cells in rows:
        if isinstance(cells, str):
            left_out.setdefault(cells, []).append(line)
            continue
        source, target = (_LINE_END.sub(" ", cell.strip()) for cell in cells)
        reason = _fault(source, target)
        if reason:
            left_out.setdefault(reason, []).append(line)
        else:
            pairs.append((source, target))
    skipped = told + [_sentence(position, lines, reason) for reason, lines in left_out.items()]
    if not pairs:
        raise RecurraError(f"{position} has no pair of sentences ({'; '.join(skipped) or 'only a header'}); give some")
    return Pairs(name, [source for source, _ in pairs], [target for _, target in pairs], skipped)


def _fault(source: str, target: str) -> str | None:
    """Why two texts are no pair of sentences."""
    if not source or not target:
        return "the source is empty" if target else "the target is empty" if source else _BLANK
    if max(len(source), len(target)) > MAX_CHARACTERS:
        return f"a sentence has more than {MAX_CHARACTERS:,} characters"
    if _NO_TEXT.search(source) or _NO_TEXT.search(target):
        return "there is a zero or half a surrogate pair, which no text has"
    return None


def _sentence(position: str, lines: Sequence[int], reason: str) -> str:
    """Where something was left out, and why; of many lines the first three and the count."""
    first = ", ".join(str(line) for line in lines[:3])
    more = f" and {len(lines) - 3:,} more" if len(lines) > 3 else ""
    return f"{position}, line{'s' if len(lines) > 1 else ''} {first}{more}: {reason}"


def split_validation(pairs: Pairs, share: float = 0.1, most: int = 1000, seed: int = 0) -> tuple[Pairs, Pairs]:
    """Cut a random part off for validation, none of whose sources is left in the rest.

    Args:
        pairs: all there are.
        share: of them that is kept for validation, above 0 and below 1, ...
        most: ... but not more pairs than this.
        seed: of the draw.

    Returns:
        What is left to train on, and what is kept for validation; both in their old order. The part is larger than
        asked for only if every single source has more translations than that.

    Raises:
        RecurraError: if there are fewer than two different sources.
    """
    if not 0 < share < 1 or most < 1:
        raise OptionError(
            f"a share of {share} and {most} at most cannot be kept for validation; give above 0 and below 1, and 1"
        )
    groups: dict[str, list[int]] = {}
    for position, source in enumerate(pairs.sources):
        groups.setdefault(source, []).append(position)
    if len(groups) < 2:
        raise RecurraError(
            f"{pairs.name} has fewer than two different sources, so none can be kept for validation; give more"
        )
    wanted = min(int(np.ceil(share * len(pairs))), most, len(pairs) - 1)
    held = set(_drawn(list(groups.values()), wanted, seed))
    rest = (position for position in range(len(pairs)) if position not in held)
    name = f"{len(held):,} pairs of {pairs.name}, drawn at random"
    return _part(pairs, rest, pairs.name, pairs.skipped), _part(pairs, sorted(held), name, [])


def _drawn(groups: list[list[int]], wanted: int, seed: int) -> Iterator[int]:
    """The members of groups drawn at random, as long as they fit; of the smallest one, if none does."""
    left = wanted
    for number in np.random.default_rng(seed).permutation(len(groups)).tolist():
        if len(groups[number]) <= left:
            left -= len(groups[number])
            yield from groups[number]
    if left == wanted:
        yield from min(groups, key=lambda group: len(group))


def _part(pairs: Pairs, indices: Iterable[int], name: str, skipped: list[str]) -> Pairs:
    kept = list(indices)
    return Pairs(
        name, [pairs.sources[position] for position in kept], [pairs.targets[position] for position in kept], skipped
    )
