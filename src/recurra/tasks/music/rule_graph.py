"""The rules of `rule_features` as a graph: the same state and the same features, for a batch and one token of each.

Shapes: B batch, P pitches, T tracks; the numbers of a state are `(B, 1)` each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.export.graph import Graph, Value
from recurra.tasks.music.lookback import memory_size
from recurra.tasks.music.lookback_graph import add_lookback
from recurra.tasks.music.notation import Notation
from recurra.tasks.music.rule_features import (
    BARS,
    BARS_SHOWN,
    DRUM,
    DURATION,
    LEFT_SHOWN,
    METER,
    PITCH,
    PLACES_SHOWN,
    QUARTER,
    QUARTERS_SHOWN,
    STEP,
    TRACK,
    TRANSPOSED,
    state_size,
)

LEFT_LIMITS = (1, 2, 3, 4, 6, 8, 16)
"""A feature for how many bars are left ends at each of these; one more is for more."""

NUMBERS = ("tick", "metre", "bar", "place", "track", "pitch", "transposed", "begun", "left")
OF_PITCHES = ("remaining", "new", "before", "earlier")
OF_TRACKS = ("track_remaining", "track_last", "track_given")
"""The parts of a state, in order."""

State = dict[str, Value]


def add_rules(graph: Graph, notation: Notation, tokens: Value) -> Value:
    """Write the rules into a graph: their state as input `rules` and output `next_rules`.

    Args:
        graph: where.
        notation: what the tokens mean.
        tokens: read, `(B,)`.

    Returns:
        The features after them, `(B, features)`.
    """
    pitches, tracks = notation.pitches, len(notation.tracks)
    own, looked = state_size(pitches, tracks), memory_size(len(notation.lookback))
    sizes = dict.fromkeys(NUMBERS, 1) | dict.fromkeys(OF_PITCHES, pitches)
    sizes |= dict.fromkeys(OF_TRACKS, tracks) if tracks else {}
    given = graph.input("rules", np.float32, "batch", own + looked)
    before, *memory = given.split(1, own, looked) if looked else [given]
    state = dict(zip(sizes, before.split(1, *sizes.values()), strict=True))
    rules = _Rules(graph, notation)
    kind, value = rules.meaning(tokens)
    state = rules.read(kind, value, state)
    features = [block.cast(np.float32) for block in rules.show(kind, state)]
    after = [state[name] for name in sizes]
    if memory:
        comes, remembered = add_lookback(graph, notation, tokens, kind, value, memory[0])
        features.append(comes)
        after.append(remembered)
    graph.output("next_rules", graph.concat(after, axis=1), "batch", own + looked)
    return graph.concat(features, axis=1)


class _Rules:
    """What `rule_features` does, in operators of a graph; `kind` and `value` of the token are `(B, 1)`."""

    def __init__(self, graph: Graph, notation: Notation) -> None:
        self.graph = graph
        self.notation = notation
        self.pitches, self.tracks = notation.pitches, len(notation.tracks)
        self.bars = np.array([notation.bar(index) for index in range(len(notation.meters))], np.float32)

    def meaning(self, tokens: Value) -> tuple[Value, Value]:
        """What kind of token each is, and its value."""
        table = np.array(self.notation.tokens, np.float32)  # (vocabulary_size, 2)
        kind, value = self.graph.constant(table).take(tokens).split(1, 1, 1)
        return kind, value

    def read(self, kind: Value, value: Value, state: State) -> State:
        """The state after a token."""
        read = self._read_numbers(kind, value, state) | self._read_pitches(kind, value, state)
        if self.tracks:
            read |= self._read_tracks(kind, value, state)
        begins = kind < TRANSPOSED + 1
        first: dict[str, Value | float] = {"transposed": kind, "begun": 1.0}
        return {name: self.graph.where(begins, first.get(name, 0.0), part) for name, part in (state | read).items()}

    def _read_numbers(self, kind: Value, value: Value, state: State) -> State:
        """The numbers, but for a token that begins a piece."""
        where = self.graph.where
        steps, is_meter, is_pitch = kind.equals(STEP), kind.equals(METER), kind.equals(PITCH)
        lists = (is_pitch | kind.equals(DRUM)).cast(np.float32)
        bar = self.graph.constant(self.bars).take(state["metre"].cast(np.int64))
        tick = state["tick"] + value
        crossed = (tick / bar).floor()
        left = where(steps & (state["left"] > 0), (state["left"] - crossed).at_least(1.0), state["left"])
        return {
            "tick": where(steps, tick - crossed * bar, where(is_meter, 0.0, state["tick"])),
            "metre": where(is_meter, value, state["metre"]),
            "bar": where(steps, (state["bar"] + crossed).modulo(BARS_SHOWN), state["bar"]),
            "place": where(steps, 0.0, state["place"] + lists),
            "track": where(steps, 0.0, where(kind.equals(TRACK), value + 1.0, state["track"])),
            "pitch": where(steps | kind.equals(DRUM), 0.0, where(is_pitch, value + 1.0, state["pitch"])),
            "left": where(kind.equals(BARS), state["left"] + value, left),
        }

    def _read_pitches(self, kind: Value, value: Value, state: State) -> State:
        """What is known of each pitch, `(B, P)`."""
        where, steps = self.graph.where, kind.equals(STEP)
        listed = value.one_hot(self.pitches) & kind.equals(PITCH)
        lasting = (state["pitch"] - 1.0).one_hot(self.pitches) & kind.equals(DURATION)
        longer = where(lasting, state["remaining"].at_least(value), state["remaining"])
        return {
            "remaining": where(steps, (state["remaining"] - value).at_least(0.0), longer),
            "new": where(steps, 0.0, where(listed, 1.0, state["new"])),
            "before": where(steps, state["new"], state["before"]),
            "earlier": where(steps, state["before"], state["earlier"]),
        }

    def _read_tracks(self, kind: Value, value: Value, state: State) -> State:
        """What is known of each track, `(B, T)`."""
        where, steps = self.graph.where, kind.equals(STEP)
        player = (state["track"] - 1.0).at_least(0.0).one_hot(self.tracks)
        named = value.one_hot(self.tracks) & kind.equals(TRACK)
        lasting = where(player & kind.equals(DURATION), value, state["track_remaining"])
        return {
            "track_remaining": where(steps, (state["track_remaining"] - value).at_least(0.0), lasting),
            "track_last": where(player & kind.equals(PITCH), value + 1.0, state["track_last"]),
            "track_given": where(steps, 0.0, where(named, 1.0, state["track_given"])),
        }

    def show(self, kind: Value, state: State) -> list[Value]:
        """The features after a token, in the order of `rule_features`."""
        begun, quarter = state["begun"] > 0, (state["tick"] / QUARTER).floor()
        left = self._count(LEFT_LIMITS, state["left"])
        blocks = [
            state["transposed"],
            state["begun"],
            state["place"].at_most(PLACES_SHOWN - 1).one_hot(PLACES_SHOWN),
            state["tick"].modulo(QUARTER).one_hot(QUARTER) & begun,
            quarter.at_most(QUARTERS_SHOWN - 1).one_hot(QUARTERS_SHOWN) & begun,
            state["bar"].one_hot(BARS_SHOWN) & begun,
            state["metre"].one_hot(len(self.bars)) & begun,
            left.one_hot(LEFT_SHOWN) & (state["left"] > 0),
            *(state[name] for name in ("new", "before", "earlier")),
            (state["remaining"] > 0).cast(np.float32) * (1.0 - state["new"]),
            self._first_end(state["remaining"]),
        ]
        return blocks + (self._show_tracks(kind, state) if self.tracks else [])

    def _first_end(self, remaining: Value) -> Value:
        """When the first of the sounding notes ends, as one of the notation's steps."""
        steps = self.notation.steps
        first = self.graph.where(remaining > 0, remaining, np.inf).min(1, keepdims=True)  # (B, 1)
        index = self._count(steps, first).at_most(len(steps) - 1)
        return index.one_hot(len(steps)) & (first < np.inf)

    def _show_tracks(self, kind: Value, state: State) -> list[Value]:
        player = (state["track"] - 1.0).one_hot(self.tracks)
        last = (state["track_last"] * player.cast(np.float32)).sum(1, keepdims=True) - 1.0
        return [
            player,
            state["track_given"],
            state["track_remaining"] > 0,
            last.one_hot(self.pitches) & kind.equals(TRACK),
        ]

    def _count(self, limits: Sequence[int], number: Value) -> Value:
        """How many of some limits are below a number."""
        below = number > self.graph.constant(np.array(limits, np.float32))
        return below.cast(np.float32).sum(1, keepdims=True)
