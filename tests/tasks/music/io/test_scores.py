"""Scores in: against verovio and abc2midi, which read the same formats with programs of their own."""

import base64
import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from recurra.errors import RecurraError
from recurra.tasks.music.io import score_files as scorefiles
from recurra.tasks.music.io import scores
from recurra.tasks.music.io.scores import read_score
from recurra.tasks.music.pieces import Meter, Note, Piece, Tempo

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<score-partwise version="3.1"><part-list>'
FIRST = "<attributes><divisions>12</divisions><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"


def note(step: str, octave: int, duration: int, extra: str = "", before: str = "") -> str:
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
    return f"<note>{before}{pitch}<duration>{duration}</duration>{extra}</note>"


def musicxml(*parts: str, first: str = FIRST) -> str:
    names = "".join(f'<score-part id="P{n}"><part-name>Part {n}</part-name></score-part>' for n in range(len(parts)))
    bodies = ""
    for place, part in enumerate(parts):
        measures = part.split("|")
        inside = "".join(
            f'<measure number="{number}">{first if number == 0 else ""}{measure}</measure>'
            for number, measure in enumerate(measures)
        )
        bodies += f'<part id="P{place}">{inside}</part>'
    return f"{HEAD}{names}</part-list>{bodies}</score-partwise>"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., tuple[Piece, ...]]:
    def from_text(content: str | bytes, name: str = "song.musicxml", **options: bool) -> tuple[Piece, ...]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_score(path, **options)

    return from_text


def test_parts_ties_pickups_and_tempos(read) -> None:
    tied = note("E", 4, 36, '<tie type="start"/>') + "|" + note("E", 4, 12, '<tie type="stop"/>') + note("F", 4, 24)
    pace = '<direction><sound tempo="90"/></direction>'
    upper = note("D", 4, 12) + "|" + pace + tied
    lower = note("C", 3, 12) + "|" + note("G", 2, 36) + "|" + note("C", 3, 36)
    (piece,) = read(musicxml(upper, lower))
    assert [track.name for track in piece.tracks] == ["Part 0", "Part 1"]
    assert [played[:3] for played in piece.notes if played.track == 0] == [(0, 12, 62), (12, 48, 64), (60, 24, 65)]
    assert [played[:3] for played in piece.notes if played.track == 1] == [(0, 12, 48), (12, 36, 43), (48, 36, 48)]
    assert piece.meters == (Meter(0, 1, 4), Meter(12, 3, 4))
    assert piece.tempos == (Tempo(0, 100.0), Tempo(12, 90.0))
    assert piece.left_out == {}


def test_triplets_and_chords(read) -> None:
    triplets = "".join(note(step, 4, 4) for step in "CDE") + "<backup><duration>12</duration></backup>"
    (piece,) = read(musicxml(triplets + note("G", 3, 12) + note("B", 3, 12, before="<chord/>")))
    assert [played[:3] for played in piece.notes] == [(0, 12, 55), (0, 12, 59), (0, 4, 60), (4, 4, 62), (8, 4, 64)]


def test_what_is_not_sounded_is_counted(read) -> None:
    harmony = "<harmony><root><root-step>C</root-step></root><kind>major</kind></harmony>"
    grace = "<note><grace/><pitch><step>D</step><octave>5</octave></pitch></note>"
    (piece,) = read(musicxml(harmony + grace + note("C", 4, 36)))
    assert piece.notes == (Note(0, 36, 60),)
    assert piece.left_out == {"chord symbols": 1, "grace notes": 1}


def test_a_transposing_instrument_sounds_where_it_sounds(read) -> None:
    clarinet = FIRST[: -len("</attributes>")] + "<transpose><chromatic>-2</chromatic></transpose></attributes>"
    (piece,) = read(musicxml(note("D", 4, 36), first=clarinet))
    assert [played.pitch for played in piece.notes] == [60]


REPEATED = (
    '<barline location="left"><repeat direction="forward"/></barline>'
    + note("C", 4, 36)
    + '|<barline location="left"><ending number="1" type="start"/></barline>'
    + note("D", 4, 36)
    + '<barline location="right"><ending number="1" type="stop"/><repeat direction="backward"/></barline>'
    + '|<barline location="left"><ending number="2" type="start"/></barline>'
    + note("E", 4, 36)
    + '<barline location="right"><ending number="2" type="stop"/></barline>'
)


def test_repeats_and_endings_are_played(read) -> None:
    (piece,) = read(musicxml(REPEATED, note("C", 3, 36) + "|" + note("D", 3, 36) + "|" + note("E", 3, 36)))
    assert [played.pitch for played in piece.notes if played.track == 0] == [60, 62, 60, 64]
    assert [played.pitch for played in piece.notes if played.track == 1] == [48, 50, 48, 52], "parts stay together"
    assert [played.onset for played in piece.notes if played.track == 0] == [0, 36, 72, 108]
    (once,) = read(musicxml(REPEATED), expand=False)
    assert [played.pitch for played in once.notes] == [60, 62, 64]


def test_repeats_without_end_are_not_followed(read) -> None:
    forward = '<barline location="left"><repeat direction="forward"/></barline>'
    backward = '<barline location="right"><repeat direction="backward" times="1000000"/></barline>'
    (piece,) = read(musicxml(forward + note("C", 4, 36) + backward))
    assert len(piece.notes) == scores.MAX_TIMES
    assert piece.left_out == {"repeats beyond 8 times": 1_000_000 - 8}
    nested = "|".join([forward + note("C", 4, 36)] * 30 + [note("D", 4, 36) + backward] * 30)
    (piece,) = read(musicxml(nested))
    assert len(piece.notes) == 60
    assert piece.left_out["repeats"] == 30


CHORALES = ("bwv66.6", "bwv269", "bwv253", "bwv7.7", "bwv227.1", "bwv281")


@pytest.mark.parametrize("name", CHORALES)
def test_verovio_reads_the_same_notes(name: str) -> None:
    music21, verovio, symusic = map(pytest.importorskip, ("music21", "verovio", "symusic"))
    path = Path(music21.__file__).parent / "corpus" / "bach" / f"{name}.mxl"
    (piece,) = read_score(path, expand=False)
    toolkit = verovio.toolkit()
    toolkit.setOptions({"expandNever": True})
    toolkit.loadFile(str(path))
    other = symusic.Score.from_midi(base64.b64decode(toolkit.renderToMIDI()))
    scale = other.ticks_per_quarter / 12
    theirs = sorted(
        (played.time, played.time + played.duration, played.pitch) for track in other.tracks for played in track.notes
    )
    ours = sorted((played.onset * scale, played.end * scale, played.pitch) for played in piece.notes)
    assert len(theirs) == len(ours)
    for (begin, end, pitch), (onset, stop, height) in zip(theirs, ours, strict=True):
        assert pitch == height
        assert abs(begin - onset) <= 1
        assert abs(end - stop) <= 1


ABC = """%abc-2.1
X:1
T:First tune
M:6/8
L:1/8
Q:3/8=100
K:D
A|:d2f "D"agf|efe d2e|(3efg e c2A::agf efe|d2A F2A:|

X:2
T:Second tune
M:4/4
L:1/4
K:Bb
B>c d/e/f|[GB]2 z2|=B^c_dc|B4|
"""


def test_tunes_of_an_abc_file_against_abc2midi(read) -> None:
    symusic = pytest.importorskip("symusic")
    pieces = read(ABC, "tunes.abc")
    assert [piece.name for piece in pieces] == ["tunes.abc #1 (First tune)", "tunes.abc #2 (Second tune)"]
    for piece, text in zip(pieces, ABC.split("\n\n"), strict=True):
        score = symusic.Score.from_abc(text.removeprefix("%abc-2.1\n") + "\n")
        scale = score.ticks_per_quarter / 12
        theirs = sorted((played.time / scale, played.pitch) for played in score.tracks[0].notes)
        assert [played.pitch for played in piece.notes] == [pitch for _, pitch in theirs]
        for played, (begin, _) in zip(piece.notes, theirs, strict=True):
            assert abs(played.onset - begin) < 0.5  # it rolls chords a little
    assert len(pieces[0].notes) == 1 + 2 * 16 + 2 * 10
    assert pieces[0].meters[:2] == (Meter(0, 1, 8), Meter(6, 6, 8))
    assert pieces[0].tempos == (Tempo(0, 150.0),)
    assert pieces[0].left_out == {"chord symbols": 1}


@pytest.mark.parametrize("between", ["::", ":|:", ":||:", ":| |:", ":|\n|:"])
def test_two_repeats_in_a_row_however_written(read, between: str) -> None:
    (piece,) = read(f"X:1\nM:2/4\nL:1/4\nK:C\nG|:CD|EF|^GG{between}AB|cd|ef:|\n", "row.abc")
    first, second = [60, 62, 64, 65, 68, 68], [69, 71, 72, 74, 76, 77]
    assert [played.pitch for played in piece.notes] == [67, *first, *first, *second, *second]
    assert piece.left_out == {}


def test_what_music21_cannot_repeat_is_counted(read) -> None:
    (piece,) = read("X:1\nP:AAB\nM:2/4\nL:1/4\nK:C\n|:CD|EF:|\n", "short.abc")
    assert len(piece.notes) == 4
    assert piece.left_out == {"repeats": 1, "orders of sections": 1}


def test_a_broken_tune_among_good_ones_is_counted(read) -> None:
    pieces = read(ABC + "\nX:3\nT:Nothing\nK:C\n", "tunes.abc")
    assert len(pieces) == 2
    assert pieces[-1].left_out["tunes that cannot be read"] == 1


KERN = "**kern\t**kern\n*M3/4\t*M3/4\n=1\t=1\n2C\t4e\n.\t8f\n.\t8g\n4G\t4e\n=2\t=2\n2.C\t2.c\n==\t==\n*-\t*-\n"


def test_kern(read) -> None:
    (piece,) = read(KERN, "song.krn")
    found = sorted(played[:3] for played in piece.notes)
    assert found == sorted(
        [(0, 24, 48), (24, 12, 55), (36, 36, 48), (0, 12, 64), (12, 6, 65), (18, 6, 67), (24, 12, 64), (36, 36, 60)]
    )
    assert piece.meters == (Meter(0, 3, 4),)


def zipped(**files: str | bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # Always of the same day: a test is named by it, and the processes of pytest-xdist must agree on names.
            member = zipfile.ZipInfo(name.replace("__", "/").replace("_", "."))
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def test_compressed_scores(read, monkeypatch: pytest.MonkeyPatch) -> None:
    score, other = musicxml(note("C", 4, 36)), musicxml(note("D", 4, 36))
    container = '<container><rootfiles><rootfile full-path="b.xml"/></rootfiles></container>'
    (named,) = read(zipped(a_xml=other, b_xml=score, **{"META-INF__container_xml": container}), "song.mxl")
    (first,) = read(zipped(b_xml=score), "song.mxl")
    (plain,) = read(score, "song.mxl")
    assert named == first == plain
    monkeypatch.setattr(scorefiles, "MAX_BYTES", 10_000)
    with pytest.raises(RecurraError, match=r"song\.mxl unpacks to more than"):
        read(zipped(b_xml=b" " * 1_000_000), "song.mxl")


BOMB = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.musicxml", "", "is not MusicXML"),
        ("a.musicxml", "<score-partwise>", "is not MusicXML"),
        ("a.musicxml", BOMB + "<score-partwise>&b;</score-partwise>", "declares entities"),
        ("a.xml", (BOMB + "<score-partwise>&b;</score-partwise>").encode("utf-16"), "declares entities"),
        ("a.xml", "<a>" * 100_000, "nests"),
        ("a.xml", "<html><body>page</body></html>", "cannot be read .*score-partwise"),
        ("a.xml", '<?xml version="1.0" encoding="klingon"?><a/>', "encoding"),
        ("a.musicxml", musicxml("<note><rest/><duration>36</duration></note>"), "no notes"),
        ("a.musicxml", musicxml(note("H", 4, 36)), "cannot be read|no notes"),
        ("a.musicxml", musicxml(note("C", 4, 10**9)), "quarters in line 2"),
        ("a.mxl", zipped(b_txt="x"), "holds no MusicXML"),
        ("a.mxl", zipped(b_xml="x")[:-30], "damaged"),
        ("a.abc", "", "; give another score"),
        ("a.abc", "just words\n", "; give another score"),
        ("a.abc", "X:1\nK:C\nA999999999\n", "cannot be read"),
        ("a.krn", "", "; give another score"),
        ("a.krn", "**kern\n*-\n", "; give another score"),
        ("a.krn", b"\xff\x00\xfe", "; give another score"),
    ],
)
def test_what_is_no_score_gets_one_sentence(read, capsys, name: str, content: str | bytes, reason: str) -> None:
    with pytest.raises(RecurraError, match=reason) as error:
        read(content, name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)
    assert capsys.readouterr() == ("", "")


def test_nothing_is_pickled_and_nothing_is_left_behind(read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    music21 = pytest.importorskip("music21")

    def never(*arguments: object, **options: object) -> None:
        raise AssertionError("something was pickled or unpickled")

    for name in ("load", "loads", "dump", "dumps", "Unpickler", "Pickler"):
        monkeypatch.setattr(pickle, name, never)
    monkeypatch.setattr(music21.freezeThaw.StreamFreezer, "write", never)
    monkeypatch.setattr(music21.freezeThaw.StreamThawer, "open", never)
    read(musicxml(REPEATED), "a.musicxml")
    read(ABC, "b.abc")
    read(KERN, "c.krn")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.musicxml", "b.abc", "c.krn"]


def test_a_missing_package_and_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecurraError, match="no such file"):
        read_score(tmp_path / "none.musicxml")
    monkeypatch.setitem(sys.modules, "music21", None)
    with pytest.raises(RecurraError, match=r"pip install 'recurra\[music\]'"):
        read_score(tmp_path / "none.musicxml")
