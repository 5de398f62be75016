"""A detector over HTTP: what the command finds."""

from __future__ import annotations

import io
from pathlib import Path

import soundfile
from detecting import DETECTOR_RATE, stream
from serving import error_of, running

from recurra.serve.limits import Limits
from recurra.tasks.shared.serving import open_service
from recurra.tasks.speech import Model


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
