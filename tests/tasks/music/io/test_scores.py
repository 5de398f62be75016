"""Scores in: against verovio and abc2midi, which read the same formats with programs of their own."""

import base64
import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from recurra.errors import RecurraError
from recurra.tasks.music.io import repeats
from recurra.tasks.music.io import score_files as scorefiles
from recurra.tasks.music.io.scores import read_score
from recurra.tasks.music.pieces import Meter, Note, Piece, Tempo, Track
from recurra.tasks.music.render.musicxml import write_musicxml

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
    assert [played for played in piece.notes if played.track == 0] == [Note(0, 36, 60)]
    assert piece.left_out == {"grace notes": 1}


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
    assert len(piece.notes) == repeats.MAX_TIMES
    assert piece.left_out == {"repeats beyond 8 times": 1_000_000 - 8}
    nested = "|".join([forward + note("C", 4, 36)] * 30 + [note("D", 4, 36) + backward] * 30)
    (piece,) = read(musicxml(nested))
    assert len(piece.notes) == 29 + 2 * 8 + 29 * 8


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


KERN = "**kern\t**kern\n*M3/4\t*M3/4\n=1\t=1\n2C\t4e\n.\t8f\n.\t8g\n4G\t4e\n=2\t=2\n2.C\t2.c\n==\t==\n*-\t*-\n"


def test_kern(read) -> None:
    (piece,) = read(KERN, "song.krn")
    found = sorted(played[:3] for played in piece.notes)
    assert found == sorted(
        [(0, 24, 48), (24, 12, 55), (36, 36, 48), (0, 12, 64), (12, 6, 65), (18, 6, 67), (24, 12, 64), (36, 36, 60)]
    )
    assert piece.meters == (Meter(0, 3, 4),)


def test_signs_that_music21_does_not_know_leave_no_remarks(read, capfd: pytest.CaptureFixture[str]) -> None:
    assert len(read("**kern\n*MX\n=1\n4c\n4d\n*-\n", "song.krn")[0].notes) == 2
    assert capfd.readouterr() == ("", "")


def test_the_order_of_sections_in_kern(read) -> None:
    lines = ["**kern", "*>[A,A,B,A]", "*>norep[A,B]", "*>A", "*M2/4", "=1", "2C", "=2:|!", "*>B", "2D", "==", "*-", ""]
    (piece,) = read("\n".join(lines), "song.krn")
    assert [played.pitch for played in piece.notes] == [48, 48, 50, 48]
    (piece,) = read("\n".join(line for line in lines if "[" not in line), "song.krn")
    assert [played.pitch for played in piece.notes] == [48, 48, 50], "without an order, its repeat signs"


@pytest.mark.parametrize(
    ("signs", "wanted"),
    [
        (["", "", "", "<words>D.C.</words>"], "CDEFCDEF"),
        (["", "<words>Fine</words>", "", "<words>D.C. al Fine</words>"], "CDEFCD"),
        (["", "fine", "", "dacapo"], "CDEFCD"),
        (["", "segno", "", "dalsegno"], "CDEFDEF"),
        (["", "tocoda", "dacapo", "coda"], "CDECDF"),
    ],
)
def test_jumps_in_words_and_in_what_is_heard(read, signs: list[str], wanted: str) -> None:
    bars = []
    for step, sign in zip("CDEF", signs, strict=True):
        words = f"<direction><direction-type>{sign}</direction-type></direction>"
        sound = words if sign.startswith("<") else f'<sound {sign}="yes"/>' if sign else ""
        early = sign in ("segno", "coda")
        bars.append(sound * early + note(step, 4, 36) + sound * (not early))
    (piece,) = read(musicxml("|".join(bars)))
    assert "".join("CDEF"[[60, 62, 64, 65].index(played.pitch)] for played in piece.notes) == wanted
    assert piece.left_out == {}


def test_chord_symbols_are_held_by_a_track_of_their_own(read) -> None:
    def harmony(step: str, kind: str) -> str:
        return f"<harmony><root><root-step>{step}</root-step></root><kind>{kind}</kind></harmony>"

    bars = [note("C", 5, 24) + harmony("C", "major") + note("C", 5, 12), note("C", 5, 36)]
    (piece,) = read(musicxml("|".join([*bars, harmony("A", "minor") + note("C", 5, 36)])))
    assert piece.tracks[1].name == "Chords"
    found = [played[:3] for played in piece.notes if played.track == 1]
    assert found == [(24, 48, 48), (24, 48, 52), (24, 48, 55), (72, 36, 57), (72, 36, 60), (72, 36, 64)]


def dynamic(name: str) -> str:
    return f"<direction><direction-type><dynamics><{name}/></dynamics></direction-type></direction>"


def test_dynamics_become_velocities(read) -> None:
    second = dynamic("sfz") + note("F", 4, 12) + note("G", 4, 12) + dynamic("fp") + note("A", 4, 12)
    (piece,) = read(musicxml(dynamic("pp") + note("C", 4, 24) + dynamic("ff") + note("D", 4, 12) + "|" + second))
    assert [played.velocity for played in piece.notes] == [33, 112, 127, 112, 96]
    (piece,) = read(musicxml(note("C", 4, 36) + "|" + dynamic("fp") + note("C", 4, 36) + "|" + note("D", 4, 36)))
    assert [played.velocity for played in piece.notes] == [80, 96, 49]


def test_dynamics_hold_for_both_staves(read) -> None:
    staves = FIRST[: -len("</attributes>")] + "<staves>2</staves></attributes>"
    lower = "<backup><duration>36</duration></backup>" + note("C", 3, 36, "<staff>2</staff>")
    (piece,) = read(musicxml(dynamic("pp") + note("C", 4, 36, "<staff>1</staff>") + lower, first=staves))
    assert sorted((played.pitch, played.velocity) for played in piece.notes) == [(48, 33), (60, 33)]


def test_ties_in_tuplets_are_one_note(read) -> None:
    third = "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification>"
    short = note("G", 4, 1, '<tie type="start"/><type>32nd</type>' + third)
    long = note("G", 4, 2, '<tie type="stop"/><type>16th</type>' + third)
    (piece,) = read(musicxml(note("C", 4, 9) + short + long + note("F", 4, 24)))
    assert [played[:3] for played in piece.notes] == [(0, 9, 60), (9, 3, 67), (12, 24, 65)]


def test_what_is_written_measure_by_measure(read) -> None:
    text = musicxml(note("C", 4, 36) + "|" + note("D", 4, 36), note("E", 3, 36) + "|" + note("F", 3, 36))
    root = ElementTree.fromstring(text.partition("?>")[2])
    turned = ElementTree.Element("score-timewise")
    turned.append(root[0])
    for measures in zip(*(part.findall("measure") for part in root.findall("part")), strict=True):
        measure = ElementTree.SubElement(turned, "measure", measures[0].attrib)
        for number, own in enumerate(measures):
            ElementTree.SubElement(measure, "part", id=f"P{number}").extend(own)
    assert read(ElementTree.tostring(turned), "song.musicxml") == read(text)


def test_hairpins_are_counted(read) -> None:
    wedge = '<direction><direction-type><wedge type="{}"/></direction-type></direction>'
    (piece,) = read(musicxml(wedge.format("crescendo") + note("C", 4, 36) + wedge.format("stop")))
    assert piece.left_out == {"crescendos and diminuendos": 1}
    kern = "**kern\t**dynam\n*staff1\t*staff1\n*M2/4\t*M2/4\n=1\t=1\n4c\tp\n4d\t[\n=2\t=2\n4e\t.\n*-\t*-\n"
    (piece,) = read(kern, "song.krn")
    assert [played.velocity for played in piece.notes] == [49, 49, 49]
    assert piece.left_out == {"crescendos and diminuendos": 1}
    (piece,) = read(kern.replace("*staff1\t*staff1\n", ""), "song.krn")
    assert piece.left_out == {"dynamics of staves without a number": 1}


def drum(extra: str, place: str = "C5", chord: str = "") -> str:
    shown = f"<display-step>{place[0]}</display-step><display-octave>{place[1]}</display-octave>"
    return f"<note>{chord}<unpitched>{shown}</unpitched><duration>12</duration>{extra}</note>"


def test_drums_are_read_by_their_instrument_or_their_place(read) -> None:
    kit = '<score-instrument id="K"><instrument-name>Kick</instrument-name></score-instrument>'
    kit += '<midi-instrument id="K"><midi-unpitched>37</midi-unpitched></midi-instrument>'
    hat = drum("<notehead>x</notehead>", "G5", "<chord/>")
    text = musicxml(drum('<instrument id="K"/>') + hat + drum("") + drum("", "D6"))
    (piece,) = read(text.replace("</score-part>", kit + "</score-part>"))
    assert piece.tracks[0].drums
    assert [played[:3:2] for played in piece.notes] == [(0, 36), (0, 42), (12, 38), (24, 38)]
    assert piece.left_out == {"drums of unknown kind, read as snare": 1}


def test_drums_among_notes_are_counted(read) -> None:
    (piece,) = read(musicxml(note("C", 4, 12) + drum("") + note("D", 4, 12)))
    assert [played[:3] for played in piece.notes] == [(0, 12, 60), (24, 12, 62)]
    assert piece.left_out == {"notes without a pitch": 1}


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
        ("a.abc", "X:1\nK:C\nA999999999\n", "quarters in line 3"),
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
    read("X:1\nK:C\nCDEF|\n", "b.abc")
    read(KERN, "c.krn")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.musicxml", "b.abc", "c.krn"]


def test_a_missing_package_and_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecurraError, match="no such file"):
        read_score(tmp_path / "none.musicxml")
    monkeypatch.setitem(sys.modules, "music21", None)
    with pytest.raises(RecurraError, match=r"pip install 'recurra\[music\]'"):
        read_score(tmp_path / "none.musicxml")


def test_drums_and_instruments_that_are_written_are_read_back(tmp_path: Path) -> None:
    tracks = (Track("Kit", 0, True), Track("Flute", 73), Track("More", 0, True))
    drums = [Note(12 * beat, 12, pitch, track=track) for beat in range(8) for track in (0, 2) for pitch in (36, 38, 40)]
    drums += [Note(84, 12, 49), Note(84, 12, 57), Note(84, 12, 75)]
    piece = Piece("d", tracks, tuple(sorted([*drums, Note(0, 96, 72, track=1)], key=lambda n: (n[0], n[4], n[2]))), 96)
    write_musicxml(piece, tmp_path / "own.musicxml")
    (back,) = read_score(tmp_path / "own.musicxml")
    assert back.tracks == tracks
    assert [(n.onset, n.pitch, n.track) for n in back.notes] == [(n.onset, n.pitch, n.track) for n in piece.notes]
