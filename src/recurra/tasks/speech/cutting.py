"""Long recordings in pieces, cut where it is quiet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from recurra.arrays import FloatArray

PAUSE_SECONDS = 0.15
"""How quiet a place is, is judged by so much sound around it."""


class Piece(NamedTuple):
    """A piece of a recording.

    Attributes:
        begin: its first sample, counted from the recording's.
        samples: `(samples,)`.
    """

    begin: int
    samples: FloatArray


def cut_at_quiet(blocks: Iterable[FloatArray], rate: int, longest: float, grid: int) -> Iterator[Piece]:
    """A recording whole, or if it is longer than `longest` in pieces that are not.

    Each is cut where it is quietest in its second half. No more than a piece and a block are in memory.

    Args:
        blocks: the recording, in blocks of any size.
        rate: samples a second.
        longest: seconds of a piece, at most.
        grid: pieces begin at a multiple of so many samples.
    """
    limit = max(2, round(longest * rate) // grid) * grid
    held, begin = np.zeros(0, np.float32), 0
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) > limit:
            cut = _quietest(held[:limit], rate, grid)
            yield Piece(begin, held[:cut])
            held, begin = held[cut:], begin + cut
    yield Piece(begin, held)


def _quietest(samples: FloatArray, rate: int, grid: int) -> int:
    """Where in the second half of samples it is quietest, a multiple of `grid`; the last such place."""
    energy = np.square(samples, dtype=np.float64)
    width = max(1, round(PAUSE_SECONDS * rate))
    places = np.arange(grid * max(1, len(samples) // grid // 2), len(samples) + 1, grid)
    sums = np.concatenate([[0.0], np.cumsum(energy)])
    first, last = np.maximum(places - width // 2, 0), np.minimum(places + width // 2 + 1, len(samples))
    around = (sums[last] - sums[first]) / (last - first)
    return int(places[len(places) - 1 - int(around[::-1].argmin())])
