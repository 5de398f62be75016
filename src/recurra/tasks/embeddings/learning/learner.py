"""How vectors are learned, whatever the method: part by part, each a function of the state and of its number alone.

So a run that was killed and goes on from its last checkpoint does the same as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from recurra.arrayfile import Arrays, map_arrays, write_arrays
from recurra.arrays import FloatArray
from recurra.config import required
from recurra.errors import Interrupted, RecurraError
from recurra.progress import Bar, bar, note
from recurra.tasks.embeddings.config import Config
from recurra.training.history import HISTORY, PICTURE, Measurement, plot_history, write_history
from recurra.training.run_folder import CHECKPOINT, read_figures
from recurra.training.signals import caught_signals

PICTURE_SECONDS = 15.0
"""Time between redrawings of `loss.png`."""


class Learner(Protocol):
    """What a method tells the loop about itself.

    Attributes:
        parts: how many parts an epoch has; each takes well under a second.
        unit: of the loss, for pictures and notes: `nats a pair`.
        guessing: the loss of vectors that know nothing.
    """

    parts: int
    unit: str
    guessing: float

    def learning_rate(self, progress: float) -> float:
        """The learning rate when a share of the run, 0 to 1, is done."""

    def learn(self, part: int, learning_rate: float) -> int:
        """Learn from one part of the text, counted from 0 over all epochs; the number of words it read."""

    def losses(self) -> tuple[float, float]:
        """The mean loss on a fixed sample of the text that is learned from, and on the validation text."""

    def arrays(self) -> Arrays:
        """Everything that is learned, by name; what begins with `word/` has a row for each word."""

    def restore(self, arrays: Mapping[str, Any]) -> None:
        """Take over what `arrays` gave, of this method, for the same words."""

    def vectors(self) -> FloatArray:
        """The vectors that come out, `(words, embedding_size)`."""

    def ngram_rows(self) -> FloatArray | None:
        """The vectors of character n-grams, `(buckets, embedding_size)`; None if there are none."""


@dataclass
class LearningState:
    """Where a run is, as it goes into a checkpoint."""

    part: int = 0
    seconds: float = 0.0
    core_seconds: float = 0.0
    words: int = 0
    evaluations: int = 0
    history: list[Measurement] = field(default_factory=list)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LearningState:
        """Back from `asdict`."""
        return cls(**dict(values) | {"history": [Measurement(**row) for row in values["history"]]})


class Run:
    """A run in its folder.

    Args:
        learner: what learns.
        config: resolved.
        folder: for checkpoint, metrics and `loss.png`.
        about: kept in the checkpoint, to tell whether a resumed run is the same.
        further: arrays that are kept in it besides what is learned.
        on_point: called with each point of the loss curve.
    """

    def __init__(
        self,
        learner: Learner,
        config: Config,
        folder: Path,
        about: Mapping[str, Any],
        further: Arrays,
        on_point: Callable[[Measurement], None] | None = None,
    ) -> None:
        self.learner = learner
        self.config = config
        self.folder = folder
        self.about = dict(about)
        self.further = further
        self.on_point = on_point
        self.state = LearningState()
        self._drawn_at = 0.0

    def restore(self) -> None:
        """Go on from the checkpoint in the folder.

        Raises:
            RecurraError: if it is damaged or of another run.
        """
        path = self.folder / CHECKPOINT
        figures, arrays = read_figures(path), map_arrays(path)
        try:
            self.state = LearningState.from_json(figures["state"])
            self.learner.restore(arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise RecurraError(
                f"the checkpoint in {self.folder} does not fit this run ({error}); start again with `overwrite`"
            ) from error

    def run(self) -> Literal["epochs", "time"]:
        """Train to the end, and say why it ended.

        Raises:
            Interrupted: at SIGINT or SIGTERM, with everything saved.
            RecurraError: if the loss is not finite any more, or the disk is full.
        """
        with caught_signals() as caught, bar("training") as shown:
            self._loop(caught, shown)
        self._save()
        write_history(self.state.history, self.folder / HISTORY)
        plot_history(self.state.history, self.folder / PICTURE, self.learner.unit)
        return "epochs" if self.state.part >= self._parts() else "time"

    def _loop(self, caught: list[int], shown: Bar) -> None:
        state, learner = self.state, self.learner
        started, cores_started = time.monotonic() - state.seconds, time.process_time() - state.core_seconds
        saved = shown_at = state.seconds
        progress = self._progress()
        state.evaluations = min(state.evaluations, int(progress * self.config.evaluations))  # a run made longer
        if not state.history:
            self._evaluate(learner.learning_rate(0.0))
        while progress < 1:
            rate = learner.learning_rate(progress)
            state.words += learner.learn(state.part, rate)
            state.part += 1
            state.seconds = time.monotonic() - started
            state.core_seconds = time.process_time() - cores_started
            progress = self._progress()
            if int(progress * self.config.evaluations) > state.evaluations or progress >= 1:
                self._evaluate(rate)
            if caught:
                self._save()
                share = 100 * min(progress, 1.0)
                raise Interrupted(
                    f"stopped after {share:.1f} %; everything is saved, go on with the same command and `resume`",
                    caught[0],
                )
            if state.seconds - saved > self.config.checkpoint_seconds:
                self._save()
                saved = state.seconds
            if state.seconds - shown_at > 0.2:
                shown_at = state.seconds
                shown.update(progress, f"{state.words / max(state.seconds, 1e-9):,.0f} words/s")

    def _parts(self) -> int:
        return required(self.config.epochs, "epochs") * self.learner.parts

    def _progress(self) -> float:
        """The share of the run that is done: of all parts, or of the time, whatever is further along."""
        minutes = self.config.minutes
        return max(self.state.part / self._parts(), self.state.seconds / (60 * minutes) if minutes else 0.0)

    def _evaluate(self, learning_rate: float) -> None:
        """Measure the loss, tell it, and end a run that has come to nothing."""
        state, learner = self.state, self.learner
        loss, validation = learner.losses()
        if not (math.isfinite(loss) and math.isfinite(validation)):
            raise RecurraError(
                f"the loss was not finite after {state.words:,} words; start again with `overwrite` and a lower "
                f"`learning_rate` than {self.config.learning_rate:g}"
            )
        state.evaluations = int(self._progress() * self.config.evaluations)
        row = Measurement(state.part, state.seconds, state.words, loss, validation, learning_rate)
        state.history.append(row)
        if self.on_point:
            self.on_point(row)
        write_history(state.history, self.folder / HISTORY)
        if state.seconds - self._drawn_at > PICTURE_SECONDS:
            plot_history(state.history, self.folder / PICTURE, learner.unit)
            self._drawn_at = state.seconds
        epoch, pace = state.part / learner.parts, state.words / max(state.seconds, 1e-9)
        note(
            f"epoch {epoch:6.2f}   {state.seconds:6.0f} s   loss {loss:.4f}   validation {validation:.4f} "
            f"{learner.unit}   {pace:,.0f} words/s"
        )

    def _save(self) -> None:
        figures = {"config": self.about, "state": asdict(self.state)}
        write_arrays(self.folder / CHECKPOINT, self.learner.arrays() | self.further, figures)
