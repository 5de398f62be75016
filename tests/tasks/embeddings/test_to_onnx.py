"""Word vectors as ONNX find what the model finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from exporting import Session
from vectoring import ROYAL, model_of, royal

from recurra.data.vectors import CharacterNgrams
from recurra.errors import RecurraError
from recurra.tasks.embeddings.to_onnx import write

ONE = np.ones((1, 1), np.float32)


@pytest.mark.parametrize(("int8", "tolerance"), [(False, 1e-6), (True, 0.02)])
def test_neighbours_and_analogies(tmp_path: Path, int8: bool, tolerance: float) -> None:
    model = royal()
    model.save(tmp_path / "vec")
    nearest = Session(write(tmp_path / "vec", tmp_path / "m.onnx", int8)[0])
    words = nearest.metadata["words"]
    assert words == list(ROYAL)
    for word in ("king", "spoon"):
        answer = nearest(words=[[words.index(word)]], weights=ONE)
        assert np.allclose(answer["vectors"][0, 0], ROYAL[word], atol=tolerance)
        for found in model.similar(word):
            assert answer["similarities"][0, words.index(found.word)] == pytest.approx(found.similarity, abs=tolerance)
    asked = [[words.index(word) for word in ("man", "king", "woman")]]
    cosines = nearest(words=asked * 2, weights=np.float32([[-1, 1, 1]] * 2))["similarities"]
    for found in model.analogy("man", "king", "woman"):
        assert np.allclose(cosines[:, words.index(found.word)], found.similarity, atol=tolerance)


def test_zero_vectors_are_near_nothing(tmp_path: Path) -> None:
    royal().save(tmp_path / "vec")
    nearest = Session(write(tmp_path / "vec", tmp_path / "m.onnx", False)[0])
    words = nearest.metadata["words"]
    assert nearest(words=[[words.index("king")]], weights=ONE)["similarities"][0, words.index("zero")] == 0


def test_what_is_made_of_character_ngrams_is_said_not_to_be_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model_of(["a", "b"], [[1, 2], [2, 1]], ngrams=CharacterNgrams(3, 4, 5)).save(tmp_path / "vec")
    write(tmp_path / "vec", tmp_path / "m.onnx", False)
    assert "makes of their character n-grams are not in it" in capsys.readouterr().err


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    royal().save(tmp_path / "vec")
    with open(tmp_path / "vec" / "model.safetensors", "ab") as file:
        file.write(b"x")
    with pytest.raises(RecurraError, match="not the file that was saved"):
        write(tmp_path / "vec", tmp_path / "m.onnx", False)
