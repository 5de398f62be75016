"""abc2midi, which comes with symusic: run as a process of its own, with limits, and what it writes read.

It is a program in C that is given strangers' files: it may crash, fill memory or never end. It never sees a tune as it
was written, only what `abc_text` makes of it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from recurra.tasks.music.io.midi import require_symusic
from recurra.tasks.music.io.midi_events import META, Event, parse
from recurra.tasks.music.io.midi_playing import METRE, TEMPO

SECONDS = 10
"""A run may take; a tune takes a few thousandths."""

MAX_MEMORY = 512 * 2**20
"""Bytes it may use."""

MAX_OUTPUT = 16 * 2**20
"""Bytes it may write."""

OPTIONS = ("-silent", "-NGUI", "-NGRA", "-NFER", "-NCOM")
"""Chord symbols, grace notes and fermatas are not played: a `Piece` has its own way with them."""

LIMITED = f'ulimit -t {SECONDS}; ulimit -v {MAX_MEMORY // 1024} 2>&-; ulimit -f {MAX_OUTPUT // 512}; exec "$@"'


class Played(NamedTuple):
    """A note: `begin` and `end` in ticks, its channel from 0."""

    begin: int
    end: int
    pitch: int
    velocity: int
    channel: int


class PlayedTrack(NamedTuple):
    """What one track says, in ticks; `programs` are `(tick, channel, program)`, in the order they are written."""

    notes: list[Played]
    programs: list[tuple[int, int, int]]
    tempos: list[tuple[int, float]]
    meters: list[tuple[int, int, int]]


def run_abc2midi(texts: Sequence[str]) -> list[tuple[int, list[PlayedTrack]] | ValueError]:
    """Ticks a quarter, and the tracks, of each tune.

    Args:
        texts: plain tunes, without the field X:.

    Returns:
        For each what it says, or why it cannot be read; the message goes on after the file's name.
    """
    found = [_read(data) for data in _run(texts)]
    for number, text in enumerate(texts):
        if len(texts) > 1 and isinstance(found[number], ValueError):  # where one fails, those after it do
            (found[number],) = run_abc2midi([text])
    return found


def _read(data: bytes) -> tuple[int, list[PlayedTrack]] | ValueError:
    try:
        file = parse(data)
    except ValueError:
        file = None
    if file is None or file.faults:
        return ValueError("cannot be read (abc2midi makes nothing of it)")
    return int(file.ticks), [_track(track.events) for track in file.tracks]


def _run(texts: Sequence[str]) -> list[bytes]:
    """The MIDI files that abc2midi makes of tunes; empty for those of which it makes none."""
    require_symusic()  # which says where abc2midi is
    program = os.environ["SYMUSIC_ABC2MIDI"]
    with tempfile.TemporaryDirectory(prefix="recurra-") as folder:
        source = Path(folder, "tune.abc")
        tunes = "\n".join(f"X:{number}\n{text}" for number, text in enumerate(texts, 1))
        source.write_bytes(tunes.encode("latin-1", "replace"))
        command = [program, source.name, *OPTIONS]
        posix = os.name == "posix"
        if posix:  # waiting without a time limit is much faster, and it cannot do anything but use the processor
            command = ["/bin/sh", "-c", LIMITED, "sh", *command]
        silent, limit = subprocess.DEVNULL, None if posix else SECONDS
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, cwd=folder, stdin=silent, stdout=silent, stderr=silent, timeout=limit, check=False)
        files = [Path(folder, f"tune{number}.mid") for number in range(1, len(texts) + 1)]
        return [file.read_bytes() if file.is_file() else b"" for file in files]


def _track(events: Sequence[Event]) -> PlayedTrack:
    """The events of one track; those of one moment stay in order. The first tick is abc2midi's 1."""
    found = PlayedTrack([], [], [], [])
    sounding: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for tick, status, first, second, data in events:
        kind, channel = status >> 4, status & 15
        if status == META:
            _meta(found, tick, first, data)
        elif kind == 0xC:
            found.programs.append((tick, channel, first))
        elif kind == 0x9 and second:
            sounding.setdefault((channel, first), []).append((tick, second))
        elif kind in (0x8, 0x9) and (begun := sounding.get((channel, first))):
            begin, velocity = begun.pop(0)
            found.notes.append(Played(begin, tick, first, velocity, channel))
    return found


def _meta(found: PlayedTrack, tick: int, kind: int, body: bytes) -> None:
    if kind == TEMPO and len(body) == 3:
        found.tempos.append((tick, 60e6 / max(int.from_bytes(body, "big"), 1)))
    elif kind == METRE and len(body) >= 2:
        found.meters.append((tick, body[0], 1 << min(body[1], 16)))
