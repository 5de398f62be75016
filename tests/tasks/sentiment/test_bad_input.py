"""Every bad input to the sentiment task: one line that says what is wrong and what to do, nothing half-written."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from damage import snapshot

from recurra import modelfile

Refused = Callable[..., str]
GOOD = "".join(f"text number {number} is here\t{'ab'[number % 2]}\n" for number in range(40))


@pytest.fixture
def train_refused(refused: Refused, tmp_path: Path, tiny_sentiment_options: list[str]) -> Refused:
    """A training that must be refused and leave the disk as it was."""

    def run(*arguments: object, **options: Any) -> str:
        before = snapshot(tmp_path)
        out = tmp_path / "new" / "model"
        message = refused("sentiment", "train", *arguments, "--out", out, *tiny_sentiment_options, **options)
        assert snapshot(tmp_path) == before, "something was left behind"
        return message

    return run


@pytest.fixture
def classify_refused(refused: Refused, trained_sentiment: Path, tmp_path: Path) -> Refused:
    def run(*arguments: object, model: Path = trained_sentiment, verb: str = "classify", **options: Any) -> str:
        before = snapshot(tmp_path)
        message = refused("sentiment", verb, model, *arguments, **options)
        assert snapshot(tmp_path) == before, "something was left behind"
        return message

    return run


def written(folder: Path, name: str, content: str | bytes) -> Path:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / name


class TestTraining:
    def test_nothing_or_what_is_not_there(self, train_refused: Refused, tmp_path: Path) -> None:
        assert "name a table of texts and labels, or sample:moods" in train_refused(status=2)
        good = written(tmp_path, "t.tsv", GOOD)
        assert "before --validation, which takes all the names" in train_refused("--validation", good, status=2)
        assert "there is no file or folder" in train_refused(tmp_path / "missing.tsv")
        assert "the samples are: sample:moods" in train_refused("sample:tempers")
        assert "give it alone" in train_refused("sample:moods", good)
        assert "missing" in train_refused(good, "--embeddings", tmp_path / "missing")

    @pytest.mark.parametrize("content", ["", "\n\n", " \t \n"])
    def test_empty(self, train_refused: Refused, tmp_path: Path, content: str) -> None:
        message = train_refused(written(tmp_path, "t.tsv", content))
        assert str(tmp_path / "t.tsv") in message
        assert "give" in message

    def test_no_labels(self, train_refused: Refused, tmp_path: Path) -> None:
        message = train_refused(written(tmp_path, "t.tsv", "only a text\n" * 30))
        assert "line 1: there is only one column (30 of 30 lines are wrong); give text and label" in message
        rows = "".join(f"text {number}\tother text {number}\n" for number in range(40))
        assert "40 different labels in 40 rows" in train_refused(written(tmp_path, "t.tsv", rows))
        rows = "".join(json.dumps({"body": f"text {number}"}) + "\n" for number in range(40))
        message = train_refused(written(tmp_path, "t.jsonl", rows))
        assert "does not say which of its columns are text and label" in message

    def test_one_class(self, train_refused: Refused, tmp_path: Path) -> None:
        rows = "".join(f"text {number}\tgood\n" for number in range(40))
        message = train_refused(written(tmp_path, "t.tsv", rows))
        assert "every text of t.tsv has the label 'good'; give texts of two labels" in message

    def test_too_few(self, train_refused: Refused, tmp_path: Path) -> None:
        few = "".join(GOOD.splitlines(keepends=True)[:5])
        assert "there are 5 texts in t.tsv; at least 10" in train_refused(written(tmp_path, "t.tsv", few))

    def test_a_column_that_is_not_there(self, train_refused: Refused, tmp_path: Path) -> None:
        path = written(tmp_path, "t.tsv", "said\tmood\n" + GOOD)
        message = train_refused(path, "--columns", "said,verdict")
        assert "has no column 'verdict'" in message
        assert "it has said ('text number" in message
        assert "mood ('a')" in message
        assert "give 2 names" in train_refused(path, "--columns", "said", status=2)

    def test_labels_of_the_validation_part(self, train_refused: Refused, tmp_path: Path) -> None:
        good = written(tmp_path, "t.tsv", GOOD)
        other = written(tmp_path, "v.tsv", GOOD + "a text\tmixed\n")
        message = train_refused(good, "--validation", other)
        assert (
            "v.tsv has 1 text(s) with the label 'mixed', which the training texts have not; they have a, b" in message
        )

    def test_options_that_do_nothing(self, train_refused: Refused, tmp_path: Path) -> None:
        good = written(tmp_path, "t.tsv", GOOD)
        assert "--hidden-size does nothing for --model average" in train_refused(good, "--model", "average", status=2)
        message = train_refused(good, "--freeze-embeddings", status=2)
        assert "--freeze-embeddings is about vectors that are begun from; give --embeddings too" in message
        assert "--min-count 99 times" in train_refused(good, "--min-count", 99)

    def test_wrongly_encoded(self, train_refused: Refused, tmp_path: Path) -> None:
        message = train_refused(written(tmp_path, "t.tsv", (GOOD + "caf\u00e9\ta\n").encode("latin-1")))
        assert "t.tsv, line 41: this is not utf-8; make it UTF-8 or name the right --encoding" in message

    @pytest.mark.parametrize(
        "rows",
        [
            [("\u2028", "a"), ("\u202eabc", "b"), ("e\u0301\u200d", "a")],
            [("\u3042\u3044", "\u611f"), ("\U0001f642", "\u60c5"), ("!", "\u611f")],
            [("x", "a b"), ("y", "$1_"), ("x", "$1_")],
        ],
    )
    def test_odd_texts_are_trained_on(
        self, recurra: Refused, tmp_path: Path, rows: list[tuple[str, str]], tiny_sentiment_options: list[str]
    ) -> None:
        content = "".join(f"{text} {number}\t{label}\n" for number in range(20) for text, label in rows)
        arguments = [written(tmp_path, "t.tsv", content), "--out", tmp_path / "m", *tiny_sentiment_options]
        assert recurra("sentiment", "train", *arguments).status == 0
        assert recurra("sentiment", "classify", tmp_path / "m", rows[0][0]).status == 0
        arguments = [tmp_path / "m", tmp_path / "t.tsv", "--picture", tmp_path / "p.png"]
        assert recurra("sentiment", "evaluate", *arguments).status == 0


class TestUse:
    def test_what_to_classify(self, classify_refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = written(tmp_path, "lines.txt", "a\n")
        assert "a text and --file are given" in classify_refused("abc", "--file", file, status=2)
        assert "--encoding says how --file encodes text" in classify_refused("abc", "--encoding", "latin-1", status=2)
        assert "missing.txt" in classify_refused("--file", tmp_path / "missing.txt")
        assert "lines.txt is empty" in classify_refused("--file", written(tmp_path, "lines.txt", ""))
        monkeypatch.setattr(sys, "stdin", None)
        assert "there is no standard input" in classify_refused()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe\xfa\n\xff")))
        assert "line 1 cannot be read as UTF-8" in classify_refused()

    def test_labels_the_model_does_not_know(self, classify_refused: Refused, tmp_path: Path) -> None:
        path = written(tmp_path, "t.tsv", "a text here\tpositive\nanother text here\tmixed\nthird text\tmixed\n")
        message = classify_refused(path, verb="evaluate")
        assert "t.tsv has 2 text(s) with the label 'mixed'" in message
        assert "they have negative, positive" in message

    def test_where_to_write(self, classify_refused: Refused, tmp_path: Path) -> None:
        path = written(tmp_path, "t.tsv", "a text here\tpositive\nanother text here\tnegative\n")
        message = classify_refused(path, "--out", tmp_path / "a.xlsx", verb="evaluate", status=2)
        assert "its name must end in .tsv or .jsonl" in message
        message = classify_refused(path, "--picture", tmp_path / "a.pdf", verb="evaluate", status=2)
        assert "its name must end in .png" in message
        (tmp_path / "folder.tsv").mkdir()
        message = classify_refused(path, "--out", tmp_path / "folder.tsv", verb="evaluate", status=2)
        assert "is a folder; give the name of a file" in message
        assert "name a table of texts" in classify_refused(verb="evaluate", status=2)

    @pytest.mark.parametrize("temperature", [None, 0.0, -1.0, "1"])
    def test_a_record_without_a_temperature(
        self, classify_refused: Refused, sentiment_model: Path, temperature: object
    ) -> None:
        config = json.loads((sentiment_model / "config.json").read_text())
        config["record"]["temperature"] = temperature
        (sentiment_model / "config.json").write_text(json.dumps(config))
        assert "the record of mood holds no temperature" in classify_refused("good", model=sentiment_model)

    def test_a_configuration_that_is_no_networks(self, classify_refused: Refused, sentiment_model: Path) -> None:
        path = sentiment_model / "config.json"
        config = json.loads(path.read_text())
        for change in ({"hidden_size": None}, {"hidden_size": 99}, {"model": "average"}, {"pooling": "min"}):
            path.write_text(json.dumps(config | {"config": config["config"] | change}))
            message = classify_refused("good", model=sentiment_model)
            assert "damaged" in message or "do not belong together" in message

    def test_weights_that_give_no_numbers(self, classify_refused: Refused, sentiment_model: Path) -> None:
        file = modelfile.load(sentiment_model)
        huge = {name: torch.full_like(file.tensors[name], 3e38) for name in ("output.weight", "output.bias")}
        tensors = dict(file.tensors) | huge
        modelfile.save(sentiment_model, replace(file, tensors=tensors), "")
        assert "the model's probabilities are not numbers" in classify_refused("good", model=sentiment_model)
