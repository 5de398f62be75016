"""What a model heard in a passage of a recording, moment by moment: for a page and a picture.

Shapes: F frames, M mel bands, S steps, V symbols, the blank first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recurra.arrays import FloatArray, IntArray
from recurra.decoding.beam_search import BeamSearch
from recurra.errors import OptionError, RecurraError
from recurra.tasks.speech.audio import SILENCE, sound_blocks
from recurra.tasks.speech.ctc import Labelling, align, empty_labelling, joined, labelling_log_prob
from recurra.tasks.speech.data import frames_in, log_mel
from recurra.tasks.speech.prefix_search import PrefixDecoder
from recurra.tasks.speech.symbols import BLANK
from recurra.tasks.speech.transcript import Transcript

if TYPE_CHECKING:
    from recurra.tasks.speech.transcriber import AnyTranscriber

LONGEST = 30.0
"""Seconds that are shown at once, at most."""

ALTERNATIVES = 5
"""Texts that are shown, the best first."""

DECIBELS = 10 / np.log(10)
"""Of a nat of energy."""


class Alternative(NamedTuple):
    """Another text that the search found: `text` and its log-probability, nats."""

    text: str
    log_prob: float


@dataclass(frozen=True)
class Explanation:
    """A passage and what was heard in it.

    Attributes:
        source: what a person would call the recording.
        begin: where the passage begins in it, seconds.
        samples: `(samples,)`, from -1 to 1.
        rate: of the samples, Hz.
        spectrogram: energy of each mel band in each frame, decibels, `(F, M)`.
        frame_seconds: from a frame to the next.
        step_seconds: from a step of the network to the next.
        names: of the symbols as they are written; the blank's is empty, `(V,)`.
        probabilities: of the symbols at each step, `(S, V)`; None of a network that attends, ...
        weights: ... which instead has those of its attention, of each symbol of the text over the steps, `(length, S)`.
        labelling: the symbols of the text with the steps of each: by its most probable path, or its weights.
        transcript: the text, its words.
        alternatives: the best texts with the log-probability of each, the first that of the transcript.
    """

    source: str
    begin: float
    samples: FloatArray
    rate: int
    spectrogram: FloatArray
    frame_seconds: float
    step_seconds: float
    names: Sequence[str]
    probabilities: FloatArray | None
    weights: FloatArray | None
    labelling: Labelling
    transcript: Transcript
    alternatives: Sequence[Alternative]

    @property
    def seconds(self) -> float:
        """How long the passage is."""
        return len(self.samples) / self.rate


def best_path(probabilities: FloatArray) -> IntArray:
    """The best symbol of each step, `(S,)`: what becomes text by merging repeats and taking blanks out."""
    best: IntArray = probabilities.argmax(axis=1)
    return best


def passage(source: Path | bytes, rate: int, begin: float, seconds: float) -> FloatArray:
    """A part of a recording, `(samples,)`; no more of it is in memory.

    Raises:
        OptionError: if the recording ends before.
        RecurraError: if it cannot be read.
    """
    first, last = round(begin * rate), round((begin + seconds) * rate)
    kept, position = [], 0
    for block in sound_blocks(source, rate):
        kept.append(block[max(first - position, 0) : max(last - position, 0)])
        position += len(block)
        if position >= last:
            break
    samples: FloatArray = np.concatenate([np.zeros(0, np.float32), *kept])
    if not len(samples):
        called = "the recording" if isinstance(source, bytes) else source
        raise OptionError(f"`start` is {begin:g}, but {called} is only {position / rate:.2f} seconds long")
    return samples


def explain(
    model: AnyTranscriber,
    source: str,
    samples: FloatArray,
    begin: float,
    decoder: PrefixDecoder,
) -> Explanation:
    """What a model under CTC hears in a passage.

    Args:
        model: its network gives each symbol a probability at each step.
        source: what a person would call the recording.
        samples: of the passage, `(samples,)`.
        begin: where that begins in the recording, seconds.
        decoder: the search for the best texts.

    Raises:
        RecurraError: if the passage is too short to be heard.
    """
    log_probs = model.log_probs(samples)
    if not len(log_probs):
        raise _too_short(source, model)
    settled, state = decoder.advance(log_probs, decoder.start())
    silent = float(np.abs(samples).max()) < SILENCE
    found = [] if silent else [joined(settled, each.labelling) for each in decoder.finish(state)]
    texts: dict[str, float] = {}  # what differs in spaces at an end only reads the same: the best counts
    for each in found:
        texts.setdefault(model.symbols.read(each.symbols.tolist()), _log_prob(log_probs, each))
    best = found[0] if found else empty_labelling()
    labelling = align(log_probs, best.symbols, BLANK) if len(best.symbols) else best
    transcript = model.transcript(best, next(iter(texts.values()), 0.0), len(log_probs))
    alternatives = tuple(starmap(Alternative, texts.items()))
    return _explanation(model, source, samples, begin, np.exp(log_probs), None, labelling, transcript, alternatives)


def explain_attention(
    model: AnyTranscriber, source: str, samples: FloatArray, begin: float, search: BeamSearch | None
) -> Explanation:
    """What a model that attends hears in a passage, and where it attends while it writes each symbol.

    Args:
        model: its network attends.
        source: what a person would call the recording.
        samples: of the passage, `(samples,)`.
        begin: where that begins in the recording, seconds.
        search: how to search; None for the defaults.

    Raises:
        RecurraError: if the passage is too short to be heard.
    """
    if not frames_in(len(samples), model.config):
        raise _too_short(source, model)
    attended = model.attention(samples, search=search)
    transcript, middles = attended.transcript, attended.weights.argmax(axis=1)
    labelling = Labelling(attended.symbols, middles, middles + 1, np.zeros(len(middles)))
    alternatives = (Alternative(transcript.text, transcript.log_prob),) if len(middles) else ()
    return _explanation(model, source, samples, begin, None, attended.weights, labelling, transcript, alternatives)


def _explanation(
    model: AnyTranscriber,
    source: str,
    samples: FloatArray,
    begin: float,
    probabilities: FloatArray | None,
    weights: FloatArray | None,
    labelling: Labelling,
    transcript: Transcript,
    alternatives: Sequence[Alternative],
) -> Explanation:
    options = model.config.features
    return Explanation(
        source=source,
        begin=begin,
        samples=samples,
        rate=options.rate,
        spectrogram=(DECIBELS * log_mel(samples, model.config)).astype(np.float32),
        frame_seconds=options.step_ms / 1000,
        step_seconds=options.step_seconds,
        names=("", *model.symbols.names),
        probabilities=probabilities,
        weights=weights,
        labelling=labelling,
        transcript=transcript,
        alternatives=alternatives,
    )


def _too_short(source: str, model: AnyTranscriber) -> RecurraError:
    window = model.config.features.window_ms
    return RecurraError(f"{source} is too short: it does not fill a window of {window:g} ms")


def _log_prob(log_probs: FloatArray, labelling: Labelling) -> float:
    return labelling_log_prob(log_probs, labelling.symbols, BLANK)
