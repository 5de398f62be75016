"""The order of bars: against orders written down together with the signs that ask for them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.tasks.music.io import repeats
from recurra.tasks.music.io.repeats import BarMarks, play_order, put_sign, sections_of, sign_of

NESTED = "repeats inside repeats, played one after the other"


def bars(text: str) -> list[BarMarks]:
    """Bars from a line such as "|:A B [1C:| [2D": one letter a bar, its signs around it."""
    found = []
    for word in text.split():
        bar = BarMarks(start=word.startswith("|:"))
        word = word.removeprefix("|:")
        bar.times = 1 + word.count(":")
        word = word.rstrip(":|")
        if word.startswith("["):
            numbers, word = word[1:-1], word[-1]
            bar.endings = frozenset(int(number) for number in numbers.split(","))
        for sign, field in {"S": "segno", "O": "coda", "f": "fine", "t": "leave"}.items():
            setattr(bar, field, sign in word)
        bar.jump = "capo" if "c" in word else "segno" if "s" in word else ""
        found.append(bar)
    return found


def played(text: str, sections: str = "") -> tuple[str, dict[str, int]]:
    """The letters of the bars as they are played, and what was counted."""
    letters = [next(letter for letter in word if letter in "ABCDEFGHIJKL") for word in text.split()]
    left_out: Counter[str] = Counter()
    order = play_order(bars(text), left_out, sections)
    return "".join(letters[place] for place in order), dict(left_out)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A B C", "ABC"),
        ("A B:|", "ABAB"),
        ("A B:| C D:|", "ABABCDCD"),  # to the end of the last repeat
        ("A |:B C:| D", "ABCBCD"),
        ("|:A B::|", "ABABAB"),
        ("|:A [1B:| [2C D", "ABACD"),
        ("|:A [1B:| [2C:| D:|", "ABACDD"),
        ("|:A [1,3B:| [2C:| [4D E", "ABACABADE"),
        ("A [1B [2C", "ABAC"),  # a `:|` is meant
        ("|:A [1B:| [2C D [1E:| [2F", "ABACDEDF"),  # from the end of the last ending
        ("A Bf C Dc", "ABCDAB"),
        ("A BS Cf Ds", "ABCDBC"),
        ("A Bt C Dc EO F", "ABCDABEF"),
        ("A B C Dc", "ABCDABCD"),
        ("|:A [1B:| [2C D:| Ec", "ABACDDEACDE"),  # after D.C. no repeat, and the last ending
        ("A BS Ct D Es FO:|", "ABCDEBCFF"),
    ],
)
def test_the_usual_ways_to_write_repeats(text: str, wanted: str) -> None:
    assert played(text) == (wanted, {})


@pytest.mark.parametrize(
    ("text", "wanted", "told"),
    [
        ("A Bs C", "ABC", {"D.C. or D.S. that cannot be followed": 1}),
        ("A |:B |:C:| D:|", "ABCCDD", {NESTED: 1}),
        ("A:| [2B C", "ABC", {"repeats": 1}),  # never in its round
        ("A Bf Cc D", "ABCD", {"repeats": 1}),  # D would be left out
        ("A" + ":" * 11 + "|", "A" * 8, {"repeats beyond 8 times": 4}),
    ],
)
def test_what_leads_nowhere_is_told_and_no_bar_is_lost(text: str, wanted: str, told: dict[str, int]) -> None:
    assert played(text) == (wanted, told)


def test_two_coda_signs_are_where_to_leave_and_where_to_go() -> None:
    marks = bars("A B Cc D")
    marks[1].coda = marks[3].coda = True
    assert play_order(marks, Counter()) == [0, 1, 2, 0, 3]
    put_sign(marks[1], "leave", begun=True)
    assert play_order(marks, Counter()) == [0, 1, 2, 0, 1, 3]


def test_orders_of_sections() -> None:
    marks = bars("A B:| C D")
    marks[0].label, marks[2].label = "A", "B"
    assert play_order(marks, Counter(), "BAB") == [2, 3, 0, 1, 0, 1, 2, 3]
    left_out: Counter[str] = Counter()
    assert play_order(marks, left_out, "AX") == [0, 1, 0, 1, 2, 3]
    assert left_out == {"orders of sections": 1}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ABA", "ABA"),
        ("A2B3", "AABBB"),
        ("(AB)2.C", "ABABC"),
        ("((AB)2C)2", "ABABCABABC"),
        ("(A", ""),
        ("A9999999", ""),
    ],
)
def test_orders_of_sections_are_read(text: str, wanted: str) -> None:
    assert "".join(sections_of(text)) == wanted


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("D.C. al Fine", "capo"), ("Da Capo", "capo"), ("DC", "capo"), ("D.C.", "capo"), ("d.c. al coda", "capo"),
        ("D.S. al Coda", "segno"), ("Dal Segno", "segno"), ("Fine", "fine"), ("FINE.", "fine"), ("To Coda", "leave"),
        ("Coda", "coda"), ("Segno", "segno sign"), ("Allegro", ""), ("finely", ""), ("Dm", ""), ("dc3", ""),
    ],
)  # fmt: skip
def test_signs_in_words(text: str, sign: str) -> None:
    assert sign_of(text) == sign


@st.composite
def strains(draw: Any) -> tuple[list[BarMarks], list[int]]:
    """Strains with their signs, and how they are played, written out."""
    marks: list[BarMarks] = []
    order: list[int] = []
    for number in range(draw(st.integers(1, 4))):
        body = [BarMarks() for _ in range(draw(st.integers(1, 3)))]
        begin = len(marks)
        marks += body
        places = list(range(begin, len(marks)))
        kind = draw(st.sampled_from(["once", "repeat", "endings"]))
        if kind == "once":
            body[0].start = number > 0 and draw(st.booleans())
            order += places
            continue
        before_is_repeat = begin == 0 or marks[begin - 1].times > 1 or bool(marks[begin - 1].endings)
        body[0].start = not before_is_repeat or draw(st.booleans())
        if kind == "repeat":
            body[-1].times = draw(st.integers(2, 4))
            order += places * body[-1].times
            continue
        rounds = draw(st.permutations(range(1, draw(st.integers(2, 4)) + 1)))
        cut = draw(st.integers(1, len(rounds) - 1))
        groups = sorted([frozenset(rounds[:cut]), frozenset(rounds[cut:])], key=min)
        played_in: dict[int, list[int]] = {}
        for group in groups:
            long = [BarMarks(endings=group) for _ in range(draw(st.integers(1, 2)))]
            if len(rounds) not in group or draw(st.booleans()):
                long[-1].times = 2
            played_in |= {round_: list(range(len(marks), len(marks) + len(long))) for round_ in group}
            marks += long
        order += [place for round_ in sorted(rounds) for place in places + played_in[round_]]
    return marks, order


@settings(max_examples=200, deadline=None)
@given(strains())
def test_strains_are_played_as_they_were_written_out(strain: tuple[list[BarMarks], list[int]]) -> None:
    marks, order = strain
    left_out: Counter[str] = Counter()
    assert play_order(marks, left_out) == order
    assert set(left_out) <= {NESTED}  # what begins and is never ended may look like it


anything = st.builds(
    BarMarks,
    start=st.booleans(),
    times=st.sampled_from([1, 1, 1, 2, 3, 40]),
    endings=st.frozensets(st.integers(1, 9), max_size=2),
    label=st.sampled_from(["", "", "A", "B"]),
    segno=st.booleans(),
    coda=st.booleans(),
    leave_before=st.booleans(),
    leave=st.booleans(),
    fine=st.booleans(),
    jump=st.sampled_from(["", "", "capo", "segno"]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(anything, max_size=12))
def test_whatever_is_written_no_bar_is_lost_and_there_is_an_end(marks: list[BarMarks]) -> None:
    order = play_order(marks, Counter())
    assert set(order) == set(range(len(marks)))
    assert len(order) <= max(len(marks), repeats.MAX_BARS)


def test_very_many_bars_take_no_long_time() -> None:
    many = [BarMarks(endings=frozenset({1, 2}), times=8, jump="capo") for _ in range(30_000)]
    left_out: Counter[str] = Counter()
    assert play_order(many, left_out) == list(range(30_000))
    assert left_out["repeats"] == 60_000
    assert play_order(many[:15_000], left_out) == list(range(15_000))


def test_an_order_without_labels_is_told() -> None:
    left_out: Counter[str] = Counter()
    assert play_order(bars("A B:|"), left_out, "AB") == [0, 1, 0, 1]
    assert left_out == {"orders of sections": 1}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("A |:B |:C:| D:|", 1),
        ("|:A |:B |:C:| D:| E:|", 2),
        ("|:A |:B:| |:C:| D:|", 2),
        ("|:A |:B [1C:| [2D:| E:|", 1),
        ("|:A |:B:| |:C:| D", 0),  # the first is never ended
        ("|:A B |:C [1D:| [2E:|", 0),
        ("|:A |:B [1C [1D:| [2E:| |:F:|", 0),
        ("|:A |:B [1C:| |:D [1E:| [2F:| G:|", 2),
        ("|:A:| B:| |:C:|", 0),
        ("A:| B:|", 0),
    ],
)
def test_repeats_inside_repeats_are_counted(text: str, count: int) -> None:
    assert played(text)[1].get(NESTED, 0) == count
