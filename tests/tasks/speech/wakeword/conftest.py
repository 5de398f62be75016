"""A detector that is trained on sung words, for the tests of its parts."""

from __future__ import annotations

from pathlib import Path

import pytest
from detecting import DETECTOR, OTHERS, WORD
from singing import sung, write_recordings

from recurra import load, speech
from recurra.tasks.speech.model import Model


@pytest.fixture(scope="session")
def words_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 40 recordings of "cab" and 64 of other words; not to be altered."""
    words = [WORD] * 40 + list(OTHERS) * 8
    return write_recordings(tmp_path_factory.mktemp("words") / "sung", [(w, sung(w, n)) for n, w in enumerate(words)])


@pytest.fixture(scope="session")
def trained_detector(words_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of "cab"; not to be altered."""
    folder = tmp_path_factory.mktemp("trained-detector") / "ear"
    speech.train(words_file, folder, detect=WORD, steps=70, progress=False, **DETECTOR)
    return folder


@pytest.fixture
def detector(trained_detector: Path) -> Model:
    """The same, loaded."""
    return load(trained_detector, "cpu", task="speech")
