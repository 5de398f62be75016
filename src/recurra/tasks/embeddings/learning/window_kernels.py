"""Learning from windows by negative sampling: the loss of a pair, and steps down its gradient.

Of an input vector h and the output vectors o of a word (target 1) and of its noise words (target 0) the loss is
-log s(h o) for the word and -log s(-h o) for each noise word, s being the logistic function (Mikolov et al. 2013,
arXiv 1310.4546, equation 4). Skip-gram takes each word of a window for h, one after another as word2vec's program does,
and the word in the middle for the target; all pairs of a window share their noise words. CBOW takes the mean of the
window for h, once; the gradient is that of the mean, as it is not in word2vec's program (Irsoy et al. 2021, arXiv
2012.15332).

A word's vector may be the mean of its own row and those of its character n-grams. Each of these rows then moves as far
as the word's vector would (Bojanowski et al. 2017, arXiv 1607.04606, and their program).

Kernels take the arrays of `DrawnWindows` and `Runs` one by one: what Numba keeps on disk of a kernel that takes named
tuples cannot be read any more once their names change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import DoubleArray, FloatArray, IntArray
from recurra.kernels import ONE, exponential, jit
from recurra.tasks.embeddings.learning.prefetch import LINE, prefetch
from recurra.tasks.embeddings.learning.window_draws import DrawnWindows, Words

_FAST = frozenset(("reassoc", "contract"))
_ZERO = np.float32(0.0)

_AHEAD = 8
"""Words ahead of the centre, the input row of one is fetched: before the usual window reaches it."""

FIVE = 5
"""Noise words that `skip_gram` is made for."""


class Runs(NamedTuple):
    """The rows of the character n-grams of every word: of `rows`, those from the word's entry of `offsets` to the next.

    `offsets` is `(words + 1,)`. `rows` is empty if n-grams have no vectors.
    """

    offsets: IntArray
    rows: Words


@cache
def skip_gram(size: int) -> Callable[..., None]:
    """The kernel of skip-gram with five noise words and vectors of `size`: it is faster where that is known.

    The six output rows of a window are in a block of their own meanwhile, which stays in the fastest cache, while those
    of the next are fetched; six dot products go on at once, so that none waits for another.
    """

    @jit(fastmath=_FAST)
    def learn(
        words: Words,
        begins: Words,
        ends: Words,
        negatives: Words,
        inputs: FloatArray,
        outputs: FloatArray,
        rate: np.float32,
    ) -> None:
        block, gradients = np.empty((FIVE + 1, size), np.float32), np.zeros(8, np.float32)
        b0, b1, b2, b3, b4, b5 = block[0], block[1], block[2], block[3], block[4], block[5]
        for centre in range(words.shape[0]):
            if ends[centre] - begins[centre] < 2:
                continue
            o0, o1, o2 = outputs[words[centre]], outputs[negatives[centre, 0]], outputs[negatives[centre, 1]]
            o3, o4 = outputs[negatives[centre, 2]], outputs[negatives[centre, 3]]
            o5 = outputs[negatives[centre, 4]]
            for d in range(size):
                b0[d], b1[d], b2[d], b3[d], b4[d], b5[d] = o0[d], o1[d], o2[d], o3[d], o4[d], o5[d]
            following, coming = min(centre + 1, words.shape[0] - 1), min(centre + _AHEAD, words.shape[0] - 1)
            for d in range(0, size, LINE):
                prefetch(inputs, words[coming], d)
                prefetch(outputs, words[following], d)
                for number in range(FIVE):
                    prefetch(outputs, negatives[following, number], d)
            for index in range(begins[centre], ends[centre]):
                if index == centre:
                    continue
                row = inputs[words[index]]
                z0 = z1 = z2 = z3 = z4 = z5 = _ZERO
                for d in range(size):
                    x = row[d]
                    z0 += x * b0[d]
                    z1 += x * b1[d]
                    z2 += x * b2[d]
                    z3 += x * b3[d]
                    z4 += x * b4[d]
                    z5 += x * b5[d]
                gradients[0], gradients[1], gradients[2] = z0, z1, z2
                gradients[3], gradients[4], gradients[5] = z3, z4, z5
                for number in range(8):  # two more than needed, so that one instruction does each step for all
                    gradients[number] = -rate * _logistic(gradients[number])
                g0, g1, g2 = gradients[0] + rate, gradients[1], gradients[2]
                g3, g4, g5 = gradients[3], gradients[4], gradients[5]
                for d in range(size):
                    x, y0, y1, y2, y3, y4, y5 = row[d], b0[d], b1[d], b2[d], b3[d], b4[d], b5[d]
                    row[d] = x + ((g0 * y0 + g1 * y1) + (g2 * y2 + g3 * y3) + (g4 * y4 + g5 * y5))
                    b0[d], b1[d], b2[d] = y0 + g0 * x, y1 + g1 * x, y2 + g2 * x
                    b3[d], b4[d], b5[d] = y3 + g3 * x, y4 + g4 * x, y5 + g5 * x
            for d in range(size):
                o0[d], o1[d], o2[d], o3[d], o4[d], o5[d] = b0[d], b1[d], b2[d], b3[d], b4[d], b5[d]

    return learn


@jit(fastmath=_FAST)
def learn_windows(
    words: Words,
    begins: Words,
    ends: Words,
    negatives: Words,
    inputs: FloatArray,
    outputs: FloatArray,
    ngrams: FloatArray,
    offsets: IntArray,
    runs: Words,
    together: bool,
    rate: np.float32,
) -> None:
    """Learn from windows, with any number of noise words, and with character n-grams if there are any.

    Args:
        words: what to learn from, see `DrawnWindows`, as the three that follow.
        begins: of windows.
        ends: of windows.
        negatives: noise words.
        inputs: rows of words, `(words, size)`; changed.
        outputs: likewise, of targets; changed.
        ngrams: rows of character n-grams, `(buckets, size)`; changed.
        offsets: see `Runs`, as the next.
        runs: which of the n-grams belong to each word.
        together: take the mean of a window for its input, CBOW; else its words one after another, skip-gram.
        rate: learning rate.
    """
    size = inputs.shape[1]
    hidden, moved = np.empty(size, np.float32), np.empty(size, np.float32)
    for centre in range(words.shape[0]):
        begin, end = begins[centre], ends[centre]
        share = ONE / np.float32(end - begin - 1) if together else ONE
        group = end - begin if together else 1
        first = begin
        while first < end and end - begin > 1:
            last = first + group
            if first == centre and not together:
                first = last
                continue
            hidden[:] = _ZERO
            moved[:] = _ZERO
            for index in range(first, last):
                if index != centre:
                    _add_word(words[index], inputs, ngrams, offsets, runs, share, hidden)
            _step(hidden, moved, outputs, words[centre], rate, rate)
            for number in range(negatives.shape[1]):
                _step(hidden, moved, outputs, negatives[centre, number], _ZERO, rate)
            for index in range(first, last):
                if index != centre:
                    _move_word(words[index], inputs, ngrams, offsets, runs, share, moved)
            first = last


@jit(fastmath=_FAST)
def _logistic(z: np.float32) -> np.float32:
    scale, growth = exponential(-z)
    return ONE / (ONE + (scale + scale * growth))


@jit(fastmath=_FAST)
def _add_word(
    word: int,
    inputs: FloatArray,
    ngrams: FloatArray,
    offsets: IntArray,
    runs: Words,
    share: np.float32,
    hidden: FloatArray,
) -> None:
    """Add a share of a word's vector."""
    begin, end = offsets[word], offsets[word + 1]
    part = share / np.float32(1 + end - begin)
    for d in range(hidden.shape[0]):
        hidden[d] += part * inputs[word, d]
    for run in range(begin, end):
        row = runs[run]
        for d in range(hidden.shape[0]):
            hidden[d] += part * ngrams[row, d]


@jit(fastmath=_FAST)
def _move_word(
    word: int,
    inputs: FloatArray,
    ngrams: FloatArray,
    offsets: IntArray,
    runs: Words,
    share: np.float32,
    moved: FloatArray,
) -> None:
    """Move the rows that a word's vector is made of."""
    for d in range(moved.shape[0]):
        inputs[word, d] += share * moved[d]
    for run in range(offsets[word], offsets[word + 1]):
        row = runs[run]
        for d in range(moved.shape[0]):
            ngrams[row, d] += share * moved[d]


@jit(fastmath=_FAST)
def _step(
    hidden: FloatArray, moved: FloatArray, outputs: FloatArray, word: int, target: np.float32, rate: np.float32
) -> None:
    """Move a target's row, and add up how the input is to move; `target` is 0 or 1 times the learning rate."""
    z = _ZERO
    for d in range(hidden.shape[0]):
        z += hidden[d] * outputs[word, d]
    gradient = target - rate * _logistic(z)
    for d in range(hidden.shape[0]):
        y = outputs[word, d]
        moved[d] += gradient * y
        outputs[word, d] = y + gradient * hidden[d]


def learn_windows_reference(
    windows: DrawnWindows,
    inputs: NDArray[Any],
    outputs: NDArray[Any],
    ngrams: NDArray[Any],
    runs: Runs,
    together: bool,
    rate: float,
) -> None:
    """As `learn_windows`, and as `skip_gram` with five noise words and no n-grams; in float64 too."""
    for centre, (word, begin, end, negatives) in enumerate(zip(*windows, strict=True)):
        context = [index for index in range(begin, end) if index != centre]
        targets, right = np.array([word, *negatives]), np.eye(1, 1 + len(negatives))[0]
        for group in [context] if together and context else [[index] for index in context]:
            parts = [windows.words[index] for index in group]
            rows = [runs.rows[runs.offsets[part] : runs.offsets[part + 1]] for part in parts]
            made = [(inputs[p] + ngrams[r].sum(axis=0)) / (1 + len(r)) for p, r in zip(parts, rows, strict=True)]
            hidden = np.mean(made, axis=0)
            gradient = rate * (right - 1 / (1 + np.exp(-(outputs[targets] @ hidden))))
            moved = gradient @ outputs[targets] / len(group)
            outputs[targets] += np.outer(gradient, hidden).astype(outputs.dtype)
            for part, own in zip(parts, rows, strict=True):
                inputs[part] += moved
                np.add.at(ngrams, own, moved)


@jit()
def compose(inputs: FloatArray, ngrams: FloatArray, offsets: IntArray, runs: Words) -> FloatArray:
    """The vectors of words: the mean of a word's own row and its n-grams', `(words, size)`."""
    vectors = np.zeros_like(inputs)
    for word in range(inputs.shape[0]):
        _add_word(word, inputs, ngrams, offsets, runs, ONE, vectors[word])
    return vectors


@jit(fastmath=_FAST)
def total_loss(
    words: Words,
    begins: Words,
    ends: Words,
    negatives: Words,
    vectors: FloatArray,
    outputs: FloatArray,
    together: bool,
) -> float:
    """The loss of all pairs, nats, in float64; see `total_loss_reference`."""
    hidden = np.zeros(vectors.shape[1], np.float64)
    total = 0.0
    for centre in range(words.shape[0]):
        begin, end = begins[centre], ends[centre]
        if end - begin < 2:
            continue
        hidden[:] = 0.0
        for index in range(begin, end):
            if index == centre:
                continue
            before = 1.0 if together else 0.0
            for d in range(hidden.shape[0]):
                hidden[d] = vectors[words[index], d] + before * hidden[d]
            if not together:
                total += _loss(hidden, 1.0, outputs, words[centre], negatives[centre])
        if together:
            total += _loss(hidden, 1.0 / (end - begin - 1), outputs, words[centre], negatives[centre])
    return total


@jit(fastmath=_FAST)
def _loss(hidden: DoubleArray, scale: float, outputs: FloatArray, word: int, negatives: Words) -> float:
    """Of one pair."""
    total = 0.0
    for number in range(-1, negatives.shape[0]):
        target = word if number < 0 else negatives[number]
        z = 0.0
        for d in range(hidden.shape[0]):
            z += hidden[d] * outputs[target, d]
        z *= -scale if number < 0 else scale
        total += max(z, 0.0) + math.log1p(math.exp(-abs(z)))
    return total


def total_loss_reference(windows: DrawnWindows, vectors: NDArray[Any], outputs: NDArray[Any], together: bool) -> float:
    """Of each pair of an input h and a word with its noise words: -log s(h o) - sum of log s(-h noise)."""
    total = 0.0
    for centre, (word, begin, end, negatives) in enumerate(zip(*windows, strict=True)):
        context = vectors[[windows.words[index] for index in range(begin, end) if index != centre]].astype(np.float64)
        for hidden in context.mean(axis=0, keepdims=True) if together and len(context) else context:
            total += float(
                np.logaddexp(0, -hidden @ outputs[word]) + np.logaddexp(0, outputs[negatives] @ hidden).sum()
            )
    return total
