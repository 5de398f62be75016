"""The longest copied passage against comparing every pair of passages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.music import novelty
from recurra.tasks.music.novelty import (
    Copy,
    find_copy,
    index_corpus,
    index_stored,
    longest_copy,
    longest_copy_reference,
)
from recurra.tasks.music.packed_pieces import pack
from recurra.tasks.music.pieces import Note, Piece, Track

DRUMS = (Track(), Track(), Track(drums=True))


def piece(name: str, *notes: tuple[int, ...], begin: int = 0, up: int = 0) -> Piece:
    """Notes (onset, pitch), or (onset, pitch, track), each of 3 ticks; the last track is of drums."""
    made = sorted(
        (Note(begin + onset, 3, pitch + up, 80, *track) for onset, pitch, *track in notes), key=lambda n: n[0]
    )
    return Piece(name, DRUMS, tuple(made), max((note.end for note in made), default=0))


THEME = ((0, 60), (6, 62), (12, 64), (12, 67), (15, 65), (24, 60))


@st.composite
def small_pieces(draw: st.DrawFn) -> Piece:
    """Pieces with few pitches, distances and chords, so that passages repeat."""
    onset, notes = 0, []
    for _ in range(draw(st.integers(0, 12))):
        onset += draw(st.sampled_from([3, 3, 6]))
        low = draw(st.sampled_from([60, 61, 67]))
        chord = draw(st.sampled_from([(0,), (0,), (0, 4), (0, 4, 7)]))
        notes += [(onset, low + step, draw(st.sampled_from([0, 0, 1, 2]))) for step in chord]
        notes += [(onset, low, 1)] * draw(st.integers(0, 1))
    return piece(draw(st.sampled_from("abc")), *sorted(set(notes)), up=draw(st.integers(-2, 2)))


@given(small_pieces(), st.lists(small_pieces(), max_size=4))
def test_agrees_with_reference(made: Piece, corpus: list[Piece]) -> None:
    assert longest_copy(made, corpus) == longest_copy_reference(made, corpus)


@given(small_pieces(), st.lists(small_pieces(), max_size=3))
def test_agrees_with_reference_when_hashes_collide(made: Piece, corpus: list[Piece]) -> None:
    real, seeds = novelty._random_numbers, []

    def poor(seed: int) -> tuple[novelty.Hashes, np.uint64]:
        seeds.append(seed)
        table, factor = real(seed)
        return (table, factor) if seed > 1 else (table * np.uint64(0), np.uint64(seed))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(novelty, "_random_numbers", poor)
        assert longest_copy(made, corpus) == longest_copy_reference(made, corpus)
    assert max(seeds) <= 2


def test_collisions_are_noticed(monkeypatch) -> None:
    """With hashes that are all the same, a triad seems to be a copy of a single note."""
    real, seeds = novelty._random_numbers, []

    def poor(seed: int) -> tuple[novelty.Hashes, np.uint64]:
        seeds.append(seed)
        table, factor = real(seed)
        return (table, factor) if seed else (table * np.uint64(0), np.uint64(0))

    monkeypatch.setattr(novelty, "_random_numbers", poor)
    assert longest_copy(piece("made", (0, 60), (0, 64), (0, 67)), [piece("old", (0, 60))]) is None
    assert set(seeds) == {0, 1}


@given(small_pieces(), st.integers(-20, 20), st.integers(0, 50))
def test_a_transposed_piece_is_a_copy_as_a_whole(made: Piece, up: int, later: int) -> None:
    notes = tuple(note._replace(onset=note.onset + later, pitch=note.pitch + up) for note in made.notes)
    found = longest_copy(made, [Piece("other", made.tracks, notes, made.length + later)])
    pitched = [note for note in made.notes if note.track != 2]
    if not pitched:
        assert found is None
    else:
        begin, end = pitched[0].onset, max(note.end for note in pitched)
        moments = len({note.onset for note in pitched})
        assert found == Copy(len(pitched), moments, begin, end, "other", 0, begin + later, -up, 1.0)


def test_by_hand() -> None:
    """The theme a fifth higher, between other notes, without its last note and a beat later."""
    made = piece("made", (0, 90), *((onset + 13, pitch + 7) for onset, pitch in THEME[:5]), (35, 50), (41, 53))
    corpus = [piece("short", *THEME[:3], (13, 99)), piece("theme", *THEME, begin=100), piece("again", *THEME)]
    assert longest_copy(made, corpus) == Copy(5, 4, 13, 31, "theme", 1, 100, 7, 5 / 8)


def test_the_first_moment_is_compared_by_its_own_pitches() -> None:
    """What came before is no part of a passage, but its first chord is."""
    made = piece("made", (0, 40), (7, 60), (7, 64), (10, 62), (16, 60))
    other = piece("other", (0, 80), (5, 60), (5, 64), (8, 62), (14, 60))
    assert longest_copy(made, [other]) == Copy(4, 3, 7, 19, "other", 0, 5, 0, 0.8)
    minor = piece("minor", (0, 80), (5, 60), (5, 63), (8, 62), (14, 60))
    assert longest_copy(made, [minor]) == Copy(2, 2, 10, 19, "minor", 0, 8, 0, 0.4)


def test_of_equally_many_moments_the_most_notes() -> None:
    made = piece("made", (0, 60), (3, 62), (20, 60), (26, 60), (26, 64))
    corpus = [piece("thin", (0, 60), (3, 62)), piece("thick", (0, 60), (6, 60), (6, 64))]
    assert longest_copy(made, corpus) == Copy(3, 2, 20, 29, "thick", 1, 0, 0, 0.6)


def test_passages_do_not_run_across_pieces() -> None:
    made = piece("made", *((3 * step, 60) for step in range(8)))
    corpus = [
        piece(name, *((3 * step, 70) for step in range(length))) for name, length in (("a", 3), ("b", 5), ("c", 4))
    ]
    found = longest_copy(made, corpus)
    assert (found.moments, found.corpus_name, found.corpus_begin, found.transposition) == (5, "b", 0, -10)


def test_drums_and_voices_do_not_count() -> None:
    made = piece("made", (0, 60, 0), (6, 62, 1), (9, 36, 2), (12, 64, 0), (12, 64, 1))
    other = piece("other", (0, 60, 1), (3, 38, 2), (6, 62, 0), (12, 64, 0))
    assert longest_copy(made, [other]) == Copy(4, 3, 0, 15, "other", 0, 0, 0, 1.0)
    assert longest_copy(piece("drums", (0, 36, 2)), [piece("drums", (0, 36, 2))]) is None


def test_nothing_alike() -> None:
    chord = piece("chord", (0, 60), (0, 64))
    assert longest_copy(chord, []) is None
    assert longest_copy(chord, [piece("empty")]) is None
    assert longest_copy(piece("empty"), [chord]) is None
    assert longest_copy(chord, [piece("note", (0, 60)), piece("third", (0, 60), (0, 63))]) is None
    single = piece("made", (0, 60), (3, 50), (3, 54))
    assert longest_copy(single, [piece("old", (9, 40), (9, 44))]) == Copy(2, 1, 3, 6, "old", 0, 9, 10, 2 / 3)


def test_one_index_for_many_pieces() -> None:
    corpus = [piece("theme", *THEME), piece("scale", *((6 * step, 60 + step) for step in range(8)))]
    for index in (index_corpus(corpus), index_stored(pack(corpus), ["theme", "scale"])):
        for made in (piece("a", *THEME[1:]), piece("b", *((6 * step, 40 + step) for step in range(6)))):
            assert find_copy(made, index) == longest_copy_reference(made, corpus)
