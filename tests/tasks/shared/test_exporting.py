"""`recurra export`: what the ending decides, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from unimported import without_torch

import recurra as package
from recurra.errors import RecurraError
from recurra.tasks.shared import archive, exporting, onnx_file

Command = Callable[..., Any]
Refused = Callable[..., str]


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestEndings:
    def test_onnx_is_a_checked_file_that_says_what_it_is(
        self, recurra: Command, trained_folder: Path, tmp_path: Path
    ) -> None:
        answer = recurra("export", trained_folder, "--out", tmp_path / "m.ONNX")
        assert answer == (0, f"{tmp_path / 'm.ONNX'}\n", "")
        model = onnx.load(tmp_path / "m.ONNX")
        onnx.checker.check_model(model, full_check=True)
        metadata = {each.key: json.loads(each.value) for each in model.metadata_props}
        assert (metadata["task"], metadata["graph"]) == ("text", "step")
        assert metadata["recurra"] == package.__version__
        assert {each.domain for each in model.opset_import} == {""}  # no operators of anybody's own
        assert files_in(tmp_path) == ["m.ONNX"]

    def test_the_same_model_gives_the_same_bytes(self, recurra: Command, trained_folder: Path, tmp_path: Path) -> None:
        for name in ("a.onnx", "b.onnx"):
            recurra("export", trained_folder, "--out", tmp_path / name, "--int8")
        assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()

    def test_zip_is_what_pack_writes(self, recurra: Command, music_model: Path, tmp_path: Path) -> None:
        answer = recurra("export", music_model, "--out", tmp_path / "a.zip")
        assert answer.out == f"{tmp_path / 'a.zip'}\n"
        assert "left out: training, " in answer.err
        assert "left out: pieces.safetensors, " in answer.err
        archive.pack(music_model, tmp_path / "b.zip")
        assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()

    def test_several_files_are_named_after_their_graphs(
        self, recurra: Command, trained_translation: Path, tmp_path: Path
    ) -> None:
        answer = recurra("export", trained_translation, "--out", tmp_path / "x.y.onnx", "--json")
        files = [str(tmp_path / f"x.y.{graph}.onnx") for graph in ("encoder", "step")]
        assert json.loads(answer.out) == {"path": files[0], "files": files}
        assert files_in(tmp_path) == ["x.y.encoder.onnx", "x.y.step.onnx"]

    def test_int8_says_how_much_is_lost(self, recurra: Command, trained_folder: Path, tmp_path: Path) -> None:
        answer = recurra("export", trained_folder, "--out", tmp_path / "m.onnx", "--int8")
        assert answer.out == f"{tmp_path / 'm.onnx'}\n"
        assert "weights are rounded to eight bits, 0." in answer.err

    def test_it_needs_no_pytorch(
        self, trained_folder: Path, trained_music: Path, trained_sentiment: Path, tmp_path: Path
    ) -> None:
        folders = [str(folder) for folder in (trained_folder, trained_music, trained_sentiment)]
        code = f"""
from recurra.cli import main
print(*[main(["export", folder, "--out", {str(tmp_path / "m.onnx")!r}]) for folder in {folders!r}])
"""
        done = without_torch(code)
        assert done.stdout.endswith("\n0 0 0\n"), done

    def test_what_stood_there_is_replaced(self, recurra: Command, trained_folder: Path, tmp_path: Path) -> None:
        (tmp_path / "m.onnx").write_bytes(b"something else")
        assert recurra("export", trained_folder, "--out", tmp_path / "m.onnx").status == 0
        onnx.load(tmp_path / "m.onnx")


class TestRefused:
    def test_another_ending(self, refused: Refused, trained_folder: Path, tmp_path: Path) -> None:
        for name in ("model", "model.pt", "model.onnx.gz"):
            message = refused("export", trained_folder, "--out", tmp_path / name, status=2)
            assert message.endswith(f"{name}: its name must end in .onnx or .html or .zip\n")
        assert files_in(tmp_path) == []

    def test_a_folder_for_a_file(self, refused: Refused, trained_folder: Path, tmp_path: Path) -> None:
        (tmp_path / "m.onnx").mkdir()
        assert "is a folder; give the name" in refused("export", trained_folder, "--out", tmp_path / "m.onnx", status=2)

    def test_int8_in_a_zip(self, refused: Refused, trained_folder: Path, tmp_path: Path) -> None:
        message = refused("export", trained_folder, "--out", tmp_path / "m.zip", "--int8", status=2)
        assert "--int8 is for .onnx and .html" in message
        assert files_in(tmp_path) == []

    def test_no_model(self, refused: Refused, tmp_path: Path) -> None:
        for name in ("m.onnx", "m.html", "m.zip"):
            assert "there is no model folder" in refused("export", tmp_path / "none", "--out", tmp_path / name)

    def test_a_damaged_model_leaves_what_stood_there(
        self, refused: Refused, model_folder: Path, tmp_path: Path
    ) -> None:
        with open(model_folder / "model.safetensors", "r+b") as file:
            file.seek(-4, 2)
            file.write(b"\xff\xff\xff\xff")
        (tmp_path / "m.onnx").write_bytes(b"old")
        assert "not the file that was saved" in refused("export", model_folder, "--out", tmp_path / "m.onnx")
        assert (tmp_path / "m.onnx").read_bytes() == b"old"

    def test_a_form_that_a_task_does_not_have(
        self, refused: Refused, trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(exporting.WRITERS, ".onnx", "to_nothing")
        message = refused("export", trained_folder, "--out", tmp_path / "m.onnx")
        assert message == "error: a text model cannot be written as .onnx; give --out the ending .html or .zip\n"

    def test_a_task_that_is_not_known(self) -> None:
        with pytest.raises(RecurraError, match=r"knows no task 'olfaction', .*; update recurra"):
            exporting.writer_of("olfaction", ".onnx")

    def test_a_missing_package(
        self, refused: Refused, trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in [name for name in sys.modules if name.endswith(".to_onnx") or name.startswith("recurra.export")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "onnx", None)
        message = refused("export", trained_folder, "--out", tmp_path / "m.onnx")
        assert message.endswith("m.onnx needs one more package, onnx: pip install 'recurra[export]'\n")

    def test_more_than_a_file_can_hold(
        self, refused: Refused, trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(onnx_file, "MAX_BYTES", 1000)
        assert "would be larger than 2 GB" in refused("export", trained_folder, "--out", tmp_path / "m.onnx")
        assert files_in(tmp_path) == []

    def test_a_folder_for_the_second_file(self, refused: Refused, trained_translation: Path, tmp_path: Path) -> None:
        (tmp_path / "m.step.onnx").mkdir()
        message = refused("export", trained_translation, "--out", tmp_path / "m.onnx", status=2)
        assert "m.step.onnx is a folder" in message
        assert files_in(tmp_path) == ["m.step.onnx"]

    def test_a_disk_that_is_full_at_the_second_file(
        self, refused: Refused, trained_translation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_bytes = Path.write_bytes

        def full(self: Path, data: bytes) -> int:
            if "step" in self.name:
                raise OSError(28, "No space left on device")
            return write_bytes(self, data)

        (tmp_path / "m.encoder.onnx").write_bytes(b"old")
        monkeypatch.setattr(Path, "write_bytes", full)
        message = refused("export", trained_translation, "--out", tmp_path / "m.onnx")
        assert f"writing {tmp_path / 'm.step.onnx'} failed: the disk is full" in message
        assert files_in(tmp_path) == ["m.encoder.onnx"]
        assert (tmp_path / "m.encoder.onnx").read_bytes() == b"old"

    def test_a_disk_that_is_full(
        self, refused: Refused, trained_translation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(self: Path, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        assert "the disk is full" in refused("export", trained_translation, "--out", tmp_path / "m.onnx")
        assert files_in(tmp_path) == []
