"""Many scores: the same by one process, by several, and from the cache."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recurra.errors import RecurraError
from recurra.tasks.music.data import open_pieces
from recurra.tasks.music.io import score_processes, score_reader
from recurra.tasks.music.io.score_reader import ScoreReader
from recurra.tasks.music.io.scores import read_score
from recurra.tasks.music.pieces import Note, Piece, Track
from recurra.tasks.music.render.musicxml import musicxml

KERN = "**kern\n*M4/4\n=1\n4c\n4d\n8ee\n8ff\n4gg\n=2\n1cc\n==\n*-\n"


@pytest.fixture
def scores(tmp_path: Path) -> list[Path]:
    """Scores of all kinds, one of several tunes, some that cannot be read, one that takes long before short ones."""
    folder = tmp_path / "scores"
    folder.mkdir()
    long = Piece(
        "long", (Track("Flute", 73),), tuple(Note(6 * index, 6, 60 + index % 12) for index in range(200)), 1200
    )
    (folder / "a.musicxml").write_text(musicxml(long))
    (folder / "b.krn").write_text(KERN)
    (folder / "c.abc").write_text('X:1\nT:One\nK:C\n"Am"{g}abc>d|\n\nX:2\nT:Two\nQ:1/4=99\nK:C\n!p!cde|\n')
    (folder / "d.xml").write_text("<score-partwise><part")
    (folder / "e.krn").write_text("nothing")
    (folder / "f.abc").write_text("X:1\nT:Zwölf\nK:A\nabc|\n", encoding="latin-1")
    return sorted(folder.iterdir())


def outcome(read: object, path: Path) -> object:
    try:
        return [(piece, list(piece.left_out.items()), piece.off_grid) for piece in read(path)]  # type: ignore[operator]
    except RecurraError as error:
        return str(error)


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "scores"


def test_several_processes_read_what_one_does(scores: list[Path]) -> None:
    alone = [outcome(read_score, path) for path in scores]
    with ScoreReader(scores, processes=3) as reader:
        together = [outcome(reader.read, path) for path in [*scores, *scores[:3]]]
    assert together == [*alone, *alone[:3]]
    with ScoreReader(scores, expand=False, charset="shift_jis", processes=2) as reader:
        other = [outcome(reader.read, path) for path in scores]
    assert other == [outcome(lambda path: read_score(path, False, "shift_jis"), path) for path in scores]
    assert other[-1] != alone[-1]


def test_a_folder_is_the_same_by_all_ways(scores: list[Path], cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = scores[0].parent
    first = open_pieces(folder)
    assert len(list(cached.iterdir())) == 4
    assert open_pieces(folder) == first
    monkeypatch.setenv("RECURRA_CACHE", str(cached / "other"))
    monkeypatch.setattr(score_reader, "WORTH_IT", 0.0)
    monkeypatch.setattr(score_reader, "available_cores", lambda: 2)
    asked = []
    begin = score_processes._started
    monkeypatch.setattr(score_processes, "_started", lambda: asked.append(1) or begin())  # type: ignore[func-returns-value]
    assert open_pieces(folder) == first
    assert asked
    assert first.told() == open_pieces(folder).told() != []
    assert len(first.skipped) == 2


def test_what_was_read_before_is_not_read_again(
    scores: list[Path], cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScoreReader(scores[:3]) as reader:
        first = [reader.read(path) for path in scores[:3]]

    def fail(*arguments: object) -> None:
        raise RecurraError("read again")

    monkeypatch.setattr(score_reader, "read_score", fail)
    with ScoreReader(scores[:3], processes=2) as reader:
        assert reader._processes is None
        assert [reader.read(path) for path in scores[:3]] == first
    for entry in cached.iterdir():
        entry.write_bytes(entry.read_bytes()[:-9])
    with ScoreReader(scores[:3]) as reader, pytest.raises(RecurraError, match="read again"):
        reader.read(scores[0])


def test_a_damaged_entry_is_made_again(scores: list[Path], cached: Path) -> None:
    first = open_pieces(scores[1])
    (entry,) = cached.iterdir()
    good = entry.read_bytes()
    for bad in (b"", good[:-1], good[:-1] + bytes([good[-1] ^ 1])):
        entry.write_bytes(bad)
        assert open_pieces(scores[1]) == first
        assert entry.read_bytes() == good


def test_a_cache_that_cannot_be_written_is_told_once(
    scores: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "file"))
    assert len(open_pieces(scores[1:3]).pieces) == 3
    assert capsys.readouterr().err.count("cannot be written; name another folder with RECURRA_CACHE") == 1


def test_a_process_that_ends_is_told_and_replaced(scores: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    begin = score_processes._started

    def start() -> subprocess.Popen[str]:
        started.append(begin())
        if len(started) == 1:
            started[0].kill()
        return started[-1]

    monkeypatch.setattr(score_processes, "_started", start)
    with score_processes.ScoreProcesses(scores[1:3], True, "auto", 1) as processes:
        with pytest.raises(RecurraError, match=r"b\.krn cannot be read: the process that read it was ended"):
            processes.result(scores[1])
        assert processes.result(scores[2]) == read_score(scores[2])
        assert processes.result(scores[0]) is None
    assert len(started) == 2
    assert all(process.returncode for process in started)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_an_interruption_ends_all_processes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = [tmp_path / f"{number}.krn" for number in range(4)]
    for path in endless:
        os.mkfifo(path)
    started: list[subprocess.Popen[str]] = []
    begin = score_processes._started
    monkeypatch.setattr(score_processes, "_started", lambda: started.append(begin()) or started[-1])  # type: ignore[func-returns-value]
    begun = time.monotonic()

    def interrupted() -> None:
        with score_processes.ScoreProcesses(endless, True, "auto", 2):
            while len(started) < 2 and time.monotonic() < begun + 60:
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(started) == 2
    assert all(process.returncode for process in started)


def test_a_script_without_a_guard_is_not_run_again(scores: list[Path], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom recurra.tasks.music.io.score_reader import ScoreReader\n"
        "print('begun')\npaths = [Path(name) for name in sys.argv[1:]]\n"
        "with ScoreReader(paths, processes=2) as reader:\n    print(*[len(reader.read(path)) for path in paths])\n"
    )
    command = [sys.executable, script, *scores[:3]]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert (answer.stdout, answer.stderr) == ("begun\n1 1 2\n", "")


@pytest.mark.parametrize(
    ("sizes", "cores", "beside", "expected"),
    [
        ([300_000, 300_000], 8, "1", 2),
        ([300_000] * 9, 8, "1", 8),
        ([300_000] * 9, 8, "4", 2),
        ([300_000] * 40, 64, "1", 16),
        ([300_000] * 9, 1, "1", 1),
        ([900_000], 8, "1", 1),
        ([1_000] * 9, 8, "1", 1),
    ],
)
def test_as_many_processes_as_pay(
    sizes: list[int], cores: int, beside: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_reader, "available_cores", lambda: cores)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", beside)
    paths = [tmp_path / f"{number}.krn" for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        path.write_bytes(b" " * size)
    assert score_reader._processes_for(paths) == expected
    assert score_reader._processes_for([tmp_path / "none.krn"] * 2) == 1
