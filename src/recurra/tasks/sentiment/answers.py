"""Every answer of an evaluation as a table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from recurra.files import write_text_atomic
from recurra.tasks.sentiment.model import Evaluation

_BETWEEN = re.compile("[\t\r\n]+")


def write_answers(found: Evaluation, labels: Sequence[str], path: Path) -> None:
    """Write a row for each text: the right label, the answer, its probability, that of each label, and the text.

    Args:
        found: what to write.
        labels: the classes.
        path: .jsonl for objects, anything else for a TSV with a header, in which tabs and line ends of texts are
            spaces.
    """
    lines = _objects(found) if path.suffix.lower() == ".jsonl" else _rows(found, labels)
    write_text_atomic(path, "".join(f"{line}\n" for line in lines))


def _objects(found: Evaluation) -> Iterator[str]:
    for text, label, answer in zip(found.texts, found.labels, found.answers, strict=True):
        row = {"label": label, "answer": answer.label, "probability": answer.probability}
        yield json.dumps(row | {"probabilities": answer.probabilities, "text": text}, ensure_ascii=False)


def _rows(found: Evaluation, labels: Sequence[str]) -> Iterator[str]:
    yield "\t".join(["label", "answer", "probability", *(f"p({label})" for label in labels), "text"])
    for text, label, answer in zip(found.texts, found.labels, found.answers, strict=True):
        numbers = [answer.probability, *answer.probabilities.values()]
        cells = [label, answer.label, *(f"{number:.6f}" for number in numbers), text]
        yield "\t".join(_BETWEEN.sub(" ", cell) for cell in cells)
