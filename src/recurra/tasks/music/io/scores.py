"""Written music in: MusicXML and Humdrum kern, as music21 understands them; ABC is read elsewhere."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from recurra.errors import RecurraError
from recurra.tasks.music.io.abc import read_abc
from recurra.tasks.music.io.charsets import AUTO
from recurra.tasks.music.io.repeats import BarMarks, put_sign, sign_of
from recurra.tasks.music.io.score_files import OpenScore, explain, open_score, require_music21
from recurra.tasks.music.io.written import (
    ACCENTS,
    DYNAMICS,
    UNITS,
    Sounding,
    WrittenBar,
    WrittenPart,
    WrittenScore,
    chord_part,
    to_piece,
)
from recurra.tasks.music.pieces import MIDDLE_VELOCITY, Piece, Track

Levels = Sequence[Sequence[tuple[int, str]]]
"""The dynamics of each measure: where in it, in units, and which."""


def read_score(path: Path, expand: bool = True, charset: str = AUTO) -> tuple[Piece, ...]:
    """Read one file: .musicxml, .xml, .mxl, .abc (which may hold several tunes) or .krn.

    Tied notes are one, dynamics become velocities, chord symbols a track. Grace notes are not sounded but counted in
    `Piece.left_out`, and so are repeats that cannot be followed.

    Args:
        path: the file.
        expand: play what stands between repeat signs as often as they say; else once.
        charset: of a file that does not name its encoding.

    Raises:
        RecurraError: if it cannot be read, is damaged or too large, or holds no notes.
    """
    if path.suffix.lower() == ".abc":
        return read_abc(path, expand, charset)
    require_music21()
    left_out: Counter[str] = Counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            written = _written(path.name, open_score(path, left_out, charset), left_out)
            return (to_piece(written, left_out, expand),)
    except RecurraError:
        raise
    except Exception as error:  # whatever music21 meets in a score that makes no sense
        raise RecurraError(f"{path} {explain(error)}; give another score") from error


def _written(name: str, opened: OpenScore, left_out: Counter[str]) -> WrittenScore:
    from music21 import stream

    score = opened.score
    parts = list(score.parts) or [score]
    if any(part.recurse().getElementsByClass("Instrument").first() is not None for part in parts):
        score.toSoundingPitch(inPlace=True)
    measures = [list(part.getElementsByClass(stream.Measure)) or [part] for part in parts]
    guide = max(range(len(parts)), key=lambda number: len(measures[number]))
    bars, sections = _bars(parts[guide], measures, guide, opened.signs)
    names = [_part_name(part) for part in parts]
    found: list[WrittenPart] = []
    for part, name_, own in zip(parts, names, measures, strict=True):
        staves = [other for other, named in zip(measures, names, strict=True) if named == name_]
        levels = _levels(staves, len(own), left_out)
        found.append(WrittenPart(_track(part, name_ in opened.drums), _soundings(own, levels, left_out)))
    lengths = [bar.length for bar in bars]
    found += chord_part(_symbols(measures, lengths), lengths, left_out)
    return WrittenScore(name, bars, found, sections)


def _part_name(part: Any) -> str:
    """What the file calls a part; its staves share it."""
    return str(part.id).rpartition("-Staff")[0] or str((part.groups or [part.id])[0])


def _units(quarters: Any) -> int:
    return round(float(quarters) * UNITS)


def _bars(
    part: Any, measures: Sequence[list[Any]], guide: int, signs: list[BarMarks] | None
) -> tuple[list[WrittenBar], list[str]]:
    """The bars of a score, and the order of its sections."""
    own = measures[guide]
    begins = [measure.offset for measure in own] if len(own) > 1 else [0]
    last = max(voice[-1].highestTime for voice in measures if len(voice) == len(own))
    lengths = [after - before for before, after in pairwise(begins)] + [last]
    if signs is None or len(signs) != len(own):
        marks, sections = _kern_signs(part, own)
    else:
        marks, sections = signs, []
    meters, tempos = _meters(own), _tempos(measures, len(own))
    bars = [
        WrittenBar(_units(length), meter, tempo, mark)
        for length, meter, tempo, mark in zip(lengths, meters, tempos, marks, strict=True)
    ]
    return bars, sections


def _kern_signs(part: Any, measures: Sequence[Any]) -> tuple[list[BarMarks], list[str]]:
    """The repeat signs of kern, and the order of sections, which takes the place of them where there is one."""
    from music21 import bar, expressions

    marks = []
    for measure in measures:
        found = BarMarks()
        for sign in measure.recurse().getElementsByClass(bar.Repeat):
            if sign.direction == "start":
                found.start = True
            else:
                found.times = max(sign.times or 2, 2)
        for text in measure.recurse().getElementsByClass(expressions.TextExpression):
            put_sign(found, sign_of(text.content), text.offset > 0)
        marks.append(found)
    sections: list[str] = []
    places = {id(measure): index for index, measure in enumerate(measures)}
    place = 0
    for element in part.recurse():
        place = places.get(id(element), place)
        text = getattr(element, "tandem", "")
        if (order := re.fullmatch(r"\*>\[(.*)\]", text)) and not sections:
            sections = order[1].split(",")
        elif label := re.fullmatch(r"\*>([^\[\]]+)", text):
            marks[place + (element.offset > 0 and place + 1 < len(marks))].label = label[1]
    if sections:
        marks = [BarMarks(label=mark.label) for mark in marks]
    return marks, sections


def _levels(staves: Sequence[list[Any]], count: int, left_out: Counter[str]) -> Levels:
    """The dynamics of a part, which hold for all its staves."""
    from music21.dynamics import Dynamic

    levels: list[list[tuple[int, str]]] = [[] for _ in range(count)]
    for measures in staves:
        for measure, found in zip(measures, levels, strict=False):
            for sign in _flat(measure).getElementsByClass(Dynamic):
                if sign.value in DYNAMICS or sign.value in ACCENTS:
                    found.append((_units(sign.offset), sign.value))
                else:  # music21 has brackets for the hairpins of kern
                    hairpin = not sign.value.strip("[]<>()")
                    left_out["crescendos and diminuendos" if hairpin else "dynamics"] += 1
    return [sorted(found) for found in levels]


def _soundings(measures: Sequence[Any], levels: Levels, left_out: Counter[str]) -> list[list[Sounding]]:
    """The notes of each measure, sorted, with places from its beginning."""
    bars = []
    level = MIDDLE_VELOCITY
    for measure, signs in zip(measures, levels, strict=True):
        found = []
        for element in _flat(measure).notes:
            begin = _units(element.offset)
            velocity = _loudness(level, [sign for sign in signs if sign[0] <= begin], begin)
            found += list(_played(element, begin, velocity, left_out))
        for _, sign in signs:
            level = _after(level, sign)
        bars.append(sorted(found))
    return bars


def _loudness(level: int, signs: Sequence[tuple[int, str]], begin: int) -> int:
    """The velocity at a moment, from that at the beginning of the bar and the dynamics up to there."""
    for at, sign in signs:
        if sign in ACCENTS and at == begin:
            return DYNAMICS["f"] if sign == "fp" else max(min(level + 24, 127), DYNAMICS["f"])
        level = _after(level, sign)
    return level


def _after(level: int, sign: str) -> int:
    """The velocity that holds after a dynamic."""
    return DYNAMICS.get(sign.lstrip("s").lstrip("f") if sign in ACCENTS else sign, level)


def _played(element: Any, begin: int, velocity: int, left_out: Counter[str]) -> Iterator[Sounding]:
    """What sounds of a note or chord."""
    if "Harmony" in element.classSet:
        return
    if element.duration.isGrace:
        left_out["grace notes"] += 1
        return
    end = _units(element.offset + element.duration.quarterLength)
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
        own = note.volume.velocity or element.volume.velocity or velocity
        tie = (note.tie or element.tie).type if note.tie or element.tie else None
        tied = tie in ("stop", "continue"), tie in ("start", "continue")
        yield Sounding(begin, end, pitch, min(max(round(own), 1), 127), *tied)


def _symbols(measures: Sequence[list[Any]], lengths: Sequence[int]) -> list[tuple[int, str]]:
    """The chord symbols of all parts, with places from the beginning of the score."""
    from music21.harmony import ChordSymbol, Harmony

    found = []
    for own in measures:
        begin = 0
        for measure, length in zip(own, lengths, strict=False):
            for symbol in _flat(measure).getElementsByClass(Harmony):
                known = isinstance(symbol, ChordSymbol)
                found.append((begin + _units(symbol.offset), symbol.figure.replace("-", "b") if known else "?"))
            begin += length
    return sorted(found)


def _flat(measure: Any) -> Any:
    """A measure whose voices, if it has any, lie on top of each other."""
    return measure if type(measure).__name__ == "Measure" and not measure.hasVoices() else measure.flatten()


def _track(part: Any, drums: bool) -> Track:
    instrument = part.recurse().getElementsByClass("Instrument").first()
    program = getattr(instrument, "midiProgram", None) or 0
    drums = drums or getattr(instrument, "midiChannel", None) == 9
    name = part.partName or getattr(instrument, "partName", None) or ""
    return Track(" ".join(name.split()), program if 0 <= program <= 127 and not drums else 0, drums)


def _meters(measures: Sequence[Any]) -> list[tuple[int, int]]:
    """The metre of each measure."""
    from music21.meter import TimeSignature

    current, signatures = (4, 4), []
    for measure in measures:
        signature = measure.recurse().getElementsByClass(TimeSignature).first()
        if signature is not None:
            current = signature.numerator, signature.denominator
        signatures.append(current)
    return signatures


def _tempos(measures: Sequence[list[Any]], count: int) -> list[list[tuple[int, float]]]:
    """The metronome marks of all parts, measure by measure."""
    from music21.tempo import MetronomeMark

    found: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    for own in measures:
        for measure, tempos in zip(own, found, strict=False):
            for mark in _flat(measure).getElementsByClass(MetronomeMark):
                pace = mark.getQuarterBPM()
                if pace is not None:
                    tempos.append((_units(mark.offset), float(pace)))
    return found
