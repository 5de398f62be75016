"""The compiled loop of the prefix beam search: frames in, beams over a tree of prefixes out. See `prefix_search`.

Prefixes are nodes of a tree, each there once, so that two ways to one prefix are found to be the same. A beam is a node
with the log-probability of all paths that collapse to it and end in a blank, and of those that end in its last symbol.

A second tree holds when symbols were entered: a node there is a symbol's frame, and the node of the symbol before. Each
beam has two such nodes, for the two ways its paths may end: those of whichever part brought more probability.

Everything is in arrays of records, as long as there is room, not as much as is used; `counts` says what is.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.arrays import BoolArray, DoubleArray, IntArray
from recurra.kernels import jit
from recurra.tasks.speech.ctc import log_add
from recurra.tasks.speech.hot_words import DEAD, ROOT, HotWords, follow, gain

Records = npt.NDArray[Any]
"""An array of one of the types of records here; NumPy's own annotations do not know their fields."""

BEAM = np.dtype(
    [
        ("blank", np.float64),
        ("label", np.float64),
        ("total", np.float64),
        ("bonus", np.float64),
        ("node", np.int32),
        ("hot", np.int32),
        ("blank_time", np.int32),
        ("label_time", np.int32),
    ]
)
"""A prefix that is kept: the log-probabilities of its paths that end in a blank, of those that end in its last symbol,
and of all; what it gains by hot words, a language model and its length; its node in the tree, the state of the hot
words, and the last symbol's time for either kind of paths. All -1 or -inf where there is none."""

NODE = np.dtype(
    [(name, np.int32) for name in ("parent", "symbol", "child", "sibling", "beam", "beams_below", "new_number")]
)
"""A node of the tree of prefixes: its parent's prefix and one more symbol; its newest child, the next older child of
its parent, and the beam that is at it. Node 0 is the root, whose symbol is -1 until symbols are emitted, then the last
of them. Parents come before their children. The last two fields are for `compact`."""

TIME = np.dtype(
    [("log_prob", np.float64), ("frame", np.int64)]
    + [(name, np.int32) for name in ("symbol", "parent", "beams_below", "new_number")]
)
"""When a symbol was entered, its log-probability in that frame, the symbol, and the time of the symbol before it, -1
for none. The last two fields are for `compact`."""

SCORED = np.dtype([("score", np.float64), ("key", np.int64)])
"""What is to be sorted: symbols of a frame, and candidates, whose key tells the beam and the symbol (`_take`)."""

STAYED = np.dtype(
    [
        ("blank", np.float64),
        ("label", np.float64),
        ("total", np.float64),
        ("blank_time", np.int32),
        ("label_time", np.int32),
        ("extended", np.int32),
        ("following", np.int32),
    ]
)
"""A beam's own prefix after a frame, and the first in a list of the beams that extend it by one symbol; `following` is
the next in the list that the beam itself is in."""

MOVE = np.dtype([("origin", np.int64), ("symbol", np.int64)])
"""Which beam a beam was before the frame, and the symbol by which it was extended, -1 for none."""

NUM_BEAMS, NUM_NODES, NUM_TIMES, FRAME, NUM_EMITTED, NUM_COUNTS = range(6)
"""Places in `counts`, and how many there are: what is in use of the arrays, and the number of the next frame."""

_ROUNDING = 1e-9  # A bound is never below what it bounds because of rounding.
_SMALL = 12  # Parts of a sort up to this long are sorted by insertion.


class Rules(NamedTuple):
    """What a search goes by; see the options of the same names.

    Attributes:
        blank: which symbol is the blank.
        beam_size: most beams.
        symbol_threshold: symbols below it in a frame are left out, nats.
        beam_threshold: beams that are further below the best are left out, nats, at most 0.
        beta: what each symbol gains, nats.
        lag: frames after which a symbol of the best beam is settled.
        emit_every: frames after which what all beams begin with is taken off.
    """

    blank: int
    beam_size: int
    symbol_threshold: float
    beam_threshold: float
    beta: float
    lag: int
    emit_every: int


class Scratch(NamedTuple):
    """Space for one frame.

    Attributes:
        row: its log-probabilities, -inf where pruned, `(symbols,)`.
        ranked: the symbols that are left but the blank, the most probable first, `(symbols,)` `SCORED`.
        taken: marks symbols by which a beam is extended to another beam, `(symbols,)`, all False between beams.
        stayed: `(beams,)` `STAYED`.
        candidates: `(2 * beams + 1,)` `SCORED`.
        moves: `(beams,)` `MOVE`.
        spare: the beams after the frame, `(beams,)` `BEAM`.
        waiting: parts that are yet to be sorted, `(64, 2)`.
    """

    row: DoubleArray
    ranked: Records
    taken: BoolArray
    stayed: Records
    candidates: Records
    moves: Records
    spare: Records
    waiting: IntArray


def new_scratch(beam_size: int, num_symbols: int) -> Scratch:
    """Space for a search."""
    return Scratch(
        np.empty(num_symbols),
        np.empty(num_symbols, SCORED),
        np.zeros(num_symbols, np.bool_),
        np.empty(beam_size, STAYED),
        np.empty(2 * beam_size + 1, SCORED),
        np.empty(beam_size, MOVE),
        np.empty(beam_size, BEAM),
        np.empty((64, 2), np.int64),
    )


@jit(counted=False)
def search_frames(
    log_probs: DoubleArray,
    start: int,
    rules: Rules,
    hot: HotWords,
    rows: DoubleArray,
    beams: Records,
    tree: Records,
    times: Records,
    emitted: Records,
    scratch: Scratch,
    counts: IntArray,
) -> int:
    """Search on, in place, through the frames from `start` on, until they or the room in the trees are at an end.

    Args:
        log_probs: (frames, symbols).
        start: the first of the frames to read.
        rules: what the search goes by.
        hot: the hot words.
        rows: what a language model adds for each symbol that may come next, (beams, symbols); of no rows without one.
            They hold for one frame, so give only one.
        beams: where the search stands, `BEAM`.
        tree: the prefixes, `NODE`.
        times: when their symbols were entered, `TIME`.
        emitted: what is taken off is appended here, `TIME`.
        scratch: space for one frame.
        counts: what of all this is in use.

    Returns:
        The frame it came to. Nothing was done with it, nor with those after it. -1 if no beam has any probability left.
    """
    row, ranked, taken, stayed, candidates, moves, spare, waiting = scratch
    for t in range(start, log_probs.shape[0]):
        if (
            counts[NUM_NODES] + rules.beam_size > tree.shape[0]
            or counts[NUM_TIMES] + 2 * rules.beam_size > times.shape[0]
        ):
            return t
        num_symbols = _choose_symbols(log_probs, t, rules, row, ranked, waiting)
        _stay(rules.blank, row, beams, tree, times, stayed, counts)
        found = _find_candidates(
            num_symbols, counts[NUM_BEAMS], rules, hot, rows, beams, tree, ranked, taken, stayed, candidates, waiting
        )
        if found == 0:
            return -1
        _take(found, rules, hot, rows, beams, tree, times, row, stayed, candidates, moves, spare, counts)
        counts[FRAME] += 1
        if counts[FRAME] % rules.emit_every == 0:
            _settle(rules.lag, beams, tree, times, moves, counts)
            compact(True, beams, tree, times, emitted, counts)
    return len(log_probs)


@jit(counted=False)
def _choose_symbols(
    log_probs: DoubleArray, t: int, rules: Rules, row: DoubleArray, ranked: Records, waiting: IntArray
) -> int:
    """Which symbols of a frame take part: those above the threshold, and the best of all; the number of non-blanks."""
    best = 0
    for symbol in range(row.shape[0]):
        row[symbol] = log_probs[t, symbol]
        if row[symbol] > row[best]:
            best = symbol
    count = 0
    for symbol in range(row.shape[0]):
        if row[symbol] < rules.symbol_threshold and symbol != best:
            row[symbol] = -math.inf
        if row[symbol] > -math.inf and symbol != rules.blank:
            ranked[count].score = row[symbol]
            ranked[count].key = symbol
            count += 1
    if count > 1:
        sort_best(ranked, count, count, waiting)
    return count


@jit(counted=False)
def _stay(
    blank: int, row: DoubleArray, beams: Records, tree: Records, times: Records, stayed: Records, counts: IntArray
) -> None:
    """What becomes of each beam's own prefix: by a blank, by its last symbol again, and by its parent's extension."""
    count = counts[NUM_BEAMS]
    for i in range(count):
        stayed[i].extended = -1
    for i in range(count):
        beam, after = beams[i], stayed[i]
        symbol = tree[beam.node].symbol
        log_prob = row[symbol] if symbol >= 0 else -math.inf
        after.blank = beam.total + row[blank]
        after.blank_time = _last_time(beam)
        after.label = beam.label + log_prob
        after.label_time = beam.label_time
        parent = tree[tree[beam.node].parent].beam if beam.node > 0 else -1
        if parent >= 0:
            after.following = stayed[parent].extended
            stayed[parent].extended = i
            entering = _paths(beams[parent], tree, symbol) + log_prob
            if entering > after.label:
                before = _time_before(beams[parent], tree, symbol)
                after.label_time = _add_time(times, counts, before, symbol, log_prob)
            after.label = log_add(after.label, entering)
        after.total = log_add(after.blank, after.label)


@jit(counted=False)
def _paths(beam: Any, tree: Records, symbol: int) -> float:
    """The log-probability of the paths that a symbol extends: if it repeats the last one, only those after a blank."""
    return float(beam.blank if tree[beam.node].symbol == symbol else beam.total)


@jit(counted=False)
def _time_before(beam: Any, tree: Records, symbol: int) -> int:
    """The time of the last symbol in these paths."""
    return int(beam.blank_time if tree[beam.node].symbol == symbol else _last_time(beam))


@jit(counted=False)
def _last_time(beam: Any) -> int:
    """The time of a beam's last symbol, by the more probable way that its paths end."""
    return int(beam.blank_time if beam.blank >= beam.label else beam.label_time)


@jit(counted=False)
def _add_time(times: Records, counts: IntArray, before: int, symbol: int, log_prob: float) -> int:
    """The number of a new time, in this frame."""
    number = int(counts[NUM_TIMES])
    new = times[number]
    new.log_prob = log_prob
    new.frame = counts[FRAME]
    new.symbol = symbol
    new.parent = before
    counts[NUM_TIMES] += 1
    return number


@jit(counted=False)
def _find_candidates(
    num_symbols: int,
    count: int,
    rules: Rules,
    hot: HotWords,
    rows: DoubleArray,
    beams: Records,
    tree: Records,
    ranked: Records,
    taken: BoolArray,
    stayed: Records,
    candidates: Records,
    waiting: IntArray,
) -> int:
    """Put the best prefixes after the frame in order; their number. Those that cannot be among them are passed over."""
    size = rules.beam_size
    found, best, kept = _keep_stayed(beams, stayed, candidates, count)
    if found < size:
        kept = -math.inf  # Candidates below it are not among the `size` best.
    for i in range(count):
        beam = beams[i]
        _mark(i, True, beams, tree, stayed, taken)
        reach = beam.total + beam.bonus + rules.beta + _most_gain(i, beam.hot, hot, rows) + _ROUNDING
        for k in range(num_symbols):
            log_prob, symbol = ranked[k].score, ranked[k].key
            if reach + log_prob < max(kept, best + rules.beam_threshold):
                break
            if taken[symbol]:
                continue
            bonus = beam.bonus + rules.beta + _gain(i, beam.hot, symbol, hot, rows)
            score = _paths(beam, tree, symbol) + log_prob + bonus
            if score < kept or not score > -math.inf:
                continue
            best = max(best, score)
            candidates[found].score = score
            candidates[found].key = size + i * taken.shape[0] + symbol
            found += 1
            if found == candidates.shape[0]:
                sort_best(candidates, found, size, waiting)
                found, kept = size, candidates[size - 1].score
        _mark(i, False, beams, tree, stayed, taken)
    if found > 1:
        sort_best(candidates, found, size, waiting)
    found = min(found, size)
    while found and candidates[found - 1].score < best + rules.beam_threshold:
        found -= 1
    return found


@jit(counted=False)
def _keep_stayed(beams: Records, stayed: Records, candidates: Records, count: int) -> tuple[int, float, float]:
    """Make candidates of the beams' own prefixes; how many, and the best and the lowest score."""
    found, best, lowest = 0, -math.inf, math.inf
    for i in range(count):
        score = stayed[i].total + beams[i].bonus
        if score > -math.inf:
            candidates[found].score = score
            candidates[found].key = i
            found += 1
            best, lowest = max(best, score), min(lowest, score)
    return found, best, lowest


@jit(counted=False)
def _mark(i: int, mark: bool, beams: Records, tree: Records, stayed: Records, taken: BoolArray) -> None:
    """Mark the symbols by which a beam is extended to another one."""
    child = stayed[i].extended
    while child >= 0:
        taken[tree[beams[child].node].symbol] = mark
        child = stayed[child].following


@jit(counted=False)
def _most_gain(i: int, state: int, hot: HotWords, rows: DoubleArray) -> float:
    """What a beam gains by one more symbol, at most, its length aside."""
    gained = hot.states[state].reach if hot.states.shape[0] else 0.0
    if rows.shape[0]:
        most = rows[i, 0]
        for symbol in range(1, rows.shape[1]):
            most = max(most, rows[i, symbol])
        gained += most
    return gained


@jit(counted=False)
def _gain(i: int, state: int, symbol: int, hot: HotWords, rows: DoubleArray) -> float:
    """What a beam gains by one more symbol, its length aside."""
    gained = rows[i, symbol] if rows.shape[0] else 0.0
    if hot.states.shape[0] and state != DEAD:
        gained += hot.begin_gains[symbol] if state == ROOT else gain(hot, state, symbol, follow(hot, state, symbol))
    return gained


@jit(counted=False)
def _take(
    found: int,
    rules: Rules,
    hot: HotWords,
    rows: DoubleArray,
    beams: Records,
    tree: Records,
    times: Records,
    row: DoubleArray,
    stayed: Records,
    candidates: Records,
    moves: Records,
    spare: Records,
    counts: IntArray,
) -> None:
    """Make beams of the candidates: keys below `beam_size` are beams that stay, above beam and symbol, as digits."""
    num_symbols = row.shape[0]
    for i in range(counts[NUM_BEAMS]):
        tree[beams[i].node].beam = -1
    for j in range(found):
        key, new = candidates[j].key, spare[j]
        if key < rules.beam_size:
            i, symbol = key, -1
            _put_same(beams[i], stayed[i], new)
        else:
            i, symbol = (key - rules.beam_size) // num_symbols, (key - rules.beam_size) % num_symbols
            _put_extended(beams[i], symbol, row[symbol], new, tree, times, counts)
            new.bonus = beams[i].bonus + rules.beta + _gain(i, beams[i].hot, symbol, hot, rows)
            new.hot = follow(hot, beams[i].hot, symbol) if hot.states.shape[0] else ROOT
        moves[j].origin = i
        moves[j].symbol = symbol
        tree[new.node].beam = j
    for j in range(found):
        beams[j] = spare[j]
    counts[NUM_BEAMS] = found


@jit(counted=False)
def _put_same(beam: Any, stayed: Any, new: Any) -> None:
    """A beam's own prefix after the frame."""
    new.blank = stayed.blank
    new.label = stayed.label
    new.total = stayed.total
    new.bonus = beam.bonus
    new.node = beam.node
    new.hot = beam.hot
    new.blank_time = stayed.blank_time
    new.label_time = stayed.label_time


@jit(counted=False)
def _put_extended(
    beam: Any, symbol: int, log_prob: float, new: Any, tree: Records, times: Records, counts: IntArray
) -> None:
    """A beam's prefix and one more symbol, which was no beam; all but what it gains."""
    new.blank = -math.inf
    new.label = new.total = _paths(beam, tree, symbol) + log_prob
    before = _time_before(beam, tree, symbol)
    new.blank_time = new.label_time = _add_time(times, counts, before, symbol, log_prob)
    new.node = _child(tree, counts, beam.node, symbol)


@jit(counted=False)
def _child(tree: Records, counts: IntArray, node: int, symbol: int) -> int:
    """The node of a prefix and one more symbol; it may be there already, because of longer prefixes."""
    number = int(tree[node].child)
    while number >= 0:
        if tree[number].symbol == symbol:
            return number
        number = int(tree[number].sibling)
    number = int(counts[NUM_NODES])
    new = tree[number]
    new.parent = node
    new.symbol = symbol
    new.child = -1
    new.sibling = tree[node].child
    new.beam = -1
    tree[node].child = number
    counts[NUM_NODES] += 1
    return number


@jit(counted=False)
def _settle(lag: int, beams: Records, tree: Records, times: Records, moves: Records, counts: IntArray) -> None:
    """Drop the beams that differ from the best in what was entered more than `lag` frames ago."""
    settled = int(_last_time(beams[0]))
    while settled >= 0 and times[settled].frame + lag >= counts[FRAME]:
        settled = int(times[settled].parent)
    kept = 0
    for i in range(counts[NUM_BEAMS] if settled >= 0 else 0):
        beam, last = beams[i], _last_time(beams[i])
        if not _descends(last, settled, times):
            tree[beam.node].beam = -1
            continue
        if not _descends(beam.blank_time, settled, times):
            beam.blank_time = last
        if not _descends(beam.label_time, settled, times):
            beam.label_time = last
        beams[kept] = beam
        moves[kept] = moves[i]
        tree[beam.node].beam = kept
        kept += 1
    if settled >= 0:
        counts[NUM_BEAMS] = kept


@jit(counted=False)
def _descends(time: int, ancestor: int, times: Records) -> bool:
    """Whether a time is the ancestor, or comes after it."""
    number = int(time)
    while number > ancestor:
        number = int(times[number].parent)
    return bool(number == ancestor)


@jit(counted=False)
def compact(emit: bool, beams: Records, tree: Records, times: Records, emitted: Records, counts: IntArray) -> None:
    """Drop what no beam descends from; with `emit` also what all beams begin with, which goes to `emitted`.

    Beams begin with the same if they agree on the frames too, so that emitting changes nothing in what is found.
    """
    common = _count_below(beams, tree, times, counts)
    time, depth = common if emit else -1, 0
    while time >= 0:
        depth, time = depth + 1, int(times[time].parent)
    time = common
    for place in range(counts[NUM_EMITTED] + depth - 1, counts[NUM_EMITTED] - 1, -1):
        emitted[place] = times[time]
        time = int(times[time].parent)
    counts[NUM_EMITTED] += depth
    _compact_tree(_node_at(depth, beams[0].node, tree), beams, tree, counts)
    _compact_times(common if emit else -1, beams, times, counts)


@jit(counted=False)
def _count_below(beams: Records, tree: Records, times: Records, counts: IntArray) -> int:
    """Count the beams at or below each node and each time; the last time that all beams come after, or -1."""
    for node in range(counts[NUM_NODES]):
        tree[node].beams_below = 0
    for time in range(counts[NUM_TIMES]):
        times[time].beams_below = 0
    for i in range(counts[NUM_BEAMS]):
        tree[beams[i].node].beams_below += 1
        for time in (beams[i].blank_time, beams[i].label_time):
            if time >= 0:
                times[time].beams_below += 1
    for node in range(counts[NUM_NODES] - 1, 0, -1):
        tree[tree[node].parent].beams_below += tree[node].beams_below
    common = -1
    for time in range(counts[NUM_TIMES] - 1, -1, -1):
        if times[time].parent >= 0:
            times[times[time].parent].beams_below += times[time].beams_below
        if common < 0 and times[time].beams_below == 2 * counts[NUM_BEAMS]:
            common = time
    return common


@jit(counted=False)
def _node_at(depth: int, node: int, tree: Records) -> int:
    """The node so many symbols below the root on the way to a node."""
    length, number = 0, int(node)
    while number > 0:
        length, number = length + 1, int(tree[number].parent)
    number = int(node)
    for _ in range(length - depth):
        number = int(tree[number].parent)
    return number


@jit(counted=False)
def _compact_tree(root: int, beams: Records, tree: Records, counts: IntArray) -> None:
    """Renumber the nodes that beams are at or below, from a new root on, in their order."""
    count = 0
    for node in range(root, counts[NUM_NODES]):
        if tree[node].beams_below == 0:
            continue
        parent = tree[tree[node].parent].new_number if node > root else -1
        tree[node].new_number = count
        new = tree[count]  # No node that is still to be read, unless it is this one.
        new.symbol, new.beam = tree[node].symbol, tree[node].beam
        new.parent, new.child, new.sibling = parent, -1, -1
        if parent >= 0:
            new.sibling = tree[parent].child
            tree[parent].child = count
        count += 1
    for i in range(counts[NUM_BEAMS]):
        beams[i].node = tree[beams[i].node].new_number
    counts[NUM_NODES] = count


@jit(counted=False)
def _compact_times(root: int, beams: Records, times: Records, counts: IntArray) -> None:
    """Renumber the times that beams refer to, those after a root, in their order."""
    count = 0
    for time in range(root + 1, counts[NUM_TIMES]):
        if times[time].beams_below == 0:
            continue
        parent = times[times[time].parent].new_number if times[time].parent > root else -1
        times[time].new_number = count
        new = times[count]
        new.log_prob, new.frame, new.symbol = times[time].log_prob, times[time].frame, times[time].symbol
        new.parent = parent
        count += 1
    for i in range(counts[NUM_BEAMS]):
        beam = beams[i]
        beam.blank_time = times[beam.blank_time].new_number if beam.blank_time > root else -1
        beam.label_time = times[beam.label_time].new_number if beam.label_time > root else -1
    counts[NUM_TIMES] = count


@jit(counted=False)
def sort_best(items: Records, count: int, best: int, waiting: IntArray) -> None:
    """Sort the first `count` so that the `best` of them come first, in order; among equal scores the lower key.

    Quicksort that leaves aside whatever lies behind the best (Martinez 2004, "Partial quicksort"). `waiting` is space,
    (64, 2).
    """
    waiting[0, 0], waiting[0, 1], depth = 0, count, 1
    while depth:
        depth -= 1
        start, stop = waiting[depth, 0], waiting[depth, 1]
        while stop - start > _SMALL:
            middle = _partition(items, start, stop)
            if middle >= best:
                stop = middle
            elif middle - start < stop - middle:  # The longer part waits, so that at most log2(count) of them do.
                waiting[depth, 0], waiting[depth, 1] = middle, stop
                depth, stop = depth + 1, middle
            else:
                waiting[depth, 0], waiting[depth, 1] = start, middle
                depth, start = depth + 1, middle
        _insert(items, start, stop)


@jit(counted=False)
def _partition(items: Records, start: int, stop: int) -> int:
    """Hoare's partition by the middle element: what is before the place returned comes before what is after."""
    pivot = (start + stop - 1) // 2
    score, key = items[pivot].score, items[pivot].key
    low, high = start - 1, stop
    while True:
        low += 1
        while items[low].score > score or (items[low].score == score and items[low].key < key):
            low += 1
        high -= 1
        while items[high].score < score or (items[high].score == score and items[high].key > key):
            high -= 1
        if low >= high:
            return high + 1
        items[low].score, items[high].score = items[high].score, items[low].score
        items[low].key, items[high].key = items[high].key, items[low].key


@jit(counted=False)
def _insert(items: Records, start: int, stop: int) -> None:
    """Insertion sort."""
    for place in range(start + 1, stop):
        score, key = items[place].score, items[place].key
        while place > start:
            before = items[place - 1]
            if before.score > score or (before.score == score and before.key < key):
                break
            items[place].score, items[place].key = before.score, before.key
            place -= 1
        items[place].score, items[place].key = score, key
