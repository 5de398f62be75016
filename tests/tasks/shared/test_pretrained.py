"""Text and translation models that begin from an embeddings model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from embedding import made_vectors, save_vectors

from recurra import text, translation
from recurra.errors import OptionError
from recurra.models.pretrained import Pretrained

WORDS = ["the", "cat", "dogs", "were", "happy", "naïve"]
SIZE = 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_vectors(tmp_path / "vec", made_vectors(WORDS, SIZE))


@pytest.fixture
def few(tiny: dict[str, Any]) -> dict[str, Any]:
    del tiny["embedding_size"]
    return tiny | {"tokens": "words", "min_count": 1, "progress": False}


def rows(embedding: Any, tokenizer: Any, words: list[str]) -> torch.Tensor:
    pieces = [tokenizer.piece(token).decode() for token in range(tokenizer.size)]
    return embedding.weight.detach()[[pieces.index(" " + word) for word in words]]


def same_directions(ours: torch.Tensor, folder: Path, words: list[str]) -> bool:
    given = torch.from_numpy(Pretrained.read(folder, words).rows)
    return bool((torch.cosine_similarity(ours, given, dim=1) > 1 - 1e-6).all())


@pytest.mark.parametrize("frozen", [True, False])
def test_a_text_model_begins_from_word_vectors(
    corpus_file: Path, folder: Path, few: dict[str, Any], frozen: bool
) -> None:
    model = text.train(corpus_file, embeddings=folder, freeze_embeddings=frozen, learning_rate=1e-2, **few)
    assert model.config.embedding_size == SIZE
    found = rows(model.network.embedding, model.tokenizer, ["cat", "dogs", "were"])
    given = torch.from_numpy(Pretrained.read(folder, ["cat", "dogs", "were"]).rows)
    assert same_directions(found, folder, ["cat", "dogs", "were"]) == frozen
    assert (torch.cosine_similarity(found, given, dim=1) > 0.9).all(), "three steps do not make other vectors of them"


def test_a_translation_model_begins_from_word_vectors_on_either_side(
    folder: Path, few: dict[str, Any], tmp_path: Path
) -> None:
    for name in ("sequence_length", "ngrams", "ngram_rows"):
        del few[name]
    table = tmp_path / "pairs.tsv"
    table.write_text("".join(f"the cat were {i % 7}\thappy naïve dogs {i % 5}\n" for i in range(60)), encoding="utf-8")
    options = few | {"batch_size": 100, "learning_rate": 1e-2}
    model = translation.train(table, target_embeddings=folder, freeze_target_embeddings=True, **options)
    target = model.vocabularies.target.tokenizer
    assert same_directions(rows(model.network.decoder.embedding, target, ["naïve", "dogs"]), folder, ["naïve", "dogs"])
    model = translation.train(table, embeddings=folder, freeze_embeddings=True, **options)
    source = model.vocabularies.source.tokenizer
    assert same_directions(rows(model.network.encoder.embedding, source, ["cat", "were"]), folder, ["cat", "were"])
    with pytest.raises(OptionError, match="`target_embeddings` is for a target with a vocabulary of its own"):
        translation.train(table, target_embeddings=folder, joint=True, **options)


def test_a_run_with_vectors_goes_on_like_any_other(
    corpus_file: Path, folder: Path, few: dict[str, Any], tmp_path: Path
) -> None:
    options = few | {"embeddings": folder, "freeze_embeddings": True}
    text.train(corpus_file, tmp_path / "parts", **options | {"steps": 2})
    resumed = text.train(corpus_file, tmp_path / "parts", **options | {"steps": 4}, resume=True)
    assert resumed.record["steps"] == 4
    again = text.Model.load(tmp_path / "parts")
    assert same_directions(rows(again.network.embedding, again.tokenizer, ["cat", "were"]), folder, ["cat", "were"])


def test_what_cannot_begin_from_word_vectors_says_so(
    refused: Callable[..., str], corpus_file: Path, folder: Path, trained_folder: Path, tmp_path: Path
) -> None:
    arguments = ("text", "train", corpus_file, "--out", tmp_path / "m", "--embeddings", folder)
    assert "take --tokens words" in refused(*arguments, status=2)
    assert "give one of them" in refused(*arguments, "--from", trained_folder, status=2)
    assert "--embedding-size is 9" in refused(*arguments, "--tokens", "words", "--embedding-size", 9, status=2)
    assert [path.name for path in tmp_path.iterdir()] == ["vec"]
