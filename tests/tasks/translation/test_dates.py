"""The sample of dates: true, a function, and read back by parsers that know nothing of how it was made."""

import locale
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recurra.errors import RecurraError
from recurra.tasks.translation import dates as module
from recurra.tasks.translation.dates import CASES, FIRST, FURTHER, LAST, MAX_COUNT, dates, is_clear, writers

MONTHS = {
    "en": "january february march april may june july august september october november december",
    "de": "januar februar märz april mai juni juli august september oktober november dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "sv": "januari februari mars april maj juni juli augusti september oktober november december",
}
"""The names of the months, typed from dictionaries."""

WEEKDAYS = {
    "en": "monday tuesday wednesday thursday friday saturday sunday",
    "de": "montag dienstag mittwoch donnerstag freitag samstag sonntag",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "es": "lunes martes miércoles jueves viernes sábado domingo",
    "it": "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "pt": "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
    "nl": "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    "pl": "poniedziałek wtorek środa czwartek piątek sobota niedziela",
    "ru": "понедельник вторник среда четверг пятница суббота воскресенье",
    "sv": "måndag tisdag onsdag torsdag fredag lördag söndag",
    "zh": "星期一 星期二 星期三 星期四 星期五 星期六 星期日",
    "zh short": "周一 周二 周三 周四 周五 周六 周日",
    "ja": "月曜日 火曜日 水曜日 木曜日 金曜日 土曜日 日曜日",
}
"""The names of the weekdays, Monday first."""

HAN = {"〇": 0, "零": 0} | {digit: number for number, digit in enumerate("一二三四五六七八九", 1)}


@pytest.fixture(scope="module")
def sample() -> list[tuple[str, str]]:
    return dates(20_000, 1)


def everything(days: list[date], *languages: str) -> Iterator[tuple[str, str, date]]:
    """All that can be written for some days, in all languages if none is named: language, text, day."""
    for language in languages or FURTHER:
        for pattern, write in writers(language).items():
            for day in days:
                if is_clear(pattern, day):
                    yield language, write(day), day


def test_every_answer_is_a_day_of_its_range(sample: list[tuple[str, str]]) -> None:
    for _, answer in sample:
        assert FIRST <= date.fromisoformat(answer) <= LAST
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", answer)
    years = Counter(int(answer[:4]) // 50 for _, answer in sample)
    assert all(years[half] > 3000 for half in (38, 39, 40, 41))


def test_what_is_written_is_distinct_short_and_typed_with_plain_spaces(sample: list[tuple[str, str]]) -> None:
    assert len({source for source, _ in sample}) == len(sample) == 20_000
    assert all(6 <= len(source) <= 45 for source, _ in sample)
    assert all(source == " ".join(source.split()) for source, _ in sample)
    assert not re.search("[\u00a0\u2000-\u200f\u202f{}'\"]", "".join(source for source, _ in sample).replace(", '", ""))


def test_the_same_words_have_one_answer_in_all_languages() -> None:
    """Over every way to write every day of 15 years, in every case: what is the sample's is a part of it."""
    years = (1900, 1912, 1931, 1968, 1969, 1970, 1999, 2000, 2001, 2012, 2013, 2031, 2068, 2069, 2099)
    days = [date(year, 1, 1) + timedelta(number) for year in years for number in range(365)]
    answers: dict[str, date] = {}
    for _, text, day in everything(days):
        for change in CASES:
            assert answers.setdefault(change(text), day) == day, text


def test_the_sample_is_deterministic_and_a_longer_one_begins_with_a_shorter(sample: list[tuple[str, str]]) -> None:
    assert dates(20_000, 1) == sample
    assert dates(1000, 1) == sample[:1000]
    assert dates(1000, 2) != sample[:1000]
    assert dates(0) == []


def test_all_languages_and_ways_are_there_about_equally_often(sample: list[tuple[str, str]]) -> None:
    texts = [source.lower() for source, _ in sample]
    for language, names in MONTHS.items():
        wide = sum(bool(set(re.findall(r"\w+", text)) & set(names.split())) for text in texts)
        assert wide > 500, language
    assert sum("年" in text for text in texts) > 2000
    assert sum(bool(re.search("[〇零一二三四五六七八九]{2}年", text)) for text in texts) > 500
    assert len(FURTHER) >= 8


@pytest.mark.skipif(locale.getlocale(locale.LC_TIME)[0] not in (None, "C", "en_US"), reason="strptime reads English")
def test_english_is_read_back_by_strptime() -> None:
    formats = ["%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y", "%A, %B %d, %Y", "%A, %d %B %Y", "%a, %d %b %Y"]
    formats += ["%a, %b %d, %Y", "%B %d %Y", "%b %d %Y", "%b %d, '%y", "%d-%b-%y", "%d-%b-%Y", "%m/%d/%Y", "%m/%d/%y"]
    formats += ["%d %B, %Y", "%A %d %B %Y"]
    read = 0
    for _, text, day in everything([date(1969, 1, 1) + timedelta(37 * number) for number in range(985)], "en"):
        plain = re.sub(r"(\d)(st|nd|rd|th)\b", r"\1", text).replace(" of", "").replace("the ", "")
        found = {_parsed(plain, form) for form in formats} - {None}
        if re.fullmatch(r"\d+/\d+/\d+", plain):
            found = {_parsed(plain, form) for form in formats[-4:]} - {None}
        assert found == {day}, text
        read += 1
    assert read > 15_000


def _parsed(text: str, form: str) -> date | None:
    try:
        return datetime.strptime(text, form).date()
    except ValueError:
        return None


@pytest.mark.parametrize(("number", "written"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th")])
def test_english_ordinals(number: int, written: str) -> None:
    assert writers("en")["'the' {ordinal} 'of' MMMM y"](date(2014, 3, number)) == f"the {written} of March 2014"
    if number < 4:
        assert written[-2:] in writers("en")["{ordinal} MMMM y"](date(2014, 3, 20 + number))


@pytest.mark.parametrize("language", MONTHS)
def test_months_in_words_are_read_back(language: str) -> None:
    """By a regular expression and month names typed anew."""
    names = MONTHS[language].split()
    read = 0
    for _, text, day in everything([date(1903, 5, 2) + timedelta(71 * number) for number in range(1000)], language):
        words = re.findall(r"[^\W\d_]+", text.lower())
        numbers = [int(number) for number in re.findall(r"\d+", text)]
        months = [names.index(word) + 1 for word in words if word in names]
        if not months or max(numbers) < 100:  # two digits of a year are read back elsewhere
            continue
        year, number = max(numbers), min(numbers)
        assert (year, months, number) == (day.year, [day.month], day.day), text
        read += 1
    assert read > 2500


@pytest.mark.parametrize("language", WEEKDAYS)
def test_the_weekday_named_is_the_true_one(language: str) -> None:
    names = WEEKDAYS[language].split()
    read = 0
    days = [date(1903, 5, 2) + timedelta(71 * number) for number in range(1000)]
    for _, text, day in everything(days, language[:2]):
        found = [names.index(name) for name in names if name in text.lower()]
        if found:
            assert found == [day.weekday()], text
            read += 1
    assert read >= 1000


def test_chinese_and_japanese_are_read_back() -> None:
    read = 0
    for _, text, day in everything([date(1900, 1, 1) + timedelta(73 * number) for number in range(1000)], "zh", "ja"):
        match = re.match(r"([^年/.]+?) ?[年/.] ?([^月/.]+?) ?[月/.] ?(\d+|[一二三四五六七八九十]+)", text)
        assert match, text
        year, month, number = (_number(part) for part in match.groups())
        assert (month, number) == (day.month, day.day), text
        assert year % 100 == day.year % 100
        assert year == day.year or 1969 <= day.year <= 2068
        read += 1
    assert read > 15_000


def _number(text: str) -> int:
    """A number in figures, digit by digit in words, or in words with tens."""
    if text.isascii():
        return int(text)
    if "十" in text:
        tens, ones = text.split("十")
        return 10 * (HAN[tens] if tens else 1) + (HAN[ones] if ones else 0)
    return int("".join(str(HAN[digit]) for digit in text))


@given(st.dates(FIRST, LAST))
@example(date(1999, 5, 12))
@example(date(1999, 5, 13))
def test_figures_are_day_month_year_unless_the_year_is_first_or_the_order_is_clear(day: date) -> None:
    for _, text, _ in everything([day]):
        if not re.fullmatch(r"[\d./-]+", text):
            continue
        parts = [int(part) for part in re.split("[./-]", text)]
        if len(re.split("[./-]", text)[0]) == 4:
            assert parts == [day.year, day.month, day.day]
        elif "/" in text:
            assert sorted(parts[:2]) == sorted((day.month, day.day))
            assert max(parts[:2]) > 12 or parts[0] == parts[1]
        else:
            assert parts[:2] == [day.day, day.month]


@given(st.dates(FIRST, LAST))
def test_two_digits_of_a_year_are_of_the_hundred_years_posix_takes_them_for(day: date) -> None:
    """Python's strptime is the judge."""
    short = {language: [p for p in writers(language) if re.search("(?<!y)yy(?!y)", p)] for language in FURTHER}
    assert sum(map(len, short.values())) >= 8
    clear = datetime.strptime(f"{day.year % 100:02}", "%y").year == day.year
    for language, patterns in short.items():
        for pattern in patterns:
            assert not is_clear(pattern, day) or clear, (language, pattern)
            if "/" not in pattern:
                assert is_clear(pattern, day) == clear


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "March 9th, 2014"),
        ("en", "9 March 2014"),
        ("en", "the 9th of March 2014"),
        ("en", "Sunday, March 9, 2014"),
        ("de", "9. März 2014"),
        ("de", "09.03.14"),
        ("fr", "le dimanche 9 mars 2014"),
        ("es", "9 de marzo de 2014"),
        ("ru", "9 марта 2014 г."),
        ("zh", "二〇一四年三月九日"),
        ("zh", "二零一四年三月九日"),
        ("zh", "2014年3月9日"),
        ("zh", "2014年3月9日星期日"),
        ("ja", "2014年3月9日(日)"),
    ],
)
def test_ways_that_people_write(language: str, text: str) -> None:
    assert (language, text) in {(language, text) for language, text, _ in everything([date(2014, 3, 9)])}


@pytest.mark.parametrize("text", ["3/9/2014", "3/9/14", "03/09/2014", "9/3/14", "09/03/2014"])
def test_what_depends_on_the_country_is_not_written(text: str) -> None:
    assert text not in {text for _, text, _ in everything([date(2014, 3, 9), date(2014, 9, 3)])}


def test_an_impossible_count_and_a_missing_package_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for count in (-1, MAX_COUNT + 1):
        with pytest.raises(RecurraError, match=f"count of dates is {count}"):
            dates(count)
    monkeypatch.setitem(sys.modules, "babel", None)
    module.writers.cache_clear()
    with pytest.raises(RecurraError, match=r"needs one more package: pip install 'recurra\[translation\]'"):
        dates(1)
