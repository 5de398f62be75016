"""Any number of texts through a network, in batches of similar lengths, whatever it is computed with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from recurra.arrays import FloatArray, IntArray
from recurra.data.buckets import Buckets
from recurra.data.tokenizer import Tokens
from recurra.progress import Report, unreported
from recurra.tasks.sentiment.data import Encoded

SCORING_SIZE = 20_000
"""Words read in one call without training; affects memory and speed only."""


def cut_middle(text: Tokens, max_length: int) -> Tokens:
    """A text without its middle if it is longer: what people think of a thing they say at the end, or else at once."""
    if len(text) <= max_length:
        return text
    beginning = max_length // 4
    return np.concatenate([text[:beginning], text[len(text) - (max_length - beginning) :]])


def in_batches(
    score: Callable[[Sequence[Encoded]], FloatArray],
    texts: Sequence[Encoded],
    max_length: int,
    report: Report = unreported,
) -> FloatArray:
    """The logits of any number of texts, `(texts, C)`.

    Args:
        score: gives the logits of some texts.
        texts: at least one.
        max_length: words that are read of a text.
        report: told of progress.
    """
    lengths = np.minimum([len(text.tokens) for text in texts], max_length)
    buckets = Buckets(np.stack([lengths, lengths], axis=1), SCORING_SIZE)
    parts: list[tuple[IntArray, FloatArray]] = []
    done = 0
    for step in range(buckets.steps_per_epoch):
        numbers = buckets.batch(step)
        parts.append((numbers, score([texts[number] for number in numbers])))
        done += len(numbers)
        report(done / len(texts))
    order = np.concatenate([numbers for numbers, _ in parts])
    logits = np.empty((len(texts), parts[0][1].shape[1]), np.float32)
    logits[order] = np.concatenate([values for _, values in parts])
    return logits
