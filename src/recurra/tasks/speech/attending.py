"""Recordings of any length through a network that attends and a beam search, in batches, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from recurra.arrays import FloatArray, IntArray
from recurra.decoding.beam_search import BeamSearch
from recurra.decoding.hypothesis import Hypothesis
from recurra.decoding.seq2seq import Reader, Request, search_all
from recurra.errors import RecurraError
from recurra.tasks.speech.audio import SILENCE
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.ctc import Labelling, empty_labelling, joined
from recurra.tasks.speech.cutting import cut_at_quiet
from recurra.tasks.speech.data import Part, frames_in, lengths_of, steps_in, steps_of
from recurra.tasks.speech.features import Normalization
from recurra.tasks.speech.symbols import EDGE
from recurra.tasks.speech.transcript import Transcript

GROUP = 64
"""Pieces that are read and searched together."""

LONGER = 1.25
"""A recording is read whole if it is not longer than so many times the longest one that was learned from."""

DENSER, SPARE = 1.5, 3
"""A text has at most so many times as many symbols a step as the densest that was learned from, and so many more."""

ENDLESS = 0.1
"""Share of texts that are stopped for their length from which on a network is said to repeat itself."""

MAX_WEIGHTS = 2**26
"""Attention weights that are kept, 4 bytes each."""


class Attended(NamedTuple):
    """What was written, and where the decoder attended meanwhile.

    Attributes:
        symbols: numbers of the text's symbols, `(length,)`, none of them 0.
        weights: of each symbol over the recording's steps, `(length, steps)`; a row adds up to 1.
        transcript: the same as text, with words.
    """

    symbols: IntArray
    weights: FloatArray
    transcript: Transcript


class Reach(NamedTuple):
    """What a network has learned to cope with.

    Attributes:
        seconds: of the longest recording.
        density: symbols a step of the densest transcript.
    """

    seconds: float
    density: float

    @classmethod
    def of(cls, part: Part, config: Config) -> Reach:
        """That of recordings which are learned from."""
        steps, symbols = lengths_of(part, config).T
        return cls(float(steps.max()) * config.features.step_seconds, float((symbols / steps).max()))

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Reach:
        """Back from `to_record`.

        Raises:
            RecurraError: if the record, which is a file that can be edited, does not have it.
        """
        match record.get("longest_seconds"), record.get("densest"):
            case int() | float() as seconds, int() | float() as density if (
                0 < seconds < math.inf and 0 < density <= 1e3
            ):
                return cls(float(seconds), float(density))
        raise RecurraError("the model does not say how long the recordings were that it learned from; train it again")

    def to_record(self) -> dict[str, float]:
        """As entries of a model's record."""
        return {"longest_seconds": round(self.seconds, 3), "densest": round(self.density, 4)}


class _Stretch(NamedTuple):
    """What is read at once: the number of its recording, its first step there, its steps `(S, I)`."""

    recording: int
    begin: int
    steps: FloatArray


class _Target(NamedTuple):
    """What a decoder writes, see `decoding.seq2seq.Target`."""

    start: int = EDGE
    end: int = EDGE
    unwritable: Sequence[int] = ()


@dataclass
class Written:
    """What was written of a recording.

    Attributes:
        labelling: the symbols; the step of each is the middle of its weights, and not before that of the one before.
        log_prob: of the text, nats.
        steps: of the recording.
        pieces: it was read in.
        weights: the first step and the weights `(length, steps)` of each piece, if they are kept.
        endless: whether a piece's text was as long as it may be.
    """

    labelling: Labelling = field(default_factory=empty_labelling)
    log_prob: float = 0.0
    steps: int = 0
    pieces: int = 0
    weights: list[tuple[int, FloatArray]] = field(default_factory=list)
    endless: bool = False


class Speller:
    """Writes down recordings.

    Args:
        read: the network that listens and writes, before the steps `(S, I)` of some recordings.
        config: the network's.
        normalization: of its features.
        space: number of the space between words, which is put between two pieces; None if there is none.
        reach: what it has learned to cope with.
    """

    def __init__(
        self,
        read: Callable[[Sequence[FloatArray]], Reader],
        config: Config,
        normalization: Normalization,
        space: int | None,
        reach: Reach,
    ) -> None:
        self._read, self._config, self._normalization = read, config, normalization
        self._space, self._reach = space, reach

    @property
    def longest(self) -> float:
        """Seconds of a recording that is read whole."""
        return LONGER * self._reach.seconds

    def write(
        self, recordings: Iterable[Iterable[FloatArray]], search: BeamSearch, keep_weights: bool = False
    ) -> list[Written]:
        """The best text of each recording.

        Args:
            recordings: each in blocks of samples at the model's rate.
            search: how to search.
            keep_weights: whether to keep what was attended to.

        Raises:
            OptionError: if a beam is too wide for as long a recording.
            RecurraError: if there are too many weights to be kept.
        """
        written: list[Written] = []
        stretches = self._stretches(recordings, written)
        while group := list(islice(stretches, GROUP)):
            results = search_all(self._request([stretch.steps for stretch in group], search), search)
            for stretch, result in zip(group, results, strict=True):
                self._add(written[stretch.recording], stretch, result.hypotheses[0], search, keep_weights)
        return written

    def _stretches(self, recordings: Iterable[Iterable[FloatArray]], written: list[Written]) -> Iterator[_Stretch]:
        """All that is not silent; `written` gets an empty text for each recording."""
        config = self._config
        grid = round(config.features.rate * config.step_ms / 1000) * config.features.stack
        for number, blocks in enumerate(recordings):
            written.append(Written())
            for begin, samples in cut_at_quiet(blocks, config.features.rate, self.longest, grid):
                written[number].steps = begin // grid + steps_in(frames_in(len(samples), config), config)
                written[number].pieces += 1
                if frames_in(len(samples), config) and float(np.abs(samples).max()) >= SILENCE:
                    yield _Stretch(number, begin // grid, steps_of(samples, config, self._normalization))

    def _request(self, steps: Sequence[FloatArray], search: BeamSearch) -> Request:
        limits = [self._limit(len(each), search) for each in steps]
        return Request([self._read(steps)], [len(each) for each in steps], _Target(), limits, [()] * len(steps))

    def _limit(self, steps: int, search: BeamSearch) -> int:
        """Most symbols of so many steps."""
        if search.max_length is not None:
            return search.max_length
        return max(math.ceil(DENSER * self._reach.density * steps) + SPARE, search.min_length)

    def _add(
        self, written: Written, stretch: _Stretch, best: Hypothesis, search: BeamSearch, keep_weights: bool
    ) -> None:
        """Add what was written of a stretch to its recording's text."""
        assert best.weights is not None
        begin, weights = stretch.begin, best.weights[:-1]
        if self._space is not None and best.tokens and len(written.labelling.symbols):
            between = (np.array([self._space]), np.array([begin]), np.array([begin]), np.zeros(1))
            written.labelling = joined(written.labelling, Labelling(*between))
            written.weights += [(begin, np.ones((1, 1), np.float32))] if keep_weights else []
        written.labelling = joined(written.labelling, _labelling(best, weights, begin))
        written.log_prob += sum(best.log_probs)
        written.endless |= len(best.tokens) >= self._limit(len(stretch.steps), search)
        written.weights += [(begin, weights)] if keep_weights else []
        if keep_weights and len(written.labelling.symbols) * written.steps > MAX_WEIGHTS:
            raise RecurraError("the recording is too long for its attention to be shown; give a part of it")


def _labelling(best: Hypothesis, weights: FloatArray, begin: int) -> Labelling:
    """What was written, each symbol in the step that is the middle of its weights."""
    middles = (np.cumsum(weights, axis=1) < 0.5).sum(axis=1).clip(max=weights.shape[1] - 1)
    starts = begin + np.maximum.accumulate(middles.astype(np.int64))
    return Labelling(np.array(best.tokens, np.int64), starts, starts + 1, np.array(best.log_probs[:-1]))


def weights_of(written: Written) -> FloatArray:
    """The weights of a recording's symbols over all its steps, `(length, steps)`.

    A space that was put between two pieces has its weight where the second begins.
    """
    weights = np.zeros((len(written.labelling.symbols), written.steps), np.float32)
    row = 0
    for begin, part in written.weights:
        weights[row : row + len(part), begin : begin + part.shape[1]] = part
        row += len(part)
    return weights


def fault_of(written: Sequence[Written]) -> str | None:
    """What is wrong with a network by what it wrote of many recordings, for the user; None if nothing is."""
    texts = {tuple(each.labelling.symbols.tolist()) for each in written}
    if not any(texts):
        what = "writes nothing"
    elif sum(each.endless for each in written) > ENDLESS * len(written):
        what = "repeats itself until it is stopped"
    elif len(texts) == 1 < len(written):
        what = "writes the same whatever it hears"
    else:
        return None
    return (
        f"the model {what}: it has not learned where to attend; train longer, with short recordings first "
        "(`curriculum` 2), from a model of `network` ctc, or with `ctc_weight` 0.3"
    )


def told(written: Sequence[Written], longest: float) -> list[str]:
    """What a user should know of how recordings were written down, lines; `longest` is in seconds."""
    lines = []
    if cut := sum(each.pieces > 1 for each in written):
        lines.append(f"{cut} recording(s) longer than the model has learned from, {longest:.1f} s, cut at quiet places")
    if endless := sum(each.endless for each in written):
        lines.append(
            f"{endless} text(s) stopped for their length, as the model repeats itself; train it "
            "longer, or set `no_repeat_ngram_size`"
        )
    return lines
