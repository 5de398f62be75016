"""Pieces to arrays and back, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RecurraError
from recurra.tasks.music.packed_pieces import DTYPES, NOTES, pack, unpack
from recurra.tasks.music.pieces import MIDDLE_VELOCITY, PLAYED_METER, PLAYED_TEMPO, Meter, Note, Piece, Track

TWO = (
    Piece(
        "first", (Track(program=3), Track(drums=True)), (Note(0, 6, 60), Note(3, 9, 38, track=1), Note(6, 6, 60)), 48
    ),
    Piece("second", (Track(),), (Note(0, 12, 40), Note(0, 12, 45)), 96, (Meter(0, 1, 4), Meter(12, 3, 4))),
)


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    tracks = draw(st.lists(st.builds(Track, st.just(""), st.integers(0, 127), st.booleans()), min_size=1, max_size=3))
    notes: dict[tuple[int, int], list[Note]] = {}
    for _ in range(draw(st.integers(0, 12))):
        voice = draw(st.integers(0, len(tracks) - 1)), draw(st.integers(0, 127))
        sounding = notes.setdefault(voice, [])
        begin = (sounding[-1].end if sounding else 0) + draw(st.integers(0, 30))
        sounding.append(Note(begin, draw(st.integers(1, 99)), voice[1], MIDDLE_VELOCITY, voice[0]))
    ordered = sorted((note for voice in notes.values() for note in voice), key=lambda n: (n.onset, n.track, n.pitch))
    length = max((note.end for note in ordered), default=0) + draw(st.integers(0, 9))
    onsets = [0, *sorted(draw(st.sets(st.integers(1, 300), max_size=3)))]
    meters = [Meter(onset, draw(st.integers(1, 12)), draw(st.sampled_from([1, 2, 4, 8, 16, 32]))) for onset in onsets]
    return Piece(draw(st.text(max_size=4)), tuple(tracks), tuple(ordered), length, tuple(meters))


@given(st.lists(pieces(), max_size=4))
def test_what_is_kept_comes_back(corpus: list[Piece]) -> None:
    arrays = pack(corpus)
    assert {name: values.dtype for name, values in arrays.items()} == {n: np.dtype(d) for n, d in DTYPES.items()}
    assert list(unpack(arrays, [piece.name for piece in corpus])) == corpus


def test_what_is_not_kept() -> None:
    loud = replace(TWO[0], notes=(Note(0, 6, 60, 127),), tracks=(Track("flute", 73),), left_out={"lyrics": 3})
    (back,) = unpack(pack([loud]), ["other"])
    assert back == Piece("other", (Track("", 73),), (Note(0, 6, 60),), 48)


def played(*velocities: int) -> Piece:
    notes = tuple(Note(10 * index, 10, 60, velocity) for index, velocity in enumerate(velocities))
    length = 10 * len(notes)
    return Piece("p", (Track(),), notes, length, (PLAYED_METER,), (PLAYED_TEMPO,), performance=True)


def test_of_performances_velocities_are_kept() -> None:
    corpus = [played(1, 127), played(64)]
    assert list(unpack(pack(corpus), ["p", "p"])) == corpus
    with pytest.raises(RecurraError, match="a piece with 300 as its velocity cannot be stored"):
        pack([played(300)])
    for velocities in (np.array([1, 127], np.uint8), np.array([1, 128, 3], np.uint8), np.array([0, 1, 3], np.uint8)):
        with pytest.raises(RecurraError, match=r"'velocity' (is of another type or length|has a value that is no)"):
            unpack({**pack(corpus), "velocity": velocities}, ["p", "p"])


def test_small() -> None:
    assert sum(np.dtype(DTYPES[name]).itemsize for name in NOTES) == 11


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("pitch", lambda a: a.__setitem__(2, 200), "'first' has a pitch above 127"),
        ("onset", lambda a: a.__setitem__(3, -1), "'second' has a note before its beginning"),
        ("duration", lambda a: a.__setitem__(4, 0), "'second' has a note without duration"),
        ("duration", lambda a: a.__setitem__(4, 97), "'second' has a note beyond its end"),
        ("duration", lambda a: a.__setitem__(0, 7), "'first' has a note that begins while it sounds"),
        ("track", lambda a: a.__setitem__(4, 1), "'second' has a note of no track"),
        ("track", lambda a: a.__setitem__(1, 2), "'first' has a note of no track"),
        ("pitch", lambda a: a.__setitem__(3, 45), "'second' has notes out of order"),
        ("onset", lambda a: a.__setitem__(1, 7), "'first' has notes out of order"),
        ("program", lambda a: a.__setitem__(2, 128), "'second' has a track whose program is above 127"),
        ("drums", lambda a: a.__setitem__(0, 2), "'first' has a track that is neither drums nor not"),
        ("meter_onset", lambda a: a.__setitem__(1, 1), "'second' has a first metre that is not at its beginning"),
        ("meter_onset", lambda a: a.__setitem__(2, 0), "'second' has metres out of order"),
        ("numerator", lambda a: a.__setitem__(0, 0), "'first' has a metre without beats"),
        ("denominator", lambda a: a.__setitem__(0, 0), "'first' has a metre of unknown notes"),
        ("denominator", lambda a: a.__setitem__(2, 64), "'second' has a metre of unknown notes"),
        ("length", lambda a: a.__setitem__(0, -5), "'first' has a length below 0"),
        ("first_note", lambda a: a.__setitem__(1, 9), "'first_note' does not part 2 pieces"),
        ("first_note", lambda a: a.__setitem__(0, 1), "'first_note' does not part 2 pieces"),
        ("first_note", lambda a: a.__setitem__(2, 4), "'onset' has 5 values instead of 4"),
        ("first_track", lambda a: a.__setitem__(1, 0), "'first' has no track"),
        ("first_meter", lambda a: a.__setitem__(1, 3), "'second' has no metre"),
    ],
)
def test_values_from_a_file_are_checked(name, change, message) -> None:
    arrays = pack(TWO)
    change(arrays[name])
    with pytest.raises(RecurraError, match=f"^here: .*{message}.*; they are damaged"):
        unpack(arrays, ["first", "second"], "here")


@pytest.mark.parametrize("name", DTYPES)
def test_shapes_from_a_file_are_checked(name) -> None:
    whole = pack(TWO)
    missing = {other: values for other, values in whole.items() if other != name}
    for arrays in (missing, {**whole, name: whole[name].astype(np.float32)}, {**whole, name: whole[name][None]}):
        with pytest.raises(RecurraError, match=f"'{name}' is missing or of another type"):
            unpack(arrays, ["first", "second"])
    with pytest.raises(RecurraError, match="they are damaged"):
        unpack({**whole, name: whole[name][:-1]}, ["first", "second"])
    with pytest.raises(RecurraError, match="2 pieces but 1 names"):
        unpack(whole, ["first"])


def test_numbers_too_large() -> None:
    late = Piece("late", (Track(),), (), 0, (Meter(2**31, 4, 4),))
    with pytest.raises(RecurraError, match="a piece with 2147483648 as its meter_onset cannot be stored"):
        pack([late])
    many = Piece("many", (Track(),) * 70_000, (Note(0, 1, 60, track=65_536),), 1)
    with pytest.raises(RecurraError, match="a piece with 65536 as its track cannot be stored"):
        pack([many])
