"""Music from files, folders and samples: what is read, what is skipped, and that both are said."""

import json
import os
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from recurra.errors import OptionError, RecurraError
from recurra.tasks.music import chorales
from recurra.tasks.music.config import Config
from recurra.tasks.music.data import MAX_REPAIRED, READERS, Collection, describe, open_pieces, opened, read_data
from recurra.tasks.music.io.midi import write_midi
from recurra.tasks.music.io.reading import Reading
from recurra.tasks.music.io.scores import read_score
from recurra.tasks.music.pieces import Note, Piece, Tempo, Track

PIECE = Piece("one", (Track("Flute", 73),), (Note(0, 12, 60), Note(12, 6, 62)), 18)
ABC = "X:1\nT:Tune\nM:2/4\nL:1/4\nK:C\n{c}CD|EF|\n"
KERN = "**kern\n*M2/4\n=1\n4c\n4d\n=2\n4e\n4f\n==\n*-\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One good file of every kind but MusicXML, two broken ones and two that are no music."""
    folder = tmp_path / "music"
    (folder / "deep").mkdir(parents=True)
    write_midi(PIECE, folder / "b.mid")
    write_midi(PIECE, folder / "deep" / "c.MIDI")
    (folder / "a.abc").write_text(ABC)
    (folder / "d.krn").write_text(KERN)
    (folder / "e.json").write_text("[[[60], [62]], [[64]]]")
    (folder / "f.mid").write_bytes((folder / "b.mid").read_bytes()[:20])
    (folder / "g.json").write_text("{}")
    (folder / "notes.txt").write_text("no")
    (folder / "cover.png").write_bytes(b"\x89PNG")
    return folder


def test_a_folder_gives_its_music_in_order_and_names_what_it_leaves_out(folder: Path) -> None:
    collection = open_pieces([folder])
    names = [piece.name for piece in collection.pieces]
    assert names == ["a.abc (Tune)", "b.mid", "d.krn", "c.MIDI", "e.json #1", "e.json #2"]
    assert collection.name == "music"
    assert len(collection.skipped) == 3
    assert any("2 file(s) left out that are not .mid," in reason for reason in collection.skipped)
    assert any("f.mid holds no notes" in reason for reason in collection.skipped)
    assert any("g.json does not hold a list of pieces" in reason for reason in collection.skipped)
    assert collection.left_out == {"grace notes": 1}
    assert collection.pieces[1].notes == PIECE.notes


def test_what_is_left_out_is_summed_over_all_pieces(folder: Path) -> None:
    (folder / "h.abc").write_text(ABC)
    assert open_pieces([folder]).left_out == {"grace notes": 2}


def test_the_frame_is_that_of_piano_rolls(folder: Path) -> None:
    for frame in (3, 12):
        collection = open_pieces([folder / "e.json"], frame)
        assert [piece.length for piece in collection.pieces] == [2 * frame, frame]
    with pytest.raises(OptionError, match="frame of 0 ticks"):
        open_pieces([folder / "e.json"], 0)


def test_the_digest_is_of_the_music_alone(folder: Path, tmp_path: Path) -> None:
    collection = open_pieces([folder / "b.mid", folder / "e.json"])
    assert collection.sha256 == open_pieces([folder / "b.mid", folder / "e.json"]).sha256
    assert collection.sha256 == Collection("other", collection.pieces, ("skipped",), {"texts": 3}).sha256
    assert collection.sha256 != open_pieces([folder / "e.json", folder / "b.mid"]).sha256
    assert collection.sha256 != open_pieces([folder / "b.mid", folder / "e.json"], 6).sha256
    assert len(collection.sha256) == 64
    first = collection.pieces[0]
    for changed in (
        Piece(first.name, first.tracks, first.notes, first.length + 1, first.meters, first.tempos),
        Piece(first.name, first.tracks, first.notes[:-1], first.length, first.meters, first.tempos),
        Piece(first.name, (Track("Oboe", 73),), first.notes, first.length, first.meters, first.tempos),
    ):
        assert Collection("x", (changed, *collection.pieces[1:])).sha256 != collection.sha256


def test_a_single_broken_file_is_an_error(folder: Path) -> None:
    with pytest.raises(RecurraError, match=r"f\.mid holds no notes"):
        open_pieces([folder / "f.mid"])
    with pytest.raises(RecurraError, match=r"no readable music in .*: .*f\.mid holds no notes"):
        open_pieces([folder / "f.mid", folder / "g.json"])
    several = open_pieces([folder / "f.mid", folder / "b.mid"])
    assert (len(several.pieces), len(several.skipped), several.name) == (1, 1, "f.mid and 1 more")


def test_a_file_of_another_kind_is_named(folder: Path) -> None:
    with pytest.raises(RecurraError, match=r"notes\.txt is not a music file; .* must end in \.mid, .* or \.json"):
        open_pieces([folder / "notes.txt"])
    (folder / "empty").mkdir()
    with pytest.raises(RecurraError, match=r"holds no \.mid, .* or \.json file"):
        open_pieces([folder / "empty"])


@pytest.mark.parametrize("source", ["no/such/file.mid", "", "sample:nothing"])
def test_what_does_not_exist_is_refused(source: str) -> None:
    with pytest.raises(RecurraError, match="; "):
        open_pieces([source])


def test_a_sample_stands_alone_and_a_pipe_is_refused(folder: Path) -> None:
    with pytest.raises(RecurraError, match="give it alone"):
        open_pieces(["sample:chorales", folder])
    os.mkfifo(folder / "pipe.mid")
    with pytest.raises(RecurraError, match="only once"):
        open_pieces([folder / "pipe.mid"])


def test_pieces_given_in_python_are_taken_as_they_are() -> None:
    other = replace(PIECE, name="two", left_out={"lyrics": 2})
    collection = open_pieces([PIECE, other])
    assert collection == Collection("2 pieces", (PIECE, other), (), {"lyrics": 2})
    assert open_pieces(PIECE) == Collection("one", (PIECE,))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (replace(PIECE, notes=PIECE.notes[::-1]), "'one' has notes out of order"),
        (replace(PIECE, notes=(Note(0, 12, 128),)), "'one' has a pitch above 127"),
        (replace(PIECE, notes=(Note(0, 12, 60, 80, 1),)), "'one' has a note of no track"),
        (replace(PIECE, length=12), "'one' has a note beyond its end"),
        (replace(PIECE, notes=(Note(0, 12, 60), Note(6, 12, 60))), "'one' has a note that begins while it sounds"),
        (replace(PIECE, tracks=()), "'one' has no track"),
        (replace(PIECE, meters=()), "'one' has no metre"),
    ],
)
def test_a_piece_that_breaks_the_rules_of_pieces_is_refused(wrong: Piece, told: str) -> None:
    with pytest.raises(RecurraError, match=f"the pieces given: {told}; make each as"):
        open_pieces([PIECE, wrong])


def test_no_music_and_mixed_music_are_refused(folder: Path) -> None:
    with pytest.raises(OptionError, match="there is no music"):
        open_pieces([])
    with pytest.raises(OptionError, match="cannot be mixed"):
        open_pieces([PIECE, folder / "b.mid"])


def test_a_source_need_not_be_in_a_list(folder: Path) -> None:
    assert open_pieces(str(folder / "b.mid")) == open_pieces(folder / "b.mid") == open_pieces([folder / "b.mid"])


def test_every_known_ending_has_a_reader() -> None:
    assert list(READERS) == [
        ".mid", ".midi", ".kar", ".rmi", ".musicxml", ".xml", ".mxl", ".abc", ".krn", ".json",
    ]  # fmt: skip


@pytest.fixture
def few_chorales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A corpus of a few files from music21's, so that a test takes a moment: two chorales and one with instruments."""
    music21 = pytest.importorskip("music21")
    original = Path(music21.__file__).parent / "corpus" / "bach"
    folder = tmp_path / "corpus" / "bach"
    folder.mkdir(parents=True)
    for name in ("bwv10.7.mxl", "bwv9.7.mxl", "bwv1.6.mxl"):
        (folder / name).symlink_to(original / name)
    monkeypatch.setattr(chorales, "require_music21", lambda: type("music21", (), {"__file__": tmp_path / "x.py"}))
    chorales.chorales.cache_clear()
    yield [original / "bwv9.7.mxl", original / "bwv10.7.mxl"]
    chorales.chorales.cache_clear()


def test_chorales_are_those_of_four_voices(few_chorales: list[Path]) -> None:
    collection = open_pieces(["sample:chorales"])
    assert collection.name == "sample:chorales"
    assert [piece.name for piece in collection.pieces] == ["bwv9.7", "bwv10.7"], "by number; not BWV 1.6"
    for piece, path in zip(collection.pieces, few_chorales, strict=True):
        assert tuple(track.name for track in piece.tracks) == chorales.VOICES
        read = read_score(path, expand=False)
        assert [piece] == [replace(other, name=path.stem, tracks=chorales.CHOIR) for other in read]
        heights = [[note.pitch for note in piece.notes if note.track == voice] for voice in range(4)]
        means = [sum(pitches) / len(pitches) for pitches in heights]
        assert means == sorted(means, reverse=True), "from high to low"


def test_no_corpus_is_said(few_chorales: list[Path], tmp_path: Path) -> None:
    for path in (tmp_path / "corpus" / "bach").iterdir():
        path.unlink()
    with pytest.raises(RecurraError, match="holds no chorales; install music21 again"):
        chorales.chorales()


@pytest.mark.slow
def test_all_chorales() -> None:
    pieces = chorales.chorales()
    assert len(pieces) > 340
    for piece in pieces:
        for voice in range(4):
            own = [note for note in piece.notes if note.track == voice]
            assert all(before.end <= after.onset for before, after in pairwise(own))
    assert all(30 <= note.pitch <= 84 for piece in pieces for note in piece.notes)


def test_missing_packages_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "symusic", None)
    monkeypatch.setitem(sys.modules, "music21", None)
    for name in ("d.krn", "a.abc"):
        with pytest.raises(RecurraError, match=r"pip install 'recurra\[music\]'"):
            open_pieces([folder / name])
    assert json.loads((folder / "e.json").read_text())
    assert len(open_pieces([folder / "e.json"]).pieces) == 2, "piano rolls need neither"
    assert open_pieces([folder / "b.mid"]).pieces[0].notes == PIECE.notes, "nor do MIDI files"


def test_what_was_repaired_is_told_file_by_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = (folder / "b.mid").read_bytes()
    for index in range(MAX_REPAIRED + 2):
        (folder / "deep" / f"cut-{index:02}.mid").write_bytes(good[:-1])
    (folder / "f.mid").write_bytes(good + b"rubbish")
    collection = opened(folder, 12, Reading())
    assert len(collection.repaired) == MAX_REPAIRED + 3
    assert "cut-00.mid: track 1 is cut off" in collection.repaired
    assert any(sentence.startswith("f.mid: 7 bytes") for sentence in collection.repaired)
    told = capsys.readouterr().err.splitlines()
    assert told == collection.told()
    assert sum(line.startswith("repaired: ") for line in told) == MAX_REPAIRED + 1
    assert "repaired: 3 files more" in told
    assert "left out: 1 grace notes" in told
    assert any(line.startswith("left out: ") and "g.json does not hold" in line for line in told)
    strict = open_pieces(folder, reading=Reading(strict=True))
    assert strict.repaired == ()
    assert sum("cut off; leave out `strict`" in reason for reason in strict.skipped) == MAX_REPAIRED + 2


SCORE = """<score-partwise><part-list><score-part id="P1"><part-name>TITLE</part-name></score-part></part-list>
<part id="P1"><measure number="1"><attributes><divisions>1</divisions></attributes><note><pitch><step>C</step>
<octave>4</octave></pitch><duration>4</duration></note></measure></part></score-partwise>"""


def test_the_charset_reaches_all_readers_of_text(folder: Path) -> None:
    title = "Прощание"
    (folder / "a.abc").write_bytes(f"X:1\nT:{title}\nK:C\nCDEF|\n".encode("cp1251"))
    (folder / "d.xml").write_bytes(SCORE.replace("TITLE", title).encode("cp1251"))
    write_midi(replace(PIECE, tracks=(Track("@@@@@@@@"),)), folder / "b.mid")
    (folder / "b.mid").write_bytes((folder / "b.mid").read_bytes().replace(b"@@@@@@@@", title.encode("cp1251")))
    reading = Reading(charset="cp1251")
    abc, midi, score = (open_pieces(folder / name, reading=reading).pieces[0] for name in ("a.abc", "b.mid", "d.xml"))
    assert (abc.name, midi.tracks[0].name, score.tracks[0].name) == (f"a.abc ({title})", title, title)


def test_what_training_does_not_learn_is_told() -> None:
    notes = tuple(Note(6 * place, 6, 60 + place % 5) for place in range(100))
    piece = Piece("one", (Track(),), notes, 600, tempos=(Tempo(0, 90.0), Tempo(12, 100.0), Tempo(24, 90.0)))
    other = replace(piece, name="two", left_out={"lyrics": 3})
    data = read_data([piece] * 3, [other], Config())
    assert "left out: 8 changes of tempo" in data.told
    assert "left out: 3 lyrics (of the validation part)" in data.told
    assert describe(data)[:-1] == data.told
