"""What a run learns from at each step."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recurra import load, speech
from recurra.data.buckets import Buckets
from recurra.errors import RecurraError
from recurra.tasks.speech.config import Config, resolve, with_preset
from recurra.tasks.speech.data import lengths_of, read_data, steps_needed, steps_of
from recurra.tasks.speech.evaluation import hear
from recurra.tasks.speech.objective import Transcribing, played
from recurra.tasks.speech.symbols import BLANK


def objective(songs_file: Path, folder: Path, **options: Any) -> Transcribing:
    config = with_preset(Config(**options), sample=False)
    read = read_data([songs_file], [], config, folder)
    config = resolve(config, read.seconds)
    buckets = Buckets(lengths_of(read.train, config), 300, config.seed)
    return Transcribing(config, read.train, read.validation, read.normalization, buckets)


def test_a_run_begins_with_the_shortest_recordings(
    songs_file: Path, tmp_path: Path, tiny_speech: dict[str, Any]
) -> None:
    made = objective(songs_file, tmp_path, **tiny_speech, curriculum=1.0)
    frames = made.train.frames
    stages = made._stages
    first, second = stages[0][0], stages[1][0]
    for begin, end, share in ((0, first, 1 / 8), (first, first + second, 1 / 4)):
        longest = np.sort(frames)[int(np.ceil(share * len(frames))) - 1]
        drawn = np.concatenate([made._batch(step) for step in range(begin, end)])
        assert frames[drawn].max() <= longest + made.config.features.stack
        assert abs(len(drawn) - len(frames)) <= len(made._batch(begin))
    rest = [made._batch(first + second + step) for step in range(made.buckets.steps_per_epoch)]
    assert sorted(np.concatenate(rest).tolist()) == list(range(len(frames)))
    assert np.array_equal(made._batch(0), made._batch(0))
    assert not np.array_equal(made._batch(0), made._batch(1))


def test_frames_that_are_always_the_same_are_kept(
    songs_file: Path, tmp_path: Path, tiny_speech: dict[str, Any]
) -> None:
    random = np.random.default_rng(0)
    kept = objective(songs_file, tmp_path, **tiny_speech, gain_db=0.0, noise_db=100.0)
    expected = steps_of(kept.train.sounds[3], kept.config, kept.normalization)
    np.testing.assert_allclose(kept._augmented(3, random), expected, atol=1e-6)
    np.testing.assert_allclose(kept._augmented(3, random), expected, atol=1e-6)
    assert list(kept._known) == [3]
    other = objective(songs_file, tmp_path, **tiny_speech, gain_db=0.0, noise_db=20.0)
    assert not np.array_equal(other._augmented(3, random), other._augmented(3, random))
    assert not other._known


def test_recordings_are_played_within_what_is_asked_for() -> None:
    samples = np.sin(np.arange(8000) * 0.3).astype(np.float32)
    still = with_preset(Config(speed=0.0, gain_db=0.0, noise_db=100.0, rate=8000), sample=False)
    random = np.random.default_rng(0)
    assert np.array_equal(played(samples, still, random), samples)
    lengths = [len(played(samples, replace(still, speed=0.1), random)) / 8000 for _ in range(40)]
    assert 1 / 1.1 - 0.01 <= min(lengths) < 0.95
    assert 1.05 < max(lengths) <= 1.11
    levels = [20 * np.log10(np.abs(played(samples, replace(still, gain_db=6.0), random)).max()) for _ in range(40)]
    assert -6.1 <= min(levels) < -3 < 3 < max(levels) <= 6.1
    noises = [played(samples, replace(still, noise_db=20.0), random) - samples for _ in range(40)]
    below = [20 * np.log10(samples.std() / noise.std()) for noise in noises]
    assert 19 < min(below) < 60 < max(below)


@pytest.mark.parametrize(("symbols", "needed"), [([1, 2, 3], 3), ([1, 1], 3), ([1, 1, 1, 2, 2], 8), ([], 0)])
def test_steps_that_a_transcript_needs(symbols: list[int], needed: int) -> None:
    assert steps_needed(np.array(symbols, np.int32)) == needed


def test_a_run_that_goes_on_is_a_run_that_was_not_stopped(
    songs_file: Path, tmp_path: Path, tiny_speech: dict[str, Any]
) -> None:
    options = tiny_speech | {"steps": 2, "curriculum": 1.0, "dropout": 0.2}
    whole = speech.train(songs_file, tmp_path / "a", progress=False, **options | {"steps": 4})
    speech.train(songs_file, tmp_path / "b", progress=False, **options)
    again = speech.train(songs_file, tmp_path / "b", progress=False, resume=True, steps=4)
    assert again.record["steps"] == whole.record["steps"] == 4
    assert again.symbols == whole.symbols


def test_a_damaged_vocabulary_is_noticed(trained_speech: Path) -> None:
    model = load(trained_speech, "cpu", task="speech")
    values = model.vocabulary.to_json()
    for damaged in (values | {"mean": []}, values | {"std": [0.0] * len(values["std"])}, values | {"symbols": []}, 3):
        with pytest.raises(RecurraError, match="x holds no symbols"):
            model.read_vocabulary(damaged, "x")


def test_a_model_that_has_learned_only_blanks_says_so(
    songs_file: Path, tmp_path: Path, tiny_speech: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    model = speech.train(songs_file, progress=False, **tiny_speech)
    read = read_data([songs_file], [], model.config, tmp_path)
    for symbol, said in ((BLANK, True), (2, False)):
        with torch.no_grad():
            model.network.output.bias.zero_()
            model.network.output.bias[symbol] = 100.0
        capsys.readouterr()
        hear(model, read.validation)
        assert ("learned only blanks" in capsys.readouterr().err) == said


@pytest.mark.slow
@pytest.mark.parametrize("network", ["ctc", "attention"])
def test_two_processes_train_one_model(
    songs_file: Path, tmp_path: Path, tiny_speech: dict[str, Any], network: str
) -> None:
    options = tiny_speech | {"steps": 4, "evaluations": 1, "network": network}
    arguments = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--module"]
    train = ["recurra", "speech", "train", str(songs_file), "--out", str(tmp_path / "m"), "--device", "cpu"]
    subprocess.run([*command, *train, *arguments], check=True, capture_output=True)
    alone = speech.train(songs_file, progress=False, device="cpu", **options)
    assert load(tmp_path / "m", "cpu").record["nats"] == pytest.approx(alone.record["nats"], rel=0.01)
