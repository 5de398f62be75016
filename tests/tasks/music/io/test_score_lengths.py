"""Scores with absurd lengths are refused before they cost time or memory; those of real music are not."""

import contextlib
import random
import re
import signal
from pathlib import Path

import pytest

from recurra.errors import RecurraError
from recurra.tasks.music.io.scores import read_score

ABC = """X:1
T:a
M:6/8
L:1/8
Q:1/4=100
K:G
|:D|GAB c2d|[GBd]3 z3|(3ABc d2 e>f|g^f=f A2:|
[M:C|]A2 B2 c2 [1 d2|[2 e2|]
"""
KERN = "**kern\t**kern\n*M3/4\t*M3/4\n=1\t=1\n2C\t4e\n.\t8f\n.\t8g\n4G\t4e\n=2\t=2\n2.C\t2.c\n==\t==\n*-\t*-\n"
XML = """<score-partwise version="3.1"><part-list><score-part id="P0"><part-name>a</part-name></score-part></part-list>
<part id="P0"><measure number="1"><attributes><divisions>12</divisions>
<time><beats>3</beats><beat-type>4</beat-type></time></attributes>
<note><pitch><step>C</step><octave>4</octave></pitch><duration>12</duration></note>
<forward><duration>24</duration></forward></measure>
<measure number="2"><note><rest/><duration>36</duration></note></measure></part></score-partwise>
"""
SCORES = {"a.abc": ABC, "a.krn": KERN, "a.musicxml": XML}
SECONDS = 10
"""In which music21 reads each of them many times over; unchecked lengths take minutes."""


def read(folder: Path, name: str, text: str) -> int:
    """The notes in a score; a test that takes long fails."""
    (folder / name).write_text(text, encoding="utf-8", newline="")

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt(text)  # nothing on the way may catch it

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        return sum(len(piece.notes) for piece in read_score(folder / name))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("a.abc", "c2d", "c99999d", "49,999.5 quarters in line 7"),
        ("a.abc", "z3", "z4096", "2,048 quarters in line 7"),
        ("a.abc", "]3", "]999999999", "quarters in line 7"),
        ("a.abc", "L:1/8", "L:1000/1", "4,000 quarters in line 4"),
        ("a.abc", "M:6/8", "M:1024/4", "a metre of 1,024 beats in line 3"),
        ("a.abc", "M:C|", "M:100/1", "400 quarters in line 8"),
        ("a.abc", "M:6/8", "M:" + "9" * 5000 + "/8", "a number of 5000 digits in line 3"),
        ("a.abc", "A2 B2", "A256|" * 600, "quarters long"),
        ("a.krn", "*M3/4\t", "*M16384/4\t", "a metre of 16,384 beats in line 2"),
        ("a.krn", "2C", "1%9999C", "39,996 quarters in line 4"),
        ("a.krn", "2C", "2......................C", "12 dots"),
        ("a.musicxml", "<duration>12<", "<duration>99999999<", "quarters in line 4"),
        ("a.musicxml", "<duration>24<", "<duration>99999999<", "quarters in line 5"),
        ("a.musicxml", "<divisions>12<", "<divisions>0.0001<", "120,000 quarters in line 4"),
        ("a.musicxml", "<beats>3<", "<beats>9999<", "a metre of 9,999 beats in line 3"),
        ("a.musicxml", "<duration>36<", f"<duration>{'9' * 9000}<", "9000 digits in line 6"),
    ],
)
def test_absurd_lengths_are_refused_at_once(tmp_path: Path, name: str, old: str, new: str, told: str) -> None:
    assert old in SCORES[name]
    with pytest.raises(RecurraError) as error:
        read(tmp_path, name, SCORES[name].replace(old, new, 1))
    message = str(error.value)
    assert told in message
    assert name in message
    assert len(message) < 300


def test_one_absurd_tune_leaves_the_others(tmp_path: Path) -> None:
    bad = ABC.replace("X:1", "X:2").replace("c2d", "c99999d")
    (tmp_path / "a.abc").write_text(ABC + "\n" + bad + "\n" + ABC.replace("X:1", "X:3"))
    pieces = read_score(tmp_path / "a.abc")
    assert len(pieces) == 2
    assert pieces[-1].left_out["tunes that cannot be read"] == 1
    (tmp_path / "b.abc").write_text("\n" + bad)
    with pytest.raises(RecurraError, match="in line 8"):
        read_score(tmp_path / "b.abc")


def test_long_notes_of_real_music_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, "a.abc", ABC.replace("c2d", "c442d")) == read(tmp_path, "a.abc", ABC)
    assert read(tmp_path, "a.krn", KERN.replace("2C", "000C", 1)) == 8
    assert read(tmp_path, "a.musicxml", XML.replace("<duration>12<", "<duration>1200<")) == 1
    assert read(tmp_path, "b.abc", "X:1\nM:C\nL:1/8\nK:C\n" + "ABcd " * 60 + "|c2|d2|]\n") == 242  # few bar lines
    text = "X:1\nN:written in M:2009/1\nM:C\nL:1/8\nK:C\nC8|D8|\nw:20090 M:4096/4\n"
    assert read(tmp_path, "c.abc", text + "%https://example.org/0123456789012345\n") == 2


def test_a_metre_of_a_sum_is_one_metre(tmp_path: Path) -> None:
    (tmp_path / "a.abc").write_text("X:1\nM:2+2+3/8\nL:1/8\nK:C\nABcdefg|ABcdefg|A7|]\n")
    (piece,) = read_score(tmp_path / "a.abc")
    assert [meter[1:] for meter in piece.meters] == [(7, 8)]


NUMBERS = ("0", "1", "7", "64", "100", "999", "1024", "16384", "999999999", "000000")
LETTERS = "0123456789/:|[](){}<>^_=,'\"!+%~.&*-\tzxZXABCdefgMLKQVPT\n #"


def mutate(text: str, chance: random.Random) -> str:
    """A score with one to three faults: numbers changed, letters put in, parts dropped, moved and said many times."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        begin = chance.randrange(len(text))
        end = min(len(text), begin + chance.randrange(1, 15))
        digits = chance.choice(list(re.finditer(r"\d+", text)) or [re.match("", text)])
        text = (
            chance.choice(
                (
                    text[: digits.start()] + chance.choice(NUMBERS) + text[digits.end() :],
                    text[:begin] + chance.choice(NUMBERS) + text[begin:],
                    text[:begin] + chance.choice(LETTERS) + text[begin:],
                    text[:begin] + text[end:],
                    text[:begin] + text[begin:end] * 9 + text[end:],
                )
            )
            or "x"
        )
    return text


@pytest.mark.parametrize("name", SCORES)
def test_a_faulty_score_is_read_or_refused_soon(tmp_path: Path, name: str) -> None:
    chance = random.Random(name)
    read_ones = 0
    for _ in range(80):
        with contextlib.suppress(RecurraError):
            read_ones += read(tmp_path, name, mutate(SCORES[name], chance)) > 0
    assert read_ones > 5  # and all others were refused in one sentence
