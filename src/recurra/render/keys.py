"""The key of a piece, and how its notes are spelt."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.data.pieces import Piece

STEPS = "FCGDAEB"
"""Letters by fifths, upwards; C stands at 0 on the line of fifths, F at -1."""

NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Semitones above C."""

MAJOR = (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400)
"""How much each pitch class belongs to C major: the Kostka-Payne profile of Temperley,
"Music and Probability" (2007)."""

MINOR = (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330)
"""The same for C minor."""


class Key(NamedTuple):
    """A key.

    Attributes:
        fifths: sharps of its signature; flats are negative.
        minor: whether it is minor.
    """

    fifths: int
    minor: bool = False


class Spelling(NamedTuple):
    """A note's name: letter, semitones by which it is raised, and octave (middle C begins 4)."""

    step: str
    alter: int
    octave: int


def estimate_key(piece: Piece) -> Key:
    """The key whose profile correlates best with how long each pitch class sounds (Krumhansl and Schmuckler).

    C major if nothing pitched sounds. Of signatures with six sharps and six flats, sharps for major, flats for minor.
    """
    weights = pitch_class_weights(piece)
    if not weights.any():
        return Key(0)
    scores = {
        Key(_signature(tonic, minor), minor): _correlation(np.roll(profile, tonic), weights)
        for minor, profile in ((False, MAJOR), (True, MINOR))
        for tonic in range(12)
    }
    return max(scores, key=lambda key: scores[key])


def pitch_class_weights(piece: Piece) -> NDArray[np.float64]:
    """Ticks for which each pitch class sounds, `(12,)`, drums apart."""
    weights = np.zeros(12)
    for note in piece.notes:
        if not piece.tracks[note.track].drums:
            weights[note.pitch % 12] += note.duration
    return weights


def spell(pitch: int, key: Key) -> Spelling:
    """The name of a pitch that suits a key: chromatic notes as leading notes upwards, else as borrowed from the minor.

    On the line of fifths, twelve neighbours around the key are used: from three below a major tonic (C major: E flat)
    to eight above (G sharp); in minor one more to the right, for the sixth and seventh are raised.
    """
    lowest = key.fifths - (2 if key.minor else 3)
    place = lowest + (7 * pitch - lowest) % 12
    step, alter = STEPS[(place + 1) % 7], (place + 1) // 7
    return Spelling(step, alter, (pitch - alter - NATURALS[step]) // 12 - 1)


def _signature(tonic: int, minor: bool) -> int:
    place = (7 * (tonic + (3 if minor else 0))) % 12
    return place - 12 if place > 6 - minor else place


def _correlation(profile: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    if np.ptp(weights) == 0:
        return float(profile[0])
    return float(np.corrcoef(profile, weights)[0, 1])
