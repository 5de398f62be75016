"""Pieces in files: all that is known of them comes back, and what was altered is refused."""

import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from musical import make_piece, pieces

from recurra.arrayfile import map_arrays, read_figures, write_arrays
from recurra.errors import RecurraError
from recurra.tasks.music.io.piece_files import _check, read_pieces, write_pieces
from recurra.tasks.music.pieces import Note, Piece, Tempo, Track

SONG = replace(
    make_piece([Note(0, 6, 60, 1), Note(6, 6, 62, 127)], (Track("Öl", 73),), tempos=(Tempo(0, 61.5), Tempo(6, 99.0))),
    name="song #1 (Δ)",
    left_out={"texts": 3, "grace notes": 1},
    repaired=("its track is cut off",),
    off_grid=0.25,
)


@given(st.lists(pieces(), max_size=3))
def test_pieces_come_back(corpus: list[Piece]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pieces.safetensors")
        write_pieces(path, corpus)
        assert list(read_pieces(path)) == corpus


def test_all_that_is_told_comes_back(tmp_path: Path) -> None:
    write_pieces(tmp_path / "x", [SONG, replace(SONG, left_out={}, repaired=(), off_grid=0.0)])
    back, plain = read_pieces(tmp_path / "x")
    assert back == SONG
    assert back.off_grid == 0.25
    assert list(back.left_out.items()) == [("texts", 3), ("grace notes", 1)]
    assert (plain.left_out, plain.repaired, plain.off_grid) == ({}, (), 0.0)


def test_any_altered_or_missing_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_pieces(path, [SONG])
    data = path.read_bytes()
    for index in range(0, len(data), 7):
        for altered in (data[:index], data[:index] + bytes([data[index] ^ 4]) + data[index + 1 :]):
            path.write_bytes(altered)
            with suppress(RecurraError):
                assert read_pieces(path) == (SONG,)  # a space of the header, say


ALTERED = {
    "no tempo": ({"tempo_onset": [], "tempo": []}, {"tempos": 0}),
    "a late tempo": ({"tempo_onset": [3, 6]}, {}),
    "tempos out of order": ({"tempo_onset": [0, -6]}, {}),
    "a tempo of nought": ({"tempo": [60.0, 0.0]}, {}),
    "a tempo that is no number": ({"tempo": [60.0, np.nan]}, {}),
    "a tempo of another piece": ({"tempo_onset": [0, 6, 9], "tempo": [60.0, 70.0, 80.0]}, {}),
    "a pitch beyond MIDI's": ({"pitch": [200, 60]}, {}),
    "a name too few": ({}, {"tracks": []}),
    "counts that are none": ({}, {"left_out": {"texts": "many"}}),
    "nothing of the kind": ({}, {"tempos": None}),
}


@pytest.mark.parametrize("what", ALTERED)
def test_what_makes_no_piece_is_refused_even_if_its_check_fits(what: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_pieces(path, [SONG])
    arrays = {name: np.array(values) for name, values in map_arrays(path).items()}
    about = read_figures(path)["pieces"]
    columns, values = ALTERED[what]
    for name, column in columns.items():
        arrays[name] = np.array(column, arrays[name].dtype)
    about[0].update(values)
    write_arrays(path, arrays, {"pieces": about, "check": _check(arrays, about)})
    with pytest.raises(RecurraError, match=r"damaged|pitch above 127"):
        read_pieces(path)
