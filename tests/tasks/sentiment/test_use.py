"""The use of a sentiment model: every answer and every figure against another way to get it."""

from __future__ import annotations

import csv
import gzip
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
import torch

from recurra.tasks.sentiment.classifier import Label
from recurra.tasks.sentiment.model import Model

Command = Callable[..., Any]

LINES = ["The film number 3 was good.", "It was not lovely!", "awful", "the book was\u2028not dull", "Zzz"]


@pytest.fixture
def type_lines(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Have the next command find bytes on its standard input."""

    def put(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


@pytest.fixture(scope="session")
def model(trained_sentiment: Path) -> Model:
    return Model.load(trained_sentiment)


class TestClassifying:
    def test_a_text_needs_no_quotes(self, recurra: Command, trained_sentiment: Path, model: Model) -> None:
        answer = recurra("sentiment", "classify", trained_sentiment, "the", "film", "was", "not", "good")
        assert answer.status == 0
        found = model.classify("the film was not good")
        assert answer.out == f"negative\t{found.probability:.4f}\n"
        assert recurra("sentiment", "classify", trained_sentiment, "the film was not good").out == answer.out

    @pytest.mark.parametrize("ends", ["\n", "\r\n"])
    @pytest.mark.parametrize("packed", [False, True])
    def test_as_many_answers_as_lines(
        self, recurra: Command, trained_sentiment: Path, tmp_path: Path, type_lines: Command, ends: str, packed: bool
    ) -> None:
        content = "".join(line + ends for line in [*LINES, "", "  ", "last"]).removesuffix(ends).encode()
        path = tmp_path / ("lines.txt.gz" if packed else "lines.txt")
        path.write_bytes(gzip.compress(content) if packed else content)
        answer = recurra("sentiment", "classify", trained_sentiment, "--file", path)
        lines = answer.out.split("\n")
        assert lines.pop() == ""
        assert len(lines) == len(LINES) + 3
        assert [bool(line) for line in lines] == [True] * len(LINES) + [False, False, True]
        type_lines(content)
        assert recurra("sentiment", "classify", trained_sentiment).out == answer.out
        for line, text in zip(lines, LINES, strict=False):
            alone = recurra("sentiment", "classify", trained_sentiment, text).out.split("\t")
            assert line.split("\t")[0] == alone[0]
            assert float(line.split("\t")[1]) == pytest.approx(float(alone[1]), abs=2e-4)

    def test_json_has_every_probability(
        self, recurra: Command, trained_sentiment: Path, type_lines: Command, model: Model
    ) -> None:
        type_lines("\n".join(["", *LINES]).encode())
        value = json.loads(recurra("sentiment", "classify", trained_sentiment, "--json").out)
        assert value["count"] == 1 + len(LINES) == len(value["texts"])
        empty, *rest = value["texts"]
        assert empty == {"text": "", "label": None, "probability": None, "probabilities": None}
        assert {key: value[key] for key in empty} == empty
        for row, line, expected in zip(rest, LINES, model.probabilities(LINES), strict=True):
            assert row["text"] == line
            assert list(row["probabilities"]) == ["negative", "positive"]
            np.testing.assert_allclose(list(row["probabilities"].values()), expected, atol=1e-5)
            assert row["probability"] == max(row["probabilities"].values()) == row["probabilities"][row["label"]]
        type_lines(b"")
        assert json.loads(recurra("sentiment", "classify", trained_sentiment, "--json").out) == {
            "texts": [],
            "count": 0,
        }

    def test_unknown_words_are_told_once(self, recurra: Command, trained_sentiment: Path, type_lines: Command) -> None:
        type_lines(b"the zzz film was good\nzzz qqq\n")
        assert "never seen zzz qqq; read as" in " ".join(
            recurra("sentiment", "classify", trained_sentiment).err.split()
        )
        assert recurra("sentiment", "classify", trained_sentiment, "the film was good").err == ""

    def test_a_line_is_answered_before_the_next_one_comes(self, trained_sentiment: Path) -> None:
        command = [sys.executable, "-m", "recurra", "sentiment", "classify", str(trained_sentiment)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for line, label in ((b"the film was good\n", b"positive"), (b"the film was not good\n", b"negative")):
                process.stdin.write(line)
                process.stdin.flush()
                assert process.stdout.readline().startswith(label)
            process.stdin.close()
            assert process.stdout.read() == b""
            assert process.wait() == 0


class TestPython:
    def test_one_text_or_several_as_text_or_words(self, model: Model) -> None:
        one = model.classify(LINES[0])
        assert isinstance(one, Label)
        assert one.label == max(one.probabilities, key=lambda label: one.probabilities[label])
        several = model.classify([LINES[0], model.vocabulary.split(LINES[0])])
        assert [found.label for found in several] == [one.label] * 2
        assert several[0].probability == several[1].probability == pytest.approx(one.probability, abs=1e-6)
        assert model.classify([]) == []
        assert model.probabilities([]).shape == (0, 2)
        np.testing.assert_allclose(model.probabilities(LINES).sum(axis=1), 1)

    def test_many_texts_are_as_each_alone(self, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
        texts = [" ".join(LINES[n % 5].split()[: 1 + n % 4]) for n in range(40)]
        alone = np.concatenate([model.logits([text]) for text in texts])
        monkeypatch.setattr("recurra.tasks.sentiment.scoring.SCORING_SIZE", 20)
        np.testing.assert_allclose(model.logits(texts), alone, atol=1e-5)

    def test_a_temperature_makes_it_less_sure_and_no_other_answer(self, model: Model, sentiment_model: Path) -> None:
        config = json.loads((sentiment_model / "config.json").read_text())
        config["record"]["temperature"] = 1000.0
        (sentiment_model / "config.json").write_text(json.dumps(config))
        unsure = Model.load(sentiment_model)
        np.testing.assert_allclose(unsure.probabilities(LINES), 0.5, atol=0.02)
        assert [found.label for found in unsure.classify(LINES)] == [found.label for found in model.classify(LINES)]


class TestEvaluation:
    @pytest.fixture
    def table(self, tmp_path: Path) -> Path:
        rows = [("the film was good", "positive"), ("it was bad", "negative"), ("the meal was dull", "positive"),
                ("not good", "negative"), ("a\tlovely song", "positive"), ("not awful", "positive")]  # fmt: skip
        path = tmp_path / "test.csv"
        made = io.StringIO()
        csv.writer(made).writerows([("label", "text"), *((label, text) for text, label in rows)])
        path.write_text(made.getvalue())
        return path

    @pytest.mark.parametrize("name", ["answers.tsv", "answers.jsonl"])
    def test_figures_are_those_of_the_answers(
        self, recurra: Command, trained_sentiment: Path, table: Path, tmp_path: Path, name: str, model: Model
    ) -> None:
        options = ["--out", tmp_path / name, "--picture", tmp_path / "p.png", "--json"]
        answer = recurra("sentiment", "evaluate", trained_sentiment, table, *options)
        assert answer.status == 0, answer
        figures = json.loads(answer.out)
        assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
        lines = (tmp_path / name).read_text().splitlines()
        if name.endswith("tsv"):
            head, *cells = (line.split("\t") for line in lines)
            assert head == ["label", "answer", "probability", "p(negative)", "p(positive)", "text"]
            rows = [(row[0], row[1], [float(row[3]), float(row[4])], row[5]) for row in cells]
            assert rows[4][3] == "a lovely song"
        else:
            read = [json.loads(line) for line in lines]
            rows = [(row["label"], row["answer"], list(row["probabilities"].values()), row["text"]) for row in read]
            assert rows[4][3] == "a\tlovely song"
        assert figures["count"] == len(rows) == 6
        assert figures["accuracy"] == sum(row[0] == row[1] for row in rows) / 6
        labels = ["negative", "positive"]
        assert figures["nats"] == pytest.approx(
            -np.mean([np.log(row[2][labels.index(row[0])]) for row in rows]), rel=1e-3
        )
        assert figures["confusion"]["positive"]["negative"] == sum(row[:2] == ("positive", "negative") for row in rows)
        assert [score["label"] for score in figures["classes"]] == labels
        assert [score["count"] for score in figures["classes"]] == [2, 4]
        assert sum(part["count"] for part in figures["bins"]) == 6
        low, high = figures["ece_range"]
        assert 0 <= low <= high <= 1
        assert model.evaluate(table)["accuracy"] == figures["accuracy"]

    def test_a_table_for_people(self, recurra: Command, trained_sentiment: Path, table: Path) -> None:
        out = recurra("sentiment", "evaluate", trained_sentiment, table).out
        for part in ("accuracy", "ece ", "nats", "macro_f1", "count", "precision", "positive", "would give an ece of"):
            assert part in out

    def test_columns_by_number(self, recurra: Command, trained_sentiment: Path, tmp_path: Path) -> None:
        path = tmp_path / "t.tsv"
        path.write_text("positive\tx\tthe film was good\nnegative\ty\tthe film was bad\n")
        answer = recurra(
            "sentiment", "evaluate", trained_sentiment, path, "--columns", "3,1", "--header", "no", "--json"
        )
        assert json.loads(answer.out)["accuracy"] == 1.0


def test_what_is_told_of_a_model(model: Model, trained_sentiment: Path) -> None:
    card = (trained_sentiment / "README.md").read_text()
    assert "opinions.tsv, 356 texts, 120 steps" in card
    assert "accuracy 100.0%" in card
    assert 'recurra sentiment classify mood "not feeling happy"' in card
    assert model.labels == ["negative", "positive"]


def test_it_runs_where_the_weights_are(model: Model) -> None:
    assert model.device == torch.device("cpu")
    assert model.to("cpu") is model
