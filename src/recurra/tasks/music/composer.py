"""Composing with a music model, wherever its steps are computed; and a model that only composes, without PyTorch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from recurra.config import from_dict, with_options
from recurra.decoding.sampling import Sampling, TokenStep
from recurra.errors import OptionError, RecurraError
from recurra.modelfolder import PIECES
from recurra.runtime import stored
from recurra.runtime.packed import PackedLanguageModel
from recurra.runtime.rules import RuleFeatures
from recurra.tasks.music import notation as notations
from recurra.tasks.music import performance
from recurra.tasks.music.composition import compose, finished
from recurra.tasks.music.config import Config
from recurra.tasks.music.constraints import Controls, beginning_of, plan, voice_of
from recurra.tasks.music.data import Source, one_piece
from recurra.tasks.music.notation import MusicRules, Notation
from recurra.tasks.music.novelty import Copy, find_copy
from recurra.tasks.music.performance import SECOND, PerformanceNotation
from recurra.tasks.music.performance_rules import PerformanceRules
from recurra.tasks.music.performing import PerformanceOrder, compose_performance, seconds_of
from recurra.tasks.music.pieces import Piece, Tempo
from recurra.tasks.music.rule_features import START
from recurra.tasks.music.training_pieces import TrainingPieces
from recurra.tasks.music.transcription import decode, encode
from recurra.tasks.shared.light import packed_language_model

TASK = "music"


class AnyComposer:
    """What can compose: music to tokens and back, and the steps of a network.

    Attributes:
        vocabulary: music to tokens and back.
        config: how the model was made, resolved.
        name: what to call it.
        training: what it was trained on, to tell what is copied from there; None if it came without.
    """

    vocabulary: Notation | PerformanceNotation
    config: Config
    name: str
    training: TrainingPieces | None = None

    @property
    def notation(self) -> Notation:
        """Music to tokens and back.

        Raises:
            RecurraError: if it is a model of performances, which is asked for bars, tracks or beats.
        """
        if isinstance(self.vocabulary, PerformanceNotation):
            raise RecurraError(
                f"{self.name} has learned performances, which have no bars, tracks or beats; use another"
            )
        return self.vocabulary

    @property
    def played(self) -> bool:
        """Whether it is a model of performances."""
        return isinstance(self.vocabulary, PerformanceNotation)

    def stream_step(self) -> tuple[TokenStep[Any], Any]:
        """The network's step for one stream of tokens, and its state before any input."""
        raise NotImplementedError

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
            prime_bars: take only so many of its first bars, and a pickup before them.
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
        if isinstance(self.vocabulary, PerformanceNotation):
            _require_none(melody=melody, melody_track=melody_track, tempo=tempo)
            begun = self.beginning(prime, prime_bars) if prime else None
            return self._perform(self.vocabulary, controls, sampling, begun, name, number)
        if controls.seconds is not None:
            raise OptionError("`seconds` is for models of performances, and this one counts `bars`; leave it out")
        begun = self.beginning(prime, prime_bars) if prime else None
        source = one_piece(melody, self.config.frame) if melody else None
        voice = voice_of(source, self.notation, melody_track) if source else None
        chance = float(sampling.generator(number).spawn(1)[0].random())
        course = plan(controls, self.notation, begun, voice, source.meters if source else (), chance)
        bars = len(course.bar_lines) - 1
        tokens = [self.notation.number(START), *self.notation.length(bars)]
        if begun:
            tokens += [int(token) for token in encode(begun, self.notation)[0][2:]]
        step, state = self.stream_step()
        tokens += compose(step, tokens, state, course, sampling, sampling.generator(number))
        piece = finished(decode(tokens, self.notation, name), course)
        like = begun or source
        if tempo is not None:
            return replace(piece, tempos=(Tempo(0, tempo),))
        return replace(piece, tempos=like.tempos) if like else piece

    def _perform(
        self,
        notation: PerformanceNotation,
        controls: Controls,
        sampling: Sampling,
        begun: Piece | None,
        name: str,
        number: int,
    ) -> Piece:
        order = PerformanceOrder(notation, seconds_of(controls, begun.length / SECOND if begun else 0.0))
        tokens = performance.encode(begun).tolist() if begun else [performance.number(performance.START)]
        step, state = self.stream_step()
        tokens += compose_performance(step, tokens, state, order, sampling, sampling.generator(number))
        return performance.decode(tokens, name, begun.tracks[0].program if begun else notation.program)

    def beginning(self, prime: Source, bars: int | None = None) -> Piece:
        """What `compose` goes on from: the first bars of a piece, whole ones; what cannot be read of it is counted.

        Args:
            prime: a file, of which the first piece is taken, or a piece.
            bars: how many, a pickup not counted; all if not given.

        Raises:
            OptionError: if the piece has fewer.
        """
        if self.played:
            _require_none(prime_bars=bars)
            return replace(one_piece(prime, self.config.frame, played=True), left_out={})
        begun = beginning_of(one_piece(prime, self.config.frame), bars)
        return replace(begun, left_out=dict(+encode(begun, self.notation)[1]))

    def longest_copy(self, piece: Piece) -> Copy | None:
        """The longest passage of a piece that a training piece has too, in whatever key; None if there is none.

        Of performances it is not looked for, since no two have the same times.
        """
        return find_copy(piece, self.training.index) if self.training and not self.played else None


class Composer(AnyComposer):
    """A trained music model that only composes; it needs no PyTorch, starts at once and computes on the CPU.

    Args:
        vocabulary: music to tokens and back.
        config: how the model was made, resolved.
        network: its weights.
        name: what to call it.
        training: what it was trained on, to tell what is copied from there; None if it came without.
    """

    def __init__(
        self,
        vocabulary: Notation | PerformanceNotation,
        config: Config,
        network: PackedLanguageModel,
        name: str = "model",
        training: TrainingPieces | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        self.config = config
        self.network = network
        self.name = name
        self.training = training

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a model folder.

        Args:
            folder: where.

        Raises:
            RecurraError: if anything about the folder is not as it was saved.
        """
        file = stored.load(Path(folder), TASK)
        config = from_dict(Config, file.config, file.config_file)
        notation = read_notation(file.vocabulary, file.vocabulary_file)
        network = packed_language_model(file, config, notation.size, rules_of(notation))
        training = TrainingPieces.load(file.folder / PIECES)
        return cls(notation, config, network, file.folder.name, training)

    def stream_step(self) -> tuple[TokenStep[Any], Any]:
        """The network's step for one stream of tokens, and its state before any input."""
        return self.network.step, self.network.zero_state()

    def __repr__(self) -> str:
        return f"<music composer {self.name!r}>"


def read_notation(values: Any, where: str) -> Notation | PerformanceNotation:
    """The vocabulary of a model, of whichever kind, from JSON values.

    Raises:
        RecurraError: if it is none; `where` names the values' origin.
    """
    if isinstance(values, dict) and values.get("kind") == "performance":
        return performance.from_json(values, where)
    return notations.from_json(values, where)


def rules_of(notation: Notation | PerformanceNotation) -> RuleFeatures:
    """What a network is told beside the tokens of a notation."""
    return PerformanceRules() if isinstance(notation, PerformanceNotation) else MusicRules(notation)


def _require_none(**options: object) -> None:
    """Refuse what a model of performances cannot be asked for."""
    for name, value in options.items():
        if value is not None:
            raise OptionError(
                f"`{name}` is not for this model, which has learned performances: they have no bars, voices or beats; "
                "leave it out"
            )


def _with_either(controls: Controls, sampling: Sampling, options: Mapping[str, Any]) -> tuple[Controls, Sampling]:
    """Controls and sampling with some of their fields set anew."""
    sampled = {field.name for field in dataclasses.fields(Sampling)} & set(options)
    others = {name: value for name, value in options.items() if name not in sampled}
    return with_options(controls, others), with_options(sampling, {name: options[name] for name in sampled})
