"""A piano roll: pieces as one sees them at a glance, time to the right and pitch upwards."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from recurra.files import write_atomic
from recurra.tasks.music.pieces import Note, Piece
from recurra.tasks.music.render.bars import Bar, bars_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#2a6f97", "#c8553d", "#6a994e", "#d9a441", "#8d6a9f", "#3aa6a0", "#b5507a", "#5c6770")
"""Of tracks, in their order, over and over."""

SYSTEM = 8 * 48
"""Ticks in a row at most: eight bars of common time."""

SYSTEMS = 12
"""Rows in a picture at most, shared evenly by its pieces."""

PITCH_SPAN = 19
"""Semitones a row shows at least."""

WIDTH, LEFT, RIGHT = 13.0, 0.75, 0.25
"""Of the picture and its margins, inches."""

SEMITONE = 0.062
"""Height of a pitch, inches; a row is `TALLEST` at most."""

TALLEST = 3.2

DRUM_ROW = 0.15
"""Height of a drum's line, inches."""

TITLE, GAP = 0.5, 0.3
"""Height of a piece's title with its legend, and of the space above a row for bar numbers, inches."""

LEGEND_ROOM = 3.5
"""What the longest name in the legend needs, inches."""

NUMBER_ROOM = 10
"""Ticks between two bar numbers at least."""

DPI = 130

BLACK_KEYS = (1, 3, 6, 8, 10)

DRUM_NAMES = (
    "bass drum 2", "bass drum", "side stick", "snare", "hand clap", "snare 2", "low floor tom", "closed hi-hat",
    "high floor tom", "pedal hi-hat", "low tom", "open hi-hat", "low-mid tom", "high-mid tom", "crash", "high tom",
    "ride", "china", "ride bell", "tambourine", "splash", "cowbell", "crash 2", "vibraslap", "ride 2", "high bongo",
    "low bongo", "mute high conga", "open high conga", "low conga", "high timbale", "low timbale", "high agogo",
    "low agogo", "cabasa", "maracas", "short whistle", "long whistle", "short guiro", "long guiro", "claves",
    "high wood block", "low wood block", "mute cuica", "open cuica", "mute triangle", "open triangle",
)  # fmt: skip
"""General MIDI's, from number 35 on."""


class _Plan(NamedTuple):
    """What of a piece is drawn.

    Attributes:
        piece: the piece.
        systems: its bars, row by row.
        total: bars the piece has.
        lowest: the lowest pitch shown.
        highest: the highest.
        drums: instruments struck, the lowest first.
    """

    piece: Piece
    systems: list[list[Bar]]
    total: int
    lowest: int
    highest: int
    drums: list[int]

    @property
    def pitched_height(self) -> float:
        """Inches of a row without drums; none if there are only drums."""
        return min(TALLEST, SEMITONE * (self.highest - self.lowest + 1)) if self.highest >= self.lowest else 0.0

    @property
    def drum_height(self) -> float:
        """Inches of a row's drums."""
        return DRUM_ROW * len(self.drums)

    @property
    def height(self) -> float:
        """Inches of the piece with its title."""
        return 0.15 + TITLE + len(self.systems) * (GAP + self.pitched_height + self.drum_height)


def draw_roll(pieces: Sequence[Piece], path: Path, primed: int = 0) -> None:
    """Draw pieces one below the other, bar by bar, each in as many rows as it needs but `SYSTEMS` in all.

    Args:
        pieces: at least one.
        path: the PNG to write.
        primed: a tick at which something given ends, marked in each; 0 for none.

    Raises:
        RecurraError: if the file cannot be written.
    """
    from matplotlib.figure import Figure

    plans = [_plan(piece, max(1, SYSTEMS // len(pieces))) for piece in pieces]
    height = sum(plan.height for plan in plans) + 0.45
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    top = height - 0.08
    for plan in plans:
        _draw_piece(figure, plan, top, primed)
        top -= plan.height
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        write_atomic(path, lambda temporary: figure.savefig(temporary, dpi=DPI, format="png"))


def drum_name(pitch: int) -> str:
    """General MIDI's name of a drum, or its number."""
    return DRUM_NAMES[pitch - 35] if 35 <= pitch < 35 + len(DRUM_NAMES) else f"drum {pitch}"


def into_systems(bars: Sequence[Bar]) -> list[list[Bar]]:
    """Bars in rows of at most `SYSTEM` ticks, or one bar; a piece of one row's length and a half stays together."""
    room = SYSTEM
    if bars[-1].end - bars[0].begin <= SYSTEM * 3 // 2:
        room = SYSTEM * 3 // 2
    systems: list[list[Bar]] = [[]]
    for bar in bars:
        if systems[-1] and bar.end - systems[-1][0].begin > room:
            systems.append([])
        systems[-1].append(bar)
    return systems


def _plan(piece: Piece, most: int) -> _Plan:
    bars = bars_of(piece)
    systems = into_systems(bars)[:most]
    end = systems[-1][-1].end
    seen = [note for note in piece.notes if note.onset < end]
    pitches = [note.pitch for note in seen if not piece.tracks[note.track].drums]
    lowest, highest = (min(pitches) - 2, max(pitches) + 2) if pitches else (0, -1)
    if pitches:
        missing = max(0, PITCH_SPAN - (highest - lowest + 1))
        lowest, highest = lowest - missing // 2, highest + (missing + 1) // 2
    drums = sorted({note.pitch for note in seen if piece.tracks[note.track].drums})
    return _Plan(piece, systems, len(bars), lowest, highest, drums)


def _draw_piece(figure: Figure, plan: _Plan, top: float, primed: int) -> None:
    _draw_title(figure, plan, top)
    width = max(system[-1].end - system[0].begin for system in plan.systems)
    top -= TITLE
    for system in plan.systems:
        top -= GAP
        shown = (system[-1].end - system[0].begin) / width
        if plan.pitched_height:
            top -= plan.pitched_height
            axes = _axes(figure, top, plan.pitched_height, shown, system)
            _draw_keys(axes, plan)
            _draw_notes(axes, plan, system, drums=False)
            _finish(axes, system, primed, numbered=True)
        if plan.drums:
            top -= plan.drum_height
            axes = _axes(figure, top, plan.drum_height, shown, system)
            axes.set_ylim(-0.5, len(plan.drums) - 0.5)
            axes.set_yticks(range(len(plan.drums)), [drum_name(pitch) for pitch in plan.drums], fontsize=5.5)
            axes.set_facecolor("#fbf9f5")
            _draw_notes(axes, plan, system, drums=True)
            _finish(axes, system, primed, numbered=not plan.pitched_height)


def _axes(figure: Figure, bottom: float, height: float, shown: float, system: Sequence[Bar]) -> Axes:
    width, full = figure.get_size_inches()
    axes = figure.add_axes((LEFT / width, bottom / full, shown * (width - LEFT - RIGHT) / width, height / full))
    axes.set_xlim(system[0].begin, system[-1].end)
    return axes


def _draw_title(figure: Figure, plan: _Plan, top: float) -> None:
    width, height = figure.get_size_inches()
    drawn = [bar for system in plan.systems for bar in system]
    title = figure.text(
        LEFT / width, (top - 0.1) / height, _shown(plan.piece.name, 70), fontsize=12, weight="bold", va="top"
    )
    title.set_parse_math(False)
    if len(drawn) < plan.total:
        note = f"bars {drawn[0].number} to {drawn[-1].number}, the first {len(drawn)} of {plan.total}"
        figure.text(1 - RIGHT / width, (top - 0.12) / height, note, fontsize=9, color="#666666", va="top", ha="right")
    position = LEFT
    for number, track in enumerate(plan.piece.tracks):
        name = _shown(track.name) or ("drums" if track.drums else f"track {number + 1}")
        more = len(plan.piece.tracks) - number
        if more > 1 and position > WIDTH - LEGEND_ROOM:
            figure.text(position / width, (top - 0.42) / height, f"and {more} more", fontsize=8.5, va="center")
            break
        figure.text(position / width, (top - 0.42) / height, "\u25a0", fontsize=10, color=_colour(number), va="center")
        label = figure.text((position + 0.16) / width, (top - 0.42) / height, name, fontsize=8.5, va="center")
        label.set_parse_math(False)
        position += 0.45 + 0.075 * len(name)


def _shown(name: str, most: int = 30) -> str:
    """A name on one line, cut if it is long."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    return line if len(line) <= most else line[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _draw_keys(axes: Axes, plan: _Plan) -> None:
    axes.set_ylim(plan.lowest - 0.5, plan.highest + 0.5)
    for pitch in range(plan.lowest, plan.highest + 1):
        if pitch % 12 in BLACK_KEYS:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="#f1efe9", linewidth=0, zorder=0)
        if pitch % 12 == 0:
            axes.axhline(pitch - 0.5, color="#b9b4a8", linewidth=0.6, zorder=1)
    octaves = [pitch for pitch in range(plan.lowest, plan.highest + 1) if pitch % 12 == 0]
    axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves], fontsize=8)


def _draw_notes(axes: Axes, plan: _Plan, system: Sequence[Bar], drums: bool) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    begin, end = system[0].begin, system[-1].end
    shapes, faces, edges = [], [], []
    for note in plan.piece.notes:
        if note.onset >= end or note.end <= begin or plan.piece.tracks[note.track].drums != drums:
            continue
        row = plan.drums.index(note.pitch) if drums else note.pitch
        shapes.append(_corners(note, row))
        faces.append(to_rgba(_colour(note.track), 0.3 + 0.65 * note.velocity / 127))
        edges.append(to_rgba(_colour(note.track)))
    axes.add_collection(PolyCollection(shapes, facecolors=faces, edgecolors=edges, linewidths=0.6, zorder=3))


def _corners(note: Note, row: int) -> list[tuple[float, float]]:
    left, right = note.onset + 0.25, note.end - 0.25
    return [(left, row - 0.4), (right, row - 0.4), (right, row + 0.4), (left, row + 0.4)]


def _finish(axes: Axes, system: Sequence[Bar], primed: int, numbered: bool) -> None:
    numbers_end = system[0].begin
    for bar in system:
        axes.axvline(bar.begin, color="#8c877b", linewidth=0.9, zorder=2)
        for beat in range(bar.begin + bar.meter.beat, bar.end, bar.meter.beat) if bar.meter.beat >= 3 else ():
            axes.axvline(beat, color="#d8d4ca", linewidth=0.5, zorder=1)
        if numbered and bar.begin >= numbers_end:
            _annotate(axes, str(bar.number), bar.begin, color="#666666", fontsize=7.5)
            numbers_end = bar.begin + NUMBER_ROOM
    if system[0].begin < primed <= system[-1].end:
        axes.axvline(primed, color="#111111", linewidth=1.8, zorder=4)
        if numbered:
            _annotate(axes, "given \u25c2", primed, ha="right", fontsize=8, weight="bold", backgroundcolor="white")
    axes.set_xticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_color("#8c877b")


def _annotate(axes: Axes, text: str, tick: int, **style: Any) -> None:
    """Write above a row, at a tick."""
    offset = (-2, 2.5) if style.get("ha") == "right" else (1, 2.5)
    if "backgroundcolor" in style:
        style["bbox"] = {"facecolor": style.pop("backgroundcolor"), "edgecolor": "none", "pad": 0.5}
    axes.annotate(text, (tick, 1), offset, xycoords=("data", "axes fraction"), textcoords="offset points", **style)


def _colour(track: int) -> str:
    return COLOURS[track % len(COLOURS)]
