"""`recurra info`, `recurra pack`, `recurra unpack`: what is in a model folder, and models given away."""

from __future__ import annotations

import json
import os
import shutil
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import recurra as package
from recurra.errors import RecurraError
from recurra.tasks.shared import archive
from recurra.tasks.shared.output import print_table, readable_size

Command = Callable[..., Any]
Refused = Callable[..., str]

MODELS = (
    "trained_folder",
    "trained_music",
    "trained_sentiment",
    "trained_translation",
    "trained_captions",
    "trained_speech",
)


@pytest.fixture
def packed(trained_folder: Path, tmp_path: Path) -> Path:
    """The tiny model of text, packed."""
    path = tmp_path / "tiny.zip"
    archive.pack(trained_folder, path)
    return path


def altered(packed: Path, change: Callable[[dict[zipfile.ZipInfo, bytes]], Any]) -> Path:
    """A packed model whose members were changed."""
    with zipfile.ZipFile(packed) as file:
        members = {info: file.read(info) for info in file.infolist()}
    change(members)
    path = packed.with_name("hostile.zip")
    with zipfile.ZipFile(path, "w") as file:
        for info, data in members.items():
            file.writestr(info, data)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestInfo:
    def test_the_sizes_are_those_of_the_files(self, recurra: Command, music_model: Path) -> None:
        (music_model / "tensorboard").mkdir()
        (music_model / "tensorboard" / "events").write_bytes(b"x" * 5000)
        size = {name: len(data) for name, data in contents(music_model).items()}
        found = json.loads(recurra("info", music_model, "--json").out)["bytes"]
        assert found == {
            "weights": size["model.safetensors"],
            "checkpoint": size[os.path.join("training", "checkpoint.safetensors")],
            "training_pieces": size["pieces.safetensors"],
            "all": sum(size.values()),
        }
        shown = recurra("info", music_model).out
        assert all(f"{name} " in shown for name in ("weights", "checkpoint", "training pieces", "all"))
        assert readable_size(found["checkpoint"]) in shown

    def test_what_is_not_there_has_no_line(self, recurra: Command, trained_folder: Path) -> None:
        assert json.loads(recurra("info", trained_folder, "--json").out)["bytes"]["training_pieces"] == 0
        assert "training pieces" not in recurra("info", trained_folder).out

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (1e-5, "1e-05"),
            (0.0003, "0.0003"),
            (1.50481, "1.5048"),
            (0.1, "0.1"),
            (0.0, "0"),
            (39.2604, "39.26"),
            (1234.567, "1,234.6"),
            (99999.7, "100,000"),
            (1234567.8, "1,234,568"),
            (1e300, "1e+300"),
            (float("nan"), "nan"),
            (float("-inf"), "-inf"),
            (1234567, "1,234,567"),
            (True, "True"),
            (None, "None"),
            ("lstm", "lstm"),
        ],
    )
    def test_numbers_keep_five_digits_wherever_they_begin(
        self, capsys: pytest.CaptureFixture[str], value: object, shown: str
    ) -> None:
        print_table({"a": value, "name": 1})
        assert capsys.readouterr().out == f"a     {shown}\nname  1\n"

    @pytest.mark.parametrize(
        ("size", "shown"),
        [
            *((0, "0 bytes"), (999, "999 bytes"), (1000, "1.00 kB"), (12_345, "12.3 kB"), (4_560_000, "4.56 MB")),
            *((123_456_789, "123 MB"), (1_230_000_000, "1,230 MB")),
        ],
    )
    def test_sizes_as_people_read_them(self, size: int, shown: str) -> None:
        assert readable_size(size) == shown


class TestPack:
    @pytest.mark.parametrize("name", MODELS)
    def test_what_comes_out_of_an_archive_is_the_model(
        self, recurra: Command, request: pytest.FixtureRequest, name: str, tmp_path: Path
    ) -> None:
        folder: Path = request.getfixturevalue(name)
        out = tmp_path / "x.zip"
        answer = recurra("pack", folder, "--out", out)
        assert (answer.status, answer.out) == (0, f"{out}\n")
        answer = recurra("unpack", out, "--out", tmp_path / "new" / "model")
        assert (answer.status, answer.out) == (0, f"{tmp_path / 'new' / 'model'}\n")
        before, after = contents(folder), contents(tmp_path / "new" / "model")
        assert before.keys() - after.keys() <= {
            os.path.join("training", "checkpoint.safetensors"),
            "pieces.safetensors",
        }
        assert after.items() <= before.items()
        assert type(package.load(str(tmp_path / "new" / "model"))) is type(package.load(str(folder)))
        assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["model"]

    def test_what_is_left_out_is_said(self, recurra: Command, trained_music: Path, tmp_path: Path) -> None:
        answer = recurra("pack", trained_music, "--out", tmp_path / "x.zip", "--json")
        value = json.loads(answer.out)
        size = {name: len(data) for name, data in contents(trained_music).items()}
        assert value["left_out"] == {
            "pieces.safetensors": size["pieces.safetensors"],
            "training": size[os.path.join("training", "checkpoint.safetensors")],
        }
        assert value["bytes"] == (tmp_path / "x.zip").stat().st_size
        assert f"left out: training, {readable_size(value['left_out']['training'])}" in answer.err.splitlines()

    def test_the_training_pieces_are_kept_when_asked(
        self, recurra: Command, refused: Refused, trained_music: Path, trained_folder: Path, tmp_path: Path
    ) -> None:
        assert "pieces" not in recurra("pack", trained_music, "--out", tmp_path / "x.zip", "--with-pieces").err
        archive.unpack(tmp_path / "x.zip", tmp_path / "band")
        assert (tmp_path / "band" / "pieces.safetensors").exists()
        said = refused("pack", trained_folder, "--out", tmp_path / "y.zip", "--with-pieces")
        assert "no training pieces" in said
        assert not (tmp_path / "y.zip").exists()

    def test_the_same_model_gives_the_same_archive(self, model_folder: Path, packed: Path) -> None:
        for path in model_folder.iterdir():
            os.utime(path, (1_000_000_000, 1_000_000_000))
        (model_folder / "model.safetensors").chmod(0o600)
        archive.pack(model_folder, packed.with_name("again.zip"))
        assert packed.with_name("again.zip").read_bytes() == packed.read_bytes()
        assert [info.filename for info in zipfile.ZipFile(packed).infolist()] == sorted(archive.NEEDED)

    def test_a_damaged_model_is_not_packed(self, refused: Refused, model_folder: Path, tmp_path: Path) -> None:
        with open(model_folder / "model.safetensors", "r+b") as file:
            file.truncate(100)
        (tmp_path / "x.zip").write_text("the old one")
        assert "truncated or altered" in refused("pack", model_folder, "--out", tmp_path / "x.zip")
        assert (tmp_path / "x.zip").read_text() == "the old one"
        assert "no model folder" in refused("pack", tmp_path / "nothing", "--out", tmp_path / "x.zip")

    def test_the_name_says_zip(self, refused: Refused, trained_folder: Path, tmp_path: Path) -> None:
        assert ".zip" in refused("pack", trained_folder, "--out", tmp_path / "x.tar", status=2)
        assert list(tmp_path.iterdir()) == []


def rename(old: str, new: str) -> Callable[[dict[zipfile.ZipInfo, bytes]], None]:
    def change(members: dict[zipfile.ZipInfo, bytes]) -> None:
        (info,) = (info for info in members if info.filename == old)
        info.filename = new

    return change


def mark(name: str, mode: int) -> Callable[[dict[zipfile.ZipInfo, bytes]], None]:
    def change(members: dict[zipfile.ZipInfo, bytes]) -> None:
        (info,) = (info for info in members if info.filename == name)
        info.external_attr = mode << 16

    return change


def add(name: str, data: bytes, method: int = zipfile.ZIP_DEFLATED) -> Callable[[dict[zipfile.ZipInfo, bytes]], None]:
    def change(members: dict[zipfile.ZipInfo, bytes]) -> None:
        info = zipfile.ZipInfo(name)
        info.compress_type = method
        members[info] = data

    return change


def drop(name: str) -> Callable[[dict[zipfile.ZipInfo, bytes]], None]:
    def change(members: dict[zipfile.ZipInfo, bytes]) -> None:
        for info in [info for info in members if info.filename == name]:
            del members[info]

    return change


def bomb(members: dict[zipfile.ZipInfo, bytes]) -> None:
    drop("README.md")(members)
    add("README.md", bytes(30_000_000))(members)


def damaged(members: dict[zipfile.ZipInfo, bytes]) -> None:
    (info,) = (info for info in members if info.filename == "model.safetensors")
    members[info] = members[info][:-1] + b"?"


class TestUnpackOfWhatMayComeFromAnybody:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (rename("README.md", "../README.md"), "'../README.md', which is not a file of a model"),
            (rename("README.md", "/etc/README.md"), "which is not a file of a model"),
            (rename("README.md", "C:\\README.md"), "which is not a file of a model"),
            (rename("README.md", "training/checkpoint.safetensors"), "which is not a file of a model"),
            (rename("README.md", "config.json/"), "which is not a file of a model"),
            (add("x" * 5000, b""), "xxx...', which is not a file of a model"),
            (add("config.json", b"{}"), "config.json as a link or more than once"),
            (mark("config.json", stat.S_IFLNK | 0o777), "config.json as a link"),
            (mark("config.json", stat.S_IFIFO | 0o777), "config.json as a link"),
            (add("pieces.safetensors", b"x", zipfile.ZIP_LZMA), "other than deflate"),
            (bomb, "more than 300 times its size"),
            (drop("config.json"), "has no config.json"),
            (drop("model.safetensors"), "model.safetensors failed: there is no such file"),
            (damaged, "model.safetensors is not the file that was saved"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_a_hostile_archive_is_refused_and_leaves_nothing(
        self, refused: Refused, packed: Path, change: Callable[[dict[zipfile.ZipInfo, bytes]], None], said: str
    ) -> None:
        hostile = altered(packed, change)
        message = refused("unpack", hostile, "--out", packed.parent / "folder" / "model")
        assert said in message
        assert "hostile.zip" in message
        assert len(message) < 400
        left = sorted(str(path.relative_to(packed.parent)) for path in packed.parent.rglob("*"))
        assert left in (["hostile.zip", "tiny.zip"], ["folder", "hostile.zip", "tiny.zip"])

    def test_no_flipped_byte_of_the_table_ends_in_a_traceback(self, packed: Path) -> None:
        whole = packed.read_bytes()
        folder = packed.with_name("model")
        answered = 0
        for at in range(1, 400, 7):
            packed.write_bytes(whole[:-at] + bytes([whole[-at] ^ 0xFF]) + whole[len(whole) - at + 1 :])
            try:
                archive.unpack(packed, folder)
            except RecurraError as error:
                answered += "tiny.zip" in str(error) and not folder.exists()
            else:  # what nothing depends on: a time, a version
                shutil.rmtree(folder)
                answered += 1
            assert not packed.with_name(".model.new").exists()
        assert answered == len(range(1, 400, 7))

    def test_a_declared_size_that_lies_is_noticed(self, packed: Path) -> None:
        data = packed.read_bytes()
        entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"README.md"))
        lying = data[: entry + 24] + struct.pack("<I", 10) + data[entry + 28 :]  # the size when unpacked
        packed.write_bytes(lying)
        with pytest.raises(RecurraError, match="CRC"):
            archive.unpack(packed, packed.with_name("model"))

    def test_a_table_of_contents_of_any_length_costs_no_memory(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
            for number in range(30_000):
                file.writestr(f"{number}", b"")
        tracemalloc.start()
        try:
            with pytest.raises(RecurraError, match="table of contents is too long"):
                archive.unpack(tmp_path / "x.zip", tmp_path / "model")
            assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
        finally:
            tracemalloc.stop()

    def test_an_encrypted_archive(self, refused: Refused, packed: Path) -> None:
        data = bytearray(packed.read_bytes())
        for mark_, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.index(mark_) + offset] |= 1
        packed.write_bytes(data)
        assert "encrypted" in refused("unpack", packed, "--out", packed.with_name("model"))

    def test_what_is_no_archive(self, refused: Refused, tmp_path: Path) -> None:
        (tmp_path / "x.zip").write_bytes(b"not one")
        assert "not a zip file" in refused("unpack", tmp_path / "x.zip", "--out", tmp_path / "model")
        assert "no such file" in refused("unpack", tmp_path / "y.zip", "--out", tmp_path / "model")

    def test_nothing_is_replaced(self, refused: Refused, packed: Path, model_folder: Path) -> None:
        before = contents(model_folder)
        assert "exists already" in refused("unpack", packed, "--out", model_folder)
        assert contents(model_folder) == before
