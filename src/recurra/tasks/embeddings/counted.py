"""Words and how often they were seen: what training with more text goes on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurra.arrays import IntArray


@dataclass(frozen=True)
class Counted:
    """Every word of a text and how often it stands there.

    Attributes:
        words: the distinct ones.
        counts: of each, `(len(words),)`.
        vectors: so many of the first have vectors already.
    """

    words: Sequence[str]
    counts: IntArray
    vectors: int = 0


NOTHING = Counted((), np.zeros(0, np.int64))
