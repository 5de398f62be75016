"""Vocabularies of music: there and back through JSON, hostile ones refused, and what stands for what in a copy."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RecurraError
from recurra.tasks.music.notation import (
    MARGIN,
    MAX_BARS,
    MAX_TICKS,
    MusicRules,
    Notation,
    Token,
    from_json,
)
from recurra.tasks.music.pieces import METER_DENOMINATORS, Track
from recurra.tasks.music.rule_features import BARS, PITCH, START, TRANSPOSED

NOTES = Notation(
    kind="notes",
    tracks=(Track("Alto", 52), Track("Drums", 0, True)),
    meters=((3, 4), (4, 4)),
    lowest=40,
    highest=70,
    drums=(36, 38),
    durations=(3, 12),
    steps=(1, 12),
    velocity=True,
    frame=0,
    tempo=90.5,
    program=7,
)
FRAMES = replace(NOTES, kind="frames", tracks=(), drums=(), durations=(), steps=(6,), velocity=False, frame=6)


def ascending(least: int, most: int, size: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.sets(st.integers(least, most), min_size=size, max_size=5).map(lambda numbers: tuple(sorted(numbers)))


@st.composite
def notations(draw: st.DrawFn) -> Notation:
    frame = draw(st.sampled_from([0, 0, 3, 12]))
    lowest = draw(st.integers(0, 127))
    meter = st.tuples(st.integers(1, 256), st.sampled_from(METER_DENOMINATORS))
    return Notation(
        kind="frames" if frame else "notes",
        tracks=tuple(draw(st.lists(st.builds(Track, st.text(), st.integers(0, 127), st.booleans()), max_size=3))),
        meters=tuple(draw(st.lists(meter, min_size=1, max_size=3, unique=True))),
        lowest=lowest,
        highest=draw(st.integers(lowest, 127)),
        drums=draw(ascending(0, 127, 0)),
        durations=() if frame else draw(ascending(1, MAX_TICKS, 1)),
        steps=(frame,) if frame else draw(ascending(1, MAX_TICKS, 1)),
        velocity=draw(st.booleans()),
        frame=frame,
        tempo=draw(st.floats(1, 1000)),
        program=draw(st.integers(0, 127)),
        onsets=draw(st.sampled_from([(), ((6, (0,)), (12, (0, 4, 11)))])),
        pickups=draw(st.sampled_from([(), ((-1, 0, 3), (0, 0, 1))])),
        lookback=draw(st.sampled_from([(), (0, 1, 2), (4, 6)])),
    )


@given(notation=notations())
def test_there_and_back_through_json(notation: Notation) -> None:
    again = from_json(json.loads(json.dumps(notation.to_json())), "here")
    assert again == notation
    assert again.tokens == notation.tokens
    assert len(set(notation.tokens)) == notation.size == len(notation.numbers)
    for number, token in enumerate(notation.tokens):
        assert notation.number(*token) == number
    assert MusicRules(notation).size > 0


HOSTILE: list[tuple[str, Any]] = [
    ("kind", "chords"), ("kind", None), ("kind", ["notes"]), ("kind", "frames"),
    ("tracks", 5), ("tracks", [["Flute", 73]]), ("tracks", [["Flute", 128, False]]),
    ("tracks", [["Flute", "x", False]]), ("tracks", [["Flute", float("inf"), False]]),
    ("meters", []), ("meters", [[4]]), ("meters", [[0, 4]]), ("meters", [[4, 0]]), ("meters", [[4, 3]]),
    ("meters", [[10**9, 4]]), ("meters", [[4, 64]]),
    ("lowest", 71), ("lowest", -1), ("lowest", "low"), ("lowest", -(10**12)), ("lowest", None),
    ("lowest", float("nan")),
    ("highest", 128), ("highest", 10**12), ("highest", float("inf")), ("highest", 39), ("highest", {}),
    ("drums", [38, 36]), ("drums", [128]), ("drums", [-1]), ("drums", 7),
    ("durations", []), ("durations", [0, 3]), ("durations", [3, 3]), ("durations", [MAX_TICKS + 1]),
    ("steps", []), ("steps", [0]), ("steps", [-12]), ("steps", [10**30]), ("steps", None),
    ("frame", 12), ("frame", -3), ("frame", 10**9),
    ("tempo", 0), ("tempo", float("nan")), ("tempo", float("inf")), ("tempo", 10**400), ("tempo", "fast\nslow"),
    ("onsets", {"12": []}), ("onsets", {"12": [0, 12]}), ("onsets", {"0": [0]}), ("onsets", [3]),
    ("pickups", [[-2, 0, 1]]), ("pickups", [[0, 2, 1]]), ("pickups", [[2, 0, 1]]), ("pickups", [[0, 1, 0]]),
    ("lookback", 3), ("lookback", [1, 0]), ("lookback", [-1]), ("lookback", list(range(9))),
    ("pickups", 3), ("pickups", [[0, 1]]), ("onsets", {"12": ["x"]}), ("onsets", {"a": [0]}),
    ("program", 128), ("program", -1), ("program", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), HOSTILE, ids=lambda value: str(value)[:20])
def test_hostile_json_is_refused_in_one_sentence(name: str, value: Any) -> None:
    with pytest.raises(
        RecurraError, match=r"^vocabulary.json is not a vocabulary of music \(.*\); copy the model again$"
    ):
        from_json(NOTES.to_json() | {name: value}, "vocabulary.json")


@pytest.mark.parametrize("values", [None, [], "notes", 3, {}, {"kind": "notes"}])
def test_what_is_no_object_with_all_of_it_is_refused(values: Any) -> None:
    with pytest.raises(RecurraError, match=r"^here is not a vocabulary of music"):
        from_json(values, "here")


@pytest.mark.parametrize("name", NOTES.to_json())
def test_nothing_may_be_missing(name: str) -> None:
    values = NOTES.to_json()
    del values[name]
    with pytest.raises(RecurraError, match=rf"\('{name}'\)"):
        from_json(values, "here")


@pytest.mark.parametrize("steps", [[3], [6, 12], [12]])
def test_in_frames_time_goes_on_by_frames(steps: list[int]) -> None:
    assert from_json(FRAMES.to_json(), "here") == FRAMES
    with pytest.raises(RecurraError, match="steps are not frames"):
        from_json(FRAMES.to_json() | {"steps": steps}, "here")


@given(notation=notations(), semitones=st.integers(-MARGIN, MARGIN), length=st.booleans())
def test_a_variant_moves_pitches_and_says_so(notation: Notation, semitones: int, length: bool) -> None:
    table, back = notation.variant(semitones, length), notation.variant(-semitones, length)
    assert table.shape == (notation.size,)
    for number, token in enumerate(notation.tokens):
        stands_for = notation.tokens[table[number]]
        if token.kind == PITCH:
            moved = token.value + semitones
            assert stands_for.kind == PITCH
            if 0 <= moved < notation.pitches:
                assert stands_for.value == moved
                assert back[table[number]] == number
            elif notation.pitches >= 12 + MARGIN:
                assert (stands_for.value - moved) % 12 == 0
        elif token.kind == START:
            assert stands_for == (Token(TRANSPOSED, 0) if semitones else token)
        elif token.kind == BARS:
            assert stands_for == (token if length else Token(BARS, 0))
        else:
            assert stands_for == token


def test_an_untransposed_variant_that_says_its_length_is_the_piece_itself() -> None:
    np.testing.assert_array_equal(NOTES.variant(0, True), np.arange(NOTES.size))
    assert (NOTES.variant(0, False) != np.arange(NOTES.size)).sum() == MAX_BARS


def test_a_range_of_less_than_an_octave_is_not_left() -> None:
    narrow = replace(NOTES, lowest=60, highest=62)
    for semitones in range(-MARGIN, MARGIN + 1):
        pitches = [narrow.tokens[narrow.variant(semitones, True)[narrow.number(PITCH, place)]] for place in range(3)]
        assert all(token.kind == PITCH and 0 <= token.value < 3 for token in pitches)
