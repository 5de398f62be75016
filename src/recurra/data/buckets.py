"""Batches of sequence pairs of similar lengths, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from recurra.arrays import BoolArray, IntArray
from recurra.data.tokenizer import Tokens


@dataclass(frozen=True)
class Padded:
    """Sequences of different lengths as one array.

    Attributes:
        tokens: `(rows, longest)`, 0 where nothing is.
        mask: `(rows, longest)`, True for what is there.
    """

    tokens: IntArray
    mask: BoolArray


def pad(sequences: Sequence[Tokens]) -> Padded:
    """Put sequences into one array, each from the left."""
    lengths = np.array([len(sequence) for sequence in sequences])
    mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
    tokens = np.zeros(mask.shape, np.int64)
    tokens[mask] = np.concatenate(sequences)
    return Padded(tokens, mask)


@dataclass(frozen=True, eq=False)
class Buckets:
    """The batches of all passes over pairs: which pairs make up the batch of a step.

    In each pass the pairs are sorted by the length of their longer side, then by how much longer the first side is than
    the second, those of equal lengths in random order, and cut into batches of at most `size` tokens of the longer
    side, padding included; the batches come in random order, in the first passes from short to long (Amodei et al.
    2016, arXiv 1512.02595, section 3.2). All is a function of seed and step.

    Attributes:
        lengths: of the two sides of each pair, `(pairs, 2)`.
        size: tokens in a batch; a pair that is longer makes a batch of its own.
        seed: of the order.
        ascending: so many passes at the beginning go from short to long.
    """

    lengths: IntArray
    size: int
    seed: int = 0
    ascending: int = 0

    @cached_property
    def _cuts(self) -> IntArray:
        """Where the sorted pairs are cut into batches, `(batches + 1,)`; the same in every pass."""
        longest = np.sort(self.lengths.max(axis=1))
        cuts = [0]
        for index, length in enumerate(longest):
            if index > cuts[-1] and (index + 1 - cuts[-1]) * length > self.size:
                cuts.append(index)
        return np.array([*cuts, len(longest)])

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass."""
        return len(self._cuts) - 1

    def batch(self, step: int) -> IntArray:
        """The pairs of one step's batch, `(rows,)`; steps are counted from 0 over all passes."""
        epoch, index = divmod(step, self.steps_per_epoch)
        order, indices = _ordered(self, epoch)
        cut = indices[index]
        return order[self._cuts[cut] : self._cuts[cut + 1]]


@lru_cache(maxsize=2)
def _ordered(buckets: Buckets, epoch: int) -> tuple[IntArray, IntArray]:
    generator = np.random.default_rng([buckets.seed, epoch])
    chance = generator.random(len(buckets.lengths))
    sources, targets = buckets.lengths.T
    order = np.lexsort((chance, sources - targets, np.maximum(sources, targets)))
    steps = buckets.steps_per_epoch
    return order, np.arange(steps) if epoch < buckets.ascending else generator.permutation(steps)
