"""The reference equations against PyTorch's own cells, values and gradients."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from recurra.models.cells import CELLS, Weights, check_choice
from recurra.runtime.cells import GATE_COUNTS, CellName, state_parts

ORACLES: dict[CellName, Callable[[int, int], nn.RNNCellBase]] = {
    "lstm": nn.LSTMCell,
    "gru": nn.GRUCell,
    "rnn": lambda inputs, hidden: nn.RNNCell(inputs, hidden, nonlinearity="tanh"),
    "rnn-relu": lambda inputs, hidden: nn.RNNCell(inputs, hidden, nonlinearity="relu"),
}


def random(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator, requires_grad=True)


@pytest.mark.parametrize("cell", CELLS)
@given(batch=st.integers(1, 4), input_size=st.integers(1, 6), hidden_size=st.integers(1, 6), seed=st.integers(0, 2**31))
def test_a_cell_is_pytorchs(cell: CellName, batch: int, input_size: int, hidden_size: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    oracle = ORACLES[cell](input_size, hidden_size).double()
    rows = GATE_COUNTS[cell] * hidden_size
    weights = Weights(
        random(rows, input_size, generator=generator),
        random(rows, hidden_size, generator=generator),
        random(rows, generator=generator),
        random(rows, generator=generator),
    )
    with torch.no_grad():
        for parameter, weight in zip(oracle.parameters(), weights, strict=True):
            parameter.copy_(weight)
    inputs = random(batch, input_size, generator=generator)
    state = tuple(random(batch, hidden_size, generator=generator) for _ in range(state_parts(cell)))

    mine = CELLS[cell](inputs, state, weights)
    result = oracle(inputs, state if cell == "lstm" else state[0])
    theirs = result if isinstance(result, tuple) else (result,)

    assert len(mine) == len(theirs) == state_parts(cell)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    # Each part of the state counts differently, so that a gradient that went to the wrong part shows.
    factors = [random(batch, hidden_size, generator=generator).detach() for _ in mine]
    my_loss = sum((part * factor).sum() for part, factor in zip(mine, factors, strict=True))
    their_loss = sum((part * factor).sum() for part, factor in zip(theirs, factors, strict=True))
    my_gradients = torch.autograd.grad(my_loss, (inputs, *state, *weights))
    their_gradients = torch.autograd.grad(their_loss, (inputs, *state, *oracle.parameters()))
    for one, other in zip(my_gradients, their_gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_gates_are_those_of_pytorchs_weights(cell: CellName) -> None:
    assert ORACLES[cell](3, 5).weight_hh.shape == (GATE_COUNTS[cell] * 5, 5)


def test_a_choice_that_is_none_is_refused_by_name() -> None:
    check_choice("cell", "rnn-relu", CellName)
    with pytest.raises(ValueError, match="cell is 'foo', but must be one of: lstm, gru, rnn, rnn-relu"):
        check_choice("cell", "foo", CellName)
