"""A piece as MusicXML, the score format that notation programs exchange."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from recurra.files import write_text_atomic
from recurra.tasks.music.pieces import DRUM_PLACES, TICKS, Piece, Tempo
from recurra.tasks.music.render.bars import Bar, bars_of
from recurra.tasks.music.render.keys import STEPS, Key, Spelling, estimate_key
from recurra.tasks.music.render.spelling import Spellings, spell_notes
from recurra.tasks.music.render.staves import PERCUSSION, Chord, Head, Part, Staff, Voice, parts_of
from recurra.tasks.music.render.values import Span, Value, values_of

VISIBLE_CHANGE = 0.08
"""Share by which a tempo must differ from the last one printed to be printed; smaller changes are only played."""

OTHER_DRUM = ("B", 4, "triangle")

ACCIDENTALS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}

BEAMED = ("eighth", "16th", "32nd")
"""Values with flags, by how many."""

_UNWRITABLE = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Written(NamedTuple):
    """A chord or rest as it stands in a bar.

    Attributes:
        value: its duration; ticks count in the bar as `values_of` has it.
        heads: what sounds; none in a rest.
        spellings: of the heads; none of drums.
        hidden: whether it is a rest that is not printed.
        beams: for each level, what its beam does here, or nothing.
    """

    value: Value
    heads: tuple[Head, ...]
    spellings: tuple[Spelling, ...]
    hidden: bool
    beams: tuple[str, ...]


class _Names(NamedTuple):
    """What the notes of one track are called."""

    spellings: Spellings
    track: int

    def of(self, heads: tuple[Head, ...], tick: int) -> tuple[Spelling, ...]:
        """The names of notes that sound at a tick."""
        return tuple(self.spellings.at(self.track, tick, head.pitch) for head in heads)


def write_musicxml(piece: Piece, path: Path, key: Key | None = None) -> None:
    """Write a piece as MusicXML 4.0.

    Args:
        piece: what to write; drums stand on a percussion staff, where their durations are not kept.
        path: the file.
        key: of the signature; estimated if not given.

    Raises:
        RecurraError: if the file cannot be written.
    """
    write_text_atomic(path, musicxml(piece, key))


def musicxml(piece: Piece, key: Key | None = None) -> str:
    """A piece as MusicXML, as text."""
    key = key or estimate_key(piece)
    bars, parts = bars_of(piece), parts_of(piece)
    root = Element("score-partwise", version="4.0")
    _text(SubElement(root, "work"), "work-title", piece.name)
    names = SubElement(root, "part-list")
    for number, part in enumerate(parts, 1):
        entry = SubElement(names, "score-part", id=f"P{number}")
        default = "Drums" if part.track.drums else f"Track {number}"
        _text(entry, "part-name", part.track.name.strip() or ("" if len(parts) == 1 else default))
        _write_instruments(entry, part, f"P{number}")
    spellings = spell_notes(piece, key)
    tracks = sorted({note.track for note in piece.notes}) or [0]
    for number, (part, track) in enumerate(zip(parts, tracks, strict=True), 1):
        element = SubElement(root, "part", id=f"P{number}")
        tempos = _printed(piece.tempos) if number == 1 else []
        _write_part(element, part, bars, key, tempos, _Names(spellings, track))
    ElementTree.indent(root, " ")
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + ElementTree.tostring(root, encoding="unicode") + "\n"


def _text(parent: Element, name: str, text: object) -> Element:
    child = SubElement(parent, name)
    child.text = _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", str(text))
    return child


def _write_instruments(entry: Element, part: Part, name: str) -> None:
    """Who plays a part: one instrument, or each drum, by which the notes name it."""
    if not part.track.drums:
        instruments = [(f"{name}-I1", part.track.name.strip() or "Instrument", "midi-program", part.track.program + 1)]
    else:
        drums = {
            head.pitch for staff in part.staves for voice in staff.voices for chord in voice for head in chord.heads
        }
        instruments = [(_drum(name, drum), f"Drum {drum}", "midi-unpitched", drum + 1) for drum in sorted(drums)]
    for identity, spoken, _, _ in instruments:
        _text(SubElement(entry, "score-instrument", id=identity), "instrument-name", spoken)
    for identity, _, kind, number in instruments:
        played = SubElement(entry, "midi-instrument", id=identity)
        if part.track.drums:
            _text(played, "midi-channel", 10)
        _text(played, kind, number)


def _drum(part: str, drum: int | str) -> str:
    """The name of a drum in a part."""
    return f"{part}-D{drum}"


def _printed(tempos: Sequence[Tempo]) -> list[tuple[Tempo, bool]]:
    """Tempos, and whether each is printed."""
    marked: list[tuple[Tempo, bool]] = []
    shown = 0.0
    for tempo in tempos:
        rate = tempo.quarters_per_minute
        visible = abs(rate - shown) > VISIBLE_CHANGE * rate
        shown = rate if visible else shown
        marked.append((tempo, visible))
    return marked


def _write_part(
    element: Element, part: Part, bars: Sequence[Bar], key: Key, tempos: Sequence[tuple[Tempo, bool]], names: _Names
) -> None:
    voices = [[_by_bar(voice, bars) for voice in staff.voices] for staff in part.staves]
    for number, bar in enumerate(bars):
        measure = SubElement(element, "measure", number=str(bar.number))
        if not bar.whole:
            measure.set("implicit", "yes")
        _write_attributes(measure, part, bars, number, key)
        for tempo, visible in tempos:
            if bar.begin <= tempo.onset < bar.end:
                _write_tempo(measure, tempo, bar, visible)
        first = True
        for position, staff in enumerate(part.staves):
            sounding = [found for at, voice in enumerate(voices[position]) if (found := voice[number]) or at == 0]
            written = [_line(line, bar, at > 0, None if staff.drums else names) for at, line in enumerate(sounding)]
            accidentals = {} if staff.drums else _accidentals(written, key)
            for at, line in enumerate(written):
                if not first:
                    _text(SubElement(measure, "backup"), "duration", bar.end - bar.begin)
                first = False
                staff_number = position + 1 if len(part.staves) > 1 else 0
                _write_line(measure, line, bar, staff, 4 * position + at + 1, staff_number, at, accidentals)
        if number + 1 == len(bars):
            barline = SubElement(measure, "barline", location="right")
            _text(barline, "bar-style", "light-heavy")
    for instrument in element.iter("instrument"):
        instrument.set("id", _drum(element.get("id", ""), instrument.get("id", "")))


def _by_bar(voice: Voice, bars: Sequence[Bar]) -> list[list[Chord]]:
    """A voice's chords bar by bar, cut at bar lines and tied."""
    found: list[list[Chord]] = [[] for _ in bars]
    position = 0
    for chord in voice:
        while bars[position].end <= chord.onset:
            position += 1
        onset, here = chord.onset, position
        while onset < chord.end:
            end = min(chord.end, bars[here].end)
            found[here].append(_part_of(chord, onset, end))
            onset, here = end, here + 1
    return found


def _part_of(chord: Chord, onset: int, end: int) -> Chord:
    """A piece of a chord, tied to the pieces around it."""
    return Chord(
        onset,
        end,
        tuple(
            Head(head.pitch, head.tied_before or onset > chord.onset, head.tied_after or end < chord.end)
            for head in chord.heads
        ),
    )


def _line(chords: Sequence[Chord], bar: Bar, hide: bool, names: _Names | None) -> list[_Written]:
    """A voice in a bar, rests between its chords, in written values with beams; of drums, which have no names, too."""
    shift = bar.meter.bar - bar.end if bar.number == 0 else -bar.begin
    filled: list[Chord] = []
    reached = bar.begin
    for chord in chords:
        if chord.onset > reached:
            filled.append(Chord(reached, chord.onset, ()))
        filled.append(chord)
        reached = chord.end
    if reached < bar.end:
        filled.append(Chord(reached, bar.end, ()))
    spans = [Span(chord.onset + shift, chord.end + shift, bool(chord.heads)) for chord in filled]
    values = values_of(spans, bar.meter)
    heads = [_part_of(filled[v.span], v.begin - shift, v.end - shift).heads for v in values]
    if names is None:
        heads = [_once(found) for found in heads]
    beams = _beams(values, heads, bar)
    return [
        _Written(
            value,
            found,
            names.of(found, value.begin - shift) if names else (),
            hide and not found and not value.group,
            beam,
        )
        for value, found, beam in zip(values, heads, beams, strict=True)
    ]


def _once(heads: tuple[Head, ...]) -> tuple[Head, ...]:
    """Drums are not tied: a stroke that needs two values has one and a rest."""
    return tuple(Head(head.pitch) for head in heads if not head.tied_before)


def _beams(values: Sequence[Value], heads: Sequence[tuple[Head, ...]], bar: Bar) -> list[tuple[str, ...]]:
    """What the beams of each value do, level by level: runs of notes with flags within a beat are joined."""
    period = bar.meter.beat if bar.meter.beat % TICKS == 0 or bar.meter.beat % 18 == 0 else TICKS
    flags = [
        BEAMED.index(value.kind) + 1 if value.kind in BEAMED and found else 0
        for value, found in zip(values, heads, strict=True)
    ]
    groups = [value.begin // period for value in values]
    return [
        tuple(_beam(flags, groups, position, level) for level in range(1, count + 1))
        for position, count in enumerate(flags)
    ]


def _beam(flags: Sequence[int], groups: Sequence[int], position: int, level: int) -> str:
    def joined(other: int, needed: int) -> bool:
        return 0 <= other < len(flags) and flags[other] >= needed and groups[other] == groups[position]

    before, after = joined(position - 1, level), joined(position + 1, level)
    if before or after:
        return "continue" if before and after else "end" if before else "begin"
    if level > 1 and joined(position - 1, 1):
        return "backward hook"
    return "forward hook" if level > 1 and joined(position + 1, 1) else ""


def _accidentals(lines: Sequence[Sequence[_Written]], key: Key) -> dict[tuple[int, int, int], str]:
    """Which signs a bar needs, by voice, place in it and pitch: where a note differs from what holds there already."""
    order = sorted(
        (one.value.begin, voice, position) for voice, line in enumerate(lines) for position, one in enumerate(line)
    )
    holding: dict[tuple[str, int], int] = {}
    signs: dict[tuple[int, int, int], str] = {}
    for _, voice, position in order:
        one = lines[voice][position]
        for head, (step, alter, octave) in zip(one.heads, one.spellings, strict=True):
            if head.tied_before:
                continue
            if holding.get((step, octave), _in_signature(step, key)) != alter:
                signs[voice, position, head.pitch] = ACCIDENTALS[alter]
            holding[step, octave] = alter
    return signs


def _in_signature(step: str, key: Key) -> int:
    return (key.fifths + 6 - STEPS.index(step)) // 7


def _write_attributes(measure: Element, part: Part, bars: Sequence[Bar], number: int, key: Key) -> None:
    bar = bars[number]
    before = bars[number - 1].meter if number else None
    changed = before is None or before[1:] != bar.meter[1:]
    if not changed:
        return
    attributes = SubElement(measure, "attributes")
    if number == 0:
        _text(attributes, "divisions", TICKS)
        if not part.track.drums:
            element = SubElement(attributes, "key")
            _text(element, "fifths", key.fifths)
            _text(element, "mode", "minor" if key.minor else "major")
    time = SubElement(attributes, "time")
    _text(time, "beats", bar.meter.numerator)
    _text(time, "beat-type", bar.meter.denominator)
    if number == 0:
        if len(part.staves) > 1:
            _text(attributes, "staves", len(part.staves))
        for position, staff in enumerate(part.staves, 1):
            clef = SubElement(attributes, "clef", number=str(position))
            _text(clef, "sign", staff.clef.sign)
            if staff.clef != PERCUSSION:
                _text(clef, "line", staff.clef.line)
            if staff.clef.octave:
                _text(clef, "clef-octave-change", staff.clef.octave)


def _write_tempo(measure: Element, tempo: Tempo, bar: Bar, visible: bool) -> None:
    rate = tempo.quarters_per_minute
    compound = bar.meter.beat == 18
    parent = measure
    if visible:
        parent = SubElement(measure, "direction", placement="above")
        mark = SubElement(SubElement(parent, "direction-type"), "metronome")
        _text(mark, "beat-unit", "quarter")
        if compound:
            SubElement(mark, "beat-unit-dot")
        _text(mark, "per-minute", round(rate / 1.5 if compound else rate))
        if tempo.onset > bar.begin:
            _text(parent, "offset", tempo.onset - bar.begin)
    sound = SubElement(parent, "sound", tempo=f"{rate:.6g}")
    if not visible and tempo.onset > bar.begin:
        _text(sound, "offset", tempo.onset - bar.begin)


def _write_line(
    measure: Element, line: Sequence[_Written], bar: Bar, staff: Staff, voice: int, staff_number: int, at: int,
    accidentals: dict[tuple[int, int, int], str],
) -> None:  # fmt: skip
    if len(line) and not any(one.heads for one in line) and bar.whole:
        _write_rest_of_bar(measure, bar, voice, staff_number)
        return
    for position, one in enumerate(line):
        heads = _placed(one, staff)
        for number, (head, spelling, shape) in enumerate(heads):
            note = SubElement(measure, "note")
            if number:
                SubElement(note, "chord")
            sign = "" if staff.drums else accidentals.get((at, position, head.pitch), "")
            _write_note(note, one, head, spelling, shape, staff, voice, staff_number, sign, first=number == 0)
        if not heads:
            note = SubElement(measure, "note", {"print-object": "no"} if one.hidden else {})
            _write_note(note, one, None, None, "", staff, voice, staff_number, "", first=True)


def _write_rest_of_bar(measure: Element, bar: Bar, voice: int, staff_number: int) -> None:
    note = SubElement(measure, "note")
    SubElement(note, "rest", measure="yes")
    _text(note, "duration", bar.end - bar.begin)
    _text(note, "voice", voice)
    if staff_number:
        _text(note, "staff", staff_number)


def _placed(one: _Written, staff: Staff) -> list[tuple[Head, Spelling, str]]:
    """Each head's place on the staff and its shape."""
    if not staff.drums:
        return [(head, spelling, "") for head, spelling in zip(one.heads, one.spellings, strict=True)]
    places = [(head, *DRUM_PLACES.get(head.pitch, OTHER_DRUM)) for head in one.heads]
    return [(head, Spelling(step, 0, octave), shape) for head, step, octave, shape in places]


def _write_note(
    note: Element, one: _Written, head: Head | None, spelling: Spelling | None, shape: str, staff: Staff,
    voice: int, staff_number: int, sign: str, first: bool,
) -> None:  # fmt: skip
    value = one.value
    if spelling is None:
        SubElement(note, "rest")
    else:
        _write_pitch(note, spelling, staff.drums)
    _text(note, "duration", value.end - value.begin)
    ties = [] if head is None else _ties(head)
    for tie in ties:
        SubElement(note, "tie", type=tie)
    if staff.drums and head is not None:
        SubElement(note, "instrument", id=str(head.pitch))
    _text(note, "voice", voice)
    _text(note, "type", value.kind)
    for _ in range(value.dots):
        SubElement(note, "dot")
    if sign:
        _text(note, "accidental", sign)
    if value.group:
        ratio = SubElement(note, "time-modification")
        _text(ratio, "actual-notes", 3)
        _text(ratio, "normal-notes", 2)
    if staff.drums and spelling is not None:
        _text(note, "stem", "up")
    if shape:
        _text(note, "notehead", shape)
    if staff_number:
        _text(note, "staff", staff_number)
    for level, beam in enumerate(one.beams if first else (), 1):
        if beam:
            _text(note, "beam", beam).set("number", str(level))
    _write_notations(note, ties, value if first else None)


def _write_pitch(note: Element, spelling: Spelling, drums: bool) -> None:
    prefix = "display-" if drums else ""
    pitch = SubElement(note, "unpitched" if drums else "pitch")
    _text(pitch, f"{prefix}step", spelling.step)
    if spelling.alter and not drums:
        _text(pitch, "alter", spelling.alter)
    _text(pitch, f"{prefix}octave", spelling.octave)


def _ties(head: Head) -> list[str]:
    return ["stop"] * head.tied_before + ["start"] * head.tied_after


def _write_notations(note: Element, ties: Sequence[str], value: Value | None) -> None:
    opens, closes = (value.opens, value.closes) if value else (False, False)
    if not ties and not opens and not closes:
        return
    notations = SubElement(note, "notations")
    for tie in ties:
        SubElement(notations, "tied", type=tie)
    if opens:
        SubElement(notations, "tuplet", type="start")
    if closes:
        SubElement(notations, "tuplet", type="stop")
