"""Models that know where documents begin and end."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recurra import modelfile, text
from recurra.config import from_dict
from recurra.data import tokenizer as tokenizers
from recurra.data.tokenizer import TokenKind, WithBoundary
from recurra.models.language_model import LanguageModel
from recurra.tasks.text.config import Config, resolve
from recurra.tasks.text.features import passage
from recurra.tasks.text.model import Model

KINDS: tuple[TokenKind, ...] = ("characters", "bytes", "words", "subwords")
DOCUMENTS = ("The cat sat on the mat.\n", "Was the dog happy? No.", "A bird!\n\nIt sang.")


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned three documents by heart, each a file, most without a line end."""
    folder = tmp_path_factory.mktemp("taught")
    (folder / "corpus").mkdir()
    order = np.random.default_rng(0).integers(3, size=120)
    for number, which in enumerate(order):
        (folder / "corpus" / f"{number:03}.txt").write_text(DOCUMENTS[which])
    sizes = {"hidden_size": 48, "embedding_size": 16, "batch_size": 8, "sequence_length": 32, "dropout": 0.0}
    options = {"steps": 150, "learning_rate": 0.02, "evaluations": 1, "min_count": 1} | sizes
    text.train(folder / "corpus", folder / "model", Config(**options), progress=False)
    return folder / "model"


def test_what_is_written_is_a_document_and_stops_at_its_end(taught: Path, recurra: Callable[..., Any]) -> None:
    model = Model.load(taught)
    assert model.config.documents == "files"
    assert model.write(greedy=True) in DOCUMENTS
    made = [model.write(temperature=0.3, seed=seed) for seed in range(30)]
    assert set(made) <= set(DOCUMENTS)
    assert len(set(made)) > 1
    for document in DOCUMENTS:
        assert model.write(document[:4], greedy=True) == document
        assert model.write(document, greedy=True) == document  # the end can come at once
    assert model.write(["The", "Was"], greedy=True) == list(DOCUMENTS[:2])
    assert model.write("The", length=4, greedy=True) == "The cat"
    shown = recurra("text", "write", taught, "--prompt", "Was", "--greedy", "--samples", 2)
    assert shown.out == f"{DOCUMENTS[1]}\n\n{DOCUMENTS[1]}\n"
    value = json.loads(recurra("text", "write", taught, "--prompt", "Was", "--greedy", "--json").out)
    assert value["text"] == DOCUMENTS[1] == "Was" + "".join(value["samples"][0]["tokens"])


@torch.no_grad()
def test_documents_are_scored_with_their_ends(taught: Path, tmp_path: Path) -> None:
    file = modelfile.load(taught, "text")
    assert file.vocabulary["boundary"] is True
    characters = {character: number for number, character in enumerate(file.vocabulary["tokens"], 1)}
    boundary = len(characters) + 1
    network = LanguageModel(boundary + 1, from_dict(Config, file.config, "here"))
    modelfile.fill(network, file.tensors, "here")
    tokens = [boundary]
    for document in DOCUMENTS:
        (tmp_path / f"{len(tokens):04}.txt").write_text(document)
        tokens += [*(characters[character] for character in document), boundary]
    whole = torch.tensor([tokens])
    scores = network(whole)[0][0, :-1].double().log_softmax(dim=-1)
    expected = -float(scores.gather(1, whole[0, 1:, None]).mean())
    model = Model.load(taught)
    for data in (tmp_path, text.Texts(DOCUMENTS), [text.Texts(DOCUMENTS[:1]), text.Texts(DOCUMENTS[1:])]):
        figures = model.evaluate(data)
        assert figures["count"] == sum(map(len, DOCUMENTS)) + 3
        assert figures["nats"] == pytest.approx(expected, abs=1e-5)
    assert model.evaluate(text.Texts(DOCUMENTS[:1]))["count"] == len(DOCUMENTS[0]) + 1


def test_what_is_written_has_the_probabilities_with_which_it_is_scored(taught: Path) -> None:
    model = Model.load(taught)
    pieces = list(model.stream(seed=3))
    tokens = np.array([model.tokenizer.boundary, *(piece.token for piece in pieces)])
    with torch.no_grad():
        scores = model.network(torch.from_numpy(tokens)[None])[0][0, :-1].log_softmax(dim=-1)
    expected = scores.gather(1, torch.from_numpy(tokens)[1:, None])[:, 0]
    np.testing.assert_allclose([piece.log_prob for piece in pieces], expected, atol=2e-5)
    assert len(pieces) > 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_is_not_empty_and_the_boundary_is_never_shown(tiny: dict[str, Any], kind: TokenKind) -> None:
    tokenizer = WithBoundary(tokenizers.build(kind, ["The cat sat.\n"], 300, 1))
    again = tokenizers.from_json(json.loads(json.dumps(tokenizer.to_json())), "here")
    assert (again.boundary, again.size, again.to_json()) == (tokenizer.inner.size, tokenizer.size, tokenizer.to_json())
    network = Model.build(config := resolve(Config(**tiny, documents="files"), 1000, tokenizer.size), tokenizer)
    with torch.no_grad():
        network.output.bias[tokenizer.boundary] = 50.0  # it would end everything at once
    model = Model(network, tokenizer, config, {}, "m")
    for seed in range(5):
        assert len(list(model.stream(seed=seed, temperature=2.0))) == 1
        assert model.write("The cat", seed=seed) == "The cat"
    assert tokenizer.boundary not in tokenizer.encode("The cat sat.\n")


def test_a_resumed_run_and_one_that_begins_from_a_model_keep_the_documents(
    tmp_path: Path, tiny: dict[str, Any]
) -> None:
    (tmp_path / "c.txt").write_text("the cat was full\n" * 90)
    train: dict[str, Any] = {"validation": text.Texts(["the dog\nwas full"]), "progress": False}
    first = text.train(tmp_path / "c.txt", tmp_path / "m", Config(**tiny, documents="lines"), **train)
    assert first.record["validation_count"] == len("the dog") + len("was full") + 2
    longer = replace(Config(**tiny), steps=5)
    again = text.train(tmp_path / "c.txt", tmp_path / "m", longer, resume=True, **train)
    assert again.record["steps"] == 5
    tuned = text.train(text.Texts(["the cat was full\n" * 90]), None, Config(**tiny), from_model=first, **train)
    for model in (again, tuned, Model.load(tmp_path / "m")):
        assert model.config.documents == "lines"
        assert model.vocabulary.to_json() == first.vocabulary.to_json()
        assert "\n" not in model.write(greedy=True)


def test_how_many_documents_were_found_is_told(
    recurra: Callable[..., Any], tmp_path: Path, tiny_options: list[str]
) -> None:
    (tmp_path / "c.txt").write_text("the cat was full\n\nand so was the dog\n\n\n" * 30)
    answer = recurra(
        "text", "train", tmp_path / "c.txt", "--documents", "paragraphs", "--out", tmp_path / "m", *tiny_options
    )
    assert answer.status == 0
    assert "distinct; 60 documents\n" in answer.err
    answer = recurra("text", "train", tmp_path / "c.txt", "--out", tmp_path / "n", *tiny_options)
    assert " documents\n" not in answer.err
    assert modelfile.load(tmp_path / "n").config["documents"] == "none"
    assert "boundary" not in modelfile.load(tmp_path / "n").vocabulary


def test_a_boundary_looks_like_a_line_end() -> None:
    tokenizer = WithBoundary(tokenizers.Bytes())
    mark = 256
    shown = passage(tokenizer, np.array([mark, *b'ab "c', mark, *b"de", mark]), "here")
    assert shown.labels == ["\n", "a", "b", " ", '"', "c", "\n", "d", "e", "\n"]
    assert shown.features["line end next"].tolist() == [label == "\n" for label in [*shown.labels[1:], ""]]
    assert shown.name(mark) == "document end"


def test_models_of_documents_are_explained(taught: Path, tmp_path: Path) -> None:
    explained = Model.load(taught).explain(text.Texts(DOCUMENTS * 4), tmp_path / "page.html")
    assert (tmp_path / "page.html") in explained.files
