"""Scoring: as it stands, and dynamically."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recurra.data.streams import Streams
from recurra.errors import RecurraError
from recurra.evaluation.language_model import Dynamic, Score, log_probs, score_dynamic, score_tokens
from recurra.models.architecture import Architecture
from recurra.models.dropout import DropoutGenerator
from recurra.models.language_model import LanguageModel
from recurra.training import language_modeling as module
from recurra.training.language_modeling import NextToken

CPU = torch.device("cpu")
ARCHITECTURE = Architecture(hidden_size=12, num_layers=1, embedding_size=6, dropout=0.5, forget_bias=0.0, tied=False)


@pytest.fixture
def model() -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(7, ARCHITECTURE)


@pytest.fixture
def tokens() -> np.ndarray:
    """A sequence that repeats, with a fault now and then: there is something to learn on the way."""
    chance = np.random.default_rng(0)
    sequence = np.tile([1, 4, 2, 6, 3], 300)
    sequence[chance.random(len(sequence)) < 0.05] = 0
    return sequence.astype(np.uint8)


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


def test_only_the_beginning_of_long_validation_data_is_scored_while_training(
    model: LanguageModel, tokens: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MONITOR_TOKENS", 300)
    other = tokens.copy()
    other[300:] = 5
    streams = Streams(tokens, 2, 10, seed=0)
    expected = score_tokens(model, tokens[:300], CPU).nats
    assert score_tokens(model, other, CPU).nats != pytest.approx(expected, abs=1e-3)
    for validation in (tokens, other):
        assert NextToken(streams, validation).validation_loss(model, CPU) == pytest.approx(expected)


def test_the_state_is_carried_within_a_stream_and_emptied_where_one_begins_anew(
    model: LanguageModel, tokens: np.ndarray
) -> None:
    """The losses of two passes, batch by batch, are those of reading each stream from where it began last."""
    task = NextToken(Streams(tokens, 3, 20, seed=1), tokens)
    rows = slice(0, 3)
    undropped = replace(DropoutGenerator.of_step(0, 0, rows, 3), strength=0.0)
    read: list[list[int]] = [[] for _ in range(3)]
    state, begun_anew = None, 0
    with torch.no_grad():
        for step in range(60):
            batch = task.streams.batch(step, rows)
            expected = 0.0
            for row, carried in enumerate(batch.carried):
                begun_anew += bool(step and not carried)
                if not carried:
                    read[row] = []
                read[row] += batch.inputs[row].tolist()
                logits, _ = model(torch.tensor([read[row]]))
                targets = torch.from_numpy(batch.targets[row]).to(torch.int64)
                expected += float(F.cross_entropy(logits[0, -len(targets) :], targets, reduction="sum"))
            loss, count, state = task.loss(model, step, state, undropped, CPU)
            assert count == batch.targets.size
            assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert begun_anew >= 3
