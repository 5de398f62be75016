"""The loop that attends: against PyTorch's cells on input and context, against itself by automatic differentiation."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from recurra.models.attention_loop import AttentionCell, AttentionMemory, attend, attend_reference, attend_step
from recurra.models.cells import GATE_COUNTS, State, state_parts

exactly = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-11)
identically = partial(torch.testing.assert_close, rtol=0, atol=0)

each_cell = pytest.mark.parametrize("cell", ["lstm", "gru"])
each_kind = pytest.mark.parametrize("additive", [True, False], ids=["additive", "multiplicative"])
each_loop = pytest.mark.parametrize("loop", [attend, attend_reference])
sizes = st.integers(1, 5)
seeds = st.integers(0, 1000)


class Problem(NamedTuple):
    """Arguments of the loop, all random."""

    cell: AttentionCell
    inputs: Tensor
    state: State
    memory: AttentionMemory

    def tensors(self) -> list[Tensor]:
        """All that has a gradient."""
        _, keys, projected_values, _, weight, bias, vector, _ = self.memory
        return [self.inputs, keys, projected_values, weight, bias, *([] if vector is None else [vector]), *self.state]

    def attending_to(self, mask: Tensor) -> Problem:
        return self._replace(memory=self.memory._replace(mask=mask))


def problem(
    cell: AttentionCell, additive: bool, seed: int, time: int = 3, batch: int = 2, positions: int = 3, size: int = 2
) -> Problem:
    generator = torch.Generator().manual_seed(seed)
    hidden = 3
    gates = GATE_COUNTS[cell] * hidden

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=generator, requires_grad=True)

    mask = torch.rand(batch, positions, generator=generator) < 0.6
    mask[torch.arange(batch), torch.randint(positions, (batch,), generator=generator)] = True
    keys, projected_values = normal(batch, positions, size), normal(batch, positions, gates)
    weight, bias = normal(size + gates, hidden), normal(size + gates)
    vector = normal(size) if additive else None
    state = tuple(normal(batch, hidden) for _ in range(state_parts(cell)))
    inputs = normal(time, batch, size + gates)
    values = torch.randn(batch, positions, 7, dtype=torch.float64, generator=generator)
    memory = AttentionMemory(values, keys, projected_values, mask, weight, bias, vector)
    return Problem(cell, inputs, state, memory)


def run(loop: object, given_problem: Problem) -> list[Tensor]:
    outputs, weights, state = loop(*given_problem)  # type: ignore[operator]
    return [outputs, weights, *state]


def weighted_sum(results: list[Tensor]) -> Tensor:
    """A loss in which everything counts, each number differently."""
    parts = [(part * torch.linspace(-1, 2, part.numel()).double().view_as(part)).sum() for part in results]
    return torch.stack(parts).sum()


@each_cell
@each_kind
@given(time=sizes, batch=sizes, positions=sizes, size=sizes, seed=seeds)
def test_the_written_out_gradients_are_those_of_automatic_differentiation(
    cell: AttentionCell, additive: bool, time: int, batch: int, positions: int, size: int, seed: int
) -> None:
    case = problem(cell, additive, seed, time, batch, positions, size)
    fast, plain = run(attend, case), run(attend_reference, case)
    for one, other in zip(fast, plain, strict=True):
        exactly(one, other)
    loss = weighted_sum(fast)
    mine = torch.autograd.grad(loss, case.tensors(), retain_graph=True)
    for one, other in zip(mine, torch.autograd.grad(weighted_sum(plain), case.tensors()), strict=True):
        exactly(one, other)
    for one, other in zip(mine, torch.autograd.grad(loss, case.tensors()), strict=True):
        identically(one, other)


@each_cell
@each_kind
def test_without_gradients_it_is_the_same_and_keeps_no_features(cell: AttentionCell, additive: bool) -> None:
    case = problem(cell, additive, seed=1, time=30, batch=4, positions=20, size=50)
    results, largest = [], []
    for gradients in (True, False):
        with torch.set_grad_enabled(gradients), torch.profiler.profile(profile_memory=True) as profiled:
            results.append(run(attend, case))
        largest.append(max(event.cpu_memory_usage for event in profiled.events()))
    for one, other in zip(*results, strict=True):
        identically(one, other)
    features = 30 * 4 * 20 * 50 * 8  # bytes of them at all steps
    assert largest[1] < features / 5
    assert not additive or largest[0] >= features


@each_cell
@each_kind
@settings(deadline=None)  # the first call compiles
@given(time=sizes, batch=sizes, positions=sizes, size=sizes, seed=seeds)
def test_gradients_in_single_precision_are_those_in_double(
    cell: AttentionCell, additive: bool, time: int, batch: int, positions: int, size: int, seed: int
) -> None:
    case = problem(cell, additive, seed, time, batch, positions, size)
    single = [part.detach().float().requires_grad_() for part in case.tensors()]
    inputs, keys, projected_values, weight, bias, *rest = single
    vector = rest.pop(0) if additive else None
    memory = AttentionMemory(case.memory.values, keys, projected_values, case.memory.mask, weight, bias, vector)
    loss = weighted_sum([part.double() for part in run(attend, Problem(cell, inputs, tuple(rest), memory))])
    expected = torch.autograd.grad(weighted_sum(run(attend, case)), case.tensors())
    for one, other in zip(torch.autograd.grad(loss, single), expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=2e-4)


@each_cell
@each_kind
@given(counted=st.sampled_from(["outputs", "weights", "end"]), seed=seeds)
def test_gradients_of_each_result_alone(cell: AttentionCell, additive: bool, counted: str, seed: int) -> None:
    case = problem(cell, additive, seed)
    chosen = {"outputs": slice(0, 1), "weights": slice(1, 2), "end": slice(2, None)}[counted]
    grads = [
        torch.autograd.grad(weighted_sum(run(loop, case)[chosen]), case.tensors(), materialize_grads=True)
        for loop in (attend, attend_reference)
    ]
    for one, other in zip(*grads, strict=True):
        exactly(one, other)


@each_cell
@each_kind
def test_gradients_against_differences(cell: AttentionCell, additive: bool) -> None:
    case = problem(cell, additive, seed=3, time=2, batch=2, positions=3, size=2)

    def results(*tensors: Tensor) -> tuple[Tensor, ...]:
        inputs, keys, projected_values, weight, bias, *rest = tensors
        vector = rest.pop(0) if additive else None
        memory = AttentionMemory(case.memory.values, keys, projected_values, case.memory.mask, weight, bias, vector)
        return tuple(run(attend, Problem(cell, inputs, tuple(rest), memory)))

    assert torch.autograd.gradcheck(results, case.tensors())


@each_loop
@each_cell
@each_kind
@given(time=sizes, batch=sizes, positions=sizes, size=sizes, seed=seeds)
def test_contexts_put_through_the_gates_weights_are_as_good_as_values_put_through_them(
    loop: object, cell: AttentionCell, additive: bool, time: int, batch: int, positions: int, size: int, seed: int
) -> None:
    case = problem(cell, additive, seed, time, batch, positions, size)
    values = case.memory.values.requires_grad_()
    weight = torch.randn(case.memory.projected_values.shape[-1], values.shape[-1]).double().requires_grad_()
    early = case.memory._replace(projected_values=values @ weight.T)
    late = case.memory._replace(projected_values=None, context_weight=weight)
    learned = [case.inputs, case.memory.keys, values, weight, *case.memory[4:6], *case.state]
    results, grads = [], []
    for memory in (early, late):
        results.append(run(loop, case._replace(memory=memory)))
        grads.append(torch.autograd.grad(weighted_sum(results[-1]), learned))
    for one, other in zip([*results[0], *grads[0]], [*results[1], *grads[1]], strict=True):
        exactly(one, other)

    rows = torch.arange(batch).repeat_interleave(2)
    inputs, state = case.inputs[0][rows], tuple(part[rows] for part in case.state)
    steps = [attend_step(cell, inputs, state, memory, rows) for memory in (early, late)]
    for one, other in zip([*steps[0][0], *steps[0][1:]], [*steps[1][0], *steps[1][1:]], strict=True):
        exactly(one, other)
    chosen = [attend_step(cell, inputs, state, memory.select(rows)) for memory in (early, late)]
    for one, other in zip(chosen[0][0], chosen[1][0], strict=True):
        exactly(one, other)


@each_loop
@each_cell
@each_kind
@given(positions=sizes, seed=seeds, garbage=st.sampled_from([7.0, -1e6, 1e30, -1e100]))
def test_weights_sum_to_one_and_padding_has_none_whatever_stands_there(
    loop: object, cell: AttentionCell, additive: bool, positions: int, seed: int, garbage: float
) -> None:
    case = problem(cell, additive, seed, positions=positions)
    mask = case.memory.mask
    results = run(loop, case)
    weights = results[1]
    assert torch.count_nonzero(weights[:, ~mask]) == 0
    assert bool((weights[:, mask] > 0).all())
    exactly(weights.sum(dim=-1), torch.ones(weights.shape[:2], dtype=torch.float64))
    grads = torch.autograd.grad(weighted_sum(results), case.tensors())

    with torch.no_grad():
        case.memory.keys[~mask] = garbage
        case.memory.projected_values[~mask] = garbage
    again = run(loop, case)
    for one, other in zip(results, again, strict=True):
        exactly(one, other)
    grads_again = torch.autograd.grad(weighted_sum(again), case.tensors())
    for one, other in zip(grads, grads_again, strict=True):
        exactly(one, other)
    for of_memory in grads_again[1:3]:
        assert torch.count_nonzero(of_memory[~mask]) == 0


@each_loop
@each_cell
@each_kind
@given(time=sizes, batch=sizes, positions=sizes, seed=seeds)
def test_it_is_pytorchs_cell_fed_with_input_and_context(
    loop: object, cell: AttentionCell, additive: bool, time: int, batch: int, positions: int, seed: int
) -> None:
    """With the context of Bahdanau et al. 2015, equations 5 and 6, computed in NumPy, a row at a time."""
    case = problem(cell, additive, seed, time, batch, positions)
    input_size, value_size, hidden, size = 2, 4, 3, 2
    module = (nn.LSTMCell if cell == "lstm" else nn.GRUCell)(input_size + value_size, hidden).double()
    tokens, values = torch.randn(time, batch, input_size).double(), torch.randn(batch, positions, value_size).double()
    of_input, of_context = module.weight_ih.split([input_size, value_size], dim=1)
    _, keys, _, mask, weight, _, vector, _ = case.memory
    memory = AttentionMemory(
        values,
        keys,
        values @ of_context.T,
        mask,
        torch.cat([weight[:size], module.weight_hh]),
        torch.cat([torch.zeros(size).double(), module.bias_hh]),
        vector,
    )
    asked = torch.randn(time, batch, size).double()
    entering = torch.cat([asked, tokens @ of_input.T + module.bias_ih], dim=-1)
    outputs, weights, end = loop(cell, entering, case.state, memory)  # type: ignore[operator]
    h, *rest = case.state
    for number in range(time):
        queries = h @ weight[:size].T + asked[number]
        rows = [plain_weights(keys[row], queries[row], vector, mask[row]) for row in range(batch)]
        exactly(weights[number], torch.tensor(np.stack(rows)))
        contexts = torch.tensor(np.stack([weight @ values[row].numpy() for row, weight in enumerate(rows)]))
        projected_values = torch.cat([tokens[number], contexts], dim=1)
        result = module(projected_values, (h, *rest) if rest else h)
        h, *rest = result if isinstance(result, tuple) else (result,)
        exactly(outputs[number], h)
    for one, other in zip(end, (h, *rest), strict=True):
        exactly(one, other)


def plain_weights(keys: Tensor, asked: Tensor, vector: Tensor | None, mask: Tensor) -> np.ndarray:
    """One row's attention weights, from what is there alone."""
    there = [number for number, kept in enumerate(mask.tolist()) if kept]
    query = asked.detach().numpy()
    rows = keys.detach().numpy()[there]
    scores = rows @ query / math.sqrt(len(query)) if vector is None else np.tanh(rows + query) @ vector.detach().numpy()
    powers = np.exp(scores)
    weights = np.zeros(len(mask))
    weights[there] = powers / powers.sum()
    return weights


@each_cell
@each_kind
@given(rows=st.lists(st.integers(0, 4), min_size=1, max_size=9), seed=seeds)
def test_several_rows_may_share_a_memory_and_some_memories_have_none(
    cell: AttentionCell, additive: bool, rows: list[int], seed: int
) -> None:
    rows = sorted(rows)
    case = problem(cell, additive, seed, time=1, batch=5)
    torch.manual_seed(seed)
    state = tuple(torch.randn(len(rows), 3).double() for _ in case.state)
    inputs = torch.randn(len(rows), case.inputs.shape[-1]).double()
    memory = case.memory
    values, mask = memory.values, memory.mask
    with torch.no_grad():
        end, context, weights = attend_step(cell, inputs, state, memory, torch.tensor(rows))
        expected_end, _, expected = attend_step(cell, inputs, state, memory.select(torch.tensor(rows)))
    exactly(weights, expected)
    assert torch.count_nonzero(weights[~mask[rows]]) == 0
    exactly(context, torch.stack([weight @ values[row] for weight, row in zip(weights, rows, strict=True)]))
    for one, other in zip(end, expected_end, strict=True):
        exactly(one, other)


@each_cell
@each_kind
@given(lengths=st.lists(st.integers(1, 4), min_size=2, max_size=4), seed=seeds)
def test_batch_mates_change_nothing(cell: AttentionCell, additive: bool, lengths: list[int], seed: int) -> None:
    case = problem(cell, additive, seed, batch=len(lengths), positions=5)
    case = case.attending_to(torch.arange(5) < torch.tensor(lengths)[:, None])
    outputs, weights, end = attend(*case)
    values, keys, projected_values, mask, *rest = case.memory
    for row, length in enumerate(lengths):
        one = slice(row, row + 1)
        parts = (part[one, :length] for part in (values, keys, projected_values, mask))
        alone = AttentionMemory(*parts, *rest)
        their_outputs, their_weights, their_end = attend(
            cell, case.inputs[:, one], tuple(part[one] for part in case.state), alone
        )
        exactly(outputs[:, one], their_outputs)
        exactly(weights[:, one, :length], their_weights)
        for mine, theirs in zip(end, their_end, strict=True):
            exactly(mine[one], theirs)
