"""What music21 does not tell of a MusicXML file: the signs about the order of bars, and which drum a note strikes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement

from recurra.tasks.music.io.repeats import BarMarks, put_sign, sign_of
from recurra.tasks.music.pieces import DRUM_PLACES

SOUND_SIGNS = {
    "dacapo": "capo", "dalsegno": "segno", "fine": "fine", "tocoda": "leave", "coda": "coda", "segno": "segno sign",
}  # fmt: skip
"""Attributes of <sound>, and what `repeats.sign_of` calls them."""

_STEPS = {0: ("C", 0), 1: ("C", 1), 2: ("D", 0), 3: ("D", 1), 4: ("E", 0), 5: ("F", 0),
          6: ("F", 1), 7: ("G", 0), 8: ("G", 1), 9: ("A", 0), 10: ("A", 1), 11: ("B", 0)}  # fmt: skip


def partwise(root: Element) -> Element:
    """A score that is written measure by measure, part by part instead."""
    turned = Element("score-partwise", root.attrib)
    turned.extend(element for element in root if element.tag != "measure")
    parts: dict[str, Element] = {}
    for measure in root.findall("measure"):
        for part in measure.findall("part"):
            name = part.get("id", "")
            if name not in parts:
                parts[name] = SubElement(turned, "part", id=name)
            SubElement(parts[name], "measure", measure.attrib).extend(part)
    return turned


def bar_signs(root: Element) -> list[BarMarks]:
    """The signs of each measure, as the part with the most measures has them; those of all parts, if it has none."""
    parts = [_part_signs(part) for part in root.findall("part")]
    return max(parts, key=lambda bars: (len(bars), sum(bar != BarMarks() for bar in bars)), default=[])


def _part_signs(part: Element) -> list[BarMarks]:
    bars: list[BarMarks] = []
    ending: frozenset[int] = frozenset()
    for measure in part.findall("measure"):
        bars.append(BarMarks(endings=ending))
        begun = False
        for element in measure:
            if element.tag == "barline":
                ending = _read_barline(element, bars[-1], ending)
            elif element.tag in ("direction", "sound"):
                for sign in dict.fromkeys(_signs(element)):
                    put_sign(bars[-1], sign, begun)
            begun = begun or element.tag in ("note", "forward")
    return bars


def _read_barline(barline: Element, bar: BarMarks, ending: frozenset[int]) -> frozenset[int]:
    """Put what a bar line says to a bar; the ending that goes on after it."""
    found = barline.find("ending")
    if found is not None:
        if found.get("type") == "start":
            numbers = found.get("number", "").replace(",", " ").split()
            ending = frozenset(int(number) for number in numbers if number.isdigit() and 0 < int(number[:4]) < 1000)
            bar.endings = ending
        else:
            ending = frozenset()
    repeat = barline.find("repeat")
    if repeat is not None and repeat.get("direction") == "forward":
        bar.start = True
    elif repeat is not None:
        times = repeat.get("times", "2")
        bar.times = max(int(times) if times.isdigit() and len(times) < 12 else 2, 2)
    return ending


def _signs(direction: Element) -> Iterator[str]:
    for element in direction.iter():
        if element.tag in ("segno", "coda"):
            yield "segno sign" if element.tag == "segno" else "coda"
        elif element.tag == "words":
            yield sign_of(element.text or "")
        elif element.tag == "sound":
            yield from (sign for name, sign in SOUND_SIGNS.items() if element.get(name))


def name_drums(root: Element, left_out: Counter[str]) -> set[str]:
    """Give each unpitched note its General MIDI number as a pitch, and tell in which parts there were any.

    The number is that of the note's instrument; if it has none, of the drum that is written on its line.
    """
    numbers: dict[str, int] = {}
    for instrument in root.iter("midi-instrument"):
        number = instrument.findtext("midi-unpitched", "").strip()
        if number.isdigit() and 1 <= int(number[:4]) <= 128:
            numbers[instrument.get("id", "")] = int(number) - 1
    drums: set[str] = set()
    for part in root.findall("part"):
        notes = [note for note in part.iter("note") if note.find("unpitched") is not None]
        if not notes:
            continue
        if any(note.find("pitch") is not None for note in part.iter("note")):
            left_out["notes without a pitch"] += len(notes)
            for measure in part.findall("measure"):
                _silence(measure)
            continue
        drums.add(part.get("id", ""))
        for note in notes:
            _name_drum(note, numbers, left_out)
        for attributes in part.iter("attributes"):
            for transpose in attributes.findall("transpose"):
                attributes.remove(transpose)
    return drums


def _silence(measure: Element) -> None:
    for note in measure.findall("note"):
        unpitched = note.find("unpitched")
        if unpitched is not None:
            unpitched.tag = "rest"
            unpitched.clear()


def _name_drum(note: Element, numbers: dict[str, int], left_out: Counter[str]) -> None:
    unpitched, instrument = note.find("unpitched"), note.find("instrument")
    assert unpitched is not None
    number = numbers.get(instrument.get("id", "")) if instrument is not None else None
    if number is None:
        place = unpitched.findtext("display-step"), unpitched.findtext("display-octave"), note.findtext("notehead")
        number = _placed(*place)
        if number is None:
            left_out["drums of unknown kind, read as snare"] += 1
            number = 38
    unpitched.clear()
    unpitched.tag = "pitch"
    step, alter = _STEPS[number % 12]
    SubElement(unpitched, "step").text = step
    SubElement(unpitched, "alter").text = str(alter)
    SubElement(unpitched, "octave").text = str(number // 12 - 1)


def _placed(step: str | None, octave: str | None, head: str | None) -> int | None:
    """The drum that is written there: with that head, else with any."""
    there = [number for number, place in DRUM_PLACES.items() if (place[0], str(place[1])) == (step, octave)]
    alike = [number for number in there if DRUM_PLACES[number][2] == (head or "")]
    return next(iter(alike or there), None)
