"""The step of a decoder in NumPy, for search and sampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recurra.arrays import DoubleArray, FloatArray, IntArray
from recurra.data.buckets import pad
from recurra.data.tokenizer import Tokens
from recurra.decoding.memories import ActiveMemories
from recurra.decoding.step import StepOutput
from recurra.runtime.decoder import Decoder, Encoded
from recurra.runtime.encoder_decoder import EncoderDecoder

State = tuple[np.ndarray, ...]
"""The decoder's state, arrays whose dimension 1 is the rows; at last the index of each row's source, `(1, rows)`."""

BLOCK = 64
"""Tokens of which `largest` first considers the largest only."""


class ArrayLogProbs:
    """Log-probabilities in an array, `(rows, vocabulary_size)`; see `step.LogProbs`."""

    def __init__(self, array: FloatArray) -> None:
        self.array = array

    @property
    def vocabulary_size(self) -> int:
        """Tokens of each row."""
        return int(self.array.shape[1])

    def without(self, rows: IntArray, tokens: IntArray) -> ArrayLogProbs:
        """See `LogProbs`."""
        if not len(rows):
            return self
        array = self.array.copy()
        array[rows, tokens] = -np.inf
        return ArrayLogProbs(array)

    def largest(self, count: int, named: IntArray) -> tuple[DoubleArray, IntArray]:
        """See `LogProbs`."""
        tokens = most_probable(self.array, count)
        both = np.concatenate([named, tokens], axis=1)
        return np.take_along_axis(self.array, both, axis=1).astype(np.float64), tokens

    def numpy(self) -> FloatArray:
        """See `LogProbs`."""
        return self.array

    def mean(self, others: Sequence[ArrayLogProbs]) -> ArrayLogProbs:
        """See `LogProbs`."""
        stacked = np.stack([self.array, *(other.array for other in others)])
        mean = np.logaddexp.reduce(stacked, axis=0) - np.float32(math.log(len(stacked)))
        return ArrayLogProbs(np.minimum(mean, 0))


def most_probable(log_probs: FloatArray, count: int) -> IntArray:
    """Where the `count` largest of each row `(rows, vocabulary_size)` are, the largest first; NaN is the largest.

    The largest are in the `count` blocks whose own largest are the largest, so most of a row is read only once.
    """
    size = log_probs.shape[1]
    blocks = size // BLOCK
    if blocks < 4 * count:
        return _largest(log_probs, count)
    whole = log_probs[:, : blocks * BLOCK].reshape(len(log_probs), blocks, BLOCK)
    chosen = _largest(whole.max(axis=2), count)
    inside = (chosen[:, :, None] * BLOCK + np.arange(BLOCK)).reshape(len(log_probs), -1)
    rest = np.broadcast_to(np.arange(blocks * BLOCK, size), (len(log_probs), size - blocks * BLOCK))
    tokens = np.concatenate([inside, rest], axis=1)
    best = _largest(np.take_along_axis(log_probs, tokens, axis=1), count)
    return np.take_along_axis(tokens, best, axis=1)


def _largest(values: FloatArray, count: int) -> IntArray:
    """Where the `count` largest of each row are, the largest first."""
    first = values.shape[1] - count
    unordered = np.argpartition(values, first, axis=1)[:, first:] if first else np.arange(count)[None]
    unordered = np.broadcast_to(unordered, (len(values), count))
    order = np.argsort(-np.take_along_axis(values, unordered, axis=1), axis=1, kind="stable")
    return np.take_along_axis(unordered, order, axis=1)


class ArrayStep:
    """A decoder before a batch of sources, as a `step.DecoderStep`.

    Rows of one source must stay side by side, in the order of the sources.

    Args:
        decoder: what writes.
        encoded: what it attends to, and its state before the first token.
    """

    def __init__(self, decoder: Decoder, encoded: Encoded) -> None:
        self._decoder = decoder
        sources = np.arange(encoded.state[0].shape[1])
        self.first: State = (*encoded.state, sources[None])
        self._active = None if encoded.memory is None else ActiveMemories(encoded.memory, len(sources))

    @np.errstate(over="ignore", invalid="ignore")  # huge weights are for the search to refuse
    def __call__(self, tokens: IntArray, state: State) -> StepOutput[State]:
        """See `DecoderStep`."""
        *before, sources = state
        memory, index = (None, sources[0]) if self._active is None else self._active.of(sources[0])
        logits, weights, after = self._decoder.step(tokens, tuple(before), memory, index)
        return StepOutput(ArrayLogProbs(log_softmax(logits)), (*after, sources), weights)

    def select(self, state: State, rows: IntArray) -> State:
        """See `DecoderStep`."""
        return tuple(part[:, rows] for part in state)


def log_softmax(logits: FloatArray) -> FloatArray:
    """The log-probabilities of logits `(..., size)`."""
    shifted: FloatArray = logits - logits.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


@dataclass(frozen=True)
class ArrayReader:
    """A network in NumPy and the sources it reads; see `seq2seq.Reader`.

    Attributes:
        decoder: of the network.
        encode: how it reads some of the sources.
    """

    decoder: Decoder
    encode: Callable[[Sequence[int]], Encoded]

    @property
    def attends(self) -> bool:
        """Whether it has attention."""
        return self.decoder.attends

    @np.errstate(over="ignore", invalid="ignore")
    def begin(self, batch: Sequence[int]) -> tuple[ArrayStep, State]:
        """The step before some of the sources, and its first state."""
        step = ArrayStep(self.decoder, self.encode(batch))
        return step, step.first

    def for_many(self) -> ArrayReader:
        """The same."""
        return self


def token_encoder(network: EncoderDecoder, sources: Sequence[Tokens]) -> Callable[[Sequence[int]], Encoded]:
    """How an encoder-decoder reads sources that are tokens, each with its end."""

    def encode(batch: Sequence[int]) -> Encoded:
        padded = pad([sources[index] for index in batch])
        return network.encode(padded.tokens, padded.mask)

    return encode
