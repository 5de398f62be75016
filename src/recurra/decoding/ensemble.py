"""Several models that write one output together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from recurra.decoding.step import DecoderStep, StepOutput
from recurra.models.cells import State


def join(states: Sequence[State]) -> State:
    """The states of some models as one: their tensors one after another."""
    return tuple(part for state in states for part in state)


def split(state: State, parts: Sequence[int]) -> list[State]:
    """The states that were joined.

    Args:
        state: the joined one.
        parts: how many tensors each model's has.

    Raises:
        ValueError: if there are more or fewer tensors.
    """
    if sum(parts) != len(state):
        raise ValueError(f"a joined state of {len(state)} tensors cannot be split into {list(parts)}")
    ends = [sum(parts[: index + 1]) for index in range(len(parts))]
    return [state[end - count : end] for end, count in zip(ends, parts, strict=True)]


def ensemble(steps: Sequence[DecoderStep], parts: Sequence[int]) -> DecoderStep:
    """One step of several models that share their tokens: what comes next by the mean of their probabilities.

    The weights are the mean of those of the members that have some; they must attend to the same positions.

    Args:
        steps: the members', at least one.
        parts: how many tensors each member's state has; the step takes and gives the joined state.

    Raises:
        ValueError: if there is no member, there are more or fewer parts, or (from the step) the members' vocabularies
            or positions differ.
    """
    if not steps or len(parts) != len(steps):
        raise ValueError(f"an ensemble needs members, and parts of each: there are {len(steps)} and {len(parts)}")

    def step(tokens: Tensor, state: State) -> StepOutput:
        each = [member(tokens, part) for member, part in zip(steps, split(state, parts), strict=True)]
        log_probs = _log_mean([stepped.log_probs for stepped in each])
        attended = [stepped.weights for stepped in each if stepped.weights is not None]
        weights = torch.stack(_alike(attended, "positions")).mean(dim=0) if attended else None
        return StepOutput(log_probs, join([stepped.state for stepped in each]), weights)

    return step


def _log_mean(log_probs: Sequence[Tensor]) -> Tensor:
    """The logarithm of the mean probability, never above 0."""
    stacked = torch.stack(_alike(log_probs, "vocabularies"))
    return (stacked.logsumexp(dim=0) - math.log(len(log_probs))).clamp(max=0)


def _alike(tensors: Sequence[Tensor], what: str) -> list[Tensor]:
    shapes = [tuple(tensor.shape) for tensor in tensors]
    if len(set(shapes)) > 1:
        raise ValueError(f"the members of an ensemble differ in their {what}: {shapes}")
    return list(tensors)
