"""How good the sentiment task is: SST-2, SST-5 and IMDB, each model as the mean of several seeds.

Every choice is made on the validation part and the test part is scored once. Of SST the labelled phrases of the
training sentences are trained on too. A model folder that is there already, in the working folder, is used and not
trained again.
"""

from __future__ import annotations

import argparse
import lzma
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from common import OUT, data, machine, table

from recurra.tasks import embeddings, sentiment
from recurra.tasks.sentiment.model import Model

ANCHORS = {"sst2": "LSTM 84.9, BiLSTM 87.5", "sst5": "46.4 / 49.1", "imdb": "LSTM 86.5, NBSVM 91.2"}
TARGETS = {"sst2": "86", "sst5": "47", "imdb": "91.8 n-grams, 92.5 mix"}


@dataclass(frozen=True)
class Parts:
    """The files of a data set, and how they are read."""

    train: Path
    validation: Path | None
    test: Path
    options: dict[str, Any] = field(default_factory=dict)


def phrases(tree: str) -> Iterator[tuple[int, str]]:
    """Every node of a tree "(3 (2 It) (4 ...))": its label and its words."""
    begun: list[tuple[int, list[str]]] = []
    for part in re.findall(r"\(\d|\)|[^\s()]+", tree):
        if part == ")":
            label, words = begun.pop()
            yield label, " ".join(words).lower()
        elif re.fullmatch(r"\(\d", part):
            begun.append((int(part[1]), []))
        else:
            for _, words in begun:
                words.append(part)


_CONTRACTION = re.compile(r"(n't|'(?:s|re|ve|ll|d|m))\b")
_MARK = re.compile(r"\.\.\.|--|[^\w\s'-]|(?<!\w)['-]|['-](?!\w)")


def treebank(text: str) -> str:
    """A review as SST writes its sentences: small letters, a space around marks, "do n't", "it 's", -lrb- and -rrb-."""
    text = _MARK.sub(
        r" \g<0> ", re.sub(r"<br\s*/?>", " ", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    )
    text = _CONTRACTION.sub(r" \1", text).replace("(", "-lrb-").replace(")", "-rrb-")
    return " ".join(text.split())


def corpus(work: Path) -> Path:
    """The text that vectors for SST are trained on: the IMDB training reviews, split into words as SST is."""
    path = work / "imdb_treebank.txt"
    lines = lzma.decompress(data("sentiment/imdb_train.tsv.xz").read_bytes()).decode().split("\n")
    path.write_text("".join(treebank(line.split("\t")[3]) + "\n" for line in lines if line), "utf-8")
    return path


def phrase_table(work: Path, classes: int) -> Path:
    """The distinct phrases of SST's training sentences with their labels; for two classes without the neutral ones."""
    path = work / f"sst{classes}_phrases.tsv"
    trees = lzma.decompress(data("sentiment/sst_trees_train.txt.xz").read_bytes()).decode().splitlines()
    rows = dict.fromkeys(row for tree in trees for row in phrases(tree))
    if classes == 2:
        rows = dict.fromkeys((int(label > 2), words) for label, words in rows if label != 2)
    path.write_text("".join(f"{label}\t{words}\n" for label, words in rows), "utf-8")
    return path


def parts_of(name: str, work: Path) -> Parts:
    """The parts of a data set by name."""
    if name == "imdb":
        columns = {"columns": "4,1", "header": "no"}
        return Parts(data("sentiment/imdb_train.tsv.xz"), None, data("sentiment/imdb_test.tsv.xz"), columns)
    dev, test = data(f"sentiment/{name}_dev.tsv"), data(f"sentiment/{name}_test.tsv")
    return Parts(phrase_table(work, int(name[3])), dev, test, {"columns": "2,1", "header": "no", "words": "spaces"})


def trained(folder: Path, parts: Parts, begun: Path | None, options: dict[str, Any]) -> tuple[Model, float]:
    """The model of a folder, trained first if it is not there, and how long that took, CPU seconds."""
    if folder.exists():
        print(f"{folder} is there, and not trained again", file=sys.stderr)
        return Model.load(folder), 0.0
    started = time.process_time()
    given = parts.options | options
    kept = parts.validation or ()
    model = sentiment.train(parts.train, folder, validation=kept, embeddings=begun, overwrite=True, **given)
    return model, time.process_time() - started


def measure(name: str, model: str, work: Path, seeds: int, begun: Path | None, options: dict[str, Any]) -> list[str]:
    """A row of the table: one model on one data set, mean and standard error of all seeds."""
    parts = parts_of(name, work)
    reading = {key: value for key, value in parts.options.items() if key != "words"}
    found, dev, cpu = [], [], 0.0
    for seed in range(1, seeds + 1):
        own = begun if model != "ngrams" else None
        made, seconds = trained(work / f"{name}-{model}-{seed}", parts, own, options | {"model": model, "seed": seed})
        cpu += seconds
        found.append(made.evaluate(parts.test, **reading))
        dev.append(made.record["accuracy"])
    accuracy = [100 * each["accuracy"] for each in found]
    error = f" ± {np.std(accuracy, ddof=1) / seeds**0.5:.2f}" if seeds > 1 else ""
    low, high = found[0]["ece_range"]
    return [
        name,
        model,
        f"{100 * np.mean(dev):.2f}",
        f"{np.mean(accuracy):.2f}{error}",
        f"{np.mean([each['macro_f1'] for each in found]):.4f}",
        ", ".join(f"{each['ece']:.4f}" for each in found),
        f"{low:.4f} to {high:.4f}",
        f"{cpu / seeds:.0f} s",
        ANCHORS[name],
        TARGETS[name],
    ]


def few_labels(work: Path, seeds: int, folder: Path, share: float = 0.1) -> None:
    """What vectors of other text are worth with few labels: of SST-2's sentences, a part drawn anew for each seed."""
    lines = data("sentiment/sst2_train.tsv").read_text("utf-8").splitlines()
    rows = [(text, label) for label, _, text in (line.partition("\t") for line in lines)]
    dev, test = data("sentiment/sst2_dev.tsv"), data("sentiment/sst2_test.tsv")
    kept = [(text, label) for label, _, text in (line.partition("\t") for line in dev.read_text("utf-8").splitlines())]
    table_rows = []
    for model in ("average", "lstm"):
        accuracy: dict[str, list[float]] = {"random": [], "vectors": []}
        for seed in range(1, seeds + 1):
            drawn = np.random.default_rng(seed).permutation(len(rows))[: int(share * len(rows))]
            for name, begun in (("random", None), ("vectors", folder)):
                made = sentiment.train(
                    [rows[number] for number in drawn],
                    validation=kept,
                    embeddings=begun,
                    progress=False,
                    model=model,
                    seed=seed,
                    words="spaces",
                )
                accuracy[name].append(100 * made.evaluate(test, columns="2,1", header="no")["accuracy"])
        gains = np.subtract(accuracy["vectors"], accuracy["random"])
        means = [f"{np.mean(values):.2f}" for values in accuracy.values()]
        table_rows.append([model, *means, f"{gains.mean():.2f} ± {gains.std(ddof=1) / seeds**0.5:.2f}", "3"])
    head = ["model", "random", "own vectors", "gain, points", "target"]
    table(f"SST-2 test accuracy with {share:.0%} of the labels, {seeds} draws", head, table_rows)


def vectors(work: Path) -> Path:
    """Vectors of the IMDB training text, the only text but SST that SST's models see; trained if they are not there."""
    folder = work / "vectors"
    if not folder.exists():
        size = {"embedding_size": 200, "epochs": 10, "min_count": 3}
        embeddings.train(corpus(work), folder, words="spaces", punctuation=True, **size)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["sst2", "sst5", "imdb", "few"])
    parser.add_argument("--models", nargs="+", default=["average", "lstm", "ngrams", "mix"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=30.0, help="of each training, at most")
    parser.add_argument("--embeddings", type=Path, help="vectors to begin from; of the IMDB training text if not given")
    parser.add_argument("--work", type=Path, default=OUT / "sentiment")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    folder = given.embeddings or vectors(given.work)
    rows = [
        measure(name, model, given.work, given.seeds, None if name == "imdb" else folder, {"minutes": given.minutes})
        for name in given.names
        if name != "few"
        for model in given.models
    ]
    head = ["", "model", "dev", "test accuracy", "macro F1", "ECE", "calibrated ECE", "CPU a run", "anchors", "target"]
    table(f"Sentiment, {given.seeds} seeds ({machine()})", head, rows)
    if "few" in given.names:
        few_labels(given.work, given.seeds, folder)


if __name__ == "__main__":
    main()
