"""What all tests share: one thread, steady property tests, small corpora and a tiny trained model."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import settings

from recurra import text
from recurra.cli import main
from recurra.tasks.text import Config

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

settings.register_profile("steady", deadline=None, max_examples=25, derandomize=True, database=None)
settings.register_profile("search", deadline=None, max_examples=300, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

TINY: dict[str, Any] = {
    "steps": 3,
    "hidden_size": 8,
    "num_layers": 1,
    "embedding_size": 8,
    "evaluations": 1,
    "batch_size": 4,
    "chunk": 8,
    "dropout": 0.0,
}
"""Options of a run that takes a moment."""

WORDS = ("the", "cat", "which", "ate", "already", "was", "were", "full", "dogs", "not", "happy", "«oui»", "naïve")


def english(length: int, seed: int = 0) -> str:
    """At least `length` characters of made-up sentences, some words with letters beyond ASCII, lines of eight words."""
    rng = np.random.default_rng(seed)
    lines = []
    while sum(map(len, lines)) < length:
        words = [WORDS[int(number)] for number in rng.integers(len(WORDS), size=8)]
        lines.append(" ".join(words).capitalize() + ".\n")
    return "".join(lines)


def chinese(length: int, seed: int = 0) -> str:
    """Lines of seven characters and a mark, from a hundred characters."""
    rng = np.random.default_rng(seed)
    codes = 0x4E00 + rng.integers(100, size=(length // 9 + 1, 7))
    return "".join("".join(chr(int(code)) for code in line) + "。\n" for line in codes)


class Answer(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str


@pytest.fixture
def recurra(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run one command in this process: `recurra("text", "write", folder, "--length", 5)`."""

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Answer(status, *capsys.readouterr())

    return run


@pytest.fixture
def refused(recurra: Callable[..., Answer]) -> Callable[..., str]:
    """Run a command that must fail as every command fails: one line, no traceback, nothing on standard output."""

    def run(*arguments: object, status: int = 1) -> str:
        answer = recurra(*arguments)
        assert answer.err.startswith("error: "), answer
        assert answer.err.count("\n") == 1, answer
        assert answer.err.endswith("\n")
        assert answer.out == ""
        assert answer.status == status, answer
        return answer.err

    return run


@pytest.fixture
def tiny() -> dict[str, Any]:
    """The options of `TINY`, for a `Config`."""
    return dict(TINY)


@pytest.fixture
def tiny_options() -> list[str]:
    """The options of `TINY` as they are typed."""
    return [part for name, value in TINY.items() for part in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="session")
def corpus_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small English corpus."""
    path = tmp_path_factory.mktemp("corpus") / "english.txt"
    path.write_text(english(4000), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained_folder(corpus_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny trained model of characters; not to be altered."""
    folder = tmp_path_factory.mktemp("trained") / "tiny"
    text.train(corpus_file, folder, Config(**TINY, min_count=1))
    return folder


@pytest.fixture
def model_folder(trained_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny trained model, free to be altered."""
    folder = tmp_path / "model"
    shutil.copytree(trained_folder, folder)
    return folder
