"""Tests of word vectors: read as they lie, asked as gensim asks them, measured as SciPy measures."""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from vectoring import model_of

from recurra.data.vectors import CharacterNgrams
from recurra.errors import OptionError, RecurraError
from recurra.tasks.embeddings import Model
from recurra.tasks.embeddings.evaluation import Pair, ranks, read_test, spearman

few = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), max_size=20)


@given(few)
def test_ranks_and_correlation_are_scipys(values: list[tuple[int, int]]) -> None:
    first, second = np.array(values, np.float64).reshape(-1, 2).T
    np.testing.assert_allclose(ranks(first), scipy.stats.rankdata(first), rtol=0, atol=1e-12)
    found = spearman(first, second)
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        assert found is None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found == pytest.approx(scipy.stats.spearmanr(first, second).statistic, abs=1e-12)


def written(folder: Path, text: str, name: str = "test.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


PAIRS = {
    "wordsim353": "love\tsex\t6.77\nTiger\tcat\t7.35\n",
    "simlex": "word1\tword2\tPOS\tSimLex999\tconc(w1)\nlove\tsex\tA\t6.77\t2.72\nTiger\tcat\tN\t7.35\t1.75\n",
    "men": "love sex 6.770000\nTiger cat 7.350000\n",
    "rareword": "love\tsex\t6.77\t9\t1\nTiger\tcat\t7.35\t8\t2\n",
    "carriage returns": "love\tsex\t6.77\r\nTiger\tcat\t7.35\r\n",
    "comments": "# who judged, when: 13 4 2020\nlove sex 6.77\n\n   \n# more\nTiger cat 7.35",
}


@pytest.mark.parametrize("name", PAIRS)
def test_word_similarity_is_read_as_it_lies(tmp_path: Path, name: str) -> None:
    test = read_test(written(tmp_path, PAIRS[name]))
    assert test.pairs == [Pair("love", "sex", 6.77), Pair("Tiger", "cat", 7.35)]
    assert (test.sections, test.skipped) == ({}, [])


def test_analogies_are_read_as_they_lie(tmp_path: Path) -> None:
    google = read_test(written(tmp_path, ": capital common\nAthens Greece Oslo Norway\n: empty\n: family\na b c d\n"))
    assert google.sections == {
        "capital common": [("Athens", "Greece", "Oslo", "Norway")],
        "empty": [],
        "family": [("a", "b", "c", "d")],
    }
    msr = read_test(written(tmp_path, "good\tbetter\trough\trougher\nnew york\tnewer\tx\ty\n"))
    assert msr.sections == {"": [("good", "better", "rough", "rougher"), ("new york", "newer", "x", "y")]}
    (tmp_path / "packed.gz").write_bytes(gzip.compress(b"a b c d\n"))
    assert read_test(tmp_path / "packed.gz").sections == {"": [("a", "b", "c", "d")]}


def test_lines_that_are_not_understood_are_told_with_their_number(tmp_path: Path) -> None:
    test = read_test(written(tmp_path, "a b c d\na b c\na b c d\na b c d e\n: x\na b c d\n"))
    assert test.skipped == [f"{tmp_path / 'test.txt'}: left out line 2, and 1 more: not four words"]
    assert sum(map(len, test.sections.values())) == 3
    test = read_test(written(tmp_path, "a b 1\na b nan\na b 2\n"))
    assert test.skipped == [f"{tmp_path / 'test.txt'}: left out line 2: not two words and a score"]
    assert len(test.pairs) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("some prose without any questions in it\nand more\n", "line 1 is not four words; give lines of four words"),
        ("a b\nc d\n", "is no test of word vectors: line 1 is not four words"),
        ("a b 1\na b\na b\na b\n", "line 2 is not two words and a score"),
        (": a section\n: another\n", "is no test of word vectors"),
        ("", "is empty"),
        ("# nothing\n", "is no test of word vectors"),
        ("a b inf\n", "is no test of word vectors"),
    ],
)
def test_what_is_no_test_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecurraError, match=message):
        read_test(written(tmp_path, text))


WORDS = [
    "The",
    "the",
    "king",
    "King",
    "man",
    "KING",
    "woman",
    "queen",
    "Man",
    "prince",
    "straße",
    "zero",
    "Queen",
    "rare",
]


def cased(seed: int) -> Model:
    """A model whose words come in several spellings; one is a zero vector."""
    matrix = np.random.default_rng(seed).normal(size=(len(WORDS), 3)).astype(np.float32)
    matrix[WORDS.index("zero")] = 0
    return model_of(WORDS, matrix, lowercase=False)


def asked_by_hand(model: Model, questions: list[list[str]], known: int, method: str) -> tuple[list[bool], int]:
    """Which questions are answered rightly, of those whose words are known, word by word; and how many are not."""
    first: dict[str, np.ndarray] = {}
    for word in WORDS[:known]:
        vector = model.vectors.matrix[WORDS.index(word)].astype(np.float64)
        norm = np.sqrt((vector**2).sum())
        if norm:
            first.setdefault(word.upper(), vector / norm)
    right, unknown = [], 0
    for question in questions:
        a, b, c, d = (word.upper() for word in question)
        if not {a, b, c, d} <= set(first):
            unknown += 1
            continue
        scores = {}
        for word in WORDS[:known]:
            vector = model.vectors.matrix[WORDS.index(word)].astype(np.float64)
            norm = np.sqrt((vector**2).sum())
            if word.upper() in (a, b, c) or not norm:
                continue
            to_a, to_b, to_c = (float(vector @ first[w] / norm) for w in (a, b, c))
            if method == "add":
                scores[word] = to_b - to_a + to_c
            else:
                scores[word] = (to_b + 1) * (to_c + 1) / ((to_a + 1) / 2 + 0.001)
        right.append(bool(scores) and max(scores, key=lambda word: scores[word]).upper() == d)
    return right, unknown


@pytest.mark.parametrize("method", ["add", "multiply"])
@given(st.integers(0, 10**6))
def test_analogies_are_those_asked_word_by_word(
    tmp_path_factory: pytest.TempPathFactory, method: Any, seed: int
) -> None:
    model, rng = cased(seed), np.random.default_rng(seed)
    choices = [*WORDS[:-1], "unknown", "mAN", "STRASSE", "qUEEN"]
    questions = [[str(word) for word in rng.choice(choices, size=4)] for _ in range(40)]
    sections = {"one": questions[:25], "none": [], "two": questions[25:]}
    text = "".join(f": {name}\n" + "".join(" ".join(q) + "\n" for q in asked) for name, asked in sections.items())
    path = written(tmp_path_factory.mktemp("tests"), text)
    known = 13
    (figures,) = model.evaluate(path, vocabulary_size=known, method=method).values()
    right, unknown = asked_by_hand(model, questions, known, method)
    assert figures["kind"] == "analogies"
    assert figures["count"] == len(right) == 40 - unknown
    assert figures["coverage"] == pytest.approx(len(right) / 40)
    assert figures["score"] == (pytest.approx(sum(right) / len(right)) if right else None)
    assert list(figures["sections"]) == list(sections)
    for name, asked in sections.items():
        part, missing = asked_by_hand(model, asked, known, method)
        expected = {"score": sum(part) / len(part) if part else None, "count": len(part)}
        assert figures["sections"][name] == expected | {
            "coverage": pytest.approx(1 - missing / len(asked)) if asked else 0.0
        }


def test_without_sections_there_are_none(tmp_path: Path) -> None:
    path = written(tmp_path, "king man woman queen\n")
    (figures,) = cased(0).evaluate(path).values()
    assert figures.keys() == {"kind", "score", "coverage", "count"}


def test_similarity_is_the_rank_correlation_of_cosines(tmp_path: Path) -> None:
    model = cased(4)
    lines = [
        "KING man 3",
        "the Woman 9",
        "prince straße 4",
        "queen the 7",
        "zero king 1",
        "nobody king 2",
        "rare man 5",
    ]
    (figures,) = model.evaluate(written(tmp_path, "\n".join(lines)), vocabulary_size=13).values()
    units = model.vectors.matrix / np.linalg.norm(model.vectors.matrix, axis=1, keepdims=True).clip(1e-9)
    pairs = [("king", "man"), ("The", "woman"), ("prince", "straße"), ("queen", "The")]  # the first spelling of each
    cosines = [float(units[WORDS.index(a)] @ units[WORDS.index(b)]) for a, b in pairs]
    assert figures["score"] == pytest.approx(scipy.stats.spearmanr(cosines, [3, 9, 4, 7]).statistic, abs=1e-9)
    assert (figures["kind"], figures["count"], figures["coverage"]) == ("similarity", 4, pytest.approx(4 / 7))


def test_words_made_of_their_parts_are_known(tmp_path: Path) -> None:
    path = written(tmp_path, "cats cat 9\ndogs cat 2\ncat cats 8\n")
    matrix = np.random.default_rng(0).normal(size=(1, 5))
    (without,) = model_of(["cat"], matrix).evaluate(path).values()
    (composed,) = model_of(["cat"], matrix, ngrams=CharacterNgrams(3, 4, 40)).evaluate(path).values()
    assert (without["score"], without["count"]) == (None, 0)
    assert (composed["count"], composed["coverage"]) == (3, 1.0)
    assert composed["score"] is not None


def test_several_files_are_told_apart_and_odd_lines_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = written(tmp_path, "king man woman queen\n", "one"), written(tmp_path, "a b 1\na b\nc d 2\n", "two")
    figures = cased(0).evaluate([one, str(two)])
    assert list(figures) == [str(one), str(two)]
    assert "two: left out line 2" in capsys.readouterr().err
    with pytest.raises(OptionError, match="`vocabulary_size` is 0"):
        cased(0).evaluate(one, vocabulary_size=0)
