"""Where tokens and notes stand, against sums written out and properties of random rolls."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.music.lanes import GAP, ROW, DrawnBar, DrawnNote, Lane, Roll, Row

LANES = tuple(Lane("", False) for _ in range(40))


def roll_of(times: list[int], end: int, notes=(), bars=()) -> Roll:
    return Roll(np.array(times), end, tuple(notes), tuple(bars), LANES)


def test_tokens_of_one_time_share_the_room_up_to_the_next() -> None:
    spans = roll_of([0, 0, 0, 12, 18, 18], 24).spans
    assert spans.tolist() == [[0, 4], [4, 8], [8, 12], [12, 18], [18, 21], [21, 24]]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 50))
def test_spans_fill_the_time_without_overlap(waits: list[int], after: int) -> None:
    times = np.cumsum(waits)
    spans = roll_of(times.tolist(), int(times[-1]) + after).spans
    assert (spans[:, 1] > spans[:, 0]).all()
    np.testing.assert_allclose(spans[1:, 0], spans[:-1, 1])
    assert spans[0, 0] == times[0]
    np.testing.assert_allclose(spans[-1, 1], times[-1] + after)
    assert (np.searchsorted(np.unique(times), spans.mean(axis=1)) == np.searchsorted(np.unique(times), times) + 1).all()


@given(st.lists(st.tuples(st.integers(1, 300), st.booleans()), min_size=1, max_size=30))
def test_rows_hold_every_bar_once_in_order(wanted: list[tuple[int, bool]]) -> None:
    bars, time = [], 0
    for number, (length, begins) in enumerate(wanted):
        title = f"piece {number}" if begins or not number else ""
        time += GAP if title and number else 0
        bars.append(DrawnBar(time, time + length, 12, number + 1, title))
        time += length
    rows = roll_of([0], time + GAP, bars=bars).rows()
    assert [bar for row in rows for bar in row.bars] == bars
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        assert row.begin == row.bars[0].begin
        assert len(row.bars) == 1 or row.bars[-1].end - row.begin <= ROW
        assert not any(bar.title for bar in row.bars[1:])
        ends_piece = following is None or following.bars[0].title
        assert row.end == row.bars[-1].end + (GAP if ends_piece else 0)
        if following and not ends_piece:  # the next bar would not have fitted
            assert following.bars[0].end - row.begin > ROW


def test_a_pickup_does_not_push_a_bar_into_the_next_row() -> None:
    bars = [DrawnBar(0, 12, 12, 0, "p"), *(DrawnBar(12 + 48 * n, 60 + 48 * n, 12, n + 1) for n in range(5))]
    assert [len(row.bars) for row in roll_of([0], 264, bars=bars).rows()] == [5, 1]


def test_a_note_owns_its_tokens() -> None:
    notes = [DrawnNote(1, 3, 0, 12, 5, "a"), DrawnNote(5, 5, 12, 12, 5, "b")]
    roll = roll_of([0, 0, 0, 0, 12, 12], 24, notes)
    assert roll.own(np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])).tolist() == [14.0, 32.0]
    assert roll_of([0], 1).own(np.array([1.0])).tolist() == []


def test_beginning_keeps_whole_notes_and_the_lanes_around_them() -> None:
    notes = [DrawnNote(0, 1, 0, 12, 20, "a"), DrawnNote(2, 3, 0, 12, 22, "b"), DrawnNote(5, 5, 12, 12, 2, "c")]
    bars = [DrawnBar(0, 12, 12, 1, "p"), DrawnBar(12, 24, 12, 2)]
    roll = roll_of([0, 0, 0, 0, 12, 12], 24, notes, bars)
    cut = roll.beginning(3)  # within the second note, and within the moment
    assert [note.name for note in cut.notes] == ["a"]
    assert (cut.end, cut.bars) == (12, tuple(bars[:1]))
    assert cut.lanes[cut.notes[0].lane] is LANES[20]
    whole = roll.beginning(6)
    assert (whole.end, len(whole.notes), whole.bars) == (24, 3, tuple(bars))
    lowest, highest = roll.lanes_of(notes)
    assert lowest == 1
    assert highest == 23
    assert 0 <= cut.notes[0].lane < len(cut.lanes)


def test_lanes_stay_within_what_there_is() -> None:
    few = Roll(np.array([0]), 1, (), (), LANES[:3])
    assert few.lanes_of([]) == (0, 2)
    top = [DrawnNote(0, 0, 0, 1, 39, "a")]
    lowest, highest = roll_of([0], 1).lanes_of(top)
    assert highest == 39
    assert lowest <= 38


def test_a_row_shows_what_sounds_in_it() -> None:
    notes = [
        DrawnNote(0, 0, 0, 12, 5, "ends before"),
        DrawnNote(1, 1, 0, 24, 20, "sounds into it"),
        DrawnNote(2, 2, 20, 4, 31, "begins in it"),
        DrawnNote(3, 3, 24, 4, 39, "begins after"),
    ]
    roll = roll_of([0, 0, 20, 24], 36, notes)
    row = Row(12, 24, (DrawnBar(12, 24, 12, 1),))
    assert roll.inside(row) == [1, 2]
    assert roll.lanes_in(row) == (19, 32)
