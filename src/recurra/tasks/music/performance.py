"""Performances as tokens, and back: the events of Oore et al. 2018 (arXiv 1808.03715).

    (START | TRANSPOSED) (VELOCITY? NOTE_ON | NOTE_OFF | TIME_SHIFT)*

Time goes on in hundredths of a second, at most a whole one at a time; loudness has 32 steps, and is said where it
changes. At one moment the notes that end come first, then those that begin, each from the lowest; a pedal is not
written, what it holds lasts. A `Piece` that is a performance has a tick of the same length, and the second as its bar.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from recurra.arrays import IntArray
from recurra.data.tokenizer import Tokens
from recurra.errors import RecurraError
from recurra.tasks.music.frame_scores import Predictor
from recurra.tasks.music.grid import MAX_QUARTERS, one_a_pitch
from recurra.tasks.music.pieces import PLAYED_METER, PLAYED_TEMPO, TICKS, Note, Piece, Track

SECOND = 100
"""Ticks of a performance, and the longest time shift."""

PITCHES = 128

VELOCITY_STEPS = 32
"""Of loudness; a step is four of MIDI's."""

VELOCITY_STEP = 4

LONGEST_SHIFT = SECOND

START, TRANSPOSED, NOTE_ON, NOTE_OFF, TIME_SHIFT, VELOCITY = range(6)
"""Kinds of tokens."""

FIRST = (0, 1, 2, 2 + PITCHES, 2 + 2 * PITCHES, 2 + 2 * PITCHES + LONGEST_SHIFT)
"""The number of each kind's first token."""

SIZE = FIRST[VELOCITY] + VELOCITY_STEPS
"""Number of tokens."""


class Event(NamedTuple):
    """What a token says: its kind, and a pitch, ticks (from 1) or a step of loudness; 0 for the beginnings."""

    kind: int
    value: int


EVENTS = (
    Event(START, 0),
    Event(TRANSPOSED, 0),
    *(Event(NOTE_ON, pitch) for pitch in range(PITCHES)),
    *(Event(NOTE_OFF, pitch) for pitch in range(PITCHES)),
    *(Event(TIME_SHIFT, ticks) for ticks in range(1, LONGEST_SHIFT + 1)),
    *(Event(VELOCITY, step) for step in range(VELOCITY_STEPS)),
)
"""All tokens, by their numbers."""


def number(kind: int, value: int = 0) -> int:
    """The number of a token."""
    return FIRST[kind] + value - (kind == TIME_SHIFT)


@dataclass(frozen=True)
class PerformanceNotation:
    """The vocabulary of performances, which is always the same, and what the pieces were that it was made for.

    Attributes:
        lowest: their lowest pitch ...
        highest: ... and their highest, with a margin.
        longest: ticks of their longest note.
        at_once: most of their notes that sound at once.
        program: General MIDI program of most of them.
    """

    lowest: int = 0
    highest: int = PITCHES - 1
    longest: int = 60 * SECOND
    at_once: int = PITCHES
    program: int = 0
    tokens: tuple[Event, ...] = field(default=EVENTS, init=False, repr=False, compare=False)

    @property
    def size(self) -> int:
        """Number of tokens."""
        return SIZE

    def variant(self, semitones: int) -> IntArray:
        """For every token its stand-in in a transposed copy, `(size,)`; what leaves the range goes by an octave."""
        table = np.arange(SIZE)
        if semitones:
            pitches = np.arange(PITCHES) + semitones
            pitches += 12 * (pitches < 0) - 12 * (pitches >= PITCHES)
            table[START] = TRANSPOSED
            table[FIRST[NOTE_ON] : FIRST[NOTE_OFF]] = FIRST[NOTE_ON] + pitches
            table[FIRST[NOTE_OFF] : FIRST[TIME_SHIFT]] = FIRST[NOTE_OFF] + pitches
        return table

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "kind": "performance",
            "lowest": self.lowest,
            "highest": self.highest,
            "longest": self.longest,
            "at_once": self.at_once,
            "program": self.program,
        }


LONGEST_NOTE = 10 * 60 * SECOND
"""Ticks of the longest note that is believed."""


def from_json(values: Any, where: str) -> PerformanceNotation:
    """Back from `PerformanceNotation.to_json`.

    Raises:
        RecurraError: if it is not that.
    """
    try:
        keys = ("lowest", "highest", "longest", "at_once", "program")
        lowest, highest, longest, at_once, program = (int(values[key]) for key in keys)
        sound = 0 <= lowest <= highest < PITCHES and 1 <= longest <= LONGEST_NOTE and 1 <= at_once <= PITCHES
        if not (sound and 0 <= program < 128):
            raise ValueError("pitches, lengths or programs out of range")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RecurraError(f"{where} is not a vocabulary of performances ({error}); copy the model again") from error
    return PerformanceNotation(lowest, highest, longest, at_once, program)


def suit(pieces: Sequence[Piece], margin: int) -> PerformanceNotation:
    """The notation for performances; `margin` semitones around their pitches belong to it."""
    pitches = [note.pitch for piece in pieces for note in piece.notes] or [60]
    longest = max((note.duration for piece in pieces for note in piece.notes), default=SECOND)
    programs = Counter(piece.tracks[0].program for piece in pieces)
    return PerformanceNotation(
        lowest=max(0, min(pitches) - margin),
        highest=min(PITCHES - 1, max(pitches) + margin),
        longest=min(longest, LONGEST_NOTE),
        at_once=max((_most_at_once(piece) for piece in pieces if piece.notes), default=PITCHES),
        program=programs.most_common(1)[0][0] if programs else 0,
    )


def _most_at_once(piece: Piece) -> int:
    """How many notes of a performance sound at once at most."""
    changes = [(note.onset, 1) for note in piece.notes] + [(note.end, -1) for note in piece.notes]
    return int(np.cumsum([step for _, step in sorted(changes)]).max())


def quantised(velocity: int) -> int:
    """The loudness that stands for all of its step, 2 to 126."""
    return velocity // VELOCITY_STEP * VELOCITY_STEP + VELOCITY_STEP // 2


def performance(
    name: str, notes: Iterable[tuple[float, float, int, int]], program: int, left_out: Counter[str]
) -> Piece:
    """A performance of notes at any times, each moved to the nearest hundredth of a second.

    The silence before the first note is left out. Notes that begin again while they sound end there; see
    `grid.one_a_pitch`.

    Args:
        name: what a person would call it.
        notes: seconds at which each begins and ends, its pitch and its velocity, 1 to 127.
        program: General MIDI's.
        left_out: counts notes that were made one, and ends that were moved; its contents become the piece's.

    Raises:
        ValueError: without notes, or if it is longer than ten hours; the message says which.
    """
    rows = list(notes)
    if not rows:
        raise ValueError("holds no notes")
    first = round(min(row[0] for row in rows) * SECOND)
    played = []
    for begin, end, pitch, velocity in rows:
        onset = round(begin * SECOND) - first
        duration = min(max(round(end * SECOND) - first - onset, 1), LONGEST_NOTE)
        played.append(Note(onset, duration, pitch, min(max(velocity, 1), 127)))
    single = one_a_pitch(played, left_out)
    length = max(note.end for note in single)
    if length > MAX_QUARTERS * SECOND // 2:
        raise ValueError(f"is {length // SECOND} seconds long, but at most {MAX_QUARTERS // 2} are read")
    tracks = (Track(program=program),)
    return Piece(name, tracks, single, length, (PLAYED_METER,), (PLAYED_TEMPO,), dict(+left_out), performance=True)


def perform(piece: Piece) -> Piece:
    """A piece played as it is written, in its tempos; a performance is one already. Drums are left out, and counted.

    Raises:
        RecurraError: if nothing is left.
    """
    if piece.performance:
        return piece
    seconds = _seconds(piece)
    left_out = Counter(piece.left_out)
    rows = []
    for note in piece.notes:
        if piece.tracks[note.track].drums:
            left_out["drum notes"] += 1
        else:
            rows.append((seconds(note.onset), seconds(note.end), note.pitch, note.velocity))
    programs = Counter(piece.tracks[note.track].program for note in piece.notes if not piece.tracks[note.track].drums)
    try:
        played = performance(piece.name, rows, programs.most_common(1)[0][0] if programs else 0, left_out)
    except ValueError as error:
        raise RecurraError(f"{piece.name} {error}, drums not counted; leave it out") from error
    return replace(played, repaired=piece.repaired)


def _seconds(piece: Piece) -> Callable[[int], float]:
    """When each tick of a piece is, by its tempos."""
    changes = [(tempo.onset, tempo.quarters_per_minute) for tempo in piece.tempos]
    return tempo_map([onset for onset, _ in changes], [60 / (pace * TICKS) for _, pace in changes])


def tempo_map(ticks: Sequence[float], lengths: Sequence[float]) -> Callable[[float], float]:
    """From ticks to seconds.

    Args:
        ticks: from which on a tick lasts ..., rising; what is before the first lasts as long.
        lengths: ... so many seconds.
    """
    onsets, rates = np.array([0.0, *ticks[1:]], dtype=np.float64), np.array(lengths, dtype=np.float64)
    reached = np.concatenate([[0.0], np.cumsum(np.diff(onsets) * rates[:-1])])

    def seconds(tick: float) -> float:
        index = max(int(np.searchsorted(onsets, tick, side="right")) - 1, 0)
        return float(reached[index] + (tick - onsets[index]) * rates[index])

    return seconds


def stretched(piece: Piece, factor: float) -> Piece:
    """A performance played slower (above 1) or faster, every note in its place."""
    rows = [(note.onset * factor, note.end * factor, note.pitch, note.velocity) for note in piece.notes]
    scaled = [(begin / SECOND, end / SECOND, pitch, velocity) for begin, end, pitch, velocity in rows]
    return performance(piece.name, scaled, piece.tracks[0].program, Counter())


def encode(piece: Piece) -> Tokens:
    """A performance as tokens, `(time,)`; it ends with its last note."""
    events: list[tuple[int, int, int, int]] = []
    for note in piece.notes:
        events.append((note.onset, 1, note.pitch, note.velocity // VELOCITY_STEP))
        events.append((note.end, 0, note.pitch, 0))
    out = [START]
    time, loudness = 0, -1
    for tick, begins, pitch, step in sorted(events):
        while tick > time:
            shift = min(tick - time, LONGEST_SHIFT)
            out.append(number(TIME_SHIFT, shift))
            time += shift
        if begins and step != loudness:
            out.append(number(VELOCITY, step))
            loudness = step
        out.append(number(NOTE_ON if begins else NOTE_OFF, pitch))
    return np.array(out, dtype=np.int64)


def decode(tokens: Tokens | Sequence[int], name: str, program: int = 0) -> Piece:
    """The performance that tokens stand for. What means nothing is passed over; what still sounds at the end, ends."""
    time, loudness = 0, quantised(64)
    begun: dict[int, tuple[int, int]] = {}
    notes: list[Note] = []

    def end(pitch: int) -> None:
        onset, velocity = begun.pop(pitch)
        if time > onset:
            notes.append(Note(onset, time - onset, pitch, velocity))

    for token in tokens:
        kind, value = EVENTS[int(token)]
        if kind == TIME_SHIFT:
            time += value
        elif kind == VELOCITY:
            loudness = quantised(value * VELOCITY_STEP)
        elif kind in (NOTE_ON, NOTE_OFF):
            if value in begun:
                end(value)
            if kind == NOTE_ON:
                begun[value] = (time, loudness)
    for pitch in list(begun):
        end(pitch)
    notes.sort(key=lambda note: (note.onset, note.pitch))
    tracks = (Track(program=program),)
    return Piece(name, tracks, tuple(notes), time, (PLAYED_METER,), (PLAYED_TEMPO,), performance=True)


@dataclass(frozen=True)
class EventScore:
    """How well performances are predicted, each from an empty state; its START is given.

    Attributes:
        total: -log p, nats, summed.
        events: how many were predicted.
        notes: how many begin.
        seconds: how long the performances are.
    """

    total: float
    events: int
    notes: int
    seconds: float

    @property
    def nats_per_event(self) -> float:
        """Mean over all events."""
        return self.total / max(self.events, 1)

    @property
    def nats_per_second(self) -> float:
        """Everything, divided by the time that it lasts: the same whatever the events are."""
        return self.total / max(self.seconds, 1e-9)

    @property
    def bits_per_note(self) -> float:
        """Everything, divided by the number of notes."""
        return self.total / math.log(2) / max(self.notes, 1)

    def figures(self) -> dict[str, float]:
        """What is told of it."""
        return {
            "nats_per_event": self.nats_per_event,
            "nats_per_second": self.nats_per_second,
            "bits_per_note": self.bits_per_note,
        }


def score_events(pieces: Iterable[Tokens], predict: Predictor) -> EventScore:
    """Score performances, given as the tokens of each."""
    kinds, values = (np.array(column) for column in zip(*EVENTS, strict=True))
    total = 0.0
    events = notes = ticks = 0
    for tokens in pieces:
        log_probs = np.asarray(predict(tokens), dtype=np.float64)
        if len(log_probs) != len(tokens) - 1:
            raise ValueError(f"{len(log_probs)} predictions of {len(tokens) - 1} tokens")
        total -= float(log_probs.sum())
        events += len(log_probs)
        kind = kinds[tokens]
        notes += int((kind == NOTE_ON).sum())
        ticks += int(values[tokens[kind == TIME_SHIFT]].sum())
    return EventScore(total, events, notes, ticks / SECOND)
