"""The answers to a whole test of analogies at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import FloatArray, IntArray
from recurra.kernels import jit
from recurra.tasks.embeddings.nearest import EPSILON, AnalogyMethod, Nearest, unit

BLOCK_BYTES = 2**20
"""Similarities that are in memory at a time: as much as fits into a core's cache."""

LEAST_WORDS = 64
"""Words of a block, at least."""

NOWHERE = np.float32(-8.0)
"""The similarity of a zero vector to any word, so that it is never the best."""


def answers(
    nearest: Nearest,
    questions: IntArray,
    excluded: Sequence[Sequence[int]],
    vocabulary_size: int,
    method: AnalogyMethod = "add",
) -> IntArray:
    """The best answer to each question.

    A test asks of few words, again and again. So their similarities to all words are worked out once, and a question
    then costs two additions a word: 3CosAdd is cos(x, b) - cos(x, a) + cos(x, c), and the logarithm of 3CosMul such a
    sum too (Levy, Goldberg and Dagan 2015, section 3).

    Args:
        nearest: the vectors.
        questions: indices of the words a, b, c, `(questions, 3)`.
        excluded: for each question, the indices that are no answer to it.
        vocabulary_size: answers are among so many of the first words.
        method: see `Nearest.analogy`.

    Returns:
        Indices, `(questions,)`; the first of those that are equally good.
    """
    words, places = np.unique(questions, return_inverse=True)
    places = places.reshape(questions.shape)
    offsets = np.cumsum([0, *map(len, excluded)], dtype=np.int64)
    flat = np.array([index for indices in excluded for index in indices], np.int64)
    asked = unit(nearest.matrix[words]).astype(np.float32)
    best, scores = np.zeros(len(questions), np.int64), np.full(len(questions), -np.inf, np.float32)
    count = min(vocabulary_size, len(nearest.matrix))
    step = max(LEAST_WORDS, BLOCK_BYTES // 4 // max(1, len(words)))
    for begin in range(0, count, step):
        block, scales = (
            nearest.matrix[begin : min(begin + step, count)],
            nearest.scales[begin : min(begin + step, count)],
        )
        plus = minus = asked @ block.T * scales
        plus[:, scales == 0] = NOWHERE
        if method == "multiply":
            shifted = np.maximum((plus + 1) / 2, 1e-30)
            plus, minus = np.log(shifted), np.log(shifted + np.float32(EPSILON))
        keep_best(plus, minus, places, flat, offsets, begin, best, scores)
    return best


@jit()
def keep_best(
    plus: FloatArray,
    minus: FloatArray,
    questions: IntArray,
    excluded: IntArray,
    offsets: IntArray,
    begin: int,
    best: IntArray,
    scores: FloatArray,
) -> None:
    """Look through a block of words for better answers; `keep_best_reference` says what it does.

    Args:
        plus: what a word adds to the score of each of the block, where it is b or c, `(words, block)`.
        minus: what it takes away where it is a, likewise.
        questions: rows of `plus` and `minus`, `(questions, 3)`: a, b, c.
        excluded: indices that are no answers, those to one question after those to another.
        offsets: where those to each question begin, `(questions + 1,)`.
        begin: the index of the block's first word.
        best: the best answers so far, `(questions,)`; written to.
        scores: theirs; written to.
    """
    width = plus.shape[1]
    sums = np.empty(width, np.float32)
    for question in range(len(questions)):
        a, b, c = questions[question]
        top = scores[question]
        better = 0
        for word in range(width):
            sums[word] = plus[b, word] - minus[a, word] + plus[c, word]
            better += sums[word] > top  # no branch, so that the loop runs vectorised
        if better:
            for place in range(offsets[question], offsets[question + 1]):
                if begin <= excluded[place] < begin + width:
                    sums[excluded[place] - begin] = -np.inf
            for word in range(width):
                if sums[word] > top:
                    top = sums[word]
                    best[question] = begin + word
            scores[question] = top


def keep_best_reference(
    plus: FloatArray,
    minus: FloatArray,
    questions: IntArray,
    excluded: IntArray,
    offsets: IntArray,
    begin: int,
    best: IntArray,
    scores: NDArray[np.float32],
) -> None:
    """As `keep_best`, in NumPy."""
    for question, (a, b, c) in enumerate(questions):
        sums = plus[b] - minus[a] + plus[c]
        out = excluded[offsets[question] : offsets[question + 1]] - begin
        sums[out[(out >= 0) & (out < len(sums))]] = -np.inf
        top = int(sums.argmax())
        if sums[top] > scores[question]:
            best[question], scores[question] = begin + top, sums[top]
