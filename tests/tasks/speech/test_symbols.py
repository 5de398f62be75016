"""Transcripts as symbols."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RecurraError
from recurra.tasks.speech.symbols import BLANK, Symbols


@given(st.lists(st.text(max_size=12), min_size=1, max_size=5), st.booleans())
def test_what_is_encoded_is_read_again(texts: list[str], lowercase: bool) -> None:
    symbols = Symbols.of(texts, lowercase)
    for text in texts:
        numbers = symbols.encode(text)
        assert BLANK not in numbers
        assert symbols.text(numbers.tolist()) == symbols.clean(text)
        assert symbols.unknown_in(text) == []


def test_symbols_of_several_letters_are_taken_first() -> None:
    symbols = Symbols.of(["Schach", "Chor"], True, ["ch", "SCH"])
    assert symbols.split("Schach") == ["sch", "a", "ch"]
    assert symbols.size == 1 + len({"sch", "a", "ch", "o", "r"})


def test_marks_line_ends_and_order_marks_are_no_symbols() -> None:
    symbols = Symbols.of(["\ufeffone\r\n", " two\t\u00a0three "], False)
    assert "".join(symbols.names) == "".join(sorted(set("one two three")))
    assert Symbols.of(["e\u0301"], False).names == ("é",)


def test_what_was_never_seen_is_named() -> None:
    symbols = Symbols.of(["abc"], True)
    assert symbols.unknown_in("aXbxé") == ["x", "é"]
    assert symbols.text(symbols.encode("axb").tolist()) == "ab"
    assert symbols.space is None
    assert Symbols.of(["a b"], True).space == 1


@given(st.lists(st.text(max_size=12), min_size=1, max_size=5))
def test_words_are_read_again(texts: list[str]) -> None:
    symbols = Symbols.of_words(texts, True)
    for text in texts:
        assert symbols.text(symbols.encode(text).tolist()) == symbols.clean(text)
    assert symbols.space is None
    if symbols.names:
        assert Symbols.from_json(symbols.to_json(), "x") == symbols
    assert symbols.unknown_in("one\ntwo one") == ["one", "two"] or {"one", "two"} & set(symbols.names)


def test_symbols_are_kept_and_damage_is_noticed() -> None:
    symbols = Symbols.of(["Ab c"], False, ["ch"])
    assert Symbols.from_json(symbols.to_json(), "x") == symbols
    for damaged in ({}, {"symbols": [], "lowercase": True}, {"symbols": ["a", "a"], "lowercase": True}, [1]):
        with pytest.raises(RecurraError, match="x holds no symbols"):
            Symbols.from_json(damaged, "x")
