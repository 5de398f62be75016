"""Scoring music: nats a frame, as published for piano rolls, and bits a note; one function for every model.

The loss of a frame is the sum over its tokens, the one that ends it included: the chain rule gives the probability of
the whole frame. The common protocol (Bai et al. 2018, arXiv 1803.01271) is given the first frame of a piece and
predicts all others; Boulanger-Lewandowski et al. (2012, arXiv 1206.6392) predict the first as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recurra.data.tokenizer import Tokens
from recurra.tasks.music.notation import Notation
from recurra.tasks.music.pieces import TICKS
from recurra.tasks.music.rule_features import BARS, DRUM, METER, PITCH, START, STEP

Predictor = Callable[[Tokens], NDArray[np.floating]]
"""Log p of every token but the first of a piece given all before it, `(length - 1,)`, nats."""


@dataclass(frozen=True)
class FrameScore:
    """How well pieces are predicted.

    Attributes:
        first: -log p of the pieces' first frames, nats, summed.
        rest: of all others.
        pieces: how many.
        frames: how many in all.
        notes: how many in all; in frames, notes that are held count in each.
    """

    first: float
    rest: float
    pieces: int
    frames: float
    notes: int

    @property
    def nats_per_frame(self) -> float:
        """Mean over all frames but the first of each piece, which is given."""
        return self.rest / max(self.frames - self.pieces, 1e-9)

    @property
    def nats_per_frame_with_first(self) -> float:
        """Mean over all frames, the first predicted from nothing."""
        return (self.first + self.rest) / max(self.frames, 1e-9)

    @property
    def bits_per_note(self) -> float:
        """Everything, divided by the number of notes."""
        return (self.first + self.rest) / math.log(2) / max(self.notes, 1)


def score_frames(pieces: Iterable[Tokens], notation: Notation, predict: Predictor) -> FrameScore:
    """Score pieces.

    Args:
        pieces: the tokens of each, from its START on; its length must not be said.
        notation: what they mean. Of notes, a frame is a quarter's time, and the first one ends with the first step.
        predict: the model.
    """
    kinds = np.array([token.kind for token in notation.tokens])
    values = np.array([token.value for token in notation.tokens])
    frame = notation.frame or TICKS
    first = rest = frames = 0.0
    count = notes = 0
    for tokens in pieces:
        kind = kinds[tokens]
        log_probs = np.asarray(predict(tokens), dtype=np.float64)
        if len(log_probs) != len(tokens) - 1:
            raise ValueError(f"{len(log_probs)} predictions of {len(tokens) - 1} tokens")
        log_probs = np.where(np.isin(kind[1:], (START, BARS, METER)), 0.0, log_probs)
        steps = np.flatnonzero(kind == STEP)
        border = int(steps[0]) if len(steps) else len(log_probs)
        first -= float(log_probs[:border].sum())
        rest -= float(log_probs[border:].sum())
        frames += float(values[tokens[steps]].sum()) / frame
        notes += int(np.isin(kind, (PITCH, DRUM)).sum())
        count += 1
    return FrameScore(first, rest, count, frames, notes)
