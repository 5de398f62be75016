"""Every bad input to the translation task: one line that says what is wrong and what to do, nothing half-written."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damage import snapshot

from recurra import translation
from recurra.tasks.translation import commands as commands
from recurra.tasks.translation.config import Config

Refused = Callable[..., str]
GOOD = "".join(f"{number:05}\t{number:05}x\n" for number in range(40))


@pytest.fixture
def train_refused(refused: Refused, tmp_path: Path, tiny_translation_options: list[str]) -> Refused:
    """A training that must be refused and leave the disk as it was."""

    def run(*arguments: object, **options: Any) -> str:
        if "--out" not in arguments:
            arguments += ("--out", tmp_path / "new" / "model")
        before = snapshot(tmp_path)
        message = refused("translation", "train", *arguments, *tiny_translation_options, **options)
        assert snapshot(tmp_path) == before, "something was left behind"
        return message

    return run


@pytest.fixture
def translate_refused(refused: Refused, trained_translation: Path, tmp_path: Path) -> Refused:
    """A translation that must be refused and write nothing."""

    def run(*arguments: object, model: Path = trained_translation, **options: Any) -> str:
        before = snapshot(tmp_path)
        message = refused("translation", "translate", model, *arguments, **options)
        assert snapshot(tmp_path) == before, "something was left behind"
        return message

    return run


def written(folder: Path, name: str, content: str | bytes) -> Path:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / name


class TestPairs:
    def test_none_or_too_many(self, train_refused: Refused, pairs_file: Path, tmp_path: Path) -> None:
        assert "name a table, two files or sample:dates" in train_refused(status=2)
        message = train_refused("--validation", pairs_file, pairs_file, status=2)
        assert "before --validation, which takes all the names after it" in message
        plain = written(tmp_path, "plain.txt", GOOD)
        assert "3 files are given" in train_refused(plain, plain, plain)
        assert f"{pairs_file} is a table, but {plain} is not" in train_refused(plain, pairs_file)
        assert "--validation" in train_refused(pairs_file, "--validation", status=2)

    def test_missing_a_folder_or_a_sample_that_is_none(self, train_refused: Refused, tmp_path: Path) -> None:
        message = train_refused(tmp_path / "missing.tsv")
        assert "missing.tsv" in message
        assert "check the name" in message
        assert "is a folder; name tables or two" in train_refused(tmp_path)
        assert "the samples are: sample:dates" in train_refused("sample:klingon")
        assert "give it alone" in train_refused("sample:dates", written(tmp_path, "p.tsv", GOOD))

    @pytest.mark.parametrize("name", ["p.tsv", "p.csv", "p.jsonl", "p.txt", "p.tsv.gz"])
    @pytest.mark.parametrize("content", [b"", b"\n\n\n", b"\xef\xbb\xbf", b" \t \n"], ids=str)
    def test_empty(self, train_refused: Refused, tmp_path: Path, name: str, content: bytes) -> None:
        path = written(tmp_path, name, gzip.compress(content) if name.endswith("gz") else content)
        message = train_refused(path)
        assert f"{path}" in message
        assert "give" in message

    def test_unequal_numbers_of_lines(self, train_refused: Refused, tmp_path: Path) -> None:
        sources = [f"{'word ' * (3 + 7 * number % 11)}{number}" for number in range(60)]
        (tmp_path / "a").write_text("\n".join(sources) + "\n")
        (tmp_path / "b").write_text("\n".join(sources[:20] + sources[21:]) + "\n")
        message = train_refused(tmp_path / "a", tmp_path / "b")
        assert f"{tmp_path / 'a'} has 60 lines but {tmp_path / 'b'} has 59" in message
        assert "near line 21" in message

    @pytest.mark.parametrize("name", ["p.tsv", "p.csv", "p"])
    def test_one_column(self, train_refused: Refused, tmp_path: Path, name: str) -> None:
        message = train_refused(written(tmp_path, name, "alone\n" * 30))
        assert f"{tmp_path / name}, line 1: there is only one column (30 of 30 lines are wrong); give" in message

    def test_broken_tables(self, train_refused: Refused, tmp_path: Path) -> None:
        assert "p.csv, line 41" in train_refused(written(tmp_path, "p.csv", GOOD.replace("\t", ",") + '"open,x\n'))
        assert "p.jsonl, line 1: this is not JSON" in train_refused(written(tmp_path, "p.jsonl", GOOD))
        assert "p.tsv.gz is a damaged .gz file" in train_refused(
            written(tmp_path, "p.tsv.gz", gzip.compress(GOOD.encode())[:-9])
        )

    @pytest.mark.parametrize("encoding", ["latin-1", "gb18030", "utf-16-le"])
    def test_wrongly_encoded(self, train_refused: Refused, tmp_path: Path, encoding: str) -> None:
        word = "é" if encoding == "latin-1" else "春"
        message = train_refused(written(tmp_path, "p.tsv", (GOOD + f"{word}\t{word}\n").encode(encoding)))
        assert "p.tsv, line " + ("1: a zero byte" if encoding == "utf-16-le" else "41: this is not utf-8") in message
        assert "--encoding" in message
        assert "klingon is not an encoding" in train_refused(tmp_path / "p.tsv", "--encoding", "klingon")

    def test_a_zero_byte(self, train_refused: Refused, tmp_path: Path) -> None:
        assert "p.tsv, line 41: a zero byte" in train_refused(written(tmp_path, "p.tsv", GOOD + "a\0b\tc\n"))

    def test_too_few(self, train_refused: Refused, tmp_path: Path) -> None:
        assert "p.tsv is too small to train on: at least 10 pairs are needed, and it has 3" in train_refused(
            written(tmp_path, "p.tsv", "a\tb\n" * 3)
        )
        message = train_refused(written(tmp_path, "p.tsv", "".join(f"same\t{number}\n" for number in range(30))))
        assert "fewer than two different sources" in message

    def test_all_too_long(self, train_refused: Refused, tmp_path: Path) -> None:
        path = written(tmp_path, "p.tsv", GOOD)
        options = ["--tokens", "characters", "--longest", 4]
        assert (
            "no pair of p.tsv has at most 4 characters a side; give shorter ones, or a larger --longest"
            in train_refused(path, *options)
        )

    def test_a_validation_part_that_is_of_no_use(self, train_refused: Refused, tmp_path: Path) -> None:
        path = written(tmp_path, "p.tsv", GOOD)
        assert "missing.tsv" in train_refused(path, "--validation", tmp_path / "missing.tsv")
        held = written(tmp_path, "held.tsv", "abc\t\n\tabc\n")
        assert "held.tsv has no row with source and target" in train_refused(path, "--validation", held)
        written(tmp_path, "held.tsv", f"{'a' * 1500}\tb\n")
        message = train_refused(path, "--validation", held, "--tokens", "characters")
        assert "no pair of held.tsv has at most 1000 characters a side" in message

    def test_an_absurd_vocabulary(self, train_refused: Refused, tmp_path: Path) -> None:
        message = train_refused(written(tmp_path, "p.tsv", GOOD), "--tokens", "words", "--min-count", 9)
        assert "absurd vocabulary" in message
        assert "--tokens bytes" in message

    @pytest.mark.parametrize(
        "rows",
        [
            [("abc def", "x"), ("ghi", "x"), ("jkl", "x")],
            [("same", "same"), ("both", "both"), ("sides", "sides")],
            [("\u3042\u3044", "\u05e9\u05dc"), ("\U0001f642", "\u0e01\u0e02"), ("\u202eabc", "e\u0301\u200d")],
            [("a", "b"), ("b", "a"), ("c", "b")],
        ],
        ids=["one target", "identical sides", "far scripts", "one letter"],
    )
    @pytest.mark.parametrize("kind", ["characters", "words", "subwords"])
    def test_odd_pairs_that_are_pairs(
        self, tmp_path: Path, tiny_translation: dict[str, Any], rows: list[tuple[str, str]], kind: Any
    ) -> None:
        path = written(tmp_path, "p.tsv", "".join(f"{a}\t{b}\n" for a, b in rows * 10))
        model = translation.train(path, tmp_path / "m", Config(**tiny_translation, tokens=kind), validation=path)
        assert np.isfinite(model.record["nats"])
        assert len(model.translate([a for a, _ in rows])) == 3
        figures = model.evaluate(path)
        assert all(np.isfinite(figures[name]) for name in ("bleu", "chrf", "nats"))
        model.explain(rows[0][0], tmp_path / "p.html")


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "name"),
        [(["--hidden-size", 0], "--hidden-size"), (["--batch-size", -1], "--batch-size"), (["--steps", 0], "--steps"),
         (["--longest", 0], "--longest"), (["--longest", 5000], "--longest"), (["--max-ratio", -1], "--max-ratio"),
         (["--max-ratio", "nan"], "--max-ratio"), (["--label-smoothing", 1], "--label-smoothing"),
         (["--tokens", "runes"], "runes"), (["--attention", "full"], "full"), (["--cell", "rnn"], "rnn"),
         (["--vocabulary-size", 1], "--vocabulary-size"), (["--min-count", 0], "--min-count")],
        ids=lambda value: " ".join(map(str, value)),
    )  # fmt: skip
    def test_of_training(
        self, refused: Refused, pairs_file: Path, tmp_path: Path, options: list[object], name: str
    ) -> None:
        assert name in refused("translation", "train", pairs_file, "--out", tmp_path / "m", *options, status=2)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("verb", ["translate", "evaluate", "explain"])
    @pytest.mark.parametrize(
        ("options", "names"),
        [
            (["--beam-size", 0], ["--beam-size is 0"]),
            (["--beam-size", 10_000], ["--beam-size is 10000", "1000"]),
            (["--n-best", 6], ["--n-best is 6", "--beam-size"]),
            (["--n-best", 0], ["--n-best is 0"]),
            (["--min-length", 5, "--max-length", 4], ["--min-length is 5", "--max-length, which is 4"]),
            (["--min-length", -1], ["--min-length"]),
            (["--max-length", -1], ["--max-length"]),
            (["--no-repeat-ngram-size", -1], ["--no-repeat-ngram-size"]),
            (["--alpha", -1], ["--alpha"]),
            (["--alpha", "nan"], ["--alpha"]),
            (["--coverage-penalty", -1], ["--coverage-penalty"]),
            (["--coverage-penalty", "inf"], ["--coverage-penalty"]),
            (["--normalization", "best"], ["best", "gnmt"]),
        ],
        ids=lambda value: " ".join(map(str, value)),
    )
    def test_of_the_search(
        self, refused: Refused, trained_translation: Path, pairs_file: Path, tmp_path: Path,
        verb: str, options: list[object], names: list[str],
    ) -> None:  # fmt: skip
        given = {"translate": ["abc"], "evaluate": [pairs_file], "explain": ["abc", "--out", tmp_path / "p.html"]}
        message = refused("translation", verb, trained_translation, *given[verb], *options, status=2)
        assert all(name in message for name in names), message
        assert not list(tmp_path.iterdir())

    def test_a_beam_that_is_wider_than_all_there_is(
        self, recurra: Callable[..., Any], trained_translation: Path
    ) -> None:
        answer = recurra("translation", "translate", trained_translation, "abc", "--beam-size", 1000)
        assert (answer.status, answer.out) == (0, "cba\n")

    def test_a_coverage_penalty_without_attention(
        self, refused: Refused, pairs_file: Path, tmp_path: Path, tiny_translation: dict[str, Any]
    ) -> None:
        translation.train(pairs_file, tmp_path / "m", Config(**tiny_translation, attention="none"))
        before = snapshot(tmp_path)
        for command in (["translate"], ["explain", "--out", tmp_path / "p.html"]):
            arguments = [*command[:1], tmp_path / "m", "abc", *command[1:]]
            message = refused("translation", *arguments, "--coverage-penalty", 0.2, status=2)
            assert "--coverage-penalty needs attention" in message
        assert snapshot(tmp_path) == before


class TestTranslating:
    def test_what_to_translate(self, translate_refused: Refused, pairs_file: Path, tmp_path: Path) -> None:
        assert "give one of them" in translate_refused("abc", "--file", pairs_file, status=2)
        assert "missing.txt" in translate_refused("--file", tmp_path / "missing.txt")
        assert "is a folder" in translate_refused("--file", tmp_path)
        assert "in.txt is empty" in translate_refused("--file", written(tmp_path, "in.txt", b""))
        assert "in.txt, line 2: this is not utf-8" in translate_refused(
            "--file", written(tmp_path, "in.txt", b"ab\n\xff")
        )
        assert "in.txt, line 1: a zero byte" in translate_refused("--file", written(tmp_path, "in.txt", b"a\0\n"))

    def test_a_sentence_of_ten_thousand_words(self, translate_refused: Refused, tmp_path: Path) -> None:
        words = " ".join(["word"] * 10_000)
        path = written(tmp_path, "in.txt", words + "\n")
        tracemalloc.start()
        try:
            for arguments in ([words], ["--file", path], [words, "--beam-size", 1000]):
                message = translate_refused(*arguments)
                assert "is 49,999 characters long, but at most 1,000 are translated at once; split it" in message
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 50 * 2**20

    def test_a_line_that_is_too_long_is_named_and_those_before_it_answered(
        self, recurra: Callable[..., Any], trained_translation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines = "abc\n\nbad\n" + "a" * 1001 + "\ncab\n"
        path = written(tmp_path, "in.txt", lines)
        answer = recurra("translation", "translate", trained_translation, "--file", path, "--out", tmp_path / "n" / "o")
        assert (answer.status, answer.out) == (1, "")
        assert answer.err.startswith(f"error: {path}, line 4: the sentence that begins with 'aaaaaaaaaaaaaaaaaaaa'")
        assert not (tmp_path / "n").exists()
        for group in (1024, 2):
            monkeypatch.setattr(commands, "GROUP", group)
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
            answer = recurra("translation", "translate", trained_translation)
            assert (answer.status, answer.out) == (1, "cba\n\ndab\n")
            assert answer.err.startswith("error: standard input, line 4: the sentence that begins with 'aaaa")

    def test_a_beam_too_wide_for_a_long_sentence(
        self, recurra: Callable[..., Any], translate_refused: Refused, trained_translation: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        sentence = "ab" * 500
        message = translate_refused(sentence, "--beam-size", 1000, status=2)
        assert "--beam-size 1000 takes too much memory for a source of 1,001 tokens" in message
        answer = recurra("translation", "translate", trained_translation, "abc", "--beam-size", 1000)
        assert answer == (0, "cba\n", "")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"abc\n{sentence}\n".encode())))
        answer = recurra("translation", "translate", trained_translation, "--beam-size", 1000)
        assert (answer.status, answer.out) == (1, "cba\n")
        assert answer.err.startswith("error: standard input, line 2: --beam-size 1000 takes too much memory")

    def test_without_standard_input(self, translate_refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", None)
        assert "there is no standard input; give a sentence or --file" in translate_refused()

    def test_options_that_would_do_nothing(self, translate_refused: Refused) -> None:
        for option in (["--temperature", 2], ["--seed", 3], ["--top-k", 5], ["--greedy"]):
            assert "give --sample too" in translate_refused("abc", *option, status=2)
        assert "encodes text; leave it out" in translate_refused("abc", "--encoding", "latin-1", status=2)
        for option in (["--n-best", 2], ["--beam-size", 1], ["--normalization", "gnmt"], ["--coverage-penalty", 1]):
            assert "leave out --beam-size, --n-best" in translate_refused("abc", "--sample", *option, status=2)

    def test_standard_input_that_is_no_text(
        self, recurra: Callable[..., Any], trained_translation: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"abc\nbad\n\xff\xfe\n")))
        answer = recurra("translation", "translate", trained_translation)
        assert (answer.status, answer.out) == (1, "cba\ndab\n")
        assert answer.err.startswith("error: line 3 cannot be read as UTF-8")
        assert answer.err.count("\n") == 1

    def test_nothing_on_standard_input(
        self, recurra: Callable[..., Any], trained_translation: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
        assert recurra("translation", "translate", trained_translation) == (0, "", "")

    def test_a_prefix_that_cannot_be_written(self, translate_refused: Refused) -> None:
        message = translate_refused("abc", "--prefix", "ab春", status=2)
        assert "--prefix 'ab春' holds '春', which the model cannot write" in message
        message = translate_refused("abc", "--prefix", "-a", "--beam-size", 1, status=2)
        assert "--prefix '-a' holds '-', which the model cannot write" in message

    def test_places_that_cannot_be_written(
        self, refused: Refused, translate_refused: Refused, trained_translation: Path, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        (tmp_path / "plain").write_text("a file")
        (tmp_path / "folder").mkdir()
        monkeypatch.chdir(tmp_path / "folder")
        for place in (".", "/", "..", tmp_path / "folder"):
            assert "is a folder; give the name of a file" in translate_refused("abc", "--out", place, status=2)
            assert "its name must end in .html" in refused(
                "translation", "explain", trained_translation, "abc", "--out", place, status=2
            )
        (tmp_path / "folder" / "page.html").mkdir()
        assert "is a folder; give the name of a file" in refused(
            "translation", "explain", trained_translation, "abc", "--out", "page.html", status=2
        )
        assert "plain/out.txt failed" in translate_refused("abc", "--out", tmp_path / "plain" / "out.txt")
        assert "too long" in translate_refused("abc", "--out", tmp_path / ("x" * 300))
        monkeypatch.setattr(os, "access", lambda path, how: False)  # an administrator has every permission
        assert "no permission" in translate_refused("abc", "--out", tmp_path / "out.txt")

    def test_a_full_disk(
        self, recurra: Callable[..., Any], trained_translation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*arguments: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        for verb, name in (("translate", "out.txt"), ("explain", "page.html")):
            written(tmp_path, name, "precious")
            before = snapshot(tmp_path)
            with monkeypatch.context() as patched:
                patched.setattr(os, "fsync", full)
                answer = recurra("translation", verb, trained_translation, "abc", "--out", tmp_path / name)
            assert (answer.status, answer.out) == (1, "")
            assert f"{name} failed: the disk is full; free some space" in answer.err
            assert snapshot(tmp_path) == before

    def test_models_that_do_not_belong_together(
        self, refused: Refused, translate_refused: Refused, trained_translation: Path, pairs_file: Path,
        tmp_path: Path, tiny_translation: dict[str, Any],
    ) -> None:  # fmt: skip
        translation.train(pairs_file, tmp_path / "other", Config(**tiny_translation, tokens="bytes"))
        message = translate_refused("abc", "--ensemble", tmp_path / "other")
        assert "do not have the same vocabulary" in message
        assert "the same vocabulary" in refused(
            "translation", "evaluate", trained_translation, pairs_file, "--ensemble", tmp_path / "other"
        )
        message = translate_refused("--ensemble", trained_translation, "abc", status=2)
        assert "no model folder abc" in message
        assert "before --ensemble, which takes all the names after it" in message
        assert "--ensemble" in translate_refused("abc", "--ensemble", status=2)

    def test_explaining_nothing(self, refused: Refused, trained_translation: Path, tmp_path: Path) -> None:
        for sentence in ("", " \t"):
            message = refused("translation", "explain", trained_translation, sentence, "--out", tmp_path / "p.html")
            assert "no sentence to explain" in message
        assert not list(tmp_path.iterdir())


class TestMeasuring:
    def test_pairs_that_cannot_be_measured(self, refused: Refused, trained_translation: Path, tmp_path: Path) -> None:
        assert "name a table" in refused("translation", "evaluate", trained_translation, status=2)
        assert "missing.tsv" in refused("translation", "evaluate", trained_translation, tmp_path / "missing.tsv")
        for content in ("", "abc\n", "abc\t\n", "\xff"):
            path = written(tmp_path, "p.tsv", content.encode("latin-1"))
            assert "p.tsv" in refused("translation", "evaluate", trained_translation, path)

    def test_a_sentence_of_ten_thousand_words(
        self, recurra: Callable[..., Any], trained_translation: Path, tmp_path: Path
    ) -> None:
        """Either side may be too long; what cannot be measured is refused, or left out and told, never dropped."""
        long = " ".join(["word"] * 10_000)
        path = written(tmp_path, "p.tsv", f"abc\tcba\n{long}\tabc\n")
        answer = recurra("translation", "evaluate", trained_translation, path, "--json")
        assert answer.status == 1
        assert "49,999 characters" in answer.err
        path = written(tmp_path, "p.tsv", f"abc\tcba\nabc\t{long}\n")
        answer = recurra("translation", "evaluate", trained_translation, path, "--json")
        assert answer.status == 0
        assert json.loads(answer.out)["count"] == 1  # one source with two answers
        assert "1 pair(s) of more than 1000 characters a side" in answer.err
        assert json.loads(answer.out)["nats"] < 0.1
        answer = recurra("translation", "evaluate", trained_translation, written(tmp_path, "p.tsv", f"abc\t{long}\n"))
        assert answer.status == 1
        assert "no pair of p.tsv has at most 1000 characters a side" in answer.err


class TestPlace:
    def test_what_exists_is_not_replaced_unasked(
        self, train_refused: Refused, pairs_file: Path, translation_model: Path, tmp_path: Path
    ) -> None:
        message = train_refused(pairs_file, "--out", translation_model)
        assert "exists already" in message
        assert "--overwrite" in message
        assert "--resume" in message
        assert "give one of them" in train_refused(pairs_file, "--overwrite", "--resume", status=2)
        (tmp_path / "Documents").mkdir()
        (tmp_path / "Documents" / "thesis.tex").write_text("years of work")
        for option in ("--overwrite", "--resume"):
            assert "Documents" in train_refused(pairs_file, "--out", tmp_path / "Documents", option)

    def test_a_run_goes_on_only_with_its_own_pairs_and_network(
        self, refused: Refused, pairs_file: Path, translation_model: Path, tmp_path: Path
    ) -> None:
        lines = pairs_file.read_text(encoding="utf-8").splitlines(keepends=True)
        other = written(tmp_path, "other.tsv", "".join(lines[:-1]))
        swapped = written(tmp_path, "swapped.tsv", "".join([*lines[1:], lines[0]]))
        before = snapshot(tmp_path)
        command = ["translation", "train", "--out", translation_model, "--resume", "--steps", 400]
        for path in (other, swapped):
            assert "the data are not those that the run of" in refused(*command, "--", path)
        for options in (
            ["--hidden-size", 33], ["--attention", "none"], ["--cell", "gru"], ["--tokens", "bytes"],
            ["--num-layers", 2], ["--no-tied"], ["--joint"], ["--longest", 20], ["--seed", 2],
        ):  # fmt: skip
            message = refused(*command, *options, "--", pairs_file)
            assert options[0].replace("--no-", "--") in message, message
            assert "which a resumed run cannot change" in message, message
        assert snapshot(tmp_path) == before

    def test_a_run_goes_on_only_with_its_own_validation_pairs(
        self, recurra: Callable[..., Any], refused: Refused, tmp_path: Path, tiny_translation_options: list[str]
    ) -> None:
        path = written(tmp_path, "p.tsv", GOOD)
        held = [written(tmp_path, f"{name}.tsv", f"0000{name}\t0000{name}x\n") for name in "123"]
        command = ["translation", "train", path, "--out", tmp_path / "m", *tiny_translation_options]
        assert recurra(*command, "--validation", held[0]).status == 0
        before = snapshot(tmp_path)
        message = refused(*command, "--resume", "--validation", held[1])
        assert "the data are not those that the run of" in message
        assert snapshot(tmp_path) == before
