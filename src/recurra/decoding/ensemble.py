"""Several models that write one output together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.arrays import IntArray
from recurra.decoding.step import DecoderStep, StepOutput

States = tuple[Any, ...]
"""The state of each member."""


class Ensemble:
    """One step of several models that share their tokens: what comes next by the mean of their probabilities.

    The weights are the mean of those of the members that have some; they must attend to the same positions.

    Args:
        members: at least one, all computed with the same library.

    Raises:
        ValueError: if there is no member, or (from the step) the members' vocabularies or positions differ.
    """

    def __init__(self, members: Sequence[DecoderStep[Any]]) -> None:
        if not members:
            raise ValueError("an ensemble needs members")
        self._members = members

    def __call__(self, tokens: IntArray, state: States) -> StepOutput[States]:
        """See `DecoderStep`."""
        each = [member(tokens, part) for member, part in zip(self._members, state, strict=True)]
        first, *others = (stepped.log_probs for stepped in each)
        _require_alike([log_probs.vocabulary_size for log_probs in (first, *others)], "vocabularies")
        attended = [stepped.weights for stepped in each if stepped.weights is not None]
        _require_alike([weights.shape for weights in attended], "positions")
        weights = np.mean(attended, axis=0) if attended else None
        return StepOutput(first.mean(others), tuple(stepped.state for stepped in each), weights)

    def select(self, state: States, rows: IntArray) -> States:
        """See `DecoderStep`."""
        return tuple(member.select(part, rows) for member, part in zip(self._members, state, strict=True))


def _require_alike(sizes: Sequence[object], what: str) -> None:
    if len(set(sizes)) > 1:
        raise ValueError(f"the members of an ensemble differ in their {what}: {list(sizes)}")
