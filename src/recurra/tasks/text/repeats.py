"""A guard against writing in circles: no run of so many tokens comes twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.arrays import IntArray


class Repeats:
    """Knows which tokens would end a run for the second time.

    Args:
        size: of a run, in tokens; 0 for no guard.
        tokens: what stands there already.
        vocabulary_size: where every token would repeat a run, none is barred.
    """

    def __init__(self, size: int, tokens: Sequence[int], vocabulary_size: int) -> None:
        self._size, self._vocabulary_size = size, vocabulary_size
        self._last: tuple[int, ...] = ()
        self._after: dict[tuple[int, ...], set[int]] = {}
        for token in tokens:
            self.add(token)

    def add(self, token: int) -> None:
        """One more token was written."""
        if not self._size:
            return
        if len(self._last) == self._size - 1:
            self._after.setdefault(self._last, set()).add(token)
        self._last = (*self._last, token)[max(0, len(self._last) + 2 - self._size) :]

    def barred(self, suppressed: IntArray) -> IntArray:
        """The tokens that must not come next: those that are suppressed anyway, and those that would repeat a run."""
        found = self._after.get(self._last)
        if not found:
            return suppressed
        every = np.union1d(suppressed, np.fromiter(found, np.int64, len(found)))
        return suppressed if len(every) == self._vocabulary_size else every
