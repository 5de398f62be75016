"""Translation models that are damaged, altered by hand or of another task: refused in one line by every verb."""

from __future__ import annotations

import json
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from damage import alter_config, alter_options, flip, seal, snapshot, truncate
from safetensors.torch import load_file, save_file

Refused = Callable[..., str]


def vocabulary(change: Callable[[Any], object]) -> Callable[[Path], None]:
    """What alters the vocabularies of a model and its checksums."""

    def rewrite(folder: Path) -> None:
        values = json.loads((folder / "vocabulary.json").read_text())
        (folder / "vocabulary.json").write_text(json.dumps(change(values)))
        seal(folder)

    return rewrite


def weights(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path], None]:
    """What alters one tensor of a model, the first whose name ends so, and its checksums."""

    def rewrite(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        key = next(key for key in sorted(tensors) if key.endswith(name))
        tensors[key] = change(tensors[key]).contiguous()
        save_file(tensors, folder / "model.safetensors")
        seal(folder)

    return rewrite


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (shutil.rmtree, "there is no model folder"),
    "without weights": (lambda folder: (folder / "model.safetensors").unlink(), "there is no such file"),
    "without vocabulary": (lambda folder: (folder / "vocabulary.json").unlink(), "there is no such file"),
    "without configuration": (lambda folder: (folder / "config.json").unlink(), "is not a trained model"),
    "truncated weights": (lambda folder: truncate(folder / "model.safetensors"), "truncated or altered"),
    "truncated vocabulary": (lambda folder: truncate(folder / "vocabulary.json"), "truncated or altered"),
    "altered vocabulary": (lambda folder: flip(folder / "vocabulary.json"), "truncated or altered"),
    "altered weights": (lambda folder: flip(folder / "model.safetensors"), "truncated or altered"),
    "of another task": (lambda folder: alter_config(folder, task="text"), "is a text model, not a translation model"),
    "not a number": (weights("weight", lambda tensor: tensor * float("nan")), "NaN or infinity"),
    "too few weights": (weights("weight", lambda tensor: tensor[:-1]), "do not belong together"),
    "one letter less": (
        vocabulary(lambda v: v | {"source": v["source"] | {"tokens": v["source"]["tokens"][:-1]}}),
        "do not belong together",
    ),
    "one side only": (vocabulary(lambda v: {"source": v["source"]}), "do not belong together"),
    "no side": (vocabulary(lambda v: {}), "the file is damaged"),
    "a list": (vocabulary(lambda v: [v]), "the file is damaged"),
    "a kind of its own": (vocabulary(lambda v: v | {"target": {"kind": "os.system"}}), "the file is damaged"),
    "letters twice": (
        vocabulary(lambda v: v | {"target": {"kind": "characters", "normalization": None, "tokens": ["a"] * 9}}),
        "the file is damaged"
    ),
    "letters that are none": (
        vocabulary(lambda v: v | {"target": {"kind": "characters", "normalization": None, "tokens": [{}, 3]}}),
        "the file is damaged"
    ),
}  # fmt: skip
VERBS: dict[str, list[str]] = {
    "translate": ["abc", "--out", "OUT"], "evaluate": ["PAIRS"], "explain": ["abc", "--out", "PAGE"]
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_model_is_refused_by_every_verb(
    refused: Refused, translation_model: Path, pairs_file: Path, tmp_path: Path, how: str, verb: str
) -> None:
    harm, complaint = BROKEN[how]
    harm(translation_model)
    given = {"PAIRS": str(pairs_file), "OUT": str(tmp_path / "new" / "out"), "PAGE": str(tmp_path / "new" / "a.html")}
    before = snapshot(tmp_path)
    message = refused("translation", verb, translation_model, *(given.get(option, option) for option in VERBS[verb]))
    assert complaint in message
    assert str(translation_model) in message
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("record", [{}, {"pairs": "many"}, {"nats": None}, {"data": "{pairs.__class__}"}], ids=str)
def test_a_record_altered_by_hand_is_refused_or_shown(
    recurra: Callable[..., Any], translation_model: Path, tmp_path: Path, record: dict[str, Any]
) -> None:
    whole = json.loads((translation_model / "config.json").read_text())["record"]
    alter_config(translation_model, record=whole | record if record else {})
    answer = recurra("translation", "explain", translation_model, "abc", "--out", tmp_path / "page.html")
    if "data" in record:  # any text is one
        assert (answer.status, "{pairs.__class__}" in (tmp_path / "page.html").read_text()) == (0, True)
    else:
        assert answer.status == 1
        assert answer.err.startswith("error: the model's record in config.json is damaged")
        assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    "options",
    [
        {"hidden_size": None}, {"hidden_size": "8"}, {"hidden_size": -8}, {"hidden_size": 33}, {"num_layers": None},
        {"num_layers": 2}, {"embedding_size": None}, {"embedding_size": 9}, {"tied": None}, {"tied": False},
        {"cell": "gru"}, {"cell": "rnn"}, {"attention": "none"}, {"attention": "multiplicative"},
        {"attention": "os.system"}, {"dropout": 7}, {"dropout": None}, {"word_dropout": None}, {"forget_bias": None},
        {"max_ratio": None}, {"max_ratio": -1}, {"max_ratio": 10**400}, {"longest": 10**9}, {"joint": 3},
        {"tokens": "runes"}, {"extra": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_configuration_altered_by_hand_is_refused_or_harmless(
    recurra: Callable[..., Any], translation_model: Path, options: dict[str, Any]
) -> None:
    alter_options(translation_model, **options)
    answer = recurra("translation", "translate", translation_model, "abc")
    if options.keys() <= {"dropout", "word_dropout", "forget_bias"} and None in options.values():
        assert (answer.status, answer.out) in ((0, "cba\n"), (1, ""))  # nothing that is used once a model is trained
    else:
        assert (answer.status, answer.out) == (1, "")
    if answer.status:
        assert answer.err.count("\n") == 1
        assert str(translation_model) in answer.err
        assert any(part in answer.err for part in ("damaged", "belong together", "altered by hand")), answer.err


def test_an_enormous_network_in_a_configuration_is_refused_before_it_is_made(
    refused: Refused, translation_model: Path
) -> None:
    alter_options(translation_model, hidden_size=16384, num_layers=32, embedding_size=16384)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    # Should it be made after all, its first matrix of four gigabytes is where it ends.
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**32, limits[1]))
    try:
        message = refused("translation", "translate", translation_model, "abc")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert "its files do not belong together" in message


def test_models_of_another_task(
    refused: Refused, trained_folder: Path, trained_translation: Path, pairs_file: Path, tmp_path: Path
) -> None:
    assert "is a text model, not a translation model" in refused("translation", "translate", trained_folder, "abc")
    assert "is a text model" in refused("translation", "evaluate", trained_folder, pairs_file)
    assert "is a text model" in refused(
        "translation", "translate", trained_translation, "a", "--ensemble", trained_folder
    )
    assert "is a translation model, not a text model" in refused("text", "write", trained_translation, "--length", 3)
    assert "not a trained model" in refused("translation", "translate", pairs_file.parent, "abc")


class TestMissingPackages:
    REMEDY = "pip install 'recurra[translation]'"

    def test_sacrebleu(
        self, refused: Refused, trained_translation: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "sacrebleu", None)
        monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
        assert self.REMEDY in refused("translation", "evaluate", trained_translation, pairs_file)

    def test_babel(self, refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from recurra.tasks.translation import dates

        dates.writers.cache_clear()
        monkeypatch.setitem(sys.modules, "babel", None)
        assert self.REMEDY in refused("translation", "train", "sample:dates", "--out", tmp_path / "m")
