"""Counts of words that stand together, against counting pair by pair in fractions."""

from collections import Counter
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RecurraError
from recurra.tasks.embeddings.learning.cooccurrence import COUNT, TRIPLE, count_together, units_of

WORDS = 40

texts = st.lists(st.lists(st.integers(0, WORDS - 1) | st.integers(0, 3), max_size=12), max_size=8)


def flat(lines: list[list[int]]) -> np.ndarray:
    return np.array([number for line in lines for number in (*line, -1)], np.int32)


def by_hand(lines: list[list[int]], window: int) -> dict[tuple[int, int], Fraction]:
    """The lower triangle of the matrix of counts."""
    counts: Counter[tuple[int, int]] = Counter()
    for line in lines:
        for place, word in enumerate(line):
            for other, context in enumerate(line):
                if 0 < abs(place - other) <= window and context <= word:
                    counts[word, context] += Fraction(1, abs(place - other))
    return dict(counts)


@given(texts, st.integers(1, 12), st.integers(1, 4000))
def test_counts_are_those_of_a_count_by_hand_whatever_the_memory(
    lines: list[list[int]], window: int, memory: int
) -> None:
    expected = by_hand(lines, window)
    with TemporaryDirectory() as folder:
        found = count_together(flat(lines), WORDS, window, memory, Path(folder) / "pairs.bin")
        assert [path.name for path in Path(folder).iterdir()] == ["pairs.bin"]
        assert found.dtype == TRIPLE
        assert [(row["word"], row["context"]) for row in found] == sorted(expected)
        assert [row["weight"] for row in found] == [np.float32(float(expected[key])) for key in sorted(expected)]


@given(texts, st.integers(21, 60), st.integers(1, 4000))
def test_wide_windows_give_the_same_bytes_whatever_the_memory(lines: list[list[int]], window: int, memory: int) -> None:
    with TemporaryDirectory() as folder:
        small, large = (Path(folder) / name for name in ("small", "large"))
        count_together(flat(lines), WORDS, window, memory, small)
        found = count_together(flat(lines), WORDS, window, 1e9, large)
        assert small.read_bytes() == large.read_bytes()
        expected = by_hand(lines, window)
        np.testing.assert_allclose(found["weight"], [float(expected[key]) for key in sorted(expected)], rtol=1e-6)


def test_little_memory_goes_to_the_disk_in_several_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = np.random.default_rng(0).integers(WORDS, size=(50, 10)).tolist()
    written = []
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok: written.append(np.fromfile(path, COUNT)))
    count_together(flat(lines), WORDS, 5, 800, tmp_path / "pairs.bin")
    (runs,) = written
    keys = runs["word"].astype(np.int64) * WORDS + runs["context"]
    assert (np.diff(keys) <= 0).sum() == 5  # six runs of a hundred places
    assert runs["units"].sum() == sum(by_hand(lines, 5).values()) * 60


@pytest.mark.parametrize("window", [1, 2, 10, 20])
def test_units_are_exact_up_to_a_window_of_twenty(window: int) -> None:
    units = units_of(window)
    assert [Fraction(int(unit), int(units[1])) for unit in units[1:]] == [Fraction(1, d) for d in range(1, window + 1)]


def test_units_of_a_wide_window_are_near_and_no_sum_overflows() -> None:
    units = units_of(1000)
    np.testing.assert_allclose(units[1:] / units[1], 1 / np.arange(1, 1001), atol=2.0**-29)
    assert units[1] == 2**28


def test_a_full_disk_is_said_in_a_sentence(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this machine has no /dev/full")
    (tmp_path / "pairs.bin").symlink_to("/dev/full")
    with pytest.raises(RecurraError, match="the disk is full"):
        count_together(np.tile(np.arange(9, dtype=np.int32), 9), WORDS, 5, 1e6, tmp_path / "pairs.bin")
