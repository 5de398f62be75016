"""What must not change is copied, glossaries are kept to, and the ways to ask for translations."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from translating import lines_of, log_probs, translated

from recurra import load, translation
from recurra.data.tokenizer import PLACEHOLDERS
from recurra.decoding.beam_search import BeamSearch
from recurra.errors import OptionError
from recurra.tasks.translation import commands
from recurra.tasks.translation.glossary import Glossary
from recurra.tasks.translation.model import Model

Command = Callable[..., Any]

VERBS = {"buys": "kauft", "sells": "verkauft", "finds": "findet"}
COLOURS = {"red": "rote", "green": "grüne", "old": "alte"}
THINGS = {"apples": "Äpfel", "cars": "Autos", "books": "Bücher", "houses": "Häuser"}
WHEN = {"today": "heute", "tomorrow": "morgen"}
NAMES = ["Ada", "Bert", "Clara", "Dora", "Emil", "Frieda", "Gustav", "Hanna", "Ida", "Jakob"]
NEW_NAMES = ["Zelda", "Xaver", "Quentin", "Yolanda", "Ursula", "Tristan", "Ignaz", "Ottilie"]


def sales(names: list[str], count: int, seed: int, digits: int = 2) -> list[tuple[str, str]]:
    """Sentences about who buys how many of what, and their German."""
    rng = np.random.default_rng(seed)

    def drawn(words: dict[str, str]) -> tuple[str, str]:
        return list(words.items())[int(rng.integers(len(words)))]

    pairs = []
    for _ in range(count):
        name, number = names[int(rng.integers(len(names)))], int(rng.integers(10 ** (digits - 1), 10**digits))
        (verb, verbs), (colour, colours), (thing, things), (when, whens) = map(drawn, (VERBS, COLOURS, THINGS, WHEN))
        pairs.append((f"{name} {verb} {number} {colour} {thing} {when} .",
                      f"{name} {verbs} {whens} {number} {colours} {things} ."))  # fmt: skip
    return pairs


SMALL: dict[str, Any] = {
    "hidden_size": 48,
    "embedding_size": 32,
    "learning_rate": 0.01,
    "dropout": 0.0,
    "dropout_passes": 0,
    "evaluations": 2,
    "batch_size": 600,
    "progress": False,
}
"""Enough to learn the sentences above."""


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of words that copies numbers and words it has not seen."""
    folder = tmp_path_factory.mktemp("seller") / "shop"
    translation.train(sales(NAMES, 400, 0), folder, tokens="words", copy_words=True, steps=110, **SMALL)
    return folder


@pytest.fixture(scope="session")
def seller(shop: Path) -> Model:
    """The same, loaded."""
    return Model.load(shop)


class TestCopying:
    def test_names_and_numbers_never_seen(self, seller: Model) -> None:
        new = sales(NEW_NAMES, 60, 5, digits=4)
        made = seller.translate([source for source, _ in new])
        assert np.mean([output == target for output, (_, target) in zip(made, new, strict=True)]) >= 0.95
        # Each name and each number is there, whatever else is right or wrong.
        for output, (source, _) in zip(made, new, strict=True):
            assert {source.split()[0], source.split()[2]} <= set(output.split())

    def test_markup_is_kept_like_numbers(self, seller: Model) -> None:
        for kept in ("%s", "{count}", "<b/>", "%1$d", "https://a.example/?x=1"):
            expected = f"Ada kauft heute {kept} rote Äpfel ."
            assert seller.translate(f"Ada buys {kept} red apples today .") == expected

    def test_a_sentence_in_capitals_is_read_in_small_letters(self, seller: Model) -> None:
        assert seller.translate("ADA BUYS 17 RED APPLES TODAY .") == "ADA KAUFT HEUTE 17 ROTE ÄPFEL ."
        assert seller.translate("ZELDA BUYS %s RED APPLES TODAY .") == "ZELDA KAUFT HEUTE %s ROTE ÄPFEL ."

    def test_a_name_in_capitals_or_an_abbreviation_is_no_sentence_in_capitals(self, seller: Model) -> None:
        assert seller.source("ADA").reading.recased is None
        assert seller.source("Ada BUYS RED APPLES").reading.recased is None

    def test_the_commands_show_what_placeholders_stand_for(
        self, seller: Model, shop: Path, recurra: Command, tmp_path: Path
    ) -> None:
        sentence = "Zelda sells 9876 old books tomorrow ."
        value = translated(recurra, shop, sentence)
        assert value["text"] == seller.translate(sentence) == "Zelda verkauft morgen 9876 alte Bücher ."
        (best,) = value["translations"][0]["n_best"]
        assert "".join(best["tokens"]).strip() == value["text"]
        assert recurra("translation", "translate", shop, sentence).err == ""
        assert recurra("translation", "explain", shop, sentence, "--out", tmp_path / "p.html").status == 0
        page = (tmp_path / "p.html").read_text("utf-8")
        assert "Zelda" in page
        assert "9876" in page
        assert not set(page) & set(PLACEHOLDERS)

    def test_no_other_placeholders_are_written_than_the_source_has(self) -> None:
        """An untrained model would write any: what is behind none would be a hole in the text."""
        pairs = [(f"{n} and {n + 1} and {n + 2}", f"{n} und {n + 1} und {n + 2}") for n in range(10, 60)]
        model = translation.train(pairs, None, tokens="words", steps=1, hidden_size=8, embedding_size=8, progress=False)
        assert model.vocabularies.placeholders.count == 3
        sources = ["77", "and", "77 and 78"]
        found = model.hypotheses(sources, BeamSearch(beam_size=30, n_best=30, max_length=4))
        for source, hypotheses in zip(sources, found, strict=True):
            numbers = {word for word in source.split() if word != "and"}
            allowed = set(PLACEHOLDERS[: len(numbers)])
            for hypothesis in hypotheses:
                written = set(model.vocabularies.target.decode(hypothesis.tokens))
                assert written & set(PLACEHOLDERS) == allowed
                assert numbers == set(model.text_of(hypothesis, source).split()) - {"und"}
        assert any("und" in model.text_of(hypothesis, "and") for hypothesis in found[1])

    def test_what_is_kept_is_told_and_a_pattern_is_checked(self, recurra: Command, tmp_path: Path) -> None:
        (tmp_path / "p.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in sales(NAMES, 40, 0)))
        train = ["translation", "train", tmp_path / "p.tsv", "--out", tmp_path / "m", "--tokens", "words", "--steps", 1]
        small = ["--hidden-size", 8, "--embedding-size", 8, "--overwrite"]
        assert "up to 1 in a sentence: markup and addresses, numbers (--keep)" in recurra(*train, *small).err
        assert "what red finds (--keep)" not in recurra(*train, *small, "--keep", "red").err  # nothing in both sides
        assert "copied as they are" not in recurra(*train, *small, "--keep", "none").err
        answer = recurra(*train, *small, "--keep", "(")
        assert answer.status == 2
        assert "--keep '(' is no regular expression (missing ) at position 1)" in answer.err

    def test_words_that_are_unknown_are_copied_from_where_they_are_attended_to(self) -> None:
        """Each name stands in one pair only, so that the unknown token is learned."""
        names = [f"{first}{last}" for first in ("Ana", "Bo", "Ce", "Du", "Eli") for last in "bcdfghjklmnpqrstvwxz"]
        rng = np.random.default_rng(3)
        some = [
            (source.replace("Ada", name), target.replace("Ada", name))
            for name, (source, target) in zip(rng.permutation(names), sales(["Ada"], 100, 1), strict=True)
        ]
        pairs = [*some, *sales(NAMES[1:3], 200, 2)]
        model = translation.train(pairs, None, tokens="words", keep="none", steps=120, **SMALL)
        new = [(s.replace("Ada", n), t.replace("Ada", n)) for n in NEW_NAMES for s, t in sales(["Ada"], 5, 8)]
        plain, copied = (
            [out.split()[0] == target.split()[0] for out, (_, target) in zip(made, new, strict=True)]
            for made in (model.translate([s for s, _ in new], copy_unknown=on) for on in (False, True))
        )
        assert not any(plain)
        assert np.mean(copied) >= 0.95

    def test_copying_is_refused_where_it_cannot_be(self, trained_translation: Path, recurra: Command) -> None:
        sizes = {"hidden_size": 8, "embedding_size": 8, "steps": 1, "progress": False}
        for options, reason in (
            ({"tokens": "subwords"}, "nothing is unknown to"),
            ({"tokens": "words", "attention": "none"}, "needs attention"),
        ):
            model = translation.train(sales(NAMES, 20, 0), None, **options, **sizes)
            with pytest.raises(OptionError, match=reason):
                model.translate("Ada", copy_unknown=True)


class TestGlossary:
    @pytest.fixture
    def terms(self, tmp_path: Path) -> Path:
        path = tmp_path / "terms.tsv"
        path.write_text("term\ttranslation\napples\tBücher\nred\tgrüne\nred\talte\nred apples\tAutos\n")
        return path

    def test_terms_are_translated_as_it_says(self, seller: Model, terms: Path) -> None:
        translate = seller.translate
        sentences = ["Ada buys 17 green apples today .", "Ada buys 17 red cars today .", "Ada buys 17 old cars today ."]
        one, two, three = translate(sentences, glossary=terms)
        assert one == "Ada kauft heute 17 grüne Bücher ."
        assert {"grüne", "alte"} & set(two.split())
        assert three == translate(sentences[2])
        # The longest term counts, and not the terms within it.
        assert "Autos" in translate("Ada buys 17 red apples today .", glossary=terms).split()

    def test_a_beam_of_one_keeps_to_it_too(self, shop: Path, terms: Path, recurra: Command, tmp_path: Path) -> None:
        (tmp_path / "in.txt").write_text("".join(f"{source}\n" for source, _ in sales(NAMES, 40, 9)))
        options = ["--file", tmp_path / "in.txt", "--beam-size", 1, "--glossary", terms]
        lines = lines_of(recurra, shop, *options)
        for line, (source, _) in zip(lines, sales(NAMES, 40, 9), strict=True):
            if "red apples" in source:
                assert "Autos" in line
            elif "apples" in source:
                assert "Bücher" in line
            elif "red" in source:
                assert "grüne" in line or "alte" in line

    def test_terms_are_whole_words_with_or_without_a_capital(self, seller: Model) -> None:
        glossary = Glossary([("red", "rote"), ("US", "alte"), ("苹果", "Äpfel")], seller.vocabularies.target)

        def found(sentence: str) -> list[str]:
            return [term.parts[0] for term in glossary.terms_in(sentence)]

        assert found("Red cars, RED cars, redder cars") == ["Red"]
        assert found("us and US") == ["US"]
        assert found("我买苹果了") == ["苹果"]
        assert found("nothing") == []

    def test_what_the_model_cannot_write_is_told(self, shop: Path, recurra: Command, tmp_path: Path) -> None:
        (tmp_path / "t.tsv").write_text("apples\tBirnen\ncars\tAutos\n")
        answer = recurra("translation", "translate", shop, "Ada", "--glossary", tmp_path / "t.tsv")
        assert answer.status == 0
        assert "1 translation(s) the model cannot write, such as 'Birnen' of 'Birnen'" in answer.err
        (tmp_path / "t.tsv").write_text("apples\tBirnen\n")
        answer = recurra("translation", "translate", shop, "Ada", "--glossary", tmp_path / "t.tsv")
        assert answer.status == 1
        assert "nor any other translation" in answer.err

    def test_what_is_read_of_it_is_told_without_options_for_it(
        self, shop: Path, recurra: Command, tmp_path: Path
    ) -> None:
        path = tmp_path / "t.tsv"
        path.write_text("source\ttarget\tremark\n" + "apples\tÄpfel\tx\ncars\tAutos\ty\n")
        answer = recurra("translation", "translate", shop, "Ada", "--glossary", path)
        assert answer.err == (
            f"left out: {path}, line 1: 'source', 'target', 'remark', the names of the columns\n"
            f"left out: {path}: column remark ('x'); what is read is source and target\n"
        )
        path.write_text("english\tgerman\tnote\n" + "apples\tÄpfel\tx\ncars\tAutos\ty\n" * 9)
        answer = recurra("translation", "translate", shop, "Ada", "--glossary", path)
        assert answer.status == 1
        assert "note ('x'); call them term and translation there\n" in answer.err

    def test_it_is_not_for_what_is_drawn(self, shop: Path, recurra: Command, terms: Path) -> None:
        answer = recurra("translation", "translate", shop, "Ada", "--sample", "--glossary", terms)
        assert answer.status == 2
        assert "keeps to no --glossary" in answer.err


class TestAsking:
    def test_a_table_is_not_translated(self, shop: Path, recurra: Command, tmp_path: Path) -> None:
        (tmp_path / "pairs.tsv").write_text("Ada\tAda\n")
        answer = recurra("translation", "translate", shop, "--file", tmp_path / "pairs.tsv")
        assert answer.status == 2
        assert "is a table by its name" in answer.err

    @pytest.mark.parametrize("name", ["in.txt", "./in.txt", "link.txt"])
    @pytest.mark.parametrize("option", ["--out", "--alignments"])
    def test_what_is_read_is_not_overwritten(
        self, shop: Path, recurra: Command, tmp_path: Path, name: str, option: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "in.txt").write_text("Ada\n")
        (tmp_path / "link.txt").symlink_to("in.txt")
        answer = recurra("translation", "translate", shop, "--file", "in.txt", option, name)
        assert answer.status == 2
        assert "is named twice" in answer.err
        assert (tmp_path / "in.txt").read_text() == "Ada\n"

    def test_every_line_with_its_number(self, trained_translation: Path, recurra: Command, tmp_path: Path) -> None:
        (tmp_path / "in.txt").write_text("abc\n\nbad\n")
        options = ["--file", tmp_path / "in.txt", "--line-numbers"]
        assert lines_of(recurra, trained_translation, *options) == ["1\tcba", "2\t", "3\tdab"]
        numbers = [line.split("\t")[0] for line in lines_of(recurra, trained_translation, *options, "--n-best", 2)]
        assert numbers == ["1", "1", "2", "3", "3"]

    def test_sentences_of_a_line_are_translated_one_by_one(self, shop: Path, recurra: Command, tmp_path: Path) -> None:
        one, two = "Ada buys 17 red apples today .", "Bert sells 18 old cars tomorrow ."
        (tmp_path / "in.txt").write_text(f"{one}  {two}\n\n{two}\n")
        lines = lines_of(recurra, shop, "--file", tmp_path / "in.txt", "--split-sentences")
        first, second = lines_of(recurra, shop, one)[0], lines_of(recurra, shop, two)[0]
        assert lines == [f"{first}  {second}", "", second]
        answer = recurra("translation", "translate", shop, one, "--split-sentences", "--json")
        assert answer.status == 2

    def test_alignments_are_pairs_of_words(self, shop: Path, recurra: Command, tmp_path: Path) -> None:
        (tmp_path / "in.txt").write_text("Zelda buys 1234 red apples today .\n\n")
        options = ["--file", tmp_path / "in.txt", "--alignments", tmp_path / "a.txt"]
        assert lines_of(recurra, shop, *options)[0] == "Zelda kauft heute 1234 rote Äpfel ."
        line, empty, end = (tmp_path / "a.txt").read_text().split("\n")
        assert (empty, end) == ("", "")
        pairs = {tuple(map(int, pair.split("-"))) for pair in line.split()}
        assert {(0, 0), (3, 4), (4, 5)} <= pairs
        assert sorted(target for _, target in pairs) == list(range(7))
        assert all(source < 7 for source, _ in pairs)


class TestPrefixes:
    def test_each_line_begins_with_its_own(self, trained_translation: Path, recurra: Command, tmp_path: Path) -> None:
        """As many sentences as several batches, some of them empty, and one of them without a prefix."""
        sources = ["abc", "", "bad", "feed the cab"] * 3
        prefixes = ["a", "", "", "ha"] + ["ab", "h", "de", "f"] * 2
        (tmp_path / "in.txt").write_text("".join(f"{source}\n" for source in sources))
        (tmp_path / "p.txt").write_text("".join(f"{prefix}\n" for prefix in prefixes))
        options = ["--file", tmp_path / "in.txt", "--prefix-file", tmp_path / "p.txt"]
        lines = lines_of(recurra, trained_translation, *options)
        one_by_one = [
            lines_of(recurra, trained_translation, source, "--prefix", prefix)[0] if source else ""
            for source, prefix in zip(sources[:5], prefixes[:5], strict=True)
        ]
        assert lines[:5] == one_by_one
        assert lines[2] == "dab"
        assert all(line.startswith(prefix) for line, prefix in zip(lines, prefixes, strict=True) if line)
        model = Model.load(trained_translation)
        assert model.translate(sources, prefixes=prefixes) == lines
        drawn = lines_of(recurra, trained_translation, *options, "--sample", "--seed", 1)
        assert all(line.startswith(prefix) for line, prefix in zip(drawn, prefixes, strict=True) if line)

    def test_groups_keep_their_own(
        self, trained_translation: Path, recurra: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(commands, "GROUP", 2)
        (tmp_path / "p.txt").write_text("d\n\nb\n", encoding="utf-16")
        (tmp_path / "in.txt").write_text("abc\nbad\ncab\n", encoding="utf-16")
        options = ["--file", tmp_path / "in.txt", "--prefix-file", tmp_path / "p.txt", "--encoding", "utf-16"]
        assert [line[:1] for line in lines_of(recurra, trained_translation, *options)] == ["d", "d", "b"]

    def test_one_for_each_sentence(self, trained_translation: Path) -> None:
        model = Model.load(trained_translation)
        assert model.translate("abc", prefixes=["h"])[0] == "h"
        for prefixes, given in ((["a"], "1 texts for 2"), ("ab", "one text for 2"), ([], "0 texts for 2")):
            with pytest.raises(OptionError, match=given):
                model.translate(["abc", "bad"], prefixes=prefixes)
            with pytest.raises(OptionError, match=given):
                model.search(["abc", "bad"], prefixes=prefixes)
        with pytest.raises(OptionError, match="give one of them"):
            model.hypotheses(["abc"], prefix="a", prefixes=["b"])

    def test_what_is_refused(self, trained_translation: Path, recurra: Command, tmp_path: Path) -> None:
        file, prefixes = tmp_path / "in.txt", tmp_path / "p.txt"
        file.write_text("abc\nbad\n")
        prefixes.write_text("a\n")

        def refusal(status: int, *options: object) -> str:
            answer = recurra("translation", "translate", trained_translation, "--prefix-file", prefixes, *options)
            assert (answer.status, answer.out, answer.err.count("\n")) == (status, "", 1)
            return answer.err

        assert f"{prefixes} has 1 line(s) and {file} 2; give one prefix a line" in refusal(1, "--file", file)
        assert "--prefix-file has a line for each line of --file" in refusal(2, "abc")
        assert "--prefix-file has a line for each line of --file" in refusal(2)
        for option in (["--prefix", "a"], ["--split-sentences"]):
            assert "leave out --prefix and --split-sentences" in refusal(2, "--file", file, *option)
        for option in ("--out", "--alignments"):
            assert "is named twice" in refusal(2, "--file", file, option, prefixes)
        prefixes.write_text("\nab春\n")
        message = refusal(1, "--file", file, "--out", tmp_path / "o.txt")
        assert f"{prefixes}, line 2: --prefix 'ab春' holds '春'" in message
        assert not (tmp_path / "o.txt").exists()


class TestTokensOfEachSide:
    def test_letters_are_read_and_sounds_are_written(
        self, tmp_path: Path, recurra: Command, tiny_translation: dict[str, Any]
    ) -> None:
        """A pronunciation of sounds with names of several letters; each is one token."""
        sounds = dict(zip("abcdefgh", ["AH", "B", "K", "D", "EH", "F", "G", "HH"], strict=True))
        words = ["".join(letters) for length in (2, 3) for letters in itertools.product("abcdefgh", repeat=length)]
        pairs = [(word, " ".join(sounds[letter] for letter in word)) for word in words]
        options = tiny_translation | {"tokens": "characters", "target_tokens": "words", "steps": 60, "min_count": 1}
        model = translation.train(pairs, tmp_path / "m", progress=False, **options)
        vocabularies = model.vocabularies
        assert (vocabularies.source.tokenizer.kind, vocabularies.target.tokenizer.kind) == ("characters", "words")
        assert len(vocabularies.target.encode("AH K HH")) == 4
        found = load(tmp_path / "m", "cpu", task="translation").evaluate(pairs[:40])
        assert found["wer"] < 1
        (tmp_path / "p.tsv").write_text("a\tA\n" * 9)
        answer = recurra(
            "translation", "train", tmp_path / "p.tsv", "--out", tmp_path / "n", "--joint", "--target-tokens", "words"
        )
        assert answer.status == 2
        assert "--joint is one vocabulary for both sides" in answer.err


class TestMeasuring:
    def test_each_of_several_answers_is_right(self, trained_translation: Path) -> None:
        """The model gives one of two answers each time: all right, and BLEU with two references."""
        words = ["abc", "beach", "bad", "head", "feed", "faded"]
        pairs = [(word, answer) for word in words for answer in (word[::-1], "zzz")]
        model = Model.load(trained_translation)
        figures = model.evaluate(pairs, tokenize="char")
        assert (figures["exact_match"], figures["count"]) == (1.0, 6)
        assert figures["bleu"] == pytest.approx(100)
        assert figures["wer"] == figures["cer"] == 0
        assert "nrefs:2" in figures["signature"]
        assert model.evaluate([*pairs[:4], ("head", "daeh")])["exact_match"] == 1.0

    @pytest.mark.parametrize("name", ["scores.tsv", "scores.csv", "scores.jsonl"])
    def test_a_row_for_each_pair(self, trained_translation: Path, recurra: Command, tmp_path: Path, name: str) -> None:
        rows = [("abc", "cba"), ("bad", "xxx"), ("bad", "dab"), ("head", "da eh")]
        (tmp_path / "pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in rows))
        out = tmp_path / name
        answer = recurra("translation", "evaluate", trained_translation, tmp_path / "pairs.tsv", "--out", out, "--json")
        assert answer.status == 0, answer
        if name.endswith(".jsonl"):
            read = [json.loads(line) for line in out.read_text().splitlines()]
        else:
            with out.open(newline="") as file:
                read = list(csv.DictReader(file, delimiter="\t" if name.endswith(".tsv") else ","))
        assert [(row["source"], row["target"]) for row in read] == rows
        assert [row["output"] for row in read] == ["cba", "dab", "dab", "daeh"]
        assert [int(row["exact_match"]) for row in read] == [1, 1, 1, 0]
        expected = [sum(each) for each in log_probs(trained_translation, rows)]
        np.testing.assert_allclose([float(row["log_prob"]) for row in read], expected, atol=1e-3)
        assert [int(row["tokens"]) for row in read] == [4, 4, 4, 6]
        nats = -sum(float(row["log_prob"]) for row in read) / 18
        assert json.loads(answer.out)["nats"] == pytest.approx(nats, abs=1e-5)

    def test_the_pairs_are_not_overwritten(self, trained_translation: Path, recurra: Command, tmp_path: Path) -> None:
        (tmp_path / "pairs.tsv").write_text("abc\tcba\n")
        answer = recurra(
            "translation", "evaluate", trained_translation, tmp_path / "pairs.tsv", "--out", tmp_path / "pairs.tsv"
        )
        assert answer.status == 2
        assert (tmp_path / "pairs.tsv").read_text() == "abc\tcba\n"
