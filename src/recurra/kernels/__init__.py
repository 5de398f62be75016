"""Compiled kernels for one stream at a time: the recurrent step, and drawing the next token.

A kernel is compiled by Numba at its first call with arrays of a given type: half a second to two seconds for each, and
as much again for the first one in a process. The machine code is then kept on disk, and later processes load it in
about ten milliseconds. So whoever cares about the first token's latency calls each kernel once beforehand, with the
types it will see. Numba notices an edit of the file a kernel is in, but not of a file it calls into: after editing this
one, delete ``__pycache__``.

This file holds what the kernels share. All of it, and all of them, work in float32 unless they say otherwise.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])


def jit(*, fastmath: frozenset[str] = frozenset(), counted: bool = True) -> Callable[[Function], Function]:
    """Compile the decorated function with Numba, to run without the interpreter lock; cached on disk where possible.

    Where neither ``__pycache__`` nor the user's cache directory can be written, it is compiled anew in each process.

    Args:
        fastmath: LLVM's flags that permit rewriting float arithmetic, ``reassoc`` for one. Results stay the same from
            run to run on one kind of processor whatever they are.
        counted: Count the references to arrays, as whatever creates one must. Where a kernel makes calls that are not
            inlined, each of its arrays costs two atomic operations a call; a kernel that creates no array can do
            without, and then must call only such ones.
    """

    def decorate(function: Function) -> Function:
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": set(fastmath) or False}
        if not counted:
            options["_nrt"] = False
        try:
            return cast(Function, numba.njit(cache=True, **options)(function))
        except RuntimeError:  # Numba found no directory to keep the cache in.
            return cast(Function, numba.njit(**options)(function))

    return decorate


ONE = np.float32(1.0)

EXPONENT_MIN = np.float32(-87.0)
"""Below it ``e ** x`` leaves the normal float32 numbers; `exponential` takes smaller arguments for this one."""

EXPONENT_MAX = np.float32(88.0)
"""Above it ``e ** x`` soon overflows; `exponential` takes larger arguments for this one."""

_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH = np.float32(0.693359375)  # Has 9 significant bits: its product with an exponent is exact.
_LN2_LOW = np.float32(-2.12194440054690583e-4)  # ln 2 - _LN2_HIGH
_ROUNDER = np.float32(1.5 * 2**23)  # Adding it leaves no bits for a fraction; the integer is in the lowest bits.
_EXPONENT_BIAS = 127 << 23

_C2, _C3, _C4, _C5, _C6, _C7 = (np.float32(1 / factorial) for factorial in (2, 6, 24, 120, 720, 5040))


@jit()
def exponential(x: np.float32) -> tuple[np.float32, np.float32]:
    """``e ** x`` as ``scale * (1 + growth)``: x = n ln 2 + r with abs(r) <= ln(2) / 2, scale = 2^n, growth = e^r - 1.

    The growth is the Taylor polynomial of degree 7, whose remainder is below float32's precision; the relative error of
    ``scale + scale * growth`` is below 2e-7. There is no branch and no call, so that a loop over it runs vectorised.
    The two parts let ``e^x - 1`` be had without cancellation, as ``(scale - 1) + scale * growth``. NaN gives NaN.
    """
    x = min(max(x, EXPONENT_MIN), EXPONENT_MAX)
    rounded = x * _LOG2_E + _ROUNDER
    n = rounded - _ROUNDER
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    growth = r * (ONE + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * (_C6 + r * _C7))))))
    scale = np.int32((np.float32(rounded).view(np.int32) << 23) + _EXPONENT_BIAS).view(np.float32)
    return scale, growth
