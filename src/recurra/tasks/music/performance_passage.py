"""Performances as a passage: how their events are called, nameable features, and a piano roll in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from recurra.arrays import BoolArray, IntArray
from recurra.data.tokenizer import Tokens
from recurra.explain.passage import Passage
from recurra.tasks.music.features import SHADED, pitch_name
from recurra.tasks.music.lanes import DrawnBar, DrawnNote, Lane
from recurra.tasks.music.performance import (
    EVENTS,
    NOTE_OFF,
    NOTE_ON,
    SECOND,
    START,
    TIME_SHIFT,
    TRANSPOSED,
    VELOCITY,
    VELOCITY_STEPS,
)
from recurra.tasks.music.roll_view import RollView

SHOWN = 4
"""Ticks of a performance in one of the roll: its rows are made for the ticks of a grid, of which a second has fewer."""

FEW, MANY = 4, 8
"""Notes at once."""

LOW, HIGH = 48, 84
"""Below and from which a pitch is low and high: the octaves beside those of a keyboard's middle."""

LONG = SECOND // 2
"""Ticks since the last note began that are a pause."""


def event_name(token: int) -> str:
    """How a token is called: "C4", "C4 off", "+0.25 s", "loudness 16"."""
    kind, value = EVENTS[token]
    if kind in (START, TRANSPOSED):
        return "start" if kind == START else "start, transposed"
    if kind == TIME_SHIFT:
        return f"+{value / SECOND:.2f} s"
    if kind == VELOCITY:
        return f"loudness {value + 1}"
    return pitch_name(value) + (" off" if kind == NOTE_OFF else "")


def passage(tokens: Tokens, source: str, names: Sequence[str] = ()) -> Passage:
    """Tokens of one or several performances, one after another, with labels, features and a piano roll.

    Args:
        tokens: `(time,)`.
        source: what a person would call the music.
        names: of the performances, in their order.
    """
    tokens = np.asarray(tokens).astype(np.int64)
    begins = np.flatnonzero(tokens <= TRANSPOSED).tolist()
    heard = [_Played(tokens[begin:end]) for begin, end in pairwise(sorted({0, *begins, len(tokens)}))]
    titles = [names[index] if index < len(names) else f"performance {index + 1}" for index in range(len(heard))]
    features = {name: np.concatenate([one.features[name] for one in heard]) for name in (heard[0].features)}
    labels = [event_name(int(token)) for token in tokens]
    return Passage(tokens, labels, features, event_name, source, view=_roll(heard, titles))


class _Played:
    """What can be told of one performance after each of its tokens."""

    def __init__(self, tokens: IntArray) -> None:
        self.kinds, self.values = np.array([EVENTS[token] for token in tokens], dtype=np.int64).reshape(-1, 2).T
        self.times: IntArray = np.cumsum(np.where(self.kinds == TIME_SHIFT, self.values, 0))
        self.notes: list[tuple[int, int, int]] = []
        """First token, onset and pitch of each note; then, in `ends`, when it ends."""
        self.ends: list[int] = []
        sounding: dict[int, int] = {}
        self.sounds: list[tuple[int, ...]] = []
        for index, (kind, value, time) in enumerate(
            zip(self.kinds.tolist(), self.values.tolist(), self.times.tolist(), strict=True)
        ):
            if kind in (NOTE_ON, NOTE_OFF) and value in sounding:
                self.ends[sounding.pop(value)] = time
            if kind == NOTE_ON:
                sounding[value] = len(self.notes)
                self.notes.append((index - (index > 0 and bool(self.kinds[index - 1] == VELOCITY)), time, value))
                self.ends.append(int(self.times[-1]))
            self.sounds.append(tuple(sounding))

    @property
    def features(self) -> dict[str, BoolArray]:
        """The nameable features, by name, each `(time,)`."""
        begins = self.kinds == NOTE_ON
        last = np.maximum.accumulate(np.where(begins, self.times, -1))
        at = np.maximum.accumulate(np.where(self.kinds == VELOCITY, np.arange(len(self.kinds)), -1))
        loudness = np.where(at >= 0, self.values[at], -1)
        count = np.array([len(sounds) for sounds in self.sounds])
        low = np.array([min(sounds, default=LOW) < LOW for sounds in self.sounds])
        high = np.array([max(sounds, default=0) >= HIGH for sounds in self.sounds])
        later = np.append(self.kinds[1:], -1)
        return {
            "nothing sounds": count == 0,
            f"{FEW} notes sound": count >= FEW,
            f"{MANY} notes sound": count >= MANY,
            "a low note sounds": low,
            "a high note sounds": high,
            "loud": loudness >= VELOCITY_STEPS * 5 // 8,
            "soft": (loudness >= 0) & (loudness < VELOCITY_STEPS * 3 // 8),
            "a pause": (last >= 0) & (self.times - last >= LONG),
            "time goes on next": later == TIME_SHIFT,
            "a note ends next": later == NOTE_OFF,
            "a note begins next": (later == NOTE_ON) | (later == VELOCITY),
        }


def _roll(heard: Sequence[_Played], titles: Sequence[str]) -> RollView:
    pitches = [pitch for one in heard for _, _, pitch in one.notes] or [60]
    lowest = min(pitches)
    lanes = [
        Lane(pitch_name(pitch) if pitch % 12 == 0 else "", pitch % 12 in SHADED)
        for pitch in range(lowest, max(pitches) + 1)
    ]
    second = SECOND // SHOWN
    times: list[IntArray] = [np.zeros(0, dtype=np.int64)]
    notes: list[DrawnNote] = []
    bars: list[DrawnBar] = []
    token = offset = 0
    for one, title in zip(heard, titles, strict=True):
        for (first, onset, pitch), end in zip(one.notes, one.ends, strict=True):
            last = first + int(one.kinds[first] == VELOCITY)
            length = max(end // SHOWN - onset // SHOWN, 1)
            name = f"{pitch_name(pitch)}, {(end - onset) / SECOND:.2f} s"
            begin = offset + onset // SHOWN
            notes.append(DrawnNote(token + first, token + last, begin, length, pitch - lowest, name))
        seconds = -(-(int(one.times[-1]) + 1) // SECOND)
        bars += [
            DrawnBar(offset + place * second, offset + (place + 1) * second, second, place, "" if place else title)
            for place in range(seconds)
        ]
        times.append(one.times // SHOWN + offset)
        token += len(one.times)
        offset += seconds * second
    return RollView(np.concatenate(times), offset, tuple(notes), tuple(bars), tuple(lanes))
