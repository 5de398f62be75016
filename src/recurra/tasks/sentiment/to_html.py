"""A sentiment model as one HTML file that reads texts in a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurra.arrays import FloatArray
from recurra.export.html_file import HtmlModel, arrays_of, text_file, write_html
from recurra.tasks.sentiment.light import PACE
from recurra.tasks.sentiment.model import Model


def write(folder: Path, out: Path, int8: bool = False) -> Sequence[Path]:
    """Write the page of a sentiment model; see `export.html_file`.

    Args:
        folder: the model folder.
        out: the file to write.
        int8: round its matrices to eight bits.

    Raises:
        RecurraError: if the folder is not a whole model, or writing fails.
    """
    model = Model.load(folder)
    page = HtmlModel(
        Model.task,
        model.name,
        model.facts(),
        model.told()[1],
        {"vocabulary": model.vocabulary.to_json(), "network": _network(model)},
        _arrays(model),
        text_file(__package__, "to_html.html"),
        [text_file(__package__, name) for name in ("classifier.js", "to_html.js")],
    )
    return write_html(out, page, int8)


def _network(model: Model) -> dict[str, Any]:
    config = model.config
    return {
        "model": config.model,
        "cell": config.cell,
        "layers": config.num_layers,
        "bidirectional": bool(config.bidirectional),
        "pooling": config.pooling,
        "max_length": config.max_length,
        "longest": config.longest_ngram,
        "bits": config.bits,
        "temperature": model.temperature,
    }


def _arrays(model: Model) -> dict[str, FloatArray]:
    """The weights; those of n-grams as what each n-gram adds, a table `(columns, rows)`."""
    arrays = arrays_of(model.network)
    for prefix in ("", "ngrams."):
        if f"{prefix}ratios" in arrays:
            weight, ratios = arrays.pop(f"{prefix}weight"), arrays.pop(f"{prefix}ratios")
            arrays[f"{prefix}table"] = (np.float32(PACE) * weight * ratios).T
    return arrays
