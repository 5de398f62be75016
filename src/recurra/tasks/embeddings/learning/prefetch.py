"""Asking for a row of an array before it is needed, so that a kernel need not wait for memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

LINE = 16
"""Numbers of four bytes in a cache line."""

_TO_WRITE, _NEAREST, _DATA = 1, 3, 1


def _prefetch(context: Any, array: Any, row: Any, column: Any) -> Any:
    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = target.make_array(array)(target, builder, arguments[0])
        indices = [
            target.cast(builder, value, kind, types.intp)
            for value, kind in zip(arguments[1:], (row, column), strict=True)
        ]
        pointer = cgutils.get_item_pointer(target, builder, array, made, indices)  # type: ignore[no-untyped-call]
        byte = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        kinds = ir.FunctionType(ir.VoidType(), [byte.type, *[ir.IntType(32)] * 3])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte.type], kinds)
        builder.call(function, [byte, *(ir.Constant(ir.IntType(32), n) for n in (_TO_WRITE, _NEAREST, _DATA))])
        return target.get_dummy_value()

    return types.void(array, row, column), generate


prefetch = cast(Callable[[Any, Any, Any], None], intrinsic(_prefetch))
"""Ask for the cache line of `array[row, column]`, inside a kernel; it changes nothing but how long things take."""
