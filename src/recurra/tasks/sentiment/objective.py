"""What training a classifier minimises: -log p of the right class, each class with its weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.arrays import FloatArray, IntArray
from recurra.data.buckets import Buckets
from recurra.evaluation.classification import fit_temperature, softmax
from recurra.models.cells import State
from recurra.models.dropout import DropoutGenerator
from recurra.tasks.sentiment.data import Labelled
from recurra.tasks.sentiment.networks import make_batch, score_texts

MONITOR_TEXTS = 5000
"""At most so many validation texts are scored while training."""


@dataclass(frozen=True)
class Classification:
    """The trainer's objective for a classifier.

    Attributes:
        train: to learn from.
        validation: scored while training.
        buckets: which texts come when.
        weights: of each class, `(classes,)`; 1 on average over the texts.
        max_length: words that are read of a text.
    """

    train: Labelled
    validation: Labelled
    buckets: Buckets
    weights: FloatArray
    max_length: int

    @property
    def batch_size(self) -> int:
        """Words of a whole batch."""
        return self.buckets.size

    def loss(
        self, model: nn.Module, step: int, state: State | None, generator: DropoutGenerator, device: torch.device
    ) -> tuple[Tensor, int, State | None]:
        """Summed weighted -log p of the right classes of this process's texts; see `trainer.Objective`."""
        chosen = self.buckets.batch(step)
        rows = generator.shared(len(chosen))
        mine = chosen[rows.rows]
        width = min(max(len(self.train.texts[number].tokens) for number in chosen), self.max_length)
        # A process that has no text of the batch takes part with one that does not count.
        read = mine if len(mine) else chosen[:1]
        batch = make_batch([self.train.texts[number] for number in read], self.max_length, width)
        logits = model(batch.to(device), rows if len(mine) else None)
        parts = logits.shape[0] if logits.dim() == 3 else 1  # of a mix each part learns for itself
        labels = torch.from_numpy(self.train.labels[read]).to(device).repeat(parts)
        weights = torch.from_numpy(self.weights).to(device)
        loss = F.cross_entropy(logits.float().flatten(0, -2), labels, weights, reduction="sum") / parts
        return loss * float(len(mine) > 0), len(mine), None

    def validation_loss(self, model: nn.Module, device: torch.device) -> float:
        """Mean nats on (some of) the validation texts, at the temperature that fits them best.

        A network that has become too sure of itself is not worse for it: the temperature of the model is fitted at the
        end anyway.
        """
        stride = -(-len(self.validation.texts) // MONITOR_TEXTS)
        labels = self.validation.labels[::stride]
        logits = score_texts(model, self.validation.texts[::stride], device, self.max_length)
        return calibrated_nats(logits, labels, self.weights)


def calibrated_nats(logits: FloatArray, labels: IntArray, weights: FloatArray) -> float:
    """Mean weighted -log p of the right classes `(N,)` by logits `(N, C)` at their best temperature, nats."""
    if not np.isfinite(logits).all():
        return np.inf
    probabilities = softmax(logits / fit_temperature(logits, labels))
    right = np.maximum(probabilities[np.arange(len(labels)), labels], np.finfo(np.float64).tiny)
    return float(-(weights[labels] * np.log(right)).mean())


def class_weights(labels: IntArray, classes: int, balanced: bool) -> FloatArray:
    """Weights with which each class counts as much as any other, `(classes,)`, or all ones; a class without texts
    has 1.
    """
    counts = np.bincount(labels, minlength=classes)
    if not balanced:
        return np.ones(classes, np.float32)
    weights = np.where(counts > 0, len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1)), 1.0)
    return weights.astype(np.float32)
