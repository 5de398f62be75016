"""From what a file of music says to what a `Piece` may hold: onsets on a grid, one note a pitch, whole bars.

The readers of MIDI and of scores share these rules. Each counts what it takes away in a `Counter`, by kind.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike

from recurra.arrays import IntArray
from recurra.tasks.music.pieces import (
    COMMON_TIME,
    METER_DENOMINATORS,
    MODERATO,
    TICKS,
    Meter,
    Note,
    Piece,
    Tempo,
    Track,
)

STEPS = tuple(tick for tick in range(TICKS + 1) if tick % 2 == 0 or tick % 3 == 0)
"""Where a note may begin and end within a quarter: on sixteenths and on triplets of eighths and sixteenths."""

SIXTEENTH = TICKS // 4

MAX_SILENCE = 16
"""Bars; a longer silence is shortened to so many."""

MAX_QUARTERS = 72_000
"""The longest piece: ten hours at 120 quarters a minute."""

MAX_BAR = 8 * 4 * TICKS
"""Ticks in the longest bar that is believed: eight whole notes."""

SLOWEST, FASTEST = 5.0, 600.0
"""Quarters a minute in the tempos that are believed."""


def snap(ticks: ArrayLike) -> IntArray:
    """The nearest step of the grid for each place; a place half-way between two goes to the later one.

    Args:
        ticks: places in ticks, fractions allowed, `(count,)`.
    """
    exact = np.asarray(ticks, dtype=np.float64)
    quarters = np.floor(exact / TICKS)
    steps = np.array(STEPS)
    nearest: IntArray = steps[np.searchsorted((steps[1:] + steps[:-1]) / 2, exact - quarters * TICKS, side="right")]
    return np.asarray(quarters.astype(np.int64) * TICKS + nearest)


FAR = 0.35
"""Ticks from the grid from which on a note is far from it: 15 ms at 120 quarters a minute."""

PLACES = 24
"""Into which a quarter is divided to find places that recur."""

RECURRING = 4
"""The most frequent places far from the grid, which are not counted: swung eighths or sixteenths, quintuplets."""

FEWEST = 16
"""Of fewer notes nothing is said."""

FREE = 0.2
"""Share of notes off the grid from which on a piece was played freely; any place in the quarter alike makes 0.36."""


def off_grid(ticks: ArrayLike) -> float:
    """Share of notes whose onset is far from the grid, and at none of the places in the quarter where most such are.

    What is swung begins, again and again, at the same one or two places off the grid; what is played freely, anywhere.

    Args:
        ticks: onsets in ticks, fractions allowed, `(count,)`.
    """
    exact = np.asarray(ticks, dtype=np.float64)
    if len(exact) < FEWEST:
        return 0.0
    far = exact[np.abs(exact - snap(exact)) > FAR] % TICKS
    counts = np.bincount((far * PLACES / TICKS).astype(np.int64) % PLACES, minlength=PLACES)
    return float(np.sort(counts)[:-RECURRING].sum() / len(exact))


def spans(begins: ArrayLike, ends: ArrayLike) -> tuple[IntArray, IntArray]:
    """Onsets and durations on the grid, each duration at least one step of it.

    Args:
        begins: in ticks, fractions allowed, `(count,)`.
        ends: likewise.
    """
    onsets, stops = snap(begins), snap(ends)
    steps = np.array(STEPS)
    following = onsets - onsets % TICKS + steps[np.searchsorted(steps, onsets % TICKS, side="right")]
    return onsets, np.maximum(stops, following) - onsets


def one_a_pitch(notes: Iterable[Note], left_out: Counter[str]) -> tuple[Note, ...]:
    """Sort notes as a `Piece` wants them, and let no two of one pitch sound at once in one track.

    Of two that begin together the longer stays; one that still sounds when the next begins is cut there.
    """
    kept: list[Note] = []
    last: dict[tuple[int, int], int] = {}
    for note in sorted(notes, key=_order):
        key = (note.track, note.pitch)
        index = last.get(key)
        if index is not None and kept[index].onset == note.onset:
            left_out["doubled notes"] += 1
            if note.duration > kept[index].duration:
                kept[index] = note
            continue
        if index is not None and kept[index].end > note.onset:
            left_out["ends of notes struck again"] += 1
            kept[index] = kept[index]._replace(duration=note.onset - kept[index].onset)
        last[key] = len(kept)
        kept.append(note)
    return tuple(kept)


def whole_bars(changes: Iterable[tuple[float, int, int]], left_out: Counter[str]) -> tuple[Meter, ...]:
    """Metres of which each begins a bar; a bar that a change cuts off becomes a metre of its own.

    Args:
        changes: tick, numerator, denominator; of several at one tick the last counts.
        left_out: counts those that are not a metre, such as 0/4, and those overruled at once.
    """
    at: dict[int, Meter] = {}
    for tick, numerator, denominator in sorted(changes, key=lambda change: change[0]):
        onset = _sixteenth(tick)
        if not _is_metre(numerator, denominator):
            left_out["impossible metres"] += 1
            continue
        while denominator > METER_DENOMINATORS[-1]:  # bars are whole sixteenths, so their numerators are even
            numerator, denominator = numerator // 2, denominator // 2
        if onset in at and at[onset][1:] != (numerator, denominator):
            left_out["metres overruled at once"] += 1
        at[onset] = Meter(onset, numerator, denominator)
    meters = [at.pop(0, COMMON_TIME)]
    for meter in at.values():
        cut_off = (meter.onset - meters[-1].onset) % meters[-1].bar
        if cut_off:
            short = _short_bar(meter.onset - cut_off, cut_off, meters[-1].denominator)
            if short.onset == meters[-1].onset:
                meters.pop()
            meters.append(short)
        meters.append(meter)
    return tuple(meter for index, meter in enumerate(meters) if not index or not _goes_on(meter, meters[index - 1]))


def believable_tempos(changes: Iterable[tuple[float, float]], left_out: Counter[str]) -> tuple[Tempo, ...]:
    """Tempos without those that cannot be, such as 0, and those that change nothing.

    Args:
        changes: tick, quarters a minute; of several at one tick the last counts.
        left_out: counts those that cannot be, and those overruled at once.
    """
    at: dict[int, float] = {}
    for tick, quarters in sorted(changes, key=lambda change: change[0]):
        # MIDI stores whole microseconds a quarter: 76 a minute comes back as 75.99997.
        pace, onset = round(float(quarters), 2), max(0, round(tick))
        if not SLOWEST <= pace <= FASTEST:  # also not a number
            left_out["impossible tempos"] += 1
            continue
        if at.get(onset, pace) != pace:
            left_out["tempos overruled at once"] += 1
        at[onset] = pace
    tempos = [Tempo(0, at.pop(0, MODERATO.quarters_per_minute))]
    tempos += [Tempo(onset, pace) for onset, pace in at.items()]
    return tuple(tempo for index, tempo in enumerate(tempos) if not index or tempo[1] != tempos[index - 1][1])


def assemble(
    name: str,
    tracks: Sequence[Track],
    notes: Iterable[Note],
    meters: Sequence[tuple[float, int, int]],
    tempos: Sequence[tuple[float, float]],
    left_out: Counter[str],
) -> Piece:
    """A piece from notes on the grid and from changes of metre and tempo as a file has them.

    What comes after the last note is left out, silences of more than `MAX_SILENCE` bars are shortened.

    Raises:
        ValueError: without notes, or if the piece is longer than `MAX_QUARTERS`; the message says which.
    """
    single = one_a_pitch(notes, left_out)
    if not single:
        raise ValueError("holds no notes")
    length = max(note.end for note in single)
    early_meters = [change for change in meters if _sixteenth(change[0]) < length]
    early_tempos = [change for change in tempos if round(change[0]) < length]
    left_out["metres after the last note"] += len(meters) - len(early_meters)
    left_out["tempos after the last note"] += len(tempos) - len(early_tempos)
    bars, paces = whole_bars(early_meters, left_out), believable_tempos(early_tempos, left_out)
    piece = _shorten_silence(Piece(name, tuple(tracks), single, length, bars, paces), left_out)
    if piece.length > MAX_QUARTERS * TICKS:
        raise ValueError(f"is {piece.length // TICKS} quarters long, but at most {MAX_QUARTERS} are read")
    return Piece(name, piece.tracks, piece.notes, piece.length, piece.meters, piece.tempos, dict(+left_out))


def _order(note: Note) -> tuple[int, int, int]:
    return note.onset, note.track, note.pitch


def _is_metre(numerator: int, denominator: int) -> bool:
    if numerator <= 0 or denominator <= 0 or denominator & (denominator - 1):
        return False
    bar, rest = divmod(4 * TICKS * numerator, denominator)
    return rest == 0 and 0 < bar <= MAX_BAR and bar % SIXTEENTH == 0


def _goes_on(meter: Meter, before: Meter) -> bool:
    """Whether a metre says nothing that the one before it does not say."""
    return meter[1:] == before[1:] and (meter.onset - before.onset) % before.bar == 0


def _short_bar(onset: int, ticks: int, denominator: int) -> Meter:
    """A bar of some sixteenths, in the denominator around it if that can say it."""
    while ticks * denominator % (4 * TICKS):
        denominator *= 2
    return Meter(onset, ticks * denominator // (4 * TICKS), denominator)


def _sixteenth(tick: float) -> int:
    """Where a metre may begin: a bar is cut off in sixteenths, or there would be no metre to call it by."""
    return max(0, round(tick / SIXTEENTH)) * SIXTEENTH


def _shorten_silence(piece: Piece, left_out: Counter[str]) -> Piece:
    """Take whole bars out of long silences, so that every bar line stays where it is among the notes."""
    cuts: list[tuple[int, int]] = []
    sounding = 0
    for note in piece.notes:
        if note.onset > sounding:
            cuts += _cuts(sounding, note.onset, piece.meters, left_out)
        sounding = max(sounding, note.end)
    if not cuts:
        return piece
    ends = [end for _, end in cuts]
    removed = [0, *accumulate(end - begin for begin, end in cuts)]

    def moved(tick: int) -> int:
        index = bisect.bisect_right(ends, tick)
        inside = max(0, tick - cuts[index][0]) if index < len(cuts) else 0
        return tick - removed[index] - inside

    tempos = {moved(tempo.onset): tempo.quarters_per_minute for tempo in piece.tempos}
    return Piece(
        piece.name,
        piece.tracks,
        tuple(note._replace(onset=moved(note.onset)) for note in piece.notes),
        moved(piece.length),
        tuple(meter._replace(onset=moved(meter.onset)) for meter in piece.meters),
        tuple(Tempo(onset, pace) for onset, pace in tempos.items()),
    )


def _cuts(begin: int, end: int, meters: Sequence[Meter], left_out: Counter[str]) -> list[tuple[int, int]]:
    """What to take out of a silence, from tick to tick: in each metre all bars beyond the first `MAX_SILENCE`."""
    cuts = []
    first = bisect.bisect_right([meter.onset for meter in meters], begin) - 1
    for index in range(first, len(meters)):
        meter = meters[index]
        stop = min(end, meters[index + 1].onset) if index + 1 < len(meters) else end
        bars = (stop - max(begin, meter.onset)) // meter.bar - MAX_SILENCE
        if bars > 0:
            left_out["bars of silence"] += bars
            cuts.append((stop - bars * meter.bar, stop))
        if stop == end:
            break
    return cuts
