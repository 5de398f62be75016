"""Bach's chorales, the sample of music, from the corpus that comes with music21."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

from recurra.errors import RecurraError
from recurra.progress import bar
from recurra.tasks.music.io.score_files import musicxml_text, require_music21
from recurra.tasks.music.io.score_reader import ScoreReader
from recurra.tasks.music.pieces import Piece, Track

VOICES = ("Soprano", "Alto", "Tenor", "Bass")
"""The tracks of a chorale ..."""

CHOIR = tuple(Track(name, program=19) for name in VOICES)
"""... all played on an organ."""


@cache
def chorales() -> tuple[Piece, ...]:
    """Bach's four-part chorales as music21's corpus has them, in their own keys, sorted by number.

    The tracks are `VOICES`, no voice divided. What stands between repeat signs is there once: to hear it twice
    teaches nothing new. Reading them takes about twenty seconds, the first time.

    Raises:
        RecurraError: if music21 is not there or came without its corpus.
    """
    folder = Path(require_music21().__file__).parent / "corpus" / "bach"
    files = sorted(folder.glob("bwv*.mxl"), key=_in_catalogue)
    pieces = []
    four = [path for path in files if _voices(path) == VOICES]
    with bar("reading the chorales") as shown, ScoreReader(four, expand=False) as scores:
        for index, path in enumerate(four):
            pieces += [piece for piece in scores.read(path) if _is_chorale(piece)]
            shown.update((index + 1) / len(four), f"{len(pieces)} chorales")
    if not pieces:
        raise RecurraError(f"{folder} holds no chorales; install music21 again: pip install 'recurra[music]'")
    return tuple(replace(piece, name=Path(piece.name).stem, tracks=CHOIR) for piece in pieces)


def _in_catalogue(path: Path) -> list[tuple[int, str]]:
    """Numbers as numbers: BWV 9 before BWV 10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", path.name)]


def _voices(path: Path) -> tuple[str, ...]:
    """The names of the parts of a score, without reading all of it; many chorales have instruments as well."""
    return tuple(name.strip() for name in re.findall(r"<part-name[^>]*>([^<]*)<", musicxml_text(path)))


def _is_chorale(piece: Piece) -> bool:
    """Whether all four voices sing, each one note at a time."""
    for voice in range(len(VOICES)):
        own = [note for note in piece.notes if note.track == voice]
        if not own or any(note.end > following.onset for note, following in pairwise(own)):
            return False
    return tuple(track.name for track in piece.tracks) == VOICES
