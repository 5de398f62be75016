"""The rules of `lookback` as a graph: the same state and the same features, for a batch and one token of each.

Shapes: B batch, M tokens remembered, L lags; the numbers of a state are `(B, 1)` each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from recurra.arrays import FloatArray
from recurra.export.graph import Graph, Value
from recurra.tasks.music.lookback import LAST, MEMORY, PASSAGE, RANKS, REPEATED, SCALARS
from recurra.tasks.music.notation import Notation
from recurra.tasks.music.rule_features import BARS, METER, STEP, TRACK


def add_lookback(
    graph: Graph, notation: Notation, tokens: Value, kind: Value, value: Value, state: Value
) -> tuple[Value, Value]:
    """Write the rules into a graph.

    Args:
        graph: where.
        notation: what the tokens mean.
        tokens: read, `(B,)`.
        kind: what kind each is, `(B, 1)`; one that begins a piece empties the state.
        value: its value, `(B, 1)`.
        state: see `lookback`, `(B, memory_size)`.

    Returns:
        The features after them, `(B, features)`, and the new state.
    """
    first = sum(token.kind <= METER for token in notation.tokens)
    bars = np.array([notation.bar(index) for index in range(len(notation.meters))], np.float32)
    rules = _Lookback(graph, notation.lookback, notation.size - first, bars, state)
    read = _Read(
        number=tokens.unsqueeze(1).cast(np.float32) - float(first),
        value=value,
        track=graph.where(kind.equals(TRACK), value + 1.0, 0.0),
        active=kind > BARS,
        remembered=kind > METER,
        steps=kind.equals(STEP),
        is_meter=kind.equals(METER),
    )
    features = graph.concat([block.cast(np.float32) for block in rules.read(read)], axis=1)
    return features, graph.where(kind > BARS - 1, rules.state(), 0.0)


class _Read(NamedTuple):
    """A token that was read, `(B, 1)` each.

    Attributes:
        number: of it, counted from the first that is remembered.
        value: of it.
        track: that it names, + 1.
        active: whether it is of the piece: not its beginning or its length.
        remembered: whether it is one that is remembered: of the piece, and no metre.
        steps: whether it is a step.
        is_meter: whether it is a metre.
    """

    number: Value
    value: Value
    track: Value
    active: Value
    remembered: Value
    steps: Value
    is_meter: Value


class _Lookback:
    """The state, part by part.

    Args:
        graph: where.
        lags: in bars.
        size: how many tokens may be shown.
        bars: ticks in a bar of each metre.
        state: before a token.
    """

    def __init__(self, graph: Graph, lags: Sequence[int], size: int, bars: FloatArray, state: Value) -> None:
        self.graph = graph
        self.lags = lags
        self.size = size
        self.bar_lengths = bars
        parts = state.split(1, *[1] * (SCALARS + 2 * len(lags)), *[MEMORY] * 4)
        self.bar, self.tick, self.metre, self.order, self.count = parts[:SCALARS]
        self.places, self.repeated = parts[SCALARS : SCALARS + len(lags)], parts[SCALARS + len(lags) : -4]
        self.memory = parts[-4:]

    def state(self) -> Value:
        """All parts as one."""
        numbers = [self.bar, self.tick, self.metre, self.order, self.count]
        return self.graph.concat([*numbers, *self.places, *self.repeated, *self.memory], axis=1)

    def read(self, token: _Read) -> list[Value]:
        """Read a token; the features after it."""
        self._remember(token)
        self._go_on(token)
        self.places = [self._next_place(index, lag, token) for index, lag in enumerate(self.lags)]
        blocks = [block for index, lag in enumerate(self.lags) for block in self._show(index, lag)]
        return [block & token.active for block in blocks]

    def _remember(self, token: _Read) -> None:
        where = self.graph.where
        for index, lag in enumerate(self.lags):
            again = where(self._comes(index, lag).equals(token.number), self.repeated[index] + 1.0, 0.0)
            self.repeated[index] = where(token.remembered, again, self.repeated[index])
        self.order = where(token.remembered, self.order.at_least(token.track), self.order)
        here = self._slots().equals(self.count.modulo(MEMORY)) & token.remembered
        entry = [token.number, self.bar, self.tick, where(token.steps, float(LAST), self.order)]
        self.memory = [where(here, new, old) for new, old in zip(entry, self.memory, strict=True)]
        self.count = self.count + token.remembered.cast(np.float32)

    def _go_on(self, token: _Read) -> None:
        where = self.graph.where
        bar = self.graph.constant(self.bar_lengths).take(self.metre.cast(np.int64))
        tick = self.tick + token.value
        crossed = (tick / bar).floor()
        cut_short = (self.tick > 0).cast(np.float32)
        self.bar = self.bar + where(token.steps, crossed, where(token.is_meter, cut_short, 0.0))
        self.tick = where(token.steps, tick - crossed * bar, where(token.is_meter, 0.0, self.tick))
        self.metre = where(token.is_meter, token.value, self.metre)
        self.order = where(token.steps | token.is_meter, 0.0, self.order)

    def _next_place(self, index: int, lag: int, token: _Read) -> Value:
        where, place = self.graph.where, self.places[index]
        if lag == 0:
            goes_on = self.repeated[index] > 0
            return where(token.remembered, where(goes_on, place + 1.0, self._passage_alike()), place)
        first = self._first_from(lag)
        names = token.track > 0
        named = (first < self.count) & self._at(self.memory[0], first).equals(token.number) & names
        searched = token.steps | token.is_meter | names
        found = where(searched, first + named.cast(np.float32), place + 1.0)
        return where(token.active, found, place)

    def _show(self, index: int, lag: int) -> list[Value]:
        """The token that comes next, and for how many tokens it has been true."""
        comes = self._comes(index, lag)
        ranks = (self.repeated[index] > np.array(REPEATED, np.float32) - 1).cast(np.float32).sum(1, keepdims=True)
        return [block & (comes > -1) for block in (comes.one_hot(self.size), ranks.one_hot(RANKS))]

    def _comes(self, index: int, lag: int) -> Value:
        """The remembered token at a place, which of a lag must be at the same place of its bar; -1 if there is none."""
        place = self.places[index]
        tokens, bars, ticks, _ = self.memory
        stands = (place < self.count) & (place > self._oldest() - 1.0)
        if lag == 0:
            stands = stands & (place > 0)
        else:
            stands = stands & self._at(bars, place).equals(self.bar - float(lag))
            stands = stands & self._at(ticks, place).equals(self.tick)
        return self.graph.where(stands, self._at(tokens, place), -1.0)

    def _first_from(self, lag: int) -> Value:
        """The number of the first remembered token that is not before this moment, a lag ago, and the order in it."""
        _, bars, ticks, orders = self.memory
        bar = self.bar - float(lag)
        later = (ticks < self.tick) | (ticks.equals(self.tick) & (orders < self.order))
        is_before = (self._numbers() > -1) & ((bars < bar) | (bars.equals(bar) & later))
        return self._oldest() + is_before.cast(np.float32).sum(1, keepdims=True)

    def _passage_alike(self) -> Value:
        """The number of the token after the last passage that ends with the same tokens; 0 if there is none."""
        alike = []
        for back in range(1, PASSAGE + 1):
            parts = self.memory[0].split(1, MEMORY - back, back)
            shifted = self.graph.concat([parts[1], parts[0]], axis=1)  # of each slot, the token so far before it
            alike.append(shifted.equals(self._at(self.memory[0], self.count - float(back))))
        numbers = self._numbers()
        valid = (numbers > self._oldest() + (PASSAGE - 1.0)) & reduce(Value.__and__, alike)
        return self.graph.where(valid, numbers, 0.0).max(1).unsqueeze(1)

    def _numbers(self) -> Value:
        """The number of the token at each slot, `(B, M)`; below 0 where there is none."""
        last = self.count - 1.0
        return last - (last - self._slots()).modulo(MEMORY)

    def _oldest(self) -> Value:
        return (self.count - float(MEMORY)).at_least(0.0)

    def _at(self, numbers: Value, place: Value) -> Value:
        """What is remembered at a number, `(B, 1)`."""
        return self.graph.apply("GatherElements", numbers, place.modulo(MEMORY).cast(np.int64), axis=1)

    def _slots(self) -> Value:
        return self.graph.constant(np.arange(MEMORY, dtype=np.float32))
