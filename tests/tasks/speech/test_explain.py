"""What shows what was heard: the passage, its figures, the page, the picture, the command."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from singing import SUNG_RATE as RATE
from singing import sung

from recurra.errors import OptionError, RecurraError
from recurra.tasks.speech.audio import read_sound
from recurra.tasks.speech.ctc import greedy
from recurra.tasks.speech.explanation import Explanation, best_path, passage
from recurra.tasks.speech.figure import peaks, scaled
from recurra.tasks.speech.model import Model
from recurra.tasks.speech.page import _points, page_parts
from recurra.tasks.speech.symbols import BLANK

Command = Callable[..., Any]

NASTY = 'a </script><img onerror=x src=y> & "b" {{data}} $_x 好.wav'


@pytest.fixture(scope="module")
def model(trained_speech: Path) -> Model:
    return Model.load(trained_speech)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sung") / "a song.wav"
    soundfile.write(path, sung("bade"), RATE)
    return path


@pytest.fixture(scope="module")
def explanation(model: Model, recording: Path) -> Explanation:
    return model.explain(recording)


def test_passages(recording: Path) -> None:
    whole = read_sound(recording, RATE)
    assert np.array_equal(passage(recording, RATE, 0.0, 30.0), whole)
    assert np.array_equal(passage(recording, RATE, 0.25, 0.5), whole[RATE // 4 : 3 * RATE // 4])
    with pytest.raises(OptionError, match=r"`start` is 99, but .* is only"):
        passage(recording, RATE, 99.0, 1.0)


def test_it_says_what_transcribing_says(model: Model, recording: Path, explanation: Explanation) -> None:
    heard = model.transcribe(recording)
    assert explanation.transcript.text == heard.text == "bade"
    assert explanation.alternatives[0].text == heard.text
    assert explanation.transcript.words == heard.words


def test_log_probabilities_are_those_of_pytorch(model: Model, recording: Path, explanation: Explanation) -> None:
    log_probs = torch.from_numpy(model.log_probs(recording))[:, None]
    assert len(explanation.alternatives) > 1
    for text, log_prob in explanation.alternatives:
        target = torch.from_numpy(model.symbols.encode(text).astype(np.int64))[None]
        lengths = torch.tensor([len(log_probs)]), torch.tensor([target.shape[1]])
        loss = torch.nn.functional.ctc_loss(log_probs, target, *lengths, BLANK, "sum")
        assert log_prob == pytest.approx(-float(loss), abs=1e-4)
    assert explanation.alternatives[0].log_prob == max(log_prob for _, log_prob in explanation.alternatives)


def test_the_path_merges_to_the_greedy_text(model: Model, recording: Path, explanation: Explanation) -> None:
    assert explanation.probabilities is not None
    path = best_path(explanation.probabilities)
    merged = path[np.diff(path, prepend=-1) != 0]
    expected = greedy(model.log_probs(recording), BLANK).symbols
    assert merged[merged != BLANK].tolist() == expected.tolist()


def test_each_symbol_of_the_text_has_its_peak(explanation: Explanation) -> None:
    probabilities = explanation.probabilities
    assert probabilities is not None
    symbols, found = explanation.labelling.symbols.tolist(), peaks(probabilities, explanation.labelling)
    assert [peak.symbol for peak in found if peak.symbol in symbols] == symbols
    for peak, start, stop in zip(found, explanation.labelling.starts, explanation.labelling.stops, strict=True):
        assert start <= peak.step < stop
        assert peak.probability == probabilities[start:stop, peak.symbol].max()


def test_level_stretches_of_a_line_are_two_points() -> None:
    drawn = _points(np.arange(6.0), np.array([1.0, 1.0, 1.0, 1.0, 3.0, 1.0]))
    assert drawn == "0.0,1.0 3.0,1.0 4.0,3.0 5.0,1.0"


def test_the_page_holds_all_it_needs(model: Model, tmp_path: Path, explanation: Explanation) -> None:
    hostile = tmp_path / "x.wav"
    soundfile.write(hostile, sung("bade"), RATE)
    shown = model.explain(hostile, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "{{" not in text
    assert not re.search(r"""(src|href)=["'](?!data:)""", text)
    assert not re.search("//[a-z]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
    sound = re.search(r'<audio controls src="data:audio/wav;base64,([^"]+)"', text)
    assert sound
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(sound[1])))
    assert rate == RATE
    assert np.abs(samples - shown.samples).max() < 1e-4
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert [word[0] for word in data["words"]] == ["bade"]
    assert shown.probabilities is not None
    assert len(data["told"]) == len(shown.probabilities)
    for step in data["told"]:
        told = [probability for _, probability in step]
        assert told == sorted(told, reverse=True)
        assert len({symbol for symbol, _ in step}) == 3
    assert text.count('class="said"') == text.count('class="word"') == 1
    picture = (tmp_path / "page.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(picture) > 10_000


def test_what_was_read_never_becomes_markup(explanation: Explanation) -> None:
    from dataclasses import replace

    from recurra.explain.html import fill

    parts = page_parts(NASTY, replace(explanation, source=NASTY, names=("", *(NASTY for _ in explanation.names[1:]))))
    template = "<p>{{model}} {{source}} {{words}}</p>{{figure}}<table>{{texts}}</table>"
    page = fill(template, parts)

    class Reader(HTMLParser):
        tags: list[str] = []  # noqa: RUF012 (one reader)

        def handle_starttag(self, tag: str, attributes: Any) -> None:
            self.tags.append(tag)

    reader = Reader()
    reader.feed(page)
    assert "img" not in reader.tags
    assert "script" not in reader.tags


class TestCommand:
    def test_page_and_picture(self, recurra: Command, trained_speech: Path, recording: Path, tmp_path: Path) -> None:
        out = tmp_path / "new" / "heard.html"
        answer = recurra("speech", "explain", trained_speech, recording, "--out", out, "--seconds", "0.5")
        assert answer.status == 0
        assert answer.out.splitlines()[-2:] == [str(out), str(out.with_suffix(".png"))]
        assert out.is_file()
        assert out.with_suffix(".png").is_file()

    def test_json(self, recurra: Command, trained_speech: Path, recording: Path, tmp_path: Path) -> None:
        answer = recurra("speech", "explain", trained_speech, recording, "--out", tmp_path / "heard.html", "--json")
        value = json.loads(answer.out)
        assert value["text"] == value["alternatives"][0]["text"] == "bade"
        assert value["path"] == str(tmp_path / "heard.html")

    def test_silence_has_a_page_too(self, recurra: Command, trained_speech: Path, model: Model, tmp_path: Path) -> None:
        soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
        answer = recurra("speech", "explain", trained_speech, tmp_path / "silent.wav", "--out", tmp_path / "p.html")
        assert (answer.status, answer.out.splitlines()[0]) == (0, "")
        assert "(nothing was heard)" in (tmp_path / "p.html").read_text()
        assert not scaled(model.explain(tmp_path / "silent.wav").spectrogram).any()
        soundfile.write(tmp_path / "faint.wav", np.tile([0.0, 0.001], RATE // 2), RATE)
        assert scaled(model.explain(tmp_path / "faint.wav").spectrogram).max() == 1

    def test_refusals(self, refused: Command, trained_speech: Path, recording: Path, tmp_path: Path) -> None:
        command = ["speech", "explain", trained_speech]
        assert ".html" in refused(*command, recording, "--out", tmp_path / "page.png", status=2)
        assert "there is no such file" in refused(*command, tmp_path / "gone.wav", "--out", tmp_path / "p.html")
        assert "--start is 60" in refused(*command, recording, "--out", tmp_path / "p.html", "--start", 60, status=2)
        for option, value in (("start", "nan"), ("start", "-1"), ("seconds", "0"), ("seconds", "31")):
            message = refused(*command, recording, "--out", tmp_path / "p.html", f"--{option}", value, status=2)
            assert f"--{option} is {float(value)}, but must be between" in message
        soundfile.write(tmp_path / "short.wav", sung("b")[:10], RATE)
        assert "too short" in refused(*command, tmp_path / "short.wav", "--out", tmp_path / "p.html")
        assert [path.name for path in tmp_path.iterdir()] == ["short.wav"]


def test_too_short(model: Model, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", sung("b")[:10], RATE)
    with pytest.raises(RecurraError, match="does not fill a window"):
        model.explain(tmp_path / "short.wav")


def test_a_model_that_attends(trained_speller: Path, tmp_path: Path) -> None:
    """A row of weights for each symbol in place of probabilities; the letters go from left to right."""
    soundfile.write(tmp_path / "song.wav", sung("ba"), RATE)
    model = Model.load(trained_speller)
    shown = model.explain(tmp_path / "song.wav", tmp_path / "page.html")
    attended = model.attention(tmp_path / "song.wav")
    assert shown.transcript == attended.transcript
    assert shown.weights is not None
    assert np.array_equal(shown.weights, attended.weights)
    text = (tmp_path / "page.html").read_text()
    assert text.count('class="letter"') == len(attended.symbols) > 0
    assert "attended to" in text
    assert "polyline class" not in text
    assert (tmp_path / "page.png").stat().st_size > 10_000
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    assert model.explain(tmp_path / "silent.wav", tmp_path / "page.html").transcript.text == ""
