"""Beam search: the most probable whole outputs of a model of which nothing is known but its step."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np

from recurra.arrays import BoolArray, DoubleArray, FloatArray, IntArray
from recurra.config import Options, Range
from recurra.decoding.candidates import IMPOSSIBLE, Candidates, DecodingProblem, OutputRules
from recurra.decoding.constraints import Constraints
from recurra.decoding.hypothesis import Ended, History, Hypothesis
from recurra.decoding.search_tree import Node, NodeState, Tree, rooted
from recurra.decoding.step import DecoderStep, LogProbs, StateT
from recurra.errors import OptionError, RecurraError

__all__ = [
    "BeamResult",
    "BeamSearch",
    "DecodingProblem",
    "Hypothesis",
    "Node",
    "Normalization",
    "Tree",
    "beam_search",
    "length_penalty",
]

Normalization = Literal["none", "average", "gnmt"]
"""What a sum of log-probabilities is divided by: 1, the length, or ((5 + length) / 6) ** alpha (Wu et al. 2016)."""


@dataclass(frozen=True)
class BeamSearch(Options):
    """How the best output is searched for."""

    group: ClassVar[str] = "search"

    beam_size: Annotated[int, Range(1, 1000)] = 5
    """How many unfinished outputs are kept at each step; 1 is greedy search."""
    n_best: Annotated[int, Range(1, 1000)] = 1
    """How many outputs are given, the best first; at most --beam-size."""
    normalization: Normalization = "average"
    """Rank by log-probability (none), its mean (average), or it over ((5 + length) / 6)^alpha (gnmt)."""
    alpha: Annotated[float, Range(0, 10)] = 0.6
    """Exponent of --normalization gnmt; the higher, the more long outputs are favoured."""
    coverage_penalty: Annotated[float, Range(0, 100)] = 0.0
    """How much outputs lose for parts of the source that got little attention; 0 for nothing."""
    min_length: Annotated[int, Range(0, 10**6)] = 0
    """Shortest output, in tokens."""
    max_length: Annotated[int | None, Range(0, 10**6)] = None
    """Longest output, in tokens; a limit that suits each sentence if not given."""
    no_repeat_ngram_size: Annotated[int, Range(0, 10**6)] = 0
    """No run of this many tokens occurs twice in an output; 0 allows any."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_best > self.beam_size:
            raise OptionError(f"`n_best` is {self.n_best}, but must be at most `beam_size`, which is {self.beam_size}")
        if self.max_length is not None and self.min_length > self.max_length:
            raise OptionError(
                f"`min_length` is {self.min_length}, but must be at most `max_length`, which is {self.max_length}"
            )


class BeamResult(NamedTuple):
    """What came of a search for one sentence: the outputs, the best first, and the tree if it was asked for."""

    hypotheses: list[Hypothesis]
    tree: Tree | None


LEAST_COVERED = 1e-30
"""A position's sum of weights is never taken for less, so that one weight of exactly 0 does not outdo everything."""


def length_penalty(length: int, normalization: Normalization, alpha: float) -> float:
    """What the sum of log-probabilities of an output is divided by to rank it.

    Args:
        length: of the output, in tokens, the end counted; at least 1.
        normalization: which penalty.
        alpha: its exponent, for "gnmt".

    Returns:
        A positive number that does not fall as the length grows.
    """
    if normalization == "gnmt":
        return float(((5 + length) / 6) ** alpha)
    return float(length) if normalization == "average" else 1.0


def beam_search(
    step: DecoderStep[StateT],
    state: StateT,
    problem: DecodingProblem,
    options: BeamSearch,
    *,
    trees: bool = False,
    stop_early: bool = True,
) -> list[BeamResult]:
    """Search for the best outputs of some sentences at once; what is found for one does not depend on the others.

    At each step every unfinished output of a sentence is continued by every token that may come (`OutputRules`), and
    the `beam_size` continuations with the largest sums of log-probabilities are kept. Those among them that end are
    finished, and ranked by their scores. Among equal sums the better output's continuations come first, and of one
    output the end; among equal scores what ended earlier, then the larger sum.

    An output is given up when it cannot come to be among the `n_best`: neither a log-probability nor the coverage term
    is ever above 0, so its score cannot be above its present sum divided by the penalty of the longest output that is
    admitted. What takes its place in the beam has no larger sum, and is given up as well; so the result is the same.
    A sentence of which nothing is left takes no further part in the steps.

    Where something is required of an output (`DecodingProblem.required`), it ends only once it has all of that, and
    the `beam_size` best are kept of each bank: of the continuations that lack equally many tokens.

    Args:
        step: the decoder.
        state: before the first token, one row a sentence.
        problem: what is to be written.
        options: how to search; its `max_length`, if it has one, takes the place of all the problem's limits.
        trees: keep what was considered.
        stop_early: False gives nothing up, for the same result.

    Returns:
        One for each sentence, with at least one output.

    Raises:
        OptionError: if there is a coverage penalty, but no attention.
        RecurraError: if the step gives NaN, or no output that has all that is required is found.
    """
    if options.max_length is not None:
        problem = replace(problem, limits=[options.max_length] * len(problem.limits))
    rules = OutputRules(problem, options.min_length, options.no_repeat_ngram_size)
    grown = [rooted(problem.start) for _ in problem.limits] if trees else None
    history = History(problem.positions)
    ranking = _Ranking(rules, options, problem.positions, stop_early)
    beam = _first_beam(problem, options, trees, rules.constraints)
    length = 0
    while len(beam.tokens):
        stepped = step(beam.tokens, state)
        history.record_weights(stepped.weights)
        beam = beam._replace(covered=_cover(beam.covered, stepped.weights))
        wanted = 2 * options.beam_size if trees else options.beam_size
        chosen = _continue(stepped.log_probs, beam, length, rules, wanted)
        if grown:
            chosen = _grow(grown, chosen, beam, options.beam_size, rules.end)
        kept = ranking.finish(chosen, beam, length)
        if grown:
            _give_up(grown, chosen, beam, kept, rules.end)
        left = chosen.select(kept)
        history.extend(left.parents, left.tokens, left.log_probs)
        unchanged = len(left.parents) == len(beam.tokens) and bool((left.parents == np.arange(len(beam.tokens))).all())
        state = stepped.state if unchanged else step.select(stepped.state, left.parents)
        beam = _next_beam(beam, left, rules.constraints)
        length += 1
    if not all(ranking.ranked):
        raise RecurraError(
            "no output that has all that is required is found; require less, or take a larger `beam_size`"
        )
    return [
        BeamResult([history.read(ended, sentence) for ended in ranked], grown[sentence] if grown else None)
        for sentence, ranked in enumerate(ranking.ranked)
    ]


class _Beam(NamedTuple):
    """The unfinished outputs, a row each, all of one length: those of a sentence together, the largest sum first.

    Attributes:
        sentences: index of each row's sentence, ascending, `(rows,)`.
        tokens: the last of each, `(rows,)`.
        totals: sums of log-probabilities, nats, `(rows,)`.
        covered: sums of weights, `(rows, positions)`; None where they do not count.
        written: all tokens, `(rows, length)`; None where they do not count.
        nodes: indices in their trees, `(rows,)`; None without trees.
        progress: with what is required, see `Constraints`; None where nothing is.
    """

    sentences: IntArray
    tokens: IntArray
    totals: DoubleArray
    covered: DoubleArray | None
    written: IntArray | None
    nodes: IntArray | None
    progress: IntArray | None


def _first_beam(problem: DecodingProblem, options: BeamSearch, trees: bool, constraints: Constraints | None) -> _Beam:
    count = len(problem.limits)
    return _Beam(
        np.arange(count),
        np.full(count, problem.start, dtype=np.int64),
        np.zeros(count),
        np.zeros((count, 1)) if options.coverage_penalty else None,
        np.empty((count, 0), dtype=np.int64) if options.no_repeat_ngram_size else None,
        np.zeros(count, dtype=np.int64) if trees else None,
        constraints.first() if constraints else None,
    )


class _Continuations(NamedTuple):
    """What the rows of a beam are continued by, in the order of the rows; `(continuations,)` each.

    Attributes:
        parents: the row each goes on from.
        tokens: what is added.
        log_probs: of the tokens, nats.
        totals: the new sums, nats.
        ranks: among the continuations of the sentence, from 0.
        nodes: indices in their trees; None without trees.
    """

    parents: IntArray
    tokens: IntArray
    log_probs: DoubleArray
    totals: DoubleArray
    ranks: IntArray
    nodes: IntArray | None = None

    def select(self, kept: BoolArray) -> _Continuations:
        """Some of them."""
        nodes = None if self.nodes is None else self.nodes[kept]
        return _Continuations(
            self.parents[kept], self.tokens[kept], self.log_probs[kept], self.totals[kept], self.ranks[kept], nodes
        )


def _next_beam(beam: _Beam, left: _Continuations, constraints: Constraints | None) -> _Beam:
    sentences, written, progress = beam.sentences[left.parents], None, None
    if beam.written is not None:
        written = np.concatenate([beam.written[left.parents], left.tokens[:, None]], axis=1)
    covered = None if beam.covered is None else beam.covered[left.parents]
    if constraints and beam.progress is not None:
        progress = constraints.advance(beam.progress[left.parents], sentences, left.tokens[:, None])[:, 0]
    return _Beam(sentences, left.tokens, left.totals, covered, written, left.nodes, progress)


def _cover(covered: DoubleArray | None, weights: FloatArray | None) -> DoubleArray | None:
    """The sums of weights with those of one more step."""
    if covered is None:
        return None
    if weights is None:
        raise OptionError("`coverage_penalty` needs attention, which this model does not have; leave it out")
    return covered + weights


def _continue(log_probs: LogProbs, beam: _Beam, length: int, rules: OutputRules, count: int) -> _Continuations:
    """The `count` best continuations of each sentence, or of each bank of each sentence, by their sums."""
    constraints, sentences = rules.constraints, beam.sentences
    if constraints is None or beam.progress is None:
        return _choose(rules.candidates(log_probs, sentences, length, beam.written, count), beam, count)
    met = constraints.met(beam.progress, sentences)
    candidates = rules.candidates(log_probs, sentences, length, beam.written, count, met)
    advanced = constraints.advance(beam.progress, sentences, candidates.tokens)
    return _choose_by_bank(candidates, beam, count, constraints.lacking(advanced, sentences))


def _choose_by_bank(candidates: Candidates, beam: _Beam, count: int, banks: IntArray) -> _Continuations:
    """The `count` best candidates of each bank of each sentence; ranked in their bank, in the order of their sums.

    Args:
        candidates: of each row.
        beam: the rows.
        count: how many.
        banks: of the candidates, `(rows, columns)`.
    """
    totals = beam.totals[:, None] + np.maximum(candidates.log_probs, IMPOSSIBLE)
    parents, columns = np.nonzero(candidates.allowed)
    total, bank, sentence = totals[parents, columns], banks[parents, columns], beam.sentences[parents]
    order = np.lexsort([-total, bank, sentence])
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = (np.diff(bank[order]) != 0) | (np.diff(sentence[order]) != 0)
    first = np.flatnonzero(begins)
    ranks = np.arange(len(order)) - first[np.cumsum(begins) - 1]
    order, ranks = order[ranks < count], ranks[ranks < count]
    together = np.lexsort([-total[order], sentence[order]])
    order, ranks = order[together], ranks[together]
    parents, columns = parents[order], columns[order]
    return _Continuations(
        parents, candidates.tokens[parents, columns], candidates.log_probs[parents, columns], total[order], ranks
    )


def _choose(candidates: Candidates, beam: _Beam, count: int) -> _Continuations:
    """The `count` best candidates of each sentence by their sums."""
    columns = candidates.tokens.shape[1]
    totals = beam.totals[:, None] + np.maximum(candidates.log_probs, IMPOSSIBLE)

    # Candidates of a sentence side by side, sentences with fewer rows filled up: (groups, slots, columns).
    first = np.ones(len(beam.sentences), dtype=np.bool_)
    first[1:] = beam.sentences[1:] != beam.sentences[:-1]
    begins, group = np.flatnonzero(first), np.cumsum(first) - 1
    slot = np.arange(len(beam.sentences)) - begins[group]
    table = np.full((len(begins), int(slot.max()) + 1, columns), -np.inf)
    table[group, slot] = np.where(candidates.allowed, totals, -np.inf)
    flat = table.reshape(len(begins), -1)

    order = np.argsort(-flat, axis=1, kind="stable")[:, :count]
    groups, ranks = np.nonzero(np.take_along_axis(flat, order, axis=1) > -np.inf)
    indices = order[groups, ranks]
    parents, column = begins[groups] + indices // columns, indices % columns
    return _Continuations(
        parents,
        candidates.tokens[parents, column],
        candidates.log_probs[parents, column],
        totals[parents, column],
        ranks,
    )


def _grow(grown: list[Tree], chosen: _Continuations, beam: _Beam, beam_size: int, end: int) -> _Continuations:
    """Put continuations into the trees; those within the beam, with their nodes."""
    assert beam.nodes is not None
    nodes = []
    for parent, token, log_prob, total, rank in zip(*chosen[:5], strict=True):
        state: NodeState = "pruned" if rank >= beam_size else "finished" if token == end else "kept"
        tree = grown[beam.sentences[parent]]
        nodes.append(tree.add(int(beam.nodes[parent]), int(token), float(log_prob), float(total), state))
    return chosen._replace(nodes=np.array(nodes, dtype=np.int64)).select(chosen.ranks < beam_size)


def _give_up(grown: list[Tree], chosen: _Continuations, beam: _Beam, kept: BoolArray, end: int) -> None:
    """What is within the beam and not at an end, but is not gone on with, is pruned after all."""
    assert chosen.nodes is not None
    for index in np.flatnonzero(~kept & (chosen.tokens != end)):
        grown[beam.sentences[chosen.parents[index]]].prune(int(chosen.nodes[index]))


class _Ranking:
    """The best outputs of each sentence that have ended, and whether anything can still come among them."""

    def __init__(
        self, rules: OutputRules, options: BeamSearch, positions: Sequence[int] | None, stop_early: bool
    ) -> None:
        self.end, self.options, self.positions, self.stop_early = rules.end, options, positions, stop_early
        self.ranked: list[list[Ended]] = [[] for _ in rules.limits]
        # The score of the last of n_best; NaN, which nothing is below, while there are fewer.
        self.to_beat = np.full(len(rules.limits), np.nan)
        self.largest_penalty = np.array([self._penalty(int(limit) + 1) for limit in rules.limits])

    def _penalty(self, length: int) -> float:
        return length_penalty(length, self.options.normalization, self.options.alpha)

    def finish(self, chosen: _Continuations, beam: _Beam, length: int) -> BoolArray:
        """Rank the continuations that end after `length` tokens; which of the others are to be gone on with."""
        ends = chosen.tokens == self.end
        for index in np.flatnonzero(ends):
            row = int(chosen.parents[index])
            sentence = int(beam.sentences[row])
            score = float(chosen.totals[index]) / self._penalty(length + 1)
            if beam.covered is not None:
                score += self.options.coverage_penalty * self._coverage(beam.covered[row], sentence)
            node = None if chosen.nodes is None else int(chosen.nodes[index])
            self._rank(sentence, Ended(score, length, row, float(chosen.log_probs[index]), node))
        left: BoolArray = ~ends
        if self.stop_early:
            sentences = beam.sentences[chosen.parents]
            left &= ~(chosen.totals / self.largest_penalty[sentences] <= self.to_beat[sentences])
        return left

    def _coverage(self, covered: DoubleArray, sentence: int) -> float:
        """The sum of log(min(sum of weights, 1)) over a sentence's real positions (Wu et al. 2016, eq. 14)."""
        real = covered if self.positions is None else covered[: self.positions[sentence]]
        return float(np.log(np.clip(real, LEAST_COVERED, 1)).sum())

    def _rank(self, sentence: int, ended: Ended) -> None:
        ranked = self.ranked[sentence]
        insort(ranked, ended, key=lambda other: -other.score)
        if len(ranked) >= self.options.n_best:
            del ranked[self.options.n_best :]
            self.to_beat[sentence] = ranked[-1].score
