"""Graphs of the loop, with a capture that stands in for CUDA's: their sizes, when they are made, when they are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from recurra.models.attention_graph import BEFORE_CAPTURE, GraphedLoops, graphs_wanted, rounded
from recurra.models.attention_loop import _Loop

HIDDEN, SIZE, GATES = 3, 2, 12


def tensors_of(seed: int, batch: int, positions: int, time: int = 4, projected: bool = True) -> list[Tensor | None]:
    """Arguments of the loop of an LSTM, all random."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, requires_grad=True)

    mask = torch.rand(batch, positions, generator=generator) < 0.6
    mask[:, 0] = True
    weights = [
        normal(SIZE + GATES, HIDDEN),
        normal(SIZE + GATES),
        normal(SIZE),
        None if projected else normal(GATES, 5),
    ]
    read = normal(batch, positions, GATES if projected else 5)
    state = [normal(batch, HIDDEN), normal(batch, HIDDEN)]
    return [normal(time, batch, SIZE + GATES), normal(batch, positions, SIZE), read, mask, *weights, *state]


class Captures:
    """A capture that keeps the shapes; what it makes takes no others, as a graph does."""

    def __init__(self, wrong: float = 0.0, fails: bool = False) -> None:
        self.shapes: list[list[torch.Size]] = []
        self.used = 0
        self.wrong, self.fails = wrong, fails

    def __call__(self, loop: Callable[..., tuple[Tensor, ...]], sample: Sequence[Tensor]) -> Callable[..., Any]:
        if self.fails:
            raise RuntimeError("operation not permitted when stream is capturing")
        self.shapes.append([part.shape for part in sample])

        def graph(*given: Tensor) -> tuple[Tensor, ...]:
            assert [part.shape for part in given] == [part.shape for part in sample]
            self.used += 1
            outputs, *rest = loop(*given)
            return outputs + self.wrong, *rest

        return graph


def run(graphs: GraphedLoops, tensors: list[Tensor | None]) -> list[Tensor]:
    """Outputs and gradients."""
    outputs = graphs.run(partial(_Loop.apply, "lstm", True), "lstm", tensors)
    return [*outputs, *gradients(outputs, tensors)]


def gradients(outputs: Sequence[Tensor], tensors: list[Tensor | None]) -> tuple[Tensor, ...]:
    taken = [part for part in tensors if part is not None and part.requires_grad]
    return torch.autograd.grad(sum((part * torch.cos(part)).sum() for part in outputs), taken)  # type: ignore[arg-type]


def plain(tensors: list[Tensor | None]) -> list[Tensor]:
    outputs = _Loop.apply("lstm", True, *tensors)  # type: ignore[no-untyped-call]
    return [*outputs, *gradients(outputs, tensors)]


@pytest.mark.parametrize("projected", [True, False])
@pytest.mark.parametrize(("batch", "positions"), [(4, 4), (5, 7), (9, 3), (1, 1)])
def test_a_graph_gives_what_the_loop_gives(batch: int, positions: int, projected: bool) -> None:
    captures = Captures()
    graphs = GraphedLoops(captures, budget=2**30)
    for seed in range(BEFORE_CAPTURE + 2):
        tensors = tensors_of(seed, batch, positions, projected=projected)
        for one, other in zip(run(graphs, tensors), plain(tensors), strict=True):
            torch.testing.assert_close(one, other)
    assert captures.used == 1 + 3  # to be compared, and of the runs all but the first two
    assert captures.shapes[0][1][:2] == (rounded(batch), rounded(positions))
    assert len(captures.shapes) == 1


def test_sizes_that_are_near_share_a_graph_but_numbers_of_steps_do_not() -> None:
    captures = Captures()
    graphs = GraphedLoops(captures, budget=2**30)
    for batch, positions, time in [(5, 6, 4), (7, 8, 4), (6, 5, 4), (8, 7, 4), (8, 8, 5)]:
        run(graphs, tensors_of(0, batch, positions, time))
    assert [shapes[0][0] for shapes in captures.shapes] == [4]


@pytest.mark.parametrize("captures", [Captures(fails=True), Captures(wrong=0.01), Captures(wrong=float("nan"))])
def test_what_cannot_be_captured_or_comes_out_wrong_runs_as_it_is(captures: Captures) -> None:
    graphs = GraphedLoops(captures, budget=2**30)
    for seed in range(BEFORE_CAPTURE + 2):
        tensors = tensors_of(seed, 4, 4)
        for one, other in zip(run(graphs, tensors), plain(tensors), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert len(captures.shapes) <= 1


def test_no_more_graphs_than_there_is_memory_for() -> None:
    captures = Captures()
    graphs = GraphedLoops(captures, budget=20_000)
    for positions in (4, 8, 16, 4):
        for _ in range(BEFORE_CAPTURE):
            run(graphs, tensors_of(0, 4, positions))
    assert [shapes[1][1] for shapes in captures.shapes] == [4]


@pytest.mark.parametrize(("size", "wanted"), [(1, 4), (4, 4), (5, 8), (16, 16), (17, 20), (33, 40), (56, 56), (57, 64)])
def test_rounded(size: int, wanted: int) -> None:
    assert rounded(size) == wanted


def test_graphs_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert graphs_wanted()
    monkeypatch.setenv("RECURRA_CUDA_GRAPHS", "off")
    assert not graphs_wanted()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")
def test_on_a_gpu_graphs_give_what_the_loop_gives() -> None:
    graphs = GraphedLoops()
    for seed in range(BEFORE_CAPTURE + 3):
        tensors = [
            None if part is None else part.detach().cuda().requires_grad_(part.requires_grad)
            for part in tensors_of(seed, 6, 7)
        ]
        for one, other in zip(run(graphs, tensors), plain(tensors), strict=True):
            torch.testing.assert_close(one, other)
    assert list(graphs._graphs.values()) != [None]
