"""How fast word vectors are opened, searched and evaluated, against gensim on the same 400,000 x 100.

The vectors are made up: clusters of words, and the words of Google's analogies such that a part of them is answered
rightly. gensim runs in an environment of its own, whose Python is named by RECURRA_PEERS. All times are CPU times
(`time.process_time`) on one thread, so that other work on the machine changes them little; the answers are compared.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is imported, and for the peer

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import OUT, data, machine, table

from recurra.data.vectors import Vectors
from recurra.data.word_index import WordIndex
from recurra.data.words import WordSplitter
from recurra.tasks.embeddings.config import Config, resolve
from recurra.tasks.embeddings.model import Model

WORDS, SIZE, CLUSTERS = 400_000, 100, 2_000

QUERIES, COUNT, ALONE = 1_000, 10, 200
"""Words asked for, neighbours of each, and how many of them are asked for one by one."""

NEAR = 1e-5
"""Similarities that differ by less are the same, one of them being worked out in float32."""

PEER = """
import json, sys, time
import numpy as np
from gensim.models import KeyedVectors

def timed(work):
    began = time.process_time()
    return work(), time.process_time() - began

path, questions, queries, count, alone = *sys.argv[1:3], *map(int, sys.argv[3:])
kv, opening = timed(lambda: KeyedVectors.load_word2vec_format(path, binary=True))
words = kv.index_to_key[:queries]
kv.most_similar(words[0])
found, one_by_one = timed(lambda: [kv.most_similar(word, topn=count) for word in words[:alone]])

def batched():
    units = kv.get_normed_vectors()
    result = []
    for begin in range(0, queries, 64):
        scores = units[begin : begin + 64] @ units.T
        best = np.argpartition(scores, -count - 1, axis=1)[:, -count - 1 :]
        for row, places in zip(scores, best):
            result.append(places[np.argsort(-row[places])][1:])
    return result

_, batch = timed(batched)
(score, sections), analogies = timed(lambda: kv.evaluate_word_analogies(questions))
asked = {part["section"]: [len(part["correct"]), len(part["correct"]) + len(part["incorrect"])] for part in sections}
figures = dict(opening=opening, one_by_one=one_by_one / alone * queries, batch=batch, analogies=analogies)
print(json.dumps(dict(figures=figures, found=found, score=score, sections=asked)))
"""


def made(questions: Path) -> Model:
    """The made-up vectors, words of the questions among the first."""
    rng = np.random.default_rng(0)
    sections: list[list[list[str]]] = []
    for line in questions.read_text(encoding="utf-8").splitlines():
        if line.startswith(":"):
            sections.append([])
        else:
            sections[-1].append(line.lower().split())
    centres = rng.normal(size=(CLUSTERS, SIZE))
    vectors: dict[str, np.ndarray] = {}
    for section in sections:
        offset = rng.normal(size=SIZE)
        for a, b, c, d in section:
            for first, second in ((a, b), (c, d)):
                start = vectors.setdefault(first, centres[rng.integers(CLUSTERS)] + 0.5 * rng.normal(size=SIZE))
                vectors.setdefault(second, start + offset + 0.4 * rng.normal(size=SIZE))
    rest = WORDS - len(vectors)
    matrix = centres[rng.integers(CLUSTERS, size=rest)] + 0.7 * rng.normal(size=(rest, SIZE))
    matrix = np.concatenate([np.stack(list(vectors.values())), matrix]).astype(np.float32)
    words = WordIndex.of([*vectors, *(f"word{number}" for number in range(rest))])
    made_up = Vectors(words, matrix, np.zeros(WORDS, np.int64), WordSplitter())
    return Model(made_up, resolve(Config()), {"data": "made up", "imported": "random numbers"})


def timed(work: Callable[[], Any], repeats: int = 3) -> tuple[Any, float]:
    """What a piece of work gives, and the median of its CPU seconds."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        result = work()
        times.append(time.process_time() - began)
    return result, statistics.median(times)


def same_neighbours(ours: list[Any], theirs: list[Any]) -> bool:
    """Whether both found the same, words with equal similarities being interchangeable."""
    pairs = ((mine, yours) for a, b in zip(ours, theirs, strict=True) for mine, yours in zip(a, b, strict=True))
    return all(abs(mine.similarity - yours[1]) < NEAR for mine, yours in pairs)


def main() -> None:
    """Measure and print the table."""
    python = os.environ.get("RECURRA_PEERS")
    if not python or not Path(python).exists():
        sys.exit("error: this measurement needs gensim 4.4.0; set RECURRA_PEERS to the Python of its environment")
    questions = data("embeddings/questions-words.txt")
    OUT.mkdir(exist_ok=True)
    folder, exported = OUT / "vectors", OUT / "vectors.bin"
    model = made(questions)
    model.save(folder)
    model.export(exported)
    model, opening = timed(lambda: Model.load(folder), 5)
    words = model.vectors.words[:QUERIES]
    model.similar(words[0])  # the first reads the file
    ours = {"opening": opening}
    alone, seconds = timed(lambda: [model.similar(word, count=COUNT) for word in words[:ALONE]])
    ours["one_by_one"] = seconds / ALONE * QUERIES
    together, ours["batch"] = timed(lambda: model.similar(words, count=COUNT))
    (figures,), ours["analogies"] = timed(lambda: list(model.evaluate(questions).values()))
    arguments = [str(exported), str(questions), str(QUERIES), str(COUNT), str(ALONE)]
    peer = subprocess.run([python, "-c", PEER, *arguments], check=True, capture_output=True, text=True)
    told = json.loads(peer.stdout)
    asked = {name: [round(part["score"] * part["count"]), part["count"]] for name, part in figures["sections"].items()}
    same = same_neighbours(together[:ALONE], told["found"]) and alone == together[:ALONE]
    equal = all(told["sections"][name] == right for name, right in asked.items())
    rows = [
        ("opening, vocabulary included", "opening", "opening", "-"),
        (f"{QUERIES:,} words one by one", "one_by_one", "one_by_one", str(same)),
        (f"{QUERIES:,} words at once, gensim's one by one", "batch", "one_by_one", str(same)),
        (f"{QUERIES:,} words at once, gensim's vectors by matmul and argpartition", "batch", "batch", "-"),
        (f"{figures['count']:,} analogies, {figures['score']:.1%} right", "analogies", "analogies", str(equal)),
    ]
    table(
        f"{WORDS:,} x {SIZE} vectors, CPU seconds; {machine()}",
        ["what", "recurra", "gensim 4.4.0", "ratio", "equal answers"],
        [
            [what, f"{ours[a]:.4f}", f"{told['figures'][b]:.4f}", f"{told['figures'][b] / ours[a]:.1f}", answers]
            for what, a, b, answers in rows
        ],
    )


if __name__ == "__main__":
    main()
