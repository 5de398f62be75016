"""Music as a passage: what is shown for each token, where it is in a piano roll, and the nameable features of music.

All features describe the moment after a token was read. A moment is all that begins at one time; what goes on to the
next time belongs to that one. What sounds is what has been read so far; only what is called "next", "ahead" or "soon",
and the ends of phrases, which are known by how long their notes last, look at what comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise, zip_longest
from typing import TypeVar

import numpy as np

from recurra.arrays import BoolArray, IntArray
from recurra.data.tokenizer import Tokens
from recurra.explain.passage import Passage
from recurra.tasks.music.harmony import Key, estimate_key
from recurra.tasks.music.lanes import GAP, DrawnBar, DrawnNote, Lane
from recurra.tasks.music.notation import Notation
from recurra.tasks.music.pieces import TICKS, Note, Piece, bar_lines, beat_lines
from recurra.tasks.music.roll_view import RollView
from recurra.tasks.music.rule_features import (
    BARS,
    DRUM,
    DURATION,
    METER,
    PITCH,
    START,
    STEP,
    TRACK,
    TRANSPOSED,
    VELOCITY,
)
from recurra.tasks.music.transcription import decode

T = TypeVar("T")

LONG = 2 * TICKS
"""A chord that lasts so long ends a phrase, ticks: a half note."""

PHRASE_BEATS = 2
"""What "phrase end ahead" means, in beats."""

LAST_BARS = 2
"""What "piece ends soon" means, in bars."""

MANY_NOTES = 4
"""Notes of a full chord where voices are not told apart."""

PITCH_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

SHADED = (1, 3, 6, 8, 10)
"""Black keys."""

DYNAMICS = ("ppp", "pp", "p", "mp", "mf", "f", "ff", "fff")
"""Names of `notation.VELOCITIES`."""

MAJOR, MINOR, DIMINISHED, SEVENTH = (0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 7, 10)
"""Chords, semitones above the root."""


def passage(notation: Notation, tokens: Tokens, source: str, names: Sequence[str] = ()) -> Passage:
    """Tokens of one or several pieces, one after another, with labels, features and a piano roll.

    Args:
        notation: what the tokens mean.
        tokens: `(time,)`.
        source: what a person would call the music.
        names: of the pieces, in their order.
    """
    tokens = np.asarray(tokens).astype(np.int64)
    name = namer(notation)
    begins = [index for index, token in enumerate(tokens) if notation.tokens[token].kind <= TRANSPOSED]
    borders = sorted({0, *begins, len(tokens)})
    pieces = [Heard(notation, tokens[begin:end]) for begin, end in pairwise(borders)]
    features: dict[str, BoolArray] = {}
    if pieces:
        parts = [piece.features() for piece in pieces]
        features = {title: np.concatenate([part[title] for part in parts]) for title in parts[0]}
    titles = [names[index] if index < len(names) else f"piece {index + 1}" for index in range(len(pieces))]
    roll = _roll(notation, pieces, titles)
    return Passage(tokens, [name(int(token)) for token in tokens], features, name, source, view=roll)


def namer(notation: Notation) -> Callable[[int], str]:
    """How a notation's tokens are called: "C#4", "1/8" (of a whole note), "→1/8" (so much later), "3/4 time"."""

    def name(token: int) -> str:
        kind, value = notation.tokens[token]
        if kind in (START, TRANSPOSED):
            return "start" if kind == START else "start, transposed"
        if kind == BARS:
            return f"{value} bars" if value else "any length"
        if kind == METER:
            return "{}/{} time".format(*notation.meters[value])
        if kind == TRACK:
            return " ".join(notation.tracks[value].name.split()) or f"track {value + 1}"
        if kind == PITCH:
            return pitch_name(notation.lowest + value)
        if kind == DRUM:
            return f"drum {value}"
        if kind == VELOCITY:
            return DYNAMICS[value]
        return ("→" if kind == STEP else "") + str(Fraction(value, 4 * TICKS))

    return name


def pitch_name(pitch: int) -> str:
    """A pitch by its MIDI number: 60 is "C4", 61 "C#4"."""
    return f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1}"


@dataclass(frozen=True)
class Read:
    """A note as it stands in the tokens; of frames, a part of one as long as a frame.

    Attributes:
        first: its first token: the track's name, if that is said for it.
        last: its last token.
        note: when and what; `velocity` is unused.
        drums: its pitch is a drum.
    """

    first: int
    last: int
    note: Note
    drums: bool


class Heard:
    """What can be told of one piece after each of its tokens.

    Args:
        notation: what the tokens mean.
        tokens: `(time,)`, of one piece.
    """

    def __init__(self, notation: Notation, tokens: IntArray) -> None:
        self.notation = notation
        self.kinds = np.array([notation.tokens[token].kind for token in tokens], dtype=np.int64)
        self.values = np.array([notation.tokens[token].value for token in tokens], dtype=np.int64)
        self.times: IntArray = np.cumsum(np.where(self.kinds == STEP, self.values, 0))
        self.piece: Piece = decode(tokens, notation, "")
        self.ticks: IntArray = np.unique(self.times)
        """When the moments are."""
        self.moment: IntArray = np.searchsorted(self.ticks, self.times)
        """Of each token."""
        self.bars = np.array(_lines(bar_lines(self.piece), self.piece.meters[0].bar))
        self.beats = np.array(_lines(beat_lines(self.piece), self.piece.meters[0].beat))

    @cached_property
    def notes(self) -> list[Read]:
        """All notes, in the order of their tokens."""
        found: list[Read] = []
        track = 0
        for index, (kind, value, time) in enumerate(zip(self.kinds, self.values, self.times.tolist(), strict=True)):
            if kind in (STEP, START, TRANSPOSED):
                track = 0
            elif kind == TRACK:
                track = int(value)
            elif kind in (PITCH, DRUM):
                first = index - (index > 0 and self.kinds[index - 1] == TRACK)
                pitch = int(value) + (self.notation.lowest if kind == PITCH else 0)
                note = Note(time, self.notation.frame or 1, pitch, track=track)
                found.append(Read(int(first), index, note, bool(kind == DRUM)))
            elif kind in (DURATION, VELOCITY) and found and found[-1].last == index - 1:
                note = found[-1].note._replace(duration=int(value)) if kind == DURATION else found[-1].note
                found[-1] = Read(found[-1].first, index, note, found[-1].drums)
        return found

    @cached_property
    def key(self) -> Key | None:
        """The key of the whole piece; None if it has no pitched notes."""
        pitched = [read.note for read in self.notes if not read.drums]
        return estimate_key(pitched) if pitched else None

    @cached_property
    def sounding(self) -> list[frozenset[tuple[int, int]]]:
        """What sounds after each token as far as it has been read: (track, pitch), no drums."""
        ends: dict[tuple[int, int], int] = {}
        at = {index: read.note for read in self.notes if not read.drums for index in range(read.first, read.last + 1)}
        result = []
        for index, time in enumerate(self.times.tolist()):
            if self.kinds[index] == STEP:
                ends = {key: end for key, end in ends.items() if end > time}
            if self.kinds[index] == PITCH:
                ends[at[index].track, at[index].pitch] = at[index].end
            result.append(frozenset(ends))
        return result

    @cached_property
    def chords(self) -> list[list[int]]:
        """The pitches that sound in each moment once it is read whole, ascending."""
        last = np.searchsorted(self.moment, np.arange(len(self.ticks)), side="right") - 1
        return [sorted({pitch for _, pitch in self.sounding[index]}) for index in last]

    def features(self) -> dict[str, BoolArray]:
        """The nameable features, by name, each `(time,)`; "next" does not hold in the last moment."""
        return {**self._metrical(), **self._harmonic(), **self._melodic(), **self._formal()}

    def _metrical(self) -> dict[str, BoolArray]:
        bar, end = self._bar_of(self.times)
        _, beat_end = _around(self.beats, self.times)
        later = np.append(self.ticks[1:], -1)[self.moment]
        return {
            "on the beat": np.isin(self.times, self.beats),
            "bar begins": np.isin(self.times, self.bars),
            "second half of the bar": 2 * (self.times - bar) >= end - bar,
            "last beat of the bar": beat_end >= end,
            "bar ends next": later >= end,
        }

    def _bar_of(self, times: IntArray) -> tuple[IntArray, IntArray]:
        return _around(self.bars, times)

    def _harmonic(self) -> dict[str, BoolArray]:
        classes = [{pitch % 12 for _, pitch in sounding} for sounding in self.sounding]
        tonic = self.key.tonic if self.key else 0
        minor = self.key is not None and self.key.mode == "minor"
        scale = self.key.scale if self.key else frozenset(range(12))
        if minor:  # its leading note belongs to it
            scale |= {(tonic + 11) % 12}
        home = {(tonic + step) % 12 for step in (MINOR if minor else MAJOR)}
        dominant = {(tonic + 7 + step) % 12 for step in SEVENTH}
        needed = {(tonic + 7) % 12, (tonic + 11) % 12}
        known = self.key is not None
        return {
            "major chord": _where(classes, lambda sounds: _is_chord(sounds, MAJOR)),
            "minor chord": _where(classes, lambda sounds: _is_chord(sounds, MINOR)),
            "diminished chord": _where(classes, lambda sounds: _is_chord(sounds, DIMINISHED)),
            "seventh chord": _where(classes, lambda sounds: _is_chord(sounds, SEVENTH)),
            "tonic chord": _where(classes, lambda sounds: known and sounds == home),
            "dominant chord": _where(classes, lambda sounds: known and needed <= sounds <= dominant),
            "tonic in the bass": _where(
                self.sounding, lambda sounds: known and bool(sounds) and _lowest(sounds) % 12 == tonic
            ),
            "a note foreign to the key": _where(classes, lambda sounds: not sounds <= scale),
            "minor key": np.full(len(self.times), minor),
            "tonic chord next": self._next(lambda m: known and {pitch % 12 for pitch in self.chords[m]} == home),
        }

    def _melodic(self) -> dict[str, BoolArray]:
        count = len(self.times)
        more, repeats = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        sounded = {(read.note.track, read.note.pitch, read.note.end, read.drums) for read in self.notes}
        last = np.searchsorted(self.moment, np.arange(len(self.ticks)), side="right")
        for read in self.notes:
            index = self.moment[read.first]
            begin = int(np.searchsorted(self.moment, index))
            more[begin : read.first] = True
            if (read.note.track, read.note.pitch, read.note.onset, read.drums) in sounded:
                repeats[read.last : last[index]] = True
        by_voice = sum(not track.drums for track in self.notation.tracks) > 1
        voices = {read.note.track for read in self.notes if not read.drums}
        full = max(1, len(voices)) if by_voice else MANY_NOTES
        onsets = {read.note.onset for read in self.notes if not read.drums}
        held = [m for m, tick in enumerate(self.ticks.tolist()) if tick not in onsets]
        top = [chord[-1] if chord else None for chord in self.chords]
        return {
            "a note more in the chord": more,
            "all voices sound" if by_voice else "four notes sound": _where(
                self.sounding, lambda sounds: _count(sounds, by_voice) >= full
            ),
            "a note repeats": repeats,
            "melody rises next": self._next(lambda m: _above(top[m], top[m - 1]) and m not in held),
            "melody falls next": self._next(lambda m: _above(top[m - 1], top[m]) and m not in held),
        }

    def _formal(self) -> dict[str, BoolArray]:
        ends = phrase_ends(self.piece)
        is_end = np.isin(self.ticks, ends)
        after = np.append(True, is_end[:-1])
        bar, end = self._bar_of(self.times)
        beat, beat_end = _around(self.beats, self.times)
        padded = np.append(np.array(sorted(ends), dtype=np.int64), np.iinfo(np.int64).max)
        wait = padded[np.searchsorted(padded, self.times, side="right")] - self.times
        return {
            "phrase end": is_end[self.moment],
            "phrase end next": self._next(lambda m: bool(is_end[m])),
            "phrase end ahead": wait <= PHRASE_BEATS * (beat_end - beat),
            "phrase begins": after[self.moment],
            "piece ends soon": self.times >= self.piece.length - LAST_BARS * (end - bar),
        }

    def _next(self, holds: Callable[[int], bool]) -> BoolArray:
        """Where something holds of the next moment, given by its number."""
        values = np.array([*(holds(m) for m in range(1, len(self.ticks))), False])
        result: BoolArray = values[self.moment]
        return result


def phrase_ends(piece: Piece) -> list[int]:
    """When the last chords of phrases begin, by rule: all that sounds lasts another half note, or silence follows.

    Drums do not count. The last chord of a piece is one.
    """
    notes = [note for note in piece.notes if not piece.tracks[note.track].drums]
    onsets = sorted({note.onset for note in notes})
    ends: list[int] = []
    sounding: list[Note] = []
    index = 0
    for onset, following in zip_longest(onsets, onsets[1:]):
        sounding = [note for note in sounding if note.end > onset]
        while index < len(notes) and notes[index].onset == onset:
            sounding.append(notes[index])
            index += 1
        silent = following is None or max(note.end for note in sounding) < following
        if silent or min(note.end for note in sounding) >= onset + LONG:
            ends.append(onset)
    return ends


def _roll(notation: Notation, pieces: Sequence[Heard], titles: Sequence[str]) -> RollView:
    drums = {number: index for index, number in enumerate(notation.drums)}
    lanes = [Lane("", False)] * len(drums) + [Lane("drums", False)] * bool(drums)
    lowest = len(lanes) - notation.lowest  # the lane of pitch 0
    lanes += [
        Lane(pitch_name(pitch) if pitch % 12 == 0 else "", pitch % 12 in SHADED)
        for pitch in range(notation.lowest, notation.highest + 1)
    ]
    times: list[IntArray] = []
    notes: list[DrawnNote] = []
    bars: list[DrawnBar] = []
    token = offset = 0
    for heard, title in zip(pieces, titles, strict=True):
        for read in heard.notes:
            lane = drums[read.note.pitch] if read.drums else lowest + read.note.pitch
            name = f"drum {read.note.pitch}" if read.drums else pitch_name(read.note.pitch)
            if notation.tracks:
                name += " " + namer(notation)(notation.number(TRACK, read.note.track))
            onset, duration = offset + read.note.onset, read.note.duration
            notes.append(DrawnNote(token + read.first, token + read.last, onset, duration, lane, name))
        bars += _bars(heard, offset, title)
        times.append(heard.times + offset)
        token += len(heard.times)
        offset += int(heard.bars[-1]) + GAP
    all_times = np.concatenate([np.zeros(0, dtype=np.int64), *times])
    return RollView(all_times, offset, tuple(notes), tuple(bars), tuple(lanes))


def _bars(heard: Heard, offset: int, title: str) -> list[DrawnBar]:
    """The bars of a piece; a first one that is shorter than the second is a pickup and counts as none."""
    lengths = np.diff(heard.bars)
    pickup = len(lengths) > 1 and lengths[0] < lengths[1]
    result = []
    for index, (begin, end) in enumerate(pairwise(heard.bars.tolist())):
        meter = [meter for meter in heard.piece.meters if meter.onset <= begin][-1]
        beat, number = max(meter.beat, 1), index + (not pickup)
        result.append(DrawnBar(begin + offset, end + offset, beat, number, "" if index else title))
    return result


def _lines(lines: list[int], length: int) -> list[int]:
    """The same with at least one bar or beat."""
    return lines if len(lines) > 1 else [0, max(length, 1)]


def _around(lines: IntArray, times: IntArray) -> tuple[IntArray, IntArray]:
    """Between which of some rising lines times are; beyond the last, what was between the last two is repeated."""
    index = np.searchsorted(lines, times, side="right") - 1
    lines = np.append(lines, 2 * lines[-1] - lines[-2])
    index = np.clip(index, 0, len(lines) - 2)
    return lines[index], lines[index + 1]


def _is_chord(sounds: set[int], chord: Sequence[int]) -> bool:
    """Whether pitch classes are exactly those of a chord on some root."""
    return len(sounds) == len(chord) and any({(root + step) % 12 for step in chord} == sounds for root in sounds)


def _lowest(sounds: Iterable[tuple[int, int]]) -> int:
    return min(pitch for _, pitch in sounds)


def _count(sounds: Iterable[tuple[int, int]], by_voice: bool) -> int:
    return len({track if by_voice else pitch for track, pitch in sounds})


def _above(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and one > other


def _where(values: Sequence[T], holds: Callable[[T], bool]) -> BoolArray:
    return np.fromiter((holds(value) for value in values), dtype=bool, count=len(values))
