"""Where the bars of a piece are."""

from __future__ import annotations

from typing import NamedTuple

from recurra.tasks.music.pieces import Meter, Piece, has_pickup


class Bar(NamedTuple):
    """A bar.

    Attributes:
        begin: its first tick.
        end: the first tick of the next.
        number: as musicians count: a pickup is 0, the first whole bar 1; of performances, the second, from 0.
        meter: as it would be written: of a pickup, that of the bar after it.
    """

    begin: int
    end: int
    number: int
    meter: Meter

    @property
    def whole(self) -> bool:
        """Whether it is as long as its metre says."""
        return self.end - self.begin == self.meter.bar


def bars_of(piece: Piece) -> list[Bar]:
    """The bars of a piece, at least one; others end where a metre begins.

    The last may reach beyond the piece's end, unless it and a pickup make a whole bar, as is the custom.
    """
    pickup = has_pickup(piece)
    found: list[Bar] = []
    end = max(piece.length, 1)
    first = int(not pickup and not piece.performance)
    for index, meter in enumerate(piece.meters):
        last = index + 1 == len(piece.meters)
        limit = end if last else piece.meters[index + 1].onset
        written = piece.meters[1] if pickup and index == 0 else meter
        for begin in range(meter.onset, min(limit, end), max(1, meter.bar)):
            finish = begin + max(1, meter.bar)
            found.append(Bar(begin, finish if last else min(finish, limit), len(found) + first, written))
    if pickup and end - found[-1].begin + found[0].end == found[-1].meter.bar:
        found[-1] = found[-1]._replace(end=end)
    return found
