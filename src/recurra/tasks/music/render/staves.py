"""How the tracks of a piece are laid out on staves: clefs, two staves for a keyboard, voices on each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from recurra.tasks.music.pieces import Note, Piece, Track
from recurra.tasks.music.render.bars import Bar, bars_of

VOICES = 4
"""Voices on a staff at most; what does not fit is written into the last, cut and tied."""

MIDDLE_C = 60

HAND = 12
"""Semitones a hand holds: a chord no wider stays on one staff."""

WIDE = (53, 65)
"""A keyboard track with notes below the first and above the second pitch, sounding together, gets two staves."""

KEYBOARDS = (*range(16, 24), *range(8), 46, 88, 89, 90)
"""Programs written on two staves where they are wide: organs, pianos, the harp, pads."""


class Clef(NamedTuple):
    """A clef: MusicXML's sign, line and change of octave, and the pitches from its lowest line to its highest."""

    sign: str
    line: int
    octave: int
    lowest: int
    highest: int


TREBLE = Clef("G", 2, 0, 64, 77)
BASS = Clef("F", 4, 0, 43, 57)
CLEFS = (
    TREBLE, BASS, Clef("G", 2, 1, 76, 89), Clef("F", 4, -1, 31, 45), Clef("G", 2, 2, 88, 101), Clef("F", 4, -2, 19, 33),
)  # fmt: skip
PERCUSSION = Clef("percussion", 2, 0, 0, 127)

ODD_CLEF = 6.0
"""Semitones outside the staff, on average, that a clef with an octave must save."""


class Head(NamedTuple):
    """A note of a chord: its pitch, and whether it is tied to the same before and after."""

    pitch: int
    tied_before: bool = False
    tied_after: bool = False


class Chord(NamedTuple):
    """Notes of one voice that begin and end together, the lowest first."""

    onset: int
    end: int
    heads: tuple[Head, ...]


Voice = list[Chord]


class Staff(NamedTuple):
    """A staff.

    Attributes:
        clef: at its beginning.
        voices: at least one, the highest first; chords of one voice do not overlap.
        drums: whether pitches are General MIDI drums.
    """

    clef: Clef
    voices: list[Voice]
    drums: bool


class Part(NamedTuple):
    """A player's staves, one or two."""

    track: Track
    staves: list[Staff]


def parts_of(piece: Piece) -> list[Part]:
    """The parts of a piece: one a track that has notes, or the first track alone if none has."""
    bars = bars_of(piece)
    by_track: list[list[Note]] = [[] for _ in piece.tracks]
    for note in piece.notes:
        by_track[note.track].append(note)
    used = [pair for pair in zip(piece.tracks, by_track, strict=True) if pair[1]] or [(piece.tracks[0], [])]
    return [Part(track, _staves(track, notes, bars)) for track, notes in used]


def _staves(track: Track, notes: list[Note], bars: Sequence[Bar]) -> list[Staff]:
    if track.drums:
        return [Staff(PERCUSSION, [_struck(notes, bars)], True)]
    chords = _chords(notes)
    if not _needs_two(track, notes):
        return [Staff(_clef(notes), _voices(chords, bars), False)]
    hands = _hands(chords, bars)
    return [Staff(clef, _voices(hand, bars), False) for clef, hand in zip((TREBLE, BASS), hands, strict=True)]


def _chords(notes: Iterable[Note]) -> list[Chord]:
    together: dict[tuple[int, int], set[int]] = {}
    for note in notes:
        together.setdefault((note.onset, note.end), set()).add(note.pitch)
    return [Chord(*span, tuple(map(Head, sorted(pitches)))) for span, pitches in sorted(together.items())]


def _struck(notes: list[Note], bars: Sequence[Bar]) -> Voice:
    """Drums as one voice: each beat lasts until the next, within its metric beat."""
    if not notes:
        return []
    onsets = sorted({note.onset for note in notes})
    pitches: dict[int, set[int]] = {}
    for note in notes:
        pitches.setdefault(note.onset, set()).add(note.pitch)
    ends, index = [], 0
    for onset, following in zip(onsets, [*onsets[1:], bars[-1].end], strict=True):
        while bars[index].end <= onset:
            index += 1
        beat = max(1, bars[index].meter.beat)
        ends.append(min(following, bars[index].end, onset + beat - (onset - bars[index].begin) % beat))
    return [
        Chord(onset, end, tuple(map(Head, sorted(pitches[onset])))) for onset, end in zip(onsets, ends, strict=True)
    ]


def _needs_two(track: Track, notes: list[Note]) -> bool:
    pitches = [note.pitch for note in notes]
    if track.program not in KEYBOARDS or min(pitches, default=127) >= WIDE[0] or max(pitches, default=0) <= WIDE[1]:
        return False
    reached = 0
    for note in notes:
        if note.onset < reached:
            return True
        reached = max(reached, note.end)
    return False


def _hands(chords: Sequence[Chord], bars: Sequence[Bar]) -> tuple[list[Chord], list[Chord]]:
    """Chords for the right and the left hand: a line of notes stays in one, by its mean height, unless it runs far."""
    right: list[Chord] = []
    left: list[Chord] = []
    graspable = [part for chord in chords for part in _graspable(chord)]
    for block in _blocks(graspable, bars):
        for line in _lines(block):
            heights = [_height(chord) for chord in line]
            far = max(heights) - min(heights) > 2 * HAND
            mean = sum(heights) / len(heights)
            for chord in line:
                (right if (_height(chord) if far else mean) >= MIDDLE_C else left).append(chord)
    return sorted(right), sorted(left)


def _graspable(chord: Chord) -> list[Chord]:
    """A chord, or its parts below and above middle C if one hand cannot hold it."""
    low = tuple(head for head in chord.heads if head.pitch < MIDDLE_C)
    high = chord.heads[len(low) :]
    if chord.heads[-1].pitch - chord.heads[0].pitch <= HAND or not low or not high:
        return [chord]
    return [chord._replace(heads=low), chord._replace(heads=high)]


def _lines(block: Sequence[Chord]) -> list[Voice]:
    """Chords as lines that do not leap further than a hand, as many as it takes."""
    lines: list[Voice] = []
    for chord in block:
        near = [
            line for line in lines if line[-1].end <= chord.onset and abs(_height(line[-1]) - _height(chord)) <= HAND
        ]
        if near:
            min(near, key=lambda line: abs(_height(line[-1]) - _height(chord))).append(chord)
        else:
            lines.append([chord])
    return lines


def _clef(notes: Sequence[Note]) -> Clef:
    """The clef with the fewest semitones outside the staff."""

    def outside(clef: Clef) -> float:
        beyond = sum(max(0, clef.lowest - note.pitch, note.pitch - clef.highest) for note in notes)
        return beyond / max(1, len(notes)) + (ODD_CLEF if clef.octave else 0.0)

    return min(CLEFS, key=outside)


def _voices(chords: Sequence[Chord], bars: Sequence[Bar]) -> list[Voice]:
    """Chords in at most `VOICES` voices, the highest first wherever a bar line has no note across."""
    voices: list[Voice] = [[]]
    for block in _blocks(chords, bars):
        for number, lane in enumerate(_lanes(block)):
            if number == len(voices):
                voices.append([])
            voices[number] += lane
    return voices


def _blocks(chords: Sequence[Chord], bars: Sequence[Bar]) -> list[list[Chord]]:
    """Chords bar by bar; bars that share a note stay together."""
    blocks: list[list[Chord]] = []
    index, reached = 0, -1
    for chord in chords:
        while bars[index].end <= chord.onset:
            index += 1
        if reached <= bars[index].begin and (not blocks or blocks[-1][-1].onset < bars[index].begin):
            blocks.append([])
        blocks[-1].append(chord)
        reached = max(reached, chord.end)
    return blocks


def _lanes(block: Sequence[Chord]) -> list[Voice]:
    lanes: list[Voice] = []
    rest: Voice = []
    for chord in sorted(block, key=lambda chord: (chord.onset, -chord.heads[-1].pitch)):
        free = [lane for lane in lanes if lane[-1].end <= chord.onset]
        if free:
            min(free, key=lambda lane: abs(_height(lane[-1]) - _height(chord))).append(chord)
        elif len(lanes) < VOICES:
            lanes.append([chord])
        else:
            rest.append(chord)
    if rest:
        lanes[-1] = _sliced([*lanes[-1], *rest])
    return sorted(lanes, key=lambda lane: -sum(map(_height, lane)) / len(lane))


def _height(chord: Chord) -> float:
    return sum(head.pitch for head in chord.heads) / len(chord.heads)


def _sliced(chords: Sequence[Chord]) -> Voice:
    """Overlapping chords as one voice: cut wherever one begins or ends, and tied."""
    edges = sorted({edge for chord in chords for edge in (chord.onset, chord.end)})
    heads: dict[tuple[int, int], list[Head]] = {}
    for chord in chords:
        inside = [edge for edge in edges if chord.onset <= edge <= chord.end]
        for begin, end in pairwise(inside):
            tied = [Head(head.pitch, begin > chord.onset, end < chord.end) for head in chord.heads]
            heads.setdefault((begin, end), []).extend(tied)
    return [Chord(begin, end, tuple(sorted(found))) for (begin, end), found in sorted(heads.items())]
