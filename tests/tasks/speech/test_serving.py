"""Transcripts over HTTP: what the commands hear, as OpenAI's own client asks for it too; broken recordings."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import soundfile
from serving import Running, error_of
from singing import SUNG_RATE, sung

from recurra import load
from recurra.tasks.speech.serving import Transcription, transcribe
from recurra.tasks.speech.subtitles import subtitles

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def recordings(songs_file: Path) -> list[Path]:
    """Some songs."""
    return sorted(songs_file.parent.glob("*.wav"))[:4]


def ask(served: Running, recording: Path, **query: Any) -> Any:
    """An answer."""
    answer = served.client.post("/v1/speech/transcribe", params=query, content=recording.read_bytes())
    assert answer.status_code == 200, answer.text
    return answer.json()


def sound(seconds: float, rate: int = SUNG_RATE, kind: str = "WAV") -> bytes:
    """A recording of a song that is sung again and again."""
    samples = np.resize(sung("abc de"), int(seconds * rate))
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind)
    return file.getvalue()


def test_transcripts_are_those_of_the_command(
    served: Running, recurra: Command, trained_speech: Path, recordings: list[Path]
) -> None:
    told = json.loads(recurra("speech", "transcribe", trained_speech, *recordings, "--n-best", 2, "--json").out)
    for recording, known in zip(recordings, told["recordings"], strict=True):
        del known["path"]
        assert ask(served, recording, n_best=2) == known
        text = base64.b64encode(recording.read_bytes()).decode()
        assert served.client.post("/v1/speech/transcribe", json={"file": text, "n_best": 2}).json() == known


def test_a_recording_longer_than_what_is_read_at_a_time(
    served: Running, recurra: Command, trained_speech: Path, tmp_path: Path
) -> None:
    (path := tmp_path / "long.flac").write_bytes(sound(25.3, kind="FLAC"))
    told = json.loads(recurra("speech", "transcribe", trained_speech, path, "--json").out)
    assert ask(served, path)["words"] == told["recordings"][0]["words"]


def test_hot_words_are_favoured(served: Running, recurra: Command, trained_speech: Path, tmp_path: Path) -> None:
    recording = tmp_path / "one.wav"
    recording.write_bytes(sound(1.0))
    (words := tmp_path / "words.txt").write_text("eee\n", encoding="utf-8")
    told = json.loads(recurra("speech", "transcribe", trained_speech, recording, "--hot-words", words, "--json").out)
    found = ask(served, recording, hot_words="eee")
    assert found["text"] == told["text"]
    assert found["log_prob"] == pytest.approx(told["recordings"][0]["log_prob"])
    answer = served.client.post("/v1/speech/transcribe?hot_words=xyz", content=sound(1.0))
    assert "no symbol 'x'" in error_of(answer, 400, "invalid_request")


def test_what_was_heard_when_is_what_explain_tells(
    served: Running, recurra: Command, trained_speech: Path, recordings: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    told = json.loads(recurra("speech", "explain", trained_speech, recordings[0], "--out", out, "--json").out)
    explanation = ask(served, recordings[0], explain=True)["explanation"]
    assert explanation["text"] == told["text"]
    assert [word[0] for word in explanation["words"]] == [word["text"] for word in told["words"]]
    spectrogram = explanation["spectrogram"]
    energies = np.frombuffer(base64.b64decode(spectrogram["data"]), np.uint8)
    assert energies.size == spectrogram["frames"] * spectrogram["bands"]
    assert (energies.min(), energies.max()) == (0, 255)
    seconds = soundfile.info(recordings[0]).duration
    assert spectrogram["frames"] * spectrogram["frame_seconds"] == pytest.approx(seconds, abs=0.1)
    assert explanation["figure_svg"].startswith("<svg")
    part = ask(served, recordings[0], explain="true", start=0.2, seconds=0.3)["explanation"]
    assert (part["begin"], part["seconds"]) == (0.2, pytest.approx(0.3))
    assert part["spectrogram"]["frames"] < spectrogram["frames"]


def test_a_model_that_attends_is_asked_the_same_way(trained_speller: Path, short_songs_file: Path) -> None:
    model = load(trained_speller, "cpu", task="speech")
    recording = next(iter(sorted(short_songs_file.parent.glob("*.wav"))))
    told = transcribe(model, Transcription(file=recording.read_bytes(), explain=True))
    assert told["text"] == model.transcribe(recording).text
    assert told["explanation"]["text"] == told["text"]
    assert told["explanation"]["told"] == []


class TestOpenAI:
    @pytest.fixture
    def client(self, served: Running) -> openai.OpenAI:
        """OpenAI's own client."""
        return openai.OpenAI(base_url=served.url + "/v1", api_key="none", max_retries=0)

    def test_all_formats(self, client: openai.OpenAI, trained_speech: Path, recordings: list[Path]) -> None:
        heard = load(trained_speech, "cpu", task="speech").transcribe(recordings[0])
        made = client.audio.transcriptions.create(model="listener", file=recordings[0])
        assert made.text == heard.text
        create: Any = client.audio.transcriptions.create
        asked = {"model": "listener", "file": ("a.wav", recordings[0].read_bytes()), "language": "en", "temperature": 0}
        assert create(**asked, response_format="text").strip() == heard.text
        assert create(**asked, response_format="srt") == subtitles(heard, ".srt")
        assert create(**asked, response_format="vtt") == subtitles(heard, ".vtt")
        verbose = create(**asked, response_format="verbose_json", timestamp_granularities=["word"])
        assert [(word.word, word.start, word.end) for word in verbose.words] == [word[:3] for word in heard.words]
        assert verbose.duration == heard.seconds

    def test_what_is_not_supported(self, client: openai.OpenAI, recordings: list[Path]) -> None:
        create: Any = client.audio.transcriptions.create
        for name, value in (("prompt", "Morse"), ("temperature", 0.5)):
            with pytest.raises(openai.BadRequestError, match=f"`{name}` is not supported"):
                create(model="listener", file=recordings[0], **{name: value})


WHOLE = sound(1.0)

BROKEN = {
    "nothing": b"",
    "text": b"RIFFnothing of it is sound",
    "a header alone": WHOLE[:44],
    "cut off": WHOLE[:4000],
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "noise": np.random.default_rng(0).bytes(5000),
    "flac cut off": sound(1.0, kind="FLAC")[:3000],
    "no rate": WHOLE[:24] + bytes(8) + WHOLE[32:],
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_recordings_are_refused(served: Running, name: str) -> None:
    for path in ("/v1/speech/transcribe", "/v1/audio/transcriptions"):
        answer = served.client.post(path, content=BROKEN[name])
        assert error_of(answer, 400, "invalid_request").startswith("the recording ")


def test_limits(served: Running) -> None:
    answer = served.client.post("/v1/speech/transcribe", content=sound(601, rate=1000, kind="FLAC"))
    assert "the recording is 601 seconds long" in error_of(answer, 413, "recording_too_long")
    for query, sentence in (
        ("beam_size=1001", "between 1 and 1,000"),
        ("n_best=0", "between 1 and"),
        ("n_best=20&beam_size=10", "`n_best`"),
        ("explain=maybe", "`explain` is 'maybe'"),
        ("explain=1&start=5", "only 1.00 seconds long"),
        ("&".join(["hot_words=a"] * 101), "at most 100"),
    ):
        answer = served.client.post(f"/v1/speech/transcribe?{query}", content=WHOLE)
        assert sentence in error_of(answer, 400, answer.json()["error"]["code"])
    error_of(served.client.post("/v1/speech/detect", content=WHOLE), 400, "invalid_request")


def test_requests_at_once_get_the_answers_they_get_one_after_the_other(served: Running, recordings: list[Path]) -> None:
    def one(recording: Path) -> Any:
        return ask(served, recording, explain=True)

    alone = [one(recording) for recording in recordings]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, recordings)) == alone
