"""Phrases: what is joined, and that nothing is joined that is not often together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recurra.data.corpus import Texts
from recurra.tasks.embeddings import phrases
from recurra.tasks.embeddings.config import Config, resolve
from recurra.tasks.embeddings.data import LINE_END, Data, read_data

texts = st.lists(st.integers(-2, 5), max_size=80)


def blocks(tokens: list[int], size: int) -> list[np.ndarray[Any, Any]]:
    return [np.array(tokens[begin : begin + size], np.int32) for begin in range(0, len(tokens), size)]


@example([0, 1, 2, 0, 1, 3], 1, 2, 0.3, False)
@given(texts, st.integers(1, 20), st.integers(1, 4), st.floats(-1, 1), st.booleans())
def test_phrases_are_the_pairs_that_counting_by_hand_finds(
    tokens: list[int], block: int, min_count: int, threshold: float, narrow: bool
) -> None:
    words = Counter(token for token in tokens if token >= 0)
    total = sum(words.values())
    pairs = Counter(pair for pair in pairwise(tokens) if min(pair) >= 0)
    expected = []
    for (first, second), count in pairs.items():
        share = count / total
        measure = math.log(share / (words[first] / total * words[second] / total)) / -math.log(share)
        assert measure <= 1 + 1e-9
        if count >= min_count and measure >= threshold + 1e-9:
            expected.append(6 * first + second)
        elif count >= min_count and measure >= threshold - 1e-9:
            return  # rounding decides
    counts = np.array([words[number] for number in range(6)], np.int64)
    limit, phrases.MAX_PAIRS = phrases.MAX_PAIRS, 7 if narrow else phrases.MAX_PAIRS
    try:
        found = phrases.find_pairs(lambda: blocks(tokens, block), len(tokens), counts, min_count, threshold)
    finally:
        phrases.MAX_PAIRS = limit
    assert found.tolist() == sorted(expected)


def test_words_that_never_part_score_one_and_chance_scores_nothing() -> None:
    one = np.array([10])
    assert phrases.npmi(one, one, one, 1000).tolist() == pytest.approx([1])
    assert phrases.npmi(np.array([10]), np.array([100]), np.array([100]), 1000).tolist() == pytest.approx([0])
    assert phrases.npmi(np.array([1]), np.array([100]), np.array([100]), 1000)[0] < 0


@given(texts, st.integers(1, 9), st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_joining_does_what_the_plain_twin_does(tokens: list[int], block: int, pairs: set[tuple[int, int]]) -> None:
    chosen = {pair: 6 + number for number, pair in enumerate(sorted(pairs))}
    keys = np.array([6 * first + second for first, second in chosen], np.int64)
    found = phrases.Phrases(6, keys, np.array(list(chosen.values()), np.int32))
    joined = np.concatenate([np.zeros(0, np.int32), *phrases.join(blocks(tokens, block), found)])
    assert joined.tolist() == phrases.join_reference(tokens, chosen)


def lines() -> Iterator[str]:
    """New York Times twenty times, New York as often, new and york alone never; much else."""
    rng = np.random.default_rng(0)
    for number in range(40):
        others = [f"w{index}" for index in rng.integers(0, 12, 8)]
        yield " ".join([*others[:4], "New York", *(["Times"] if number % 2 else []), *others[4:], "last, first"])


def read(folder: Path, **options: Any) -> Data:
    folder.mkdir()
    config = resolve(Config(**{"min_count": 3, "phrase_threshold": 0.6} | options))
    return read_data([Texts(["\n".join(lines())])], [Texts(["new york times w1"])], config, folder)


def test_a_pass_joins_two_words_and_two_passes_join_three(tmp_path: Path) -> None:
    none, one, two = (read(tmp_path / str(passes), phrases=passes) for passes in (0, 1, 2))
    assert "new" in none.words
    assert "new_york" not in none.words
    assert one.counts[one.words.by_word["new_york"]] == 40
    assert "york" not in one.words
    assert two.counts[two.words.by_word["new_york_times"]] == 20
    assert two.counts[two.words.by_word["new_york"]] == 20
    assert "last_first" not in two.words, "a comma is between them"
    assert two.seen == none.seen - 40 - 20
    kept = [two.words[number] for number in two.validation if number != LINE_END]
    assert kept == ["new_york_times", "w1"], "text for validation is joined too"


def test_rare_pairs_are_not_joined(tmp_path: Path) -> None:
    assert "new_york_times" not in read(tmp_path / "a", phrases=2, min_count=21).words
    assert "new_york" in read(tmp_path / "b", phrases=2, min_count=21).words
