"""Drawing the next token from a model's logits, for a single stream: temperature, top-k, top-p, and the draw itself.

`draw` is compiled; `decoding.drawing.draw_plainly` states the same rules in NumPy with a full sort. `draw` never sorts.
What top-k and top-p keep is "everything above a threshold, and the first few at it", and the threshold is found by
bisection over the 2^32 float32 numbers, which are ordered like integers: at most 32 vectorised passes over the
vocabulary.

The rules both follow:

- The most probable tokens are those of the largest logits; among equal ones the lowest index goes first.
- top-p counts the mass of what top-k left, renormalised.
- A token less than e^-87 times as probable as the most probable one, at the given temperature, is never drawn.
- The log-probability returned is the model's own: of the logits as they are, at temperature 1, nothing left out.

Nucleus sampling (top-p): Holtzman et al. 2020, arXiv 1904.09751. Top-k: Fan et al. 2018, arXiv 1805.04833.
"""

import math

import numpy as np
import numpy.typing as npt

from recurra.arrays import FloatArray
from recurra.kernels import EXPONENT_MIN, ONE, exponential, jit

KeyArray = npt.NDArray[np.int32]

_ZERO = np.float32(0.0)
_INFINITY = np.float32(math.inf)
_INVERSE_MIN, _INVERSE_MAX = 1e-37, 1e38  # Bounds of the inverse temperature: normal float32 numbers.
_BLOCK = 512  # Tokens the draw skips at once.


@jit()
def draw(
    logits: FloatArray,
    temperature: float,
    top_k: int,
    top_p: float,
    uniform: float,
    weights: FloatArray,
    keys: KeyArray,
) -> tuple[int, float]:
    """Draw one token.

    Args:
        logits: (vocabulary_size,), float32 and contiguous; -inf marks a token that is not allowed. Not changed.
        temperature: What the logits are divided by; 0 takes the most probable token and ignores what follows.
        top_k: How many of the most probable tokens to keep; 0 keeps all.
        top_p: Keep the smallest set of most probable tokens whose mass reaches it, in (0, 1]; 1 keeps all.
        uniform: A number in [0, 1), at which the cumulative distribution is inverted.
        weights: Scratch space, (vocabulary_size,) float32.
        keys: Scratch space, (vocabulary_size,) int32.

    Numbers should be passed as annotated: an ``int`` for a ``float`` is understood, but compiles the kernel once more.

    Returns:
        The token, and its log-probability under the model in nats.

    Raises:
        ValueError: An option is out of its range, a size does not fit, or the logits hold NaN or +inf, or no token at
            all that is allowed.
    """
    if logits.shape[0] == 0 or weights.shape != logits.shape or keys.shape != logits.shape:
        raise ValueError("draw: logits must not be empty, and weights and keys must be as long")
    if not (temperature >= 0 and top_k >= 0 and 0 < top_p <= 1 and 0 <= uniform < 1):
        raise ValueError("draw: needs temperature >= 0, top_k >= 0, 0 < top_p <= 1 and 0 <= uniform < 1")
    if _unusable(logits):
        raise ValueError("draw: the logits hold NaN or +inf")
    _order(logits, keys)
    token = _most_probable(keys)
    top = logits[token]
    if top == -_INFINITY:
        raise ValueError("draw: no token is allowed, all the logits are -inf")

    _weigh(logits, top, 1.0, weights)
    log_normaliser = math.log(_total(weights))  # of the logits less the top one
    if temperature > 0:
        if temperature != 1:
            _weigh(logits, top, temperature, weights)
        if 0 < top_k < logits.shape[0]:
            _keep_most_probable(np.ones_like(weights), keys, float(top_k), weights)
        if top_p < 1:
            _keep_most_probable(weights, keys, top_p * _total(weights), weights)
        token = _invert(weights, uniform)
    return token, (np.float64(logits[token]) - np.float64(top)) - log_normaliser


@jit()
def _unusable(logits: FloatArray) -> bool:
    """Whether a logit is NaN or +inf."""
    count = 0
    for j in range(logits.shape[0]):
        count += not logits[j] < _INFINITY
    return count > 0


@jit()
def _order(logits: FloatArray, keys: KeyArray) -> None:
    """Integers in the order of the logits, equal where they are equal.

    They are the bits of the number, all but the sign flipped where it is negative. Integers can also be compared eight
    at a time where floats cannot, because of NaN.
    """
    for j in range(logits.shape[0]):
        bits = np.float32(logits[j] + _ZERO).view(np.int32)  # + 0 makes -0 the same as 0.
        keys[j] = bits ^ ((bits >> 31) & 0x7FFFFFFF)


@jit()
def _most_probable(keys: KeyArray) -> int:
    """The lowest index at which the largest key stands."""
    top = keys[0]
    for j in range(keys.shape[0]):
        top = max(top, keys[j])
    token = 0
    while keys[token] != top:
        token += 1
    return token


@jit()
def _weigh(logits: FloatArray, top: np.float32, temperature: float, weights: FloatArray) -> None:
    """Weights = e ^ ((logits - top) / temperature): 1 for the most probable, 0 for what is e^-87 below it."""
    inverse = np.float32(min(max(1.0 / temperature, _INVERSE_MIN), _INVERSE_MAX))
    for j in range(logits.shape[0]):
        exponent = (logits[j] - top) * inverse
        scale, growth = exponential(exponent)
        weights[j] = _ZERO if exponent < EXPONENT_MIN else scale * (ONE + growth)


@jit(fastmath=frozenset({"reassoc"}))
def _total(weights: FloatArray) -> float:
    """The sum of the weights, in float64."""
    total = 0.0
    for j in range(weights.shape[0]):
        total += np.float64(weights[j])
    return total


@jit(fastmath=frozenset({"reassoc"}))
def _share_from(shares: FloatArray, keys: KeyArray, threshold: int) -> float:
    """The sum of the shares of the tokens whose key is the threshold or above it, in float64."""
    key = np.int32(threshold)
    total = 0.0
    for j in range(keys.shape[0]):
        total += np.float64(shares[j]) if keys[j] >= key else 0.0
    return total


@jit()
def _keep_most_probable(shares: FloatArray, keys: KeyArray, target: float, weights: FloatArray) -> None:
    """Zero the weights of all but the fewest most probable tokens whose shares add up to the target.

    The shares are ones to keep a number of tokens, and the weights themselves to keep a mass.
    """
    # The largest threshold at and above which the shares reach the target.
    low, high = -(2**31), 2**31 - 1
    while low < high:
        middle = (low + high + 1) >> 1
        if _share_from(shares, keys, middle) >= target:
            low = middle
        else:
            high = middle - 1

    kept = _share_from(shares, keys, low + 1)
    for j in range(keys.shape[0]):
        if keys[j] == low and kept < target:
            kept += shares[j]
        elif keys[j] <= low:
            weights[j] = _ZERO


@jit()
def _invert(weights: FloatArray, uniform: float) -> int:
    """The first token at which the running sum of the weights exceeds ``uniform`` times their total."""
    target = uniform * _total(weights)
    reached, start = 0.0, 0
    while start + _BLOCK < weights.shape[0]:
        block = _total(weights[start : start + _BLOCK])
        if reached + block > target:
            break
        reached += block
        start += _BLOCK
    for token in range(start, weights.shape[0]):
        reached += weights[token]
        if weights[token] > 0 and reached > target:
            return token
    # The sums were rounded differently, and the target was within that of the total.
    last: int = weights.shape[0] - 1
    while not weights[last] > 0:
        last -= 1
    return last
