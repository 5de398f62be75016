"""Bodies of requests taken apart: JSON, forms, forms in parts."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recurra.serve.bodies import MAX_DEPTH, MAX_ELEMENTS, form, json_object, multipart
from recurra.serve.errors import RequestError

BOUNDARY = "multipart/form-data; boundary=XyZ"


def refused(body: bytes) -> str:
    with pytest.raises(RequestError) as caught:
        json_object(body)
    assert (caught.value.http_status, caught.value.code) == (400, "invalid_json")
    return str(caught.value)


class TestJson:
    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            (b"", "Expecting value"),
            (b"{", "Expecting property name"),
            (b'{"a": NaN}', "NaN is not a JSON number"),
            (b'{"a": -Infinity}', "-Infinity is not a JSON number"),
            (b'{"a": 1, "b": 2, "a": 3}', "'a' stands there twice"),
            (b'{"a": "\xff"}', "not UTF-8, first at byte 7"),
            (b"[1]", "it is no object"),
            (b'"a"', "it is no object"),
            (b"null", "it is no object"),
            (b'{"a": ' + b"9" * 5000 + b"}", "4300 digits"),
            (b'{"a": ' + b"[" * 9 + b"]" * 9 + b"}", "nested deeper than 8"),
            (b"[" * 1_000_000, "nested deeper than 8"),
            (b'{"a": [' + b"0," * MAX_ELEMENTS + b"0]}", "more than 10,000 values"),
            (b'{"a": [' + b"[]," * MAX_ELEMENTS + b"0]}", "more than 10,000 values"),
            (b'{"a": "b', "Unterminated string"),
            (b'{"a": "\\', "Unterminated string"),
        ],
    )
    def test_what_is_wrong_is_said(self, body: bytes, sentence: str) -> None:
        assert sentence in refused(body)

    def test_brackets_and_commas_in_text_are_no_structure(self) -> None:
        text = '[{,\\"' * MAX_ELEMENTS
        assert json_object(json.dumps({"a": text}).encode()) == {"a": text}

    def test_as_deep_as_it_may_be(self) -> None:
        values: Any = {"a": 1}
        for _ in range(MAX_DEPTH - 1):
            values = {"a": values}
        assert json_object(json.dumps(values).encode()) == values
        refused(json.dumps({"a": values}).encode())

    def test_a_byte_order_mark_is_no_harm(self) -> None:
        assert json_object(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}

    @given(st.binary(max_size=60) | st.text('{}[]",:\\u0aeE+-.tfn ', max_size=40).map(str.encode))
    @example(b'{"a":1e999}')
    def test_any_bytes_are_read_or_refused(self, body: bytes) -> None:
        with suppress(RequestError):
            assert isinstance(json_object(body), dict)

    @given(st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text(), max_size=3), max_size=5))
    def test_what_is_json_is_read(self, values: dict[str, Any]) -> None:
        body = json.dumps(values, ensure_ascii=True).encode()
        assert json_object(body) == values


class TestForm:
    def test_fields_and_what_comes_several_times(self) -> None:
        assert form(b"q=a+b&q=c%26&x=&y=%C3%A9") == {"q": ["a b", "c&"], "x": "", "y": "é"}

    @pytest.mark.parametrize("body", [b"q=\xff", b"q=%ff", b"&".join([b"q=1"] * (MAX_ELEMENTS + 1))])
    def test_what_cannot_be_read(self, body: bytes) -> None:
        with pytest.raises(RequestError) as caught:
            form(body)
        assert (caught.value.http_status, caught.value.code) == (400, "invalid_form")


def parts(*contents: tuple[str, bytes]) -> bytes:
    made = b"".join(b"--XyZ\r\n" + f"Content-Disposition: form-data; {head}".encode() + b"\r\n\r\n" + content + b"\r\n"
                    for head, content in contents)  # fmt: skip
    return made + b"--XyZ--\r\n"


class TestMultipart:
    def test_fields_and_a_file(self) -> None:
        content = bytes(range(256)) + b"\r\n--Xy\r\n\r\n--XyZ"[:-1]
        body = parts(('name="a"', "é".encode()), ('name="file"; filename="x.wav"', content), ('name="b[]"', b"1"))
        assert multipart(body, BOUNDARY, "file") == ({"a": "é", "b": "1"}, content)
        assert multipart(body, 'boundary="XyZ"', "image")[1] == content
        assert multipart(parts(('name="a"', b"1"), ('name="a"', b"2")), BOUNDARY, None) == ({"a": ["1", "2"]}, None)

    @pytest.mark.parametrize(
        "head", ['name="file"; filename="x"', 'filename="x"; name="file"', "filename=x; name=file", "name=file"]
    )
    def test_a_file_is_known_by_its_field_and_not_by_its_own_name(self, head: str) -> None:
        assert multipart(parts((head, b"1")), BOUNDARY, "file") == ({}, b"1")
        assert multipart(parts((head, b"1")), BOUNDARY, None) == ({"file": "1"}, None)

    @pytest.mark.parametrize(
        ("body", "parameters"),
        [
            (parts(('name="a"', b"1")), "charset=utf-8"),
            (parts(('name="a"', b"1")), "boundary=Other"),
            (parts(('name="a"', b"1"))[:-8], BOUNDARY),
            (b"", BOUNDARY),
            (b"--XyZ\r\nno name\r\n\r\n1\r\n--XyZ--", BOUNDARY),
            (b'--XyZ\r\nname="a"\r\n--XyZ--', BOUNDARY),
            (parts(('name="a"', b"\xff")), BOUNDARY),
            (b"\r\n--XyZ" * (MAX_ELEMENTS + 5), BOUNDARY),
        ],
    )
    def test_what_cannot_be_read(self, body: bytes, parameters: str) -> None:
        with pytest.raises(RequestError) as caught:
            multipart(body, parameters, None)
        assert caught.value.http_status == 400

    @given(st.binary(max_size=100).filter(lambda content: b"\r\n--XyZ" not in b"\r\n" + content))
    def test_any_file_comes_out_as_it_went_in(self, content: bytes) -> None:
        assert multipart(parts(('name="file"', content)), BOUNDARY, "file") == ({}, content)
