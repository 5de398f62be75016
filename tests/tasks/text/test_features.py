"""Features of texts, marked by hand under the text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data.tokenizer import Bytes, Characters, Subwords, Words
from recurra.explain.passage import Passage
from recurra.tasks.text.features import character_features, enclosures, namer, passage

MARKED = {
    "inside quotes": [
        ('a "b c" d', "..####..."),
        ('"a\n\n b', "###..."),  # a blank line closes
        ('"a\n \nb', "####.."),
        ('"a (b" c) "d"', "#####.....##."),
        ("他说“你好”了", "..###.."),
        ("「甲『乙』丙」丁", "######.."),
        ("a ” b « c » d", "......####..."),
    ],
    "inside brackets": [
        ("a (b [c] d) e", "..########..."),
        ("a ) b (", "......#"),
        ("(a [b) c", "#####..."),
        ("（真）的《书》", "##..##."),
        ("(a\n\nb", "###.."),
    ],
    "line end next": [("ab\nc\n", ".#.#.")],
    "line end within 5": [("abcdefgh\nab", "...#####...")],
    "capital next": [("aB Cd", "#.#..")],
    "digit next": [("a1 23", "#.##.")],
    "space next": [("ab c", ".#..")],
    "sentence end next": [("a. b!", "#..#.")],
    "after a space": [("a b\nc", ".#.#.")],
    "inside a word": [("ab, cde f", "#...##...")],
    "inside capitals": [("ABc DE", "#...#.")],
    "after a sentence end": [("a. 好。", ".#..#")],
    "first word of the line": [("ab c\n  d e\n", "##...###...")],
}


@pytest.mark.parametrize(("name", "text", "marks"), [(n, t, m) for n, cases in MARKED.items() for t, m in cases])
def test_features_marked_by_hand(name: str, text: str, marks: str) -> None:
    assert len(text) == len(marks), "the test itself is wrong"
    assert "".join(".#"[int(held)] for held in character_features(text)[name]) == marks


def test_every_feature_is_marked_somewhere() -> None:
    assert set(character_features("a")) == {*MARKED, "late in the line"}


def test_late_in_the_line_is_beyond_the_median_place() -> None:
    held = character_features("abcdef\nab\n")["late in the line"]  # places 0..6 0..2, median 2
    assert held.tolist() == [False] * 3 + [True] * 4 + [False] * 3


@given(st.text(alphabet='ab "()[]“”「」\n', max_size=60))
def test_balanced_or_not_a_blank_line_closes_everything(text: str) -> None:
    quotes, brackets = enclosures(text + "\n\nx")
    assert not quotes[-1]
    assert not brackets[-1]


@given(st.text(max_size=80))
def test_bytes_and_characters_have_the_same_features(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode() + "é好x"
    by_character = character_features(text)
    by_byte = passage(Bytes(), Bytes().encode(text), "t").features
    lengths = [len(character.encode()) for character in text]
    for name, held in by_character.items():
        assert by_byte[name].tolist() == np.repeat(held, lengths).tolist()


@given(st.binary(max_size=60))
def test_any_bytes_make_a_passage(data: bytes) -> None:
    made = passage(Bytes(), np.frombuffer(data, dtype=np.uint8), "t")
    assert len(made) == len(data)
    "".join(made.labels).encode("utf-8")


def test_labels_join_to_the_text() -> None:
    text = "Two words, 好的.\n" * 5
    for tokenizer in (
        Characters.build([text], 99, 1),
        Words.build([text], 99, 1),
        Subwords.build([text], 270, 1),
    ):
        made = passage(tokenizer, tokenizer.encode(text), "t")
        assert "".join(made.labels).replace("·", "") == text


def test_pieces_have_the_features_of_their_last_character() -> None:
    text = "ab cd (ef gh) ij\n"
    words = Words.build([text], 99, 1)
    made = passage(words, words.encode(text), "t")
    assert made.labels == ["ab", " cd", " (", "ef", " gh", ")", " ij", "\n"]
    assert made.features["inside brackets"].tolist() == [False, False, True, True, True, False, False, False]
    assert made.features["line end next"].tolist() == [False] * 6 + [True, False]
    assert made.unit == "word"


def test_incomplete_characters_and_unknown_tokens_are_shown() -> None:
    made = passage(Bytes(), Bytes().encode("好a"), "t")
    assert made.labels == ["·", "·", "好", "a"]
    characters = Characters(["a"])
    assert passage(characters, characters.encode("ab"), "t").labels == ["a", "\N{REPLACEMENT CHARACTER}"]


def test_names_of_tokens() -> None:
    assert namer(Bytes())(0xE5) == "0xe5"
    assert namer(Bytes())(65) == "A"
    assert namer(Characters(["a"]))(0) == "unknown"


def test_a_passage_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="3 tokens"):
        Passage(np.zeros(3), ["a"] * 2, {}, str, "t")
    with pytest.raises(ValueError, match="3 tokens"):
        Passage(np.zeros(3), ["a"] * 3, {"f": np.zeros(4, dtype=bool)}, str, "t")
