"""Products with weights of eight bits: a quarter of the memory to read, which is what a single stream waits for.

Each row of the weights, which makes one output, is rounded to a whole number of steps of its own, a 127th of its
largest weight. Inputs and sums stay float32.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.arrays import FloatArray
from recurra.kernels import jit

ByteArray = npt.NDArray[np.int8]

_ZERO = np.float32(0.0)
_LARGEST = np.float32(127)


class Int8Matrix(NamedTuple):
    """Weights of eight bits.

    Attributes:
        weight: in steps, `(output_size, input_size)`.
        scale: the step of each row, `(output_size,)`.
    """

    weight: ByteArray
    scale: FloatArray

    @classmethod
    def of(cls, weight: FloatArray) -> "Int8Matrix":
        """The nearest to weights `(output_size, input_size)`; none is further off than half a step."""
        largest = np.abs(weight).max(axis=1, initial=0)
        scale = np.where(largest > 0, largest / _LARGEST, 1).astype(np.float32)
        steps = np.clip(np.rint(weight / scale[:, None]), -_LARGEST, _LARGEST)
        return cls(np.ascontiguousarray(steps.astype(np.int8)), scale)


@jit(fastmath=frozenset({"reassoc", "contract"}))
def add_scaled_product(inputs: FloatArray, weight: ByteArray, scale: FloatArray, out: FloatArray) -> None:
    """Out += scale * (weight @ inputs), four rows a pass so that the inputs are reloaded less often.

    Shapes: inputs (input_size,), weight (output_size, input_size), scale and out (output_size,).
    """
    if weight.shape != (out.shape[0], inputs.shape[0]) or scale.shape != out.shape:
        raise ValueError("add_scaled_product: the sizes of inputs, weight, scale and out do not fit together")
    in_fours = out.shape[0] - out.shape[0] % 4
    for j in range(0, in_fours, 4):
        sum0 = sum1 = sum2 = sum3 = _ZERO
        w0, w1, w2, w3 = weight[j], weight[j + 1], weight[j + 2], weight[j + 3]
        for i in range(inputs.shape[0]):
            x = inputs[i]
            sum0 += np.float32(w0[i]) * x
            sum1 += np.float32(w1[i]) * x
            sum2 += np.float32(w2[i]) * x
            sum3 += np.float32(w3[i]) * x
        out[j] += scale[j] * sum0
        out[j + 1] += scale[j + 1] * sum1
        out[j + 2] += scale[j + 2] * sum2
        out[j + 3] += scale[j + 3] * sum3
    for j in range(in_fours, out.shape[0]):
        sum0, w0 = _ZERO, weight[j]
        for i in range(inputs.shape[0]):
            sum0 += np.float32(w0[i]) * inputs[i]
        out[j] += scale[j] * sum0


def add_scaled_product_reference(
    inputs: FloatArray, weight: ByteArray, scale: FloatArray, out: FloatArray
) -> FloatArray:
    """The twin of `add_scaled_product`; returns the new out (output_size,)."""
    return out + scale * (weight.astype(np.float32) @ inputs)
