"""Word vectors as ONNX: the vectors of words, and how near every word is to a sum of them.

Shapes: B batch, N words summed up, W words in all, D the size of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recurra import modelfolder
from recurra.export.graph import Graph
from recurra.progress import note
from recurra.tasks.embeddings.model import Model
from recurra.tasks.shared.onnx_file import write_graphs


def write(folder: Path, out: Path, int8: bool) -> Sequence[Path]:
    """Write word vectors as ONNX.

    Args:
        folder: the model folder.
        out: the file.
        int8: round vectors to eight bits.

    Returns:
        The file.

    Raises:
        RecurraError: if anything about the folder is not as it was saved, or writing fails.
    """
    config = modelfolder.read_config(folder, Model.task)
    modelfolder.require_unaltered(folder, config, modelfolder.WEIGHTS, modelfolder.VOCABULARY)
    model = Model.load(folder)
    graph = Graph("nearest", int8)
    _add_search(graph, model)
    if model.vectors.ngrams:
        note(f"{out}: words that {model.name} makes of their character n-grams are not in it, only those it has seen")
    splitter = model.vectors.splitter
    metadata = {"words": list(model.vectors.words), "lowercase": splitter.lowercase, "size": model.vectors.size}
    return write_graphs([graph], out, Model.task, metadata)


def _add_search(graph: Graph, model: Model) -> None:
    """Vectors `(B, N, D)` of words, and the cosine `(B, W)` of all words with a weighted sum of these, each of unit
    length; so weights of -1, 1, 1 answer an analogy (3CosAdd).
    """
    words = graph.input("words", np.int64, "batch", "words")  # (B, N)
    weights = graph.input("weights", np.float32, "batch", "words")  # (B, N)
    table = graph.matrix(np.ascontiguousarray(model.vectors.matrix))  # (W, D)
    scales = model.nearest.scales  # (W,)
    vectors = table.take(words)  # (B, N, D)
    units = vectors * graph.constant(scales).take(words).unsqueeze(2)
    query = (units * weights.unsqueeze(2)).sum(1)  # (B, D)
    length = graph.apply("ReduceL2", query, np.array([1], np.int64), keepdims=1)  # (B, 1)
    cosines = graph.apply("MatMul", query / length, (table * scales[:, None]).transpose(1, 0))  # (B, W)
    graph.output("vectors", vectors, "batch", "words", model.vectors.size)
    graph.output("similarities", cosines, "batch", len(scales))
