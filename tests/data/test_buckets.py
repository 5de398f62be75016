"""Batches of pairs: each pair once a pass, none too large, little padding, the same whenever they are asked for."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data.buckets import Buckets, pad

some_lengths = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=60)
limits = st.integers(1, 200)
seeds = st.integers(0, 2**31)


def make(lengths: list[tuple[int, int]], size: int, seed: int = 0) -> Buckets:
    return Buckets(np.array(lengths, np.int64), size, seed)


@given(lengths=some_lengths, size=limits, seed=seeds)
def test_each_pass_has_every_pair_once_in_the_same_number_of_batches(
    lengths: list[tuple[int, int]], size: int, seed: int
) -> None:
    buckets = make(lengths, size, seed)
    count = buckets.steps_per_epoch
    for epoch in (0, 1, 5):
        batches = [buckets.batch(step) for step in range(epoch * count, (epoch + 1) * count)]
        assert all(len(batch) for batch in batches)
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))


@given(lengths=some_lengths, size=limits)
def test_no_batch_is_too_large_but_a_pair_alone(lengths: list[tuple[int, int]], size: int) -> None:
    buckets = make(lengths, size)
    for step in range(buckets.steps_per_epoch):
        batch = buckets.batch(step)
        longest = max(max(lengths[pair]) for pair in batch)
        assert len(batch) == 1 or len(batch) * longest <= size


@given(lengths=some_lengths, size=limits)
def test_no_batch_could_have_had_the_next_shortest_pair_as_well(lengths: list[tuple[int, int]], size: int) -> None:
    buckets = make(lengths, size)
    batches = [sorted(max(lengths[pair]) for pair in buckets.batch(step)) for step in range(buckets.steps_per_epoch)]
    batches.sort()
    for batch, following in pairwise(batches):
        assert batch[-1] <= following[0]
        assert (len(batch) + 1) * following[0] > size


@given(lengths=some_lengths, size=limits, seed=seeds, steps=st.lists(st.integers(0, 500), min_size=1, max_size=5))
def test_a_batch_is_a_function_of_seed_and_step(
    lengths: list[tuple[int, int]], size: int, seed: int, steps: list[int]
) -> None:
    one, other = make(lengths, size, seed), make(lengths, size, seed)
    expected = {step: one.batch(step).tolist() for step in sorted(steps)}
    for step in steps:
        assert other.batch(step).tolist() == expected[step]


def realistic(count: int) -> list[tuple[int, int]]:
    """Lengths as those of captions and their translations, in pieces: from 5 to 50, the sides much alike."""
    chance = np.random.default_rng(0)
    sources = np.clip(chance.lognormal(np.log(14), 0.35, count).round(), 5, 50).astype(int)
    targets = np.clip((sources * chance.normal(1.05, 0.15, count)).round(), 4, 60).astype(int)
    return list(zip(sources.tolist(), targets.tolist(), strict=True))


def test_passes_and_seeds_differ_in_batches_and_in_their_order() -> None:
    lengths = realistic(2000)

    def a_pass(seed: int, epoch: int) -> list[tuple[int, ...]]:
        buckets = make(lengths, 500, seed)
        count = buckets.steps_per_epoch
        return [tuple(buckets.batch(step)) for step in range(epoch * count, (epoch + 1) * count)]

    passes = [a_pass(seed, epoch) for seed in (0, 1) for epoch in (0, 1, 2)]
    for number, one in enumerate(passes):
        for other in passes[:number]:
            # Not all, since among the longest few are of equal lengths.
            same = {frozenset(batch) for batch in one} & {frozenset(batch) for batch in other}
            assert len(same) < len(one) / 4
        # From short to long or back would be a course of training of its own.
        longest = [max(max(lengths[pair]) for pair in batch) for batch in one]
        assert abs(np.corrcoef(longest, np.arange(len(one)))[0, 1]) < 0.4


def test_little_of_realistic_batches_is_padding() -> None:
    """Of the longer side 0.6 %, of both sides together 2.9 %; in random order it would be 57 %."""
    lengths = realistic(20_000)
    buckets = make(lengths, 1600)

    def padding(batches: list[np.ndarray]) -> float:
        sides = np.array(lengths)
        filled = sum(len(batch) * int(sides[batch].max(axis=0).sum()) for batch in batches)
        return 1 - int(sides.sum()) / filled

    chance = np.random.default_rng(0)
    shuffled = np.array_split(chance.permutation(len(lengths)), buckets.steps_per_epoch)
    assert padding([buckets.batch(step) for step in range(buckets.steps_per_epoch)]) < 0.035
    assert padding(shuffled) > 0.5
    batches = [buckets.batch(step) for step in range(buckets.steps_per_epoch)]
    longer = np.array(lengths).max(axis=1)
    assert 1 - longer.sum() / sum(len(batch) * longer[batch].max() for batch in batches) < 0.01


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=5))
def test_padded_sequences_are_the_sequences(sequences: list[list[int]]) -> None:
    tokens, mask = (part for part in vars(pad([np.array(each, np.int32) for each in sequences])).values())
    assert tokens.shape == mask.shape == (len(sequences), max(map(len, sequences)))
    assert [row[kept].tolist() for row, kept in zip(tokens, mask, strict=True)] == sequences
    assert not tokens[~mask].any()
    assert not (mask[:, 1:] & ~mask[:, :-1]).any()


def test_pairs_of_one_length_are_drawn_afresh_each_pass() -> None:
    buckets = make([(5, 5)] * 100, 50)
    mates = Counter(
        frozenset(pair) for step in range(30 * 10) for pair in [buckets.batch(step)[:2].tolist()] if len(set(pair)) == 2
    )
    assert buckets.steps_per_epoch == 10
    assert max(mates.values()) <= 4


@pytest.mark.parametrize("size", [1, 7, 10**9])
def test_any_size_of_batch(size: int) -> None:
    buckets = make([(3, 9), (2, 2), (8, 1)], size)
    assert buckets.steps_per_epoch == {1: 3, 7: 3, 10**9: 1}[size]
