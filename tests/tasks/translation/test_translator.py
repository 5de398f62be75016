"""Translating without PyTorch: the same translations as with it, from the same folder, by every option."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unimported import command_without_torch, without_torch

from recurra import translation
from recurra.decoding.beam_search import BeamSearch
from recurra.decoding.sampling import Sampling
from recurra.errors import RecurraError
from recurra.tasks.translation.config import Config
from recurra.tasks.translation.model import Model
from recurra.tasks.translation.translator import Translator

Command = Callable[..., Any]

SENTENCES = ["beach", "春 bad", "", "a b c", "feed the cab"]
SEARCHES = [
    BeamSearch(),
    BeamSearch(beam_size=1),
    BeamSearch(beam_size=7, n_best=7, normalization="gnmt", coverage_penalty=0.2),
    BeamSearch(n_best=3, min_length=4, no_repeat_ngram_size=1),
]


def both(folder: Path) -> tuple[Model, Translator]:
    return Model.load(folder), Translator.load(folder)


def require_same(model: Model, translator: Translator, search: BeamSearch, **options: Any) -> None:
    expected = model.hypotheses(SENTENCES, search, **options)
    for mine, others, sentence in zip(
        translator.hypotheses(SENTENCES, search, **options), expected, SENTENCES, strict=True
    ):
        assert [each.tokens for each in mine] == [each.tokens for each in others]
        for one, other in zip(mine, others, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-5)
            assert one.log_probs == pytest.approx(other.log_probs, abs=1e-4)
            assert translator.text_of(one, sentence) == model.text_of(other, sentence)
            if other.weights is not None:
                np.testing.assert_allclose(one.weights, other.weights, atol=1e-4)


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: f"beam {search.beam_size}, {search.normalization}")
def test_the_same_translations(trained_translation: Path, search: BeamSearch) -> None:
    require_same(*both(trained_translation), search)


@pytest.mark.parametrize(
    "options",
    [
        dict(cell="gru", num_layers=2, tied=False, joint=True),
        dict(attention="multiplicative", joint=True, tied=True),
        dict(attention="none", num_layers=2),
    ],
    ids=str,
)
def test_every_kind_of_network(
    pairs_file: Path, tmp_path: Path, tiny_translation: dict[str, Any], options: dict[str, Any]
) -> None:
    translation.train(pairs_file, tmp_path / "m", Config(**tiny_translation | options | {"steps": 8}), progress=False)
    model, translator = both(tmp_path / "m")
    require_same(model, translator, BeamSearch(n_best=3))
    drawn = dict(sampling=Sampling(seed=3, temperature=1.3), first=5)
    require_same(model, translator, BeamSearch(), **drawn)


def test_ensembles_prefixes_glossaries_and_copies(trained_translation: Path, tmp_path: Path) -> None:
    model, translator = both(trained_translation)
    terms = tmp_path / "terms.tsv"
    terms.write_text("bad\tabc\n", encoding="utf-8")
    options = dict(glossary=terms, beam_size=8)
    expected = model.translate(["bad cab", "feed"], ensemble=[model], **options)
    assert translator.translate(["bad cab", "feed"], ensemble=[translator], **options) == expected
    assert "abc" in expected[0]
    require_same(model, translator, BeamSearch(n_best=2), prefix="da", copy_unknown=True)
    require_same(model, translator, BeamSearch(n_best=2), prefixes=["da", "", "a", "ed", "d"])


def test_other_vocabularies_are_refused(trained_translation: Path, pairs_file: Path, tmp_path: Path) -> None:
    other = Config(tokens="bytes", hidden_size=8, embedding_size=8, num_layers=1, steps=2, batch_size=60)
    translation.train(pairs_file, tmp_path / "m", other, progress=False)
    with pytest.raises(RecurraError, match="do not have the same vocabulary and cannot be used together"):
        Translator.load(trained_translation).translate("bad", ensemble=[Translator.load(tmp_path / "m")])


def test_the_command_translates_without_pytorch(trained_translation: Path, tmp_path: Path, recurra: Command) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("beach\nbad cab\n", encoding="utf-8")
    code = f"""
import io
from recurra.cli import main
folder = {str(trained_translation)!r}
many = ["--file", {str(lines)!r}, "--ensemble", folder]
for arguments in (["beach", "--json"], many, ["abc", "--sample", "--seed", "1"]):
    status = main(["translation", "translate", folder, *arguments])
    print(status, [name for name in ("torch", "accelerate", "matplotlib", "sacrebleu") if sys.modules.get(name)])
"""
    done = without_torch(code)
    answer, first, *lines_made, second, drawn, third = done.stdout.splitlines()
    assert (first, second, third, done.stderr.replace("\r", "")) == ("0 []", "0 []", "0 []", done.stderr)
    model = Model.load(trained_translation)
    assert json.loads(answer)["text"] == model.translate("beach")
    assert lines_made == model.translate(["beach", "bad cab"])
    heavy = model.hypotheses(["abc"], sampling=Sampling(seed=1))[0][0]
    assert drawn == model.text_of(heavy, "abc")


def test_one_sentence_wakes_neither_pytorch_nor_numba(trained_translation: Path) -> None:
    done = without_torch(f"""
from recurra.cli import main
main(["translation", "translate", {str(trained_translation)!r}, "beach"])
print("numba" in sys.modules)
""")
    assert done.stdout.splitlines()[-1] == "False"


def test_many_sentences_are_for_the_model_that_may_be_on_a_gpu(
    trained_translation: Path, tmp_path: Path, recurra: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("beach\n", encoding="utf-8")
    monkeypatch.setattr(Translator, "load", lambda *_: pytest.fail("the light model was loaded"))
    assert recurra("translation", "translate", trained_translation, "--file", tmp_path / "a.txt").status == 0


@pytest.mark.parametrize("verb", ["train", "evaluate", "explain"])
def test_what_needs_pytorch_says_so(trained_translation: Path, pairs_file: Path, tmp_path: Path, verb: str) -> None:
    arguments = {
        "train": (pairs_file, "--out", tmp_path / "m"),
        "evaluate": (trained_translation, pairs_file),
        "explain": (trained_translation, "beach", "--out", tmp_path / "page.html"),
    }[verb]
    done = command_without_torch("translation", verb, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: this command needs torch, which is not installed here; pip install ")
    assert not (tmp_path / "m").exists()


def test_a_damaged_configuration_is_refused(translation_model: Path) -> None:
    content = json.loads((translation_model / "config.json").read_text(encoding="utf-8"))
    content["config"]["hidden_size"] = None
    (translation_model / "config.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RecurraError, match=r"config\.json: .*the file is damaged"):
        Translator.load(translation_model)


def test_weights_that_overflow_are_refused(trained_translation: Path) -> None:
    translator = Translator.load(trained_translation)
    decoder = translator.network.decoder
    decoder._output = np.full_like(decoder._output, 3e38)
    with pytest.raises(RecurraError, match="are not numbers"):
        translator.translate("beach")


def test_weights_of_another_network_are_refused(translation_model: Path) -> None:
    content = json.loads((translation_model / "config.json").read_text(encoding="utf-8"))
    content["config"]["attention"] = "none"
    (translation_model / "config.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RecurraError, match="the weights of another network"):
        Translator.load(translation_model)


def test_it_says_what_it_is(trained_translation: Path) -> None:
    assert repr(Translator.load(trained_translation)) == f"<translator {trained_translation.name!r}>"
    assert translation.Translator is Translator
