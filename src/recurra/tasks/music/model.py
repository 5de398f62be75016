"""Music: a recurrent model of a collection of pieces, which composes, is measured and shows what it hears."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import recurra
from recurra import modelfile
from recurra.config import AUTO, check_range, dump_json, fill_in, from_dict, read_json
from recurra.data.sources import several
from recurra.data.streams import VariedStreams
from recurra.data.tokenizer import Tokens
from recurra.decoding.sampling import Sampling, fresh_seed
from recurra.errors import OptionError, RecurraError
from recurra.explain.measurements import searched_length
from recurra.explain.passage import Subject
from recurra.explain.report import Explained, explain
from recurra.models.language_model import Architecture, LanguageModel
from recurra.models.packed import PackedLanguageModel
from recurra.progress import in_groups, note
from recurra.tasks.music import features as music_features
from recurra.tasks.music import notation as notations
from recurra.tasks.music.composition import compose, finished
from recurra.tasks.music.constraints import Controls, Given, plan
from recurra.tasks.music.data import Collection, open_pieces, split_validation
from recurra.tasks.music.frame_scores import FrameScore, score_frames
from recurra.tasks.music.notation import MARGIN, MAX_BARS, MusicRules, Notation, NotationKind
from recurra.tasks.music.novelty import Copy, find_copy
from recurra.tasks.music.packed_pieces import pack
from recurra.tasks.music.pieces import TICKS, Meter, Piece
from recurra.tasks.music.rule_features import BARS, START
from recurra.tasks.music.training_pieces import CORPUS, TrainingPieces
from recurra.tasks.music.transcription import decode, encode, suit
from recurra.training import run_folder as runfolder
from recurra.training.language_modeling import NextToken, StreamTraining, described, log_probs
from recurra.training.run import RunResult, RunSpec, closing, fit, record_of
from recurra.training.run_folder import SavedRun
from recurra.training.trainer import DEFAULT_MINUTES

DEFAULT_SAMPLING = Sampling()

MIN_NOTES = 50
"""Fewer notes are refused: there is nothing to learn from them."""

MAX_EPOCHS = 1000
"""More passes over the pieces than this only make a model learn them by heart."""

SMALL, LARGE = 200_000, 500_000
"""Collections of fewer tokens than the first need more dropout; of more than the second, no copies in other keys."""

TINY_MINUTES = 0.5
"""A run this short gets the smallest model."""


@dataclass(frozen=True)
class Config(Architecture, StreamTraining):
    """Everything that can be chosen about a music model."""

    tokens: NotationKind = "notes"
    """How music is written down: every note once with its duration, or all that sounds frame by frame (piano rolls)."""
    frame: int = TICKS
    """Length of a frame in twelfths of a quarter note: 12 is a quarter, 6 an eighth, 3 a sixteenth."""
    tracks: bool = True
    """Tell tracks (voices, instruments) apart; all play as one if not."""
    velocity: bool = False
    """Learn how loud each note is too."""
    transpose: int = AUTO
    """Learn from copies transposed by up to this many semitones either way too."""

    def __post_init__(self) -> None:
        Architecture.__post_init__(self)
        StreamTraining.__post_init__(self)
        check_range("frame", self.frame, 1, 48)
        check_range("transpose", self.transpose, 0, MARGIN)


def resolve(config: Config, length: int) -> Config:
    """Fill in what was not given, by the time there is and the amount of music.

    Args:
        config: as the user gave it.
        length: tokens to train on.
    """
    minutes = config.minutes or DEFAULT_MINUTES
    recipe: dict[str, Any] = dict(hidden_size=256, embedding_size=128, learning_rate=5e-3, dropout=0.3)
    recipe |= (
        dict(batch_size=16, sequence_length=128, transpose=0)
        if length >= LARGE
        else dict(batch_size=8, sequence_length=96)
    )
    if length < SMALL:
        recipe["dropout"] = 0.5
    elif length >= 2 * LARGE:
        recipe["dropout"] = 0.2
    if minutes <= TINY_MINUTES:
        recipe |= {"hidden_size": 128, "embedding_size": 64, "dropout": 0.2}
    config = fill_in(
        config, **dict(num_layers=1, forget_bias=0.0, weight_decay=0.1, tied=False, transpose=MARGIN) | recipe
    )
    if length <= 2 * config.sequence_length:
        config = replace(config, sequence_length=max(1, length // 4))
    config = replace(config, batch_size=max(1, min(config.batch_size, (length - 1) // (4 * config.sequence_length))))
    if config.steps is None:
        enough = math.ceil(MAX_EPOCHS * length / (config.batch_size * config.sequence_length))
        config = replace(config, minutes=minutes, steps=enough)
    return config


def build(config: Config, notation: Notation) -> LanguageModel:
    """The network of a resolved configuration."""
    return LanguageModel(notation.size, config, MusicRules(notation))


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
        lost: how many things of what kind could not be written in tokens.
    """

    collection: Collection
    notation: Notation
    train: tuple[Piece, ...]
    train_tokens: list[Tokens]
    validation: tuple[Piece, ...]
    validation_tokens: list[Tokens]
    validation_name: str
    digest: str
    lost: Counter[str]


def read_data(
    sources: Sequence[str | Path], validation: str | Path | None, config: Config, notation: Notation | None = None
) -> Data:
    """Read pieces and write them as tokens.

    Args:
        sources: files, folders or a sample, see `open_pieces`.
        validation: a file or folder to validate on; None keeps a part for validation of the pieces.
        config: which tokens.
        notation: an existing one, for a resumed run; None makes one.

    Raises:
        RecurraError: if nothing can be read or there is too little.
    """
    collection = open_pieces(sources, config.frame)
    digest = collection.sha256
    if validation is None:
        train, kept, name = split_validation(collection.pieces)
    else:
        other = open_pieces([validation], config.frame)
        train, kept, name = collection.pieces, other.pieces, other.name
        digest += other.sha256
    count = sum(len(piece.notes) for piece in train)
    if count < MIN_NOTES:
        raise RecurraError(
            f"{collection.name} is too short to train on: {count} notes besides the validation part, at least "
            f"{MIN_NOTES} are needed"
        )
    if config.tokens == "frames" and not any(_pitched(piece) for piece in train):
        raise RecurraError(
            f"{collection.name} is nothing but drums, which frames have no place for; use --tokens notes"
        )
    if not any(piece.notes for piece in kept):
        raise RecurraError(f"the validation part, {name}, has no notes to measure by; give another with --validation")
    notation = notation or suit((*train, *kept), config.tokens, config.frame, config.tracks, config.velocity)
    lost: Counter[str] = Counter()
    tokens = [_encode(piece, notation, lost, length=True) for piece in train]
    kept_tokens = [_encode(piece, notation, lost, length=False) for piece in kept]
    return Data(collection, notation, train, tokens, kept, kept_tokens, name, digest, +lost)


def _pitched(piece: Piece) -> bool:
    return any(not piece.tracks[item.track].drums for item in piece.notes)


def _encode(piece: Piece, notation: Notation, lost: Counter[str], length: bool) -> Tokens:
    tokens, missing = encode(piece, notation, length)
    lost.update(missing)
    return tokens


def train(
    data: str | Path | Sequence[str | Path],
    out: str | Path,
    config: Config = Config(),
    validation: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Model:
    """Train a model on pieces of music and save it.

    Args:
        data: files (MIDI, MusicXML, ABC, kern, piano rolls in JSON), folders of them, or `sample:chorales`.
        out: the model folder to make.
        config: the options.
        validation: a file or folder that is not trained on, to choose the best weights; some pieces if not given.
        resume: go on with the run that was stopped or has ended in `out`.
        overwrite: replace what is in `out`.

    Raises:
        RecurraError: if data or options are at fault, or the machine is.
        Interrupted: at SIGINT or SIGTERM, with everything saved.
    """
    sources = several(data)
    out = Path(out)
    read: Data | None = None

    def prepare(config: Config, run: SavedRun | None, folder: Path) -> RunSpec[Config, LanguageModel]:
        nonlocal read
        notation = notations.from_json(read_json(run.vocabulary), str(run.vocabulary)) if run else None
        read = read_data(sources, validation, config, notation)
        if run and run.data != read.digest:
            raise RecurraError(f"{read.collection.name} is not the music the run of {out} began with; give the same")
        config = resolve(config, sum(map(len, read.train_tokens)))
        return RunSpec(
            config,
            partial(build, config, read.notation),
            NextToken(_streams(read, config), np.concatenate(read.validation_tokens)),
            read.digest,
            dump_json(read.notation.to_json()),
            f"{_describe(read)}\n{described(config, config)}",
        )

    result = fit(out, config, resume, overwrite, prepare)
    assert read is not None
    model = _finish(result, read, out.name)
    if result.main:
        model.save(out, result.work)
        figure = model.record
        quality = f"{figure['nats_per_frame']:.4f} nats a frame, {figure['bits_per_note']:.3f} bits a note"
        note(closing(out, result.outcome, quality, f"compose with: recurra music compose {out} --out piece.mp3"))
    return model


PLAIN_SHARE = 0.25
"""Share of the pieces that a pass over the data reads in their own key."""


def _streams(data: Data, config: Config) -> VariedStreams:
    """Batches of the pieces in all their variants: any key, told their length or not."""
    keys = [0, *(shift for shift in range(-config.transpose, config.transpose + 1) if shift)]
    keys = keys + [0] * max(0, round((len(keys) - 1) * PLAIN_SHARE / (1 - PLAIN_SHARE)) - 1)
    variants = [data.notation.variant(key, length) for key in keys for length in (True, False)]
    lengths = [len(tokens) for tokens in data.train_tokens]
    return VariedStreams(
        tokens=np.concatenate(data.train_tokens),
        batch_size=config.batch_size,
        sequence_length=config.sequence_length,
        seed=config.seed,
        restart=0.0,
        begins=np.cumsum([0, *lengths[:-1]]),
        variants=np.stack(variants),
    )


def _describe(data: Data) -> str:
    collection, notation = data.collection, data.notation
    left_out = [
        *collection.skipped,
        *(f"{count:,} {kind}" for kind, count in (data.lost + Counter(collection.left_out)).items()),
    ]
    notes = sum(len(piece.notes) for piece in data.train)
    pieces = "piece" if len(data.train) == 1 else "pieces"
    tracks = f"{len(notation.tracks)} tracks" if notation.tracks else "one track"
    return (
        "".join(f"left out: {reason}\n" for reason in left_out)
        + f"{collection.name}: {len(data.train):,} {pieces} with {notes:,} notes to train on, "
        f"{len(data.validation):,} for validation ({data.validation_name}), {tracks}, {notation.size:,} tokens"
    )


def _finish(result: RunResult[Config, LanguageModel], data: Data, name: str) -> Model:
    corpus = TrainingPieces(pack(data.train), tuple(piece.name for piece in data.train))
    model = Model(result.network, data.notation, result.config, {}, name, corpus)
    figure = model.score(data.validation_tokens)
    model.record = {
        "data": data.collection.name,
        "validation": data.validation_name,
        "validation_count": round(figure.frames - figure.pieces),
        "nats_per_frame": figure.nats_per_frame,
        "bits_per_note": figure.bits_per_note,
        "pieces": len(data.train),
        **record_of(result.outcome),
        "recurra": recurra.__version__,
    }
    return model


class Model:
    """A trained music model.

    Args:
        network: the weights, on the device to use.
        notation: music to tokens and back.
        config: how it was made.
        record: how it was trained and how good it is.
        name: what to call it in pictures.
        corpus: what it was trained on, to tell what is copied from there.
    """

    task = "music"

    def __init__(
        self,
        network: LanguageModel,
        notation: Notation,
        config: Config,
        record: dict[str, Any],
        name: str,
        corpus: TrainingPieces | None = None,
    ) -> None:
        self.name = name
        self.network = network
        self.notation = notation
        self.config = config
        self.record = record
        self.corpus = corpus
        self._packed: PackedLanguageModel | None = None

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        """Read a model folder; see `modelfile.load` for what is refused."""
        folder = Path(folder)
        file = modelfile.load(folder, cls.task)
        config = from_dict(Config, file.config, str(folder / modelfile.CONFIG))
        notation = notations.from_json(file.vocabulary, str(folder / modelfile.VOCABULARY))
        network = modelfile.restore(lambda: build(config, notation), file, folder)
        return cls(network, notation, config, file.record, folder.name, TrainingPieces.load(folder / CORPUS))

    def save(self, folder: Path, work: Path | None = None) -> None:
        """Write the model folder; `work`, the folder of the run, goes into it."""
        tensors = modelfile.unique_tensors(self.network)
        file = modelfile.ModelFile(self.task, asdict(self.config), self.record, self.notation.to_json(), tensors)
        runfolder.finish(folder, file, _card(self, folder.name), work, *([self.corpus.save] if self.corpus else []))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.output.weight.device

    def score(self, pieces: Sequence[Tokens]) -> FrameScore:
        """How well pieces, as tokens, are predicted, each from an empty state."""
        each = (piece for (piece,) in in_groups(pieces, 1, "scoring"))
        return score_frames(each, self.notation, lambda piece: log_probs(self.network, piece, self.device).numpy())

    def compose(
        self,
        controls: Controls = Controls(),
        sampling: Sampling = DEFAULT_SAMPLING,
        prime: Piece | None = None,
        melody: Given | None = None,
        melody_meters: tuple[Meter, ...] = (),
        name: str = "a new piece",
    ) -> Piece:
        """Compose a piece.

        Args:
            controls: what it must keep to; nothing that breaks one can be drawn.
            sampling: how to choose among the rest.
            prime: a beginning to go on from; the controls hold for what comes after it.
            melody: a voice to harmonise, see `voice_of`.
            melody_meters: the metres of the piece it is from.
            name: what to call the piece.

        Raises:
            OptionError: if the controls cannot all be met.
        """
        if prime and melody:
            raise OptionError("--prime and --melody both say how the piece begins; give one of them")
        course = plan(controls, self.notation, prime, melody, melody_meters)
        if self._packed is None:
            self._packed = PackedLanguageModel(self.network)
        bars = len(course.bar_lines) - 1
        tokens = [self.notation.number(START), self.notation.number(BARS, bars if bars <= MAX_BARS else 0)]
        if prime:
            tokens += [int(token) for token in encode(prime, self.notation)[0][2:]]
        generator = np.random.default_rng(fresh_seed() if sampling.seed is None else sampling.seed)
        tokens += compose(self._packed.step, tokens, self._packed.zero_state(), course, sampling, generator)
        return finished(decode(tokens, self.notation, name), course)

    def explain(self, data: str | Path, out: str | Path, against: Mapping[str, Model] | None = None) -> Explained:
        """Show what the model does on pieces: its neurons, its effective context, its surprisal.

        Args:
            data: pieces the model has not been trained on; the first of them are read.
            out: the page to write, HTML; pictures are put beside it.
            against: further models by name, trained on the same pieces, to compare the effective context of.
        """
        others = dict(against or {})
        music_features.require_same_notation(
            [self.name, *others], [self.notation, *(other.notation for other in others.values())]
        )
        collection = open_pieces([data], self.config.frame)
        tokens: list[Tokens] = []
        names = []
        for piece in collection.pieces:
            if sum(map(len, tokens)) < searched_length(self.network):
                tokens.append(encode(piece, self.notation)[0])
                names.append(piece.name)
        passage = music_features.passage(self.notation, np.concatenate(tokens), collection.name, names)
        subjects = [Subject(self.name, self.network, _facts(self))]
        subjects += [Subject(name, other.network, _facts(other)) for name, other in others.items()]
        return explain(subjects, passage, Path(out))

    def training_pieces(self) -> tuple[Piece, ...]:
        """What the model was trained on.

        Raises:
            RecurraError: if the model has come without.
        """
        if self.corpus is None:
            raise RecurraError(f"{self.name} has come without its training pieces ({CORPUS}); train it again")
        return self.corpus.pieces

    def longest_copy(self, piece: Piece) -> Copy | None:
        """The longest passage of a piece that a training piece has too, in whatever key; None if there is none."""
        return find_copy(piece, self.corpus.index) if self.corpus else None

    def evaluate(self, data: str | Path) -> dict[str, float]:
        """Score pieces.

        Args:
            data: a file, a folder or a sample.

        Returns:
            `nats_per_frame` (the first frame of each piece given), `nats_per_frame_with_first`, `bits_per_note`, the
            `count` of frames predicted, and the `left_out` that could not be written in this model's tokens.
        """
        collection = open_pieces([data], self.config.frame)
        lost: Counter[str] = Counter()
        figure = self.score([_encode(piece, self.notation, lost, length=False) for piece in collection.pieces])
        return {
            "nats_per_frame": figure.nats_per_frame,
            "nats_per_frame_with_first": figure.nats_per_frame_with_first,
            "bits_per_note": figure.bits_per_note,
            "count": round(figure.frames - figure.pieces),
            "left_out": sum(lost.values()),
        }


def _facts(model: Model) -> dict[str, str]:
    record = model.record
    return {
        "trained on": modelfile.tell(record, "{pieces} pieces of {data} in {seconds:.0f} s"),
        "validation": modelfile.tell(
            record, "{validation}: {nats_per_frame:.4f} nats a frame, {bits_per_note:.3f} bits a note"
        ),
        "network": f"{model.config.cell}, {model.config.num_layers} x {model.config.hidden_size} units",
    }


def _card(model: Model, name: str) -> str:
    record = model.record
    return f"""# {name}

A music model made with Recurra {record["recurra"]}.

- trained on {record["pieces"]} pieces of {record["data"]} ({record["tokens_trained_on"]:,} tokens read in \
{record["steps"]:,} steps, {record["seconds"]:.0f} s)
- validation: {record["validation"]}
- validation loss: {record["nats_per_frame"]:.4f} nats a frame, {record["bits_per_note"]:.3f} bits a note

It composes in the manner of what it was trained on, and can repeat passages of it.

    recurra music compose {name} --out piece.mp3
"""
