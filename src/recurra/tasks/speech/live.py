"""Sound from a microphone, in chunks, by `sounddevice` where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Queue
from typing import Any

import numpy as np

from recurra.arrays import FloatArray
from recurra.errors import RecurraError
from recurra.progress import note

CHUNK_SECONDS = 0.1
"""Sound that is handed on at a time."""


def microphone(rate: int) -> Iterator[FloatArray]:
    """Chunks of what the default microphone hears, `(samples,)` at a rate in Hz, until the program is interrupted.

    Raises:
        RecurraError: if sounddevice is not installed, or there is no microphone that may be used.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: there is no PortAudio
        raise RecurraError(
            f"listening needs one more package, sounddevice, and PortAudio ({error}); pip install sounddevice"
        ) from error
    chunks: Queue[FloatArray] = Queue()

    def take(samples: Any, frames: int, time: object, status: object) -> None:
        chunks.put(np.array(samples[:, 0], np.float32))

    try:
        with sounddevice.InputStream(rate, round(CHUNK_SECONDS * rate), channels=1, dtype="float32", callback=take):
            note("listening; stop with Ctrl-C")
            while True:
                yield chunks.get()
    except sounddevice.PortAudioError as error:
        raise RecurraError(
            f"the microphone cannot be used ({error}); plug one in, or allow this program to use it"
        ) from error
