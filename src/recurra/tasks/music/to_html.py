"""A music model as one HTML file that composes and plays in a browser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recurra.export.html_file import HtmlModel, arrays_of, language_model_values, text_file, write_html
from recurra.tasks.music import harmony
from recurra.tasks.music.model import Model
from recurra.tasks.music.notation import MAX_BARS, VELOCITIES
from recurra.tasks.music.render.roll import drum_name


def write(folder: Path, out: Path, int8: bool = False) -> Sequence[Path]:
    """Write the page of a music model; see `export.html_file`.

    Args:
        folder: the model folder.
        out: the file to write.
        int8: round its matrices to eight bits.

    Raises:
        RecurraError: if the folder is not a whole model, or writing fails.
    """
    model = Model.load(folder)
    values = {
        "vocabulary": model.vocabulary.to_json(),
        "network": language_model_values(model.config),
        "most_bars": MAX_BARS,
        "velocities": VELOCITIES,
        "harmony": _harmony(),
        "drum_names": {} if model.played else {pitch: drum_name(pitch) for pitch in model.notation.drums},
    }
    page = HtmlModel(
        Model.task,
        model.name,
        model.facts(),
        model.told()[1],
        values,
        arrays_of(model.network),
        text_file(__package__, "to_html.html"),
        [
            text_file(__package__, name)
            for name in ("chords.js", "composing.js", "lookback.js", "performing.js", "playing.js", "to_html.js")
        ],
    )
    return write_html(out, page, int8)


def _harmony() -> dict[str, Any]:
    """Scales, chords and their spellings; what takes the place of a pattern is written as JavaScript has it."""
    return {
        "scales": dict(harmony.SCALES),
        "chords": dict(harmony.CHORDS),
        "aliases": harmony.CHORD_ALIASES,
        "spellings": [[pattern, re.sub(r"\\(\d)", r"$\1", plain)] for pattern, plain in harmony.SPELLINGS],
    }
