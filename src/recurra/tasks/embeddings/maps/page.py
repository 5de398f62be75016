"""The map of words as one HTML file that is searched and zoomed, and works out neighbours and analogies by itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import DoubleArray
from recurra.explain.html import page
from recurra.files import write_text_atomic
from recurra.tasks.embeddings.maps.word_map import WordMap

VECTOR_BYTES = 2_000_000
"""Bytes for vectors in a page: longer ones are brought to fewer dimensions, so that it stays under three megabytes."""

ROUNDED = (
    "Neighbours and analogies are worked out here, among the words of this map, from vectors rounded to 8 bits{}: "
    "cosines are right to about two digits. Colours are groups of words with like vectors (k-means)."
)
"""What the page says of its figures."""


def write_page(path: Path, word_map: WordMap, analogy: Sequence[str] = ()) -> None:
    """Write the page, all or nothing.

    Args:
        path: the HTML to write.
        word_map: what it shows.
        analogy: words of the map that it opens with: the first is to the second as the third is to what; none for none.

    Raises:
        RecurraError: if it cannot be written.
    """
    text = page("recurra.tasks.embeddings.maps", "map", "Recurra: a map of words", {}, page_data(word_map, analogy))
    write_text_atomic(path, text)


def page_data(word_map: WordMap, analogy: Sequence[str] = ()) -> dict[str, Any]:
    """What the page shows, as JSON values."""
    vectors = rounded_vectors(word_map.units)
    size = word_map.units.shape[1]
    places = _places(word_map.points)
    fewer = f" and brought from {size:,} dimensions to {vectors.shape[1]:,}" if vectors.shape[1] < size else ""
    return {
        "name": word_map.name,
        "words": list(word_map.words),
        "x": places[:, 0].tolist(),
        "y": places[:, 1].tolist(),
        "groups": word_map.groups.tolist(),
        "size": vectors.shape[1],
        "vectors": base64.b64encode(vectors.tobytes()).decode(),
        "faithful": word_map.faithful,
        "axes": list(word_map.axes),
        "rounded": ROUNDED.format(fewer),
        "analogy": [word_map.words.index(word) for word in analogy],
    }


def rounded_vectors(units: DoubleArray) -> NDArray[np.int8]:
    """Vectors as bytes: each times what makes its largest entry 127, since only its direction counts.

    If they take too many bytes they are first turned so that the most of them is in few dimensions, as by principal
    components without centring, which keeps cosines; the other dimensions are left out.

    Args:
        units: vectors of length one, `(words, size)`.
    """
    most = max(1, VECTOR_BYTES // len(units))
    if units.shape[1] > most:
        units = units @ np.linalg.eigh(units.T @ units)[1][:, -most:]
    largest = np.abs(units).max(axis=1, keepdims=True)
    return np.round(127 * units / np.where(largest > 0, largest, 1)).astype(np.int8)


def _places(points: DoubleArray) -> DoubleArray:
    """Points in a square of side one, y downwards as pages count it, to four digits."""
    low, high = points.min(axis=0), points.max(axis=0)
    centred = (points - (low + high) / 2) / max(float((high - low).max()), 1e-300)
    rounded: DoubleArray = np.round(0.5 + centred * (1, -1), 4)
    return rounded
