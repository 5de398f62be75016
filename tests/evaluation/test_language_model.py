"""Scoring a sequence: as it stands, and dynamically."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scoring import ARCHITECTURE, CPU, repeating_tokens, small_model

from recurra.errors import RecurraError
from recurra.evaluation.language_model import Dynamic, Score, log_probs, score_dynamic, score_tokens
from recurra.models.language_model import LanguageModel


@pytest.fixture
def model() -> LanguageModel:
    return small_model()


@pytest.fixture
def tokens() -> np.ndarray:
    return repeating_tokens()


def test_a_score_is_the_cross_entropy_of_one_long_run(model: LanguageModel, tokens: np.ndarray) -> None:
    whole = torch.from_numpy(tokens.astype(np.int64))[None]
    with torch.no_grad():
        expected = F.cross_entropy(model(whole[:, :-1])[0][0], whole[0, 1:])
    figure = score_tokens(model, tokens, CPU)
    assert figure.count == len(tokens) - 1
    assert figure.nats == pytest.approx(float(expected), abs=1e-5)
    assert figure.bits == pytest.approx(float(expected) / math.log(2), abs=1e-5)
    assert figure.perplexity == pytest.approx(math.exp(float(expected)), rel=1e-4)
    assert float(-log_probs(model, tokens, CPU).mean()) == pytest.approx(float(expected), abs=1e-5)


def test_a_perplexity_beyond_all_numbers_is_infinite() -> None:
    assert Score(2000.0, 2).perplexity == math.inf


def test_without_learning_dynamic_evaluation_is_the_plain_one(model: LanguageModel, tokens: np.ndarray) -> None:
    still = score_dynamic(model, tokens, CPU, Dynamic(segment=17, learning_rate=0.0))
    assert still.count == len(tokens) - 1
    assert still.nats == pytest.approx(score_tokens(model, tokens, CPU).nats, abs=1e-5)


def test_dynamic_evaluation_learns_from_the_text_and_leaves_the_model_alone(
    model: LanguageModel, tokens: np.ndarray
) -> None:
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    dynamic = score_dynamic(model, tokens, CPU, Dynamic(learning_rate=5e-3))
    assert dynamic.nats < score_tokens(model, tokens, CPU).nats - 0.3
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_dynamic_evaluation_is_the_papers_update(model: LanguageModel, tokens: np.ndarray) -> None:
    """Krause et al. 2018, equation 6, worked out for one weight matrix after another."""
    how = Dynamic(segment=25, learning_rate=3e-3, decay=0.05, memory=0.9)
    expected, state = 0.0, None
    learner = LanguageModel(7, ARCHITECTURE)
    learner.load_state_dict(model.state_dict())
    squares = {name: torch.zeros_like(weight) for name, weight in learner.named_parameters()}
    text = torch.from_numpy(tokens[:201].astype(np.int64))
    for update, begin in enumerate(range(0, 200, how.segment), 1):
        logits, state = learner(text[None, begin : begin + how.segment], state)
        state = tuple(part.detach() for part in state)
        loss = F.cross_entropy(logits[0], text[begin + 1 : begin + how.segment + 1])
        expected += float(loss.detach()) * how.segment
        learner.zero_grad()
        loss.backward()
        with torch.no_grad():
            for name, weight in learner.named_parameters():
                assert weight.grad is not None
                squares[name] = how.memory * squares[name] + (1 - how.memory) * weight.grad**2
                root = (squares[name] / (1 - how.memory**update)).sqrt() + 1e-5
                stepped = weight - how.learning_rate * weight.grad / root
                weight.copy_(stepped + how.decay * (dict(model.named_parameters())[name] - stepped))
    assert score_dynamic(model, tokens[:201], CPU, how).total == pytest.approx(expected, rel=1e-5)


def test_dynamic_evaluation_leaves_tables_of_n_grams_as_they_are(tokens: np.ndarray) -> None:
    torch.manual_seed(0)
    model = LanguageModel(7, replace(ARCHITECTURE, ngrams=3, ngram_rows=20, ngram_size=6))
    torch.nn.init.normal_(model.ngram_embedding.table.weight)
    still = score_dynamic(model, tokens, CPU, Dynamic(segment=17, learning_rate=0.0))
    assert still.nats == pytest.approx(score_tokens(model, tokens, CPU).nats, abs=1e-5)
    assert score_dynamic(model, tokens, CPU, Dynamic(learning_rate=5e-3)).nats < still.nats - 0.3
    assert model.ngram_embedding.table.weight.requires_grad


def test_dynamic_evaluation_does_not_look_ahead(model: LanguageModel, tokens: np.ndarray) -> None:
    """What comes later in a text does not change how its beginning is scored."""
    how = Dynamic(segment=20, learning_rate=5e-3)
    other = tokens.copy()
    other[601:] = 5
    beginning = score_dynamic(model, tokens[:601], CPU, how).total
    rest = [score_dynamic(model, text, CPU, how).total - beginning for text in (tokens, other)]
    assert rest[0] != pytest.approx(rest[1], rel=1e-3)
    assert score_dynamic(model, other[:601], CPU, how).total == pytest.approx(beginning)
    first_segment = score_tokens(model, tokens[:21], CPU).total
    assert score_dynamic(model, tokens[:21], CPU, how).total == pytest.approx(first_segment, rel=1e-5)


def test_probabilities_that_are_not_numbers_are_refused(model: LanguageModel, tokens: np.ndarray) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1e38)
    for scorer in (score_tokens, score_dynamic, log_probs):
        with pytest.raises(RecurraError, match="not numbers"):
            scorer(model, tokens[:100], CPU)
