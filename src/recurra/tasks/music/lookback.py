"""What comes next if a piece repeats itself, as rule features: the lookback of Waite 2016, compiled.

A reader remembers the last `MEMORY` tokens of a piece, all but metres, each with its moment: a bar, and a tick in it.
It keeps some places in that memory. That of a lag is where the piece was when it was so many bars younger; that of lag
0 is what followed the last passage like this one, of `PASSAGE` tokens or more, wherever it was. The token at a place
comes next if the piece repeats itself: it is shown, and so is for how many tokens the piece has done so.

The state of a row, all zeros before anything is read:

    count                  tokens remembered so far, those forgotten since included
    order                  the greatest of this moment's orders
    places (lags)          the number of the remembered token that comes next if the piece repeats itself; of lag 0, 0
                           if there is no passage like this one
    repeated (lags)        tokens on end that were what came next
    tokens (MEMORY)        the remembered, each at its number modulo MEMORY ...
    bars, ticks (MEMORY)   ... their moments ...
    orders (MEMORY)        ... and their orders there: track + 1, of a step, which comes last, `LAST`

Within a moment a place goes on token by token; a track leads to the same track of the other moment, or to the next.
`look_back_reference` states in plain NumPy what `look_back` does.
"""

import numpy as np

from recurra.arrays import FloatArray, IntArray
from recurra.kernels import jit

MEMORY = 2048
"""Tokens that are remembered: some twenty bars of four voices."""

PASSAGE = 12
"""Tokens that a passage has in common with an earlier one, to be like it."""

LAST = 1000
"""The order of a step in its moment."""

REPEATED_SHOWN = (1, 8, 32)
"""Features for how many tokens were repeated on end: fewer than the first, than the second, than the third, or more."""


@jit()
def memory_size(lags: int) -> int:
    """Numbers in the state of a row."""
    return 2 + 2 * lags + 4 * MEMORY if lags else 0


@jit()
def lookback_features(lags: int, tokens: int) -> int:
    """Features that are shown after a token, of which so many may be shown."""
    return lags * (tokens + len(REPEATED_SHOWN) + 1)


@jit()
def look_back(
    token: int,
    track: int,
    steps: bool,
    before: tuple[int, int],
    after: tuple[int, int],
    lags: IntArray,
    state: FloatArray,
    shown: FloatArray,
) -> None:
    """Remember a token and show what comes next if the piece repeats itself.

    Args:
        token: that was read, counted from the first that may be shown; -1 for a metre.
        track: that it names, + 1; 0 if it names none.
        steps: whether it is a step.
        before: bar and tick in it when it was read ...
        after: ... and of what comes next.
        lags: in bars; 0 is the last passage alike.
        state: of the row; changed.
        shown: the row's features after this token, all zeros.
    """
    size = len(lags)
    places, repeated, memory = state[2 : 2 + size], state[2 + size : 2 + 2 * size], state[2 + 2 * size :]
    count, order = int(state[0]), max(int(state[1]), track)
    for index in range(size):
        if token >= 0:
            expected = _standing(memory, count, places[index], lags[index], before)
            repeated[index] = repeated[index] + 1 if expected == token else 0
    if token >= 0:
        slot = count % MEMORY
        memory[slot], memory[MEMORY + slot], memory[2 * MEMORY + slot] = token, before[0], before[1]
        memory[3 * MEMORY + slot] = LAST if steps else order
        count += 1
    if steps or token < 0:
        order = 0
    state[0], state[1] = count, order
    width = len(shown) // size
    for index in range(size):
        if lags[index] == 0:
            if token >= 0:
                places[index] = places[index] + 1 if repeated[index] > 0 else _passage_alike(memory, count)
        elif steps or token < 0 or track:
            number = _first_from(memory, count, after[0] - lags[index], after[1], order)
            places[index] = number + (track > 0 and number < count and memory[number % MEMORY] == token)
        else:
            places[index] += 1
        expected = _standing(memory, count, places[index], lags[index], after)
        if expected >= 0:
            shown[index * width + expected] = 1
            rank = 0
            for least in REPEATED_SHOWN:
                rank += repeated[index] >= least
            shown[(index + 1) * width - len(REPEATED_SHOWN) - 1 + rank] = 1


@jit()
def _standing(memory: FloatArray, count: int, place: float, lag: int, moment: tuple[int, int]) -> int:
    """The remembered token at a place, which of a lag must be at the same place of its bar; -1 if there is none."""
    number = int(place)
    slot = number % MEMORY
    if number >= count or number < count - MEMORY or (lag == 0 and number == 0):
        return -1
    if lag and (memory[MEMORY + slot] != moment[0] - lag or memory[2 * MEMORY + slot] != moment[1]):
        return -1
    return int(memory[slot])


@jit()
def _first_from(memory: FloatArray, count: int, bar: int, tick: int, order: int) -> int:
    """The number of the first remembered token that is not before a moment and an order in it."""
    low, high = max(count - MEMORY, 0), count
    while low < high:
        middle = (low + high) // 2
        slot = middle % MEMORY
        its_bar, its_tick = memory[MEMORY + slot], memory[2 * MEMORY + slot]
        is_before = its_bar < bar or (its_bar == bar and its_tick < tick)
        if is_before or (its_bar == bar and its_tick == tick and memory[3 * MEMORY + slot] < order):
            low = middle + 1
        else:
            high = middle
    return low


@jit()
def _passage_alike(memory: FloatArray, count: int) -> int:
    """The number of the token after the last earlier passage that ends with the same tokens; 0 if there is none."""
    for number in range(count - 1, max(count - MEMORY, 0) + PASSAGE - 1, -1):
        alike = 0
        while alike < PASSAGE and memory[(number - 1 - alike) % MEMORY] == memory[(count - 1 - alike) % MEMORY]:
            alike += 1
        if alike == PASSAGE:
            return number
    return 0


def look_back_reference(
    token: int,
    track: int,
    steps: bool,
    before: tuple[int, int],
    after: tuple[int, int],
    lags: IntArray,
    state: FloatArray,
    tokens: int,
) -> list[FloatArray]:
    """The twin of `look_back`: the same arguments, but for how many tokens may be shown.

    Returns:
        Of each lag the token that comes next, one of so many or none, and for how many tokens it has been true.
    """
    numbers, places, repeated, memory = np.split(state, [2, 2 + len(lags), 2 + 2 * len(lags)])
    remembered, bars, ticks, orders = memory.reshape(4, MEMORY)

    def known() -> IntArray:
        return np.arange(max(int(numbers[0]) - MEMORY, 0), int(numbers[0]))

    def expected(index: int, moment: tuple[int, int]) -> int:
        number, slot, lag = int(places[index]), int(places[index]) % MEMORY, int(lags[index])
        if number not in known() or (number == 0 if lag == 0 else (bars[slot] + lag, ticks[slot]) != moment):
            return -1
        return int(remembered[slot])

    numbers[1] = max(numbers[1], track)
    if token >= 0:
        repeated[:] = [(repeated[index] + 1) * (expected(index, before) == token) for index in range(len(lags))]
        memory.reshape(4, MEMORY)[:, int(numbers[0]) % MEMORY] = (token, *before, LAST if steps else numbers[1])
        numbers[0] += 1
    numbers[1] *= not (steps or token < 0)
    slots = known() % MEMORY
    moments = list(zip(bars[slots], ticks[slots], orders[slots], strict=True))
    for index, lag in enumerate(lags):
        if lag == 0 and token < 0:
            continue
        if lag == 0:
            alike = _alike_reference(remembered[slots].tolist(), known().tolist())
            places[index] = places[index] + 1 if repeated[index] else alike
        elif steps or token < 0 or track:
            first = sum(moment < (after[0] - lag, after[1], numbers[1]) for moment in moments)
            named = track and first < len(slots) and remembered[slots[first]] == token
            places[index] = max(int(numbers[0]) - MEMORY, 0) + first + bool(named)
        else:
            places[index] += 1
    blocks = []
    for index in range(len(lags)):
        comes = expected(index, after)
        rank = sum(repeated[index] >= least for least in REPEATED_SHOWN) if comes >= 0 else -1
        sizes = np.arange(tokens), np.arange(len(REPEATED_SHOWN) + 1)
        blocks.append(np.concatenate([sizes[0] == comes, sizes[1] == rank]).astype(np.float32))
    return blocks


def _alike_reference(tokens: list[float], numbers: list[int]) -> int:
    passage = tokens[-PASSAGE:]
    ends = [end for end in range(PASSAGE, len(tokens)) if tokens[end - PASSAGE : end] == passage]
    return numbers[ends[-1]] if ends else 0
