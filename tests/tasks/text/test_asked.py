"""Prompts from files, candidates, guards, and figures of every line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra import text
from recurra.data.corpus import Texts
from recurra.tasks.text.model import Model
from recurra.tasks.text.repeats import Repeats
from recurra.tasks.text.training import _affordable

Command = Callable[..., Any]


class TestPrompts:
    def test_a_text_for_each_prompt_of_a_file(self, recurra: Command, trained_folder: Path, tmp_path: Path) -> None:
        (tmp_path / "p.txt").write_text("The cat\n\n was not \n")
        options = ["--length", 20, "--seed", 4, "--prompt-file", tmp_path / "p.txt"]
        value = json.loads(recurra("text", "write", trained_folder, *options, "--samples", 2, "--json").out)
        assert [one["prompt"] for one in value["samples"]] == ["The cat"] * 2 + [" was not "] * 2
        assert all(one["text"].startswith(one["prompt"]) for one in value["samples"])
        assert len({one["text"] for one in value["samples"]}) == 4
        shown = recurra("text", "write", trained_folder, *options, "--samples", 2).out
        assert shown == "\n\n".join(one["text"] for one in value["samples"]) + "\n"

    def test_jsonl_in_and_out(self, recurra: Command, trained_folder: Path, tmp_path: Path) -> None:
        (tmp_path / "p.jsonl").write_text('{"prompt": "The\\ncat "}\n{"prompt": "Was"}\n')
        out = tmp_path / "o.jsonl"
        options = ["--length", 9, "--prompt-file", tmp_path / "p.jsonl", "--out", out, "--without-prompt"]
        answer = recurra("text", "write", trained_folder, *options)
        assert (answer.status, answer.out) == (0, "")
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        assert [row["prompt"] for row in rows] == ["The\ncat ", "Was"]
        assert all(row["text"] == "".join(row["tokens"]) and len(row["tokens"]) == 9 for row in rows)

    def test_keys_are_told_without_an_option_for_them(
        self, recurra: Command, trained_folder: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "p.jsonl"
        path.write_text('{"question": "The?", "answer": "cat"}\n' * 3)
        answer = recurra("text", "write", trained_folder, "--prompt-file", path)
        assert answer.status == 1
        assert "it has question ('The?'), answer ('cat'): call one of these so\n" in answer.err
        path.write_text("[1]\n" * 3)
        answer = recurra("text", "write", trained_folder, "--prompt-file", path)
        assert 'give {"prompt": "..."} in each line\n' in answer.err

    def test_to_a_file_what_is_shown(self, recurra: Command, trained_folder: Path, tmp_path: Path) -> None:
        options = ["--length", 30, "--seed", 3, "--prompt", "The", "--samples", 2]
        assert recurra("text", "write", trained_folder, *options, "--out", tmp_path / "o.txt").status == 0
        assert (tmp_path / "o.txt").read_text() == recurra("text", "write", trained_folder, *options).out
        alone = recurra("text", "write", trained_folder, *options, "--without-prompt").out
        assert "\n\n".join(f"The{part}" for part in alone.split("\n\n")) == (tmp_path / "o.txt").read_text()

    def test_two_prompts_and_the_prompts_as_out_are_refused(
        self, recurra: Command, trained_folder: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "p.txt").write_text("The\n")
        write = ["text", "write", trained_folder, "--prompt-file", tmp_path / "p.txt"]
        assert recurra(*write, "--prompt", "a").status == 2
        assert recurra(*write, "--out", tmp_path / "p.txt").status == 2
        assert recurra(*write, "--out", tmp_path).status == 2
        assert (tmp_path / "p.txt").read_text() == "The\n"


class TestWriting:
    def test_candidates_are_those_of_the_model(self, recurra: Command, trained_folder: Path) -> None:
        model = Model.load(trained_folder)
        options = ["--prompt", "The c", "--show-candidates", 4]
        value = json.loads(recurra("text", "write", trained_folder, *options, "--json").out)
        assert value["count"] == len(value["candidates"]) == 4
        probabilities = [each["probability"] for each in value["candidates"]]
        assert probabilities == sorted(probabilities, reverse=True)
        # What greedy writing takes is the first, with that probability.
        (first,) = model.generate("The c", length=1, greedy=True)
        assert (value["candidates"][0]["text"], value["candidates"][0]["probability"]) == (
            first.text,
            pytest.approx(np.exp(first.log_prob), abs=1e-5),
        )
        shown = recurra("text", "write", trained_folder, *options).out.splitlines()
        assert len(shown) == 4
        assert repr(first.text) in shown[0]

    def test_a_person_chooses(
        self, recurra: Command, refused: Command, trained_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        command = ["text", "write", trained_folder, "--prompt", "The c", "--interactive", "--seed", 3]

        def answered(lines: str, *options: object) -> str:
            monkeypatch.setattr("sys.stdin", io.StringIO(lines))
            return recurra(*command, *options).out.removesuffix("\n")

        model = Model.load(trained_folder)
        first, second = model.candidates("The c", 2)
        third = model.candidates(f"The c{second.text}", 3)[2]
        assert answered("2\n3\n") == f"The c{second.text}{third.text}"
        assert answered("1\nat c\n+at\n", "--without-prompt") == f"{first.text}at cat"
        assert answered("\n" * 40) == model.write("The c", length=40, seed=3)
        assert answered("1\n" * 9, "--length", 4) == model.write("The c", length=4, greedy=True)
        monkeypatch.setattr("sys.stdin", io.StringIO("9\nЖ\n+t\n"))
        told = recurra(*command, "--show-candidates", 2, "--out", tmp_path / "o.txt")
        assert "the model cannot write '9'" in told.err
        assert "the model cannot write 'Ж'" in told.err
        assert f"   2  {np.exp(second.log_prob):9.4%}  {second.text!r}" in told.err
        assert (tmp_path / "o.txt").read_text() == "The ct\n"
        assert "leave --json" in refused(*command, "--samples", 2, status=2)

    def test_all_candidates_have_all_the_probability(self, trained_folder: Path) -> None:
        every = Model.load(trained_folder).candidates("The", 1000)
        assert 0.9 < sum(np.exp(each.log_prob) for each in every) <= 1 + 1e-6
        assert len({each.token for each in every}) == len(every)

    @pytest.mark.parametrize("size", [2, 3, 4])
    def test_no_run_comes_twice(self, trained_folder: Path, size: int) -> None:
        model = Model.load(trained_folder)
        free = model.write("The ", length=60, greedy=True)
        assert len({free[n : n + size] for n in range(len(free) - size + 1)}) < len(free) - size + 1
        guarded = model.write("The ", length=60, greedy=True, no_repeat_ngram_size=size)
        runs = [guarded[n : n + size] for n in range(len(guarded) - size + 1)]
        assert len(set(runs)) == len(runs)
        assert len(guarded) == 64

    def test_where_nothing_else_can_come_a_run_may(self) -> None:
        repeats = Repeats(1, [0, 1], 3)
        assert sorted(repeats.barred(np.array([], dtype=np.int64))) == [0, 1]
        repeats.add(2)
        assert list(repeats.barred(np.array([1]))) == [1]

    def test_a_stop_that_never_comes_is_told(self, recurra: Command, trained_folder: Path) -> None:
        options = ["--length", 5, "--seed", 1]
        assert "never seen '#'" in recurra("text", "write", trained_folder, "--stop", "a#", *options).err
        assert recurra("text", "write", trained_folder, "--stop", "ca", *options).err == ""


class TestLines:
    def test_the_figures_of_lines_add_up(self, recurra: Command, trained_folder: Path, tmp_path: Path) -> None:
        (tmp_path / "t.txt").write_text("The cat was full.\n\nDogs ate")
        whole = json.loads(recurra("text", "evaluate", trained_folder, tmp_path / "t.txt", "--json").out)
        value = json.loads(recurra("text", "evaluate", trained_folder, tmp_path / "t.txt", "--lines", "--json").out)
        assert value["nats"] == pytest.approx(whole["nats"], rel=1e-5)
        assert value["count"] == whole["count"] == sum(line["count"] for line in value["lines"])
        assert [line["line"] for line in value["lines"]] == [1, 2, 3]
        assert ["".join(line["tokens"]) for line in value["lines"]] == ["he cat was full.\n", "\n", "Dogs ate"]
        for line in value["lines"]:
            assert line["nats"] == pytest.approx(-np.mean(line["log_probs"]), abs=1e-5)
        shown = recurra("text", "evaluate", trained_folder, tmp_path / "t.txt", "--lines").out.splitlines()
        assert len(shown) == 4
        assert shown[3].split()[:2] == ["3", "8"]
        assert recurra("text", "evaluate", trained_folder, tmp_path / "t.txt", "--lines", "--dynamic").status == 2


class TestColumns:
    """Each command that reads JSONL takes the option that its message tells of."""

    def test_texts_under_another_key(self, recurra: Command, trained_folder: Path, tmp_path: Path) -> None:
        texts = ["The cat was not on the mat.\n" * 3, "Was the dog there?\n" * 3]
        rows = [{"title": f"number {n}", "said": each} for n, each in enumerate(texts)]
        path, plain = tmp_path / "rows.jsonl", tmp_path / "plain.txt"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        plain.write_text("".join(texts))
        for verb, options in (("evaluate", ["--json"]), ("evaluate", ["--lines", "--json"])):
            refused = recurra("text", verb, trained_folder, path, *options)
            assert (refused.status, "name it with --columns" in refused.err) == (1, True)
            answer = recurra("text", verb, trained_folder, path, *options, "--columns", "said")
            assert answer == recurra("text", verb, trained_folder, plain, *options)
        answer = recurra("text", "compare", plain, path, "--columns", "said", "--json")
        assert json.loads(answer.out)["copied"] > 0.9
        out = tmp_path / "page.html"
        assert recurra("text", "explain", trained_folder, path, "--columns", "said", "--out", out).status == 0
        assert "number 0" not in out.read_text("utf-8")


def test_a_short_run_scores_no_more_than_it_reads() -> None:
    config = text.Config(steps=100, batch_size=10, sequence_length=20)
    assert _affordable(config, 5_000) == 4
    assert _affordable(config, 10**9) == 1
    assert _affordable(config, 500) == config.evaluations
    few = "a b c d. " * 2000
    options: dict[str, Any] = {
        "steps": 20,
        "hidden_size": 4,
        "embedding_size": 4,
        "batch_size": 2,
        "sequence_length": 16,
    }
    model = text.train(Texts([few]), None, validation=Texts([few[:600]]), progress=False, **options)
    assert model.config.evaluations == 1
