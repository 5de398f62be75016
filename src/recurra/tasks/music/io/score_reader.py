"""Many scores: those that were read before from the cache, the others by several processes where that is faster."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from recurra.devices import available_cores
from recurra.errors import RecurraError
from recurra.progress import note
from recurra.tasks.music.io import score_cache
from recurra.tasks.music.io.charsets import AUTO
from recurra.tasks.music.io.score_processes import ScoreProcesses
from recurra.tasks.music.io.scores import read_score
from recurra.tasks.music.pieces import Piece

SECONDS_A_BYTE = {".xml": 1e-6, ".musicxml": 1e-6, ".mxl": 15e-6, ".krn": 15e-6, ".abc": 8e-6}
"""What reading takes, roughly: .mxl is compressed, .krn says much in few letters."""

WORTH_IT = 2.0
"""Seconds that reading must take for several processes to be started; each takes half a second to start."""

MAX_PROCESSES = 16
"""Each holds music21 and a score in memory: some 200 MB."""


class ScoreReader:
    """Reads scores one by one, as `scores.read_score` does, but begins with those to come as soon as it is entered.

    Args:
        paths: of the scores, in the order in which they will be read.
        expand: see `read_score`.
        charset: likewise.
        processes: how many; if not given, as many as there are cores, if it pays.
    """

    def __init__(
        self, paths: Sequence[Path], expand: bool = True, charset: str = AUTO, processes: int | None = None
    ) -> None:
        self._expand, self._charset = expand, charset
        self._folder = score_cache.cache_folder()
        self._may_store = True
        self._entries: dict[Path, Path | None] = {}
        new = [path for path in dict.fromkeys(paths) if not self._is_kept(path)]
        count = _processes_for(new) if processes is None else min(processes, len(new))
        self._processes = ScoreProcesses(new, expand, charset, count) if count > 1 else None

    def __enter__(self) -> ScoreReader:
        if self._processes is not None:
            self._processes.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._processes is not None:
            self._processes.__exit__(*exception)

    def read(self, path: Path) -> tuple[Piece, ...]:
        """The pieces of a score.

        Raises:
            RecurraError: as `read_score`, or if the process that read it ended.
        """
        entry = self._entry(path)
        kept = score_cache.load(entry) if entry else None
        if kept is not None:
            return kept
        pieces = self._processes.result(path) if self._processes is not None else None
        if pieces is None:
            pieces = read_score(path, self._expand, self._charset)
        if entry and self._may_store:
            self._may_store = score_cache.store(entry, pieces)
            if not self._may_store:
                note(
                    f"what scores are read as is not kept: {entry.parent} cannot be written; name another folder "
                    f"with {score_cache.VARIABLE}, or set it to {score_cache.OFF}"
                )
        return pieces

    def _entry(self, path: Path) -> Path | None:
        """Where a score is kept, if it is."""
        if self._folder is None:
            return None
        if path not in self._entries:
            self._entries[path] = self._folder / score_cache.entry_name(path, self._expand, self._charset)
        return self._entries[path]

    def _is_kept(self, path: Path) -> bool:
        try:
            entry = self._entry(path)
        except RecurraError:  # which is told when its turn comes
            return True
        return entry is not None and entry.is_file()


def _processes_for(paths: Sequence[Path]) -> int:
    """How many processes are worth while for these scores."""
    seconds = sum(SECONDS_A_BYTE.get(path.suffix.lower(), 0.0) * _size(path) for path in paths)
    if len(paths) < 2 or seconds < WORTH_IT or not sys.executable:
        return 1
    beside = max(int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)  # all processes of a launcher read
    return min(available_cores() // beside, MAX_PROCESSES, len(paths))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
