"""Prefix beam search: the most probable labellings under CTC, each summed over its paths.

After Graves (2006 and 2012, section 7.5.3) and Hannun et al. (2014, arXiv 1408.2873). Frame by frame, the prefixes that
are kept stay what they are, by a blank or by their last symbol once more, or are extended by a symbol. A symbol that
repeats the last one extends only what ends in a blank. All ways to one prefix are added up. Of the prefixes after a
frame the `beam_size` best are kept, those with the largest sum of

    log p(prefix | frames) + alpha * log p(prefix), by a language model + beta * length + what hot words bring

Among equal ones those that stayed come first, then the extensions of the better prefix, then the lower symbol. If no
prefix is ever left out, the result is exact.

The state of a search is a value: `PrefixDecoder.advance` takes one and gives another, so that frames may come in pieces
of any size, with the same result to the last bit. What all kept prefixes begin with cannot change any more; it is
emitted and forgotten now and then. Prefixes that differ in nothing but an old symbol could be kept for ever, and take
the place of what differs now; so those that differ from the best one in a symbol, or its frame, older than `lag` frames
are dropped at the same times. Thus a state does not grow with the length of a recording.

The frame of a symbol is where its prefix was entered: the last frame in which more probability came from the prefix
before it than was kept of what had come earlier. `ctc.align` finds where the symbols of a known text are more exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.arrays import DoubleArray, IntArray
from recurra.config import Options, Range
from recurra.errors import OptionError, RecurraError
from recurra.tasks.speech.ctc import Labelling, check_log_probs, joined
from recurra.tasks.speech.hot_words import ROOT, HotWords, bonus_reference, final_gains, no_hot_words
from recurra.tasks.speech.prefix_kernel import (
    BEAM,
    NODE,
    NUM_BEAMS,
    NUM_COUNTS,
    NUM_EMITTED,
    NUM_NODES,
    NUM_TIMES,
    TIME,
    Records,
    Rules,
    compact,
    new_scratch,
    search_frames,
)
from recurra.tasks.speech.scorer import Scorer

EMIT_EVERY = 64
"""Frames between two emissions. They are counted from the first of all, however the frames arrive."""

_ROOM = 2**12  # Nodes that there is room for at first, unless a frame needs more.
_NO_LAG = 2**62
_NEVER = -math.inf


@dataclass(frozen=True)
class PrefixSearch(Options):
    """How the most probable text is searched for."""

    group: ClassVar[str] = "search"
    may_be_none: ClassVar[frozenset[str]] = frozenset(("symbol_threshold", "beam_threshold", "lag"))

    beam_size: Annotated[int, Range(1, 100_000)] = 100
    """How many prefixes are kept after each frame."""
    n_best: Annotated[int, Range(1, 100_000)] = 1
    """How many texts are given, the best first; at most --beam-size."""
    symbol_threshold: Annotated[float | None, Range(-1e6, 0.0)] = -5.0
    """Symbols of a lower log-probability are left out of a frame, but for its best; none if not set."""
    beam_threshold: Annotated[float | None, Range(-1e6, 0.0)] = -10.0
    """Prefixes this much below the best are dropped, as a log-probability; none if not set."""
    lag: Annotated[int | None, Range(0, 10**9)] = 500
    """Frames after which the best text so far is settled, and what differs there is dropped; never if not set."""
    alpha: Annotated[float, Range(0.0, 100.0)] = 0.5
    """Weight of the language model's log-probability, if there is one."""
    beta: Annotated[float, Range(-100.0, 100.0)] = 0.0
    """What each symbol of a text adds to its score: a language model favours short texts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_best > self.beam_size:
            raise OptionError(f"`n_best` is {self.n_best}, but must be at most `beam_size`, which is {self.beam_size}")


EXACT = PrefixSearch(symbol_threshold=None, beam_threshold=None, lag=None)
"""Nothing is left out but by the size of the beam."""


class Hypothesis(NamedTuple):
    """A text that was found.

    Attributes:
        labelling: its symbols; the frame of each is where it was entered, its log-probability is that in this frame.
        log_prob: of the labelling by the frames alone, nats: the sum over those of its paths that were kept.
        score: what texts are ranked by: with what the language model, the length and hot words add.
    """

    labelling: Labelling
    log_prob: float
    score: float


class SearchState(NamedTuple):
    """Where a search stands; a value, whose arrays nobody changes.

    Attributes:
        counts: see `prefix_kernel`.
        beams: the prefixes that are kept, the best first, `(beams,)`.
        tree: their symbols, but for what was emitted, `(nodes,)`.
        times: the frames of these, `(times,)`.
        rows: what the scorer said of the symbols that may come next, times alpha, `(beams, symbols)`; no rows without.
        scorer_states: the scorer's state for each beam.
    """

    counts: IntArray
    beams: Records
    tree: Records
    times: Records
    rows: DoubleArray
    scorer_states: tuple[Any, ...]


class PrefixDecoder:
    """A prefix beam search over the frames of a model.

    Args:
        num_symbols: of the model, the blank included.
        blank: which symbol is the blank.
        options: how to search.
        hot_words: what to favour, from `compile_hot_words` for the same symbols.
        scorer: a language model of symbols.
        emit_every: frames after which what all prefixes begin with is emitted.

    Raises:
        RecurraError: if there is no such blank, or the hot words are for another number of symbols.
    """

    def __init__(
        self,
        num_symbols: int,
        blank: int,
        options: PrefixSearch = PrefixSearch(),
        hot_words: HotWords | None = None,
        scorer: Scorer | None = None,
        emit_every: int = EMIT_EVERY,
    ) -> None:
        if not 0 <= blank < num_symbols:
            raise RecurraError(f"the blank is symbol {blank}, but there are only {num_symbols}, counted from 0")
        self.num_symbols, self.blank, self.options = num_symbols, blank, options
        self.hot_words = no_hot_words() if hot_words is None else hot_words
        if len(self.hot_words.begins) not in (0, num_symbols):
            raise RecurraError(
                f"the hot words are for {len(self.hot_words.begins)} symbols, the model has {num_symbols}"
            )
        self.scorer = scorer if options.alpha else None
        self._rules = Rules(
            blank,
            options.beam_size,
            _NEVER if options.symbol_threshold is None else float(options.symbol_threshold),
            _NEVER if options.beam_threshold is None else float(options.beam_threshold),
            float(options.beta),
            _NO_LAG if options.lag is None else options.lag,
            emit_every,
        )

    def __call__(self, log_probs: npt.ArrayLike) -> list[Hypothesis]:
        """The best texts of all frames of a recording.

        Args:
            log_probs: `(frames, symbols)`, nats.

        Returns:
            At most `n_best`, the best first, no two alike.

        Raises:
            RecurraError: see `advance`.
        """
        emitted, state = self.advance(log_probs, self.start())
        return [
            hypothesis._replace(labelling=joined(emitted, hypothesis.labelling)) for hypothesis in self.finish(state)
        ]

    def start(self) -> SearchState:
        """The state before the first frame: the empty prefix."""
        counts = np.zeros(NUM_COUNTS, np.int64)
        counts[[NUM_BEAMS, NUM_NODES]] = 1
        beams = np.array([(0.0, _NEVER, 0.0, 0.0, 0, ROOT, -1, -1)], BEAM)
        tree = np.array([(-1, -1, -1, -1, 0, 0, 0)], NODE)
        times = np.zeros(0, TIME)
        if self.scorer is None:
            return SearchState(counts, beams, tree, times, np.zeros((0, self.num_symbols)), ())
        row, scorer_state = self.scorer.start()
        rows = self._weighed(np.asarray(row, np.float64)[None], 1)
        return SearchState(counts, beams, tree, times, rows, (scorer_state,))

    def advance(self, log_probs: npt.ArrayLike, state: SearchState) -> tuple[Labelling, SearchState]:
        """Read some more frames.

        Args:
            log_probs: `(frames, symbols)`, nats; any number of frames.
            state: the state to go on from; not changed.

        Returns:
            What can no longer change and was not given before, and the new state, which begins after it.

        Raises:
            RecurraError: if the frames are not log-probabilities of this many symbols (see `ctc.check_log_probs`), or
                the scorer gives what is none or rules out every prefix.
        """
        array = check_log_probs(log_probs, self.blank)
        if array.shape[1] != self.num_symbols:
            raise RecurraError(f"the frames have {array.shape[1]} symbols, but the search is for {self.num_symbols}")
        work = _Work(state, len(array), self.num_symbols, self._rules)
        if self.scorer is None:
            work.search(array, self.hot_words, state.rows)
            return work.emitted(), work.state(state.rows, ())
        rows, scorer_states = state.rows, state.scorer_states
        for frame in range(len(array)):
            work.search(array[frame : frame + 1], self.hot_words, rows)
            rows, scorer_states = self._score(self.scorer, work, rows, scorer_states)
        return work.emitted(), work.state(rows, scorer_states)

    def finish(self, state: SearchState) -> list[Hypothesis]:
        """The best texts if nothing more comes, or so far; the state remains good to go on from.

        Returns:
            At most `n_best`, the best first, no two alike; without what was emitted, which all begin with.

        Raises:
            RecurraError: if the scorer gives what is no log-probability.
        """
        beams = state.beams
        bonus = beams["bonus"] + final_gains(self.hot_words, beams["hot"])
        if self.scorer is not None:
            ends = np.asarray(self.scorer.finish(state.scorer_states), np.float64)
            bonus += self._weighed(ends[:, None], len(beams))[:, 0]
        scores = beams["total"] + bonus
        best = np.argsort(-scores, kind="stable")[: self.options.n_best]
        return [Hypothesis(_trace(state, i), float(beams["total"][i]), float(scores[i])) for i in best.tolist()]

    def _score(
        self, scorer: Scorer, work: _Work, rows: DoubleArray, scorer_states: tuple[Any, ...]
    ) -> tuple[DoubleArray, tuple[Any, ...]]:
        """The scorer's rows and states of the beams after a frame; only prefixes that are new are asked for."""
        origin, step = work.last_moves()
        after = [scorer_states[i] for i in origin.tolist()]
        rows = rows[origin]
        new = np.flatnonzero(step >= 0)
        if len(new):
            log_probs, states = scorer.extend([after[j] for j in new.tolist()], step[new])
            rows[new] = self._weighed(np.asarray(log_probs, np.float64), len(new))
            for j, state in zip(new.tolist(), states, strict=True):
                after[j] = state
        return rows, tuple(after)

    def _weighed(self, log_probs: DoubleArray, count: int) -> DoubleArray:
        """What a scorer said, times alpha."""
        if log_probs.ndim != 2 or len(log_probs) != count or log_probs.shape[1] not in (1, self.num_symbols):
            raise RecurraError(
                f"the language model gave scores of the shape {log_probs.shape} for {count} prefixes and"
                f" {self.num_symbols} symbols; it is not for these symbols"
            )
        if np.isnan(log_probs).any() or (log_probs == np.inf).any():
            raise RecurraError("the language model's scores are not numbers; its weights are damaged, train it again")
        return self.options.alpha * log_probs


class _Work:
    """The arrays a search works in, with room; never seen outside."""

    def __init__(self, state: SearchState, frames: int, num_symbols: int, rules: Rules) -> None:
        size = rules.beam_size
        self.rules = rules
        self.counts = state.counts.copy()
        self.counts[NUM_EMITTED] = 0
        room = max(size, min(size * frames, _ROOM))
        self.beams = _grown(state.beams, size)
        self.tree = _grown(state.tree, room)
        self.times = _grown(state.times, 2 * room)
        self.taken_off = np.empty(frames + len(state.tree), TIME)
        self.scratch = new_scratch(size, num_symbols)

    def search(self, log_probs: DoubleArray, hot_words: HotWords, rows: DoubleArray) -> None:
        """Read frames, with more room whenever it is used up."""
        done = 0
        while True:
            done = search_frames(
                log_probs,
                done,
                self.rules,
                hot_words,
                rows,
                self.beams,
                self.tree,
                self.times,
                self.taken_off,
                self.scratch,
                self.counts,
            )
            if done < 0:
                raise RecurraError("the language model rules out everything that the frames allow; use another one")
            if done == len(log_probs):
                return
            self.tree = _grown(self.tree, len(self.tree))
            self.times = _grown(self.times, len(self.times))

    def last_moves(self) -> tuple[IntArray, IntArray]:
        """Which beam each beam was before the last frame, and the symbol it was extended by, -1 for none."""
        moves = self.scratch.moves[: self.counts[NUM_BEAMS]]
        return moves["origin"], moves["symbol"]

    def emitted(self) -> Labelling:
        """What was taken off the tree."""
        return _labelling(self.taken_off[: self.counts[NUM_EMITTED]])

    def state(self, rows: DoubleArray, scorer_states: tuple[Any, ...]) -> SearchState:
        """What is needed to go on."""
        compact(False, self.beams, self.tree, self.times, self.taken_off, self.counts)
        return SearchState(
            self.counts,
            self.beams[: self.counts[NUM_BEAMS]].copy(),
            self.tree[: self.counts[NUM_NODES]].copy(),
            self.times[: self.counts[NUM_TIMES]].copy(),
            rows,
            scorer_states,
        )


def _grown(array: Records, room: int) -> Records:
    """The same array with more room at its end."""
    larger = np.empty(len(array) + room, array.dtype)
    larger[: len(array)] = array
    return larger


def _labelling(times: Records) -> Labelling:
    """Symbols with the frames they were entered in."""
    frames = times["frame"].copy()
    return Labelling(times["symbol"].astype(np.int64), frames, frames + 1, times["log_prob"].copy())


def _trace(state: SearchState, beam: int) -> Labelling:
    """The symbols of a beam from the root on, with their times."""
    last = state.beams[beam]
    time = int(last["blank_time" if last["blank"] >= last["label"] else "label_time"])
    parents, entered = state.times["parent"], []
    while time >= 0:
        entered.append(time)
        time = int(parents[time])
    return _labelling(state.times[entered[::-1]])


class _Mass(NamedTuple):
    """What the reference knows of a prefix; an entry is the frame of a symbol and its log-probability."""

    blank: float = _NEVER
    label: float = _NEVER
    blank_entries: tuple[tuple[int, float], ...] = ()
    label_entries: tuple[tuple[int, float], ...] = ()

    @property
    def total(self) -> float:
        return float(np.logaddexp(self.blank, self.label))

    @property
    def entries(self) -> tuple[tuple[int, float], ...]:
        return self.blank_entries if self.blank >= self.label else self.label_entries


def prefix_search_reference(
    log_probs: DoubleArray,
    blank: int,
    options: PrefixSearch,
    hot_words: Mapping[tuple[int, ...], float] | None = None,
    separator: int | None = None,
    scorer: Scorer | None = None,
    emit_every: int = EMIT_EVERY,
) -> list[Hypothesis]:
    """The twin of `PrefixDecoder`: prefixes in a dictionary, everything about each worked out from its beginning."""

    def bonus(prefix: tuple[int, ...], ended: bool) -> float:
        language = options.alpha * _scorer_reference(scorer, prefix, ended) if scorer and options.alpha else 0.0
        return language + options.beta * len(prefix) + bonus_reference(hot_words or {}, separator, prefix, ended)

    beams: dict[tuple[int, ...], _Mass] = {(): _Mass(blank=0.0)}
    for frame, row in enumerate(log_probs):
        kept = row if options.symbol_threshold is None else np.where(row >= options.symbol_threshold, row, _NEVER)
        kept[row.argmax()] = row.max()
        after = _extended(beams, frame, kept, blank)
        scores = {prefix: mass.total + bonus(prefix, False) for prefix, mass in after.items()}
        ranked = sorted((prefix for prefix in after if scores[prefix] > _NEVER), key=lambda prefix: -scores[prefix])
        lowest = _NEVER if options.beam_threshold is None else scores[ranked[0]] + options.beam_threshold
        beams = {prefix: after[prefix] for prefix in ranked[: options.beam_size] if scores[prefix] >= lowest}
        if options.lag is not None and (frame + 1) % emit_every == 0:
            beams = _settled(beams, frame - options.lag)
    found = []
    for prefix, mass in beams.items():
        frames = np.array([frame for frame, _ in mass.entries], np.int64)
        peaks = np.array([log_prob for _, log_prob in mass.entries], np.float64)
        labelling = Labelling(np.array(prefix, np.int64), frames, frames + 1, peaks)
        found.append(Hypothesis(labelling, mass.total, mass.total + bonus(prefix, True)))
    return sorted(found, key=lambda hypothesis: -hypothesis.score)[: options.n_best]


def _extended(
    beams: Mapping[tuple[int, ...], _Mass], frame: int, row: DoubleArray, blank: int
) -> dict[tuple[int, ...], _Mass]:
    """The prefixes after a frame: those that stayed, then those that are new."""
    after = {}
    for prefix, mass in beams.items():
        label = mass.label + row[prefix[-1]] if prefix else _NEVER
        after[prefix] = _Mass(mass.total + row[blank], label, mass.entries, mass.label_entries)
    for prefix, mass in beams.items():
        for symbol in range(len(row)):
            if symbol == blank:
                continue
            again = prefix[-1:] == (symbol,)
            entering = (mass.blank if again else mass.total) + row[symbol]
            entries = (*(mass.blank_entries if again else mass.entries), (frame, float(row[symbol])))
            old = after.get((*prefix, symbol), _Mass())
            after[(*prefix, symbol)] = _Mass(
                old.blank,
                float(np.logaddexp(old.label, entering)),
                old.blank_entries,
                entries if entering > old.label else old.label_entries,
            )
    return after


def _settled(beams: Mapping[tuple[int, ...], _Mass], last: int) -> dict[tuple[int, ...], _Mass]:
    """The beams that begin as the best does up to a frame; what else is known of their frames is forgotten."""
    best = next(iter(beams))
    length = sum(frame <= last for frame, _ in beams[best].entries)
    settled = beams[best].entries[:length]
    kept = {}
    for prefix, mass in beams.items():
        if prefix[:length] == best[:length] and mass.entries[:length] == settled:
            blank, label = (
                entries if entries[:length] == settled else mass.entries
                for entries in (mass.blank_entries, mass.label_entries)
            )
            kept[prefix] = mass._replace(blank_entries=blank, label_entries=label)
    return kept


def _scorer_reference(scorer: Scorer, prefix: tuple[int, ...], ended: bool) -> float:
    """What a scorer says of a prefix, asked symbol by symbol."""
    row, state = scorer.start()
    total = 0.0
    for symbol in prefix:
        total += float(row[symbol])
        rows, states = scorer.extend([state], np.array([symbol]))
        row, state = rows[0], states[0]
    return total + (float(scorer.finish([state])[0]) if ended else 0.0)
