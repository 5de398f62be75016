"""The compiled scan of music against its NumPy twin, cut anywhere, beside any batch mates, and against the pieces."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.music.notation import MusicRules, Notation
from recurra.tasks.music.pieces import Meter, Note, Piece, Track
from recurra.tasks.music.rule_features import (
    BARS,
    BARS_SHOWN,
    DURATION,
    IS_TRANSPOSED,
    LEFT,
    PITCH,
    PLACES_SHOWN,
    QUARTER,
    QUARTERS_SHOWN,
    STEP,
    TICK,
    TRANSPOSED,
    FloatArray,
    IntArray,
    feature_count,
    read_tokens,
    read_tokens_reference,
    state_size,
)
from recurra.tasks.music.transcription import encode

METERS = ((4, 4), (3, 8), (2, 2), (1, 32), (17, 4))
STEPS = (1, 3, 6, 12, 48)
CHOIR = (Track("Soprano", 52), Track("Flute", 73), Track("Drums", 0, True))


class Tables(NamedTuple):
    """What a kernel is told of a vocabulary."""

    kinds: IntArray
    values: IntArray
    bars: IntArray
    steps: IntArray
    pitches: int
    tracks: int


def notation_of(tracks: int, frames: bool) -> Notation:
    return Notation(
        kind="frames" if frames else "notes",
        tracks=CHOIR[:tracks],
        meters=METERS,
        lowest=58,
        highest=65,
        drums=() if frames else (36, 38),
        durations=() if frames else (1, 4, 12, 30),
        steps=(12,) if frames else STEPS,
        velocity=not frames,
        frame=12 if frames else 0,
        tempo=100.0,
    )


def tables_of(notation: Notation) -> Tables:
    kinds, values = (np.array(column) for column in zip(*notation.tokens, strict=True))
    bars = np.array([notation.bar(place) for place in range(len(notation.meters))])
    return Tables(kinds, values, bars, np.array(notation.steps), notation.pitches, len(notation.tracks))


def zeros(tables: Tables, rows: int, time: int) -> tuple[FloatArray, FloatArray]:
    size = feature_count(tables.pitches, tables.tracks, len(tables.bars), len(tables.steps))
    state = np.zeros((rows, state_size(tables.pitches, tables.tracks)), np.float32)
    return state, np.zeros((rows, time, size), np.float32)


@st.composite
def readings(draw: st.DrawFn, rows: int = 3) -> tuple[Notation, IntArray]:
    """A vocabulary, and rows of any tokens of it in any order, kinds about equally likely."""
    notation = notation_of(draw(st.sampled_from([0, 2, 3])), draw(st.booleans()))
    by_kind: dict[int, list[int]] = {}
    for number, token in enumerate(notation.tokens):
        by_kind.setdefault(token.kind, []).append(number)
    one = st.sampled_from(sorted(by_kind)).flatmap(lambda kind: st.sampled_from(by_kind[kind]))
    time = draw(st.integers(1, 40))
    count = draw(st.integers(1, rows))
    return notation, np.array(
        draw(st.lists(st.lists(one, min_size=time, max_size=time), min_size=count, max_size=count))
    )


@given(reading=readings())
def test_the_scan_is_its_reference(reading: tuple[Notation, IntArray]) -> None:
    notation, tokens = reading
    tables = tables_of(notation)
    (state, shown), (same_state, same_shown) = (zeros(tables, *tokens.shape) for _ in range(2))
    read_tokens(tokens, state, *tables, shown)
    read_tokens_reference(tokens, same_state, *tables, same_shown)
    np.testing.assert_array_equal(shown, same_shown)
    np.testing.assert_array_equal(state, same_state)
    assert set(np.unique(shown)) <= {0.0, 1.0}


@given(reading=readings(), place=st.integers(0, 40))
def test_a_cut_anywhere_changes_nothing(reading: tuple[Notation, IntArray], place: int) -> None:
    notation, tokens = reading
    reader = MusicRules(notation)
    empty = np.zeros((len(tokens), reader.state_size), np.float32)
    shown, after = reader.read(tokens, empty)
    first, between = reader.read(tokens[:, :place], empty)
    kept = between.copy()
    second, end = reader.read(tokens[:, place:], between)
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), shown)
    np.testing.assert_array_equal(end, after)
    np.testing.assert_array_equal(between, kept)
    assert not empty.any(), "a state that is given is not changed"


@given(reading=readings())
def test_batch_mates_change_nothing(reading: tuple[Notation, IntArray]) -> None:
    notation, tokens = reading
    reader = MusicRules(notation)
    together = reader.read(tokens, np.zeros((len(tokens), reader.state_size), np.float32))
    for row in range(len(tokens)):
        alone = reader.read(tokens[row : row + 1], np.zeros((1, reader.state_size), np.float32))
        for one, other in zip(alone, together, strict=True):
            np.testing.assert_array_equal(one[0], other[row])


def test_tokens_from_anywhere_in_memory_are_read() -> None:
    notation = notation_of(2, False)
    reader = MusicRules(notation)
    empty = np.zeros((4, reader.state_size), np.float32)
    tokens = np.random.default_rng(0).integers(notation.size, size=(20, 4))
    expected, _ = reader.read(np.ascontiguousarray(tokens.T), empty)
    np.testing.assert_array_equal(reader.read(tokens.T, empty)[0], expected)


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    """Pieces in the vocabulary's pitches and metres; each metre begins a bar."""
    meters, onset = [], 0
    for numerator, denominator in draw(st.lists(st.sampled_from(METERS), min_size=1, max_size=3)):
        meters.append(Meter(onset, numerator, denominator))
        onset += meters[-1].bar * draw(st.integers(1, 6))
    notes: dict[tuple[int, int, int], Note] = {}
    for _ in range(draw(st.integers(0, 25))):
        begin, track = draw(st.integers(0, onset - 1)), draw(st.integers(0, 1))
        note = Note(begin, draw(st.sampled_from([1, 4, 12, 30])), draw(st.integers(58, 65)), 80, track)
        notes[begin, track, note.pitch] = note
    ordered = tuple(notes[key] for key in sorted(notes))
    return Piece("x", CHOIR[:2], ordered, max([onset, *(note.end for note in ordered)]), tuple(meters))


@given(piece=pieces(), tracks=st.sampled_from([0, 2]))
def test_beat_and_what_sounds_are_those_of_the_piece(piece: Piece, tracks: int) -> None:
    """The oracle is the piece itself, asked at every time whatever was read before."""
    notation = notation_of(tracks, False)
    tokens, _ = encode(piece, notation, length=True)
    reader = MusicRules(notation)
    shown, _ = reader.read(tokens[None], np.zeros((1, reader.state_size), np.float32))
    time, given = 0, set[tuple[int, int]]()
    at_beat = 2 + PLACES_SHOWN
    at_pitches = at_beat + QUARTER + QUARTERS_SHOWN + BARS_SHOWN + len(METERS) + 8
    for token, rule_features in zip(tokens, shown[0], strict=True):
        kind, value = notation.tokens[token]
        if kind == STEP:
            time += value
        elif kind == PITCH:
            given.add((time, notation.lowest + value))
        elif kind != DURATION:
            continue
        # Of two metres at once (a step to the border, then the metre), only what is sure: not at a border.
        meter = [meter for meter in piece.meters if meter.onset <= time][-1]
        if time < piece.length and not (kind == STEP and time == meter.onset):
            tick = (time - meter.onset) % meter.bar
            assert rule_features[at_beat + tick % QUARTER] == 1
            assert rule_features[at_beat + QUARTER + min(tick // QUARTER, QUARTERS_SHOWN - 1)] == 1
        new = {pitch for onset, pitch in given if onset == time}
        blocks = rule_features[at_pitches : at_pitches + 4 * notation.pitches].reshape(4, -1)
        assert {notation.lowest + place for place in np.flatnonzero(blocks[0])} == new
        if kind == STEP:
            held = {note.pitch for note in piece.notes if note.onset < time < note.end}
            assert {notation.lowest + place for place in np.flatnonzero(blocks[3])} == held
            sounding = sorted((note.pitch, note.end) for note in piece.notes if note.onset < time < note.end)
            ends = [end - time for end in dict(sounding).values()]  # of one pitch in two tracks, the later
            first_end = rule_features[at_pitches + 4 * notation.pitches :][: len(STEPS)]
            places = [place for place, step in enumerate(STEPS) if ends and step >= min(ends)] or [len(STEPS) - 1]
            assert np.flatnonzero(first_end).tolist() == (places[:1] if ends else [])


def test_a_piece_begins_with_an_empty_state_and_counts_its_bars_down() -> None:
    notation = notation_of(0, False)
    reader = MusicRules(notation)
    bar = notation.number(STEP, 48)
    full = np.ones((1, reader.state_size), np.float32)
    _, state = reader.read(np.array([[notation.number(TRANSPOSED)]]), full)
    assert state[0].sum() == 2  # transposed, begun
    assert state[0, IS_TRANSPOSED] == 1
    left = []
    for token in [notation.number(BARS, 3), bar, bar, bar, bar]:
        _, state = reader.read(np.array([[token]]), state)
        left.append(int(state[0, LEFT]))
        assert state[0, TICK] == 0
    assert left == [3, 2, 1, 1, 1]


def test_nobody_knows_the_beat_before_a_beginning() -> None:
    notation = notation_of(0, True)
    reader = MusicRules(notation)
    tokens = np.array([[notation.number(PITCH, 1), notation.number(STEP, 12), 0, notation.number(PITCH, 1)]])
    shown, _ = reader.read(tokens, np.zeros((1, reader.state_size), np.float32))
    beat = shown[0, :, 2 + PLACES_SHOWN : 2 + PLACES_SHOWN + QUARTER + QUARTERS_SHOWN + BARS_SHOWN + len(METERS)]
    assert beat.sum(axis=1).tolist() == [0, 0, 4, 4]


@pytest.mark.parametrize(("bars", "switch"), [(1, 0), (2, 1), (4, 3), (5, 4), (6, 4), (7, 5), (8, 5), (16, 6), (17, 7)])
def test_the_switch_of_the_bars_left(bars: int, switch: int) -> None:
    notation = notation_of(0, True)
    reader = MusicRules(notation)
    shown, _ = reader.read(np.array([[0, notation.number(BARS, bars)]]), np.zeros((1, reader.state_size), np.float32))
    at = 2 + PLACES_SHOWN + QUARTER + QUARTERS_SHOWN + BARS_SHOWN + len(METERS)
    assert np.flatnonzero(shown[0, 1, at : at + 8]).tolist() == [switch]
