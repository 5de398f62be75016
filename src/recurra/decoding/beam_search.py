"""Beam search: the most probable whole outputs of a model of which nothing is known but its step."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
import torch

from recurra.config import Options, Range
from recurra.decoding.candidates import IMPOSSIBLE, BoolArray, Candidates, DoubleArray, IntArray, OutputRules
from recurra.decoding.hypothesis import Ended, History, Hypothesis
from recurra.decoding.sampling import FloatArray
from recurra.decoding.search_tree import Node, NodeState, Tree, rooted
from recurra.decoding.step import DecoderStep, select_rows
from recurra.errors import OptionError
from recurra.models.cells import State

__all__ = ["BeamResult", "BeamSearch", "Hypothesis", "Node", "Normalization", "Tree", "length_penalty", "search"]

Normalization = Literal["none", "average", "gnmt"]
"""What a sum of log-probabilities is divided by: 1, the length, or ((5 + length) / 6) ** alpha (Wu et al. 2016)."""


@dataclass(frozen=True)
class BeamSearch(Options):
    """How the best output is looked for."""

    group: ClassVar[str] = "search"

    beam_size: Annotated[int, Range(1, 1000)] = 5
    """How many unfinished outputs are followed at once; 1 takes the most probable token each time."""
    n_best: Annotated[int, Range(1, 1000)] = 1
    """How many outputs translate gives, the best first; at most --beam-size."""
    normalization: Normalization = "average"
    """Rank by log-probability as it is, over the length, or over ((5 + length) / 6) ** alpha."""
    alpha: Annotated[float, Range(0, 10)] = 0.6
    """Exponent of --normalization gnmt: 0 for none, above it the longer is favoured."""
    coverage_penalty: Annotated[float, Range(0, 100)] = 0.0
    """How much outputs lose that leave parts of the source unattended; 0 for none."""
    min_length: Annotated[int, Range(0, 10**6)] = 0
    """Shortest output, in tokens."""
    max_length: Annotated[int | None, Range(0, 10**6)] = None
    """Longest output, in tokens; a limit that suits each sentence if not given."""
    no_repeat_ngram_size: Annotated[int, Range(0, 10**6)] = 0
    """No run of this many tokens comes twice in an output; 0 for any."""

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


def search(
    step: DecoderStep,
    state: State,
    *,
    start: int,
    end: int,
    options: BeamSearch,
    limits: Sequence[int],
    positions: Sequence[int] | None = None,
    prefixes: Sequence[Sequence[int]] | None = None,
    suppressed: Sequence[int] = (),
    trees: bool = False,
    stop_early: bool = True,
) -> list[BeamResult]:
    """Look for the best outputs of some sentences at once; what is found for one does not depend on the others.

    At each step every unfinished output of a sentence is continued by every token that may come (`OutputRules`), and
    the `beam_size` continuations with the largest sums of log-probabilities are kept. Those among them that end are
    finished, and ranked by their scores. Among equal sums the better output's continuations come first, and of one
    output the end; among equal scores what ended earlier, then the larger sum.

    An output is given up when it cannot come to be among the `n_best`: neither a log-probability nor the coverage term
    is ever above 0, so its score cannot be above its present sum divided by the penalty of the longest output that is
    admitted. What takes its place in the beam has no larger sum, and is given up as well; so the result is the same.
    A sentence of which nothing is left takes no further part in the steps.

    Args:
        step: the decoder.
        state: before the first token, one row a sentence.
        start: what the first step reads.
        end: the token that ends an output.
        options: how to search; its `max_length`, if it has one, takes the place of all the limits.
        limits: longest output of each sentence, in tokens, the end not counted.
        positions: how many positions of each sentence are real, the rest being padding; None where all are.
        prefixes: forced beginning of each sentence's output.
        suppressed: tokens that are never written, such as padding.
        trees: keep what was considered.
        stop_early: False gives nothing up, for the same result.

    Returns:
        One for each sentence, with at least one output.

    Raises:
        OptionError: if there is a coverage penalty, but no attention.
        RecurraError: if the step gives NaN.
        ValueError: if the arguments do not fit each other.
    """
    if options.max_length is not None:
        limits = [options.max_length] * len(limits)
    if positions is not None and len(positions) != len(limits):
        raise ValueError(f"there are {len(limits)} limits, but positions of {len(positions)} sentences")
    rules = OutputRules(
        end=end,
        limits=limits,
        prefixes=prefixes,
        suppressed=suppressed,
        min_length=options.min_length,
        no_repeat_ngram_size=options.no_repeat_ngram_size,
    )
    grown = [rooted(start) for _ in limits] if trees else None
    history = History(positions)
    ranking = _Ranking(rules, options, positions, stop_early)
    rows = _first_rows(rules, options, start, trees)
    device = state[0].device if state else torch.device("cpu")
    length = 0
    with torch.no_grad():
        while len(rows.tokens):
            stepped = step(torch.from_numpy(rows.tokens).to(device), state)
            rows = rows._replace(covered=_cover(rows.covered, history.attend(stepped.weights)))
            wanted = 2 * options.beam_size if trees else options.beam_size
            candidates = rules.candidates(stepped.log_probs, rows.sentences, length, rows.written, wanted)
            chosen = _choose(candidates, rows, wanted)
            if grown:
                chosen = _grow(grown, chosen, rows, options.beam_size, end)
            kept = ranking.finish(chosen, rows, length)
            if grown:
                _give_up(grown, chosen, rows, kept, end)
            left = chosen.at(kept)
            history.extend(left.parents, left.tokens, left.log_probs)
            state = _follow(stepped.state, left.parents)
            rows = _next_rows(rows, left)
            length += 1
    return [
        BeamResult([history.read(ended, sentence) for ended in ranked], grown[sentence] if grown else None)
        for sentence, ranked in enumerate(ranking.ranked)
    ]


class _Rows(NamedTuple):
    """The unfinished outputs, all of one length: those of a sentence together, the largest sum first.

    Attributes:
        sentences: number of each one's sentence, ascending.
        tokens: the last of each.
        totals: sums of log-probabilities, nats.
        covered: sums of weights, `(rows, positions)`; None where they do not count.
        written: all tokens, `(rows, length)`; None where they do not count.
        nodes: places in their trees; None without trees.
    """

    sentences: IntArray
    tokens: IntArray
    totals: DoubleArray
    covered: DoubleArray | None
    written: IntArray | None
    nodes: IntArray | None


def _first_rows(rules: OutputRules, options: BeamSearch, start: int, trees: bool) -> _Rows:
    count = len(rules.limits)
    return _Rows(
        np.arange(count),
        np.full(count, start, dtype=np.int64),
        np.zeros(count),
        np.zeros((count, 1)) if options.coverage_penalty else None,
        np.empty((count, 0), dtype=np.int64) if options.no_repeat_ngram_size else None,
        np.zeros(count, dtype=np.int64) if trees else None,
    )


class _Chosen(NamedTuple):
    """Continuations in the order of rows: the rows they go on from, what is added, the new sums, and their ranks.

    A rank is a place among the continuations of a sentence, from 0. The nodes are theirs; None without trees.
    """

    parents: IntArray
    tokens: IntArray
    log_probs: DoubleArray
    totals: DoubleArray
    ranks: IntArray
    nodes: IntArray | None = None

    def at(self, kept: BoolArray) -> _Chosen:
        """Some of them."""
        nodes = None if self.nodes is None else self.nodes[kept]
        return _Chosen(
            self.parents[kept], self.tokens[kept], self.log_probs[kept], self.totals[kept], self.ranks[kept], nodes
        )


def _next_rows(rows: _Rows, left: _Chosen) -> _Rows:
    written = None
    if rows.written is not None:
        written = np.concatenate([rows.written[left.parents], left.tokens[:, None]], axis=1)
    covered = None if rows.covered is None else rows.covered[left.parents]
    return _Rows(rows.sentences[left.parents], left.tokens, left.totals, covered, written, left.nodes)


def _follow(state: State, parents: IntArray) -> State:
    """The state of the rows that are gone on from."""
    rows = state[0].shape[1] if state else 0
    if len(parents) == rows and (parents == np.arange(rows)).all():
        return state
    return select_rows(state, torch.from_numpy(parents).to(state[0].device)) if state else state


def _cover(covered: DoubleArray | None, weights: FloatArray | None) -> DoubleArray | None:
    """The sums of weights with those of one more step."""
    if covered is None:
        return None
    if weights is None:
        raise OptionError("`coverage_penalty` asks what the model attends to, but it has no attention; leave it out")
    return covered + weights


def _choose(candidates: Candidates, rows: _Rows, count: int) -> _Chosen:
    """The `count` best candidates of each sentence by their sums."""
    columns = candidates.tokens.shape[1]
    totals = rows.totals[:, None] + np.maximum(candidates.log_probs, IMPOSSIBLE)

    # Candidates of a sentence side by side, sentences with fewer rows filled up: (groups, slots, columns).
    first = np.ones(len(rows.sentences), dtype=np.bool_)
    first[1:] = rows.sentences[1:] != rows.sentences[:-1]
    begins, group = np.flatnonzero(first), np.cumsum(first) - 1
    slot = np.arange(len(rows.sentences)) - begins[group]
    table = np.full((len(begins), int(slot.max()) + 1, columns), -np.inf)
    table[group, slot] = np.where(candidates.allowed, totals, -np.inf)
    flat = table.reshape(len(begins), -1)

    order = np.argsort(-flat, axis=1, kind="stable")[:, :count]
    groups, ranks = np.nonzero(np.take_along_axis(flat, order, axis=1) > -np.inf)
    indices = order[groups, ranks]
    parents, column = begins[groups] + indices // columns, indices % columns
    return _Chosen(
        parents,
        candidates.tokens[parents, column],
        candidates.log_probs[parents, column],
        totals[parents, column],
        ranks,
    )


def _grow(grown: list[Tree], chosen: _Chosen, rows: _Rows, beam_size: int, end: int) -> _Chosen:
    """Put continuations into the trees; those within the beam, with their nodes."""
    assert rows.nodes is not None
    nodes = []
    for parent, token, log_prob, total, rank in zip(*chosen[:5], strict=True):
        state: NodeState = "pruned" if rank >= beam_size else "finished" if token == end else "kept"
        tree = grown[rows.sentences[parent]]
        nodes.append(tree.add(int(rows.nodes[parent]), int(token), float(log_prob), float(total), state))
    return chosen._replace(nodes=np.array(nodes, dtype=np.int64)).at(chosen.ranks < beam_size)


def _give_up(grown: list[Tree], chosen: _Chosen, rows: _Rows, kept: BoolArray, end: int) -> None:
    """What is within the beam and not at an end, but is not gone on with, is pruned after all."""
    assert chosen.nodes is not None
    for index in np.flatnonzero(~kept & (chosen.tokens != end)):
        grown[rows.sentences[chosen.parents[index]]].prune(int(chosen.nodes[index]))


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

    def finish(self, chosen: _Chosen, rows: _Rows, length: int) -> BoolArray:
        """Rank the continuations that end after `length` tokens; which of the others are to be gone on with."""
        ends = chosen.tokens == self.end
        for index in np.flatnonzero(ends):
            row = int(chosen.parents[index])
            sentence = int(rows.sentences[row])
            score = float(chosen.totals[index]) / self._penalty(length + 1)
            if rows.covered is not None:
                score += self.options.coverage_penalty * self._coverage(rows.covered[row], sentence)
            node = None if chosen.nodes is None else int(chosen.nodes[index])
            self._rank(sentence, Ended(score, length, row, float(chosen.log_probs[index]), node))
        left: BoolArray = ~ends
        if self.stop_early:
            sentences = rows.sentences[chosen.parents]
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
