"""ONNX files: a graph with all that is needed to use it, checked and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx

import recurra
from recurra.errors import RecurraError
from recurra.export.graph import Graph
from recurra.files import write_atomic
from recurra.progress import note

MAX_BYTES = 2**31 - 2**20
"""A file of Protocol Buffers holds less than two gigabytes."""


def write_graph(graph: Graph, out: Path, task: str, metadata: dict[str, Any]) -> Path:
    """Write a graph, all or nothing.

    Args:
        graph: what.
        out: the file.
        task: the model's.
        metadata: what is needed to use it, besides; kept as JSON, each under its name.

    Returns:
        The file.

    Raises:
        RecurraError: if it would be too large, or writing fails; `out` is then as it was.
    """
    values = {"task": task, "graph": graph.name, "recurra": recurra.__version__} | metadata
    model = graph.model({name: json.dumps(value) for name, value in values.items()})
    if model.ByteSize() > MAX_BYTES:
        raise RecurraError(f"{out} would be larger than 2 GB, which an .onnx cannot be; give `int8`, or a .zip")
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString(deterministic=True)
    write_atomic(out, lambda temporary: _write_bytes(temporary, data))
    if graph.int8:
        note(f"{out}: weights rounded to eight bits, {graph.rounding_error():.2%} from what they were")
    return out


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def beside(out: Path, graph: str) -> Path:
    """Where one of several graphs is written: `x.onnx` makes `x.encoder.onnx` of the encoder."""
    return out.with_name(f"{out.stem}.{graph}{out.suffix}")
