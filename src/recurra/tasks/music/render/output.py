"""A piece into a file of whichever kind its name asks for, and the timing it is played with."""

from __future__ import annotations

from pathlib import Path

from recurra.errors import OptionError
from recurra.tasks.music.io.midi import write_midi
from recurra.tasks.music.pieces import TICKS, Piece
from recurra.tasks.music.render.musicxml import write_musicxml
from recurra.tasks.music.render.sound import FORMATS, render
from recurra.tasks.music.render.synthesizer import Timing

MIDI = (".mid", ".midi")
SCORES = (".musicxml", ".xml")

STRAIGHT, TRIPLET, MOST = 0.5, 2 / 3, 0.8
"""Share of a quarter that its first eighth takes: as written, as in a triplet, and the most there is."""


def require_known(path: Path, soundfont: Path | None = None, timing: Timing | None = None) -> None:
    """Refuse a name that no kind of file belongs to, or one whose kind has no place for what else is asked.

    Args:
        path: the file to write.
        soundfont: who plays; of sound only.
        timing: how it is played; a score does not know.

    Raises:
        OptionError: if so.
    """
    known = (*MIDI, *SCORES, *FORMATS)
    if path.suffix.lower() not in known:
        raise OptionError(f"{path}: its name must end in {', '.join(known[:-1])} or {known[-1]}")
    if soundfont and path.suffix.lower() not in FORMATS:
        raise OptionError(f"`soundfont` plays into a sound file, and {path} is not one; leave it out, or write .mp3")
    if timing and path.suffix.lower() in SCORES:
        raise OptionError(f"`swing` is played, not written, and {path} is a score; leave it out, or write .mid or .mp3")


def write_piece(piece: Piece, path: str | Path, soundfont: Path | None = None, timing: Timing | None = None) -> str:
    """Write a piece as MIDI, MusicXML (which knows no timing) or sound.

    Args:
        piece: what to write.
        path: where; its suffix says how.
        soundfont: who plays, see `render.sound.render`.
        timing: from a tick to the tick, maybe between two, at which it is played.

    Returns:
        What was written, in a few words.
    """
    path = Path(path)
    require_known(path)
    suffix = path.suffix.lower()
    if suffix in MIDI:
        write_midi(piece, path, timing)
        return "MIDI"
    if suffix in SCORES and piece.performance:
        raise OptionError(f"{piece.name} is a performance, which has no bars to write a score of; write .mid or .mp3")
    if suffix in SCORES:
        write_musicxml(piece, path)
        return "MusicXML"
    sound = render(piece, path, soundfont, timing)
    return f"{sound.seconds:.0f} seconds of sound, played by {sound.synthesizer}"


def swing(share: float) -> Timing | None:
    """The timing of swung eighths: the first of each two takes `share` of the quarter, the second what is left.

    Raises:
        OptionError: if the second would be longer than the first, or next to nothing.
    """
    if not STRAIGHT <= share <= MOST:
        raise OptionError(
            f"`swing` is {share}, but must be between {STRAIGHT} (straight) and {MOST}; {TRIPLET:.2f} is usual"
        )
    if share == STRAIGHT:
        return None

    def timing(tick: int) -> float:
        quarter, index = divmod(tick, TICKS)
        half = TICKS / 2
        inside = index * 2 * share if index < half else TICKS * share + (index - half) * 2 * (1 - share)
        return quarter * TICKS + inside

    return timing
