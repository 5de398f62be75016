"""Sound as log-mel filter banks, chunk by chunk or whole, with the same result.

The filter banks are Kaldi's, by kaldi-native-fbank, which takes chunks of any size.

Shapes: F frames, M mel bands, S stacked frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.arrays import FloatArray
from recurra.errors import OptionError
from recurra.kernels import jit

SCALE = 32768.0
"""Kaldi's filter banks are of 16-bit samples: the logarithm's floor is then far below any sound."""

PRIOR_FRAMES = 5
"""So many frames of a recording weigh as much in its running mean as the mean of the training recordings."""

CHUNK = 2**16
"""Samples given to the filter bank at a time, so that memory does not grow with a recording."""


@dataclass(frozen=True)
class FeatureOptions:
    """How sound becomes features: the fields of these names of a resolved `Config`."""

    rate: int = 16_000
    window_ms: float = 25.0
    step_ms: float = 10.0
    mel_bands: int = 40
    low_hz: float = 20.0
    high_hz: float = 0.0
    stack: int = 3
    memory_seconds: float = 3.0

    @property
    def frame_size(self) -> int:
        """Features of a step: `mel_bands` times `stack`."""
        return self.mel_bands * self.stack

    @property
    def step_seconds(self) -> float:
        """Time of a step of the network."""
        return self.stack * self.step_ms / 1000


@dataclass(frozen=True)
class Normalization:
    """What brings features to mean 0 and variance 1.

    Attributes:
        mean: of each band over the training recordings, `(M,)`.
        std: likewise, after the running mean is taken off.
    """

    mean: FloatArray
    std: FloatArray


class FilterBank:
    """Log-mel energies of a stream of samples, `(F, M)` as they become known."""

    def __init__(self, options: FeatureOptions) -> None:
        import kaldi_native_fbank as knf

        settings = knf.FbankOptions()
        settings.frame_opts.samp_freq = options.rate
        settings.frame_opts.frame_length_ms = options.window_ms
        settings.frame_opts.frame_shift_ms = options.step_ms
        settings.frame_opts.dither = 0.0  # its default adds noise
        settings.frame_opts.snip_edges = True
        settings.mel_opts.num_bins = options.mel_bands
        settings.mel_opts.low_freq = options.low_hz
        settings.mel_opts.high_freq = options.high_hz
        self._rate = options.rate
        self._bands = options.mel_bands
        try:
            self._bank: Any = knf.OnlineFbank(settings)
        except (RuntimeError, ValueError) as error:
            raise OptionError(
                f"`mel_bands` {options.mel_bands} from `low_hz` {options.low_hz:g} to `high_hz` {options.high_hz:g} do "
                f"not fit windows of {options.window_ms:g} ms at {options.rate:,} samples a second; take fewer bands, "
                f"and ends below {options.rate / 2:g} Hz"
            ) from error
        self._taken = 0

    def feed(self, samples: FloatArray) -> FloatArray:
        """The frames that these samples complete."""
        samples = np.asarray(samples, np.float32)
        frames = []
        for begin in range(0, len(samples), CHUNK):
            self._bank.accept_waveform(self._rate, samples[begin : begin + CHUNK] * SCALE)
            ready = self._bank.num_frames_ready
            frames += [np.array(self._bank.get_frame(number)) for number in range(self._taken, ready)]
            self._bank.pop(ready - self._taken)
            self._taken = ready
        return np.array(frames, np.float32).reshape(-1, self._bands)


@jit()
def _take_off_running_mean(frames: FloatArray, mean: FloatArray, seen: int, memory: float) -> None:
    """Take the running mean off each frame, in place; the mean is brought up to date, in place.

    `mean += (frame - mean) / n`, then `frame -= mean`, where n counts the frames so far and what the mean began with
    counts for `PRIOR_FRAMES`; n stops at `memory`.
    """
    for f in range(frames.shape[0]):
        count = min(np.float64(PRIOR_FRAMES + 1 + seen + f), memory)
        share = np.float32(1.0 / max(count, 1.0))
        for m in range(frames.shape[1]):
            mean[m] += share * (frames[f, m] - mean[m])
            frames[f, m] -= mean[m]


class RunningMean:
    """What is taken off the frames of a stream: their own mean so far, so that a level is soon forgotten.

    Args:
        mean: what is expected of each band at first, `(M,)`.
        options: `memory_seconds` says how far back the mean goes; at 0 it stays what it was at first.
    """

    def __init__(self, mean: FloatArray, options: FeatureOptions) -> None:
        self._mean = mean.copy()
        self._memory = options.memory_seconds * 1000 / options.step_ms
        self._seen = 0

    def take_off(self, frames: FloatArray) -> FloatArray:
        """The next frames `(F, M)` less their running mean."""
        if not self._memory:
            return np.asarray(frames - self._mean, np.float32)
        result = frames.copy()
        _take_off_running_mean(result, self._mean, self._seen, self._memory)
        self._seen += len(frames)
        return result


def normalized(frames: FloatArray, options: FeatureOptions, normalization: Normalization) -> FloatArray:
    """Log-mel frames `(F, M)` of a whole recording, normalised."""
    return np.asarray(RunningMean(normalization.mean, options).take_off(frames) / normalization.std, np.float32)


def stacked(frames: FloatArray, stack: int) -> FloatArray:
    """Frames `(F, M)` side by side, `(S, stack * M)`; the last one is repeated where a step is not full."""
    missing = -len(frames) % stack
    if missing:
        frames = np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)])
    return frames.reshape(-1, stack * frames.shape[1])


class FeatureStream:
    """Sound in, steps of a network out, chunk by chunk; all of it in one chunk gives the same.

    Args:
        options: how sound becomes features.
        normalization: of the training recordings.
    """

    def __init__(self, options: FeatureOptions, normalization: Normalization) -> None:
        self._options = options
        self._std = normalization.std
        self._bank = FilterBank(options)
        self._mean = RunningMean(normalization.mean, options)
        self._held = np.zeros((0, options.mel_bands), np.float32)

    def feed(self, samples: FloatArray) -> FloatArray:
        """The steps that these samples complete, `(S, frame_size)`."""
        frames = self._mean.take_off(self._bank.feed(samples))
        frames = np.concatenate([self._held, np.asarray(frames / self._std, np.float32)])
        whole = len(frames) - len(frames) % self._options.stack
        self._held = frames[whole:]
        return stacked(frames[:whole], self._options.stack)

    def finish(self) -> FloatArray:
        """The last step, `(1, frame_size)`, if some frames are left over; `(0, frame_size)` if none are."""
        frames, self._held = self._held, self._held[:0]
        return stacked(frames, self._options.stack)
