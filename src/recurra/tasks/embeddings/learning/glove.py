"""GloVe: vectors whose products are the logarithms of how much words stand together (Pennington et al. 2014).

The cost of an entry X of the matrix of counts, word i and context j, is 0.5 f(X) (w_i . c_j + a_i + b_j - ln X)^2,
where f(X) = min(1, X / 100)^(3/4) (equations 8 and 9; the half is that of Stanford's program, whose printed cost this
is). The mean over the entries is made small by AdaGrad (Duchi et al. 2011), an entry at a time: as in that program, the
squares of the gradients times the learning rate add up, from 1 on, and each is divided by the root of its sum before.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from recurra.arrayfile import Arrays
from recurra.arrays import DoubleArray, FloatArray, IntArray
from recurra.config import required
from recurra.errors import RecurraError, os_errors
from recurra.kernels import jit
from recurra.progress import note
from recurra.tasks.embeddings.config import Config
from recurra.tasks.embeddings.data import Data
from recurra.tasks.embeddings.learning.cooccurrence import TRIPLE, Records, count_together

X_MAX, ALPHA = 100.0, 0.75
"""A count of `X_MAX` or more has weight 1; below it, the weight falls as its power `ALPHA`."""

RUN = 8
"""Pairs learned from one after another, of one word mostly: its vector is then at hand. A shuffle moves such runs."""

_CHUNK = 2**12
"""Pairs that are read from the file together, whole runs."""

_PART = 2**25
"""Numbers of vectors that the pairs of a part come to, about."""

_SHUFFLED = 2**16
"""Runs that are shuffled at a time, about: 6 MB."""

SAMPLE = 2**17
"""Most pairs that a loss is measured on."""

_LANES = 16
"""Rows are as long as a multiple of so many numbers, the rest zeros: whole vector registers, whole cache lines."""

_BLOCK = 2**20

_FAST = frozenset({"reassoc", "contract"})


class Costs(NamedTuple):
    """Pairs as their cost needs them.

    Attributes:
        pairs: `(pairs,)` of `TRIPLE`.
        weights: f(X), `(pairs,)`.
        logs: ln X, `(pairs,)`.
    """

    pairs: Records
    weights: FloatArray
    logs: FloatArray

    @classmethod
    def of(cls, pairs: Records) -> Costs:
        """Pairs by their counts."""
        logs = np.log(pairs["weight"])
        weights = np.exp(np.minimum(np.float32(ALPHA) * (logs - np.float32(math.log(X_MAX))), np.float32(0)))
        return cls(pairs, weights, logs)

    def training(self, predictions: DoubleArray) -> float:
        """The mean cost of an entry.

        Args:
            predictions: of ln X, `(2, pairs)`: of the entry (word, context) and of (context, word).
        """
        return self._mean(0.5 * (predictions - self.logs) ** 2)

    def validation(self, predictions: DoubleArray, ratios: DoubleArray) -> float:
        """The mean cost of an entry, by the counts of another text.

        With d = prediction - ln X and r the ratio of the other text's count to X, it is f(X) (e^d - 1 - r d): where the
        texts say the same, r = 1, that is 0.5 f(X) d^2 up to the second order. In r it is linear: so it is right on
        average however small the other text is, when most counts are 0 and their logarithms would say nothing. It is
        what a Poisson distribution's log-likelihood loses against the counts of the training text: below 0, vectors
        know the other text better than these do.

        Args:
            predictions: of ln X, `(2, pairs)`.
            ratios: the other text's count of each pair to this one's, `(pairs,)`.
        """
        errors = predictions - self.logs
        return self._mean(np.expm1(errors) - ratios * errors)

    def _mean(self, values: DoubleArray) -> float:
        """The weighted mean of `(2, pairs)`; a word's own entry counts once."""
        entries = np.array([np.ones(len(self.pairs)), self.pairs["word"] != self.pairs["context"]])
        return float((self.weights * entries * values).sum() / entries.sum())


class Glove:
    """GloVe as a `Learner`.

    The losses are mean costs of an entry, of a fixed sample of the pairs of the training text: by its counts, and by
    those of the validation text times the ratio of all counts of both, see `Costs.validation`. Without one of these
    pairs in the validation text, the second is the first.

    Args:
        config: resolved.
        data: what to learn from.
        folder: for the counts.

    Raises:
        RecurraError: if no two words of the text stand in one line, or the disk is full.
    """

    unit = "cost a pair"

    def __init__(self, config: Config, data: Data, folder: Path) -> None:
        self.config = config
        words, size = len(data.words), config.embedding_size
        window, memory = required(config.window, "window"), config.memory * 1e9
        counted = count_together(data.train, words, window, memory, folder / "pairs.bin")
        if not len(counted):
            raise RecurraError(
                f"no two words of {data.corpus.name} that have vectors stand in one line; give more text, or a lower "
                "`min_count`"
            )
        self.pairs = shuffled(counted, config.seed, folder / "shuffled.bin")
        self.sample = Costs.of(np.array(self.pairs[:SAMPLE]))
        other = count_together(data.validation, words, window, memory, folder / "validation-pairs.bin")
        self.ratios = _counts_in(other, self.sample.pairs) / self.sample.pairs["weight"]
        if self.ratios.any():
            self.ratios *= _total(counted) / _total(other)
        else:
            note("the validation text says nothing of pairs of words; its loss is that of the training text")
        self.guessing = _guessing(self.sample, self.ratios)
        self.seen = data.seen
        self._chunks = -(-len(self.pairs) // _CHUNK)
        self._together = max(_PART // size // _CHUNK, 1)
        self.parts = -(-self._chunks // self._together)
        self.state, self.biases = first_state(words, size, config.seed)

    def learning_rate(self, progress: float) -> float:
        """Always the same: AdaGrad makes steps smaller."""
        return required(self.config.learning_rate, "learning_rate")

    def learn(self, part: int, learning_rate: float) -> int:
        """Learn from a part of the pairs; the words of the text, as far as the parts are of the whole."""
        epoch, number = divmod(part, self.parts)
        costs, order = self._part(epoch, number)
        slices = [order] if self.config.deterministic else np.array_split(order, _threads(self.config))
        rate = np.float32(learning_rate)

        def learn(slice: IntArray) -> None:
            learn_pairs(self.state, self.biases, costs.pairs, costs.weights, costs.logs, slice, rate)

        with ThreadPoolExecutor(len(slices)) as pool:
            list(pool.map(learn, slices))
        return self.seen * (number + 1) // self.parts - self.seen * number // self.parts

    def _part(self, epoch: int, number: int) -> tuple[Costs, IntArray]:
        """The pairs of a part, and the runs of them in the order to learn from."""
        chunks = np.random.default_rng([self.config.seed, 1, epoch]).permutation(self._chunks)
        chosen = chunks[number * self._together : (number + 1) * self._together].tolist()
        pairs = np.concatenate([self.pairs[chunk * _CHUNK : (chunk + 1) * _CHUNK] for chunk in chosen])
        order = np.random.default_rng([self.config.seed, 2, epoch, number]).permutation(-(-len(pairs) // RUN))
        return Costs.of(pairs), order

    def losses(self) -> tuple[float, float]:
        """The mean cost of an entry, by the counts of the training text and by those of the validation text."""
        predictions = predicted(self.state, self.biases, self.sample.pairs)
        loss = self.sample.training(predictions)
        return loss, self.sample.validation(predictions, self.ratios) if self.ratios.any() else loss

    def arrays(self) -> Arrays:
        """Vectors, biases, and AdaGrad's sums of squares of both."""
        return {f"word/{name}": array for name, array in self._named()}

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Take over what `arrays` gave."""
        for name, array in self._named():
            array[:] = arrays[f"word/{name}"]

    def _named(self) -> Iterator[tuple[str, FloatArray]]:
        for number, name in enumerate(("input", "output")):
            yield f"{name}s", self.state[:, number, : self.config.embedding_size]
            yield f"{name}_squares", self.state[:, 2 + number, : self.config.embedding_size]
            yield f"{name}_biases", self.biases[:, number]
            yield f"{name}_bias_squares", self.biases[:, 2 + number]

    def vectors(self) -> FloatArray:
        """The sums of both vectors of each word, section 4.2."""
        vectors: FloatArray = self.state[:, :2, : self.config.embedding_size].sum(axis=1)
        return vectors

    def ngram_rows(self) -> None:
        """There are none."""
        return None


def _threads(config: Config) -> int:
    return config.threads or os.cpu_count() or 1


def _guessing(sample: Costs, ratios: DoubleArray) -> float:
    """The validation loss of the best answer that is the same for all entries."""
    entries = np.where(sample.pairs["word"] == sample.pairs["context"], 1.0, 2.0) * sample.weights
    if not ratios.any():
        return sample.training(np.full((2, len(ratios)), entries @ sample.logs / entries.sum()))
    best = math.log(entries @ ratios / (entries @ np.exp(-sample.logs)))
    return sample.validation(np.full((2, len(ratios)), best), ratios)


def _counts_in(other: Records, pairs: Records) -> DoubleArray:
    """How much pairs stand together by other counts, which are sorted, `(pairs,)`."""
    counts, wanted = np.zeros(len(pairs)), _keys(pairs)
    for begin in range(0, len(other), _BLOCK):
        block = other[begin : begin + _BLOCK]
        keys = _keys(block)
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found = keys[places] == wanted
        counts[found] = block["weight"][places[found]]
    return counts


def _keys(pairs: Records) -> IntArray:
    """A number for each pair, in their order."""
    keys: IntArray = (pairs["word"].astype(np.int64) << 32) + pairs["context"]
    return keys


def _total(pairs: Records) -> float:
    """All that was counted; half of it, where words are not the same."""
    blocks = (pairs["weight"][begin : begin + _BLOCK] for begin in range(0, len(pairs), _BLOCK))
    return sum(float(block.sum(dtype=np.float64)) for block in blocks)


def first_state(words: int, size: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Vectors and biases to begin with, uniform in +-0.5 / size, and sums of squares, which are 1.

    Returns:
        What a word has at hand together: input and output vector and the sums of squares of both, `(words, 4, length)`,
        the length `size` or more, zeros; and the same of its biases, `(words, 4)`.
    """
    length = -(-size // _LANES) * _LANES
    room = np.zeros(words * 4 * length + _LANES, np.float32)
    begin = -room.ctypes.data % (4 * _LANES) // 4  # the first number of a cache line
    state = room[begin : begin + words * 4 * length].reshape(words, 4, length)
    biases = np.ones((words, 4), np.float32)
    rng = np.random.default_rng([seed, 0])
    state[:, :2, :size] = (rng.random((words, 2, size), np.float32) - np.float32(0.5)) / np.float32(size)
    biases[:, :2] = (rng.random((words, 2), np.float32) - np.float32(0.5)) / np.float32(size)
    state[:, 2:] = 1
    return state, biases


def shuffled(pairs: Records, seed: int, path: Path) -> Records:
    """The runs of pairs in an order drawn by the seed, on disk; what is over after the last whole run stays the last.

    Each run goes to a part of the file that is drawn for it, then the runs of each part are shuffled, in a few
    megabytes of memory.

    Args:
        pairs: `(pairs,)` of `TRIPLE`.
        seed: of the order.
        path: where they go.

    Returns:
        Mapped, `(pairs,)`.
    """
    count = len(pairs) // RUN
    run = np.dtype((np.void, RUN * TRIPLE.itemsize))
    runs = np.asarray(pairs[: count * RUN]).view(run)
    regions = -(-count // _SHUFFLED)
    ends = sum((np.bincount(drawn, minlength=regions) for _, drawn in _drawn(count, seed)), np.zeros(regions, np.int64))
    bounds = np.concatenate([[0], np.cumsum(ends)])
    with os_errors("writing", path), open(path, "w+b") as file:
        places = bounds[:-1] * run.itemsize
        for begin, drawn in _drawn(count, seed):
            _scatter(runs[begin : begin + _SHUFFLED], drawn, places, file)
        for region, (begin, end) in enumerate(pairwise((bounds * run.itemsize).tolist())):
            file.seek(begin)
            part = np.frombuffer(file.read(end - begin), run)
            file.seek(begin)
            file.write(part[np.random.default_rng([seed, 4, region]).permutation(len(part))].tobytes())
        file.seek(count * run.itemsize)
        file.write(pairs[count * RUN :].tobytes())
    return np.memmap(path, TRIPLE, "r", shape=pairs.shape)


def _drawn(count: int, seed: int) -> Iterator[tuple[int, IntArray]]:
    """For each block of runs where it begins, and the region that is drawn for each of its runs."""
    regions = -(-count // _SHUFFLED)
    for begin in range(0, count, _SHUFFLED):
        size = min(_SHUFFLED, count - begin)
        yield begin, np.random.default_rng([seed, 3, begin]).integers(regions, size=size)


def _scatter(runs: Records, drawn: IntArray, places: IntArray, file: BinaryIO) -> None:
    """Write each run to its region; `places`, where in the file a region goes on, move."""
    order = np.argsort(drawn, kind="stable")
    sizes = np.bincount(drawn, minlength=len(places))
    for region, chosen in enumerate(np.split(order, np.cumsum(sizes)[:-1])):
        file.seek(int(places[region]))
        file.write(runs[chosen].tobytes())
        places[region] += len(chosen) * runs.itemsize


@jit(fastmath=_FAST)
def learn_pairs(
    state: FloatArray,
    biases: FloatArray,
    pairs: Records,
    weights: FloatArray,
    logs: FloatArray,
    order: IntArray,
    learning_rate: np.float32,
) -> None:
    """Learn from pairs, each in both orders, one after another.

    Args:
        state: of `first_state`; changed.
        biases: likewise.
        pairs: `(pairs,)` of `TRIPLE`.
        weights: f(X), `(pairs,)`.
        logs: ln X, `(pairs,)`.
        order: the runs of `RUN` pairs to take, by number.
        learning_rate: of AdaGrad.
    """
    for run in order:
        for number in range(run * RUN, min((run + 1) * RUN, len(pairs))):
            word, context = pairs[number].word, pairs[number].context
            for _ in range(1 if word == context else 2):
                vector, output = state[word, 0], state[context, 1]
                squares, output_squares = state[word, 2], state[context, 3]
                product = np.float32(0)
                for index in range(len(vector)):
                    product += vector[index] * output[index]
                error = product + biases[word, 0] + biases[context, 1] - logs[number]
                scaled = learning_rate * weights[number] * error
                for index in range(len(vector)):
                    step, output_step = scaled * output[index], scaled * vector[index]
                    vector[index] -= step / math.sqrt(squares[index])
                    output[index] -= output_step / math.sqrt(output_squares[index])
                    squares[index] += step * step
                    output_squares[index] += output_step * output_step
                biases[word, 0] -= scaled / math.sqrt(biases[word, 2])
                biases[context, 1] -= scaled / math.sqrt(biases[context, 3])
                biases[word, 2] += scaled * scaled
                biases[context, 3] += scaled * scaled
                word, context = context, word


def learn_pairs_reference(
    state: DoubleArray,
    biases: DoubleArray,
    pairs: Records,
    weights: DoubleArray,
    logs: DoubleArray,
    order: IntArray,
    learning_rate: float,
) -> None:
    """As `learn_pairs`, in whatever precision it is given."""
    for number in (number for run in order for number in range(run * RUN, min((run + 1) * RUN, len(pairs)))):
        word, context = int(pairs["word"][number]), int(pairs["context"][number])
        for i, j in dict.fromkeys([(word, context), (context, word)]):
            error = state[i, 0] @ state[j, 1] + biases[i, 0] + biases[j, 1] - logs[number]
            scaled = learning_rate * weights[number] * error
            steps = scaled * state[j, 1], scaled * state[i, 0]
            for row, kind, step in ((i, 0, steps[0]), (j, 1, steps[1])):
                state[row, kind] -= step / np.sqrt(state[row, 2 + kind])
                state[row, 2 + kind] += step**2
                biases[row, kind] -= scaled / np.sqrt(biases[row, 2 + kind])
                biases[row, 2 + kind] += scaled**2


@jit(fastmath=_FAST)
def predicted(state: FloatArray, biases: FloatArray, pairs: Records) -> DoubleArray:
    """What vectors and biases say of ln X, `(2, pairs)`: for (word, context) and (context, word)."""
    predictions = np.empty((2, len(pairs)))
    for number in range(len(pairs)):
        word, context = pairs[number].word, pairs[number].context
        for order in range(2):
            vector, output = state[word, 0], state[context, 1]
            product = np.float32(0)
            for index in range(len(vector)):
                product += vector[index] * output[index]
            predictions[order, number] = np.float64(product) + biases[word, 0] + biases[context, 1]
            word, context = context, word
    return predictions


def predicted_reference(state: DoubleArray, biases: DoubleArray, pairs: Records) -> DoubleArray:
    """As `predicted`, in whatever precision it is given."""
    words, contexts = np.array([pairs["word"], pairs["context"]]), np.array([pairs["context"], pairs["word"]])
    products: DoubleArray = np.einsum("ops,ops->op", state[words, 0], state[contexts, 1])
    predictions: DoubleArray = products + biases[words, 0] + biases[contexts, 1]
    return predictions
