"""Text from a corpus to new writing: every figure against another way to get it."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import recurra as package
from recurra import modelfile, text
from recurra.config import from_dict
from recurra.data import tokenizer as tokenizers
from recurra.data.tokenizer import TokenKind
from recurra.decoding.sampling import Sampling
from recurra.errors import RecurraError
from recurra.models.language_model import LanguageModel
from recurra.tasks.text.config import Config, resolve
from recurra.tasks.text.growing import WrittenToken
from recurra.tasks.text.model import Model

Command = Callable[..., Any]
KINDS = ("characters", "bytes", "words", "subwords")

ENGLISH = "The cat, which already ate, was full. “No”, said the dog: ÿ!\n"
CHINESE = "春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。\n"


def network_of(folder: Path) -> tuple[LanguageModel, dict[str, int]]:
    """The network and the tokens of a model of characters, read by other code than the task's."""
    file = modelfile.load(folder, "text")
    tokens = {character: number for number, character in enumerate(file.vocabulary["tokens"], 1)}
    network = LanguageModel(len(tokens) + 1, from_dict(Config, file.config, "here"))
    modelfile.fill(network, file.tensors, "here")
    return network, tokens


def tokens_of(characters: str, tokens: dict[str, int]) -> Tensor:
    return torch.tensor([[tokens.get(character, 0) for character in characters]])


@torch.no_grad()
def log_probs(folder: Path, before: str, after: str) -> list[float]:
    """Log p of every character of `after`, by one run over the whole."""
    network, tokens = network_of(folder)
    whole = tokens_of(before + after, tokens)
    scores = network(whole)[0].double().log_softmax(dim=-1)[0, len(before) - 1 : -1]
    return scores.gather(1, whole[0, len(before) :, None])[:, 0].tolist()


def written(recurra: Command, folder: Path, *options: object) -> dict[str, Any]:
    answer = recurra("text", "write", folder, "--json", *options)
    assert answer.status == 0, answer
    assert answer.out.count("\n") == 1
    value = json.loads(answer.out)
    assert value["count"] == len(value["samples"])
    assert value["text"] == value["samples"][0]["text"]
    return value


class TestTraining:
    def test_a_model_folder_is_made_and_says_how_good_it_is(
        self, recurra: Command, corpus_file: Path, tmp_path: Path, tiny_options: list[str]
    ) -> None:
        out = tmp_path / "deep" / "bard"
        answer = recurra("text", "train", corpus_file, "--out", out, *tiny_options)
        assert (answer.status, answer.out) == (0, "")
        assert "validation" in answer.err
        assert f"recurra text write {out}" in answer.err
        assert {"config.json", "model.safetensors", "vocabulary.json", "README.md", "loss.png"} <= {
            path.name for path in out.iterdir()
        }
        assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
        assert [path.name for path in out.parent.iterdir()] == ["bard"]
        record = json.loads((out / "config.json").read_text(encoding="utf-8"))["record"]
        card = (out / "README.md").read_text(encoding="utf-8")
        assert corpus_file.name in card
        assert f"{record['nats']:.4f} nats" in card
        # A tenth is kept for validation, cut off the end, all of it but its first token scored.
        whole = corpus_file.read_text(encoding="utf-8")
        validation = whole[len(whole) - math.ceil(len(whole) / 10) :]
        assert record["nats"] == pytest.approx(-np.mean(log_probs(out, validation[0], validation[1:])), abs=1e-5)
        assert record["bits"] == pytest.approx(record["nats"] / math.log(2))

    def test_a_validation_file_is_what_is_scored(
        self, recurra: Command, corpus_file: Path, tmp_path: Path, tiny_options: list[str]
    ) -> None:
        (tmp_path / "held.txt").write_text("the dogs were not happy\n" * 5, encoding="utf-8")
        options = ["--validation", tmp_path / "held.txt", *tiny_options]
        assert recurra("text", "train", corpus_file, "--out", tmp_path / "m", *options).status == 0
        record = modelfile.load(tmp_path / "m").record
        validation = (tmp_path / "held.txt").read_text()
        assert record["nats"] == pytest.approx(
            -np.mean(log_probs(tmp_path / "m", validation[0], validation[1:])), abs=1e-5
        )
        assert "held.txt" in (tmp_path / "m" / "README.md").read_text(encoding="utf-8")

    def test_rare_characters_become_one_and_are_counted(
        self, recurra: Command, tmp_path: Path, tiny_options: list[str]
    ) -> None:
        (tmp_path / "c.txt").write_text("abcd efgh\n" * 200 + "春眠不觉晓", encoding="utf-8")
        answer = recurra("text", "train", tmp_path / "c.txt", "--out", tmp_path / "m", *tiny_options)
        assert answer.status == 0
        assert "5 characters (0.25 %) are not in the vocabulary" in answer.err
        assert modelfile.load(tmp_path / "m").record["unknown"] == 5

    def test_what_is_left_out_of_a_folder_is_said(
        self, recurra: Command, corpus_file: Path, tmp_path: Path, tiny_options: list[str]
    ) -> None:
        folder = tmp_path / "texts"
        folder.mkdir()
        (folder / "good.txt").write_bytes(corpus_file.read_bytes())
        (folder / "broken.txt").write_bytes(b"broken \xff")
        (folder / "notes.pdf").write_bytes(b"%PDF")
        answer = recurra("text", "train", folder, "--out", tmp_path / "m", *tiny_options)
        assert answer.status == 0
        assert "broken.txt" in answer.err
        assert "1 file(s) left out" in answer.err

    def test_a_text_in_another_encoding(self, recurra: Command, tmp_path: Path, tiny_options: list[str]) -> None:
        (tmp_path / "c.txt").write_text(CHINESE * 60, encoding="gb18030")
        options = ["--encoding", "gb18030", *tiny_options]
        assert recurra("text", "train", tmp_path / "c.txt", "--out", tmp_path / "m", *options).status == 0
        assert "春" in modelfile.load(tmp_path / "m").vocabulary["tokens"]
        evaluate = ["text", "evaluate", tmp_path / "m", tmp_path / "c.txt", "--json"]
        assert json.loads(recurra(*evaluate, "--encoding", "gb18030").out)["unknown"] == 0
        # A file is what it is, whatever the model was trained on.
        assert "name the right one with --encoding" in recurra(*evaluate).err
        (tmp_path / "c.txt").write_text(CHINESE * 60, encoding="utf-8")
        assert json.loads(recurra(*evaluate).out)["unknown"] == 0

    def test_a_file_whose_name_is_no_text(
        self, recurra: Command, corpus_file: Path, tmp_path: Path, tiny_options: list[str]
    ) -> None:
        try:
            path = tmp_path / "corp\udcffs.txt"
            path.write_bytes(corpus_file.read_bytes())
        except (OSError, UnicodeError):
            pytest.skip("this file system has only names that are text")
        assert recurra("text", "train", path, "--out", tmp_path / "m", *tiny_options).status == 0
        assert Model.load(tmp_path / "m").record["data"] == "corp\udcffs.txt"


class TestWriting:
    def test_the_same_seed_writes_the_same_and_another_something_else(
        self, recurra: Command, trained_folder: Path
    ) -> None:
        def write(*options: object) -> str:
            answer = recurra("text", "write", trained_folder, "--length", 60, *options)
            assert (answer.status, answer.err) == (0, "")
            return str(answer.out)

        assert write("--seed", 7) == write("--seed", 7)
        assert len({write("--seed", seed) for seed in range(5)} | {write(), write()}) == 7
        assert len(write("--seed", 1)) == 61  # and the last line end

    def test_json_is_the_text_with_its_log_probabilities(self, recurra: Command, trained_folder: Path) -> None:
        plain = recurra("text", "write", trained_folder, "--length", 40, "--seed", 3, "--prompt", "The cat").out
        value = written(recurra, trained_folder, "--length", 40, "--seed", 3, "--prompt", "The cat")
        assert plain == value["text"] + "\n"
        assert value["seed"] == 3
        one = value["samples"][0]
        assert one["text"] == "The cat" + "".join(one["tokens"])
        assert len(one["tokens"]) == len(one["log_probs"]) == 40
        expected = log_probs(trained_folder, "The cat", "".join(one["tokens"]))
        np.testing.assert_allclose(one["log_probs"], expected, atol=2e-5)

    def test_without_a_prompt_it_begins_as_after_a_line_end(self, recurra: Command, trained_folder: Path) -> None:
        one = written(recurra, trained_folder, "--length", 30, "--seed", 5)["samples"][0]
        np.testing.assert_allclose(one["log_probs"], log_probs(trained_folder, "\n", one["text"]), atol=2e-5)
        assert written(recurra, trained_folder, "--length", 30, "--seed", 5, "--prompt", "")["text"] == one["text"]

    @pytest.mark.parametrize("options", [["--top-k", 1], ["--greedy"], ["--temperature", 0.0001]])
    def test_the_likeliest_text(self, recurra: Command, trained_folder: Path, options: list[object]) -> None:
        network, tokens = network_of(trained_folder)
        characters = {number: character for character, number in tokens.items()}
        expected = "The "
        for _ in range(20):
            with torch.no_grad():
                logits = network(tokens_of(expected, tokens))[0][0, -1]
            logits[0] = -math.inf  # the unknown token is never written
            expected += characters[int(logits.argmax())]
        assert written(recurra, trained_folder, "--prompt", "The ", "--length", 20, *options)["text"] == expected

    def test_samples_of_all_seeds_are_different(self, recurra: Command, trained_folder: Path) -> None:
        options = ["--length", 25, "--prompt", "Was"]
        value = written(recurra, trained_folder, "--samples", 3, "--seed", 10, *options)
        texts = [sample["text"] for sample in value["samples"]]
        assert len(set(texts)) == 3
        assert written(recurra, trained_folder, "--seed", 10, *options)["text"] == texts[0]
        others = [written(recurra, trained_folder, "--seed", seed, *options)["text"] for seed in (11, 12, 10**30)]
        assert not set(others) & set(texts), "sample n of a seed is no sample of another"
        shown = recurra("text", "write", trained_folder, "--samples", 3, "--seed", 10, *options).out
        assert shown == "\n\n".join(texts) + "\n"

    def test_a_seed_nobody_chose_is_told_and_works(self, recurra: Command, trained_folder: Path) -> None:
        value = written(recurra, trained_folder, "--length", 20)
        assert written(recurra, trained_folder, "--length", 20, "--seed", value["seed"])["text"] == value["text"]

    @pytest.mark.parametrize("stop", ["e", "\n", "he", " a", "."])
    def test_it_ends_before_the_string_to_stop_at(self, recurra: Command, trained_folder: Path, stop: str) -> None:
        options = ["--length", 300, "--seed", 2, "--prompt", f"{stop}x"]
        free = written(recurra, trained_folder, *options)
        begin = len(stop) + 1
        place = free["text"].find(stop, begin)
        expected = free["text"][: place if place >= 0 else None]
        stopped = written(recurra, trained_folder, "--stop", stop, *options)
        assert stopped["text"] == expected
        assert "".join(stopped["samples"][0]["tokens"]) == expected[begin:]
        count = len(stopped["samples"][0]["tokens"])
        assert stopped["samples"][0]["log_probs"] == free["samples"][0]["log_probs"][:count]

    def test_stop_may_lie_across_several_tokens_and_at_the_very_end(self) -> None:
        model = Parrot("one two three")
        for stop, expected in [
            ("two", "one "),
            ("o t", "one tw"),
            ("one", ""),
            ("ee", "one two thr"),
            ("eex", "one two three"),
            ("wo three", "one t"),
            ("zzz", "one two three"),
        ]:
            assert "".join(piece.text for piece in model.generate("", length=13, stop=stop)) == expected

    def test_a_prompt_with_unknown_characters_is_answered_and_they_are_named(
        self, recurra: Command, trained_folder: Path
    ) -> None:
        answer = recurra("text", "write", trained_folder, "--length", 5, "--prompt", "cat 春猫 春")
        assert answer.status == 0
        assert answer.out.startswith("cat 春猫 春")
        assert answer.err.count("\n") == 1
        assert all(character in answer.err for character in "春猫")
        assert "cat" not in answer.err
        one = written(recurra, trained_folder, "--length", 5, "--seed", 1, "--prompt", "cat 春")["samples"][0]
        expected = log_probs(trained_folder, "cat 春", "".join(one["tokens"]))
        np.testing.assert_allclose(one["log_probs"], expected, atol=2e-5)

    def test_the_unknown_token_is_never_written(self, tmp_path: Path, tiny: dict[str, Any]) -> None:
        # Nearly half of this text is unknown, so that the model would write little else.
        rare = "".join(chr(0x4E00 + number) for number in range(900))
        (tmp_path / "c.txt").write_text("ab" * 500 + rare, encoding="utf-8")
        model = text.train(tmp_path / "c.txt", tmp_path / "m", Config(**tiny))
        made = model.write("a", length=300, sampling=Sampling(temperature=5.0, seed=1))
        assert set(made) <= {"a", "b"}

    @pytest.mark.parametrize("kind", ["words", "subwords"])
    def test_a_space_at_the_end_of_a_prompt_is_the_next_tokens(self, tiny: dict[str, Any], kind: TokenKind) -> None:
        tokenizer = tokenizers.build(kind, ["The cat sat on the mat.\n"], 300, 1)
        config = resolve(Config(**tiny), 1000, tokenizer.size)
        model = Model(Model.build(config, tokenizer), tokenizer, config, {}, "m")
        spaced = [token for token in range(1, tokenizer.size) if tokenizer.piece(token).startswith(b" ")]
        for seed in range(5):
            sampling = Sampling(temperature=5.0, seed=seed)
            pieces = list(model.generate("The ", length=4, sampling=sampling))
            assert pieces[0].token in spaced
            show = tokenizers.decoder()
            made = "".join(show(tokenizer.piece(piece.token)) for piece in pieces)
            assert model.write("The ", length=4, sampling=sampling) == "The" + made
        assert model.unknown_in("The ") == []


class Parrot(Model):
    """A model that says one thing."""

    def __init__(self, words: str) -> None:
        self.words = words

    def stream(self, prompt: str = "", **options: Any) -> Any:
        return (WrittenToken(character, 0, 0.0) for character in self.words)


class TestMeasuring:
    def test_nats_are_the_cross_entropy(self, recurra: Command, trained_folder: Path, tmp_path: Path) -> None:
        (tmp_path / "new.txt").write_text(ENGLISH * 20, encoding="utf-8")
        value = json.loads(recurra("text", "evaluate", trained_folder, tmp_path / "new.txt", "--json").out)
        assert {"nats", "bits", "perplexity", "count"} <= value.keys()
        expected = -np.mean(log_probs(trained_folder, ENGLISH[0], (ENGLISH * 20)[1:]))
        assert value["nats"] == pytest.approx(expected, abs=1e-5)
        assert value["bits"] == pytest.approx(expected / math.log(2), abs=1e-5)
        assert value["perplexity"] == pytest.approx(math.exp(expected), rel=1e-4)
        assert value["count"] == 20 * len(ENGLISH) - 1
        known = set(modelfile.load(trained_folder).vocabulary["tokens"])
        assert value["unknown"] == 20 * sum(character not in known for character in ENGLISH)
        assert value["unknown"] > 0

    def test_the_table_shows_the_same(self, recurra: Command, trained_folder: Path, corpus_file: Path) -> None:
        value = json.loads(recurra("text", "evaluate", trained_folder, corpus_file, "--json").out)
        answer = recurra("text", "evaluate", trained_folder, corpus_file)
        rows = dict(line.split() for line in answer.out.splitlines())
        assert float(rows["nats"]) == pytest.approx(value["nats"], abs=5e-5)  # a last zero is not shown
        assert rows["count"] == f"{value['count']:,}"

    def test_dynamic_evaluation_leaves_the_model_as_it_was(
        self, recurra: Command, model_folder: Path, corpus_file: Path
    ) -> None:
        before = {path.name: path.read_bytes() for path in model_folder.iterdir() if path.is_file()}
        model = Model.load(model_folder)
        still = model.evaluate(corpus_file)
        moving = model.evaluate(corpus_file, dynamic=True)
        assert moving["count"] == still["count"]
        assert math.isfinite(moving["nats"])
        assert moving["nats"] != still["nats"]
        assert model.evaluate(corpus_file) == still
        answer = recurra("text", "evaluate", model_folder, corpus_file, "--dynamic", "--json")
        assert json.loads(answer.out)["nats"] == pytest.approx(moving["nats"], rel=1e-6)
        assert {path.name: path.read_bytes() for path in model_folder.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_tokens_from_corpus_to_writing(
    recurra: Command, tmp_path: Path, tiny_options: list[str], kind: str
) -> None:
    corpus = (ENGLISH + CHINESE) * 40
    (tmp_path / "c.txt").write_text(corpus, encoding="utf-8")
    options = ["--tokens", kind, "--vocabulary-size", 300, *tiny_options]
    folder = tmp_path / "m"
    answer = recurra("text", "train", tmp_path / "c.txt", "--out", folder, *options)
    assert answer.status == 0, answer
    figures = json.loads(recurra("text", "evaluate", folder, tmp_path / "c.txt", "--json").out)
    if kind == "characters":
        assert figures["count"] == len(corpus) - 1
    if kind == "bytes":
        assert figures["count"] == len(corpus.encode()) - 1
    assert 0 < figures["count"] < len(corpus.encode())
    assert figures["unknown"] == 0
    value = written(recurra, folder, "--length", 60, "--seed", 1, "--prompt", "春眠不")
    assert value["text"] == "春眠不" + "".join(value["samples"][0]["tokens"])
    assert len(value["samples"][0]["log_probs"]) == 60
    value["text"].encode()  # whole characters only
    assert (
        recurra("text", "write", folder, "--length", 60, "--seed", 1, "--prompt", "春眠不").out == value["text"] + "\n"
    )
    answer = recurra("text", "write", folder, "--length", 3, "--prompt", "🙂")
    assert answer.status == 0
    assert ("🙂" in answer.err) == (kind in ("characters", "words"))


class TestInfoAndPython:
    def test_info_is_what_the_folder_says(self, recurra: Command, trained_folder: Path) -> None:
        value = json.loads(recurra("info", trained_folder, "--json").out)
        network, _ = network_of(trained_folder)
        assert value["task"] == "text"
        assert value["parameters"] == sum(parameter.numel() for parameter in network.parameters())
        assert value["config"]["hidden_size"] == 8
        assert value["record"] == modelfile.load(trained_folder).record
        answer = recurra("info", trained_folder)
        assert f"{value['parameters']:,}" in answer.out
        assert "hidden_size" in answer.out

    def test_python_is_the_command_line(self, recurra: Command, trained_folder: Path, corpus_file: Path) -> None:
        model = package.load(str(trained_folder))
        assert isinstance(model, package.text.Model)
        made = model.write("The cat", length=30, sampling=Sampling(seed=4))
        assert made == written(recurra, trained_folder, "--prompt", "The cat", "--length", 30, "--seed", 4)["text"]
        figures = json.loads(recurra("text", "evaluate", trained_folder, corpus_file, "--json").out)
        assert model.evaluate(str(corpus_file)) == pytest.approx(figures)

    def test_a_trained_model_is_the_one_that_is_loaded(
        self, corpus_file: Path, tmp_path: Path, tiny: dict[str, Any]
    ) -> None:
        model = text.train(str(corpus_file), str(tmp_path / "m"), Config(**tiny))
        loaded = Model.load(tmp_path / "m")
        assert loaded.config == model.config
        assert loaded.record == model.record
        assert loaded.write("a", length=50, sampling=Sampling(seed=1)) == model.write(
            "a", length=50, sampling=Sampling(seed=1)
        )
        for name, tensor in modelfile.unique_tensors(model.network).items():
            assert torch.equal(tensor, modelfile.unique_tensors(loaded.network)[name])
        model.save(tmp_path / "copy")
        assert Model.load(tmp_path / "copy").write("a", length=50, sampling=Sampling(seed=1)) == model.write(
            "a", length=50, sampling=Sampling(seed=1)
        )

    def test_the_same_seed_trains_the_same_model(self, corpus_file: Path, tmp_path: Path, tiny: dict[str, Any]) -> None:
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            text.train(corpus_file, tmp_path / name, Config(**tiny, seed=seed))
        weights = {name: (tmp_path / name / "model.safetensors").read_bytes() for name in "abc"}
        assert weights["a"] == weights["b"]
        assert weights["a"] != weights["c"]

    def test_a_model_of_a_task_unknown_here(self, model_folder: Path) -> None:
        config = json.loads((model_folder / "config.json").read_text())
        (model_folder / "config.json").write_text(json.dumps(config | {"task": "os.path"}))
        with pytest.raises(RecurraError, match=r"is a os\.path model, which this version does not know; update"):
            package.load(str(model_folder))
