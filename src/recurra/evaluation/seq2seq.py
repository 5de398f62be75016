"""How well an encoder-decoder predicts targets, each token from the right ones before it (teacher forcing)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.arrays import IntArray
from recurra.data.buckets import Buckets, pad
from recurra.data.tokenizer import Tokens
from recurra.data.vocabulary import Sequences
from recurra.evaluation.language_model import Score
from recurra.models.dropout import DropoutGenerator
from recurra.progress import Report, unreported

SCORING_SIZE = 2048
"""Tokens scored in one call; affects memory and speed only."""


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
    total, count = 0.0, 0
    for _, log_probs in _scored((model, *others), pairs, start, device, report):
        total -= float(log_probs.sum())
        count += len(log_probs)
    return Score(total, count)


class TargetScore(NamedTuple):
    """How probable a target is given its source.

    Attributes:
        log_prob: of all its tokens and its end, nats.
        tokens: how many these are.
    """

    log_prob: float
    tokens: int


def score_each_pair(
    model: nn.Module,
    pairs: Sequences,
    start: int,
    device: torch.device,
    others: Iterable[nn.Module] = (),
    report: Report = unreported,
) -> list[TargetScore]:
    """As `score_pairs`, but for each pair, in their order."""
    scores: dict[int, TargetScore] = {}
    for batch, log_probs in _scored((model, *others), pairs, start, device, report):
        lengths = [len(pairs.targets[number]) for number in batch]
        sums = np.add.reduceat(log_probs.double().cpu().numpy(), np.cumsum([0, *lengths[:-1]]))
        for number, total, length in zip(batch.tolist(), sums.tolist(), lengths, strict=True):
            scores[number] = TargetScore(total, length)
    return [scores[number] for number in range(len(pairs.targets))]


def _scored(
    models: Sequence[nn.Module], pairs: Sequences, start: int, device: torch.device, report: Report
) -> Iterator[tuple[IntArray, Tensor]]:
    """The pairs of each batch, and the log-probabilities of their tokens, pair by pair, `(tokens,)`."""
    count, tokens = 0, sum(map(len, pairs.targets))
    for batch in _batches(pairs):
        with torch.no_grad():
            each = []
            for member in models:
                logits, right = predict(member, pairs, batch, start, device, None)
                each.append(F.cross_entropy(logits.float(), right, reduction="none").neg())
            together = torch.stack(each).logsumexp(dim=0) - math.log(len(models))
        yield batch, together
        count += len(together)
        report(count / tokens)


def _batches(pairs: Sequences) -> Iterator[IntArray]:
    buckets = Buckets(pairs.lengths(), SCORING_SIZE)
    for step in range(buckets.steps_per_epoch):
        yield buckets.batch(step)


def predict(
    model: nn.Module,
    pairs: Sequences,
    batch: IntArray,
    start: int,
    device: torch.device,
    generator: DropoutGenerator | None,
) -> tuple[Tensor, Tensor]:
    """Logits of a batch's target tokens, without padding, `(tokens, target_size)`, and which are right.

    Of a batch with generator only the rows of this process are predicted, padded like the whole batch.
    """
    rows = generator.rows if generator else slice(None)
    sources = pad([pairs.sources[number] for number in batch])
    tokens, mask = torch.from_numpy(sources.tokens[rows]).to(device), torch.from_numpy(sources.mask[rows])
    targets = teacher_forced([pairs.targets[number] for number in batch], start, device, rows)
    return model(tokens, mask, targets.before, targets.mask, generator), targets.right


class ForcedTargets(NamedTuple):
    """Targets as a decoder is told them.

    Attributes:
        before: the token before each, `(rows, longest)`.
        mask: `(rows, longest)`, True for what is to be predicted; on the CPU, so that no GPU is waited for.
        right: what that is, row by row, `(predictions,)`.
    """

    before: Tensor
    mask: Tensor
    right: Tensor


def teacher_forced(
    targets: Sequence[Tokens], start: int, device: torch.device, rows: slice = slice(None)
) -> ForcedTargets:
    """Targets, each with its end, as a decoder is told them; some rows, padded like the whole batch."""
    padded = pad(targets)
    before = np.pad(padded.tokens[:, :-1], ((0, 0), (1, 0)), constant_values=start)
    right = padded.tokens[rows][padded.mask[rows]]
    told, wanted = (torch.from_numpy(array).to(device) for array in (before[rows], right))
    return ForcedTargets(told, torch.from_numpy(padded.mask[rows]), wanted)
