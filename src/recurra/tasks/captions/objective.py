"""Teacher-forced training of captions: one caption of each picture of a batch, drawn anew every time it comes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.arrays import IntArray
from recurra.config import required
from recurra.evaluation.language_model import Score
from recurra.evaluation.seq2seq import teacher_forced
from recurra.models.cells import State
from recurra.models.dropout import DropoutGenerator
from recurra.progress import Report, unreported
from recurra.tasks.captions.config import Config
from recurra.tasks.captions.data import Part
from recurra.training.label_smoothing import smoothed_cross_entropy

SCORED = 64
"""Pictures scored in one call, with all their captions; affects memory and speed only."""

MONITORED = 500
"""At most this many validation pictures are scored while training."""


@dataclass(frozen=True, eq=False)
class Captioning:
    """The trainer's objective for captions.

    Attributes:
        config: resolved.
        train: to learn from.
        validation: scored while training.
        start: the token every caption is begun with.
    """

    config: Config
    train: Part
    validation: Part
    start: int

    @property
    def batch_size(self) -> int:
        """Pictures of a whole batch."""
        return required(self.config.batch_size, "batch_size")

    def batch(self, step: int) -> tuple[IntArray, IntArray]:
        """The pictures of a step, `(batch_size,)`, and which of its captions of each.

        In each pass the pictures come in another order; those that do not fill a batch at its end are left out.
        """
        epoch, index = divmod(step, len(self.train) // self.batch_size)
        pictures = _order(self.config.seed, epoch, len(self.train))[index * self.batch_size :][: self.batch_size]
        chance = np.random.default_rng([self.config.seed, step, 1]).random(self.batch_size)
        counts = np.array([len(self.train.captions[picture]) for picture in pictures])
        return pictures, (chance * counts).astype(np.int64)

    def loss(
        self, model: nn.Module, step: int, state: State | None, generator: DropoutGenerator, device: torch.device
    ) -> tuple[Tensor, int, State | None]:
        """Summed -log p of the batch's captions, and what uneven attention costs; see `trainer.Objective`."""
        pictures, chosen = self.batch(step)
        captions = [self.train.captions[picture][which] for picture, which in zip(pictures, chosen, strict=True)]
        forced = teacher_forced(captions, self.start, device, generator.rows)
        given = torch.from_numpy(self.train.take(pictures[generator.rows])).to(device)
        each = torch.arange(len(given), device=device)
        logits, weights = model(given, each, forced.before, forced.mask, generator)
        loss = smoothed_cross_entropy(logits.float(), forced.right, self.config.label_smoothing)
        if self.config.doubly_stochastic and weights is not None:
            loss = loss + self.config.doubly_stochastic * unevenness(weights, forced.mask.to(device))
        return loss, len(forced.right), None

    def validation_loss(self, model: nn.Module, device: torch.device) -> float:
        """Mean nats a token on (the first of) the validation pictures."""
        return score_captions(model, self.validation, self.start, device, MONITORED).nats


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> IntArray:
    order: IntArray = np.random.default_rng([seed, epoch]).permutation(count)
    return order


def unevenness(weights: Tensor, mask: Tensor) -> Tensor:
    """The doubly stochastic term: sum of (1 - what a position got in all)^2 (Xu et al. 2015, equation 14).

    Args:
        weights: of attention, `(N, T, S)`.
        mask: `(N, T)`, True up to the end of each caption; what comes after it is not looked at.
    """
    got = (weights * mask[:, :, None]).sum(dim=1)  # (N, S)
    return ((1 - got) ** 2).sum()


def score_captions(
    model: nn.Module,
    part: Part,
    start: int,
    device: torch.device,
    most: int | None = None,
    report: Report = unreported,
) -> Score:
    """Score all captions of pictures; tokens and ends count.

    Args:
        model: the network.
        part: the pictures.
        start: the token every caption is begun with.
        device: where the model is.
        most: so many pictures, from the first.
        report: told of progress.
    """
    total, count = 0.0, 0
    pictures = range(len(part) if most is None else min(len(part), most))
    with torch.no_grad():
        for begin in range(0, len(pictures), SCORED):
            group = np.array(pictures[begin : begin + SCORED])
            captions = [caption for picture in group for caption in part.captions[picture]]
            which = np.repeat(np.arange(len(group)), [len(part.captions[picture]) for picture in group])
            forced = teacher_forced(captions, start, device)
            given = torch.from_numpy(part.take(group)).to(device)
            logits, _ = model(given, torch.from_numpy(which).to(device), forced.before, forced.mask)
            total += float(F.cross_entropy(logits.float(), forced.right, reduction="sum"))
            count += len(forced.right)
            report((begin + len(group)) / len(pictures))
    return Score(total, count)
