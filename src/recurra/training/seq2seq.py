"""Teacher-forced training of encoder-decoders: each token of a target is predicted from the right ones before it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from recurra.data.buckets import Buckets
from recurra.data.vocabulary import Sequences
from recurra.evaluation.seq2seq import predict, score_pairs
from recurra.models.cells import State
from recurra.models.dropout import DropoutGenerator
from recurra.training.label_smoothing import smoothed_cross_entropy

MONITOR_PAIRS = 2000
"""At most this many validation pairs are scored while training."""


@dataclass(frozen=True)
class TeacherForced:
    """The trainer's objective for an encoder-decoder.

    Attributes:
        train: to learn from.
        validation: scored while training.
        start: the token every target is begun with.
        buckets: which pairs come when.
        label_smoothing: share of the target probability spread over all tokens.
        dropout_passes: over the pairs, in which dropout rises to its full rates.
    """

    train: Sequences
    validation_pairs: Sequences
    start: int
    buckets: Buckets
    label_smoothing: float
    dropout_passes: float

    @property
    def batch_size(self) -> int:
        """Tokens of a whole batch."""
        return self.buckets.size

    def loss(
        self, model: nn.Module, step: int, state: State | None, generator: DropoutGenerator, device: torch.device
    ) -> tuple[Tensor, int, State | None]:
        """Summed smoothed -log p of the batch's target tokens; see `trainer.Objective`."""
        pairs = self.buckets.batch(step)
        generator = self.dropout_of(generator, step, len(pairs))
        logits, right = predict(model, self.train, pairs, self.start, device, generator)
        loss = smoothed_cross_entropy(logits.float(), right, self.label_smoothing)
        return loss, len(right), None

    def dropout_of(self, generator: DropoutGenerator, step: int, pairs: int) -> DropoutGenerator:
        """The dropout generator of a step's batch of `pairs`; dropout's rates rise along the first passes (arXiv
        1703.06229).
        """
        rising = self.dropout_passes * self.buckets.steps_per_epoch
        strength = 1.0 if step >= rising else step / rising
        return replace(generator.shared(pairs), strength=strength, each_time=True)

    def validation_loss(self, model: nn.Module, device: torch.device) -> float:
        """Mean nats a token on (the first of) the validation pairs."""
        pairs = Sequences(*(side[:MONITOR_PAIRS] for side in self.validation_pairs))
        return score_pairs(model, pairs, self.start, device).nats
