"""A text model in the search: what it says of texts, and that it helps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from singing import SUNG_RATE as RATE
from singing import sung

from recurra import text
from recurra.data.corpus import Texts
from recurra.data.tokenizer import Characters, Tokenizer, WithBoundary, Words
from recurra.errors import OptionError
from recurra.models.architecture import Architecture
from recurra.models.language_model import LanguageModel
from recurra.models.packed import single_stream
from recurra.tasks.speech.language import WordScorer, text_scorer
from recurra.tasks.speech.symbols import Symbols

Command = Callable[..., Any]

SYMBOLS = Symbols.of(["abc de"], True)


def language_model(tokenizer: Tokenizer) -> Any:
    torch.manual_seed(3)
    architecture = Architecture("lstm", 6, num_layers=1, embedding_size=5, dropout=0.0, forget_bias=1.0, tied=False)
    network = LanguageModel(tokenizer.size, architecture)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.8)
    return SimpleNamespace(network=network, vocabulary=tokenizer, stream_step=lambda: single_stream(network))


def scored(scorer: Any, texts: Sequence[Sequence[int]]) -> list[float]:
    """What a scorer says of texts of one length, all at once, symbol by symbol."""
    row, state = scorer.start()
    rows, states, totals = np.array([row] * len(texts)), [state] * len(texts), np.zeros(len(texts))
    for symbols in np.array(texts).T:
        totals += rows[range(len(texts)), symbols]
        rows, states = scorer.extend(states, symbols)
    return (totals + scorer.finish(states)).tolist()


@torch.no_grad()
def whole(model: Any, tokens: Sequence[int], begin: int) -> float:
    """The log-probability of tokens and the end, by the network at once."""
    read = [begin, *tokens, begin]
    log_probs = model.network(torch.tensor([read]))[0][0].log_softmax(-1)
    return float(log_probs[range(len(read) - 1), read[1:]].sum())


@pytest.mark.parametrize(
    "tokenizer", [Characters(list("abcde \n")), WithBoundary(Words([" a", " b", " abc", " de"]))], ids=lambda t: t.kind
)
def test_a_text_costs_what_its_tokens_do(tokenizer: Tokenizer) -> None:
    model = language_model(tokenizer)
    scorer = text_scorer(model, SYMBOLS)
    assert isinstance(scorer, WordScorer) == (tokenizer.kind == "words")
    begin = tokenizer.encode("\n").tolist()[0] if tokenizer.boundary is None else tokenizer.boundary
    texts = ["abc de", "de abc", "a  b b", "cab de"]  # "cab" is no word of the model
    numbers = [[SYMBOLS.names.index(character) + 1 for character in each] for each in texts]
    for each, found in zip(texts, scored(scorer, numbers), strict=True):
        read = " " + " ".join(each.split()) if tokenizer.kind == "words" else each
        unknown = np.log(tokenizer.size) if "cab" in each and tokenizer.kind == "words" else 0.0
        assert found == pytest.approx(whole(model, tokenizer.encode(read).tolist(), begin) - unknown, abs=1e-4)


def test_symbols_that_are_words() -> None:
    tokenizer = WithBoundary(Words([" one", " two"]))
    model, symbols = language_model(tokenizer), Symbols.of_words(["one two three"], True)
    one, three, two = (symbols.names.index(word) + 1 for word in ("one", "three", "two"))
    assert scored(text_scorer(model, symbols), [[one, two, one]]) == pytest.approx(
        [whole(model, tokenizer.encode(" one two one").tolist(), tokenizer.size - 1)], abs=1e-4
    )
    unknown = scored(text_scorer(model, symbols), [[one, three]])
    expected = whole(model, tokenizer.encode(" one").tolist(), tokenizer.size - 1) - np.log(tokenizer.size)
    assert unknown == pytest.approx([expected], abs=1e-4)


def test_models_that_do_not_fit() -> None:
    words = language_model(WithBoundary(Words([" a"])))
    with pytest.raises(OptionError, match="take a language model of characters"):
        text_scorer(words, Symbols.of(["abc"], True))
    with pytest.raises(OptionError, match="knows no line ends"):
        text_scorer(language_model(Characters(list("abc"))), SYMBOLS)


def test_it_decides_what_sounds_alike(recurra: Command, trained_speech: Path, tmp_path: Path) -> None:
    """A recording half-way between two texts becomes what the text model was trained on."""
    soundfile.write(tmp_path / "x.wav", sung("ba"), RATE)
    for said in ("bad", "eb"):
        text.train(Texts([f"{said}\n" * 400]), tmp_path / said, steps=60, hidden_size=16, progress=False)
        command = ["speech", "transcribe", trained_speech, tmp_path / "x.wav", "--language-model", tmp_path / said]
        wide = ["--symbol-threshold", "none", "--beam-threshold", "none"]
        assert recurra(*command, "--alpha", 0).out == "ba\n"
        assert recurra(*command, "--alpha", 20, *wide).out == f"{said}\n"
