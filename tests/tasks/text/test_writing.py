"""Writing without PyTorch: the same text as with it, from the same folder, by every option."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from unimported import command_without_torch, without_torch

from recurra import text
from recurra.tasks.text.model import Model
from recurra.tasks.text.writing import Writer

Command = Callable[..., Any]

CORPUS = "The cat, which already ate, was full. “No”, said the dog: ÿ!\nDogs were not happy.\n" * 60


def trained(out: Path, tokens: str = "characters", **options: Any) -> Path:
    """The folder of a model that has seen next to nothing; its weights are of no importance."""
    sizes = dict(
        hidden_size=12, embedding_size=8, steps=3, batch_size=4, sequence_length=8, evaluations=1, num_layers=1
    )
    text.train(text.Texts([CORPUS] * 2), out, progress=False, tokens=tokens, **(sizes | options))
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of documents that are characters."""
    return trained(tmp_path_factory.mktemp("light") / "model")


def both(folder: Path) -> tuple[Model, Writer]:
    return Model.load(folder), Writer.load(folder)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "rnn-relu"])
@pytest.mark.parametrize(
    ("tokens", "tied", "layers"),
    [("characters", False, 1), ("words", True, 2), ("subwords", True, 1), ("bytes", False, 2)],
)
def test_the_same_tokens_and_probabilities(tmp_path: Path, cell: str, tokens: str, tied: bool, layers: int) -> None:
    model, writer = both(trained(tmp_path / "m", tokens, cell=cell, tied=tied, num_layers=layers))
    heavy = list(model.generate("The cat ", length=60, seed=3))
    light = list(writer.generate("The cat ", length=60, seed=3))
    assert [token[:2] for token in light] == [token[:2] for token in heavy]
    assert [token.log_prob for token in light] == pytest.approx([token.log_prob for token in heavy], abs=1e-5)
    short = Writer.load(tmp_path / "m", tokens=80)
    assert not short.compiled
    plain = list(short.generate("The cat ", length=60, seed=3))
    assert [token[:2] for token in plain] == [token[:2] for token in light]
    assert [token.log_prob for token in plain] == pytest.approx([token.log_prob for token in light], abs=3e-5)
    assert [Writer.load(tmp_path / "m", tokens=count).compiled for count in (2000, 2001)] == [False, True]
    assert Writer.load(tmp_path / "m", "int8", tokens=9).compiled


@pytest.mark.parametrize(
    "options",
    [
        dict(greedy=True),
        dict(temperature=0.3),
        dict(top_k=3),
        dict(top_p=0.7),
        dict(temperature=2.0, top_k=9, top_p=0.8),
        dict(stop="a"),
    ],
    ids=str,
)
def test_every_option_of_sampling(folder: Path, options: dict[str, Any]) -> None:
    model, writer = both(folder)
    prompts = ["", "Dogs", "naïve 春 "]
    assert writer.write(prompts, length=50, seed=5, **options) == model.write(prompts, length=50, seed=5, **options)
    short = Writer.load(folder, tokens=9)
    assert short.write(prompts, length=50, seed=5, **options) == model.write(prompts, length=50, seed=5, **options)
    assert writer.unknown_in(prompts[2]) == model.unknown_in(prompts[2])


def test_the_command_writes_what_the_model_writes_and_imports_no_torch(folder: Path) -> None:
    code = f"""
from recurra.cli import main
status = main(["text", "write", {str(folder)!r}, "--prompt", "The ", "--length", "30", "--seed", "4", "--json"])
print(status, [name for name in ("torch", "accelerate", "matplotlib", "tokenizers", "numba") if sys.modules.get(name)])
"""
    done = without_torch(code)
    answer, rest = done.stdout.splitlines()
    assert (rest, done.stderr) == ("0 []", "")
    assert json.loads(answer)["text"] == Model.load(folder).write("The ", length=30, seed=4)


@pytest.mark.parametrize("verb", ["train", "evaluate", "explain"])
def test_what_needs_pytorch_says_so(folder: Path, tmp_path: Path, verb: str) -> None:
    (tmp_path / "c.txt").write_text(CORPUS, encoding="utf-8")
    corpus, page = tmp_path / "c.txt", tmp_path / "page.html"
    arguments = {
        "train": (corpus, "--out", tmp_path / "m"),
        "evaluate": (folder, corpus),
        "explain": (folder, corpus, "--out", page),
    }[verb]
    done = command_without_torch("text", verb, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: this command needs torch, which is not installed here; pip install ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "m").exists()
    assert not page.exists()


def test_loading_in_python_without_pytorch_says_so(folder: Path) -> None:
    done = without_torch(f"""
import recurra
try:
    recurra.load({str(folder)!r})
except Exception as error:
    print(type(error).__name__, error)
print(recurra.text.Writer.load({str(folder)!r}))
""")
    first, second = done.stdout.splitlines()
    assert first.startswith("RecurraError a text model in Python needs torch, which is not installed here; ")
    assert second == "<text writer 'model'>"
