"""Lines to sentences: joined they are the line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data.sentences import split_sentences


@given(st.text("aB .!?。\n\"'1", max_size=40))
def test_joined_they_are_the_line(line: str) -> None:
    parts = split_sentences(line)
    assert "".join(parts) == line
    assert all(parts) or parts == [""]


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("Good day. How are you? Fine!", 3),
        ("Dr. Smith met J. Doe at 3.5 p.m. on Monday.", 1),
        ("Das ist z. B. so. Und jetzt?", 2),
        ('He said "Go!" Then he left.', 2),
        ("1. Begin here. 2. Go on.", 2),
        ("床前明月光。疑是地上霜。", 2),
        ("no capital follows. so it goes on", 1),
        ("¿Qué? ¡Nada! (Sí.) Bueno…  Ya.", 5),
        ("नमस्ते। आप कैसे हैं?", 2),
    ],
)
def test_where_sentences_end(line: str, count: int) -> None:
    assert len(split_sentences(line)) == count
