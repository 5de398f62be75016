"""The key of a piece, and what notes are called."""

from __future__ import annotations

from typing import NamedTuple

from recurra.tasks.music import harmony
from recurra.tasks.music.harmony import LETTERS
from recurra.tasks.music.pieces import Piece

STEPS = "FCGDAEB"
"""Letters by fifths, upwards; C stands at 0 on the line of fifths, F at -1."""

NATURALS = LETTERS
"""Semitones above C."""


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
    """The key that `harmony.estimate_key` finds, with its signature; C major if nothing pitched sounds.

    Of signatures with six sharps and six flats, sharps for major, flats for minor.
    """
    pitched = [note for note in piece.notes if not piece.tracks[note.track].drums]
    if not pitched:
        return Key(0)
    tonic, mode = harmony.estimate_key(pitched)
    minor = mode == "minor"
    return Key(_signature(tonic, minor), minor)


def position_in_key(pitch: int, key: Key) -> int:
    """Where a pitch is on the line of fifths by its key alone.

    Chromatic notes lead upwards, else they are borrowed from the minor: twelve neighbours around the key are used, from
    three below a major tonic (C major: E flat) to eight above (G sharp); in minor one more to the right, for the sixth
    and seventh are raised.
    """
    lowest = key.fifths - (2 if key.minor else 3)
    return lowest + (7 * pitch - lowest) % 12


def spelling_at(position: int, pitch: int) -> Spelling:
    """The name of a pitch that is at a place on the line of fifths."""
    step, alter = STEPS[(position + 1) % 7], (position + 1) // 7
    return Spelling(step, alter, (pitch - alter - NATURALS[step]) // 12 - 1)


def _signature(tonic: int, minor: bool) -> int:
    index = (7 * (tonic + (3 if minor else 0))) % 12
    return index - 12 if index > 6 - minor else index
