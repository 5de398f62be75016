"""Music as tokens, and back: what begins at a time is listed note by note, then time goes on.

    START BARS+ (METER | (TRACK? (PITCH | DRUM) DURATION? VELOCITY?)* STEP)*

Two ways to write a piece down. `notes`: every note once, where it begins, with its duration; held and repeated notes
differ, and any rhythm on the grid can be written. `frames`: all that sounds, again in every frame (a quarter, a
sixteenth), as piano rolls have it; a note held over and one struck again are the same. In both, the notes of a chord
are predicted one after another, each given those before: the chain rule, and nothing independent. A length of more bars
than a token can say is said by several, which are added up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from recurra.arrays import BoolArray, FloatArray, IntArray
from recurra.errors import RecurraError
from recurra.tasks.music.lookback import RANKS, look_back, lookback_features, memory_size
from recurra.tasks.music.pieces import METER_DENOMINATORS, Meter, Track
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
    feature_count,
    read_tokens,
    state_size,
)

NotationKind = Literal["notes", "frames"]

MAX_TICKS = 100_000
"""Longer durations and steps are in no vocabulary."""

MAX_TRACKS = 16
"""Tracks that are told apart, the most frequent ones; further ones are merged with their like."""

MAX_METERS = 32
"""Metres that are told apart, those that most of the time is in."""

MAX_BARS = 100
"""Most bars that one token says; more are said by several."""

MAX_LENGTH = 2000
"""Longest piece whose length is said at its beginning, bars."""

MAX_LAGS = 8
"""Lags of a lookback."""

MARGIN = 6
"""Semitones by which pieces are transposed at most, and the pitches known beyond those seen."""

VELOCITIES = (16, 33, 49, 64, 80, 96, 112, 126)
"""Loudness in eight steps: ppp, pp, p, mp, mf, f, ff, fff."""


class Token(NamedTuple):
    """What a token says: a kind of `rule_features`, and its value.

    The value is how many bars there are in all, 0 where it is not said; a place in `meters`, `tracks` or (of pitches)
    from `lowest` on; of drums the General MIDI number; of durations and steps ticks.
    """

    kind: int
    value: int


@dataclass(frozen=True)
class Notation:
    """A vocabulary of music, and how pieces are written in it.

    Attributes:
        kind: see the module.
        tracks: who plays, in the order of their tokens; there are none if all play as one.
        meters: `(numerator, denominator)`, the first, which most of the time is in, where none is said.
        lowest: the lowest pitch there is a token for ...
        highest: ... and the highest.
        drums: General MIDI numbers.
        durations: ticks, ascending; none for frames.
        steps: ticks, ascending.
        velocity: whether loudness is written.
        frame: ticks of a frame; 0 for notes.
        tempo: quarters a minute, of the pieces it was made for.
        program: General MIDI program of the pieces it was made for, where tracks are not told apart.
        onsets: by ticks of a beat, where in one a note of these pieces begins; empty where that is unknown.
        pickups: with which pickup, then in which metre (both places in `meters`, -1 for none), so many pieces begin.
        lookback: the lags of what a network is shown again, see `lookback`.
    """

    kind: NotationKind
    tracks: tuple[Track, ...]
    meters: tuple[tuple[int, int], ...]
    lowest: int
    highest: int
    drums: tuple[int, ...]
    durations: tuple[int, ...]
    steps: tuple[int, ...]
    velocity: bool
    frame: int
    tempo: float
    program: int = 0
    onsets: tuple[tuple[int, tuple[int, ...]], ...] = ()
    pickups: tuple[tuple[int, int, int], ...] = ()
    lookback: tuple[int, ...] = ()
    tokens: tuple[Token, ...] = field(init=False, repr=False, compare=False)
    numbers: dict[Token, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tokens = [Token(START, 0), Token(TRANSPOSED, 0)]
        tokens += [Token(BARS, number) for number in range(MAX_BARS + 1)]
        tokens += [Token(METER, index) for index in range(len(self.meters))]
        tokens += [Token(TRACK, index) for index in range(len(self.tracks))]
        tokens += [Token(PITCH, index) for index in range(self.pitches)]
        tokens += [Token(DRUM, number) for number in self.drums]
        tokens += [Token(DURATION, ticks) for ticks in self.durations]
        tokens += [Token(VELOCITY, number) for number in range(len(VELOCITIES) if self.velocity else 0)]
        tokens += [Token(STEP, ticks) for ticks in self.steps]
        object.__setattr__(self, "tokens", tuple(tokens))
        object.__setattr__(self, "numbers", {token: number for number, token in enumerate(tokens)})

    @property
    def size(self) -> int:
        """Number of tokens."""
        return len(self.tokens)

    @property
    def pitches(self) -> int:
        """Number of pitches."""
        return self.highest - self.lowest + 1

    def number(self, kind: int, value: int = 0) -> int:
        """The number of a token."""
        return self.numbers[Token(kind, value)]

    def length(self, bars: int) -> list[int]:
        """The tokens that say how many bars there are; 0, and more than `MAX_LENGTH`, are any number."""
        if not 0 < bars <= MAX_LENGTH:
            return [self.number(BARS, 0)]
        hundreds, rest = divmod(bars, MAX_BARS)
        return [self.number(BARS, MAX_BARS)] * hundreds + [self.number(BARS, rest)] * (rest > 0)

    def bar(self, meter: int) -> int:
        """Ticks of a bar in a metre."""
        return Meter(0, *self.meters[meter]).bar

    def variant(self, semitones: int, length: bool) -> IntArray:
        """For every token its stand-in in a copy of a piece, `(size,)`.

        Args:
            semitones: to transpose by; what leaves the range goes by an octave.
            length: whether the copy says how many bars it has.
        """
        table = np.arange(self.size)
        if not length:
            table[self.number(BARS, 0) : self.number(BARS, MAX_BARS) + 1] = self.number(BARS, 0)
        if semitones == 0:
            return table
        table[self.number(START)] = self.number(TRANSPOSED)
        for index in range(self.pitches):
            moved = index + semitones
            moved += 12 * (moved < 0) - 12 * (moved >= self.pitches)
            table[self.number(PITCH, index)] = self.number(PITCH, min(max(moved, 0), self.pitches - 1))
        return table

    def to_json(self) -> dict[str, Any]:
        """As JSON values; the tokens follow from them."""
        further: dict[str, Any] = {}
        if self.onsets:
            further["onsets"] = {str(beat): list(ticks) for beat, ticks in self.onsets}
        if self.pickups:
            further["pickups"] = [list(row) for row in self.pickups]
        if self.lookback:
            further["lookback"] = list(self.lookback)
        return further | {
            "kind": self.kind,
            "tracks": [[track.name, track.program, track.drums] for track in self.tracks],
            "meters": [list(meter) for meter in self.meters],
            "lowest": self.lowest,
            "highest": self.highest,
            "drums": list(self.drums),
            "durations": list(self.durations),
            "steps": list(self.steps),
            "velocity": self.velocity,
            "frame": self.frame,
            "tempo": self.tempo,
            "program": self.program,
        }


def from_json(values: Any, where: str) -> Notation:
    """Back from `Notation.to_json`.

    Raises:
        RecurraError: if it is not that.
    """
    try:
        notation = Notation(
            kind=values["kind"],
            tracks=tuple(
                Track(str(name), int(program), bool(drums))
                for name, program, drums in _few(values["tracks"], MAX_TRACKS)
            ),
            meters=tuple(
                (int(numerator), int(denominator)) for numerator, denominator in _few(values["meters"], MAX_METERS)
            ),
            lowest=_within(values["lowest"], 0, 127),
            highest=_within(values["highest"], 0, 127),
            drums=_ascending(values["drums"], 0, 127),
            durations=_ascending(values["durations"], 1, MAX_TICKS),
            steps=_ascending(values["steps"], 1, MAX_TICKS),
            velocity=bool(values["velocity"]),
            frame=_within(values["frame"], 0, MAX_TICKS),
            tempo=float(values["tempo"]),
            program=_within(values["program"], 0, 127),
            onsets=_onsets(values.get("onsets", {})),
            pickups=_pickups(values.get("pickups", []), len(values["meters"])),
            lookback=_ascending(_few(values.get("lookback", []), MAX_LAGS), 0, MAX_LENGTH),
        )
        _require_sound(notation)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RecurraError(f"{where} is not a vocabulary of music ({error}); copy the model again") from error
    return notation


def _few(values: Any, most: int) -> list[Any]:
    if not isinstance(values, list) or len(values) > most:
        raise ValueError(f"not a list of at most {most}")
    return values


def _within(value: Any, least: int, most: int) -> int:
    number = int(value)
    if not least <= number <= most:
        raise ValueError(f"{number} is not between {least} and {most}")
    return number


def _ascending(values: Any, least: int, most: int) -> tuple[int, ...]:
    numbers = tuple(int(value) for value in values)
    if list(numbers) != sorted(set(numbers)) or (numbers and not least <= numbers[0] <= numbers[-1] <= most):
        raise ValueError("numbers out of order or range")
    return numbers


def _onsets(values: Any) -> tuple[tuple[int, tuple[int, ...]], ...]:
    if not isinstance(values, dict):
        raise ValueError("onsets of no beats")
    beats = [(_within(beat, 1, MAX_TICKS), _ascending(ticks, 0, MAX_TICKS)) for beat, ticks in values.items()]
    if not all(ticks and ticks[-1] < beat for beat, ticks in beats):
        raise ValueError("onsets beyond their beat")
    return tuple(sorted(beats))


def _pickups(values: Any, meters: int) -> tuple[tuple[int, int, int], ...]:
    rows = [(int(pickup), int(meter), int(count)) for pickup, meter, count in _few(values, MAX_METERS**2 * 2)]
    if not all(-1 <= pickup < meters and 0 <= meter < meters and count > 0 for pickup, meter, count in rows):
        raise ValueError("pickups out of range")
    return tuple(rows)


def _require_sound(notation: Notation) -> None:
    if notation.kind not in ("notes", "frames") or (notation.kind == "frames") != (notation.frame > 0):
        raise ValueError(f"kind {notation.kind!r}, frame {notation.frame}")
    if (notation.kind == "notes") != bool(notation.durations) or not notation.steps:
        raise ValueError("durations or steps are missing")
    if notation.frame and notation.steps != (notation.frame,):
        raise ValueError("steps are not frames")
    if notation.lowest > notation.highest or not 1 <= notation.tempo <= 1000:
        raise ValueError("pitches or tempo out of range")
    if not all(0 <= track.program <= 127 for track in notation.tracks):
        raise ValueError("tracks out of range")
    if not notation.meters or not all(0 < n <= 256 and d in METER_DENOMINATORS for n, d in notation.meters):
        raise ValueError("metres out of range")


class MusicRules:
    """Works out beat, bar, and what sounds from the tokens read so far; see `models.language_model.Reader`.

    First stand state and features of `rule_features`, behind them those of `lookback`.

    Args:
        notation: what the tokens mean.
    """

    def __init__(self, notation: Notation) -> None:
        self._kinds = np.array([token.kind for token in notation.tokens])
        self._values = np.array([token.value for token in notation.tokens])
        self._bars = np.array([notation.bar(index) for index in range(len(notation.meters))])
        self._steps = np.array(notation.steps)
        self._pitches, self._tracks = notation.pitches, len(notation.tracks)
        self._lags = np.array(notation.lookback, np.int64)
        self._own_state = state_size(self._pitches, self._tracks)
        self._own_size = feature_count(self._pitches, self._tracks, len(self._bars), len(self._steps))
        self.state_size = self._own_state + memory_size(len(self._lags))
        self.size = self._own_size + lookback_features(len(self._lags), int((self._kinds > METER).sum()))

    def read(self, tokens: IntArray, state: FloatArray) -> tuple[FloatArray, FloatArray]:
        """See `models.language_model.Reader.read`."""
        tokens = np.ascontiguousarray(tokens)
        own, memory = (np.array(part, np.float32, order="C") for part in np.split(state, [self._own_state], axis=1))
        shown = np.zeros((*tokens.shape, self._own_size), dtype=np.float32)
        tables = (self._kinds, self._values, self._bars, self._steps)
        read_tokens(tokens, own, *tables, self._pitches, self._tracks, shown)
        if not len(self._lags):
            return shown, own
        comes = np.zeros((*tokens.shape, self.size - self._own_size), dtype=np.float32)
        look_back(tokens, memory, self._kinds, self._values, self._bars, self._lags, comes)
        return np.concatenate([shown, comes], axis=2), np.concatenate([own, memory], axis=1)

    def repeats(self, shown: FloatArray) -> BoolArray:
        """Whether a lag has been right for `REPEATED[1]` tokens on end, `(B, T)`, by what is shown, `(B, T, R)`."""
        blocks = shown[:, :, self._own_size :].reshape(*shown.shape[:2], len(self._lags), -1)
        return np.asarray((blocks[..., 2 - RANKS :] > 0).any(axis=(2, 3)))
