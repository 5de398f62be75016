"""Sound files of every kind as samples, and what is wrong with the others in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from recurra.errors import RecurraError
from recurra.tasks.speech import audio
from recurra.tasks.speech.audio import Resampler, fault, read_sound, sound_blocks, sound_info


def tone(rate: int, seconds: float = 0.5, pitch: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * pitch * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize(
    ("subtype", "tolerance"),
    [("PCM_U8", 1 / 120), ("PCM_16", 1e-4), ("PCM_24", 1e-6), ("PCM_32", 1e-6), ("FLOAT", 0), ("DOUBLE", 1e-7)],
)
def test_any_width_of_samples(tmp_path: Path, subtype: str, tolerance: float) -> None:
    soundfile.write(tmp_path / "a.wav", tone(16_000), 16_000, subtype=subtype)
    np.testing.assert_allclose(read_sound(tmp_path / "a.wav", 16_000), tone(16_000), atol=tolerance)


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 192_000])
def test_any_rate_becomes_the_models(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(rate), rate, subtype="FLOAT")
    heard = read_sound(tmp_path / "a.wav", 16_000)
    assert abs(len(heard) - 8000) <= 1
    np.testing.assert_allclose(heard[500:7500], tone(16_000)[500:7500], atol=2e-3)


def test_channels_are_averaged(tmp_path: Path) -> None:
    eight = np.stack([tone(16_000, pitch=100.0 * (1 + channel)) for channel in range(8)], axis=1)
    soundfile.write(tmp_path / "a.wav", eight, 16_000, subtype="FLOAT")
    assert sound_info(tmp_path / "a.wav").channels == 8
    np.testing.assert_allclose(read_sound(tmp_path / "a.wav", 16_000), eight.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("ending", [".flac", ".ogg", ".mp3"])
def test_packed_sound(tmp_path: Path, ending: str) -> None:
    soundfile.write(tmp_path / f"a{ending}", tone(16_000, 1.0), 16_000)
    heard = read_sound(tmp_path / f"a{ending}", 16_000)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) * 16_000 / len(heard) == pytest.approx(440, abs=2)


def test_blocks_are_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.wav", tone(44_100, 1.0), 44_100, subtype="FLOAT")
    whole = read_sound(tmp_path / "a.wav", 16_000)
    monkeypatch.setattr(audio, "BLOCK_SECONDS", 0.037)
    blocks = list(sound_blocks(tmp_path / "a.wav", 16_000))
    assert len(blocks) > 20
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-6)


def test_a_resampler_takes_any_chunks() -> None:
    samples = tone(44_100)
    whole, parts = Resampler(44_100, 8000), Resampler(44_100, 8000)
    expected = np.concatenate([whole.feed(samples), whole.finish()])
    cut = [parts.feed(samples[begin : begin + 333]) for begin in range(0, len(samples), 333)]
    np.testing.assert_allclose(np.concatenate([*cut, parts.finish()]), expected, atol=1e-6)


def refusal(path: Path) -> str:
    with pytest.raises(RecurraError) as error:
        read_sound(path, 16_000)
    message = str(error.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_what_is_not_sound(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    assert "is empty" in refusal(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_text("this is text, and long enough to be a header " * 3)
    assert "is not a sound file" in refusal(tmp_path / "b.wav")
    assert "failed: there is no such file" in refusal(tmp_path / "c.wav")
    assert "is a folder" in refusal(tmp_path)
    soundfile.write(tmp_path / "d.wav", np.zeros(0), 16_000)
    assert "has no samples" in refusal(tmp_path / "d.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e30])
def test_numbers_that_are_no_sound_are_found_with_their_place(tmp_path: Path, value: float) -> None:
    samples = tone(16_000)
    samples[4000] = value
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    assert "not numbers, or far too loud, first at 0.25 s" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_that_is_cut_off(tmp_path: Path, share: float) -> None:
    soundfile.write(tmp_path / "a.flac", tone(16_000, 3.0), 16_000)
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(data[: int(share * len(data))])
    message = refusal(tmp_path / "a.flac")
    assert "cut off" in message or "damaged" in message


def test_a_day_is_the_longest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.wav", tone(16_000), 16_000)
    monkeypatch.setattr(audio, "MAX_SECONDS", 0.4)
    assert "cut it into parts" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros(0), "no samples"),
        (np.zeros(100), "silent"),
        (np.full(100, 5e-5), "silent"),
        (np.clip(tone(16_000) * 4, -1, 1), "clipped"),
        (tone(16_000), None),
        (tone(16_000) / 1000, None),
    ],
    ids=["empty", "zero", "faint", "clipped", "sound", "quiet"],
)
def test_what_cannot_be_learned_from(samples: Any, said: str | None) -> None:
    found = fault(samples.astype(np.float32))
    assert (found is None) if said is None else said in str(found)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    audio.write_sound(tmp_path / "a.wav", tone(8000), 8000)
    np.testing.assert_allclose(read_sound(tmp_path / "a.wav", 8000), tone(8000), atol=1e-4)


def test_a_wav_file_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(1000, 0.1), 8000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecurraError, match=r"a.wav is cut off: it says 2,044 bytes, and 1,022 are there"):
        read_sound(path, 8000)
    path.write_bytes(whole[:4] + b"\xff" * 4 + whole[8:])  # as what writes into a pipe does
    assert len(read_sound(path, 8000)) == 1000
