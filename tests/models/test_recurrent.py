"""The recurrent stack against PyTorch's multi-layer modules, against itself step by step, and in any company."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise, product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from recurra.models.cells import CELLS, State
from recurra.models.dropout import DropoutGenerator
from recurra.models.recurrent import Recurrent
from recurra.runtime.cells import GATE_COUNTS, CellName, state_parts

MODULES: dict[CellName, Callable[..., nn.RNNBase]] = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "rnn": partial(nn.RNN, nonlinearity="tanh"),
    "rnn-relu": partial(nn.RNN, nonlinearity="relu"),
}

each_cell = pytest.mark.parametrize("cell", CELLS)
sizes = st.integers(1, 5)
exactly = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-12)


def make(cell: CellName, input_size: int, hidden_size: int, layers: int, bidirectional: bool, seed: int) -> Recurrent:
    """A stack with every weight and bias random."""
    torch.manual_seed(seed)
    stack = Recurrent(cell, input_size, hidden_size, layers, bidirectional).double()
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.normal_(std=0.7)
    return stack


def random_state(stack: Recurrent, batch: int) -> State:
    shape = (stack.num_layers * stack.directions, batch, stack.hidden_size)
    return tuple(torch.randn(shape, dtype=torch.float64) for _ in range(state_parts(stack.cell)))


def random_inputs(stack: Recurrent, batch: int, time: int) -> Tensor:
    return torch.randn(batch, time, stack.input_size, dtype=torch.float64, requires_grad=True)


def as_state(end: Tensor | tuple[Tensor, ...]) -> State:
    return end if isinstance(end, tuple) else (end,)


def weighted_sum(outputs: Tensor, state: State) -> Tensor:
    """A loss in which every output and every part of the end state counts, each differently."""
    total = torch.zeros((), dtype=outputs.dtype)
    for part in (outputs, *state):
        total = total + (part * torch.linspace(-1, 2, part.numel(), dtype=part.dtype).view_as(part)).sum()
    return total


def run_cells(stack: Recurrent, inputs: Tensor, state: State, lengths: list[int]) -> tuple[Tensor, State]:
    """The slow reference: loops over rows, directions and time with the equations of `models.cells`."""
    rows = []
    for row, length in enumerate(lengths):
        below = list(inputs[row, :length].unsqueeze(1))
        ends: list[State] = []
        for layer in range(stack.num_layers):
            columns = []
            for direction in range(stack.directions):
                place = layer * stack.directions + direction
                now = tuple(part[place, row : row + 1] for part in state)
                seen = []
                for step in reversed(below) if direction else below:
                    now = CELLS[stack.cell](step, now, stack.weights(layer, reverse=direction == 1))
                    seen.append(now[0])
                columns.append(seen[::-1] if direction else seen)
                ends.append(now)
            below = [torch.cat(parts, dim=-1) for parts in zip(*columns, strict=True)]
        padding = inputs.new_zeros(inputs.shape[1] - length, stack.output_size)
        rows.append((torch.cat([*below, padding]), [torch.cat(parts) for parts in zip(*ends, strict=True)]))
    outputs, states = zip(*rows, strict=True)
    return torch.stack(outputs), tuple(torch.stack(parts, dim=1) for parts in zip(*states, strict=True))


@each_cell
@given(
    batch=sizes, time=sizes, input_size=sizes, hidden_size=sizes, layers=st.integers(1, 3), bidirectional=st.booleans()
)
def test_a_stack_is_pytorchs_module(
    cell: CellName, batch: int, time: int, input_size: int, hidden_size: int, layers: int, bidirectional: bool
) -> None:
    stack = make(cell, input_size, hidden_size, layers, bidirectional, seed=batch + 10 * time)
    oracle = MODULES[cell](input_size, hidden_size, layers, batch_first=True, bidirectional=bidirectional).double()
    pairs = []
    for layer, direction in product(range(layers), range(stack.directions)):
        suffix = "_reverse" if direction else ""
        for name, mine in stack.weights(layer, reverse=direction == 1)._asdict().items():
            theirs = getattr(oracle, f"{name}_l{layer}{suffix}")
            theirs.data.copy_(mine)
            pairs.append((mine, theirs))
    assert len(pairs) == len(list(oracle.parameters())) == len(list(stack.parameters()))
    inputs, state = random_inputs(stack, batch, time), random_state(stack, batch)

    outputs, end = stack(inputs, state)
    their_outputs, their_end = oracle(inputs, state if cell == "lstm" else state[0])

    exactly(outputs, their_outputs)
    for one, other in zip(end, as_state(their_end), strict=True):
        exactly(one, other)
    mine = torch.autograd.grad(weighted_sum(outputs, end), [inputs, *(pair[0] for pair in pairs)])
    theirs = torch.autograd.grad(weighted_sum(their_outputs, as_state(their_end)), [inputs, *(p[1] for p in pairs)])
    for one, other in zip(mine, theirs, strict=True):
        exactly(one, other)


@each_cell
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_a_stack_is_a_loop_over_the_cells_equations_whatever_is_padded(
    cell: CellName, lengths: list[int], layers: int, bidirectional: bool, seed: int
) -> None:
    stack = make(cell, 3, 4, layers, bidirectional, seed)
    inputs, state = random_inputs(stack, len(lengths), max(lengths)), random_state(stack, len(lengths))
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]

    outputs, end = stack(inputs, state, mask)
    expected, expected_end = run_cells(stack, inputs, state, lengths)

    exactly(outputs, expected)
    for one, other in zip(end, expected_end, strict=True):
        exactly(one, other)
    mine = torch.autograd.grad(weighted_sum(outputs, end), [inputs, *stack.parameters()])
    theirs = torch.autograd.grad(weighted_sum(expected, expected_end), [inputs, *stack.parameters()])
    for one, other in zip(mine, theirs, strict=True):
        exactly(one, other)


@each_cell
@given(
    lengths=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    more=st.integers(0, 3),
    layers=st.integers(1, 2),
    bidirectional=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_padding_and_batch_mates_change_nothing(
    cell: CellName, lengths: list[int], more: int, layers: int, bidirectional: bool, seed: int
) -> None:
    stack = make(cell, 3, 4, layers, bidirectional, seed)
    time = max(lengths) + more
    inputs, state = random_inputs(stack, len(lengths), time), random_state(stack, len(lengths))
    mask = torch.arange(time) < torch.tensor(lengths)[:, None]
    outputs, end = stack(inputs, state, mask)

    assert bool((outputs[~mask] == 0).all())
    for row, length in enumerate(lengths):
        alone, alone_end = stack(inputs[row : row + 1, :length], tuple(part[:, row : row + 1] for part in state))
        exactly(outputs[row, :length], alone[0])
        for one, other in zip(end, alone_end, strict=True):
            exactly(one[:, row], other[:, 0])
        mine = torch.autograd.grad(weighted_sum(outputs[row, :length], ()), [inputs], retain_graph=True)[0]
        assert torch.count_nonzero(mine[torch.arange(len(lengths)) != row]) == 0
        assert torch.count_nonzero(mine[row, length:]) == 0
        theirs = torch.autograd.grad(weighted_sum(alone[0], ()), [inputs])[0]
        exactly(mine, theirs)


@each_cell
@given(batch=sizes, time=sizes, layers=st.integers(1, 3), seed=st.integers(0, 1000), given_state=st.booleans())
def test_step_is_forward_one_step_at_a_time(
    cell: CellName, batch: int, time: int, layers: int, seed: int, given_state: bool
) -> None:
    stack = make(cell, 3, 4, layers, False, seed)
    inputs = random_inputs(stack, batch, time)
    state = random_state(stack, batch) if given_state else None
    outputs, end = stack(inputs, state)
    for place in range(time):
        output, state = stack.step(inputs[:, place], state)
        exactly(output, outputs[:, place])
    assert state is not None
    for one, other in zip(state, end, strict=True):
        exactly(one, other)


@each_cell
@given(borders=st.lists(st.integers(1, 7), max_size=3), layers=st.integers(1, 3), seed=st.integers(0, 1000))
def test_a_sequence_in_parts_is_the_sequence_whole(cell: CellName, borders: list[int], layers: int, seed: int) -> None:
    stack = make(cell, 3, 4, layers, False, seed)
    inputs, state = random_inputs(stack, 2, 8), random_state(stack, 2)
    whole, end = stack(inputs, state)
    parts = []
    for begin, stop in pairwise([0, *sorted(set(borders)), 8]):
        part, state = stack(inputs[:, begin:stop], state)
        parts.append(part)
    exactly(torch.cat(parts, dim=1), whole)
    for one, other in zip(state, end, strict=True):
        exactly(one, other)


@each_cell
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4), seed=st.integers(0, 1000))
def test_backward_is_flip_run_flip(cell: CellName, lengths: list[int], seed: int) -> None:
    both = make(cell, 3, 4, 1, True, seed)
    one_way = Recurrent(cell, 3, 4).double()
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(one_way.layers[0], f"{name}_l0").data.copy_(getattr(both.layers[0], f"{name}_l0_reverse"))
    inputs, state = random_inputs(both, len(lengths), max(lengths)), random_state(both, len(lengths))
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]

    def flip(sequences: Tensor) -> Tensor:
        rows = [torch.cat([row[:n].flip(0), row[n:]]) for row, n in zip(sequences, lengths, strict=True)]
        return torch.stack(rows)

    outputs, end = both(inputs, state, mask)
    flipped, flipped_end = one_way(flip(inputs), tuple(part[1:] for part in state), mask)
    exactly(outputs[..., 4:], flip(flipped))
    for one, other in zip(end, flipped_end, strict=True):
        exactly(one[1:], other)


@each_cell
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    more=st.integers(0, 2),
    layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_annotating_is_running_with_a_mask(
    cell: CellName, lengths: list[int], more: int, layers: int, bidirectional: bool, seed: int
) -> None:
    stack = make(cell, 3, 4, layers, bidirectional, seed)
    time = max(lengths) + more
    inputs = random_inputs(stack, len(lengths), time)
    mask = torch.arange(time) < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        inputs[~mask] = 1e6
    annotations, (outputs, _) = stack.annotate(inputs, mask), stack(inputs, mask=mask)
    exactly(annotations, outputs)
    assert torch.count_nonzero(annotations[~mask]) == 0
    mine = torch.autograd.grad(weighted_sum(annotations, ()), [inputs, *stack.parameters()])
    theirs = torch.autograd.grad(weighted_sum(outputs, ()), [inputs, *stack.parameters()])
    for one, other in zip(mine, theirs, strict=True):
        exactly(one, other)


@each_cell
def test_annotating_drops_the_same_units_as_running(cell: CellName) -> None:
    stack = make(cell, 3, 4, 3, True, seed=0)
    stack.dropout = 0.5
    inputs, mask = random_inputs(stack, 2, 5), torch.arange(5) < torch.tensor([[5], [3]])
    annotations = stack.annotate(inputs, mask, DropoutGenerator.of_step(1, 1, slice(0, 2), 2))
    exactly(annotations, stack(inputs, mask=mask, generator=DropoutGenerator.of_step(1, 1, slice(0, 2), 2))[0])
    assert not torch.allclose(annotations, stack.annotate(inputs, mask))


@each_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_no_state_is_zeros(cell: CellName, bidirectional: bool) -> None:
    stack = make(cell, 3, 4, 2, bidirectional, seed=0)
    inputs = random_inputs(stack, 2, 5)
    zeros = tuple(torch.zeros_like(part) for part in random_state(stack, 2))
    for one, other in zip(stack.zero_state(2), zeros, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    torch.testing.assert_close(stack(inputs)[0], stack(inputs, zeros)[0], rtol=0, atol=0)


@each_cell
def test_trace_shows_every_layer(cell: CellName) -> None:
    stack = make(cell, 3, 4, 3, True, seed=0)
    inputs, state = random_inputs(stack, 2, 5), random_state(stack, 2)
    layers, end = stack.layer_outputs(inputs, state)
    assert len(layers) == 3
    below = inputs
    for number, outputs in enumerate(layers):
        single = Recurrent(cell, below.shape[-1], 4, 1, True).double()
        single.layers[0].load_state_dict(stack.layers[number].state_dict())
        rows = slice(2 * number, 2 * number + 2)
        expected, expected_end = single(below, tuple(part[rows] for part in state))
        exactly(outputs, expected)
        exactly(end[0][rows], expected_end[0])
        below = outputs


def test_a_bidirectional_stack_refuses_single_steps() -> None:
    stack = make("lstm", 3, 4, 1, True, seed=0)
    with pytest.raises(ValueError, match="bidirectional"):
        stack.step(torch.zeros(1, 3, dtype=torch.float64))


@pytest.mark.parametrize(
    ("mask", "complaint"),
    [
        ([[True, True, False], [False, False, False]], "at least 1"),
        ([[True, False, True], [True, True, True]], "then False"),
        ([[False, True, True], [True, True, True]], "then False"),
        ([[True, True], [True, True]], "expected"),
        ([[True, True, True]], "expected"),
    ],
)
def test_a_mask_with_a_gap_an_empty_row_or_another_shape_is_refused(mask: list[list[bool]], complaint: str) -> None:
    stack = make("gru", 3, 4, 1, False, seed=0)
    with pytest.raises(ValueError, match=complaint):
        stack(torch.zeros(2, 3, 3, dtype=torch.float64), mask=torch.tensor(mask))
    with pytest.raises(ValueError, match=complaint):
        stack.annotate(torch.zeros(2, 3, 3, dtype=torch.float64), torch.tensor(mask))


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 4), (1, 2, 3, 3)])
def test_inputs_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        make("gru", 3, 4, 1, False, seed=0)(torch.zeros(shape, dtype=torch.float64))


@each_cell
@torch.no_grad()
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_weights_begin_orthogonal_and_biases_zero(cell: CellName, bidirectional: bool) -> None:
    torch.manual_seed(0)
    stack = Recurrent(cell, 6, 16, 2, bidirectional, forget_bias=1.5)
    blocks = []
    for layer, direction in product(range(2), range(stack.directions)):
        weights = stack.weights(layer, reverse=direction == 1)
        for block in weights.weight_hh.view(GATE_COUNTS[cell], 16, 16):
            torch.testing.assert_close(block @ block.T, torch.eye(16), rtol=0, atol=1e-5)
            if cell == "rnn-relu":
                torch.testing.assert_close(block, torch.eye(16), rtol=0, atol=0)
            blocks.append(block)
        bias = (weights.bias_ih + weights.bias_hh).view(GATE_COUNTS[cell], 16)
        if cell == "lstm":  # the second gate is the one that forgets
            torch.testing.assert_close(bias[1], torch.full((16,), 1.5), rtol=0, atol=0)
            bias = bias[[0, 2, 3]]
        assert torch.count_nonzero(bias) == 0
        # Inputs of variance one come out with variance one.
        deviation = weights.weight_ih.std() * weights.weight_ih.shape[1] ** 0.5
        assert abs(float(deviation) - 1) < 4 / (2 * weights.weight_ih.numel()) ** 0.5
    if cell != "rnn-relu":
        assert len({float(block[0, 0]) for block in blocks}) == len(blocks), "two blocks are the same"


def test_dropout_is_between_the_layers_only() -> None:
    stack = make("gru", 3, 40, 2, False, seed=0)
    stack.dropout = 0.5
    inputs = random_inputs(stack, 2, 5)
    generator = DropoutGenerator.of_step(seed=1, step=1, rows=slice(0, 2), batch_size=2)
    (first, second), _ = stack.layer_outputs(inputs, generator=generator)
    (plain_first, plain_second), _ = stack.layer_outputs(inputs)
    torch.testing.assert_close(first, plain_first, rtol=0, atol=0)
    assert not torch.allclose(second, plain_second)
    # What entered the second layer: the first one's outputs through one mask for all time steps.
    mask = DropoutGenerator.of_step(1, 1, slice(0, 2), 2).drop_units(torch.ones_like(first), 0.5)
    upper = Recurrent("gru", 40, 40).double()
    upper.layers[0].load_state_dict(stack.layers[1].state_dict())
    exactly(second, upper(first * mask)[0])


def test_an_unknown_cell_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="cell is 'foo', but must be one of: lstm, gru, rnn, rnn-relu"):
        Recurrent("foo", 3, 4)  # type: ignore[arg-type]
