"""A small detector of a sung word: what it is trained on, and how."""

from __future__ import annotations

from typing import Any

import numpy as np
from singing import SUNG_RATE, sung

from recurra.tasks.speech.audio import resampled

WORD, OTHERS = "cab", ("bd", "de", "c", "ee", "dd", "ed", "ce", "da")
"""What is detected, and what is sung besides."""

DETECTOR_RATE = 4000

DETECTOR: dict[str, Any] = {
    "hidden_size": 24,
    "num_layers": 1,
    "evaluations": 1,
    "dropout": 0.0,
    "rate": DETECTOR_RATE,
    "mel_bands": 12,
    "mask_bands": 0,
    "stack": 8,
    "speed": 0.0,
    "noise_db": 25.0,
    "batch_seconds": 16.0,
    "learning_rate": 0.03,
}
"""Options of a detector that is trained in some seconds."""

TAIL = 500 / SUNG_RATE
"""Seconds of quiet at the end of a sung word."""


def stream(words: tuple[str, ...], seed: int = 1000) -> tuple[np.ndarray, list[float]]:
    """Words one after another at the detector's rate, and the seconds at which its word ends."""
    parts = [resampled(sung(word, seed + number), SUNG_RATE, DETECTOR_RATE) for number, word in enumerate(words)]
    ends = (np.cumsum([len(part) for part in parts]) / DETECTOR_RATE - TAIL).tolist()
    return np.concatenate(parts), [end for end, word in zip(ends, words, strict=True) if word == WORD]
