"""Which columns of a table to read: those that are named, or else those that look like what is wanted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from recurra.errors import OptionError, RecurraError

Header = Literal["auto", "yes", "no"]

SAMPLE = 1000
"""Rows that are looked at to judge what a column holds."""

MIN_ROWS = 10
"""With fewer rows below it a first row of names that are not known is a row like any other."""

MAX_NAME = 40
"""What is longer is not taken for a name."""

_LANGUAGE_NAMES = """
english german deutsch french francais français spanish espanol español italian italiano portuguese dutch polish
russian swedish danish norwegian finnish czech slovak hungarian romanian bulgarian greek turkish ukrainian arabic
hebrew persian hindi bengali urdu tamil chinese japanese korean vietnamese thai indonesian malay swahili latin
esperanto catalan croatian serbian slovenian estonian latvian lithuanian icelandic irish welsh basque yoruba
"""

_LANGUAGE_CODES = """
af am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fr ga gl gu ha he hi hr hu hy id ig is it ja ka kk km kn
ko la lo lt lv mk ml mn mr ms mt my ne nl no pa pl ps pt ro ru si sk sl so sq sr sv sw ta te th tl tr uk ur uz vi xh yo
zh zu at br ch cn gb jp mx tw us eng deu ger fra fre spa ita por nld rus zho jpn kor
"""

_GENERAL = """
answer article assistant audio author body bot caption category class code col column comment completion content
context conversation date description document file filename headline human hypothesis id idx image index input
instruction intent key lang language line name no number original output paragraph path phrase premise prompt query
question rating ref reference reply request response review score sentence sentiment snippet source src summary
system target text tgt title transcript transcription translation trg tweet url user utterance value word words
"""

_LANGUAGES = frozenset(_LANGUAGE_NAMES.split())

_USUAL = _LANGUAGES | frozenset(_LANGUAGE_CODES.split() + _GENERAL.split())
"""Parts of what columns are usually called, in small letters."""

_ID = re.compile(r"(.*[\W_])?(id|idx|index|uid|uuid|guid)|unnamed: \d+|no\.?|nr\.?|#|", re.IGNORECASE)

_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?(e[+-]?\d+)?", re.IGNORECASE)

_CODE = re.compile(r"[0-9a-f]{8,}(-[0-9a-f]+)*", re.IGNORECASE)  # hashes, UUIDs; not dates

_PLAIN = re.compile(r"[^\W\d_][\w()/#-]*( [\w()/#-]+){0,2}")

Groups = list[tuple[int, ...]]
"""For each column that is wanted the columns, from 0, whose texts make it up."""


@dataclass(frozen=True)
class Wanted:
    """What a task reads from a row.

    Attributes:
        known: what tables call it, in the notation of `--columns` and in small letters, the likeliest first. The first
            gives the names that messages use.
        otherwise: how the data can be given otherwise, for messages; begins with a comma.
        whole: the texts are documents, which may be long and keep their line ends and the white space around them.
        fixed: nobody is asked for `columns`, and messages do not tell of them.
        labelled: the second of two columns that are wanted is a label: few short values, which come again and again.
    """

    known: tuple[str, ...]
    otherwise: str = ""
    whole: bool = False
    fixed: bool = False
    labelled: bool = False

    @property
    def names(self) -> list[str]:
        """What each column that is wanted is called in messages."""
        return self.known[0].split(",")


def parse_columns(columns: str, wanted: Wanted) -> list[list[str]]:
    """The names or numbers in a value of `--columns`: a comma between columns, a plus between those to be joined.

    Raises:
        OptionError: if these are not as many columns as are wanted.
    """
    groups = [[name.strip() for name in group.split("+")] for group in columns.split(",")]
    if len(groups) != len(wanted.names) or not all(name for group in groups for name in group):
        raise OptionError(
            f"`columns` {columns[:60]} does not name {' and '.join(wanted.names)}; give {len(wanted.names)} names or "
            "numbers with a comma between them, and a plus between columns to be joined"
        )
    return groups


def find_columns(asked: list[list[str]], names: Sequence[str], sample: list[list[str]], where: str) -> Groups:
    """The columns that are asked for by name, or by number from 1.

    Raises:
        RecurraError: if there is no such column, or several have the name.
    """
    width = len(names) or max(map(len, sample), default=0)

    def find(name: str) -> int:
        for fold in (str.strip, lambda text: text.strip().lower()):
            found = [index for index, other in enumerate(names) if fold(other) == fold(name)]
            if len(found) == 1:
                return found[0]
        if name.isdecimal() and 1 <= int(name) <= width:
            return int(name) - 1
        raise RecurraError(
            f"{where} has no column {name[:60]!r}, or several of that name; it has {describe(names, sample)}: name "
            "some of these with `columns`, by name or number"
        )

    return [tuple(find(name) for name in group) for group in asked]


def looks_like_header(cells: Sequence[str], below: list[list[str]], wanted: Wanted) -> bool:
    """Whether a first row names the columns, judged by the rows below it.

    It does if the names are the known ones, or are all names of languages and the like; or if it is made of single
    words, and either no row below it is, or one of them names a language, as hardly anything below it does. A row that
    comes again names nothing, nor does one with a label.
    """
    names = [cell.strip().lower() for cell in cells if cell.strip()]
    if len(names) < len(wanted.names) or len(set(names)) < len(names) or list(cells) in below:
        return False
    if wanted.labelled and any(cell in _column(below, index) for index, cell in enumerate(cells)):
        return False
    if _match(cells, below, wanted) or all(map(_is_usual_name, names)):
        return True
    if len(below) < MIN_ROWS or not _is_plain(cells):
        return False
    return _names_language(cells, below) or not any(map(_is_plain, below))


def _names_language(cells: Sequence[str], below: list[list[str]]) -> bool:
    """Whether a column is named after a language, as in `rakhine, english`, and is not a list of languages itself."""
    return any(
        _is_usual_name(cell.strip().lower())
        and _has_language(cell)
        and sum(map(_has_language, _column(below, index))) < len(below) / MIN_ROWS
        for index, cell in enumerate(cells)
    )


def _has_language(cell: str) -> bool:
    return len(cell) <= MAX_NAME and not _LANGUAGES.isdisjoint(re.split(r"[\W_]+", cell.lower()))


def _is_usual_name(name: str) -> bool:
    """Whether a name in small letters is an ID's or a language's, or such as `text`, `sentence_en`, `question2`."""
    parts = [part.rstrip("0123456789") for part in re.split(r"[\W_]+", name[:MAX_NAME])]
    usual = len(name) <= MAX_NAME and len(parts) <= 3 and all(part in _USUAL for part in parts)
    return usual or _ID.fullmatch(name) is not None


def _is_plain(cells: Sequence[str]) -> bool:
    return all(len(cell) <= MAX_NAME and _PLAIN.fullmatch(cell.strip()) for cell in cells if cell.strip())


def choose_columns(names: Sequence[str], sample: list[list[str]], wanted: Wanted, where: str) -> tuple[Groups, str]:
    """The columns that look like what is wanted, and a sentence on the others.

    They are those with known names. Without these, row numbers, IDs, numbers and the like are left out, as long as
    enough others remain. If still too many do, the first of them are taken from a table without names, since the
    common ones of that kind have remarks at the end.

    Args:
        names: of the columns; none if they have none.
        sample: rows.
        wanted: what to look for.
        where: the table, for messages.

    Raises:
        RecurraError: if columns have names, and it is not clear which are meant.
    """
    width = len(names) or max(map(len, sample), default=0)
    groups, left = _match(names, sample, wanted), dict[int, str]()
    if groups is None and wanted.labelled:
        groups = _text_and_label(names, sample, width)
    if groups is None:
        remaining, left = _without_ids(names, sample, width, len(wanted.names))
        if len(remaining) < len(wanted.names) or (names and len(remaining) > len(wanted.names)):
            remedy = (
                "name it with `columns`" if len(wanted.names) == 1 else "name them with `columns` A,B in their order"
            )
            if wanted.fixed:
                remedy = f"call them {' and '.join(wanted.names)} there"
            raise RecurraError(
                f"{where} does not say which of its columns are {' and '.join(wanted.names)}: it has "
                f"{describe(names, sample)}; {remedy}"
            )
        groups = [(index,) for index in remaining[: len(wanted.names)]]
    taken = {index for group in groups for index in group}
    others = [index for index in range(width) if index not in taken]
    if not others:
        return groups, ""
    listed = [f"column {_label(names, index)} ({_shown(sample, index, left.get(index, ''))})" for index in others[:5]]
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    read = " and ".join("+".join(_label(names, index) for index in group) for group in groups)
    remedy = "" if wanted.fixed else " (`columns` names others)"
    return groups, f"{where}: {', '.join(listed)}{more}; what is read is {read}{remedy}"


def _text_and_label(names: Sequence[str], sample: list[list[str]], width: int) -> Groups | None:
    """The column with the most that is different, and of the others the one with the fewest values that come again.

    None if there is no such column, or columns have names and several could be the labels. Of two columns that differ
    in nothing the first is the text.
    """
    columns = [[cell.strip() for cell in _column(sample, index)] for index in range(width)]
    if width == 2:
        swapped = len(set(columns[0])) < len(set(columns[1]))
        return [(1,), (0,)] if swapped else [(0,), (1,)]
    text = max(range(width), key=lambda index: sum(map(len, set(columns[index]))))
    found = [index for index in range(width) if index != text and _comes_again(columns[index])]
    if not found or (names and len(found) > 1):
        return None
    return [(text,), (min(found, key=lambda index: len(set(columns[index]))),)]


def _comes_again(cells: list[str]) -> bool:
    """Whether a column could hold labels: several short values, each of which stands there ten times on average."""
    values = set(cells)
    return 1 < len(values) <= max(2, len(cells) // 10) and max(map(len, values)) <= MAX_NAME and "" not in values


def describe(names: Sequence[str], sample: list[list[str]]) -> str:
    """The columns with an example of each."""
    width = len(names) or max(map(len, sample), default=0)
    listed = [f"{_label(names, index)} ({_shown(sample, index)})" for index in range(min(width, 8))]
    return ", ".join(listed) + (f" and {width - 8} more" if width > 8 else "") or "none with text"


def _label(names: Sequence[str], index: int) -> str:
    return names[index] if names and names[index] else str(index + 1)


def _shown(sample: list[list[str]], index: int, what: str = "") -> str:
    """What kind of texts a column holds, with the first of them."""
    example = next((cell.strip() for cell in _column(sample, index) if cell.strip()), "")
    example = repr(example if len(example) <= 24 else example[:21] + "...") if example else ""
    return ", such as ".join(part for part in (what, example) if part) or "empty"


def _column(sample: list[list[str]], index: int) -> list[str]:
    return [row[index] if index < len(row) else "" for row in sample]


def _last(name: str) -> str:
    """The name inside the object, of a nested key."""
    return name.rpartition(".")[2].strip() or name


def _match(names: Sequence[str], sample: list[list[str]], wanted: Wanted) -> Groups | None:
    """The columns with known names, of which the last part counts; joined only if each says something in itself."""
    called = [name.strip().lower() for name in names]
    last = [_last(name) for name in called]

    def find(name: str) -> int | None:
        found = called if called.count(name) == 1 else last
        return found.index(name) if found.count(name) == 1 else None

    for spec in wanted.known:
        groups = [tuple(map(find, group.split("+"))) for group in spec.split(",")]
        found = [tuple(index for index in group if index is not None) for group in groups]
        joined = [index for group in found if len(group) > 1 for index in group]
        if found == groups and not any(_is_same(_column(sample, index)) for index in joined):
            return found
    return None


def _without_ids(
    names: Sequence[str], sample: list[list[str]], width: int, count: int
) -> tuple[list[int], dict[int, str]]:
    """The columns that are not IDs or the like, but not fewer than `count`; and what the others are.

    Of one kind the first ones go: in `3, 12 + 5, 17` the last number is not an ID.
    """
    kinds: dict[str, Callable[[int, list[str]], bool]] = {
        "mostly empty": lambda _, cells: 2 * sum(map(bool, cells)) < len(cells),
        "always the same": lambda _, cells: _is_same(cells),
        "an ID": lambda index, _: bool(names) and _ID.fullmatch(_last(names[index])) is not None,
        "row numbers": lambda _, cells: _counts_up(cells),
        "numbers": lambda _, cells: all(_NUMBER.fullmatch(cell) for cell in cells if cell),
        "codes": lambda _, cells: all(_CODE.fullmatch(cell) for cell in cells if cell),
    }
    columns = [[cell.strip() for cell in _column(sample, index)] for index in range(width)]
    remaining, left = list(range(width)), dict[int, str]()
    for kind, is_of_kind in kinds.items():
        found = [index for index in remaining if is_of_kind(index, columns[index])][: max(0, len(remaining) - count)]
        remaining = [index for index in remaining if index not in found]
        left |= dict.fromkeys(found, kind)
    return remaining, left


def _is_same(cells: list[str]) -> bool:
    return len(cells) > 1 and len(set(cells)) == 1


def _counts_up(cells: list[str]) -> bool:
    if not all(cell.isdecimal() and len(cell) < 18 for cell in cells):
        return False
    numbers = list(map(int, cells))
    return len(numbers) > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
