"""Dropout masks: shared over time or not, a function of seed and step, the same however a batch is split."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.models.dropout import DropoutGenerator


def generator(rows: slice = slice(0, 6), seed: int = 1, step: int = 0) -> DropoutGenerator:
    return DropoutGenerator.of_step(seed, step, rows, 6)


def test_a_row_has_one_mask_for_all_time_steps_and_rows_have_different_ones() -> None:
    dropped = generator().drop_units(torch.ones(6, 9, 50), 0.4)
    assert bool((dropped == dropped[:, :1]).all())
    assert len({tuple(row[0].tolist()) for row in dropped}) == 6


def test_or_each_time_step_has_its_own() -> None:
    dropped = replace(generator(), each_time=True).drop_units(torch.ones(6, 9, 50), 0.4)
    assert len({tuple(step.tolist()) for step in dropped.flatten(0, 1)}) == 6 * 9
    assert set(dropped.flatten().tolist()) == {0, float(torch.tensor(1) / (1 - 0.4))}


def test_a_strength_is_a_factor_of_all_rates() -> None:
    inputs = torch.ones(6, 9, 50)
    for drop in (DropoutGenerator.drop_units, DropoutGenerator.drop_steps):
        weaker = drop(replace(generator(), strength=0.5), inputs, 0.8)
        torch.testing.assert_close(weaker, drop(generator(), inputs, 0.4), rtol=0, atol=0)
        torch.testing.assert_close(drop(replace(generator(), strength=0.0), inputs, 0.8), inputs, rtol=0, atol=0)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_right_share_is_dropped_and_the_rest_scaled(rate: float) -> None:
    dropped = generator().drop_units(torch.ones(6, 2, 20_000), rate)[:, 0]
    kept = dropped[dropped != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - rate)))
    # Six standard deviations of a binomial share.
    assert abs(1 - kept.numel() / dropped.numel() - rate) < 6 * (rate * (1 - rate) / dropped.numel()) ** 0.5
    assert abs(float(dropped.mean()) - 1) < 0.05


def test_the_four_parts_of_a_draw_are_dropped_alike_and_apart_from_each_other() -> None:
    parts = (generator().drop_units(torch.ones(6, 1, 20_000), 0.5) != 0).reshape(-1, 4).double()
    shares = torch.cat([parts.mean(dim=0), *((parts == parts.roll(by, dims=1)).double().mean(dim=0) for by in (1, 2))])
    assert bool(((shares - 0.5).abs() < 6 * (0.25 / len(parts)) ** 0.5).all())


@given(border=st.integers(1, 5), seed=st.integers(0, 2**31), step=st.integers(0, 10**9))
def test_masks_do_not_depend_on_how_the_rows_are_split(border: int, seed: int, step: int) -> None:
    inputs = torch.randn(6, 3, 7)
    whole = generator(seed=seed, step=step)
    parts = [generator(slice(0, border), seed, step), generator(slice(border, 6), seed, step)]
    whole, *parts = (replace(each, each_time=seed % 2 == 0) for each in (whole, *parts))
    for _ in range(3):  # the masks after the first must agree too
        split = torch.cat([part.drop_units(inputs[part.rows], 0.5) for part in parts])
        torch.testing.assert_close(whole.drop_units(inputs, 0.5), split, rtol=0, atol=0)


def test_masks_are_a_function_of_seed_and_step() -> None:
    def mask(seed: int, step: int) -> tuple[float, ...]:
        return tuple(generator(seed=seed, step=step).drop_units(torch.ones(6, 1, 40), 0.5).flatten().tolist())

    assert mask(3, 7) == mask(3, 7)
    masks = [mask(seed, step) for seed in range(4) for step in range(25)]
    assert len(set(masks)) == len(masks)


def test_successive_masks_of_a_step_differ() -> None:
    source = generator()
    assert not torch.equal(source.drop_units(torch.ones(6, 1, 40), 0.5), source.drop_units(torch.ones(6, 1, 40), 0.5))


def test_rate_zero_changes_nothing() -> None:
    inputs = torch.randn(6, 2, 5)
    assert torch.equal(generator().drop_units(inputs, 0.0), inputs)


def test_the_gradient_goes_through_what_is_kept() -> None:
    inputs = torch.ones(6, 3, 10, requires_grad=True)
    dropped = generator().drop_units(inputs, 0.5)
    dropped.sum().backward()
    assert inputs.grad is not None
    torch.testing.assert_close(inputs.grad, dropped.detach())


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_whole_steps_are_dropped_and_the_rest_stays_as_it_is(rate: float) -> None:
    inputs = torch.randn(6, 20_000, 3)
    dropped = generator().drop_steps(inputs, rate)
    kept = (dropped != 0).any(dim=-1)
    assert torch.equal(dropped, inputs * kept[:, :, None])
    assert abs(1 - float(kept.double().mean()) - rate) < 6 * (rate * (1 - rate) / kept.numel()) ** 0.5
    assert len({tuple(row[:100].tolist()) for row in kept}) == 6
    assert torch.equal(generator().drop_steps(inputs, 0.0), inputs)


@given(seed=st.integers(0, 2**31), step=st.integers(0, 10**9), border=st.integers(1, 5))
def test_dropped_steps_do_not_depend_on_how_the_rows_are_split(seed: int, step: int, border: int) -> None:
    inputs = torch.randn(6, 7, 2)
    whole = generator(seed=seed, step=step)
    parts = [generator(slice(0, border), seed, step), generator(slice(border, 6), seed, step)]
    for drop in (DropoutGenerator.drop_steps, DropoutGenerator.drop_units, DropoutGenerator.drop_steps):
        split = torch.cat([drop(part, inputs[part.rows], 0.5) for part in parts])
        torch.testing.assert_close(drop(whole, inputs, 0.5), split, rtol=0, atol=0)


@given(processes=st.integers(1, 5), share=st.integers(1, 400), size=st.integers(1, 50), seed=st.integers(0, 1000))
def test_a_batch_of_another_size_is_shared_without_gap_or_overlap(
    processes: int, share: int, size: int, seed: int
) -> None:
    whole_size = processes * share
    inputs = torch.ones(size, 3, 4)
    alone = DropoutGenerator.of_step(seed, 0, slice(0, whole_size), whole_size).shared(size)
    assert (alone.rows, alone.batch_size) == (slice(0, size), size)
    sources = [
        DropoutGenerator.of_step(seed, 0, slice(share * number, share * (number + 1)), whole_size).shared(size)
        for number in range(processes)
    ]
    assert [row for source in sources for row in range(size)[source.rows]] == list(range(size))
    for _ in range(2):
        together = torch.cat([source.drop_units(inputs[source.rows], 0.5) for source in sources])
        torch.testing.assert_close(alone.drop_units(inputs, 0.5), together, rtol=0, atol=0)
