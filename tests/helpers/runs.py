"""Runs small enough to repeat."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TINY = [
    *("--hidden-size", "12", "--embedding-size", "8", "--num-layers", "2", "--dropout", "0.2"),
    *("--batch-size", "4", "--sequence-length", "16", "--evaluations", "4", "--learning-rate", "0.01"),
    *("--checkpoint-seconds", "0.05"),
]


def corpus(folder: Path, repeats: int = 120) -> Path:
    """A few thousand characters with something to learn."""
    path = folder / "corpus.txt"
    path.write_text("".join(f"the {n % 7} cats (and {n % 3} dogs) were here.\n" for n in range(repeats)))
    return path


TINY_PAIRS = [
    *("--hidden-size", "12", "--embedding-size", "8", "--num-layers", "2", "--dropout", "0.2"),
    *("--batch-size", "120", "--evaluations", "4", "--learning-rate", "0.01", "--tokens", "characters"),
    *("--checkpoint-seconds", "0.05", "--average", "0.5"),
]


def pairs(folder: Path) -> Path:
    """Sentence pairs with something to learn."""
    path = folder / "pairs.tsv"
    path.write_text("".join(f"{n} cats and {n % 7} dogs\t{n % 7} dogs, {n} cats\n" for n in range(60)))
    return path


def start(*arguments: str, launcher: tuple[str, ...] = ("-m", "recurra")) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def run(*arguments: str, launcher: tuple[str, ...] = ("-m", "recurra")) -> tuple[int, str]:
    """Run a command to its end: its exit status and what it said."""
    process = start(*arguments, launcher=launcher)
    try:
        _, said = process.communicate(timeout=90)
    finally:
        process.terminate()  # does nothing to a process that has ended; a launcher takes its workers with it
    return process.returncode, said
