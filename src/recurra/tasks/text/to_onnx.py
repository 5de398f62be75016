"""A text model as ONNX: one step, tokens and state in, logits and state out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recurra.config import from_dict
from recurra.data import tokenizer as tokenizers
from recurra.export.graph import Graph
from recurra.export.language_model import add_step
from recurra.export.tokens import metadata_of
from recurra.runtime import stored
from recurra.tasks.shared.light import require_language_model
from recurra.tasks.shared.onnx_file import write_graphs
from recurra.tasks.text.config import Config
from recurra.tasks.text.writing import TASK


def write(folder: Path, out: Path, int8: bool) -> Sequence[Path]:
    """Write a text model as ONNX.

    Args:
        folder: the model folder.
        out: the file.
        int8: round weights to eight bits.

    Returns:
        The file.

    Raises:
        RecurraError: if anything about the folder is not as it was saved, or writing fails.
    """
    file = stored.load(folder, TASK)
    config = from_dict(Config, file.config, file.config_file)
    tokenizer = tokenizers.from_json(file.vocabulary, file.vocabulary_file)
    require_language_model(file, config, tokenizer.size)
    graph = Graph("step", int8)
    add_step(graph, config.cell, file.weights, graph.input("tokens", np.int64, "batch"), ngrams=config.tables())
    return write_graphs([graph], out, TASK, metadata_of(tokenizer))
