"""Performances, and a tiny model of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from recitals import recital

from recurra import music
from recurra.tasks.music.pieces import Piece


@pytest.fixture(scope="session")
def recitals() -> list[Piece]:
    """Six made-up performances."""
    return [recital(seed) for seed in range(6)]


@pytest.fixture(scope="session")
def pianist(recitals: list[Piece], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny trained model of performances; not to be altered."""
    folder = tmp_path_factory.mktemp("recitals") / "pianist"
    options: dict[str, Any] = {"batch_size": 4, "sequence_length": 32, "hidden_size": 16, "embedding_size": 16}
    music.train(recitals, folder, tokens="performance", steps=30, learning_rate=0.02, dropout=0.0, **options)
    return folder
