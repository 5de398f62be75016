"""Every bad input to the text task: one line that says what is wrong and what to do, nothing half-written."""

import errno
import gzip
import json
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from damage import alter_config, enlarge, flip, seal, snapshot, truncate
from safetensors.torch import load_file, save_file

from recurra import modelfolder

Refused = Callable[..., str]


@pytest.fixture
def train_refused(refused: Refused, tmp_path: Path, tiny_options: list[str]) -> Refused:
    """A training that must be refused and leave the disk as it was."""

    def run(*arguments: object, **options: Any) -> str:
        if "--out" not in arguments:
            arguments += ("--out", tmp_path / "bard")
        before = snapshot(tmp_path)
        message = refused("text", "train", *arguments, *tiny_options, **options)
        assert snapshot(tmp_path) == before, "something was left behind"
        return message

    return run


class TestCorpus:
    def test_missing(self, train_refused: Refused, tmp_path: Path) -> None:
        message = train_refused(tmp_path / "missing.txt")
        assert "missing.txt" in message
        assert "check the name" in message

    def test_missing_with_a_place_in_new_folders(self, train_refused: Refused, tmp_path: Path) -> None:
        train_refused(tmp_path / "missing.txt", "--out", tmp_path / "new" / "deep" / "bard")

    def test_empty(self, train_refused: Refused, tmp_path: Path) -> None:
        (tmp_path / "empty.txt").write_bytes(b"")
        assert "empty.txt is empty; give a file with text in it" in train_refused(tmp_path / "empty.txt")

    @pytest.mark.parametrize("options", [[], ["--encoding", "latin-1"], ["--tokens", "words"]], ids=" ".join)
    def test_binary(self, train_refused: Refused, tmp_path: Path, options: list[str]) -> None:
        noise = np.random.default_rng(0).integers(256, size=2_000_000, dtype=np.uint8).tobytes()
        (tmp_path / "photo.txt").write_bytes(noise)
        message = train_refused(tmp_path / "photo.txt", *options)
        assert f"photo.txt is not text (a zero byte at byte {noise.index(0)})" in message
        assert "--tokens bytes" in message

    @pytest.mark.parametrize("length", [1, 999])
    def test_too_short(self, train_refused: Refused, tmp_path: Path, length: int) -> None:
        (tmp_path / "short.txt").write_text("ab" * (length // 2) + "a" * (length % 2))
        message = train_refused(tmp_path / "short.txt", "--min-count", 1)
        assert f"short.txt is too short to train on: {length} characters, at least 1000 are needed" in message

    @pytest.mark.parametrize("encoding", ["latin-1", "gb18030", "utf-16-le"])
    def test_wrongly_encoded(self, train_refused: Refused, tmp_path: Path, encoding: str) -> None:
        words = {"latin-1": "très naïf\n", "gb18030": "春眠不觉晓\n", "utf-16-le": "plain words\n"}[encoding]
        data = ("plain\n" + words * 300).encode(encoding)
        (tmp_path / "c.txt").write_bytes(data)
        message = train_refused(tmp_path / "c.txt")
        place = next(n for n in range(len(data)) if data[n] in (0, 0xFF) or data[n] >= 0x80)
        assert "c.txt is not " in message
        assert "--encoding" in message
        if encoding != "utf-16-le":
            assert f"byte {place} does not fit" in message

    def test_an_encoding_that_is_none(self, train_refused: Refused, corpus_file: Path) -> None:
        assert "--encoding klingon is not an encoding" in train_refused(corpus_file, "--encoding", "klingon")

    def test_a_damaged_gz_file(self, train_refused: Refused, tmp_path: Path) -> None:
        (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"the cat\n" * 1000)[:-20])
        assert "c.txt.gz is a damaged .gz file" in train_refused(tmp_path / "c.txt.gz")

    def test_a_folder_without_text(self, train_refused: Refused, tmp_path: Path) -> None:
        (tmp_path / "songs").mkdir()
        (tmp_path / "songs" / "a.mid").write_bytes(b"MThd")
        assert "songs holds no .txt" in train_refused(tmp_path / "songs")
        (tmp_path / "songs" / "config.json").write_text("{}")
        assert "songs is the folder of a model, not data" in train_refused(tmp_path / "songs")

    def test_an_unknown_sample(self, train_refused: Refused) -> None:
        assert "the samples are: sample:pydocs" in train_refused("sample:klingon")

    def test_an_absurd_vocabulary(self, train_refused: Refused, tmp_path: Path) -> None:
        codes = np.random.default_rng(0).integers(0x4E00, 0x9FA6, size=700_000)
        (tmp_path / "noise.txt").write_bytes(codes.astype("<u4").tobytes().decode("utf-32-le").encode())
        message = train_refused(tmp_path / "noise.txt")
        assert "absurd vocabulary" in message
        assert "--tokens bytes" in message

    def test_random_bytes_as_utf_16(self, train_refused: Refused, tmp_path: Path) -> None:
        noise = np.random.default_rng(0).integers(1, 0xD800, size=500_000, dtype=np.uint16)
        (tmp_path / "noise.txt").write_bytes(noise.astype("<u2").tobytes())
        assert "absurd vocabulary" in train_refused(tmp_path / "noise.txt", "--encoding", "utf-16-le")

    def test_a_missing_or_short_validation_file(
        self, train_refused: Refused, corpus_file: Path, tmp_path: Path
    ) -> None:
        assert "missing.txt" in train_refused(corpus_file, "--validation", tmp_path / "missing.txt")
        (tmp_path / "one.txt").write_text("x")
        assert "one.txt is too short" in train_refused(corpus_file, "--validation", tmp_path / "one.txt")


class TestPlace:
    def test_what_exists_is_not_replaced_unasked(
        self, train_refused: Refused, corpus_file: Path, model_folder: Path, tmp_path: Path
    ) -> None:
        message = train_refused(corpus_file, "--out", model_folder)
        assert "model exists already" in message
        assert "--overwrite" in message
        assert "--resume" in message
        (tmp_path / "file").write_text("precious")
        for options in ([], ["--overwrite"], ["--resume"]):
            assert "file is a file" in train_refused(corpus_file, "--out", tmp_path / "file", *options)

    def test_an_unfinished_run_is_not_replaced_unasked(
        self, train_refused: Refused, corpus_file: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "bard.training").mkdir()
        (tmp_path / "bard.training" / "checkpoint.safetensors").write_bytes(b"hours of work")
        assert "--resume" in train_refused(corpus_file)

    def test_a_refused_overwrite_leaves_an_unfinished_run(
        self, train_refused: Refused, corpus_file: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "bard.training").mkdir()
        (tmp_path / "bard.training" / "checkpoint.safetensors").write_bytes(b"hours of work")
        train_refused(tmp_path / "missing.txt", "--overwrite")

    def test_a_refused_resume_leaves_the_model_and_nothing_beside_it(
        self, train_refused: Refused, corpus_file: Path, model_folder: Path, tmp_path: Path
    ) -> None:
        train_refused(tmp_path / "missing.txt", "--out", model_folder, "--resume", "--min-count", 1)
        (tmp_path / "other.txt").write_text(corpus_file.read_text(encoding="utf-8") + "more", encoding="utf-8")
        message = train_refused(tmp_path / "other.txt", "--out", model_folder, "--resume", "--min-count", 1)
        assert "the data are not those that the run of" in message
        message = train_refused(corpus_file, "--out", model_folder, "--resume", "--min-count", 3)
        assert "--min-count 1, which a resumed run cannot change" in message

    @pytest.mark.parametrize("option", ["--overwrite", "--resume"])
    def test_a_folder_that_is_no_model_is_never_replaced(
        self, train_refused: Refused, corpus_file: Path, tmp_path: Path, option: str
    ) -> None:
        (tmp_path / "Documents").mkdir()
        (tmp_path / "Documents" / "thesis.tex").write_text("years of work")
        assert "Documents" in train_refused(corpus_file, "--out", tmp_path / "Documents", option)

    def test_both_ways_at_once(self, train_refused: Refused, corpus_file: Path) -> None:
        message = train_refused(corpus_file, "--overwrite", "--resume", status=2)
        assert "--resume" in message
        assert "--overwrite" in message

    @pytest.mark.parametrize("place", ["plain", "plain/deeper"])
    def test_below_a_file(self, train_refused: Refused, corpus_file: Path, tmp_path: Path, place: str) -> None:
        (tmp_path / "plain").write_text("a file")
        message = train_refused(corpus_file, "--out", tmp_path / place / "bard")
        assert f"{place}/bard failed" in message
        assert ";" in message

    def test_without_permission(
        self, train_refused: Refused, corpus_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "access", lambda path, how: False)  # an administrator has every permission
        assert "no permission" in train_refused(corpus_file)

    @pytest.mark.parametrize("place", [".", "/", ".."])
    def test_a_place_without_a_name(
        self, train_refused: Refused, corpus_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        assert "--o" in train_refused(corpus_file, "--out", place)

    def test_a_name_that_is_too_long(self, train_refused: Refused, corpus_file: Path, tmp_path: Path) -> None:
        assert "too long" in train_refused(corpus_file, "--out", tmp_path / ("x" * 300))

    def test_a_disk_that_is_full_from_the_start(
        self,
        refused: Refused,
        corpus_file: Path,
        tmp_path: Path,
        tiny_options: list[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def full(*arguments: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        before = snapshot(tmp_path)
        message = refused("text", "train", corpus_file, "--out", tmp_path / "bard", *tiny_options)
        assert "the disk is full; free some space" in message
        assert snapshot(tmp_path) == before

    def test_a_full_disk_at_the_end_leaves_the_old_model_and_what_was_learnt(
        self, recurra: Callable[..., Any], corpus_file: Path, model_folder: Path, tiny_options: list[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        before = snapshot(model_folder)

        def full(*arguments: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        command = ["text", "train", corpus_file, "--out", model_folder, "--min-count", 2, *tiny_options]
        with monkeypatch.context() as patch:
            patch.setattr(modelfolder, "replace_folder", full)
            answer = recurra(*command, "--overwrite")
        assert answer.status == 1
        assert answer.err.splitlines()[-1].startswith("error: writing")
        assert "the disk is full; free some space" in answer.err
        assert snapshot(model_folder) == before
        # Nothing is lost: with room again, the same command goes on and is done at once.
        answer = recurra(*command, "--resume")
        assert answer.status == 0, answer
        assert json.loads((model_folder / "config.json").read_text())["config"]["min_count"] == 2
        assert [path.name for path in model_folder.parent.iterdir()] == ["model"]


VERBS: dict[str, list[str]] = {
    "write": ["--length", "3"],
    "evaluate": ["CORPUS"],
    "explain": ["CORPUS", "--out", "PAGE"],
}


def poison(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["output.bias"][2] = float("nan")
    save_file(tensors, folder / "model.safetensors")
    seal(folder)


def shrink(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["output.bias"] = torch.zeros(3)
    save_file(tensors, folder / "model.safetensors")
    seal(folder)


def rewrite_vocabulary(folder: Path, tokens: Any) -> None:
    (folder / "vocabulary.json").write_text(
        json.dumps({"kind": "characters", "normalization": "NFC", "tokens": tokens})
    )
    seal(folder)


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (shutil.rmtree, "there is no model folder"),
    "without weights": (lambda folder: (folder / "model.safetensors").unlink(), "there is no such file"),
    "without vocabulary": (lambda folder: (folder / "vocabulary.json").unlink(), "there is no such file"),
    "without configuration": (lambda folder: (folder / "config.json").unlink(), "is not a trained model"),
    "truncated weights": (lambda folder: truncate(folder / "model.safetensors"), "truncated or altered"),
    "truncated vocabulary": (lambda folder: truncate(folder / "vocabulary.json"), "truncated or altered"),
    "truncated configuration": (lambda folder: truncate(folder / "config.json"), "the file is damaged"),
    "altered weights": (lambda folder: flip(folder / "model.safetensors"), "truncated or altered"),
    "altered vocabulary": (lambda folder: flip(folder / "vocabulary.json"), "truncated or altered"),
    "newer": (lambda folder: alter_config(folder, format_version=99), "update recurra"),
    "of another task": (lambda folder: alter_config(folder, task="music"), "is a music model, not a text model"),
    "with weights that are no numbers": (poison, "NaN or infinity"),
    "with weights that do not fit": (shrink, "its files do not belong together"),
    "with a vocabulary that does not fit": (lambda folder: rewrite_vocabulary(folder, ["a"]), "do not belong together"),
    "with a vocabulary that is none": (lambda folder: rewrite_vocabulary(folder, ["aa", "aa"]), "the file is damaged"),
    "nested deeply": (lambda folder: (folder / "config.json").write_text("[" * 100_000), "the file is damaged"),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_model_is_refused_by_every_verb(
    refused: Refused, model_folder: Path, corpus_file: Path, tmp_path: Path, how: str, verb: str
) -> None:
    harm, complaint = BROKEN[how]
    harm(model_folder)
    given = {"CORPUS": str(corpus_file), "PAGE": str(tmp_path / "page.html")}
    before = snapshot(tmp_path)
    message = refused("text", verb, model_folder, *(given.get(option, option) for option in VERBS[verb]))
    assert complaint in message
    assert str(model_folder) in message
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("how", [how for how in BROKEN if how.split()[0] not in ("of", "with")])
def test_a_broken_model_is_refused_by_info(refused: Refused, model_folder: Path, how: str) -> None:
    harm, complaint = BROKEN[how]
    harm(model_folder)
    assert complaint in refused("info", model_folder)


@pytest.mark.parametrize(
    "entries",
    [
        {"hidden_size": None},
        {"hidden_size": "8"},
        {"hidden_size": 8.0},
        {"hidden_size": -8},
        {"hidden_size": 10**9},
        {"hidden_size": True},
        {"num_layers": None},
        {"num_layers": 2},
        {"embedding_size": 9},
        {"tied": True},
        {"tied": "no"},
        {"cell": "transformer"},
        {"cell": "gru"},
        {"dropout": 7},
        {"dropout": float("nan")},
        {"tokens": ["characters"]},
        {"extra": 1},
        {"learning_rate": 10**400},
    ],
    ids=str,
)
def test_a_configuration_altered_by_hand_is_refused(
    refused: Refused, model_folder: Path, entries: dict[str, Any]
) -> None:
    config = json.loads((model_folder / "config.json").read_text())["config"]
    alter_config(model_folder, config=config | entries)
    message = refused("text", "write", model_folder, "--length", 3)
    assert str(model_folder) in message
    assert "damaged" in message or "belong together" in message or "altered by hand" in message


def test_an_enormous_network_in_a_configuration_is_refused_before_it_is_made(
    refused: Refused, model_folder: Path
) -> None:
    config = json.loads((model_folder / "config.json").read_text())["config"]
    alter_config(model_folder, config=config | {"hidden_size": 16384, "num_layers": 32, "embedding_size": 16384})
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    # Should it be made after all, its first matrix of four gigabytes is where it ends.
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**32, limits[1]))
    try:
        message = refused("text", "write", model_folder, "--length", 3)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert "its files do not belong together" in message


class TestUse:
    @pytest.mark.parametrize("content", [b"", b"x", b"\0\0", b"\xff\xfe\xfd", None], ids=str)
    def test_a_text_that_cannot_be_measured(
        self, refused: Refused, trained_folder: Path, tmp_path: Path, content: bytes | None
    ) -> None:
        if content is not None:
            (tmp_path / "new.txt").write_bytes(content)
        message = refused("text", "evaluate", trained_folder, tmp_path / "new.txt")
        assert "new.txt" in message
        assert ";" in message

    def test_a_missing_folder_is_not_made(self, refused: Refused, tmp_path: Path) -> None:
        for verb in (["text", "write"], ["info"]):
            refused(*verb, tmp_path / "nothing")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("verb", ["write", "evaluate", "explain"])
    def test_a_model_of_huge_weights(
        self, refused: Refused, model_folder: Path, corpus_file: Path, tmp_path: Path, verb: str
    ) -> None:
        enlarge(model_folder)
        rest = {
            "write": ["--length", 5],
            "evaluate": [corpus_file],
            "explain": [corpus_file, "--out", tmp_path / "p.html"],
        }
        assert "not numbers" in refused("text", verb, model_folder, *rest[verb])
        assert not (tmp_path / "p.html").exists()
