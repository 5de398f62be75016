"""The rules of music as a graph are those of `rule_features`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from recurra.export.graph import Graph
from recurra.tasks.music.lookback import MEMORY
from recurra.tasks.music.notation import MusicRules, Notation
from recurra.tasks.music.pieces import Piece
from recurra.tasks.music.rule_graph import add_rules
from recurra.tasks.music.transcription import encode, suit


def notations(tunes: tuple[Piece, ...]) -> list[Notation]:
    """With tracks and without, with loudness, and by frames."""
    kinds = [("notes", 0, True, True), ("notes", 0, False, False), ("frames", 3, False, False)]
    plain = [suit(tunes, kind, frame, tracks, velocity) for kind, frame, tracks, velocity in kinds]  # type: ignore[arg-type]
    return [*plain, *(replace(notation, lookback=(0, 1, 4)) for notation in plain)]


@pytest.mark.parametrize("number", range(6))
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
    assert wanted.any(axis=(0, 1)).mean() > 0.35  # many features are on at some time
    assert (np.stack(found, axis=1) == wanted).all()
    assert (state == wanted_state).all()


def test_a_piece_that_outlasts_the_memory(tunes: tuple[Piece, ...]) -> None:
    """The remembered stand in a ring: what is read here overwrites what was read first, and looks for it no longer."""
    notation = notations(tunes)[3]
    rules = MusicRules(notation)
    graph = Graph("rules")
    graph.output("features", add_rules(graph, notation, graph.input("tokens", np.int64, "batch")), "batch", rules.size)
    session = onnxruntime.InferenceSession(graph.model({}).SerializeToString())
    tokens = np.resize(encode(tunes[0], notation)[0][1:], (1, 2 * MEMORY + 300)).astype(np.int64)
    _, state = rules.read(tokens[:, : 2 * MEMORY], np.zeros((1, rules.state_size), np.float32))
    wanted, wanted_state = rules.read(tokens[:, 2 * MEMORY :], state)
    for token, features in zip(tokens[0, 2 * MEMORY :], wanted[0], strict=True):
        state, found = session.run(["next_rules", "features"], {"tokens": token[None], "rules": state})
        assert (found[0] == features).all()
    assert (state == wanted_state).all()
