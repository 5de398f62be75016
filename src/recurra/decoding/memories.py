"""The memories that rows of a search attend to, of one source each."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from recurra.arrays import IntArray

NARROW = 0.75
"""Where this share of the memories kept, or less, is still asked for, the others are left out."""


class Memories(Protocol):
    """What is attended to, of some sources."""

    def select(self, indices: IntArray) -> Any:
        """The memories of some of them."""


MemoriesT = TypeVar("MemoriesT", bound=Memories)


class ActiveMemories(Generic[MemoriesT]):
    """The memories of the sources that still have rows: the others are left out now and then.

    What it keeps between two steps saves time and changes nothing: a source that is asked for again is there again.

    Args:
        memories: of all sources.
        count: how many there are.
    """

    def __init__(self, memories: MemoriesT, count: int) -> None:
        self._all = self._kept = memories
        self._index = np.arange(count)  # of each source in `_kept`, or -1
        self._count = count  # of sources in `_kept`

    def of(self, sources: IntArray) -> tuple[MemoriesT, IntArray]:
        """The memories of rows of these sources, `(rows,)` and ascending, and the index of each row's in them."""
        if len(self._index) == 1:
            return self._all, sources
        active = np.unique(sources)
        if len(active) <= NARROW * self._count or (self._index[active] < 0).any():
            self._kept, self._count = self._all.select(active), len(active)
            self._index = np.full_like(self._index, -1)
            self._index[active] = np.arange(len(active))
        return self._kept, self._index[sources]
