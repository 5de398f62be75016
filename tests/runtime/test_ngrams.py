"""The hash of n-grams against one written out in whole numbers without end, and what is counted against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.runtime import ngrams as module
from recurra.runtime.ngrams import collisions_words, count_collisions, hashed_rows


def plain_row(tokens: list[int], num_rows: int) -> int:
    """The row of an n-gram, its last token first, by the equations of the module, in Python's unbounded numbers."""
    h = tokens[0]
    for token in tokens[1:]:
        h = (663608941 * h + token) % 2**32
    return (663608941 * (h ^ (h // 2**15)) % 2**32) * num_rows // 2**32


ids = st.integers(0, 2**20 + 1)


@given(recent=st.lists(st.lists(ids, min_size=3, max_size=3), min_size=2, max_size=8), num_rows=st.integers(2, 2**24))
def test_numbers_arrays_and_tensors_have_the_plain_rows(recent: list[list[int]], num_rows: int) -> None:
    by_array = hashed_rows([np.array(each) for each in recent], num_rows)
    by_unsigned = hashed_rows([np.array(each, np.uint64) for each in recent], num_rows)
    by_tensor = hashed_rows([torch.tensor(each) for each in recent], num_rows)
    for column in range(3):
        tokens = [each[column] for each in recent]
        expected = [plain_row(tokens[:size], num_rows) for size in range(2, len(tokens) + 1)]
        assert hashed_rows(tokens, num_rows) == expected
        for rows in (by_array, by_unsigned, by_tensor):
            assert [int(row[column]) for row in rows] == expected


def test_the_rows_of_a_model_folder_never_change() -> None:
    """Worked out by hand, once: another hash would make nonsense of every model that is stored."""
    assert hashed_rows([1, 0], 16384) == [plain_row([1, 0], 16384)] == [11_482]
    assert hashed_rows([66, 2, 1_000_001, 0], 16384)[-1] == plain_row([66, 2, 1_000_001, 0], 16384)


def test_rows_are_spread_as_by_chance() -> None:
    """All pairs and triples of a small alphabet use as many rows as so many throws of a die would, within 2 %."""
    num_rows = 4096
    for size, count in ((2, 60), (3, 16)):
        grid = np.meshgrid(*[np.arange(1, count + 1)] * size)
        rows = hashed_rows([axis.ravel() for axis in grid], num_rows)[-1]
        by_chance = num_rows * (1 - (1 - 1 / num_rows) ** count**size)
        assert len(np.unique(rows)) == pytest.approx(by_chance, rel=0.02)
        assert 0 <= rows.min() < rows.max() < num_rows


@given(tokens=st.lists(st.integers(0, 5), min_size=1, max_size=60), num_rows=st.sampled_from([2, 7, 40]))
def test_collisions_are_those_found_one_by_one(tokens: list[int], num_rows: int) -> None:
    read = [0, 0, *(token + 1 for token in tokens)]
    for found in count_collisions(np.array(tokens, np.uint8), 3, num_rows):
        windows = {tuple(read[end - found.size + 1 : end + 1][::-1]) for end in range(2, len(read))}
        rows = [plain_row(list(window), num_rows) for window in windows]
        assert found.distinct == len(windows)
        assert found.sharing == sum(rows.count(row) > 1 for row in rows)


def test_only_the_beginning_of_a_long_text_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_COUNTED", 10)
    assert count_collisions(np.arange(50), 2, 1000)[0].distinct == 10
    assert collisions_words(count_collisions(np.zeros(9, int), 3, 99)) == ("0 of 2 2-grams, 0 of 3 3-grams share a row")
