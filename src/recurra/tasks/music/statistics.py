"""The statistics by which composed pieces are compared with a corpus, and a picture of them.

Bars and beats are those of a piece's metres. A drum's pitch is not a height and its duration means nothing: drums count
in rhythm (`onset_in_bar`, `notes_per_bar`, `empty_beats`, `groove`) and repetition, not in pitch, duration and
polyphony. Performances have no beats: of them other things are measured, `PLAYED_SCALARS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import BoolArray, DoubleArray, IntArray
from recurra.explain.pictures import DPI, LINE_COLOURS
from recurra.files import write_atomic
from recurra.tasks.music.harmony import SCALES
from recurra.tasks.music.novelty import Copy
from recurra.tasks.music.performance import SECOND
from recurra.tasks.music.pieces import TICKS, Piece, bar_lines, beat_lines

WHOLE = 4 * TICKS
"""Longest duration with a bin of its own, ticks."""

OCTAVE = 12

HISTOGRAMS: Mapping[str, tuple[int, ...]] = {
    "pitch_class": tuple(range(OCTAVE)),
    "duration": tuple(range(1, WHOLE + 2)),
    "onset_in_bar": tuple(range(2 * WHOLE)),
    "melodic_interval": tuple(range(-OCTAVE - 1, OCTAVE + 2)),
}
"""What each bin counts; what is beyond an outer bin counts there.

- pitch_class: notes of each, C is 0 (Yang and Lerch 2020, PCH).
- duration: notes of each, in ticks (the note length histogram, NLH, of Yang and Lerch, on the grid).
- onset_in_bar: notes that begin so many ticks after the bar does.
- melodic_interval: semitones from each note of a track's top line to the next; the top line is the highest of the notes
  that begin at once (the skyline of Uitdenbogerd and Zobel 1998).
"""


class PieceArrays(NamedTuple):
    """A piece as columns.

    Attributes:
        onset, duration, pitch, track, velocity: of its notes, drums too.
        drums: whether it is a drum's, of each note.
        bars, beats: where they begin and where the last ends, ticks.
        bar: the bar in which each note begins.
    """

    onset: IntArray
    duration: IntArray
    pitch: IntArray
    track: IntArray
    velocity: IntArray
    drums: BoolArray
    bars: IntArray
    beats: IntArray
    bar: IntArray


@dataclass(frozen=True)
class Statistics:
    """What was measured on some pieces.

    Attributes:
        histograms: counts over all pieces, one a bin of `HISTOGRAMS`.
        scalars: a value of each of `SCALARS` a piece, `(pieces,)`; NaN where it has none.
    """

    histograms: Mapping[str, DoubleArray]
    scalars: Mapping[str, DoubleArray]

    def to_json(self) -> dict[str, Any]:
        """Shares of each bin, and means over pieces; plain values, None where nothing could be measured."""
        return {
            "histograms": {name: _shares(counts).tolist() for name, counts in self.histograms.items()},
            "scalars": {name: _over_pieces(np.mean, values) for name, values in self.scalars.items()},
        }


class Pair(NamedTuple):
    """A mean over made pieces, one over the corpus, and the corpus's standard deviation; None without a value."""

    made: float | None
    corpus: float | None
    corpus_deviation: float | None


@dataclass(frozen=True)
class Comparison:
    """How like a corpus some made pieces are.

    Attributes:
        made: what was measured on them.
        corpus: what was measured on the corpus.
        overlaps: of histograms, 0 (nothing in common) to 1 (the same), None if one of them is empty.
        scalars: means over pieces.
        copies: the longest passage of each made piece that the corpus has too, None if there is none.
    """

    made: Statistics
    corpus: Statistics
    overlaps: Mapping[str, float | None]
    scalars: Mapping[str, Pair]
    copies: tuple[tuple[Piece, Copy | None], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "overlaps": dict(self.overlaps),
            "scalars": {name: p._asdict() for name, p in self.scalars.items()},
            "pieces": [{"name": piece.name, "copy": copy and copy._asdict()} for piece, copy in self.copies],
            "count": len(self.copies),
        }

    def draw(self, path: str | Path) -> None:
        """Draw the histograms, a PNG; see `draw_statistics`."""
        draw_statistics(self.made, self.corpus, Path(path))


def measure(pieces: Iterable[Piece]) -> Statistics:
    """All statistics of some pieces."""
    pieces = list(pieces)
    played = any(piece.performance for piece in pieces)
    measured = PLAYED_SCALARS if played else SCALARS
    histograms = {name: np.zeros(len(bins)) for name, bins in HISTOGRAMS.items()}
    scalars: dict[str, list[float]] = {name: [] for name in measured}
    for piece in pieces:
        arrays = arrays_of(piece)
        for name, values in _histogram_values(arrays).items():
            if played and name in METRICAL:
                continue
            bins = HISTOGRAMS[name]
            indices = np.clip(values, bins[0], bins[-1]) - bins[0]
            histograms[name] += np.bincount(indices, minlength=len(bins))
        for name, scalar in measured.items():
            scalars[name].append(scalar(arrays))
    return Statistics(histograms, {name: np.array(values, np.float64) for name, values in scalars.items()})


def compare(made: Statistics, corpus: Statistics) -> Comparison:
    """How like a corpus some made pieces are.

    The overlap of two histograms is the area that is in both, the sum of the smaller share of each bin. (What Yang and
    Lerch 2020 call overlapped area is that of smoothed distributions of distances between pieces.)
    """
    scalars = {
        name: Pair(
            *(_over_pieces(*part) for part in ((np.mean, made.scalars[name]), (np.mean, values), (np.std, values)))
        )
        for name, values in corpus.scalars.items()
    }
    overlaps = {name: _overlap(made.histograms[name], corpus.histograms[name]) for name in HISTOGRAMS}
    return Comparison(made, corpus, overlaps, scalars)


def arrays_of(piece: Piece) -> PieceArrays:
    """A piece as columns."""
    onset, duration, pitch, velocity, track = np.array(piece.notes, np.int64).reshape(-1, 5).T
    drums = np.array([track.drums for track in piece.tracks], np.bool_)[track]
    bars = np.array(bar_lines(piece), np.int64)
    beats = np.array(beat_lines(piece), np.int64)
    bar = np.searchsorted(bars, onset, "right") - 1
    return PieceArrays(onset, duration, pitch, track, velocity, drums, bars, beats, bar)


def _histogram_values(arrays: PieceArrays) -> dict[str, IntArray]:
    pitched = ~arrays.drums
    return {
        "pitch_class": arrays.pitch[pitched] % OCTAVE,
        "duration": arrays.duration[pitched],
        "onset_in_bar": arrays.onset - arrays.bars[arrays.bar],
        "melodic_interval": _melodic_intervals(arrays),
    }


def _melodic_intervals(arrays: PieceArrays) -> IntArray:
    pitched = np.flatnonzero(~arrays.drums)
    order = pitched[np.lexsort((-arrays.pitch[pitched], arrays.onset[pitched], arrays.track[pitched]))]
    track, onset, pitch = arrays.track[order], arrays.onset[order], arrays.pitch[order]
    highest = np.ones(len(order), np.bool_)
    highest[1:] = (track[1:] != track[:-1]) | (onset[1:] != onset[:-1])
    track, pitch = track[highest], pitch[highest]
    intervals: IntArray = np.diff(pitch)[track[1:] == track[:-1]]
    return intervals


def polyphony(arrays: PieceArrays) -> float:
    """Mean number of notes sounding, over the time in which any does (MusPy, Dong et al. 2020).

    Mogren 2016 calls by this name the share of time in which at least two begin together.
    """
    pitched = ~arrays.drums
    return _divide(arrays.duration[pitched].sum(), _sounding(arrays, pitched).sum())


def pitch_range(arrays: PieceArrays) -> float:
    """Semitones from the lowest note to the highest (Yang and Lerch 2020, PR)."""
    pitches = arrays.pitch[~arrays.drums]
    return float(np.ptp(pitches)) if len(pitches) else np.nan


def notes_per_bar(arrays: PieceArrays) -> float:
    """Notes that begin in a bar, on average, drums too."""
    return _divide(len(arrays.onset), len(arrays.bars) - 1)


def scale_consistency(arrays: PieceArrays) -> float:
    """The largest share of notes in any one major or natural minor scale (Mogren 2016; MusPy, Dong et al. 2020).

    A natural minor scale has the pitch classes of a major one, so twelve sets are all there are.
    """
    counts = _pitch_classes(arrays)
    inside = [counts[[(tonic + step) % OCTAVE for step in SCALES["major"]]].sum() for tonic in range(OCTAVE)]
    return _divide(max(inside), counts.sum())


def pitch_class_entropy(arrays: PieceArrays) -> float:
    """Entropy of the pitch classes of the whole piece in bits, 0 to 3.58 (Wu and Yang 2020, who take it bar by bar)."""
    shares = _shares(_pitch_classes(arrays))
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum()) + 0.0 if len(shares) else np.nan


def empty_beats(arrays: PieceArrays) -> float:
    """Share of beats in which nothing sounds (pypianoroll's empty beat rate; Dong et al. 2018 count empty bars)."""
    if len(arrays.beats) < 2:
        return np.nan
    sounding = np.append(0, np.cumsum(_sounding(arrays, np.ones(len(arrays.onset), np.bool_))))
    limits = np.minimum(arrays.beats, len(sounding) - 1)
    return float((np.diff(sounding[limits]) == 0).mean())


def groove(arrays: PieceArrays) -> float:
    """Grooving pattern similarity (Wu and Yang 2020): 1 less the share of ticks at which two bars differ in whether a
    note begins, the mean over all pairs of bars of the piece's most frequent bar length.

    Positions are ticks, 48 a bar of 4/4, where the paper has 64: with a finer grid every similarity is higher.
    """
    lengths = np.diff(arrays.bars)
    if not len(lengths):
        return np.nan
    length = int(np.bincount(lengths).argmax())
    bars = int((lengths == length).sum())
    inside = lengths[arrays.bar] == length
    rank = np.cumsum(lengths == length) - 1
    onsets = np.zeros((bars, length), np.bool_)
    onsets[rank[arrays.bar[inside]], (arrays.onset - arrays.bars[arrays.bar])[inside]] = True
    filled = onsets.sum(axis=0)
    return 1.0 - _divide((filled * (bars - filled)).sum(), length * bars * (bars - 1) / 2)


def repeated_bars(arrays: PieceArrays) -> float:
    """Share of bars that are the same as an earlier one of the piece: every note's place, duration, pitch and track.

    Of bars in which a note begins; the same holds of the two below.
    """
    return _repetition(arrays, lambda notes, drums: notes)


def transposed_bars(arrays: PieceArrays) -> float:
    """Share of bars that are an earlier one, all notes but drums shifted by one interval or none."""

    def shape(notes: IntArray, drums: BoolArray) -> IntArray:
        pitch = np.where(drums, -1 - notes[:, 2], notes[:, 2] - notes[~drums, 2].min(initial=127))
        return np.column_stack([notes[:, :2], pitch, notes[:, 3]])

    return _repetition(arrays, shape)


def rhythm_bars(arrays: PieceArrays) -> float:
    """Share of bars that have the rhythm of an earlier one: where, how long, in which track, at any pitches."""
    return _repetition(arrays, lambda notes, drums: np.unique(notes[:, [0, 1, 3]], axis=0))


def _repetition(arrays: PieceArrays, shape: Callable[[IntArray, BoolArray], IntArray]) -> float:
    """Share of bars with notes whose `shape` an earlier bar of the same length has; its rows are sorted by place, track
    and pitch: (ticks after the bar line, duration, pitch, track).
    """
    notes = np.column_stack([arrays.onset - arrays.bars[arrays.bar], arrays.duration, arrays.pitch, arrays.track])
    order = np.lexsort((arrays.pitch, arrays.track, arrays.onset))
    notes, drums, bar = notes[order], arrays.drums[order], arrays.bar[order]
    begins = np.flatnonzero(np.diff(bar, prepend=-1))
    ends = np.append(begins, len(bar))[1:]
    lengths = np.diff(arrays.bars)
    seen = {
        (int(lengths[bar[begin]]), shape(notes[begin:end], drums[begin:end]).tobytes())
        for begin, end in zip(begins, ends, strict=True)
    }
    return 1.0 - _divide(len(seen), len(begins))


def _sounding(arrays: PieceArrays, which: BoolArray) -> BoolArray:
    """Whether any of these notes sounds, of each tick of the piece."""
    onset, duration = arrays.onset[which], arrays.duration[which]
    length = int((onset + duration).max(initial=0))
    changes = np.bincount(onset, minlength=length + 1) - np.bincount(onset + duration, minlength=length + 1)
    return np.cumsum(changes[:length]) > 0


def _pitch_classes(arrays: PieceArrays) -> IntArray:
    return np.bincount(arrays.pitch[~arrays.drums] % OCTAVE, minlength=OCTAVE)


SCALARS: Mapping[str, Callable[[PieceArrays], float]] = {
    "polyphony": polyphony,
    "pitch_range": pitch_range,
    "notes_per_bar": notes_per_bar,
    "scale_consistency": scale_consistency,
    "pitch_class_entropy": pitch_class_entropy,
    "empty_beats": empty_beats,
    "groove": groove,
    "repeated_bars": repeated_bars,
    "transposed_bars": transposed_bars,
    "rhythm_bars": rhythm_bars,
}
"""Of a piece; NaN where there is nothing to measure."""


def note_seconds(arrays: PieceArrays) -> float:
    """How long notes of a performance sound, on average, pedal included."""
    return _divide(arrays.duration.sum(), SECOND * len(arrays.duration))


def velocity(arrays: PieceArrays) -> float:
    """Mean velocity of the notes."""
    return float(arrays.velocity.mean()) if len(arrays.velocity) else np.nan


def velocity_deviation(arrays: PieceArrays) -> float:
    """Standard deviation of the velocities: how lively a performance is."""
    return float(arrays.velocity.std()) if len(arrays.velocity) else np.nan


PLAYED_SCALARS: Mapping[str, Callable[[PieceArrays], float]] = {
    "polyphony": polyphony,
    "pitch_range": pitch_range,
    "notes_per_second": notes_per_bar,
    "note_seconds": note_seconds,
    "velocity": velocity,
    "velocity_deviation": velocity_deviation,
    "scale_consistency": scale_consistency,
    "pitch_class_entropy": pitch_class_entropy,
}
"""Of a performance, whose bars are seconds."""

METRICAL = ("duration", "onset_in_bar")
"""Histograms that count in beats, which performances do not have; there they stay empty."""


def _divide(part: Any, whole: Any) -> float:
    return float(part / whole) if whole else np.nan


def _shares(counts: NDArray[Any]) -> DoubleArray:
    return np.asarray(counts / max(counts.sum(), 1), np.float64)


def _overlap(made: DoubleArray, corpus: DoubleArray) -> float | None:
    return float(np.minimum(_shares(made), _shares(corpus)).sum()) if made.any() and corpus.any() else None


def _over_pieces(summary: Callable[[DoubleArray], Any], values: DoubleArray) -> float | None:
    known = values[~np.isnan(values)]
    return float(summary(known)) if len(known) else None


PANELS: Mapping[str, str] = {
    "pitch_class": "pitch classes",
    "duration": "durations, quarter notes",
    "onset_in_bar": "onsets, quarter notes after the bar line",
    "melodic_interval": "melodic intervals, semitones",
}
"""What the picture shows, and its titles."""

PITCH_CLASS_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

SHOWN = 0.002
"""Share of a bin that is drawn."""

LABELS = 20
"""Of more bins, only whole quarter notes are labelled."""


def draw_statistics(made: Statistics, corpus: Statistics, path: Path) -> None:
    """Draw the histograms, made pieces against the corpus; bins below `SHOWN` in both are left out.

    Args:
        made: of the pieces a model made.
        corpus: of the pieces it learned from.
        path: the PNG to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.4), layout="constrained")
    overlaps = compare(made, corpus).overlaps
    for axes, (name, title) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        both = {"corpus": _shares(corpus.histograms[name]), "made": _shares(made.histograms[name])}
        used = np.flatnonzero(np.maximum(both["corpus"], both["made"]) >= SHOWN)
        for side, (label, shares) in enumerate(both.items()):
            indices = np.arange(len(used)) + 0.4 * side - 0.2
            axes.bar(indices, shares[used], 0.4, color=LINE_COLOURS[1 - side], label=label)
        labels = _labels(name, [HISTOGRAMS[name][index] for index in used])
        axes.set_xticks(list(labels), list(labels.values()))
        common = "nothing to compare" if overlaps[name] is None else f"overlap {overlaps[name]:.2f}"
        axes.set_title(f"{title}  ({common})", fontsize=10, loc="left")
        axes.set_ylabel("share")
        axes.grid(alpha=0.25, axis="y")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False)
    figure.supxlabel(f"bins below {SHOWN:.1%} in both are not drawn", fontsize=8)
    write_atomic(path, lambda temporary: figure.savefig(temporary, dpi=DPI, format="png"))


def _labels(name: str, bins: Sequence[int]) -> dict[int, str]:
    """What is written under which of the bins drawn."""
    if name == "pitch_class":
        return {index: PITCH_CLASS_NAMES[value] for index, value in enumerate(bins)}
    last = HISTOGRAMS[name][-1]
    if name == "melodic_interval":
        ends = {-last: "<", last: ">"}
        return {
            index: ends.get(value, str(value)) for index, value in enumerate(bins) if value in ends or value % 2 == 0
        }
    ends = {last: f"> {(last - 1) // TICKS}"} if name == "duration" else {}
    return {
        index: ends.get(value, str(Fraction(value, TICKS)))
        for index, value in enumerate(bins)
        if len(bins) <= LABELS or value in ends or value % TICKS == 0
    }
