"""Sound files, read back by soundfile and listened to by measure."""

import importlib.util
import struct

import numpy as np
import pytest
from musical import make_piece

from recurra.errors import OptionError, RecurraError
from recurra.tasks.music.pieces import Note, Tempo, Track
from recurra.tasks.music.render import sound as module
from recurra.tasks.music.render.sound import FORMATS, carried_soundfont, render
from recurra.tasks.music.render.soundfont import _RECORDS, Tables, check_soundfont, in_tune
from recurra.tasks.music.render.synthesizer import TAIL

soundfile = pytest.importorskip("soundfile")

CHORD = make_piece([Note(0, 24, pitch, 90) for pitch in (60, 64, 67)] + [Note(60, 12, 72, 60)])
"""Two seconds of C major, three of rest, one of a note."""


@pytest.fixture(params=["soundfont", "built-in"])
def player(request, monkeypatch) -> str:
    """Each of the two synthesizers in turn; what `Sound` calls it."""
    if request.param == "soundfont":
        return "TimGM6mb.sf2"
    monkeypatch.setattr(module, "carried_soundfont", lambda: None)
    return "built-in"


@pytest.mark.parametrize("suffix", list(FORMATS))
def test_formats_read_back(tmp_path, player, suffix) -> None:
    path = tmp_path / f"piece{suffix}"
    made = render(CHORD, path, sample_rate=22050)
    heard, rate = soundfile.read(path)
    assert made.synthesizer == player
    assert rate == made.sample_rate == 22050
    assert made.seconds == pytest.approx(6 + TAIL, abs=1e-3)
    assert len(heard) / rate == pytest.approx(6 + TAIL, abs=0.06)
    assert 0.8 < abs(heard).max() < 1
    assert made.peak == pytest.approx(10 ** (-1 / 20))
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_notes_sound_and_rests_do_not(tmp_path, player) -> None:
    render(CHORD, tmp_path / "a.wav")
    heard, rate = soundfile.read(tmp_path / "a.wav")

    def loudness(begin: float, end: float) -> float:
        return float(np.sqrt((heard[int(begin * rate) : int(end * rate)] ** 2).mean()))

    assert loudness(0.05, 1.9) > 0.03
    assert loudness(5.05, 5.9) > 0.01
    assert loudness(3.0, 4.95) < 1e-4
    assert loudness(6 + TAIL - 0.1, 6 + TAIL) < 1e-3


def test_pitches_are_the_notes(tmp_path, player) -> None:
    render(CHORD, tmp_path / "a.flac")
    heard, rate = soundfile.read(tmp_path / "a.flac")
    window = heard[: 2 * rate].mean(axis=1) * np.hanning(2 * rate)
    spectrum, hertz = np.abs(np.fft.rfft(window)), np.fft.rfftfreq(2 * rate, 1 / rate)

    def height(pitch: int) -> float:
        centre = 440 * 2 ** ((pitch - 69) / 12)
        return spectrum[(hertz > centre * 0.985) & (hertz < centre * 1.015)].max()

    for pitch in (60, 64, 67):
        assert height(pitch) > 5 * max(height(other) for other in (58, 62, 65, 69, 70))


def test_a_long_piece_in_blocks_and_tempo(tmp_path) -> None:
    piece = make_piece([Note(12 * n, 12, 60 + n % 5) for n in range(400)], tempos=[Tempo(0, 240)])
    made = render(piece, tmp_path / "a.ogg", sample_rate=8000)
    assert made.seconds == pytest.approx(100 + TAIL, abs=1e-3)
    assert soundfile.info(tmp_path / "a.ogg").duration == pytest.approx(100 + TAIL, abs=0.01)


def test_drums_and_nothing_at_all(tmp_path, player) -> None:
    drums = make_piece([Note(0, 3, 36, 100), Note(12, 3, 42), Note(24, 3, 99)], [Track("kit", 0, True)])
    assert render(drums, tmp_path / "a.wav", sample_rate=8000).peak > 0.8
    empty = render(make_piece([]), tmp_path / "b.wav", sample_rate=8000)
    assert empty.peak == 0
    assert empty.seconds == pytest.approx(TAIL)


def test_timing_moves_what_is_heard(tmp_path, player) -> None:
    piece = make_piece([Note(12, 12, 60)])
    render(piece, tmp_path / "a.wav", timing=lambda tick: tick + 6.0)
    heard, rate = soundfile.read(tmp_path / "a.wav")
    assert np.argmax(abs(heard).max(axis=1) > 0.02) / rate == pytest.approx(1.5, abs=0.05)


def test_what_is_refused(tmp_path, monkeypatch) -> None:
    with pytest.raises(OptionError, match=r"end it in \.wav, \.flac, \.ogg or \.mp3"):
        render(CHORD, tmp_path / "a.aac")
    with pytest.raises(OptionError, match="a sample rate of 7"):
        render(CHORD, tmp_path / "a.wav", sample_rate=7)
    with pytest.raises(RecurraError, match=r"would sound for 3\.0 hours"):
        render(make_piece([Note(12 * 3 * 3600 - 1, 1, 60)]), tmp_path / "a.wav")
    with pytest.raises(RecurraError, match="there is no such file"):
        render(CHORD, tmp_path / "a.wav", soundfont=tmp_path / "none.sf2")
    with pytest.raises(RecurraError, match=r"writing .* failed"):
        render(CHORD, tmp_path / "nowhere" / "a.wav")
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "soundfile" else found(name))
    with pytest.raises(RecurraError, match=r"pip install 'recurra\[music\]'"):
        render(CHORD, tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []


def test_without_symusic_it_sounds_all_the_same(tmp_path, monkeypatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "symusic" else found(name))
    assert render(CHORD, tmp_path / "a.wav").synthesizer == "built-in"
    with pytest.raises(RecurraError, match="a SoundFont needs one more package"):
        render(CHORD, tmp_path / "a.wav", soundfont=tmp_path / "any.sf2")


def soundfont_bytes() -> bytes:
    path = carried_soundfont()
    if path is None:
        pytest.skip("pretty_midi and symusic are not installed")
    return path.read_bytes()


def test_broken_soundfonts_are_refused_before_they_are_played(tmp_path) -> None:
    whole = soundfont_bytes()
    check_soundfont(carried_soundfont())
    headers = whole.index(b"shdr") + 8
    generators = whole.index(b"igen") + 8
    broken = {
        b"": "does not begin", b"RIFF": "does not begin", b"noise" * 1000: "does not begin",
        whole[:100_000]: "cut short", whole[:-46]: "cut short",
        whole[:12]: "is missing",
        whole[: headers + 24] + struct.pack("<I", 2**31) + whole[headers + 28 :]: "outside smpl",
        whole[:generators] + struct.pack("<H", 999) + whole[generators + 2 :]: "not defined",
        whole.replace(b"pbag", b"pbog", 1): "pbag is missing",
    }  # fmt: skip
    for content, reason in broken.items():
        path = tmp_path / "bad.sf2"
        path.write_bytes(content)
        with pytest.raises(RecurraError, match=reason) as caught:
            render(CHORD, tmp_path / "a.wav", soundfont=path)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.wav").exists()


@pytest.mark.parametrize("program", [0, 6, 24, 40, 42, 48, 56, 60, 73])
def test_the_carried_soundfont_is_in_tune(program, tmp_path) -> None:
    """Symusic alone is octaves off: it does not know of overriding root keys."""
    soundfont_bytes()
    for pitch in (55, 60, 67, 72):
        render(make_piece([Note(0, 24, pitch, 90)], [Track("", program)]), tmp_path / "a.wav", sample_rate=22050)
        heard, rate = soundfile.read(tmp_path / "a.wav")
        power = np.abs(np.fft.rfft(heard[: 2 * rate].mean(axis=1) * np.hanning(2 * rate))) ** 2
        multiple = np.fft.rfftfreq(2 * rate, 1 / rate) / (440 * 2 ** ((pitch - 69) / 12))
        harmonic = (np.round(multiple) >= 1) & (abs(multiple / np.maximum(np.round(multiple), 1) - 1) < 0.03)
        assert power[harmonic].sum() > 0.9 * power.sum()


def test_a_transposing_zone_says_so_in_a_header_of_its_own() -> None:
    kinds = _RECORDS
    generators = np.array([(58, 60), (51, 65535), (53, 0), (53, 1), (58, 70), (53, 0), (60, 0)], kinds[b"igen"])
    headers = np.zeros(3, kinds[b"shdr"])
    headers["pitch"] = [60, 50, 0]
    of = {
        b"igen": generators, b"shdr": headers,
        b"ibag": np.array([(0, 0), (2, 0), (3, 0), (4, 0), (6, 0)], kinds[b"ibag"]),
        b"inst": np.array([(b"", 0), (b"", 4)], kinds[b"inst"]),
    }  # fmt: skip
    made = in_tune(Tables(of, {}))
    assert made is not None
    after, grown = made
    # The global zone says root 60 and a semitone down, and is heard by all; the last zone has a root of its own.
    assert after["amount"].tolist() == [60, 0, 2, 3, 70, 4, 0]
    assert grown["pitch"].tolist() == [60, 50, 61, 61, 71, 0]
    headers["pitch"] = [61, 61, 0]
    generators["kind"][:] = 8
    assert in_tune(Tables(of, {})) is None
