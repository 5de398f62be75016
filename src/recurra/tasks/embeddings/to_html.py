"""Word embeddings as one HTML file that finds neighbours and analogies in a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recurra import modelfolder
from recurra.data.vectors import Vectors
from recurra.export.html_file import HtmlModel, text_file, write_html
from recurra.progress import note
from recurra.tasks.embeddings.model import Model

MOST_BYTES = 40_000_000
"""Vectors that take more are rounded to eight bits, and if that is too much as well, only the first words are kept."""


def write(folder: Path, out: Path, int8: bool = False) -> Sequence[Path]:
    """Write the page of an embeddings model; see `export.html_file`.

    Args:
        folder: the model folder.
        out: the file to write.
        int8: round the vectors to eight bits, which is done anyway if they take more than `MOST_BYTES`.

    Raises:
        RecurraError: if the folder is not a whole model, or writing fails.
    """
    config = modelfolder.read_config(folder, Model.task)
    modelfolder.require_unaltered(folder, config, modelfolder.WEIGHTS, modelfolder.VOCABULARY)
    model = Model.load(folder)
    vectors = model.vectors
    model.nearest.scales  # noqa: B018 # refuses what is not finite
    if 4 * vectors.matrix.size > MOST_BYTES:
        int8 = True
    count = min(len(vectors.words), MOST_BYTES // vectors.size) if int8 else len(vectors.words)
    left_out = _left_out(vectors, count)
    if left_out:
        note(left_out)
    page = HtmlModel(
        Model.task,
        model.name,
        model.facts(),
        model.told()[1],
        {"words": vectors.words[:count], "lowercase": vectors.splitter.lowercase, "left_out": left_out},
        {"vectors": vectors.matrix[:count]},
        text_file(__package__, "to_html.html"),
        [text_file(__package__, name) for name in ("vectors.js", "to_html.js")],
    )
    return write_html(out, page, int8)


def _left_out(vectors: Vectors, count: int) -> str:
    """What the page does not have of a model, sentences."""
    told = []
    if count < len(vectors.words):
        told.append(f"Of the model's {len(vectors.words):,} words the first {count:,}, the most frequent, are here.")
    if vectors.ngrams is not None:
        told.append("Recurra itself makes vectors of unseen words out of their letters, this page does not.")
    return " ".join(told)
