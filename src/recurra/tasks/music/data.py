"""Music in: files, folders, a sample, or pieces given in Python; then as tokens, and as batches of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from recurra.config import required
from recurra.data.sources import called, find_files, listed, sample_named
from recurra.data.streams import VariedStreams
from recurra.data.tokenizer import Tokens
from recurra.errors import OptionError, RecurraError
from recurra.progress import Bar, bar, note
from recurra.tasks.music import performance
from recurra.tasks.music.config import Config
from recurra.tasks.music.grid import FREE
from recurra.tasks.music.io.midi import read_midi_pieces
from recurra.tasks.music.io.reading import Reading
from recurra.tasks.music.io.rolls import read_rolls
from recurra.tasks.music.io.score_reader import ScoreReader
from recurra.tasks.music.notation import MARGIN, MusicRules, Notation
from recurra.tasks.music.packed_pieces import pack, require_sound
from recurra.tasks.music.performance import PerformanceNotation, perform
from recurra.tasks.music.pieces import TICKS, Piece, bar_lines, part
from recurra.tasks.music.transcription import encode, refitted, suit

Source = str | Path | Piece
"""What music is given as: a file, a folder, `sample:NAME`, or a piece itself."""

Reader = Callable[[Path, int, Reading], tuple[Piece, ...]]
"""Reads the pieces of one file; the number is the ticks a frame of a piano roll lasts."""


def _midi(path: Path, frame: int, reading: Reading) -> tuple[Piece, ...]:
    return read_midi_pieces(path, reading)


def _score(path: Path, frame: int, reading: Reading) -> tuple[Piece, ...]:
    with ScoreReader([path], charset=reading.charset) as scores:
        return scores.read(path)


def _rolls(path: Path, frame: int, reading: Reading) -> tuple[Piece, ...]:
    return read_rolls(path, frame)


READERS: Mapping[str, Reader] = {
    **dict.fromkeys((".mid", ".midi", ".kar", ".rmi"), _midi),
    **dict.fromkeys((".musicxml", ".xml", ".mxl", ".abc", ".krn"), _score),
    ".json": _rolls,
}
"""What is taken from a folder, by the end of its name, and who reads it."""


VALIDATION_EVERY = 10
"""One piece in so many is kept for validation, if no file is given for that; of less than `FEW` pieces, the end of
the longest."""

FEW = 5

MIN_NOTES = 50
"""Fewer notes are refused: there is nothing to learn from them."""


MAX_REPAIRED = 20
"""Files that were damaged are told of by name, up to so many."""


LOOKBACK = 8
"""Bars: strains of most songs and dances are as long, and phrases half of it."""

REPETITION = 0.08
"""Share of tokens that are repeated from which on a lookback is worth its time. Songs have more than a half; the JSB
chorales, with their repeats written out, 11 %, and gain much; music21's chorales 5 %, and lose a little."""

COUNTED_TOKENS, COUNTED_AT_ONCE = 100_000, 2000
"""So many tokens are read to tell how much the pieces repeat themselves; so many at once, to bound the memory."""


@dataclass(frozen=True)
class Collection:
    """Pieces that have been read.

    Attributes:
        name: what a person would call it, for notes and the model card.
        pieces: in the order they were read; at least one.
        skipped: one sentence for every file that was left out.
        left_out: how many things of a kind the files hold but not the pieces, over all of them.
        repaired: one sentence for every file that is damaged and was read as far as it can be.
    """

    name: str
    pieces: tuple[Piece, ...]
    skipped: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    repaired: tuple[str, ...] = ()

    def told(self) -> list[str]:
        """What a person is told of reading them, lines: what was not as it should be, and what the pieces lack."""
        free = [piece for piece in self.pieces if piece.off_grid > FREE]
        shown = self.repaired[:MAX_REPAIRED]
        more = len(self.repaired) - len(shown)
        return [
            *(f"repaired: {sentence}" for sentence in shown),
            *([f"repaired: {more:,} files more"] if more else []),
            *(f"left out: {sentence}" for sentence in self.skipped),
            *(f"left out: {count:,} {kind}" for kind, count in self.left_out.items()),
            *([_played_freely(free, len(self.pieces))] if free else []),
        ]

    @property
    def sha256(self) -> str:
        """A digest of what the pieces contain: a run that goes on asks whether it has the same data."""
        digest = hashlib.sha256()
        for piece in self.pieces:
            content = [piece.name, piece.tracks, piece.notes, piece.length, piece.meters, piece.tempos]
            digest.update(json.dumps(content).encode() + b"\n")
        return digest.hexdigest()


def _played_freely(pieces: Sequence[Piece], among: int) -> str:
    """What a person is told of pieces whose rhythm the grid of sixteenths and triplets does not hold."""
    share = sum(piece.off_grid * len(piece.notes) for piece in pieces) / sum(len(piece.notes) for piece in pieces)
    which = pieces[0].name if len(pieces) == 1 else f"{len(pieces):,} of {among:,} pieces"
    return (
        f"played freely: {which} ({share:.0%} of the notes begin far from sixteenths and triplets, to which they are "
        "moved); a model of `tokens` performance learns them as they were played"
    )


def open_pieces(
    sources: Source | Sequence[Source],
    frame: int = TICKS,
    reading: Reading = Reading(),
    played: bool = False,
) -> Collection:
    """Find and read music.

    Args:
        sources: files, folders (every file below whose name ends as in `READERS`), one `sample:NAME`, or pieces.
        frame: ticks a frame of a piano roll (.json) lasts.
        reading: how files are read.
        played: as performances: MIDI files with the times they have, all others played as they are written.

    Raises:
        RecurraError: if a source is missing or nothing readable is left. Among several files a broken one is skipped
            and listed in `Collection.skipped`.
    """
    if frame < 1:
        raise OptionError(f"a frame of {frame} ticks is impossible; give at least 1")
    named = [sources] if isinstance(sources, str | Path | Piece) else list(sources)
    if not named:
        raise OptionError("there is no music; name a file, a folder or sample:chorales, or give pieces")
    given = [source for source in named if isinstance(source, Piece)]
    if given:
        return _given(given, len(named), played)
    names = [str(source) for source in named]
    if sample := sample_named(names, "music"):
        return _collect(names[0], [perform(piece) if played else piece for piece in sample()], [])
    found, skipped = find_files(names, tuple(READERS))
    with bar("reading") as shown:
        pieces = _read_all(found, played, frame, reading, skipped, shown)
    if not pieces:
        raise RecurraError(f"no readable music in {', '.join(names)}: {skipped[0] if skipped else 'nothing found'}")
    return _collect(called(names), pieces, skipped)


def opened(sources: Source | Sequence[Source], frame: int, reading: Reading, played: bool = False) -> Collection:
    """The same, and a person is told at once of what is not as it is in the files."""
    collection = open_pieces(sources, frame, reading, played)
    for line in collection.told():
        note(line)
    return collection


def _given(pieces: Sequence[Piece], among: int, played: bool) -> Collection:
    """Pieces made in Python, which may not be what a `Piece` promises."""
    if len(pieces) < among:
        raise OptionError("pieces cannot be mixed with files; open the files first, with open_pieces")
    source, remedy = "the pieces given", "make each as the docstrings of Piece and Note say"
    require_sound(pack(pieces), [piece.name for piece in pieces], source, remedy)
    if not played and any(piece.performance for piece in pieces):
        raise OptionError("performances have no beats; only a model of `tokens` performance reads them")
    name = pieces[0].name if len(pieces) == 1 else f"{len(pieces)} pieces"
    return _collect(name, [perform(piece) if played else piece for piece in pieces], [])


def one_piece(source: Source, frame: int = TICKS, played: bool = False) -> Piece:
    """The first piece of a file or a sample, or a piece itself."""
    return open_pieces(source, frame, Reading(), played).pieces[0]


def split_validation(pieces: tuple[Piece, ...]) -> tuple[tuple[Piece, ...], tuple[Piece, ...], str]:
    """What to train on, what to validate on, and what that is called.

    Raises:
        RecurraError: if the one piece that has to be parted is too short for it.
    """
    if len(pieces) >= FEW:
        indices = set(range(VALIDATION_EVERY // 2, len(pieces), VALIDATION_EVERY)) or {len(pieces) - 1}
        train = tuple(piece for index, piece in enumerate(pieces) if index not in indices)
        return train, tuple(pieces[index] for index in sorted(indices)), f"every tenth piece, {len(indices)} in all"
    longest = max(range(len(pieces)), key=lambda index: len(pieces[index].notes))
    piece = pieces[longest]
    lines = bar_lines(piece)
    border = lines[max(len(lines) - 1 - max((len(lines) - 1) // VALIDATION_EVERY, 1), 0)]
    begun, rest = part(piece, 0, border), part(piece, border, piece.length)
    if not begun.notes or not rest.notes:
        raise RecurraError(
            f"{piece.name} is too short to keep a part of it for validation; give a longer piece, or `validation`"
        )
    train = tuple(begun if index == longest else other for index, other in enumerate(pieces))
    return train, (rest,), f"the last {'seconds' if piece.performance else 'bars'} of {piece.name}"


def _collect(name: str, pieces: Sequence[Piece], skipped: Sequence[str]) -> Collection:
    left_out: Counter[str] = Counter()
    for piece in pieces:
        left_out.update(piece.left_out)
    repaired = [f"{piece.name}: {'; '.join(piece.repaired)}" for piece in pieces if piece.repaired]
    return Collection(name, tuple(pieces), tuple(skipped), dict(sorted(left_out.items())), tuple(repaired))


def _read_all(
    found: list[Path], played: bool, frame: int, reading: Reading, skipped: list[str], shown: Bar
) -> list[Piece]:
    pieces: list[Piece] = []
    paths = [path for path in found if READERS.get(path.suffix.lower()) is _score]
    with ScoreReader(paths, charset=reading.charset) as scores:
        for index, path in enumerate(found):
            try:
                reader = READERS.get(path.suffix.lower())
                if reader is None:
                    raise RecurraError(f"{path} is not a music file; its name must end in {listed(tuple(READERS))}")
                if played and reader is _midi:
                    pieces += read_midi_pieces(path, reading, played=True)
                    continue
                own = scores.read(path) if reader is _score else reader(path, frame, reading)
                pieces += [perform(piece) if played else piece for piece in own]
            except RecurraError as error:
                if len(found) == 1:
                    raise
                skipped.append(str(error))
            finally:
                shown.update((index + 1) / len(found), f"{len(pieces)} pieces")
    return pieces


@dataclass(frozen=True)
class Data:
    """Pieces as tokens.

    Attributes:
        collection: where they came from.
        notation: what the tokens mean.
        train: the pieces to learn from ...
        train_tokens: ... and the tokens of each, told how long it is.
        validation: the pieces to choose the best weights on ...
        validation_tokens: ... and the tokens of each.
        validation_name: what the validation part is, for the model card.
        digest: of all pieces.
        told: what a person is told of reading them and writing them in tokens, lines.
    """

    collection: Collection
    notation: Notation | PerformanceNotation
    train: tuple[Piece, ...]
    train_tokens: list[Tokens]
    validation: tuple[Piece, ...]
    validation_tokens: list[Tokens]
    validation_name: str
    digest: str
    told: tuple[str, ...]


def read_data(
    sources: Source | Sequence[Source],
    validation: Source | Sequence[Source],
    config: Config,
    notation: Notation | PerformanceNotation | None = None,
) -> Data:
    """Read pieces and write them as tokens.

    Args:
        sources: see `open_pieces`.
        validation: what to validate on, likewise; if empty, a part of the pieces is kept for it.
        config: which tokens.
        notation: an existing one, for a run that is resumed or begins from a model; None makes one.

    Raises:
        RecurraError: if nothing can be read or there is too little.
    """
    played = config.tokens == "performance"
    collection = open_pieces(sources, config.frame, config, played)
    digest = collection.sha256
    if isinstance(validation, Sequence) and not validation:
        train, kept, name = split_validation(collection.pieces)
        told = collection.told()
    else:
        other = open_pieces(validation, config.frame, config, played)
        train, kept, name = collection.pieces, other.pieces, other.name
        digest += other.sha256
        told = [*collection.told(), *(f"{line} (of the validation part)" for line in other.told())]
    count = sum(len(piece.notes) for piece in train)
    if count < MIN_NOTES:
        raise RecurraError(
            f"{collection.name} is too short to train on: {count} notes besides the validation part, at least "
            f"{MIN_NOTES} are needed"
        )
    if config.tokens == "frames" and not any(_pitched(piece) for piece in train):
        raise RecurraError(f"{collection.name} holds only drums, which frames cannot hold; use `tokens` notes")
    if not any(piece.notes for piece in kept):
        raise RecurraError(f"the validation part, {name}, has no notes to measure by; give another with `validation`")
    if isinstance(notation, Notation):
        notation = refitted(notation, (*train, *kept))
    fresh = notation is None
    notation = notation or notation_for((*train, *kept), config)
    lost: Counter[str] = Counter()
    lost["changes of tempo"] = sum(len(piece.tempos) - 1 for piece in (*train, *kept))
    tokens = [encoded(piece, notation, lost, length=True) for piece in train]
    kept_tokens = [encoded(piece, notation, lost, length=False) for piece in kept]
    if fresh and isinstance(notation, Notation):
        notation = replace(notation, lookback=chosen_lags(notation, tokens, config.lookback))
    told += [f"left out: {count:,} {kind}" for kind, count in (+lost).items()]
    return Data(collection, notation, train, tokens, kept, kept_tokens, name, digest, tuple(told))


def notation_for(pieces: Sequence[Piece], config: Config) -> Notation | PerformanceNotation:
    """The notation that suits pieces, of the kind that is asked for."""
    if config.tokens == "performance":
        return performance.suit(pieces, MARGIN)
    return suit(pieces, config.tokens, config.frame, config.tracks, config.velocity)


def chosen_lags(notation: Notation, pieces: Sequence[Tokens], bars: int | None) -> tuple[int, ...]:
    """How many bars ago what a network is shown again was, ascending; 0 is the last passage alike, wherever it was.

    Args:
        notation: what the tokens mean.
        pieces: to train on, as tokens.
        bars: most of them, as asked for; if it is not, `LOOKBACK` or none, by how much the pieces repeat themselves.
    """
    most = LOOKBACK if bars is None else bars
    lags = (0, *(2**power for power in range(most.bit_length()))) if most else ()
    if bars is None and repeated_share(replace(notation, lookback=lags), pieces) < REPETITION:
        return ()
    return lags


def repeated_share(notation: Notation, pieces: Sequence[Tokens]) -> float:
    """Share of the tokens that end a run of several that one of the lags had foretold, in some of the pieces."""
    some = np.concatenate(pieces[:: max(1, sum(map(len, pieces)) // COUNTED_TOKENS)])[:COUNTED_TOKENS]
    rules = MusicRules(notation)
    state = np.zeros((1, rules.state_size), np.float32)
    repeating = 0
    for begin in range(0, len(some), COUNTED_AT_ONCE):
        shown, state = rules.read(some[None, begin : begin + COUNTED_AT_ONCE].astype(np.int64), state)
        repeating += int(rules.repeats(shown).sum())
    return repeating / len(some)


def _pitched(piece: Piece) -> bool:
    return any(not piece.tracks[item.track].drums for item in piece.notes)


def encoded(piece: Piece, notation: Notation | PerformanceNotation, lost: Counter[str], length: bool) -> Tokens:
    """A piece as tokens, `lost` counting what cannot be written in them; `length` says how long it is."""
    if isinstance(notation, PerformanceNotation):
        return performance.encode(piece)
    tokens, missing = encode(piece, notation, length)
    lost.update(missing)
    return tokens


PLAIN_SHARE = 0.25
"""Share of the pieces that a pass over the data reads in their own key."""


def streams(data: Data, config: Config) -> VariedStreams:
    """Batches of the pieces in all their variants: any key, told their length or not."""
    most = required(config.transpose, "transpose")
    keys = [0, *(shift for shift in range(-most, most + 1) if shift)]
    keys = keys + [0] * max(0, round((len(keys) - 1) * PLAIN_SHARE / (1 - PLAIN_SHARE)) - 1)
    if isinstance(data.notation, PerformanceNotation):
        variants = [data.notation.variant(key) for key in keys]
    else:
        variants = [data.notation.variant(key, length) for key in keys for length in (True, False)]
    pieces = [*data.train_tokens, *_stretched(data, config.stretch if most else 0.0)]
    lengths = [len(tokens) for tokens in pieces]
    return VariedStreams(
        tokens=np.concatenate(pieces),
        batch_size=required(config.batch_size, "batch_size"),
        sequence_length=required(config.sequence_length, "sequence_length"),
        seed=config.seed,
        restart=0.0,
        begins=np.cumsum([0, *lengths[:-1]]),
        variants=np.stack(variants),
    )


STRETCHES = (-1.0, -0.5, 0.5, 1.0)
"""Shares of the greatest stretch by which performances are played slower: Oore et al. 2018 have 2.5 and 5 % either
way."""


def _stretched(data: Data, most: float) -> list[Tokens]:
    """The tokens of performances played faster and slower; of other pieces, and if `most` is 0, there are none."""
    if not most or not isinstance(data.notation, PerformanceNotation):
        return []
    factors = [1 + most * share for share in STRETCHES]
    return [performance.encode(performance.stretched(piece, factor)) for factor in factors for piece in data.train]


def describe(data: Data) -> tuple[str, ...]:
    """What a person is told of the pieces, lines."""
    collection, notation = data.collection, data.notation
    notes = sum(len(piece.notes) for piece in data.train)
    pieces = "piece" if len(data.train) == 1 else "pieces"
    if isinstance(notation, PerformanceNotation):
        tracks = f"{sum(piece.length for piece in data.train) / (60 * performance.SECOND):.0f} minutes"
    else:
        tracks = f"{len(notation.tracks)} tracks" if notation.tracks else "one track"
        tracks += f", looking back {max(notation.lookback)} bars" if notation.lookback else ""
    return (
        *data.told,
        f"{collection.name}: {len(data.train):,} {pieces} with {notes:,} notes to train on, "
        f"{len(data.validation):,} for validation ({data.validation_name}), {tracks}, {notation.size:,} tokens",
    )
