"""Music: nats a frame on the four published collections, the time a piece takes to sound, and what survives in tokens.

Each collection is trained on its training part, chosen on its validation part, and the test part is scored once, by the
protocol of Bai et al. 2018 (the first frame of a piece is given). The peer is `CountModel`.
"""

from __future__ import annotations

import json
import math
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from common import OUT, data, machine, table
from numpy.typing import NDArray

from recurra.data.tokenizer import Tokens
from recurra.tasks import music
from recurra.tasks.music.data import open_pieces
from recurra.tasks.music.frame_scores import FrameScore, score_frames
from recurra.tasks.music.io.rolls import read_rolls
from recurra.tasks.music.notation import Notation
from recurra.tasks.music.pieces import TICKS, Note, Piece, Tempo, Track
from recurra.tasks.music.render.sound import render
from recurra.tasks.music.rule_features import PITCH, STEP
from recurra.tasks.music.transcription import decode, encode, roles, suit

SETS = {
    "JSB_Chorales": ("8.45 / 8.10", "5.75", "4.6"),
    "Nottingham": ("3.29 / 3.07", "2.77", "2.0"),
    "Piano_midi": ("", "9.13", "6.8"),
    "MuseData": ("", "7.79", "5.2"),
}
"""By file name: LSTM / TCN of Bai et al. 2018, the count model of the data's README, the target."""

LOWEST = 21
"""MIDI number of the first key of a roll."""

KEYS = 88

Context = tuple[object, ...]


def rolls(name: str, folder: Path) -> dict[str, Path]:
    """The parts of a collection as JSON piano rolls: "train", "valid" and "test"."""
    from scipy.io import loadmat

    matrices = loadmat(data(f"music/{name}.mat"))
    paths = {}
    for part in ("train", "valid", "test"):
        pieces = [[(np.flatnonzero(frame) + LOWEST).tolist() for frame in roll] for roll in matrices[f"{part}data"][0]]
        paths[part] = folder / f"{name}.{part}.json"
        paths[part].write_text(json.dumps(pieces))
    return paths


def spelled(path: Path) -> tuple[list[Tokens], Notation]:
    """The pieces of a file of rolls as tokens of frames, and what the tokens mean."""
    pieces = read_rolls(path)
    full = Piece("", (Track(),), (Note(0, TICKS, 0), Note(0, TICKS, 127)), TICKS)
    notation = suit([full], "frames", TICKS, False, False)
    return [encode(piece, notation)[0] for piece in pieces], notation


def contexts_of(begun: Context, before: Context, earlier: Context) -> list[Context]:
    """What `CountModel` counts by, from the shortest to the longest.

    Args:
        begun: the notes of this frame so far, from the top.
        before: all notes of the frame before; none before the first.
        earlier: and of the one before that.
    """
    place, last = len(begun), begun[-1:]
    voice = before[place : place + 1]
    return [
        ("any",),
        ("place", place),
        ("last", place, last),
        ("voice", place, last, voice),
        ("begun", begun, voice),
        ("frame", begun, before),
        ("frames", begun, before, earlier),
    ]


class CountModel:
    """Counts of what followed in the training part, smoothed by Witten and Bell's method C (1991): a `Predictor`.

    A frame is its notes from the top down and a token that ends it: 89 tokens with 88 keys. The contexts of a token
    are, from the shortest to the longest: none; its place in the frame; that and the note just above it in the frame;
    these and the note at the same place of the frame before; all notes above it and that one; all notes above it and
    the whole frame before; these and the whole frame before that. Hence order 2. A piece's first frame, which is given,
    is not counted; before it there are empty ones.

    The probability given a context is (count + types * probability given the next shorter one) / (total + types), where
    `total` is how often the context was seen and `types` how many different tokens followed it; the shortest one's is
    mixed with even chances, 1 / 89. A context never seen is passed over.

    The data's README gives four figures but no more of the model than "chain-rule order-2 count model, Witten-Bell".
    These contexts were searched for among some 130,000 sets by those figures, which they give to two decimals; so they
    describe the figures, and that they are the same model is likely but not known.

    Args:
        pieces: to count in, see `spelled`.
        notation: what their tokens mean.
    """

    def __init__(self, pieces: Sequence[Tokens], notation: Notation) -> None:
        self.notation = notation
        self.counts: dict[Context, Counter[int]] = {}
        for tokens in pieces:
            for frame, place, contexts in self._contexts(tokens):
                for context in contexts if frame else ():
                    self.counts.setdefault(context, Counter())[int(tokens[place])] += 1
        self.totals = {context: followers.total() for context, followers in self.counts.items()}

    def __call__(self, tokens: Tokens) -> NDArray[np.float64]:
        """Log p of every token but the first, nats; 0 for what is no part of a frame.

        Tokens have the lowest note of a frame first, the model the highest, so only the sum over a frame is a chain.
        """
        log_probs = np.zeros(len(tokens) - 1)
        for _, place, contexts in self._contexts(tokens):
            probability = 1 / (KEYS + 1)
            for context in contexts:
                followers = self.counts.get(context)
                if followers:
                    types, count = len(followers), followers[int(tokens[place])]
                    probability = (count + types * probability) / (self.totals[context] + types)
            log_probs[place - 1] = math.log(probability)
        return log_probs

    def _contexts(self, tokens: Tokens) -> Iterator[tuple[int, int, list[Context]]]:
        """For each token of a frame the number of the frame, its place in `tokens`, and its contexts."""
        frame = 0
        before: Context = ()
        earlier: Context = ()
        notes: list[int] = []
        for place, number in enumerate(tokens):
            kind = self.notation.tokens[int(number)].kind
            if kind == PITCH:
                notes.append(place)
            elif kind == STEP:
                chord = tuple(int(tokens[note]) for note in reversed(notes))
                for rank, which in enumerate([*reversed(notes), place]):
                    yield frame, which, contexts_of(chord[:rank], before, earlier)
                before, earlier, notes = chord, before, []
                frame += 1


def count_score(paths: dict[str, Path]) -> FrameScore:
    """The count model's figures on the test part of a collection."""
    train, notation = spelled(paths["train"])
    test, _ = spelled(paths["test"])
    return score_frames(test, notation, CountModel(train, notation))


def nats(minutes: float) -> None:
    """Train on each collection, print the table."""
    rows = []
    for name, (bai, published, target) in SETS.items():
        with tempfile.TemporaryDirectory() as folder:
            paths = rolls(name, Path(folder))
            counted = count_score(paths).nats_per_frame
            config = music.Config(tokens="frames", minutes=minutes)
            model = music.train(paths["train"], OUT / name, config, validation=paths["valid"], overwrite=True)
            figures = model.evaluate(paths["test"])
        valid = f"{model.record['nats_per_frame']:.3f}"
        ours = f"{figures['nats_per_frame']:.3f} ({figures['nats_per_frame_with_first']:.3f})"
        rows.append([name, bai, published, f"{counted:.2f}", target, valid, ours])
    head = [
        "",
        "LSTM / TCN",
        "count model, published",
        "here",
        "target",
        "Recurra, validation",
        "Recurra (and first frames)",
    ]
    table(f"nats a frame on the test parts, {minutes:g} minutes each", head, rows)


def sound() -> None:
    """Time the rendering of a minute of four voices to mp3."""
    notes = [Note(6 * place, 6, 48 + 7 * voice + place % 12, 80, voice) for place in range(160) for voice in range(4)]
    tracks = tuple(Track(name, 48) for name in ("Soprano", "Alto", "Tenor", "Bass"))
    piece = Piece("a minute", tracks, tuple(notes), 80 * TICKS, tempos=(Tempo(0, 80.0),))
    with tempfile.TemporaryDirectory() as folder:
        times = []
        for _ in range(3):
            started = time.perf_counter()
            made = render(piece, Path(folder) / "piece.mp3")
            times.append(time.perf_counter() - started)
    row = ["at most 10", f"{times[0]:.2f}", f"{sorted(times)[1]:.2f}", made.synthesizer]
    table(f"{made.seconds:.0f} seconds of sound to mp3, seconds", ["target", "first", "median", "played by"], [row])


def round_trip() -> None:
    """Share of the notes of the Nottingham MIDI files that come back from tokens as they were."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(data("music/nottingham-midi.tar.xz")) as archive:
            archive.extractall(folder, filter="data")
        pieces = open_pieces([folder]).pieces
    notation = suit(pieces, "notes", 0, True, False)
    kept = count = 0
    for piece in pieces:
        again = decode(encode(piece, notation)[0], notation, piece.name)
        before, after = (
            Counter((note.onset, note.duration, note.pitch, who[note.track]) for note in one.notes)
            for one, who in ((piece, roles(piece.tracks)), (again, roles(again.tracks)))
        )
        kept += (before & after).total()
        count += len(piece.notes)
    row = [f"{len(pieces):,}", f"{count:,}", "99 %", f"{100 * kept / count:.3f} %"]
    table("Nottingham, MIDI to tokens and back", ["pieces", "notes", "target", "come back"], [row])


def main() -> None:
    """Measure and print the tables; an argument gives the minutes for each collection (30)."""
    print(machine())
    sound()
    round_trip()
    nats(float(sys.argv[1]) if len(sys.argv) > 1 else 30.0)


if __name__ == "__main__":
    main()
