"""Signals as requests to stop at the next good moment, with everything saved."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def caught_signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying of them; a second one is left to do its work."""
    caught: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)

    def catch(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        before = {number: signal.signal(number, catch) for number in numbers}
    except ValueError:  # not in the main thread: signals are somebody else's
        yield caught
        return
    try:
        yield caught
    finally:
        restore()
