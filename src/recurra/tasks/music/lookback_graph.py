"""The rules of `lookback` as a graph: the same state and the same features, for a batch and one token of each.

Shapes: B batch, M tokens remembered, L lags; the numbers of a state are `(B, 1)` each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from recurra.export.graph import Graph, Value
from recurra.tasks.music.lookback import LAST, MEMORY, PASSAGE, REPEATED_SHOWN

Moment = tuple[Value, Value]
"""A bar and a tick in it."""


class Read(NamedTuple):
    """A token that was read, `(B, 1)` each; see `look_back`.

    Attributes:
        active: whether it is of the piece: not its beginning or its length.
        remembered: whether it is one that is remembered: of the piece, and no metre.
        number: of it, counted from the first that is.
        track: that it names, + 1.
        steps: whether it is a step.
        before: its moment ...
        after: ... and the one of what comes next.
    """

    active: Value
    remembered: Value
    number: Value
    track: Value
    steps: Value
    before: Moment
    after: Moment


class Lookback:
    """The memory and the places in it, before a token.

    Args:
        graph: where.
        lags: in bars.
        size: how many tokens may be shown.
        state: see `lookback`, `(B, memory_size)`.
    """

    def __init__(self, graph: Graph, lags: Sequence[int], size: int, state: Value) -> None:
        self.graph = graph
        self.lags = lags
        self.size = size
        parts = state.split(1, 1, 1, *[1] * (2 * len(lags)), *[MEMORY] * 4)
        self.count, self.order = parts[:2]
        self.places, self.repeated = parts[2 : 2 + len(lags)], parts[2 + len(lags) : -4]
        self.tokens, self.bars, self.ticks, self.orders = parts[-4:]

    def read(self, token: Read) -> tuple[list[Value], list[Value]]:
        """Read a token.

        Returns:
            The features after it, and the parts of the new state.
        """
        where, count = self._where, self.count
        order = where(token.active, self.order.at_least(token.track), self.order)
        for index, lag in enumerate(self.lags):
            same = self._expected(index, lag, token.before).equals(token.number)
            more = where(same, self.repeated[index] + 1.0, 0.0)
            self.repeated[index] = where(token.remembered, more, self.repeated[index])
        here = self._slots().equals(_modulo(count)) & token.remembered
        entry = (token.number, *token.before, where(token.steps, float(LAST), order))
        memory = (self.tokens, self.bars, self.ticks, self.orders)
        self.tokens, self.bars, self.ticks, self.orders = map(where, [here] * 4, entry, memory)
        self.count = count + token.remembered.cast(np.float32)
        begins = token.active & (token.steps | self._not(token.remembered))
        self.order = where(begins, 0.0, order)
        for index, lag in enumerate(self.lags):
            self.places[index] = self._next_place(index, lag, token, begins)
        shown = [feature for index, lag in enumerate(self.lags) for feature in self._show(index, lag, token)]
        numbers = [self.count, self.order, *self.places, *self.repeated]
        return shown, [*numbers, self.tokens, self.bars, self.ticks, self.orders]

    def _next_place(self, index: int, lag: int, token: Read, begins: Value) -> Value:
        where, place = self._where, self.places[index]
        if lag == 0:
            goes_on = self.repeated[index] > 0
            return where(token.remembered, where(goes_on, place + 1.0, self._passage_alike()), place)
        first = self._first_from(token.after[0] - float(lag), token.after[1])
        names = token.track > 0
        named = (first < self.count) & self._at(self.tokens, first).equals(token.number) & names
        found = where(begins | names, first + named.cast(np.float32), place + 1.0)
        return where(token.active, found, place)

    def _show(self, index: int, lag: int, token: Read) -> tuple[Value, Value]:
        """The token that comes next, and for how many tokens it has been true."""
        comes = self._expected(index, lag, token.after)
        shown = token.active & (comes > -1)
        rank = (self.repeated[index] > np.array(REPEATED_SHOWN, np.float32) - 1).cast(np.float32).sum(1, keepdims=True)
        return self._one(comes, self.size) & shown, self._one(rank, len(REPEATED_SHOWN) + 1) & shown

    def _expected(self, index: int, lag: int, moment: Moment) -> Value:
        """The remembered token at a place, which of a lag must be at the same place of its bar; -1 if there is none."""
        place = self.places[index]
        stands = (place < self.count) & (place > self._oldest() - 1.0)
        if lag == 0:
            stands = stands & (place > 0)
        else:
            stands = stands & self._at(self.bars, place).equals(moment[0] - float(lag))
            stands = stands & self._at(self.ticks, place).equals(moment[1])
        return self._where(stands, self._at(self.tokens, place), -1.0)

    def _first_from(self, bar: Value, tick: Value) -> Value:
        """The number of the first remembered token that is not before a moment and the order in it."""
        same_bar, same_tick = self.bars.equals(bar), self.ticks.equals(tick)
        later = (self.ticks < tick) | (same_tick & (self.orders < self.order))
        is_before = (self._numbers() > -1) & ((self.bars < bar) | (same_bar & later))
        return self._oldest() + is_before.cast(np.float32).sum(1, keepdims=True)

    def _passage_alike(self) -> Value:
        """The number of the token after the last passage that ends with the same tokens; 0 if there is none."""
        alike = []
        for back in range(1, PASSAGE + 1):
            parts = self.tokens.split(1, MEMORY - back, back)
            shifted = self.graph.concat([parts[1], parts[0]], axis=1)  # of each slot, the token so far before it
            alike.append(shifted.equals(self._at(self.tokens, self.count - float(back))))
        numbers = self._numbers()
        valid = (numbers > self._oldest() + (PASSAGE - 1.0)) & reduce(Value.__and__, alike)
        return self._where(valid, numbers, 0.0).max(1).unsqueeze(1)

    def _numbers(self) -> Value:
        """The number of the token at each slot, `(B, M)`; below 0 where there is none."""
        last = self.count - 1.0
        return last - _modulo(last - self._slots())

    def _oldest(self) -> Value:
        return (self.count - float(MEMORY)).at_least(0.0)

    def _at(self, numbers: Value, place: Value) -> Value:
        """What is remembered at a number, `(B, 1)`."""
        here = self._slots().equals(_modulo(place)).cast(np.float32)
        return (numbers * here).sum(1, keepdims=True)

    def _slots(self) -> Value:
        return self.graph.constant(np.arange(MEMORY, dtype=np.float32))

    def _one(self, index: Value, size: int) -> Value:
        return index.equals(self.graph.constant(np.arange(size, dtype=np.float32)))

    def _not(self, condition: Value) -> Value:
        return condition.cast(np.float32) < 1.0

    def _where(self, condition: Value, yes: Value | float, no: Value | float) -> Value:
        choices = [
            choice if isinstance(choice, Value) else self.graph.constant(np.float32(choice)) for choice in (yes, no)
        ]
        return self.graph.where(condition, *choices)


def _modulo(number: Value) -> Value:
    return number - (number / float(MEMORY)).floor() * float(MEMORY)
