"""What notes are called: by key, by what is around them, by where they lead; and as Bach's editors have it."""

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import music21
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from musical import make_piece, pieces

from recurra.tasks.music.chorales import VOICES, _is_chorale, _voices
from recurra.tasks.music.io.score_files import musicxml_text
from recurra.tasks.music.io.scores import read_score
from recurra.tasks.music.pieces import Note, Piece, Track
from recurra.tasks.music.render.keys import Key
from recurra.tasks.music.render.musicxml import musicxml
from recurra.tasks.music.render.spelling import LONGEST, NEAR, _distances, positions, spell_notes

FOLDER = Path(music21.__file__).parent / "corpus" / "bach"

FEW = "157.5", "244.25", "367", "425"
"""Chorales that have notes which the key alone spells otherwise."""


def line(*pitches: int) -> list[Note]:
    return [Note(12 * index, 12, pitch) for index, pitch in enumerate(pitches)]


def names(notes: list[Note], key: Key) -> str:
    piece = make_piece(notes)
    found = spell_notes(piece, key)
    spelt = [found.at(0, note.onset, note.pitch) for note in piece.notes]
    return " ".join(step + "#" * alter + "b" * -alter for step, alter, _ in spelt)


@pytest.mark.parametrize(
    ("key", "pitches", "expected"),
    [
        (Key(3), (69, 71, 73, 69, 65, 64, 62, 61), "A B C# A F E D C#"),  # the sixth of A minor, borrowed
        (Key(3), (69, 71, 73, 69, 65, 66, 68, 69), "A B C# A E# F# G# A"),  # the leading note of F sharp minor
        (Key(0), (60, 62, 63, 64, 65, 67), "C D D# E F G"),
        (Key(0), (67, 65, 64, 63, 62, 60), "G F E Eb D C"),
        (Key(0, True), (69, 68, 69, 71, 72), "A G# A B C"),
        (Key(-3, True), (60, 59, 60, 62, 63, 66, 67), "C B C D Eb F# G"),
        (Key(0), (71, 66, 63, 71, 64, 67, 71), "B F# D# B E G B"),  # a dominant of the third degree
        (Key(-5), (61, 63, 64, 63, 61), "Db Eb Fb Eb Db"),
    ],
)
def test_notes_lead_where_their_names_say(key: Key, pitches: tuple[int, ...], expected: str) -> None:
    assert names(line(*pitches), key) == expected


def test_what_sounds_around_counts_in_all_tracks() -> None:
    chord = [Note(onset, 12, pitch, 80, track) for onset in (0, 12) for track, pitch in enumerate((59, 66, 69))]
    melody = [Note(0, 12, 75, 80, 3), Note(12, 12, 71, 80, 3)]
    piece = make_piece(chord + melody, [Track()] * 4)
    assert spell_notes(piece, Key(0)).at(3, 0, 75)[:2] == ("D", 1)
    flat = [note._replace(pitch={59: 60, 66: 67, 69: 68}[note.pitch]) for note in chord]
    assert spell_notes(make_piece(flat + melody, [Track()] * 4), Key(0)).at(3, 0, 75)[:2] == ("E", -1)


@given(pieces(), st.integers(-7, 7), st.booleans())
def test_all_notes_have_a_name_that_can_be_written(piece: Piece, fifths: int, minor: bool) -> None:
    key = Key(fifths, minor)
    found = spell_notes(piece, key)
    for note in piece.notes:
        if not piece.tracks[note.track].drums:
            for tick in (note.onset, note.end - 1):
                step, alter, octave = found.at(note.track, tick, note.pitch)
                assert 12 * (octave + 1) + {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[step] + alter == (
                    note.pitch
                )
                assert abs(alter) <= 2


@given(pieces(drums=False), st.integers(-4, 3), st.booleans())
def test_a_piece_in_another_key_has_the_same_names_further_on(piece: Piece, fifths: int, minor: bool) -> None:
    notes = [note._replace(pitch=note.pitch % 100 + 5) for note in piece.notes]
    higher = [note._replace(pitch=note.pitch + 7) for note in notes]
    one, other = positions(notes, Key(fifths, minor)), positions(higher, Key(fifths + 1, minor))
    assert (other - one == 1).all()


@given(pieces(drums=False))
def test_mean_distances_are_those_of_all_pairs(piece: Piece) -> None:
    notes = list(piece.notes)
    if not notes:
        return
    chosen = positions(notes, Key(0))
    candidates = chosen[:, None] + np.array([-12, 0, 12]).clip(-15 - chosen.min(), 19 - chosen.max())
    weights = np.array([min(note.duration, LONGEST) for note in notes], float)
    moments = np.unique([note.onset for note in notes], return_inverse=True)[1]
    expected = np.zeros(candidates.shape)
    for index, note in enumerate(notes):
        pull = [w * np.exp(-abs(n.onset - note.onset) / NEAR) for w, n in zip(weights, notes, strict=True)]
        pull[index] = 0.0
        for place, candidate in enumerate(candidates[index]):
            expected[index, place] = np.dot(pull, np.abs(candidate - chosen)) / max(sum(pull), 1e-9)
    found = _distances(notes, weights, moments, chosen, candidates)
    near = expected.max(1) > 0  # of a note that nothing is near, no mean is known to so many digits
    strong = np.array([sum(np.exp(-abs(n.onset - note.onset) / NEAR) for n in notes) > 1.01 for note in notes])
    np.testing.assert_allclose(found[near & strong], expected[near & strong], atol=1e-6)


def test_the_parts_of_a_tied_note_are_called_the_same() -> None:
    piece = make_piece([Note(24, 36, 75), Note(60, 12, 76), Note(72, 12, 74), Note(84, 24, 75), Note(108, 12, 74)])
    assert _written(musicxml(piece, Key(0)), ties=True) == [[("D", 1), ("D", 1), ("E", 0), ("D", 0), *FALLING]]


FALLING = [("E", -1), ("E", -1), ("D", 0)]


def _written(text: str, ties: bool = False) -> list[list[tuple[str, int]]]:
    """The names of the notes of each part of MusicXML, of tied ones once."""
    return [
        [
            (note.findtext("pitch/step", ""), int(note.findtext("pitch/alter") or 0))
            for note in part.iter("note")
            if note.find("pitch") is not None and (ties or "stop" not in [tie.get("type") for tie in note.iter("tie")])
        ]
        for part in ElementTree.fromstring(text).iter("part")
    ]


def _wrong(paths: Iterable[Path]) -> tuple[int, int]:
    """How many notes of chorales are spelt otherwise than in the edition, and how many there are."""
    wrong = count = 0
    for path in paths:
        text = musicxml_text(path)
        if _voices(path) == VOICES:
            (piece,) = read_score(path, expand=False)
            edition, ours = _written(text), _written(musicxml(piece))
            if _is_chorale(piece) and list(map(len, edition)) == list(map(len, ours)):
                pairs = [pair for own in zip(edition, ours, strict=True) for pair in zip(*own, strict=True)]
                wrong, count = wrong + sum(one != other for one, other in pairs), count + len(pairs)
    return wrong, count


def test_a_few_chorales_are_spelt_as_in_the_edition() -> None:
    wrong, count = _wrong(FOLDER / f"bwv{number}.mxl" for number in FEW)
    assert wrong == 0
    assert count > 1000


@pytest.mark.slow
def test_all_chorales_are_spelt_as_in_the_edition() -> None:
    wrong, count = _wrong(sorted(FOLDER.glob("bwv*.mxl")))
    assert count > 70_000
    assert wrong <= 0.0002 * count  # 0.0013 by the key alone
