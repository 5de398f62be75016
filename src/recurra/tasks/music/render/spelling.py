"""How the notes of a piece are spelt: by the key, by what sounds around them, and by where they lead.

The preferences are those of Temperley, The Cognition of Basic Musical Structures (2001), chapter 5: notes near each
other in time are near on the line of fifths, and two notes a semitone apart have different letters, so that a leading
note rises and a lowered one falls.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import IntArray
from recurra.tasks.music.pieces import TICKS, Note, Piece
from recurra.tasks.music.render.keys import STEPS, Key, Spelling, position_in_key, spelling_at

NEAR = TICKS
"""Ticks in which the weight of what sounds around a note falls to 1/e."""

LONGEST = 2 * TICKS
"""Notes weigh as much as they are long, up to this."""

KEY_WEIGHT = 0.5
"""Of the distance from the middle of the key, beside the mean distance from the notes around."""

MIDDLES = {False: 3, True: 4}
"""The middle of a major and a minor key, in fifths above the signature: chromatic notes are more often sharp."""

LEADING = 2.0
"""What a semitone to the next note of the track costs that keeps the letter, in fifths."""

PASSES = 2
"""The second sees how the first spelt the notes around."""

LOWEST, HIGHEST = -15, 19
"""On the line of fifths, F double flat and B double sharp; C is 0."""

_PLACES = np.arange(LOWEST, HIGHEST + 1)

Doubles = NDArray[np.float64]


class Spellings(NamedTuple):
    """The names of all notes of a piece.

    Attributes:
        onsets: of the notes of each track and pitch, sorted.
        positions: of the same on the line of fifths.
    """

    onsets: dict[tuple[int, int], list[int]]
    positions: dict[tuple[int, int], list[int]]

    def at(self, track: int, tick: int, pitch: int) -> Spelling:
        """The name of the note of a track that sounds at a tick."""
        index = bisect.bisect_right(self.onsets[track, pitch], tick) - 1
        return spelling_at(self.positions[track, pitch][index], pitch)


def spell_notes(piece: Piece, key: Key) -> Spellings:
    """Name the notes of all tracks that are no drums."""
    notes = [note for note in piece.notes if not piece.tracks[note.track].drums]
    found = Spellings({}, {})
    for note, position in zip(notes, positions(notes, key).tolist(), strict=True):
        found.onsets.setdefault((note.track, note.pitch), []).append(note.onset)
        found.positions.setdefault((note.track, note.pitch), []).append(position)
    return found


def positions(notes: Sequence[Note], key: Key) -> IntArray:
    """Where each of some notes, sorted by onset, is on the line of fifths, `(notes,)`."""
    chosen = np.array([position_in_key(note.pitch, key) for note in notes], np.int64)
    if not len(notes):
        return chosen
    weights = np.array([min(note.duration, LONGEST) for note in notes], np.float64)
    moments = np.unique([note.onset for note in notes], return_inverse=True)[1]
    following = _following(notes)
    semitone = following >= 0
    candidates = chosen[:, None] + np.array([0, -12, 12])
    impossible = (candidates < LOWEST) | (candidates > HIGHEST)
    for _ in range(PASSES):
        cost = _distances(notes, weights, moments, chosen, np.clip(candidates, LOWEST, HIGHEST))
        cost += KEY_WEIGHT * np.abs(candidates - (key.fifths + MIDDLES[key.minor]))
        same_letter = np.abs(candidates - chosen[following][:, None]) != len(STEPS) - 2
        cost += LEADING * (semitone[:, None] & same_letter)
        cost[impossible] = np.inf
        chosen = candidates[np.arange(len(notes)), cost.argmin(1)]
    return chosen


def _distances(
    notes: Sequence[Note], weights: Doubles, moments: IntArray, chosen: IntArray, candidates: IntArray
) -> Doubles:
    """The mean distance of each candidate from the other notes around, `(notes, candidates)`."""
    onsets = np.unique([note.onset for note in notes])
    struck = np.zeros((len(onsets), len(_PLACES)))
    np.add.at(struck, (moments, chosen - LOWEST), weights)
    fading = np.exp(-np.diff(onsets) / NEAR)
    around = struck.copy()
    past, future = np.zeros(len(_PLACES)), np.zeros(len(_PLACES))
    for index in range(1, len(onsets)):
        past = (past + struck[index - 1]) * fading[index - 1]
        around[index] += past
    for index in range(len(onsets) - 2, -1, -1):
        future = (future + struck[index + 1]) * fading[index]
        around[index] += future
    far = around @ np.abs(_PLACES[:, None] - _PLACES)
    own = weights[:, None] * np.abs(candidates - chosen[:, None])
    others = around.sum(1)[moments] - weights
    return np.asarray((far[moments[:, None], candidates - LOWEST] - own) / np.maximum(others, 1e-9)[:, None])


def _following(notes: Sequence[Note]) -> IntArray:
    """For each note one a semitone away that its track goes on with, -1 if it goes on otherwise, `(notes,)`."""
    found = np.full(len(notes), -1, np.int64)
    by_track: dict[int, list[int]] = {}
    for index, note in enumerate(notes):
        by_track.setdefault(note.track, []).append(index)
    for own in by_track.values():
        groups = [list(group) for _, group in groupby(own, key=lambda index: notes[index].onset)]
        begins = [notes[group[0]].onset for group in groups]
        for index in own:
            place = bisect.bisect_left(begins, notes[index].end)
            for other in groups[place] if place < len(groups) else ():
                if abs(notes[other].pitch - notes[index].pitch) == 1:
                    found[index] = other
    return found
