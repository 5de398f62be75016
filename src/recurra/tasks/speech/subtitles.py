"""Transcripts as subtitles: SubRip and WebVTT, a line for some seconds of words."""

from __future__ import annotations

from collections.abc import Iterator

from recurra.tasks.speech.transcript import SpokenWord, Transcript

SUBTITLES = (".srt", ".vtt")
"""How their names end."""

MAX_SECONDS, MAX_CHARACTERS, PAUSE = 6.0, 42, 1.0
"""A subtitle is at most so long and so wide, and ends where nobody speaks for so many seconds."""


def subtitles(transcript: Transcript, suffix: str) -> str:
    """The text of a file of subtitles; `suffix` is `.srt` or `.vtt`."""
    comma = "," if suffix == ".srt" else "."
    parts = [] if suffix == ".srt" else ["WEBVTT\n"]
    for number, words in enumerate(_lines(transcript), 1):
        times = " --> ".join(_time(second, comma) for second in (words[0].start, words[-1].end))
        text = " ".join(word.text for word in words)
        parts.append(f"{number}\n{times}\n{text}\n" if suffix == ".srt" else f"{times}\n{text}\n")
    return "\n".join(parts)


def _lines(transcript: Transcript) -> Iterator[list[SpokenWord]]:
    """Words that are shown together."""
    line: list[SpokenWord] = []
    for word in transcript.words:
        width = sum(len(each.text) + 1 for each in line) + len(word.text)
        apart = line and word.start - line[-1].end > PAUSE
        if line and (apart or width > MAX_CHARACTERS or word.end - line[0].start > MAX_SECONDS):
            yield line
            line = []
        line.append(word)
    if line:
        yield line


def _time(second: float, comma: str) -> str:
    milliseconds = round(1000 * second)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{comma}{rest % 1000:03}"
