"""Rows out of tables: TSV, CSV, and JSON in lines or as one array, the wanted columns of each."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from recurra.data import memories
from recurra.data.columns import (
    SAMPLE,
    Groups,
    Header,
    Wanted,
    choose_columns,
    describe,
    find_columns,
    looks_like_header,
    parse_columns,
)
from recurra.data.sources import called
from recurra.data.text import encoding_of, read_blocks, require_encoding, require_text, with_newlines
from recurra.errors import RecurraError

MAX_BYTES = 2**30
"""A larger file, unpacked, is refused: all rows are held in memory."""

MAX_LINES = 10_000_000
"""So is one with more lines: even empty ones take memory, and packed they take hardly any space."""

MAX_CHARACTERS = 2**17
"""A row with a longer cell is left out; ten thousand words are half of it."""

TABLES = (".tsv", ".csv", ".jsonl", ".ndjson", ".json")
"""How the names of tables end; a file of any other name is read as the first."""

PACKED = (".gz", ".bz2", ".xz")

MAX_DEPTH = 5
"""Keys of objects within more objects than this must be named."""

_LINE_END = re.compile("\r\n|\n|\r")

_STRAY = re.compile("\r(?!\n)")

_NO_TEXT = re.compile("[\0\ud800-\udfff]")

_BLANK = "nothing is there"

_TOO_LONG = f"a cell has more than {MAX_CHARACTERS:,} characters"

_MISSING = object()

Row = tuple[int, list[str] | str]
"""The number of a line, from 1, and its cells; or why it has none."""

Record = tuple[int, dict[str, Any] | str]
"""The number of a JSON object, and what is in it; or why it is not one."""


RowT = TypeVar("RowT")


@dataclass(frozen=True)
class Table:
    """The wanted columns of one table or several.

    Attributes:
        name: what a person would call it, for notes and the model card.
        columns: as they were wanted, each `rows` texts without white space around them and without line ends, unless
            they are wanted whole; otherwise as they were, and none of them empty.
        skipped: sentences for the user on what was left out, with file and line.
    """

    name: str
    columns: tuple[list[str], ...]
    skipped: list[str]

    def __len__(self) -> int:
        return len(self.columns[0])


def read_tables(
    paths: Sequence[Path], wanted: Wanted, columns: str = "", header: Header = "auto", encoding: str = "utf-8"
) -> Table:
    """Read tables as one; rows without the wanted columns are left out and told in `Table.skipped`.

    Args:
        paths: .tsv or any other ending (a tab between the columns; nothing is quoted), .csv (a comma, semicolon or
            tab; quotes), .jsonl, .ndjson or .json (objects in lines or in one array), .tmx, .xlf and .xliff
            (translation memories), .po (gettext's catalogues), .dict (pronouncing dictionaries). All may be packed.
        wanted: what to look for.
        columns: names or numbers, see `parse_columns`; of JSON the keys, with dots for nested ones. Of the messages of
            a chat, `messages.user` is what the user says, and `messages.0.content` the first. Chosen by what they
            look like if not given.
        header: whether the first line of a TSV or CSV names the columns.
        encoding: how the files encode text, a name Python knows.

    Raises:
        RecurraError: if a file is missing, is not text, or most of its lines do not hold what is wanted; if it is not
            clear which columns are; if no row is left.
    """
    require_encoding(encoding)
    asked = parse_columns(columns, wanted) if columns else None
    tables = []
    for path in paths:
        text = read_whole(path, encoding)
        if ending(path) in (".jsonl", ".ndjson", ".json"):
            tables.append(_json_table(path, text, wanted, asked))
        elif ending(path) in memories.ENDINGS:
            tables.append(_memory_table(path, text, wanted, asked))
        else:
            tables.append(_text_table(path, text, wanted, asked, header))
    if len(tables) == 1:
        return tables[0]
    joined = tuple(
        [cell for part in parts for cell in part] for parts in zip(*(t.columns for t in tables), strict=True)
    )
    return Table(called([str(path) for path in paths]), joined, [sentence for t in tables for sentence in t.skipped])


def ending(path: Path) -> str:
    """How the name of a table ends, without what packed it, in small letters."""
    name = path.name.lower()
    return Path(next((name.removesuffix(end) for end in PACKED if name.endswith(end)), name)).suffix


def read_lines(path: Path, encoding: str = "utf-8") -> list[str]:
    """The lines of one text file without their ends and without a byte-order mark; see `split_lines`.

    Raises:
        RecurraError: if the file cannot be read, is empty, is not text in this encoding, or is larger than `MAX_BYTES`.
    """
    require_encoding(encoding)
    lines = split_lines(read_whole(path, encoding))
    return lines if lines[-1] else lines[:-1]


def split_lines(text: str) -> list[str]:
    """Lines that end in LF or CRLF, or in CR if there is no LF in the text; what follows the last end is a line too.

    No other character ends a line: `str.splitlines` would cut at U+2028 and form feeds as well.
    """
    return text.replace("\r\n", "\n").split("\n") if "\n" in text else text.split("\r")


def read_whole(path: Path, encoding: str) -> str:
    """The whole text of a file, its line ends as they are; for errors see `read_lines`."""
    data = bytearray()
    for block in read_blocks(path):
        data += block
        if len(data) > MAX_BYTES:
            raise RecurraError(f"{path} holds more than {MAX_BYTES:,} bytes; give a part of it")
    require_text(bytes(data[:16]), path)
    encoding = encoding_of(bytes(data[:4]), encoding)
    end = "\n" if b"\n" in data else "\r"
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeError as error:
        begin = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = data[:begin].decode(encoding, "ignore").count(end) + 1 if begin else 1
        raise RecurraError(
            f"{path}, line {line}: this is not {encoding}; make it UTF-8 or name the right `encoding`"
        ) from error
    if "\0" in text:
        line = text.count(end, 0, text.index("\0")) + 1
        raise RecurraError(f"{path}, line {line}: a zero byte, which no text has; give text or name its `encoding`")
    if max(text.count("\n"), text.count("\r")) > MAX_LINES:
        raise RecurraError(f"{path} has more than {MAX_LINES:,} lines; give a part of it")
    if not text.strip():
        raise RecurraError(f"{path} is empty; give a file with text in it")
    return text


def _text_table(path: Path, text: str, wanted: Wanted, asked: list[list[str]] | None, header: Header) -> Table:
    """The wanted columns of a TSV or CSV."""
    count, is_csv = len(wanted.names), ending(path) == ".csv"
    cells_of = partial(_cells, count)
    rows = _csv_rows(path, text, cells_of) if is_csv else _tsv_rows(text, cells_of)
    first = _first(rows, count)
    told, names = [], list[str]()
    if first is not None:
        line, cells = rows[first]
        assert isinstance(cells, list)
        below = _sample(rows[first + 1 :])
        by_name = asked is not None and not all(name.isdecimal() for group in asked for name in group)
        if header == "yes" or (header == "auto" and (by_name or looks_like_header(cells, below, wanted))):
            names = [cell.strip() for cell in cells]
            rows = rows[:first] + rows[first + 1 :]
            if header == "auto" and not by_name:
                listed = ", ".join(repr(name[:40]) for name in names[:6])
                otherwise = "" if wanted.fixed else " (`header` no reads it as a row)"
                told.append(f"{path}, line {line}: {listed}, the names of the columns{otherwise}")
    sample = _sample(rows, spread=wanted.labelled)
    groups: Groups = []
    if asked and (names or sample):
        groups = find_columns(asked, names, sample, str(path))
    elif sample:
        groups, others = choose_columns(names, sample, wanted, str(path))
        told += [others] if others else []
    taken: list[Row] = [(line, cells if isinstance(cells, str) else _taken(cells, groups)) for line, cells in rows]
    between = "a comma" if is_csv else "a tab"
    _require_most(path, "line", taken, f"give {_listed(wanted)} with {between} between them{wanted.otherwise}")
    return collect(path.name, str(path), wanted, taken, told)


def _listed(wanted: Wanted) -> str:
    return " and ".join(wanted.names)


def _first(rows: list[Row], count: int) -> int | None:
    """The position of the first row with as many texts as are wanted: what stands above it is not a header."""
    for position, (_, cells) in enumerate(rows):
        if isinstance(cells, list) and sum(bool(cell.strip()) for cell in cells) >= count:
            return position
    return None


def _sample(rows: Sequence[Row], spread: bool = False) -> list[list[str]]:
    """The cells of the first rows, or of some from all over the table."""
    some = _spread(rows) if spread else rows
    return list(islice((cells for _, cells in some if isinstance(cells, list)), SAMPLE))


def _spread(rows: Sequence[RowT]) -> Sequence[RowT]:
    """Rows from all over a table, drawn at random by its length: labels may be sorted, or alternate."""
    return (
        rows if len(rows) <= SAMPLE else [rows[n] for n in sorted(Random(len(rows)).sample(range(len(rows)), SAMPLE))]
    )


def _taken(cells: list[str], groups: Groups) -> list[str] | str:
    try:
        return [cells[group[0]] if len(group) == 1 else _joined(cells[index] for index in group) for group in groups]
    except IndexError:
        return "there are too few columns"


def _joined(parts: Iterable[str]) -> str:
    return " ".join(filter(None, map(str.strip, parts)))


def _tsv_rows(text: str, cells_of: Callable[[list[str]], list[str] | str]) -> list[Row]:
    return [(number, cells_of(line.split("\t"))) for number, line in enumerate(split_lines(text), 1) if line]


def _cells(count: int, cells: list[str]) -> list[str] | str:
    if not any(cell.strip() for cell in cells):
        return _BLANK
    return "there is only one column" if len(cells) == 1 < count else cells


def _csv_rows(path: Path, text: str, cells_of: Callable[[list[str]], list[str] | str]) -> list[Row]:
    """The records of a CSV file, by the number of the line they begin in."""
    if "\n" in text:
        text = _STRAY.sub(" ", text)
    try:
        records = list(_records(text, _delimiter(text), strict=True))
    except csv.Error as error:
        raise RecurraError(f"{path}, {error}; close its quotes, and write a quote within quotes twice") from error
    rows = [(line, cells if isinstance(cells, str) else cells_of(cells)) for line, cells in records]
    # A comma that should have been quoted makes one column more, and wrong rows.
    widths = Counter(len(cells) for _, cells in rows if isinstance(cells, list))
    usual = max(widths, key=lambda width: widths[width], default=0)
    uneven = "the number of columns is not that of the other lines"
    return [(line, cells if isinstance(cells, str) or len(cells) == usual else uneven) for line, cells in rows]


def _records(text: str, delimiter: str, strict: bool) -> Iterator[Row]:
    """The records of CSV text, or why one is left out.

    A cell that is too long for the csv module costs its record. The limit is the whole process's, and so not changed;
    that of a cell which spans lines is taken for a quote that was not closed.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict, skipinitialspace=True)
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "larger than field limit" not in str(error) or reader.line_num != line:
                raise csv.Error(f"line {line}: what begins here is not CSV ({error})") from error
            yield line, _TOO_LONG


def _delimiter(text: str) -> str:
    """What stands between the columns, judged by which gives most of the first records equally many of them."""
    beginning = text[: 2 * MAX_CHARACTERS]

    def agreeing(delimiter: str) -> int:
        widths = Counter[int]()
        with suppress(csv.Error):  # what was read before it counts
            records = islice(_records(beginning, delimiter, strict=False), 100)
            widths.update(len(cells) for _, cells in records if isinstance(cells, list))
        return max((number for width, number in widths.items() if width > 1), default=0)

    # Of two the one less often before a space: sentences have commas and semicolons of their own.
    return max((",", ";", "\t"), key=lambda delimiter: (agreeing(delimiter), -beginning.count(delimiter + " ")))


def _memory_table(path: Path, text: str, wanted: Wanted, asked: list[list[str]] | None) -> Table:
    """The wanted languages of a translation memory, or both sides of a catalogue."""
    names, rows = memories.read_memory(text, ending(path), str(path))
    sample, told = _sample(rows), list[str]()
    if asked and sample:
        groups = find_columns(asked, names, sample, str(path))
    else:
        groups, others = choose_columns(names, sample, wanted, str(path))
        told = [others] if others else []
    taken: list[Row] = [(number, cells if isinstance(cells, str) else _taken(cells, groups)) for number, cells in rows]
    return collect(path.name, str(path), wanted, taken, told, "unit")


def _json_table(path: Path, text: str, wanted: Wanted, asked: list[list[str]] | None) -> Table:
    """The wanted keys of JSON objects."""
    unit, records = _json_records(path, text)
    example = ", ".join(f'"{name}": "..."' for name in wanted.names)
    expected = f"give {{{example}}} in each {unit}" + ("" if wanted.fixed else ", or name the keys with `columns`")
    _require_most(path, unit, records, expected)
    some = _spread(records) if wanted.labelled else records
    objects = list(islice((record for _, record in some if isinstance(record, dict)), SAMPLE))
    names = list(dict.fromkeys(name for record in objects for name in _keys(record)))
    sample = [[_text(_at(record, name)) or "" for name in names] for record in objects]
    told = []
    if asked:
        for name in (name for group in asked for name in group):
            if all(_text(_at(record, name)) is None for record in objects):
                remedy = "call one of these so" if wanted.fixed else "name some of these with `columns`"
                raise RecurraError(
                    f"{path} has no text under the key {name[:60]!r}; it has {describe(names, sample)}: {remedy}"
                )
    else:
        groups, others = choose_columns(names, sample, wanted, str(path))
        asked = [[names[index] for index in group] for group in groups]
        told = [others] if others else []
    rows: list[Row] = [
        (number, record if isinstance(record, str) else _texts(record, asked)) for number, record in records
    ]
    _require_most(path, unit, rows, expected)
    return collect(path.name, str(path), wanted, rows, told, unit)


def _texts(record: dict[str, Any], asked: list[list[str]]) -> list[str] | str:
    """The texts under the keys that are asked for; a key to be joined may be missing."""
    cells = []
    for group in asked:
        parts = [text for name in group if (text := _text(_at(record, name))) is not None]
        if not parts:
            return f"there is no text called {'+'.join(group)[:80]!r}"
        cells.append(parts[0] if len(parts) == 1 else _joined(parts))
    return cells


def _json_records(path: Path, text: str) -> tuple[str, list[Record]]:
    """JSON objects, and whether they are counted in lines or as items of an array."""
    if ending(path) == ".json" or text.lstrip().startswith("["):
        items = _json_items(path, text)
        if items is not None:
            wrong = "this is not a JSON object"
            return "item", [(number, item if isinstance(item, dict) else wrong) for number, item in enumerate(items, 1)]
    lines = ((number, line) for number, line in enumerate(split_lines(text), 1) if line)
    return "line", [(number, _json_object(line)) for number, line in lines]


def _json_items(path: Path, text: str) -> list[Any] | None:
    """The items of the array in a file, which may be inside an object; None if there is one object a line instead."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return None
        raise RecurraError(f"{path}, line {error.lineno}: this is not JSON ({error.msg}); correct it there") from error
    except (ValueError, RecursionError) as error:
        raise RecurraError(f"{path} is not JSON that can be read; its numbers or nesting are too large") from error
    if isinstance(document, list):
        return document
    lists = [value for value in document.values() if _is_objects(value)] if isinstance(document, dict) else []
    return lists[0] if len(lists) == 1 and not _is_chat(lists[0]) else [document]


def _json_object(line: str) -> dict[str, Any] | str:
    """The object in a line; or what is wrong."""
    if not line.strip():
        return _BLANK
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return "this is not JSON"
    return record if isinstance(record, dict) else "this is not a JSON object"


def _is_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _is_chat(value: object) -> bool:
    return _is_objects(value) and all(_said(message) for message in value)  # type: ignore[attr-defined]


def _said(message: Any) -> tuple[str, Any] | None:
    """Who says what in a message of a chat, of the two common forms."""
    match message:
        case {"role": str(role), "content": content} | {"from": str(role), "value": content}:
            return role, content
    return None


def _keys(record: dict[str, Any], depth: int = 1) -> Iterator[str]:
    """The keys of the texts in an object, nested ones with dots; of the messages of a chat who says them."""
    for key, value in record.items():
        if isinstance(value, dict) and depth < MAX_DEPTH:
            yield from (f"{key}.{inner}" for inner in _keys(value, depth + 1))
        elif _is_chat(value):
            roles = [said[0] for message in value if (said := _said(message))]
            yield from (f"{key}.{role}" for role in dict.fromkeys(roles) if roles.count(role) == 1)
        elif _text(value) is not None:
            yield key


def _at(value: Any, path: str) -> Any:
    """What is under a key with dots; `_MISSING` if nothing is."""
    if isinstance(value, dict) and path in value:
        return value[path]
    first, dot, rest = path.partition(".")
    if isinstance(value, dict) and dot and first in value:
        return _at(value[first], rest)
    if isinstance(value, list) and first.isdecimal() and int(first) < len(value):
        return _at(value[int(first)], rest) if rest else value[int(first)]
    if _is_chat(value):
        by_role = [said[1] for message in value if (said := _said(message)) and said[0] == path]
        return by_role[0] if len(by_role) == 1 else _MISSING
    return _MISSING


def _text(value: Any) -> str | None:
    """A JSON value as the text of a cell; None if it is not one."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else None


def _require_most(path: Path, unit: str, rows: Sequence[Row | Record], expected: str) -> None:
    """Refuse a table most of whose rows are not what was expected."""
    wrong = [(line, cells) for line, cells in rows if isinstance(cells, str) and cells != _BLANK]
    if 2 * len(wrong) > len(rows):
        line, reason = wrong[0]
        raise RecurraError(
            f"{path}, {unit} {line}: {reason} ({len(wrong):,} of {len(rows):,} {unit}s are wrong); {expected}"
        )


def collect(
    name: str, where: str, wanted: Wanted, rows: Iterable[Row], told: Sequence[str] = (), unit: str = "line"
) -> Table:
    """The texts of all rows that are good, and sentences on the others.

    Args:
        name: of the table.
        where: what to call it in the sentences.
        wanted: what the cells are.
        rows: with as many cells as are wanted.
        told: sentences that come before.
        unit: what the rows' numbers count.

    Raises:
        RecurraError: if no row is good.
    """
    columns: tuple[list[str], ...] = tuple([] for _ in wanted.names)
    left_out: dict[str, list[int]] = {}
    for number, cells in rows:
        mended = with_newlines if wanted.whole else _in_a_line
        texts = [] if isinstance(cells, str) else [mended(cell) for cell in cells]
        reason = cells if isinstance(cells, str) else _fault(texts, wanted)
        if reason:
            left_out.setdefault(reason, []).append(number)
            continue
        for column, text in zip(columns, texts, strict=True):
            column.append(text)
    skipped = [*told, *(_sentence(where, unit, numbers, reason) for reason, numbers in left_out.items())]
    if not columns[0]:
        reasons = "; ".join(skipped[:4]) or "nothing is in it"
        raise RecurraError(f"{where} has no row with {_listed(wanted)} ({reasons}); give some")
    return Table(name, columns, skipped)


def _in_a_line(cell: str) -> str:
    return _LINE_END.sub(" ", cell.strip())


def _fault(texts: Sequence[str], wanted: Wanted) -> str | None:
    """Why texts are not a row of what is wanted."""
    if not all(map(str.strip, texts)):
        empty = next(name for name, text in zip(wanted.names, texts, strict=True) if not text.strip())
        return f"the {empty} is empty" if any(map(str.strip, texts)) else _BLANK
    if max(map(len, texts)) > MAX_CHARACTERS and not wanted.whole:
        return _TOO_LONG
    if any(map(_NO_TEXT.search, texts)):
        return "there is a zero or half a surrogate pair, which no text has"
    return None


def _sentence(where: str, unit: str, numbers: Sequence[int], reason: str) -> str:
    """Where something was left out, and why; of many rows the first three and the count."""
    first = ", ".join(str(number) for number in numbers[:3])
    more = f" and {len(numbers) - 3:,} more" if len(numbers) > 3 else ""
    units = {"index": "indices"}.get(unit, f"{unit}s") if len(numbers) > 1 else unit
    return f"{where}, {units} {first}{more}: {reason}"
