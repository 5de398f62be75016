"""Figures against sacrebleu called directly, and parts by length."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu import corpus_bleu, corpus_chrf

from recurra.errors import RecurraError
from recurra.evaluation.text_metrics import Tokenize, by_length, length_of, measure

REFERENCES = [
    "The cat, which ate already, was full.",
    "Two dogs don't run across the green field!",
    "Ein Mann fährt auf einem roten Fahrrad durch die Stadt .",
    "一个男人在街上骑自行车。",
]
OUTPUTS = [
    "The cat, which already ate, was full.",
    "two dogs don't run across a green field!",
    "Ein Mann fährt auf einem roten Fahrrad durch die Stadt .",
    "一个男人骑着自行车。",
]
words = st.sampled_from(["the", "a", "cat", "Cat", "dog", "sat", ".", ",", "猫", "été"])
sentences = st.lists(
    st.tuples(*[st.lists(words, max_size=9).map(" ".join)] * 2),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("tokenize", ["13a", "none", "char", "intl", "zh"])
@given(pairs=st.one_of(st.just(list(zip(OUTPUTS, REFERENCES, strict=True))), sentences), lowercase=st.booleans())
def test_figures_are_sacrebleus(tokenize: Tokenize, pairs: list[tuple[str, str]], lowercase: bool) -> None:
    outputs, references = map(list, zip(*pairs, strict=True))
    quality = measure(outputs, references, tokenize, lowercase)
    bleu = corpus_bleu(outputs, [references], tokenize=tokenize, lowercase=lowercase, force=True)
    cased = [[line.lower() if lowercase else line for line in side] for side in (outputs, references)]
    assert quality.bleu == pytest.approx(bleu.score)
    assert quality.chrf == pytest.approx(corpus_chrf(cased[0], [cased[1]]).score)
    assert quality.exact_match == sum(a == b for a, b in pairs) / len(pairs)
    assert quality.count == len(pairs)


@given(sentences.filter(lambda pairs: all(reference for _, reference in pairs)), st.booleans())
def test_error_rates_are_jiwers(pairs: list[tuple[str, str]], lowercase: bool) -> None:
    outputs, references = ([text.lower() if lowercase else text for text in side] for side in zip(*pairs, strict=True))
    quality = measure(*map(list, zip(*pairs, strict=True)), lowercase=lowercase)
    assert quality.wer == pytest.approx(jiwer.wer(references, outputs))
    assert quality.cer == pytest.approx(jiwer.cer(references, outputs))


def test_of_several_answers_the_nearest_counts() -> None:
    quality = measure(["T AH M AA T OW", "K AE T"], [["T AH M EY T OW Z", "T AH M AA T OW Z"], ["K AE T S", "D AO G"]])
    assert quality.wer == 2 / 11
    assert measure(["a"], [""]).wer == 1


def test_the_signature_says_what_was_done() -> None:
    signature = measure(OUTPUTS, REFERENCES, "zh", lowercase=True).signature
    assert "BLEU|nrefs:1|case:lc|eff:no|tok:zh|smooth:exp|version:" in signature
    assert "chrF2|nrefs:1|case:lc" in signature
    assert "case:mixed|eff:no|tok:13a" in measure(OUTPUTS, REFERENCES).signature


def test_the_same_is_a_hundred_and_something_else_is_none() -> None:
    assert measure(REFERENCES, REFERENCES).bleu == pytest.approx(100)
    assert measure(REFERENCES, REFERENCES).chrf == pytest.approx(100)
    assert measure(["x y z w v"], ["a b c d e"]).chrf == 0


def test_a_match_is_letter_by_letter_even_if_capitals_do_not_count() -> None:
    figures = measure([line.upper() for line in REFERENCES], REFERENCES, lowercase=True)
    assert figures.bleu == pytest.approx(100)
    assert figures.exact_match == 0.25  # Chinese has no capitals


def test_nothing_or_unequal_numbers_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="no outputs"):
        measure([], [])
    with pytest.raises(ValueError, match="argument"):
        measure(["a"], ["a", "b"])
    with pytest.raises(ValueError, match="argument"):
        by_length(["a", "b"], ["a", "b"], [1])


@given(
    pairs=sentences,
    parts=st.integers(1, 6),
    longest=st.integers(1, 30),
    lowercase=st.booleans(),
    data=st.data(),
)
def test_parts_by_length_have_everything_once(
    pairs: list[tuple[str, str]], parts: int, longest: int, lowercase: bool, data: st.DataObject
) -> None:
    size = len(pairs)
    lengths = data.draw(st.lists(st.integers(1, longest), min_size=size, max_size=size))
    outputs, references = map(list, zip(*pairs, strict=True))
    rows = by_length(outputs, references, lengths, "char", lowercase, parts)
    assert 1 <= len(rows) <= parts
    assert sum(row["count"] for row in rows) == size
    before = 0
    for row in rows:
        assert before < row["shortest"] <= row["longest"]
        before = row["longest"]
        chosen = [number for number in range(size) if row["shortest"] <= lengths[number] <= row["longest"]]
        some = [outputs[number] for number in chosen], [references[number] for number in chosen]
        expected: dict[str, Any] = asdict(measure(*some, "char", lowercase))
        for name in ("wer", "cer", "signature"):
            del expected[name]
        assert row == {"shortest": row["shortest"], "longest": row["longest"]} | expected
        ends = [lengths[number] for number in chosen]
        assert (min(ends), max(ends)) == (row["shortest"], row["longest"])


def test_parts_are_about_equal() -> None:
    rows = by_length(["a"] * 100, ["a"] * 100, list(range(100)))
    assert [(row["shortest"], row["longest"], row["count"]) for row in rows] == [
        (0, 24, 25),
        (25, 49, 25),
        (50, 74, 25),
        (75, 99, 25),
    ]
    assert len(by_length(["a"] * 5, ["a"] * 5, [3] * 5)) == 1
    assert [row["count"] for row in by_length(["a"] * 100, ["a"] * 100, [1] * 80 + [3] * 20)] == [80, 20]
    assert [row["count"] for row in by_length(["a"] * 100, ["a"] * 100, [1] * 20 + [3] * 80)] == [20, 80]
    assert by_length([], [], []) == []


@pytest.mark.parametrize(
    ("sentence", "length"),
    [
        ("", 0),
        ("  ", 0),
        ("Hello", 1),
        (" the cat,  which ate ", 4),
        ("2024-01-05", 1),
        ("一个男人骑着自行车。", 10),
        ("我用 Python 写程序", 6),
        ("2024年1月5日", 6),
        ("猫がいる", 4),
        ("สวัสดี", 6),
        ("한국어 문장", 2),
        ("كتاب جديد", 2),
        ("\U00020000\U00020001", 2),
    ],
)
def test_lengths_are_words_or_characters_where_words_are_not_parted(sentence: str, length: int) -> None:
    assert length_of(sentence) == length


def test_without_sacrebleu_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    with pytest.raises(RecurraError, match=r"pip install 'recurra\[translation\]'"):
        measure(["a"], ["a"])
