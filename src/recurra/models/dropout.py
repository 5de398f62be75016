"""Dropout whose masks are a function of seed and step, and the same for any number of processes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class DropoutGenerator:
    """The source of one training step's dropout masks.

    Masks are drawn for the whole batch of all processes, and each takes its rows: one process and many see the same.
    Passing no `DropoutGenerator` to a model means no dropout.

    Attributes:
        random: seeded for this step.
        rows: this process's rows of the whole batch.
        batch_size: rows of the whole batch.
        strength: what all rates are multiplied by.
        each_time: whether units are dropped at each time step anew.
    """

    random: torch.Generator
    rows: slice
    batch_size: int
    strength: float = 1.0
    each_time: bool = False

    @classmethod
    def of_step(cls, seed: int, step: int, rows: slice, batch_size: int) -> DropoutGenerator:
        """The dropout generator of a training step."""
        generator = torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**63)
        return cls(generator, rows, batch_size)

    def drop_units(self, inputs: Tensor, rate: float) -> Tensor:
        """Zero units of `(batch, time, features)` with probability `rate`; what is kept is scaled by 1 / (1 - rate).

        They are the same at every time step of a row (Gal and Ghahramani 2016, arXiv 1512.05287), or others at each
        (Srivastava et al. 2014).
        """
        rate *= self.strength
        if rate == 0:
            return inputs
        times = inputs.shape[1] if self.each_time else 1
        keep = self._kept(rate, self.batch_size, times, inputs.shape[-1])
        return inputs * keep.to(inputs.device, inputs.dtype).div_(1 - rate)

    def drop_steps(self, inputs: Tensor, rate: float) -> Tensor:
        """Zero whole steps of `(batch, time, features)` with probability `rate`; the rest stays as it is.

        What a token is must then be told from its neighbours (Sennrich and Zhang 2019, arXiv 1905.11901, "word
        dropout").
        """
        rate *= self.strength
        if rate == 0:
            return inputs
        return inputs * self._kept(rate, self.batch_size, inputs.shape[1], 1).to(inputs.device, inputs.dtype)

    def _kept(self, rate: float, *shape: int) -> Tensor:
        """This process's rows of a mask that is False with probability `rate`, to 16 bits: four to a draw."""
        count = math.prod(shape)
        draws = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None, generator=self.random)
        dropped = min(round(rate * 2**16), 2**16 - 1)
        return (draws.view(torch.int16)[:count].view(shape) >= dropped - 2**15)[self.rows]

    def shared(self, batch_size: int) -> DropoutGenerator:
        """The dropout generator of a batch of another size, of which this process has the same share of the rows."""
        begin = batch_size * self.rows.start // self.batch_size
        stop = batch_size * self.rows.stop // self.batch_size
        return replace(self, rows=slice(begin, stop), batch_size=batch_size)
