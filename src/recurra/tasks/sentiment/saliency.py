"""Which words of a text mattered to a model, which mattered together, and how its mood went from word to word.

All effects are on log-odds: the logarithm of p / (1 - p), where p is the calibrated probability of one label. Of two
labels it is the second one's, so that effects have the same direction in all texts; of more it is the answer's.

A word is taken away by putting the unknown word in its place, not by deleting it. The text keeps its length and no
words become neighbours that were none; in a model that averages words the effects of two words then add up exactly, so
that a pair interaction that is not zero is never an artefact. Integrated gradients begin at the same unknown words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from recurra.arrays import DoubleArray, FloatArray
from recurra.data.tokenizer import UNKNOWN
from recurra.evaluation.classification import softmax

Score = Callable[[Sequence[Sequence[str]]], DoubleArray]
"""Calibrated logits of any number of texts, each a sequence of words: `(texts, labels)`."""

MOST_WORDS = 1000
"""A longer text is not explained: every word of it would be taken away in turn."""

MOST_PAIRED = 24
"""Of a longer text the pairs of so many words are tried, those with the largest effects alone."""

MOST_PREFIXES = 200
"""Of a longer text not every beginning is read."""

FIRST_STEPS, MOST_STEPS = 32, 512
"""Points on the way of integrated gradients: doubled from the first to the second until the gap is small."""

SMALL_GAP = 0.01
"""So large a share of the whole change may be missing from the sum of the attributions."""

PATH_BATCH = 64
"""Points of the way that are computed together; affects memory and speed only."""


class Pair(NamedTuple):
    """Two words that matter otherwise together than each alone.

    Attributes:
        first: the position of a word.
        second: that of a later one.
        effect: f(text) - f(without the first) - f(without the second) + f(without both), f being the log-odds.
    """

    first: int
    second: int
    effect: float


class Attribution(NamedTuple):
    """Integrated gradients of the log-odds with respect to word vectors (Sundararajan et al. 2017, equation 1).

    Attributes:
        effects: of each word, `(words,)`: the sum over its vector.
        change: what they should add up to: the log-odds of the text less those of unknown words in its place.
        gap: what they add up to, less `change`: 0 if the integral were computed exactly (completeness, section 3).
        steps: points at which gradients were taken.
    """

    effects: DoubleArray
    change: float
    gap: float
    steps: int


@dataclass(frozen=True)
class Saliency:
    """What is known of one text.

    Attributes:
        words: as the model reads them.
        target: the label whose log-odds effects are on, its number.
        probabilities: calibrated, `(labels,)`.
        log_odds: of the target.
        occlusion: f(text) - f(text without the word), `(words,)`.
        pairs: of the words tried, the largest effect first.
        paired: positions of the words whose pairs were tried.
        prefixes: how many words each beginning has, from 0 to all of them.
        curve: the probabilities after each beginning, `(beginnings, labels)`.
    """

    words: Sequence[str]
    target: int
    probabilities: DoubleArray
    log_odds: float
    occlusion: DoubleArray
    pairs: Sequence[Pair]
    paired: Sequence[int]
    prefixes: Sequence[int]
    curve: DoubleArray


class Reader(Protocol):
    """A network that reads word vectors."""

    def logits_of(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """The logits of texts as word vectors `(B, T, E)`, of `lengths` `(B,)`: `(B, C)`."""


def log_odds(logits: DoubleArray, target: int) -> DoubleArray:
    """The log-odds of one label by logits `(..., labels)`: `(...)`, nats."""
    others = np.delete(logits, target, axis=-1)
    largest = others.max(axis=-1)
    found: DoubleArray = logits[..., target] - largest - np.log(np.exp(others - largest[..., None]).sum(axis=-1))
    return found


def target_of(logits: DoubleArray) -> int:
    """The label whose log-odds explain an answer `(labels,)`: of two the second, of more the most probable."""
    return 1 if len(logits) == 2 else int(logits.argmax())


def explain_words(words: Sequence[str], score: Score) -> Saliency:
    """Take words away, one and two at a time, and read every beginning; all in two calls of the model.

    Args:
        words: of one text, at least one and at most `MOST_WORDS`.
        score: the model.
    """
    prefixes = prefixes_of(len(words))
    singles = [without(words, position) for position in range(len(words))]
    logits = score([words, *singles, *(list(words[:length]) for length in prefixes)])
    target = target_of(logits[0])
    whole, *_ = values = log_odds(logits[: 1 + len(words)], target)
    effects: DoubleArray = whole - np.asarray(values[1:])
    paired = most_important(effects, MOST_PAIRED)
    return Saliency(
        words=words,
        target=target,
        probabilities=softmax(logits[:1])[0],
        log_odds=float(whole),
        occlusion=effects,
        pairs=interactions(words, paired, values, target, score),
        paired=paired,
        prefixes=prefixes,
        curve=softmax(logits[1 + len(words) :]),
    )


def interactions(
    words: Sequence[str], paired: Sequence[int], values: DoubleArray, target: int, score: Score
) -> list[Pair]:
    """The pair interactions of the words at some positions, the largest first.

    Args:
        words: of the text.
        paired: positions, in order.
        values: the log-odds of the text, then of the text without each word, `(1 + words,)`.
        target: whose log-odds.
        score: the model.
    """
    places = list(combinations(paired, 2))
    if not places:
        return []
    both = log_odds(score([without(words, *pair) for pair in places]), target)
    pairs = [
        Pair(first, second, float(values[0] - values[1 + first] - values[1 + second] + neither))
        for (first, second), neither in zip(places, both, strict=True)
    ]
    return sorted(pairs, key=lambda pair: -abs(pair.effect))


def without(words: Sequence[str], *positions: int) -> list[str]:
    """The words with the unknown word at some positions."""
    return [UNKNOWN if position in positions else word for position, word in enumerate(words)]


def most_important(effects: DoubleArray, count: int) -> list[int]:
    """The positions of the largest effects `(words,)`, whatever their sign, in the order of the text."""
    order = np.argsort(-np.abs(effects), kind="stable")[:count]
    return sorted(order.tolist())


def prefixes_of(length: int) -> list[int]:
    """Lengths of the beginnings to read: 0, then about evenly spaced ones up to the whole."""
    count = min(length, MOST_PREFIXES)
    return [0, *(round(length * (number + 1) / count) for number in range(count))]


def integrated_gradients(
    reader: Reader,
    vectors: Tensor,
    baseline: Tensor,
    target: int,
    finish: Callable[[Tensor], Tensor] = lambda logits: logits,
) -> Attribution:
    """Integrate the gradients of the log-odds along the straight line from a baseline to a text.

    The integral is a Gauss-Legendre sum, which needs far fewer points than even ones; their number is doubled until
    the gap is at most `SMALL_GAP` of the change.

    Args:
        reader: the network.
        vectors: of the text's words, `(T, E)`.
        baseline: where to begin, `(T, E)`.
        target: whose log-odds.
        finish: makes calibrated logits of the reader's, `(B, C)` of `(B, C)`.
    """

    def value(path: Tensor) -> Tensor:
        lengths = torch.full((len(path),), len(vectors), device=path.device)
        return _log_odds(finish(reader.logits_of(path, lengths)), target)

    with torch.no_grad():
        start, end = value(torch.stack([baseline, vectors])).double().tolist()
    change, steps = end - start, FIRST_STEPS
    while True:
        effects = _integral(value, vectors, baseline, steps)
        gap = float(effects.sum()) - change
        if abs(gap) <= SMALL_GAP * abs(change) or steps >= MOST_STEPS:
            return Attribution(effects, change, gap, steps)
        steps *= 2


def _integral(value: Callable[[Tensor], Tensor], vectors: Tensor, baseline: Tensor, steps: int) -> DoubleArray:
    """(x - x') times the mean gradient on the way, summed over each word's vector: `(T,)`."""
    points, weights = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros_like(vectors, dtype=torch.float64)
    for begin in range(0, steps, PATH_BATCH):
        share = torch.from_numpy((1 + points[begin : begin + PATH_BATCH]) / 2).to(vectors)[:, None, None]
        path = (baseline + share * (vectors - baseline)).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(value(path).sum(), path)
        weight = torch.from_numpy(weights[begin : begin + PATH_BATCH] / 2).to(vectors.device)
        total += torch.tensordot(weight, gradient.double(), 1)
    return np.asarray(((vectors - baseline) * total).sum(dim=1).cpu().numpy(), np.float64)


def _log_odds(logits: Tensor, target: int) -> Tensor:
    others = [number for number in range(logits.shape[1]) if number != target]
    return logits[:, target] - logits[:, others].logsumexp(dim=1)


class Represent(nn.Module):
    """What a network makes of a text before the layer that tells labels apart, in place of its logits.

    Args:
        network: one that ends in a linear layer called `output`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: object) -> Tensor:
        """The representations of a batch, `(B, features)`."""
        found: list[Tensor] = []
        output = self.network.get_submodule("output")
        hook = output.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
        try:
            self.network(batch)
        finally:
            hook.remove()
        return found[0]


class Neighbour(NamedTuple):
    """A text that the model sees much like another.

    Attributes:
        position: of the text among the examples.
        similarity: the cosine of the two representations, as they differ from the mean of all examples.
    """

    position: int
    similarity: float


def nearest(representation: FloatArray, examples: FloatArray, count: int) -> list[Neighbour]:
    """The examples that are nearest to a text, the nearest first.

    Args:
        representation: of the text, `(features,)`.
        examples: theirs, `(examples, features)`.
        count: how many, at most.
    """
    mean = examples.mean(axis=0)
    directions = _unit(examples.astype(np.float64) - mean)
    similarity = directions @ _unit(representation.astype(np.float64) - mean)
    order = np.argsort(-similarity, kind="stable")[:count]
    return [Neighbour(position, float(similarity[position])) for position in order.tolist()]


def _unit(vectors: DoubleArray) -> DoubleArray:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1.0))
