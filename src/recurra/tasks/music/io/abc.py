"""ABC in: tunes of a file, each made plain by `abc_text`, timed by abc2midi, and played in the order of its signs."""

from __future__ import annotations

import bisect
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from recurra.errors import RecurraError
from recurra.tasks.music.io.abc2midi import PlayedTrack, run_abc2midi
from recurra.tasks.music.io.abc_text import (
    BAR_CHANNEL,
    CHORD_CHANNEL,
    DYNAMIC_CHANNEL,
    LOUDNESS,
    VOICE_CHANNEL,
    PlainTune,
    Voice,
)
from recurra.tasks.music.io.charsets import AUTO
from recurra.tasks.music.io.midi import require_symusic
from recurra.tasks.music.io.repeats import BarMarks
from recurra.tasks.music.io.score_files import explain, read_text
from recurra.tasks.music.io.score_lengths import check_length
from recurra.tasks.music.io.written import (
    DYNAMICS,
    UNITS,
    Sounding,
    WrittenBar,
    WrittenPart,
    WrittenScore,
    chord_part,
    cut,
    to_piece,
)
from recurra.tasks.music.pieces import MIDDLE_VELOCITY, Piece, Track

T = TypeVar("T")

Lines = list[tuple[int, str]]
"""Lines of a tune with their numbers in the file."""

BATCH = 50
"""Tunes that abc2midi is given at once."""

_FIELD = re.compile(r"[A-Za-z]:(?![|:])|%%")
_GOES_ON = re.compile(r"[VPKMLQw]:(?![|:])|\[V:|%%MIDI")
"""How music begins that goes on after an empty line."""


def read_abc(path: Path, expand: bool = True, charset: str = AUTO) -> tuple[Piece, ...]:
    """Read the tunes of one file.

    Chord symbols become a track of their own. Grace notes, ornaments and texts are not played but counted.

    Args:
        path: the file.
        expand: play what stands between repeat signs as often as they say; else once.
        charset: see `decode_score`.

    Raises:
        RecurraError: if it cannot be read, or no tune in it can; of several, those that cannot be read are counted.
    """
    require_symusic()
    try:
        tunes = list(split_tunes(read_text(path, charset)))
    except ValueError as error:
        raise RecurraError(f"{path} {explain(error)}; give another score") from error
    pieces: list[Piece] = []
    reasons: list[str] = []
    for begin in range(0, len(tunes), BATCH):
        names = [path.name + (f" #{begin + index}" if len(tunes) > 1 else "") for index in range(1, BATCH + 1)]
        for found in _read_tunes(tunes[begin : begin + BATCH], names, expand):
            if isinstance(found, Piece):
                pieces.append(found)
            else:
                reasons.append(explain(found))
    if not pieces:
        raise RecurraError(f"{path} {reasons[0] if reasons else 'holds no music'}; give another score")
    if reasons:
        counts = {**pieces[-1].left_out, "tunes that cannot be read": len(reasons)}
        pieces[-1] = replace(pieces[-1], left_out=counts)
    return tuple(pieces)


def split_tunes(text: str) -> Iterator[Lines]:
    """The lines of each tune, after the fields that stand before the first.

    A tune begins with X: and ends with an empty line, after which free text may follow; a file without X: is one tune.
    """
    lines = list(enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1))
    begins = [index for index, (_, line) in enumerate(lines) if line.startswith("X:")]
    if not begins:
        yield lines
        return
    fields = [(number, line) for number, line in lines[: begins[0]] if _FIELD.match(line) and line[0] not in "TPV"]
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        yield fields + _tune(lines[begin:end])


def _tune(lines: Lines) -> Lines:
    """The lines of a tune up to where it ends."""
    kept: Lines = []
    has_music, ended, empty = False, False, False
    for number, line in lines:
        if not line.strip():
            empty = has_music
            continue
        if empty:
            ended, empty = not _GOES_ON.match(line), False
        if not ended:
            kept.append((number, line))
            has_music = has_music or not _FIELD.match(line)
    return kept


def _read_tunes(tunes: Sequence[Lines], names: Sequence[str], expand: bool) -> list[Piece | ValueError]:
    """The piece that each tune is, or why it cannot be read."""
    counts = [Counter[str]() for _ in tunes]
    plain = [_plain(lines, left_out) for lines, left_out in zip(tunes, counts, strict=True)]
    texts = [tune.text for tune in plain if isinstance(tune, PlainTune)]
    timed = iter(run_abc2midi(texts) if texts else [])
    return [
        tune if isinstance(tune, ValueError) else _piece(tune, next(timed), name, expand, left_out)
        for tune, name, left_out in zip(plain, names, counts, strict=False)
    ]


def _plain(lines: Lines, left_out: Counter[str]) -> PlainTune | ValueError:
    try:
        tune = PlainTune(lines, left_out)
    except ValueError as error:
        return error
    return tune if any(voice.begun or voice.lines for voice in tune.voices) else ValueError("holds no notes")


def _piece(
    tune: PlainTune,
    timed: tuple[int, list[PlayedTrack]] | ValueError,
    name: str,
    expand: bool,
    left_out: Counter[str],
) -> Piece | ValueError:
    if isinstance(timed, ValueError):
        return timed
    ticks, tracks = timed
    try:
        return to_piece(_Timed(tune, tracks, UNITS / max(ticks, 1), left_out).score(name), left_out, expand)
    except ValueError as error:
        return error


class _Timed:
    """A tune with the times that abc2midi found."""

    def __init__(self, tune: PlainTune, tracks: Sequence[PlayedTrack], scale: float, left_out: Counter[str]) -> None:
        self.tune, self.tracks, self.scale, self.left_out = tune, tracks, scale, left_out
        meters = [(self._units(tick), (above, below)) for track in tracks for tick, above, below in track.meters]
        tempos = [(self._units(tick), pace) for track in tracks for tick, pace in track.tempos if tune.has_tempo]
        self.meters, self.tempos = sorted(meters, key=lambda meter: meter[0]), sorted(tempos)
        self.owned: dict[int, list[PlayedTrack]] = {}
        number = 0
        for track in tracks:  # an overlay follows its voice
            number = next((value for _, channel, value in track.programs if channel == VOICE_CHANNEL - 1), number)
            if number:
                self.owned.setdefault(number, []).append(track)

    def score(self, name: str) -> WrittenScore:
        bars = self._bars()
        lengths = [bar.length for bar in bars]
        parts = [WrittenPart(self._track(voice), cut(self._notes(voice), lengths)) for voice in self.tune.voices]
        symbols = sorted(symbol for voice in self.tune.voices for symbol in self._symbols(voice))
        parts += chord_part(symbols, lengths, self.left_out)
        title = f" ({self.tune.title})" if self.tune.title else ""
        return WrittenScore(name + title, bars, parts, self.tune.sections)

    def _units(self, tick: int) -> int:
        """abc2midi begins at tick 1."""
        return round(max(tick - 1, 0) * self.scale)

    def _marks(self, track: PlayedTrack, channel: int) -> list[int]:
        return [self._units(tick) for tick, found, _ in track.programs if found == channel - 1]

    def _main(self, voice: Voice) -> PlayedTrack:
        """The track of a voice that is no overlay."""
        return max(
            self.owned.get(voice.number, self.tracks[:1]), key=lambda track: len(self._marks(track, BAR_CHANNEL))
        )

    def _bars(self) -> list[WrittenBar]:
        """The bars of the voice that says most about their order."""
        guide = max(self.tune.voices, key=lambda voice: (sum(map(_signs, voice.bars)), len(voice.bars)))
        lines = [0, *self._marks(self._main(guide), BAR_CHANNEL)]
        marks = guide.bars
        if len(lines) != len(marks):
            self.left_out["repeats"] += sum(bar.written for bar in marks)
            marks = [BarMarks() for _ in lines]
        end = max((self._units(note.end) for track in self.tracks for note in track.notes), default=0)
        found: list[WrittenBar] = []
        carried = BarMarks()
        for begin, after, bar in zip(lines, [*lines[1:], max(end, lines[-1])], marks, strict=True):
            bar = _with(bar, carried)
            carried = BarMarks()
            if after > begin:
                found.append(self._timed(begin, after, bar))
                continue
            carried = BarMarks(bar.start, label=bar.label, segno=bar.segno, coda=bar.coda)
            if found:
                last = found[-1].marks
                last.times, last.jump = max(last.times, bar.times), last.jump or bar.jump
                last.fine, last.leave = last.fine or bar.fine, last.leave or bar.leave or bar.leave_before
        return found

    def _timed(self, begin: int, end: int, marks: BarMarks) -> WrittenBar:
        """A bar with its metre and tempos."""
        _, meter = _last(self.meters, begin, (0, (4, 4)))
        first, last = (bisect.bisect_left(self.tempos, (at, 0.0)) for at in (begin, end))
        return WrittenBar(end - begin, meter, [(at - begin, pace) for at, pace in self.tempos[first:last]], marks)

    def _notes(self, voice: Voice) -> list[Sounding]:
        changes = [
            (self._units(tick), DYNAMICS[LOUDNESS[value % len(LOUDNESS)]])
            for tick, channel, value in self._main(voice).programs
            if channel == DYNAMIC_CHANNEL - 1
        ]
        found = []
        for track in self.owned.get(voice.number, ()):
            for note in track.notes:
                begin, end = self._units(note.begin), self._units(note.end + 1)
                check_length(Fraction(end - begin, UNITS), voice.lines[-1] if voice.lines else 1)
                _, velocity = _last(changes, begin, (0, MIDDLE_VELOCITY))
                found.append(Sounding(begin, end, note.pitch, velocity))
        return sorted(found)

    def _symbols(self, voice: Voice) -> list[tuple[int, str]]:
        return list(zip(self._marks(self._main(voice), CHORD_CHANNEL), voice.chords, strict=False))

    def _track(self, voice: Voice) -> Track:
        name = voice.name or (f"Voice {voice.number}" if len(self.tune.voices) > 1 else "")
        return Track(" ".join(name.split()), voice.program, voice.drums)


def _last(changes: Sequence[tuple[int, T]], at: int, default: tuple[int, T]) -> tuple[int, T]:
    """The last of sorted changes that is not later than that."""
    index = bisect.bisect_right(changes, at, key=lambda change: change[0])
    return changes[index - 1] if index else default


def _signs(bar: BarMarks) -> int:
    return bar.start + bar.written + bool(bar.endings) + bool(bar.label) + bar.fine + bar.segno


def _with(bar: BarMarks, carried: BarMarks) -> BarMarks:
    """A bar with the signs of an empty one before it."""
    return replace(
        bar,
        start=bar.start or carried.start,
        label=bar.label or carried.label,
        segno=bar.segno or carried.segno,
        coda=bar.coda or carried.coda,
    )
