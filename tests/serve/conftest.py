"""One server with a tiny model of each task, shared by all tests that only ask it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Running, running
from vectoring import royal


@pytest.fixture(scope="session")
def royal_vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a few word vectors; not to be altered."""
    folder = tmp_path_factory.mktemp("royal") / "royal"
    royal().save(folder)
    return folder


@pytest.fixture(scope="session")
def served(
    trained_folder: Path,
    trained_music: Path,
    royal_vectors: Path,
    trained_sentiment: Path,
    trained_translation: Path,
    trained_captions: Path,
    trained_speech: Path,
) -> Iterator[Running]:
    """A server of all tasks."""
    folders = [
        trained_folder,
        trained_music,
        royal_vectors,
        trained_sentiment,
        trained_translation,
        trained_captions,
        trained_speech,
    ]
    with running(folders) as server:
        yield server
