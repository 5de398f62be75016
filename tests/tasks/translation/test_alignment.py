"""Where parallel files part: found to a few lines where lengths tell, and not guessed where they do not."""

import numpy as np
import pytest

from recurra.tasks.translation.alignment import NEAR, parting

COUNT = 600


def parallel(seed: int, count: int = COUNT) -> tuple[list[str], list[str]]:
    """Lines of 10 to 100 letters, each with one of about its length, a fifth longer or shorter."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(10, 101, count)
    others = (lengths * rng.normal(1.2, 0.15, count)).clip(1)
    return ["x" * int(length) for length in lengths], ["y" * int(length) for length in others]


def error(missing: list[int], seed: int, swap: bool) -> float:
    """By how many lines the place is wrong when some lines are missing; infinite if none is named."""
    first, second = parallel(seed)
    second = [line for place, line in enumerate(second) if place not in missing]
    place = parting(second, first) if swap else parting(first, second)
    return np.inf if place is None else abs(place - 1 - missing[0])


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize(
    "missing", [[0], [5], [150], [300], [490], list(range(200, 200 + NEAR)), list(range(200, 260))]
)
def test_the_place_of_missing_lines(missing: list[int], swap: bool) -> None:
    errors = [error(missing, seed, swap) for seed in range(20)]
    assert np.median(errors) <= 3
    assert np.quantile(errors, 0.9) <= 20


def test_of_several_places_it_is_the_first() -> None:
    errors = [error([150, 350, 500], seed, False) for seed in range(20)]
    assert np.median(errors) <= 3
    assert np.quantile(errors, 0.8) <= 20


@pytest.mark.parametrize("kept", [COUNT - 1, 400, 50])
def test_a_file_that_is_cut_off_parts_where_it_ends(kept: int) -> None:
    for seed in range(20):
        first, second = parallel(seed)
        assert parting(first, second[:kept]) == kept + 1
        assert parting(first[:kept], second) == kept + 1


def test_no_place_is_named_without_evidence() -> None:
    named = 0
    for seed in range(20):
        first, _ = parallel(seed)
        _, other = parallel(seed + 1000, COUNT - 3)
        named += parting(first, other) is not None
        longer, shorter = (list(side) for side in zip(*sorted(zip(*parallel(seed), strict=True)), strict=True))
        named += parting(longer, shorter[:200] + shorter[203:]) is not None  # a line fits its neighbours' translations
        named += parting(["x" * 9] * COUNT, ["y" * 9] * (COUNT - 3)) is not None
    assert named <= 1


def test_very_short_files_and_empty_ones() -> None:
    assert parting([], ["a"]) is None
    assert parting(["a"], ["b", "c"]) is None
    assert parting(["", ""], [""]) is None
