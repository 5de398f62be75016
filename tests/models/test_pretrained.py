"""Embeddings that begin from word vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from embedding import made_vectors, save_vectors
from torch import nn

from recurra.data.vectors import Vectors
from recurra.errors import OptionError, RecurraError
from recurra.models.architecture import Architecture
from recurra.models.pretrained import Pretrained

WORDS = ["cat", "dog", "sat"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_vectors(tmp_path / "vec", made_vectors(WORDS, 6))


def test_known_words_get_their_vectors_in_the_spread_of_the_embedding(folder: Path) -> None:
    pretrained = Pretrained.read(folder, ["the", "Dog", "cat"])
    assert pretrained.found.tolist() == [False, True, True]
    embedding = nn.Embedding(5, 6)  # two tokens more than there are words
    nn.init.normal_(embedding.weight, std=0.3)
    before = embedding.weight.detach().clone()
    pretrained.fill(embedding)
    after = embedding.weight.detach()
    assert torch.equal(after[[0, 3, 4]], before[[0, 3, 4]])
    matrix = torch.from_numpy(np.array(Vectors.open(folder).matrix))
    ratios = after[[1, 2]] / matrix[[1, 0]]
    torch.testing.assert_close(ratios, ratios[0, 0].expand(2, 6))
    torch.testing.assert_close(after[[1, 2]].square().mean().sqrt(), before.square().mean().sqrt())


def test_the_size_is_that_of_the_vectors(folder: Path) -> None:
    pretrained = Pretrained.read(folder, WORDS)
    assert pretrained.fit(Architecture()).embedding_size == 6
    assert pretrained.fit(Architecture(embedding_size=6)).embedding_size == 6
    with pytest.raises(OptionError, match="`embedding_size` is 7, but the vectors of vec have 6"):
        pretrained.fit(Architecture(embedding_size=7))


def test_vectors_of_no_use_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecurraError, match="has vectors for none of the 2 words"):
        Pretrained.read(folder, ["un", "deux"])
    broken = made_vectors(WORDS)
    broken.matrix[1] = np.nan
    with pytest.raises(RecurraError, match="not numbers"):
        Pretrained.read(save_vectors(tmp_path / "nan", broken), WORDS)
    with pytest.raises(RecurraError, match="there is no model folder"):
        Pretrained.read(tmp_path / "none", WORDS)
