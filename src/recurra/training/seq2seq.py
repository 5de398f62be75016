"""Training and scoring of encoder-decoders: each token of a target is predicted from the right ones before it."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.config import AUTO, check_range
from recurra.data.buckets import Buckets, pad
from recurra.data.vocabulary import Sequences
from recurra.models.cells import State
from recurra.models.dropout import DropoutGenerator
from recurra.progress import Report, unreported
from recurra.training.label_smoothing import smoothed_cross_entropy
from recurra.training.language_modeling import Score
from recurra.training.trainer import Training

SCORING_SIZE = 2048
"""Tokens scored in one call; affects memory and speed only."""

MONITOR_PAIRS = 2000
"""At most this many validation pairs are scored while training."""


@dataclass(frozen=True)
class PairTraining(Training):
    """How an encoder-decoder is trained: on batches of sequence pairs of similar lengths."""

    batch_size: int = AUTO
    """Tokens in a batch, of the longer side and padding included, all processes together."""
    clip_norm: float = 1.0
    """Largest norm of a gradient."""
    average: float = 0.2
    """Share of the run, at its end, over whose evaluations weights are averaged (Izmailov et al. 2018); the average is
    kept if its validation loss is the lowest."""
    label_smoothing: float = AUTO
    """Share of the target probability that is spread evenly over all tokens (Szegedy et al. 2016)."""
    dropout_passes: float = 10.0
    """Passes over the pairs in which dropout rises to its full rates: what is new is not yet learned by heart (Morerio
    et al. 2017)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("batch_size", self.batch_size, 1, 2**24)
        check_range("label_smoothing", self.label_smoothing, 0.0, 0.9)
        check_range("dropout_passes", self.dropout_passes, 0.0, 1e6)


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
        logits, right = _predict(model, self.train, pairs, self.start, device, generator)
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


def score_pairs(
    model: nn.Module,
    pairs: Sequences,
    start: int,
    device: torch.device,
    others: Iterable[nn.Module] = (),
    report: Report = unreported,
) -> Score:
    """Score targets given their sources; tokens and ends count.

    Args:
        model: the encoder-decoder.
        pairs: as tokens.
        start: the token every target is begun with.
        device: where the models are.
        others: models that predict together with this one, by the mean of their probabilities.
        report: told of progress.
    """
    models = (model, *others)
    total, count, tokens = 0.0, 0, sum(map(len, pairs.targets))
    with torch.no_grad():
        for batch in _batches(pairs):
            each = []
            for member in models:
                logits, right = _predict(member, pairs, batch, start, device, None)
                each.append(F.cross_entropy(logits.float(), right, reduction="none").neg())
            together = torch.stack(each).logsumexp(dim=0) - math.log(len(models))
            total -= float(together.sum())
            count += len(together)
            report(count / tokens)
    return Score(total, count)


def _batches(pairs: Sequences) -> Iterator[NDArray[np.int64]]:
    buckets = Buckets(pairs.lengths(), SCORING_SIZE)
    for step in range(buckets.steps_per_epoch):
        yield buckets.batch(step)


def _predict(
    model: nn.Module,
    pairs: Sequences,
    batch: NDArray[np.int64],
    start: int,
    device: torch.device,
    generator: DropoutGenerator | None,
) -> tuple[Tensor, Tensor]:
    """Logits of a batch's target tokens, without padding, `(tokens, target_size)`, and which are right.

    Of a batch with generator only the rows of this process are predicted, padded like the whole batch.
    """
    rows = generator.rows if generator else slice(None)
    sources = pad([pairs.sources[number] for number in batch])
    targets = pad([pairs.targets[number] for number in batch])
    before = np.pad(targets.tokens[:, :-1], ((0, 0), (1, 0)), constant_values=start)
    arrays = (sources.tokens, sources.mask, before, targets.mask)
    logits = model(*(torch.from_numpy(array[rows]).to(device) for array in arrays), generator)
    return logits, torch.from_numpy(targets.tokens[rows][targets.mask[rows]]).to(device)
