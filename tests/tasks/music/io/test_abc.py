"""ABC in: each construct against what the standard (abcnotation.com, 2.1) says it sounds like."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recurra.errors import RecurraError
from recurra.tasks.music.io import abc2midi
from recurra.tasks.music.io.abc import read_abc
from recurra.tasks.music.pieces import Meter, Piece, Tempo, Track

pytest.importorskip("symusic")

Read = Callable[..., tuple[Piece, ...]]

NAMES = ("C", "^C", "D", "^D", "E", "F", "^F", "G", "^G", "A", "^A", "B")


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def from_text(music: str, head: str = "M:4/4\nL:1/4\nK:C", expand: bool = True) -> tuple[Piece, ...]:
        path = tmp_path / "tune.abc"
        path.write_text(f"X:1\n{head}\n{music}\n" if head else music, encoding="utf-8")
        return read_abc(path, expand)

    return from_text


def sounds(piece: Piece, track: int = 0) -> str:
    """The notes of a track: names, octaves from middle C, onset and duration in quarters of a beat."""
    found = [note for note in piece.notes if note.track == track]
    return " ".join(f"{NAMES[n.pitch % 12]}{n.pitch // 12 - 5}:{n.onset / 12:g}+{n.duration / 12:g}" for n in found)


@pytest.mark.parametrize(
    ("music", "wanted"),
    [
        ("CDEF|", "C0:0+1 D0:1+1 E0:2+1 F0:3+1"),
        ("C,c c'2|", "C-1:0+1 C1:1+1 C2:2+2"),
        ("C/ D// E3/2 F/2 G|", "C0:0+0.5 D0:0.5+0.25 E0:0.75+1.5 F0:2.25+0.5 G0:2.75+1"),
        ("C>D E<F|", "C0:0+1.5 D0:1.5+0.5 E0:2+0.5 F0:2.5+1.5"),
        ("(3CDE F2|", "C0:0+0.666667 D0:0.666667+0.666667 E0:1.33333+0.666667 F0:2+2"),
        ("^FF=F F|F4|", "^F0:0+1 ^F0:1+1 F0:2+1 F0:3+1 F0:4+4"),
        ("[CE]2 [GB]2|", "C0:0+2 E0:0+2 G0:2+2 B0:2+2"),
        ("[CE]2-[CE]2|[CE-]4|E4|", "C0:0+4 E0:0+4 C0:4+4 E0:4+8"),  # a chord that is tied is not struck again
        ("C2-C2-|C4|", "C0:0+8"),
        ("C z x C|Z|C4|", "C0:0+1 C0:3+1 C0:8+4"),
        ("C z3|Z2|C4|", "C0:0+1 C0:12+4"),
        ("C2 y D2 y20|E4|", "C0:0+2 D0:2+2 E0:4+4"),
        ("C4 & EFGA|C4|", "C0:0+4 E0:0+1 F0:1+1 G0:2+1 A0:3+1 C0:4+4"),
        ("C2[K:D]C2|F4|", "C0:0+2 ^C0:2+2 ^F0:4+4"),
        ("C2[L:1/8]C4|", "C0:0+2 C0:2+2"),
        ("CHDTE~F|", "C0:0+1 D0:1+1 E0:2+1 F0:3+1"),
        ("!trill!C(D.E)F|", "C0:0+1 D0:1+1 E0:2+1 F0:3+1"),
        ("{ag}C D2 E|", "C0:0+1 D0:1+2 E0:3+1"),
        ('"@1,2 free"C4|"^up"D4|', "C0:0+4 D0:4+4"),
        ("C4 % D4|\nE4|", "C0:0+4 E0:4+4"),
        ("C4|\\\nD4|", "C0:0+4 D0:4+4"),
        ("+CE+2 +trill+F2|", "C0:0+2 E0:0+2 F0:2+2"),
        ("w: words\nC4|\nw:more |: words :|\nD4|", "C0:0+4 D0:4+4"),
    ],
)
def test_what_music_sounds_like(read: Read, music: str, wanted: str) -> None:
    (piece,) = read(music)
    assert sounds(piece).startswith(wanted)


@pytest.mark.parametrize(
    ("key", "wanted"),
    [("D", "^C ^F"), ("Bb", "C F"), ("D Phr ^f", "C ^F"), ("Ador", "C ^F"), ("HP", "^C ^F"), ("none", "C F")],
)
def test_keys(read: Read, key: str, wanted: str) -> None:
    (piece,) = read("CF|", f"L:1/4\nK:{key}")
    assert [NAMES[note.pitch % 12] for note in piece.notes] == wanted.split()


@pytest.mark.parametrize(("tail", "octave"), [("octave=-1", -1), ("clef=treble-8", -1), ("transpose=12", 1), ("", 0)])
def test_octaves_and_transposition(read: Read, tail: str, octave: int) -> None:
    (piece,) = read("C4|", f"L:1/4\nK:C {tail}")
    assert sounds(piece) == f"C{octave}:0+4"


@pytest.mark.parametrize(
    ("music", "wanted"),
    [
        ("C4|D4:|E4|F4:|", "CDCDEFEF"),
        ("|:C4|1D4:|2E4|]F4", "CDCEF"),
        ("|:C4|[1,3D4:|[2E4:|[4F4|]", "CDCECDCF"),
        ("|:C4::D4:|", "CCDD"),
        ("|:C4:||:D4:|", "CCDD"),
        ("|:C4:|\n|:D4:|", "CCDD"),
        ("|::C4::|D4|", "CCCD"),
        ("C4|D4!fine!|E4|F4!D.C.!|", "CDEFCD"),
        ('C4|D4"Fine"|E4|F4"^D.C. al Fine"|', "CDEFCD"),
        ("C4|!segno!D4|E4!D.S.!|", "CDEDE"),
        ("C4|D4!dacoda!|E4!D.C.!|!coda!F4|", "CDECDF"),
        ("P:A\nC4|D4:|\nP:B\nE4|", "CDCDE"),
    ],
)
def test_the_order_of_bars(read: Read, music: str, wanted: str) -> None:
    (piece,) = read(music)
    assert "".join(NAMES[note.pitch % 12] for note in piece.notes) == wanted
    assert [note.onset for note in piece.notes] == list(range(0, 48 * len(wanted), 48))
    assert piece.meters == (Meter(0, 4, 4),)
    assert piece.left_out == {}
    (once,) = read(music, expand=False)
    assert len(once.notes) == len(set(wanted))


def test_orders_of_sections(read: Read) -> None:
    (piece,) = read("P:A\nC4:|\nP:B\nE4|", "P:BA2\nM:4/4\nL:1/4\nK:C")
    assert "".join(NAMES[note.pitch % 12] for note in piece.notes) == "ECCCC"
    (piece,) = read("P:A\n%%MIDI program 5\nP:B\nC4|\nP:C\nE4|", "P:CABC\nM:4/4\nL:1/4\nK:C")
    assert "".join(NAMES[note.pitch % 12] for note in piece.notes) == "ECE"


def test_an_ending_in_the_middle_of_a_bar(read: Read) -> None:
    (piece,) = read("|:CDEF|GA [1Bc:|[2G2|]")
    assert "".join(NAMES[note.pitch % 12] for note in piece.notes) == "CDEFGABCCDEFGAG"


def test_pickups_metres_and_tempos(read: Read) -> None:
    (piece,) = read("D|GBd gfe|[M:2/4][Q:1/4=90]z/ ABA|G2 z|]", "M:6/8\nL:1/8\nQ:3/8=100\nK:G")
    assert piece.meters[:3] == (Meter(0, 1, 8), Meter(6, 6, 8), Meter(42, 7, 16))
    assert piece.tempos == (Tempo(0, 150.0), Tempo(42, 90.0))
    assert [note.onset for note in piece.notes][-4:] == [45, 51, 57, 63]
    (plain,) = read("CDEF|", "M:C|\nL:1/4\nK:C")
    assert plain.meters == (Meter(0, 2, 2),)
    (sums,) = read("CDEFGAB|", "M:3+2+2/8\nL:1/8\nK:C")
    assert sums.meters == (Meter(0, 7, 8),)
    assert sums.tempos == (Tempo(0, 100.0),)


def test_voices_have_names_instruments_and_bars_of_their_own(read: Read) -> None:
    head = 'M:4/4\nL:1/4\nV:1 name="Fiddle"\nV:2 name="Bass" clef=bass\nK:C'
    (piece,) = read("V:1\n%%MIDI program 40\ncdef:|\nV:2\n%%MIDI program 32\nC,4:|\n[V:1]g4|\n[V:2]z4|", head)
    assert piece.tracks == (Track("Fiddle", 40), Track("Bass", 32))
    assert sounds(piece, 0) == "C1:0+1 D1:1+1 E1:2+1 F1:3+1 C1:4+1 D1:5+1 E1:6+1 F1:7+1 G1:8+4"
    assert sounds(piece, 1) == "C-1:0+4 C-1:4+4"


def test_a_voice_with_an_overlay_stays_one_track(read: Read) -> None:
    (piece,) = read("V:1\nC4&E4|C4|\nV:2\nG,4&B,4|D,4|")
    assert sounds(piece, 0) == "C0:0+4 E0:0+4 C0:4+4"
    assert sounds(piece, 1) == "G-1:0+4 B-1:0+4 D-1:4+4"


def test_drums(read: Read) -> None:
    (piece,) = read("V:1\nC4|\nV:D clef=perc\n%%MIDI drummap F 36\nF4|")
    assert [track.drums for track in piece.tracks] == [False, True]
    assert [note.pitch for note in piece.notes if note.track == 1] == [36]


def test_drum_patterns_are_counted(read: Read) -> None:
    (piece,) = read("%%MIDI drum dzdd 36 38 38 100 80 80\n%%MIDI drumon\nC4|\n%%MIDI drumoff\nD4|")
    assert piece.left_out == {"drum patterns": 1}


def test_dynamics_become_velocities(read: Read) -> None:
    (piece,) = read("C!pp!D z !ff!E|F4|")
    assert [note.velocity for note in piece.notes] == [80, 33, 112, 112]
    (piece,) = read('C"pp"D z "ff"E|F4|')
    assert [note.velocity for note in piece.notes] == [80, 33, 112, 112]


def test_chord_symbols_are_held_by_a_track_of_their_own(read: Read) -> None:
    (piece,) = read('z4|"Am"C2 "C/e"D2|E4:|"N.C."F4|"Dm"G"Dx"A2|')
    assert piece.tracks == (Track(), Track("Chords", 24))
    chords = [(note.onset // 12, note.duration // 12, note.pitch) for note in piece.notes if note.track == 1]
    assert chords == [
        (4, 2, 57), (4, 2, 60), (4, 2, 64), (6, 6, 40), (6, 6, 48), (6, 6, 55),
        (16, 2, 57), (16, 2, 60), (16, 2, 64), (18, 6, 40), (18, 6, 48), (18, 6, 55),
        (28, 3, 50), (28, 3, 53), (28, 3, 57),
    ]  # fmt: skip
    assert piece.left_out == {"chord symbols": 1}


def test_what_is_not_played_is_counted(read: Read) -> None:
    (piece,) = read('{ab}C4|"^loud"D2"4"D2|\nw:la la\n%%MIDI gchord fzcz\n^/E4 #|')
    assert piece.left_out == {
        "grace notes": 2, "texts": 2, "lines of lyrics": 1, "ways to play": 1, "quarter tones": 1,
        "signs that mean nothing": 1,
    }  # fmt: skip


TUNES = """%abc-2.1
M:3/4
just a remark

X:7
T:First
L:1/4
K:G
GAB|

text between them | with a bar line

X:8
T:Second
L:1/4
M:2/4
K:C

CD|

V:1
EF|

X:9
T:Nothing
K:C
"""


def test_tunes_of_a_file(read: Read) -> None:
    first, second = read(TUNES, head="")
    assert (first.name, second.name) == ("tune.abc #1 (First)", "tune.abc #2 (Second)")
    assert first.meters == (Meter(0, 3, 4),)
    assert [len(first.notes), len(second.notes)] == [3, 4]
    assert second.left_out == {"tunes that cannot be read": 1}
    (alone,) = read("M:2/4\nL:1/4\nK:C\nCD|EF|\n", head="")
    assert len(alone.notes) == 4


def test_strangers_cannot_make_it_read_other_files_or_run_for_ever(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    run = abc2midi._run
    monkeypatch.setattr(abc2midi, "_run", lambda texts: given.extend(texts) or run(texts))
    read("%%abc-include /etc/passwd\nI:abc-include x\n[I:MIDI=ptstress x]C4|\n%%MIDI ptstress /etc/passwd\nU:T=!x!")
    assert given[0].replace("[I:MIDI=program", "").count("I:") == 0
    assert "%%" not in given[0]
    assert "passwd" not in given[0]


def test_a_missing_package(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "symusic", None)
    with pytest.raises(RecurraError, match=r"pip install 'recurra\[music\]'"):
        read("C4|")


@pytest.mark.skipif(os.name != "posix", reason="limits are those of a POSIX shell")
@pytest.mark.parametrize("script", ["kill -SEGV $$", "while :; do :; done", "echo broken > tune1.mid"])
def test_a_crash_or_an_endless_run_is_one_sentence(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    fake = tmp_path / "abc2midi"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("SYMUSIC_ABC2MIDI", str(fake))
    monkeypatch.setattr(abc2midi, "LIMITED", 'ulimit -t 1; exec "$@"')
    with pytest.raises(RecurraError, match="cannot be read"):
        read("C4|")


@pytest.mark.skipif(os.name != "posix", reason="uses a shell script")
def test_one_tune_that_crashes_does_not_take_others_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = abc2midi.require_symusic() and os.environ["SYMUSIC_ABC2MIDI"]
    fake = tmp_path / "abc2midi"
    fake.write_text(f'#!/bin/sh\nif grep -q "K:D" "$1"; then kill -SEGV $$; fi\nexec {real} "$@"\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("SYMUSIC_ABC2MIDI", str(fake))
    path = tmp_path / "tunes.abc"
    path.write_text("\n".join(f"X:{n}\nL:1/4\nK:{key}\nCDEF|\n" for n, key in enumerate("CDG")))
    pieces = read_abc(path)
    assert [piece.name for piece in pieces] == ["tunes.abc #1", "tunes.abc #3"]


PIECES = [
    *(
        "|",
        ":|",
        "|:",
        "[1",
        "[V:2]",
        "[K:",
        "]",
        "(3",
        "&",
        "Z",
        "z",
        "-",
        ">",
        "C",
        "^c'",
        "[CE]",
        "{",
        "}",
        '"',
        "!",
    ),
    *("2/", "99", "\n", "V:3\n", "M:", "L:", "Q:", "K:D", "P:", "%%MIDI ", "channel 10", "\0", "\xe9", "\\", "X:2\n"),
]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES), max_size=30), st.text(max_size=10))
def test_rubbish_is_read_or_refused(read: Read, pieces: list[str], rest: str) -> None:
    with contextlib.suppress(RecurraError):
        assert read("".join(pieces) + rest)


@pytest.mark.parametrize(
    "unit", ["[", "^", "{", '"', "(", ":", "|", "[K:", "1", "V:a", "!", "[M:3/4]C|", "[Q:90]C|", "!f!C"]
)
def test_long_lines_take_no_long_time(read: Read, unit: str) -> None:
    before = time.process_time()
    with contextlib.suppress(RecurraError):
        read(unit * 5_000 + "\nC4|\nV:1 " + unit * 5_000)
    assert time.process_time() - before < 5
