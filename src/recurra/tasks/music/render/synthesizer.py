"""A small synthesizer of our own, so that a piece can be heard where no other is at hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from recurra.arrays import DoubleArray, FloatArray
from recurra.errors import RecurraError
from recurra.tasks.music.pieces import TICKS, Note, Piece

Timing = Callable[[int], float]

TAIL = 1.5
"""Seconds after the last note's end in which sounds die away."""

SPREAD = 0.35
"""How far to the sides tracks are placed: 0 all in the middle, 1 wholly left and right."""

NYQUIST_SHARE = 0.45
"""Of the sample rate; partial tones above it are left out, since they would be mirrored down."""


class Timbre(NamedTuple):
    """How an instrument sounds.

    Attributes:
        harmonics: amplitudes of the partial tones 1, 2, ...
        decay: of the whole, nepers a second at middle C; higher notes fade faster.
        dulling: by how many nepers a second each partial fades faster than the one below it.
        attack: seconds until full.
        release: seconds after the end until nothing is left.
    """

    harmonics: tuple[float, ...]
    decay: float
    dulling: float
    attack: float
    release: float


STRUCK = Timbre((1.0, 0.55, 0.32, 0.2, 0.11, 0.06), decay=1.1, dulling=0.9, attack=0.004, release=0.15)
BELL = Timbre((1.0, 0.1, 0.05, 0.3), decay=2.2, dulling=0.8, attack=0.002, release=0.4)
SUSTAINED = Timbre((1.0, 0.45, 0.3, 0.16, 0.1, 0.05), decay=0.0, dulling=0.0, attack=0.035, release=0.12)
FLUTE = Timbre((1.0, 0.22, 0.08), decay=0.0, dulling=0.0, attack=0.03, release=0.1)
BASS = Timbre((1.0, 0.6, 0.28, 0.12), decay=0.7, dulling=1.2, attack=0.006, release=0.1)

FAMILIES = (
    STRUCK, BELL, SUSTAINED, STRUCK, BASS, SUSTAINED, SUSTAINED, SUSTAINED,
    SUSTAINED, FLUTE, SUSTAINED, SUSTAINED, SUSTAINED, STRUCK, BELL, SUSTAINED,
)  # fmt: skip
"""Of General MIDI's sixteen families of eight programs each, piano to sound effects."""

PLUCKED_STRINGS = (45, 46)
"""Pizzicato and harp, which stand among the strings."""


class Drum(NamedTuple):
    """How a drum sounds: a tone that falls from twice its pitch, and noise.

    Attributes:
        frequency: of the tone, Hz.
        tone: its amplitude.
        noise: amplitude of the noise.
        bright: whether the noise is without its low part.
        seconds: until a thousandth is left.
    """

    frequency: float
    tone: float
    noise: float
    bright: bool
    seconds: float


KICK = Drum(52, 1.0, 0.05, False, 0.35)
SNARE = Drum(185, 0.5, 0.6, False, 0.25)
CLICK = Drum(900, 0.5, 0.2, True, 0.08)
CLOSED = Drum(0, 0.0, 0.5, True, 0.09)
OPEN = Drum(0, 0.0, 0.5, True, 0.6)
CRASH = Drum(0, 0.0, 0.6, True, 1.3)
DRUMS = (
    {35: KICK, 36: KICK, 38: SNARE, 40: SNARE, 39: SNARE._replace(tone=0.0), 37: CLICK}
    | dict.fromkeys((42, 44, 54, 69, 70, 82), CLOSED)
    | dict.fromkeys((46, 51, 53, 59), OPEN)
    | dict.fromkeys((49, 52, 55, 57), CRASH)
    | {pitch: Drum(70 + 14 * index, 0.9, 0.08, False, 0.4) for index, pitch in enumerate((41, 43, 45, 47, 48, 50))}
)
"""By General MIDI number."""


def synthesize(piece: Piece, sample_rate: int, timing: Timing | None = None) -> FloatArray:
    """The sound of a piece, `(2, samples)`, left and right, not normalised, `TAIL` seconds longer than its notes.

    Args:
        piece: what to play.
        sample_rate: samples a second.
        timing: from a tick to the tick, maybe between two, at which it is played.
    """
    times = note_seconds(piece, timing)
    sound = np.zeros((2, math.ceil((_end(times) + TAIL) * sample_rate)), dtype=np.float32)
    pans = pan_gains(len(piece.tracks))
    for note, (begin, end) in zip(piece.notes, times.tolist(), strict=True):
        voice = _voice(piece, note, end - begin, sample_rate) * np.float32((note.velocity / 127) ** 1.5)
        first = round(begin * sample_rate)
        voice = voice[: sound.shape[1] - first]
        sound[:, first : first + len(voice)] += pans[note.track][:, None] * voice
    return sound


def note_seconds(piece: Piece, timing: Timing | None = None) -> DoubleArray:
    """When each note begins and ends, in seconds by the piece's tempos, `(notes, 2)`.

    Raises:
        RecurraError: if a tempo is not above 0.
    """
    rates = np.array([tempo.quarters_per_minute for tempo in piece.tempos], dtype=np.float64)
    if not (np.isfinite(rates).all() and (rates > 0).all()):
        raise RecurraError(f"{piece.name} has a tempo that is not above 0; set one with `tempo`")
    onsets = np.array([tempo.onset for tempo in piece.tempos], dtype=np.float64)
    lengths = 60 / (rates * TICKS)
    reached = np.concatenate([[0.0], np.cumsum(np.diff(onsets) * lengths[:-1])])
    ticks = np.array([(note.onset, note.end) for note in piece.notes], dtype=np.float64).reshape(-1, 2)
    if timing is not None:
        moved = {tick: timing(tick) for tick in np.unique(ticks).astype(int).tolist()}
        ticks = np.array([(moved[note.onset], moved[note.end]) for note in piece.notes]).reshape(-1, 2)
    index = np.maximum(np.searchsorted(onsets, ticks, side="right") - 1, 0)
    return np.maximum(reached[index] + (ticks - onsets[index]) * lengths[index], 0.0)


def pan_gains(tracks: int) -> FloatArray:
    """Loudness of each track left and right, `(tracks, 2)`, of equal power, spread evenly."""
    indices = np.linspace(-SPREAD, SPREAD, tracks) if tracks > 1 else np.zeros(1)
    angles = (indices + 1) * np.pi / 4
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def _end(times: DoubleArray) -> float:
    return float(times.max(initial=0.0))


def _voice(piece: Piece, note: Note, seconds: float, sample_rate: int) -> FloatArray:
    track = piece.tracks[note.track]
    if track.drums:
        return _drum(note.pitch, sample_rate)
    return _tone(_timbre(track.program), note.pitch, seconds, sample_rate)


def _timbre(program: int) -> Timbre:
    return STRUCK if program in PLUCKED_STRINGS else FAMILIES[program // 8]


def _tone(timbre: Timbre, pitch: int, seconds: float, sample_rate: int) -> FloatArray:
    """Partials as powers of one decaying rotation, `Im sum_k a_k z^k` with `z = exp((2 pi i f - dulling) t)`."""
    frequency = 440.0 * 2 ** ((pitch - 69) / 12)
    count = max(1, round((seconds + timbre.release) * sample_rate))
    time = np.arange(count) / sample_rate
    rate = 2 ** ((pitch - 60) / 24)
    turns = (frequency * time) % 1.0
    rotation = np.exp(2j * np.pi * turns - timbre.dulling * rate * time).astype(np.complex64)
    audible = int(NYQUIST_SHARE * sample_rate / frequency)
    total = np.zeros(count, dtype=np.complex64)
    for amplitude in reversed(timbre.harmonics[:audible]):
        total += np.float32(amplitude)
        total *= rotation
    loudness = np.exp(-timbre.decay * rate * time)
    loudness *= np.minimum(1.0, time / timbre.attack)
    loudness *= np.clip((count / sample_rate - time) / timbre.release, 0.0, 1.0) ** 2
    sound: FloatArray = total.imag * loudness.astype(np.float32)
    return sound


@cache
def _drum(pitch: int, sample_rate: int) -> FloatArray:
    drum = DRUMS.get(pitch, CLICK._replace(frequency=300.0 + 25 * (pitch % 36)))
    time = np.arange(round(drum.seconds * sample_rate)) / sample_rate
    noise = np.random.default_rng(pitch).uniform(-1, 1, len(time))
    if drum.bright:
        noise = np.diff(noise, n=2, prepend=[0.0, 0.0]) / 2
    falling = drum.frequency * (1 + np.exp(-time / 0.02))
    tone = np.sin(2 * np.pi * np.cumsum(falling) / sample_rate)
    loudness = np.exp(-6.9 * time / drum.seconds) * np.minimum(1.0, time / 0.001)
    loudness *= np.minimum(1.0, (drum.seconds - time) / 0.005)
    sound: FloatArray = ((drum.tone * tone + drum.noise * noise) * loudness).astype(np.float32)
    return sound
