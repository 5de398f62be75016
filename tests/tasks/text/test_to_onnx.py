"""A text model as ONNX writes what the model writes."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exporting import Session, log_softmax

from recurra import text
from recurra.data.tokenizer import read_prompt
from recurra.tasks.text.config import Config
from recurra.tasks.text.to_onnx import write
from recurra.tasks.text.writing import Writer

Options = dict[str, Any]


@pytest.mark.parametrize("int8", [False, True])
def test_a_batch_is_scored_as_each_of_its_rows(trained_folder: Path, tmp_path: Path, int8: bool) -> None:
    (path,) = write(trained_folder, tmp_path / "m.onnx", int8)
    step, network = Session(path), Writer.load(trained_folder).network
    tokens = np.random.default_rng(0).integers(network.vocabulary_size, size=(3, 30))
    state, states = step.empty_state(3, "tokens"), [network.zero_state() for _ in range(3)]
    for time in range(30):
        answer = step(tokens=tokens[:, time], **state)
        state = step.following(state, answer)
        for row in range(3):
            logits, states[row] = network.step(int(tokens[row, time]), states[row])
            assert np.allclose(answer["logits"][row], logits, atol=0.1 if int8 else 1e-4)


@pytest.mark.parametrize(
    ("kind", "documents"), [("characters", "none"), ("words", "lines"), ("subwords", "none"), ("bytes", "lines")]
)
def test_its_tokens_are_the_text(kind: Any, documents: Any, corpus_file: Path, tiny: Options, tmp_path: Path) -> None:
    options = tiny | {"tokens": kind, "documents": documents, "vocabulary_size": 256 if kind == "bytes" else 300}
    model = text.train(corpus_file, tmp_path / "m", Config(**options, min_count=1), progress=False)
    step = Session(write(tmp_path / "m", tmp_path / "m.onnx", False)[0])
    metadata, tokenizer = step.metadata, model.tokenizer
    assert metadata["kind"] == kind
    assert (metadata["unknown"], metadata["boundary"]) == (tokenizer.unknown, tokenizer.boundary)
    said = corpus_file.read_text(encoding="utf-8").splitlines()[0]
    assert not said.isascii()
    pieces = [metadata["tokens"][token] for token in tokenizer.encode(said)]
    assert "".join(pieces).encode("utf-8", "surrogateescape").decode().strip() == said
    assert ("subwords" in metadata) == (kind == "subwords")
    written = [each.token for each in itertools.islice(model.stream("The", greedy=True), 30)]
    assert written
    state, made, prompt = step.empty_state(1, "tokens"), [], read_prompt(tokenizer, "The").tokens.astype(np.int64)
    while len(made) < 30:
        for token in prompt:
            answer = step(tokens=[token], **state)
            state = step.following(state, answer)
        if metadata["unknown"] is not None:
            answer["logits"][:, metadata["unknown"]] = -np.inf
        prompt = answer["logits"][0].argmax(keepdims=True)
        if prompt[0] == metadata["boundary"]:
            break
        made.append(int(prompt[0]))
    assert made == [token for token in written if token != metadata["boundary"]]


def test_eight_bits_are_a_quarter_and_near(corpus_file: Path, tiny: Options, tmp_path: Path) -> None:
    """Mean divergence from what was not rounded, on the model's own text, beside the size of the file."""
    options = tiny | {"hidden_size": 96, "steps": 40, "learning_rate": 0.02, "embedding_size": 16}
    text.train(corpus_file, tmp_path / "m", Config(**options, min_count=1), progress=False)
    paths = [write(tmp_path / "m", tmp_path / f"{int8}.onnx", int8)[0] for int8 in (False, True)]
    exact, rounded = map(Session, paths)
    tokens = Writer.load(tmp_path / "m").tokenizer.encode(corpus_file.read_text(encoding="utf-8")[:300])
    states, divergence, equal = [exact.empty_state(1, "tokens"), rounded.empty_state(1, "tokens")], 0.0, 0
    for token in tokens.astype(np.int64):
        answers = [each(tokens=[token], **state) for each, state in zip((exact, rounded), states, strict=True)]
        states = [exact.following(*pair) for pair in zip(states, answers, strict=True)]
        p, q = (log_softmax(answer["logits"][0]) for answer in answers)
        divergence += float((np.exp(p) * (p - q)).sum()) / len(tokens)
        equal += int(p.argmax() == q.argmax())
    assert 0 < divergence < 1e-3
    assert equal >= 0.97 * len(tokens)
    assert paths[1].stat().st_size < 0.3 * paths[0].stat().st_size
