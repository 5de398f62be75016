"""One time step of a recurrent layer for a single stream, in place: the inner loop of generation token by token.

Each kernel has a NumPy twin that states its equations, ``lstm_step_reference`` for ``lstm_step``, and so on. The
kernels take C-contiguous float32 arrays of which nothing overlaps what they write, with one exception: a new state may
be written over the old one (``h_out is h``, ``c_out is c``) or to arrays of its own; both are correct. ``gates`` is
scratch space, overwritten at every call. Sizes that do not fit together raise ValueError.

The weights of a layer are PyTorch's, side by side and transposed,

    weight = concatenate([weight_ih, weight_hh], axis=1).T        (input_size + hidden_size, gates * hidden_size)

so that the product adds up whole rows, each scaled by one number. It reads every weight once and is bound by memory, so
each row must be contiguous (``np.ascontiguousarray`` of the transpose). Products are summed in another order than
PyTorch's, so the results differ from its by rounding; they do not differ from run to run.
"""

import numpy as np

from recurra.arrays import FloatArray
from recurra.kernels import ONE, exponential, jit

_TWO = np.float32(2.0)
_ZERO = np.float32(0.0)


@jit()
def sigmoid(x: np.float32) -> np.float32:
    """1 / (1 + e^-x), with an absolute error below 2e-7."""
    scale, growth = exponential(-x)
    return ONE / (ONE + (scale + scale * growth))


@jit()
def tanh(x: np.float32) -> np.float32:
    """(e^2x - 1) / (e^2x + 1), with a relative error below 1e-6 also next to zero."""
    scale, growth = exponential(_TWO * x)
    expm1 = (scale - ONE) + scale * growth
    return expm1 / (expm1 + _TWO)


@jit()
def _add_product(inputs: FloatArray, weight: FloatArray, first: int, out: FloatArray) -> None:
    """Out += inputs @ weight[first : first + len(inputs)], eight rows a pass so that ``out`` is reloaded less often."""
    columns = out.shape[0]
    in_eights = inputs.shape[0] - inputs.shape[0] % 8
    for i in range(0, in_eights, 8):
        row = first + i
        x0, x1, x2, x3 = inputs[i], inputs[i + 1], inputs[i + 2], inputs[i + 3]
        x4, x5, x6, x7 = inputs[i + 4], inputs[i + 5], inputs[i + 6], inputs[i + 7]
        w0, w1, w2, w3 = weight[row], weight[row + 1], weight[row + 2], weight[row + 3]
        w4, w5, w6, w7 = weight[row + 4], weight[row + 5], weight[row + 6], weight[row + 7]
        for j in range(columns):
            low = (x0 * w0[j] + x1 * w1[j]) + (x2 * w2[j] + x3 * w3[j])
            high = (x4 * w4[j] + x5 * w5[j]) + (x6 * w6[j] + x7 * w7[j])
            out[j] += low + high
    for i in range(in_eights, inputs.shape[0]):
        x0, w0 = inputs[i], weight[first + i]
        for j in range(columns):
            out[j] += x0 * w0[j]


@jit()
def affine(inputs: FloatArray, weight: FloatArray, bias: FloatArray, out: FloatArray) -> None:
    """Out = inputs W + b, the output layer.

    Shapes: inputs (input_size,), weight (input_size, output_size), bias and out (output_size,).
    """
    if weight.shape != (inputs.shape[0], out.shape[0]) or bias.shape != out.shape:
        raise ValueError("affine: the sizes of inputs, weight, bias and out do not fit together")
    out[:] = bias
    _add_product(inputs, weight, 0, out)


def affine_reference(inputs: FloatArray, weight: FloatArray, bias: FloatArray) -> FloatArray:
    """The twin of `affine`; returns out (output_size,)."""
    return inputs @ weight + bias


@jit()
def rnn_step(
    inputs: FloatArray,
    h: FloatArray,
    weight: FloatArray,
    bias: FloatArray,
    gates: FloatArray,
    h_out: FloatArray,
    relu: bool,
) -> None:
    """One step of a simple recurrent network (Elman 1990, "Finding structure in time").

    Shapes: inputs (input_size,), h and h_out (hidden_size,), weight (input_size + hidden_size, hidden_size), bias and
    gates (hidden_size,); bias is ``bias_ih + bias_hh``. The activation is ReLU if ``relu``, tanh otherwise.
    """
    if weight.shape != (inputs.shape[0] + h.shape[0], h.shape[0]) or h_out.shape != h.shape:
        raise ValueError("rnn_step: the sizes of inputs, h, weight and h_out do not fit together")
    if bias.shape != h.shape or gates.shape != h.shape:
        raise ValueError("rnn_step: bias and gates must have hidden_size entries")

    gates[:] = bias
    _add_product(inputs, weight, 0, gates)
    _add_product(h, weight, inputs.shape[0], gates)
    rnn_gates(gates, h_out, relu)


@jit()
def rnn_gates(gates: FloatArray, h_out: FloatArray, relu: bool) -> None:
    """What `rnn_step` makes of its sums `gates`, `(hidden_size,)`."""
    if relu:
        for j in range(h_out.shape[0]):
            h_out[j] = max(gates[j], _ZERO)
    else:
        for j in range(h_out.shape[0]):
            h_out[j] = tanh(gates[j])


def rnn_step_reference(
    inputs: FloatArray, h: FloatArray, weight: FloatArray, bias: FloatArray, relu: bool
) -> FloatArray:
    """The twin of `rnn_step`; returns the new h (hidden_size,)."""
    activation = np.concatenate([inputs, h]) @ weight + bias
    h = np.maximum(activation, 0) if relu else np.tanh(activation)
    return h


@jit()
def lstm_step(
    inputs: FloatArray,
    h: FloatArray,
    c: FloatArray,
    weight: FloatArray,
    bias: FloatArray,
    gates: FloatArray,
    h_out: FloatArray,
    c_out: FloatArray,
) -> None:
    """One step of an LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    Shapes: inputs (input_size,), h, c, h_out and c_out (hidden_size,), weight (input_size + hidden_size,
    4 * hidden_size), bias and gates (4 * hidden_size,); bias is ``bias_ih + bias_hh``. The gates come in PyTorch's
    order: input i, forget f, candidate g, output o.
    """
    hidden_size = h.shape[0]
    if weight.shape != (inputs.shape[0] + hidden_size, 4 * hidden_size):
        raise ValueError("lstm_step: the sizes of inputs, h and weight do not fit together")
    if c.shape != h.shape or h_out.shape != h.shape or c_out.shape != h.shape:
        raise ValueError("lstm_step: c, h_out and c_out must have hidden_size entries")
    if bias.shape[0] != 4 * hidden_size or gates.shape[0] != 4 * hidden_size:
        raise ValueError("lstm_step: bias and gates must have 4 * hidden_size entries")

    gates[:] = bias
    _add_product(inputs, weight, 0, gates)
    _add_product(h, weight, inputs.shape[0], gates)
    lstm_gates(gates, c, h_out, c_out)


@jit()
def lstm_gates(gates: FloatArray, c: FloatArray, h_out: FloatArray, c_out: FloatArray) -> None:
    """What `lstm_step` makes of its sums `gates`, `(4 * hidden_size,)`, which are overwritten."""
    hidden_size = c.shape[0]
    i, f = gates[:hidden_size], gates[hidden_size : 2 * hidden_size]
    g, o = gates[2 * hidden_size : 3 * hidden_size], gates[3 * hidden_size :]
    # The new state goes to g and o first: were it written to the old one's place, the loop could not be vectorised.
    for j in range(hidden_size):
        cell = sigmoid(f[j]) * c[j] + sigmoid(i[j]) * tanh(g[j])
        g[j] = cell
        o[j] = sigmoid(o[j]) * tanh(cell)
    c_out[:] = g
    h_out[:] = o


def lstm_step_reference(
    inputs: FloatArray, h: FloatArray, c: FloatArray, weight: FloatArray, bias: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The twin of `lstm_step`; returns the new (h, c), each (hidden_size,)."""
    i, f, g, o = np.split(np.concatenate([inputs, h]) @ weight + bias, 4)
    c = _sigmoid_reference(f) * c + _sigmoid_reference(i) * np.tanh(g)
    h = _sigmoid_reference(o) * np.tanh(c)
    return h, c


@jit()
def gru_step(
    inputs: FloatArray,
    h: FloatArray,
    weight: FloatArray,
    bias_ih: FloatArray,
    bias_hh: FloatArray,
    gates: FloatArray,
    h_out: FloatArray,
) -> None:
    """One step of a GRU (Cho et al. 2014, arXiv 1406.1078) in PyTorch's form.

    That form applies the reset gate after the product with the hidden weights, not before; so the two products, and the
    two biases with them, are kept apart. The gates come in PyTorch's order: reset r, update z, candidate n.

    Shapes: inputs (input_size,), h and h_out (hidden_size,), weight (input_size + hidden_size, 3 * hidden_size),
    bias_ih and bias_hh (3 * hidden_size,), gates (2, 3 * hidden_size).
    """
    hidden_size = h.shape[0]
    if weight.shape != (inputs.shape[0] + hidden_size, 3 * hidden_size) or h_out.shape != h.shape:
        raise ValueError("gru_step: the sizes of inputs, h, weight and h_out do not fit together")
    if bias_ih.shape[0] != 3 * hidden_size or bias_hh.shape[0] != 3 * hidden_size:
        raise ValueError("gru_step: bias_ih and bias_hh must have 3 * hidden_size entries")
    if gates.shape != (2, 3 * hidden_size):
        raise ValueError("gru_step: gates must have the shape (2, 3 * hidden_size)")

    from_inputs, from_hidden = gates[0], gates[1]
    from_inputs[:] = bias_ih
    from_hidden[:] = bias_hh
    _add_product(inputs, weight, 0, from_inputs)
    _add_product(h, weight, inputs.shape[0], from_hidden)
    gru_gates(gates, h, h_out)


@jit()
def gru_gates(gates: FloatArray, h: FloatArray, h_out: FloatArray) -> None:
    """What `gru_step` makes of its two sums `gates`, `(2, 3 * hidden_size)`, which are overwritten."""
    hidden_size = h.shape[0]
    from_inputs, from_hidden = gates[0], gates[1]
    r_inputs, r_hidden = from_inputs[:hidden_size], from_hidden[:hidden_size]
    z_inputs, z_hidden = from_inputs[hidden_size : 2 * hidden_size], from_hidden[hidden_size : 2 * hidden_size]
    n_inputs, n_hidden = from_inputs[2 * hidden_size :], from_hidden[2 * hidden_size :]
    # The new state goes to n_inputs first: were it written to the old one's place, the loop could not be vectorised.
    for j in range(hidden_size):
        r = sigmoid(r_inputs[j] + r_hidden[j])
        z = sigmoid(z_inputs[j] + z_hidden[j])
        n = tanh(n_inputs[j] + r * n_hidden[j])
        n_inputs[j] = (ONE - z) * n + z * h[j]
    h_out[:] = n_inputs


def gru_step_reference(
    inputs: FloatArray, h: FloatArray, weight: FloatArray, bias_ih: FloatArray, bias_hh: FloatArray
) -> FloatArray:
    """The twin of `gru_step`; returns the new h (hidden_size,)."""
    weight_ih, weight_hh = np.split(weight, [len(inputs)])
    r_inputs, z_inputs, n_inputs = np.split(inputs @ weight_ih + bias_ih, 3)
    r_hidden, z_hidden, n_hidden = np.split(h @ weight_hh + bias_hh, 3)
    r = _sigmoid_reference(r_inputs + r_hidden)
    z = _sigmoid_reference(z_inputs + z_hidden)
    n = np.tanh(n_inputs + r * n_hidden)
    h = (1 - z) * n + z * h
    return h


def _sigmoid_reference(x: FloatArray) -> FloatArray:
    sigmoid: FloatArray = 0.5 + 0.5 * np.tanh(0.5 * x)
    return sigmoid
