"""Recordings mixed into streams of sound: to learn from, with changes at random; to measure on, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from recurra.arrays import FloatArray, IntArray
from recurra.config import required
from recurra.tasks.speech.audio import SILENCE, resampled
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.data import Part
from recurra.tasks.speech.wakeword.spans import spoken_span

STREAM_SECONDS = 8.0
"""How long a stream is that is learned from; longer if the words are."""

LONGEST_SECONDS = 3.0
"""So much of a longer recording without the word goes into a stream, from anywhere in it."""

WORDS, NEAR = 0.4, 0.15
"""Share of the places in a stream that a word takes, and what only resembles it; the rest is other recordings."""

GAP_SECONDS = 1.5
"""The longest pause between two recordings in a stream; short ones are more frequent."""

MARGIN_SECONDS = 0.4
"""Of a word's recording so much is kept before and after the word, at most."""

FADE_SECONDS = 0.01
"""Recordings are faded in and out, so that they do not begin with a click."""

STEADY = 0.2
"""Share of the streams without noise."""

LEVEL = -26.0
"""Recordings are brought to this level, in decibels, so that what is said of noise holds for each of them."""

FAINTEST_NOISE = 50.0
"""Noise is at most so many decibels below that."""

NOISE_TURNS = 8
"""So many recordings of a stream to measure on pass under the same noise."""

TILT = 0.5
"""How much microphones differ: the largest coefficient of the first-order filter that each recording passes."""

PAUSE_SECONDS = (0.2, 1.0)
"""Pauses between the recordings of a stream to measure on, from and to."""


class Stream(NamedTuple):
    """A stretch of sound.

    Attributes:
        samples: `(samples,)`.
        ends: where in them a word ends.
    """

    samples: FloatArray
    ends: list[int]


@dataclass(frozen=True)
class Mixer:
    """Streams to learn from, out of recordings of a word and of other sound.

    A stream has words, other recordings and what only resembles the word (its first half, or its halves the wrong way
    round: the same voice and microphone), with pauses between them. Each recording has a speed, a level and a tilt of
    its spectrum of its own; over all is noise, coloured, or from recordings of noise.

    Attributes:
        part: the recordings; those of the word have a symbol, recordings of noise an empty transcript.
        config: resolved.
    """

    part: Part
    config: Config

    @cached_property
    def words(self) -> IntArray:
        """Which recordings are of the word."""
        return np.array([n for n, symbols in enumerate(self.part.symbols) if len(symbols)], np.int64)

    @cached_property
    def others(self) -> IntArray:
        """Which are not."""
        return np.array([n for n, symbols in enumerate(self.part.symbols) if not len(symbols)], np.int64)

    @cached_property
    def _shares(self) -> FloatArray:
        """How often each of the others is drawn: by its length."""
        lengths = np.maximum(self.part.frames[self.others], 1)
        return np.asarray(lengths / lengths.sum())

    @cached_property
    def noises(self) -> IntArray:
        """Which are noise alone."""
        return np.array([n for n in self.others.tolist() if not self.part.texts[n]], np.int64)

    @cached_property
    def spans(self) -> dict[int, tuple[int, int]]:
        """Where the word is in each of its recordings, in samples."""
        return {n: spoken_span(self.part.sounds[n], self._rate) for n in self.words.tolist()}

    @property
    def _rate(self) -> int:
        return self.config.features.rate

    @cached_property
    def length(self) -> int:
        """Samples of a stream."""
        longest = max(end - begin for begin, end in self.spans.values()) / self._rate
        return round(max(STREAM_SECONDS, 2.5 * longest + GAP_SECONDS + 2) * self._rate)

    def draw(self, random: np.random.Generator) -> Stream:
        """A stream, `(length,)`."""
        samples, ends = np.zeros(self.length, np.float32), []
        position = round(random.uniform(0, 1) * self._rate)
        while True:
            item = self._item(random)
            stop = position + len(item.samples)
            if stop > self.length:
                break
            samples[position:stop] = item.samples
            ends += [position + end for end in item.ends]
            position = stop + round(random.uniform(0, 1) ** 2 * GAP_SECONDS * self._rate)
        loudest = required(self.config.noise_db, "noise_db")
        if random.random() >= STEADY and loudest < FAINTEST_NOISE:
            decibels = random.uniform(loudest, FAINTEST_NOISE)
            samples = samples + at_level(self._noise(random), LEVEL - decibels)
        return Stream(samples, ends)

    def _item(self, random: np.random.Generator) -> Stream:
        """A recording, changed at random, or what only resembles a word."""
        kind = random.random()
        if kind >= WORDS + NEAR:
            samples = self.part.sounds[int(random.choice(self.others, p=self._shares))]
            begin = int(random.integers(max(1, len(samples) - round(LONGEST_SECONDS * self._rate))))
            return self._changed(samples[begin : begin + round(LONGEST_SECONDS * self._rate)], None, random)
        number = int(random.choice(self.words))
        samples, (begin, end) = self.part.sounds[number], self.spans[number]
        before, after = (round(random.uniform(0, MARGIN_SECONDS) * self._rate) for _ in range(2))
        first = max(0, begin - before)
        if kind < WORDS:
            return self._changed(samples[first : end + after], end - first, random)
        cut = begin + round(random.uniform(0.35, 0.6) * (end - begin))
        halves = samples[first:cut], samples[cut : end + after]
        return self._changed(halves[0] if random.random() < 0.5 else np.concatenate(halves[::-1]), None, random)

    def _changed(self, samples: FloatArray, end: int | None, random: np.random.Generator) -> Stream:
        """A recording at another speed and level, through another microphone; with where the word ends in it."""
        before = len(samples)
        if self.config.speed and before:
            faster = float(np.exp(random.uniform(-1, 1) * np.log1p(self.config.speed)))
            samples = resampled(samples, self._rate, round(self._rate / faster))
        gain, tilt = required(self.config.gain_db, "gain_db"), random.uniform(-TILT, TILT)
        samples = np.concatenate([samples[:1], samples[1:] - np.float32(tilt) * samples[:-1]])
        samples = faded(levelled(samples, self._rate), self._rate) * np.float32(
            10 ** (random.uniform(-gain, gain) / 20)
        )
        return Stream(samples, [] if end is None else [round(end * len(samples) / before)])

    def _noise(self, random: np.random.Generator) -> FloatArray:
        """Noise as long as a stream: of a recording, or made, from white to brown."""
        if len(self.noises) and random.random() < 0.5:
            return looped(self.part.sounds[int(random.choice(self.noises))], self.length, random)
        return coloured(self.length, random.uniform(0, 1), random)


def faded(samples: FloatArray, rate: int) -> FloatArray:
    """A recording faded in and out."""
    width = min(round(FADE_SECONDS * rate), len(samples) // 2)
    ramp = np.linspace(0, 1, width, endpoint=False, dtype=np.float32)
    samples = samples.copy()
    samples[:width] *= ramp
    samples[len(samples) - width :] *= ramp[::-1]
    return samples


def coloured(length: int, slope: float, random: np.random.Generator) -> FloatArray:
    """Noise `(length,)` whose amplitude falls with frequency to the power of `slope`: 0 white, 0.5 pink, 1 brown."""
    spectrum = np.fft.rfft(random.standard_normal(length, np.float32))
    spectrum *= np.maximum(np.arange(len(spectrum)), len(spectrum) / 200) ** -slope
    return np.asarray(np.fft.irfft(spectrum, length), np.float32)


def looped(samples: FloatArray, length: int, random: np.random.Generator) -> FloatArray:
    """`length` samples of a recording from anywhere in it, begun again where it ends."""
    begin = int(random.integers(len(samples)))
    return np.take(samples, np.arange(begin, begin + length), mode="wrap")


def levelled(samples: FloatArray, rate: int) -> FloatArray:
    """A recording whose loud part is at `LEVEL`; as it is if there is nothing to hear in it."""
    begin, end = spoken_span(samples, rate)
    power = float(np.mean(np.square(samples[begin:end], dtype=np.float64))) if end > begin else 0.0
    return samples * np.float32(10 ** (LEVEL / 20) / np.sqrt(power)) if power > SILENCE**2 else samples


def at_level(noise: FloatArray, decibels: float) -> FloatArray:
    """Noise whose mean square is at a level; nothing stays nothing."""
    power = float(np.mean(np.square(noise, dtype=np.float64)))
    return noise * np.float32(10 ** (decibels / 20) / np.sqrt(max(power, 1e-20)))


Overlay = Callable[[FloatArray, np.random.Generator], FloatArray]
"""Gives samples with noise over them."""


class Turn(NamedTuple):
    """A recording in a stream to measure on.

    Attributes:
        samples: a pause, then the recording, `(samples,)`.
        end: where in them the word ends; None if there is none.
        seconds: of the recording.
    """

    samples: FloatArray
    end: int | None
    seconds: float


def in_turn(
    recordings: Iterable[tuple[FloatArray, bool]], rate: int, random: np.random.Generator, over: Overlay | None
) -> Iterator[Turn]:
    """Recordings one after another, each once, whole and as loud as it is, each behind a pause.

    Args:
        recordings: samples of each, and whether it is the word; they are taken one at a time.
        rate: samples a second.
        random: draws pauses, and is given to `over`.
        over: adds noise to each recording and its pause.
    """
    for samples, is_word in recordings:
        pause = round(random.uniform(*PAUSE_SECONDS) * rate)
        end = pause + spoken_span(samples, rate)[1] if is_word else None
        heard = np.concatenate([np.zeros(pause, np.float32), faded(samples, rate)])
        yield Turn(over(heard, random) if over else heard, end, len(samples) / rate)


def any_noise(least: float) -> Overlay:
    """Adds noise of any colour, as in training, at least so many decibels below `LEVEL`; after some recordings other
    noise.
    """
    turns, slope, decibels = 0, 0.0, 0.0

    def over(samples: FloatArray, random: np.random.Generator) -> FloatArray:
        nonlocal turns, slope, decibels
        if turns % NOISE_TURNS == 0:
            slope, decibels = random.uniform(0, 1), random.uniform(min(least, FAINTEST_NOISE), FAINTEST_NOISE)
        turns += 1
        return samples + at_level(coloured(len(samples), slope, random), LEVEL - decibels)

    return over
