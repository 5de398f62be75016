"""What holds of translation models whatever the sentences: alone and in batches, forced, together, and in commands."""

import io
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recurra import translation
from recurra.data.buckets import pad
from recurra.decoding import seq2seq
from recurra.decoding.beam_search import BeamSearch
from recurra.decoding.hypothesis import Hypothesis
from recurra.errors import RecurraError
from recurra.tasks.translation.config import Config
from recurra.tasks.translation.model import Model

KINDS: tuple[Any, ...] = ("characters", "bytes", "words", "subwords")
LETTERS = "abcdefgh"
ROWS = [
    ("The cat, “naïve”, sat.", "春眠 不觉晓"),
    ("A dog ate the cat.", "处处 闻 啼鸟!"),
    ("Why? 🙂", "花落 知多少"),
    ("", ""),
]

words = st.text(st.sampled_from(LETTERS), min_size=1, max_size=9)
sentences = st.lists(words, min_size=1, max_size=12)
searches = st.builds(
    BeamSearch,
    beam_size=st.integers(3, 7),
    n_best=st.integers(1, 3),
    normalization=st.sampled_from(["none", "average", "gnmt"]),
    coverage_penalty=st.sampled_from([0.0, 0.3]),
    no_repeat_ngram_size=st.sampled_from([0, 2]),
    min_length=st.integers(0, 4),
)


@pytest.fixture(scope="module")
def reverser(trained_translation: Path) -> Model:
    return Model.load(trained_translation)


@pytest.fixture(scope="module")
def undecided(tmp_path_factory: pytest.TempPathFactory, pairs_file: Path) -> Model:
    """A model of the same letters that has hardly learnt anything, so that much of what it could write is near."""
    options = dict(steps=4, hidden_size=8, embedding_size=8, evaluations=1, batch_size=200, num_layers=2)
    folder = tmp_path_factory.mktemp("undecided") / "model"
    return translation.train(pairs_file, folder, Config(**options, tokens="characters", cell="gru"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """A model of every kind of tokens that has hardly learnt anything."""
    folder = tmp_path_factory.mktemp("kinds")
    table = folder / "p.tsv"
    table.write_text("".join(f"{source}\t{target}\n" for source, target in ROWS[:3] * 5), encoding="utf-8")
    options = dict(steps=2, hidden_size=8, embedding_size=8, evaluations=1, vocabulary_size=300)
    return {
        kind: translation.train(table, folder / kind, Config(**options, tokens=kind), validation=table)
        for kind in KINDS
    }


def alike(some: list[Hypothesis], others: list[Hypothesis]) -> None:
    """The same outputs with the same figures; where scores are the same to rounding, in any order."""
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-5)
        if one.tokens == other.tokens:
            np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-5)
            assert one.weights is not None
            assert other.weights is not None
            np.testing.assert_allclose(one.weights, other.weights, atol=1e-5)
            np.testing.assert_allclose(one.weights.sum(axis=1), 1, atol=1e-5)


@given(given_sentences=sentences, options=searches, size=st.integers(1, 7))
def test_batches_and_order_change_nothing(
    reverser: Model, undecided: Model, tried: Counter[str], given_sentences: list[str], options: BeamSearch, size: int
) -> None:
    for model in (reverser, undecided):
        alone = [model.hypotheses([sentence], options)[0] for sentence in given_sentences]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(seq2seq, "MAX_BATCH", size)
            together = model.hypotheses(given_sentences, options)
            backwards = model.hypotheses(given_sentences[::-1], options)[::-1]
        for one, two, three in zip(alone, together, backwards, strict=True):
            alike(one, two)
            alike(one, three)
        tried["translations alone and in batches"] += len(given_sentences)


@given(sentence=words, prefix=st.text(st.sampled_from(LETTERS), max_size=12), options=searches)
def test_outputs_begin_as_forced_and_have_the_probabilities_of_teacher_forcing(
    reverser: Model, undecided: Model, tried: Counter[str], sentence: str, prefix: str, options: BeamSearch
) -> None:
    for model in (reverser, undecided):
        (found,) = model.hypotheses([sentence], options, prefix=prefix)
        assert 1 <= len(found) <= options.n_best
        assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
        assert len({each.tokens for each in found}) == len(found)
        target = model.vocabularies.target
        source = pad([model.vocabularies.source.encode(sentence)])
        for each in found:
            text = model.text_of(each)
            assert text.startswith(prefix)
            right = torch.tensor([[*each.tokens, target.end]])
            before = torch.tensor([[target.start, *each.tokens]])
            with torch.no_grad():
                logits = model.network(
                    torch.from_numpy(source.tokens),
                    torch.from_numpy(source.mask),
                    before,
                    torch.ones_like(right, dtype=torch.bool),
                )
            expected = logits.double().log_softmax(dim=-1).gather(1, right[0][:, None])[:, 0]
            np.testing.assert_allclose(each.log_probs, expected, atol=1e-4)
            tried["outputs with the probabilities of teacher forcing"] += 1


@given(given_sentences=sentences, options=searches)
def test_a_model_together_with_itself_is_the_model(
    reverser: Model, given_sentences: list[str], options: BeamSearch
) -> None:
    for one, other in zip(
        reverser.hypotheses(given_sentences, options),
        reverser.hypotheses(given_sentences, options, ensemble=[reverser, reverser]),
        strict=True,
    ):
        alike(one, other)


@given(given_sentences=sentences)
def test_the_order_of_an_ensemble_does_not_matter(
    reverser: Model, undecided: Model, given_sentences: list[str]
) -> None:
    for one, other in zip(
        reverser.hypotheses(given_sentences, ensemble=[undecided]),
        undecided.hypotheses(given_sentences, ensemble=[reverser]),
        strict=True,
    ):
        alike(one, other)


@pytest.mark.parametrize("kind", KINDS)
@given(sentence=st.text(max_size=40))
def test_any_text_at_all_has_one_line_of_real_tokens_for_an_answer(
    models: dict[str, Model], kind: str, sentence: str
) -> None:
    model = models[kind]
    (found,) = model.hypotheses([sentence], BeamSearch(beam_size=2, n_best=2))
    assert bool(found) == bool(sentence.strip())
    suppressed = {*model.vocabularies.target.unwritable, model.vocabularies.target.end}
    for each in found:
        assert not suppressed & set(each.tokens)
        assert not set("\r\n") & set(model.text_of(each))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(
        st.sampled_from([b"\n", b"\r", b"\r\n", b"abc", b"\xef\xbb\xbf", "春".encode(), b" ", b"\0", b"\xff", b"\xe6"]),
        max_size=12,
    ).map(b"".join)
)
def test_whatever_comes_in_is_answered_line_by_line_or_refused_in_one(
    recurra: Callable[..., Any], trained_translation: Path, data: bytes
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        answer = recurra("translation", "translate", trained_translation, "--beam-size", 1)
    whole = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    if b"\n" not in whole:  # a carriage return ends a line only where nothing else does
        whole = whole.replace(b"\r", b"\n")
    lines = whole.split(b"\n")[: None if whole and not whole.endswith(b"\n") else -1]
    try:
        whole.decode()
    except UnicodeDecodeError as error:
        lines = lines[: whole[: error.start].count(b"\n")]
        assert answer.status == 1
        assert answer.err.splitlines()[-1].startswith(f"error: line {len(lines) + 1} cannot be read as UTF-8")
    else:
        assert answer.status == 0
    texts = [line.decode() for line in lines]
    made = answer.out.split("\n")[:-1]
    assert [bool(line) for line in made] == [bool(text.strip()) for text in texts]


@given(sentence=st.text(max_size=30), prefix=st.text(max_size=5))
def test_any_prefix_is_kept_or_refused(models: dict[str, Model], sentence: str, prefix: str) -> None:
    for model in models.values():
        if sentence.strip() and model.vocabularies.target.unknown_in(prefix):
            with pytest.raises(RecurraError, match="which the model cannot write"):
                model.hypotheses([sentence], BeamSearch(beam_size=1), prefix=prefix)
        else:
            (found,) = model.hypotheses([sentence], BeamSearch(beam_size=1), prefix=prefix)
            assert all(model.text_of(each).startswith(prefix) for each in found)
