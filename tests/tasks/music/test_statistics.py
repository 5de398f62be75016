"""The musical statistics against cases worked out by hand, and slow loops."""

import json
import math
from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.music import statistics as module
from recurra.tasks.music.pieces import Meter, Note, Piece, Track
from recurra.tasks.music.statistics import HISTOGRAMS, SCALARS, bar_lines, compare, draw_statistics, measure

TRACKS = (Track(), Track(), Track(drums=True))


def piece(*notes: tuple[int, ...], length: int = 96, meters: tuple[Meter, ...] = (Meter(0, 4, 4),)) -> Piece:
    """Notes (onset, duration, pitch) or (onset, duration, pitch, track); the third track is of drums."""
    made = sorted((Note(*note[:3], 80, *note[3:]) for note in notes), key=lambda n: (n.onset, n.track, n.pitch))
    return Piece("made", TRACKS, tuple(made), length, meters)


def scalar(name: str, made: Piece) -> float:
    return float(measure([made]).scalars[name][0])


def histogram(name: str, *made: Piece) -> dict[int, int]:
    counts = measure(made).histograms[name]
    return {HISTOGRAMS[name][place]: int(counts[place]) for place in np.flatnonzero(counts)}


THREE_BARS = piece((0, 12, 60), (0, 12, 64), (12, 24, 67), (48, 6, 62), (60, 60, 72), (0, 3, 36, 2), length=144)
"""Three bars of 4/4: a third and a fifth and a drum; a second and a note held on for five beats; nothing begins."""


def test_histograms_by_hand() -> None:
    assert histogram("pitch_class", THREE_BARS) == {0: 2, 2: 1, 4: 1, 7: 1}
    assert histogram("duration", THREE_BARS) == {6: 1, 12: 2, 24: 1, 49: 1}
    assert histogram("onset_in_bar", THREE_BARS) == {0: 4, 12: 2}
    assert histogram("melodic_interval", THREE_BARS) == {3: 1, -5: 1, 10: 1}
    assert histogram("pitch_class", THREE_BARS, THREE_BARS)[0] == 4


def test_intervals_stay_in_their_track_and_are_clipped() -> None:
    made = piece(
        (0, 3, 60), (0, 3, 80, 1), (3, 3, 90), (6, 3, 78), (6, 3, 50), (9, 3, 60, 1), (0, 3, 36, 2), (3, 3, 50, 2)
    )
    assert histogram("melodic_interval", made) == {13: 1, -12: 1, -13: 1}


def test_onsets_in_long_and_short_bars() -> None:
    pickup = (Meter(0, 1, 4), Meter(12, 3, 4), Meter(84, 12, 4))
    made = piece((3, 3, 60), (12, 3, 60), (51, 3, 60), (84 + 97, 3, 60), length=228, meters=pickup)
    assert bar_lines(made) == [0, 12, 48, 84, 228]
    assert histogram("onset_in_bar", made) == {0: 1, 3: 2, 95: 1}


@pytest.mark.parametrize(
    ("made", "lines"),
    [
        (piece(length=0), [0]),
        (piece(length=1), [0, 48]),
        (piece(length=48), [0, 48]),
        (piece(length=49), [0, 48, 96]),
        (piece(length=60, meters=(Meter(0, 4, 4), Meter(96, 3, 4))), [0, 48, 96]),
        (piece(length=60, meters=(Meter(0, 6, 8), Meter(36, 2, 4))), [0, 36, 60]),
    ],
)
def test_bar_lines(made: Piece, lines: list[int]) -> None:
    assert bar_lines(made) == lines


def test_scalars_by_hand() -> None:
    assert scalar("polyphony", THREE_BARS) == (12 + 12 + 24 + 6 + 60) / (36 + 6 + 60)
    assert scalar("pitch_range", THREE_BARS) == 12
    assert scalar("notes_per_bar", THREE_BARS) == 6 / 3
    assert scalar("scale_consistency", THREE_BARS) == 1.0
    assert scalar("pitch_class_entropy", THREE_BARS) == pytest.approx(-0.4 * math.log2(0.4) - 0.6 * math.log2(0.2))
    assert scalar("empty_beats", THREE_BARS) == 3 / 12


def test_scale_consistency_needs_one_scale() -> None:
    chromatic = piece(*((3 * step, 3, 60 + step) for step in range(12)))
    assert scalar("scale_consistency", chromatic) == pytest.approx(7 / 12)
    assert scalar("pitch_class_entropy", chromatic) == pytest.approx(math.log2(12))
    g_minor_with_leading_note = piece(
        *((3 * step, 3, pitch) for step, pitch in enumerate((67, 69, 70, 72, 74, 75, 77, 78)))
    )
    assert scalar("scale_consistency", g_minor_with_leading_note) == 7 / 8


def test_empty_beats_of_compound_time() -> None:
    made = piece((0, 18, 60), (20, 1, 36, 2), (54, 2, 60), length=72, meters=(Meter(0, 6, 8),))
    assert scalar("empty_beats", made) == 1 / 4


def test_groove_by_hand() -> None:
    """Three bars of six ticks: the first and the last begin notes at the same ones, the second at one less."""
    meters = (Meter(0, 1, 8),)
    made = piece((0, 1, 60), (3, 1, 60), (6, 1, 60), (12, 1, 60), (12, 1, 64), (15, 1, 36, 2), length=18, meters=meters)
    assert scalar("groove", made) == pytest.approx(1 - (1 / 6 + 0 + 1 / 6) / 3)
    assert math.isnan(scalar("groove", piece((0, 3, 60), length=48)))


def test_repetition_by_hand() -> None:
    bar = ((0, 12, 60), (12, 12, 64), (12, 12, 67), (24, 3, 36, 2))
    other_pitches = ((0, 12, 60), (12, 12, 62), (24, 3, 36, 2))
    other_drum = (*bar[:3], (24, 3, 38, 2))
    other_voice = (*bar[:2], (12, 12, 67, 1), bar[3])
    up = [(onset, duration, pitch + 2 * (not drums), *drums) for onset, duration, pitch, *drums in bar]

    def shares(*bars) -> tuple[float, ...]:
        notes = [(onset + 48 * n, *rest) for n, notes in enumerate(bars) for onset, *rest in notes]
        made = piece(*notes, length=48 * len(bars))
        return tuple(scalar(name, made) for name in ("repeated_bars", "transposed_bars", "rhythm_bars"))

    assert shares(bar, bar) == (0.5, 0.5, 0.5)
    assert shares(bar, (), bar, ()) == (0.5, 0.5, 0.5)
    assert shares(bar, up) == (0, 0.5, 0.5)
    assert shares(bar, other_drum) == shares(bar, other_pitches) == (0, 0, 0.5)
    assert shares(bar, other_voice) == (0, 0, 0)
    assert shares(bar, up, other_pitches, bar) == (0.25, 0.5, 0.75)


def test_bars_of_other_lengths_are_not_the_same() -> None:
    made = piece(
        (0, 3, 60), (36, 3, 60), (84, 3, 60), length=120, meters=(Meter(0, 3, 4), Meter(36, 4, 4), Meter(84, 3, 4))
    )
    assert scalar("repeated_bars", made) == pytest.approx(1 / 3)


NOTES = st.tuples(st.integers(0, 140), st.integers(1, 30), st.integers(55, 62), st.integers(0, 2))


@given(st.lists(NOTES, max_size=25, unique_by=lambda note: (note[0], *note[2:])), st.sampled_from([2, 3, 4]))
def test_against_loops(notes: list[tuple[int, ...]], beats: int) -> None:
    bar = 12 * beats
    made = piece(*notes, length=170, meters=(Meter(0, beats, 4),))
    pitched = [note for note in made.notes if note.track != 2]
    bars = [range(begin, begin + bar) for begin in range(0, 170, bar)]
    at = [sum(note.onset <= tick < note.end for note in pitched) for tick in range(200)]
    if pitched:
        assert scalar("polyphony", made) == pytest.approx(sum(at) / sum(count > 0 for count in at))
    else:
        assert math.isnan(scalar("polyphony", made))
    sounding = {tick for note in made.notes for tick in range(note.onset, note.end)}
    beat_starts = range(0, 170, 12)
    empty = sum(not sounding & set(range(begin, begin + 12)) for begin in beat_starts)
    assert scalar("empty_beats", made) == pytest.approx(empty / len(beat_starts))
    grooves = [[any(note.onset == tick for note in made.notes) for tick in ticks] for ticks in bars]
    pairs = [np.mean(np.equal(*pair)) for pair in combinations(grooves, 2)]
    assert scalar("groove", made) == pytest.approx(np.mean(pairs))
    contents = [tuple((n.onset - b[0], n.duration, n.pitch, n.track) for n in made.notes if n.onset in b) for b in bars]
    filled = [content for content in contents if content]
    repeats = sum(content in filled[:place] for place, content in enumerate(filled))
    if filled:
        assert scalar("repeated_bars", made) == pytest.approx(repeats / len(filled))
        assert 0 <= scalar("repeated_bars", made) <= scalar("transposed_bars", made) <= scalar("rhythm_bars", made) < 1
    expected: Counter[int] = Counter()
    for track in (0, 1):
        highest: dict[int, int] = {}
        for note in pitched:
            if note.track == track:
                highest[note.onset] = max(note.pitch, highest.get(note.onset, 0))
        expected.update(after - before for before, after in pairwise(highest.values()))
    assert histogram("melodic_interval", made) == expected


def test_nothing_to_measure() -> None:
    empty = measure([piece(length=0), piece((0, 3, 36, 2), length=48)])
    assert set(empty.scalars) == set(SCALARS)
    assert all(math.isnan(values[0]) for values in empty.scalars.values())
    assert empty.to_json()["scalars"]["polyphony"] is None
    assert empty.to_json()["scalars"]["notes_per_bar"] == 1
    for pieces in ([], [piece(length=0)]):
        comparison = compare(measure(pieces), measure([THREE_BARS]))
        assert set(comparison.overlaps.values()) == {None}
        assert comparison.scalars["polyphony"].made is None
        json.dumps(comparison.to_json(), allow_nan=False)


def test_comparison_by_hand() -> None:
    low, high = piece((0, 12, 60), (12, 12, 62)), piece((0, 12, 60), (12, 12, 67), (24, 24, 69), (48, 24, 60))
    comparison = compare(measure([low]), measure([high, low]))
    assert comparison.overlaps["pitch_class"] == pytest.approx(min(1 / 2, 3 / 6) + min(1 / 2, 1 / 6))
    assert comparison.overlaps["duration"] == pytest.approx(4 / 6)
    assert comparison.scalars["pitch_range"] == (2.0, 5.5, 3.5)
    assert compare(measure([high]), measure([high])).overlaps == dict.fromkeys(HISTOGRAMS, pytest.approx(1.0))
    plain = json.loads(json.dumps(comparison.to_json(), allow_nan=False))
    assert plain["scalars"]["pitch_range"] == {"made": 2.0, "corpus": 5.5, "corpus_deviation": 3.5}
    shares = json.loads(json.dumps(measure([high]).to_json(), allow_nan=False))["histograms"]["pitch_class"]
    assert shares == [0.5, 0, 0, 0, 0, 0, 0, 0.25, 0, 0.25, 0, 0]


def test_picture(tmp_path, monkeypatch) -> None:
    """The bars drawn are the shares; the picture is a PNG."""
    from matplotlib.figure import Figure

    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (figures.append(self), save(self, *a, **k))[1])
    made, corpus = measure([piece((0, 12, 60), (12, 12, 62))]), measure([THREE_BARS])
    draw_statistics(made, corpus, tmp_path / "statistics.png")
    assert (tmp_path / "statistics.png").read_bytes().startswith(b"\x89PNG")
    pitch_classes = figures[0].axes[0]
    heights = [[round(float(bar.get_height()), 6) for bar in bars] for bars in pitch_classes.containers]
    assert heights == [[0.4, 0.2, 0.2, 0.2], [0.5, 0.5, 0, 0]]
    assert [label.get_text() for label in pitch_classes.get_xticklabels()] == ["C", "D", "E", "G"]
    assert [text.get_text() for text in pitch_classes.get_legend().get_texts()] == ["corpus", "made"]
    assert [label.get_text() for label in figures[0].axes[1].get_xticklabels()] == ["1/2", "1", "2", "> 4"]
    assert "overlap 0.60" in pitch_classes.get_title(loc="left")


def test_rare_bins_are_not_drawn(tmp_path, monkeypatch) -> None:
    from matplotlib.figure import Figure

    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **options: (figures.append(self), path.touch()))
    many = measure([piece(*((3 * step, 3, 60) for step in range(999)), (0, 12, 61, 1), length=3000)])
    draw_statistics(many, many, tmp_path / "statistics.png")
    assert [label.get_text() for label in figures[0].axes[0].get_xticklabels()] == ["C"]
    assert "0.2%" in figures[0].get_supxlabel()


def test_picture_of_nothing(tmp_path) -> None:
    draw_statistics(measure([]), measure([]), tmp_path / "statistics.png")
    assert (tmp_path / "statistics.png").stat().st_size > 0


def test_many_onsets_are_labelled_by_quarters() -> None:
    assert list(module._labels("onset_in_bar", range(48)).values()) == ["0", "1", "2", "3"]
    assert list(module._labels("melodic_interval", range(-13, 0, 1)).values()) == ["<", *map(str, range(-12, 0, 2))]
