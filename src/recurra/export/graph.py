"""ONNX graphs written down as equations: `Graph` gathers nodes and weights, `Value` is a tensor in it.

Rounded weights are eight bits with a scale for each output, so that large and small rows are equally exact. Where they
are multiplied the other factor is rounded too, anew each time (`DynamicQuantizeLinear`), and whole numbers are added
up; elsewhere they are made float32 again. All operators are ONNX's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike, NDArray
from onnx import compose, helper, numpy_helper

from recurra.arrays import FloatArray

OPSET, IR_VERSION = 18, 8
"""What onnxruntime 1.14 and later can read."""

ZERO_POINT = 128
"""What stands for 0 in the weights of a product: of unsigned bytes, since sums of signed ones overflow on processors
without instructions for them."""

Size = int | str
"""Of an axis; a name for one that is free."""


class Value:
    """A tensor of a graph; arithmetic with it adds nodes.

    Args:
        graph: where it is.
        name: its own.
        dtype: of its numbers.
    """

    __array_ufunc__ = None  # so that an array times a value is not an array of values

    def __init__(self, graph: Graph, name: str, dtype: DTypeLike) -> None:
        self.graph = graph
        self.name = name
        self.dtype = np.dtype(dtype)

    def __add__(self, other: Value | ArrayLike) -> Value:
        return self.graph.apply("Add", self, self.like(other))

    def __sub__(self, other: Value | ArrayLike) -> Value:
        return self.graph.apply("Sub", self, self.like(other))

    def __rsub__(self, other: ArrayLike) -> Value:
        return self.graph.apply("Sub", self.like(other), self)

    def __mul__(self, other: Value | ArrayLike) -> Value:
        return self.graph.apply("Mul", self, self.like(other))

    def __truediv__(self, other: Value | ArrayLike) -> Value:
        return self.graph.apply("Div", self, self.like(other))

    def __gt__(self, other: Value | ArrayLike) -> Value:
        return self.graph.apply("Greater", self, self.like(other), dtype=bool)

    def __lt__(self, other: Value | ArrayLike) -> Value:
        return self.graph.apply("Less", self, self.like(other), dtype=bool)

    def __and__(self, other: Value) -> Value:
        return self.graph.apply("And", self, other)

    def __or__(self, other: Value) -> Value:
        return self.graph.apply("Or", self, other)

    def equals(self, other: Value | ArrayLike) -> Value:
        """Where both are the same."""
        return self.graph.apply("Equal", self, self.like(other), dtype=bool)

    def cast(self, dtype: DTypeLike) -> Value:
        """As numbers of another type."""
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.graph.apply("Cast", self, to=kind, dtype=dtype)

    def transpose(self, *axes: int) -> Value:
        """With its axes in another order."""
        return self.graph.apply("Transpose", self, perm=axes)

    def reshape(self, *sizes: int) -> Value:
        """In another shape; 0 keeps a size, -1 is what is left."""
        return self.graph.apply("Reshape", self, np.array(sizes, np.int64))

    def unsqueeze(self, axis: int) -> Value:
        """With one more axis, of size 1."""
        return self.graph.apply("Unsqueeze", self, np.array([axis], np.int64))

    def squeeze(self, axis: int) -> Value:
        """Without an axis of size 1."""
        return self.graph.apply("Squeeze", self, np.array([axis], np.int64))

    def sum(self, axis: int, keepdims: bool = False) -> Value:
        """Summed over an axis."""
        return self.graph.apply("ReduceSum", self, np.array([axis], np.int64), keepdims=int(keepdims))

    def max(self, axis: int) -> Value:
        """The largest along an axis."""
        return self.graph.apply("ReduceMax", self, np.array([axis], np.int64), keepdims=0)

    def min(self, axis: int, keepdims: bool = False) -> Value:
        """The smallest along an axis."""
        return self.graph.apply("ReduceMin", self, np.array([axis], np.int64), keepdims=int(keepdims))

    def at_least(self, other: Value | ArrayLike) -> Value:
        """The larger of both, element by element."""
        return self.graph.apply("Max", self, self.like(other))

    def at_most(self, other: Value | ArrayLike) -> Value:
        """The smaller of both, element by element."""
        return self.graph.apply("Min", self, self.like(other))

    def floor(self) -> Value:
        """The largest whole number that is not larger."""
        return self.graph.apply("Floor", self)

    def softmax(self) -> Value:
        """Shares of the last axis, which sum to 1."""
        return self.graph.apply("Softmax", self, axis=-1)

    def modulo(self, divisor: float) -> Value:
        """What is left of a division, at least 0."""
        return self - (self / divisor).floor() * divisor

    def one_hot(self, size: int) -> Value:
        """Which of so many places a number `(B, 1)` is, `(B, size)`; none for what is none of them."""
        return self.equals(self.graph.constant(np.arange(size, dtype=self.dtype)))

    def split(self, axis: int, *sizes: int) -> list[Value]:
        """In parts of these sizes along an axis."""
        return self.graph.several("Split", self, np.array(sizes, np.int64), count=len(sizes), axis=axis)

    def take(self, indices: Value | ArrayLike, axis: int = 0) -> Value:
        """The entries at some places of an axis."""
        where = indices if isinstance(indices, Value) else np.asarray(indices, np.int64)
        return self.graph.apply("Gather", self, where, axis=axis)

    def like(self, other: Value | ArrayLike) -> Value | NDArray[Any]:
        """Numbers of the type of this value's; a value as it is."""
        return other if isinstance(other, Value) else np.asarray(other, self.dtype)


class Graph:
    """A graph as it is being written.

    Args:
        name: its own.
        int8: round the weights of products, recurrent layers and tables to eight bits.
    """

    def __init__(self, name: str, int8: bool = False) -> None:
        self.name = name
        self.int8 = int8
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._error, self._size = 0.0, 0.0

    def input(self, name: str, dtype: DTypeLike, *shape: Size) -> Value:
        """Something that is given; sizes that are names are free."""
        self._inputs.append(_info(name, dtype, shape))
        return Value(self, name, dtype)

    def output(self, name: str, value: Value, *shape: Size) -> None:
        """Something that is answered."""
        self._nodes.append(helper.make_node("Identity", [value.name], [name]))
        self._outputs.append(_info(name, value.dtype, shape))

    def constant(self, array: ArrayLike, name: str = "constant") -> Value:
        """Numbers that are part of the graph."""
        numbers = np.ascontiguousarray(array).reshape(np.shape(array))
        name = f"{name}_{len(self._weights)}"
        self._weights[name] = numpy_helper.from_array(numbers, name)
        return Value(self, name, numbers.dtype)

    def apply(self, operator: str, *inputs: Value | NDArray[Any] | None, dtype: Any = None, **attributes: Any) -> Value:
        """What an operator makes of its inputs; None for one that is left out.

        Args:
            operator: ONNX's name of it.
            inputs: what it is given; arrays become constants.
            dtype: of the result; that of the first input if None.
            attributes: of the operator.
        """
        (value,) = self.several(operator, *inputs, count=1, dtype=dtype, **attributes)
        return value

    def several(
        self, operator: str, *inputs: Value | NDArray[Any] | None, count: int, dtype: Any = None, **attributes: Any
    ) -> list[Value]:
        """As `apply`, for an operator with several results."""
        given = [item if isinstance(item, Value) or item is None else self.constant(item) for item in inputs]
        first = next(item for item in given if item)
        outputs = [f"{operator}_{len(self._nodes)}_{index}" for index in range(count)]
        names = [item.name if item else "" for item in given]
        self._nodes.append(helper.make_node(operator, names, outputs, **attributes))
        return [Value(self, name, dtype or first.dtype) for name in outputs]

    def include(self, model: onnx.ModelProto, inputs: Value) -> Value:
        """The output of a model with one input and one output, of the same type, whose nodes become part of this graph.

        What it says of where it comes from is left out. Its weights are never rounded: eight bits move the features of
        EfficientNet-Lite0 by a fifth.
        """
        prefix = f"included_{len(self._nodes)}_"
        graph = compose.add_prefix(model, prefix).graph
        self._nodes.append(helper.make_node("Identity", [inputs.name], [graph.input[0].name]))
        for node in graph.node:
            node.ClearField("metadata_props")
            node.ClearField("doc_string")
            self._nodes.append(node)
        self._weights |= {tensor.name: tensor for tensor in graph.initializer}
        return Value(self, graph.output[0].name, inputs.dtype)

    def concat(self, parts: Sequence[Value], axis: int) -> Value:
        """Values side by side."""
        return parts[0] if len(parts) == 1 else self.apply("Concat", *parts, axis=axis)

    def where(self, condition: Value, yes: Value | ArrayLike, no: Value | ArrayLike) -> Value:
        """One or the other, element by element; of two that are no values, as float32."""
        given = [choice for choice in (yes, no) if isinstance(choice, Value)]
        dtype = given[0].dtype if given else np.dtype(np.float32)
        choices = [choice if isinstance(choice, Value) else np.asarray(choice, dtype) for choice in (yes, no)]
        return self.apply("Where", condition, *choices, dtype=dtype)

    def linear(self, inputs: Value, weight: FloatArray, bias: FloatArray | None = None, name: str = "weight") -> Value:
        """Inputs `(..., in)` through a weight `(out, in)`, and a bias `(out,)`: `(..., out)`."""
        product = self._rounded_product(inputs, weight, name) if self.int8 else self._product(inputs, weight, name)
        return product if bias is None else product + bias

    def _product(self, inputs: Value, weight: FloatArray, name: str) -> Value:
        return self.apply("MatMul", inputs, self.constant(weight.T, name))

    def _rounded_product(self, inputs: Value, weight: FloatArray, name: str) -> Value:
        """The product of whole numbers, in the form that onnxruntime makes one step of."""
        rounded, scale = self._round(weight)
        table = self.constant((rounded.T.astype(np.int16) + ZERO_POINT).astype(np.uint8), name)
        whole, factor, zero = self.several("DynamicQuantizeLinear", inputs, count=3)
        total = self.apply("MatMulInteger", whole, table, zero, np.array(ZERO_POINT, np.uint8), dtype=np.int32)
        return total.cast(np.float32) * (factor * scale)

    def lookup(self, table: FloatArray, indices: Value, name: str = "table") -> Value:
        """Rows of a table `(rows, size)` at some indices: `(..., size)`."""
        if not self.int8:
            return self.constant(table, name).take(indices)
        rounded, scale = self._round(table)
        rows = self.constant(rounded, name).take(indices).cast(np.float32)
        return rows * self.constant(scale[:, None]).take(indices)

    def matrix(self, weight: FloatArray, name: str = "weight") -> Value:
        """A weight `(out, ...)` for an operator that multiplies it itself."""
        if not self.int8:
            return self.constant(weight, name)
        rounded, scale = self._round(weight.reshape(len(weight), -1))
        whole = self.constant(rounded.reshape(weight.shape), name)
        return whole.cast(np.float32) * scale.reshape(-1, *[1] * (weight.ndim - 1))

    def _round(self, weight: FloatArray) -> tuple[NDArray[np.int8], FloatArray]:
        """Weights `(rows, size)` as whole numbers of eight bits, and the scale of each row."""
        largest = np.abs(weight).max(axis=1, initial=0)
        scale = np.where(largest > 0, largest / np.float32(127), np.float32(1)).astype(np.float32)
        rounded = np.rint(weight / scale[:, None]).astype(np.int8)
        self._error += float(np.square(rounded * scale[:, None] - weight, dtype=np.float64).sum())
        self._size += float(np.square(weight, dtype=np.float64).sum())
        return rounded, scale

    def rounded_words(self) -> str:
        """What a person is told of rounding: how far all rounded weights are from what they were.

        The root of the mean square of the differences, relative to that of the weights.
        """
        if not self._size:
            return "there is nothing in it that is rounded to eight bits"
        return f"weights are rounded to eight bits, {(self._error / self._size) ** 0.5:.2%} from what they were"

    def model(self, metadata: dict[str, str]) -> onnx.ModelProto:
        """The graph as a model, checked."""
        graph = helper.make_graph(self._nodes, self.name, self._inputs, self._outputs, list(self._weights.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="recurra")
        model.ir_version = IR_VERSION
        helper.set_model_props(model, metadata)
        return model


def _info(name: str, dtype: DTypeLike, shape: Sequence[Size]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
