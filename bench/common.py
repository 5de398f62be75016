"""What the measurements share: data, tables, the machine."""

from __future__ import annotations

import gzip
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

OUT = Path(__file__).parent / "out"
"""Models and pictures of the measurements; not part of the repository."""


def data(name: str) -> Path:
    """A file below RECURRA_DATA."""
    folder = os.environ.get("RECURRA_DATA")
    if not folder or not (Path(folder) / name).exists():
        sys.exit(f"error: this measurement needs {name}; set RECURRA_DATA to the folder that holds it")
    return Path(folder) / name


def tinyshakespeare() -> tuple[Path, Path]:
    """The cut of nanoGPT as two files: the first 1,003,854 characters, the last 111,540."""
    text = gzip.decompress(data("text/tinyshakespeare.txt.gz").read_bytes()).decode()
    OUT.mkdir(exist_ok=True)
    train, validation = OUT / "shakespeare.train.txt", OUT / "shakespeare.validation.txt"
    train.write_text(text[:1_003_854])
    validation.write_text(text[1_003_854:])
    return train, validation


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(flush=True)


def machine() -> str:
    """One line about where this runs."""
    return f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {torch.get_num_threads()} threads"


def median_seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """The median time of a piece of work, run once before to warm up."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
