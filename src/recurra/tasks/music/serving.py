"""How music models are served: a piece as MIDI, as notes, and as a score."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar

from recurra.config import Range
from recurra.decoding.sampling import Sampling
from recurra.serve.contract import Endpoint, Json, Part
from recurra.serve.errors import FieldError
from recurra.serve.fields import Request
from recurra.tasks.music.composer import AnyComposer, Composer
from recurra.tasks.music.constraints import Controls
from recurra.tasks.music.facts import bar_at, facts_of
from recurra.tasks.music.io.midi import midi_bytes
from recurra.tasks.music.novelty import Copy
from recurra.tasks.music.pieces import TICKS, Piece, bar_lines
from recurra.tasks.music.render.musicxml import musicxml
from recurra.tasks.music.render.score import check_size, svg_pages
from recurra.tasks.music.render.synthesizer import note_seconds

MAX_BARS, MAX_SECONDS = 256, 600.0
"""Longest piece and longest performance that a server composes."""


@dataclass(frozen=True, kw_only=True)
class Composition(Controls, Sampling, Request):
    """A piece to be composed."""

    unsupported: ClassVar[Mapping[str, tuple[Any, ...]]] = {"melody": (), "prime": ()}

    bars: Annotated[int | None, Range(1, MAX_BARS)] = Controls.bars
    """Bars in all; 16 if not given."""
    seconds: Annotated[float | None, Range(0.1, MAX_SECONDS)] = Controls.seconds
    """Length of a performance, by a model of them; 30 if not given."""
    meter: str | None = Controls.meter
    """Metre, such as 3/4; the one the model knows best if not given."""
    seed: Annotated[int | None, Range(0, 2**63 - 1)] = Sampling.seed
    """Seed of the choices: the same piece as `recurra music compose --seed`; a new one each time if not given."""
    tempo: Annotated[float | None, Range(10, 1000)] = None
    """Quarter notes a minute; what is usual if not given."""
    score: bool = False
    """Engrave the score too: MusicXML, and an SVG a page."""


def compose(model: AnyComposer, request: Composition) -> Json:
    """Compose a piece."""
    controls = Controls(**{field.name: getattr(request, field.name) for field in fields(Controls)})
    sampling = Sampling(**{field.name: getattr(request, field.name) for field in fields(Sampling)}).seeded()
    piece = model.compose(controls, sampling, tempo=request.tempo, name=f"{model.name}, seed {sampling.seed}")
    copy = model.longest_copy(piece)
    answer = {
        "name": piece.name,
        "seed": sampling.seed,
        **facts_of(piece),
        "midi": base64.b64encode(midi_bytes(piece)).decode(),
        "roll": roll(piece),
        "copy": copy and copied(copy, piece),
        "compared": model.training is not None and not model.played,
    }
    return answer | (engraved(piece) if request.score else {})


def roll(piece: Piece) -> dict[str, Json]:
    """A piece for a piano roll and a player: notes are `[onset, duration, pitch, velocity, track, begin, end]`.

    Onset and duration are in ticks, begin and end in seconds.
    """
    times = note_seconds(piece).round(4).tolist()
    return {
        "ticks": TICKS,
        "length": piece.length,
        "bars": list(bar_lines(piece)),
        "tracks": [track._asdict() for track in piece.tracks],
        "meters": [meter._asdict() for meter in piece.meters],
        "tempos": [tempo._asdict() for tempo in piece.tempos],
        "notes": [
            [note.onset, note.duration, note.pitch, note.velocity, note.track, *time]
            for note, time in zip(piece.notes, times, strict=True)
        ],
    }


def copied(copy: Copy, piece: Piece) -> dict[str, Json]:
    """The longest passage that a piece shares with those the model was trained on; `bar` is where it begins."""
    return copy._asdict() | {"bar": bar_at(piece, copy.begin)}


def engraved(piece: Piece) -> dict[str, Json]:
    """A piece as a score; without the package that engraves only as MusicXML."""
    if piece.performance:
        raise FieldError("score", "this model has learned performances, which have no bars to write a score of")
    check_size(piece)
    score = musicxml(piece)
    return {"musicxml": score, "svg": svg_pages(score) if find_spec("verovio") else None}


def about(model: AnyComposer) -> dict[str, Json]:
    """What a page has to know of a model to ask it."""
    return {
        "performances": model.played,
        "tracks": [] if model.played else [each.name for each in model.notation.tracks],
    }


PART = Part(
    load=lambda folder, device: Composer.load(folder),
    endpoints=(
        Endpoint(
            "/v1/music/compose",
            "Composes a piece: MIDI in base64, its notes, the longest passage that is copied, a score if asked for.",
            Composition,
            compose,
            lambda model: {"seconds": 5, "seed": 1} if model.played else {"bars": 4, "key": "C major", "seed": 1},
        ),
    ),
    about=about,
    page=(
        ("recurra.tasks.music", "panel.js"),
        ("recurra.tasks.music", "panel.css"),
        ("recurra.tasks.music", "player.js"),
        ("recurra.tasks.music", "roll.js"),
        ("recurra.tasks.music", "roll.css"),
    ),
)
