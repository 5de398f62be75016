"""Skip-gram with the full softmax, exact: p(context | centre) = softmax(outputs @ inputs[centre]) over all words.

Mikolov et al. 2013, arXiv 1301.3781, and 1310.4546 equations 1 and 2, where it is called impractical. It is not, where
pairs are taken by centre: the softmax of a centre is the same for all of its contexts, so that a batch takes one for
each distinct centre, and matrix products do the rest. The loss of a batch is the sum of -ln p(context | centre), its
gradient by the logits n p - counts, for a centre with n contexts. Each part of the text is a batch; AdaGrad (Duchi et
al. 2011) divides each gradient by the root of the sum of its squares so far.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch

from recurra.arrayfile import Arrays
from recurra.arrays import DoubleArray, FloatArray, IntArray
from recurra.config import required
from recurra.errors import OptionError, RecurraError
from recurra.progress import note
from recurra.tasks.embeddings.config import Config
from recurra.tasks.embeddings.data import Data, Indices

MOST_WORDS = 100_000
"""With more words than this the full softmax is refused: it takes their number times longer."""

PART = 2**12
"""Words and line ends of a part."""

SAMPLE, STRETCHES = 2**12, 8
"""Words that a loss is measured on, out of so many places of the text."""

_LOGITS = 2**24
"""Logits that are held at a time, 64 MB."""

_FIRST_SQUARES = 1e-2
"""What AdaGrad's sums begin with: a first step is no longer than the learning rate, and shorter for what hardly says
anything."""

_LAST_RATE = 1e-4
"""Of the learning rate, what is left at the end."""


class Batch(NamedTuple):
    """Pairs of words, by centre.

    Attributes:
        centres: distinct words, `(centres,)`.
        rows: of each pair of words that occurs, the number of its centre, ascending, `(entries,)`.
        contexts: its other word, `(entries,)`.
        counts: how often it occurs, `(entries,)`.
    """

    centres: IntArray
    rows: IntArray
    contexts: IntArray
    counts: IntArray

    @classmethod
    def of(cls, centres: Indices, contexts: Indices) -> Batch:
        """Pairs as they come."""
        distinct, rows = np.unique(centres.astype(np.int64), return_inverse=True)
        width = int(contexts.max(initial=0)) + 1
        keys, counts = np.unique(rows * width + contexts, return_counts=True)
        return cls(distinct, keys // width, keys % width, counts)

    def __bool__(self) -> bool:
        return len(self.centres) > 0

    def blocks(self, words: int) -> Iterator[tuple[slice, Batch]]:
        """As many centres at a time as their logits over so many words may be held, and where they stand."""
        size = max(_LOGITS // words, 1)
        for begin in range(0, len(self.centres), size):
            first, last = np.searchsorted(self.rows, [begin, begin + size])
            chosen = slice(int(first), int(last))
            block = Batch(
                self.centres[begin : begin + size],
                self.rows[chosen] - begin,
                self.contexts[chosen],
                self.counts[chosen],
            )
            yield slice(begin, begin + size), block


class Softmax:
    """Skip-gram with the full softmax as a `Learner`.

    Each word draws how many words on each side are its contexts, 1 to `window`, and frequent words are left out at
    random, as word2vec does. The losses are means over pairs drawn like that once, in float64.

    The matrix products are PyTorch's, whose number of threads can be set: a sum that is split has other last digits.

    Args:
        config: resolved.
        data: what to learn from.

    Raises:
        OptionError: if there are too many words.
        RecurraError: if no two words of the text stand in one line.
    """

    unit = "nats a pair"

    def __init__(self, config: Config, data: Data) -> None:
        words, size = len(data.words), config.embedding_size
        if words > MOST_WORDS:
            raise OptionError(
                f"`method` softmax works out a probability for each of {words:,} words, which is too slow; take "
                f"`method` negative-sampling, or a `vocabulary_size` of at most {MOST_WORDS:,}"
            )
        self.config = config
        self.text = data.train
        self.keep = kept_share(data.counts, config.subsample)
        self.parts = -(-len(self.text) // PART)
        self.guessing = math.log(words)
        rng = np.random.default_rng([config.seed, 0])
        first = (rng.random((words, size), np.float32) - np.float32(0.5)) / np.float32(size)
        self.inputs, self.outputs = torch.from_numpy(first), torch.zeros(words, size)
        self.input_squares, self.output_squares = (torch.full((words, size), _FIRST_SQUARES) for _ in range(2))
        self.sample = self._sample(data.train)
        if not self.sample:
            raise RecurraError(
                f"no two words of {data.corpus.name} that have vectors stand in one line; give more text, or a lower "
                "`min_count`"
            )
        self.validation = self._sample(data.validation)
        if not self.validation:
            note("the validation text says nothing of pairs of words; its loss is that of the training text")

    def learning_rate(self, progress: float) -> float:
        """It falls in a straight line to nearly nothing."""
        return required(self.config.learning_rate, "learning_rate") * max(1 - progress, _LAST_RATE)

    def learn(self, part: int, learning_rate: float) -> int:
        """Learn from a part of the text, as one batch."""
        epoch, number = divmod(part, self.parts)
        begin = PART * int(np.random.default_rng([self.config.seed, 1, epoch]).permutation(self.parts)[number])
        text = np.asarray(self.text[begin : begin + PART])
        batch = Batch.of(*self._drawn(text, np.random.default_rng([self.config.seed, 2, epoch, number])))
        if batch:
            with _threads(1 if self.config.deterministic else self.config.threads or os.cpu_count() or 1):
                inputs, outputs = gradients(self.inputs, self.outputs, batch)
                rows = torch.from_numpy(batch.centres)
                _descend(self.inputs, self.input_squares, rows, inputs, learning_rate)
                _descend(self.outputs, self.output_squares, slice(None), outputs, learning_rate)
        return int((text >= 0).sum())

    def _drawn(self, text: Indices, rng: np.random.Generator) -> tuple[Indices, Indices]:
        """The pairs of a text, centres and contexts."""
        text = text[(text < 0) | (rng.random(len(text)) < self.keep[text])]
        return pairs(text, rng.integers(1, required(self.config.window, "window") + 1, size=len(text)))

    def _sample(self, text: Indices) -> Batch:
        """Pairs from several places of a text, the same at every call."""
        size = SAMPLE // STRETCHES
        begins = np.unique(np.linspace(0, max(len(text) - size, 0), STRETCHES).astype(int) // size * size)
        stretches = [np.append(np.asarray(text[begin : begin + size]), np.int32(-1)) for begin in begins]
        return Batch.of(*self._drawn(np.concatenate(stretches), np.random.default_rng([self.config.seed, 3])))

    def losses(self) -> tuple[float, float]:
        """The mean over pairs of a sample of the training text, and of one of the validation text; nats."""
        with _threads(1):
            loss = mean_loss(self.inputs, self.outputs, self.sample)
            return loss, mean_loss(self.inputs, self.outputs, self.validation) if self.validation else loss

    def arrays(self) -> Arrays:
        """Vectors, and AdaGrad's sums of squares."""
        return {f"word/{name}": tensor.numpy() for name, tensor in self._named().items()}

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Take over what `arrays` gave."""
        for name, tensor in self._named().items():
            tensor.numpy()[:] = arrays[f"word/{name}"]

    def _named(self) -> dict[str, torch.Tensor]:
        names = ("inputs", "outputs", "input_squares", "output_squares")
        return {name: getattr(self, name) for name in names}

    def vectors(self) -> FloatArray:
        """Those of words as centres."""
        vectors: FloatArray = self.inputs.numpy().copy()
        return vectors

    def ngram_rows(self) -> None:
        """There are none."""
        return None


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """So many threads for PyTorch inside of a `with` block."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def kept_share(counts: IntArray, subsample: float) -> DoubleArray:
    """The share of the occurrences of each word that are learned from, `(words,)`.

    It is sqrt(t / f) + t / f at most 1, where f is the word's share of the text and t is `subsample`, as in word2vec.
    """
    if not subsample:
        return np.ones(len(counts))
    ratios = subsample * counts.sum() / np.maximum(counts, 1)
    kept: DoubleArray = np.minimum(np.sqrt(ratios) + ratios, 1)
    return kept


def pairs(text: Indices, radii: IntArray) -> tuple[Indices, Indices]:
    """The pairs of a text.

    Args:
        text: indices of words, `(length,)`; what is negative ends a line.
        radii: how far the contexts of each word reach, `(length,)`.

    Returns:
        The centre and the context of each pair, `(pairs,)`.
    """
    lines = np.cumsum(text < 0)  # a line end has the number of the line after it
    centres, contexts = [], []
    for distance in range(1, min(int(radii.max(initial=0)), len(text) - 1) + 1):
        left, right = text[:-distance], text[distance:]
        same = (lines[:-distance] == lines[distance:]) & (left >= 0)
        for centre, context, reach in ((left, right, radii[:-distance]), (right, left, radii[distance:])):
            chosen = same & (reach >= distance)
            centres.append(centre[chosen])
            contexts.append(context[chosen])
    nothing = np.zeros(0, np.int32)
    return np.concatenate([nothing, *centres]), np.concatenate([nothing, *contexts])


def gradients(inputs: torch.Tensor, outputs: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of the sum of -ln p(context | centre) over a batch.

    Args:
        inputs: vectors of words as centres, `(words, size)`.
        outputs: vectors of words as contexts, `(words, size)`.
        batch: pairs.

    Returns:
        By the inputs of the batch's centres, `(centres, size)`, and by all outputs, `(words, size)`.
    """
    by_inputs = torch.empty(len(batch.centres), inputs.shape[1], dtype=inputs.dtype)
    by_outputs = torch.zeros_like(outputs)
    for where, block in batch.blocks(len(outputs)):
        rows, contexts, counts = map(torch.from_numpy, (block.rows, block.contexts, block.counts.astype(np.float32)))
        centres = inputs[torch.from_numpy(block.centres)]
        totals = torch.zeros(len(centres)).index_add_(0, rows, counts)
        by_logits = torch.softmax(centres @ outputs.T, 1).mul_(totals[:, None])
        by_logits[rows, contexts] -= counts
        by_inputs[where] = by_logits @ outputs
        by_outputs.addmm_(by_logits.T, centres)
    return by_inputs, by_outputs


def mean_loss(inputs: torch.Tensor, outputs: torch.Tensor, batch: Batch) -> float:
    """The mean of -ln p(context | centre) over the pairs of a batch, in float64; arguments as of `gradients`."""
    total, outputs = 0.0, outputs.double()
    for _, block in batch.blocks(len(outputs)):
        rows, contexts, counts = map(torch.from_numpy, (block.rows, block.contexts, block.counts))
        logits = inputs[torch.from_numpy(block.centres)].double() @ outputs.T
        log_probs = logits[rows, contexts] - torch.logsumexp(logits, 1)[rows]
        total -= float((counts * log_probs).sum())
    return total / int(batch.counts.sum())


def _descend(
    values: torch.Tensor, squares: torch.Tensor, rows: torch.Tensor | slice, gradient: torch.Tensor, rate: float
) -> None:
    """A step of AdaGrad, in some rows."""
    squares[rows] += gradient**2
    values[rows] -= rate * gradient / squares[rows].sqrt()
