"""A table of what a model makes of each pair, and how right that is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.evaluation.text_metrics import sentence_chrf
from recurra.files import write_text_atomic
from recurra.tasks.translation.data import Pairs

if TYPE_CHECKING:
    from recurra.evaluation.seq2seq import TargetScore

ENDINGS = (".tsv", ".csv", ".jsonl")
"""How the name of such a table may end."""


def write_pair_scores(
    path: Path, pairs: Pairs, outputs: Mapping[str, str], scores: Sequence[TargetScore | None], lowercase: bool
) -> None:
    """Write a row for each pair: its output, and how probable its own target is.

    Args:
        path: .tsv, .csv or .jsonl.
        pairs: what was translated.
        outputs: by source.
        scores: of each pair's target; None where it was too long.
        lowercase: whether capital letters count as small ones in chrF.
    """
    answers = pairs.answers()
    rows: list[dict[str, Any]] = []
    for source, target, score in zip(pairs.sources, pairs.targets, scores, strict=True):
        output, right = outputs[source], answers[source]
        row = {"source": source, "target": target, "output": output, "exact_match": int(output in right)}
        row |= {"chrf": round(sentence_chrf(output, right, lowercase), 2)}
        rows.append(row | {"log_prob": score and round(score.log_prob, 6), "tokens": score and score.tokens})
    write_text_atomic(path, _table(path.suffix.lower(), rows))


def _table(ending: str, rows: Sequence[Mapping[str, Any]]) -> str:
    if ending == ".jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    text = io.StringIO()
    if ending == ".csv":
        table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        return text.getvalue()
    lines = [list(rows[0]), *(["" if cell is None else str(cell) for cell in row.values()] for row in rows)]
    return "".join("\t".join(cell.replace("\t", " ") for cell in line) + "\n" for line in lines)
