"""The processes of a run: this one alone, or those that `torchrun` and its like have started."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from recurra.devices import device_named
from recurra.training.options import Training


class Workers(Protocol):
    """What the trainer needs of the processes that train together.

    Attributes:
        device: of this process.
        num_processes: how many there are.
        process_index: which this is, from 0.
    """

    device: torch.device
    num_processes: int
    process_index: int

    def autocast(self) -> AbstractContextManager[Any]:
        """A context in which products have the precision of the run."""

    def prepare(self, model: nn.Module) -> nn.Module:
        """The model as it is run in training."""

    def backward(self, loss: Tensor) -> None:
        """Add to the gradients, averaged over the processes."""

    def reduce(self, values: Tensor) -> Tensor:
        """The sum over all processes."""

    def gather(self, rows: Tensor) -> Tensor:
        """The rows of all processes, one after another."""

    def wait_for_everyone(self) -> None:
        """Go on when all processes are here."""


class Alone:
    """One process, without any process-wide state.

    Args:
        device: where to compute.
        precision: see `Training`.
    """

    num_processes = 1
    process_index = 0

    def __init__(self, device: torch.device, precision: str) -> None:
        self.device = device
        self._half = precision == "bfloat16"

    def autocast(self) -> AbstractContextManager[Any]:
        """See `Workers`."""
        return torch.autocast(self.device.type, torch.bfloat16) if self._half else nullcontext()

    def prepare(self, model: nn.Module) -> nn.Module:
        """See `Workers`."""
        return model

    def backward(self, loss: Tensor) -> None:
        """See `Workers`."""
        loss.backward()  # type: ignore[no-untyped-call]

    def reduce(self, values: Tensor) -> Tensor:
        """See `Workers`."""
        return values

    def gather(self, rows: Tensor) -> Tensor:
        """See `Workers`."""
        return rows

    def wait_for_everyone(self) -> None:
        """See `Workers`."""


def make_workers(training: Training) -> Workers:
    """The processes of this run.

    Raises:
        OptionError: if the device that is asked for is not there.
    """
    device = device_named(training.device)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Alone(device, training.precision)
    from accelerate import Accelerator

    mixed = "bf16" if training.precision == "bfloat16" else "no"
    together: Workers = Accelerator(cpu=device.type == "cpu", mixed_precision=mixed)
    return together
