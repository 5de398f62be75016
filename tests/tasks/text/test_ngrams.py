"""Tables of n-grams in a text model: told, kept, and not asked of a model that has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recurra import modelfolder, text
from recurra.errors import OptionError
from recurra.tasks.text.config import Config
from recurra.tasks.text.model import Model
from recurra.tasks.text.writing import Writer


def test_collisions_are_in_the_record_on_the_card_and_in_info(
    recurra: Callable[..., Any], trained_folder: Path, corpus_file: Path
) -> None:
    model = Model.load(trained_folder)
    read = model.tokenizer.encode(corpus_file.read_text(encoding="utf-8"))
    train = read[: len(read) - int(np.ceil(0.1 * len(read)))].tolist()
    pairs = len(set(zip([None, *train], train, strict=False)))
    assert f" of {pairs:,} 2-grams, " in model.record["ngrams"]
    assert model.record["ngrams"] in (trained_folder / "README.md").read_text(encoding="utf-8")
    assert "2 x 50 rows of n-grams" in model.facts()["network"]
    assert model.record["ngrams"] in recurra("info", trained_folder).out
    assert json.loads(recurra("info", trained_folder, "--json").out)["config"]["ngrams"] == 3


def test_the_writer_without_pytorch_writes_what_the_model_writes(trained_folder: Path, tmp_path: Path) -> None:
    model = Model.load(trained_folder)
    torch.nn.init.normal_(model.network.ngram_embedding.table.weight)
    model.save(tmp_path / "m")
    tokens = model.tokenizer.encode("The cat was")
    for precision in ("float32", "int8"):
        assert Writer.load(tmp_path / "m", precision).write("The cat", length=60, seed=3)
    step, state = Writer.load(tmp_path / "m").stream_step()
    for token in tokens:
        logits, state = step(int(token), state)
    expected, _ = model.network(torch.from_numpy(tokens.astype(np.int64))[None])
    np.testing.assert_allclose(logits, expected[0, -1].detach().numpy(), atol=1e-4)
    assert Writer.load(tmp_path / "m").write("The cat", length=60, seed=3) == model.write("The cat", length=60, seed=3)


def test_a_model_that_begins_from_another_keeps_its_tables(trained_folder: Path, tiny: dict[str, Any]) -> None:
    other = text.Texts(["The dogs were not happy.\n" * 60])
    tuned = text.train(other, None, Config(steps=1), from_model=trained_folder, progress=False)
    assert tuned.config.tables() == Model.load(trained_folder).config.tables() == (3, 50, 8)
    with pytest.raises(OptionError, match="`ngrams` is 2, but tiny, from which this model begins, has 3"):
        text.train(other, None, Config(**tiny | {"ngrams": 2}), from_model=trained_folder, progress=False)


def test_a_model_from_before_there_were_n_grams_is_used_and_gone_on_from(
    corpus_file: Path, tmp_path: Path, tiny: dict[str, Any]
) -> None:
    text.train(corpus_file, tmp_path / "old", Config(**tiny | {"ngrams": 0}), progress=False)
    content = json.loads((tmp_path / "old" / "config.json").read_text())
    for name in ("ngrams", "ngram_rows", "ngram_size", "ngram_dropout"):
        del content["config"][name]
    (tmp_path / "old" / "config.json").write_text(json.dumps(content))
    old = Model.load(tmp_path / "old")
    assert "ngrams" not in old.record
    assert Writer.load(tmp_path / "old").write("The", length=20, seed=1) == old.write("The", length=20, seed=1)
    long = text.Texts([corpus_file.read_text(encoding="utf-8") * 60])  # a text that would get tables of its own
    tuned = text.train(long, None, Config(steps=1), from_model=tmp_path / "old", progress=False)
    assert tuned.config.tables() is None


def test_weights_of_other_tables_are_refused(refused: Callable[..., str], model_folder: Path) -> None:
    content = json.loads((model_folder / modelfolder.CONFIG).read_text())
    content["config"]["ngram_rows"] = 51
    (model_folder / modelfolder.CONFIG).write_text(json.dumps(content))
    for verb in (("write", model_folder), ("evaluate", model_folder, __file__)):
        message = refused("text", *verb)
        assert r"ngram_embedding.table.weight is (100, 8), expected (102, 8)" in message


def test_a_resumed_run_goes_on_with_its_tables(corpus_file: Path, tmp_path: Path, tiny: dict[str, Any]) -> None:
    whole = text.train(corpus_file, None, Config(**tiny | {"steps": 6}), progress=False)
    text.train(corpus_file, tmp_path / "m", Config(**tiny | {"steps": 6}), progress=False)
    again = text.train(corpus_file, tmp_path / "m", Config(**tiny | {"steps": 9}), resume=True, progress=False)
    assert again.record["steps"] == 9
    assert replace(again.config, steps=6, minutes=None) == replace(whole.config, minutes=None)
    assert not torch.equal(again.network.ngram_embedding.table.weight, whole.network.ngram_embedding.table.weight)
