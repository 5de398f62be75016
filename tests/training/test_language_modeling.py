"""The objective of a language model: what is scored while it trains, and the state it carries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scoring import CPU, repeating_tokens, small_model

from recurra.data.streams import Streams
from recurra.evaluation.language_model import score_tokens
from recurra.models.dropout import DropoutGenerator
from recurra.models.language_model import LanguageModel
from recurra.training import language_modeling as module
from recurra.training.language_modeling import NextToken


@pytest.fixture
def model() -> LanguageModel:
    return small_model()


@pytest.fixture
def tokens() -> np.ndarray:
    return repeating_tokens()


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
