"""The contrast set: pairs of sentences that differ as little as may be and say the opposite.

What is held out of `sample:moods` makes it a test of composition. Every word that judges is held out of one kind of
sentence there (`lexicon.held_out_of`), and here stands in that kind only; what stands between a negation and its word
are other phrases (`lexicon.HELD_ASIDES`), and no sentence stands in both. Every single word of it is in the sample.

Two in five pairs are the same words in another order ("good, not bad"; "bad, not good"). A model that averages word
vectors gives both the same answer, so it cannot get a single one of these pairs right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recurra.errors import RecurraError
from recurra.tasks.sentiment.lexicon import DOMAINS, HELD_ASIDES
from recurra.tasks.sentiment.moods import NEGATIVE, POSITIVE, Filler, Frame, bare, finish, fitting

CONTRAST = "sample:contrast"
"""What the set is called where it is evaluated on; nothing can be trained on it."""

EACH = 10
"""Pairs of each frame below."""

SEED = 20


class ContrastPair(NamedTuple):
    """Two sentences and what each of them says, which is not the same.

    Attributes:
        kind: what makes the difference: negation, double negation, but, or distance.
        first: a sentence.
        first_label: `negative` or `positive`.
        second: the other one.
        second_label: the other label.
    """

    kind: str
    first: str
    first_label: str
    second: str
    second_label: str


PAIRS: Mapping[str, tuple[tuple[Frame, Frame], ...]] = {
    "negation": (
        (Frame("<s> was <adj>, not <-adj>"), Frame("<s> was <-adj>, not <adj>", 1)),
        (Frame("<s> was not <adj> but <-adj>", 1), Frame("<s> was not <-adj> but <adj>")),
        (Frame("<s> was <adj>"), Frame("<s> was not <adj>", 1)),
        (Frame("<who> <liked> <s>"), Frame("<who> never <liked> <s>", 1)),
        (Frame("I am <feel> <time>"), Frame("I am not <feel> <time>", 1)),
        (Frame("<s> <pleased> <whom>"), Frame("<s> never <pleased> <whom>", 1)),
    ),
    "double negation": (
        (Frame("<s> was not <un>", 1), Frame("<s> was not <-un>")),
        (Frame("I can't say <s> wasn't <adj>", 2), Frame("I can't say <s> was <adj>", 1)),
        (Frame("nobody could deny that <s> was <adj>", 2), Frame("nobody could claim that <s> was <adj>", 1)),
        (Frame("<s> never failed to <please> <whom>", 2), Frame("<s> failed to <please> <whom>", 1)),
        (Frame("<s> was not without <quality>", 2), Frame("<s> was without <quality>", 1)),
        (Frame("I do not doubt that <s> was <adj>", 2), Frame("I doubt that <s> was <adj>", 1)),
        (
            Frame("<s> was not <adj>, and I can't say <s2> wasn't <-adj>", 1),
            Frame("<s> was not <-adj>, and I can't say <s2> wasn't <adj>"),
        ),
        (
            Frame("nobody found <s> <adj>, and nobody could deny that <s2> was <-adj>", 1),
            Frame("nobody found <s> <-adj>, and nobody could deny that <s2> was <adj>"),
        ),
    ),
    "but": (
        (Frame("<s> was <-adj> but <adj>"), Frame("<s> was <adj> but <-adj>", 1)),
        (Frame("<s> was <-adj>, but <s2> was <adj>"), Frame("<s> was <adj>, but <s2> was <-adj>", 1)),
        (
            Frame("<s> was <-adj> at first, but <adj> in the end"),
            Frame("<s> was <adj> at first, but <-adj> in the end", 1),
        ),
        (Frame("although <s> was <-adj>, <s2> was <adj>"), Frame("although <s> was <adj>, <s2> was <-adj>", 1)),
        (Frame("<who> <-liked> <s>, but <liked> <s2>"), Frame("<who> <liked> <s>, but <-liked> <s2>", 1)),
        (
            Frame("I was <-feel> at first, but <feel> in the end"),
            Frame("I was <feel> at first, but <-feel> in the end", 1),
        ),
    ),
    "distance": (
        (Frame("<s> was <adj> and not, <aside>, <-adj>"), Frame("<s> was <-adj> and not, <aside>, <adj>", 1)),
        (Frame("<s> was not, <aside>, <adj> but <-adj>", 1), Frame("<s> was not, <aside>, <-adj> but <adj>")),
        (Frame("I would not, <aside>, call <s> <adj>", 1), Frame("I would, <aside>, call <s> <adj>")),
        (Frame("I did not, <aside>, <like> <s>", 1), Frame("I did, <aside>, <like> <s>")),
        (Frame("I was not, <aside>, <feel>", 1), Frame("I was, <aside>, <feel>")),
        (Frame("I do not think that <s> <rel> was <adj>", 1), Frame("I think that <s> <rel> was <adj>")),
    ),
}
"""What the pairs of each kind are made from; a slot has the same words in both."""


@cache
def contrast_set() -> tuple[ContrastPair, ...]:
    """The pairs, always the same, `EACH` of each two frames; in half of them the words without a minus praise."""
    rng = np.random.default_rng(SEED)
    domains = list(DOMAINS.values())
    found: dict[str, ContrastPair] = {}
    for kind, frames in PAIRS.items():
        for first, second in frames:
            wanted = len(found) + EACH
            while len(found) < wanted:
                domain = fitting(first.text, domains[int(rng.integers(len(domains)))])
                held = "negation" if "<un>" in first.text else kind  # "not unkind" is made of one negation
                filler = Filler(rng, domain, len(found) % 2 == 0, held=held, asides=HELD_ASIDES)
                pair = ContrastPair(kind, *_written(first, filler), *_written(second, filler))
                found.setdefault(pair.first, pair)
    return tuple(found.values())


def _written(frame: Frame, filler: Filler) -> tuple[str, str]:
    """A sentence and its label."""
    positive = filler.positive != bool(frame.negations % 2)
    return finish(filler.fill(frame.text)), POSITIVE if positive else NEGATIVE


@cache
def contrast_texts() -> frozenset[str]:
    """What the sample may not hold, each as by `bare`."""
    return frozenset(bare(text) for pair in contrast_set() for text in (pair.first, pair.second))


class Score(NamedTuple):
    """How a model does on pairs.

    Attributes:
        accuracy: the share of sentences that get their label.
        pairs_right: the share of pairs of which both do.
        pairs: how many there are.
    """

    accuracy: float
    pairs_right: float
    pairs: int


def score_answers(right: Sequence[bool]) -> dict[str, Score]:
    """How a model does on the contrast set.

    Args:
        right: whether each sentence got its label: both of the first pair, both of the second, and so on.

    Returns:
        The score of each kind, and of `all`.
    """
    values = np.asarray(right, dtype=bool).reshape(-1, 2)
    of_kind = np.array([pair.kind for pair in contrast_set()])
    chosen = {**{kind: of_kind == kind for kind in PAIRS}, "all": np.ones(len(of_kind), bool)}
    return {
        kind: Score(float(values[rows].mean()), float(values[rows].all(axis=1).mean()), int(rows.sum()))
        for kind, rows in chosen.items()
    }


NAMES = (("negative", "positive"), ("neg", "pos"), ("0", "1"), ("-1", "1"), ("bad", "good"))
"""What people call the two classes."""


def labelled(labels: Sequence[str]) -> list[tuple[str, str]]:
    """The sentences of all pairs with their labels, as a model calls them.

    Args:
        labels: the model's.

    Raises:
        RecurraError: if the model does not tell negative from positive, and nothing else.
    """
    own = {label.lower(): label for label in labels}
    for names in NAMES:
        if own.keys() == set(names):
            called = {NEGATIVE: own[names[0]], POSITIVE: own[names[1]]}
            return [
                (text, called[label])
                for pair in contrast_set()
                for text, label in ((pair.first, pair.first_label), (pair.second, pair.second_label))
            ]
    raise RecurraError(
        f"{CONTRAST} is for models with the labels negative and positive, but this one has "
        f"{', '.join(label[:24] for label in labels[:6])}{' ...' if len(labels) > 6 else ''}; train one on sample:moods"
    )


def draw_contrast(scores: Mapping[str, Mapping[str, Score]], path: Path) -> None:
    """Draw the pairs wholly right as bars: a group a kind, a bar a model.

    Args:
        scores: of each model by its name, as by `score_contrast`.
        path: the PNG to write.
    """
    from matplotlib.figure import Figure

    from recurra.explain.lettering import printable
    from recurra.explain.pictures import LINE_COLOURS, save

    kinds = next(iter(scores.values()))
    figure = Figure(figsize=(8.2, 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(scores)
    for number, (name, of_kind) in enumerate(scores.items()):
        places = np.arange(len(kinds)) + (number - (len(scores) - 1) / 2) * width
        heights = [100 * of_kind[kind].pairs_right for kind in kinds]
        colour = LINE_COLOURS[number % len(LINE_COLOURS)]
        bars = axes.bar(places, heights, 0.92 * width, color=colour, label=printable(name))
        axes.bar_label(bars, [f"{height:.0f}" for height in heights], padding=2, fontsize=8.5, color=colour)
    axes.set_xticks(range(len(kinds)), [f"{kind}\n{score.pairs} pairs" for kind, score in kinds.items()])
    axes.set(ylim=(0, 112), yticks=range(0, 101, 25), ylabel="pairs wholly right, %")
    axes.set_title("pairs of sentences that differ by a negation or the order of their words", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    save(figure, path)
