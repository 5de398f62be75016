"""A word is trained, found in streams of any chunks, and measured; what cannot be is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from detecting import DETECTOR, stream
from detecting import DETECTOR_RATE as RATE
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra import load, speech
from recurra.tasks.speech.audio import resampled
from recurra.tasks.speech.model import Model

Command = Callable[..., Any]

ORDER = ("de", "cab", "ee", "c", "cab", "dd", "da", "bd", "cab", "ce", "ed", "cab")


def song(words: tuple[str, ...] = ORDER) -> tuple[np.ndarray, list[float]]:
    """See `detecting.stream`."""
    return stream(words)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """The words as a file of another rate."""
    samples = resampled(song()[0], RATE, 11_025)
    soundfile.write(tmp_path / "words.wav", samples, 11_025)
    return tmp_path / "words.wav"


def near(detections: list[Any], ends: list[float]) -> bool:
    """Whether there is one detection for each end, shortly after it."""
    seconds = [detection.seconds for detection in detections]
    return len(seconds) == len(ends) and all(-0.1 < s - e < 0.5 for s, e in zip(seconds, ends, strict=True))


class TestDetecting:
    def test_each_word_is_found_once_just_after_it(self, detector: Model) -> None:
        samples, ends = song()
        found = detector.detect(samples, threshold=0.5)
        assert near(found, ends)
        assert all(detection.word == "cab" and 0.5 <= detection.probability <= 1 for detection in found)

    def test_the_threshold_is_the_one_that_was_chosen_or_given(self, detector: Model) -> None:
        samples = song()[0]
        chosen = detector.record["threshold"]
        assert detector.detect(samples) == detector.detect(samples, threshold=chosen)
        assert detector.detect(samples, threshold=1.0) == []
        probabilities = [d.probability for d in detector.detect(samples, threshold=1e-6)]
        assert min(probabilities) < 0.5 < max(probabilities)

    def test_level_and_a_long_stream_change_nothing(self, detector: Model) -> None:
        samples, ends = song()
        for gain in (0.1, 1.5):
            assert near(detector.detect(gain * samples, threshold=0.5), ends)
        seconds = np.array([found.seconds for found in detector.detect(np.tile(samples, 8), threshold=0.5)])
        all_ends = [end + number * len(samples) / RATE for number in range(8) for end in ends]
        hits = [((seconds - end > -0.1) & (seconds - end < 0.5)).sum() for end in all_ends]
        assert max(hits) == 1
        assert sum(hits) >= 31, "of 32"
        assert len(seconds) <= sum(hits) + 3, "of 64 other words"

    @settings(max_examples=8)
    @given(cuts=st.lists(st.integers(0, 40_000), max_size=6))
    def test_chunks_of_any_size_give_the_same_detections(self, trained_detector: Path, cuts: list[int]) -> None:
        model, (samples, _) = load(trained_detector, "cpu", task="speech"), song()
        expected = model.detect(samples, threshold=0.2)
        listener = model.detector(0.2)
        found = [d for chunk in np.split(samples, sorted(cuts)) for d in listener.feed(chunk)] + listener.finish()
        assert [(d.word, d.seconds) for d in found] == [(d.word, d.seconds) for d in expected]
        assert [d.probability for d in found] == pytest.approx([d.probability for d in expected], abs=1e-4)

    def test_single_samples_too(self, detector: Model) -> None:
        samples = song(("cab", "de"))[0]
        listener = detector.detector(0.5)
        found = [d for sample in samples for d in listener.feed(sample[None])] + listener.finish()
        assert [d.seconds for d in found] == [d.seconds for d in detector.detect(samples, 0.5)] != []

    def test_a_word_at_the_very_end_is_found(self, detector: Model) -> None:
        samples, ends = song(("de", "cab"))
        cut = samples[: round((ends[0] + 0.25) * RATE)]
        cut = np.concatenate([cut, np.zeros(max(0, round((ends[0] + 0.25) * RATE) - len(cut)), np.float32)])
        assert near(detector.detect(cut, 0.5), ends)

    def test_nothing_is_in_silence(self, detector: Model) -> None:
        for seconds in (0.0, 0.01, 3.0):
            assert detector.detect(np.zeros(round(seconds * RATE), np.float32), threshold=1e-9) == []
        after = np.concatenate([song()[0], np.zeros(20 * RATE, np.float32)])
        length = len(song()[0]) / RATE
        assert all(d.seconds < length + 1.7 for d in detector.detect(after, threshold=1e-9))


class TestCommands:
    def test_a_line_for_each_detection(self, recurra: Command, trained_detector: Path, recording: Path) -> None:
        answer = recurra("speech", "detect", trained_detector, recording, "--threshold", 0.5)
        rows = [line.split("\t") for line in answer.out.splitlines()]
        ends = song()[1]
        assert (answer.status, len(rows)) == (0, len(ends))
        assert all(abs(float(s) - e) < 0.5 and w == "cab" for (s, _, w), e in zip(rows, ends, strict=True))
        several = recurra("speech", "detect", trained_detector, recording, recording, "--threshold", 0.5)
        assert several.out == "".join(f"{recording}\t{line}\n" for line in answer.out.splitlines()) * 2

    def test_json_and_a_table(self, recurra: Command, trained_detector: Path, recording: Path, tmp_path: Path) -> None:
        command = ["speech", "detect", trained_detector, recording, "--threshold", 0.5]
        value = json.loads(recurra(*command, "--json").out)
        assert (value["word"], value["count"], len(value["detections"])) == ("cab", 1, 4)
        assert set(value["detections"][0]) == {"path", "word", "seconds", "probability"}
        answer = recurra(*command, "--out", tmp_path / "new" / "a.tsv")
        assert (answer.status, answer.out) == (0, "")
        head, *rows = (tmp_path / "new" / "a.tsv").read_text().splitlines()
        assert head == "path\tword\tseconds\tprobability"
        assert [row.split("\t")[2] for row in rows] == [str(row["seconds"]) for row in value["detections"]]

    def test_a_bad_recording_among_good_ones_is_told(
        self, recurra: Command, refused: Command, trained_detector: Path, recording: Path, tmp_path: Path
    ) -> None:
        bad = tmp_path / "bad.wav"
        bad.write_bytes(b"no sound")
        answer = recurra("speech", "detect", trained_detector, bad, recording, "--threshold", 0.5)
        assert (answer.status, answer.out.count(f"{recording}\t")) == (0, 4)
        assert f"left out: {bad}" in answer.err
        counted = recurra("speech", "detect", trained_detector, bad, recording, "--threshold", 0.5, "--json").out
        assert json.loads(counted)["count"] == 1
        assert "none of the recordings" in refused("speech", "detect", trained_detector, bad, bad)

    def test_live(self, recurra: Command, trained_detector: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def heard(rate: int) -> Any:
            assert rate == RATE
            yield from np.array_split(song()[0], 30)
            raise KeyboardInterrupt

        monkeypatch.setattr("recurra.tasks.speech.commands.microphone", heard)
        answer = recurra("speech", "detect", trained_detector, "--live", "--threshold", 0.5)
        assert (answer.status, answer.out.count("\tcab\n")) == (0, 4)

    def test_refusals(
        self, refused: Command, trained_detector: Path, trained_speech: Path, recording: Path, tmp_path: Path
    ) -> None:
        command = ["speech", "detect", trained_detector]
        assert "nothing to read" in refused(*command, status=2)
        assert "there is no such file" in refused(*command, tmp_path / "gone.wav")
        assert "must end in .tsv" in refused(*command, recording, "--out", tmp_path / "a.txt", status=2)
        assert "leave recordings" in refused(*command, recording, "--live", status=2)
        for threshold in (0, 1.1):
            assert "must be a probability" in refused(*command, recording, "--threshold", threshold, status=2)
        assert "transcribes and detects no word" in refused("speech", "detect", trained_speech, recording)
        assert "only detects 'cab'" in refused("speech", "transcribe", trained_detector, recording)
        train = ["speech", "train", recording, "--out", tmp_path / "new", "--preset", "detector"]
        assert "name it with --detect" in refused(*train, status=2)
        assert "is a detector" in refused(
            "speech", "evaluate", trained_detector, recording, "--out", tmp_path / "a.tsv", status=2
        )


class TestMeasuring:
    def test_misses_alarms_and_what_they_prove(
        self, recurra: Command, trained_detector: Path, words_file: Path, detector: Model
    ) -> None:
        value = json.loads(recurra("speech", "evaluate", trained_detector, words_file, "--json").out)
        assert (value["words"], value["count"]) == (40, 104)
        assert value["missed"] <= 4, "it has learnt"
        assert value["false_alarms"] <= 2, "it has learnt"
        assert value["misses"] == value["missed"] / 40
        others = [path for path in sorted(words_file.parent.glob("*.wav")) if int(path.stem) >= 40]
        assert value["hours"] == pytest.approx(sum(soundfile.info(path).duration for path in others) / 3600, rel=1e-3)
        assert value["false_alarms_per_hour"] == pytest.approx(value["false_alarms"] / value["hours"])
        assert value["false_alarms_bound"] >= 3 / value["hours"] - 1
        assert detector.evaluate(words_file)["missed"] == value["missed"]
        assert detector.evaluate(words_file, threshold=1.0)["misses"] == 1.0
        shown = recurra("speech", "evaluate", trained_detector, words_file).out
        assert "misses 95 % interval" in shown
        assert "minutes of other recordings prove no more than" in shown

    def test_the_card_says_what_was_chosen_and_proved(self, trained_detector: Path, detector: Model) -> None:
        card = (trained_detector / "README.md").read_text()
        assert f"of {detector.record['words']} words missed" in card
        assert "prove no more than" in card
        assert "recurra speech detect ear RECORDING" in card
        assert (detector.config.cell, detector.config.bidirectional, detector.symbols.names) == ("gru", False, ("cab",))


def test_a_run_that_goes_on_is_a_run_that_was_not_stopped(words_file: Path, tmp_path: Path) -> None:
    options = DETECTOR | {"detect": "cab", "progress": False}
    whole = speech.train(words_file, tmp_path / "a", steps=4, **options)
    speech.train(words_file, tmp_path / "b", steps=2, **options)
    again = speech.train(words_file, tmp_path / "b", resume=True, steps=4, progress=False)
    assert again.record["steps"] == whole.record["steps"] == 4
    assert again.vocabulary.to_json() == whole.vocabulary.to_json()


def test_another_detector_begins_from_one(
    words_file: Path, trained_detector: Path, refused: Command, tmp_path: Path
) -> None:
    model = speech.train(words_file, from_model=trained_detector, steps=1, progress=False)
    assert model.config.detect == "cab"
    command = ["speech", "train", words_file, "--from", trained_detector, "--out", tmp_path / "m", "--detect", "de"]
    assert "leave it out" in refused(*command, status=2)
