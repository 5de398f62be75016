"""How well a language model predicts a sequence: its score, also while it learns from what it reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.arrays import DoubleArray
from recurra.data.tokenizer import Tokens
from recurra.errors import NOT_NUMBERS, RecurraError
from recurra.models.cells import State
from recurra.models.language_model import LanguageModel
from recurra.progress import Report, unreported

SCORING_LENGTH = 512
"""Tokens scored in one call; affects memory and speed only."""


@dataclass(frozen=True)
class Score:
    """How well a model predicts a sequence.

    Attributes:
        total: summed -log p, nats.
        count: number of predictions; the first token is given, not predicted.
    """

    total: float
    count: int

    @property
    def nats(self) -> float:
        """Mean -log p of a token, nats."""
        return self.total / max(self.count, 1)

    @property
    def bits(self) -> float:
        """Mean -log2 p of a token, bits."""
        return self.nats / math.log(2)

    @property
    def perplexity(self) -> float:
        """Exponential of `nats`; infinite beyond what a float can hold."""
        return math.exp(self.nats) if self.nats < 700 else math.inf


def score_tokens(
    model: LanguageModel, tokens: Tokens, device: torch.device, streams: int = 1, report: Report = unreported
) -> Score:
    """Score a sequence.

    Args:
        model: the language model.
        tokens: `(length,)`.
        device: where the model is.
        streams: read it as this many pieces side by side, each from an empty state: faster, and a little pessimistic.
        report: told of progress.

    Raises:
        RecurraError: if the model's probabilities are not numbers.
    """
    return _checked(sum_tokens(model, tokens, device, streams, report))


def score_each_token(
    model: LanguageModel, tokens: Tokens, device: torch.device, report: Report = unreported
) -> DoubleArray:
    """The log-probability of every token but the first, given all before it, nats, `(length - 1,)`.

    Raises:
        RecurraError: if the model's probabilities are not numbers.
    """
    found: list[DoubleArray] = []
    state: State | None = None
    with torch.no_grad():
        for inputs, targets in _windows(tokens, 1, SCORING_LENGTH, device):
            logits, state = model(inputs, state)
            losses = F.cross_entropy(logits.flatten(0, 1).float(), targets.reshape(-1), reduction="none")
            found.append(-losses.double().cpu().numpy())
            report(sum(map(len, found)) / (len(tokens) - 1))
    log_probs: DoubleArray = np.concatenate(found)
    if not np.isfinite(log_probs).all():
        raise RecurraError(NOT_NUMBERS)
    return log_probs


def sum_tokens(
    model: LanguageModel, tokens: Tokens, device: torch.device, streams: int = 1, report: Report = unreported
) -> Score:
    """As `score_tokens`, whatever comes of it: a run whose weights go astray is told by its loss."""
    total, count = 0.0, 0
    with torch.no_grad():
        state: State | None = None
        for inputs, targets in _windows(tokens, streams, SCORING_LENGTH, device):
            logits, state = model(inputs, state)
            total += float(F.cross_entropy(logits.flatten(0, 1).float(), targets.reshape(-1), reduction="sum"))
            count += targets.numel()
            report(count / len(tokens))
    return Score(total, count)


def _checked(score: Score) -> Score:
    if not math.isfinite(score.total):
        raise RecurraError(NOT_NUMBERS)
    return score


@dataclass(frozen=True)
class Dynamic:
    """How a model learns from the text that it is scored on.

    Attributes:
        segment: tokens between updates.
        learning_rate: of a step along the gradient over its root mean square.
        decay: share of the way back to the trained weights that each update goes.
        memory: share of the old in the running mean square of the gradient.

    The values were chosen on the end of a training text, by a model that had not seen it.
    """

    segment: int = 20
    learning_rate: float = 5e-4
    decay: float = 1e-3
    memory: float = 0.999


def score_dynamic(
    model: LanguageModel,
    tokens: Tokens,
    device: torch.device,
    how: Dynamic | None = None,
    report: Report = unreported,
) -> Score:
    """Score a sequence while a copy of the model learns from it, each segment only after it has been scored.

    Dynamic evaluation (Krause et al. 2018, arXiv 1709.07432) with the mean square of the gradients taken from the text
    itself rather than from the training data, which a model folder does not have. Tables of n-grams stay as they are.
    """
    how = how or Dynamic()
    copy = deepcopy(model).to(device)  # moved, so that a GPU finds the copied weights in one piece
    if copy.ngram_embedding:
        copy.ngram_embedding.table.requires_grad_(False)
    weights = [weight for weight in copy.parameters() if weight.requires_grad]
    anchors = [weight.detach().clone() for weight in weights]
    squares = [torch.zeros_like(weight) for weight in weights]
    total, count = 0.0, 0
    state: State | None = None
    for number, (inputs, targets) in enumerate(_windows(tokens, 1, how.segment, device), 1):
        logits, state = copy(inputs, state)
        state = tuple(part.detach() for part in state)
        loss = F.cross_entropy(logits[0].float(), targets[0], reduction="sum")
        total += float(loss.detach())
        count += targets.numel()
        gradients = torch.autograd.grad(loss / targets.numel(), weights)
        bias = 1 - how.memory**number
        with torch.no_grad():
            for weight, anchor, square, gradient in zip(weights, anchors, squares, gradients, strict=True):
                square.mul_(how.memory).addcmul_(gradient, gradient, value=1 - how.memory)
                weight.addcdiv_(gradient, (square / bias).sqrt_().add_(1e-5), value=-how.learning_rate)
                weight.lerp_(anchor, how.decay)
        report(count / len(tokens))
    return _checked(Score(total, count))


def log_probs(model: LanguageModel, tokens: Tokens, device: torch.device) -> Tensor:
    """Log p of every token but the first given all before it, `(length - 1,)`, nats."""
    parts = [torch.zeros(0)]
    with torch.no_grad():
        state: State | None = None
        for inputs, targets in _windows(tokens, 1, SCORING_LENGTH, device):
            logits, state = model(inputs, state)
            parts.append(-F.cross_entropy(logits[0].float(), targets[0], reduction="none").cpu())
    found = torch.cat(parts)
    if not bool(torch.isfinite(found).all()):
        raise RecurraError(NOT_NUMBERS)
    return found


def _windows(tokens: Tokens, streams: int, size: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets `(streams, time)`, one after another; what does not fill all streams is left out."""
    length = (len(tokens) - 1) // streams
    for begin in range(0, length, size):
        end = min(begin + size, length)
        rows = [tokens[row * length + begin : row * length + end + 1] for row in range(streams)]
        both = torch.stack([torch.from_numpy(row.astype("int64")) for row in rows]).to(device)
        yield both[:, :-1], both[:, 1:]
