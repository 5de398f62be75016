"""Labelled texts: the right columns of any table, a fair validation part, which words are known."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from embedding import made_vectors
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import OptionError, RecurraError
from recurra.tasks.sentiment import data as module
from recurra.tasks.sentiment.config import Config
from recurra.tasks.sentiment.data import (
    UNKNOWN_WORD,
    Texts,
    Vocabulary,
    contradictions,
    encode,
    encode_texts,
    open_texts,
    read_data,
    sorted_labels,
    split_already,
    split_validation,
)

ROWS = [
    (f"it was {'not ' * (number % 2)}good , number {number} of the {number * 7 % 11}", "pos" if number % 2 else "neg")
    for number in range(60)
]


def written(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ()) -> Path:
    made = io.StringIO()
    lines = [header, *rows] if header else rows
    if path.suffix == ".csv":
        csv.writer(made).writerows(lines)
    elif path.suffix == ".jsonl":
        made.writelines(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows)
    else:
        made.writelines("\t".join(row) + "\n" for row in lines)
    path.write_text(made.getvalue(), encoding="utf-8")
    return path


def read(path: Path, columns: str = "") -> list[tuple[str, str]]:
    texts = open_texts([path], columns=columns)
    return list(zip(texts.texts, texts.labels, strict=True))


class TestColumns:
    @pytest.mark.parametrize("name", ["t.tsv", "t.csv"])
    @pytest.mark.parametrize("sort", [False, True])
    def test_the_label_is_found_wherever_it_stands(self, tmp_path: Path, name: str, sort: bool) -> None:
        rows = [*ROWS] * 40  # so many that a look at the first thousand rows is not enough
        rows = [(f"{text} {position}", label) for position, (text, label) in enumerate(rows)]
        rows = sorted(rows, key=lambda row: row[1]) if sort else rows
        expected = list(rows)
        assert read(written(tmp_path / name, rows)) == expected
        assert read(written(tmp_path / name, [(label, text) for text, label in rows])) == expected
        # IMDB: label, a number that comes twice, a rating, the text
        many = [
            (label, str(position // 2), str(1 + position % 4 + 5 * (label == "pos")), text)
            for position, (text, label) in enumerate(rows)
        ]
        assert read(written(tmp_path / name, many)) == expected
        assert read(written(tmp_path / name, many), "4,3") == [(row[3], row[2]) for row in many]

    @pytest.mark.parametrize(
        "header",
        [("text", "label"), ("review", "sentiment"), ("Sentence", "Label"), ("text", "stars"), ("tweet", "class")],
    )
    @pytest.mark.parametrize("name", ["t.tsv", "t.csv", "t.jsonl"])
    def test_known_names(self, tmp_path: Path, header: tuple[str, str], name: str) -> None:
        assert read(written(tmp_path / name, ROWS, header)) == ROWS
        turned = [(label, f"x{position}", text) for position, (text, label) in enumerate(ROWS)]
        assert read(written(tmp_path / name, turned, (header[1], "id", header[0]))) == ROWS

    def test_unknown_names(self, tmp_path: Path) -> None:
        rows = [(text, label, f"k{position}") for position, (text, label) in enumerate(ROWS)]
        path = written(tmp_path / "t.tsv", rows, ("what people said", "their verdict", "key"))
        assert read(path) == ROWS
        assert read(path, "what people said,their verdict") == ROWS
        with pytest.raises(RecurraError, match=r"no column 'verdict', or several.* it has what people said \('it was"):
            read(path, "what people said,verdict")
        two = [(text, label, "ab"[position % 3 == 0]) for position, (text, label) in enumerate(ROWS)]
        with pytest.raises(RecurraError, match="does not say which of its columns are text and label"):
            read(written(tmp_path / "u.tsv", two, ("said", "first verdict", "second verdict")))

    def test_a_first_row_with_a_label_is_no_header(self, tmp_path: Path) -> None:
        rows = [("wonderful", "pos"), *ROWS]
        assert read(written(tmp_path / "t.tsv", rows)) == rows

    def test_numbers_and_truth_values_are_labels(self, tmp_path: Path) -> None:
        path = tmp_path / "t.jsonl"
        rows = [{"text": f"text {n}", "label": n % 2 == 0} for n in range(20)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert set(open_texts([path]).labels) == {"true", "false"}
        path.write_text("".join(json.dumps(row | {"label": n % 3}) + "\n" for n, row in enumerate(rows)))
        assert set(open_texts([path]).labels) == {"0", "1", "2"}

    def test_long_texts_with_line_ends_stay_whole(self, tmp_path: Path) -> None:
        text = "line one\n\nline two " + "word " * 30_000 + "the end"
        path = tmp_path / "t.jsonl"
        path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for label in "ab" * 5))
        assert open_texts([path]).texts == [text] * 10

    def test_what_is_left_out_is_told(self, tmp_path: Path) -> None:
        path = written(tmp_path / "t.tsv", [*ROWS, (" ", "pos"), ("a text", ""), ("alone",)])
        texts = open_texts([path])
        assert len(texts) == len(ROWS)
        told = " / ".join(texts.skipped)
        assert "line 61: the text is empty" in told
        assert "line 62: the label is empty" in told
        assert "line 63: there is only one column" in told


def test_pairs_from_python() -> None:
    texts = open_texts([("a text", 1), ("another", "no"), ("", "no")])
    assert list(zip(texts.texts, texts.labels, strict=True)) == [("a text", "1"), ("another", "no")]
    assert "index 2: the text is empty" in texts.skipped[0]
    for wrong in ("text", ("a", "b", "c"), (1, "b")):
        with pytest.raises(RecurraError, match="index 1: this is"):
            open_texts([("a", "b"), wrong, ("c", "d")])


class TestSplit:
    @given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc")), min_size=2, max_size=120), st.integers(0, 9))
    def test_is_drawn_fairly_and_shares_no_text(self, rows: list[tuple[int, str]], seed: int) -> None:
        texts = Texts("t", [f"text {number}" for number, _ in rows], [label for _, label in rows], [])
        if len({number for number, _ in rows}) < 2 or all(
            len({number for number, own in rows if own == label}) < 2 for label in "abc"
        ):
            return
        try:
            train, kept = split_validation(texts, share=0.25, seed=seed)
        except RecurraError:  # the texts that come with several labels count for the first
            return
        both = Counter(zip(train.texts, train.labels, strict=True))
        both.update(zip(kept.texts, kept.labels, strict=True))
        assert both == Counter(zip(texts.texts, texts.labels, strict=True))
        assert not set(train.texts) & set(kept.texts)
        assert len(kept)

    def test_has_as_much_of_each_label_whatever_the_order(self) -> None:
        labels = ["a"] * 600 + ["b"] * 300 + ["c"] * 100
        texts = Texts("t", [f"text {number}" for number in range(1000)], labels, [])
        train, kept = split_validation(texts)
        assert Counter(kept.labels) == {"a": 60, "b": 30, "c": 10}
        assert [int(text.split()[1]) for text in kept.texts] == sorted(int(text.split()[1]) for text in kept.texts)
        assert kept.texts != [*texts.texts[:60], *texts.texts[600:630], *texts.texts[900:910]]
        assert split_validation(texts)[1] == kept != split_validation(texts, seed=1)[1]
        assert len(split_validation(texts, most=20)[1]) == 20
        assert len(train) == 900

    def test_a_label_with_one_text_is_trained_on(self) -> None:
        texts = Texts("t", [*map(str, range(20)), "x"], ["a"] * 20 + ["b"], [])
        assert "b" in split_validation(texts)[0].labels

    def test_nothing_to_draw_from(self) -> None:
        with pytest.raises(RecurraError, match="no label of t has two different texts"):
            split_validation(Texts("t", ["x", "x", "y"], ["a", "a", "b"], []))
        with pytest.raises(OptionError):
            split_validation(Texts("t", ["x", "y"], ["a", "a"], []), share=1.0)


def test_contradictions_are_told() -> None:
    assert contradictions(Texts("t", ["x", "y", "x"], ["a", "a", "a"], [])) == ""
    message = contradictions(Texts("t", ["x", "y", "x", "y", "z"], ["a", "a", "b", "a", "b"], []))
    assert message == "t: 1 text(s) come with more than one label, such as 'x'"


def test_labels_are_sorted_as_people_count() -> None:
    assert sorted_labels(["10", "9", "-1", "9"]) == ["-1", "9", "10"]
    assert sorted_labels(["b", "a", "2"]) == ["2", "a", "b"]


class TestWords:
    def test_texts_that_were_split_already_are_split_at_spaces(self) -> None:
        assert split_already(["it is n't good , but ...", "one ; two ."])
        assert not split_already(["It isn't good, but fine.", "One. Two , three."])
        assert not split_already(["no marks at all", ""])

    def test_kind_is_chosen_by_the_texts(self) -> None:
        treebank = [(f"it is n't {word} , he said . {n}", "ab"[n % 2]) for n, word in enumerate("abcdefghijkl" * 2)]
        plain = [(f"It isn't {word}, he said. {n}", "ab"[n % 2]) for n, word in enumerate("abcdefghijkl" * 2)]
        assert "n't" in read_data(treebank, [], Config()).vocabulary.words
        words = read_data(plain, [], Config()).vocabulary.words
        assert "isn't" in words
        assert "," in words
        assert "n't" in read_data(treebank, [], Config(words="words")).vocabulary.words
        assert "said." in read_data(plain, [], Config(words="spaces")).vocabulary.words

    def test_line_breaks_of_html_are_no_words(self) -> None:
        vocabulary = Vocabulary.build(["a b"], ["x", "y"], Config(words="words", min_count=1))
        assert vocabulary.split("one<br />two <BR>three<br/><b>") == ["one", "two", "three", "<b>"]

    def test_numbers_come_back_as_words(self) -> None:
        texts = ["b b b a", "a c"]
        vocabulary = Vocabulary.build(texts, ["x", "y"], Config(words="words", min_count=1))
        assert vocabulary.words[2:] == ["b", "a", "c"]
        assert vocabulary.encode(["c", "zzz", "b"]).tolist() == [4, UNKNOWN_WORD, 2]
        assert vocabulary.encode([]).tolist() == [UNKNOWN_WORD]
        assert vocabulary.encode([]).dtype == np.int32
        # padding and the unknown word are numbers of no word, whatever it is written like
        assert vocabulary.encode(["", vocabulary.words[UNKNOWN_WORD]]).tolist() == [UNKNOWN_WORD, UNKNOWN_WORD]

    def test_rare_words_and_too_many_are_unknown(self) -> None:
        texts = ["b b b a a c"]
        assert Vocabulary.build(texts, ["x", "y"], Config(words="words", min_count=2)).words[2:] == ["b", "a"]
        limited = Config(words="words", min_count=1, vocabulary_size=1)
        assert Vocabulary.build(texts, ["x", "y"], limited).words[2:] == ["b"]
        with pytest.raises(RecurraError, match="no word of the texts is seen `min_count` 9 times"):
            Vocabulary.build(texts, ["x", "y"], Config(words="words", min_count=9))

    def test_words_with_vectors_are_known_however_rare_and_others_too(self) -> None:
        vectors = made_vectors(["the", "c", "film", "b"])
        config = Config(words="words", min_count=2)
        vocabulary = Vocabulary.build(["b b b a a c d"], ["x", "y"], config, vectors)
        assert vocabulary.words[2 : vocabulary.learned] == ["b", "a", "c"]
        assert vocabulary.words[vocabulary.learned :] == ["the", "film"]
        few = Vocabulary.build(
            ["b b b a a c d"], ["x", "y"], Config(words="words", min_count=2, extra_words=1), vectors
        )
        assert few.words[few.learned :] == ["the"]
        assert (few.given, vocabulary.given) == (1, 2)

    @given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=5))
    def test_a_saved_vocabulary_is_the_same(self, texts: list[str]) -> None:
        config = Config(words="words", min_count=1)
        vocabulary = Vocabulary.build([*texts, "word"], ["x", "ü"], config)
        again = Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())), "here")
        assert again == vocabulary
        for text in texts:
            words = vocabulary.split(text)
            assert [vocabulary.words[number] for number in vocabulary.encode(words)] == (
                words or ["\N{REPLACEMENT CHARACTER}"]
            )
            assert encode(words, again, None).tokens.tolist() == vocabulary.encode(words).tolist()

    @pytest.mark.parametrize(
        "change",
        [
            *({"words": words} for words in (["a", "a"], [1], None)),
            *({"labels": labels} for labels in (["x"], ["x", "x"])),
            *({"learned": learned} for learned in (9, 1)),
            {"splitter": {}},
        ],
    )
    def test_a_damaged_vocabulary_is_refused(self, change: dict[str, object]) -> None:
        vocabulary = Vocabulary.build(["a b"], ["x", "y"], Config(words="words", min_count=1))
        with pytest.raises(RecurraError, match=r"here .*damaged"):
            Vocabulary.from_json(vocabulary.to_json() | change, "here")


class TestReading:
    def test_validation_labels_must_be_known(self) -> None:
        with pytest.raises(
            RecurraError, match=r"has 2 text\(s\) with the label 'mixed', which the training texts have"
        ):
            read_data(ROWS, [("a", "mixed"), ("b", "mixed"), ("c", "pos")], Config())
        read_data(ROWS, [("a", "pos")], Config())

    def test_the_digest_is_of_texts_labels_and_parts(self) -> None:
        digests = {
            read_data(rows, kept, Config()).digest
            for rows in (ROWS, ROWS[:-1], [(ROWS[0][0], "pos"), *ROWS[1:]])
            for kept in ([], ROWS[:3])
        }
        assert len(digests) == 6
        assert read_data(ROWS, [], Config()).digest in digests

    def test_a_table_in_which_nothing_is_a_label(self) -> None:
        with pytest.raises(RecurraError, match="60 different labels in 60 rows"):
            read_data([(text, text) for text, _ in ROWS], [], Config())
        with pytest.raises(RecurraError, match=r"every text of .* has the label 'pos'"):
            read_data([(text, "pos") for text, _ in ROWS], [], Config())

    def test_labels_are_numbered_by_name(self) -> None:
        read = read_data(ROWS, [("x", "pos")], Config())
        assert read.vocabulary.labels == ["neg", "pos"]
        assert [read.vocabulary.labels[label] for label in read.train.labels] == [label for _, label in ROWS]
        texts = Texts("t", ["x"], ["new"], [])
        with pytest.raises(RecurraError, match="they have neg, pos"):
            encode_texts(texts, read.vocabulary, None)

    def test_few_texts(self) -> None:
        with pytest.raises(RecurraError, match="there are 9 texts in texts given in Python; at least 10"):
            read_data(ROWS[:9], [], Config())

    def test_what_a_person_is_told(self) -> None:
        rows = [*ROWS, (ROWS[1][0], "neg"), ("long " * 50, "pos")]
        told = " / ".join(module.describe(read_data(rows, ROWS, Config(max_length=20))))
        assert "1 text(s) come with more than one label" in told
        assert "neg 31, pos 31" in told
        assert "1 text(s) are longer than `max_length` 20 words" in told
