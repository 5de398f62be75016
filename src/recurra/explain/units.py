"""Units that track something nameable, found by themselves (after Karpathy et al. 2016, arXiv 1506.02078).

A unit is judged by the area under its ROC curve (AUC): the chance that its activation is higher at a position where the
feature holds than at one where it does not, ties counting half. It is chosen on one part of the sequence and measured
on another, so that the best of a thousand units is not credited with its luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.arrays import BoolArray, DoubleArray, FloatArray
from recurra.data.tokenizer import Tokens
from recurra.explain.passage import device_of, to_tensor
from recurra.models.cells import State
from recurra.models.language_model import LanguageModel

CHUNK = 512
"""Tokens read in one call; affects memory and speed only."""

UNITS_AT_ONCE = 64
"""Units ranked in one go; affects memory and speed only."""

MIN_EXAMPLES = 20
"""A feature must hold, and fail to hold, at least this often in each part to be looked for."""


MARGIN = 0.02
"""A unit is a discovery if its AUC is above that of the present token, and of the best rule feature, by this much."""


@dataclass(frozen=True)
class Tracker:
    """The unit that tracks a feature best.

    Attributes:
        feature: the feature's name.
        unit: counted over all layers from the bottom: `layer * hidden_size + place in the layer`.
        sign: 1 if the unit is high where the feature holds, -1 if it is low there.
        chosen_auc: of `sign * activation` on the part it was chosen on.
        auc: of `sign * activation` on the other part; below a half if the choice was luck.
        token_auc: what the current token alone tells on the other part (how often the feature went with it on the
            first); a unit well above it has memory.
        share: share of positions of the other part where the feature holds.
        given_auc: what the best of the model's rule features tells, chosen and measured on the
            same parts; a unit not above it only passes on what it was given. None without rules.
    """

    feature: str
    unit: int
    sign: int
    chosen_auc: float
    auc: float
    token_auc: float
    share: float
    given_auc: float | None = None

    @property
    def own(self) -> float:
        """How far the AUC is above what the token or a rule feature tells alone."""
        return self.auc - max(self.token_auc, self.given_auc or 0.0)


@dataclass(frozen=True)
class Findings:
    """What `find_trackers` found.

    Attributes:
        trackers: one a feature; those first whose AUC is furthest above what the token or a rule feature tells alone.
        rare: features that were too rare, or too common, to look for.
    """

    trackers: tuple[Tracker, ...]
    rare: tuple[str, ...]

    @property
    def discoveries(self) -> tuple[Tracker, ...]:
        """Those that know more than the token or a rule feature tells alone, by `MARGIN` on the part for measuring."""
        return tuple(tracker for tracker in self.trackers if tracker.own >= MARGIN)


def activations(model: LanguageModel, tokens: Tokens, device: torch.device | None = None) -> FloatArray:
    """Every unit's output h after each token, the state carried from the first to the last.

    Args:
        model: the language model.
        tokens: `(time,)`.
        device: where the model is; found out if not given.

    Returns:
        `(time, num_layers * hidden_size)`, layers from the bottom side by side.
    """
    device = device or device_of(model)
    recurrent = model.recurrent
    result = np.empty((len(tokens), recurrent.num_layers * recurrent.hidden_size), dtype=np.float32)
    state: State | None = None
    with torch.no_grad():
        for begin in range(0, len(tokens), CHUNK):
            outputs, state = model.layer_outputs(to_tensor(tokens[begin : begin + CHUNK], device)[None], state)
            result[begin : begin + CHUNK] = torch.cat(outputs, dim=-1)[0].float().cpu().numpy()
    return result


def given(model: LanguageModel, tokens: Tokens) -> FloatArray | None:
    """A model's rule features after each token, `(time, size)`; None without rules."""
    if model.rules is None:
        return None
    row = np.asarray(tokens).astype(np.int64)[None]
    result = np.empty((len(tokens), model.rules.size), dtype=np.float32)
    state = np.zeros((1, model.rules.state_size), dtype=np.float32)
    for begin in range(0, len(tokens), CHUNK):
        rule_features, state = model.rules.read(row[:, begin : begin + CHUNK], state)
        result[begin : begin + CHUNK] = rule_features[0]
    return result


def auc(values: NDArray[np.floating], holds: BoolArray) -> DoubleArray:
    """Area under the ROC curve of every column for every feature: the Mann-Whitney statistic, exact, ties half.

    Args:
        values: `(time, columns)`, finite.
        holds: `(time, features)`.

    Returns:
        `(columns, features)`; a half where a feature always or never holds.
    """
    positives = holds.sum(axis=0).astype(np.float64)
    pairs = positives * (len(holds) - positives)
    wins = np.empty((values.shape[1], holds.shape[1]))
    for begin in range(0, values.shape[1], UNITS_AT_ONCE):
        columns = values[:, begin : begin + UNITS_AT_ONCE]
        ranks = np.stack([_ranks(column) for column in columns.T])
        wins[begin : begin + UNITS_AT_ONCE] = ranks @ holds.astype(np.float64) - positives * (positives + 1) / 2
    return np.where(pairs > 0, wins / np.maximum(pairs, 1), 0.5)


def _ranks(values: NDArray[np.floating]) -> DoubleArray:
    """Ranks from 1, equal values sharing the mean of theirs."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: DoubleArray = last - (counts - 1) / 2
    return means[index]


def find_trackers(
    values: FloatArray,
    tokens: Tokens,
    features: Mapping[str, BoolArray],
    min_examples: int = MIN_EXAMPLES,
    rule_features: FloatArray | None = None,
) -> Findings:
    """Find the unit that tracks each feature best, chosen on the first half of the sequence, measured on the second.

    Of several equally good units the first is taken; one that never changes has an AUC of a half and tracks nothing.

    Args:
        values: activations, `(time, units)`.
        tokens: `(time,)`.
        features: by name, each `(time,)`.
        min_examples: how often a feature must hold, and not hold, in each half.
        rule_features: what the model is told beside the tokens, see `given`.
    """
    half = len(values) // 2
    frequent = [name for name, holds in features.items() if _frequent(holds, half, min_examples)]
    rare = tuple(name for name in features if name not in frequent)
    if not frequent:
        return Findings((), rare)
    holds = np.stack([features[name] for name in frequent], axis=1)
    by_token = _token_auc(tokens, holds, half)
    by_rule = None if rule_features is None else _best(rule_features, holds, half)
    trackers = []
    for column, (name, best) in enumerate(zip(frequent, _best(values, holds, half), strict=True)):
        share = float(holds[half:, column].mean())
        told = by_rule[column].auc if by_rule else None
        trackers.append(Tracker(name, *best, float(by_token[column]), share, told))
    return Findings(tuple(sorted(trackers, key=lambda tracker: -tracker.own)), rare)


class _Best(NamedTuple):
    """The column that tells a feature best; see `Tracker`."""

    unit: int
    sign: int
    chosen_auc: float
    auc: float


def _best(values: FloatArray, holds: BoolArray, half: int) -> list[_Best]:
    """For each feature the best column on the first half, and how good it is on the second."""
    first, second = auc(values[:half], holds[:half]), auc(values[half:], holds[half:])
    result = []
    for column in range(holds.shape[1]):
        unit = int(np.abs(first[:, column] - 0.5).argmax())
        sign = 1 if first[unit, column] >= 0.5 else -1
        chosen, measured = (float(0.5 + sign * (part[unit, column] - 0.5)) for part in (first, second))
        result.append(_Best(unit, sign, chosen, measured))
    return result


def _frequent(holds: BoolArray, half: int, min_examples: int) -> bool:
    parts = (holds[:half], holds[half:])
    return all(min(int(part.sum()), len(part) - int(part.sum())) >= min_examples for part in parts)


def _token_auc(tokens: Tokens, holds: BoolArray, half: int) -> DoubleArray:
    """AUC on the second half of each feature's rate at the current token in the first, `(features,)`."""
    _, index = np.unique(tokens, return_inverse=True)
    counts = np.bincount(index[:half], minlength=index.max() + 1)
    result = np.empty(holds.shape[1])
    for column, feature in enumerate(holds.T):
        held = np.bincount(index[:half], weights=feature[:half], minlength=len(counts))
        rate = np.where(counts > 0, held / np.maximum(counts, 1), feature[:half].mean())
        result[column] = auc(rate[index[half:], None], feature[half:, None])[0, 0]
    return result
