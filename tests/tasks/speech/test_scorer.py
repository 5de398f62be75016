"""A language model as a scorer of symbols against the model's own log-probabilities of whole texts."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from recurra.errors import OptionError
from recurra.models.architecture import Architecture
from recurra.models.language_model import LanguageModel
from recurra.models.packed import single_stream
from recurra.runtime.cells import CellName
from recurra.tasks.speech.prefix_search import EXACT, PrefixDecoder, prefix_search_reference
from recurra.tasks.speech.scorer import LanguageScorer, Stream

BEGIN, END = 7, 6
SYMBOLS = [[], [0], [1, 2], [3, 1, 4], [], [2]]
"""The tokens of each symbol; 0 is the blank, and 4 is a symbol that the language model does not know."""


def make(cell: CellName = "lstm") -> LanguageModel:
    torch.manual_seed(1)
    model = LanguageModel(
        8, Architecture(cell, 6, num_layers=2, embedding_size=5, dropout=0.0, forget_bias=1.0, tied=False)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.8)
    return model


def stream_of(model: LanguageModel) -> Stream:
    return Stream(*single_stream(model), model.vocabulary_size)


@torch.no_grad()
def expected(model: LanguageModel, text: list[int], ended: bool) -> float:
    tokens = [BEGIN, *(token for symbol in text for token in SYMBOLS[symbol]), *([END] if ended else [])]
    log_probs = model(torch.tensor([tokens]))[0][0].log_softmax(-1)
    read = float(log_probs[range(len(tokens) - 1), tokens[1:]].sum())
    return read + sum(not SYMBOLS[symbol] for symbol in text) * -math.log(8)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_text_costs_what_its_tokens_do(cell: CellName) -> None:
    model = make(cell)
    rng = np.random.default_rng(0)
    for end in (None, END):
        scorer = LanguageScorer(stream_of(model), SYMBOLS, BEGIN, end)
        for _ in range(20):
            texts = [rng.integers(1, 6, 5).tolist() for _ in range(3)]
            row, state = scorer.start()
            rows, states = np.array([row] * 3), [state] * 3
            totals = np.zeros(3)
            for symbols in np.array(texts).T:
                totals += rows[range(3), symbols]
                rows, states = scorer.extend(states, symbols)
            totals += scorer.finish(states)
            for text, total in zip(texts, totals, strict=True):
                assert total == pytest.approx(expected(model, text, end is not None), abs=1e-4)


def test_search_with_a_language_model_is_its_reference() -> None:
    rng = np.random.default_rng(1)
    scorer = LanguageScorer(stream_of(make()), SYMBOLS, BEGIN, END)
    for size in (3, 200):
        options = replace(EXACT, beam_size=size, n_best=3, alpha=0.8, beta=0.5)
        logits = rng.standard_normal((5, 6))
        log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        found = PrefixDecoder(6, 0, options, scorer=scorer)(log_probs)
        again = prefix_search_reference(log_probs, 0, options, scorer=scorer)
        assert [h.labelling.symbols.tolist() for h in found] == [h.labelling.symbols.tolist() for h in again]
        assert [h.score for h in found] == pytest.approx([h.score for h in again], abs=1e-9)


def test_tokens_that_the_model_lacks_are_refused() -> None:
    with pytest.raises(OptionError, match="has 8 tokens, but a symbol would be token 8"):
        LanguageScorer(stream_of(make()), [[], [8]], BEGIN)
    with pytest.raises(OptionError, match="token 9"):
        LanguageScorer(stream_of(make()), SYMBOLS, 9)
