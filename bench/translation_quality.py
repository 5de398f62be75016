"""How good the translation task is: Multi30k, sentences joined to longer ones, dates, SCAN and COGS.

Every choice is made on the validation part and the test part is scored once. A model folder that is there already, in
the working folder, is used and not trained again.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import data, table

from recurra.decoding.beam_search import BeamSearch
from recurra.evaluation.text_metrics import Tokenize, measure
from recurra.tasks import translation
from recurra.tasks.translation.config import Config
from recurra.tasks.translation.data import Pairs, open_pairs, split_validation
from recurra.tasks.translation.model import Model

SEARCHES = (
    BeamSearch(beam_size=5),
    BeamSearch(beam_size=10),
    BeamSearch(beam_size=5, normalization="gnmt"),
    BeamSearch(beam_size=5, normalization="gnmt", alpha=1.0),
    BeamSearch(beam_size=10, normalization="gnmt", alpha=1.0),
    BeamSearch(beam_size=5, normalization="none"),
)
"""From which the best on the validation part is taken."""

REFERENCE_TOKENS = 12_103
"""Of the tokenised German test part, by which the convention is known to be the published one."""

ANCHORS = {"de": "39.00 / 41.02", "fr": "59.02"}
"""GRU with attention and Transformer-Tiny, tokenised and lowercased."""

JOINED = 4
"""Captions joined, at most."""

Parts = dict[str, tuple[Path, Path]]


def lines_of(name: str) -> list[str]:
    """The lines of a packed file below RECURRA_DATA."""
    return gzip.decompress(data(name).read_bytes()).decode().splitlines()


def multi30k_files(target: str, tokenised: bool) -> Parts:
    """Source and target of "train", "val" and "test"."""
    form = "tok/{}.lc.norm.tok.{}.gz" if tokenised else "{}.{}.gz"
    names = {"train": "train", "val": "val", "test": "test_2016_flickr"}

    def file(name: str, language: str) -> Path:
        return data("translation/multi30k/" + form.format(name, language))

    return {part: (file(name, "en"), file(name, target)) for part, name in names.items()}


def trained(folder: Path, sources: Sequence[Path] | str, config: Config, validation: Sequence[Path] = ()) -> Model:
    """The model of a folder, trained first if it is not there."""
    if folder.exists():
        print(f"{folder} is there, and not trained again", file=sys.stderr)
        return Model.load(folder)
    return translation.train(sources, folder, config, validation=validation)


def best_search(models: Sequence[Model], val: Sequence[Path], tokenize: Tokenize) -> tuple[BeamSearch, float]:
    """The search with the highest BLEU on the validation part, and that; of several models, which write together."""
    pairs, (model, *others) = open_pairs(val), models

    def bleu(options: BeamSearch) -> float:
        return measure(model.translate(pairs.sources, options, ensemble=others), pairs.targets, tokenize).bleu

    scores = {options: bleu(options) for options in SEARCHES}
    return max(scores.items(), key=lambda item: item[1])


def multi30k(work: Path, minutes: float, vocabularies: Sequence[str], seeds: int) -> None:
    """Train on each pair as published tables score it and as it is written, print the table.

    Args:
        work: where models go.
        minutes: for each training.
        vocabularies: targets.
        seeds: models of each, of seeds 1, 2, ...; the first alone and, if there are more, all together.
    """
    rows, signatures = [], {}
    for target in vocabularies:
        for tokenised in (True, False):
            parts = multi30k_files(target, tokenised)
            tokenize: Tokenize = "none" if tokenised else "13a"
            if tokenised and target == "de":
                require_convention(parts["test"][1])
            form = "tok" if tokenised else "raw"
            models = []
            for seed in range(1, seeds + 1):
                folder, config = work / f"multi30k-{target}-{form}-{seed}", Config(minutes=minutes, seed=seed)
                models.append(trained(folder, parts["train"], config, parts["val"]))
            test = open_pairs(parts["test"])
            for together in [models[:1], models] if seeds > 1 else [models]:
                options, val = best_search(together, parts["val"], tokenize)
                model, *others = together
                made = model.translate(test.sources, options, ensemble=others)
                figures = measure(made, test.targets, tokenize)
                lowercase = measure(made, test.targets, tokenize, lowercase=True).bleu
                signatures[form] = figures.signature
                size = sum(parameter.numel() for each in together for parameter in each.network.parameters())
                rows.append(
                    [
                        f"en-{target}, {'tokenised, lowercased' if tokenised else 'as written'}",
                        ANCHORS.get(target, "") if tokenised else "",
                        f"{val:.2f}",
                        f"{figures.bleu:.2f}" + ("" if tokenised else f" ({lowercase:.2f} lowercased)"),
                        f"{figures.chrf:.2f}",
                        " + ".join(f"{each.record['seconds'] / 60:.0f}" for each in together),
                        f"{size / 1e6:.2f} M",
                        told(options),
                    ]
                )
    head = ["", "anchors", "val BLEU", "BLEU", "chrF2", "minutes", "parameters", "search, chosen on val"]
    table("Multi30k, test_2016_flickr", head, rows)
    for form, signature in signatures.items():
        print(f"{form}: {signature}")


def require_convention(reference: Path) -> None:
    """Stop if sacrebleu does not count the reference's tokens as the published tables do."""
    from sacrebleu.metrics import BLEU

    references = open_pairs((reference, reference)).targets
    count = BLEU(tokenize="none", force=True).corpus_score(references, [references]).ref_len
    if count != REFERENCE_TOKENS:
        sys.exit(f"error: {reference} has {count:,} tokens, not {REFERENCE_TOKENS:,}; it is another file")


def told(options: BeamSearch) -> str:
    """A search in few words."""
    alpha = f" {options.alpha:g}" if options.normalization == "gnmt" else ""
    return f"beam {options.beam_size}, {options.normalization}{alpha}"


def write_pairs(path: Path, sources: Iterable[str], targets: Iterable[str]) -> Path:
    """A table of pairs."""
    path.write_text("".join(f"{source}\t{target}\n" for source, target in zip(sources, targets, strict=True)), "utf-8")
    return path


def joined(pairs: Pairs, counts: Sequence[int], seed: int) -> tuple[list[str], list[str]]:
    """Captions in random order, joined with a space as many at a time as `counts` says, as long as there are some."""
    order = np.random.default_rng(seed).permutation(len(pairs)).tolist()
    sources, targets, begin = [], [], 0
    for count in counts:
        if begin + count > len(order):
            break
        places = order[begin : begin + count]
        sources.append(" ".join(pairs.sources[place] for place in places))
        targets.append(" ".join(pairs.targets[place] for place in places))
        begin += count
    return sources, targets


def lengths(work: Path, minutes: float, picture: Path) -> None:
    """BLEU by how many captions are joined, with attention and without, after as many minutes each."""
    files = multi30k_files("de", tokenised=True)
    generator, made = np.random.default_rng(1), {}
    for part in ("train", "val"):
        pairs, sources, targets = open_pairs(files[part]), [], []
        for seed in range(JOINED if part == "train" else 1):  # every caption comes alone and in company
            more = joined(pairs, generator.integers(1, JOINED + 1, len(pairs)).tolist(), seed)
            sources += more[0]
            targets += more[1]
        made[part] = write_pairs(work / f"joined.{part}.tsv", sources, targets)
    tests = {count: joined(open_pairs(files["test"]), [count] * 1000, seed=0) for count in range(1, JOINED + 1)}
    curves: dict[str, list[tuple[float, float]]] = {}
    rows = []
    for attention, target in (("additive", "at least 0.85"), ("none", "at most 0.6")):
        config = Config(minutes=minutes, attention=attention)
        model = trained(work / f"joined-{attention}", (made["train"],), config, (made["val"],))
        name = "without attention" if attention == "none" else "with attention"
        curves[name] = []
        for sources, targets in tests.values():
            words = float(np.mean([len(source.split()) for source in sources]))
            curves[name].append((words, measure(model.translate(sources), targets, "none").bleu))
        by_length = [bleu for _, bleu in curves[name]]
        ratio = f"{by_length[-1] / by_length[0]:.2f}" if by_length[0] else "none: BLEU is 0"
        spent = f"{model.record['seconds'] / 60:.0f} min, {model.record['nats']:.3f} nats"
        rows.append([name, spent, *(f"{bleu:.2f}" for bleu in by_length), ratio, target])
    words = [f"{count} ({words:.0f} words)" for count, (words, _) in zip(tests, curves[name], strict=True)]
    head = ["captions joined", "trained", *words, "longest / shortest", "target"]
    table("BLEU on Multi30k en-de, tokenised, test_2016_flickr", head, rows)
    draw_lengths(curves, picture)
    print(f"{picture} is written")


def draw_lengths(curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Draw BLEU against the length of sources, a line a model, as figure 2 of Bahdanau et al. 2015 does."""
    from matplotlib.figure import Figure

    from recurra.explain.pictures import DPI, LINE_COLOURS

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    for (name, points), colour in zip(curves.items(), LINE_COLOURS, strict=False):
        axes.plot(*zip(*points, strict=True), marker="o", color=colour, linewidth=1.8, label=name)
    axes.set_ylim(0, 1.1 * max(bleu for points in curves.values() for _, bleu in points))
    axes.set_xlabel("words in the source")
    axes.set_ylabel("BLEU")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)


def scan(name: str) -> Pairs:
    """A file of SCAN's commands and actions."""
    cut = [line.removeprefix("IN: ").split(" OUT: ") for line in lines_of(f"translation/scan/{name}.txt.gz")]
    return Pairs(name, [source for source, _ in cut], [target for _, target in cut], [])


def cogs(part: str) -> Pairs:
    """A part of COGS: sentences and logical forms."""
    cells = [line.split("\t") for line in lines_of(f"translation/cogs/{part}.tsv.gz")]
    return Pairs(part, [row[0] for row in cells], [row[1] for row in cells], [])


def exact(work: Path, minutes: float, names: Sequence[str]) -> None:
    """Whole outputs that are right: dates for validation, SCAN's three splits, COGS in distribution."""
    rows = []
    for name in names:
        model, tests = _EXACT[name](work, minutes)
        spent = f"{model.record['seconds'] / 60:.1f} min, {model.record['nats']:.4f} nats"
        for part, pairs in tests.items():
            file = write_pairs(work / f"{name}.{part}.tsv", pairs.sources, pairs.targets)
            match = model.evaluate(file)["exact_match"]
            target = "99.5 %" if name == "dates" else ""
            rows.append([name, part, f"{len(pairs):,}", spent, target, f"{100 * match:.2f} %"])
    table(
        "Exact match of whole outputs (the weights for dates and COGS are chosen on validation and dev)",
        ["", "part", "pairs", "trained", "target", "exact match"],
        rows,
    )


def _dates(work: Path, minutes: float) -> tuple[Model, dict[str, Pairs]]:
    model = trained(work / "dates", "sample:dates", Config(tokens="characters", minutes=minutes))
    return model, {"validation": split_validation(open_pairs(["sample:dates"]))[1]}


# Whole words, none of them rare; outputs far longer than those trained on must be possible in SCAN's length split.
_WORDS = Config(tokens="words", joint=False, min_count=1)


def _scan(split: str, work: Path, minutes: float) -> tuple[Model, dict[str, Pairs]]:
    train = scan(f"tasks_train_{split}")
    file = write_pairs(work / f"scan-{split}.train.tsv", train.sources, train.targets)
    model = trained(work / f"scan-{split}", (file,), replace(_WORDS, max_ratio=10.0, minutes=minutes))
    return model, {"test": scan(f"tasks_test_{split}")}


def _cogs(work: Path, minutes: float) -> tuple[Model, dict[str, Pairs]]:
    train, dev = cogs("train"), cogs("dev")
    files = [write_pairs(work / f"cogs.{pairs.name}.tsv", pairs.sources, pairs.targets) for pairs in (train, dev)]
    model = trained(work / "cogs", files[:1], replace(_WORDS, minutes=minutes), files[1:])
    return model, {"dev": dev, "test": cogs("test")}


_EXACT = {
    "dates": _dates,
    "scan-simple": lambda work, minutes: _scan("simple", work, minutes),
    "scan-length": lambda work, minutes: _scan("length", work, minutes),
    "scan-jump": lambda work, minutes: _scan("addprim_jump", work, minutes),
    "cogs": _cogs,
}

EXACT = tuple(_EXACT)
"""The names `exact` knows."""
