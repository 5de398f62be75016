"""Updates of the rows that a batch reads are those of whole tables, and the norm of gradients is that of dense ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from recurra.training.tables import DECAY_EVERY, RATE, RowAdagrad, clip_gradients, tables_of


def train(sparse: bool, steps: int = 6) -> tuple[list[torch.Tensor], list[float]]:
    """A table and a layer above it, after some clipped steps that read a row twice and most rows never."""
    torch.manual_seed(0)
    table, layer = nn.Embedding(12, 3, sparse=sparse), nn.Linear(3, 2)
    optimizer = RowAdagrad([table.weight])
    rng, norms = np.random.default_rng(1), []
    for _ in range(steps):
        rows = torch.from_numpy(rng.integers(5, size=8))
        layer(table(rows)).square().sum().backward()
        assert table.weight.grad.is_sparse == sparse
        norms.append(float(clip_gradients([table.weight, *layer.parameters()], 0.5)))
        optimizer.param_groups[0]["lr"] = 0.1
        optimizer.step()
        optimizer.zero_grad()
        layer.zero_grad()
    return [table.weight.detach(), optimizer.state[table.weight]["squares"]], norms


def test_sparse_updates_are_those_of_the_whole_table() -> None:
    (sparse, squares), norms = train(sparse=True)
    (dense, all_squares), expected = train(sparse=False)
    torch.testing.assert_close(sparse, dense)
    torch.testing.assert_close(squares, all_squares)
    assert norms == pytest.approx(expected, rel=1e-5)
    torch.manual_seed(0)
    assert torch.equal(sparse[5:], nn.Embedding(12, 3).weight.detach()[5:])  # rows that no batch has read


def test_a_step_is_that_of_the_equations() -> None:
    weight = nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    optimizer = RowAdagrad([weight])
    optimizer.param_groups[0]["lr"] = 0.5
    w, s = weight.detach().numpy().astype(np.float64), np.zeros(2)
    for gradient in ([[3.0, 1.0], [0.0, 0.0]], [[0.0, -2.0], [1.0, 1.0]]):
        weight.grad = torch.tensor(gradient)
        optimizer.step()
        g = np.array(gradient)
        s += (g**2).mean(axis=1)
        w = w - 0.5 * g / (np.sqrt(s) + 1e-8)[:, None]
    np.testing.assert_allclose(weight.detach().numpy(), w, rtol=1e-6)


def test_whole_tables_decay_as_much_as_step_by_step() -> None:
    weight = nn.Parameter(torch.ones(3, 2))
    optimizer = RowAdagrad([weight], weight_decay=0.1)
    expected = 1.0
    for step in range(2 * DECAY_EVERY + 5):
        learning_rate = 0.01 * (step % 7)
        optimizer.param_groups[0]["lr"] = RATE * learning_rate
        optimizer.step()
        expected *= 1 - 0.1 * learning_rate if step < 2 * DECAY_EVERY else 1.0
    torch.testing.assert_close(weight.detach(), torch.full((3, 2), expected))


def test_gradients_are_scaled_down_together() -> None:
    table, other = nn.Embedding(4, 2, sparse=True), nn.Parameter(torch.zeros(2))
    (3 * table(torch.tensor([1, 1])).sum() + 4 * other.sum()).backward()
    norm = clip_gradients([table.weight, other, nn.Parameter(torch.zeros(1))], 1.0)
    assert float(norm) == pytest.approx((2 * 36 + 2 * 16) ** 0.5)
    clipped = table.weight.grad.to_dense()
    assert float((clipped.square().sum() + other.grad.square().sum()).sqrt()) == pytest.approx(1.0, rel=1e-4)
    torch.testing.assert_close(clipped[1] / other.grad, torch.tensor([1.5, 1.5]))


def test_tables_are_what_has_sparse_gradients() -> None:
    network = nn.ModuleList([nn.Embedding(3, 2), nn.Linear(2, 2), nn.Embedding(3, 2, sparse=True)])
    assert tables_of(network) == [network[2]]
