"""What was heard: text, its words, when each was said and how sure the model is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from recurra.arrays import BoolArray, DoubleArray
from recurra.evaluation import classification
from recurra.tasks.speech import ctc
from recurra.tasks.speech.ctc import Labelling
from recurra.tasks.speech.symbols import Symbols

SUREST = 1 - 1e-6
"""No word is surer than this, and none less sure than what is left."""


class SpokenWord(NamedTuple):
    """A word that was heard.

    Attributes:
        text: the word.
        start: where it begins, seconds.
        end: where it ends, seconds.
        confidence: how probable it is that the word is right, 0 to 1; calibrated by the model's temperature.
    """

    text: str
    start: float
    end: float
    confidence: float


class Transcript(NamedTuple):
    """What was heard in a recording.

    Attributes:
        text: all of it.
        words: one by one.
        log_prob: of the text, nats.
        seconds: how long the recording is.
        others: the next best texts, if more than one was asked for (`n_best`).
    """

    text: str
    words: tuple[SpokenWord, ...]
    log_prob: float
    seconds: float
    others: tuple[str, ...] = ()


def transcript_values(transcript: Transcript) -> dict[str, Any]:
    """A transcript as JSON values."""
    words = [word._asdict() | {"confidence": round(word.confidence, 4)} for word in transcript.words]
    return {
        "text": transcript.text,
        "seconds": transcript.seconds,
        "log_prob": round(transcript.log_prob, 4),
        "words": words,
        "others": list(transcript.others),
    }


def spoken(labelling: Labelling, symbols: Symbols, step_seconds: float, temperature: float) -> list[SpokenWord]:
    """The words of a labelling; without spaces between words, its symbols.

    Args:
        labelling: symbols and steps.
        symbols: as they are written.
        step_seconds: of a step.
        temperature: what the log-odds of a word are divided by, see `fit_temperature`.
    """
    names = [symbols.names[number - 1] for number in labelling.symbols.tolist()]
    if symbols.space is None:
        parts: Sequence[ctc.Word] = [
            ctc.Word(n, n + 1, int(start), int(stop), float(log_prob))
            for n, (start, stop, log_prob) in enumerate(
                zip(labelling.starts, labelling.stops, labelling.log_probs, strict=True)
            )
        ]
    else:
        parts = ctc.words(labelling, symbols.space)
    return [
        SpokenWord(
            "".join(names[word.first : word.last]),
            round(word.start * step_seconds, 3),
            round(word.stop * step_seconds, 3),
            softened(word.log_prob, temperature),
        )
        for word in parts
    ]


def softened(log_prob: float, temperature: float) -> float:
    """The probability whose log-odds are those of `log_prob`, at most `SUREST`, divided by a temperature."""
    odds = float(_log_odds(np.array([math.exp(log_prob)]))[0]) / temperature
    return 1 / (1 + math.exp(-odds))


def fit_temperature(confidences: DoubleArray, right: BoolArray) -> float:
    """The temperature that makes confidences as probable as can be (Guo et al. 2017, arXiv 1706.04599, section 4.2).

    Args:
        confidences: of words, by the temperature 1, `(words,)`.
        right: whether each is right, `(words,)`.
    """
    odds = _log_odds(confidences)
    return classification.fit_temperature(np.stack([odds, np.zeros_like(odds)], axis=1), (~right).astype(np.int64))


def _log_odds(probabilities: DoubleArray) -> DoubleArray:
    probabilities = np.clip(probabilities, 1 - SUREST, SUREST)
    odds: DoubleArray = np.log(probabilities / (1 - probabilities))
    return odds
