"""GloVe: how fast Recurra and Stanford's C program count and learn, and what the vectors of both cost.

Both learn from the IMDB training text, one review a line, with 100 dimensions, a window of 10 and `min_count` 5, on one
thread, in CPU time; reading the text is included, compiling is not. The cost of both is worked out by one function from
the pairs that Stanford's program has counted. The environment variable RECURRA_GLOVE names the folder of its programs
(github.com/stanfordnlp/GloVe), made as its Makefile does it, or with other flags for gcc, which tell.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from common import OUT, table
from embeddings import child, imdb
from numpy.typing import NDArray

from recurra.tasks.embeddings import Model

PROGRAMS = ("vocab_count", "cooccur", "shuffle", "glove")
SIZE = 100

CREC = np.dtype([("word", np.int32), ("context", np.int32), ("count", np.float64)])
"""What Stanford's programs write, words numbered from 1."""

RECURRA = """
import json, sys, time
from pathlib import Path
from recurra.tasks import embeddings
from recurra.tasks.embeddings.config import resolve
from recurra.tasks.embeddings.data import read_data
from recurra.tasks.embeddings.training import make_learner

text, out, epochs, small = json.loads(sys.argv[1])
config = embeddings.Config(method="glove", words="spaces", punctuation=True, threads=1, embedding_size=100)
embeddings.train(small, None, config, epochs=1, progress=False)  # compiles
begun = time.process_time()
folder = Path(out).with_suffix(".counts")
folder.mkdir(exist_ok=True)
make_learner(resolve(config), read_data([text], [small], resolve(config), folder), folder)
counted = time.process_time()
embeddings.train(text, out, config, epochs=epochs, validation=small, overwrite=True, progress=False)
print(json.dumps([counted - begun, time.process_time() - counted]))
"""
"""Seconds to read and count, and those of a whole run."""


def main() -> None:
    """Learn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=15, help="passes over the pairs")
    epochs = parser.parse_args().epochs
    programs = os.environ.get("RECURRA_GLOVE")
    if not programs or not all((Path(programs) / name).exists() for name in PROGRAMS):
        print("no GloVe: set RECURRA_GLOVE to the folder with Stanford's programs, built: " + ", ".join(PROGRAMS))
        return
    text, _ = imdb()
    small, folder = OUT / "imdb.small.txt", OUT / "stanford"
    small.write_text("\n".join(text.read_text().split("\n")[:300]))
    counting, learning = stanford(Path(programs), text, folder, epochs)
    reading, whole = child(sys.executable, RECURRA, [str(text), str(OUT / "glove"), epochs, str(small)])
    costs = [cost(folder, *theirs(folder)), cost(folder, *ours(folder, OUT / "glove"))]
    rows = [
        ["Stanford", f"{counting:.1f}", f"{learning:.1f}", f"{counting + learning:.1f}", "1x", f"{costs[0]:.6f}"],
        [
            "Recurra",
            f"{reading:.1f}",
            f"{whole - reading:.1f}",
            f"{whole:.1f}",
            f"{(counting + learning) / whole:.1f}x",
            f"{costs[1]:.6f}",
        ],
    ]
    head = ["", "reading, counting, shuffling", "learning", "together", "to Stanford", "cost of an entry"]
    table(f"GloVe, IMDB training text, {SIZE} dimensions, window 10, {epochs} epochs, CPU seconds", head, rows)


def stanford(programs: Path, text: Path, folder: Path, epochs: int) -> tuple[float, float]:
    """Run Stanford's programs; the seconds of counting, and of learning."""
    folder.mkdir(exist_ok=True)
    quiet = ["-verbose", "0"]
    pairs = ["-memory", "1", *quiet]
    steps = [
        (["vocab_count", "-min-count", "5", *quiet], text, "vocab.txt"),
        (["cooccur", "-vocab-file", "vocab.txt", "-window-size", "10", *pairs], text, "pairs.bin"),
        (["shuffle", "-seed", "1", *pairs], folder / "pairs.bin", "shuffled.bin"),
    ]
    seconds = 0.0
    for command, source, result in steps:
        with open(source, "rb") as read, open(folder / result, "wb") as written:
            seconds += timed([str(programs / command[0]), *command[1:]], folder, read, written)
    learn = [
        *(str(programs / "glove"), "-input-file", "shuffled.bin", "-vocab-file", "vocab.txt", "-save-file", "vectors"),
        *("-vector-size", str(SIZE), "-iter", str(epochs), "-x-max", "100", "-threads", "1"),
        *("-binary", "1", "-seed", "1", *quiet),
    ]
    return seconds, timed(learn, folder, None, None)


def timed(command: list[str], folder: Path, read: object, written: object) -> float:
    """CPU seconds of a program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, stdin=read, stdout=written, stderr=subprocess.DEVNULL, check=True)  # type: ignore[call-overload]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


Learned = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Vectors, `(2, words, size)`, and biases, `(2, words)`, of words and of contexts."""


def theirs(folder: Path) -> Learned:
    """What Stanford's program has learned."""
    rows = np.fromfile(folder / "vectors.bin").reshape(2, -1, SIZE + 1)
    return rows[..., :SIZE], rows[..., SIZE]


def ours(folder: Path, model: Path) -> Learned:
    """What Recurra has learned, the words in the order of Stanford's vocabulary."""
    opened = Model.load(model)
    learned, index = opened.learned(), opened.vectors.words.by_word
    rows = [index[line.split()[0]] for line in (folder / "vocab.txt").read_text().splitlines()]
    vectors, biases = (
        np.array([learned[f"word/{side}{kind}"][rows] for side in ("input", "output")], np.float64)
        for kind in ("s", "_biases")
    )
    return vectors, biases


def cost(folder: Path, vectors: NDArray[np.float64], biases: NDArray[np.float64]) -> float:
    """The mean of 0.5 f(X) (w . c + a + b - ln X)^2 over all pairs that Stanford's program has counted."""
    pairs = np.fromfile(folder / "pairs.bin", CREC)
    total = 0.0
    for begin in range(0, len(pairs), 2**16):
        block = pairs[begin : begin + 2**16]
        words, contexts = block["word"] - 1, block["context"] - 1
        products = np.einsum("ps,ps->p", vectors[0, words], vectors[1, contexts])
        errors = products + biases[0, words] + biases[1, contexts] - np.log(block["count"])
        total += float((0.5 * np.minimum(block["count"] / 100, 1) ** 0.75 * errors**2).sum())
    return total / len(pairs)


if __name__ == "__main__":
    main()
