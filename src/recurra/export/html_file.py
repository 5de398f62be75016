"""One HTML file that a trained model works in: weights, page and program, with no server and nothing to load.

The program is plain JavaScript: what all tasks share stands in `web/`, what one task has beside that in its own
folder. A browser that opens the file asks no other computer for anything, and its content security policy would not
let it.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from recurra import modelfile, modelfolder
from recurra.arrays import FloatArray
from recurra.config import required
from recurra.explain.html import embed, fill
from recurra.files import write_text_atomic
from recurra.kernels.int8 import Int8Matrix
from recurra.models.architecture import Architecture
from recurra.progress import note

SHARED = ("arrays.js", "network.js", "random.js", "tokens.js", "page.js")
"""The scripts of every page, in the order in which they need each other."""

SMALL = 1024
"""A matrix of fewer numbers stays float32: rounding it would save nothing."""


@dataclass(frozen=True)
class HtmlModel:
    """What a task puts into its page.

    Attributes:
        task: its name.
        name: what the model is called.
        facts: what a person wants to know of it, label to text.
        manner: how far to trust it, a sentence or two.
        values: what the program needs to know, as JSON values.
        arrays: the weights by name, vectors and matrices `(outputs, inputs)`.
        body: of the page, HTML; an element of the id `told` says how it goes.
        scripts: JavaScript that runs after what all pages share.
    """

    task: str
    name: str
    facts: Mapping[str, str]
    manner: str
    values: Mapping[str, Any]
    arrays: Mapping[str, FloatArray]
    body: str
    scripts: Sequence[str]


def language_model_values(architecture: Architecture) -> dict[str, Any]:
    """What `network.js` needs to know of a language model beside its arrays; of a resolved architecture."""
    ngrams = architecture.tables()
    return {
        "cell": architecture.cell,
        "layers": architecture.num_layers,
        "scale": math.sqrt(required(architecture.embedding_size, "embedding_size")) if architecture.tied else 1.0,
        "ngrams": ngrams and ngrams._asdict(),
    }


def arrays_of(network: nn.Module) -> dict[str, FloatArray]:
    """The weights of a network by the names they have in its file, each once."""
    return {name: tensor.float().numpy() for name, tensor in modelfile.unique_tensors(network).items()}


def write_html(path: Path, model: HtmlModel, int8: bool = False) -> tuple[Path]:
    """Write the file, all or nothing.

    A matrix is written column by column, which is how the program reads it.

    Args:
        path: where.
        model: what goes into it.
        int8: round matrices to eight bits, each output with a scale of its own.

    Returns:
        The file written.

    Raises:
        RecurraError: if it cannot be written.
    """
    shapes: dict[str, Any] = {}
    elements: list[str] = []
    for name, array in model.arrays.items():
        rounded = int8 and array.ndim == 2 and array.size >= SMALL
        shapes[name] = {"shape": array.shape[::-1], "int8": rounded}
        if rounded:
            weight, scale = Int8Matrix.of(array.astype(np.float32))
            elements += [_element(name, weight.T), _element(f"{name}.scale", scale)]
        else:
            elements.append(_element(name, array.T.astype("<f4")))
    precision = "8 bits, rounded from 32" if int8 else "32 bits"
    count = sum(array.size for array in model.arrays.values())
    facts = {**model.facts, "weights": f"{count:,} numbers of {precision}"}
    parts = {
        "title": html.escape(model.name),
        "kind": html.escape(modelfolder.model_of(model.task).capitalize()),
        "manner": html.escape(model.manner),
        "style": _shared("style.css"),
        "body": model.body,
        "data": embed({**model.values, "name": model.name, "facts": facts, "arrays": shapes}),
        "arrays": "\n".join(elements),
        "script": "\n".join([*map(_shared, SHARED), *model.scripts]),
    }
    text = fill(_shared("page.html"), parts)
    write_text_atomic(path, text)
    note(f"{path}: {len(text) / 1e6:.1f} MB, {facts['weights']}")
    return (path,)


def _element(name: str, array: np.ndarray[Any, Any]) -> str:
    """An element with the numbers of an array in base64, which no browser runs or shows."""
    content = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return f'<script type="text/plain" id="array-{html.escape(name)}">{content}</script>'


def text_file(package: str, name: str) -> str:
    """A file that a package holds."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def _shared(name: str) -> str:
    return text_file("recurra.export", f"web/{name}")
