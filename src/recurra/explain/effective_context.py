"""How much context a model makes use of: gradients through time, and the loss with the context cut short.

Gates exist because a plain cell's gradient vanishes (Hochreiter 1991; Bengio et al. 1994; Pascanu et al. 2013, arXiv
1211.5063); how much context a model makes use of is measured as by Khandelwal et al. (2018, arXiv 1805.04623).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.arrays import DoubleArray, IntArray
from recurra.data.tokenizer import Tokens
from recurra.errors import NOT_NUMBERS, RecurraError
from recurra.explain.passage import device_of, to_tensor
from recurra.models.cells import State
from recurra.models.language_model import LanguageModel
from recurra.progress import Report, unreported
from recurra.runtime.cells import state_parts

STEPS = 150
"""How many steps back gradients are followed."""

POSITIONS = 48
"""How many outputs gradients are taken of."""

TARGETS = 500
"""How many tokens are predicted from a context cut short."""

CONTEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Lengths the context is cut to, tokens."""

TOLERANCE = 0.01
"""Nats within which a shorter context is as good as the longest."""

NEGLIGIBLE = 0.01
"""A gradient this small beside the one a single step back counts as none."""

ROWS = 16
"""Gradients followed side by side, each keeping all its states; affects memory and speed only."""


@dataclass(frozen=True)
class GradientNorms:
    """How strongly outputs depend on earlier states.

    Attributes:
        norms: of the gradient of -log p at each position with respect to the state k steps before,
            `(positions, steps + 1)`, k from 0.
    """

    norms: DoubleArray

    @property
    def mean(self) -> DoubleArray:
        """Over positions, `(steps + 1,)`."""
        mean: DoubleArray = self.norms.mean(axis=0)
        return mean

    @property
    def relative(self) -> DoubleArray:
        """The mean over that one step back, `(steps + 1,)`: 1 at k = 1."""
        with np.errstate(invalid="ignore"):  # a gradient may explode to infinity
            relative: DoubleArray = self.mean / max(self.mean[1], np.finfo(np.float64).tiny)
        return relative

    @property
    def steps(self) -> int | None:
        """Steps back until the mean gradient stays below `NEGLIGIBLE` of that at one step; None if it never does."""
        reached = np.flatnonzero(self.relative[1:] >= NEGLIGIBLE)
        last = int(reached[-1]) + 1 if len(reached) else 0
        return None if last == self.norms.shape[1] - 1 else last + 1


@dataclass(frozen=True)
class ContextLoss:
    """Loss with the context cut to its last tokens.

    Attributes:
        lengths: tokens of context.
        losses: -log p of the same targets with each length, nats, `(targets, lengths)`.
    """

    lengths: tuple[int, ...]
    losses: DoubleArray

    @property
    def mean(self) -> DoubleArray:
        """Nats for each length, `(lengths,)`."""
        mean: DoubleArray = self.losses.mean(axis=0)
        return mean

    @property
    def error(self) -> DoubleArray:
        """Standard error of each mean's difference to the longest context's, `(lengths,)`."""
        difference = self.losses - self.losses[:, -1:]
        error: DoubleArray = difference.std(axis=0, ddof=1) / np.sqrt(len(difference))
        return error

    @property
    def effective(self) -> int:
        """The shortest context from which on all means are within `TOLERANCE` of the longest's."""
        beyond = np.flatnonzero(np.abs(self.mean - self.mean[-1]) > TOLERANCE)
        return self.lengths[int(beyond[-1]) + 1 if len(beyond) else 0]


def gradient_norms(
    model: LanguageModel,
    tokens: Tokens,
    steps: int = STEPS,
    positions: int = POSITIONS,
    report: Report = unreported,
) -> GradientNorms:
    """The norm of d(-log p of the next token) / d(state k tokens before), exact, by automatic differentiation.

    The state is everything learned that goes from one step to the next: h, and c of an LSTM, of all layers; what rules
    and n-grams keep is worked out and has no gradient. It starts from what the model had in mind at that position of
    the sequence. Positions are spread evenly.

    Args:
        model: the language model.
        tokens: `(time,)`, at least three.
        steps: the largest k; less in a sequence shorter than that.
        positions: how many outputs to take.
        report: told of progress.

    Raises:
        ValueError: if the sequence is too short.
    """
    if len(tokens) < 3:
        raise ValueError("gradients through time need at least three tokens")
    steps = min(steps, len(tokens) - 2)
    starts = np.unique(np.linspace(0, len(tokens) - 2 - steps, positions).astype(np.int64))
    states = _states_after(model, tokens, starts)
    norms = []
    for begin in range(0, len(starts), ROWS):
        rows = slice(begin, begin + ROWS)
        windows = np.stack([tokens[start : start + steps + 2] for start in starts[rows]])
        state = tuple(torch.cat(parts, dim=1) for parts in zip(*states[rows], strict=True))
        norms.append(_norms(model, to_tensor(windows, device_of(model)), state))
        report(min(1.0, (begin + ROWS) / len(starts)))
    return GradientNorms(np.concatenate(norms))


def _states_after(model: LanguageModel, tokens: Tokens, indices: IntArray) -> list[State]:
    """The state after each of some positions has been read, from an empty one; `indices` ascend."""
    states = []
    state: State | None = None
    done = 0
    with torch.no_grad():
        for index in indices:
            _, state = model.layer_outputs(to_tensor(tokens[done : index + 1], device_of(model))[None], state)
            states.append(state)
            done = int(index) + 1
    return states


def _norms(model: LanguageModel, windows: Tensor, state: State) -> DoubleArray:
    """Gradient norms of the last token of each window, `(batch, time - 1)`, the nearest state first.

    Args:
        model: the language model.
        windows: `(batch, time)`: first the token that `state` has read, last the target.
        state: `(layers, batch, hidden_size)` each, then what is worked out, see `LanguageModel`.
    """
    learned = state_parts(model.recurrent.cell)
    states = [(*(part.detach().requires_grad_() for part in state[:learned]), *state[learned:])]
    with torch.enable_grad():
        for tokens in windows[:, 1:-1].T:
            states.append(model.next_state(tokens, states[-1]))
        # Rows do not meet, so the gradient of the sum holds each row's own. The logits are read from the state, which
        # is all that later steps see of this one.
        logits = model.compute_logits(states[-1][0][-1])
        loss = F.cross_entropy(logits.float(), windows[:, -1], reduction="sum")
        parts = [part for state in states for part in state[:learned]]
        gradients = torch.autograd.grad(loss, parts, allow_unused=True)
    none = torch.zeros(len(windows), dtype=torch.float64)
    squares = [none if part is None else part.double().pow(2).sum(dim=(0, 2)).cpu() for part in gradients]
    by_state = torch.stack(squares).reshape(len(states), -1, len(windows)).sum(dim=1)
    norms: DoubleArray = by_state.sqrt().flip(0).T.numpy()
    return norms


def context_loss(
    model: LanguageModel,
    tokens: Tokens,
    lengths: Sequence[int] = CONTEXTS,
    targets: int = TARGETS,
    report: Report = unreported,
) -> ContextLoss:
    """Predict tokens from only the last k before them, the state empty before that.

    The same targets, spread evenly, for every k.

    Args:
        model: the language model.
        tokens: `(time,)`, at least three.
        lengths: the k, ascending; those beyond half of the sequence are left out.
        targets: how many tokens to predict.
        report: told of progress.

    Raises:
        ValueError: if the sequence is too short for any of the lengths.
        RecurraError: if the model's probabilities are not numbers.
    """
    lengths = tuple(length for length in lengths if length <= len(tokens) // 2)
    if not lengths or len(tokens) < 3:
        raise ValueError(f"{len(tokens)} tokens are too few to cut a context from")
    indices = np.unique(np.linspace(lengths[-1], len(tokens) - 1, targets).astype(np.int64))
    goals = to_tensor(tokens[indices], device_of(model))
    losses = np.empty((len(indices), len(lengths)))
    with torch.no_grad():
        for column, length in enumerate(lengths):
            windows = np.stack([tokens[index - length : index] for index in indices])
            outputs, _ = model.layer_outputs(to_tensor(windows, device_of(model)))
            logits = model.compute_logits(outputs[-1][:, -1]).float()
            losses[:, column] = F.cross_entropy(logits, goals, reduction="none").cpu().numpy()
            report(sum(lengths[: column + 1]) / sum(lengths))
    if not np.isfinite(losses).all():
        raise RecurraError(NOT_NUMBERS)
    return ContextLoss(lengths, losses)
