"""Our own synthesizer, listened to by measure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from musical import make_piece

from recurra.errors import RecurraError
from recurra.tasks.music.pieces import Note, Tempo, Track
from recurra.tasks.music.render.synthesizer import TAIL, note_seconds, pan_gains, synthesize

RATE = 22050


def frequency(pitch: int) -> float:
    return 440.0 * 2 ** ((pitch - 69) / 12)


def share_at(sound: np.ndarray, rate: int, pitch: int) -> float:
    """Height of the spectrum within a third of a semitone of a pitch, by its greatest height."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), n=4 * len(sound)))
    hertz = np.fft.rfftfreq(4 * len(sound), 1 / rate)
    near = np.abs(12 * np.log2(np.maximum(hertz, 1e-9) / frequency(pitch))) < 1 / 3
    return float(spectrum[near].max() / spectrum.max())


@pytest.mark.parametrize("program", [0, 9, 19, 33, 40, 45, 73])
@pytest.mark.parametrize("pitch", [36, 60, 81])
def test_a_note_has_its_pitch(program, pitch) -> None:
    sound = synthesize(make_piece([Note(0, 24, pitch)], [Track("", program)]), RATE).sum(axis=0)
    spectrum = np.abs(np.fft.rfft(sound[: 2 * RATE]))
    loudest = np.argmax(spectrum) / 2
    assert abs(12 * np.log2(loudest / frequency(pitch))) < 0.35


def test_a_chord_has_its_pitches_and_no_others() -> None:
    sound = synthesize(make_piece([Note(0, 24, pitch) for pitch in (60, 64, 67)]), RATE).sum(axis=0)[:RATE]
    assert all(share_at(sound, RATE, pitch) > 0.3 for pitch in (60, 64, 67))
    assert all(share_at(sound, RATE, pitch) < 0.05 for pitch in (58, 62, 65, 69))


@given(st.integers(0, 127), st.integers(1, 127), st.integers(0, 127), st.booleans(), st.integers(1, 40))
def test_any_note_is_finite_and_begins_and_ends_softly(pitch, velocity, program, drums, duration) -> None:
    piece = make_piece([Note(0, duration, pitch, velocity)], [Track("", program, drums)])
    sound = synthesize(piece, RATE)
    assert sound.dtype == np.float32
    assert sound.shape == (2, int(np.ceil((duration / 12 + TAIL) * RATE)))
    assert np.isfinite(sound).all()
    assert abs(sound[:, 0]).max() < 0.01
    assert abs(sound[:, -1]).max() < 0.001


def test_silence_where_rests_are_and_louder_where_velocity_is_higher() -> None:
    sound = synthesize(make_piece([Note(0, 12, 60, 40), Note(36, 12, 60, 120)]), RATE)
    soft, silent, loud = (np.sqrt((sound[:, int(a * RATE) : int((a + 1) * RATE)] ** 2).mean()) for a in (0, 1.5, 3))
    assert silent < 1e-6 < soft < loud


def test_tempos_and_timing_move_notes() -> None:
    piece = make_piece([Note(0, 12, 60), Note(24, 12, 62), Note(30, 18, 64)], tempos=[Tempo(0, 60), Tempo(24, 120)])
    np.testing.assert_allclose(note_seconds(piece), [[0, 1], [2, 2.5], [2.25, 3]])
    swung = note_seconds(piece, lambda tick: tick + 2 if tick % 12 == 6 else tick)
    np.testing.assert_allclose(swung, [[0, 1], [2, 2.5], [2 + 8 / 24, 3]])


def test_a_tempo_of_nothing_is_refused() -> None:
    for rate in (0.0, -3.0, float("nan"), float("inf")):
        with pytest.raises(RecurraError, match="a tempo that is not above 0"):
            note_seconds(make_piece([Note(0, 1, 60)], tempos=[Tempo(0, rate)]))


def test_tracks_are_spread_with_equal_power() -> None:
    gains = pan_gains(5)
    np.testing.assert_allclose((gains**2).sum(axis=1), 1, rtol=1e-6)
    assert (np.diff(gains[:, 0]) < 0).all()
    np.testing.assert_allclose(pan_gains(1)[0, 0], pan_gains(1)[0, 1])
    assert synthesize(make_piece([]), RATE).shape == (2, int(np.ceil(TAIL * RATE)))
