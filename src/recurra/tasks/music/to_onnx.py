"""A music model as ONNX: one step, tokens and state in, logits and state out, with the rules it was trained with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurra.config import from_dict
from recurra.export.graph import Graph
from recurra.export.language_model import add_step
from recurra.runtime import stored
from recurra.tasks.music.composer import TASK, read_notation, rules_of
from recurra.tasks.music.config import Config
from recurra.tasks.music.notation import Notation
from recurra.tasks.music.performance import PerformanceNotation
from recurra.tasks.music.performance_graph import add_performance_rules
from recurra.tasks.music.rule_features import PITCH
from recurra.tasks.music.rule_graph import add_rules
from recurra.tasks.shared.light import require_language_model
from recurra.tasks.shared.onnx_file import write_graphs

EVENT_KINDS = ("start", "transposed", "note on", "note off", "time shift", "velocity")
"""The same of performances, see `performance`."""

KINDS = ("start", "transposed", "bars", "meter", "track", "pitch", "drum", "duration", "velocity", "step")
"""What kinds of tokens are called, see `rule_features`."""


def write(folder: Path, out: Path, int8: bool) -> Sequence[Path]:
    """Write a music model as ONNX.

    Args:
        folder: the model folder.
        out: the file.
        int8: round weights to eight bits.

    Returns:
        The file.

    Raises:
        RecurraError: if anything about the folder is not as it was saved, or writing fails.
    """
    file = stored.load(folder, TASK)
    config = from_dict(Config, file.config, file.config_file)
    notation = read_notation(file.vocabulary, file.vocabulary_file)
    require_language_model(file, config, notation.size, rules_of(notation))
    graph = Graph("step", int8)
    tokens = graph.input("tokens", np.int64, "batch")
    if isinstance(notation, PerformanceNotation):
        features = add_performance_rules(graph, tokens)
    else:
        features = add_rules(graph, notation, tokens)
    add_step(graph, config.cell, file.weights, tokens, features, config.tables())
    return write_graphs([graph], out, TASK, _metadata(notation))


def _metadata(notation: Notation | PerformanceNotation) -> dict[str, Any]:
    """The notation, and what each token is: its kind and its value, of pitches the MIDI number."""
    if isinstance(notation, PerformanceNotation):
        events = [[EVENT_KINDS[kind], value] for kind, value in notation.tokens]
        return {"tokens": events, "notation": notation.to_json()}
    tokens = [[KINDS[kind], value + notation.lowest if kind == PITCH else value] for kind, value in notation.tokens]
    return {"tokens": tokens, "notation": notation.to_json()}
