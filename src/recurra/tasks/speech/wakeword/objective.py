"""What a detector learns: at each step of a stream, whether the word has just ended."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.arrays import FloatArray, IntArray
from recurra.models.cells import State
from recurra.models.dropout import DropoutGenerator
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.data import log_mel, steps_of
from recurra.tasks.speech.features import Normalization, normalized, stacked
from recurra.tasks.speech.networks import Heard, heard
from recurra.tasks.speech.objective import masked
from recurra.tasks.speech.wakeword.detection import WORD, samples_in_step, with_floor
from recurra.tasks.speech.wakeword.streams import Mixer, Stream

MARKED_SECONDS = 0.24
"""The word has just ended for so long after its measured end."""

UNSURE_SECONDS = 0.12
"""What the network says so shortly before and after that does not count: the end is measured by energy only."""

VALIDATION_STREAMS, VALIDATION_SEED = 32, 0
"""Streams that the loss is measured on while training, and what they are drawn by."""


class Marked(NamedTuple):
    """A batch of streams: what is heard, what each step is `(B, S)`, and how much it counts, `(B, S)`."""

    heard: Heard
    targets: Tensor
    weights: Tensor


def marks(steps: int, ends: list[int], config: Config) -> tuple[IntArray, FloatArray]:
    """What each step of a stream is, and how much it counts, `(steps,)` each.

    A step is `WORD` if it begins within `MARKED_SECONDS` after a word's end; what is `UNSURE_SECONDS` around these
    steps does not count.
    """
    begins = np.arange(steps) * samples_in_step(config)
    targets, weights = np.zeros(steps, np.int64), np.ones(steps, np.float32)
    marked, unsure = (round(seconds * config.features.rate) for seconds in (MARKED_SECONDS, UNSURE_SECONDS))
    for end in ends:
        targets[(begins >= end) & (begins < end + marked)] = WORD
        weights[(begins >= end - unsure) & (begins < end + marked + unsure)] = 0
    weights[targets == WORD] = 1
    return targets, weights


@dataclass(frozen=True)
class Detecting:
    """The trainer's objective for a detector.

    Attributes:
        config: resolved.
        train: streams to learn from.
        validation: streams to score while training.
        normalization: of the features.
        batch_size: streams in a whole batch.
    """

    config: Config
    train: Mixer
    validation: Mixer
    normalization: Normalization
    batch_size: int

    def loss(
        self, model: nn.Module, step: int, state: State | None, generator: DropoutGenerator, device: torch.device
    ) -> tuple[Tensor, int, State | None]:
        """Summed -log p of what the steps of the batch are; see `trainer.Objective`."""
        streams, steps = [], []
        for row in range(generator.rows.start, generator.rows.stop):
            random = np.random.default_rng([self.config.seed, step, row])
            streams.append(self.train.draw(random))
            frames = log_mel(with_floor(streams[-1].samples, 0), self.config)
            frames = normalized(frames, self.config.features, self.normalization)
            steps.append(stacked(masked(frames, self.config, random), self.config.features.stack))
        batch = self._marked(streams, steps)
        return _loss(model, batch, device, generator), int(batch.weights.sum()), None

    def _marked(self, streams: list[Stream], steps: list[FloatArray]) -> Marked:
        found = [marks(len(each), stream.ends, self.config) for each, stream in zip(steps, streams, strict=True)]
        targets, weights = (torch.from_numpy(np.stack(arrays)) for arrays in zip(*found, strict=True))
        return Marked(heard(steps), targets, weights)

    @cached_property
    def _scored(self) -> Marked:
        """The validation streams."""
        randoms = [np.random.default_rng([VALIDATION_SEED, number]) for number in range(VALIDATION_STREAMS)]
        streams = [self.validation.draw(random) for random in randoms]
        steps = [steps_of(with_floor(stream.samples, 0), self.config, self.normalization) for stream in streams]
        return self._marked(streams, steps)

    def validation_loss(self, model: nn.Module, device: torch.device) -> float:
        """Mean nats a step of the validation streams."""
        with torch.inference_mode():
            return float(_loss(model, self._scored, device, None)) / float(self._scored.weights.sum())

    def guessing(self) -> float:
        """Nats a step of knowing only how many steps of the validation streams are marked."""
        share = float((self._scored.targets == WORD).sum() / self._scored.weights.sum())
        return float(-sum(p * np.log(p) for p in (share, 1 - share) if p))


def _loss(model: nn.Module, batch: Marked, device: torch.device, generator: DropoutGenerator | None) -> Tensor:
    log_probs = model(batch.heard.to(device), generator)  # (B, S, 2)
    losses = F.nll_loss(log_probs.transpose(1, 2), batch.targets.to(device), reduction="none")
    return (losses * batch.weights.to(device)).sum()
