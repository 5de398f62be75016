"""Training of large tables of which a batch reads few rows: gradients, norms and updates of those rows only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

RATE = 10.0
"""Of the learning rate, what rows of tables have: Adagrad's steps grow smaller with every use of a row."""

EPSILON = 1e-8
"""Keeps a row whose gradient is zero where it is."""

DECAY_EVERY = 32
"""Steps between decays of a whole table, each by as much as so many steps would: one costs as much as a step."""


def tables_of(model: nn.Module) -> list[nn.Embedding]:
    """The embeddings of a network whose gradients are sparse."""
    return [part for part in model.modules() if isinstance(part, nn.Embedding) and part.sparse]


class RowAdagrad(torch.optim.Optimizer):
    """Adagrad (Duchi et al. 2011) with one sum of squares a row (Naumov et al. 2019, arXiv 1906.00091).

    Of a row w with gradient g: s += mean(g^2), w -= lr g / (sqrt(s) + epsilon). A row without a gradient does not move,
    so that updating only the rows of a batch is exactly what updating all would be: dense gradients, as several
    processes share them, give the same. Decay as of AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), by the
    learning rate that the rest of the network has, is for all rows, at every `DECAY_EVERY`th step.

    Args:
        weights: of the tables, `(rows, size)` each.
        weight_decay: what the learning rate is multiplied by.
    """

    def __init__(self, weights: Iterable[Tensor], weight_decay: float = 0.0) -> None:
        super().__init__(weights, {"lr": 0.0, "rate": RATE, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update the rows that have a gradient; sparse ones must be coalesced."""
        for group in self.param_groups:
            for weight in group["params"]:
                if not self.state[weight]:
                    self.state[weight] |= {"squares": weight.new_zeros(len(weight)), "decay": torch.zeros(2)}
                self._decay(weight, group["weight_decay"] * group["lr"] / group["rate"])
                if weight.grad is not None:
                    self._update(weight, weight.grad, group["lr"])

    def _decay(self, weight: Tensor, share: float) -> None:
        """Take note of a step's decay, and of enough of them carry them out."""
        decay = self.state[weight]["decay"]  # steps, and the logarithm of what is left after them
        decay += torch.tensor([1.0, math.log1p(-share)], device=decay.device)
        if decay[0] >= DECAY_EVERY:
            weight.mul_(math.exp(decay[1]))
            decay.zero_()

    def _update(self, weight: Tensor, gradient: Tensor, learning_rate: float) -> None:
        rows = gradient.indices()[0] if gradient.is_sparse else torch.arange(len(weight), device=weight.device)
        values = gradient.values() if gradient.is_sparse else gradient  # (rows, size)
        squares = self.state[weight]["squares"].index_add_(0, rows, values.square().mean(dim=1))[rows]  # (rows,)
        weight.index_add_(0, rows, values / (squares.sqrt() + EPSILON)[:, None], alpha=-learning_rate)


def clip_gradients(parameters: Iterable[Tensor], largest: float) -> Tensor:
    """As `torch.nn.utils.clip_grad_norm_`, also for sparse gradients, which are coalesced.

    Returns:
        The norm of all before.
    """
    dense: list[Tensor] = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
            rows = parameter.grad.values()  # one memory with the gradient
            dense.append(torch.empty_like(rows))
            dense[-1].grad = rows
        else:
            dense.append(parameter)
    return torch.nn.utils.clip_grad_norm_(dense, largest)
