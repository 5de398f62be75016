"""Connectionist temporal classification: from a distribution a frame to symbols (Graves et al. 2006).

A model gives for each frame the log-probabilities of its symbols, one of which is the blank, (frames, symbols). A path
is one symbol a frame; it collapses to a labelling when runs of a symbol become one and then blanks go. The probability
of a labelling is the sum of those of its paths.

Symbols are numbers here. What they are written as is the business of whoever calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.arrays import DoubleArray, IntArray
from recurra.errors import NOT_NUMBERS, RecurraError
from recurra.kernels import exponential, jit

TOLERANCE = 0.01
"""How far from 1 the probabilities of a frame may add up to: half precision is that coarse."""

MAX_ALIGNMENT_BYTES = 2**31
"""Memory that an alignment may take; it needs a byte for each frame and each of twice the symbols."""

_NEVER = -math.inf
_NEGLIGIBLE = -40.0  # e to this power, added to 1, is 1.


class Labelling(NamedTuple):
    """Symbols and the frames they were found in.

    Attributes:
        symbols: `(length,)`, no blanks.
        starts: the first frame of each, `(length,)`.
        stops: the frame after the last of each, `(length,)`.
        log_probs: the highest log-probability of each symbol in its frames, `(length,)`, nats.
    """

    symbols: IntArray
    starts: IntArray
    stops: IntArray
    log_probs: DoubleArray


def joined(first: Labelling, second: Labelling) -> Labelling:
    """One after the other."""
    return Labelling(*(np.concatenate(parts) for parts in zip(first, second, strict=True)))


def empty_labelling() -> Labelling:
    """No symbols."""
    none = np.zeros(0, np.int64)
    return Labelling(none, none, none, np.zeros(0))


class Word(NamedTuple):
    """A word of a labelling.

    Attributes:
        first: the index of its first symbol in the labelling.
        last: the index after its last symbol.
        start: its first frame.
        stop: the frame after its last.
        log_prob: the sum of its symbols' log-probabilities, nats. Its exponential is the raw confidence: the chance
            that every symbol is right if they err independently. It is not calibrated.
    """

    first: int
    last: int
    start: int
    stop: int
    log_prob: float


def check_log_probs(log_probs: npt.ArrayLike, blank: int) -> DoubleArray:
    """The log-probabilities of a model as all here takes them.

    Args:
        log_probs: `(frames, symbols)`, nats; of any number of frames, also none.
        blank: which symbol is the blank.

    Returns:
        The same in float64, contiguous.

    Raises:
        RecurraError: if they have another shape, there is no such blank, something is not a number, or the
            probabilities of a frame do not add up to 1, as those of logits and of probabilities themselves do not.
    """
    array: DoubleArray = np.ascontiguousarray(log_probs, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] < 2:
        raise RecurraError(f"log-probabilities have the shape {array.shape}; give (frames, symbols), blank included")
    if not 0 <= blank < array.shape[1]:
        raise RecurraError(f"the blank is symbol {blank}, but there are only {array.shape[1]}, counted from 0")
    frame = _first_unusable(array, TOLERANCE)
    if frame >= 0:
        raise RecurraError(_what_is_wrong(array[frame], frame))
    return array


@jit(fastmath=frozenset({"reassoc"}))
def _first_unusable(log_probs: DoubleArray, tolerance: float) -> int:
    """The first frame whose probabilities do not add up to about 1, which NaN never does; -1 if all do."""
    for frame in range(log_probs.shape[0]):
        total = np.float32(0.0)
        for symbol in range(log_probs.shape[1]):
            scale, growth = exponential(np.float32(log_probs[frame, symbol]))
            total += scale + scale * growth
        if not abs(total - 1) <= tolerance:
            return frame
    return -1


def _what_is_wrong(row: DoubleArray, frame: int) -> str:
    if np.isnan(row).any() or (row == np.inf).any():
        return f"frame {frame}: {NOT_NUMBERS}"
    if (row >= 0).all() and abs(row.sum() - 1) <= TOLERANCE:
        return f"frame {frame} holds probabilities where log-probabilities belong; give their logarithms"
    with np.errstate(over="ignore"):
        total = np.exp(row).sum()
    return f"the probabilities of frame {frame} add up to {total:.3g}, not to 1; if these are logits give log_softmax"


def check_symbols(symbols: Sequence[int] | IntArray, num_symbols: int, blank: int) -> IntArray:
    """A labelling's symbols as an array `(length,)`.

    Raises:
        RecurraError: if one is the blank or none of the model's.
    """
    array = np.asarray(symbols, dtype=np.int64).reshape(-1)
    wrong = array[(array < 0) | (array >= num_symbols) | (array == blank)]
    if len(wrong):
        raise RecurraError(
            f"symbol {wrong[0]} cannot be in a text; there are {num_symbols}, counted from 0, and {blank} is the blank"
        )
    return array


def frames_needed(symbols: Sequence[int] | IntArray) -> int:
    """The fewest frames a labelling fits in: one a symbol, and one for the blank between a symbol and its repeat."""
    array = np.asarray(symbols)
    return len(array) + int((array[1:] == array[:-1]).sum())


def greedy(log_probs: npt.ArrayLike, blank: int) -> Labelling:
    """The labelling of the most probable path: the best symbol of each frame, collapsed.

    Args:
        log_probs: `(frames, symbols)`, nats.
        blank: which symbol is the blank.

    Returns:
        The symbols; the frames of each are its run. Among equally probable symbols of a frame the lowest is taken.

    Raises:
        RecurraError: see `check_log_probs`.
    """
    array = check_log_probs(log_probs, blank)
    return _collapse(array, array.argmax(axis=1), blank)


def _collapse(log_probs: DoubleArray, path: IntArray, blank: int) -> Labelling:
    """The labelling of a path `(frames,)`, with the runs it is made of."""
    if not len(path):
        return empty_labelling()
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    stops = np.append(starts[1:], len(path))
    peaks = np.maximum.reduceat(log_probs[np.arange(len(path)), path], starts)
    kept = path[starts] != blank
    return Labelling(path[starts][kept], starts[kept], stops[kept], peaks[kept])


def words(labelling: Labelling, separator: int) -> list[Word]:
    """The words of a labelling: what stands between separators; several of these in a row are like one."""
    borders = np.flatnonzero(np.concatenate([[True], labelling.symbols == separator, [True]])) - 1
    return [
        Word(
            first + 1,
            last,
            int(labelling.starts[first + 1]),
            int(labelling.stops[last - 1]),
            float(labelling.log_probs[first + 1 : last].sum()),
        )
        for first, last in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)
        if last > first + 1
    ]


def labelling_log_prob(log_probs: npt.ArrayLike, symbols: Sequence[int] | IntArray, blank: int) -> float:
    """The log-probability of a labelling: the sum over all its paths (Graves et al. 2006, equations 6 to 8).

    Args:
        log_probs: `(frames, symbols)`, nats.
        symbols: the labelling, `(length,)`.
        blank: which symbol is the blank.

    Returns:
        Nats; -inf if no path collapses to it, as when there are too few frames. Torch's `ctc_loss` is the negative.

    Raises:
        RecurraError: see `check_log_probs` and `check_symbols`.
    """
    array = check_log_probs(log_probs, blank)
    return float(_forward(array, _with_blanks(check_symbols(symbols, array.shape[1], blank), blank)))


def align(log_probs: npt.ArrayLike, symbols: Sequence[int] | IntArray, blank: int) -> Labelling:
    """Where the symbols of a known text are: its most probable path (forced alignment, by Viterbi's algorithm).

    Args:
        log_probs: `(frames, symbols)`, nats.
        symbols: the text, `(length,)`.
        blank: which symbol is the blank.

    Returns:
        The text with the frames of each symbol.

    Raises:
        RecurraError: see `check_log_probs` and `check_symbols`; also if the text does not fit into the frames, no path
            to it has any probability, or it is too long to be aligned at once.
    """
    array = check_log_probs(log_probs, blank)
    text = check_symbols(symbols, array.shape[1], blank)
    needed = frames_needed(text)
    if needed > len(array):
        raise RecurraError(f"a text of {len(text)} symbols needs {needed} frames, but there are {len(array)}")
    states = _with_blanks(text, blank)
    if len(array) * len(states) > MAX_ALIGNMENT_BYTES:
        raise RecurraError(f"{len(array)} frames and {len(text)} symbols are too many to align at once; do it in parts")
    path = np.empty(len(array), np.int64)
    if _best_path(array, states, path) == _NEVER:
        raise RecurraError("the text cannot be aligned: the model rules it out, its probability is 0")
    return _spans(array, states, path)


def _with_blanks(symbols: IntArray, blank: int) -> IntArray:
    """The states of a labelling's paths: a blank before, between and after the symbols, `(2 * length + 1,)`."""
    states = np.full(2 * len(symbols) + 1, blank, np.int64)
    states[1::2] = symbols
    return states


def _spans(log_probs: DoubleArray, states: IntArray, path: IntArray) -> Labelling:
    """The frames of each symbol, from the state of each frame `(frames,)`."""
    length = len(states) // 2
    labels = 2 * np.arange(length) + 1
    starts, stops = np.searchsorted(path, labels, "left"), np.searchsorted(path, labels, "right")
    peaks = [
        log_probs[start:stop, states[label]].max() for start, stop, label in zip(starts, stops, labels, strict=True)
    ]
    return Labelling(states[labels], starts, stops, np.array(peaks, np.float64))


@jit()
def log_add(a: float, b: float) -> float:
    """log(e^a + e^b), where either may be -inf."""
    if a < b:
        a, b = b, a
    difference = b - a  # NaN if both are -inf
    return a + math.log1p(math.exp(difference)) if difference > _NEGLIGIBLE else a


@jit()
def _forward(log_probs: DoubleArray, states: IntArray) -> float:
    """The log of the sum over all paths through the states, (2 * length + 1,); a label may follow another one's."""
    count = states.shape[0]
    alpha = np.full(count, -math.inf)
    alpha[0] = 0.0  # Before the first frame it is as if a blank had been read.
    for frame in range(log_probs.shape[0]):
        for state in range(count - 1, -1, -1):
            total = alpha[state]
            if state >= 1:
                total = log_add(total, alpha[state - 1])
            if state >= 2 and state % 2 and states[state] != states[state - 2]:
                total = log_add(total, alpha[state - 2])
            alpha[state] = total + log_probs[frame, states[state]]
    return log_add(alpha[count - 1], alpha[count - 2]) if count > 1 else float(alpha[0])


@jit()
def _best_path(log_probs: DoubleArray, states: IntArray, path: IntArray) -> float:
    """The log-probability of the best path through the states, and in ``path`` (frames,) the state of each frame."""
    frames, count = log_probs.shape[0], states.shape[0]
    best = np.full(count, -math.inf)
    best[0] = 0.0
    moves = np.zeros((frames, count), np.int8)
    for frame in range(frames):
        for state in range(count - 1, -1, -1):
            for move in (1, 2):
                skips = move == 2
                if state < move or (skips and (state % 2 == 0 or states[state] == states[state - 2])):
                    continue
                if best[state - move] > best[state]:
                    best[state] = best[state - move]
                    moves[frame, state] = move
            best[state] += log_probs[frame, states[state]]
    state = count - 2 if count > 1 and best[count - 2] > best[count - 1] else count - 1
    log_prob = float(best[state])
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        state -= moves[frame, state]
    return log_prob


def forward_reference(log_probs: DoubleArray, symbols: Sequence[int], blank: int) -> float:
    """The twin of `labelling_log_prob`: the recursion on probabilities, which underflow if there are many frames."""
    states = [blank, *(state for symbol in symbols for state in (symbol, blank))]
    probabilities = np.exp(log_probs)
    before = [1.0] + [0.0] * (len(states) - 1)
    for row in probabilities:
        after = []
        for index, state in enumerate(states):
            total = before[index] + (before[index - 1] if index else 0.0)
            if index >= 2 and state not in (blank, states[index - 2]):
                total += before[index - 2]
            after.append(total * row[state])
        before = after
    return _log(sum(before[-2:]))


def align_reference(log_probs: DoubleArray, symbols: Sequence[int], blank: int) -> tuple[float, list[int]]:
    """The twin of `align`: the best path's log-probability, and the symbol of each of its frames."""
    states = [blank, *(state for symbol in symbols for state in (symbol, blank))]
    paths: list[tuple[float, list[int]]] = [(_NEVER, []) for _ in states]
    paths[0] = (0.0, [])
    for row in log_probs:
        reached = []
        for index, state in enumerate(states):
            skips = index >= 2 and state not in (blank, states[index - 2])
            log_prob, path = max(paths[max(0, index - 2 if skips else index - 1) : index + 1], key=lambda pair: pair[0])
            reached.append((log_prob + row[state], [*path, state]))
        paths = reached
    return max(paths[-2:], key=lambda pair: pair[0])


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else _NEVER
