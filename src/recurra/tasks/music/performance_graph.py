"""The rules of `performance_rules` as a graph: the same state and features, for a batch and one token of each."""

from __future__ import annotations

import numpy as np

from recurra.export.graph import Graph, Value
from recurra.tasks.music.performance import EVENTS, NOTE_OFF, NOTE_ON, PITCHES, TRANSPOSED, VELOCITY, VELOCITY_STEPS
from recurra.tasks.music.performance_rules import SCALARS, STATE_SIZE


def add_performance_rules(graph: Graph, tokens: Value) -> Value:
    """Write the rules into a graph: their state as input `rules` and output `next_rules`.

    Args:
        graph: where.
        tokens: read, `(B,)`.

    Returns:
        The features after them, `(B, FEATURES)`.
    """
    where = graph.where
    state = graph.input("rules", np.float32, "batch", STATE_SIZE).split(1, *[1] * SCALARS, PITCHES)
    begun, transposed, loudness, sounding = state
    kind, value = graph.constant(np.array(EVENTS, np.float32)).take(tokens).split(1, 1, 1)  # (B, 1) each
    begins, pitch = kind < TRANSPOSED + 1, value.one_hot(PITCHES)
    sounding = where(pitch & kind.equals(NOTE_ON), 1.0, where(pitch & kind.equals(NOTE_OFF), 0.0, sounding))
    read = [
        where(begins, 1.0, begun),
        where(begins, kind, transposed),
        where(begins, 0.0, where(kind.equals(VELOCITY), value + 1.0, loudness)),
        where(begins, 0.0, sounding),
    ]
    graph.output("next_rules", graph.concat(read, axis=1), "batch", STATE_SIZE)
    shown = [read[0], read[1], (read[2] - 1.0).one_hot(VELOCITY_STEPS), read[3]]
    return graph.concat([block.cast(np.float32) for block in shown], axis=1)
