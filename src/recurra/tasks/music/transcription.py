"""Pieces to tokens and back, and the notation that suits a collection of pieces."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from recurra.arrays import IntArray
from recurra.data.tokenizer import Tokens
from recurra.tasks.music.grid import one_a_pitch
from recurra.tasks.music.io.rolls import to_frames
from recurra.tasks.music.notation import (
    MARGIN,
    MAX_METERS,
    MAX_TRACKS,
    VELOCITIES,
    Notation,
    NotationKind,
)
from recurra.tasks.music.pieces import (
    COMMON_TIME,
    METER_DENOMINATORS,
    MIDDLE_VELOCITY,
    Meter,
    Note,
    Piece,
    Tempo,
    Track,
    bar_lines,
    has_pickup,
)
from recurra.tasks.music.rule_features import DRUM, DURATION, METER, PITCH, START, STEP, TRACK, VELOCITY

MAX_GAP = 96
"""Longest step, ticks; a longer wait is several."""

MAX_DURATION = 384
"""Longest note, ticks; longer ones are cut."""

DRUMS = -1
"""The family of drums; others are General MIDI's sixteen, eight programs each."""


class Role(NamedTuple):
    """What a track is in its piece: the `ordinal`-th of a `family`, counted from 0."""

    family: int
    ordinal: int


def roles(tracks: Sequence[Track]) -> list[Role]:
    """What each track is, beside the others."""
    seen: Counter[int] = Counter()
    result = []
    for track in tracks:
        family = DRUMS if track.drums else track.program // 8
        result.append(Role(family, seen[family]))
        seen[family] += 1
    return result


def suit(pieces: Sequence[Piece], kind: NotationKind, frame: int, tracks: bool, velocity: bool) -> Notation:
    """The notation for a collection of pieces.

    Args:
        pieces: what it must be able to write.
        kind: notes or frames.
        frame: ticks of a frame.
        tracks: tell tracks apart, of notes, if there are several.
        velocity: write loudness, of notes.
    """
    notes = [note for piece in pieces for note in piece.notes if not piece.tracks[note.track].drums]
    drums = {note.pitch for piece in pieces for note in piece.notes if piece.tracks[note.track].drums}
    pitches = [note.pitch for note in notes] or [60]
    meters = _meter_ticks(pieces)
    tempos = [piece.tempos[0].quarters_per_minute for piece in pieces]
    programs = Counter(piece.tracks[note.track].program for piece in pieces for note in piece.notes[:1])
    frames = kind == "frames"
    known = tuple(meter for meter, _ in meters.most_common(MAX_METERS)) or (COMMON_TIME[1:],)
    return Notation(
        kind=kind,
        tracks=() if frames or not tracks else _tracks(pieces),
        meters=known,
        lowest=max(0, min(pitches) - MARGIN),
        highest=min(127, max(pitches) + MARGIN),
        drums=() if frames else tuple(sorted(drums)),
        durations=() if frames else _durations(pieces),
        steps=(frame,) if frames else _steps(pieces),
        velocity=velocity and not frames,
        frame=frame if frames else 0,
        tempo=round(float(np.clip(np.median(tempos), 20, 400)), 2),
        program=programs.most_common(1)[0][0] if programs else 0,
        onsets=_onsets(pieces, frame if frames else 0),
        pickups=_pickups(pieces, known, frame if frames else 1),
    )


def refitted(notation: Notation, pieces: Sequence[Piece]) -> Notation:
    """A notation whose model goes on with other pieces: notes may also begin where theirs do, with pickups as theirs.

    Of a model that knows neither, neither is known.
    """
    if not notation.onsets:
        return notation
    both: defaultdict[int, set[int]] = defaultdict(set)
    for beat, places in (*notation.onsets, *_onsets(pieces, notation.frame)):
        both[beat] |= set(places)
    onsets = tuple((beat, tuple(sorted(places))) for beat, places in sorted(both.items()))
    return replace(notation, onsets=onsets, pickups=_pickups(pieces, notation.meters, notation.frame or 1))


def _meter_ticks(pieces: Sequence[Piece]) -> Counter[tuple[int, int]]:
    """How long the pieces are in each metre, ticks: a pickup has its own, but is short."""
    ticks: Counter[tuple[int, int]] = Counter()
    for piece in pieces:
        ends = [*(meter.onset for meter in piece.meters[1:]), piece.length]
        for meter, end in zip(piece.meters, ends, strict=True):
            if _writable(meter):
                ticks[meter.numerator, meter.denominator] += max(end - meter.onset, 0)
    return ticks


def _onsets(pieces: Sequence[Piece], frame: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Where in a beat notes begin, by the beat's length: see `Notation.onsets`; of frames, `frame` is their ticks."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    for piece in pieces:
        ticks = _begun_frames(piece, frame) if frame else np.unique([note.onset for note in piece.notes])
        ends = [*(meter.onset for meter in piece.meters[1:]), piece.length]
        for meter, end in zip(piece.meters, ends, strict=True):
            if _writable(meter):
                inside = ticks[(ticks >= meter.onset) & (ticks < end)]
                found[meter.beat] |= set(((inside - meter.onset) % meter.bar % meter.beat).tolist())
    return tuple((beat, tuple(sorted(places))) for beat, places in sorted(found.items()) if places)


def _begun_frames(piece: Piece, frame: int) -> IntArray:
    """The ticks of frames in which a pitch sounds that does not in the one before."""
    rolls = [frozenset(pitches) for pitches in to_frames(piece, frame)]
    begun = [number for number, sounds in enumerate(rolls) if sounds - (rolls[number - 1] if number else frozenset())]
    return np.array(begun, dtype=np.int64) * frame


def _pickups(
    pieces: Sequence[Piece], meters: Sequence[tuple[int, int]], frame: int
) -> tuple[tuple[int, int, int], ...]:
    """How many pieces begin with which pickup: see `Notation.pickups`; nothing, if none has one."""
    places = {meter: place for place, meter in enumerate(meters)}
    found: Counter[tuple[int, int]] = Counter()
    for piece in pieces:
        begins = has_pickup(piece)
        whole = piece.meters[begins][1:]
        pickup = piece.meters[0][1:] if begins and piece.meters[0].bar % frame == 0 else None
        if whole in places and (pickup is None or pickup in places):
            found[places[pickup] if pickup else -1, places[whole]] += 1
    if all(pickup < 0 for pickup, _ in found):
        return ()
    return tuple((pickup, meter, count) for (pickup, meter), count in sorted(found.items()))


def _writable(meter: Meter) -> bool:
    return 0 < meter.numerator <= 256 and meter.denominator in METER_DENOMINATORS and meter.bar > 0


def _tracks(pieces: Sequence[Piece]) -> tuple[Track, ...]:
    """The most common roles, in a score's order: as their pieces have them on average, drums last; none if only one."""
    indices: defaultdict[Role, list[float]] = defaultdict(list)
    players: defaultdict[Role, Counter[Track]] = defaultdict(Counter)
    for piece in pieces:
        for position, role in enumerate(roles(piece.tracks)):
            indices[role].append(position)
            players[role][piece.tracks[position]] += 1
    # Drums can play as nothing else, so they stay, however rare.
    common = sorted(indices, key=lambda role: (role != Role(DRUMS, 0), -len(indices[role]), role))[:MAX_TRACKS]
    # A second track of a family only makes sense beside the first.
    common = [role for role in common if all(Role(role.family, before) in common for before in range(role.ordinal))]
    common.sort(key=lambda role: (role.family == DRUMS, float(np.mean(indices[role])), role))
    pitched = [role for role in common if role.family != DRUMS]
    if len(pitched) <= 1:
        return ()
    return tuple(players[role].most_common(1)[0][0] for role in common)


def _durations(pieces: Sequence[Piece]) -> tuple[int, ...]:
    return tuple(sorted({min(note.duration, MAX_DURATION) for piece in pieces for note in piece.notes} or {12}))


def _steps(pieces: Sequence[Piece]) -> tuple[int, ...]:
    """All waits between moments up to `MAX_GAP`; with a step of a single tick any wait can be made of them."""
    found = {1}
    for piece in pieces:
        times = sorted({0, piece.length, *(note.onset for note in piece.notes), *(m.onset for m in piece.meters)})
        found |= {min(late - early, MAX_GAP) for early, late in pairwise(times)}
    return tuple(sorted(found))


def encode(piece: Piece, notation: Notation, length: bool = False) -> tuple[Tokens, Counter[str]]:
    """A piece as tokens, and how many things of what kind had to be left out or changed.

    Args:
        piece: any.
        notation: how to write it.
        length: say at the beginning how many bars there are, so that a model can learn to end in time. What scores a
            piece must not be told.
    """
    lost: Counter[str] = Counter()
    moments = _frames(piece, notation, lost) if notation.kind == "frames" else _moments(piece, notation, lost)
    meters = _meters(piece, notation, lost)
    times = sorted({0, piece.length, *moments, *meters})
    bars = len(bar_lines(piece)) - 1
    out = [notation.number(START), *notation.length(bars if length else 0)]
    for time, later in zip(times, [*times[1:], piece.length], strict=True):
        if time >= piece.length:
            break
        if time in meters:
            out.append(notation.number(METER, meters[time]))
        out += moments.get(time, [])
        out += _wait(later - time, notation)
    return np.array(out, dtype=np.int64), lost


def _wait(ticks: int, notation: Notation) -> list[int]:
    """The fewest-looking steps that make up a wait: the longest that fits, again and again."""
    out = []
    while ticks > 0:
        fitting = [step for step in notation.steps if step <= ticks]
        step = fitting[-1] if fitting else notation.steps[0]
        out.append(notation.number(STEP, step))
        ticks -= step
    return out


def _meters(piece: Piece, notation: Notation, lost: Counter[str]) -> dict[int, int]:
    """Places in `notation.meters` by the tick from which on they hold, where they change."""
    found: dict[int, int] = {}
    current, since = 0, 0
    for meter in piece.meters:
        try:
            position = notation.meters.index((meter.numerator, meter.denominator))
        except ValueError:
            lost["metres that are not in the vocabulary"] += 1
            continue
        goes_on = position == current and (meter.onset - since) % max(notation.bar(position), 1) == 0
        if not goes_on and meter.onset < piece.length:
            if notation.frame and meter.onset % notation.frame:
                lost["metres that change within a frame"] += 1
                continue
            found[meter.onset] = current = position
            since = meter.onset
    return found


def _frames(piece: Piece, notation: Notation, lost: Counter[str]) -> dict[int, list[int]]:
    lost["drum notes"] += sum(piece.tracks[note.track].drums for note in piece.notes)
    moments = {}
    for number, pitches in enumerate(to_frames(piece, notation.frame)):
        known = [pitch for pitch in pitches if notation.lowest <= pitch <= notation.highest]
        lost["notes of pitches that are not in the vocabulary"] += len(pitches) - len(known)
        moments[number * notation.frame] = [notation.number(PITCH, pitch - notation.lowest) for pitch in known]
    return moments


def _moments(piece: Piece, notation: Notation, lost: Counter[str]) -> dict[int, list[int]]:
    """Tokens by the tick at which they begin."""
    indices = _places(piece, notation, lost)
    begun: defaultdict[int, dict[tuple[bool, int, int], Note]] = defaultdict(dict)
    for note in piece.notes:
        drums = piece.tracks[note.track].drums
        known = note.pitch in notation.drums if drums else notation.lowest <= note.pitch <= notation.highest
        if not known or indices[note.track] is None:
            lost["notes of pitches or drums that are not in the vocabulary"] += 1
            continue
        key = (drums, indices[note.track] or 0, note.pitch)
        double = begun[note.onset].get(key)
        lost["notes doubled by merged tracks"] += double is not None
        if double is None or double.duration < note.duration:
            begun[note.onset][key] = note
    return {time: _moment(notes, notation, lost) for time, notes in begun.items()}


def _moment(notes: Mapping[tuple[bool, int, int], Note], notation: Notation, lost: Counter[str]) -> list[int]:
    out: list[int] = []
    current = -1
    for drums, position, pitch in sorted(notes, key=lambda key: (key[1], key[0], key[2])):
        note = notes[drums, position, pitch]
        if notation.tracks and position != current:
            out.append(notation.number(TRACK, position))
            current = position
        out.append(notation.number(DRUM, pitch) if drums else notation.number(PITCH, pitch - notation.lowest))
        duration = nearest(note.duration, notation.durations)
        lost["durations that are not in the vocabulary, changed to the nearest"] += duration != note.duration
        out.append(notation.number(DURATION, duration))
        if notation.velocity:
            out.append(notation.number(VELOCITY, VELOCITIES.index(nearest(note.velocity, VELOCITIES))))
    return out


def _places(piece: Piece, notation: Notation, lost: Counter[str]) -> list[int | None]:
    """Where each of a piece's tracks is in `notation.tracks`: by its role, else one of its family, else the first."""
    if not notation.tracks:
        return [0] * len(piece.tracks)
    known = {role: position for position, role in enumerate(roles(notation.tracks))}
    indices: list[int | None] = []
    for role, track in zip(roles(piece.tracks), piece.tracks, strict=True):
        alike = [position for other, position in known.items() if other.family == role.family]
        fallback = None if role.family == DRUMS else 0
        position = known.get(role, alike[-1] if alike else fallback)
        indices.append(position)
        lost["tracks made one with another of their kind"] += role not in known and bool(alike)
        if role.family != DRUMS and position is not None:
            lost["tracks that play as another instrument"] += notation.tracks[position].program != track.program
    return indices


def nearest(value: int, values: Sequence[int]) -> int:
    """The nearest of ascending values, the smaller of two equally near ones."""
    position = bisect_left(values, value)
    return min(values[max(position - 1, 0) : position + 1], key=lambda other: (abs(other - value), other))


def decode(tokens: Tokens | Sequence[int], notation: Notation, name: str) -> Piece:
    """The piece that tokens stand for. Tokens in an order that means nothing are passed over."""
    tracks = notation.tracks or (
        Track(program=notation.program),
        *([Track("Drums", drums=True)] if notation.drums else []),
    )
    time, track, begun = 0, 0, False
    notes: list[Note] = []
    meters = [Meter(0, *notation.meters[0])]
    for number in tokens:
        kind, value = notation.tokens[int(number)]
        if kind == TRACK:
            track = value
        elif kind == PITCH:
            position = track if notation.tracks else 0
            notes.append(Note(time, notation.frame or 1, notation.lowest + value, MIDDLE_VELOCITY, position))
        elif kind == DRUM:
            notes.append(Note(time, 1, value, MIDDLE_VELOCITY, track if notation.tracks else 1))
        elif kind == DURATION and begun:
            notes[-1] = notes[-1]._replace(duration=value)
        elif kind == VELOCITY and begun:
            notes[-1] = notes[-1]._replace(velocity=VELOCITIES[value])
        elif kind == STEP:
            time += value
            track = 0
        elif kind == METER:
            meters.append(Meter(time, *notation.meters[value]))
        begun = kind in (PITCH, DRUM) or (begun and kind in (DURATION, VELOCITY))
    notes = joined(notes) if notation.frame else list(one_a_pitch(notes, Counter()))
    length = max([time, *(note.end for note in notes)])
    by_time = {meter.onset: meter for meter in meters}
    return Piece(name, tracks, tuple(notes), length, tuple(by_time.values()), (Tempo(0, notation.tempo),))


def joined(notes: Sequence[Note]) -> list[Note]:
    """Notes of one pitch and track that follow each other without a gap, or overlap, as one."""
    result: list[Note] = []
    for note in sorted(notes, key=lambda note: (note.track, note.pitch, note.onset)):
        last = result[-1] if result else None
        if last and (last.track, last.pitch) == (note.track, note.pitch) and last.end >= note.onset:
            result[-1] = last._replace(duration=max(last.end, note.end) - last.onset)
        else:
            result.append(note)
    return sorted(result, key=lambda note: (note.onset, note.track, note.pitch))
