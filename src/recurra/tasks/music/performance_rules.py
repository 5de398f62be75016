"""What can be told by rule from the events of a performance read so far: which notes sound, and how loud it is.

The state of a row is a vector of float32, all zeros before anything is read:

    [ begun | transposed | loudness + 1 ]
    sounding (PITCHES)          1 for a note that has begun and not ended

What is shown after each token, 0 or 1: begun, transposed, the loudness (one of `VELOCITY_STEPS`), and what sounds.
`read_events_reference` states in plain NumPy what `read_events` does.
"""

from __future__ import annotations

import numpy as np

from recurra.arrays import FloatArray, IntArray
from recurra.kernels import jit
from recurra.tasks.music.performance import (
    EVENTS,
    NOTE_OFF,
    NOTE_ON,
    PITCHES,
    TRANSPOSED,
    VELOCITY,
    VELOCITY_STEPS,
)

SCALARS = 3
STATE_SIZE = SCALARS + PITCHES
FEATURES = 2 + VELOCITY_STEPS + PITCHES


@jit()
def read_events(tokens: IntArray, state: FloatArray, kinds: IntArray, values: IntArray, shown: FloatArray) -> None:
    """Read rows of tokens, changing their state, and note after each token what is to be shown.

    Shapes: tokens (rows, time); state (rows, STATE_SIZE); kinds and values (SIZE,), what each token is; shown (rows,
    time, FEATURES), all zeros.
    """
    for row in range(tokens.shape[0]):
        own = state[row]
        for time in range(tokens.shape[1]):
            kind, value = kinds[tokens[row, time]], values[tokens[row, time]]
            if kind <= TRANSPOSED:
                own[:] = 0
                own[0] = 1
                own[1] = kind
            elif kind == VELOCITY:
                own[2] = value + 1
            elif kind == NOTE_ON:
                own[SCALARS + value] = 1
            elif kind == NOTE_OFF:
                own[SCALARS + value] = 0
            shown[row, time, 0] = own[0]
            shown[row, time, 1] = own[1]
            if own[2] > 0:
                shown[row, time, 1 + int(own[2])] = 1
            shown[row, time, 2 + VELOCITY_STEPS :] = own[SCALARS:]


def read_events_reference(
    tokens: IntArray, state: FloatArray, kinds: IntArray, values: IntArray, shown: FloatArray
) -> None:
    """The twin of `read_events`: the same arguments, rules and results."""
    for row, own, features in zip(tokens, state, shown, strict=True):
        for token, feature in zip(row, features, strict=True):
            kind, value = int(kinds[token]), int(values[token])
            if kind <= TRANSPOSED:
                own[:] = [1, kind, 0, *[0] * PITCHES]
            elif kind == VELOCITY:
                own[2] = value + 1
            elif kind in (NOTE_ON, NOTE_OFF):
                own[SCALARS + value] = kind == NOTE_ON
            loudness = np.arange(1, VELOCITY_STEPS + 1) == own[2]
            feature[:] = np.concatenate([own[:2], loudness, own[SCALARS:]])


class PerformanceRules:
    """Works out what sounds, and how loud it is, from the events read so far; see `runtime.rules.RuleFeatures`."""

    state_size = STATE_SIZE
    size = FEATURES

    def __init__(self) -> None:
        self._kinds = np.array([event.kind for event in EVENTS])
        self._values = np.array([event.value for event in EVENTS])

    def read(self, tokens: IntArray, state: FloatArray) -> tuple[FloatArray, FloatArray]:
        """See `runtime.rules.RuleFeatures.read`."""
        shown = np.zeros((*tokens.shape, self.size), dtype=np.float32)
        state = np.ascontiguousarray(state, dtype=np.float32).copy()
        read_events(np.ascontiguousarray(tokens), state, self._kinds, self._values, shown)
        return shown, state
