"""What can be told by rule from the tokens of a piece of music read so far: a scan over sequences, compiled.

The state of a row is a vector of float32, all zeros before anything is read:

    [ tick in bar | metre | bar mod 4 | place in the moment | track + 1 | pitch + 1 | transposed | begun | bars left ]
    remaining (pitches)         ticks that a note that has begun still sounds
    new (pitches)               1 for a pitch listed in this moment
    before (pitches)            1 for a pitch listed in the moment before ...
    earlier (pitches)           ... and in the one before that
    track_remaining (tracks)    as remaining, of each track's last note
    track_last (tracks)         pitch + 1 of each track's last note
    track_given (tracks)        1 for a track that has been listed in this moment

A moment is all that begins at one time. `read_tokens_reference` states in plain NumPy what `read_tokens` does, and
names the blocks of what is shown to the network after each token, 0 or 1.
"""

import numpy as np

from recurra.arrays import FloatArray, IntArray
from recurra.kernels import jit

START, TRANSPOSED, BARS, METER, TRACK, PITCH, DRUM, DURATION, VELOCITY, STEP = range(10)
"""Kinds of tokens."""

TICK, METRE, BAR, PLACE, CURRENT_TRACK, CURRENT_PITCH, IS_TRANSPOSED, BEGUN, LEFT, SCALARS = range(10)
"""Places of the numbers at the beginning of a state, and how many they are. `BEGUN` is 1 once a piece's beginning has
been read: without it the beat is unknown. `LEFT` counts the current bar too; 0 if unknown; what several tokens say of
it is added up."""

QUARTER = 12
"""Ticks in a quarter."""

QUARTERS_SHOWN = 16
"""Quarters of a bar that are told apart."""

PLACES_SHOWN = 12
"""Places in a moment that are told apart."""

BARS_SHOWN = 4
"""Bars that are counted, over and over."""

LEFT_SHOWN = 8
"""Features for how many bars are left: 1, 2, 3, 4, up to 6, up to 8, up to 16, more."""


@jit()
def read_tokens(
    tokens: IntArray,
    state: FloatArray,
    kinds: IntArray,
    values: IntArray,
    bars: IntArray,
    steps: IntArray,
    pitches: int,
    tracks: int,
    shown: FloatArray,
) -> None:
    """Read rows of tokens, changing their state, and note after each token what is to be shown.

    Shapes: tokens (rows, time); state (rows, state_size); kinds and values (vocabulary_size,), what each token is;
    bars (metres,), ticks in a bar of each; steps (steps,), ascending; shown (rows, time, rule_features), all zeros.
    """
    for row in range(tokens.shape[0]):
        for time in range(tokens.shape[1]):
            token = tokens[row, time]
            _read(kinds[token], values[token], state[row], bars, pitches, tracks)
            _show(kinds[token], state[row], bars, steps, pitches, tracks, shown[row, time])


@jit()
def _read(kind: int, value: int, state: FloatArray, bars: IntArray, pitches: int, tracks: int) -> None:
    remaining = state[SCALARS : SCALARS + pitches]
    new = state[SCALARS + pitches : SCALARS + 2 * pitches]
    before = state[SCALARS + 2 * pitches : SCALARS + 3 * pitches]
    earlier = state[SCALARS + 3 * pitches : SCALARS + 4 * pitches]
    base = SCALARS + 4 * pitches
    track_remaining = state[base : base + tracks]
    track_last = state[base + tracks : base + 2 * tracks]
    track_given = state[base + 2 * tracks : base + 3 * tracks]
    if kind <= TRANSPOSED:
        state[:] = 0
        state[IS_TRANSPOSED] = kind
        state[BEGUN] = 1
    elif kind == BARS:
        state[LEFT] += value
    elif kind == METER:
        state[METRE] = value
        state[TICK] = 0
    elif kind == TRACK:
        state[CURRENT_TRACK] = value + 1
        track_given[value] = 1
    elif kind == PITCH:
        state[CURRENT_PITCH] = value + 1
        state[PLACE] += 1
        new[value] = 1
        if tracks:
            track_last[max(int(state[CURRENT_TRACK]) - 1, 0)] = value + 1
    elif kind == DRUM:
        state[CURRENT_PITCH] = 0
        state[PLACE] += 1
    elif kind == DURATION:
        if state[CURRENT_PITCH] > 0:
            pitch = int(state[CURRENT_PITCH]) - 1
            remaining[pitch] = max(remaining[pitch], np.float32(value))
        if tracks:
            track_remaining[max(int(state[CURRENT_TRACK]) - 1, 0)] = value
    elif kind == STEP:
        bar = bars[int(state[METRE])]
        tick = int(state[TICK]) + value
        state[BAR] = (int(state[BAR]) + tick // bar) % BARS_SHOWN
        state[TICK] = tick % bar
        if state[LEFT] > 0:
            state[LEFT] = max(int(state[LEFT]) - tick // bar, 1)
        state[PLACE] = 0
        state[CURRENT_TRACK] = 0
        state[CURRENT_PITCH] = 0
        for pitch in range(pitches):
            remaining[pitch] = max(remaining[pitch] - np.float32(value), np.float32(0))
            earlier[pitch] = before[pitch]
            before[pitch] = new[pitch]
            new[pitch] = 0
        for track in range(tracks):
            track_remaining[track] = max(track_remaining[track] - np.float32(value), np.float32(0))
            track_given[track] = 0


def state_size(pitches: int, tracks: int) -> int:
    """Numbers in the state of a row."""
    return SCALARS + 4 * pitches + 3 * tracks


def feature_count(pitches: int, tracks: int, metres: int, steps: int) -> int:
    """Features that are shown after a token."""
    time = QUARTER + QUARTERS_SHOWN + BARS_SHOWN + metres
    return 2 + PLACES_SHOWN + time + LEFT_SHOWN + 4 * pitches + steps + 3 * tracks + (pitches if tracks else 0)


@jit()
def _left_feature(bars: int) -> int:
    if bars <= 4:
        return bars - 1
    if bars <= 6:
        return 4
    if bars <= 8:
        return 5
    return 6 if bars <= 16 else 7


@jit()
def _show(
    kind: int, state: FloatArray, bars: IntArray, steps: IntArray, pitches: int, tracks: int, shown: FloatArray
) -> None:
    remaining = state[SCALARS : SCALARS + pitches]
    new = state[SCALARS + pitches : SCALARS + 2 * pitches]
    before = state[SCALARS + 2 * pitches : SCALARS + 3 * pitches]
    earlier = state[SCALARS + 3 * pitches : SCALARS + 4 * pitches]
    base = SCALARS + 4 * pitches
    track = int(state[CURRENT_TRACK]) - 1
    shown[0] = state[IS_TRANSPOSED]
    shown[1] = state[BEGUN]
    at = 2
    shown[at + min(int(state[PLACE]), PLACES_SHOWN - 1)] = 1
    at += PLACES_SHOWN
    if state[BEGUN] > 0:
        shown[at + int(state[TICK]) % QUARTER] = 1
        shown[at + QUARTER + min(int(state[TICK]) // QUARTER, QUARTERS_SHOWN - 1)] = 1
        shown[at + QUARTER + QUARTERS_SHOWN + int(state[BAR])] = 1
        shown[at + QUARTER + QUARTERS_SHOWN + BARS_SHOWN + int(state[METRE])] = 1
    at += QUARTER + QUARTERS_SHOWN + BARS_SHOWN + len(bars)
    left = int(state[LEFT])
    if left > 0:
        shown[at + _left_feature(left)] = 1
    at += LEFT_SHOWN
    first_end = np.float32(0)
    for pitch in range(pitches):
        shown[at + pitch] = new[pitch]
        shown[at + pitches + pitch] = before[pitch]
        shown[at + 2 * pitches + pitch] = earlier[pitch]
        sounds = remaining[pitch]
        if sounds > 0:
            shown[at + 3 * pitches + pitch] = 1 - new[pitch]
            if first_end == 0 or sounds < first_end:
                first_end = sounds
    at += 4 * pitches
    if first_end > 0:
        index = 0
        while index < len(steps) - 1 and steps[index] < first_end:
            index += 1
        shown[at + index] = 1
    at += len(steps)
    for other in range(tracks):
        shown[at + other] = other == track
        shown[at + tracks + other] = state[base + 2 * tracks + other]
        shown[at + 2 * tracks + other] = state[base + other] > 0
    at += 3 * tracks
    if track >= 0 and kind == TRACK and state[base + tracks + track] > 0:
        shown[at + int(state[base + tracks + track]) - 1] = 1


def read_tokens_reference(
    tokens: IntArray,
    state: FloatArray,
    kinds: IntArray,
    values: IntArray,
    bars: IntArray,
    steps: IntArray,
    pitches: int,
    tracks: int,
    shown: FloatArray,
) -> None:
    """The twin of `read_tokens`: the same arguments, the same rules and results."""
    for row, row_state, row_shown in zip(tokens, state, shown, strict=True):
        for token, rule_features in zip(row, row_shown, strict=True):
            _read_reference(int(kinds[token]), int(values[token]), row_state, bars, pitches, tracks)
            blocks = _shown_reference(int(kinds[token]), row_state, bars, steps, pitches, tracks)
            rule_features[:] = np.concatenate(list(blocks.values()))


def _parts(state: FloatArray, pitches: int, tracks: int) -> list[FloatArray]:
    """Views of a state's blocks behind its first numbers, in the order of the module's docstring."""
    sizes = [SCALARS, *[pitches] * 4, *[tracks] * 3]
    return np.split(state, np.cumsum(sizes)[:-1])[1:]


def _read_reference(kind: int, value: int, state: FloatArray, bars: IntArray, pitches: int, tracks: int) -> None:
    remaining, new, before, earlier, track_remaining, track_last, track_given = _parts(state, pitches, tracks)
    player = max(int(state[CURRENT_TRACK]) - 1, 0)
    if kind in (START, TRANSPOSED):
        state[:] = 0
        state[BEGUN], state[IS_TRANSPOSED] = 1, kind == TRANSPOSED
    elif kind == BARS:
        state[LEFT] += value
    elif kind == METER:
        state[METRE], state[TICK] = value, 0
    elif kind == TRACK:
        state[CURRENT_TRACK] = value + 1
        track_given[value] = 1
    elif kind in (PITCH, DRUM):
        state[PLACE] += 1
        state[CURRENT_PITCH] = value + 1 if kind == PITCH else 0
        if kind == PITCH:
            new[value] = 1
            track_last[player : player + 1] = value + 1
    elif kind == DURATION:
        track_remaining[player : player + 1] = value
        current = int(state[CURRENT_PITCH])
        remaining[current - 1 : current] = np.maximum(remaining[current - 1 : current], value)
    elif kind == STEP:
        crossed, state[TICK] = divmod(int(state[TICK]) + value, int(bars[int(state[METRE])]))
        state[BAR] = (state[BAR] + crossed) % BARS_SHOWN
        state[LEFT] = max(state[LEFT] - crossed, 1) if state[LEFT] else 0
        state[[PLACE, CURRENT_TRACK, CURRENT_PITCH]] = 0
        remaining[:] = np.maximum(remaining - value, 0)
        track_remaining[:] = np.maximum(track_remaining - value, 0)
        earlier[:], before[:], new[:], track_given[:] = before.copy(), new.copy(), 0, 0


def _shown_reference(
    kind: int, state: FloatArray, bars: IntArray, steps: IntArray, pitches: int, tracks: int
) -> dict[str, FloatArray]:
    """The blocks of rule_features, by what they say."""
    remaining, new, before, earlier, track_remaining, track_last, track_given = _parts(state, pitches, tracks)
    begun, left, player = bool(state[BEGUN]), int(state[LEFT]), int(state[CURRENT_TRACK]) - 1
    quarter, tick = divmod(int(state[TICK]), QUARTER)
    sounding = remaining[remaining > 0]
    first_end = min(int(np.searchsorted(steps, sounding.min())), len(steps) - 1) if len(sounding) else -1
    last = int(track_last[player]) - 1 if player >= 0 and kind == TRACK else -1
    return {
        "transposed, begun": state[[IS_TRANSPOSED, BEGUN]],
        "place in the moment": _one(min(int(state[PLACE]), PLACES_SHOWN - 1), PLACES_SHOWN),
        "tick in the quarter": _one(tick if begun else -1, QUARTER),
        "quarter of the bar": _one(min(quarter, QUARTERS_SHOWN - 1) if begun else -1, QUARTERS_SHOWN),
        "bar, of four": _one(int(state[BAR]) if begun else -1, BARS_SHOWN),
        "metre": _one(int(state[METRE]) if begun else -1, len(bars)),
        "bars left": _one(int(np.searchsorted([1, 2, 3, 4, 6, 8, 16], left)) if left else -1, LEFT_SHOWN),
        "pitches of this moment": new,
        "pitches of the one before": before,
        "pitches of the one before that": earlier,
        "pitches that still sound": (remaining > 0) * (1 - new),
        "when the first of them ends": _one(first_end, len(steps)),
        "who plays": _one(player, tracks),
        "who has been listed": track_given,
        "who still plays": (track_remaining > 0).astype(np.float32),
        "the player's last pitch": _one(last, pitches if tracks else 0),
    }


def _one(index: int, size: int) -> FloatArray:
    """Features of which one is on; none for a place of -1."""
    rule_features: FloatArray = (np.arange(size) == index).astype(np.float32)
    return rule_features
