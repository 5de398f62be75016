"""Files that were played freely are told from those that were written, swung or not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.music.grid import FREE, STEPS, off_grid
from recurra.tasks.music.render.output import swing


@given(ticks=st.lists(st.tuples(st.integers(0, 99), st.sampled_from(STEPS)), max_size=40))
def test_what_is_on_the_grid_is_not_off_it(ticks: list[tuple[int, int]]) -> None:
    assert off_grid([12 * quarter + step for quarter, step in ticks]) == 0.0


@pytest.mark.parametrize("share", [0.55, 0.58, 0.62, 0.67, 0.72, 0.8])
@pytest.mark.parametrize("human", [0.0, 0.1])
def test_swing_is_not_free(share: float, human: float) -> None:
    """Swung eighths and sixteenths, by a machine or by people within a hundredth of a quarter."""
    rng = np.random.default_rng(0)
    timing = swing(share)
    assert timing is not None
    eighths = np.array([timing(tick) for tick in range(0, 2400, 6)])
    sixteenths = np.array([timing(2 * tick) / 2 for tick in range(0, 2400, 3)])
    for exact in (eighths, sixteenths):
        assert off_grid(exact + rng.normal(0, human, len(exact)).clip(-0.25, 0.25)) < FREE


def test_quintuplets_are_not_free_and_free_playing_is() -> None:
    rng = np.random.default_rng(0)
    assert off_grid(np.arange(500) * 12 / 5) == 0.0
    free = np.cumsum(rng.exponential(7, 1000))
    assert 0.3 < off_grid(free) < 0.4
    # Half of the notes freely, half in time.
    assert off_grid(np.concatenate([free, np.arange(1000) * 6.0])) == pytest.approx(off_grid(free) / 2, abs=0.01)
    # People who play to a beat are a little early or late, and that is mended by moving them.
    assert off_grid(np.arange(1000) * 6 + rng.normal(0, 0.25, 1000)) < FREE
    assert off_grid(free[:15]) == 0.0, "too few to say"
