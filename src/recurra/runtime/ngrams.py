"""Which rows of hashed tables the last tokens together have: part of what a model folder means, so it never changes.

A token is counted from 1, and 0 stands for what is before the beginning. Of the last tokens t1 (the last), t2, t3, ...

    h1 = t1,   hn = (M h(n-1) + tn) mod 2^32,   mn = M (hn xor floor(hn / 2^15)) mod 2^32,   row = floor(mn rows / 2^32)

is the row of the last n in the table of their own, n from 2. M is odd and has 30 bits, so that no product leaves 63:
whole numbers of 64 bits, signed or not, do, in NumPy, PyTorch or ONNX, and so do JavaScript's `Math.imul` and `>>> 0`,
with BigInt for the last product. It is multiplicative hashing (Knuth 1973, section 6.4) of one token after
another; tables of hashed n-grams are those of Bojanowski et al. (2017, arXiv 1607.04606).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

MULTIPLIER = 663_608_941
"""The odd number next to 2^30 over the golden ratio."""

MASK = 2**32 - 1

MAX_COUNTED = 1_000_000
"""Collisions are counted in at most so many tokens."""

Ids = TypeVar("Ids", bound=Any)
"""A whole number, or an array or a tensor of them, of 64 bits: token + 1 each, 0 before the beginning."""


class Ngrams(NamedTuple):
    """The tables of a network: for n-grams up to the `largest`, at least 2, each `num_rows` rows of `size` features."""

    largest: int
    num_rows: int
    size: int


def hashed_rows(recent: Sequence[Ids], num_rows: int) -> list[Ids]:
    """The rows of the last n tokens together, for each n from 2 on.

    Args:
        recent: the last token, the one before it, and so on, all of one shape.
        num_rows: of each table, at most 2^24.
    """
    rows = []
    state: Any = recent[0]
    for before in recent[1:]:
        state = (state * MULTIPLIER + before) & MASK
        mixed = ((state ^ (state >> 15)) * MULTIPLIER) & MASK
        rows.append((mixed * num_rows) >> 32)
    return rows


class Collisions(NamedTuple):
    """How the n-grams of a text share the rows of their table.

    Attributes:
        size: tokens in an n-gram.
        distinct: how many different ones there are.
        sharing: how many of those have a row that another has too.
    """

    size: int
    distinct: int
    sharing: int


def count_collisions(tokens: NDArray[Any], ngrams: int, num_rows: int) -> list[Collisions]:
    """How n-grams of a text meet in the rows of their tables, for each n from 2 on.

    Args:
        tokens: `(length,)`; of a longer text than `MAX_COUNTED` the first are counted.
        ngrams: the largest n.
        num_rows: of each table.
    """
    ids = np.asarray(tokens[:MAX_COUNTED]).astype(np.int64) + 1
    padded = np.concatenate([np.zeros(ngrams - 1, np.int64), ids])
    recent = [padded[ngrams - 1 - back : len(padded) - back] for back in range(ngrams)]
    known = ids  # a number for each n-gram, shorter by one, that has been read
    found = []
    for size, rows in enumerate(hashed_rows(recent, num_rows), 2):
        pairs = known * (int(ids.max()) + 1) + recent[size - 1]
        _, first, known = np.unique(pairs, return_index=True, return_inverse=True)
        row = rows[first]
        found.append(Collisions(size, len(row), int((np.bincount(row)[row] > 1).sum())))
    return found


def collisions_words(found: Sequence[Collisions]) -> str:
    """What a person is told of collisions."""
    return ", ".join(f"{one.sharing:,} of {one.distinct:,} {one.size}-grams" for one in found) + " share a row"
