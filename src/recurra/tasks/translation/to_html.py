"""A translation model as one HTML file that translates in a browser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurra.config import required
from recurra.data.vocabulary import VocabularyPair
from recurra.export.html_file import HtmlModel, arrays_of, text_file, write_html
from recurra.export.patterns import for_browsers
from recurra.progress import note
from recurra.tasks.translation.config import MAX_TOKENS, SPARE
from recurra.tasks.translation.model import Model


def write(folder: Path, out: Path, int8: bool = False) -> Sequence[Path]:
    """Write the page of a translation model; see `export.html_file`.

    Args:
        folder: the model folder.
        out: the file to write.
        int8: round its matrices to eight bits.

    Raises:
        RecurraError: if the folder is not a whole model, or writing fails.
    """
    model = Model.load(folder)
    config = model.config
    network = {
        "cell": config.cell,
        "layers": config.num_layers,
        "scale": math.sqrt(required(config.embedding_size, "embedding_size")) if config.tied else 1.0,
        "attention": config.attention,
    }
    values = {
        "vocabulary": _vocabulary(model.vocabularies),
        "network": network,
        "max_ratio": config.max_ratio,
        "spare": SPARE,
        "most_tokens": MAX_TOKENS,
    }
    page = HtmlModel(
        Model.task,
        model.name,
        model.facts(),
        model.told()[1],
        values,
        arrays_of(model.network),
        text_file(__package__, "to_html.html"),
        [text_file(__package__, name) for name in ("reading.js", "search.js", "to_html.js")],
    )
    return write_html(out, page, int8)


def _vocabulary(vocabularies: VocabularyPair) -> dict[str, Any]:
    """The vocabularies, with the pattern of what is kept as browsers have it, None for one that they cannot have."""
    values = vocabularies.to_json()
    if "placeholders" not in values:
        return values
    pattern = for_browsers(vocabularies.placeholders.pattern)
    if pattern is None:
        note("in the page `keep` has no effect: its pattern is more than a browser's regular expressions can do")
    return values | {"placeholders": values["placeholders"] | {"pattern": pattern}}
