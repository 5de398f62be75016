"""Text models with and without tables of n-grams: same data, same processor time, one run after the other.

    python bench/ngrams.py shakespeare|choice|small|small-choice|words|subwords|tang [core-seconds] [option=value ...]

`shakespeare` is the cut of nanoGPT, `choice` the end of its training part kept for choosing; `small` trains on the
first 50 kB only, `small-choice` validates on the next 50 kB. The clock of a run is the time its process has computed,
so that what runs beside it costs it nothing. Options are for both models; `+option=value` is for the one with tables.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from common import OUT, machine, table, tinyshakespeare
from tang import poems

from recurra import text
from recurra.training import trainer


def corpora(name: str) -> tuple[Path, Path]:
    """Training and validation files."""
    if name == "tang":
        return poems("train"), poems("valid")
    train, validation = tinyshakespeare()
    whole, cut = train.read_text(), 50_000 if name.startswith("small") else 900_000
    if name in ("choice", "small", "small-choice"):
        train = OUT / f"{name}.train.txt"
        train.write_text(whole[:cut])
    if name.endswith("choice"):
        validation = OUT / f"{name}.validation.txt"
        validation.write_text(whole[cut : 2 * cut])
    return train, validation


def options_of(arguments: list[str]) -> dict[str, Any]:
    """Options as they are typed here, numbers where they look like ones."""
    pairs = (argument.split("=") for argument in arguments)
    return {name: float(value) if "." in value else int(value) if value.isdigit() else value for name, value in pairs}


def main() -> None:
    """Train both, print a table."""
    name, seconds = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    both = options_of([argument for argument in sys.argv[3:] if argument[0] != "+"])
    tables = options_of([argument[1:] for argument in sys.argv[3:] if argument[0] == "+"])
    trainer.time = SimpleNamespace(monotonic=time.process_time, process_time=time.process_time)  # type: ignore[attr-defined]
    torch.set_num_threads(1)
    train, validation = corpora(name)
    kind = {"tokens": name} if name in ("words", "subwords") else {"min_count": 1} if name != "tang" else {}
    print(machine(), flush=True)
    rows = []
    for label, options in (("none", {"ngrams": 0}), ("with tables", tables)):
        config = text.Config(minutes=seconds / 60, **{**kind, **both, **options})
        model = text.train(train, None, config, validation=validation)
        figures = [f"{model.record[key]:.4f}" for key in ("nats", "bits")]
        used = [f"{model.record['core_seconds']:.1f}", f"{model.record['steps']:,}", f"{model.record['best_step']:,}"]
        rows.append([label, model.network_words(), *figures, *used])
        print(rows[-1], flush=True)
    head = ["n-grams", "network", "nats", "bits", "core-seconds", "steps", "best step"]
    table(f"{name}, validation part", head, rows)


if __name__ == "__main__":
    main()
