"""Skip-gram and CBOW by negative sampling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from recurra.arrayfile import Arrays
from recurra.arrays import FloatArray
from recurra.config import required
from recurra.devices import available_cores
from recurra.errors import OptionError, RecurraError
from recurra.tasks.embeddings.config import Config
from recurra.tasks.embeddings.data import LINE_END, Data, Indices
from recurra.tasks.embeddings.learning.character_ngrams import runs_of
from recurra.tasks.embeddings.learning.learner import Learner
from recurra.tasks.embeddings.learning.window_draws import DrawnWindows, draw_windows, keep_thresholds, noise_table
from recurra.tasks.embeddings.learning.window_kernels import FIVE, compose, learn_windows, skip_gram, total_loss

PART, LEAST_PART, LEAST_PARTS = 2**17, 2**10, 20
"""Words of a part, at most; of short texts at least, of which each epoch has so many parts if it can."""

SAMPLES, SAMPLE = 32, 512
"""The loss is measured on so many pieces of a text, evenly spread, of so many words each."""

LEAST_RATE = 1e-4
"""What the learning rate falls to, of its first value."""


class Windows(Learner):
    """Learns from words and what stands around them.

    With one thread, or `deterministic`, one thread learns, and what comes out is the same; another one may draw the
    windows of the next part meanwhile. Else all learn at once, from slices of a part, in the same vectors without
    locks (Hogwild, Recht et al. 2011, arXiv 1106.5730).

    Args:
        config: resolved.
        data: what to learn from.

    Raises:
        RecurraError: if there are too few words for so many noise words, or no two of them beside each other.
    """

    def __init__(self, config: Config, data: Data) -> None:
        if len(data.words) <= config.negative_samples:
            raise OptionError(
                f"`negative_samples` is {config.negative_samples}, but only {len(data.words)} words are seen often "
                "enough; it must be less than their number"
            )
        self.config = config
        self.together = config.method == "cbow"
        self.unit = "nats a word" if self.together else "nats a pair"
        self.guessing = (1 + config.negative_samples) * math.log(2)
        self._window = required(config.window, "window")
        self._text = data.train
        self._part = min(PART, max(LEAST_PART, len(data.train) // LEAST_PARTS))
        self.parts = -(-len(data.train) // self._part)
        self._noise = noise_table(data.counts)
        self._keep = keep_thresholds(data.counts, config.subsample)
        self._samples = [
            self._sample(data.train, 0, data.corpus.name, "give a text of whole sentences"),
            self._sample(data.validation, 1, f"the validation text, {data.validation_name},", "give a longer one"),
        ]
        size, random = config.embedding_size, np.random.default_rng(config.seed)
        buckets = config.ngrams.buckets if config.ngrams else 0
        self._inputs, self._ngrams = (_small(random, rows, size) for rows in (len(data.words), buckets))
        self._outputs = np.zeros((len(data.words), size), np.float32)
        self._runs = runs_of(data.words, config.ngrams)
        self._threads = config.threads or available_cores()
        self._pool = ThreadPoolExecutor(1 if config.deterministic else self._threads)
        self._ahead: tuple[int, Future[DrawnWindows]] | None = None

    def learning_rate(self, progress: float) -> float:
        """It falls in a straight line."""
        return required(self.config.learning_rate, "learning_rate") * max(1.0 - progress, LEAST_RATE)

    def learn(self, part: int, learning_rate: float) -> int:
        """Learn from a part of the text; no window reaches beyond it."""
        text, rate = self._text_of(part), np.float32(learning_rate)
        if self._threads == 1 or self.config.deterministic:
            self._learn(self._drawn(part), rate)
        else:
            slices = np.array_split(text, self._threads)
            list(self._pool.map(lambda n: self._learn(self._draw(slices[n], part, n), rate), range(self._threads)))
        return int((text != LINE_END).sum())

    def losses(self) -> tuple[float, float]:
        """The mean loss of a pair, or with CBOW of a word, nats."""
        vectors = self.vectors()
        loss, validation = (
            total_loss(*sample, vectors, self._outputs, self.together) / sample.pairs(self.together)
            for sample in self._samples
        )
        return loss, validation

    def arrays(self) -> Arrays:
        """Vectors of words as inputs and as outputs, and those of n-grams."""
        ngrams = {"ngrams": self._ngrams} if self.config.ngrams else {}
        return {"word/inputs": self._inputs, "word/outputs": self._outputs} | ngrams

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Take over what `arrays` gave."""
        for name, own in self.arrays().items():
            if arrays[name].shape != own.shape:
                raise ValueError(f"{name} has another shape")
            own[:] = arrays[name]

    def vectors(self) -> FloatArray:
        """The input vectors, with their n-grams if there are any."""
        return compose(self._inputs, self._ngrams, *self._runs) if self.config.ngrams else self._inputs

    def ngram_rows(self) -> FloatArray | None:
        """The vectors of character n-grams."""
        return self._ngrams if self.config.ngrams else None

    def _text_of(self, part: int) -> Indices:
        begin = part % self.parts * self._part
        return np.asarray(self._text[begin : begin + self._part])

    def _draw(self, text: Indices, part: int, piece: int = 0) -> DrawnWindows:
        """The windows of a text, which depend on the seed and on these numbers."""
        number = np.random.SeedSequence((self.config.seed, part, piece)).generate_state(1, np.uint64)[0]
        return draw_windows(text, self._keep, self._noise, self._window, self.config.negative_samples, number)

    def _drawn(self, part: int) -> DrawnWindows:
        """The windows of a part, drawn ahead if there is a thread for that."""
        if self._threads == 1:
            return self._draw(self._text_of(part), part)
        ahead, future = self._ahead or (None, None)
        windows = future.result() if future and ahead == part else self._draw(self._text_of(part), part)
        self._ahead = part + 1, self._pool.submit(lambda: self._draw(self._text_of(part + 1), part + 1))
        return windows

    def _learn(self, windows: DrawnWindows, rate: np.float32) -> None:
        if self.together or self.config.ngrams or self.config.negative_samples != FIVE:
            learn_windows(*windows, self._inputs, self._outputs, self._ngrams, *self._runs, self.together, rate)
        else:
            skip_gram(self.config.embedding_size)(*windows, self._inputs, self._outputs, rate)

    def _sample(self, text: Indices, piece: int, name: str, remedy: str) -> DrawnWindows:
        """The windows that the loss is measured on; of all words, where too few are left after some are left out."""
        begins = np.unique(np.linspace(0, max(0, len(text) - SAMPLE), SAMPLES).astype(np.int64) // SAMPLE * SAMPLE)
        pieces = [part for begin in begins for part in (text[begin : begin + SAMPLE], [LINE_END])]
        sample = np.concatenate(pieces).astype(np.int32)
        number = np.random.SeedSequence((self.config.seed, piece)).generate_state(1, np.uint64)[0]
        for keep in (self._keep, np.full_like(self._keep, 2**32)):
            drawn = draw_windows(sample, keep, self._noise, self._window, self.config.negative_samples, number)
            if drawn.pairs(self.together):
                return drawn
        raise RecurraError(
            f"{name} has no line with two words that are seen `min_count` {self.config.min_count} times; {remedy}"
        )


def _small(random: np.random.Generator, rows: int, size: int) -> FloatArray:
    """What word2vec's program begins with: even numbers between -1/2 and 1/2, over the size."""
    return (random.random((rows, size), np.float32) - np.float32(0.5)) / np.float32(size)
