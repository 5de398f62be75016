"""The rules of performances as a graph are those of `performance_rules`; a model as ONNX plays as the model does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from exporting import Session

from recurra.export.graph import Graph
from recurra.tasks.music.composer import Composer
from recurra.tasks.music.performance import SIZE, encode
from recurra.tasks.music.performance_graph import add_performance_rules
from recurra.tasks.music.performance_rules import FEATURES, STATE_SIZE, PerformanceRules
from recurra.tasks.music.pieces import Piece
from recurra.tasks.music.to_onnx import write


def test_state_and_features_after_a_performance_and_after_nonsense(recitals: list[Piece]) -> None:
    graph = Graph("rules")
    features = add_performance_rules(graph, graph.input("tokens", np.int64, "batch"))
    graph.output("features", features, "batch", FEATURES)
    session = onnxruntime.InferenceSession(graph.model({}).SerializeToString())
    nonsense = np.random.default_rng(0).integers(SIZE, size=300)
    nonsense[100] = 1
    tokens = np.stack([encode(recitals[0])[:300], nonsense]).astype(np.int64)
    state = np.zeros((2, STATE_SIZE), np.float32)
    found = []
    for column in tokens.T:
        state, shown = session.run(["next_rules", "features"], {"tokens": column, "rules": state})
        found.append(shown)
    wanted, wanted_state = PerformanceRules().read(tokens, np.zeros((2, STATE_SIZE), np.float32))
    assert (np.stack(found, axis=1) == wanted).all()
    assert (state == wanted_state).all()


def test_the_model_as_onnx_scores_as_the_model_does(pianist: Path, recitals: list[Piece], tmp_path: Path) -> None:
    composer = Composer.load(pianist)
    step = Session(write(pianist, tmp_path / "p.onnx", False)[0])
    assert step.metadata["tokens"][2 + 60] == ["note on", 60]
    assert step.metadata["tokens"][-1] == ["velocity", 31]
    assert step.metadata["notation"] == composer.vocabulary.to_json()
    state, own = step.empty_state(1, "tokens"), composer.network.zero_state()
    for token in encode(recitals[0])[:40].tolist():
        answer = step(tokens=np.array([token]), **state)
        state = step.following(state, answer)
        logits, own = composer.network.step(token, own)
        assert np.allclose(answer["logits"][0], logits, atol=1e-4)
