"""A text model as one HTML file that writes in a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recurra.export.html_file import HtmlModel, arrays_of, language_model_values, text_file, write_html
from recurra.tasks.text.model import Model


def write(folder: Path, out: Path, int8: bool = False) -> Sequence[Path]:
    """Write the page of a text model; see `export.html_file`.

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
        {"vocabulary": model.tokenizer.to_json(), "network": language_model_values(model.config)},
        arrays_of(model.network),
        text_file(__package__, "to_html.html"),
        [text_file(__package__, "to_html.js")],
    )
    return write_html(out, page, int8)
