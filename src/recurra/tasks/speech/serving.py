"""How speech models are served: transcripts, as OpenAI's clients ask for them too, and where a word was heard."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from recurra.arrays import FloatArray
from recurra.config import Range
from recurra.decoding.beam_search import BeamSearch
from recurra.errors import pytorch_needed
from recurra.explain.html import body
from recurra.serve.contract import Endpoint, Json, Part, Text
from recurra.serve.errors import FieldError, RequestError
from recurra.serve.fields import Request
from recurra.tasks.speech.audio import read_sound, sound_info
from recurra.tasks.speech.explanation import LONGEST, Explanation
from recurra.tasks.speech.hot_words import HOT_WEIGHT
from recurra.tasks.speech.prefix_search import PrefixSearch
from recurra.tasks.speech.subtitles import subtitles
from recurra.tasks.speech.transcriber import AnyTranscriber, Transcriber
from recurra.tasks.speech.transcript import Transcript, transcript_values

MAX_SECONDS = 600.0
"""A longer recording is not for a server; the command takes it."""

WIDEST = 1000
"""Texts that a search keeps, at most."""

MOST_WORDS = 100
"""Words to favour, at most."""


@dataclass(frozen=True, kw_only=True)
class Transcription(Request):
    """A recording to be written down."""

    file: bytes
    """WAV, FLAC, MP3 or OGG, of ten minutes at most."""
    beam_size: Annotated[int | None, Range(1, WIDEST)] = None
    """How many texts are kept at each step; 100 for a ctc network, 5 for one that attends."""
    n_best: Annotated[int, Range(1, WIDEST)] = 1
    """How many texts are given, the best first; at most `beam_size`."""
    hot_words: tuple[str, ...] = ()
    """Words and phrases to favour."""
    explain: bool = False
    """Tell what was heard moment by moment: spectrogram, probabilities of the symbols, drawn too."""
    html: bool = False
    """With `explain`, tell it as markup too, as the page of this server shows it."""
    start: Annotated[float, Range(0.0, MAX_SECONDS)] = 0.0
    """Where the passage that is explained begins, in seconds."""
    seconds: Annotated[float, Range(0.1, LONGEST)] = LONGEST
    """How long it is, at most."""


def transcribe(model: AnyTranscriber, request: Transcription) -> Json:
    """What a recording says, its words with their times, and how sure the model is."""
    search = _search(model, request)
    hot_words = _hot_words(request)
    samples = _samples(model, request.file)
    heard = model.transcribe(samples, search=search, hot_words=hot_words)
    if not request.explain:
        return transcript_values(heard)
    explanation = model.explanation(
        request.file, search, start=request.start, seconds=request.seconds, hot_words=hot_words
    )
    values = explained(explanation)
    if request.html:
        from recurra.tasks.speech.page import page_parts

        values["html"] = body("recurra.tasks.speech", "page", page_parts(model.name, explanation))
    return transcript_values(heard) | {"explanation": values}


def _search(model: AnyTranscriber, request: Transcription) -> PrefixSearch | BeamSearch:
    """The search of the model's network."""
    kind = BeamSearch if model.config.network == "attention" else PrefixSearch
    return kind(beam_size=request.beam_size or kind.beam_size, n_best=request.n_best)


def _hot_words(request: Transcription) -> dict[str, float]:
    words = [word.strip() for word in request.hot_words if word.strip()]
    if len(words) > MOST_WORDS:
        raise FieldError("hot_words", f"{len(words):,} words are to be favoured; give at most {MOST_WORDS}")
    return dict.fromkeys(words, HOT_WEIGHT)


def _samples(model: AnyTranscriber, file: bytes) -> FloatArray:
    """The samples of a recording; what is long when unpacked is refused before it is."""
    info = sound_info(file)
    if info.seconds > MAX_SECONDS:
        raise RequestError(
            f"the recording is {info.seconds:,.0f} seconds long; send at most {MAX_SECONDS:,.0f} at once",
            413,
            "recording_too_long",
            "file",
        )
    return read_sound(file, model.config.features.rate)


def explained(explanation: Explanation) -> dict[str, Json]:
    """A passage as JSON values: what the page of `explain` tells of each moment, its figure, and the spectrogram.

    The spectrogram is bytes in base64, `(frames, bands)`, the quietest 0 and the loudest 255.
    """
    with pytorch_needed("explaining a transcript"):
        from recurra.tasks.speech.page import page_data, page_figure

    energies = explanation.spectrogram
    low, high = float(energies.min()), float(energies.max())
    scaled = np.round(255 * (energies - low) / max(high - low, 1e-9)).astype(np.uint8)
    return dict(page_data(explanation)) | {
        "text": explanation.transcript.text,
        "alternatives": [each._asdict() for each in explanation.alternatives],
        "figure_svg": page_figure(explanation),
        "spectrogram": {
            "frames": energies.shape[0],
            "bands": energies.shape[1],
            "frame_seconds": explanation.frame_seconds,
            "decibels": [round(low, 2), round(high, 2)],
            "data": base64.b64encode(scaled.tobytes()).decode(),
        },
    }


@dataclass(frozen=True, kw_only=True)
class OpenAITranscription(Request):
    """A recording to be written down, as OpenAI's clients send it."""

    unsupported: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "chunking_strategy": (),
        "include": ([], ""),
        "prompt": ("",),
        "stream": (False, "false", "False"),
        "temperature": (0, "0", "0.0"),
    }
    ignored: ClassVar[frozenset[str]] = frozenset({"language", "timestamp_granularities"})

    file: bytes
    """WAV, FLAC, MP3 or OGG, of ten minutes at most."""
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"
    """What is given: text in JSON or plain, with the times of words too, or as subtitles."""


def transcribe_openai(model: AnyTranscriber, request: OpenAITranscription) -> Json:
    """What a recording says, as OpenAI answers."""
    heard = model.transcribe(_samples(model, request.file))
    match request.response_format:
        case "json":
            return {"text": heard.text}
        case "text":
            return Text(heard.text + "\n")
        case "verbose_json":
            return _verbose(heard)
        case kind:
            return Text(subtitles(heard, f".{kind}"), "text/vtt; charset=utf-8" if kind == "vtt" else Text.kind)


def _verbose(heard: Transcript) -> Json:
    words = [{"word": word.text, "start": word.start, "end": word.end} for word in heard.words]
    return {"task": "transcribe", "language": "", "duration": heard.seconds, "text": heard.text, "words": words}


@dataclass(frozen=True, kw_only=True)
class Spotting(Request):
    """A recording in which a detector's word is to be found."""

    file: bytes
    """WAV, FLAC, MP3 or OGG, of ten minutes at most."""
    threshold: Annotated[float | None, Range(0.0, 1.0)] = None
    """The least probability of a detection; the one that was chosen in training if not given."""


def detect(model: AnyTranscriber, request: Spotting) -> Json:
    """When the word ends in a recording."""
    found = model.detect(_samples(model, request.file), request.threshold)
    return {"detections": [detection.values() for detection in found], "count": len(found)}


def _writes(model: AnyTranscriber) -> bool:
    """Whether a model writes text, and does not only detect a word."""
    return not model.config.detect


PART = Part(
    load=lambda folder, device: Transcriber.load(folder),
    endpoints=(
        Endpoint(
            "/v1/speech/transcribe",
            "Writes down what a recording says, with the times of words.",
            Transcription,
            transcribe,
            suits=_writes,
            upload="file",
            upload_example="recording.wav",
        ),
        Endpoint(
            "/v1/audio/transcriptions",
            "The same as OpenAI's clients ask for it.",
            OpenAITranscription,
            transcribe_openai,
            {"response_format": "verbose_json"},
            suits=_writes,
            upload="file",
            upload_example="recording.wav",
        ),
        Endpoint(
            "/v1/speech/detect",
            "Finds a detector's word in a recording.",
            Spotting,
            detect,
            suits=lambda model: not _writes(model),
            upload="file",
            upload_example="recording.wav",
        ),
    ),
    about=lambda model: {"detects": model.config.detect or None},
    page=(
        ("recurra.tasks.speech", "panel.js"),
        ("recurra.tasks.speech", "page.js"),
        ("recurra.tasks.speech", "page.css"),
        ("recurra.tasks.speech", "recorder.js"),
        ("recurra.tasks.speech", "tap.js"),
    ),
)
