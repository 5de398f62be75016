"""Which pictures and captions come when, and what is summed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recurra.models.dropout import DropoutGenerator
from recurra.tasks.captions.config import Config, resolve
from recurra.tasks.captions.data import Part
from recurra.tasks.captions.networks import CaptionNetwork
from recurra.tasks.captions.objective import Captioning, score_captions, unevenness

START, END = 8, 9
CPU = torch.device("cpu")


def part(pictures: int = 10, seed: int = 1) -> Part:
    random = np.random.default_rng(seed)
    captions = [
        [np.append(random.integers(0, 8, random.integers(0, 5)), END).astype(np.int32) for _ in range(1 + number % 3)]
        for number in range(pictures)
    ]
    return Part("pictures", random.integers(0, 256, (pictures, 16, 16, 3)).astype(np.uint8), captions)


def objective(**options: Any) -> Captioning:
    config = resolve(Config(hidden_size=6, channels=4, image_size=16, **{"batch_size": 3} | options), 10, 5)
    return Captioning(config, part(), part(7, seed=2), START)


def network(of: Captioning) -> CaptionNetwork:
    torch.manual_seed(1)
    return CaptionNetwork(10, of.config)


def test_every_picture_comes_once_a_pass_and_every_caption_sooner_or_later() -> None:
    of = objective(batch_size=5)
    seen: dict[int, set[int]] = {}
    passes = []
    for step in range(60):
        pictures, chosen = of.batch(step)
        passes.append(pictures)
        for picture, which in zip(pictures.tolist(), chosen.tolist(), strict=True):
            seen.setdefault(picture, set()).add(which)
    for epoch in range(30):
        assert sorted(np.concatenate(passes[2 * epoch : 2 * epoch + 2])) == list(range(10))
    assert (passes[0] != passes[2]).any()
    assert seen == {picture: set(range(1 + picture % 3)) for picture in range(10)}
    again, chosen = of.batch(7)
    assert (again == passes[7]).all()
    assert (chosen == of.batch(7)[1]).all()


def test_the_loss_is_the_sum_over_the_tokens_of_the_batch() -> None:
    of = objective(batch_size=10)
    model = network(of)
    pictures, chosen = of.batch(0)
    generator = DropoutGenerator.of_step(1, 0, slice(0, 10), 10)
    loss, count, state = of.loss(model, 0, None, generator, CPU)
    captions = [of.train.captions[picture][which] for picture, which in zip(pictures, chosen, strict=True)]
    assert state is None
    assert count == sum(map(len, captions))
    total = 0.0
    grid = model.encoder(torch.from_numpy(of.train.pixels[pictures]), training=True)  # normalised by the whole batch
    for row, caption in enumerate(captions):
        before = torch.tensor([[START, *caption[:-1]]])
        logits, _ = model(grid[row : row + 1], torch.zeros(1, dtype=torch.long), before, torch.ones_like(before) > 0)
        total += F.cross_entropy(logits, torch.from_numpy(caption.astype(np.int64)), reduction="sum").item()
    assert loss.item() == pytest.approx(total, rel=1e-4)


def test_uneven_attention_costs_only_what_is_looked_at_before_the_end() -> None:
    weights = torch.tensor([[[0.5, 0.5], [1.0, 0.0], [0.3, 0.7]]])
    mask = torch.tensor([[True, True, False]])
    assert float(unevenness(weights, mask)) == pytest.approx((1 - 1.5) ** 2 + (1 - 0.5) ** 2)
    generator = DropoutGenerator.of_step(1, 0, slice(0, 3), 3)
    plain, costly = objective(), objective(doubly_stochastic=2.0)
    difference = (
        costly.loss(network(costly), 0, None, generator, CPU)[0]
        - plain.loss(network(plain), 0, None, generator, CPU)[0]
    )
    pictures, chosen = plain.batch(0)
    extra = 0.0
    for_all = network(plain)
    grid = for_all.encoder(torch.from_numpy(plain.train.pixels[pictures]), training=True)
    for row, (picture, which) in enumerate(zip(pictures, chosen, strict=True)):
        caption = plain.train.captions[picture][which]
        before = torch.tensor([[START, *caption[:-1]]])
        every = torch.ones_like(before) > 0
        _, looked = for_all(grid[row : row + 1], torch.zeros(1, dtype=torch.long), before, every)
        extra += ((1 - looked[0].sum(dim=0)) ** 2).sum().item()
    assert difference.item() == pytest.approx(2 * extra, rel=1e-3)


def test_a_score_is_the_mean_over_all_captions_of_all_pictures_in_whatever_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of = objective()
    model = network(of)
    whole = score_captions(model, of.validation, START, CPU)
    assert whole.count == sum(len(caption) for captions in of.validation.captions for caption in captions)
    monkeypatch.setattr("recurra.tasks.captions.objective.SCORED", 2)
    shares: list[float] = []
    grouped = score_captions(model, of.validation, START, CPU, report=shares.append)
    assert grouped.nats == pytest.approx(whole.nats, rel=1e-5)
    assert shares == pytest.approx([2 / 7, 4 / 7, 6 / 7, 1])
    first = Part("first", of.validation.pixels[:3], of.validation.captions[:3])
    assert score_captions(model, of.validation, START, CPU, most=3).nats == pytest.approx(
        score_captions(model, first, START, CPU).nats, rel=1e-5
    )
    assert of.validation_loss(model, CPU) == pytest.approx(whole.nats, rel=1e-5)
