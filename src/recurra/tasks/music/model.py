"""A recurrent model of a collection of pieces, which composes, is measured and shows what it hears."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.tokenizer import Tokens
from recurra.decoding.sampling import TokenStep
from recurra.errors import RecurraError
from recurra.evaluation.language_model import log_probs
from recurra.explain.measurements import searched_length
from recurra.explain.passage import Subject
from recurra.explain.report import Explained, explain
from recurra.modelfolder import PIECES
from recurra.models.language_model import LanguageModel
from recurra.models.packed import single_stream
from recurra.progress import in_groups
from recurra.tasks.music import features, performance_passage, statistics
from recurra.tasks.music.composer import TASK, AnyComposer, read_notation, rules_of
from recurra.tasks.music.config import Config
from recurra.tasks.music.data import Source, encoded, opened
from recurra.tasks.music.frame_scores import FrameScore, score_frames
from recurra.tasks.music.io.reading import Reading
from recurra.tasks.music.notation import Notation
from recurra.tasks.music.performance import EventScore, PerformanceNotation, score_events
from recurra.tasks.music.pieces import Piece
from recurra.tasks.music.training_pieces import TrainingPieces
from recurra.tasks.shared.model import SavedModel


class Model(SavedModel[LanguageModel, Notation | PerformanceNotation, Config], AnyComposer):
    """A trained music model; `SavedModel` and `AnyComposer` say what it is made of."""

    task = TASK
    config_type = Config
    trained_on = "{pieces} pieces of {data}, {steps:,} steps in {seconds:.0f} s"
    quality = "{validation}: {nats_per_frame:.4f} nats a frame, {bits_per_note:.3f} bits a note"
    manner = "It composes in the manner of what it was trained on, and can repeat passages of it."
    use = "compose {name} --out piece.mp3"
    free_options = (*SavedModel.free_options, "transpose", "stretch")

    def told(self) -> tuple[str, str, str]:
        """`quality`, `manner` and `use`, of performances by the event and the second."""
        if not self.played:
            return super().told()
        quality = "{validation}: {nats_per_event:.4f} nats an event, {nats_per_second:.2f} nats a second"
        return quality, "It plays in the manner of what it was trained on.", self.use

    @staticmethod
    def read_vocabulary(values: object, where: str) -> Notation | PerformanceNotation:
        """The notation of JSON values; `where` names their origin in errors."""
        return read_notation(values, where)

    @staticmethod
    def build(config: Config, vocabulary: Notation | PerformanceNotation) -> LanguageModel:
        """The network of a resolved configuration, with its first weights."""
        return LanguageModel(vocabulary.size, config, rules_of(vocabulary))

    def read_further(self, folder: Path) -> None:
        """Read the training pieces, if they are there."""
        self.training = TrainingPieces.load(folder / PIECES)

    def write_further(self, folder: Path) -> None:
        """Write the training pieces, if they are there."""
        if self.training:
            self.training.save(folder)

    def score(self, pieces: Sequence[Tokens]) -> FrameScore:
        """How well pieces, as tokens, are predicted, each from an empty state."""
        each = (piece for (piece,) in in_groups(pieces, 1, "scoring"))
        return score_frames(each, self.notation, self._log_probs)

    def score_performances(self, pieces: Sequence[Tokens]) -> EventScore:
        """The same, of a model of performances."""
        return score_events((piece for (piece,) in in_groups(pieces, 1, "scoring")), self._log_probs)

    def _log_probs(self, piece: Tokens) -> NDArray[np.floating]:
        return log_probs(self.network, piece, self.device).numpy()

    def stream_step(self) -> tuple[TokenStep[Any], Any]:
        """The network's step for one stream of tokens, where the model is, and its state before any input."""
        return single_stream(self.network)

    def explain(
        self,
        data: Source | Sequence[Source],
        out: str | Path,
        *,
        against: Sequence[Model] = (),
        reading: Reading = Reading(),
    ) -> Explained:
        """Show what the model does on pieces: its neurons, its effective context, its surprisal.

        Args:
            data: pieces the model has not been trained on, see `open_pieces`; the first of them are read.
            out: the page to write, HTML; pictures are put beside it.
            against: further models, trained on the same pieces, to compare the effective context of.
            reading: how files are read.
        """
        self.require_same_vocabulary(against)
        collection = opened(data, self.config.frame, reading, self.played)
        tokens: list[Tokens] = []
        names = []
        for piece in collection.pieces:
            if sum(map(len, tokens)) < searched_length(self.network):
                tokens.append(encoded(piece, self.vocabulary, Counter(), length=False))
                names.append(piece.name)
        read = np.concatenate(tokens)
        if self.played:
            passage = performance_passage.passage(read, collection.name, names)
        else:
            passage = features.passage(self.notation, read, collection.name, names)
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

    def compare(self, pieces: Source | Sequence[Source], *, reading: Reading = Reading()) -> statistics.Comparison:
        """Compare pieces, such as some it has composed, with those the model was trained on, and find what is copied.

        Args:
            pieces: files, folders or pieces.
            reading: how files are read.

        Raises:
            RecurraError: if they cannot be read, or the model came without its training pieces.
        """
        made = opened(pieces, self.config.frame, reading, self.played).pieces
        comparison = statistics.compare(statistics.measure(made), statistics.measure(self.training_pieces()))
        return replace(comparison, copies=tuple((piece, self.longest_copy(piece)) for piece in made))

    def evaluate(self, data: Source | Sequence[Source], *, reading: Reading = Reading()) -> dict[str, float]:
        """Score pieces.

        Args:
            data: files, folders, a sample or pieces.
            reading: how files are read.

        Returns:
            `nats_per_frame` (the first frame of each piece given), `nats_per_frame_with_first`, `bits_per_note`, the
            `count` of frames predicted, and the `left_out` that could not be written in this model's tokens. Of
            performances, `nats_per_event` (the beginning given), `nats_per_second`, `bits_per_note`, and the `count` of
            events predicted.
        """
        collection = opened(data, self.config.frame, reading, self.played)
        lost: Counter[str] = Counter()
        tokens = [encoded(piece, self.vocabulary, lost, length=False) for piece in collection.pieces]
        if self.played:
            played = self.score_performances(tokens)
            return {**played.figures(), "count": played.events}
        figure = self.score(tokens)
        return {
            "nats_per_frame": figure.nats_per_frame,
            "nats_per_frame_with_first": figure.nats_per_frame_with_first,
            "bits_per_note": figure.bits_per_note,
            "count": round(figure.frames - figure.pieces),
            "left_out": sum(lost.values()),
        }
