"""The encoding of scores: what they name is obeyed, if it can be."""

import codecs

import pytest

from recurra.tasks.music.io.score_files import decode_score

TEXT = "<a>Größe ピアノ</a>"


def named(encoding: str, text: str = TEXT) -> str:
    return f'<?xml version="1.0" encoding="{encoding}"?>{text}'


@pytest.mark.parametrize("encoding", ["UTF-8", "utf-16-le", "utf-16-be", "gb18030"])
def test_xml_is_read_in_the_encoding_it_names(encoding: str) -> None:
    assert decode_score(named(encoding).encode(encoding)) == named(encoding)


@pytest.mark.parametrize(("encoding", "text"), [("ISO-8859-1", "Größe"), ("shift_jis", "ピアノ"), ("cp1251", "Пиано")])
def test_the_encoding_it_names_goes_before_the_one_that_is_given(encoding: str, text: str) -> None:
    data = named(encoding, text).encode(encoding)
    assert decode_score(data) == decode_score(data, "utf-8") == named(encoding, text)
    assert decode_score(data.replace(b"encoding=", b"encoding = "))[-len(text) :] == text


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)
def test_a_mark_goes_before_all(mark: bytes, encoding: str) -> None:
    assert decode_score(mark + TEXT.encode(encoding)) == TEXT
    text = named("latin-1")
    assert decode_score(mark + text.encode(encoding), "cp1251").endswith("</a>")


def test_a_wrong_name_is_not_believed() -> None:
    assert decode_score(named("UTF-16").encode()) == named("UTF-16"), "a file of single bytes"
    assert decode_score(named("UTF-8", "Größe").encode("latin-1")) == named("UTF-8", "Größe")
    assert decode_score(named("ascii", "Пиано").encode("cp1251"), "cp1251") == named("ascii", "Пиано")


@pytest.mark.parametrize("encoding", ["klingon", "hex", "punycode"])
def test_an_encoding_that_does_not_exist_is_refused(encoding: str) -> None:
    with pytest.raises(ValueError, match=f"names an encoding that does not exist .{encoding}."):
        decode_score(named(encoding).encode())


def test_abc_names_its_encoding() -> None:
    tune = "%abc-2.1\n%%abc-charset iso-8859-2\nX:1\nT:Łódź\nK:C\nC|\n"
    assert decode_score(tune.encode("iso-8859-2")) == tune
    without = tune.replace("%%abc-charset iso-8859-2\n", "")
    assert decode_score(without.encode("iso-8859-2"), "iso-8859-2") == decode_score(without.encode()) == without
