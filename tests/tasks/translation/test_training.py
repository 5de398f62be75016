"""Sentence pairs to a translator, from tables and files of every kind: what is learned, kept and told."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damage import snapshot
from translating import lines_of, nats, translated

from recurra import modelfile, translation
from recurra.tasks.translation.config import Config, resolve
from recurra.tasks.translation.data import open_pairs, read_data, split_validation
from recurra.tasks.translation.model import Model

Command = Callable[..., Any]
KINDS = ("characters", "bytes", "words", "subwords")


def few(pairs_file: Path, count: int = 60) -> list[tuple[str, str]]:
    rows = (line.split("\t") for line in pairs_file.read_text(encoding="utf-8").splitlines()[:count])
    return [(source, target) for source, target in rows]


class TestTraining:
    def test_a_model_folder_is_made_and_says_how_good_it_is(
        self, recurra: Command, pairs_file: Path, tmp_path: Path, tiny_translation_options: list[str]
    ) -> None:
        out = tmp_path / "deep" / "model"
        answer = recurra("translation", "train", pairs_file, "--out", out, *tiny_translation_options)
        assert (answer.status, answer.out) == (0, "")
        assert f"recurra translation translate {out}" in answer.err
        assert {"config.json", "model.safetensors", "vocabulary.json", "README.md", "loss.png"} <= {
            path.name for path in out.iterdir()
        }
        assert [path.name for path in out.parent.iterdir()] == ["model"]
        record = json.loads((out / "config.json").read_text(encoding="utf-8"))["record"]
        card = (out / "README.md").read_text(encoding="utf-8")
        assert f"{record['nats']:.4f} nats" in card
        assert "150 pairs drawn from it" in card
        assert "reversals.tsv, 1,350 pairs, 4 steps" in card
        train, held = split_validation(open_pairs([pairs_file]))
        assert record["pairs"] == len(train)
        assert record["nats"] == pytest.approx(nats(out, list(zip(held.sources, held.targets, strict=True))), abs=1e-5)

    def test_one_or_two_files_to_hold_out(
        self, recurra: Command, pairs_file: Path, tmp_path: Path, tiny_translation_options: list[str]
    ) -> None:
        held = [("abc", "cba"), ("hgf", "fgh"), ("a b", "b a")]
        (tmp_path / "held.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in held))
        (tmp_path / "held.a").write_text("".join(f"{a}\n" for a, _ in held))
        (tmp_path / "held.b").write_text("".join(f"{b}\n" for _, b in held))
        models = []
        for number, names in enumerate([["held.tsv"], ["held.a", "held.b"]]):
            out = tmp_path / str(number)
            files = [tmp_path / name for name in names]
            command = ["translation", "train", pairs_file, "--validation", *files, "--out", out]
            assert recurra(*command, *tiny_translation_options).status == 0
            record = modelfile.load(out).record
            assert record["pairs"] == 1500
            assert record["nats"] == pytest.approx(nats(out, held), abs=1e-5)
            assert all(name in record["validation"] for name in names)
            models.append((out / "model.safetensors").read_bytes())
        assert models[0] == models[1]

    def test_however_the_pairs_are_packed_the_model_is_the_same(
        self, pairs_file: Path, tmp_path: Path, tiny_translation: dict[str, Any]
    ) -> None:
        rows = few(pairs_file)
        table = "".join(f"{a}\t{b}\n" for a, b in rows)
        parallel = ["".join(row[side] + "\n" for row in rows) for side in (0, 1)]
        files: dict[str, bytes] = {
            "p.tsv": table.encode(),
            "p.tsv.gz": gzip.compress(table.encode()),
            "h.tsv": ("target\tsource\n" + "".join(f"{b}\t{a}\n" for a, b in rows)).encode(),
            "dos.tsv": b"\xef\xbb\xbf" + table.replace("\n", "\r\n").encode(),
            "mixed.tsv": table.replace("\n", "\r\n", 20).encode(),
            "mac.tsv": table.replace("\n", "\r").encode(),
            "p.csv": "".join(f'"{a}",{b}\n' for a, b in rows).encode(),
            "p.jsonl": "".join(json.dumps({"source": a, "target": b}) + "\n" for a, b in rows).encode(),
            "p.a": parallel[0].encode(),
            "p.b": parallel[1].encode(),
            "p.b.gz": gzip.compress(parallel[1].encode()),
        }
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        packings = [[name] for name in files if not name.startswith(("p.a", "p.b"))]
        weights = {}
        for number, names in enumerate([*packings, ["p.a", "p.b"], ["p.a", "p.b.gz"]]):
            out = tmp_path / f"m{number}"
            translation.train([tmp_path / name for name in names], out, Config(**tiny_translation))
            weights[" ".join(names)] = (out / "model.safetensors").read_bytes()
        assert {names for names in weights if weights[names] != weights["p.tsv"]} == set()

    def test_dates_are_a_sample(self, recurra: Command, tmp_path: Path, tiny_translation_options: list[str]) -> None:
        (tmp_path / "held.tsv").write_text("1. Mai 1999\t1999-05-01\n")
        options = ["--tokens", "characters", "--validation", tmp_path / "held.tsv", *tiny_translation_options]
        answer = recurra("translation", "train", "sample:dates", "--out", tmp_path / "m", *options)
        assert answer.status == 0, answer
        assert "sample:dates: 20,000 pairs" in answer.err
        file = modelfile.load(tmp_path / "m")
        assert set("0123456789-") == set(file.vocabulary["target"]["tokens"])

    def test_what_is_left_out_is_told_and_counted(
        self, recurra: Command, pairs_file: Path, tmp_path: Path, tiny_translation_options: list[str]
    ) -> None:
        good = "".join(f"{a}\t{b}\n" for a, b in few(pairs_file))
        bad = "abc\t\n" * 5 + "\tcba\n" + "   \t \n" + "alone\n" + " ".join(["abc"] * 10_000) + "\tabc\n"
        (tmp_path / "p.tsv").write_text(good + bad)
        options = ["--tokens", "words", "--min-count", 1, *tiny_translation_options]
        answer = recurra("translation", "train", tmp_path / "p.tsv", "--out", tmp_path / "m", *options)
        assert answer.status == 0, answer
        told = [line for line in answer.err.splitlines() if line.startswith("left out: ")]
        assert len(told) == 5
        assert "read as the unknown token in the validation pairs: " in answer.err
        for part in (
            "lines 61, 62, 63 and 2 more: the target is empty", "line 66: the source is empty",
            "line 67: nothing is there", "line 68: there is only one column",
            "1 pair(s) of more than 200 words a side (--longest)",
        ):  # fmt: skip
            assert sum(part in line for line in told) == 1, part
        train = modelfile.load(tmp_path / "m").record["pairs"]
        assert 60 * 0.8 < train <= 60 * 0.9 + 1

    def test_the_same_seed_trains_the_same_model(
        self, pairs_file: Path, tmp_path: Path, tiny_translation: dict[str, Any]
    ) -> None:
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            translation.train(pairs_file, tmp_path / name, Config(**tiny_translation, seed=seed))
        weights = {name: (tmp_path / name / "model.safetensors").read_bytes() for name in "abc"}
        assert weights["a"] == weights["b"]
        assert weights["a"] != weights["c"]

    def test_a_finished_run_goes_on(
        self, recurra: Command, pairs_file: Path, tmp_path: Path, tiny_translation_options: list[str]
    ) -> None:
        command = ["translation", "train", pairs_file, "--out", tmp_path / "m", *tiny_translation_options]
        assert recurra(*command).status == 0
        before = snapshot(tmp_path / "m")
        assert recurra(*command).status == 1
        assert snapshot(tmp_path / "m") == before
        more = [7 if last == "--steps" else each for last, each in zip(["", *command], command, strict=False)]
        assert recurra(*more, "--resume").status == 0
        record = modelfile.load(tmp_path / "m").record
        assert record["steps"] == 7
        assert recurra(*command, "--overwrite").status == 0
        again = snapshot(tmp_path / "m")
        assert again["model.safetensors"] == before["model.safetensors"]
        assert [path.name for path in tmp_path.iterdir()] == ["m"]

    def test_a_text_in_another_encoding(
        self, recurra: Command, tmp_path: Path, tiny_translation_options: list[str]
    ) -> None:
        (tmp_path / "p.tsv").write_text("春眠\t不觉\n处处闻\t啼鸟\n夜来\t风雨声\n" * 20, encoding="gb18030")
        options = ["--encoding", "gb18030", "--tokens", "characters", "--validation", tmp_path / "p.tsv"]
        command = ["translation", "train", tmp_path / "p.tsv", "--out", tmp_path / "m", *options]
        assert recurra(*command, *tiny_translation_options).status == 0
        (tmp_path / "lines.txt").write_text("春眠\n夜来\n", encoding="gb18030")
        translate = ["translation", "translate", tmp_path / "m", "--file", tmp_path / "lines.txt"]
        answer = recurra(*translate, "--encoding", "gb18030")
        assert (answer.status, answer.err.count("never seen")) == (0, 0)
        # A file is what it is, whatever the model was trained on.
        answer = recurra(*translate)
        assert (answer.status, answer.out) == (1, "")
        assert "lines.txt, line 1: this is not utf-8; make it UTF-8 or name the right --encoding" in answer.err
        (tmp_path / "lines.txt").write_text("春眠\n夜来\n", encoding="utf-8")
        answer = recurra(*translate)
        assert (answer.status, answer.err.count("never seen")) == (0, 0)
        evaluate = ["translation", "evaluate", tmp_path / "m", tmp_path / "p.tsv"]
        assert recurra(*evaluate, "--encoding", "gb18030").status == 0
        assert "p.tsv, line 1: this is not utf-8; make it UTF-8 or name the right --encoding" in recurra(*evaluate).err

    def test_one_wrong_pair_does_not_make_all_outputs_longer(self, tmp_path: Path, pairs_file: Path) -> None:
        rows = few(pairs_file, 200)
        ratios = []
        for number, more in enumerate(([], [("a", "ab" * 90)], [(rows[0][0], 2 * rows[0][1])])):
            path = tmp_path / f"{number}.tsv"
            path.write_text("".join(f"{a}\t{b}\n" for a, b in [*rows, *more]))
            data = read_data([path], [], Config(tokens="characters"))
            ratios.append(resolve(data.config, data.train).max_ratio)
        assert ratios[0] == ratios[2] == pytest.approx(1, abs=0.11)
        assert ratios[1] < 4

    @pytest.mark.parametrize("cell", ["lstm", "gru"])
    @pytest.mark.parametrize("attention", ["additive", "multiplicative", "none"])
    def test_half_precision_comes_to_the_same_to_its_digits(
        self, pairs_file: Path, tmp_path: Path, tiny_translation: dict[str, Any], cell: Any, attention: Any
    ) -> None:
        losses = []
        for precision in ("float32", "bfloat16"):
            config = Config(**tiny_translation | {"precision": precision, "cell": cell, "attention": attention})
            losses.append(translation.train(pairs_file, tmp_path / precision, config).evaluate(pairs_file)["nats"])
        assert losses[0] != losses[1]
        assert losses[0] == pytest.approx(losses[1], rel=0.01)


class TestLearning:
    def test_it_has_learnt_to_reverse_strings_that_it_has_never_seen(
        self, recurra: Command, trained_translation: Path, pairs_file: Path
    ) -> None:
        train, held = split_validation(open_pairs([pairs_file]))
        assert not set(train.sources) & set(held.sources)
        made = Model.load(trained_translation).translate(held.sources)
        assert made == [source[::-1] for source in held.sources]

    def test_it_looks_at_the_letter_it_writes(self, recurra: Command, trained_translation: Path) -> None:
        """The map of a reversal is the other diagonal; an attention that is off by one would show."""
        value = translated(recurra, trained_translation, "abcd")
        weights = np.array(value["translations"][0]["n_best"][0]["attention"])
        near = [abs(int(row.argmax()) - (3 - place)) <= 1 for place, row in enumerate(weights[:4])]
        assert all(near), weights

    @pytest.mark.parametrize("cell", ["lstm", "gru"])
    @pytest.mark.parametrize("attention", ["additive", "multiplicative", "none"])
    def test_every_kind_of_network_learns(
        self, tmp_path: Path, tiny_translation: dict[str, Any], cell: Any, attention: Any
    ) -> None:
        digits = {"one": "1", "two": "2", "three": "3"}
        pairs = [(f"{a} {b}", digits[a] + digits[b]) for a in digits for b in digits] * 6
        (tmp_path / "p.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
        sizes = {"steps": 200 if attention == "none" else 80, "hidden_size": 24, "num_layers": 2}
        config = Config(
            **tiny_translation | sizes,
            cell=cell,
            attention=attention,
            tokens="characters",
            learning_rate=0.02,
            label_smoothing=0.0,
            patience=0,
        )
        table = tmp_path / "p.tsv"
        model = translation.train(table, tmp_path / "m", config, validation=table)
        figures = model.evaluate(table)
        assert figures["exact_match"] == 1.0, figures
        assert model.translate("three one") == "31"


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_tokens_from_pairs_to_translations(
    recurra: Command, tmp_path: Path, tiny_translation_options: list[str], kind: str, joint: bool
) -> None:
    rows = [
        ("The cat, “naïve”, sat.", "春眠 不觉晓 。"),
        ("A dog ate the cat.", "处处 闻 啼鸟!"),
        ("Why? 🙂", "花落 知多少"),
    ]
    (tmp_path / "p.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows * 20), encoding="utf-8")
    options = ["--tokens", kind, "--joint" if joint else "--no-joint", "--vocabulary-size", 300]
    command = ["translation", "train", tmp_path / "p.tsv", "--out", tmp_path / "m", *options]
    answer = recurra(*command, *tiny_translation_options)
    assert answer.status == 0, answer
    assert ("for both sides" in answer.err) == joint
    assert ("target" in modelfile.load(tmp_path / "m").vocabulary) != joint
    (tmp_path / "in.txt").write_text("".join(f"{a}\n" for a, _ in rows), encoding="utf-8")
    lines = lines_of(recurra, tmp_path / "m", "--file", tmp_path / "in.txt")
    assert len(lines) == 3
    value = translated(recurra, tmp_path / "m", "--file", tmp_path / "in.txt", "--n-best", 2)
    assert [one["text"] for one in value["translations"]] == lines
    answer = recurra("translation", "evaluate", tmp_path / "m", tmp_path / "p.tsv", "--json")
    assert json.loads(answer.out)["nats"] == pytest.approx(nats(tmp_path / "m", rows), abs=1e-4)
    answer = recurra("translation", "translate", tmp_path / "m", "♫")
    assert answer.status == 0
    assert ("♫" in answer.err) == (kind in ("characters", "words"))
