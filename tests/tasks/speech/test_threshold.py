"""The decoder that a model of Morse code is compared with."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.tasks.speech.morse import CODE, RATE, Conditions, key
from recurra.tasks.speech.threshold import threshold_decode


@pytest.mark.parametrize("words_a_minute", [15.0, 22.0, 30.0])
def test_clean_messages_are_read(words_a_minute: float) -> None:
    conditions = Conditions(snr=15.0, words_a_minute=words_a_minute, jitter=0.0, fading=0.0, pitch=520.0)
    for text in ("PARIS DE K1ABC", "".join(CODE)):
        assert threshold_decode(key(text, conditions, 1), RATE) == text


def test_noise_alone_is_no_error() -> None:
    threshold_decode(np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32), RATE)
