"""Performances to tokens and back, played as written, stretched, scored; against what they are by their definition."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RecurraError
from recurra.tasks.music.performance import (
    EVENTS,
    NOTE_OFF,
    NOTE_ON,
    SECOND,
    SIZE,
    START,
    TIME_SHIFT,
    TRANSPOSED,
    VELOCITY,
    PerformanceNotation,
    decode,
    encode,
    from_json,
    number,
    perform,
    performance,
    quantised,
    score_events,
    stretched,
    suit,
)
from recurra.tasks.music.pieces import Meter, Note, Piece, Tempo, Track, bar_lines

ROWS = st.lists(
    st.tuples(st.floats(0, 40), st.floats(0, 40), st.integers(0, 127), st.integers(1, 127)), min_size=1, max_size=25
)
"""Notes of any kind: seconds, a length of maybe nothing, pitch, velocity."""


def played(rows: list[tuple[float, float, int, int]]) -> Piece:
    return performance("p", [(begin, begin + length, *rest) for begin, length, *rest in rows], 0, Counter())


@given(rows=ROWS)
def test_notes_come_back_to_the_hundredth_of_a_second_and_the_step_of_loudness(
    rows: list[tuple[float, float, int, int]],
) -> None:
    piece = played(rows)
    expected = tuple(note._replace(velocity=quantised(note.velocity)) for note in piece.notes)
    again = decode(encode(piece), "p")
    assert again.notes == expected
    assert again == decode(encode(again), "p"), "and once more, to the bit"
    assert again.length == piece.length == bar_lines(piece)[-1] - (-piece.length % SECOND)


@given(rows=ROWS)
def test_a_performance_holds_every_note_where_it_was(rows: list[tuple[float, float, int, int]]) -> None:
    piece = played(rows)
    first = min(round(begin * SECOND) for begin, *_ in rows)
    assert piece.notes[0].onset == 0
    found = {(note.onset + first, note.pitch) for note in piece.notes}
    assert found == {(round(begin * SECOND), pitch) for begin, _, pitch, _ in rows}
    for before, after in zip(piece.notes, piece.notes[1:], strict=False):
        assert (before.onset, before.pitch) < (after.onset, after.pitch)
    alone = [row for row in rows if sum(other[2] == row[2] for other in rows) == 1]
    for begin, length, pitch, velocity in alone:
        (note,) = (note for note in piece.notes if note.pitch == pitch)
        assert note.velocity == velocity
        assert note.end + first == max(round((begin + length) * SECOND), note.onset + first + 1)


@given(tokens=st.lists(st.integers(0, SIZE - 1), max_size=60))
def test_any_tokens_are_a_performance(tokens: list[int]) -> None:
    piece = decode(tokens, "p")
    ends: dict[int, int] = {}
    for note in piece.notes:
        assert note.duration >= 1
        assert note.onset >= ends.get(note.pitch, 0)
        ends[note.pitch] = note.end
    assert piece.length == sum(EVENTS[token].value for token in tokens if EVENTS[token].kind == TIME_SHIFT)
    assert max(ends.values(), default=0) <= piece.length
    assert decode(encode(piece), "p").notes == piece.notes


def test_the_order_of_events() -> None:
    piece = performance("p", [(0, 1.5, 60, 64), (0, 0.5, 52, 67), (1.5, 1.6, 60, 80)], 0, Counter())
    assert [EVENTS[token] for token in encode(piece)] == [
        (START, 0), (VELOCITY, 16), (NOTE_ON, 52), (NOTE_ON, 60), (TIME_SHIFT, 50), (NOTE_OFF, 52), (TIME_SHIFT, 100),
        (NOTE_OFF, 60), (VELOCITY, 20), (NOTE_ON, 60), (TIME_SHIFT, 10), (NOTE_OFF, 60),
    ]  # fmt: skip
    assert SIZE == 2 + 128 + 128 + 100 + 32 == len(set(EVENTS))
    assert [number(*event) for event in EVENTS] == list(range(SIZE))


def test_what_is_struck_again_ends_and_is_counted() -> None:
    left_out: Counter[str] = Counter()
    piece = performance("p", [(0, 2, 60, 64), (1, 3, 60, 80), (1, 2, 60, 90)], 0, left_out)
    assert [note[:3] for note in piece.notes] == [(0, 100, 60), (100, 200, 60)]
    assert sum(piece.left_out.values()) == 2
    with pytest.raises(ValueError, match="holds no notes"):
        performance("p", [], 0, Counter())
    with pytest.raises(ValueError, match="seconds long, but at most 36000 are read"):
        performance("p", [(0, 1, 60, 64), (36_100, 36_101, 60, 64)], 0, Counter())


def test_a_piece_is_played_in_its_tempos_without_drums() -> None:
    tracks = (Track("Flute", 73), Track("Kit", 0, True))
    notes = (Note(0, 12, 60, 33, 0), Note(0, 3, 36, 90, 1), Note(24, 12, 62, 80, 0), Note(30, 18, 64, 80, 0))
    piece = Piece("x", tracks, notes, 48, (Meter(0, 4, 4),), (Tempo(0, 120.0), Tempo(24, 60.0)), {"lyrics": 2})
    made = perform(piece)
    assert made.notes == (Note(0, 50, 60, 33), Note(100, 100, 62, 80), Note(150, 150, 64, 80))
    assert made.tracks[0].program == 73
    assert made.left_out == {"drum notes": 1, "lyrics": 2}
    assert perform(made) is made
    with pytest.raises(RecurraError, match="x holds no notes, drums not counted; leave it out"):
        perform(Piece("x", tracks, notes[1:2], 48))


@given(rows=ROWS, factor=st.sampled_from([0.95, 0.975, 1.025, 1.05]))
def test_a_stretched_performance_is_slower_by_the_factor(
    rows: list[tuple[float, float, int, int]], factor: float
) -> None:
    piece = played(rows)
    slower = stretched(piece, factor)
    assert abs(slower.length - piece.length * factor) <= 1
    found = {(note.onset, note.pitch) for note in slower.notes}
    assert found == {(round(note.onset * factor), note.pitch) for note in piece.notes}


@pytest.mark.parametrize("semitones", [-6, -1, 0, 5])
def test_a_variant_moves_every_pitch_and_nothing_else(semitones: int) -> None:
    notes = [(0.0, 1.0, 3, 64), (0.5, 2.0, 60, 64), (0.7, 2.0, 125, 99)]
    tokens = PerformanceNotation().variant(semitones)[encode(performance("p", notes, 0, Counter()))]
    again = decode(tokens, "p")
    assert tokens[0] == number(TRANSPOSED if semitones else START)
    pitches = {(note.onset, note.pitch) for note in again.notes}
    assert pitches == {(0, 3 + semitones if 3 + semitones >= 0 else 9), (50, 60 + semitones),
                       (70, 125 + semitones if 125 + semitones < 128 else 118)}  # fmt: skip
    assert [note.duration for note in again.notes] == [100, 150, 130]


def test_the_notation_of_a_collection() -> None:
    one = performance("p", [(0, 3.0, 40, 64), (1, 2, 90, 64), (2, 3, 70, 64)], 5, Counter())
    assert suit([one], 6) == PerformanceNotation(34, 96, 300, 2, 5)
    assert suit([played([(0, 1, 2, 3), (0, 1, 126, 3)])], 6) == PerformanceNotation(0, 127, 100, 2, 0)


def test_there_and_back_through_json() -> None:
    notation = PerformanceNotation(30, 90, 500, 8, 4)
    assert from_json(json.loads(json.dumps(notation.to_json())), "here") == notation


@pytest.mark.parametrize(("name", "value"), [
    ("lowest", -1), ("lowest", 91), ("lowest", "x"), ("highest", 128), ("highest", float("inf")), ("longest", 0),
    ("longest", 10**9), ("longest", []), ("at_once", 0), ("at_once", 129), ("program", 128), ("program", None),
])  # fmt: skip
def test_hostile_json_is_refused_in_one_sentence(name: str, value: Any) -> None:
    values = PerformanceNotation(30, 90, 500, 8, 4).to_json() | {name: value}
    with pytest.raises(RecurraError, match=r"^here is not a vocabulary of performances \(.*\); copy the model again$"):
        from_json(values, "here")
    del values[name]
    with pytest.raises(RecurraError, match=rf"\('{name}'\)"):
        from_json(values, "here")


def test_scores_are_sums_over_all_events() -> None:
    pieces = [encode(played([(0, 1, 60, 64), (0.5, 1, 64, 64)])), encode(played([(0, 2.5, 60, 64)]))]
    score = score_events(pieces, lambda tokens: np.full(len(tokens) - 1, -2.0))
    events = sum(len(piece) - 1 for piece in pieces)
    assert (score.events, score.notes, score.seconds) == (events, 3, 4.0)
    assert score.nats_per_event == 2.0
    assert score.nats_per_second == 2.0 * events / 4.0
    assert score.bits_per_note == pytest.approx(2.0 * events / 3 / math.log(2))
    assert set(score.figures()) == {"nats_per_event", "nats_per_second", "bits_per_note"}
    with pytest.raises(ValueError, match="3 predictions"):
        score_events(pieces, lambda tokens: np.zeros(3))
