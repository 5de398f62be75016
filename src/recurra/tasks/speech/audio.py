"""Sound files as samples: any rate, any number of channels, in blocks, so that length does not matter."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurra.arrays import FloatArray
from recurra.errors import RecurraError, os_errors
from recurra.files import write_atomic

SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".aiff", ".aif", ".sph", ".au", ".caf", ".w64")
"""What a folder of recordings is searched for."""

BLOCK_SECONDS = 10.0
"""How much of a file is in memory at a time."""

LOUDEST = 2.0**32
"""No sample is larger, even where whole numbers were written as they are: its square would not be a float any more."""

MAX_SECONDS = 24 * 3600.0
"""A longer recording is refused ..."""

MIN_RATE, MAX_RATE = 1000, 768_000
"""... and one with fewer or more samples a second than sound cards make."""

ENDLESS_WAV = 0x7FFF0000
"""A WAV file that says so many bytes or more was written by what did not know its length."""

SILENCE = 1e-4
"""A recording without a sample beyond this, of 1, is silent (-80 dB)."""

FULL = 0.999
"""Samples beyond this are at the end of the scale; three of them in a row are clipped."""

CLIPPED_SHARE = 0.01
"""A recording with a larger share of clipped samples is refused in training: it is more distortion than sound."""


@dataclass(frozen=True)
class SoundInfo:
    """What a sound file says of itself.

    Attributes:
        rate: samples a second.
        channels: how many there are; they are averaged.
        frames: samples of each.
    """

    rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.frames / self.rate


def sound_info(source: Path | bytes) -> SoundInfo:
    """What a sound file, or what is in one, says of itself.

    Raises:
        RecurraError: if it is missing, is not sound, is empty, or is longer than a day.
    """
    path = _called(source)
    with _opened(source) as file:
        info = SoundInfo(file.samplerate, file.channels, max(file.frames, 0))
    if not MIN_RATE <= info.rate <= MAX_RATE:
        raise RecurraError(f"{path} has {info.rate:,} samples a second, which no recording has; convert it to WAV")
    if info.frames == 0:
        raise RecurraError(f"{path} holds no sound: it has no samples; record it again")
    if info.seconds > MAX_SECONDS:
        raise RecurraError(f"{path} is {info.seconds / 3600:,.0f} hours long; cut it into parts of less than a day")
    return info


def read_sound(source: Path | bytes, rate: int) -> FloatArray:
    """A whole sound file as one channel, `(samples,)`, at a rate in Hz; see `sound_blocks`."""
    blocks = list(sound_blocks(source, rate))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def sound_blocks(source: Path | bytes, rate: int) -> Iterator[FloatArray]:
    """A sound file as one channel, from -1 to 1, in blocks `(samples,)` of some seconds.

    Args:
        source: the file, or what is in it.
        rate: what it is brought to, in Hz.

    Raises:
        RecurraError: if the file is missing, is not sound, is cut off, or holds samples that are no sound.
    """
    info, path = sound_info(source), _called(source)
    resampler = Resampler(info.rate, rate)
    read = 0
    with _opened(source) as file:
        while True:
            with _sound_errors(path, file):
                block = file.read(int(BLOCK_SECONDS * info.rate), dtype="float32", always_2d=True)
            if not len(block):
                break
            sound = (np.abs(block) <= LOUDEST).all(axis=1)
            if not sound.all():
                second = (read + int(np.flatnonzero(~sound)[0])) / info.rate
                raise RecurraError(
                    f"{path} holds samples that are not numbers, or far too loud, first at {second:.2f} s; "
                    "convert it again"
                )
            read += len(block)
            yield resampler.feed(block.mean(axis=1))
    if read < info.frames and file.format != "MP3":  # which only estimates its length
        raise RecurraError(
            f"{path} is cut off: it says {info.seconds:.2f} s, and {read / info.rate:.2f} s are there; copy it again"
        )
    yield resampler.finish()


def write_sound(path: Path, samples: FloatArray, rate: int) -> None:
    """Write samples `(samples,)` from -1 to 1 as a sound file of 16 bits."""
    import soundfile

    write_atomic(path, lambda place: soundfile.write(place, samples, rate, format="WAV", subtype="PCM_16"))


class Resampler:
    """Sound from one rate to another, chunk by chunk, by soxr; as it is if both are the same."""

    def __init__(self, source: int, target: int) -> None:
        self._stream: Any = None
        if source != target:
            import soxr

            self._stream = soxr.ResampleStream(source, target, 1, dtype="float32")

    def feed(self, samples: FloatArray) -> FloatArray:
        """What comes out as these samples go in; some stay inside until later."""
        return self._pass(samples, False)

    def finish(self) -> FloatArray:
        """What is still inside, after the last samples."""
        return self._pass(np.zeros(0, np.float32), True)

    def _pass(self, samples: FloatArray, last: bool) -> FloatArray:
        if self._stream is None:
            return samples
        return np.asarray(self._stream.resample_chunk(np.ascontiguousarray(samples), last), np.float32)


def resampled(samples: FloatArray, source: int, target: int) -> FloatArray:
    """All of a recording's samples `(samples,)` from one rate to another, in Hz."""
    resampler = Resampler(source, target)
    return np.concatenate([resampler.feed(samples), resampler.finish()])


def fault(samples: FloatArray) -> str | None:
    """Why a recording is not one to learn from; None if it is."""
    if reason := unheard(samples):
        return reason
    full = np.abs(samples) >= FULL
    runs = full[2:] & full[1:-1] & full[:-2]
    share = float(runs.mean()) if len(runs) else 0.0
    return f"{share:.0%} of it is clipped" if share > CLIPPED_SHARE else None


def unheard(samples: FloatArray) -> str | None:
    """Why nothing can be heard in a recording; None if something can."""
    if not len(samples):
        return "it has no samples"
    return "it is silent" if float(np.abs(samples).max()) < SILENCE else None


def _called(source: Path | bytes) -> str:
    """What a recording is called in messages."""
    return "the recording" if isinstance(source, bytes) else str(source)


def _opened(source: Path | bytes) -> Any:
    """A sound file to read from."""
    import soundfile

    called = _called(source)
    with os_errors("reading", called):
        if isinstance(source, Path) and source.is_dir():
            raise RecurraError(f"{called} is a folder, not a recording; name the files in it")
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if not size:
            raise RecurraError(f"{called} is empty; record it again")
        with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
            _require_whole(file.read(8), size, called)
    try:
        return soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else source)
    except (soundfile.LibsndfileError, TypeError) as error:
        raise RecurraError(
            f"{called} is not a sound file that can be read ({_reason(error)}); give WAV, FLAC, MP3 or OGG"
        ) from error


def _require_whole(head: bytes, size: int, called: str) -> None:
    """Refuse a WAV file that is shorter than it says, which libsndfile reads as far as it goes.

    A recorder that was never stopped says nothing, or as much as can be said.

    Args:
        head: its first eight bytes.
        size: its bytes.
        called: what to call it.

    Raises:
        RecurraError: if it is.
    """
    told = int.from_bytes(head[4:8], "little")
    if head[:4] == b"RIFF" and size < told + 8 and told < ENDLESS_WAV:
        raise RecurraError(f"{called} is cut off: it says {told + 8:,} bytes, and {size:,} are there; copy it again")


class _sound_errors:  # noqa: N801 (a context manager)
    """Turn what libsndfile says of a damaged file into one sentence."""

    def __init__(self, path: str, file: Any) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        import soundfile

        if isinstance(error, soundfile.LibsndfileError):
            raise RecurraError(f"{self._path} is damaged ({_reason(error)}); copy it again") from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).strip().rstrip(".")
