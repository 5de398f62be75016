"""Keys, scales and chord progressions as people type them, as pitch classes (C is 0, B is 11)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import cycle
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from recurra.errors import OptionError
from recurra.tasks.music.pieces import Note

PitchClasses = frozenset[int]

LETTERS: Mapping[str, int] = MappingProxyType({"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11})

ANY: PitchClasses = frozenset(range(12))
"""Allowed where there is no chord."""

SCALES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "major": (0, 2, 4, 5, 7, 9, 11),
        "minor": (0, 2, 3, 5, 7, 8, 10),
        "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
        "melodic minor": (0, 2, 3, 5, 7, 9, 11),
        "dorian": (0, 2, 3, 5, 7, 9, 10),
        "phrygian": (0, 1, 3, 5, 7, 8, 10),
        "lydian": (0, 2, 4, 6, 7, 9, 11),
        "mixolydian": (0, 2, 4, 5, 7, 9, 10),
        "locrian": (0, 1, 3, 5, 6, 8, 10),
        "major pentatonic": (0, 2, 4, 7, 9),
        "minor pentatonic": (0, 3, 5, 7, 10),
        "blues": (0, 3, 5, 6, 7, 10),
        "major blues": (0, 2, 3, 4, 7, 9),
        "whole tone": (0, 2, 4, 6, 8, 10),
        "chromatic": tuple(range(12)),
    }
)
"""Semitones above the tonic; "minor" is the natural one, of the melodic minor it is the rising form."""

_SCALE_ALIASES = {
    "": "major",
    "M": "major",
    "maj": "major",
    "ionian": "major",
    "m": "minor",
    "min": "minor",
    "natural minor": "minor",
    "aeolian": "minor",
    "pentatonic": "major pentatonic",
    "m pentatonic": "minor pentatonic",
    "minor blues": "blues",
}

CHORDS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "": (0, 4, 7),
        "m": (0, 3, 7),
        "dim": (0, 3, 6),
        "aug": (0, 4, 8),
        "5": (0, 7),
        "sus2": (0, 2, 7),
        "sus4": (0, 5, 7),
        "6": (0, 4, 7, 9),
        "m6": (0, 3, 7, 9),
        "69": (0, 2, 4, 7, 9),
        "m69": (0, 2, 3, 7, 9),
        "add9": (0, 2, 4, 7),
        "madd9": (0, 2, 3, 7),
        "add11": (0, 4, 5, 7),
        "7": (0, 4, 7, 10),
        "maj7": (0, 4, 7, 11),
        "m7": (0, 3, 7, 10),
        "mmaj7": (0, 3, 7, 11),
        "m7b5": (0, 3, 6, 10),
        "dim7": (0, 3, 6, 9),
        "7b5": (0, 4, 6, 10),
        "7#5": (0, 4, 8, 10),
        "maj7b5": (0, 4, 6, 11),
        "maj7#5": (0, 4, 8, 11),
        "7sus2": (0, 2, 7, 10),
        "7sus4": (0, 5, 7, 10),
        "7b9": (0, 1, 4, 7, 10),
        "7#9": (0, 3, 4, 7, 10),
        "7#11": (0, 4, 6, 7, 10),
        "maj7#11": (0, 4, 6, 7, 11),
        "7b13": (0, 4, 7, 8, 10),
        "9": (0, 2, 4, 7, 10),
        "maj9": (0, 2, 4, 7, 11),
        "m9": (0, 2, 3, 7, 10),
        "mmaj9": (0, 2, 3, 7, 11),
        "9b5": (0, 2, 4, 6, 10),
        "9#5": (0, 2, 4, 8, 10),
        "9sus4": (0, 2, 5, 7, 10),
        "11": (0, 2, 4, 5, 7, 10),
        "maj11": (0, 2, 4, 5, 7, 11),
        "m11": (0, 2, 3, 5, 7, 10),
        "13": (0, 2, 4, 5, 7, 9, 10),
        "maj13": (0, 2, 4, 5, 7, 9, 11),
        "m13": (0, 2, 3, 5, 7, 9, 10),
    }
)
"""Semitones above the root; elevenths and thirteenths with every third below them."""

CHORD_ALIASES = {
    "maj": "",
    "dom7": "7",
    "aug7": "7#5",
    "7aug": "7#5",
    "augmaj7": "maj7#5",
    "aug9": "9#5",
    "maj6": "6",
    "maj69": "69",
    "6add9": "69",
    "add2": "add9",
    "madd2": "madd9",
    "add4": "add11",
    "mmin7": "m7",
}
"""Further ways to write a quality, once it is spelled by `SPELLINGS`."""

SPELLINGS = (
    (r"[()\[\],]", ""),
    (r"^(?:minor|min|mi|m?-)", "m"),
    (r"(?:Δ|△|\^)(?:7|(?!\d))", "maj7"),
    (r"Δ|△|\^", "maj"),
    (r"^(m?)(?:major|Major|Maj|MAJ|ma(?=\d|$)|M|maj)", r"\1maj"),
    (r"^(aug|\+)(?:Maj|M)", r"\1maj"),
    (r"^(?:ø|Ø)7?", "m7b5"),
    (r"^[o°º]", "dim"),
    (r"\+$|^\+", "aug"),
    (r"sus(?!\d)", "sus4"),
    (r"6/9", "69"),
)
"""Ways to write a quality, made into one, in this order."""

_ACCIDENTALS = str.maketrans({"♯": "#", "♭": "b", "𝄪": "x", "\u2212": "-", "\u2013": "-"})
_TONIC = re.compile(r"([A-Ga-g])(?:[ -]?(sharp|flat)\b|(##|bb|x|#|b)|)\s*(.*)", re.DOTALL)
_CHORD = re.compile(r"([A-G])(##|bb|#|b|)(.*?)(?:/([A-G])(##|bb|#|b|))?")
_SHIFTS = {"": 0, "#": 1, "sharp": 1, "b": -1, "flat": -1, "##": 2, "x": 2, "bb": -2}

REPEAT = ("%", "/")
"""Stand for what was before."""

SILENCES = ("N.C.", "NC", "N.C")

# Temperley 2007, "Music and Probability": in what share of the segments of the Kostka-Payne corpus, with the tonic at
# 0, each pitch class occurs. On chorales it finds the right signature more often than the older profile of listeners'
# ratings (Krumhansl and Kessler 1982): of 58, 51 against 43.
_MAJOR_PROFILE = (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400)
_MINOR_PROFILE = (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330)

_TONIC_NAMES = {
    "major": ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"),
    "minor": ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"),
}


class Chord(NamedTuple):
    """A chord of a progression: its symbol as typed, the pitch classes it allows, how many bars it lasts."""

    symbol: str
    pitch_classes: PitchClasses
    bars: Fraction


class ChordTones(NamedTuple):
    """What a chord symbol says: the pitch class of its root, semitones above it, the pitch class of another bass."""

    root: int
    intervals: tuple[int, ...]
    bass: int | None


class Key(NamedTuple):
    """A key: `tonic` is a pitch class, `mode` "major" or "minor"."""

    tonic: int
    mode: str

    @property
    def name(self) -> str:
        """As people write it: "F# minor"."""
        return f"{_TONIC_NAMES[self.mode][self.tonic]} {self.mode}"

    @property
    def scale(self) -> PitchClasses:
        """Its pitch classes; of a minor key, those of the natural minor."""
        return _above(self.tonic, SCALES[self.mode])


def parse_scale(text: str) -> PitchClasses:
    """The pitch classes of "C major", "f# harmonic minor", "B♭ dorian", "Am", "Eb" or "chromatic".

    Without a tonic, "whole tone" begins on C. A small letter alone is refused: to some it is minor.

    Raises:
        OptionError: if the text names no known scale.
    """
    written = " ".join(text.translate(_ACCIDENTALS).split())
    if written.casefold().replace("-", " ") in ("chromatic", "whole tone"):
        return _above(0, SCALES[written.casefold().replace("-", " ")])
    match = _TONIC.fullmatch(written)
    name = _scale_name(match[4]) if match else None
    if match is None or name is None:
        raise OptionError(
            f"{text[:40]!r} is not a scale: write a tonic and one of {', '.join(SCALES)}, such as 'F# minor'"
        )
    if not match[4] and match[1].islower():
        raise OptionError(f"the scale {text!r} may be major or minor: write '{text} major' or '{text} minor'")
    return _above(LETTERS[match[1].upper()] + _SHIFTS[match[2] or match[3] or ""], SCALES[name])


def _scale_name(written: str) -> str | None:
    """The name in `SCALES` of what follows a tonic; only "M" and "m" differ by their case."""
    plain = written if written == "M" else re.sub(r"[\s-]+", " ", written.casefold()).removesuffix(" scale").strip()
    name = _SCALE_ALIASES.get(plain, plain)
    return name if name in SCALES else None


def parse_chord(symbol: str) -> PitchClasses:
    """The pitch classes of one chord symbol; the bass after a slash is one of them, and "N.C." allows all.

    Raises:
        OptionError: if it is not known.
    """
    tones = chord_tones(symbol)
    if tones is None:
        return ANY
    return _above(tones.root, tones.intervals) | _above(0, [] if tones.bass is None else [tones.bass])


def chord_tones(symbol: str) -> ChordTones | None:
    """What one chord symbol says; nothing of "N.C.".

    Raises:
        OptionError: if it is not known.
    """
    written = symbol.translate(_ACCIDENTALS)
    if written.upper() in SILENCES:
        return None
    match = _CHORD.fullmatch(written)
    if match is None:
        raise OptionError(f"{symbol[:40]!r} is not a chord: it begins with its root, a capital letter from A to G")
    quality = match[3]
    for pattern, plain in SPELLINGS:
        quality = re.sub(pattern, plain, quality)
    quality = CHORD_ALIASES.get(quality, quality)
    if quality not in CHORDS:
        known = ", ".join(name for name in CHORDS if name)
        raise OptionError(
            f"{symbol[:40]!r} is not a chord: after the root may come nothing, {known}, or a bass as in C/E"
        )
    bass = (LETTERS[match[4]] + _SHIFTS[match[5]]) % 12 if match[4] else None
    return ChordTones((LETTERS[match[1]] + _SHIFTS[match[2]]) % 12, CHORDS[quality], bass)


def parse_progression(text: str) -> tuple[Chord, ...]:
    """The chords of "C | Am | F G7 | C": chords that share a bar share it equally; without "|" each has its bar.

    Among chords, "%" and "/" stand for the chord before; alone in a bar, for the whole bar before.

    Raises:
        OptionError: if there is no chord or one is not known; the message names it and its bar.
    """
    bars = [_symbols(bar) for bar in re.split(r"\|+", re.sub(r"^\s*\|+|\|+\s*$", "", text))]
    if len(bars) == 1 and "|" not in text:
        bars = [[symbol] for symbol in bars[0]]
    if not any(bars):
        raise OptionError("the chord progression is empty: write one such as 'C | Am | F G7 | C'")
    parsed: list[list[Chord]] = []
    for number, symbols in enumerate(bars, 1):
        if not symbols:
            raise OptionError(f"bar {number} of the chord progression is empty: write % to repeat what was before")
        parsed.append(_parse_bar(number, symbols, parsed[-1] if parsed else []))
    return tuple(chord for bar in parsed for chord in bar)


def _symbols(bar: str) -> list[str]:
    """Chord symbols parted by spaces, by commas outside brackets, or by dashes that stand alone."""
    parts = re.split(r"[\s,]+(?![^(]*\))", bar)
    return [part for part in parts if part not in ("", "-", "\u2013", "\u2014", "->", "→")]


def _parse_bar(number: int, symbols: Sequence[str], before: Sequence[Chord]) -> list[Chord]:
    if list(symbols) == ["%"] and before:
        return list(before)
    bar: list[Chord] = []
    for symbol in symbols:
        last = (*before, *bar)[-1:]
        if symbol in REPEAT and last:
            bar.append(last[0]._replace(bars=Fraction(1, len(symbols))))
            continue
        try:
            bar.append(Chord(symbol, parse_chord(symbol), Fraction(1, len(symbols))))
        except OptionError as error:
            raise OptionError(f"bar {number} of the chord progression: {error}") from None
    return bar


def spans(chords: Sequence[Chord], bar_lines: Sequence[int], end: int) -> list[tuple[int, PitchClasses]]:
    """When each chord of a progression begins, which is repeated until `end`.

    Args:
        chords: at least one; each lasts some part of a bar.
        bar_lines: the ticks at which bars begin, rising; bars may differ in length, the last ends at `end`.
        end: the tick at which the music ends.

    Returns:
        (tick from which on, pitch classes allowed), rising. Within a bar a border is rounded down to a whole tick; a
        chord for which no tick is left is not there.
    """
    if not chords or any(chord.bars <= 0 for chord in chords):
        raise ValueError("a progression needs chords, and each must last")
    borders = [tick for tick in bar_lines if tick < end] + [end]
    found: dict[int, PitchClasses] = {}
    index = Fraction(0)
    for chord in cycle(chords):
        bar = int(index)
        if bar >= len(borders) - 1:
            return list(found.items())
        begin = borders[bar]
        found[begin + int((index - bar) * (borders[bar + 1] - begin))] = chord.pitch_classes
        index += chord.bars
    raise AssertionError("a cycle does not end")


def estimate_key(notes: Iterable[Note]) -> Key:
    """The key whose profile correlates best with how long each pitch class sounds.

    The algorithm is Krumhansl and Schmuckler's (Krumhansl 1990, chapter 4), the profiles are Temperley's. Of equally
    good keys it is the first, majors before minors, from C upwards.

    Args:
        notes: without drums; at least one.
    """
    weights = np.zeros(12)
    for note in notes:
        weights[note.pitch % 12] += note.duration
    if not weights.any():
        raise ValueError("without notes there is no key")
    centred = weights - weights.mean()
    profiles = np.array([np.roll(p, tonic) for p in (_MAJOR_PROFILE, _MINOR_PROFILE) for tonic in range(12)])
    profiles -= profiles.mean(axis=1, keepdims=True)
    best = int((profiles @ centred / np.linalg.norm(profiles, axis=1)).argmax())
    return Key(best % 12, "minor" if best >= 12 else "major")


def _above(root: int, semitones: Iterable[int]) -> PitchClasses:
    return frozenset((root + step) % 12 for step in semitones)
