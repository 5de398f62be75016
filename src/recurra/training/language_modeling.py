"""Next-token training and scoring of language models: the targets are the inputs, shifted by one."""

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.config import AUTO, check_range
from recurra.data.streams import Streams
from recurra.data.tokenizer import Tokens
from recurra.models.cells import State
from recurra.models.dropout import DropoutGenerator
from recurra.models.language_model import Architecture, LanguageModel
from recurra.progress import Report, unreported
from recurra.training.trainer import Training

SCORING_CHUNK = 512
"""Tokens scored in one call; affects memory and speed only."""

MONITOR_STREAMS = 32
"""Pieces scored side by side while training; a final figure reads the text in one piece."""

MONITOR_TOKENS = 200_000
"""At most this many validation tokens are scored while training."""


@dataclass(frozen=True)
class StreamTraining(Training):
    """How a language model is trained: on long streams of tokens, a sequence at a time."""

    batch_size: int = AUTO
    """Sequences side by side in a batch, all processes together."""
    sequence_length: int = AUTO
    """Time steps in a batch: how far back the gradient reaches; the state is carried further."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("batch_size", self.batch_size, 1, 65536)
        check_range("sequence_length", self.sequence_length, 1, 65536)


def described(architecture: Architecture, training: StreamTraining) -> str:
    """A few words on a network and its batches."""
    return (
        f"{architecture.cell}, {architecture.num_layers} x {architecture.hidden_size} units; "
        f"{training.batch_size} x {training.sequence_length} tokens a step"
    )


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


@dataclass(frozen=True)
class NextToken:
    """The trainer's objective for a language model.

    Attributes:
        streams: the training data.
        validation_tokens: `(length,)`, scored while training.
    """

    streams: Streams
    validation_tokens: Tokens

    @property
    def batch_size(self) -> int:
        """Rows of a whole batch."""
        return self.streams.batch_size

    def loss(
        self, model: nn.Module, step: int, state: State | None, generator: DropoutGenerator, device: torch.device
    ) -> tuple[Tensor, int, State | None]:
        """Summed -log p of the batch's targets; see `trainer.Objective`."""
        batch = self.streams.batch(step, generator.rows)
        if state is not None:
            carried = torch.from_numpy(batch.carried).to(device)[None, :, None]
            state = tuple(part * carried for part in state)
        logits, state = model(torch.from_numpy(batch.inputs).to(device), state, generator)
        flat = torch.from_numpy(batch.targets).to(device).reshape(-1)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), flat, reduction="sum")
        return loss, len(flat), state

    def validation_loss(self, model: nn.Module, device: torch.device) -> float:
        """Mean nats on (the first part of) the validation tokens, read as streams side by side."""
        assert isinstance(model, LanguageModel)
        tokens = self.validation_tokens[:MONITOR_TOKENS]
        return score(model, tokens, device, streams=max(1, min(MONITOR_STREAMS, len(tokens) // SCORING_CHUNK))).nats


def score(
    model: LanguageModel, tokens: Tokens, device: torch.device, streams: int = 1, report: Report = unreported
) -> Score:
    """Score a sequence.

    Args:
        model: the language model.
        tokens: `(length,)`.
        device: where the model is.
        streams: read it as this many pieces side by side, each from an empty state: faster, and a little pessimistic.
        report: told of progress.
    """
    total, count = 0.0, 0
    with torch.no_grad():
        state: State | None = None
        for inputs, targets in _chunks(tokens, streams, SCORING_CHUNK, device):
            logits, state = model(inputs, state)
            total += float(F.cross_entropy(logits.flatten(0, 1).float(), targets.reshape(-1), reduction="sum"))
            count += targets.numel()
            report(count / len(tokens))
    return Score(total, count)


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
    itself rather than from the training data, which a model folder does not have.
    """
    how = how or Dynamic()
    copy = deepcopy(model)
    weights = list(copy.parameters())
    anchors = [weight.detach().clone() for weight in weights]
    squares = [torch.zeros_like(weight) for weight in weights]
    total, count = 0.0, 0
    state: State | None = None
    for number, (inputs, targets) in enumerate(_chunks(tokens, 1, how.segment, device), 1):
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
    return Score(total, count)


def log_probs(model: LanguageModel, tokens: Tokens, device: torch.device) -> Tensor:
    """Log p of every token but the first given all before it, `(length - 1,)`, nats."""
    parts = [torch.zeros(0)]
    with torch.no_grad():
        state: State | None = None
        for inputs, targets in _chunks(tokens, 1, SCORING_CHUNK, device):
            logits, state = model(inputs, state)
            parts.append(-F.cross_entropy(logits[0].float(), targets[0], reduction="none").cpu())
    return torch.cat(parts)


def _chunks(tokens: Tokens, streams: int, chunk: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets `(streams, time)`, chunk by chunk; a remainder that does not fill all streams is left out."""
    length = (len(tokens) - 1) // streams
    for begin in range(0, length, chunk):
        size = min(chunk, length - begin)
        rows = [tokens[row * length + begin : row * length + begin + size + 1] for row in range(streams)]
        both = torch.stack([torch.from_numpy(row.astype("int64")) for row in rows]).to(device)
        yield both[:, :-1], both[:, 1:]
