"""Where in a recording somebody speaks, measured by its energy."""

from __future__ import annotations

import numpy as np

from recurra.arrays import FloatArray

STEP_SECONDS = 0.01
"""Energy is measured so often ..."""

SMOOTH_STEPS = 5
"""... and averaged over so many of these, so that a click is not taken for a word."""

FLOOR = 1e-10
"""Mean square of what is as good as nothing."""

QUIET = 0.2
"""Quantile of the energy that is taken for that of the pauses; what is nothing at all does not count."""

ABOVE_FLOOR = 0.5
"""Sound is what lies above this share of the way from the quiet of a recording to its loudest part, in decibels ..."""

BELOW_PEAK = 30.0
"""... and at most so many decibels below that part."""


PAUSE_STEPS = 35
"""A longer pause, of so many of these, is not within a word."""


def spoken_span(samples: FloatArray, rate: int) -> tuple[int, int]:
    """Where the sound in a recording begins and ends, in samples; all of it where it is equally loud throughout.

    Energy, of the differences from sample to sample, in decibels is averaged over 50 ms. The quiet is a low quantile
    of it, the loudest part its maximum; from there sound goes on in both directions to the first pause of more than
    0.35 s.

    Args:
        samples: `(samples,)`, from -1 to 1.
        rate: samples a second.
    """
    hop = max(1, round(STEP_SECONDS * rate))
    count = len(samples) // hop
    if count < SMOOTH_STEPS:
        return 0, len(samples)
    rising = np.diff(samples[: count * hop], prepend=samples[:1])  # rumble is left out
    decibels = 10 * np.log10(np.square(rising, dtype=np.float64).reshape(count, hop).mean(axis=1) + FLOOR)
    padded = np.pad(decibels, SMOOTH_STEPS // 2, mode="edge")
    level = np.convolve(padded, np.full(SMOOTH_STEPS, 1 / SMOOTH_STEPS), "valid")
    there = level[level > 10 * np.log10(2 * FLOOR)]
    peak = float(level.max())
    quiet = float(np.quantile(there, QUIET)) if len(there) else peak
    loud = np.flatnonzero(level >= min(max(quiet + ABOVE_FLOOR * (peak - quiet), peak - BELOW_PEAK), peak))
    parts = np.split(loud, np.flatnonzero(np.diff(loud) > PAUSE_STEPS) + 1)
    loudest = next(part for part in parts if int(level.argmax()) in part)
    return int(loudest[0]) * hop, (int(loudest[-1]) + 1) * hop
