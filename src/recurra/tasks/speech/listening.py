"""Recordings of any length through a network and a search, chunk by chunk, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from recurra.arrays import FloatArray
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.ctc import Labelling, empty_labelling, joined
from recurra.tasks.speech.features import FeatureStream, Normalization
from recurra.tasks.speech.prefix_search import PrefixDecoder, SearchState

WINDOW_SECONDS, MARGIN_SECONDS = 60.0, 5.0
"""A network that reads from both ends reads a long recording in windows of so many seconds, of which it keeps what is
at least so far from where they were cut."""


class Hearing(Protocol):
    """A network under CTC, whatever it is computed with."""

    @property
    def bidirectional(self) -> bool:
        """Whether it reads recordings from both ends."""

    def hear(self, steps: FloatArray) -> FloatArray:
        """Log-probabilities of the symbols at each step of a whole recording `(S, I)`, `(S, V)`."""

    def hear_on(self, steps: FloatArray, state: Any) -> tuple[FloatArray, Any]:
        """Likewise at the next steps of a stream, if it reads from one end; and the state to go on from, first None."""


class Piece(NamedTuple):
    """What a chunk of sound came to.

    Attributes:
        settled: symbols that can no longer change.
        seconds: of sound heard so far.
    """

    settled: Labelling
    seconds: float


class Listener:
    """A recording as it comes: samples in, symbols out as soon as they are certain.

    Chunks may be of any size; the result is that of the whole recording in one.

    Args:
        network: one that reads from one end.
        config: its own.
        normalization: of its features.
        decoder: how the best text is searched for.
    """

    def __init__(self, network: Hearing, config: Config, normalization: Normalization, decoder: PrefixDecoder) -> None:
        self._network = network
        self._rate = config.features.rate
        self._features = FeatureStream(config.features, normalization)
        self._decoder = decoder
        self._state: Any = None
        self._search: SearchState = decoder.start()
        self._samples = 0

    def feed(self, samples: FloatArray) -> Piece:
        """What these samples, at the model's rate, settle."""
        self._samples += len(samples)
        return Piece(self._advance(self._features.feed(samples)), self._samples / self._rate)

    def finish(self) -> Piece:
        """The rest, after the last samples."""
        settled = self._advance(self._features.finish())
        best = self._decoder.finish(self._search)[0].labelling
        return Piece(joined(settled, best), self._samples / self._rate)

    def pending(self) -> Labelling:
        """The best guess at what is not settled yet."""
        return self._decoder.finish(self._search)[0].labelling

    def _advance(self, steps: FloatArray) -> Labelling:
        if not len(steps):
            return empty_labelling()
        log_probs, self._state = self._network.hear_on(steps, self._state)
        settled, self._search = self._decoder.advance(log_probs, self._search)
        return settled


def log_probs_of(
    blocks: Iterable[FloatArray], network: Hearing, config: Config, normalization: Normalization
) -> Iterator[FloatArray]:
    """Log-probabilities of a recording's steps, `(S, V)`, in pieces; no more than a window of it is in memory.

    Args:
        blocks: the recording, in blocks of any size.
        network: reads from one end or from both.
        config: its own.
        normalization: of its features.
    """
    stream = FeatureStream(config.features, normalization)
    steps = (part for block in blocks for part in [stream.feed(block)] if len(part))
    if not network.bidirectional:
        yield from _forward(steps, stream, network)
        return
    window, margin = (round(seconds / config.features.step_seconds) for seconds in (WINDOW_SECONDS, MARGIN_SECONDS))
    held, kept_from = np.zeros((0, config.features.frame_size), np.float32), 0
    for part in steps:
        held = np.concatenate([held, part])
        while len(held) >= window + margin:
            yield network.hear(held[: window + margin])[kept_from:window]
            held, kept_from = held[window - margin :], margin
    held = np.concatenate([held, stream.finish()])
    if len(held) > kept_from:
        yield network.hear(held)[kept_from:]


def _forward(steps: Iterator[FloatArray], stream: FeatureStream, network: Hearing) -> Iterator[FloatArray]:
    state: Any = None
    for last in (False, True):
        for part in [stream.finish()] if last else steps:
            if len(part):
                log_probs, state = network.hear_on(part, state)
                yield log_probs
