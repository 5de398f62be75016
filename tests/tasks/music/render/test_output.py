"""A piece into a file of the kind its name says, and swing."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import mido
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from musical import make_piece

from recurra.errors import OptionError
from recurra.tasks.music.data import open_pieces
from recurra.tasks.music.io.midi import read_midi
from recurra.tasks.music.pieces import Note, Piece, Tempo, Track
from recurra.tasks.music.render.output import require_known, swing, write_piece

SCALE = make_piece([Note(6 * place, 6, 60 + place) for place in range(16)], (Track("Piano"),), tempos=(Tempo(0, 120),))


@pytest.mark.parametrize("name", ["a.mid", "a.MIDI", "a.musicxml", "a.xml", "a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_each_kind_is_written_and_is_what_its_name_says(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    require_known(path)
    told = write_piece(SCALE, path)
    if path.suffix.lower() in (".wav", ".flac", ".ogg", ".mp3"):
        info = soundfile.info(path)
        assert info.format == {"wav": "WAV", "flac": "FLAC", "ogg": "OGG", "mp3": "MP3"}[name[2:]]
        assert info.duration == pytest.approx(4.0 + 1.5, abs=0.1)
        assert told.startswith(f"{info.duration:.0f} seconds of sound, played by ")
    else:
        assert told == ("MIDI" if "mid" in name.lower() else "MusicXML")
        again = open_pieces([path]).pieces[0]
        assert [note[:3] for note in again.notes] == [note[:3] for note in SCALE.notes]
    assert [other.name for other in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a", "a.txt", "mid", ".mid.", "a.mid.gz", "a.png", "a.svg", ".mp3"])
def test_other_names_are_refused_with_all_that_there_are(tmp_path: Path, name: str) -> None:
    for refuse in (require_known, lambda path: write_piece(SCALE, path)):
        with pytest.raises(OptionError) as error:
            refuse(tmp_path / name)
        assert name in str(error.value)
        for known in (".mid", ".midi", ".musicxml", ".xml", ".wav", ".flac", ".ogg", ".mp3"):
            assert known in str(error.value)
    assert not list(tmp_path.iterdir())


def test_what_a_kind_has_no_place_for_is_refused(tmp_path: Path) -> None:
    timing, font = swing(2 / 3), tmp_path / "a.sf2"
    for name in ("a.mid", "a.musicxml"):
        with pytest.raises(OptionError, match="`soundfont` plays into a sound file"):
            require_known(tmp_path / name, font)
    with pytest.raises(OptionError, match="`swing` is played, not written"):
        require_known(tmp_path / "a.xml", None, timing)
    require_known(tmp_path / "a.mid", None, timing)
    require_known(tmp_path / "a.wav", font, timing)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.499, 0.81, 1.0, -1.0, float("nan"), float("inf")])
def test_impossible_swing_is_refused(share: float) -> None:
    with pytest.raises(OptionError, match=r"`swing` is .*, but must be between 0\.5 \(straight\) and 0\.8"):
        swing(share)


def test_straight_is_as_it_is_written() -> None:
    assert swing(0.5) is None


@given(share=st.floats(0.5001, 0.8), ticks=st.lists(st.integers(0, 10_000), min_size=2, max_size=50, unique=True))
def test_swing_keeps_beats_and_order_and_moves_off_beats_by_its_share(share: float, ticks: list[int]) -> None:
    timing = swing(share)
    assert timing is not None
    for tick in ticks:
        assert timing(tick // 12 * 12) == tick // 12 * 12
        assert timing(tick // 12 * 12 + 6) == pytest.approx(tick // 12 * 12 + 12 * share)
        # Each half of a quarter is stretched evenly.
        inside = Fraction(tick % 12, 12)
        exact = Fraction(share)
        moved = inside * 2 * exact if inside < Fraction(1, 2) else exact + (inside * 2 - 1) * (1 - exact)
        assert timing(tick) == pytest.approx(float(tick // 12 + moved) * 12)
    moved_ticks = [timing(tick) for tick in sorted(ticks)]
    assert moved_ticks == sorted(set(moved_ticks))


def onsets(path: Path) -> list[float]:
    """In quarters."""
    file = mido.MidiFile(path)
    found = []
    for track in file.tracks:
        time = 0
        for message in track:
            time += message.time
            if message.type == "note_on" and message.velocity:
                found.append(time / file.ticks_per_beat)
    return sorted(found)


def test_swung_eighths_as_another_library_reads_them(tmp_path: Path) -> None:
    write_piece(SCALE, tmp_path / "a.mid", timing=swing(2 / 3))
    assert onsets(tmp_path / "a.mid") == pytest.approx(
        [place // 2 + (2 / 3 if place % 2 else 0) for place in range(16)], abs=1 / 480
    )
    # A triplet's places are on the grid, so that swing reads back as what people write it as.
    assert [note.onset % 12 for note in read_midi(tmp_path / "a.mid").notes] == [0, 8] * 8


def test_swing_is_heard(tmp_path: Path) -> None:
    """The second of two eighths begins at its share of the quarter: until then there is silence."""
    clicks = make_piece([Note(6, 1, 69)], (Track("Piano"),), tempos=(Tempo(0, 60.0),))
    for share in (0.5, 0.8):
        write_piece(clicks, tmp_path / "a.wav", timing=swing(share))
        samples, rate = soundfile.read(tmp_path / "a.wav")
        first = int((abs(samples).max(axis=1) > 1e-3).argmax()) / rate
        assert first == pytest.approx(share, abs=0.03)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    path = tmp_path / "a.mid"
    path.write_bytes(b"precious")

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Exception, match="the disk is full"):
        write_piece(SCALE, path)
    assert path.read_bytes() == b"precious"
    assert [other.name for other in tmp_path.iterdir()] == ["a.mid"]


def test_a_piece_without_notes_is_written_all_the_same(tmp_path: Path) -> None:
    silence = Piece("silence", (Track("Piano"),), (), 96)
    for name in ("a.mid", "a.wav", "a.musicxml"):
        assert write_piece(silence, tmp_path / name)
