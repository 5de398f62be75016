"""How much of a piece is copied: the longest passage it has in common with a corpus, in whatever key.

What is compared are moments: the ticks since the moment before, and the pitches that begin, whoever plays them. A pitch
that begins twice at once counts once; drums, and how long notes are held, do not count. Two passages are equal if their
moments are, but for one transposition; what came before the first moment of a passage, and when, is not a part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import IntArray
from recurra.tasks.music.packed_pieces import pack
from recurra.tasks.music.pieces import Note, Piece

Hashes = NDArray[np.uint64]
Places = IntArray

PITCHES = 128

SEEDS = 8
"""Hashes tried; that the first fail is next to impossible."""


class Copy(NamedTuple):
    """A passage of a piece that a corpus piece has too: of all such the one of most moments, of these that of most
    notes, of these the first in the piece, and of its copies the first in the corpus.

    `notes` begin in its `moments`, which is a `share` (0 to 1) of the piece's pitched notes. It lasts from tick `begin`
    until its last note ends at tick `end`, and is `transposition` semitones above what begins at tick `corpus_begin` of
    the corpus piece number `corpus_index`, which is called `corpus_name`.
    """

    notes: int
    moments: int
    begin: int
    end: int
    corpus_name: str
    corpus_index: int
    corpus_begin: int
    transposition: int
    share: float


class Moments(NamedTuple):
    """Moments of pieces, one piece after another.

    Attributes:
        first: the first moment of each piece, then how many there are; `(pieces + 1,)`.
        onsets: ticks, `(moments,)`.
        first_pitch: where the pitches of each moment begin, then how many there are; `(moments + 1,)`.
        pitches: rising in each moment, each once.
    """

    first: Places
    onsets: NDArray[np.int32]
    first_pitch: Places
    pitches: NDArray[np.uint8]

    def between(self, begin: int, end: int) -> tuple[Places, Places, Places]:
        """Ticks since the first, number of pitches, and pitches of the moments from `begin` until before `end`."""
        pitches = self.pitches[self.first_pitch[begin] : self.first_pitch[end]].astype(np.int64)
        onsets = self.onsets[begin:end].astype(np.int64)
        return onsets - onsets[0], np.diff(self.first_pitch[begin : end + 1]), pitches


@dataclass(frozen=True)
class Index:
    """A corpus made ready to be searched many times.

    Attributes:
        names: of its pieces.
        moments: theirs.
        steps: what each moment is, seen from the one before it: a hash of the ticks since then and of the pitches
            above that one's lowest; `(moments,)`.
        shapes: what each moment is alone: a hash of the pitches above its own lowest; `(moments,)`.
        order: moments with one before them, sorted by their step, then by place.
        seed: of the hashes.
    """

    names: tuple[str, ...]
    moments: Moments
    steps: Hashes
    shapes: Hashes
    order: Places
    seed: int


def longest_copy(piece: Piece, corpus: Sequence[Piece]) -> Copy | None:
    """The longest passage of a piece that a corpus piece has too, in whatever key; None if nothing sounds alike.

    For several pieces, `index_corpus` once and `find_copy` for each.
    """
    return find_copy(piece, index_corpus(corpus))


def index_corpus(corpus: Sequence[Piece]) -> Index:
    """Sort the moments of a corpus so that equal ones are found at once."""
    return index_stored(pack(corpus), [piece.name for piece in corpus])


def index_stored(arrays: Mapping[str, NDArray[Any]], names: Sequence[str]) -> Index:
    """The same of pieces as `recurra.tasks.music.packed_pieces.pack` stores them: no piece need be made for it."""
    return index_moments(moments_of(arrays), names)


def index_moments(moments: Moments, names: Sequence[str], seed: int = 0) -> Index:
    """The same of moments; hashes depend on `seed`; equal moments have equal ones with every seed."""
    steps, shapes = _hashes(moments, seed)
    order = np.argsort(steps, kind="stable")
    begins = np.zeros(len(steps), np.bool_)
    begins[moments.first[:-1][np.diff(moments.first) > 0]] = True
    return Index(tuple(names), moments, steps, shapes, order[~begins[order]], seed)


def find_copy(piece: Piece, index: Index) -> Copy | None:
    """The longest passage of a piece that a corpus has too.

    Hashes may find too much, about once in 2^64 comparisons, but never too little. What they find is compared note by
    note and, if it is not a copy, looked for again with other hashes: the answer is exact.
    """
    moments = moments_of(pack([piece]))
    weights = _notes_at(piece, moments.onsets)
    for seed in range(index.seed, index.seed + SEEDS):
        if seed != index.seed:
            index = index_moments(index.moments, index.names, seed)
        found = _search(moments, weights, index)
        if found is None:
            return None
        length, begin, position = found
        transposition = _transposition(moments, begin, index.moments, position, length)
        if transposition is not None:
            return _describe(piece, moments, found, index, transposition)
    raise AssertionError("what hashes find is never a copy")


def moments_of(arrays: Mapping[str, NDArray[Any]]) -> Moments:
    """The moments of pieces as `recurra.tasks.music.packed_pieces.pack` stores them, without drums."""
    pieces = len(arrays["length"])
    piece = np.repeat(np.arange(pieces), np.diff(arrays["first_note"]))
    pitched = arrays["drums"][arrays["first_track"][piece] + arrays["track"]] == 0
    piece, onset, pitch = (column[pitched] for column in (piece, arrays["onset"], arrays["pitch"]))
    order = np.lexsort((pitch, onset, piece))
    piece, onset, pitch = piece[order], onset[order], pitch[order]
    new_moment = np.ones(len(piece), np.bool_)
    new_moment[1:] = (piece[1:] != piece[:-1]) | (onset[1:] != onset[:-1])
    kept = new_moment.copy()
    kept[1:] |= pitch[1:] != pitch[:-1]
    begins = np.flatnonzero(new_moment[kept])
    return Moments(
        np.searchsorted(piece[kept][begins], np.arange(pieces + 1)),
        onset[kept][begins],
        np.append(begins, kept.sum()),
        pitch[kept],
    )


def _pitched(piece: Piece) -> list[Note]:
    return [note for note in piece.notes if not piece.tracks[note.track].drums]


def _notes_at(piece: Piece, onsets: NDArray[np.int32]) -> Places:
    """How many notes begin at each onset, doubled ones too."""
    begin = np.searchsorted(onsets, np.array([note.onset for note in _pitched(piece)], np.int32))
    return np.bincount(begin, minlength=len(onsets))


def _hashes(moments: Moments, seed: int) -> tuple[Hashes, Hashes]:
    """Steps and shapes: a set of numbers is the sum, modulo 2^64, of a random number for each."""
    table, factor = _random_numbers(seed)
    begins = moments.first_pitch[:-1]
    if not len(begins):
        return np.zeros(0, np.uint64), np.zeros(0, np.uint64)
    lowest = moments.pitches[begins].astype(np.int64)
    sizes = np.diff(moments.first_pitch)
    before = np.append(lowest[:1], lowest[:-1])
    delta = np.diff(moments.onsets, prepend=moments.onsets[:1]).astype(np.int64).view(np.uint64)
    shapes = np.add.reduceat(table[PITCHES + moments.pitches - np.repeat(lowest, sizes)], begins)
    steps = np.add.reduceat(table[PITCHES + moments.pitches - np.repeat(before, sizes)], begins) + delta * factor
    return steps, shapes


def _random_numbers(seed: int) -> tuple[Hashes, np.uint64]:
    """One for each difference of two pitches, and an odd one for ticks."""
    numbers = np.random.default_rng(seed).integers(2**64, size=2 * PITCHES + 1, dtype=np.uint64)
    return numbers[:-1], numbers[-1] | np.uint64(1)


def _search(moments: Moments, weights: Places, index: Index) -> tuple[int, int, int] | None:
    """How many moments are equal, the first of them in the piece, and in the corpus; by their hashes.

    The recurrence of the longest common substring, of which only what is not 0 is stored: run[k, j] is how many steps
    that end at moment k of the piece and at moment j of the corpus are equal, run[k - 1, j - 1] + 1 or 0.
    """
    steps, shapes = _hashes(moments, index.seed)
    sums = np.append(0, np.cumsum(weights))
    best = _search_single(shapes, weights, index.shapes)
    if best is None:
        return None
    most = (1, int(weights[best[1]]))
    sorted_steps = index.steps[index.order]
    lows, highs = (np.searchsorted(sorted_steps, steps, side) for side in ("left", "right"))
    run = np.zeros(len(index.steps), np.int32)
    stored = np.zeros(0, np.int64)
    for moment in range(1, len(steps)):
        indices = index.order[lows[moment] : highs[moment]]
        runs = run[indices - 1] + 1
        run[stored] = 0
        run[indices] = runs
        stored = indices
        if not len(indices) or runs.max() + 1 < most[0]:
            continue
        lengths = runs + (shapes[moment - runs] == index.shapes[indices - runs])
        found = int(lengths.argmax())
        length = int(lengths[found])
        begin = moment - length + 1
        score = (length, int(sums[moment + 1] - sums[begin]))
        if length > 1 and score > most:
            most, best = score, (length, begin, int(indices[found]) - length + 1)
    return best


def _search_single(shapes: Hashes, weights: Places, corpus: Hashes) -> tuple[int, int, int] | None:
    """The moment of most notes that is in the corpus by itself."""
    known = np.isin(shapes, corpus)
    if not known.any():
        return None
    begin = int(np.where(known, weights, -1).argmax())
    return 1, begin, int((corpus == shapes[begin]).argmax())


def _transposition(ours: Moments, begin: int, theirs: Moments, position: int, length: int) -> int | None:
    """Semitones between two passages of so many moments; None if they are not equal."""
    onsets, sizes, pitches = ours.between(begin, begin + length)
    other_onsets, other_sizes, other_pitches = theirs.between(position, position + length)
    if not (np.array_equal(onsets, other_onsets) and np.array_equal(sizes, other_sizes)):
        return None
    above = pitches - other_pitches
    return int(above[0]) if (above == above[0]).all() else None


def _describe(piece: Piece, moments: Moments, found: tuple[int, int, int], index: Index, transposition: int) -> Copy:
    length, begin, position = found
    pitched = _pitched(piece)
    first, last = int(moments.onsets[begin]), int(moments.onsets[begin + length - 1])
    inside = [note for note in pitched if first <= note.onset <= last]
    owner = int(np.searchsorted(index.moments.first, position, "right")) - 1
    return Copy(
        notes=len(inside),
        moments=length,
        begin=first,
        end=max(note.end for note in inside),
        corpus_name=index.names[owner],
        corpus_index=owner,
        corpus_begin=int(index.moments.onsets[position]),
        transposition=transposition,
        share=len(inside) / len(pitched),
    )


def longest_copy_reference(piece: Piece, corpus: Sequence[Piece]) -> Copy | None:
    """The same by comparing every pair of passages; for tests."""
    pitched = _pitched(piece)
    ours = _plain_moments(piece)
    best: Copy | None = None
    for begin in range(len(ours)):
        for index, other in enumerate(corpus):
            theirs = _plain_moments(other)
            for position in range(len(theirs)):
                length = _equal_moments(ours[begin:], theirs[position:])
                if not length:
                    continue
                first, last = ours[begin][0], ours[begin + length - 1][0]
                inside = [note for note in pitched if first <= note.onset <= last]
                if best is None or (length, len(inside)) > (best.moments, best.notes):
                    above = ours[begin][1][0] - theirs[position][1][0]
                    end, share = max(note.end for note in inside), len(inside) / len(pitched)
                    best = Copy(len(inside), length, first, end, other.name, index, theirs[position][0], above, share)
    return best


def _plain_moments(piece: Piece) -> list[tuple[int, list[int]]]:
    found: dict[int, set[int]] = {}
    for note in _pitched(piece):
        found.setdefault(note.onset, set()).add(note.pitch)
    return [(onset, sorted(pitches)) for onset, pitches in sorted(found.items())]


def _equal_moments(ours: Sequence[tuple[int, list[int]]], theirs: Sequence[tuple[int, list[int]]]) -> int:
    """How many moments two passages have in common from their beginnings on."""
    length = 0
    for (onset, pitches), (other_onset, other_pitches) in zip(ours, theirs, strict=False):
        shift = ours[0][1][0] - theirs[0][1][0]
        same_time = onset - ours[0][0] == other_onset - theirs[0][0]
        if not same_time or pitches != [pitch + shift for pitch in other_pitches]:
            break
        length += 1
    return length
