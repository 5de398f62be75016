"""Long recordings in pieces: nothing is lost, none is too long, and cuts are where it is quiet."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.speech.cutting import cut_at_quiet

RATE, GRID = 1000, 40


@given(st.integers(0, 6000), st.integers(1, 700), st.floats(0.1, 3.0), st.integers(0, 10))
def test_pieces_are_the_recording(length: int, block: int, longest: float, seed: int) -> None:
    samples = np.random.default_rng(seed).normal(size=length).astype(np.float32)
    pieces = list(cut_at_quiet(np.split(samples, range(block, length, block)), RATE, longest, GRID))
    assert np.array_equal(np.concatenate([piece.samples for piece in pieces]), samples)
    limit = max(longest * RATE, 2 * GRID)
    begin = 0
    for piece in pieces:
        assert piece.begin == begin
        assert begin % GRID == 0
        assert len(piece.samples) <= limit
        begin += len(piece.samples)
    if length > limit:
        assert all(len(piece.samples) >= limit / 2 - GRID for piece in pieces[:-1])
    else:
        assert len(pieces) == 1
    whole = list(cut_at_quiet([samples], RATE, longest, GRID))
    assert [piece.begin for piece in whole] == [piece.begin for piece in pieces]


def test_cuts_are_in_pauses() -> None:
    samples = np.random.default_rng(0).normal(size=30_000).astype(np.float32)
    pauses = [(7000, 7300), (12_900, 13_200), (19_400, 19_700), (25_000, 25_300)]
    for begin, end in pauses:
        samples[begin:end] *= 0.01
    found = [piece.begin for piece in cut_at_quiet([samples], RATE, 8.0, GRID)][1:]
    assert len(found) == len(pauses)
    for cut, (begin, end) in zip(found, pauses, strict=True):
        assert begin + 75 <= cut <= end - 75


def test_of_places_that_are_as_quiet_the_last_is_taken() -> None:
    pieces = list(cut_at_quiet([np.zeros(2000, np.float32)], RATE, 0.8, GRID))
    assert [len(piece.samples) for piece in pieces] == [800, 800, 400]
