"""Equations as ONNX graphs, and weights of eight bits, beside NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.export.graph import Graph, Value


def run(graph: Graph, **given: Any) -> dict[str, np.ndarray]:
    """What onnxruntime makes of a graph."""
    model = graph.model({})
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, given), strict=True))


def of_one(build: Any, given: np.ndarray, *shape: int | str) -> np.ndarray:
    """What a function of one input comes to."""
    graph = Graph("test")
    graph.output("y", build(graph.input("x", given.dtype, *shape)), *shape)
    return run(graph, x=given)["y"]


def test_arithmetic_is_that_of_numpy() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    found = of_one(lambda x: (2.0 - x) * x / 3.0 + x.floor() - x.at_least(0.25).at_most(1.0), x, "a", "b")
    assert np.allclose(found, (2 - x) * x / 3 + np.floor(x) - np.clip(x, 0.25, 1), atol=1e-6)
    whole = np.arange(12).reshape(3, 4)
    assert (of_one(lambda x: (x + 1) * 2 - 3, whole, "a", "b") == whole * 2 - 1).all()


def test_conditions_are_those_of_numpy() -> None:
    x = np.arange(-3, 4, dtype=np.float32)

    def build(x: Value) -> Value:
        inside = (x > -2.0) & (x < 2.0) | x.equals(3.0)
        return x.graph.where(inside, x, -np.inf)

    assert (of_one(build, x, "a") == np.where(((x > -2) & (x < 2)) | (x == 3), x, -np.inf)).all()


def test_an_array_times_a_value_is_refused_rather_than_taken_apart() -> None:
    value = Graph("test").input("x", np.float32, 2)
    with pytest.raises(TypeError):
        np.ones(2, np.float32) * value


class TestInt8:
    @given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 17), st.integers(1, 5))
    def test_a_product_is_as_near_as_its_scales_allow(self, seed: int, outputs: int, inputs: int, batch: int) -> None:
        rng = np.random.default_rng(seed)
        weight = (rng.normal(size=(outputs, inputs)) * 10.0 ** rng.integers(-3, 3, (outputs, 1))).astype(np.float32)
        x, bias = rng.normal(size=(batch, inputs)).astype(np.float32), rng.normal(size=outputs).astype(np.float32)
        graph = Graph("test", int8=True)
        graph.output("y", graph.linear(graph.input("x", np.float32, "b", inputs), weight, bias), "b", outputs)
        weight_step = np.abs(weight).max(axis=1) / 127
        x_step = (max(x.max(), 0) - min(x.min(), 0)) / 255
        error = np.abs(run(graph, x=x)["y"] - (x @ weight.T + bias))
        # each factor is at most half a step off, and the zero point of the inputs is rounded too
        bound = 0.5 * weight_step * np.abs(x).sum(axis=1, keepdims=True)
        bound = bound + x_step * (np.abs(weight).sum(axis=1) + inputs * weight_step)
        assert (error <= bound + 1e-5).all()

    def test_rows_and_matrices_are_off_by_half_a_step_at_most(self) -> None:
        table = np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32) * np.float32([[1, 10, 0.1, 0, 3, 1]]).T
        graph = Graph("test", int8=True)
        rows = graph.lookup(table, graph.input("x", np.int64, "b"))
        graph.output("rows", rows, "b", 5)
        graph.output("matrix", graph.matrix(table), 6, 5)
        found = run(graph, x=np.arange(6))
        step = np.abs(table).max(axis=1, keepdims=True) / 127
        for each in found.values():
            assert (np.abs(each - table) <= 0.5 * step + 1e-7).all()

    def test_without_it_weights_are_exact(self) -> None:
        table = np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32)
        graph = Graph("test")
        graph.output("rows", graph.lookup(table, graph.input("x", np.int64, "b")), "b", 3)
        graph.output("matrix", graph.matrix(table), 4, 3)
        assert all((each == table).all() for each in run(graph, x=np.arange(4)).values())
        assert "nothing" in graph.rounded_words()

    def test_the_error_is_told(self) -> None:
        weight = np.float32([[127.0, 0.25]])  # of a step of 1
        graph = Graph("test", int8=True)
        graph.output("y", graph.matrix(weight), 1, 2)
        assert run(graph)["y"].tolist() == [[127.0, 0.0]]
        assert "0.20% from" in graph.rounded_words()  # 0.25 of 127.0002


def test_a_model_that_is_included_computes_what_it_did() -> None:
    inner = Graph("inner")
    inner.output("y", inner.apply("Tanh", inner.input("x", np.float32, "b", 2)) + np.float32([1, 2]), "b", 2)
    model = inner.model({})
    for node in model.graph.node:
        node.doc_string = "/somewhere/on/a/machine.py"
    outer = Graph("outer")
    x = outer.input("x", np.float32, "b", 2)
    outer.output("y", outer.include(model, x * 2.0) + outer.include(model, x), "b", 2)
    given = np.float32([[0.1, -0.4], [2, 0]])
    assert np.allclose(run(outer, x=given)["y"], np.tanh(2 * given) + np.tanh(given) + [2, 4], atol=1e-6)
    assert b"somewhere" not in outer.model({}).SerializeToString()
