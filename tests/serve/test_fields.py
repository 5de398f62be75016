"""Fields of requests: whatever comes, they are read or refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import Echo

from recurra.serve.errors import FieldError, RequestError
from recurra.serve.fields import kinds_of, read_fields, require_length


def test_what_is_given_is_read_and_the_rest_has_its_default() -> None:
    found = read_fields(Echo, {"text": "a", "texts": ["b", "c"], "number": 7, "share": 1, "flag": True})
    assert (found.text, found.texts, found.number, found.share, found.flag) == ("a", ("b", "c"), 7, 1, True)
    assert (found.model, found.list) == (None, ())
    assert read_fields(Echo, {"text": "a", "texts": "b", "list": "c"}).texts == "b"
    assert read_fields(Echo, {"text": "a", "list": "c"}).list == ("c",)


def test_null_is_not_given() -> None:
    assert read_fields(Echo, {"text": "a", "number": None, "share": None}) == Echo(text="a")
    with pytest.raises(FieldError, match="`text` is missing"):
        read_fields(Echo, {"text": None})


@pytest.mark.parametrize(
    ("values", "param", "code", "sentence"),
    [
        ({}, "text", "missing_field", "`text` is missing; give it"),
        ({"text": 5}, "text", "invalid_value", "`text` is 5, but must be text"),
        ({"text": ["a"]}, "text", "invalid_value", "must be text"),
        ({"text": {}}, "text", "invalid_value", "must be text"),
        ({"text": "a", "texts": ["b", 5]}, "texts", "invalid_value", "list of other things than text"),
        ({"text": "a", "texts": 5}, "texts", "invalid_value", "`texts` is 5, but must be text or a list of texts"),
        ({"text": "a", "list": 5}, "list", "invalid_value", "`list` is 5, but must be a list of texts"),
        ({"text": "a", "number": 101}, "number", "invalid_value", "between 0 and 100"),
        ({"text": "a", "number": -1}, "number", "invalid_value", "between 0 and 100"),
        ({"text": "a", "number": 1.5}, "number", "invalid_value", "must be a whole number"),
        ({"text": "a", "number": True}, "number", "invalid_value", "must be a whole number"),
        ({"text": "a", "number": "7"}, "number", "invalid_value", "must be a whole number"),
        ({"text": "a", "share": float("inf")}, "share", "invalid_value", "between 0 and 1"),
        ({"text": "a", "share": 10**400}, "share", "invalid_value", "between 0 and 1"),
        ({"text": "a", "flag": 1}, "flag", "invalid_value", "must be True or False"),
        ({"text": "a", "txt": "b"}, "txt", "unknown_field", "did you mean `text`?"),
        ({"text": "a", "": "b"}, "", "unknown_field", "there are model, text"),
        ({"text": "a", "penalty": 1}, "penalty", "unsupported_field", "`penalty` is not supported; leave it out"),
        ({"text": "a\ud800"}, "text", "invalid_value", "half a character"),
        ({"text": "a", "list": ["\udfff"]}, "list", "invalid_value", "half a character"),
    ],
)
def test_what_is_wrong_is_said(values: dict[str, Any], param: str, code: str, sentence: str) -> None:
    with pytest.raises(FieldError) as caught:
        read_fields(Echo, values)
    assert caught.value.param == param
    assert caught.value.code == code
    assert sentence in str(caught.value)


def test_what_asks_for_nothing_is_let_through() -> None:
    assert read_fields(Echo, {"text": "a", "penalty": 0, "user": {"any": 1}}) == Echo(text="a")
    assert read_fields(Echo, {"text": "a", "penalty": None, "anything": None}) == Echo(text="a")


def test_a_lenient_request_ignores_what_it_does_not_know() -> None:
    class Lenient(Echo):
        lenient = True

    assert read_fields(Lenient, {"text": "a", "anything": 5}).text == "a"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("number", "7", 7), ("share", "0.5", 0.5), ("flag", "true", True), ("flag", "0", False), ("texts", "7", "7")],
)
def test_text_of_a_form_is_what_it_stands_for(name: str, text: str, value: object) -> None:
    assert getattr(read_fields(Echo, {"text": "a", name: text}, typed=False), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("number", "7.5"), ("number", "9" * 5000), ("number", ""), ("share", "nan"), ("share", "inf"), ("flag", "yes")],
)
def test_text_of_a_form_that_stands_for_nothing(name: str, text: str) -> None:
    with pytest.raises(FieldError) as caught:
        read_fields(Echo, {"text": "a", name: text}, typed=False)
    assert caught.value.param == name


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from(["text", "texts", "list", "number", "share", "flag", "model", "x"]), json_values)
)
def test_any_values_are_read_or_refused(values: dict[str, Any]) -> None:
    for typed in (True, False):
        try:
            found = read_fields(Echo, values, typed=typed)
        except FieldError:
            continue
        assert isinstance(found.text, str)
        assert all(isinstance(text, str) for text in found.list)
        assert type(found.number) is int
        assert 0 <= found.number <= 100


def test_all_texts_together_may_be_so_long() -> None:
    request = Echo(text="a" * 5, texts=("b" * 3, "c" * 2), list=("d",))
    require_length(request, 11)
    require_length(request, 6, but="text")
    for most, field in ((10, "list"), (9, "texts"), (4, "text")):
        with pytest.raises(RequestError) as caught:
            require_length(request, most)
        assert (caught.value.http_status, caught.value.param) == (413, field)


def test_the_types_of_an_annotation() -> None:
    assert kinds_of(str | tuple[str, ...] | None) == {str, tuple, type(None)}
    assert kinds_of(int) == {int}
