"""What was heard: text, its words, when each was said and how sure the model is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from recurra.tasks.speech import ctc
from recurra.tasks.speech.ctc import Labelling
from recurra.tasks.speech.symbols import Symbols


class SpokenWord(NamedTuple):
    """A word that was heard.

    Attributes:
        text: the word.
        start: where it begins, seconds.
        end: where it ends, seconds.
        confidence: how probable it is that the word is right, 0 to 1.
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
    """

    text: str
    words: tuple[SpokenWord, ...]
    log_prob: float
    seconds: float


def spoken(labelling: Labelling, symbols: Symbols, step_seconds: float, temperature: float) -> list[SpokenWord]:
    """The words of a labelling; without spaces between words, its symbols.

    Args:
        labelling: symbols and steps.
        symbols: as they are written.
        step_seconds: of a step.
        temperature: what the logarithm of a word's confidence is divided by.
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
            math.exp(min(0.0, word.log_prob) / temperature),
        )
        for word in parts
    ]
