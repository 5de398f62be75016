"""Bars, beats and parts of a piece, against the same told tick by tick."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.music.pieces import (
    COMMON_TIME,
    Meter,
    Note,
    Piece,
    Tempo,
    Track,
    bar_lines,
    beat_lines,
    has_pickup,
    part,
)

METERS = ((4, 4), (3, 4), (6, 8), (2, 8), (5, 16), (1, 1))


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    """Metres that begin where a bar ends or cut one off, and notes anywhere."""
    meters, onset = [], 0
    for meter in draw(st.lists(st.sampled_from(METERS), min_size=1, max_size=4)):
        meters.append(Meter(onset, *meter))
        onset += meters[-1].bar * draw(st.integers(1, 3)) + draw(st.sampled_from([0, 0, 7]))
    length = onset + draw(st.integers(0, 50))
    begins = sorted(draw(st.sets(st.integers(0, length - 1), max_size=10)))
    notes = tuple(
        Note(begin, min(draw(st.integers(1, 60)), length - begin), 40 + at) for at, begin in enumerate(begins)
    )
    tempos = (Tempo(0, 90.0), Tempo(draw(st.integers(1, length)), 60.0))
    return Piece("x", (Track(),), notes, length, tuple(meters), tempos)


@given(piece=pieces())
def test_bars_begin_at_every_metre_and_a_bar_after_the_last(piece: Piece) -> None:
    begun = []
    for tick in range(piece.length):
        meter = [meter for meter in piece.meters if meter.onset <= tick][-1]
        if (tick - meter.onset) % meter.bar == 0:
            begun.append((tick, meter))
    tick, meter = begun[-1]
    lines = bar_lines(piece)
    assert lines == [tick for tick, _ in begun] + [tick + meter.bar]
    assert lines[-2] < piece.length <= lines[-1]
    assert set(lines) - {lines[-1]} <= set(beat_lines(piece))


@pytest.mark.parametrize(
    ("numerator", "denominator", "bar", "beat"),
    [(4, 4, 48, 12), (3, 4, 36, 12), (2, 2, 48, 24), (6, 8, 36, 18), (9, 8, 54, 18), (3, 8, 18, 6), (7, 8, 42, 6)],
)
def test_bars_and_beats_in_ticks(numerator: int, denominator: int, bar: int, beat: int) -> None:
    meter = Meter(0, numerator, denominator)
    assert (meter.bar, meter.beat) == (bar, beat)
    piece = Piece("x", (Track(),), (), 2 * bar, (meter,))
    assert bar_lines(piece) == [0, bar, 2 * bar]
    assert beat_lines(piece) == list(range(0, 2 * bar + 1, beat))


@pytest.mark.parametrize(("first", "second", "onset", "is_one"), [
    ((1, 4), (3, 4), 12, True), ((1, 8), (2, 4), 6, True), ((3, 16), (6, 8), 9, True), ((3, 4), (4, 4), 36, True),
    ((1, 2), (3, 4), 24, False), ((3, 4), (3, 4), 36, False), ((1, 4), (3, 4), 24, False), ((4, 4), (3, 4), 48, False),
])  # fmt: skip
def test_a_pickup_is_one_short_bar(first: tuple[int, int], second: tuple[int, int], onset: int, is_one: bool) -> None:
    piece = Piece("x", (Track(),), (), 200, (Meter(0, *first), Meter(onset, *second)))
    assert has_pickup(piece) == is_one
    assert not has_pickup(Piece("x", (Track(),), (), 200, (Meter(0, *first),)))


def test_the_lines_of_a_pickup_and_of_nothing() -> None:
    assert bar_lines(Piece("x", (Track(),), (), 60, (Meter(0, 1, 4), Meter(12, 4, 4)))) == [0, 12, 60]
    assert bar_lines(Piece("x", (Track(),), (), 50)) == [0, 48, 96]
    assert bar_lines(Piece("x", (Track(),), (), 0)) == [0]


@given(piece=pieces(), data=st.data())
def test_a_part_sounds_like_the_piece_there(piece: Piece, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, piece.length - 1))
    end = data.draw(st.integers(begin + 1, piece.length))
    cut = part(piece, begin, end)
    assert cut.length == end - begin
    assert [(note.onset + begin, note.pitch) for note in cut.notes] == [
        (note.onset, note.pitch) for note in piece.notes if begin <= note.onset < end
    ]
    originals = {note.onset: note for note in piece.notes}
    assert all(begin + note.end == min(originals[begin + note.onset].end, end) for note in cut.notes)
    assert cut.meters[0].onset == cut.tempos[0].onset == 0
    for tick in range(end - begin):
        for mine, theirs in ((cut.meters, piece.meters), (cut.tempos, piece.tempos)):
            here = [change for change in mine if change.onset <= tick][-1]
            there = [change for change in theirs if change.onset <= begin + tick][-1]
            assert here[1:] == there[1:]


def test_the_whole_is_a_part() -> None:
    piece = Piece("x", (Track(),), (Note(0, 12, 60), Note(40, 20, 62)), 60, (COMMON_TIME, Meter(48, 1, 4)))
    assert part(piece, 0, 60) == piece
    assert part(piece, 48, 60).meters == (Meter(0, 1, 4),)
    assert part(piece, 40, 48).notes == (Note(0, 8, 62),)
