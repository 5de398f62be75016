"""ONNX files: a graph with all that is needed to use it, checked and written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

import recurra
from recurra.errors import RecurraError
from recurra.export.graph import Graph
from recurra.files import write_atomic
from recurra.progress import note
from recurra.tasks.shared.commands import require_file_name

MAX_BYTES = 2**31 - 2**20
"""A file of Protocol Buffers holds less than two gigabytes."""


def write_graphs(graphs: Sequence[Graph], out: Path, task: str, metadata: Mapping[str, Any]) -> list[Path]:
    """Write the graphs of a model, all or nothing.

    Args:
        graphs: of which the model is made.
        out: the file of the only one; of several each gets its own: `x.onnx` makes `x.encoder.onnx` of the encoder.
        task: the model's.
        metadata: what is needed to use it, besides; kept in each file as JSON, each under its name.

    Returns:
        The files.

    Raises:
        OptionError: if a folder stands where one would.
        RecurraError: if one would be too large, or writing fails; what stood there is then as it was.
    """
    paths = [out if len(graphs) == 1 else out.with_name(f"{out.stem}.{graph.name}{out.suffix}") for graph in graphs]
    for path in paths:
        require_file_name(path)
    common = {"task": task, "recurra": recurra.__version__, **metadata}
    datas = [_serialized(graph, path, common) for graph, path in zip(graphs, paths, strict=True)]
    _write_together(list(zip(paths, datas, strict=True)))
    for graph, path in zip(graphs, paths, strict=True):
        if graph.int8:
            note(f"{path}: {graph.rounded_words()}")
    return paths


def _write_together(files: Sequence[tuple[Path, bytes]]) -> None:
    """Write files, none of which takes its place before all are on the disk."""
    if not files:
        return
    (path, data), *others = files

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)
        _write_together(others)

    write_atomic(path, write)


def _serialized(graph: Graph, path: Path, metadata: Mapping[str, Any]) -> bytes:
    """The bytes of a graph's file, checked; `path` is for messages."""
    model = graph.model({name: json.dumps(value) for name, value in {**metadata, "graph": graph.name}.items()})
    if model.ByteSize() > MAX_BYTES:
        raise RecurraError(f"{path} would be larger than 2 GB, which an .onnx cannot be; give `int8`, or a .zip")
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data
