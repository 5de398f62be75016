"""What a person asks of a composition: understood as it is typed, and refused by name where it cannot be had."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import OptionError
from recurra.tasks.music.constraints import (
    DEFAULT_BARS,
    MAX_BARS,
    Controls,
    Given,
    Plan,
    beginning_of,
    parse_meter,
    parse_pitch,
    plan,
    track_named,
    voice_of,
)
from recurra.tasks.music.notation import Notation
from recurra.tasks.music.pieces import Meter, Note, Piece, Track, bar_lines

BAND = Notation(
    kind="notes",
    tracks=(Track("Soprano", 52), Track("Bass", 32), Track("Kit", 0, True)),
    meters=((4, 4), (3, 4), (6, 8)),
    lowest=36,
    highest=84,
    drums=(36, 38),
    durations=(3, 6, 12, 24),
    steps=(1, 3, 6, 12, 24),
    velocity=False,
    frame=0,
    tempo=100.0,
)
SOLO = replace(BAND, tracks=())
FRAMES = replace(BAND, tracks=(), kind="frames", durations=(), drums=(), steps=(12,), frame=12)


def piece(notes: list[Note], bars: int = 2, meters: tuple[Meter, ...] = (Meter(0, 4, 4),)) -> Piece:
    tracks = (Track("Kit", 0, True), Track("Soprano", 52), Track("bass", 32), Track("", 40))
    return Piece("song.mid", tracks, tuple(notes), bars * meters[-1].bar, meters)


SONG = piece([Note(0, 12, 36, 80, 0), Note(0, 12, 72, 80, 1), Note(12, 12, 40, 80, 2), Note(24, 12, 60, 80, 3)])


def refused(controls: Controls, notation: Notation = BAND, **options: Any) -> str:
    with pytest.raises(OptionError) as error:
        plan(controls, notation, **options)
    message = str(error.value)
    assert "\n" not in message
    return message


JIGS = replace(
    SOLO, meters=((6, 8), (1, 8), (3, 16), (3, 4), (1, 4)), pickups=((-1, 0, 1), (1, 0, 2), (2, 0, 1), (-1, 3, 5))
)
"""Of four pieces in 6/8 two begin with an eighth and one with a dotted eighth, of five in 3/4 none with anything."""


class TestPickups:
    @pytest.mark.parametrize(("text", "meter", "ticks"), [
        ("1", None, 6), (" 1.5 ", None, 9), ("3/2", None, 9), ("none", None, 0), ("NONE", None, 0), ("2", None, 12),
        ("1", "3/4", 12), ("1/2", "3/4", 6), ("0.75", "3/4", 9),
    ])  # fmt: skip
    def test_are_beats_before_the_first_whole_bar(self, text: str, meter: str | None, ticks: int) -> None:
        made = plan(Controls(bars=2, pickup=text, meter=meter), JIGS)
        bar = made.meters[-1].bar
        lines = [0, bar, 2 * bar] if not ticks else [0, ticks, ticks + bar, ticks + 2 * bar]
        assert list(made.bar_lines) == lines
        assert made.meters[-1] == Meter(ticks, *((3, 4) if meter else (6, 8)))
        assert len(made.meters) == 1 + (ticks > 0)

    def test_are_as_frequent_as_in_the_corpus(self) -> None:
        chances = (np.arange(1000) + 0.5) / 1000
        firsts = [plan(Controls(bars=1), JIGS, uniform=float(chance)).meters[0].bar for chance in chances]
        assert {ticks: firsts.count(ticks) for ticks in set(firsts)} == {6: 500, 9: 250, 36: 250}
        waltzes = {plan(Controls(bars=1, meter="3/4"), JIGS, uniform=float(chance)).meters for chance in chances}
        assert waltzes == {(Meter(0, 3, 4),)}
        assert plan(Controls(bars=1), JIGS).meters == (Meter(0, 6, 8),), "by itself a plan has none"
        assert plan(Controls(bars=1, pickup="none"), JIGS, uniform=0.0).meters == (Meter(0, 6, 8),)

    def test_belong_to_the_first_chord_and_are_not_counted(self) -> None:
        made = plan(Controls(pickup="1", chords="C | F"), JIGS)
        assert [tick for tick, _ in made.harmony[:3]] == [0, 6 + 36, 6 + 72]
        assert made.harmony[0][1] == {0, 4, 7}
        assert len(made.bar_lines) == 1 + 1 + 16

    @pytest.mark.parametrize("text", ["6", "0", "-1", "1/0", "x", "", "7", "1e3", "1/2/3", "0.0"])
    def test_that_are_none_are_refused(self, text: str) -> None:
        assert "is not a part of a bar of 6/8" in refused(Controls(pickup=text), JIGS)

    def test_that_cannot_be_written_are_refused(self) -> None:
        message = refused(Controls(pickup="1/3"), JIGS)
        assert message == "`pickup` 1/3 is one this model cannot write; its pickups are: 1, 3/2, 2"
        assert refused(Controls(pickup="1"), replace(FRAMES, meters=((6, 8), (1, 8)))).endswith("its pickups are: none")
        begun = piece([Note(0, 12, 60)], 1)
        assert "`prime` has its own beginning" in refused(Controls(pickup="1"), SOLO, prime=begun)
        given = Given((Note(0, 12, 60),), 0)
        assert "`melody` has its own beginning" in refused(Controls(pickup="none"), SOLO, given=given)


class TestPitches:
    @pytest.mark.parametrize(
        ("text", "number"),
        [("C4", 60), ("A4", 69), ("c4", 60), ("F#3", 54), ("Bb5", 82), ("B♭5", 82), ("C-1", 0), ("G9", 127), ("7", 7),
         (" 127 ", 127), ("Cb4", 59), ("B#3", 60)],
    )  # fmt: skip
    def test_known_ones(self, text: str, number: int) -> None:
        assert parse_pitch(text) == number

    @pytest.mark.parametrize("text", ["", "H4", "C", "128", "-1", "C10", "G#9", "Cb-1", "4C", "C4.5", "9" * 5000])
    def test_none(self, text: str) -> None:
        with pytest.raises(OptionError, match="is not a note") as error:
            parse_pitch(text)
        assert len(str(error.value)) < 200

    @given(number=st.integers(0, 127), sharp=st.booleans())
    def test_every_pitch_by_its_name(self, number: int, sharp: bool) -> None:
        names = ("C C# D D# E F F# G G# A A# B" if sharp else "C Db D Eb E F Gb G Ab A Bb B").split()
        assert parse_pitch(f"{names[number % 12]}{number // 12 - 1}") == number


class TestMeters:
    @pytest.mark.parametrize(("text", "expected"), [("3/4", (3, 4)), (" 12 / 8 ", (12, 8)), ("256/32", (256, 32))])
    def test_known_ones(self, text: str, expected: tuple[int, int]) -> None:
        assert parse_meter(text) == Meter(0, *expected)

    @pytest.mark.parametrize("text", ["", "3", "3/", "/4", "0/4", "3/0", "3/5", "3/64", "257/4", "-3/4", "3/4/4", "C"])
    def test_none(self, text: str) -> None:
        with pytest.raises(OptionError, match="is not a metre"):
            parse_meter(text)

    def test_one_the_model_does_not_know(self) -> None:
        message = refused(Controls(meter="5/4"))
        assert message == "`meter` asks for 5/4, which the model does not know; its metres are 4/4, 3/4, 6/8"
        odd = piece([Note(0, 12, 60, 80, 1)], meters=(Meter(0, 5, 4),))
        assert "`prime` has 5/4" in refused(Controls(), prime=odd)
        voice = voice_of(odd, BAND)
        assert "`melody` has 5/4" in refused(Controls(), given=voice, given_meters=odd.meters)

    def test_against_what_is_given(self) -> None:
        message = refused(Controls(meter="3/4"), prime=SONG)
        assert "`meter` 3/4" in message
        assert "`prime`" in message
        message = refused(Controls(meter="3/4"), given=voice_of(SONG, BAND), given_meters=SONG.meters)
        assert "`meter` 3/4" in message
        assert "`melody`" in message
        assert plan(Controls(meter="4/4"), BAND, SONG).meters == SONG.meters

    def test_a_change_within_a_frame(self) -> None:
        meters = (Meter(0, 4, 4), Meter(54, 3, 4))
        assert "within a frame" in refused(Controls(), FRAMES, prime=piece([], meters=meters))


class TestBars:
    def test_sixteen_if_nobody_says(self) -> None:
        assert plan(Controls(), BAND).end == 16 * 48
        assert plan(Controls(meter="6/8"), BAND).end == 16 * 36
        assert plan(Controls(), BAND, SONG).end == 18 * 48
        assert plan(Controls(), BAND, SONG).begin == 2 * 48

    def test_as_many_as_a_melody_has_whichever_note_ends_last(self) -> None:
        notes = (Note(0, 200, 60), Note(12, 12, 64))
        assert plan(Controls(), BAND, given=Given(notes, 0)).end == 5 * 48

    def test_a_pickup_of_what_is_given_is_not_counted(self) -> None:
        meters = (Meter(0, 1, 8), Meter(6, 6, 8))
        tune = replace(piece([Note(0, 6, 60), Note(6, 36, 62), Note(42, 36, 64)], meters=meters), length=78)
        assert beginning_of(tune, 1).length == 42
        assert beginning_of(tune, 2).length == beginning_of(tune).length == 78
        with pytest.raises(OptionError, match=r"asks for 3 bars, but song\.mid has only 2"):
            beginning_of(tune, 3)
        assert plan(Controls(bars=3), JIGS, prime=tune).bar_lines == (0, 6, 42, 78, 114)
        assert len(plan(Controls(), JIGS, prime=tune).bar_lines) == 1 + 1 + 2 + DEFAULT_BARS
        assert "has 2 bars and `bars` asks for 2 in all" in refused(Controls(bars=2), JIGS, prime=tune)
        voice = Given(tune.notes, 0)
        for bars in (2, None):
            made = plan(Controls(bars=bars, chords="Csus2 | C"), JIGS, None, voice, meters)
            assert made.bar_lines == (0, 6, 42, 78)
            assert [tick for tick, _ in made.harmony] == [0, 42]

    def test_changes_of_metre_and_pickups(self) -> None:
        meters = (Meter(0, 1, 4), Meter(12, 3, 4), Meter(12 + 72, 4, 4))
        prime = piece([Note(0, 12, 60, 80, 1)], meters=meters)
        prime = replace(prime, length=12 + 72)
        found = plan(Controls(bars=4), replace(BAND, meters=((1, 4), (3, 4), (4, 4))), prime)
        assert found.bar_lines == (0, 12, 48, 84, 132, 180)
        assert dict(found.meter_at) == {12: 1, 84: 2}
        whole = replace(prime, length=found.end)
        assert tuple(bar_lines(whole)) == found.bar_lines

    def test_bars_that_begin_anew_are_told_to_the_model(self) -> None:
        voice = Given((Note(0, 12, 60),), 0)
        meters = (Meter(0, 4, 4), Meter(30, 4, 4), Meter(30 + 96, 4, 4))
        assert dict(plan(Controls(bars=4), BAND, given=voice, given_meters=meters).meter_at) == {30: 0}

    @pytest.mark.parametrize("bars", [1, 2])
    def test_a_prime_that_is_as_long_already(self, bars: int) -> None:
        message = refused(Controls(bars=bars), prime=SONG)
        assert f"`prime` has 2 bars and `bars` asks for {bars} in all" in message
        eighths = replace(FRAMES, meters=((3, 8),))
        short = piece([Note(0, 12, 60, 80, 1)], bars, (Meter(0, 3, 8),))
        assert "`bars`" in refused(Controls(bars=bars), eighths, prime=short)

    @pytest.mark.parametrize(
        ("options", "name"),
        [({"bars": 0}, "`bars`"), ({"bars": MAX_BARS + 1}, "`bars`"), ({"voices": 0}, "`voices`"),
         ({"voices": 129}, "`voices`")],
    )  # fmt: skip
    def test_numbers_out_of_range(self, options: dict[str, int], name: str) -> None:
        with pytest.raises(OptionError, match=f"{name} is .*, but must be between 1 and"):
            Controls(**options)


def allowed(found: Plan, track: int = 0) -> set[int]:
    return set((np.flatnonzero(found.fits[track]) + found.notation.lowest).tolist())


class TestRanges:
    def test_of_one_track_by_name_or_number_and_of_all(self) -> None:
        for name in ("Soprano", "soprano ", "1"):
            found = plan(Controls(range=(f"{name}=C4-A5",)), BAND)
            assert allowed(found, 0) == set(range(60, 82))
            assert allowed(found, 1) == set(range(36, 85))
        found = plan(Controls(range=("C3-C6", "Soprano=60-127")), BAND)
        assert allowed(found, 0) == set(range(60, 85))
        assert allowed(found, 1) == set(range(48, 85))
        assert allowed(plan(Controls(range=("C-1 - G9",)), BAND)) == set(range(36, 85))

    def test_with_a_key(self) -> None:
        assert allowed(plan(Controls(range=("60-72",), key="D minor"), BAND)) == {60, 62, 64, 65, 67, 69, 70, 72}

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("C4", "write its lowest and highest note, such as C3-C6"),
            ("", "write its lowest and highest note"),
            ("C5-C4", "`range` C5-C4 is upside down: write its lowest note first"),
            ("C4-X", "write its lowest|'X' is not a note"),
            ("100-127", "`range` 100-127 holds no note this model knows; it knows MIDI numbers 36 to 84"),
            ("Tenor=C3-C4", "there is no track 'Tenor'; the model's are: 1 Soprano, 2 Bass, 3 Kit"),
            ("0=C3-C4", "there is no track '0'"),
            ("4=C3-C4", "there is no track '4'"),
            ("=C3-C4", "there is no track ''"),
            ("Kit=C3-C4", "`range` Kit=C3-C4 is of drums"),
            (f"{'1' * 5000}=C3-C4", "there is no track"),
        ],
    )
    def test_what_cannot_be(self, text: str, complaint: str) -> None:
        assert re.search(complaint, refused(Controls(range=(text,))))

    def test_a_name_where_tracks_are_not_told_apart(self) -> None:
        assert "one track only; leave the name out" in refused(Controls(range=("Soprano=C3-C4",)), SOLO)

    def test_a_name_that_several_have(self) -> None:
        twins = replace(BAND, tracks=(Track("Violin", 40), Track("Violin", 40)))
        assert track_named("2", twins) == 1
        with pytest.raises(OptionError, match=r"several tracks are called 'Violin'; .* 1 Violin, 2 Violin"):
            track_named("Violin", twins)


class TestWhatCannotBeHadTogether:
    @pytest.mark.parametrize(
        ("controls", "names"),
        [
            (Controls(key="C major", chords="C | F#"), ("`chords`", "`key`", "quarter 4")),
            (Controls(key="C major", range=("61-61",)), ("`range`", "`key`")),
            (Controls(range=("40-50", "60-70")), ("`range`",)),
            (Controls(range=("Soprano=61-61",), key="C major"), ("`range`", "`key`", "Soprano")),
            (Controls(range=("60-60",), chords="C | G"), ("`range`", "`chords`", "quarter 4")),
            (Controls(range=("60-63",), key="C major", chords="C | Eb"), ("`range`", "`key`", "`chords`")),
        ],
    )
    def test_the_controls_are_named(self, controls: Controls, names: tuple[str, ...]) -> None:
        for notation in (BAND, SOLO) if "Soprano" not in str(controls) else (BAND,):
            message = refused(controls, notation)
            assert all(name in message for name in names), message
            others = {"`key`", "`chords`", "`range`", "`melody`", "`voices`"} - set(names)
            assert not any(name in message for name in others), message

    def test_a_melody_against_the_others(self) -> None:
        voice = Given((Note(0, 12, 61), Note(12, 12, 64), Note(12, 24, 67)), 0)
        for controls, name in [
            (Controls(key="C major"), "`key`"),
            (Controls(range=("Soprano=62-80",)), "`range`"),
            (Controls(chords="| Db C |"), "`chords`"),
            (Controls(voices=1), "`voices`"),
        ]:
            message = refused(controls, given=voice)
            assert name in message
            assert "melody" in message or "given voice" in message
        assert "`melody`" in refused(Controls(), given=Given((Note(0, 12, 20),), 0))

    def test_a_melody_that_fits(self) -> None:
        voice = Given((Note(0, 12, 61), Note(12, 12, 64), Note(12, 24, 67)), 0)
        assert plan(Controls(voices=2), BAND, given=voice).voices == 0
        assert plan(Controls(voices=4), BAND, given=voice).voices == 2
        # Nothing but the voice is in its track, so that what else could be there does not matter.
        assert plan(Controls(range=("Soprano=61-67",), chords="Db Gb", bars=1), BAND, given=voice.__class__(
            (Note(0, 12, 61),), 0)).given  # fmt: skip

    def test_notes_of_a_melody_beyond_the_end_are_left_out_and_cut(self) -> None:
        voice = Given((Note(0, 12, 60), Note(40, 20, 62), Note(50, 12, 30)), 0)
        found = plan(Controls(bars=1), BAND, given=voice).given
        assert found is not None
        assert found.notes == (Note(0, 12, 60), Note(40, 8, 62))


class TestVoices:
    def test_the_first_that_has_notes_and_is_no_drum(self) -> None:
        assert voice_of(SONG, BAND) == Given((SONG.notes[1],), 0)

    @pytest.mark.parametrize(("track", "pitch", "place"), [("soprano", 72, 0), ("3", 40, 0), ("4", 60, 0)])
    def test_by_name_or_number(self, track: str, pitch: int, place: int) -> None:
        voice = voice_of(SONG, BAND, track)
        assert [note.pitch for note in voice.notes] == [pitch]
        assert voice.track == place

    def test_it_is_played_by_the_track_of_its_name_but_never_by_drums(self) -> None:
        names = replace(BAND, tracks=(Track("Kit", 0, True), Track("x"), Track("Soprano")))
        assert voice_of(SONG, names).track == 2
        assert voice_of(SONG, names, "bass").track == 1
        kit = replace(SONG, tracks=(Track("Kit"), *SONG.tracks[1:]))
        assert voice_of(kit, names).track == 1
        with pytest.raises(OptionError, match="only drums"):
            voice_of(SONG, replace(BAND, tracks=(Track("Kit", 0, True),)))

    @pytest.mark.parametrize("track", ["1", "Kit", "5", "tenor"])
    def test_none_such(self, track: str) -> None:
        with pytest.raises(OptionError, match=r"song\.mid has no track .*; its tracks are: 2 Soprano, 3 bass, 4"):
            voice_of(SONG, BAND, track)

    def test_nothing_but_drums(self) -> None:
        drums = replace(SONG, notes=SONG.notes[:1])
        with pytest.raises(OptionError, match=r"song\.mid has no voice to harmonise"):
            voice_of(drums, BAND)


@given(
    chords=st.lists(st.sampled_from(["C", "Am", "F#", "N.C.", "G7"]), min_size=1, max_size=6),
    bars=st.integers(1, 5),
    data=st.data(),
)
def test_how_long_a_pitch_class_may_sound(chords: list[str], bars: int, data: st.DataObject) -> None:
    found = plan(Controls(bars=bars, chords=f"| {' '.join(chords)} |"), SOLO)
    sets = {"C": {0, 4, 7}, "Am": {9, 0, 4}, "F#": {6, 10, 1}, "N.C.": set(range(12)), "G7": {7, 11, 2, 5}}
    time = data.draw(st.integers(0, found.end - 1))
    for pitch_class, end in enumerate(found.latest_ends(time)):
        expected = time
        while expected < found.end and pitch_class in sets[chords[expected % 48 * len(chords) // 48]]:
            expected += 1
        assert end == expected


def test_where_nothing_may_be_passed_by() -> None:
    voice = Given((Note(3, 12, 60), Note(30, 6, 62), Note(30, 6, 65)), 0)
    found = plan(Controls(bars=1), BAND, given=voice)
    assert [found.next_stop(time) for time in (0, 3, 29, 30)] == [3, 30, 30, 48]
    assert dict(found.given_at) == {3: (60,), 30: (62, 65)}
    in_frames = plan(Controls(bars=1), FRAMES, given=voice)
    assert dict(in_frames.given_at) == {12: (60,)}
