"""Written music in: MusicXML, ABC and Humdrum kern, as music21 understands them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from recurra.errors import RecurraError
from recurra.tasks.music.grid import SIXTEENTH, assemble, spans
from recurra.tasks.music.io.score_files import explain, open_scores, require_music21
from recurra.tasks.music.pieces import MIDDLE_VELOCITY, TICKS, Note, Piece, Track

MAX_TIMES = 8
"""How often a repeat is played at most."""

MAX_NESTED = 2
"""Repeats within repeats that are expanded."""


def read_score(path: Path, expand: bool = True) -> tuple[Piece, ...]:
    """Read one file: .musicxml, .xml, .mxl, .abc (which may hold several tunes) or .krn.

    Tied notes are one. Chord symbols and grace notes are not sounded but counted in `Piece.left_out`, and so are
    repeats that cannot be followed.

    Args:
        path: the file.
        expand: play what stands between repeat signs as often as they say; else once.

    Raises:
        RecurraError: if it cannot be read, is damaged or too large, or holds no notes.
    """
    require_music21()
    pieces: list[Piece] = []
    reasons: list[str] = []
    left_out: Counter[str] = Counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, score in open_scores(path, left_out, reasons):
                try:
                    pieces.append(_piece(name, score, expand, left_out))
                except Exception as error:  # whatever music21 meets in a score that makes no sense
                    reasons.append(explain(error))
                left_out.clear()
    except RecurraError:
        raise
    except Exception as error:
        reasons.append(explain(error))
    if not pieces:
        raise RecurraError(f"{path} {reasons[0] if reasons else 'holds no music'}; give another score")
    if reasons:
        last = pieces[-1]
        counts = {**last.left_out, "tunes that cannot be read": len(reasons)}
        pieces[-1] = Piece(last.name, last.tracks, last.notes, last.length, last.meters, last.tempos, counts)
    return tuple(pieces)


class _Bar(NamedTuple):
    """A bar as it is played: its place among those written, where it begins and how long it is, in quarters."""

    number: int
    begin: Any
    length: Any


def _piece(name: str, score: Any, expand: bool, left_out: Counter[str]) -> Piece:
    from music21 import stream

    parts = list(score.parts) or [score]
    if any(part.recurse().getElementsByClass("Instrument").first() is not None for part in parts):
        score.toSoundingPitch(inPlace=True)
    measures = [list(part.getElementsByClass(stream.Measure)) or [part] for part in parts]
    guide = max(range(len(parts)), key=lambda number: len(measures[number]))
    bars = _bars(parts[guide], measures, guide, expand, left_out)
    tracks: list[Track] = []
    notes: list[Note] = []
    for part, own in zip(parts, measures, strict=True):
        found = _notes(own, bars, len(tracks), left_out)
        if found:
            tracks.append(_track(part))
            notes += found
    meters = _meters(measures[guide], bars, left_out)
    return assemble(name, tracks, notes, meters, _tempos(measures, bars), left_out)


def _bars(part: Any, measures: Sequence[list[Any]], guide: int, expand: bool, left_out: Counter[str]) -> list[_Bar]:
    """The bars of a score in the order they are played."""
    own = measures[guide]
    begins = [measure.offset for measure in own] if len(own) > 1 else [0]
    last = max(voice[-1].highestTime for voice in measures if len(voice) == len(own))
    lengths = [after - before for before, after in pairwise(begins)] + [last]
    played: list[_Bar] = []
    now: Any = 0
    for index in _order(part, own, left_out) if expand else range(len(own)):
        played.append(_Bar(index, now, lengths[index]))
        now += lengths[index]
    return played


def _order(part: Any, measures: list[Any], left_out: Counter[str]) -> Sequence[int]:
    """The places of the measures in the order they are played."""
    from music21 import bar, repeat

    written = range(len(measures))
    signs = list(part.recurse().getElementsByClass(bar.Repeat))
    jumps = list(part.recurse().getElementsByClass(repeat.RepeatExpression))
    if not signs and not jumps:
        return written
    depth = deepest = 0
    for sign in signs:
        depth = max(0, depth + (1 if sign.direction == "start" else -1))
        deepest = max(deepest, depth)
        if sign.times is not None and sign.times > MAX_TIMES:
            left_out[f"repeats beyond {MAX_TIMES} times"] += sign.times - MAX_TIMES
            sign.times = MAX_TIMES
    for number, measure in enumerate(measures, 1):
        measure.number, measure.numberSuffix = number, None  # they name measures in `measureMap`; some stand twice
    try:
        expander: Any = repeat.Expander(part)
        if deepest > MAX_NESTED or expander.isExpandable() is not True:
            raise repeat.ExpanderException("cannot be followed")
        order: list[int] = expander.measureMap()
        return order
    except Exception:  # signs that lead nowhere fail in many ways
        left_out["repeats"] += len(jumps) + sum(sign.direction == "end" for sign in signs)
        return written


class _Sounding(NamedTuple):
    """A note of a score: `begin` and `end` in quarters, how it is tied (`start`, `continue`, `stop` or not)."""

    begin: Any
    end: Any
    pitch: int
    velocity: int
    tie: str | None


def _notes(measures: list[Any], bars: list[_Bar], track: int, left_out: Counter[str]) -> list[Note]:
    """The notes of a part as they are played, tied ones joined."""
    written = [_sounding(measure, left_out) for measure in measures]
    joined: list[_Sounding] = []
    open_ties: dict[tuple[int, Any], int] = {}
    for bar in bars:
        for note in written[bar.number] if bar.number < len(written) else ():
            begin, end = bar.begin + note.begin, bar.begin + note.end
            index = open_ties.pop((note.pitch, begin), None) if note.tie in ("stop", "continue") else None
            if index is None:
                index = len(joined)
                joined.append(note._replace(begin=begin, end=end))
            else:
                joined[index] = joined[index]._replace(end=end)
            if note.tie in ("start", "continue"):
                open_ties[note.pitch, end] = index
    onsets, durations = spans(
        [float(note.begin * TICKS) for note in joined], [float(note.end * TICKS) for note in joined]
    )
    return [
        Note(onset, duration, note.pitch, note.velocity, track)
        for onset, duration, note in zip(onsets.tolist(), durations.tolist(), joined, strict=True)
    ]


def _sounding(measure: Any, left_out: Counter[str]) -> list[_Sounding]:
    """The notes of one measure, sorted, with places from its beginning."""
    found = []
    for element in _flat(measure).notes:
        if "Harmony" in element.classSet:
            left_out["chord symbols"] += 1
        elif element.duration.isGrace:
            left_out["grace notes"] += 1
        else:
            for note in getattr(element, "notes", (element,)):
                if not hasattr(note, "pitch"):
                    left_out["notes without a pitch"] += 1
                    continue
                pitch = round(note.pitch.ps)
                if pitch != note.pitch.ps:
                    left_out["quarter tones"] += 1
                if not 0 <= pitch <= 127:
                    left_out["notes beyond MIDI's range"] += 1
                    continue
                velocity = note.volume.velocity or element.volume.velocity or MIDDLE_VELOCITY
                tie = (note.tie or element.tie).type if note.tie or element.tie else None
                end = element.offset + element.duration.quarterLength
                found.append(_Sounding(element.offset, end, pitch, min(max(round(velocity), 1), 127), tie))
    return sorted(found, key=lambda note: (note.begin, note.pitch, note.end))


def _flat(measure: Any) -> Any:
    """A measure whose voices, if it has any, lie on top of each other."""
    return measure if type(measure).__name__ == "Measure" and not measure.hasVoices() else measure.flatten()


def _track(part: Any) -> Track:
    instrument = part.recurse().getElementsByClass("Instrument").first()
    program = getattr(instrument, "midiProgram", None) or 0
    drums = getattr(instrument, "midiChannel", None) == 9
    name = part.partName or getattr(instrument, "partName", None) or ""
    return Track(" ".join(name.split()), program if 0 <= program <= 127 else 0, drums)


def _meters(measures: list[Any], bars: list[_Bar], left_out: Counter[str]) -> list[tuple[float, int, int]]:
    """The metre of each bar as it is played: of a pickup and of other bars that are not whole, their own."""
    from music21.meter import TimeSignature

    current, signatures = (4, 4), []
    for measure in measures:
        signature = measure.recurse().getElementsByClass(TimeSignature).first()
        if signature is not None:
            current = signature.numerator, signature.denominator
        signatures.append(current)
    if len(bars) == 1:
        return [(0.0, *signatures[0])]
    changes = []
    for bar in bars:
        numerator, denominator = signatures[bar.number]
        length = bar.length * TICKS
        if length * denominator != 4 * TICKS * numerator and bar is not bars[-1] and length:
            if length % SIXTEENTH:
                left_out["bars of a length no metre has"] += 1
            else:
                while length * denominator % (4 * TICKS):
                    denominator *= 2
                numerator = int(length * denominator // (4 * TICKS))
        changes.append((float(bar.begin * TICKS), numerator, denominator))
    return changes


def _tempos(measures: Sequence[list[Any]], bars: list[_Bar]) -> list[tuple[float, float]]:
    """The metronome marks of all parts, as they are played."""
    from music21.tempo import MetronomeMark

    changes = []
    for own in measures:
        marks = [list(_flat(measure).getElementsByClass(MetronomeMark)) for measure in own]
        if not any(marks):
            continue
        for bar in bars:
            for mark in marks[bar.number] if bar.number < len(marks) else ():
                pace = mark.getQuarterBPM()
                if pace is not None:
                    changes.append((float((bar.begin + mark.offset) * TICKS), float(pace)))
    return changes
