"""What is kept of memories between steps changes nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recurra.decoding.memories import ActiveMemories


class Numbers:
    """Memories that are numbers."""

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers

    def select(self, indices: np.ndarray) -> "Numbers":
        return Numbers(self.numbers[indices])


@given(count=st.integers(1, 9), data=st.data())
def test_every_row_gets_its_own(count: int, data: st.DataObject) -> None:
    active = ActiveMemories(Numbers(10 * np.arange(count)), count)
    for _ in range(6):
        sources = np.array(sorted(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=12))))
        kept, index = active.of(sources)
        assert kept.numbers[index].tolist() == (10 * sources).tolist()
        assert (np.diff(index) >= 0).all(), "rows of one memory stay side by side"


def test_the_memories_of_few_are_left_out() -> None:
    active = ActiveMemories(Numbers(np.arange(8)), 8)
    assert len(active.of(np.array([0, 2, 3, 4, 5, 6, 7]))[0].numbers) == 8
    assert len(active.of(np.array([2, 2, 5]))[0].numbers) == 2
    assert len(active.of(np.array([2]))[0].numbers) == 1
