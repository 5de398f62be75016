"""How models are trained: the options of every run. Nothing here imports the trainer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, TypeVar

from recurra.config import Options, Range, required
from recurra.devices import DeviceName

DEFAULT_MINUTES = 10.0
"""How long a run may take that was given neither minutes nor steps."""


@dataclass(frozen=True)
class Training(Options):
    """How any model is trained; what is not given is chosen by the preset and the size of the data."""

    group: ClassVar[str] = "training"
    may_be_none: ClassVar[frozenset[str]] = frozenset(("minutes", "steps"))

    minutes: Annotated[float | None, Range(1e-6, 1e7)] = None
    """Train for at most this long; ten minutes if neither this nor --steps is given."""
    steps: Annotated[int | None, Range(1, 10**12)] = None
    """Train for exactly this many steps, whatever the clock says."""
    learning_rate: Annotated[float | None, Range(1e-12, 10.0)] = None
    """Peak learning rate of AdamW; it rises over the warmup, then falls along a cosine."""
    warmup: Annotated[float, Range(0.0, 1.0)] = 0.03
    """Share of the run in which the learning rate rises."""
    weight_decay: Annotated[float | None, Range(0.0, 10.0)] = None
    """Weight decay of AdamW, on all weights."""
    clip_norm: Annotated[float, Range(1e-6, 1e6)] = 0.5
    """Largest norm of the gradient; larger ones are scaled down to it."""
    evaluations: Annotated[int, Range(1, 100_000)] = 20
    """Evaluations on the validation part in a run of full length."""
    average: Annotated[float, Range(0.0, 1.0)] = 0.0
    """Share of the run, at its end, whose evaluated weights are averaged."""
    patience: Annotated[int, Range(0, 100_000)] = 5
    """Stop after this many evaluations without a better validation loss; 0 for never."""
    checkpoint_seconds: Annotated[float, Range(0.0, 1e6)] = 30.0
    """Seconds between checkpoints: how much a kill can lose."""
    seed: Annotated[int, Range(0, 2**63)] = 1
    """Seed of everything random: first weights, batches, dropout."""
    device: DeviceName = "auto"
    """Where to compute; auto takes a GPU if there is one."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Number format of matrix products in training; bfloat16 is faster on GPUs."""
    tensorboard: bool = False
    """Write event files for TensorBoard too, into the model folder."""

    def progress(self, step: int, seconds: float) -> float:
        """The share of the run that is done: of the steps, of the time, or of what is further along."""
        minutes = DEFAULT_MINUTES if self.minutes is None and self.steps is None else self.minutes
        by_steps = step / self.steps if self.steps else 0.0
        by_time = seconds / (60 * minutes) if minutes else 0.0
        return max(by_steps, by_time)

    def learning_rate_at(self, progress: float) -> float:
        """Linear warmup, then half a cosine down to nothing (Loshchilov and Hutter 2017, arXiv 1608.03983)."""
        peak = required(self.learning_rate, "learning_rate")
        if progress < self.warmup:
            return peak * max(progress / self.warmup, 0.01)
        falling = min((progress - self.warmup) / max(1 - self.warmup, 1e-9), 1.0)
        return peak * 0.5 * (1 + math.cos(math.pi * falling))


TrainingConfig = TypeVar("TrainingConfig", bound=Training)


def limited(config: TrainingConfig, enough: int) -> TrainingConfig:
    """An end to a run that was given no number of steps: by the clock, or when `enough` are done."""
    if config.steps is not None:
        return config
    return replace(config, minutes=config.minutes or DEFAULT_MINUTES, steps=enough)


@dataclass(frozen=True)
class StreamTraining(Training):
    """How a language model is trained: on long streams of tokens, a sequence at a time."""

    group: ClassVar[str] = "training"

    batch_size: Annotated[int | None, Range(1, 65536)] = None
    """Sequences side by side in a batch, all processes together."""
    sequence_length: Annotated[int | None, Range(1, 65536)] = None
    """Time steps in a batch: how far back gradients go; the state is carried further."""


StreamConfig = TypeVar("StreamConfig", bound=StreamTraining)


def fit_streams(config: StreamConfig, length: int, max_epochs: int) -> StreamConfig:
    """Batches that a sequence of `length` tokens has room for, and an end to the run.

    Args:
        config: resolved but for that.
        length: tokens to train on.
        max_epochs: passes over them, at most, if no number of steps is given.
    """
    steps = required(config.sequence_length, "sequence_length")
    if length <= 2 * steps:
        steps = max(1, length // 4)
    rows = max(1, min(required(config.batch_size, "batch_size"), (length - 1) // (4 * steps)))
    config = replace(config, sequence_length=steps, batch_size=rows)
    return limited(config, math.ceil(max_epochs * length / (rows * steps)))


@dataclass(frozen=True)
class PairTraining(Training):
    """How an encoder-decoder is trained: on batches of sequence pairs of similar lengths.

    The average of weights is by Izmailov et al. 2018, label smoothing by Szegedy et al. 2016, the rising dropout by
    Morerio et al. 2017.
    """

    group: ClassVar[str] = "training"

    batch_size: Annotated[int | None, Range(1, 2**24)] = None
    """Tokens in a batch, of the longer side and padding included, all processes together."""
    clip_norm: Annotated[float, Range(1e-6, 1e6)] = 1.0
    """Largest norm of the gradient; larger ones are scaled down to it."""
    average: Annotated[float, Range(0.0, 1.0)] = 0.2
    """Share of the run, at its end, whose evaluated weights are averaged."""
    label_smoothing: Annotated[float | None, Range(0.0, 0.9)] = None
    """Share of the target probability that is spread evenly over all tokens."""
    dropout_passes: Annotated[float, Range(0.0, 1e6)] = 10.0
    """Passes over the pairs in which dropout rises to its full rates."""
