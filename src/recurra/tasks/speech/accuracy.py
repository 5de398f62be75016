"""How good transcripts are: word and character error rates and where the errors are (alignments by `jiwer`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from recurra.arrays import BoolArray, IntArray
from recurra.errors import RecurraError

SAMPLES = 1000
"""Draws of the bootstrap."""

Edit = tuple[Literal["equal", "substitute", "insert", "delete"], str, str]
"""What became of a word: the kind, the word that was said, the word that was heard."""


@dataclass(frozen=True)
class Accuracy:
    """Of a set of transcripts.

    Attributes:
        wer: word errors (substitutions, insertions, deletions) by words said, over all of them together.
        cer: likewise of characters.
        interval: 95 % of the bootstrap's word error rates lie between these (Bisani and Ney 2004).
        exact_match: share of transcripts without an error.
        count: transcripts.
        errors: of words, of each transcript, `(count,)`.
        words: said in each, `(count,)`.
        confusions: pairs of word said and word heard, the most frequent first, with how often.
    """

    wer: float
    cer: float
    interval: tuple[float, float]
    exact_match: float
    count: int
    errors: IntArray
    words: IntArray
    confusions: list[tuple[str, str, int]]


def measure(heard: Sequence[str], said: Sequence[str], seed: int = 0) -> Accuracy:
    """Compare transcripts with what was said.

    Args:
        heard: transcripts.
        said: as many, none empty.
        seed: of the bootstrap, which draws transcripts.

    Raises:
        RecurraError: if jiwer is not installed.
        ValueError: if there is nothing to compare.
    """
    if not said or len(said) != len(heard):
        raise ValueError("there must be as many transcripts as there are texts, and at least one")
    edits = [align(heard_text, text) for heard_text, text in zip(heard, said, strict=True)]
    errors = np.array([sum(kind != "equal" for kind, _, _ in row) for row in edits], np.int64)
    words = np.array([len(text.split()) for text in said], np.int64)
    characters = _jiwer().process_characters(list(said), list(heard))
    wrong = Counter((said_word, heard_word) for row in edits for kind, said_word, heard_word in row if kind != "equal")
    return Accuracy(
        wer=float(errors.sum() / words.sum()),
        cer=float(characters.cer),
        interval=_bootstrap(errors, words, seed),
        exact_match=float((errors == 0).mean()),
        count=len(said),
        errors=errors,
        words=words,
        confusions=[(*pair, times) for pair, times in wrong.most_common()],
    )


def align(heard: str, said: str) -> list[Edit]:
    """What became of each word, in order, by the fewest errors."""
    output = _jiwer().process_words([said], [heard])
    said_words, heard_words = output.references[0], output.hypotheses[0]
    edits: list[Edit] = []
    for chunk in output.alignments[0]:
        first = said_words[chunk.ref_start_idx : chunk.ref_end_idx]
        second = heard_words[chunk.hyp_start_idx : chunk.hyp_end_idx]
        for index in range(max(len(first), len(second))):
            edits.append((chunk.type, first[index] if first else "", second[index] if second else ""))
    return edits


def right_words(heard: Sequence[Sequence[str]], said: Sequence[Sequence[str]]) -> BoolArray:
    """Whether each word that was heard is right, of all transcripts one after another, `(words heard,)`.

    Args:
        heard: the words of each transcript.
        said: those of what was said.
    """
    right: list[bool] = []
    for heard_words, said_words in zip(heard, said, strict=True):
        edits = align(" ".join(heard_words), " ".join(said_words))
        right += [kind == "equal" for kind, _, heard_word in edits if heard_word]
    return np.array(right, bool)


def _bootstrap(errors: IntArray, words: IntArray, seed: int) -> tuple[float, float]:
    drawn = np.random.default_rng(seed).integers(len(errors), size=(SAMPLES, len(errors)))
    rates = errors[drawn].sum(axis=1) / words[drawn].sum(axis=1)
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)


def _jiwer() -> Any:
    try:
        import jiwer
    except ImportError as error:
        raise RecurraError("error rates need one more package: pip install 'recurra[speech]'") from error
    return jiwer
