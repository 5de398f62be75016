"""The gradient of additive attention's scores at one time step, in one pass over its largest array.

`scores_backward` has a NumPy twin, `scores_backward_reference`, that states its equations. It takes C-contiguous
float32 arrays of which nothing overlaps.
"""

import numpy as np

from recurra.arrays import FloatArray
from recurra.kernels import ONE, jit


@jit()
def scores_backward(
    features: FloatArray, grads: FloatArray, keys_grad: FloatArray, query_grad: FloatArray, vector_grad: FloatArray
) -> None:
    """Of scores = features @ vector, features = tanh(keys + query): what their gradients come to.

    Gradients of keys and query are still to be multiplied by the vector, which is the same for all of them.

    Args:
        features: `(batch, positions, size)`.
        grads: of the scores, `(batch, positions)`; where they are zero nothing is read.
        keys_grad: added to, `(batch, positions, size)`.
        query_grad: written, `(batch, size)`.
        vector_grad: added to, `(size,)`.
    """
    batch, positions, size = features.shape
    if grads.shape != (batch, positions) or keys_grad.shape != features.shape:
        raise ValueError("there must be a gradient for each position")
    if query_grad.shape != (batch, size) or vector_grad.shape != (size,):
        raise ValueError("the sizes do not fit")
    for row in range(batch):
        query = query_grad[row]
        query[:] = 0
        for index in range(positions):
            grad = grads[row, index]
            if grad == 0:
                continue
            feature, key = features[row, index], keys_grad[row, index]
            for number in range(size):
                value = feature[number]
                summed = grad * (ONE - value * value)
                key[number] += summed
                query[number] += summed
                vector_grad[number] += grad * value


def scores_backward_reference(
    features: FloatArray, grads: FloatArray, keys_grad: FloatArray, query_grad: FloatArray, vector_grad: FloatArray
) -> None:
    """As `scores_backward`."""
    summed = grads[:, :, None] * (1 - features * features)
    keys_grad += summed
    query_grad[:] = summed.sum(axis=1)
    vector_grad += np.einsum("bp,bps->s", grads, features)
