"""Sentence pairs to a translator and its use: every figure against another way to get it."""

from __future__ import annotations

import gzip
import html.parser
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu
import torch
from damage import snapshot

import recurra as package
from recurra import modelfile, translation
from recurra.config import from_dict
from recurra.data.languages import Languages
from recurra.data.tables import hold_out, open_pairs
from recurra.decoding.beam import Search
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.tasks.translation import Config, Model

Command = Callable[..., Any]
KINDS = ("characters", "bytes", "words", "pieces")

UNSEEN = ["hgfed", "aabb", "ahbg", "gdfcb", "bad", "head", "cab", "feed", "beach", "faded"]
"""Strings whose reversals can be asked for; some may be among the training pairs."""


def network_of(folder: Path) -> tuple[EncoderDecoder, Languages]:
    """The network and the languages of a model, put together by other code than the room's."""
    file = modelfile.load(folder, "translation")
    languages = Languages.from_json(file.vocabulary, "here")
    target_size = None if languages.joint else languages.target.size
    network = EncoderDecoder(languages.source.size, target_size, from_dict(Config, file.config, "here"))
    modelfile.fill(network, file.tensors, "here")
    return network, languages


@torch.no_grad()
def log_probs(folder: Path, pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
    """Log p of every symbol of targets and of their ends, given their sources, each by one run over the whole."""
    network, languages = network_of(folder)
    found = []
    for source, target in pairs:
        read = torch.from_numpy(languages.source.encode(source).astype(np.int64))[None]
        right = torch.from_numpy(languages.target.encode(target).astype(np.int64))[None]
        before = torch.cat([torch.tensor([[languages.target.start]]), right[:, :-1]], dim=1)
        logits = network(
            read, torch.ones_like(read, dtype=torch.bool), before, torch.ones_like(right, dtype=torch.bool)
        )
        found.append(logits.double().log_softmax(dim=-1).gather(1, right[0, :, None])[:, 0].tolist())
    return found


def nats(folder: Path, pairs: Sequence[tuple[str, str]]) -> float:
    """Mean -log p of the symbols of targets, their ends counted."""
    return -float(np.mean(np.concatenate(log_probs(folder, pairs))))


def translated(recurra: Command, folder: Path, *options: object) -> dict[str, Any]:
    answer = recurra("translation", "translate", folder, "--json", *options)
    assert answer.status == 0, answer
    assert answer.out.count("\n") == 1
    value = json.loads(answer.out)
    assert value["count"] == len(value["translations"])
    assert value["text"] == (value["translations"][0]["text"] if value["translations"] else "")
    return value


def lines_of(recurra: Command, folder: Path, *options: object) -> list[str]:
    answer = recurra("translation", "translate", folder, *options)
    assert answer.status == 0, answer
    assert answer.out.endswith("\n")
    return answer.out[:-1].split("\n")


def few(pairs_file: Path, count: int = 60) -> list[tuple[str, str]]:
    rows = (line.split("\t") for line in pairs_file.read_text(encoding="utf-8").splitlines()[:count])
    return [(source, target) for source, target in rows]


@pytest.fixture
def type_lines(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Have the next command find bytes on its standard input."""

    def put(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


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
        assert "reversals.tsv (1,350 pairs, 4 steps" in card
        train, held = hold_out(open_pairs([pairs_file]))
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
            command = ["translation", "train", pairs_file, "--held-out", *files, "--out", out]
            assert recurra(*command, *tiny_translation_options).status == 0
            record = modelfile.load(out).record
            assert record["pairs"] == 1500
            assert record["nats"] == pytest.approx(nats(out, held), abs=1e-5)
            assert all(name in record["held_out"] for name in names)
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
            "mixed.tsv": table.replace("\n", "\r\n", 20).replace("\n", "\r", 40).encode(),
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
        options = ["--symbols", "characters", "--held-out", tmp_path / "held.tsv", *tiny_translation_options]
        answer = recurra("translation", "train", "sample:dates", "--out", tmp_path / "m", *options)
        assert answer.status == 0, answer
        assert "sample:dates: 20,000 pairs" in answer.err
        file = modelfile.load(tmp_path / "m")
        assert set("0123456789-") == set(file.vocabulary["target"]["symbols"])

    def test_what_is_left_out_is_told_and_counted(
        self, recurra: Command, pairs_file: Path, tmp_path: Path, tiny_translation_options: list[str]
    ) -> None:
        good = "".join(f"{a}\t{b}\n" for a, b in few(pairs_file))
        bad = "abc\t\n" * 5 + "\tcba\n" + "   \t \n" + "alone\n" + " ".join(["abc"] * 10_000) + "\tabc\n"
        (tmp_path / "p.tsv").write_text(good + bad)
        options = ["--symbols", "words", "--min-count", 1, *tiny_translation_options]
        answer = recurra("translation", "train", tmp_path / "p.tsv", "--out", tmp_path / "m", *options)
        assert answer.status == 0, answer
        told = [line for line in answer.err.splitlines() if line.startswith("left out: ")]
        assert len(told) == 5
        for part in (
            "lines 61, 62, 63 and 2 more: the target is empty", "line 66: the source is empty",
            "line 67: nothing is there", "line 68: there is only one column", "1 pair(s) of more than 200 words",
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
        options = ["--encoding", "gb18030", "--symbols", "characters", "--held-out", tmp_path / "p.tsv"]
        command = ["translation", "train", tmp_path / "p.tsv", "--out", tmp_path / "m", *options]
        assert recurra(*command, *tiny_translation_options).status == 0
        (tmp_path / "lines.txt").write_text("春眠\n夜来\n", encoding="gb18030")
        answer = recurra("translation", "translate", tmp_path / "m", "--file", tmp_path / "lines.txt")
        assert (answer.status, answer.err.count("never seen")) == (0, 0)


class TestLearning:
    def test_it_has_learnt_to_reverse_strings_that_it_has_never_seen(
        self, recurra: Command, trained_translation: Path, pairs_file: Path
    ) -> None:
        train, held = hold_out(open_pairs([pairs_file]))
        assert not set(train.sources) & set(held.sources)
        made = Model.load(trained_translation).translate_all(held.sources)
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
        digits = {"one": "1", "two": "2", "three": "3", "four": "4"}
        pairs = [(f"{a} {b}", digits[a] + digits[b]) for a in digits for b in digits] * 4
        (tmp_path / "p.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
        sizes = {"steps": 300 if attention == "none" else 100, "hidden_size": 24, "num_layers": 2}
        config = Config(
            **tiny_translation | sizes,
            cell=cell,
            attention=attention,
            symbols="characters",
            learning_rate=0.02,
            label_smoothing=0.0,
            patience=0,
        )
        table = tmp_path / "p.tsv"
        model = translation.train(table, tmp_path / "m", config, held_out=table)
        figures = model.evaluate(table)
        assert figures["exact_match"] == 1.0, figures
        assert model.translate("three one") == "31"


class TestTranslating:
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
            assert "".join(each["symbols"]) == each["text"]
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
        translation.train(pairs_file, tmp_path / "b", Config(**options, symbols="characters", seed=5))
        both = [trained_translation, tmp_path / "b"]
        for first, second in (both, both[::-1]):
            best = translated(recurra, first, "beach", "--ensemble", second)["translations"][0]["n_best"][0]
            each = [np.exp(log_probs(folder, [("beach", best["text"])])[0]) for folder in both]
            np.testing.assert_allclose(np.exp(best["log_probs"]), np.mean(each, axis=0), atol=2e-4)

    def test_unknown_characters_are_named_once_and_answered(
        self, recurra: Command, trained_translation: Path, type_lines: Callable[[bytes], None]
    ) -> None:
        type_lines("abc\n春a眠 春\n \x07\n   \n".encode())
        answer = recurra("translation", "translate", trained_translation)
        assert answer.status == 0
        assert answer.out.count("\n") == 4
        assert answer.err == "the model has never seen 春 眠 ' ' '\\x07'; read as its unknown symbol\n"

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
        assert (answer.status, answer.err) == (0, "")
        rows = dict(line.split(maxsplit=1) for line in answer.out.splitlines()[:6])
        assert rows["chrf"] == f"{value['chrf']:.4f}"
        assert rows["count"] == "1,500"
        assert rows["signature"] == value["signature"]
        assert "100.0%" in answer.out.splitlines()[-1]


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


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_symbols_from_pairs_to_translations(
    recurra: Command, tmp_path: Path, tiny_translation_options: list[str], kind: str, joint: bool
) -> None:
    rows = [
        ("The cat, “naïve”, sat.", "春眠不觉晓。"),
        ("A dog ate the cat.", "处处闻啼鸟!"),
        ("Why? 🙂", "花落 知多少"),
    ]
    (tmp_path / "p.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows * 20), encoding="utf-8")
    options = ["--symbols", kind, "--joint" if joint else "--no-joint", "--vocabulary-size", 300]
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
        assert model.translate_all([]) == []
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
        made = model.outputs(UNSEEN, Search(n_best=3))
        for other in (loaded, copied):
            for mine, theirs in zip(made, other.outputs(UNSEEN, Search(n_best=3)), strict=True):
                assert [each.symbols for each in mine] == [each.symbols for each in theirs]
                assert [each.score for each in mine] == [each.score for each in theirs]
            for name, tensor in modelfile.unique_tensors(model.network).items():
                assert torch.equal(tensor, modelfile.unique_tensors(other.network)[name])
