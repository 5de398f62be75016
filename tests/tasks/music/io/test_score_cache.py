"""Where scores are kept, and under which names."""

import sys
from pathlib import Path

import pytest

from recurra.errors import RecurraError
from recurra.tasks.music.io import score_cache
from recurra.tasks.music.io.score_cache import cache_folder, entry_name, load, store
from recurra.tasks.music.pieces import Note, Piece, Track

PIECE = Piece("a", (Track(),), (Note(0, 12, 60),), 12)


def test_the_folder_can_be_moved_and_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "scores"
    monkeypatch.setenv("RECURRA_CACHE", "off")
    assert cache_folder() is None


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, Path("/x/recurra/scores")),
        ("linux", {"XDG_CACHE_HOME": "x", "HOME": "/h"}, Path("/h/.cache/recurra/scores")),
        ("linux", {"HOME": "/h"}, Path("/h/.cache/recurra/scores")),
        ("darwin", {"HOME": "/h", "XDG_CACHE_HOME": "/x"}, Path("/h/Library/Caches/recurra/scores")),
        ("win32", {"LOCALAPPDATA": "/l", "HOME": "/h"}, Path("/l/recurra/scores")),
        ("win32", {"HOME": "/h"}, None),
    ],
)
def test_else_it_is_the_users(
    platform: str, variables: dict[str, str], folder: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RECURRA_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == folder


def test_an_entry_is_of_content_name_and_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score, other = tmp_path / "a.abc", tmp_path / "there" / "a.abc"
    other.parent.mkdir()
    for path in (score, other):
        path.write_text("X:1\nK:C\nabc\n")
    name = entry_name(score, True, "auto")
    assert entry_name(other, True, "auto") == name
    renamed = score.rename(tmp_path / "b.abc")
    names = {name, entry_name(renamed, True, "auto"), entry_name(other, False, "auto")}
    names.add(entry_name(other, True, "utf-8"))
    other.write_text("X:1\nK:C\nabd\n")
    names.add(entry_name(other, True, "auto"))
    monkeypatch.setattr(score_cache, "_reader", lambda: "another")
    names.add(entry_name(other, True, "auto"))
    assert len(names) == 6
    with pytest.raises(RecurraError, match="there is no such file"):
        entry_name(score, True, "auto")


def test_a_reader_is_known_by_its_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "io"
    folder.mkdir()
    (folder / "scores.py").write_text("1")
    monkeypatch.setattr(score_cache, "__file__", str(folder / "score_cache.py"))
    digests = set()
    for changed in (folder / "scores.py", tmp_path / "pieces.py"):
        score_cache._reader.cache_clear()
        digests.add(score_cache._reader())
        changed.write_text("2")
    score_cache._reader.cache_clear()
    digests.add(score_cache._reader())
    score_cache._reader.cache_clear()
    assert len(digests) == 3


def test_damaged_entries_are_none(tmp_path: Path) -> None:
    entry = tmp_path / "deep" / "er" / "entry"
    assert load(entry) is None
    assert store(entry, (PIECE,))
    assert load(entry) == (PIECE,)
    entry.write_bytes(entry.read_bytes()[:-1])
    assert load(entry) is None


def test_what_cannot_be_kept_is_not(tmp_path: Path) -> None:
    assert not store(tmp_path / "entry", (Piece("a", (Track(program=300),), (), 12),))
    (tmp_path / "file").write_text("")
    assert not store(tmp_path / "file" / "entry", (PIECE,))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
