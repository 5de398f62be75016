"""N-grams with naive-Bayes ratios, and a network and n-grams together.

Shapes: B batch, N all n-grams of a batch, R rows of the table, C classes, K columns: 1 for two classes, else C.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.arrays import DoubleArray, FloatArray, IntArray
from recurra.models.dropout import DropoutGenerator
from recurra.tasks.sentiment.data import Labelled
from recurra.tasks.sentiment.hashing import Hasher
from recurra.tasks.sentiment.light import PACE
from recurra.tasks.sentiment.networks import Average, Batch, Recurrent

Counts = NDArray[np.int32]

SMOOTHING = 1.0
"""What is added to every count before ratios are taken."""

MIN_TEXTS = 2
"""A row that fewer texts have gets no ratio: what stands in one text alone tells nothing but which text it is."""

RIDGE = 1e-4
"""Of the squares of a mix's weights, so that texts that can be told apart without error do not make them infinite."""


class Ngrams(nn.Module):
    """NBSVM's logits (Wang and Manning 2012, "Baselines and Bigrams"): of the distinct n-grams of a text, the sum of
    naive-Bayes log-count ratios times learned weights.

    A ratio says what a count of texts alone can know of an n-gram; Adam moves all weights alike, so that what is said
    by the ratio to matter is learned fast. Of two classes only the second has a column: z, for logits -z/2 and z/2.

    Args:
        size: R.
        classes: C.
    """

    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        columns = 1 if classes == 2 else classes
        self.weight = nn.Parameter(torch.zeros(size, columns))
        self.bias = nn.Parameter(torch.zeros(columns))
        self.ratios = nn.Parameter(torch.zeros(size, columns), requires_grad=False)

    def count(self, texts: Labelled) -> int:
        """Take ratios, and biases to begin with, from labelled texts; the number of rows that they occupy."""
        size, columns = self.ratios.shape
        classes = 2 if columns == 1 else columns
        counts = occurrences(texts, classes, size)
        seen = np.flatnonzero(counts.any(axis=1))
        ratios = log_count_ratios(counts[seen])[:, -columns:]
        prior = np.log(SMOOTHING + np.bincount(texts.labels, minlength=classes))
        with torch.no_grad():
            self.ratios[torch.from_numpy(seen)] = torch.from_numpy(ratios.astype(np.float32))
            self.bias.copy_(torch.from_numpy(prior[1:] - prior[:1] if columns == 1 else prior - prior.mean()))
        return len(seen)

    def forward(self, batch: Batch, generator: DropoutGenerator | None = None) -> Tensor:
        """The logits of a batch, `(B, C)`; nothing is dropped."""
        values = self.values(batch.ngrams)  # (N, K)
        if not len(values):
            return self.spread(self.bias.expand(len(batch.offsets), -1))
        every = torch.arange(len(values), device=values.device)
        return self.spread(F.embedding_bag(every, values, batch.offsets, mode="sum") + self.bias)

    def values(self, rows: Tensor) -> Tensor:
        """What each of some rows `(N,)` adds, `(N, K)`."""
        return F.embedding(rows, self.weight) * (PACE * F.embedding(rows, self.ratios))

    def spread(self, columns: Tensor) -> Tensor:
        """The logits `(..., C)` of columns `(..., K)`."""
        return torch.cat([-columns, columns], dim=-1) / 2 if self.bias.shape[0] == 1 else columns


def occurrences(texts: Labelled, classes: int, size: int) -> Counts:
    """How many texts of each class have each row, `(R, C)`."""
    counts = np.zeros((size, classes), np.int32)
    for text, label in zip(texts.texts, texts.labels, strict=True):
        counts[text.ngrams, label] += 1  # a text has a row once
    return counts


def log_count_ratios(counts: Counts) -> DoubleArray:
    """What naive Bayes makes of each n-gram: the log of its share of the n-grams of a class, by its share of those of
    all other classes, counts smoothed (equation 2 of the paper, each class against the rest).

    Args:
        counts: of the texts of each class that have an n-gram, `(n-grams, C)`, for all n-grams there are.

    Returns:
        `(n-grams, C)`; zeros for an n-gram of fewer than `MIN_TEXTS` texts.
    """
    total = counts.sum(axis=1, keepdims=True)
    shares, others = SMOOTHING + counts, SMOOTHING + total - counts
    ratios = np.log(shares / shares.sum(axis=0)) - np.log(others / others.sum(axis=0))
    return np.where(total >= MIN_TEXTS, ratios, 0.0)


class Mix(nn.Module):
    """A network and n-grams, each of which learns for itself; the answer is a weighted sum of their logits.

    If only the sum were learned, n-grams, which know the training texts by heart after two passes, would leave the
    network nothing to learn.

    Args:
        network: maps a batch to logits.
        ngrams: likewise.
    """

    def __init__(self, network: Average | Recurrent, ngrams: Ngrams) -> None:
        super().__init__()
        self.network = network
        self.ngrams = ngrams
        self.weights = nn.Parameter(torch.full((2,), 0.5), requires_grad=False)

    def forward(self, batch: Batch, generator: DropoutGenerator | None = None) -> Tensor:
        """The logits of a batch, `(B, C)`; with a generator those of both parts, which are to learn, `(2, B, C)`."""
        parts = torch.stack([self.network(batch, generator), self.ngrams(batch)])
        return parts if generator else torch.tensordot(self.weights, parts, 1)

    def weigh(self, parts: FloatArray, labels: IntArray) -> FloatArray:
        """Choose the weights under which the right classes are most probable.

        Args:
            parts: the logits of network and n-grams for texts that were not trained on, `(2, texts, C)`.
            labels: the right classes, `(texts,)`.

        Returns:
            The logits of both together, `(texts, C)`.
        """
        weights = fit_weights(parts, labels).astype(np.float32)
        with torch.no_grad():
            self.weights.copy_(torch.from_numpy(weights))
        return np.tensordot(weights, parts, 1)


def fit_weights(parts: FloatArray, labels: IntArray) -> DoubleArray:
    """The weights, at least 0, of a sum of logits that make the right classes most probable.

    Args:
        parts: logits, `(P, texts, C)`.
        labels: the right classes, `(texts,)`.

    Returns:
        `(P,)`; where no finite ones would be best, they are kept small.
    """
    logits, right = torch.from_numpy(parts).double(), torch.from_numpy(labels)
    logs = torch.full((len(parts),), -1.0, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logs], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        weights = logs.exp()
        value = F.cross_entropy(torch.tensordot(weights, logits, 1), right) + RIDGE * weights.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return np.asarray(logs.detach().exp().numpy())


class Contribution(NamedTuple):
    """What an n-gram adds to a text's logits.

    Attributes:
        ngram: its words; several n-grams of a text with one row stand together.
        values: for each class, `(C,)`.
    """

    ngram: str
    values: FloatArray


def contributions(network: Ngrams | Mix, hasher: Hasher, words: Sequence[str]) -> list[Contribution]:
    """What each n-gram of a text adds to its logits, exactly: with the bias they are what the n-grams say.

    Args:
        network: of a mix, the n-grams' share of the answer.
        hasher: of the network.
        words: of the text.

    Returns:
        The n-grams in the order in which they first stand in the text.
    """
    names: dict[int, dict[str, None]] = {}
    for ngram in hasher.ngrams(words):
        names.setdefault(hasher.row(ngram), {})[" ".join(ngram)] = None
    ngrams, weight = (network.ngrams, float(network.weights[1])) if isinstance(network, Mix) else (network, 1.0)
    rows = torch.tensor(list(names), dtype=torch.int64, device=ngrams.weight.device)
    with torch.no_grad():
        values = (weight * ngrams.spread(ngrams.values(rows))).cpu().numpy()
    return [Contribution(" / ".join(name), row) for name, row in zip(names.values(), values, strict=True)]
