"""A piece as a sound file."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recurra.arrays import FloatArray
from recurra.errors import OptionError, RecurraError
from recurra.files import write_atomic
from recurra.tasks.music.pieces import Piece, Track
from recurra.tasks.music.render.soundfont import playable, unplayable
from recurra.tasks.music.render.synthesizer import TAIL, Timing, note_seconds, synthesize

if TYPE_CHECKING:
    from symusic.types import Score

FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
"""By suffix: the names by which soundfile knows container and coding."""

PEAK = 10 ** (-1 / 20)
"""The loudest sample: 1 dB below full scale, so that what a lossy coding adds does not clip."""

LONGEST = 3600
"""Seconds of sound at most: symusic takes two and a half gigabytes for them."""

BLOCK = 1 << 16
"""Frames written at once; one long write to OGG overflows the stack of libsndfile."""

SAMPLE_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""What all formats can have."""

QUALITY = 4
"""Of symusic's interpolation between samples, 0 to 6."""

RUNAWAY = 1000.0
"""No orchestra has this amplitude; a filter that has become unstable has."""

SHORTEST = 0.001
"""Seconds a note lasts at least, however timing moves its ends."""


class Sound(NamedTuple):
    """What was written.

    Attributes:
        seconds: length.
        sample_rate: samples a second.
        peak: the loudest sample before coding, 1 is full scale.
        synthesizer: a name for who played: a SoundFont's, or "built-in".
    """

    seconds: float
    sample_rate: int
    peak: float
    synthesizer: str


def render(
    piece: Piece,
    path: Path,
    soundfont: Path | None = None,
    timing: Timing | None = None,
    sample_rate: int = 44100,
) -> Sound:
    """Play a piece into a file: WAV, FLAC, OGG Vorbis or MP3 by its suffix, stereo.

    Args:
        piece: what to play; its tempos count.
        path: the file to write.
        soundfont: who plays, `.sf2` or `.sf3`; else the one pretty_midi carries; else our own synthesizer.
        timing: from a tick to the tick, maybe between two, at which it is played (swing).
        sample_rate: samples a second.

    Raises:
        OptionError: for another suffix or sample rate.
        RecurraError: if the piece is too long, the SoundFont is broken or the file cannot be written.
    """
    container = format_of(path)
    if importlib.util.find_spec("soundfile") is None:
        raise _missing("a sound file")
    if sample_rate not in SAMPLE_RATES:
        raise OptionError(f"a sample rate of {sample_rate} is not possible; choose among {_listed(SAMPLE_RATES)}")
    seconds = float(note_seconds(piece, timing).max(initial=0.0)) + TAIL
    if seconds > LONGEST:
        raise RecurraError(
            f"{piece.name} would sound for {seconds / 3600:.1f} hours, more than the {LONGEST // 3600} possible; "
            "write it as .mid, or shorten it or raise its tempo"
        )
    audio, synthesizer = _play(piece, soundfont, timing, sample_rate)
    loudest = float(max(audio.max(initial=0.0), -audio.min(initial=0.0)))
    if loudest > 0:
        audio *= np.float32(PEAK / loudest)
    write_atomic(path, lambda temporary: _write(temporary, audio, sample_rate, container))
    return Sound(audio.shape[1] / sample_rate, sample_rate, PEAK if loudest > 0 else 0.0, synthesizer)


def format_of(path: Path) -> tuple[str, str]:
    """Container and coding a file's suffix stands for.

    Raises:
        OptionError: if it stands for none.
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise OptionError(f"{path} does not name a sound file; end it in {_listed(FORMATS)}") from None


def _missing(what: str) -> RecurraError:
    return RecurraError(f"{what} needs one more package: pip install 'recurra[music]'")


def _listed(things: Iterable[object]) -> str:
    *most, last = map(str, things)
    return f"{', '.join(most)} or {last}"


def _play(piece: Piece, soundfont: Path | None, timing: Timing | None, sample_rate: int) -> tuple[FloatArray, str]:
    """Sound, `(2, samples)`, and who plays it."""
    chosen = soundfont or carried_soundfont()
    if chosen is None:
        return synthesize(piece, sample_rate, timing), "built-in"
    if importlib.util.find_spec("symusic") is None:
        raise _missing("a SoundFont")
    return _play_soundfont(piece, chosen, timing, sample_rate), chosen.name


def carried_soundfont() -> Path | None:
    """The SoundFont that comes with pretty_midi, if that and symusic are installed."""
    package = importlib.util.find_spec("pretty_midi")
    if package is None or package.origin is None or importlib.util.find_spec("symusic") is None:
        return None
    path = Path(package.origin).with_name("TimGM6mb.sf2")
    return path if path.is_file() else None


def _play_soundfont(piece: Piece, soundfont: Path, timing: Timing | None, sample_rate: int) -> FloatArray:
    import symusic

    times = note_seconds(piece, timing)
    end = float(times.max(initial=0.0)) + TAIL
    score = _score(piece, times.tolist(), end)
    try:
        with playable(soundfont) as path:
            audio = symusic.Synthesizer(str(path), sample_rate, QUALITY).render(score, stereo=True)
    except RuntimeError as error:
        raise unplayable(soundfont, str(error)) from error
    # Filters of extreme notes may run away; beside what they give, all that is sound would be silence.
    sound = np.asarray(audio[:, : math.ceil(end * sample_rate)])
    for begin in range(0, sound.shape[1], BLOCK):
        block = sound[:, begin : begin + BLOCK]
        block[~(np.abs(block) < RUNAWAY)] = 0
    return sound


def _score(piece: Piece, times: list[list[float]], end: float) -> Score:
    """What symusic plays, in seconds, with a last note that begins at `end` so that all before it is rendered."""
    import symusic

    score = symusic.Score(480, "second")
    for track in (*piece.tracks, Track()):
        score.tracks.append(symusic.Track(track.name, track.program, track.drums, ttype="second"))
    for note, (begin, finish) in zip(piece.notes, times, strict=True):
        length = max(finish - begin, SHORTEST)
        score.tracks[note.track].notes.append(symusic.Note(begin, length, note.pitch, note.velocity, ttype="second"))
    score.tracks[-1].notes.append(symusic.Note(end, SHORTEST, 60, 1, ttype="second"))
    return score


def _write(path: Path, audio: FloatArray, sample_rate: int, container: tuple[str, str]) -> None:
    import soundfile

    coding = {"format": container[0], "subtype": container[1]}
    try:
        with soundfile.SoundFile(path, "w", sample_rate, len(audio), **coding) as file:
            for begin in range(0, audio.shape[1], BLOCK):
                file.write(audio[:, begin : begin + BLOCK].T)
    except soundfile.SoundFileError as error:
        raise RecurraError(f"writing the sound failed: {error}; is there room on the disk?") from error
