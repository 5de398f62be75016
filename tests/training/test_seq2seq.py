"""Teacher forcing: losses and scores against a loop over one pair and one token at a time; any number of processes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recurra.data.buckets import Buckets
from recurra.errors import OptionError
from recurra.evaluation import seq2seq as module
from recurra.evaluation.seq2seq import score_pairs
from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.models.dropout import DropoutGenerator
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.training import seq2seq as training_module
from recurra.training.options import PairTraining
from recurra.training.seq2seq import Sequences, TeacherForced

CPU = torch.device("cpu")
SOURCES, TARGETS, START = 9, 7, 6
each_attention = pytest.mark.parametrize("attention", ["additive", "multiplicative", "none"])


def make(attention: Any, dropout: float = 0.0, cell: Any = "lstm") -> EncoderDecoder:
    torch.manual_seed(0)
    architecture = EncoderDecoderArchitecture(
        cell, 6, 2, 5, dropout, 0.0, tied=cell == "gru", attention=attention, word_dropout=dropout
    )
    model = EncoderDecoder(SOURCES, TARGETS, architecture).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.6)
    return model


def pairs_of(lengths: list[tuple[int, int]], seed: int = 0) -> Sequences:
    chance = np.random.default_rng(seed)
    sides = zip(
        *[(chance.integers(SOURCES, size=a), chance.integers(TARGETS, size=b)) for a, b in lengths], strict=True
    )
    return Sequences(*([tokens.astype(np.int32) for tokens in side] for side in sides))


def objective(pairs: Sequences, size: int, smoothing: float = 0.0) -> TeacherForced:
    return TeacherForced(pairs, pairs, START, Buckets(pairs.lengths(), size), smoothing, 0.0)


def whole(size: int, step: int = 0) -> DropoutGenerator:
    return DropoutGenerator.of_step(0, step, slice(0, size), size)


def plain_loss(model: EncoderDecoder, pairs: Sequences, numbers: Any, smoothing: float) -> Tensor:
    """Of each target token -(1 - e) log p(right) - e mean log p(any), e the smoothing (Szegedy et al. 2016, 7)."""
    total = torch.zeros((), dtype=torch.float64)
    for number in numbers:
        source = torch.from_numpy(pairs.sources[number].astype(np.int64))[None]
        memory, state = model.encode(source, torch.ones_like(source, dtype=torch.bool))
        before = START
        for right in pairs.targets[number].tolist():
            features, _, state = model.decoder.step(torch.tensor([before]), state, memory)
            log_probs = torch.log_softmax(model.compute_logits(features)[0], dim=0)
            total = total - (1 - smoothing) * log_probs[right] - smoothing * log_probs.sum() / TARGETS
            before = right
    return total


lengths = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=6)


@each_attention
@given(lengths=lengths, size=st.integers(1, 30), smoothing=st.sampled_from([0.0, 0.1, 0.6]), seed=st.integers(0, 99))
def test_the_loss_is_the_sum_over_single_tokens(
    attention: str, lengths: list[tuple[int, int]], size: int, smoothing: float, seed: int
) -> None:
    model, pairs = make(attention), pairs_of(lengths, seed)
    forced = objective(pairs, size, smoothing)
    step = seed % forced.buckets.steps_per_epoch
    loss, count, state = forced.loss(model, step, None, whole(size), CPU)
    numbers = forced.buckets.batch(step)
    assert state is None
    assert count == sum(len(pairs.targets[number]) for number in numbers)
    torch.testing.assert_close(loss.double(), plain_loss(model, pairs, numbers, smoothing), rtol=1e-5, atol=1e-6)


@each_attention
def test_gradients_of_the_loss(attention: str) -> None:
    model, pairs = make(attention), pairs_of([(3, 4), (2, 5), (5, 2)])
    forced = objective(pairs, 10**6, 0.1)
    mine = torch.autograd.grad(forced.loss(model, 0, None, whole(10**6), CPU)[0], list(model.parameters()))
    theirs = torch.autograd.grad(plain_loss(model, pairs, range(3), 0.1), list(model.parameters()))
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@each_attention
@given(lengths=lengths, limit=st.integers(1, 40))
def test_a_score_is_the_same_sum_without_smoothing(attention: str, lengths: list[tuple[int, int]], limit: int) -> None:
    model, pairs = make(attention), pairs_of(lengths)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(module, "SCORING_SIZE", limit)
        figure = score_pairs(model, pairs, START, CPU)
        expected = float(plain_loss(model, pairs, range(len(lengths)), 0.0))
    assert figure.count == sum(b for _, b in lengths)
    assert figure.total == pytest.approx(expected, rel=1e-5)


def test_a_score_has_no_dropout_and_asks_for_no_gradient() -> None:
    pairs = pairs_of([(3, 4), (2, 5)])
    model = make("additive", dropout=0.5)
    figures = {score_pairs(model, pairs, START, CPU).nats for _ in range(3)}
    model.requires_grad_(False)
    assert figures == {score_pairs(make("additive"), pairs, START, CPU).nats}


def test_several_models_are_scored_by_their_mean_probability() -> None:
    pairs = pairs_of([(3, 4), (2, 5), (6, 1)])
    models = [make(attention) for attention in ("additive", "multiplicative", "none")]
    figure = score_pairs(models[0], pairs, START, CPU, models[1:])
    expected = 0.0
    with torch.no_grad():
        for number, target in enumerate(pairs.targets):
            one = Sequences(pairs.sources[number : number + 1], [target])
            for length in range(1, len(target) + 1):
                shares = []
                for model in models:
                    with_it, without = (
                        float(plain_loss(model, Sequences(one.sources, [target[:end]]), [0], 0.0))
                        for end in (length, length - 1)
                    )
                    shares.append(math.exp(without - with_it))
                expected -= math.log(sum(shares) / len(shares))
    assert figure.count == 10
    assert figure.total == pytest.approx(expected, rel=1e-5)


def test_while_training_the_first_validation_pairs_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_module, "MONITOR_PAIRS", 2)
    pairs, model = pairs_of([(3, 4), (2, 5), (6, 6)]), make("additive")
    forced = TeacherForced(pairs_of([(1, 1)]), pairs, START, Buckets(np.array([[1, 1]]), 8), 0.3, 0.0)
    with torch.no_grad():
        expected = float(plain_loss(model, pairs, range(2), 0.0)) / 9
    assert forced.validation_loss(model, CPU) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@each_attention
@pytest.mark.parametrize("processes", [2, 3])
def test_processes_together_have_the_loss_and_the_gradients_of_one(cell: str, attention: str, processes: int) -> None:
    """With dropout everywhere, and with batches of fewer pairs than there are processes."""
    lengths = [(3, 4), (2, 5), (5, 2), (6, 6), (1, 1), (4, 4), (6, 3)]
    model, pairs = make(attention, 0.4, cell), pairs_of(lengths)
    for size in (18, 30):
        forced = objective(pairs, size, 0.1)
        for step in range(forced.buckets.steps_per_epoch):
            loss, count, _ = forced.loss(model, step, None, whole(size, step), CPU)
            expected = torch.autograd.grad(loss, list(model.parameters()))
            losses, counts, grads = [], [], []
            for number in range(processes):
                rows = slice(size // processes * number, size // processes * (number + 1))
                part, tokens, _ = forced.loss(model, step, None, DropoutGenerator.of_step(0, step, rows, size), CPU)
                losses.append(part.detach())
                counts.append(tokens)
                grads.append(torch.autograd.grad(part, list(model.parameters()), materialize_grads=True))
            assert sum(counts) == count
            torch.testing.assert_close(torch.stack(losses).sum(), loss.detach(), rtol=1e-5, atol=1e-6)
            for total, *parts in zip(expected, *grads, strict=True):
                torch.testing.assert_close(torch.stack(parts).sum(dim=0), total, rtol=1e-4, atol=1e-6)


def test_dropout_is_a_function_of_the_step() -> None:
    pairs, model = pairs_of([(3, 4)] * 3), make("additive", 0.5)
    forced = objective(pairs, 12)
    losses = [float(forced.loss(model, 0, None, whole(12, step), CPU)[0].detach()) for step in (0, 0, 1, 2)]
    assert losses[0] == losses[1]
    assert len(set(losses)) == 3


def test_dropout_rises_along_the_first_passes_to_its_full_rates() -> None:
    """Losses on the way are those of a model whose rates are that much smaller."""
    pairs = pairs_of([(3, 4)] * 6)
    forced = replace(objective(pairs, 8), dropout_passes=2.0)
    assert forced.buckets.steps_per_epoch == 3
    for step, share in enumerate([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1, 1]):
        weaker = replace(forced, dropout_passes=0.0)
        loss, expected = (
            one.loss(make("additive", rate), step, None, whole(8, step), CPU)[0]
            for one, rate in ((forced, 0.5), (weaker, 0.5 * share))
        )
        torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)


def test_lengths_of_pairs() -> None:
    assert pairs_of([(3, 4), (2, 5)]).lengths().tolist() == [[3, 4], [2, 5]]
    assert Sequences([], []).lengths().shape == (0, 2)


@pytest.mark.parametrize(
    "options", [{"batch_size": 0}, {"label_smoothing": -0.1}, {"label_smoothing": 1.0}, {"dropout_passes": -1.0}]
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"`{next(iter(options))}`"):
        PairTraining(**options)
