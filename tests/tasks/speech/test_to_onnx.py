"""A speech model as ONNX hears what the model hears."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from exporting import Session, greedy

from recurra import speech
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.data import steps_of
from recurra.tasks.speech.to_onnx import write


def steps_of_files(model: speech.Model, folder: Path, count: int) -> list[np.ndarray]:
    """The features of recordings."""
    sounds = [soundfile.read(folder / f"{number}.wav", dtype="float32")[0] for number in range(count)]
    return [steps_of(sound, model.config, model.vocabulary.normalization) for sound in sounds]


def padded(steps: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([len(each) for each in steps])
    features = np.zeros((len(steps), lengths.max(), steps[0].shape[1]), np.float32)
    for row, each in zip(features, steps, strict=True):
        row[: len(each)] = each
    return features, lengths


def test_a_stream_in_chunks_is_heard_as_a_whole(trained_speech: Path, songs_file: Path, tmp_path: Path) -> None:
    model = speech.Model.load(trained_speech)
    listen = Session(write(trained_speech, tmp_path / "m.onnx", False)[0])
    for number, steps in enumerate(steps_of_files(model, songs_file.parent, 3)):
        wanted = model.log_probs(songs_file.parent / f"{number}.wav")
        state, pieces = listen.empty_state(1, "features"), []
        for chunk in np.array_split(steps, 4):
            answer = listen(features=chunk[None], **state)
            state = listen.following(state, answer)
            pieces.append(answer["log_probs"][0])
        assert np.allclose(np.concatenate(pieces), wanted, atol=1e-4)
    metadata = listen.metadata
    assert [metadata["symbols"][number] for number in range(1, model.symbols.size)] == list(model.symbols.names)
    assert metadata["features"]["rate"] == model.config.rate


@pytest.mark.parametrize("int8", [False, True])
def test_recordings_of_different_lengths_side_by_side(
    int8: bool, songs_file: Path, tiny_speech: dict[str, Any], tmp_path: Path
) -> None:
    model = speech.train(songs_file, tmp_path / "m", Config(**tiny_speech, cell="gru"), progress=False)
    listen = Session(write(tmp_path / "m", tmp_path / "m.onnx", int8)[0])
    steps = steps_of_files(model, songs_file.parent, 4)
    features, lengths = padded(steps)
    assert len(set(lengths)) > 1
    found = listen(features=features, lengths=lengths)["log_probs"]
    for number, row in enumerate(found):
        wanted = model.log_probs(songs_file.parent / f"{number}.wav")
        assert np.allclose(row[: len(wanted)], wanted, atol=0.1 if int8 else 1e-4)


@torch.no_grad()
def test_a_network_that_attends_writes_the_same(trained_speller: Path, short_songs_file: Path, tmp_path: Path) -> None:
    model = speech.Model.load(trained_speller)
    encoder, step = (Session(path) for path in write(trained_speller, tmp_path / "m.onnx", False))
    steps = steps_of_files(model, short_songs_file.parent, 6)
    features, lengths = padded(steps)
    metadata = step.metadata
    known = encoder(features=features, lengths=lengths) | {"lengths": lengths}
    limits = [math.ceil(metadata["limit"]["per_step"] * length) + metadata["limit"]["spare"] for length in lengths]
    written = greedy(step, known, metadata["start"], metadata["end"], [], max(limits))
    texts = [metadata["between"].join(metadata["symbols"][symbol] for symbol in symbols) for symbols in written]
    files = [short_songs_file.parent / f"{number}.wav" for number in range(6)]
    assert texts == [model.transcribe(file, beam_size=1).text for file in files]
    assert len(set(texts)) > 3
