"""Composing under a plan: which tokens may come next, so that nothing can be drawn that breaks a demand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Generic, NamedTuple

import numpy as np

from recurra.arrays import BoolArray, FloatArray, IntArray
from recurra.decoding.sampling import Sampling, StateT, TokenStep, read, sample_tokens
from recurra.progress import bar
from recurra.tasks.music.constraints import Plan
from recurra.tasks.music.grid import one_a_pitch
from recurra.tasks.music.notation import Notation
from recurra.tasks.music.pieces import Note, Piece
from recurra.tasks.music.rule_features import (
    BARS,
    DRUM,
    DURATION,
    METER,
    PITCH,
    START,
    STEP,
    TRACK,
    TRANSPOSED,
    VELOCITY,
)
from recurra.tasks.music.transcription import nearest


class Sounding(NamedTuple):
    """A note that has begun: until when it sounds, its track, its pitch, and whether it is the given voice's."""

    end: int
    track: int
    pitch: int
    given: bool


class Draft(NamedTuple):
    """How far a composition has come: what the rules must know of the tokens so far.

    Attributes:
        time: of the moment, ticks.
        last: kind of the last token.
        track: place of the track that is being listed; -1 before any.
        pitch: MIDI number listed last in it, in this moment; -1 before any.
        drum: General MIDI number of the drum listed last in it, in this moment; -1 before any.
        listed: notes in this moment that are not the given voice's.
        given: notes of the given voice listed in this moment.
        metered: whether the metre has been said in this moment.
        sounding: pitched notes that have begun, until they have ended.
        ended: of frames, the pitches that sound until this moment, and go on if they are listed again.
    """

    time: int = 0
    last: int = START
    track: int = -1
    pitch: int = -1
    drum: int = -1
    listed: int = 0
    given: int = 0
    metered: bool = False
    sounding: tuple[Sounding, ...] = ()
    ended: frozenset[int] = frozenset()


class PlanRules:
    """What may come next in a composition under a plan.

    Args:
        plan: the demands.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        notation = plan.notation
        self.notation: Notation = notation
        self._kinds = np.array([token.kind for token in notation.tokens])
        self._values = np.array([token.value for token in notation.tokens])
        self._pitches = np.arange(notation.lowest, notation.highest + 1)
        self._of_kind = {kind: np.flatnonzero(self._kinds == kind) for kind in range(STEP + 1)}

    def after(self, draft: Draft, token: int) -> Draft:
        """The draft with one more token; of any order that the notation can write."""
        kind, value = self.notation.tokens[token]
        if kind in (START, TRANSPOSED):
            return Draft(last=kind)
        if kind == STEP:
            time = draft.time + value
            ended = frozenset(note.pitch for note in draft.sounding if self.notation.frame and note.end == time)
            return Draft(time, STEP, sounding=tuple(note for note in draft.sounding if note.end > time), ended=ended)
        before, draft = draft.last, draft._replace(last=kind)
        if kind == METER:
            return draft._replace(metered=True)
        if kind == TRACK:
            return draft._replace(track=value, pitch=-1, drum=-1)
        if kind == PITCH:
            return self._with_pitch(draft, self.notation.lowest + value)
        if kind == DRUM:
            return draft._replace(drum=value)
        if kind == DURATION and before == PITCH and not draft.sounding[-1].given:
            *others, note = draft.sounding
            return draft._replace(sounding=(*others, note._replace(end=draft.time + value)))
        return draft

    def _with_pitch(self, draft: Draft, pitch: int) -> Draft:
        track = max(draft.track, 0)
        waiting = self._waiting(draft)
        given = bool(waiting) and waiting[0] == pitch and self._is_given_track(track)
        # A given note lasts as long as it is, whatever the nearest duration is that there is a token for.
        duration = self.notation.frame or (self.plan.durations[draft.time, pitch] if given else 1)
        note = Sounding(draft.time + duration, track, pitch, given)
        return draft._replace(
            pitch=pitch,
            given=draft.given + given,
            listed=draft.listed + (not given),
            sounding=(*draft.sounding, note),
        )

    def forbidden(self, draft: Draft) -> IntArray:
        """The tokens that must not come next."""
        mask = np.zeros(self.notation.size, dtype=np.bool_)
        if draft.last in (PITCH, DRUM) and self.notation.durations:
            mask[self._durations(draft)] = True
        elif draft.last == DURATION and self.notation.velocity:
            mask[self._of_kind[VELOCITY]] = True
        elif draft.last == START:
            mask[self._of_kind[BARS]] = True
        elif not draft.metered and draft.track < 0 and not draft.listed and draft.time in self.plan.meter_at:
            mask[self.notation.number(METER, self.plan.meter_at[draft.time])] = True
        else:
            for numbers in self._notes(draft):
                mask[numbers] = True
            if draft.last != TRACK and not self._waiting(draft):
                mask[self._steps(draft)] = True
            if draft.last != TRACK and self.notation.tracks:
                mask[self._tracks(draft)] = True
        return np.flatnonzero(~mask)

    def _waiting(self, draft: Draft) -> tuple[int, ...]:
        """Pitches of the given voice that are still to be listed in this moment."""
        return self.plan.given_at.get(draft.time, ())[draft.given :] if draft.time >= self.plan.begin else ()

    def _is_given_track(self, track: int) -> bool:
        given = self.plan.given
        return given is not None and (not self.notation.tracks or track == given.track)

    def _durations(self, draft: Draft) -> IntArray:
        numbers = self._of_kind[DURATION]
        ticks = self._values[numbers]
        if draft.last == DRUM:
            suits = ticks <= max(self.plan.end - draft.time, ticks[0])
        elif draft.sounding[-1].given:
            wanted = self.plan.durations[draft.time, draft.sounding[-1].pitch]
            suits = ticks == nearest(wanted, self.notation.durations)
        else:
            suits = ticks <= self.plan.latest_ends(draft.time)[draft.sounding[-1].pitch % 12] - draft.time
        found: IntArray = numbers[suits]
        return found

    def _steps(self, draft: Draft) -> IntArray:
        numbers = self._of_kind[STEP]
        ticks = self._values[numbers]
        wait = self.plan.next_stop(draft.time) - draft.time
        near = ticks <= max(wait, ticks[0])
        # A moment in which nothing may begin is none of the corpus's either.
        landing = near & self.plan.is_reached(draft.time + ticks)
        found: IntArray = numbers[landing if landing.any() else near]
        return found

    def _tracks(self, draft: Draft) -> list[int]:
        """Tracks after this one that have a note to play; none beyond one that is still waiting to be listed."""
        waiting = self._waiting(draft)
        given = self.plan.given.track if self.plan.given else -1
        found = []
        for index in range(draft.track + 1, len(self.notation.tracks)):
            if self.notation.tracks[index].drums:
                playable = not waiting and bool(len(self._drums(draft._replace(drum=-1))))
            elif index == given:
                playable = bool(waiting)
            else:
                playable = (not waiting or index < given) and bool(self._playable(draft, index, -1).any())
            if playable:
                found.append(self.notation.number(TRACK, index))
        return found

    def _notes(self, draft: Draft) -> Iterable[IntArray]:
        """Pitches and drums that may be listed next."""
        notation, waiting = self.notation, self._waiting(draft)
        if notation.tracks:
            if draft.track < 0:
                return
            if notation.tracks[draft.track].drums:
                yield self._drums(draft)
            elif self._is_given_track(draft.track):
                yield np.array(
                    [notation.number(PITCH, pitch - notation.lowest) for pitch in waiting[:1]], dtype=np.int64
                )
            else:
                yield self._of_kind[PITCH][self._playable(draft, draft.track, draft.pitch)]
            return
        if draft.drum < 0:
            playable = self._playable(draft, 0, draft.pitch)
            if waiting:
                playable &= self._pitches < waiting[0]
                playable[waiting[0] - notation.lowest] = True
            yield self._of_kind[PITCH][playable]
        if not waiting:
            yield self._drums(draft)

    def _drums(self, draft: Draft) -> IntArray:
        numbers = self._of_kind[DRUM]
        if not self.plan.may_begin(draft.time):
            return numbers[:0]
        found: IntArray = numbers[self._values[numbers] > draft.drum]
        return found

    def _playable(self, draft: Draft, track: int, above: int) -> BoolArray:
        """Which pitches a track may begin now, `(pitches,)`."""
        plan = self.plan
        others = sum(not note.given for note in draft.sounding)
        if plan.voices is not None and others >= plan.voices:
            return np.zeros(len(self._pitches), dtype=np.bool_)
        shortest = self.notation.frame or self.notation.durations[0]
        lasting = plan.latest_ends(draft.time) - draft.time >= shortest
        playable: BoolArray = plan.fits[track] & (self._pitches > above) & lasting[self._pitches % 12]
        for note in draft.sounding:
            if note.track == track:
                playable[note.pitch - self.notation.lowest] = False
        if not plan.may_begin(draft.time):
            playable &= np.isin(self._pitches, sorted(draft.ended))
        return playable


class Composing(NamedTuple, Generic[StateT]):
    """Where a composition is: what the model has in mind, and what the rules know."""

    model: StateT
    draft: Draft


def compose(
    step: TokenStep[StateT],
    tokens: Sequence[int],
    state: StateT,
    plan: Plan,
    sampling: Sampling,
    generator: np.random.Generator,
) -> list[int]:
    """Go on from some tokens until the plan is fulfilled.

    Args:
        step: the model.
        tokens: from the piece's START on, at least that.
        state: the model's, before them.
        plan: the demands.
        sampling: how to choose among what may come next.
        generator: one number is taken from it for each token.

    Returns:
        The tokens that come after.
    """
    rules = PlanRules(plan)

    def both(token: int, before: Composing[StateT]) -> tuple[FloatArray, Composing[StateT]]:
        logits, after = step(token, before.model)
        return logits, Composing(after, rules.after(before.draft, token))

    logits, begun = read(both, tokens, Composing(state, Draft()))
    drawn = sample_tokens(both, logits, begun, sampling, generator, lambda state: rules.forbidden(state.draft))
    draft, out = begun.draft, []
    with bar("composing") as shown:
        while draft.time < plan.end:
            out.append(next(drawn).token)
            draft = rules.after(draft, out[-1])
            shown.update((draft.time - plan.begin) / (plan.end - plan.begin))
    return out


def finished(piece: Piece, plan: Plan) -> Piece:
    """The piece cut to its bars, what it goes on from cut at its end, and with the given voice exactly as it was."""
    length = plan.bar_lines[-1]
    frame = plan.notation.frame
    resumed = -(-plan.begin // frame) * frame if frame else None
    notes = [note for note in _ended(_ended(piece.notes, plan.begin, resumed), length) if note.onset < length]
    if plan.given:
        taken: defaultdict[int, list[Note]] = defaultdict(list)
        for note in plan.given.notes:
            taken[note.pitch].append(note)
        others = [n for n in notes if n.track != plan.given.track or not _sounds_at(n.onset, taken[n.pitch])]
        own = (note._replace(track=plan.given.track) for note in plan.given.notes)
        notes = list(one_a_pitch([*others, *own], Counter()))
    return replace(piece, notes=tuple(notes), length=length, meters=plan.meters)


def _ended(notes: Iterable[Note], border: int, resumed: int | None = None) -> list[Note]:
    """Notes that reach over a border, cut there; of frames, what sounds on from `resumed` is a note of its own."""
    found = []
    for note in notes:
        if note.onset >= border:
            found.append(note)
            continue
        found.append(note._replace(duration=min(note.duration, border - note.onset)))
        if resumed is not None and note.end > resumed:
            found.append(note._replace(onset=resumed, duration=note.end - resumed))
    return sorted(found, key=lambda note: (note.onset, note.track, note.pitch))


def _sounds_at(tick: int, notes: Iterable[Note]) -> bool:
    return any(note.onset <= tick < note.end for note in notes)
