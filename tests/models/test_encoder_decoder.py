"""The whole network: what is predicted, what is shared, what learns."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.models.dropout import DropoutGenerator
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.runtime.cells import AttentionCell

exactly = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-12)
AttentionKind = Literal["additive", "multiplicative", "none"]
KINDS: list[tuple[AttentionCell, AttentionKind]] = list(
    product(("lstm", "gru"), ("additive", "multiplicative", "none"))
)
each_kind = pytest.mark.parametrize(("cell", "attention"), KINDS)

SOURCES, TARGETS = 8, 6


def make(
    cell: AttentionCell, attention: AttentionKind, target_size: int | None = TARGETS, **more: Any
) -> EncoderDecoder:
    options: dict[str, Any] = {
        "hidden_size": 5,
        "num_layers": 1,
        "embedding_size": 4,
        "dropout": 0.0,
        "word_dropout": 0.0,
        "forget_bias": 0.0,
        "tied": False,
    }
    torch.manual_seed(0)
    return EncoderDecoder(
        SOURCES, target_size, EncoderDecoderArchitecture(cell, attention=attention, **(options | more))
    )


def batch(sources: list[int], targets: list[int], seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Arguments of `forward`: tokens are random at padding too."""
    torch.manual_seed(seed)
    mask, there = (torch.arange(max(sides)) < torch.tensor(sides)[:, None] for sides in (sources, targets))
    return torch.randint(SOURCES, mask.shape), mask, torch.randint(TARGETS, there.shape), there


lengths = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=4)


@each_kind
@given(lengths=lengths, num_layers=st.integers(1, 2), tied=st.booleans(), seed=st.integers(0, 1000))
def test_logits_are_those_of_each_pair_alone_in_order(
    cell: AttentionCell,
    attention: AttentionKind,
    lengths: list[tuple[int, int]],
    num_layers: int,
    tied: bool,
    seed: int,
) -> None:
    model = make(cell, attention, num_layers=num_layers, tied=tied).double()
    sources, mask, targets, there = batch([a for a, _ in lengths], [b for _, b in lengths], seed)
    logits = model(sources, mask, targets, there)
    features, weights = model.forward_features(sources, mask, targets)
    exactly(logits, model.compute_logits(features)[there])
    assert (weights is None) == (attention == "none")
    alone = []
    for row, (a, b) in enumerate(lengths):
        read, written = sources[row : row + 1, :a], targets[row : row + 1, :b]
        encoded = model.encode(read, torch.ones_like(read, dtype=torch.bool))
        state = encoded.state
        for place in range(b):
            feature, step_weights, state = model.decoder.step(written[:, place], state, encoded.memory)
            alone.append(model.compute_logits(feature)[0])
            if weights is not None:
                exactly(weights[row, place, :a], step_weights[0])
                assert torch.count_nonzero(weights[row, place, a:]) == 0
    exactly(logits, torch.stack(alone))


@each_kind
def test_one_batch_can_be_learnt_by_heart(cell: AttentionCell, attention: AttentionKind) -> None:
    model = make(cell, attention, hidden_size=24, embedding_size=12, tied=cell == "lstm")
    sources, mask, targets, there = batch([4, 2, 5, 3, 5, 4], [3, 5, 4, 4, 2, 5], 1)
    sources[:, 0] = torch.arange(6)  # no two sources are the same
    before = F.pad(targets[:, :-1], (1, 0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(120):
        loss = F.cross_entropy(model(sources, mask, before, there), targets[there])
        if float(loss.detach()) < 0.02:
            return
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    raise AssertionError(f"the loss is still {float(loss.detach()):.3f}")


@each_kind
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("target_size", [TARGETS, None])
def test_every_parameter_learns(
    cell: AttentionCell, attention: AttentionKind, tied: bool, target_size: int | None
) -> None:
    model = make(cell, attention, target_size, num_layers=2, tied=tied, dropout=0.1, word_dropout=0.1)
    sources, mask, targets, there = batch([4, 2], [3, 5], 1)
    model(sources, mask, targets, there, DropoutGenerator.of_step(0, 0, slice(0, 2), 2)).square().sum().backward()
    still = [name for name, each in model.named_parameters() if each.grad is None or not each.grad.any()]
    assert not still


@pytest.mark.parametrize("tied", [True, False])
def test_one_vocabulary_has_one_embedding(tied: bool) -> None:
    joint, apart = (make("gru", "additive", size, tied=tied) for size in (None, TARGETS))
    assert joint.encoder.embedding is joint.decoder.embedding
    assert joint.compute_logits(torch.zeros(joint.decoder.output.in_features)).shape == (SOURCES,)
    assert apart.encoder.embedding is not apart.decoder.embedding
    assert apart.compute_logits(torch.zeros(apart.decoder.output.in_features)).shape == (TARGETS,)
    tables = {"embedding", "output"} if not tied else {"embedding"}
    names = {name.split(".")[-2] for name, each in joint.named_parameters() if len(each) == SOURCES and each.dim() == 2}
    assert names == tables


@pytest.mark.parametrize("tied", [True, False])
def test_tokens_enter_with_a_variance_of_about_one(tied: bool) -> None:
    torch.manual_seed(0)
    options = EncoderDecoderArchitecture("gru", 4, 1, 256, 0.0, 0.0, tied, word_dropout=0.0)
    model = EncoderDecoder(500, 400, options)
    for side in (model.encoder, model.decoder):
        assert 0.95 < float((side.embedding.weight * side.scale).std().detach()) < 1.05
    features = torch.tanh(torch.randn(200, model.decoder.output.in_features))
    assert float(model.compute_logits(features).std().detach()) < 1


@each_kind
def test_noise_of_no_dropout_changes_nothing(cell: AttentionCell, attention: AttentionKind) -> None:
    model = make(cell, attention, num_layers=2).double()
    case = batch([4, 2], [3, 5], 1)
    exactly(model(*case, DropoutGenerator.of_step(0, 0, slice(0, 2), 2)), model(*case))
