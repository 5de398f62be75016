"""What a person asks of a composition, and when each demand holds; what cannot be had is refused at once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from recurra.arrays import BoolArray, IntArray
from recurra.config import Options, Range
from recurra.errors import OptionError
from recurra.tasks.music.harmony import LETTERS, PitchClasses, parse_progression, parse_scale, spans
from recurra.tasks.music.notation import MAX_LENGTH, Notation
from recurra.tasks.music.pieces import (
    METER_DENOMINATORS,
    TICKS,
    Meter,
    Note,
    Piece,
    bar_lines,
    begins_short,
    has_pickup,
    part,
)

MAX_BARS = MAX_LENGTH
"""Longest composition."""

DEFAULT_BARS = 16
"""Of a composition, beside what is given."""


@dataclass(frozen=True)
class Controls(Options):
    """What a composition must keep to."""

    group: ClassVar[str] = "composition"

    bars: Annotated[int | None, Range(1, MAX_BARS)] = None
    """Bars in all, a pickup not counted; if not given, those of --melody, or 16 after those of --prime."""
    seconds: Annotated[float | None, Range(1, 3600)] = None
    """Length of a performance, by a model of them; 30, after those of --prime, if not given."""
    pickup: str | None = None
    """Beats before the first whole bar, such as 1 or 1/2, or none; if not given, as often as in the training pieces."""
    meter: str | None = None
    """Metre, such as 3/4; that of --prime or --melody if not given, else the one the model knows best."""
    key: str | None = None
    """Key or scale that every note keeps to, such as "D minor" or "C blues"."""
    chords: str | None = None
    """Chord progression that every note keeps to, such as "C | Am | F G7 | C"; it repeats."""
    range: tuple[str, ...] = ()
    """Lowest and highest note of a track, as in Soprano=C4-A5, or of all: C3-C6; may be given again."""
    voices: Annotated[int | None, Range(1, 128)] = None
    """Most notes at once, drums not counted."""


class Given(NamedTuple):
    """A voice that is given: its notes, sorted, and the place of the track that plays it in the notation."""

    notes: tuple[Note, ...]
    track: int


@dataclass(frozen=True)
class Plan:
    """The demands on a composition, worked out in ticks.

    Attributes:
        notation: of the model.
        begin: where composing begins, after what is given before.
        end: where it ends; of frames, the end of the last bar's last frame.
        meters: all metres, the first at 0.
        fits: whether a pitch suits key and range, `(tracks, pitches)`; one track if none are told apart.
        harmony: from which tick on which pitch classes are allowed; empty if any are.
        voices: notes at once that are not the given voice's; None for any number.
        given: a voice to harmonise.
        bar_lines: where bars begin, and where the last ends.
    """

    notation: Notation
    begin: int
    end: int
    meters: tuple[Meter, ...]
    fits: BoolArray
    harmony: tuple[tuple[int, PitchClasses], ...]
    voices: int | None
    given: Given | None
    bar_lines: tuple[int, ...]

    @cached_property
    def given_at(self) -> Mapping[int, tuple[int, ...]]:
        """The given voice's pitches that must be listed at each tick, from the lowest; of frames, all that sound."""
        found: defaultdict[int, set[int]] = defaultdict(set)
        frame = self.notation.frame
        for note in self.given.notes if self.given else ():
            times = range(-(-note.onset // frame) * frame, note.end, frame) if frame else (note.onset,)
            for time in times:
                found[time].add(note.pitch)
        return {time: tuple(sorted(pitches)) for time, pitches in found.items()}

    @cached_property
    def durations(self) -> Mapping[tuple[int, int], int]:
        """The given voice's durations by onset and pitch."""
        return {(note.onset, note.pitch): note.duration for note in (self.given.notes if self.given else ())}

    @cached_property
    def meter_at(self) -> Mapping[int, int]:
        """The places in the notation of the metres that begin at each tick, where they change or bars begin anew."""
        found: dict[int, int] = {}
        current, since = 0, 0
        for meter in self.meters:
            position = self.notation.meters.index((meter.numerator, meter.denominator))
            if position != current or (meter.onset - since) % meter.bar:
                found[meter.onset] = current = position
                since = meter.onset
        return found

    @cached_property
    def stops(self) -> IntArray:
        """The ticks that no step may pass, ascending."""
        return np.array(sorted({*self.given_at, *self.meter_at, self.end}), dtype=np.int64)

    @cached_property
    def _begins(self) -> BoolArray:
        """Whether notes may begin at each tick until the end, `(end + 1,)`: where some of the corpus do in a beat."""
        found = np.ones(self.end + 1, dtype=np.bool_)
        known = dict(self.notation.onsets)
        ends = [*(meter.onset for meter in self.meters[1:]), self.end + 1]
        for meter, end in zip(self.meters, ends, strict=True):
            ticks = np.arange(max(end - meter.onset, 0))
            found[meter.onset : end] = np.isin(ticks % meter.bar % meter.beat, known.get(meter.beat, (0,)))
        return found | (not known)

    def may_begin(self, time: int) -> bool:
        """Whether a note may begin at a tick that is not the given voice's: none where no note of the corpus can."""
        return bool(self._begins[min(time, self.end)])

    def is_reached(self, times: IntArray) -> BoolArray:
        """Whether each tick is one to go to: where a note may begin, or a stop."""
        found: BoolArray = self._begins[np.minimum(times, self.end)] | np.isin(times, self.stops)
        return found

    def next_stop(self, time: int) -> int:
        """The first stop after a tick."""
        return int(self.stops[np.searchsorted(self.stops, time, side="right")])

    def latest_ends(self, time: int) -> IntArray:
        """Until when a note of each pitch class may sound that begins at `time`, `(12,)`; `time` if not at all."""
        if not self.harmony:
            return np.full(12, self.end, dtype=np.int64)
        ticks, ends = self._chord_ends
        found: IntArray = np.maximum(ends[np.searchsorted(ticks, time, side="right") - 1], time)
        return found

    @cached_property
    def _chord_ends(self) -> tuple[IntArray, IntArray]:
        """When each chord begins, and until when each pitch class is allowed on end from there, `(chords, 12)`."""
        ends = np.full((len(self.harmony), 12), self.end, dtype=np.int64)
        for position in reversed(range(len(self.harmony))):
            tick, allowed = self.harmony[position]
            ends[position] = ends[position + 1] if position + 1 < len(ends) else self.end
            ends[position, [pitch_class for pitch_class in range(12) if pitch_class not in allowed]] = tick
        return np.array([tick for tick, _ in self.harmony], dtype=np.int64), ends


def beginning_of(piece: Piece, bars: int | None = None) -> Piece:
    """The first bars of a piece, whole ones, to go on from; a pickup is taken too, and not counted.

    Raises:
        OptionError: if it has fewer.
    """
    lines = bar_lines(piece)[has_pickup(piece) :]
    if bars is not None and bars >= len(lines):
        raise OptionError(f"`prime_bars` asks for {bars} bars, but {piece.name} has only {len(lines) - 1}")
    end = lines[-1 if bars is None else bars]
    return part(replace(piece, length=max(end, piece.length)), 0, end)


def voice_of(piece: Piece, notation: Notation, track: str | None = None) -> Given:
    """A track of a piece as a voice to harmonise: for the model's track of the same name, else for its first; no drums.

    Args:
        piece: where the voice is from.
        notation: of the model.
        track: name or number, from 1, of the track in the piece; the first that has notes if not given.

    Raises:
        OptionError: if the piece has no such track, or the model has drums only.
    """
    own_tracks = [n for n in range(len(notation.tracks)) if not notation.tracks[n].drums]
    if notation.tracks and not own_tracks:
        raise OptionError("this model knows only drums, which cannot harmonise a `melody`; leave it out")
    pitched = [
        n for n in range(len(piece.tracks)) if not piece.tracks[n].drums and any(m.track == n for m in piece.notes)
    ]
    if not pitched:
        raise OptionError(f"{piece.name} has no voice to harmonise; give a piece with notes other than drums")
    position = pitched[0]
    if track is not None:
        named = [n for n in pitched if track.casefold() in (piece.tracks[n].name.casefold(), str(n + 1))]
        if not named:
            listed = ", ".join(f"{n + 1} {piece.tracks[n].name}".strip() for n in pitched)
            raise OptionError(f"{piece.name} has no track {track[:40]!r}; its tracks are: {listed}")
        position = named[0]
    alike = [n for n in own_tracks if notation.tracks[n].name == piece.tracks[position].name]
    return Given(tuple(note for note in piece.notes if note.track == position), [*alike, *own_tracks, 0][0])


def plan(
    controls: Controls,
    notation: Notation,
    prime: Piece | None = None,
    given: Given | None = None,
    given_meters: tuple[Meter, ...] = (),
    uniform: float = 1.0,
) -> Plan:
    """Work out the demands, and refuse what cannot be had.

    Args:
        controls: what is asked for.
        notation: of the model.
        prime: what to go on from, cut at a bar line.
        given: a voice to harmonise.
        given_meters: the metres of the piece that the given voice is from.
        uniform: a random number from 0 to 1, by which a pickup is chosen if none is asked for; at 1 there is none.

    Raises:
        OptionError: if demands are wrong or cannot all be met; the message says which.
    """
    meters = _meters(controls, notation, prime, given_meters)
    begin = prime.length if prime else 0
    first = int(begins_short(meters))
    if prime or given:
        if controls.pickup:
            source = "`prime`" if prime else "`melody`"
            raise OptionError(f"`pickup` says how a new piece begins, and {source} has its own beginning; leave it out")
    elif pickup := _pickup(controls, notation, meters[0], uniform):
        first, meters = 1, (pickup, meters[0]._replace(onset=pickup.bar))
    lines = _lines(meters, first + (controls.bars or _default_bars(meters, first, begin, given)))
    end = lines[-1] if not notation.frame else -(-lines[-1] // notation.frame) * notation.frame
    if prime and begin >= lines[-1]:
        raise OptionError(
            f"`prime` has {len(bar_lines(prime)) - 1 - first} bars and `bars` asks for {controls.bars} in all; ask for "
            "more, or give a shorter beginning"
        )
    scale = parse_scale(controls.key) if controls.key else frozenset(range(12))
    harmony = _harmony(controls, lines, first)
    fits = _fits(controls, notation, scale)
    voices = controls.voices
    if given:
        inside = (note for note in given.notes if begin <= note.onset < lines[-1])
        given = given._replace(notes=tuple(_cut(note, lines[-1]) for note in inside))
        voices = _require_given_fits(given, controls, notation, scale, fits, harmony)
    _require_room(controls, notation, scale, fits, harmony, given)
    return Plan(notation, begin, end, meters, fits, harmony, voices, given, tuple(lines))


def _harmony(controls: Controls, lines: Sequence[int], first: int) -> tuple[tuple[int, PitchClasses], ...]:
    """When each chord begins, the first one with the piece: a pickup, which `first` is 1 with, belongs to it."""
    if not controls.chords:
        return ()
    found = spans(parse_progression(controls.chords), lines[first:], lines[-1])
    return ((0, found[0][1]), *found[1:])


def _pickup(controls: Controls, notation: Notation, meter: Meter, uniform: float) -> Meter | None:
    """The pickup that is asked for, or else one that the corpus has before this metre, as often as there."""
    place = notation.meters.index((meter.numerator, meter.denominator))
    rows = [(pickup, count) for pickup, whole, count in notation.pickups if whole == place]
    chosen = -1
    if controls.pickup is None:
        borders = np.cumsum([count for _, count in sorted(rows, reverse=True)])
        if rows and uniform < 1:
            chosen = sorted(rows, reverse=True)[int(np.searchsorted(borders, uniform * borders[-1], side="right"))][0]
    elif (ticks := _pickup_ticks(controls.pickup, meter)) > 0:
        known = [pickup for pickup, _ in rows if pickup >= 0] + list(range(len(notation.meters)))
        known = [index for index in known if notation.bar(index) % (notation.frame or 1) == 0]
        fitting = [index for index in known if notation.bar(index) == ticks]
        if not fitting:
            beats = sorted({Fraction(notation.bar(index) * meter.denominator, 4 * TICKS) for index in known})
            listed = ", ".join(str(beat) for beat in beats if beat < meter.numerator) or "none"
            raise OptionError(f"`pickup` {controls.pickup} is one this model cannot write; its pickups are: {listed}")
        chosen = fitting[0]
    return Meter(0, *notation.meters[chosen]) if chosen >= 0 else None


def _pickup_ticks(text: str, meter: Meter) -> Fraction:
    """Ticks of so many beats, such as "1", "1/2" or "1.5"; 0 for "none"."""
    if text.strip().casefold() == "none":
        return Fraction(0)
    match = re.fullmatch(r"\s*(\d{1,3})(?:/(\d{1,2})|\.(\d{1,3}))?\s*", text)
    beats = Fraction(text.strip()) if match and (match[2] is None or int(match[2])) else Fraction(0)
    if not 0 < beats < meter.numerator:
        raise OptionError(
            f"`pickup` {text[:40]} is not a part of a bar of {meter.numerator}/{meter.denominator}: write a number of "
            f"beats below {meter.numerator}, such as 1 or 1/2, or none"
        )
    return beats * 4 * TICKS / meter.denominator


def _default_bars(meters: tuple[Meter, ...], first: int, begin: int, given: Given | None) -> int:
    """Whole bars, after a pickup if `first` is 1."""
    until = max((note.end for note in given.notes), default=1) if given else begin
    lines = _lines(meters, MAX_BARS)[first:]
    bars = max(sum(line < until for line in lines), 1 if given else 0)
    return min(bars if given else bars + DEFAULT_BARS, MAX_BARS)


def _cut(note: Note, end: int) -> Note:
    return note._replace(duration=min(note.duration, end - note.onset))


def _meters(controls: Controls, notation: Notation, prime: Piece | None, given: tuple[Meter, ...]) -> tuple[Meter, ...]:
    known = ", ".join(f"{numerator}/{denominator}" for numerator, denominator in notation.meters)
    asked = parse_meter(controls.meter) if controls.meter else None
    meters = (*given,) or (prime.meters if prime else ((Meter(0, *notation.meters[0]),)))
    if asked and (prime or given):
        if (asked.numerator, asked.denominator) != (meters[-1].numerator, meters[-1].denominator):
            source = "`prime`" if prime else "`melody`"
            raise OptionError(f"`meter` {controls.meter} is not the metre of {source}; leave one of them out")
    elif asked:
        meters = (asked,)
    for meter in meters:
        if (meter.numerator, meter.denominator) not in notation.meters:
            source = "`prime` has" if prime else "`melody` has" if given else "`meter` asks for"
            asked_for = f"{meter.numerator}/{meter.denominator}"
            raise OptionError(f"{source} {asked_for}, which the model does not know; its metres are {known}")
        if notation.frame and meter.onset % notation.frame:
            raise OptionError("`prime` or `melody` changes its metre within a frame of this model; give another file")
    return meters


def parse_meter(text: str) -> Meter:
    """The metre "3/4".

    Raises:
        OptionError: if it is not one.
    """
    match = re.fullmatch(r"\s*(\d{1,3})\s*/\s*(\d{1,2})\s*", text)
    if match is None or int(match[2]) not in METER_DENOMINATORS or not 1 <= int(match[1]) <= 256:
        raise OptionError(f"{text[:40]!r} is not a metre: write beats over their value, such as 3/4")
    return Meter(0, int(match[1]), int(match[2]))


def _lines(meters: Sequence[Meter], bars: int) -> list[int]:
    """Where so many bars begin, and where the last ends."""
    lines: list[int] = []
    time, position = 0, 0
    while len(lines) < bars + 1:
        lines.append(time)
        while position + 1 < len(meters) and meters[position + 1].onset <= time:
            position += 1
        following = meters[position + 1].onset if position + 1 < len(meters) else time + meters[position].bar
        time = min(time + meters[position].bar, following) if following > time else time + meters[position].bar
    return lines


_BORDERS = re.compile(r"\s*(.*?\d)\s*-\s*(.*\S)\s*")
_NOTE = re.compile(r"([A-G])([#b♯♭]?)(-?\d)", re.IGNORECASE)


def parse_pitch(text: str) -> int:
    """The MIDI number of "C4" (60, middle C), "F#3", "Bb5", or of a number itself.

    Raises:
        OptionError: if it is not one.
    """
    text = text.strip()
    match = _NOTE.fullmatch(text)
    number = int(text) if text.isdecimal() and len(text) <= 3 else -1
    if match:
        shift = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}[match[2].lower()]
        number = LETTERS[match[1].upper()] + shift + 12 * (int(match[3]) + 1)
    if not 0 <= number <= 127:
        raise OptionError(f"{text[:40]!r} is not a note: write one such as C4, F#3 or Bb5, or a MIDI number up to 127")
    return number


def track_named(name: str, notation: Notation) -> int:
    """The place of a track by its name, or by its number from 1.

    Raises:
        OptionError: if the model has no such track, or several.
    """
    names = [track.name for track in notation.tracks]
    matches = [position for position, other in enumerate(names) if other.casefold() == name.strip().casefold()]
    if len(matches) == 1:
        return matches[0]
    numbers = [str(position) for position in range(1, len(names) + 1)]
    if name.strip() in numbers:
        return numbers.index(name.strip())
    if not names:
        raise OptionError(f"there is no track {name[:40]!r}: this model has one track only; leave the name out")
    listed = ", ".join(f"{position} {other}".strip() for position, other in enumerate(names, 1))
    if matches:
        raise OptionError(f"several tracks are called {name!r}; name one by its number: {listed}")
    raise OptionError(f"there is no track {name[:40]!r}; the model's are: {listed}")


def _fits(controls: Controls, notation: Notation, scale: PitchClasses) -> BoolArray:
    pitches = np.arange(notation.lowest, notation.highest + 1)
    in_scale = np.isin(pitches % 12, sorted(scale))
    fits = np.repeat(in_scale[None], max(len(notation.tracks), 1), axis=0)
    for text in controls.range:
        name, found, borders = text.rpartition("=")
        match = _BORDERS.fullmatch(borders)
        if match is None:
            raise OptionError(f"`range` {text} is not a range: write its lowest and highest note, such as C3-C6")
        lowest, highest = parse_pitch(match[1]), parse_pitch(match[2])
        if lowest > highest:
            raise OptionError(f"`range` {text} is upside down: write its lowest note first")
        inside = (pitches >= lowest) & (pitches <= highest)
        if not inside.any():
            known = f"{notation.lowest} to {notation.highest}"
            raise OptionError(f"`range` {text} holds no note this model knows; it knows MIDI numbers {known}")
        rows = slice(None) if not found else slice(position := track_named(name, notation), position + 1)
        if found and notation.tracks[rows.start].drums:
            raise OptionError(f"`range` {text} is of drums, which are neither high nor low; leave it out")
        fits[rows] &= inside
    return fits


def _require_given_fits(
    given: Given,
    controls: Controls,
    notation: Notation,
    scale: PitchClasses,
    fits: BoolArray,
    harmony: Sequence[tuple[int, PitchClasses]],
) -> int | None:
    """Refuse demands that the given voice breaks; how many notes may sound beside it."""
    for note in given.notes:
        where = f"the given voice's note {note.pitch} at quarter {note.onset / 12:g}"
        if not notation.lowest <= note.pitch <= notation.highest:
            raise OptionError(f"{where} is one the model has never seen; transpose `melody`")
        if not fits[given.track, note.pitch - notation.lowest]:
            broken = "`range`" if note.pitch % 12 in scale else "`key`"
            raise OptionError(f"{where} is outside of {broken}; leave that out or change `melody`")
        for position, (begin, allowed) in enumerate(harmony):
            until = harmony[position + 1][0] if position + 1 < len(harmony) else note.end
            if begin < note.end and until > note.onset and note.pitch % 12 not in allowed:
                raise OptionError(f"{where} is not in the chord there; leave `chords` out or change `melody`")
    if controls.voices is None:
        return None
    ends = [(note.onset, 1) for note in given.notes] + [(note.end, -1) for note in given.notes]
    most = int(np.cumsum([step for _, step in sorted(ends)]).max(initial=0))
    if most > controls.voices:
        raise OptionError(f"`melody` has up to {most} notes at once, and `voices` allows {controls.voices}")
    return controls.voices - most


def _require_room(
    controls: Controls,
    notation: Notation,
    scale: PitchClasses,
    fits: BoolArray,
    harmony: Sequence[tuple[int, PitchClasses]],
    given: Given | None,
) -> None:
    """Refuse demands that leave no note at all, somewhere."""
    for tick, allowed in harmony:
        if not allowed & scale:
            raise OptionError(
                f"`chords` and `key` have no note in common at quarter {tick / 12:g}; leave one of them out"
            )
    pitches = np.arange(notation.lowest, notation.highest + 1)
    named = "`range` and `key`" if controls.key else "`range`"
    for position, row in enumerate(fits):
        # The given voice has its notes, and nothing else is in its track.
        if notation.tracks and (notation.tracks[position].drums or (given and position == given.track)):
            continue
        name = f" for {notation.tracks[position].name or f'track {position + 1}'}" if notation.tracks else ""
        if not row.any():
            raise OptionError(f"{named} together leave no note{name}; widen the range")
        for tick, allowed in harmony:
            if not (row & np.isin(pitches % 12, sorted(allowed))).any():
                raise OptionError(
                    f"{named} and `chords` together leave no note{name} at quarter {tick / 12:g}; widen the range"
                )
