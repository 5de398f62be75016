"""The commands, and the same from Python."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from singing import SUNG_RATE as RATE
from singing import sung

from recurra import load, speech
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.live import microphone

Command = Callable[..., Any]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two letters, sung."""
    soundfile.write(tmp_path / "ba.wav", sung("ba"), RATE)
    return tmp_path / "ba.wav"


class TestTranscribing:
    def test_one_and_several(self, recurra: Command, trained_speech: Path, recording: Path) -> None:
        assert recurra("speech", "transcribe", trained_speech, recording) == (0, "ba\n", "")
        several = recurra("speech", "transcribe", trained_speech, recording, recording)
        assert several.out == f"{recording}\tba\n" * 2

    def test_several_texts(self, recurra: Command, trained_speech: Path, recording: Path) -> None:
        wide = ["--symbol-threshold", "none", "--beam-threshold", "none", "--n-best", 3]
        lines = recurra("speech", "transcribe", trained_speech, recording, *wide).out.splitlines()
        assert lines[0] == "ba"
        assert len(lines) == 3
        value = json.loads(recurra("speech", "transcribe", trained_speech, recording, *wide, "--json").out)
        assert value["recordings"][0]["others"] == lines[1:]

    def test_a_bad_recording_among_good_ones(
        self, recurra: Command, refused: Command, trained_speech: Path, recording: Path, tmp_path: Path
    ) -> None:
        gone, out = tmp_path / "gone.wav", tmp_path / "all.tsv"
        answer = recurra("speech", "transcribe", trained_speech, gone, recording, "--out", out)
        assert answer.status == 0
        assert "left out: " in answer.err
        assert out.read_text() == f"path\ttext\n{recording}\tba\n"
        assert "none of the recordings" in refused("speech", "transcribe", trained_speech, gone, gone)
        assert "must end in .txt" in refused(
            "speech", "transcribe", trained_speech, recording, "--out", "a.csv", status=2
        )

    def test_json_has_words_with_times(self, recurra: Command, trained_speech: Path, recording: Path) -> None:
        value = json.loads(recurra("speech", "transcribe", trained_speech, recording, "--json").out)
        assert (value["text"], value["count"]) == ("ba", 1)
        (found,) = value["recordings"]
        assert found["seconds"] == pytest.approx(len(soundfile.read(recording)[0]) / RATE, abs=0.2)
        starts = [word["start"] for word in found["words"]]
        assert starts == sorted(starts)
        assert all(0 <= word["start"] < word["end"] <= found["seconds"] for word in found["words"])
        assert all(0 <= word["confidence"] <= 1 for word in found["words"])

    @pytest.mark.parametrize(
        ("name", "begins"),
        [("a.srt", "1\n00:00:0"), ("a.vtt", "WEBVTT\n\n00:00:0"), ("a.tsv", "path\ttext\n"), ("a.txt", "ba\n")],
    )
    def test_files(self, recurra: Command, trained_speech: Path, recording: Path, name: str, begins: str) -> None:
        out = recording.parent / "new" / name
        answer = recurra("speech", "transcribe", trained_speech, recording, "--out", out)
        assert (answer.status, answer.out) == (0, "")
        assert out.read_text().startswith(begins)

    def test_hot_words(
        self, recurra: Command, refused: Command, trained_speech: Path, recording: Path, tmp_path: Path
    ) -> None:
        words = tmp_path / "words.txt"
        command = ["speech", "transcribe", trained_speech, recording, "--hot-words", words, "--symbol-threshold", -1e5]
        words.write_text("de\t40\n\n")
        assert "de" in recurra(*command, "--beam-threshold", -1e5).out
        words.write_text("de\tmuch\n")
        assert "line 1: 'much' is not a weight" in refused(*command)
        words.write_text("de\tnan\n")
        assert "line 1: 'nan' is not a weight" in refused(*command)
        words.write_text("queen\n")
        assert "it has no symbol 'q'" in refused(*command, status=2)

    def test_no_text_from_silence(self, recurra: Command, trained_speech: Path, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "silent.wav", np.zeros(3 * RATE), RATE)
        soundfile.write(tmp_path / "short.wav", np.zeros(10), RATE)
        for name in ("silent.wav", "short.wav"):
            assert recurra("speech", "transcribe", trained_speech, tmp_path / name).out == "\n"

    def test_refusals(self, refused: Command, trained_speech: Path, recording: Path, tmp_path: Path) -> None:
        command = ["speech", "transcribe", trained_speech]
        assert "nothing to read" in refused(*command, status=2)
        assert "there is no such file" in refused(*command, tmp_path / "gone.wav")
        assert "one recording" in refused(*command, recording, recording, "--out", tmp_path / "a.srt", status=2)
        assert "give --language-model too" in refused(*command, recording, "--alpha", 1, status=2)
        assert "leave recordings" in refused(*command, recording, "--live", status=2)
        assert list(tmp_path.iterdir()) == [recording]


class TestListening:
    def test_without_the_package_or_a_microphone(
        self, refused: Command, trained_speech: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "sounddevice", None)
        assert "needs one more package, sounddevice" in refused("speech", "transcribe", trained_speech, "--live")

        class Refusing:
            PortAudioError = OSError

            def InputStream(self, *arguments: Any, **options: Any) -> Any:  # noqa: N802
                raise OSError("no default input device")

        monkeypatch.setitem(sys.modules, "sounddevice", Refusing())
        message = refused("speech", "transcribe", trained_speech, "--live")
        assert "the microphone cannot be used (no default input device)" in message

    def test_what_is_heard_is_written_until_interrupted(
        self, recurra: Command, trained_speech: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        samples = sung("ba")

        def heard(rate: int) -> Any:
            assert rate == RATE
            yield from np.array_split(samples, 30)
            raise KeyboardInterrupt

        monkeypatch.setattr("recurra.tasks.speech.commands.microphone", heard)
        answer = recurra("speech", "transcribe", trained_speech, "--live")
        assert (answer.status, answer.out) == (0, "ba\n")

    def test_the_microphone_gives_its_first_channel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Stream:
            def __init__(self, rate: int, size: int, **options: Any) -> None:
                assert (rate, size, options["channels"]) == (16_000, 1600, 1)
                self.callback = options["callback"]

            def __enter__(self) -> None:
                self.callback(np.array([[0.5], [0.25]]), 2, None, None)

            def __exit__(self, *error: object) -> None: ...

        monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace(InputStream=Stream, PortAudioError=OSError))
        assert next(microphone(16_000)).tolist() == [0.5, 0.25]


class TestMeasuring:
    def test_figures_are_those_of_the_transcripts(
        self, recurra: Command, trained_speech: Path, songs_file: Path, tmp_path: Path
    ) -> None:
        value = json.loads(recurra("speech", "evaluate", trained_speech, songs_file, "--json").out)
        out = tmp_path / "all.tsv"
        assert recurra("speech", "evaluate", trained_speech, songs_file, "--out", out).status == 0
        rows = [line.split("\t") for line in out.read_text().splitlines()[1:]]
        model = load(trained_speech, "cpu", task="speech")
        for path, errors, said, heard in rows[:20]:
            assert model.transcribe(path).text == heard
            assert (int(errors) > 0) == (said != heard)
        assert value["count"] == len(rows) == 60
        words = sum(len(said.split()) for _, _, said, _ in rows)
        assert value["wer"] == pytest.approx(sum(int(errors) for _, errors, _, _ in rows) / words)
        assert value["exact_match"] == pytest.approx(np.mean([said == heard for _, _, said, heard in rows]))
        assert value["wer"] < 0.2, "it has learnt"
        assert model.evaluate(songs_file) == value

    def test_the_table_and_the_worst(self, recurra: Command, trained_speech: Path, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "a.wav", sung("ba"), RATE)
        (tmp_path / "t.tsv").write_text("file\ttranscript\na.wav\tba\na.wav\tde\n")
        answer = recurra("speech", "evaluate", trained_speech, tmp_path / "t.tsv")
        assert answer.status == 0
        rows = dict(line.split(maxsplit=1) for line in answer.out.splitlines() if len(line.split()) == 2)
        assert (rows["wer"], rows["exact_match"], rows["count"]) == ("0.5", "0.5", "2")
        assert "de                   ba                       1" in answer.out
        assert answer.out.endswith("a.wav: 1 wrong\n  said   de\n  heard  ba\n")

    def test_refusals(self, refused: Command, trained_speech: Path, tmp_path: Path, songs_file: Path) -> None:
        assert "nothing to read" in refused("speech", "evaluate", trained_speech, status=2)
        command = ["speech", "evaluate", trained_speech, songs_file, "--out", tmp_path / "a.txt"]
        assert "must end in .tsv" in refused(*command, status=2)


class TestPython:
    def test_a_trained_model_is_the_one_that_is_loaded(
        self, songs_file: Path, tmp_path: Path, tiny_speech: dict[str, Any], recording: Path
    ) -> None:
        model = speech.train(songs_file, tmp_path / "m", Config(**tiny_speech), progress=False)
        loaded = load(tmp_path / "m", "cpu", task="speech")
        assert loaded.config == model.config
        assert loaded.record == model.record
        assert np.array_equal(loaded.log_probs(recording), model.log_probs(recording))
        assert loaded.transcribe(recording, beam_size=3) == model.transcribe(recording, beam_size=3)
        assert np.array_equal(loaded.vocabulary.normalization.std, model.vocabulary.normalization.std)

    def test_the_preset_does_not_go_before_what_is_given(self, songs_file: Path, tiny_speech: dict[str, Any]) -> None:
        given = Config(**tiny_speech, preset="morse")
        config = speech.train(songs_file, config=given, gain_db=0.1, progress=False).config
        assert (config.rate, config.stack, config.mask_bands) == (RATE, tiny_speech["stack"], 0)
        assert (config.gain_db, config.window_ms) == (0.1, 40.0)
