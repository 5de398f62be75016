"""A plain decoder of Morse code to compare a model with: a threshold on the tone's envelope, nothing learned."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from recurra.arrays import FloatArray
from recurra.tasks.speech.morse import CODE

STEP = 0.005
"""Seconds from a value of the envelope to the next."""

_CHARACTERS = {code: character for character, code in CODE.items()}


def threshold_decode(samples: FloatArray, rate: int) -> str:
    """A message in Morse code as text; marks that are no character are left out.

    Args:
        samples: what is heard, `(samples,)`.
        rate: samples a second.
    """
    envelope = _envelope(samples, rate)
    low, high = np.quantile(envelope, [0.2, 0.95])
    runs = [(down, STEP * len(list(run))) for down, run in groupby((envelope > (low + high) / 2).tolist())]
    dot = _dot([seconds for down, seconds in runs if down and seconds > 4 * STEP])
    text, code = "", ""
    for down, seconds in [*runs, (False, 8 * dot)]:
        units = seconds / dot
        if down and units > 0.4:
            code += "." if units < 2 else "-"
        elif not down and units >= 2:
            text += _CHARACTERS.get(code, "") + (" " if units >= 5 else "")
            code = ""
    return " ".join(text.split())


def _envelope(samples: FloatArray, rate: int) -> FloatArray:
    """How loud the loudest tone from 400 to 800 Hz is, every `STEP`: it is mixed to 0 Hz and averaged over 80 ms."""
    spectrum = np.abs(np.fft.rfft(samples))
    pitches = np.fft.rfftfreq(len(samples), 1 / rate)
    pitch = pitches[np.argmax(spectrum * ((pitches >= 400) & (pitches <= 800)))]
    mixed = samples * np.exp(-2j * np.pi * pitch * np.arange(len(samples)) / rate)
    window = np.hanning(round(0.08 * rate))
    smooth = np.abs(np.convolve(mixed, window / window.sum(), "same"))
    return np.asarray(smooth[:: round(STEP * rate)], np.float32)


def _dot(marks: list[float]) -> float:
    """The length of a dot, seconds, that fits marks of one and three dots best, from 12 to 40 words a minute."""
    lengths = np.log(np.array(marks or [0.06]))[:, None, None]
    dots = 1.2 / np.arange(12, 40.5, 0.5)
    off = np.abs(lengths - np.log(dots[:, None] * np.array([1.0, 3.0]))).min(axis=2)
    return float(dots[off.sum(axis=0).argmin()])
