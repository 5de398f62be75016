"""A recurrent model of a collection of pieces, which composes, is measured and shows what it hears."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.config import with_options
from recurra.data.tokenizer import Tokens
from recurra.decoding.sampling import Sampling
from recurra.errors import OptionError, RecurraError
from recurra.evaluation.language_model import log_probs
from recurra.explain.measurements import searched_length
from recurra.explain.passage import Subject
from recurra.explain.report import Explained, explain
from recurra.modelfolder import PIECES
from recurra.models.language_model import LanguageModel
from recurra.models.packed import single_stream
from recurra.progress import in_groups
from recurra.tasks.music import features, statistics
from recurra.tasks.music import notation as notations
from recurra.tasks.music.composition import compose, finished
from recurra.tasks.music.config import Config
from recurra.tasks.music.constraints import Controls, beginning_of, plan, voice_of
from recurra.tasks.music.data import Source, encoded, one_piece, open_pieces
from recurra.tasks.music.frame_scores import FrameScore, score_frames
from recurra.tasks.music.notation import MAX_BARS, MusicRules, Notation
from recurra.tasks.music.novelty import Copy, find_copy
from recurra.tasks.music.pieces import Piece, Tempo
from recurra.tasks.music.rule_features import BARS, START
from recurra.tasks.music.training_pieces import TrainingPieces
from recurra.tasks.music.transcription import decode, encode
from recurra.tasks.shared.model import SavedModel


class Model(SavedModel[LanguageModel, Notation, Config]):
    """A trained music model; `SavedModel` says what it is made of.

    Attributes:
        training: what it was trained on, to tell what is copied from there; None if it came without.
    """

    task = "music"
    config_type = Config
    trained_on = "{pieces} pieces of {data}, {steps:,} steps in {seconds:.0f} s"
    quality = "{validation}: {nats_per_frame:.4f} nats a frame, {bits_per_note:.3f} bits a note"
    manner = "It composes in the manner of what it was trained on, and can repeat passages of it."
    use = "compose {name} --out piece.mp3"
    free_options = (*SavedModel.free_options, "transpose")

    training: TrainingPieces | None = None

    @staticmethod
    def read_vocabulary(values: object, where: str) -> Notation:
        """The notation of JSON values; `where` names their origin in errors."""
        return notations.from_json(values, where)

    @staticmethod
    def build(config: Config, vocabulary: Notation) -> LanguageModel:
        """The network of a resolved configuration, with its first weights."""
        return LanguageModel(vocabulary.size, config, MusicRules(vocabulary))

    def read_further(self, folder: Path) -> None:
        """Read the training pieces, if they are there."""
        self.training = TrainingPieces.load(folder / PIECES)

    def write_further(self, folder: Path) -> None:
        """Write the training pieces, if they are there."""
        if self.training:
            self.training.save(folder)

    @property
    def notation(self) -> Notation:
        """Music to tokens and back."""
        return self.vocabulary

    def score(self, pieces: Sequence[Tokens]) -> FrameScore:
        """How well pieces, as tokens, are predicted, each from an empty state."""
        each = (piece for (piece,) in in_groups(pieces, 1, "scoring"))
        return score_frames(each, self.notation, lambda piece: log_probs(self.network, piece, self.device).numpy())

    def compose(
        self,
        controls: Controls = Controls(),
        sampling: Sampling = Sampling(),
        *,
        prime: Source | None = None,
        prime_bars: int | None = None,
        melody: Source | None = None,
        melody_track: str | None = None,
        tempo: float | None = None,
        name: str = "a new piece",
        number: int = 0,
        **options: Any,
    ) -> Piece:
        """Compose a piece.

        Args:
            controls: what it must keep to; nothing that breaks one can be drawn.
            sampling: how to choose among the rest.
            prime: a file or a piece to go on from; the controls hold for what comes after it.
            prime_bars: take only so many of its first bars.
            melody: a file or a piece with a voice to harmonise, which stays exactly as it is.
            melody_track: name or number, from 1, of the track that is the voice; the first that has notes if not given.
            tempo: quarter notes a minute; those of `prime` or `melody`, or the training pieces' usual, if not given.
            name: what to call the piece.
            number: which of the samples of one seed this is.
            options: fields of `Controls` and of `Sampling`: `bars=8, key="D minor", temperature=0.7`.

        Raises:
            OptionError: if the controls cannot all be met.
            RecurraError: if a file cannot be read.
        """
        if prime and melody:
            raise OptionError("`prime` and `melody` both say how the piece begins; give one of them")
        controls, sampling = _with_either(controls, sampling, options)
        begun = self.beginning(prime, prime_bars) if prime else None
        source = one_piece(melody, self.config.frame)[0] if melody else None
        voice = voice_of(source, self.notation, melody_track) if source else None
        course = plan(controls, self.notation, begun, voice, source.meters if source else ())
        bars = len(course.bar_lines) - 1
        tokens = [self.notation.number(START), self.notation.number(BARS, bars if bars <= MAX_BARS else 0)]
        if begun:
            tokens += [int(token) for token in encode(begun, self.notation)[0][2:]]
        step, state = single_stream(self.network)
        tokens += compose(step, tokens, state, course, sampling, sampling.generator(number))
        piece = finished(decode(tokens, self.notation, name), course)
        like = begun or source
        if tempo is not None:
            return replace(piece, tempos=(Tempo(0, tempo),))
        return replace(piece, tempos=like.tempos) if like else piece

    def beginning(self, prime: Source, bars: int | None = None) -> Piece:
        """What `compose` goes on from: the first bars of a piece, whole ones; what cannot be read of it is counted.

        Args:
            prime: a file, of which the first piece is taken, or a piece.
            bars: how many; all if not given.

        Raises:
            OptionError: if the piece has fewer.
        """
        begun = beginning_of(one_piece(prime, self.config.frame)[0], bars)
        return replace(begun, left_out=dict(+encode(begun, self.notation)[1]))

    def explain(self, data: Source | Sequence[Source], out: str | Path, *, against: Sequence[Model] = ()) -> Explained:
        """Show what the model does on pieces: its neurons, its effective context, its surprisal.

        Args:
            data: pieces the model has not been trained on, see `open_pieces`; the first of them are read.
            out: the page to write, HTML; pictures are put beside it.
            against: further models, trained on the same pieces, to compare the effective context of.
        """
        self.require_same_vocabulary(against)
        collection = open_pieces(data, self.config.frame)
        tokens: list[Tokens] = []
        names = []
        for piece in collection.pieces:
            if sum(map(len, tokens)) < searched_length(self.network):
                tokens.append(encode(piece, self.notation)[0])
                names.append(piece.name)
        passage = features.passage(self.notation, np.concatenate(tokens), collection.name, names)
        subjects = [Subject(model.name, model.network, model.facts()) for model in (self, *against)]
        return explain(subjects, passage, Path(out))

    def training_pieces(self) -> tuple[Piece, ...]:
        """What the model was trained on.

        Raises:
            RecurraError: if the model came without.
        """
        if self.training is None:
            raise RecurraError(f"{self.name} came without its training pieces ({PIECES}); train it again")
        return self.training.pieces

    def longest_copy(self, piece: Piece) -> Copy | None:
        """The longest passage of a piece that a training piece has too, in whatever key; None if there is none."""
        return find_copy(piece, self.training.index) if self.training else None

    def compare(self, pieces: Source | Sequence[Source]) -> statistics.Comparison:
        """Compare pieces, such as some it has composed, with those the model was trained on, and find what is copied.

        Args:
            pieces: files, folders or pieces.

        Raises:
            RecurraError: if they cannot be read, or the model came without its training pieces.
        """
        made = open_pieces(pieces, self.config.frame).pieces
        comparison = statistics.compare(statistics.measure(made), statistics.measure(self.training_pieces()))
        return replace(comparison, copies=tuple((piece, self.longest_copy(piece)) for piece in made))

    def evaluate(self, data: Source | Sequence[Source]) -> dict[str, float]:
        """Score pieces.

        Args:
            data: files, folders, a sample or pieces.

        Returns:
            `nats_per_frame` (the first frame of each piece given), `nats_per_frame_with_first`, `bits_per_note`, the
            `count` of frames predicted, and the `left_out` that could not be written in this model's tokens.
        """
        collection = open_pieces(data, self.config.frame)
        lost: Counter[str] = Counter()
        figure = self.score([encoded(piece, self.notation, lost, length=False) for piece in collection.pieces])
        return {
            "nats_per_frame": figure.nats_per_frame,
            "nats_per_frame_with_first": figure.nats_per_frame_with_first,
            "bits_per_note": figure.bits_per_note,
            "count": round(figure.frames - figure.pieces),
            "left_out": sum(lost.values()),
        }


def _with_either(controls: Controls, sampling: Sampling, options: Mapping[str, Any]) -> tuple[Controls, Sampling]:
    """Controls and sampling with some of their fields set anew."""
    sampled = {field.name for field in dataclasses.fields(Sampling)} & set(options)
    others = {name: value for name, value in options.items() if name not in sampled}
    return with_options(controls, others), with_options(sampling, {name: options[name] for name in sampled})
