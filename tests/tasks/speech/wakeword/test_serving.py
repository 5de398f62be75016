"""A detector over HTTP: what the command finds."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile
from detecting import DETECTOR_RATE, stream
from serving import error_of, running

from recurra.serve.limits import Limits
from recurra.tasks.shared.serving import open_service
from recurra.tasks.speech import Model

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_detections_are_those_of_the_model_and_it_writes_no_text(trained_detector: Path, detector: Model) -> None:
    samples, _ = stream(("bd", "cab", "ee", "cab"))
    file = io.BytesIO()
    soundfile.write(file, samples, DETECTOR_RATE, format="WAV", subtype="FLOAT")
    expected = [each.values() for each in detector.detect(samples, 0.3)]
    assert expected
    with running(open_service([trained_detector], "cpu", Limits())) as server:
        told = server.client.post("/v1/speech/detect?threshold=0.3", content=file.getvalue()).json()
        assert told == {"detections": expected, "count": len(expected)}
        answer = server.client.post("/v1/speech/transcribe", content=file.getvalue())
        assert "only detects" in error_of(answer, 400, "invalid_request")
        page = server.client.get("/docs").text
        assert "/v1/speech/detect" in page
        assert "/v1/speech/transcribe" not in page
        (told,) = server.client.get("/v1/models").json()["data"]
        assert told["detects"] == "cab"


def test_its_panel_tells_when_the_word_ends(
    trained_detector: Path, detector: Model, visit: Callable[..., Page], tmp_path: Path
) -> None:
    samples, _ = stream(("bd", "cab", "ee", "cab"))
    soundfile.write(tmp_path / "stream.wav", samples, DETECTOR_RATE)
    expected = detector.detect(tmp_path / "stream.wav")
    with running(open_service([trained_detector], "cpu", Limits())) as server:
        page = visit(server.url)
        page.locator("input[type=file]").set_input_files(tmp_path / "stream.wav")
        times = {1: "once"}.get(len(expected), f"{len(expected)} times")
        page.locator("#host > #status", has_text=f"“cab” was heard {times}.").wait_for()
        rows = page.locator(".answer tbody tr")
        assert [row.locator("td").all_text_contents()[:2] for row in rows.all()] == [
            [each.word, f"{each.seconds:.2f} s"] for each in expected
        ]
