"""Which recordings are of the word; what is said where it is not among them, or too few are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from recurra.errors import RecurraError
from recurra.tasks.speech.config import Config, with_preset
from recurra.tasks.speech.data import Data
from recurra.tasks.speech.wakeword.data import describe_detector, read_detector_data
from recurra.tasks.speech.wakeword.streams import Mixer

Refused = Callable[..., str]


def folder_of(folder: Path, **counts: int) -> Path:
    """A folder of so many recordings of each word: tones, each of its own pitch; `noise` is background noise."""
    for number, (word, count) in enumerate(counts.items()):
        place = folder / ("_background_noise_" if word == "noise" else word)
        place.mkdir(parents=True)
        for each in range(count):
            times = np.arange(4000 + 100 * each) / 8000
            soundfile.write(place / f"{each}.wav", 0.3 * np.sin(2 * np.pi * (300 + 200 * number) * times), 8000)
    return folder


def read(paths: list[Path], folder: Path, validation: tuple[Path, ...] = (), **options: Any) -> Data:
    options = {"detect": "yes", "rate": 8000, "mel_bands": 8} | options
    return read_detector_data(paths, validation, with_preset(Config(**options), False), folder)


def test_folders_of_words_and_of_noise(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "words", yes=20, no=30, noise=10)
    found = read([place], tmp_path)
    together = [*zip(found.train.texts, found.train.symbols, strict=True)]
    together += [*zip(found.validation.texts, found.validation.symbols, strict=True)]
    assert sorted({(text, len(symbols)) for text, symbols in together}) == [("", 0), ("no", 0), ("yes", 1)]
    assert len(together) == 60
    assert sum(len(symbols) for symbols in found.validation.symbols) == 3, "15 % of 20"
    assert len(found.validation) == 3 + 6, "and of 40"
    assert found.symbols.names == ("yes",)
    mixer = Mixer(found.train, with_preset(Config(detect="yes", rate=8000), False))
    assert {found.train.texts[n] for n in mixer.noises} == {""}
    assert "17 recordings of 'yes' and 34 others" in describe_detector(found)[-1]


def test_several_folders_and_validation_of_ones_own(tmp_path: Path) -> None:
    first, second = folder_of(tmp_path / "a", Yes=12), folder_of(tmp_path / "b", no=12)
    own = folder_of(tmp_path / "c", yes=2, no=3)
    found = read([first, second], tmp_path, (own,))
    assert (len(found.train), len(found.validation)) == (24, 5)
    with pytest.raises(RecurraError, match=r"none of the 24 recordings of .* is of 'yes'; they are of 'no', 'Yes'"):
        read([second, first], tmp_path, lowercase=False)


def test_a_recording_may_be_clipped(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "words", yes=12, no=12)
    soundfile.write(place / "no" / "loud.wav", np.sign(np.sin(np.arange(8000) * 0.1)), 8000)
    found = read([place], tmp_path)
    assert len(found.train) + len(found.validation) == 25


def test_the_word_among_other_words_is_left_out_and_said(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "words", yes=12, no=12)
    for name in ("oh yes", "yesterday"):
        folder_of(tmp_path / name, **{name: 2})
    found = read([place, tmp_path / "oh yes", tmp_path / "yesterday"], tmp_path)
    assert len(found.train) + len(found.validation) == 26
    (told,) = (line for line in describe_detector(found) if line.startswith("left out"))
    assert "2 recordings that say 'yes' among other words" in told


def test_what_cannot_be_learned_from(refused: Refused, tmp_path: Path) -> None:
    words = folder_of(tmp_path / "words", yes=12, no=9)
    out = ("--out", tmp_path / "m")
    message = refused("speech", "train", words, *out, "--detect", "maybe")
    assert "none of the 21 recordings of words is of 'maybe'; they are of 'yes', 'no'; name one" in message
    assert "9 recordings without 'yes'; at least 10" in refused("speech", "train", words, *out, "--detect", "yes")
    assert "9 recordings of 'no'; at least 10" in refused("speech", "train", words, *out, "--detect", "no")
    assert "--detect is blank" in refused("speech", "train", words, *out, "--detect", " ", status=2)
    soundfile.write(words / "no" / "silent.wav", np.zeros(8000), 8000)
    assert "silent.wav: it is silent" in refused("speech", "train", words, *out, "--detect", "yes")
    assert not (tmp_path / "m").exists()
