"""The loop of `attention_loop` on CUDA as graphs: all its small kernels, forward and backward, launched at once.

A step of the loop is a dozen small kernels, which an NVIDIA GPU works off faster than they are launched. A graph holds
them all, for one shape. Rows and positions are rounded up, so that shapes come again; the number of steps is not, since
the state at the end is that of the last. A graph is made of a shape that has come `BEFORE_CAPTURE` times, as long as
all graphs take no more than a share of the GPU's memory, and is used only if it gives what the loop gives itself on
what it was made of; all other shapes run as they are.

Shapes: as in `attention_loop`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Loop = Callable[..., tuple[Tensor, ...]]
"""The loop on its tensors; see `GraphedLoops.run`."""

BEFORE_CAPTURE = 3
"""Times that a shape comes before a graph of it is made, which takes as long as a dozen steps."""

VARIABLE = "RECURRA_CUDA_GRAPHS"

MEMORY_SHARE = 4
"""All graphs together take at most one part in this many of the GPU's memory."""

TOLERANCE = 1e-4
"""Largest difference from the loop itself, relative to the largest number: sums over padding come in another order."""


def graphs_wanted() -> bool:
    """Whether the person has not switched graphs off, with `RECURRA_CUDA_GRAPHS=off`."""
    return os.environ.get(VARIABLE) != "off"


class GraphedLoops:
    """Graphs by the shapes they are for.

    A graph has one place for what the backward pass needs: each run's gradients must be taken before the next of the
    same shape, as training does.

    Args:
        capture: makes a callable that is a graph, of a callable and arguments of it.
        budget: bytes that all graphs may take; a share of the GPU's memory if not given.
    """

    def __init__(
        self, capture: Callable[..., Any] = torch.cuda.make_graphed_callables, budget: int | None = None
    ) -> None:
        self._capture = capture
        self._budget = budget
        self._seen: Counter[tuple[object, ...]] = Counter()
        self._graphs: dict[tuple[object, ...], Loop | None] = {}
        self._spent = 0

    def run(self, loop: Loop, name: str, tensors: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        """What the loop makes of its tensors.

        Args:
            loop: it; the same for the same name.
            name: of the cell.
            tensors: inputs `(T, B, A + G)`, keys `(B, S, A)`, read `(B, S, V | G)`, mask `(B, S)`, weights, some of
                which may be None, and state `(B, H)` each.

        Returns:
            Outputs `(T, B, H)`, attention weights `(T, B, S)`, and what is `(B, H)`.
        """
        batch, positions = tensors[3].shape  # type: ignore[union-attr]
        sizes = rounded(batch), rounded(positions)
        inputs, keys, read, _, *others = tensors
        kinds = [
            None if part is None else (part.shape[-1], part.dtype, part.device)
            for part in (inputs, keys, read, *others)
        ]
        key = (name, len(inputs), *sizes, *kinds)  # type: ignore[arg-type]
        self._seen[key] += 1
        if self._seen[key] < BEFORE_CAPTURE or self._graphs.get(key, loop) is None:
            return loop(*tensors)
        given = [tensor for tensor in _padded(tensors, *sizes) if tensor is not None]
        if key not in self._graphs:
            self._graphs[key] = self._made(_without_absent(loop, tensors), given) if self._affords(given) else None
        graph = self._graphs[key]
        if graph is None:
            return loop(*tensors)
        outputs, weights, *end = graph(*given)
        return outputs[:, :batch], weights[:, :batch, :positions], *(part[:batch] for part in end)

    def _affords(self, given: Sequence[Tensor]) -> bool:
        inputs, keys, read = given[:3]
        if self._budget is None:
            self._budget = torch.cuda.get_device_properties(inputs.device).total_memory // MEMORY_SHARE
        of_a_step = 2 * (keys.numel() + read.numel()) + 8 * inputs[0].numel()  # forward, backward, and in between
        wanted = len(inputs) * of_a_step * inputs.element_size()
        if self._spent + wanted > self._budget:
            return False
        self._spent += wanted
        return True

    def _made(self, loop: Loop, given: Sequence[Tensor]) -> Loop | None:
        """A graph that gives what the loop does; None if it cannot be made, or does not."""
        sample = _leaves(given)
        try:
            graph = self._capture(loop, tuple(_leaves(given)))
            pairs = zip(_results(loop, sample), _results(graph, sample), strict=True)
            same = all(_close(one, other) for one, other in pairs)
        except RuntimeError:  # what cannot be captured runs as it is
            return None
        return graph if same else None


def rounded(size: int) -> int:
    """The next of four sizes an octave, at least 4."""
    step = max(4, 1 << max(size.bit_length() - 3, 0))
    return -(-size // step) * step


def _padded(tensors: Sequence[Tensor | None], batch: int, positions: int) -> list[Tensor | None]:
    """The same with more rows and positions; what is more is not attended to, but for one position of each row."""
    inputs, keys, read, mask, *weights = tensors
    states = weights[4:]
    assert inputs is not None and keys is not None and read is not None and mask is not None  # noqa: PT018
    rows, more = batch - len(mask), positions - mask.shape[1]
    mask = F.pad(mask, (0, more, 0, rows))
    mask[batch - rows :, 0] = True
    keys, read = (F.pad(part, (0, 0, 0, more, 0, rows)) for part in (keys, read))
    ends = [None if state is None else F.pad(state, (0, 0, 0, rows)) for state in states]
    return [F.pad(inputs, (0, 0, 0, rows)), keys, read, mask, *weights[:4], *ends]


def _without_absent(loop: Loop, tensors: Sequence[Tensor | None]) -> Loop:
    """The loop as a function of those of its tensors that there are."""
    there = [tensor is not None for tensor in tensors]

    def run(*given: Tensor) -> tuple[Tensor, ...]:
        rest = iter(given)
        return loop(*(next(rest) if is_there else None for is_there in there))

    return run


def _leaves(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Copies with gradients of their own, where a gradient is taken."""
    return [tensor.detach().clone().requires_grad_(tensor.is_floating_point()) for tensor in tensors]


def _results(loop: Loop, given: Sequence[Tensor]) -> list[Tensor]:
    """Outputs, and the gradients of the sum of their squares."""
    with torch.enable_grad():
        outputs = loop(*given)
        taken = [tensor for tensor in given if tensor.requires_grad]
        gradients = torch.autograd.grad(sum((part * part).sum() for part in outputs), taken)  # type: ignore[arg-type]
    return [part.detach().clone() for part in (*outputs, *gradients)]


def _close(one: Tensor, other: Tensor) -> bool:
    largest = float(one.abs().max()) if one.numel() else 0.0
    return bool(torch.isfinite(other).all()) and float((one - other).abs().max()) <= TOLERANCE * (largest + TOLERANCE)
