"""Piano rolls: what is where in the picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from matplotlib.image import imread
from musical import make_piece, pieces

from recurra.errors import RecurraError
from recurra.tasks.music.pieces import Meter, Note, Track
from recurra.tasks.music.render.bars import bars_of
from recurra.tasks.music.render.roll import COLOURS, SYSTEM, SYSTEMS, draw_roll, drum_name, into_systems


def pixels(path, colour: str) -> int:
    """Pixels of exactly a track's colour."""
    wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])
    image = np.rint(imread(path)[..., :3] * 255).astype(int)
    return int((abs(image - wanted).max(axis=-1) <= 2).sum())


@given(pieces())
@settings(max_examples=8)
def test_any_piece_can_be_drawn(tmp_path_factory, piece) -> None:
    path = tmp_path_factory.mktemp("roll") / "a.png"
    draw_roll([piece], path, primed=12)
    assert imread(path).shape[1] == 13 * 130


@given(pieces())
def test_rows_hold_all_bars_once_and_are_short(piece) -> None:
    bars = bars_of(piece)
    systems = into_systems(bars)
    assert [bar for system in systems for bar in system] == bars
    for system in systems:
        assert len(system) == 1 or system[-1].end - system[0].begin <= SYSTEM * 3 // 2


def test_louder_notes_are_stronger_and_tracks_have_colours(tmp_path) -> None:
    tracks = (Track("one"), Track("two"), Track("kit", 0, True))
    notes = [Note(0, 96, 60, 127, 0), Note(96, 96, 67, 127, 1), Note(0, 3, 36, 100, 2)]
    draw_roll([make_piece(notes, tracks)], tmp_path / "a.png")
    draw_roll([make_piece(notes[1:], tracks)], tmp_path / "b.png")
    assert pixels(tmp_path / "a.png", COLOURS[0]) > pixels(tmp_path / "b.png", COLOURS[0])
    quiet = [note._replace(velocity=10) for note in notes]
    draw_roll([make_piece(quiet, tracks)], tmp_path / "c.png")
    assert imread(tmp_path / "c.png").mean() > imread(tmp_path / "a.png").mean()


def test_a_long_piece_is_cut_and_several_share_the_rows(tmp_path) -> None:
    long = make_piece([Note(48 * bar, 48, 60 + bar % 5) for bar in range(500)])
    draw_roll([long], tmp_path / "a.png")
    draw_roll([long, long, long], tmp_path / "b.png")
    tall, shared = imread(tmp_path / "a.png").shape[0], imread(tmp_path / "b.png").shape[0]
    assert tall < SYSTEMS * 600
    assert shared < tall * 1.2


def test_names_with_signs_and_many_tracks(tmp_path) -> None:
    tracks = [Track(f"$x_{number} 小提琴 \n" * 20) for number in range(200)]
    piece = make_piece([Note(0, 12, 60, 80, 150)], tracks, name="$\\frac{ 曲" * 50)
    draw_roll([piece], tmp_path / "a.png")
    draw_roll([make_piece([])], tmp_path / "b.png")
    assert (tmp_path / "b.png").exists()


def test_a_pickup_is_bar_nought() -> None:
    piece = make_piece([Note(0, 12 + 36, 60)], meters=[Meter(0, 1, 4), Meter(12, 3, 4)], length=72)
    assert [(bar.begin, bar.end, bar.number) for bar in bars_of(piece)] == [(0, 12, 0), (12, 48, 1), (48, 72, 2)]
    piece = make_piece([], meters=[Meter(0, 3, 4), Meter(40, 4, 4)], length=80)
    assert [(bar.begin, bar.end, bar.number, bar.whole) for bar in bars_of(piece)] == [
        (0, 36, 1, True), (36, 40, 2, False), (40, 88, 3, True),
    ]  # fmt: skip


def test_drums_have_names() -> None:
    assert [drum_name(pitch) for pitch in (35, 38, 42, 81, 34, 82)] == [
        "bass drum 2", "snare", "closed hi-hat", "open triangle", "drum 34", "drum 82",
    ]  # fmt: skip


def test_a_place_that_cannot_be_written(tmp_path) -> None:
    with pytest.raises(RecurraError, match="writing"):
        draw_roll([make_piece([])], tmp_path / "none" / "a.png")
