"""The one-step kernels against PyTorch's cells in float64, and against their NumPy twins."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from recurra.arrays import FloatArray
from recurra.kernels import jit, recurrence

sizes = st.integers(1, 70)
seeds = st.integers(0, 2**32 - 1)
first_call_compiles = settings(deadline=None, max_examples=60)


def normal(rng: np.random.Generator, *shape: int) -> FloatArray:
    return rng.standard_normal(shape, dtype=np.float32)


def side_by_side(cell: nn.RNNCellBase) -> FloatArray:
    """A cell's weights as the kernels take them."""
    weight = torch.cat([cell.weight_ih, cell.weight_hh], dim=1).detach().numpy()
    return np.ascontiguousarray(weight.T)


def biases(cell: nn.RNNCellBase) -> tuple[FloatArray, FloatArray]:
    return cell.bias_ih.detach().numpy().copy(), cell.bias_hh.detach().numpy().copy()


def double(array: FloatArray) -> torch.Tensor:
    return torch.from_numpy(array).double()[None]


def assert_close(actual: FloatArray, expected: torch.Tensor | FloatArray) -> None:
    if isinstance(expected, torch.Tensor):
        expected = expected.detach().numpy()
    np.testing.assert_allclose(actual, np.squeeze(expected, axis=tuple(range(expected.ndim - 1))), rtol=1e-5, atol=2e-6)


@first_call_compiles
@given(sizes, sizes, seeds, st.booleans())
def test_lstm_step_is_lstm_cell(input_size: int, hidden_size: int, seed: int, in_place: bool) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    cell = nn.LSTMCell(input_size, hidden_size)
    weight, bias = side_by_side(cell), sum(biases(cell))
    inputs, h, c = normal(rng, input_size), normal(rng, hidden_size), normal(rng, hidden_size)
    h_expected, c_expected = cell.double()(double(inputs), (double(h), double(c)))
    h_twin, c_twin = recurrence.lstm_step_reference(inputs, h, c, weight, bias)

    h_out, c_out = (h, c) if in_place else (np.empty_like(h), np.empty_like(c))
    recurrence.lstm_step(inputs, h, c, weight, bias, np.empty_like(bias), h_out, c_out)

    assert_close(h_out, h_expected)
    assert_close(c_out, c_expected)
    assert_close(h_out, h_twin)
    assert_close(c_out, c_twin)


@first_call_compiles
@given(sizes, sizes, seeds, st.booleans())
def test_gru_step_is_gru_cell(input_size: int, hidden_size: int, seed: int, in_place: bool) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    cell = nn.GRUCell(input_size, hidden_size)
    weight, (bias_ih, bias_hh) = side_by_side(cell), biases(cell)
    inputs, h = normal(rng, input_size), normal(rng, hidden_size)
    expected = cell.double()(double(inputs), double(h))
    twin = recurrence.gru_step_reference(inputs, h, weight, bias_ih, bias_hh)

    h_out = h if in_place else np.empty_like(h)
    gates = np.empty((2, 3 * hidden_size), np.float32)
    recurrence.gru_step(inputs, h, weight, bias_ih, bias_hh, gates, h_out)

    assert_close(h_out, expected)
    assert_close(h_out, twin)


@first_call_compiles
@given(sizes, sizes, seeds, st.booleans(), st.booleans())
def test_rnn_step_is_rnn_cell(input_size: int, hidden_size: int, seed: int, in_place: bool, relu: bool) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    cell = nn.RNNCell(input_size, hidden_size, nonlinearity="relu" if relu else "tanh")
    weight, bias = side_by_side(cell), sum(biases(cell))
    inputs, h = normal(rng, input_size), normal(rng, hidden_size)
    expected = cell.double()(double(inputs), double(h))
    twin = recurrence.rnn_step_reference(inputs, h, weight, bias, relu)

    h_out = h if in_place else np.empty_like(h)
    recurrence.rnn_step(inputs, h, weight, bias, np.empty_like(bias), h_out, relu)

    assert_close(h_out, expected)
    assert_close(h_out, twin)


@first_call_compiles
@given(sizes, sizes, seeds)
def test_affine_is_linear(input_size: int, output_size: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer = nn.Linear(input_size, output_size)
    inputs = normal(np.random.default_rng(seed), input_size)
    weight, bias = np.ascontiguousarray(layer.weight.detach().numpy().T), layer.bias.detach().numpy().copy()
    out = np.empty(output_size, np.float32)
    recurrence.affine(inputs, weight, bias, out)
    assert_close(out, layer.double()(double(inputs)))
    assert_close(out, recurrence.affine_reference(inputs, weight, bias))


def test_many_lstm_steps_in_place_stay_with_pytorch() -> None:
    torch.manual_seed(0)
    lstm = nn.LSTM(12, 33)
    inputs = normal(np.random.default_rng(0), 200, 12)
    weight = np.ascontiguousarray(torch.cat([lstm.weight_ih_l0, lstm.weight_hh_l0], dim=1).detach().numpy().T)
    bias = (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach().numpy()
    h, c, gates = np.zeros(33, np.float32), np.zeros(33, np.float32), np.empty_like(bias)
    outputs = []
    for step in inputs:
        recurrence.lstm_step(step, h, c, weight, bias, gates, h, c)
        outputs.append(h.copy())
    expected = lstm.double()(torch.from_numpy(inputs).double())[0].detach().numpy()
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=2e-6)


def test_sigmoid_and_tanh_are_accurate_everywhere() -> None:
    small = np.logspace(-30, 0, 500)
    points = np.concatenate([np.linspace(-100, 100, 4001), np.linspace(-2, 2, 2001), small, -small]).astype(np.float32)
    x = torch.from_numpy(points).double()
    sigmoid = np.array([recurrence.sigmoid(point) for point in points])
    tanh = np.array([recurrence.tanh(point) for point in points])
    np.testing.assert_allclose(sigmoid, torch.sigmoid(x).numpy(), rtol=0, atol=2e-7)
    np.testing.assert_allclose(tanh, torch.tanh(x).numpy(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("relu", [False, True])
def test_nan_is_passed_on(relu: bool) -> None:
    """A broken model should be seen to be broken."""
    inputs = np.array([np.nan], np.float32)
    h, bias, weight = np.zeros(1, np.float32), np.zeros(1, np.float32), np.ones((2, 1), np.float32)
    recurrence.rnn_step(inputs, h, weight, bias, np.empty_like(bias), h, relu)
    assert np.isnan(h[0])
    assert np.isnan(recurrence.sigmoid(np.float32(np.nan)))


@pytest.mark.parametrize("magnitude", [50, -50, 1e30])
def test_extreme_inputs_saturate(magnitude: float) -> None:
    size = 19
    rng = np.random.default_rng(0)
    inputs, weight = np.full(size, magnitude, np.float32), normal(rng, 2 * size, 4 * size)
    inputs[::2] *= -1
    h, c, bias = normal(rng, size), normal(rng, size), np.zeros(4 * size, np.float32)
    gates, bound = np.empty(4 * size, np.float32), 1 + np.abs(c).max()
    with np.errstate(all="raise", under="ignore"):  # some BLAS kernels say that a product underflows to 0
        recurrence.lstm_step(inputs, h, c, weight, bias, gates, h, c)
        recurrence.lstm_step_reference(inputs, h, c, weight, bias)
        assert np.all(np.abs(c) <= bound)
        assert np.all(np.abs(h) <= 1)

        weight, bias = np.ascontiguousarray(weight[:, : 3 * size]), bias[: 3 * size]
        gates = np.empty((2, 3 * size), np.float32)
        h = normal(rng, size)
        bound = max(1, np.abs(h).max())
        recurrence.gru_step(inputs, h, weight, bias, bias, gates, h)
        recurrence.gru_step_reference(inputs, h, weight, bias, bias)
        assert np.all(np.abs(h) <= bound)

        weight, bias = np.ascontiguousarray(weight[:, :size]), bias[:size]
        recurrence.rnn_step(inputs, h, weight, bias, np.empty_like(h), h, False)
        np.testing.assert_array_equal(h, np.sign(inputs @ weight[:size]))


def test_steps_are_the_same_to_the_bit_each_time() -> None:
    rng = np.random.default_rng(0)
    inputs, h, c, weight, bias = (normal(rng, *shape) for shape in ((61,), (37,), (37,), (98, 148), (148,)))
    results = []
    for offset in range(4):  # Arrays that begin at other addresses, for the vector loops to be entered differently.
        room = np.empty(98 * 148 + offset, np.float32)
        moved = room[offset:].reshape(98, 148)
        moved[:] = weight
        h_out, c_out = np.empty_like(h), np.empty_like(c)
        recurrence.lstm_step(inputs, h, c, moved, bias, np.empty_like(bias), h_out, c_out)
        results.append(h_out.tobytes() + c_out.tobytes())
    assert len(set(results)) == 1


def test_sizes_that_do_not_fit_are_errors() -> None:
    def zeros(*shape: int) -> FloatArray:
        return np.zeros(shape, np.float32)

    with pytest.raises(ValueError, match="affine"):
        recurrence.affine(zeros(3), zeros(2, 4), zeros(4), zeros(4))
    with pytest.raises(ValueError, match="affine"):
        recurrence.affine(zeros(3), zeros(3, 4), zeros(5), zeros(4))
    with pytest.raises(ValueError, match="rnn_step"):
        recurrence.rnn_step(zeros(3), zeros(2), zeros(4, 2), zeros(2), zeros(2), zeros(2), False)
    with pytest.raises(ValueError, match="rnn_step"):
        recurrence.rnn_step(zeros(3), zeros(2), zeros(5, 2), zeros(2), zeros(1), zeros(2), False)
    with pytest.raises(ValueError, match="lstm_step"):
        recurrence.lstm_step(zeros(3), zeros(2), zeros(2), zeros(5, 6), zeros(8), zeros(8), zeros(2), zeros(2))
    with pytest.raises(ValueError, match="lstm_step"):
        recurrence.lstm_step(zeros(3), zeros(2), zeros(1), zeros(5, 8), zeros(8), zeros(8), zeros(2), zeros(2))
    with pytest.raises(ValueError, match="lstm_step"):
        recurrence.lstm_step(zeros(3), zeros(2), zeros(2), zeros(5, 8), zeros(2), zeros(8), zeros(2), zeros(2))
    with pytest.raises(ValueError, match="gru_step"):
        recurrence.gru_step(zeros(3), zeros(2), zeros(5, 8), zeros(6), zeros(6), zeros(2, 6), zeros(2))
    with pytest.raises(ValueError, match="gru_step"):
        recurrence.gru_step(zeros(3), zeros(2), zeros(5, 6), zeros(6), zeros(2), zeros(2, 6), zeros(2))
    with pytest.raises(ValueError, match="gru_step"):
        recurrence.gru_step(zeros(3), zeros(2), zeros(5, 6), zeros(6), zeros(6), zeros(1, 6), zeros(2))


def test_jit_compiles_where_there_is_no_place_for_a_cache() -> None:
    """Numba finds no cache directory for a function that is in no file, as for one in a directory without access."""
    namespace: dict[str, object] = {}
    exec("def twice(x): return 2 * x", namespace)
    assert jit()(namespace["twice"])(21) == 42  # type: ignore[type-var]
