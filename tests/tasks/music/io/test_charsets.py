"""Encodings told apart: names of instruments as people write them, in the encodings they wrote them in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import OptionError
from recurra.tasks.music.io.charsets import AUTO, decode_text, guess_charset, is_charset, require_charset

LATIN = [
    "Ténor", "Flûte traversière", "Größe", "Geräusch", "2 große Flöten", "été", "Für Élise", "déjà vu", "naïve – é",
    "Señor Ñandú", "Player’s “Solo”", "ÄÖÜ", "Coração", "Håkon Ødegård", "¡Olé!", "Prélude № n°1", "à é è ù", "çàé",
]  # fmt: skip
JAPANESE = [
    "ピアノ", "バイオリン", "ドラム", "主旋律", "楽器", "ギター1", "MIDI 楽譜", "ﾋﾟｱﾉ", "ﾍﾞｰｽ Gt",
    "アコースティック・ギター", "ストリングス①", "和音", "副旋律2", "さくら", "ソ", "表示",
]  # fmt: skip


@pytest.mark.parametrize("text", [text for text in LATIN if "№" not in text])
def test_latin(text: str) -> None:
    assert decode_text(text.encode("cp1252")) == text
    assert decode_text(text.encode()) == text


@pytest.mark.parametrize("text", JAPANESE)
def test_japanese(text: str) -> None:
    assert decode_text(text.encode("cp932")) == text
    assert decode_text(text.encode()) == text


def test_names_of_one_file_are_guessed_together() -> None:
    assert guess_charset("\n".join(["Gt", *JAPANESE, "Piano"]).encode("cp932")) == "cp932"
    assert guess_charset("\n".join(text for text in LATIN if "№" not in text).encode("cp1252")) == "cp1252"


def test_bytes_that_windows_has_no_letter_for() -> None:
    assert guess_charset(b"\x81 \xe9") == "latin-1"
    assert decode_text(b"\x81 \xe9") == "\x81 é"


@given(st.binary(max_size=40))
def test_any_bytes_have_a_text(data: bytes) -> None:
    text = decode_text(data)
    assert "\ufffd" not in text or b"\xef\xbf\xbd" in data, "nothing is lost"
    assert text.encode(guess_charset(data)) == data or guess_charset(data) == "cp932"


def test_a_charset_that_is_given_is_obeyed() -> None:
    assert decode_text("Пианино".encode("cp1251"), "cp1251") == "Пианино"
    assert decode_text(b"\xff", "utf-8") == "\ufffd"
    for name in (AUTO, "utf-8", "Shift_JIS", "latin-1", "cp1251", "gbk"):
        require_charset(name)


@pytest.mark.parametrize("name", ["", "klingon", "hex", "rot13", "punycode", "idna", "unicode_escape", "a\0b", "é"])
def test_what_is_no_charset_is_refused(name: str) -> None:
    assert not is_charset(name)
    with pytest.raises(OptionError, match=r"`charset` is .*, which is no encoding; give"):
        require_charset(name)
