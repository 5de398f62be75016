"""The use of a translator: every figure against another way to get it."""

from __future__ import annotations

import gzip
import html.parser
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu
import torch
from translating import lines_of, log_probs, nats, network_of, translated

import recurra as package
from recurra import modelfile, translation
from recurra.decoding.beam_search import BeamSearch
from recurra.tasks.translation.config import Config
from recurra.tasks.translation.model import Model

Command = Callable[..., Any]

UNSEEN = ["hgfed", "aabb", "ahbg", "gdfcb", "bad", "head", "cab", "feed", "beach", "faded"]
"""Strings whose reversals can be asked for; some may be among the training pairs."""


@pytest.fixture
def type_lines(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Have the next command find bytes on its standard input."""

    def put(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


class TestTranslating:
    def test_a_sentence_needs_no_quotes(self, recurra: Command, trained_translation: Path, tmp_path: Path) -> None:
        quoted = recurra("translation", "translate", trained_translation, "bad head", "--beam-size", 2)
        assert quoted.out
        assert recurra("translation", "translate", trained_translation, "bad", "head", "--beam-size", 2) == quoted
        page = tmp_path / "p.html"
        assert recurra("translation", "explain", trained_translation, "bad", "cab", "--out", page).status == 0
        assert "bad cab" in page.read_text("utf-8")

    def test_json_is_what_the_model_gives_when_it_is_told_the_output(
        self, recurra: Command, trained_translation: Path
    ) -> None:
        value = translated(recurra, trained_translation, "beach", "--n-best", 4)
        (one,) = value["translations"]
        assert one["source"] == "beach"
        assert one["text"] == value["text"] == one["n_best"][0]["text"] == "hcaeb"
        scores = [each["score"] for each in one["n_best"]]
        assert len(scores) == 4
        assert scores == sorted(scores, reverse=True)
        assert len({each["text"] for each in one["n_best"]}) == 4
        for each in one["n_best"]:
            assert "".join(each["tokens"]) == each["text"]
            expected = log_probs(trained_translation, [("beach", each["text"])])[0]
            np.testing.assert_allclose(each["log_probs"], expected, atol=2e-4)
            assert each["score"] == pytest.approx(np.mean(each["log_probs"]), abs=1e-4)
            weights = np.array(each["attention"])
            assert weights.shape == (len(each["text"]) + 1, len("beach") + 1)
            np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-4)

    def test_the_best_does_not_depend_on_how_many_are_asked_for(
        self, recurra: Command, trained_translation: Path
    ) -> None:
        lines = lines_of(recurra, trained_translation, "faded", "--n-best", 5)
        scores, texts = zip(*(line.split("\t") for line in lines), strict=True)
        assert len(lines) == 5
        assert list(map(float, scores)) == sorted(map(float, scores), reverse=True)
        for n in (1, 2, 4):
            best = translated(recurra, trained_translation, "faded", "--n-best", n)["translations"][0]["n_best"]
            assert [each["text"] for each in best] == list(texts[:n])

    def test_a_sentence_a_file_and_standard_input_are_translated_alike(
        self, recurra: Command, trained_translation: Path, tmp_path: Path, type_lines: Callable[[bytes], None]
    ) -> None:
        sources = [*UNSEEN, "", "abc", "   ", "fgh"]
        expected = [source.strip()[::-1] for source in sources]
        (tmp_path / "in.txt").write_text("\n".join(sources) + "\n")
        (tmp_path / "in.gz").write_bytes(gzip.compress("\r\n".join(sources).encode()))
        for name in ("in.txt", "in.gz"):
            assert lines_of(recurra, trained_translation, "--file", tmp_path / name) == expected
        type_lines(("\ufeff" + "\r\n".join(sources)).encode())
        assert lines_of(recurra, trained_translation) == expected
        assert [lines_of(recurra, trained_translation, source) for source in sources] == [[line] for line in expected]

    def test_to_a_file(self, recurra: Command, trained_translation: Path, tmp_path: Path) -> None:
        (tmp_path / "in.txt").write_text("abc\n\nfgh\n")
        out = tmp_path / "new" / "out.txt"
        command = ["translation", "translate", trained_translation, "--file", tmp_path / "in.txt", "--out", out]
        answer = recurra(*command)
        assert (answer.status, answer.out) == (0, "")
        assert f"{out}: 3 lines" in answer.err
        assert out.read_bytes() == b"cba\n\nhgf\n"
        # With --json both are given.
        answer = recurra(*command, "--json", "--n-best", 2)
        assert [one["text"] for one in json.loads(answer.out)["translations"]] == ["cba", "", "hgf"]
        lines = out.read_text().split("\n")
        assert [line.partition("\t")[2] for line in lines[::3]] == ["cba", "hgf"]
        assert lines[2] == ""
        assert list(out.parent.iterdir()) == [out]

    def test_white_space_around_a_sentence_is_not_read_as_in_training(
        self, recurra: Command, trained_translation: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "in.txt").write_text("  abc\t\n\u3000bad \n")
        answer = recurra("translation", "translate", trained_translation, "--file", tmp_path / "in.txt")
        assert answer == (0, "cba\ndab\n", "")

    def test_a_file_is_written_whole_or_not_at_all(
        self, recurra: Command, trained_translation: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "in.txt").write_text("abc\n" * 5 + "a" * 2000 + "\n")
        (tmp_path / "out.txt").write_text("precious")
        command = ["translation", "translate", trained_translation, "--file", tmp_path / "in.txt"]
        answer = recurra(*command, "--out", tmp_path / "out.txt")
        assert answer.status == 1
        assert "'aaaaaaaaaaaaaaaaaaaa' is 2,000 characters long" in answer.err
        assert (tmp_path / "out.txt").read_text() == "precious"

    @pytest.mark.parametrize("prefix", ["h", "hca", "hcaeb", "abc", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])
    def test_every_output_begins_with_the_prefix(
        self, recurra: Command, trained_translation: Path, prefix: str
    ) -> None:
        value = translated(recurra, trained_translation, "beach", "--prefix", prefix, "--n-best", 3)
        best = value["translations"][0]["n_best"]
        assert best
        assert all(each["text"].startswith(prefix) for each in best)
        expected = log_probs(trained_translation, [("beach", best[0]["text"])])[0]
        np.testing.assert_allclose(best[0]["log_probs"], expected, atol=2e-4)

    def test_lengths_are_kept_even_beyond_the_models_own_limit(
        self, recurra: Command, trained_translation: Path
    ) -> None:
        assert len(lines_of(recurra, trained_translation, "abc", "--min-length", 60)[0]) >= 60
        assert len(lines_of(recurra, trained_translation, "abcde", "--max-length", 2)[0]) <= 2
        assert len(lines_of(recurra, trained_translation, "abc", "--min-length", 9, "--max-length", 9)[0]) == 9

    def test_a_model_with_itself_is_the_model(self, recurra: Command, trained_translation: Path) -> None:
        alone = translated(recurra, trained_translation, "beach", "--n-best", 3)
        together = translated(
            recurra, trained_translation, "beach", "--n-best", 3, "--ensemble", trained_translation, trained_translation
        )
        for one, other in zip(
            alone["translations"][0]["n_best"], together["translations"][0]["n_best"], strict=True
        ):  # fmt: skip
            assert one["text"] == other["text"]
            np.testing.assert_allclose(one["log_probs"], other["log_probs"], atol=2e-5)
            np.testing.assert_allclose(one["attention"], other["attention"], atol=2e-5)

    def test_models_together_have_the_mean_of_their_probabilities(
        self, recurra: Command, trained_translation: Path, pairs_file: Path, tmp_path: Path,
        tiny_translation: dict[str, Any],
    ) -> None:  # fmt: skip
        options = tiny_translation | {"hidden_size": 12, "num_layers": 2, "attention": "none", "cell": "gru"}
        translation.train(pairs_file, tmp_path / "b", Config(**options, tokens="characters", seed=5))
        both = [trained_translation, tmp_path / "b"]
        for first, second in (both, both[::-1]):
            best = translated(recurra, first, "beach", "--ensemble", second)["translations"][0]["n_best"][0]
            each = [np.exp(log_probs(folder, [("beach", best["text"])])[0]) for folder in both]
            np.testing.assert_allclose(np.exp(best["log_probs"]), np.mean(each, axis=0), atol=2e-4)

        rows = [("bad", "dab"), ("head", "deah"), ("cab", "bac"), ("beach", "hcaeb")]
        table = tmp_path / "four.tsv"
        table.write_text("".join(f"{source}\t{target}\n" for source, target in rows))
        answer = recurra("translation", "evaluate", both[0], table, "--ensemble", both[1], "--json")
        each = [np.exp(np.concatenate(log_probs(folder, rows))) for folder in both]
        assert json.loads(answer.out)["nats"] == pytest.approx(-np.log(np.mean(each, axis=0)).mean(), abs=1e-4)

    def test_unknown_characters_are_named_once_and_answered(
        self, recurra: Command, trained_translation: Path, type_lines: Callable[[bytes], None]
    ) -> None:
        type_lines("abc\n春a眠 春\n \x07\n   \n".encode())
        answer = recurra("translation", "translate", trained_translation)
        assert answer.status == 0
        assert answer.out.count("\n") == 4
        assert answer.err == "the model has never seen 春 眠 ' ' '\\x07'; read as its unknown token\n"
        # What is not translated is not read either.
        assert recurra("translation", "translate", trained_translation, " \t ") == (0, "\n", "")

    def test_a_line_is_answered_before_the_next_is_typed(self, trained_translation: Path) -> None:
        command = [sys.executable, "-m", "recurra", "translation", "translate", str(trained_translation)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for source in ("abc", "", "beach"):
                process.stdin.write(f"{source}\n".encode())
                process.stdin.flush()
                assert process.stdout.readline() == f"{source[::-1]}\n".encode()
            process.stdin.write(b"feed")
            process.stdin.close()
            assert process.stdout.read() == b"deef\n"
            assert process.wait(timeout=60) == 0


class TestMeasuring:
    @pytest.mark.parametrize("options", [[], ["--tokenize", "char"], ["--lowercase", "--tokenize", "none"]], ids=str)
    def test_figures_are_those_of_sacrebleu_on_the_translations(
        self, recurra: Command, trained_translation: Path, tmp_path: Path, options: list[str]
    ) -> None:
        rows = [("abc", "CBA"), ("beach", "hcaeb"), ("bad cab", "bac dab"), ("fgh", "zzz"), ("a b c d", "d c b a")]
        (tmp_path / "test.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows))
        (tmp_path / "in.txt").write_text("".join(f"{a}\n" for a, _ in rows))
        made = lines_of(recurra, trained_translation, "--file", tmp_path / "in.txt")
        wanted = [target for _, target in rows]
        answer = recurra("translation", "evaluate", trained_translation, tmp_path / "test.tsv", "--json", *options)
        assert answer.status == 0, answer
        value = json.loads(answer.out)
        lowercase = "--lowercase" in options
        tokenize = options[options.index("--tokenize") + 1] if "--tokenize" in options else "13a"
        bleu = sacrebleu.BLEU(tokenize=tokenize, lowercase=lowercase)
        chrf = sacrebleu.CHRF(lowercase=lowercase)
        assert value["bleu"] == pytest.approx(bleu.corpus_score(made, [wanted]).score)
        assert value["chrf"] == pytest.approx(chrf.corpus_score(made, [wanted]).score)
        assert str(bleu.get_signature()) in value["signature"]
        assert str(chrf.get_signature()) in value["signature"]
        assert value["exact_match"] == sum(a == b for a, b in zip(made, wanted, strict=True)) / 5
        assert value["count"] == 5 == sum(group["count"] for group in value["by_length"])
        assert value["nats"] == pytest.approx(nats(trained_translation, rows), abs=1e-5)
        assert [(group["shortest"], group["longest"]) for group in value["by_length"]] == [(1, 1), (2, 4)]

    def test_the_table_shows_the_same(self, recurra: Command, trained_translation: Path, pairs_file: Path) -> None:
        value = json.loads(recurra("translation", "evaluate", trained_translation, pairs_file, "--json").out)
        answer = recurra("translation", "evaluate", trained_translation, pairs_file, "--beam-size", 5)
        assert answer.status == 0
        assert answer.err.startswith("BLEU is 0 where no output has four words")
        rows = dict(line.split(maxsplit=1) for line in answer.out.splitlines()[:8])
        assert rows["chrf"] == f"{value['chrf']:.5g}"
        sources = {line.split("\t")[0] for line in pairs_file.read_text("utf-8").splitlines()}
        assert rows["count"] == f"{len(sources):,}"
        assert rows["signature"] == value["signature"]
        words, sentences, *_, exact = answer.out.splitlines()[-1].split()
        assert (words, sentences, exact) == ("1", rows["count"], "100.0%")


class References(html.parser.HTMLParser):
    """Collects what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """One tag."""
        self.found += [value or "" for name, value in attributes if name in ("src", "href", "action", "data")]


class TestExplaining:
    def test_a_page_that_needs_no_other_file_and_a_picture(
        self, recurra: Command, trained_translation: Path, tmp_path: Path
    ) -> None:
        answer = recurra("translation", "explain", trained_translation, "beach", "--out", tmp_path / "x" / "p.html")
        assert (answer.status, answer.err) == (0, "")
        page, picture = tmp_path / "x" / "p.html", tmp_path / "x" / "p-attention.png"
        assert answer.out.splitlines() == [str(page), str(picture)]
        assert set(page.parent.iterdir()) == {page, picture}
        assert picture.read_bytes().startswith(b"\x89PNG")
        shown = page.read_text(encoding="utf-8")
        assert "hcaeb" in shown
        references = References()
        references.feed(shown)
        assert all(value.startswith(("data:", "#")) for value in references.found)
        assert "@import" not in shown
        assert "fetch(" not in shown

    def test_json_and_what_the_model_does_not_know(
        self, recurra: Command, trained_translation: Path, tmp_path: Path
    ) -> None:
        command = ["translation", "explain", trained_translation, "<b>春</b> \u2028", "--out", tmp_path / "p.html"]
        answer = recurra(*command, "--json")
        assert json.loads(answer.out) == {
            "path": str(tmp_path / "p.html"),
            "files": [str(tmp_path / "p.html"), str(tmp_path / "p-attention.png")],
        }
        assert "never seen < > 春 /" in answer.err
        assert "<b>春" not in (tmp_path / "p.html").read_text(encoding="utf-8")

    def test_a_model_without_attention_has_no_map(
        self, recurra: Command, pairs_file: Path, tmp_path: Path, tiny_translation: dict[str, Any]
    ) -> None:
        translation.train(pairs_file, tmp_path / "m", Config(**tiny_translation, attention="none"))
        answer = recurra("translation", "explain", tmp_path / "m", "beach", "--out", tmp_path / "p.html")
        assert (answer.status, answer.out) == (0, f"{tmp_path / 'p.html'}\n")
        assert translated(recurra, tmp_path / "m", "beach")["translations"][0]["n_best"][0]["attention"] is None


class TestInfoAndPython:
    def test_info_is_what_the_folder_says(self, recurra: Command, trained_translation: Path) -> None:
        value = json.loads(recurra("info", trained_translation, "--json").out)
        network, _ = network_of(trained_translation)
        assert value["task"] == "translation"
        assert value["parameters"] == sum(parameter.numel() for parameter in network.parameters())
        assert value["record"] == modelfile.load(trained_translation).record
        assert f"{value['parameters']:,}" in recurra("info", trained_translation).out

    def test_python_is_the_command_line(self, recurra: Command, trained_translation: Path, pairs_file: Path) -> None:
        model = package.load(str(trained_translation))
        assert isinstance(model, package.translation.Model)
        assert model.translate("beach") == lines_of(recurra, trained_translation, "beach")[0]
        assert model.translate([]) == []
        figures = json.loads(recurra("translation", "evaluate", trained_translation, pairs_file, "--json").out)
        again = model.evaluate(str(pairs_file))
        assert again.pop("nats") == pytest.approx(figures.pop("nats"))
        assert again == figures

    @pytest.mark.parametrize(
        "options", [{}, {"tied": False, "joint": False}, {"cell": "gru", "num_layers": 2}], ids=str
    )
    def test_a_trained_model_is_the_one_that_is_loaded(
        self, pairs_file: Path, tmp_path: Path, tiny_translation: dict[str, Any], options: dict[str, Any]
    ) -> None:
        model = translation.train(str(pairs_file), str(tmp_path / "m"), Config(**tiny_translation | options))
        loaded = Model.load(tmp_path / "m")
        model.save(tmp_path / "copy")
        copied = Model.load(tmp_path / "copy")
        assert loaded.config == copied.config == model.config
        assert loaded.record == copied.record == model.record
        made = model.hypotheses(UNSEEN, BeamSearch(n_best=3))
        for other in (loaded, copied):
            for mine, theirs in zip(made, other.hypotheses(UNSEEN, BeamSearch(n_best=3)), strict=True):
                assert [each.tokens for each in mine] == [each.tokens for each in theirs]
                assert [each.score for each in mine] == [each.score for each in theirs]
            for name, tensor in modelfile.unique_tensors(model.network).items():
                assert torch.equal(tensor, modelfile.unique_tensors(other.network)[name])
