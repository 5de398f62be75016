"""ONNX files as another program uses them, by onnxruntime alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


class Session:
    """An ONNX file.

    Attributes:
        metadata: what it says of itself.
        sizes: the shape of each input, names where it is free.
    """

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options)
        self.metadata = {
            name: json.loads(value) for name, value in self._session.get_modelmeta().custom_metadata_map.items()
        }
        self.sizes = {each.name: each.shape for each in self._session.get_inputs()}
        self._outputs = [each.name for each in self._session.get_outputs()]

    def __call__(self, **given: Any) -> dict[str, np.ndarray]:
        """The outputs by name; of what is given only the inputs are taken."""
        taken = {name: np.asarray(given[name]) for name in self.sizes}
        return dict(zip(self._outputs, self._session.run(None, taken), strict=True))

    def empty_state(self, batch: int, *others: str) -> dict[str, np.ndarray]:
        """Zeros for all inputs but those named."""
        shapes = {name: shape for name, shape in self.sizes.items() if name not in others}
        return {
            name: np.zeros([batch if isinstance(size, str) else size for size in shape], np.float32)
            for name, shape in shapes.items()
        }

    def following(self, given: dict[str, np.ndarray], answer: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What is given next: the new state where there is one."""
        return {name: answer.get(f"next_{name}", value) for name, value in given.items()}


def greedy(
    step: Session, known: dict[str, np.ndarray], start: int, end: int, never: list[int], limit: int
) -> list[Any]:
    """For each row the most probable token again and again, up to its end or so many."""
    rows = len(known["h"][0])
    tokens, written = np.full(rows, start), [[] for _ in range(rows)]
    ended = np.zeros(rows, bool)
    for _ in range(limit):
        answer = step(tokens=tokens, **known)
        known = step.following(known, answer)
        answer["logits"][:, never] = -np.inf
        tokens = answer["logits"].argmax(axis=1)
        ended |= tokens == end
        for row in np.flatnonzero(~ended):
            written[row].append(int(tokens[row]))
    return written


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis."""
    logits = logits.astype(np.float64)
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
