"""Scores read by several processes, each of which leaves what it read in a file, as the cache keeps it.

They are started anew, neither forked nor handed pickles: they know nothing of this process's threads, and run no
script of the user's a second time.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from recurra.errors import RecurraError, os_errors
from recurra.tasks.music.io import score_cache
from recurra.tasks.music.pieces import Piece


class ScoreProcesses:
    """Processes that begin to read scores when this is entered, and are ended when it is left, whatever they do.

    Args:
        paths: of the scores, each once.
        expand: see `scores.read_score`.
        charset: likewise.
        count: of processes.
    """

    def __init__(self, paths: Sequence[Path], expand: bool, charset: str, count: int) -> None:
        self._numbers = {path: number for number, path in enumerate(paths)}
        self._expand, self._charset = expand, charset
        self._workers = [_Worker() for _ in range(count)]
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._threads = ThreadPoolExecutor(count)
        self._begun: list[Future[None]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="recurra-")

    def __enter__(self) -> ScoreProcesses:
        for worker in self._workers:
            self._idle.put(worker)
        self._begun = [self._threads.submit(self._ask, path) for path in self._numbers]
        return self

    def __exit__(self, *exception: object) -> None:
        for future in self._begun:
            future.cancel()
        for worker in self._workers:
            worker.stop()
        self._threads.shutdown()
        self._folder.cleanup()

    def result(self, path: Path) -> tuple[Piece, ...] | None:
        """What a score was read as, once; None if it cannot be handed over, or was not among the paths.

        Raises:
            RecurraError: as `read_score`, or if the process ended.
        """
        if path not in self._numbers:
            return None
        self._begun[self._numbers[path]].result()
        pieces = score_cache.load(self._file(path))
        self._file(path).unlink(missing_ok=True)
        return pieces

    def _file(self, path: Path) -> Path:
        return Path(self._folder.name, f"{self._numbers[path]}.safetensors")

    def _ask(self, path: Path) -> None:
        worker = self._idle.get()
        try:
            worker.read(path, self._file(path), self._expand, self._charset)
        finally:
            self._idle.put(worker)


class _Worker:
    """A process that reads one score after another, see `score_worker`; it is started when it is first asked."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def read(self, path: Path, out: Path, expand: bool, charset: str) -> None:
        """Let it read a score, and write it to `out`.

        Raises:
            RecurraError: as `read_score`, or if the process ended.
        """
        if self._process is None and not self._stopped:
            self._process = _started()
        answer = _answer(self._process, [str(path), str(out), expand, charset]) if self._process else None
        if answer is None:
            self._end()
            raise RecurraError(f"{path} cannot be read: the process that read it was ended; is there memory enough?")
        if answer:
            raise RecurraError(answer)

    def stop(self) -> None:
        """End it, whatever it is doing, for good."""
        self._stopped = True
        self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()


def _started() -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "recurra.tasks.music.io.score_worker"]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with os_errors("starting", sys.executable):
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing, env=environment, encoding="ascii")


def _answer(process: subprocess.Popen[str], request: list[object]) -> str | None:
    """Why a score cannot be read, nothing if it can; None if the process has ended."""
    if process.stdin is None or process.stdout is None:
        return None
    try:
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except (OSError, ValueError):
        return None
    return str(json.loads(line)[0]) if line else None
