"""What comes next if a piece repeats itself, as rule features: the lookback of Waite 2016, compiled.

A reader remembers the last `MEMORY` tokens of a piece, all but metres, each with its moment: a bar, and a tick in it.
It keeps some places in that memory. That of a lag is where the piece was when it was so many bars younger; that of lag
0 is what followed the last passage like this one, of `PASSAGE` tokens or more, wherever it was. The token at a place
comes next if the piece repeats itself: it is shown, and so is for how many tokens the piece has done so. The state of a
row, all zeros before anything is read:

    bar, tick, metre       of the moment
    order                  the greatest of its orders so far
    count                  tokens remembered so far, those forgotten since included
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
from recurra.tasks.music.rule_features import BARS, METER, STEP, TRACK, TRANSPOSED

MEMORY = 2048
"""Tokens that are remembered: some twenty bars of four voices."""

PASSAGE = 12
"""Tokens that a passage has in common with an earlier one, to be like it."""

LAST = 1000
"""The order of a step in its moment."""

REPEATED = (1, 8, 32)
"""Features for how many tokens were repeated on end: fewer than the first, than the second, than the third, or more."""

RANKS = len(REPEATED) + 1

BAR, TICK, METRE, ORDER, COUNT, SCALARS = range(6)
"""Places of the numbers at the beginning of a state, and how many they are."""


def memory_size(lags: int) -> int:
    """Numbers in the state of a row."""
    return SCALARS + 2 * lags + 4 * MEMORY if lags else 0


def lookback_features(lags: int, tokens: int) -> int:
    """Features that are shown after a token, of which so many may be shown."""
    return lags * (tokens + RANKS)


@jit()
def look_back(
    tokens: IntArray,
    state: FloatArray,
    kinds: IntArray,
    values: IntArray,
    bars: IntArray,
    lags: IntArray,
    shown: FloatArray,
) -> None:
    """Read rows of tokens, changing their state, and note after each token what comes next.

    Shapes: tokens (rows, time); state (rows, memory_size); kinds and values (vocabulary_size,), what each token is;
    bars (metres,), ticks in a bar of each; lags (lags,), in bars, ascending; shown (rows, time, lookback_features), all
    zeros.
    """
    first = np.argmax(kinds > METER)
    for row in range(tokens.shape[0]):
        for time in range(tokens.shape[1]):
            token = tokens[row, time]
            kind, value = kinds[token], values[token]
            track = value + 1 if kind == TRACK else 0
            if kind <= TRANSPOSED:
                state[row] = 0
            elif kind > BARS:
                if kind > METER:
                    _remember(token - first, track, kind == STEP, lags, state[row])
                _go_on(kind, value, bars, state[row])
                _find(token - first, track, kind, lags, state[row])
                _show(lags, state[row], shown[row, time])


@jit()
def _remember(token: int, track: int, steps: bool, lags: IntArray, state: FloatArray) -> None:
    places, repeated, memory = _parts(len(lags), state)
    for index in range(len(lags)):
        comes = _token_at(places[index], lags[index], state, memory)
        repeated[index] = repeated[index] + 1 if comes == token else 0
    state[ORDER] = max(state[ORDER], track)
    slot = int(state[COUNT]) % MEMORY
    memory[slot] = token
    memory[MEMORY + slot] = state[BAR]
    memory[2 * MEMORY + slot] = state[TICK]
    memory[3 * MEMORY + slot] = LAST if steps else state[ORDER]
    state[COUNT] += 1


@jit()
def _go_on(kind: int, value: int, bars: IntArray, state: FloatArray) -> None:
    """To the next moment, if the token leads there; a metre begins a bar."""
    if kind == STEP:
        bar, tick = bars[int(state[METRE])], int(state[TICK]) + value
        state[BAR] += tick // bar
        state[TICK] = tick % bar
        state[ORDER] = 0
    elif kind == METER:
        state[BAR] += state[TICK] > 0
        state[TICK], state[METRE], state[ORDER] = 0, value, 0


@jit()
def _find(token: int, track: int, kind: int, lags: IntArray, state: FloatArray) -> None:
    """The places of what comes next."""
    places, repeated, memory = _parts(len(lags), state)
    count = int(state[COUNT])
    for index in range(len(lags)):
        if lags[index] == 0:
            if kind > METER:
                places[index] = places[index] + 1 if repeated[index] > 0 else _passage_alike(count, memory)
        elif kind in (STEP, METER, TRACK):
            number = _first_from(lags[index], state, memory)
            places[index] = number + (track > 0 and number < count and memory[number % MEMORY] == token)
        else:
            places[index] += 1


@jit()
def _show(lags: IntArray, state: FloatArray, shown: FloatArray) -> None:
    places, repeated, memory = _parts(len(lags), state)
    width = len(shown) // len(lags)
    for index in range(len(lags)):
        comes = _token_at(places[index], lags[index], state, memory)
        if comes < 0:
            continue
        rank = 0
        for least in REPEATED:
            rank += repeated[index] >= least
        shown[index * width + comes] = 1
        shown[(index + 1) * width - RANKS + rank] = 1


@jit()
def _parts(lags: int, state: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Places, how many tokens were repeated, and the memory."""
    return state[SCALARS : SCALARS + lags], state[SCALARS + lags : SCALARS + 2 * lags], state[SCALARS + 2 * lags :]


@jit()
def _token_at(place: float, lag: int, state: FloatArray, memory: FloatArray) -> int:
    """The remembered token at a place, which of a lag must be at the same place of its bar; -1 if there is none."""
    number, count = int(place), int(state[COUNT])
    slot = number % MEMORY
    if number >= count or number < count - MEMORY or (lag == 0 and number == 0):
        return -1
    if lag > 0 and (memory[MEMORY + slot] != state[BAR] - lag or memory[2 * MEMORY + slot] != state[TICK]):
        return -1
    return int(memory[slot])


@jit()
def _first_from(lag: int, state: FloatArray, memory: FloatArray) -> int:
    """The number of the first remembered token that is not before this moment, a lag ago, and the order in it."""
    count, bar, tick, order = int(state[COUNT]), state[BAR] - lag, state[TICK], state[ORDER]
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
def _passage_alike(count: int, memory: FloatArray) -> int:
    """The number of the token after the last earlier passage that ends with the same tokens; 0 if there is none."""
    for number in range(count - 1, max(count - MEMORY, 0) + PASSAGE - 1, -1):
        alike = 0
        while alike < PASSAGE and memory[(number - 1 - alike) % MEMORY] == memory[(count - 1 - alike) % MEMORY]:
            alike += 1
        if alike == PASSAGE:
            return number
    return 0


def look_back_reference(
    tokens: IntArray,
    state: FloatArray,
    kinds: IntArray,
    values: IntArray,
    bars: IntArray,
    lags: IntArray,
    shown: FloatArray,
) -> None:
    """The twin of `look_back`: the same arguments, the same rules and results."""
    for row, row_state, row_shown in zip(tokens, state, shown, strict=True):
        for token, features in zip(row, row_shown, strict=True):
            kind, value = int(kinds[token]), int(values[token])
            if kind <= TRANSPOSED:
                row_state[:] = 0
            elif kind > BARS:
                reader = _Reader(lags.tolist(), row_state, int((kinds <= METER).sum()), len(kinds))
                features[:] = reader.read(int(token), kind, value, bars)


class _Reader:
    """A row's state, in views of it."""

    def __init__(self, lags: list[int], state: FloatArray, first: int, size: int) -> None:
        self.lags, self.first, self.size = lags, first, size
        ends = [SCALARS, SCALARS + len(lags), SCALARS + 2 * len(lags)]
        self.numbers, self.places, self.repeated, memory = np.split(state, ends)
        self.memory = memory.reshape(4, MEMORY)

    def read(self, token: int, kind: int, value: int, bars: IntArray) -> FloatArray:
        track = value + 1 if kind == TRACK else 0
        if kind > METER:
            same = [self.comes(index) == token for index in range(len(self.lags))]
            self.repeated[:] = (self.repeated + 1) * same
            self.numbers[ORDER] = max(self.numbers[ORDER], track)
            order = LAST if kind == STEP else self.numbers[ORDER]
            self.memory[:, int(self.numbers[COUNT]) % MEMORY] = (token - self.first, *self.numbers[[BAR, TICK]], order)
            self.numbers[COUNT] += 1
        if kind == STEP:
            crossed, self.numbers[TICK] = divmod(int(self.numbers[TICK]) + value, int(bars[int(self.numbers[METRE])]))
            self.numbers[BAR] += crossed
        elif kind == METER:
            self.numbers[BAR] += self.numbers[TICK] > 0
            self.numbers[[TICK, METRE]] = 0, value
        if kind in (STEP, METER):
            self.numbers[ORDER] = 0
        self.places[:] = [self.next_place(index, token, kind, track) for index in range(len(self.lags))]
        return np.concatenate([self.block(index) for index in range(len(self.lags))]).astype(np.float32)

    def known(self) -> IntArray:
        """The numbers of what is remembered."""
        return np.arange(max(int(self.numbers[COUNT]) - MEMORY, 0), int(self.numbers[COUNT]))

    def comes(self, index: int) -> int:
        """The token that comes next; -1 if none."""
        number, lag = int(self.places[index]), self.lags[index]
        its, bar, tick, *_ = self.memory[:, number % MEMORY]
        stands = number > 0 if lag == 0 else (bar + lag, tick) == tuple(self.numbers[[BAR, TICK]])
        return int(its) + self.first if stands and number in self.known() else -1

    def next_place(self, index: int, token: int, kind: int, track: int) -> float:
        place, lag, known = float(self.places[index]), self.lags[index], self.known()
        stored = self.memory[:, known % MEMORY]
        if lag == 0 and kind == METER:
            return place
        if lag == 0 and not self.repeated[index]:
            tokens = stored[0].tolist()
            ends = [end for end in range(PASSAGE, len(tokens)) if tokens[end - PASSAGE : end] == tokens[-PASSAGE:]]
            return known[ends[-1]] if ends else 0
        if lag == 0 or kind not in (STEP, METER, TRACK):
            return place + 1
        bar, tick, order = self.numbers[[BAR, TICK, ORDER]]
        first = sum(its < (bar - lag, tick, order) for its in zip(*stored[1:], strict=True))
        named = track and first < len(known) and stored[0, first] + self.first == token
        return max(int(self.numbers[COUNT]) - MEMORY, 0) + first + bool(named)

    def block(self, index: int) -> FloatArray:
        comes = self.comes(index)
        rank = sum(self.repeated[index] >= least for least in REPEATED)
        parts = [np.arange(self.first, self.size) == comes, np.arange(RANKS) == rank]
        return np.concatenate(parts) * np.float32(comes >= 0)
