"""Composing performances: which events may come next, so that every note ends and none ends that does not sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Generic, NamedTuple

import numpy as np

from recurra.arrays import FloatArray, IntArray
from recurra.decoding.sampling import Sampling, StateT, TokenStep, read, sample_tokens
from recurra.errors import OptionError
from recurra.progress import bar
from recurra.tasks.music.constraints import Controls
from recurra.tasks.music.performance import (
    EVENTS,
    FIRST,
    LONGEST_SHIFT,
    NOTE_OFF,
    NOTE_ON,
    PITCHES,
    SECOND,
    SIZE,
    START,
    TIME_SHIFT,
    TRANSPOSED,
    VELOCITY,
    PerformanceNotation,
)

DEFAULT_SECONDS = 30.0
"""Of a performance, beside what is given."""


class PlayedDraft(NamedTuple):
    """How far a performance has come.

    Attributes:
        time: of the moment, ticks.
        last: kind of the last token.
        loudness: step that the next note begins with; -1 before any.
        struck: whether a note has begun in this moment.
        sounding: pitch and onset of the notes that have begun, until they have ended.
    """

    time: int = 0
    last: int = START
    loudness: int = -1
    struck: bool = False
    sounding: tuple[tuple[int, int], ...] = ()


class Performing(NamedTuple, Generic[StateT]):
    """Where a performance is: what the model has in mind, and what the rules know."""

    model: StateT
    draft: PlayedDraft


def seconds_of(controls: Controls, given: float) -> int:
    """How long the performance is to be, ticks.

    Args:
        controls: what is asked for.
        given: seconds of what it goes on from.

    Raises:
        OptionError: for a control that needs bars or tracks, or a length that leaves nothing to compose.
    """
    for option in fields(controls):
        if option.name != "seconds" and getattr(controls, option.name) != option.default:
            raise OptionError(
                f"`{option.name}` is not for this model, which has learned performances: it knows no bars, keys or "
                "tracks; it takes `seconds`"
            )
    seconds = given + DEFAULT_SECONDS if controls.seconds is None else controls.seconds
    if seconds <= given:
        raise OptionError(
            f"`prime` lasts {given:.1f} seconds, and `seconds` asks for {seconds:g} in all; ask for more, or give a "
            "shorter beginning"
        )
    return round(seconds * SECOND)


class PerformanceOrder:
    """What may come next in a performance.

    Notes begin and end as tokens of a real performance have it: the first at once; at a moment first those that end,
    then those that begin. None lasts longer than any of the training pieces, and no more sound at once than there.

    Args:
        notation: of the model.
        end: where it ends, ticks.
    """

    def __init__(self, notation: PerformanceNotation, end: int) -> None:
        self.notation = notation
        self.end = end

    def after(self, draft: PlayedDraft, token: int) -> PlayedDraft:
        """The draft with one more token, of any order."""
        kind, value = EVENTS[token]
        if kind <= TRANSPOSED:
            return PlayedDraft(last=kind)
        draft = draft._replace(last=kind)
        if kind == TIME_SHIFT:
            return draft._replace(time=draft.time + value, struck=False)
        if kind == VELOCITY:
            return draft._replace(loudness=value)
        others = tuple(note for note in draft.sounding if note[0] != value)
        if kind == NOTE_OFF:
            return draft._replace(sounding=others)
        return draft._replace(sounding=(*others, (value, draft.time)), struck=True)

    def forbidden(self, draft: PlayedDraft) -> IntArray:
        """The tokens that must not come next."""
        mask = np.zeros(SIZE, dtype=np.bool_)
        silent = np.zeros(PITCHES, dtype=np.bool_)
        silent[self.notation.lowest : self.notation.highest + 1] = True
        silent[[pitch for pitch, _ in draft.sounding]] = False
        silent &= len(draft.sounding) < self.notation.at_once
        ends = [onset + self.notation.longest for _, onset in draft.sounding]
        overdue = [pitch for (pitch, _), end in zip(draft.sounding, ends, strict=True) if end <= draft.time]
        if overdue:
            mask[[FIRST[NOTE_OFF] + pitch for pitch in overdue]] = True
            return np.flatnonzero(~mask)
        if draft.loudness >= 0:
            mask[FIRST[NOTE_ON] : FIRST[NOTE_OFF]] = silent
        if draft.last != VELOCITY:
            mask[FIRST[VELOCITY] :] = silent.any()
            if draft.loudness >= 0:
                mask[FIRST[VELOCITY] + draft.loudness] = False
            if not draft.struck:
                mask[[FIRST[NOTE_OFF] + pitch for pitch, onset in draft.sounding if onset < draft.time]] = True
            until = min([self.end, *ends]) - draft.time if draft.loudness >= 0 else 0
            mask[FIRST[TIME_SHIFT] : FIRST[TIME_SHIFT] + min(until, LONGEST_SHIFT)] = True
        return np.flatnonzero(~mask)


def compose_performance(
    step: TokenStep[StateT],
    tokens: Sequence[int],
    state: StateT,
    order: PerformanceOrder,
    sampling: Sampling,
    generator: np.random.Generator,
) -> list[int]:
    """Go on from some tokens until the end; what still sounds there ends there.

    Args:
        step: the model.
        tokens: from the performance's START on, at least that.
        state: the model's, before them.
        order: what may come next.
        sampling: how to choose among that.
        generator: one number is taken from it for each token.

    Returns:
        The tokens that come after.
    """

    def both(token: int, before: Performing[StateT]) -> tuple[FloatArray, Performing[StateT]]:
        logits, after = step(token, before.model)
        return logits, Performing(after, order.after(before.draft, token))

    logits, begun = read(both, tokens, Performing(state, PlayedDraft()))
    drawn = sample_tokens(both, logits, begun, sampling, generator, lambda state: order.forbidden(state.draft))
    draft, out = begun.draft, []
    first = draft.time
    with bar("composing") as shown:
        while draft.time < order.end:
            out.append(next(drawn).token)
            draft = order.after(draft, out[-1])
            shown.update((draft.time - first) / (order.end - first))
    return out
