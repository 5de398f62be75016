"""A translation model as ONNX translates as the model does with a beam of one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exporting import Session, greedy

from recurra import translation
from recurra.data.buckets import pad
from recurra.tasks.translation.config import Config
from recurra.tasks.translation.to_onnx import write

SENTENCES = ["abc", "hgfed", "ba", "a", "cddc", "", "xyz", "hhhhh"]


def sessions(folder: Path, out: Path, int8: bool = False) -> tuple[Session, Session]:
    encoder, step = (Session(path) for path in write(folder, out, int8))
    return encoder, step


def read(encoder: Session, sources: list[np.ndarray]) -> dict[str, np.ndarray]:
    """A batch of sources of different lengths, read."""
    lengths = np.array([len(source) for source in sources])
    tokens = np.zeros((len(sources), max(lengths)), np.int64)
    for row, source in zip(tokens, sources, strict=True):
        row[: len(source)] = source
    return encoder(tokens=tokens, lengths=lengths) | {"lengths": lengths}


@pytest.mark.parametrize("int8", [False, True])
def test_a_batch_is_translated_as_the_command_does(trained_translation: Path, tmp_path: Path, int8: bool) -> None:
    model = translation.Model.load(trained_translation)
    encoder, step = sessions(trained_translation, tmp_path / "m.onnx", int8)
    sentences = [sentence for sentence in SENTENCES if sentence]
    sources = [model.source(sentence).tokens for sentence in sentences]
    target = step.metadata["target"]
    limit = math.ceil(step.metadata["max_ratio"] * max(map(len, sources))) + step.metadata["spare"]
    written = greedy(step, read(encoder, sources), target["start"], target["end"], target["unwritable"], limit)
    texts = ["".join(target["tokens"][token] for token in tokens) for tokens in written]
    wanted = model.translate(sentences, beam_size=1)
    assert texts[0] == "cba"
    assert sum(a == b for a, b in zip(texts, wanted, strict=True)) >= len(texts) - int8
    assert step.metadata == encoder.metadata | {"graph": "step"}


@pytest.mark.parametrize(
    "options",
    [
        {"attention": "none", "num_layers": 2, "cell": "gru"},
        {"attention": "multiplicative", "tied": False, "joint": True, "num_layers": 2},
    ],
)
def test_the_first_steps_are_those_of_the_network(
    options: dict[str, Any], pairs_file: Path, tiny_translation: dict[str, Any], tmp_path: Path
) -> None:
    config = Config(**tiny_translation | options, tokens="characters")
    network = translation.train(pairs_file, tmp_path / "m", config, progress=False).network
    encoder, step = sessions(tmp_path / "m", tmp_path / "m.onnx")
    sources = [np.array([1, 2, 3, 4]), np.array([5]), np.array([3, 3])]
    known = read(encoder, sources)
    padded = pad([source.astype(np.int32) for source in sources])
    with torch.no_grad():
        memory, state = network.encode(torch.from_numpy(padded.tokens), torch.from_numpy(padded.mask))
        for tokens in ([1, 2, 3], [4, 4, 5]):
            features, _, state = network.decoder.step(torch.tensor(tokens), state, memory)
            answer = step(tokens=tokens, **known)
            known = step.following(known, answer)
            assert np.allclose(answer["logits"], network.compute_logits(features), atol=1e-4)
