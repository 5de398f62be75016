"""Keys, scales and chords against music21's."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import OptionError
from recurra.tasks.music.harmony import (
    ANY,
    CHORDS,
    SCALES,
    Chord,
    Key,
    estimate_key,
    parse_chord,
    parse_progression,
    parse_scale,
    spans,
)
from recurra.tasks.music.pieces import Note

C_MAJOR = {0, 2, 4, 5, 7, 9, 11}

ROOTS = ("C", "C#", "Db", "D", "D#", "Eb", "E", "F", "F#", "Gb", "G", "Ab", "A", "A#", "Bb", "B", "Cb")

MUSIC21_NAMES = {
    "": "",
    "m": "m",
    "dim": "dim",
    "aug": "aug",
    "5": "power",
    "sus2": "sus2",
    "sus4": "sus4",
    "6": "6",
    "m6": "m6",
    "69": "6add9",
    "m69": "m6add9",
    "add9": "add9",
    "madd9": "madd9",
    "add11": "add11",
    "7": "7",
    "maj7": "maj7",
    "m7": "m7",
    "mmaj7": "mM7",
    "m7b5": "m7b5",
    "dim7": "dim7",
    "7b5": "dom7dim5",
    "7#5": "aug7",
    "maj7#5": "+M7",
    "7sus4": "7sus4",
    "7b9": "7b9",
    "7#9": "7#9",
    "7#11": "7#11",
    "maj7#11": "maj7#11",
    "9": "9",
    "maj9": "M9",
    "m9": "m9",
    "mmaj9": "mM9",
    "9#5": "+9",
    "11": "11",
    "maj11": "M11",
    "m11": "m11",
    "13": "13",
    "maj13": "M13",
    "m13": "m13",
}
"""What music21 calls a quality; those it does not know are in `BY_HAND`."""

BY_HAND = {
    "maj7b5": "C E Gb B",
    "7sus2": "C D G Bb",
    "7b13": "C E G Bb Ab",
    "9b5": "C E Gb Bb D",
    "9sus4": "C F G Bb D",
}


def classes(names: str) -> set[int]:
    """Pitch classes by counting from C."""
    order = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
    return {order.index(name) for name in names.split()}


def test_every_quality_has_an_oracle() -> None:
    assert {*MUSIC21_NAMES, *BY_HAND} == set(CHORDS)


@pytest.mark.parametrize("quality", MUSIC21_NAMES)
def test_chords_as_in_music21(quality: str) -> None:
    harmony = pytest.importorskip("music21.harmony")
    for root in ("C", "F#", "Bb"):
        figure = root.replace("b", "-") + MUSIC21_NAMES[quality]
        assert parse_chord(root + quality) == set(harmony.ChordSymbol(figure).pitchClasses), figure


@pytest.mark.parametrize(("quality", "notes"), BY_HAND.items())
def test_chords_music21_does_not_know(quality: str, notes: str) -> None:
    assert parse_chord("C" + quality) == classes(notes)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        *[(name, "C") for name in ("CM", "Cmaj", "Cmajor", "CMaj")],
        *[(name, "Cm") for name in ("Cmin", "C-", "Cmi", "Cminor")],
        *[(name, "Cdim") for name in ("Co", "C°")],
        *[(name, "Cmaj7") for name in ("CM7", "CΔ", "CΔ7", "CMaj7", "Cma7", "C^7", "Cmajor7")],
        *[(name, "Cm7") for name in ("Cmin7", "C-7", "Cmi7")],
        *[(name, "Cm7b5") for name in ("Cø", "Cø7", "Cm7(b5)", "C-7b5", "Cm7♭5")],
        *[(name, "Cdim7") for name in ("Co7", "C°7")],
        *[(name, "Cmmaj7") for name in ("CmM7", "Cm(maj7)", "CminMaj7", "C-Δ7", "Cm-maj7")],
        *[(name, "C7#5") for name in ("C+7", "C7+", "Caug7", "C7♯5")],
        *[(name, "Caug") for name in ("C+",)],
        *[(name, "Csus4") for name in ("Csus",)],
        *[(name, "C69") for name in ("C6/9", "C6add9")],
        *[(name, "Cmadd9") for name in ("Cm(add9)", "Cmin(add9)", "Cmadd2")],
        *[(name, "C7sus4") for name in ("C7sus",)],
        *[(name, "C7b9") for name in ("C7(b9)", "C7♭9")],
        *[(name, "Bbm7") for name in ("B♭m7", "A#-7")],
    ],
)
def test_other_spellings(written: str, plain: str) -> None:
    assert parse_chord(written) == parse_chord(plain)


def test_bass() -> None:
    assert parse_chord("C/E") == classes("C E G")
    assert parse_chord("C/Bb") == classes("C E G Bb")
    assert parse_chord("Am7/F#") == classes("A C E G Gb")
    assert parse_chord("C6/9/G") == classes("C D E G A")
    assert parse_chord("N.C.") == parse_chord("n.c.") == ANY


@given(st.sampled_from(ROOTS), st.sampled_from(sorted(CHORDS)), st.sampled_from(ROOTS))
def test_chords_move_with_their_root(root: str, quality: str, bass: str) -> None:
    (shift,) = parse_chord(root + "5") - {(tone + 7) % 12 for tone in parse_chord(root + "5")}
    moved = {(tone + shift) % 12 for tone in parse_chord("C" + quality)}
    assert parse_chord(root + quality) == moved
    (low,) = parse_chord(bass + "5") - {(tone + 7) % 12 for tone in parse_chord(bass + "5")}
    assert parse_chord(f"{root}{quality}/{bass}") == moved | {low}


@pytest.mark.parametrize("symbol", ["", "H", "c", "am", "Cx7", "C/H", "C7b", "Cmaj7maj7", "C//E", "C/E/G", "7", "Cm#"])
def test_unknown_chords(symbol: str) -> None:
    with pytest.raises(OptionError, match="is not a chord"):
        parse_chord(symbol)


@given(st.text(max_size=12))
def test_any_text_is_a_chord_or_an_option_error(text: str) -> None:
    for parse in (parse_chord, parse_scale, parse_progression):
        try:
            found = parse(text)
        except OptionError as error:
            found = (str(error),)
            one_line = str(error).isprintable()
        else:
            one_line = True
        assert found
        assert one_line


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("C major", "C D E F G A B"),
        ("C", "C D E F G A B"),
        ("c MAJOR scale", "C D E F G A B"),
        ("c minor", "C D Eb F G Ab Bb"),
        ("Cm", "C D Eb F G Ab Bb"),
        ("cm", "C D Eb F G Ab Bb"),
        ("CM", "C D E F G A B"),
        ("Am", "A B C D E F G"),
        ("F#m", "Gb Ab A B Db D E"),
        ("f♯ minor", "Gb Ab A B Db D E"),
        ("F sharp minor", "Gb Ab A B Db D E"),
        ("Eb", "Eb F G Ab Bb C D"),
        ("E-flat major", "Eb F G Ab Bb C D"),
        ("bb major", "Bb C D Eb F G A"),
        ("b minor", "B Db D E Gb G A"),
        ("A harmonic minor", "A B C D E F Ab"),
        ("a melodic-minor", "A B C D E Gb Ab"),
        ("A natural minor", "A B C D E F G"),
        ("D dorian", "C D E F G A B"),
        ("E Phrygian", "C D E F G A B"),
        ("F lydian", "C D E F G A B"),
        ("G mixolydian", "C D E F G A B"),
        ("A aeolian", "C D E F G A B"),
        ("B locrian", "C D E F G A B"),
        ("C ionian", "C D E F G A B"),
        ("A minor pentatonic", "A C D E G"),
        ("Am pentatonic", "A C D E G"),
        ("C pentatonic", "C D E G A"),
        ("C blues", "C Eb F Gb G Bb"),
        ("B blues", "B D E F Gb A"),
        ("whole tone", "C D E Gb Ab Bb"),
        ("Db whole-tone", "Db Eb F G A B"),
        ("Chromatic", "C Db D Eb E F Gb G Ab A Bb B"),
    ],
)
def test_scales(text: str, notes: str) -> None:
    assert parse_scale(text) == classes(notes)


@pytest.mark.parametrize("name", ["dorian", "phrygian", "lydian", "mixolydian", "locrian", "minor", "major"])
def test_modes_as_in_music21(name: str) -> None:
    scale = pytest.importorskip("music21.scale")
    theirs = getattr(scale, f"{name.capitalize()}Scale")("F#").getPitches("F#3", "F#4")
    assert parse_scale(f"F# {name}") == {pitch.pitchClass for pitch in theirs}


@pytest.mark.parametrize("text", ["", "H minor", "minor", "C foo", "dorian", "C major minor", "C#b", "3"])
def test_unknown_scales(text: str) -> None:
    with pytest.raises(OptionError, match=r"is not a scale.*harmonic minor"):
        parse_scale(text)


def test_a_small_letter_alone_is_ambiguous() -> None:
    with pytest.raises(OptionError, match="write 'eb major' or 'eb minor'"):
        parse_scale("eb")


def written(text: str) -> list[tuple[str, str]]:
    return [(chord.symbol, str(chord.bars)) for chord in parse_progression(text)]


def test_progressions() -> None:
    assert written("C | Am | F G7 | C") == [("C", "1"), ("Am", "1"), ("F", "1/2"), ("G7", "1/2"), ("C", "1")]
    assert written("C Am F G7") == [("C", "1"), ("Am", "1"), ("F", "1"), ("G7", "1")]
    assert written("| C Am  F |") == [("C", "1/3"), ("Am", "1/3"), ("F", "1/3")]
    assert written("C, Am - G7(b9) → F") == [("C", "1"), ("Am", "1"), ("G7(b9)", "1"), ("F", "1")]
    assert written("C || G\n|\nC") == [("C", "1"), ("G", "1"), ("C", "1")]
    assert [chord.pitch_classes for chord in parse_progression("C|G/B")] == [classes("C E G"), classes("G B D")]


def test_repeats() -> None:
    assert written("C % | %") == [("C", "1/2"), ("C", "1/2")] * 2
    assert written("F G7 | % | C") == [("F", "1/2"), ("G7", "1/2"), ("F", "1/2"), ("G7", "1/2"), ("C", "1")]
    assert written("C | % G / /") == [("C", "1"), ("C", "1/4"), ("G", "1/4"), ("G", "1/4"), ("G", "1/4")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "progression is empty"),
        (" | ", "progression is empty"),
        ("C | | G", "bar 2 of the chord progression is empty"),
        ("C | F Xm | G", "bar 2 of the chord progression: 'Xm' is not a chord"),
        ("C F Gfoo", "bar 3 of the chord progression: 'Gfoo' is not a chord"),
        ("% | C", "bar 1 of the chord progression: '%' is not a chord"),
    ],
)
def test_bad_progressions(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_progression(text)


def test_spans_by_hand() -> None:
    c, f, g = (classes(names) for names in ("C E G", "F A C", "G B D"))
    chords = parse_progression("C | F G")
    assert spans(chords, [0, 48, 96, 132], 168) == [(0, c), (48, f), (72, g), (96, c), (132, f), (150, g)]
    assert spans(chords, [12, 60], 100) == [(12, c), (60, f), (80, g)]
    assert spans(chords, [0, 48], 48) == [(0, c)]
    assert spans(chords, [], 48) == []
    assert spans(parse_progression("C F G |"), [0, 2], 4) == [(0, f), (1, g), (2, f), (3, g)]
    long = [Chord("C", frozenset(c), Fraction(3, 2)), Chord("F", frozenset(f), Fraction(1, 2))]
    assert spans(long, [0, 48, 84], 100) == [(0, c), (66, f), (84, c)]
    for bad in ([], [Chord("C", frozenset(c), Fraction(0))]):
        with pytest.raises(ValueError, match="must last"):
            spans(bad, [0], 48)


@given(
    st.lists(st.lists(st.sampled_from(["C", "Am", "F", "G7"]), min_size=1, max_size=4), min_size=1, max_size=4),
    st.lists(st.sampled_from([12, 36, 48, 72]), min_size=1, max_size=12),
)
def test_spans_tick_by_tick(bars: list[list[str]], lengths: list[int]) -> None:
    found = dict(spans(parse_progression(" | ".join(" ".join(bar) for bar in bars) + " |"),
                       [sum(lengths[:place]) for place in range(len(lengths))], sum(lengths)))  # fmt: skip
    tick, allowed = 0, None
    for number, length in enumerate(lengths):
        bar = bars[number % len(bars)]
        for place in range(length):
            allowed = found.get(tick, allowed)
            assert allowed == parse_chord(bar[place * len(bar) // length])
            tick += 1


@given(st.integers(0, 11), st.sampled_from(["major", "minor"]))
def test_keys_move_with_their_notes(tonic: int, mode: str) -> None:
    chords = (0, 4, 7, 5, 9, 0, 7, 11, 2, 0) if mode == "major" else (0, 3, 7, 5, 8, 0, 7, 11, 2, 0)
    key = estimate_key([Note(0, 12, 60 + tonic + pitch) for pitch in chords])
    assert key == Key(tonic, mode)
    assert key.scale == parse_scale(key.name) == {(tonic + step) % 12 for step in SCALES[mode]}


def test_keys_as_in_music21() -> None:
    corpus, discrete = (pytest.importorskip(f"music21.{name}") for name in ("corpus", "analysis.discrete"))
    for name in ("bach/bwv66.6", "bach/bwv253", "bach/bwv269", "bach/bwv347", "bach/bwv26.6", "bach/bwv5.7"):
        score = corpus.parse(name)
        notes = [
            Note(int(note.offset * 12), max(1, round(note.quarterLength * 12)), pitch.midi)
            for note in score.flatten().notes
            for pitch in note.pitches
        ]
        theirs = discrete.TemperleyKostkaPayne(score).getSolution(score)
        assert estimate_key(notes) == (theirs.tonic.pitchClass, theirs.mode), name


def test_no_notes_no_key() -> None:
    with pytest.raises(ValueError, match="without notes"):
        estimate_key([])
    assert estimate_key([Note(0, 12, pitch) for pitch in range(60, 72)]) == Key(0, "major")
