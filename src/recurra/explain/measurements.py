"""All that is measured of models on a passage, before any of it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurra.arrays import FloatArray
from recurra.errors import RecurraError
from recurra.explain.effective_context import ContextLoss, GradientNorms, context_loss, gradient_norms
from recurra.explain.passage import Passage, Subject
from recurra.explain.surprisal import Surprisal, surprisal
from recurra.explain.units import Findings, activations, find_trackers, given
from recurra.models.language_model import LanguageModel
from recurra.progress import Bar, Report, bar

MIN_TOKENS = 32
"""A shorter sequence shows nothing."""

MAX_ACTIVATIONS = 2**25
"""At most so many numbers (128 MiB) are kept to find units in; the more units, the less of the sequence is used."""

MAX_SEARCHED = 40_000
"""At most so many tokens are searched for units, however few there are."""

MAX_TRACED = 10_000
"""Gradients are taken in the first so many tokens: to get there, each model has to read all before."""

MAX_SHOWN = 3000
"""At most so many tokens are shown."""

MIN_SHOWN = 300
"""So many tokens are shown at least, however many units there are."""

MAX_SHOWN_ACTIVATIONS = 1_600_000
"""At most so many activations are put into the page, a byte each."""


@dataclass(frozen=True)
class Measured:
    """What is known about the models after all measuring.

    Attributes:
        subjects: the models, the one explained first.
        passage: what was read, as long as is searched for units.
        shown: how many tokens of its beginning are shown.
        activations: of the first model on the passage, `(time, units)`.
        findings: its units that track something.
        gradients: how strongly outputs of each model depend on earlier states.
        contexts: the loss of each model with its context cut short.
        surprisal: of the first model on what is shown.
    """

    subjects: tuple[Subject, ...]
    passage: Passage
    shown: int
    activations: FloatArray
    findings: Findings
    gradients: tuple[GradientNorms, ...]
    contexts: tuple[ContextLoss, ...]
    surprisal: Surprisal


def searched_length(model: LanguageModel) -> int:
    """How many tokens of a long sequence are read; the rest need not be prepared."""
    units = model.recurrent.num_layers * model.recurrent.hidden_size
    return max(MIN_TOKENS, min(MAX_SEARCHED, MAX_ACTIVATIONS // units))


def measure(subjects: Sequence[Subject], passage: Passage) -> Measured:
    """Measure everything.

    Args:
        subjects: the model to explain, then any to compare its effective context with; all read the same tokens.
        passage: what to read; beyond `searched_length` it is not.

    Raises:
        RecurraError: if the passage is too short, or the model's activations or probabilities are not numbers on it.
    """
    if len(passage) < MIN_TOKENS:
        raise RecurraError(
            f"{passage.source} is too short to explain a model with: {len(passage)} {passage.unit}s, at least "
            f"{MIN_TOKENS} are needed; give more"
        )
    first = subjects[0].network
    passage = passage.beginning(searched_length(first))
    with bar("explaining") as progress:
        values = activations(first, passage.tokens)
        if not np.isfinite(values).all():
            raise RecurraError(
                f"the activations of {subjects[0].name} on {passage.source} are not finite; its weights are too large, "
                "train it again"
            )
        shown = min(len(passage), MAX_SHOWN, max(MIN_SHOWN, MAX_SHOWN_ACTIVATIONS // values.shape[1]))
        predicted = surprisal(first, passage.tokens[:shown])
        progress.update(0.05, "units")
        findings = find_trackers(values, passage.tokens, passage.features, rule_features=given(first, passage.tokens))
        gradients, contexts = [], []
        for number, subject in enumerate(subjects):
            share = 0.85 / len(subjects)
            begin = 0.15 + number * share
            report = _part(progress, subject.name, begin, 0.3 * share)
            gradients.append(gradient_norms(subject.network, passage.tokens[:MAX_TRACED], report=report))
            report = _part(progress, subject.name, begin + 0.3 * share, 0.7 * share)
            contexts.append(context_loss(subject.network, passage.tokens, report=report))
    return Measured(tuple(subjects), passage, shown, values, findings, tuple(gradients), tuple(contexts), predicted)


def _part(progress: Bar, name: str, begin: float, share: float) -> Report:
    """Report the share of a part of the work as a share of the whole."""
    return lambda done: progress.update(begin + share * done, name)
