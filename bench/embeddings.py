"""Word vectors by negative sampling: how fast Recurra and gensim's Word2Vec learn them, and how good they are.

Both learn from the same words, the IMDB training text, with 100 dimensions, windows of 5, 5 noise words, 5 epochs,
`min_count` 5 and `subsample` 1e-3, each in a process of its own, counting the words included; gensim reads a
`corpus_file`, its fastest way. Compiled kernels are on disk before. gensim's evaluators judge both.

gensim 4.4.0 is in a Python of its own, which the environment variable RECURRA_PEERS names. `--seeds 5` learns with five
seeds; `--threads 2` measures two threads by the wall clock, which needs a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import OUT, data, table

EPOCHS = 5
"""Passes over the text."""

WAYS = ("gensim", "Recurra, deterministic", "Recurra, not deterministic")

RECURRA = """
import json, sys, time
from recurra.tasks import embeddings

text, out, seed, threads, deterministic, epochs, small = json.loads(sys.argv[1])
options = dict(words="spaces", seed=seed, threads=threads, deterministic=deterministic, progress=False)
embeddings.train(small, None, epochs=1, **options)  # compiles
wall, cores = time.perf_counter(), time.process_time()
model = embeddings.train(text, None, epochs=epochs, **options)
seconds = [time.process_time() - cores, time.perf_counter() - wall]
with open(out, "w") as file:
    vectors = model.vectors
    print(len(vectors.words), vectors.size, file=file)
    for word, row in zip(vectors.words, vectors.matrix):
        print(word, *(f"{value:.6g}" for value in row), file=file)
print(json.dumps(seconds))
"""

GENSIM = """
import json, sys, time
from gensim.models import Word2Vec

text, out, seed, threads, deterministic, epochs, small = json.loads(sys.argv[1])
options = dict(vector_size=100, window=5, negative=5, sg=1, min_count=5, sample=1e-3, alpha=0.025)
wall, cores = time.perf_counter(), time.process_time()
model = Word2Vec(corpus_file=text, epochs=epochs, workers=threads, seed=seed, **options)
seconds = [time.process_time() - cores, time.perf_counter() - wall]
model.wv.save_word2vec_format(out)
print(json.dumps(seconds))
"""

JUDGE = """
import json, sys
from gensim.models import KeyedVectors

vectors, simlex, men, google, msr = json.loads(sys.argv[1])
vectors = KeyedVectors.load_word2vec_format(vectors)
pairs = [vectors.evaluate_word_pairs(path)[1][0] for path in (simlex, men)]
analogies = [100 * vectors.evaluate_word_analogies(path)[0] for path in (google, msr)]
print(json.dumps([float(value) for value in pairs + analogies]))
"""


def main() -> None:
    """Train, judge and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="seeds to learn with, from 1")
    parser.add_argument("--threads", type=int, default=1, help="threads of each; more than one are timed by the wall")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="passes over the text")
    arguments = parser.parse_args()
    peers = os.environ.get("RECURRA_PEERS")
    if not peers or not Path(peers).exists():
        print("no gensim: set RECURRA_PEERS to a Python that has gensim 4.4.0; it is also what judges the vectors")
        return
    text, words = imdb()
    small, tests = OUT / "imdb.small.txt", judged()
    small.write_text("\n".join(text.read_text().split("\n")[:300]))
    found: dict[str, list[list[float]]] = {}
    for seed in range(1, arguments.seeds + 1):
        for way in WAYS if arguments.threads > 1 else WAYS[:2]:
            out = OUT / "vectors.txt"
            deterministic = way != WAYS[2]
            task = [str(text), str(out), seed, arguments.threads, deterministic, arguments.epochs, str(small)]
            seconds = child(peers, GENSIM, task) if way == WAYS[0] else child(sys.executable, RECURRA, task)
            took = seconds[0] if arguments.threads == 1 else seconds[1]
            scores = child(peers, JUDGE, [str(out), *map(str, tests)])
            found.setdefault(way, []).append([took, *scores])
            print(f"seed {seed}, {way}: {took:.1f} s, {shown(scores)}", flush=True)
    report(found, words * arguments.epochs, arguments.threads)


def report(found: Mapping[str, Sequence[Sequence[float]]], words: int, threads: int) -> None:
    """Print means, and how many times as fast as gensim."""
    rows = []
    for way, runs in found.items():
        took, *scores = (statistics.mean(column) for column in zip(*runs, strict=True))
        ratio = statistics.mean(run[0] for run in found["gensim"]) / took
        rows.append([way, f"{took:.1f}", f"{words / took / 1e6:.3f}", f"{ratio:.2f}x", *shown(scores).split(", ")])
    clock = "CPU" if threads == 1 else "wall"
    runs = len(found["gensim"])
    title = f"Skip-gram by negative sampling, IMDB training text, {threads} thread(s), means of {runs} seed(s)"
    head = ["", f"{clock} seconds", "million words a second", "to gensim", "SimLex", "MEN", "Google", "MSR"]
    table(title, head, rows)


def shown(scores: Sequence[float]) -> str:
    """Correlations and percentages, as a person reads them."""
    return "{:.3f}, {:.3f}, {:.2f} %, {:.2f} %".format(*scores)


def child(python: str, code: str, task: Any) -> list[float]:
    """What a script prints that is run in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [python, "-c", code, json.dumps(task)]
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return [float(value) for value in json.loads(said.splitlines()[-1])]


def imdb() -> tuple[Path, int]:
    """The reviews to learn from, one a line, words of letters, digits and apostrophes; and how many words there are."""
    path = OUT / "imdb.txt"
    if not path.exists():
        OUT.mkdir(exist_ok=True)
        rows = lzma.decompress(data("sentiment/imdb_train.tsv.xz").read_bytes()).decode().splitlines()
        reviews = (row.split("\t")[-1].lower().replace("<br />", " ") for row in rows)
        path.write_text("\n".join(" ".join(re.findall(r"[a-z0-9']+", review)) for review in reviews) + "\n")
    return path, len(path.read_text().split())


def judged() -> list[Path]:
    """The files of similarities and analogies, in the form that gensim reads."""
    rows = data("embeddings/SimLex-999.txt").read_text().splitlines()[1:]
    cells = [row.split("\t") for row in rows]
    made = {
        "simlex.tsv": "".join(f"{first}\t{second}\t{score}\n" for first, second, _, score, *_ in cells),
        "men.tsv": data("embeddings/men3000.txt").read_text().replace(" ", "\t"),
        "msr.txt": ": msr\n" + data("embeddings/msr_analogy.txt").read_text().replace("\t", " "),
    }
    for name, text in made.items():
        (OUT / name).write_text(text)
    return [OUT / "simlex.tsv", OUT / "men.tsv", data("embeddings/questions-words.txt"), OUT / "msr.txt"]


if __name__ == "__main__":
    main()
