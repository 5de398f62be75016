"""What a piece comes to, in a few figures."""

from __future__ import annotations

from typing import Any

from recurra.tasks.music.harmony import estimate_key
from recurra.tasks.music.performance import SECOND
from recurra.tasks.music.pieces import Piece, bar_lines, has_pickup


def facts_of(piece: Piece) -> dict[str, Any]:
    """`notes`, the `key` where any has a pitch, and `bars` and `pickup`, or `seconds` of a performance."""
    pitched = [note for note in piece.notes if not piece.tracks[note.track].drums]
    key = estimate_key(pitched).name if pitched else None
    if piece.performance:
        return {"notes": len(piece.notes), "seconds": piece.length / SECOND, "key": key}
    bars = len(bar_lines(piece)) - 1 - has_pickup(piece)
    return {"notes": len(piece.notes), "bars": bars, "pickup": has_pickup(piece), "key": key}


def bar_at(piece: Piece, tick: int) -> int:
    """The number of the bar that a tick is in, as people count them: from 1, and 0 is the pickup."""
    return sum(line <= tick for line in bar_lines(piece)) - has_pickup(piece)
