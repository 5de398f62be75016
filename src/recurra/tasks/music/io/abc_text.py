"""A tune of ABC (standard 2.1, and what older files have) made plain for abc2midi.

abc2midi gets notes, rests, chords, bar lines, keys, metres and tempos, and nothing else: repeats, endings, chord
symbols and the rest are kept here, and marks in the music say at what time each stood. A mark is a change of
instrument on a channel that no voice uses; abc2midi gives those the right time, after rests and in overlays too.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from recurra.tasks.music.io.repeats import BarMarks, put_sign, sections_of, sign_of
from recurra.tasks.music.io.score_lengths import check_length, check_meter
from recurra.tasks.music.io.written import DYNAMICS

BAR_CHANNEL, CHORD_CHANNEL, VOICE_CHANNEL, DYNAMIC_CHANNEL = 16, 15, 14, 13
"""Channels of the marks, from 1."""

LOUDNESS = tuple(DYNAMICS)
"""What the marks for dynamics count."""

MAX_VOICES = 64

MAX_VALUE = 500
"""Characters of a key, voice, tempo or order of sections that are read: searching takes time with their square."""

_FIELD = re.compile(r"([A-Za-z+]):(?![|:])(.*)")
_LENGTH = r"\d*(?:/+\d*)?"
_SIGN = r"[\^_=]{0,3}(?:\d{0,3}/\d{0,3}(?=[A-Ga-g]))?"
_NOTE = rf"(?P<sign>{_SIGN})(?P<letter>[A-Ga-g][,']*)(?P<length>{_LENGTH})(?P<tie>\s*-)?"
_TOKEN = re.compile(
    rf"""
    (?P<text>"[^"]*"?)
  | \+(?P<old_chord>(?!f+\+)[A-Ga-g,']{{2,20}})\+(?P<old_length>{_LENGTH})
  | (?P<decoration>![^!|\n]{{1,40}}!|\+[a-zA-Z0-9.<>()]{{1,40}}\+)
  | (?P<field>\[[A-Za-z]:[^\]]*\]?)
  | (?P<grace>\{{[^}}]*\}}?)
  | (?P<bar>\.?\[?(?::*\|+[\]|]*:*|::+)\]?)
  | (?P<ending>\[\s*\d[\d,.x\-]*)
  | \[(?P<chord>[^\]|]{{0,200}})\](?P<chord_length>{_LENGTH})(?P<chord_tie>\s*-)?
  | (?P<note>{_NOTE})
  | (?P<rest>[zx])(?P<rest_length>{_LENGTH})
  | (?P<bars_rest>[ZX])(?P<count>\d*)
  | (?P<tuplet>\(\d(?::\d?)?(?::\d*)?)
  | (?P<broken>>{{1,3}}|<{{1,3}})
  | (?P<overlay>&+)
  | (?P<space>[\s`]+)
  | (?P<nothing>y{_LENGTH}|[H-WYh-w~.()\\$*;?@!\-])
  | (?P<other>.)
    """,
    re.VERBOSE,
)
_ENDING = re.compile(r"\s*\[?(\d[\d,.x\-]*)")
_IN_CHORD = re.compile(rf'"[^"]*"?|![^!]*!|{_NOTE}|(?P<other>\S)')
_CLEFS = r"(?:treble|bass|alto|tenor|soprano|mezzosoprano|baritone|perc|none)[1-5]?(?:[+-]8)?"


@dataclass
class Voice:
    """What is known of a voice besides its notes.

    Attributes:
        number: from 1, in the plain text.
        name: as the tune has it.
        bars: the signs of its bars; a bar line ends each but the last.
        lines: of the file, in which the bars end.
        chords: the chord symbols, in order.
        program: General MIDI's.
        drums: whether it is for percussion.
        unit: quarters in the unit note length.
        endings: the rounds of the ending that is open.
        begun: whether something has sounded in the last bar.
        label: a section that begins with the next bar.
    """

    number: int
    name: str
    unit: Fraction
    program: int = 0
    bars: list[BarMarks] = field(default_factory=lambda: [BarMarks()])
    lines: list[int] = field(default_factory=list)
    chords: list[str] = field(default_factory=list)
    drums: bool = False
    endings: frozenset[int] = frozenset()
    begun: bool = False
    label: str = ""


class PlainTune:
    """A tune for abc2midi.

    Args:
        lines: of the tune, with their numbers in the file.
        left_out: counts what is not in the text.

    Attributes:
        text: for abc2midi.
        title: may be empty.
        voices: those with music or without, by number.
        sections: the order of sections.
        has_tempo: whether any is given.

    Raises:
        ValueError: for lengths that no note or bar has; the message goes on after the file's name.
    """

    def __init__(self, lines: list[tuple[int, str]], left_out: Counter[str]) -> None:
        self.title = ""
        self.sections: list[str] = []
        self.has_tempo = False
        self._left_out = left_out
        self._meter = Fraction(4)
        self._unit: Fraction | None = None
        self._program = 0
        self._voices: dict[str, Voice] = {}
        self._voice: Voice | None = None
        self._in_body = False
        self._line = 1
        self._made: list[str] = []
        for number, line in lines:
            self._line = number
            self._read_line(re.sub(r"(?<!\\)%.*", "", line) if not line.startswith("%%") else line)

    @property
    def text(self) -> str:
        """Without empty lines, at which abc2midi ends a tune."""
        return "".join(f"{line}\n" for made in self._made for line in made.split("\n") if line.strip())

    @property
    def voices(self) -> list[Voice]:
        """In the order of their numbers."""
        return list(self._voices.values())

    def _read_line(self, line: str) -> None:
        if line.startswith("%%"):
            self._directive(line[2:])
        elif found := _FIELD.match(line):
            if made := self._field(found[1], found[2].strip(), inline=False):
                self._made.append(made)
        elif self._in_body and line.strip():
            self._made.append(self._music(line))

    def _directive(self, text: str) -> None:
        """%%MIDI: instruments, drums, transposition; how else it is to be played is not for us."""
        words = text.split()
        if words[:1] != ["MIDI"]:
            return
        numbers = [int(word) for word in words[2:] if re.fullmatch(r"-?\d{1,3}", word)]
        if words[1:2] == ["program"] and numbers and 0 <= numbers[-1] <= 127:
            if self._voice and self._in_body:
                self._voice.program = numbers[-1]
            else:
                self._program = numbers[-1]
        elif words[1:2] == ["channel"] and numbers == [10]:
            self._current().drums = True
            self._made.append("%%MIDI channel 10")
        elif words[1:2] in (["transpose"], ["rtranspose"]) and numbers and abs(numbers[0]) <= 48:
            self._made.append(f"%%MIDI {words[1]} {numbers[0]}")
        elif re.fullmatch(r"MIDI drummap [\^_=]*[A-Ga-g][,']* \d{1,3}", " ".join(words)):
            self._made.append("%%" + " ".join(words))
        elif words[1:2] == ["drum"]:  # a rhythm that abc2midi adds to every bar
            self._left_out["drum patterns"] += 1
        elif words[1:2] not in (["drumon"], ["drumoff"]):
            self._left_out["ways to play"] += 1

    def _field(self, kind: str, value: str, inline: bool) -> str:
        """What abc2midi gets of a field; nothing of most."""
        made = ""
        value = value[:MAX_VALUE] if kind in "KVPQ" else value
        if kind == "T" and not self.title:
            self.title = " ".join(value.split())
        elif kind == "M":
            made = self._read_meter(value)
        elif kind == "L" and (found := re.match(r"(\d+)(?:/(\d+))?", value)):
            made = self._read_unit(found[1], found[2] or "1")
        elif kind == "Q" and re.search(r"\d", plain := re.sub(r'"[^"]*"?|[^\d/=C ]', "", value)[:40]):
            self.has_tempo = True
            made = f"Q:{plain.strip()}"
        elif kind == "K":
            self._in_body = True
            plain = re.sub(r'\w+\s*=\s*"[^"]*"?|[^\w#^=+\-, /|]', "", value, flags=re.ASCII)[:100].strip()
            made = f"K:{plain}"
        elif kind == "V" and value:
            made = self._read_voice(value)
        elif kind == "P":
            self._read_part(value)
        elif kind == "I" and value.startswith("MIDI"):
            self._directive(re.sub(r"^MIDI\s*=?", "MIDI ", value))
        elif kind in "wW":
            self._left_out["lines of lyrics"] += 1
        return f"[{made}]" if inline and made else made

    def _read_meter(self, value: str) -> str:
        beats, beat = 0, 1
        if value.startswith("C"):
            beats, beat = (2, 2) if value.startswith("C|") else (4, 4)
        elif found := re.match(r"([\d+() ]+)/\s*(\d+)", value):
            numbers = re.findall(r"\d+", found[1])
            beats, beat = check_meter("+".join(numbers), found[2], self._line)
        if not beats or not beat:
            self._meter = Fraction(4)
            self._left_out["impossible metres"] += value.strip().lower() not in ("none", "free", "")
            return "M:none"
        self._meter = Fraction(4 * beats, beat)
        return f"M:{beats}/{beat}"

    def _read_unit(self, above: str, below: str) -> str:
        unit = Fraction(4 * int(above[:12]), max(int(below[:12]), 1))
        check_length(unit, self._line)
        if unit <= 0:
            return ""
        if self._voice:
            self._voice.unit = unit
        else:
            self._unit = unit
        return f"L:{int(above[:12])}/{max(int(below[:12]), 1)}"

    def _read_voice(self, value: str) -> str:
        name, _, rest = value.partition(" ")
        self._voice = voice = self._voices.get(name) or self._new_voice(name)
        properties = {
            key.lower(): (quoted or plain).strip()
            for key, quoted, plain in re.findall(r'([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s"]+))', rest)
        }
        voice.name = properties.get("name") or properties.get("nm") or voice.name
        bare = re.search(rf"(?:^|\s)({_CLEFS})(?=\s|$)", re.sub(r'"[^"]*"', "", rest))
        clef = properties.get("clef") or (bare[1] if bare else "")
        known = re.fullmatch(_CLEFS, clef) is not None
        voice.drums |= known and clef.startswith("perc")
        made = f"V:{voice.number}" + (f" clef={clef}" if known and not voice.drums else "")
        for key in ("octave", "transpose"):
            if re.fullmatch(r"[+-]?\d{1,2}", properties.get(key, "")):
                made += f" {key}={properties[key]}"
        return made + ("\n%%MIDI channel 10" if voice.drums else "") if self._in_body else made

    def _current(self) -> Voice:
        if self._voice is None:
            self._voice = self._voices.get("1") or self._new_voice("1")
        return self._voice

    def _new_voice(self, name: str) -> Voice:
        if len(self._voices) == MAX_VOICES:
            raise ValueError(f"has more than {MAX_VOICES} voices in line {self._line}")
        unit = self._unit or Fraction(1, 4 if self._meter < 3 else 2)
        label = "" if name.isdigit() else name
        self._voices[name] = voice = Voice(len(self._voices) + 1, label, unit, self._program)
        return voice

    def _read_part(self, value: str) -> None:
        if not self._in_body:
            self.sections = sections_of(value)
            self._left_out["orders of sections"] += not self.sections and bool(value)
            return
        voice = self._current()
        if voice.begun:
            voice.label = value[:1]
            return
        empty = voice.bars[-1].label  # a section without music, which an order may name
        self.sections = [label for label in self.sections if label != empty or not empty]
        voice.bars[-1].label = value[:1]

    def _music(self, line: str) -> str:
        made: list[str] = []
        at = 0
        if self._voice is None:
            self._current()
        while at < len(line):
            token = _TOKEN.match(line, at)
            assert token is not None  # the last alternative takes anything
            at = token.end()
            if token["bar"] or token["ending"]:
                ending = _ENDING.match(line, at if token["bar"] else token.start())
                at = ending.end() if ending else at
                made.append(self._bar(token["bar"] or "", ending[1] if ending else ""))
            else:
                made.append(self._sound(token) if token["note"] or token["rest"] else self._other(token))
        return "".join(made)

    def _sound(self, token: re.Match[str]) -> str:
        length = token["length"] if token["note"] else token["rest_length"]
        self._check(length)
        return self._begin() + (self._pitch(token) if token["note"] else f"z{_plain_length(length)}")

    def _pitch(self, token: re.Match[str]) -> str:
        sign = re.sub(r"[\d/]", "", token["sign"])[:2]
        self._left_out["quarter tones"] += sign != token["sign"]
        tie = "-" if token["tie"] else ""
        return f"{sign}{token['letter'][:8]}{_plain_length(token['length'])}{tie}"

    def _other(self, token: re.Match[str]) -> str:
        kind = token.lastgroup
        if token["chord"] is not None:
            return self._chord(token["chord"], token["chord_length"], bool(token["chord_tie"]))
        if token["old_chord"]:
            return self._chord(token["old_chord"], token["old_length"], tied=False)
        if token["text"]:
            return self._text(token["text"].strip('"'))
        if token["decoration"]:
            return self._decoration(token["decoration"][1:-1])
        if token["field"]:
            inner = token["field"].strip("[]")
            made = self._field(inner[0], inner[2:].strip(), inline=inner[0] != "V")
            return f"\n{made}\n" if inner[0] == "V" else made
        if token["grace"]:
            self._left_out["grace notes"] += len(re.findall(r"[A-Ga-g]", token["grace"]))
        elif token["bars_rest"]:
            count = int((token["count"] or "1")[:6])
            check_length(self._meter * count / 16, self._line)
            return self._begin() + f"Z{count} "
        elif kind in ("tuplet", "broken"):
            return token[0]
        elif kind == "overlay":
            return " & "
        elif kind == "other":
            self._left_out["signs that mean nothing"] += 1
        return " " if kind == "space" else ""

    def _chord(self, inside: str, length: str, tied: bool) -> str:
        """A chord, each note tied for itself."""
        notes = []
        for found in _IN_CHORD.finditer(inside):
            if found["letter"]:
                self._check(found["length"])
                notes.append(self._pitch(found).rstrip("-") + ("-" if found["tie"] or tied else ""))
        self._check(length)
        return self._begin() + f"[{''.join(notes)}]{_plain_length(length)}" if notes else ""

    def _text(self, text: str) -> str:
        voice = self._current()
        if sign := sign_of(text):
            put_sign(voice.bars[-1], sign, voice.begun)
        elif text in DYNAMICS:
            return _mark(DYNAMIC_CHANNEL, LOUDNESS.index(text))
        elif re.match(r"\(?[A-G]|N\.?C", text):
            voice.chords.append(text)
            return _mark(CHORD_CHANNEL, len(voice.chords) - 1)
        else:
            self._left_out["texts"] += 1
        return ""

    def _decoration(self, name: str) -> str:
        voice = self._current()
        if name in DYNAMICS:
            return _mark(DYNAMIC_CHANNEL, LOUDNESS.index(name))
        sign = {"segno": "segno sign", "dacoda": "leave"}.get(name.lower()) or sign_of(name)
        if sign == "segno sign" and voice.begun:
            sign = ""
        if sign:
            put_sign(voice.bars[-1], sign, voice.begun)
        return ""

    def _bar(self, sign: str, ending: str) -> str:
        """A bar line, or an ending in the middle of a bar, which begins a bar of its own."""
        voice = self._current()
        before, _, after = sign.partition("|")
        colons = before.count(":") if "|" in sign else len(sign) // 2
        starts = after.count(":") if "|" in sign else len(sign) // 2
        made = ""
        if sign or (ending and voice.begun):
            bar = voice.bars[-1]
            bar.times = max(bar.times, colons + 1 if colons else 1)
            if colons or starts or len(after) > 0 or sign.startswith("["):
                voice.endings = frozenset()
            voice.bars.append(BarMarks(start=starts > 0, endings=voice.endings, label=voice.label))
            voice.lines.append(self._line)
            voice.label, voice.begun = "", False
            number = len(voice.bars) - 1
            made = ("|" if sign else "") + _mark(BAR_CHANNEL, number) + _mark(VOICE_CHANNEL, voice.number)
        if ending:
            voice.endings = voice.bars[-1].endings = _rounds(ending)
        return made

    def _begin(self) -> str:
        """What stands before the first note of a voice."""
        voice = self._current()
        first = not voice.begun and len(voice.bars) == 1
        voice.begun = True
        return _mark(VOICE_CHANNEL, voice.number) if first else ""

    def _check(self, length: str) -> None:
        """Refuse a length that no note has."""
        above, slashes, below = re.fullmatch(r"(\d*)(/*)(\d*)", length).groups()  # type: ignore[union-attr]
        quarters = self._current().unit * int(above[:12] or "1")
        if below:
            quarters /= max(int(below[:12]), 1)
        check_length(quarters / 2 ** (len(slashes) if not below else 0), self._line)


def _plain_length(length: str) -> str:
    """A length without zeros and without more slashes than any note has."""
    above, slashes, below = re.fullmatch(r"(\d*)(/*)(\d*)", length).groups()  # type: ignore[union-attr]
    number = int(above[:6] or "1") or 1
    divisor = min(int(below[:6]) or 1, 256) if below else 2 ** min(len(slashes), 8)
    return ("" if number == 1 else str(number)) + ("" if divisor == 1 else f"/{divisor}")


def _rounds(text: str) -> frozenset[int]:
    """The numbers of an ending such as "1,3" or "1-3"."""
    found: set[int] = set()
    for first, last in re.findall(r"(\d{1,3})(?:-(\d{1,3}))?", text):
        found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found - {0})


def _mark(channel: int, number: int) -> str:
    return f"[I:MIDI=program {channel} {number % 128}]"
