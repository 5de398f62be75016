"""A model on disk: the same bits come back, anything else is refused in one sentence, a crash leaves a whole model."""

import ast
import errno
import hashlib
import json
import os
import resource
import shutil
import stat
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError
from torch import Tensor, nn

import recurra
from recurra import modelfile
from recurra.errors import RecurraError
from recurra.modelfile import ModelFile, fill, load, restore, save
from recurra.modelfolder import CARD, CONFIG, FORMAT_VERSION, VOCABULARY, WEIGHTS
from recurra.models.architecture import Architecture
from recurra.models.language_model import LanguageModel


def example(seed: int = 0) -> ModelFile:
    generator = torch.Generator().manual_seed(seed)
    tensors = {name: torch.randn(3, 4, generator=generator) for name in ("a.weight", "b.weight", "c")}
    vocabulary = {"kind": "characters", "tokens": ["a", "春", "\n", '"']}
    return ModelFile("text", {"hidden_size": 8, "seed": seed}, {"nats": 1.25, "data": "naïve.txt"}, vocabulary, tensors)


def same(one: ModelFile, other: ModelFile) -> bool:
    """Equal to the last bit."""
    if (one.task, one.config, one.record, one.vocabulary) != (other.task, other.config, other.record, other.vocabulary):
        return False
    return {name: bits(tensor) for name, tensor in one.tensors.items()} == {
        name: bits(tensor) for name, tensor in other.tensors.items()
    }


def bits(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.dtype, tensor.shape, tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder in good order."""
    save(tmp_path / "model", example(), "# card\n")
    return tmp_path / "model"


def seal(folder: Path) -> None:
    """Write the right checksums for files that were altered, as somebody who means harm would."""
    alter(
        folder,
        sha256={name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (WEIGHTS, VOCABULARY)},
    )


def alter(folder: Path, **entries: Any) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | entries))


def refusal(folder: Path, task: str | None = None) -> str:
    """The one sentence with which a folder is refused."""
    with pytest.raises(RecurraError) as error:
        load(folder, task)
    message = str(error.value)
    assert str(folder) in message
    assert "\n" not in message
    assert ";" in message, "no remedy"
    assert len(message) < 600
    return message


class TestPlaces:
    @pytest.mark.parametrize("place", ["thesis", "thesis/notes.txt", ".", ""])
    def test_what_is_not_a_model_is_not_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        (tmp_path / "thesis").mkdir()
        (tmp_path / "thesis" / "notes.txt").write_text("years of work")
        monkeypatch.chdir(tmp_path)
        with pytest.raises(RecurraError, match=r"folder of something else|is a file|no name of its own"):
            save(Path(place), example(), "")
        assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
            "thesis",
            "thesis/notes.txt",
        ]

    @pytest.mark.parametrize("there", [False, True])
    def test_a_link_leads_to_the_model(self, tmp_path: Path, there: bool) -> None:
        (tmp_path / "disk").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "disk" / "model")
        if there:
            save(tmp_path / "disk" / "model", example(9), "")
        for seed in range(3):
            save(tmp_path / "link", example(seed), "")
            assert same(load(tmp_path / "disk" / "model"), example(seed))
        assert (tmp_path / "link").is_symlink()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "link"]
        assert [path.name for path in (tmp_path / "disk").iterdir()] == ["model"]

    def test_whichever_model_it_is_is_read_once(self, trained_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        read: list[Path] = []
        monkeypatch.setattr(modelfile, "read_tensors", lambda path: (read.append(path), real(path))[1])
        assert recurra.load(trained_folder, "cpu").task == "text"
        assert read == [trained_folder / WEIGHTS]


real = modelfile.read_tensors


class TestComingBack:
    @given(
        seed=st.integers(0, 100), dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16])
    )
    def test_the_same_bits(self, tmp_path_factory: pytest.TempPathFactory, seed: int, dtype: torch.dtype) -> None:
        model = example(seed)
        model = replace(model, tensors={name: (tensor * 1e-3).to(dtype) for name, tensor in model.tensors.items()})
        folder = tmp_path_factory.mktemp("bits") / "model"
        save(folder, model, "# card\n")
        assert same(load(folder, "text"), model)

    def test_odd_numbers_and_shapes(self, tmp_path: Path) -> None:
        odd = torch.tensor([0.0, -0.0, 1e-45, -3e38, 1 / 3])
        tensors = {"odd": odd, "none": torch.zeros(0, 3), "scalar": torch.tensor(2.5), "turned": torch.rand(3, 2).T}
        model = replace(example(), tensors=tensors)
        save(tmp_path / "model", model, "")
        assert same(load(tmp_path / "model"), model)

    def test_the_files_and_their_form(self, folder: Path) -> None:
        assert {path.name for path in folder.iterdir()} == {CONFIG, WEIGHTS, VOCABULARY, CARD}
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        assert config["format_version"] == FORMAT_VERSION
        assert config["task"] == "text"
        assert config["sha256"][WEIGHTS] == hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
        assert "春" in (folder / VOCABULARY).read_text(encoding="utf-8")
        assert (folder / CARD).read_text() == "# card\n"

    @pytest.mark.parametrize("mask", [0o022, 0o077])
    def test_permissions_follow_the_umask(self, tmp_path: Path, mask: int) -> None:
        before = os.umask(mask)
        try:
            save(tmp_path / "model", example(), "")
        finally:
            os.umask(before)
        for path in (tmp_path / "model").iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask

    def test_an_overwrite_leaves_nothing_of_the_old(self, folder: Path) -> None:
        (folder / "loss.png").write_text("old")
        save(folder, example(1), "# new\n", complete=lambda new: (new / "extra").write_text("x"))
        assert same(load(folder), example(1))
        assert {path.name for path in folder.iterdir()} == {CONFIG, WEIGHTS, VOCABULARY, CARD, "extra"}
        assert [path.name for path in folder.parent.iterdir()] == ["model"]

    def test_neighbours_are_left_alone(self, folder: Path) -> None:
        for suffix in (".old", ".new", ".training"):
            folder.with_name(f"model{suffix}").mkdir()
            (folder.with_name(f"model{suffix}") / "mine").write_text("precious")
        save(folder, example(1), "")
        assert sorted(path.name for path in folder.parent.iterdir()) == [
            "model",
            "model.new",
            "model.old",
            "model.training",
        ]
        assert (folder.with_name("model.old") / "mine").read_text() == "precious"


class TestRefusals:
    def test_missing(self, tmp_path: Path) -> None:
        assert "there is no model folder" in refusal(tmp_path / "nothing")
        assert "there is no model folder" in refusal(tmp_path / "no" / "thing")
        (tmp_path / "file").write_text("x")
        assert "there is no model folder" in refusal(tmp_path / "file")
        (tmp_path / "empty").mkdir()
        assert "is not a trained model" in refusal(tmp_path / "empty")
        assert "the name is too long" in refusal(tmp_path / ("x" * 300))

    @pytest.mark.parametrize("name", [WEIGHTS, VOCABULARY])
    def test_a_file_is_missing(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        message = refusal(folder)
        assert name in message
        assert "there is no such file" in message

    @pytest.mark.parametrize("name", [WEIGHTS, VOCABULARY])
    @pytest.mark.parametrize("how", ["truncated", "emptied", "longer"])
    def test_truncated_or_grown(self, folder: Path, name: str, how: str) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes({"truncated": data[:-1], "emptied": b"", "longer": data + b"\0"}[how])
        assert f"{name} is not the file that was saved (truncated or altered); copy it again" in refusal(folder)

    @given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
    def test_every_flipped_bit(self, tmp_path_factory: pytest.TempPathFactory, place: int, bit: int) -> None:
        folder = tmp_path_factory.mktemp("flipped") / "model"
        save(folder, example(), "")
        for name in (WEIGHTS, VOCABULARY):
            data = bytearray((folder / name).read_bytes())
            data[place % len(data)] ^= 1 << bit
            (folder / name).write_bytes(data)
            assert f"{name} is not the file that was saved" in refusal(folder)
            data[place % len(data)] ^= 1 << bit
            (folder / name).write_bytes(data)
        assert same(load(folder), example())

    @pytest.mark.parametrize("cut", [0, 1, 10, 100, -2])
    def test_a_truncated_configuration(self, folder: Path, cut: int) -> None:
        (folder / CONFIG).write_bytes((folder / CONFIG).read_bytes()[:cut])
        assert f"{CONFIG} is not JSON" in refusal(folder)

    @pytest.mark.parametrize(
        "content",
        ["null", "[]", "{}", '"text"', "1", "[" * 100_000, '{"a":' * 100_000, '{"format_version": 2}', "[NaN]"],
        ids=lambda content: content[:20],
    )
    def test_a_configuration_that_is_none(self, folder: Path, content: str) -> None:
        (folder / CONFIG).write_text(content)
        assert "the file is damaged" in refusal(folder)

    def test_nested_as_deep_as_json_goes(self, folder: Path) -> None:
        alter(folder, record=json.loads('{"a":' * 900 + "1" + "}" * 900))
        assert load(folder).task == "text"
        alter(folder, config=[[[]]])
        assert "is incomplete" in refusal(folder)

    def test_an_older_format_says_to_train_again(self, folder: Path) -> None:
        alter(folder, format_version=FORMAT_VERSION - 1)
        assert "made by an older version" in refusal(folder)
        assert "train it again" in refusal(folder)

    @pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 10**30])
    def test_a_newer_version(self, folder: Path, version: int) -> None:
        alter(folder, format_version=version)
        assert "made by a newer version" in refusal(folder)
        assert "update recurra" in refusal(folder)

    @pytest.mark.parametrize("version", [0, -1, "1", 1.0, None, True, [1], {}])
    def test_a_version_that_never_was(self, folder: Path, version: Any) -> None:
        alter(folder, format_version=version)
        assert "does not say its format" in refusal(folder)

    def test_another_task(self, folder: Path) -> None:
        assert load(folder, "text").task == "text"
        assert "is a text model, not a music model; use it with that task" in refusal(folder, "music")

    @pytest.mark.parametrize("name", ["task", "config", "record", "sha256"])
    @pytest.mark.parametrize("value", [None, 1, [], ["text"]])
    def test_entries_of_another_type(self, folder: Path, name: str, value: Any) -> None:
        alter(folder, **{name: value})
        assert "is incomplete; the file is damaged" in refusal(folder)

    def test_a_configuration_without_a_size(self, folder: Path) -> None:
        with pytest.raises(
            RecurraError, match=r"config\.json: `embedding_size` is not set.*; the file is damaged"
        ) as error:
            restore(lambda: LanguageModel(5, Architecture()), load(folder), folder)
        assert error.value.status == 1

    @pytest.mark.parametrize("digests", [{}, {WEIGHTS: None}, {WEIGHTS: "0" * 64}, {"../../secret": "x"}])
    def test_checksums_that_are_none(self, folder: Path, digests: dict[str, Any]) -> None:
        alter(folder, sha256=digests)
        assert "is not the file that was saved" in refusal(folder)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_weights_that_are_no_numbers(self, folder: Path, value: float) -> None:
        tensors = dict(example().tensors)
        tensors["b.weight"] = tensors["b.weight"].clone()
        tensors["b.weight"][1, 2] = value
        modelfile.write_tensors(folder / WEIGHTS, tensors)
        seal(folder)
        assert "b.weight hold NaN or infinity" in refusal(folder)
        with pytest.raises(RecurraError, match=r"b\.weight hold NaN or infinity"):
            save(folder.with_name("other"), replace(example(), tensors=tensors), "")
        assert not folder.with_name("other").exists()

    def test_weights_of_types_no_model_has(self, folder: Path) -> None:
        for dtype in (torch.complex64, torch.float8_e4m3fn, torch.bool):
            modelfile.write_tensors(folder / WEIGHTS, {"a": torch.ones(2).to(dtype)})
            seal(folder)
            assert f"a are {dtype}" in refusal(folder)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"short",
            struct.pack("<Q", 2**63) + b"{}",
            struct.pack("<Q", 2) + b"{}" + b"extra",
            struct.pack("<Q", 2) + b"[]",
            struct.pack("<Q", 100_000) + b"[" * 100_000,
            b"PK\x03\x04 a pickle in disguise",
            b"\x80\x04\x95\x0e\x00\x00\x00",
        ],
        ids=lambda data: repr(data[:10]),
    )
    def test_weights_that_are_no_safetensors(self, folder: Path, data: bytes) -> None:
        (folder / WEIGHTS).write_bytes(data)
        seal(folder)
        assert f"{WEIGHTS} is damaged" in refusal(folder)

    @pytest.mark.parametrize(
        "header",
        [
            {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
            {"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 8]}},
            {"a": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 8]}},
            {"a": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}},
            {"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}},
            {
                "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                "b": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            },
        ],
        ids=range(6),
    )
    def test_safetensors_whose_header_lies(self, folder: Path, header: dict[str, Any]) -> None:
        encoded = json.dumps(header).encode()
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(encoded)) + encoded + b"\0" * 8)
        seal(folder)
        assert f"{WEIGHTS} is damaged" in refusal(folder)

    def test_a_vocabulary_that_is_no_json(self, folder: Path) -> None:
        (folder / VOCABULARY).write_text("[" * 100_000)
        seal(folder)
        assert f"{VOCABULARY} is not JSON" in refusal(folder)


class TestFilling:
    def test_weights_go_where_they_belong(self) -> None:
        one, other = nn.GRU(3, 4), nn.GRU(3, 4)
        fill(one, modelfile.unique_tensors(other), "here")
        for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.equal(mine, theirs)
            assert mine.requires_grad
        assert one(torch.ones(2, 3))[0].equal(other(torch.ones(2, 3))[0])

    def test_other_names_and_shapes_are_refused_before_anything_changes(self) -> None:
        network = nn.Linear(3, 4)
        before = {name: tensor.clone() for name, tensor in modelfile.unique_tensors(network).items()}
        weight, bias = torch.ones(4, 3), torch.ones(4)
        cases: list[dict[str, Tensor]] = [
            {},
            {"weight": weight},
            {"weight": weight, "bias": bias, "more": bias},
            {"weight": weight.T, "bias": bias},
            {"weight": weight, "bias": torch.ones(1)},
            {"weight": weight, "bias": torch.ones(4, 1)},
            {"weight": weight, "bias": torch.tensor(1.0)},
        ]
        for tensors in cases:
            with pytest.raises(RecurraError, match=r"^some\.file.*its files do not belong together"):
                fill(network, tensors, "some.file")
        for name, tensor in modelfile.unique_tensors(network).items():
            assert torch.equal(tensor, before[name])

    def test_a_network_of_shapes_only_becomes_a_real_one(self) -> None:
        def make() -> nn.Module:
            network = nn.ModuleDict(
                {"embedding": nn.Embedding(5, 4), "stack": nn.LSTM(4, 4, 2), "out": nn.Linear(4, 5)}
            )
            network["out"].weight = network["embedding"].weight
            return network

        real = make()
        with torch.device("meta"):
            hollow = make()
        fill(hollow, modelfile.unique_tensors(real), "here")
        assert hollow["out"].weight is hollow["embedding"].weight
        assert modelfile.unique_tensors(hollow).keys() == modelfile.unique_tensors(real).keys()
        inputs = torch.randn(3, 4)
        assert hollow["stack"](inputs)[0].equal(real["stack"](inputs)[0])
        with torch.no_grad():
            real["stack"].weight_ih_l0.zero_()
        assert hollow["stack"].weight_ih_l0.any(), "the weights are not its own"
        with torch.device("meta"):
            vast = nn.Linear(10**6, 10**6)  # four terabytes
        with pytest.raises(RecurraError, match="its files do not belong together"):
            fill(vast, {"weight": torch.ones(2, 2), "bias": torch.ones(2)}, "here")

    def test_shared_weights_are_kept_once(self) -> None:
        network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        network[1].weight = network[0].weight
        assert set(modelfile.unique_tensors(network)) == {"0.weight", "0.bias", "1.bias"}


class Crash(BaseException):
    """The machine stops here."""


def moves(monkeypatch: pytest.MonkeyPatch, at: int, failure: BaseException) -> Callable[[], int]:
    """Let the `at`-th move of a file or folder fail, and after a crash every later one; tells how many there were."""
    count = 0

    def failing(move: Callable[..., Any]) -> Callable[..., Any]:
        def moved(*arguments: Any) -> Any:
            nonlocal count
            count += 1
            if count == at or (count > at and isinstance(failure, Crash)):
                raise failure
            return move(*arguments)

        return moved

    monkeypatch.setattr(os, "replace", failing(os.replace))
    monkeypatch.setattr(Path, "rename", failing(Path.rename))
    if isinstance(failure, Crash):  # nobody is left to tidy up
        monkeypatch.setattr(shutil, "rmtree", lambda *arguments, **options: None)
        monkeypatch.setattr(Path, "unlink", lambda *arguments, **options: None)
    return lambda: count


@pytest.mark.parametrize("there", [False, True])
def test_a_crash_at_any_move_leaves_the_old_model_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    seen = set()
    for at in range(1, 20):
        folder = tmp_path / str(at) / "model"
        folder.parent.mkdir()
        if there:
            save(folder, example(0), "")
        with monkeypatch.context() as patch:
            count = moves(patch, at, Crash())
            try:
                save(folder, example(1), "")
            except Crash:
                pass
            else:
                assert count() < at
                break
        if there:
            model = load(folder)
            assert same(model, example(0)) or same(model, example(1))
            seen.add(model.config["seed"])
        else:
            assert not folder.exists()
        save(folder, example(2), "")
        assert same(load(folder), example(2))
    else:
        pytest.fail("there is no end of moves")
    assert at > 4, "fewer moves than files"
    assert not there or 0 in seen


@pytest.mark.parametrize("there", [False, True])
def test_a_disk_that_is_full_at_any_move_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    folder = tmp_path / "model"
    if there:
        save(folder, example(0), "")
    before = {path: path.read_bytes() for path in folder.rglob("*")}
    for at in range(1, 20):
        with monkeypatch.context() as patch:
            moves(patch, at, OSError(errno.ENOSPC, "No space left on device"))
            complaint = ""
            try:
                save(folder, example(1), "")
            except RecurraError as error:
                complaint = str(error)
            if not complaint:
                break
        assert "the disk is full; free some space" in complaint
        assert {path: path.read_bytes() for path in folder.rglob("*")} == before
        assert [path.name for path in tmp_path.iterdir()] == (["model"] if there else [])
    assert at > 4
    assert same(load(folder), example(1))


def test_a_full_disk_met_by_safetensors_is_the_same_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(modelfile, "save_file", fail)
    with pytest.raises(RecurraError, match=r"writing .*model.safetensors failed: the disk is full; free some space"):
        save(folder, example(1), "")
    assert same(load(folder), example(0))


def test_a_file_that_may_not_grow_is_one_sentence_and_leaves_the_old_model(folder: Path) -> None:
    # A real failure of writing that needs no small disk: files of this process may not grow beyond 64 kB.
    large = replace(example(1), tensors={"a": torch.rand(200_000)})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, hard))
    try:
        with pytest.raises(RecurraError, match=r"writing .*model\.safetensors failed: the file is too large"):
            save(folder, large, "")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert same(load(folder), example(0))
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_what_a_task_adds_may_fail_too(folder: Path) -> None:
    def complete(new: Path) -> None:
        shutil.copy(new / "no such file", new / "copy")

    with pytest.raises(RecurraError, match=r"writing .*model failed: there is no such file"):
        save(folder, example(1), "", complete)
    assert same(load(folder), example(0))


def test_a_place_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    with pytest.raises(RecurraError, match=r"writing .*plain/model failed: a part of this path is a file"):
        save(tmp_path / "plain" / "model", example(), "")


FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
FORBIDDEN_NAMES = {"eval", "exec", "__import__", "compile"}


def test_nothing_is_unpickled_and_no_text_is_run() -> None:
    """No file of the package uses what would run code out of a file; PyTorch may read tensors alone."""
    sources = sorted(Path(recurra.__file__).parent.rglob("*.py"))
    assert len(sources) > 20
    found = []
    for source in sources:
        nodes = list(ast.walk(ast.parse(source.read_text(encoding="utf-8"))))
        tensors_alone = [
            node.func
            for node in nodes
            if isinstance(node, ast.Call) and "weights_only=True" in map(ast.unparse, node.keywords)
        ]
        for node in nodes:
            names: set[str] = set()
            match node:
                case ast.Import(names=aliases):
                    names = {alias.name.split(".")[0] for alias in aliases} & FORBIDDEN_MODULES
                case ast.ImportFrom(module=str(module)):
                    names = {module.split(".")[0]} & FORBIDDEN_MODULES
                case ast.Call(func=ast.Name(id=name)):
                    names = {name} & FORBIDDEN_NAMES
                case ast.Attribute(value=ast.Name(id="torch"), attr="load" | "save") if node not in tensors_alone:
                    names = {"torch." + node.attr}
                case ast.keyword(arg="allow_pickle"):
                    names = {"allow_pickle"}
            found += [f"{source.name}:{node.lineno} {name}" for name in names]
    assert found == []


def test_running_means_are_weights_too_and_what_is_not_trained_stays_so() -> None:
    def build() -> nn.Module:
        network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
        network[0].weight.requires_grad_(False)
        return network

    real = build()
    real(torch.randn(4, 2))
    with torch.device("meta"):
        hollow = build()
    fill(hollow, modelfile.unique_tensors(real), "here")
    assert {"1.running_mean", "1.running_var"} <= set(modelfile.unique_tensors(real))
    for name, tensor in modelfile.unique_tensors(real).items():
        assert torch.equal(modelfile.unique_tensors(hollow)[name], tensor)
    assert [each.requires_grad for each in hollow.parameters()] == [each.requires_grad for each in real.parameters()]
    assert torch.equal(hollow.eval()(torch.ones(1, 2)), real.eval()(torch.ones(1, 2)))
