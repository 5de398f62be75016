"""Made-up performances."""

from collections import Counter

import numpy as np

from recurra.tasks.music.performance import performance
from recurra.tasks.music.pieces import Piece


def recital(seed: int, notes: int = 120) -> Piece:
    """A made-up performance, at no grid at all."""
    rng = np.random.default_rng(seed)
    begins = np.cumsum(rng.exponential(0.15, notes))
    rows = [
        (float(begin), float(begin + rng.uniform(0.05, 1.5)), int(rng.integers(45, 80)), int(rng.integers(20, 110)))
        for begin in begins
    ]
    return performance(f"recital {seed}", rows, 0, Counter())
