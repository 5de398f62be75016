"""The rules of music as a graph are those of `rule_features`."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from recurra.export.graph import Graph
from recurra.tasks.music.notation import MusicRules, Notation
from recurra.tasks.music.performance import EVENTS
from recurra.tasks.music.performance_rules import PerformanceRules
from recurra.tasks.music.pieces import Piece
from recurra.tasks.music.rule_graph import add_performance_rules, add_rules
from recurra.tasks.music.transcription import encode, suit


def notations(tunes: tuple[Piece, ...]) -> list[Notation]:
    """With tracks and without, with loudness, and by frames."""
    kinds = [("notes", 0, True, True), ("notes", 0, False, False), ("frames", 3, False, False)]
    return [suit(tunes, kind, frame, tracks, velocity) for kind, frame, tracks, velocity in kinds]  # type: ignore[arg-type]


@pytest.mark.parametrize("number", range(3))
def test_state_and_features_after_pieces_and_after_nonsense(number: int, tunes: tuple[Piece, ...]) -> None:
    notation = notations(tunes)[number]
    rules = MusicRules(notation)
    graph = Graph("rules")
    graph.output("features", add_rules(graph, notation, graph.input("tokens", np.int64, "batch")), "batch", rules.size)
    session = onnxruntime.InferenceSession(graph.model({}).SerializeToString())
    rng = np.random.default_rng(number)
    rows = [np.resize(encode(tunes[index], notation, length=index == 0)[0], 250) for index in (0, 5)]
    tokens = np.stack([*rows, rng.integers(notation.size, size=250)]).astype(np.int64)
    state = np.zeros((3, rules.state_size), np.float32)
    found = []
    for column in tokens.T:
        answers = dict(
            zip(["next_rules", "features"], session.run(None, {"tokens": column, "rules": state}), strict=True)
        )
        state = answers["next_rules"]
        found.append(answers["features"])
    wanted, wanted_state = rules.read(tokens, np.zeros((3, rules.state_size), np.float32))
    assert wanted.any(axis=(0, 1)).mean() > 0.4  # many features are on at some time
    assert (np.stack(found, axis=1) == wanted).all()
    assert (state == wanted_state).all()


def test_those_of_performances() -> None:
    rules = PerformanceRules()
    graph = Graph("rules")
    features = add_performance_rules(graph, graph.input("tokens", np.int64, "batch"))
    graph.output("features", features, "batch", rules.size)
    session = onnxruntime.InferenceSession(graph.model({}).SerializeToString())
    tokens = np.random.default_rng(0).integers(len(EVENTS), size=(3, 200))
    tokens[:, [0, 150]] = [[0, 1], [1, 0], [380, 389]]
    state = np.zeros((3, rules.state_size), np.float32)
    for time, column in enumerate(tokens.T):
        wanted, wanted_state = rules.read(column[:, None], state)
        state, found = session.run(None, {"tokens": column, "rules": state})
        assert (found == wanted[:, 0]).all(), time
        assert (state == wanted_state).all(), time
