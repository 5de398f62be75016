"""Dates as people write them in twelve languages, to ISO 8601: the sample of sentence pairs, `sample:dates`.

How a language writes dates comes from two places: the four formats, the month names and the weekday names of the
Unicode CLDR (UTS #35, part 4), which Babel carries, and the patterns below for what people write besides. The same
words never have two answers: where the order of day and month depends on the country (3/9/2014), only days are
written that leave no choice, and two digits of a year always mean one of the hundred years from `FIRST_SHORT` on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from recurra.errors import OptionError, RecurraError

if TYPE_CHECKING:
    from babel import Locale

FIRST, LAST = date(1900, 1, 1), date(2099, 12, 31)
"""The days there are."""

FIRST_SHORT, LAST_SHORT = 1969, 2068
"""The years that are also written with two digits, the hundred that POSIX reads them as (strptime, %y)."""

MAX_COUNT = 1_000_000
"""So many dates are there at most, well below what there is to write."""

CASES: Mapping[Callable[[str], str], float] = {str: 0.8, str.lower: 0.1, str.upper: 0.1}
"""How letters are changed, and how often."""

FURTHER: Mapping[str, tuple[str, ...]] = {
    "en": (
        "MMMM {ordinal}, y",
        "MMM {ordinal} y",
        "{ordinal} MMMM y",
        "{ordinal} 'of' MMMM, y",
        "'the' {ordinal} 'of' MMMM y",
        "EEEE, MMMM {ordinal}, y",
        "EEEE 'the' {ordinal} 'of' MMMM y",
        "MMMM d y",
        "d MMMM y",
        "d MMM y",
        "EEEE, d MMMM y",
        "EEE, d MMM y",
        "EEE, MMM d, y",
        "MMM d, ''yy",
        "d-MMM-yy",
        "d-MMM-y",
        "M/d/y",
    ),
    "de": ("d.M.y", "d.M.yy", "d. MMM y", "'den' d. MMMM y", "EEEE, 'den' d. MMMM y", "EEEE, d.M.y", "EEE, dd.MM.y"),
    "fr": (
        "{ordinal} MMMM y",
        "'le' {ordinal} MMMM y",
        "'le' EEEE {ordinal} MMMM y",
        "EEE d MMM y",
        "d/M/y",
        "dd/MM/yy",
    ),
    "es": (
        "{ordinal} 'de' MMMM 'de' y",
        "d 'de' MMMM 'del' y",
        "'el' d 'de' MMMM 'de' y",
        "d MMMM y",
        "EEE, d MMM y",
        "dd/MM/y",
    ),
    "it": ("{ordinal} MMMM y", "'il' {ordinal} MMMM y", "EEEE, d MMMM y", "EEE d MMM y", "d/M/y"),
    "pt": (
        "{ordinal} 'de' MMMM 'de' y",
        "'em' d 'de' MMMM 'de' y",
        "d MMM y",
        "EEE, d 'de' MMM y",
        "d/M/y",
        "dd/MM/yy",
    ),
    "nl": ("d-M-y", "dd-MM-yy", "'op' d MMMM y", "EEEE, d MMMM y", "EEE d MMM y"),
    "pl": ("d MMMM y 'r.'", "'dnia' d MMMM y", "EEEE, d MMMM y 'r.'", "d.M.y", "dd.MM.y", "EEE, d MMM y"),
    "ru": ("d MMMM y 'года'", "d MMMM y", "EEEE, d MMMM y", "EEE, d MMM y", "d.M.y", "dd.MM.yy"),
    "sv": ("'den' d MMMM y", "EEEE 'den' d MMMM y", "EEE d MMM y", "y-MM-dd"),
    "zh": (
        "{han year}年{han month}月{han day}日",
        "{han year}年{han month}月{han day}日EEEE",
        "{zero year}年{han month}月{han day}日",
        "{han year}年{han month}月{han day}号",
        "y年M月d号",
        "y年MM月dd日",
        "y 年 M 月 d 日",
        "y年M月d日 EEEE",
        "y年M月d日（EEE）",  # noqa: RUF001 (the brackets people type)
        "y年M月d日EEE",
        "y.M.d",
    ),
    "ja": (
        "{han year}年{han month}月{han day}日",
        "y年MM月dd日",
        "y年M月d日(EEEEE)",
        "y/M/d",
        "y/M/d (EEEEE)",
        "yy年M月d日",
    ),
}
"""How people write dates beside the formats of the CLDR, by language, in the CLDR's notation: `y` year, `M` month, `d`
day, `E` weekday, more letters for more digits or the longer name, what is quoted as it is. In braces stands what the
CLDR has no letter for."""

Writer = Callable[[date], str]
"""Writes a date, or one field of it."""


def dates(count: int = 20_000, seed: int = 1) -> list[tuple[str, str]]:
    """Dates as people write them, with what they are in ISO 8601 (2014-03-09).

    Languages, ways to write within one, and the days from `FIRST` to `LAST` are drawn evenly; what is ambiguous, or is
    there already, is drawn again. A larger sample of one seed begins with the smaller one. Another version of Babel
    may know other names.

    Args:
        count: how many, at most `MAX_COUNT`.
        seed: which ones.

    Returns:
        `count` pairs of what is written and the answer; nothing that is written comes twice.

    Raises:
        RecurraError: if the count is impossible or Babel is not there.
    """
    if not 0 <= count <= MAX_COUNT:
        raise OptionError(f"the count of dates is {count}, but must be from 0 to {MAX_COUNT}")
    rng = np.random.default_rng(seed)
    languages = [list(writers(language).items()) for language in FURTHER]
    cases, shares = list(CASES), list(CASES.values())
    found: dict[str, str] = {}
    while len(found) < count:
        days = rng.integers(FIRST.toordinal(), LAST.toordinal() + 1, 1024)
        chosen = rng.random((1024, 2))
        changes = rng.choice(len(cases), 1024, p=shares)
        for number, (language, way), case in zip(days.tolist(), chosen.tolist(), changes.tolist(), strict=True):
            ways = languages[int(language * len(languages))]
            pattern, write = ways[int(way * len(ways))]
            day = date.fromordinal(number)
            if is_clear(pattern, day):
                found.setdefault(cases[case](write(day)), day.isoformat())
    return list(found.items())[:count]


def is_clear(pattern: str, day: date) -> bool:
    """Whether a day written by a pattern can be read in one way only.

    Between strokes the day comes first in some countries and the month in others; two digits do not tell the century.
    """
    ambiguous = "/" in pattern and not pattern.startswith("y") and day.day <= 12 and day.day != day.month
    short = re.search("(?<!y)yy(?!y)", pattern) is not None
    return not ambiguous and (not short or FIRST_SHORT <= day.year <= LAST_SHORT)


@cache
def writers(language: str) -> dict[str, Writer]:
    """The ways a language writes dates, by pattern.

    Raises:
        RecurraError: if Babel is not there.
    """
    try:
        from babel import Locale
    except ImportError as error:
        raise RecurraError("sample:dates needs one more package: pip install 'recurra[translation]'") from error
    locale = Locale.parse(language)
    standard = [locale.date_formats[length].pattern for length in ("short", "medium", "long", "full")]
    patterns = dict.fromkeys(standard + list(FURTHER[language]))
    return {pattern: partial(_write, _compile(pattern, locale)) for pattern in patterns}


def _write(fields: tuple[Writer, ...], day: date) -> str:
    return "".join(field(day) for field in fields)


def _compile(pattern: str, locale: Locale) -> tuple[Writer, ...]:
    """The fields of a pattern one after another; spaces that nobody types become plain ones."""
    pattern = pattern.replace("\u202f", " ").replace("\xa0", " ")
    parts = [match.group() for match in re.finditer(r"''|'[^']+'|\{[a-z ]+\}|([A-Za-z])\1*|[^A-Za-z'{]+", pattern)]
    return tuple(_field(part, locale) for part in parts)


def _field(part: str, locale: Locale) -> Writer:
    """What writes one part of a pattern."""
    if part == "{ordinal}":
        return partial(_ordinal, locale.language)
    if part in _FIELDS:
        return _FIELDS[part]
    if part in _MONTHS:
        return partial(_month, locale.months["format"][_MONTHS[part]])
    if part in _WEEKDAYS:
        return partial(_weekday, locale.days["format"][_WEEKDAYS[part]])
    literal = "'" if part == "''" else part.strip("'")
    return lambda day: literal


def _month(names: Mapping[int, str], day: date) -> str:
    return names[day.month]


def _weekday(names: Mapping[int, str], day: date) -> str:
    return names[day.weekday()]


def _ordinal(language: str, day: date) -> str:
    """English counts all days of a month, the others here only the first one."""
    number = day.day
    if language == "en":
        last = 0 if 10 < number < 20 else number % 10
        return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"
    return {"fr": "1er", "es": "1.º", "it": "1º", "pt": "1º"}[language] if number == 1 else str(number)


def _han_year(zero: str, day: date) -> str:
    """A year digit by digit: 二〇一四."""
    return "".join((zero, *_HAN)[int(digit)] for digit in str(day.year))


def _han(number: int) -> str:
    """A number from 1 to 99: 三, 十二, 二十, 二十九."""
    tens, ones = divmod(number, 10)
    return ("" if tens < 2 else _HAN[tens - 1]) + ("十" if tens else "") + (_HAN[ones - 1] if ones else "")


_HAN = "一二三四五六七八九"

_MONTHS = {"MMM": "abbreviated", "MMMM": "wide"}

_WEEKDAYS = {"EEE": "abbreviated", "EEEE": "wide", "EEEEE": "narrow"}

_FIELDS: dict[str, Writer] = {
    "y": lambda day: f"{day.year}",
    "yy": lambda day: f"{day.year % 100:02}",
    "M": lambda day: f"{day.month}",
    "MM": lambda day: f"{day.month:02}",
    "d": lambda day: f"{day.day}",
    "dd": lambda day: f"{day.day:02}",
    "{han year}": partial(_han_year, "〇"),  # noqa: RUF001
    "{zero year}": partial(_han_year, "零"),
    "{han month}": lambda day: _han(day.month),
    "{han day}": lambda day: _han(day.day),
}
