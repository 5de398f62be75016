"""The compiled scan of performances against its NumPy twin, cut anywhere, and against the notes themselves."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.music.performance import (
    EVENTS,
    NOTE_ON,
    SIZE,
    START,
    TIME_SHIFT,
    TRANSPOSED,
    VELOCITY,
    VELOCITY_STEPS,
    number,
)
from recurra.tasks.music.performance_rules import FEATURES, STATE_SIZE, PerformanceRules, read_events_reference

KINDS, VALUES = (np.array(column) for column in zip(*EVENTS, strict=True))


@given(data=st.data())
def test_the_scan_is_its_reference_cut_anywhere(data: st.DataObject) -> None:
    rows, time = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 30))
    few = st.sampled_from([*range(2), *(number(kind, 60 + 3 * kind) for kind in range(2, 5)), number(VELOCITY, 31)])
    token = st.one_of(few, st.integers(0, SIZE - 1))
    tokens = np.array(data.draw(st.lists(st.lists(token, min_size=time, max_size=time), min_size=rows, max_size=rows)))
    rules = PerformanceRules()
    state, shown = np.zeros((rows, STATE_SIZE), np.float32), np.zeros((rows, time, FEATURES), np.float32)
    before = state.copy()
    read_events_reference(tokens, state, KINDS, VALUES, shown)
    cut = data.draw(st.integers(0, time))
    first, middle = rules.read(tokens[:, :cut], before)
    second, last = rules.read(tokens[:, cut:], middle)
    assert not before.any(), "the state that is read is not changed"
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), shown)
    np.testing.assert_array_equal(last, state)


def test_what_sounds_is_shown() -> None:
    tokens = [
        (START, 0),
        (VELOCITY, 5),
        (NOTE_ON, 60),
        (NOTE_ON, 64),
        (TIME_SHIFT, 3),
        (NOTE_ON + 1, 60),
        (TRANSPOSED, 0),
    ]
    shown, _ = PerformanceRules().read(
        np.array([[number(*token) for token in tokens]]), np.ones((1, STATE_SIZE), np.float32)
    )
    base = 2 + VELOCITY_STEPS
    on = [np.flatnonzero(row).tolist() for row in shown[0]]
    assert on == [
        [0], [0, 7], [0, 7, base + 60], [0, 7, base + 60, base + 64], [0, 7, base + 60, base + 64],
        [0, 7, base + 64], [0, 1],
    ]  # fmt: skip
