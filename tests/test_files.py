"""Writing that is all or nothing, wherever it is cut off."""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recurra.errors import RecurraError
from recurra.files import recover_folder, replace_folder, require_writable_parent, write_atomic, write_text_atomic


class Crash(BaseException):
    """The machine stops here: not even an `except Exception` runs."""


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def tree(folder: Path) -> dict[str, str]:
    """The files of a folder and what is in them."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text_atomic(path, "one ünd 春\n")
    assert path.read_bytes() == "one ünd 春\n".encode()
    write_text_atomic(path, "two")
    assert path.read_text() == "two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one_and_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    (tmp_path / "null.txt").symlink_to("/dev/null")
    (tmp_path / "self.txt").symlink_to(tmp_path / "self.txt")
    (tmp_path / "away.txt").symlink_to(tmp_path / "nowhere" / "away.txt")
    os.mkfifo(tmp_path / "pipe")
    write_text_atomic(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"
    for name in ("null.txt", "pipe"):
        with pytest.raises(RecurraError, match="is a device or a pipe"):
            write_text_atomic(tmp_path / name, "new")
    assert (tmp_path / "pipe").is_fifo()
    write_text_atomic(tmp_path / "self.txt", "new")  # leads nowhere
    assert (tmp_path / "self.txt").read_text() == "new"
    require_writable_parent(tmp_path / "away.txt")
    write_text_atomic(tmp_path / "away.txt", "new")
    assert (tmp_path / "nowhere" / "away.txt").read_text() == "new"
    with pytest.raises(RecurraError, match="too long"):
        write_text_atomic(tmp_path / ("x" * 300), "new")


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002, 0o000])
def test_permissions_follow_the_umask(tmp_path: Path, mask: int) -> None:
    def secretive(temporary: Path) -> None:
        temporary.touch(mode=0o600)  # as safetensors does

    with umask(mask):
        write_text_atomic(tmp_path / "text", "x")
        write_atomic(tmp_path / "other", secretive)
        assert os.umask(mask) == mask, "the umask was changed"
    assert mode(tmp_path / "text") == mode(tmp_path / "other") == 0o666 & ~mask


def full_disk(*arguments: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["os.replace", "os.fsync", "os.chmod", "pathlib.Path.write_text"])
@pytest.mark.parametrize("there", [False, True])
def test_a_disk_that_fills_up_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, there: bool
) -> None:
    path = tmp_path / "file.txt"
    if there:
        path.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(call, full_disk)
        with pytest.raises(RecurraError, match=r"writing .*file\.txt failed: the disk is full; free some space"):
            write_text_atomic(path, "new")
    assert tree(tmp_path) == ({"file.txt": "old"} if there else {})


@pytest.mark.parametrize("call", ["os.replace", "os.fsync", "os.chmod"])
@pytest.mark.parametrize("there", [False, True])
def test_a_crash_leaves_what_was_there_or_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, there: bool
) -> None:
    path = tmp_path / "file.txt"
    if there:
        path.write_text("old")

    def crash(*arguments: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(call, crash)
        patch.setattr("pathlib.Path.unlink", lambda *arguments, **options: None)  # nobody is left to tidy up
        with pytest.raises(Crash):
            write_text_atomic(path, "new")
    assert tree(tmp_path).get("file.txt") == ("old" if there else None)
    write_text_atomic(path, "newer")
    assert tree(tmp_path) == {"file.txt": "newer"}


def test_an_error_of_the_writer_leaves_nothing(tmp_path: Path) -> None:
    def write(temporary: Path) -> None:
        temporary.write_text("half of")
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        write_atomic(tmp_path / "file.txt", write)
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_no_text_stay_what_they_are_in_json(tmp_path: Path) -> None:
    import json

    from recurra.config import dump_json, read_json

    write_text_atomic(tmp_path / "a.json", dump_json({"data": "corp\udcfcs 春"}))
    assert read_json(tmp_path / "a.json") == {"data": "corp\udcfcs 春"}
    assert json.loads((tmp_path / "a.json").read_bytes())


def below_a_file(tmp_path: Path) -> Path:
    (tmp_path / "plain").write_text("a file")
    return tmp_path / "plain" / "deep" / "model"


def test_a_place_below_a_file_is_refused_with_a_remedy(tmp_path: Path) -> None:
    place = below_a_file(tmp_path)
    for write in (lambda: require_writable_parent(place), lambda: write_text_atomic(place, "x")):
        with pytest.raises(RecurraError, match=r"writing .*plain/deep/model failed: .*is a file.*; check the name"):
            write()
    with pytest.raises(RecurraError, match=r"writing .*plain/model failed: .*; choose another place"):
        require_writable_parent(tmp_path / "plain" / "model")
    assert tree(tmp_path) == {"plain": "a file"}


def test_a_place_without_permission_is_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def access(path: Path, how: int) -> bool:
        asked.append((Path(path), how))
        return False

    monkeypatch.setattr(os, "access", access)  # the administrator, who may run this, has every permission
    with pytest.raises(RecurraError, match=r"writing .*model failed: no permission in .*; choose another place"):
        require_writable_parent(tmp_path / "model")
    assert asked == [(tmp_path, os.W_OK | os.X_OK)]


def make(folder: Path, content: str) -> Path:
    folder.mkdir()
    (folder / "a").write_text(content)
    (folder / "b").write_text(content)
    return folder


def test_a_folder_is_put_in_place_of_another(tmp_path: Path) -> None:
    target = tmp_path / "model"
    replace_folder(make(tmp_path / "new", "1"), target)
    assert tree(tmp_path) == {"model/a": "1", "model/b": "1"}
    replace_folder(make(tmp_path / "new", "2"), target)
    assert tree(tmp_path) == {"model/a": "2", "model/b": "2"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_folders_with_likely_names_beside_it_are_left_alone(tmp_path: Path) -> None:
    for name in ("model", "model.old", "model.new", "model.bak"):
        make(tmp_path / name, name)
    replace_folder(make(tmp_path / "x", "new"), tmp_path / "model")
    shutil.rmtree(tmp_path / "model")
    recover_folder(tmp_path / "model")
    assert {path.name for path in tmp_path.iterdir()} == {"model.old", "model.new", "model.bak"}


def calls_of(monkeypatch: pytest.MonkeyPatch, error: BaseException, at: int) -> None:
    """Let the rename with the number `at`, and whatever would tidy up after a crash, fail."""
    rename: Callable[..., Path] = Path.rename
    count = 0

    def counted(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == at or (count > at and isinstance(error, Crash)):
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", counted)


@pytest.mark.parametrize("at", [1, 2])
def test_a_crash_between_the_renames_is_undone_by_the_next_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    target, new = make(tmp_path / "model", "old"), make(tmp_path / "new", "new")
    with monkeypatch.context() as patch:
        calls_of(patch, Crash(), at)
        with pytest.raises(Crash):
            replace_folder(new, target)
    recover_folder(target)
    assert tree(target) == {"a": "old", "b": "old"}
    replace_folder(new, target)
    assert tree(tmp_path) == {"model/a": "new", "model/b": "new"}


def test_a_crash_while_the_old_folder_is_removed_leaves_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, new = make(tmp_path / "model", "old"), make(tmp_path / "new", "new")
    with monkeypatch.context() as patch:

        def crash(path: Path, ignore_errors: bool = False) -> None:
            if Path(path).exists():
                raise Crash

        patch.setattr(shutil, "rmtree", crash)
        with pytest.raises(Crash):
            replace_folder(new, target)
    recover_folder(target)
    assert tree(target) == {"a": "new", "b": "new"}
    replace_folder(make(tmp_path / "new", "newer"), target)
    assert tree(tmp_path) == {"model/a": "newer", "model/b": "newer"}


@pytest.mark.parametrize("at", [1, 2])
def test_a_rename_that_is_refused_leaves_the_old_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    target, new = make(tmp_path / "model", "old"), make(tmp_path / "new", "new")
    with monkeypatch.context() as patch:
        calls_of(patch, PermissionError(errno.EACCES, "Permission denied"), at)
        with pytest.raises(RecurraError, match=r"writing .*model failed: no permission"):
            replace_folder(new, target)
    assert tree(target) == {"a": "old", "b": "old"}


def test_a_folder_is_not_taken_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (".", "..", "/"):
        with pytest.raises(RecurraError, match="is a folder"):
            write_text_atomic(Path(name), "text")
