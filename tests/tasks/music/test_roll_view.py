"""Pictures of rolls open, and colour what they say they colour."""

from pathlib import Path

import numpy as np
from PIL import Image

from recurra.explain.passage import Passage
from recurra.explain.units import Tracker
from recurra.tasks.music.roll_view import telling_row

FEATURE = "bar begins"


def coloured(path: Path) -> np.ndarray:
    """Which pixels are neither grey nor one of the pale inks of the lines."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    return pixels.max(axis=-1) - pixels.min(axis=-1) > 60


def test_a_row_a_unit(music_passage: Passage, tmp_path: Path) -> None:
    values = np.zeros((len(music_passage), 2), dtype=np.float32)
    values[:, 1] = np.random.default_rng(0).normal(size=len(music_passage))
    trackers = [Tracker(FEATURE, unit, -1, 0.9, 0.8, 0.7, 0.5, given) for unit, given in ((0, None), (1, 0.6))]
    music_passage.view.draw_units(music_passage, values, trackers[:1], tmp_path / "still.png")
    music_passage.view.draw_units(music_passage, values, trackers[1:], tmp_path / "busy.png")
    music_passage.view.draw_units(music_passage, values, trackers, tmp_path / "both.png")
    music_passage.view.draw_units(music_passage, values, [], tmp_path / "none.png")
    assert not coloured(tmp_path / "still.png").any()
    assert coloured(tmp_path / "busy.png").mean() > 0.005
    with Image.open(tmp_path / "both.png") as both, Image.open(tmp_path / "busy.png") as one:
        assert both.size[1] > 1.5 * one.size[1]


def test_a_unit_that_is_high_on_one_note_colours_it_alone(music_passage: Passage, tmp_path: Path) -> None:
    row = telling_row(music_passage.view, music_passage.view.rows(), music_passage.features[FEATURE])
    note = next(note for note in music_passage.view.notes if note.onset == row.begin + 24)
    values = np.zeros((len(music_passage), 1), dtype=np.float32)
    values[note.last] = 1.0
    music_passage.view.draw_units(
        music_passage, values, [Tracker(FEATURE, 0, 1, 0.9, 0.8, 0.7, 0.5)], tmp_path / "one.png"
    )
    columns = np.flatnonzero(coloured(tmp_path / "one.png").any(axis=0))
    left, width = 0.55 * 130, (13 - 0.75) * 130 / (row.end - row.begin)
    assert abs(columns[0] - (left + width * 24)) < 5
    assert abs(columns[-1] - (left + width * (24 + note.duration))) < 5


def test_surprise_colours_notes(music_passage: Passage, tmp_path: Path) -> None:
    bits = np.zeros(len(music_passage) - 1)
    music_passage.view.draw_surprisal(music_passage, bits, tmp_path / "none.png")
    music_passage.view.draw_surprisal(music_passage, bits + 5, tmp_path / "much.png")
    below_legend = slice(130, None)
    assert not coloured(tmp_path / "none.png")[below_legend].any()
    assert coloured(tmp_path / "much.png")[below_legend].mean() > 0.02


def test_the_telling_row_has_the_feature_and_its_absence(music_passage: Passage) -> None:
    roll = music_passage.view
    rows = roll.rows()
    holds = (roll.times >= rows[1].begin + 60) & (roll.times < rows[1].begin + 120)
    assert telling_row(roll, rows, holds) == rows[1]
