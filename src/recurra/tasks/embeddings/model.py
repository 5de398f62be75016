"""Trained word embeddings: compared, searched, drawn, saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from recurra import modelfolder
from recurra.arrayfile import Arrays, map_arrays, write_arrays
from recurra.config import from_dict
from recurra.data.vectors import TASK, Vectors
from recurra.data.word_index import WordIndex
from recurra.tasks.embeddings.config import Config
from recurra.tasks.embeddings.data import Counted
from recurra.tasks.shared.card import Described
from recurra.training import run_folder
from recurra.training.history import HISTORY, Measurement, read_history, write_history


class Model(Described):
    """Trained word embeddings.

    Args:
        vectors: words and their vectors.
        config: how they were made, resolved.
        record: how they were trained, as JSON values.
        name: what to call them in pictures.
        history: the points of their loss curve.
        state: what a run with more text goes on from, besides the vectors; empty if there is nothing.
    """

    task = TASK
    trained_on = "{data}, {words:,} words, {epochs:g} epochs, {seconds:.0f} s"
    quality = "{validation}: {validation_loss:.4f} {loss_unit}"
    manner = "Its vectors hold what stood beside what in the text it was trained on, prejudices included."
    use = "similar {name} WORD"

    config: Config

    def __init__(
        self,
        vectors: Vectors,
        config: Config,
        record: dict[str, Any],
        name: str = "model",
        history: Sequence[Measurement] = (),
        state: Arrays | None = None,
    ) -> None:
        self.vectors = vectors
        self.config = config
        self.record = record
        self.name = name
        self.history = tuple(history)
        self.state = state or {}

    @classmethod
    def load(cls, folder: str | Path, device: object = "cpu") -> Self:
        """Open a model folder; its vectors are mapped, and read as they are used.

        Args:
            folder: where.
            device: taken for the sake of one interface; vectors are searched on the CPU.

        Raises:
            RecurraError: if the folder is not an embeddings model of this version, or its files do not fit together.
        """
        folder = Path(folder)
        vectors = Vectors.open(folder)
        content = modelfolder.read_config(folder, cls.task)
        config = from_dict(Config, content["config"], str(folder / modelfolder.CONFIG))
        checkpoint = folder / modelfolder.FINISHED / run_folder.CHECKPOINT
        state = map_arrays(checkpoint) if checkpoint.exists() else None
        return cls(vectors, config, content["record"], folder.name, read_history(folder / HISTORY), state)

    def save(self, folder: str | Path) -> None:
        """Write the model folder, all or nothing; a model that stands there is replaced.

        Raises:
            RecurraError: if something else stands there, or writing fails.
        """
        self.save_run(Path(folder), None)

    def save_run(self, folder: Path, work: Path | None) -> None:
        """Write the model folder; `work`, the folder of the run, goes into it."""
        content = {"task": self.task, "config": asdict(self.config), "record": self.record}
        save = partial(
            modelfolder.write,
            folder,
            content,
            self.vectors.vocabulary(),
            self.card(folder.name),
            lambda path: write_arrays(path, self.vectors.arrays()),
        )
        run_folder.finish(save, work, lambda new: write_history(self.history, new / HISTORY))

    def counted(self) -> Counted:
        """All words that were counted: those with vectors first, then the rare ones as far as they are known."""
        words, counts = self.vectors.words, self.vectors.counts
        if "rare/counts" not in self.state:
            return Counted(list(words), counts, len(words))
        named = {name.removeprefix("rare/"): array for name, array in self.state.items() if name.startswith("rare/")}
        rare = WordIndex.from_arrays(named, f"the training state of {self.name}")
        return Counted([*words, *rare], np.concatenate([counts, named["counts"]]), len(words))

    def learned(self) -> Arrays:
        """The state to go on from; only what the vectors are made of, if no more was kept."""
        if self.state:
            return self.state
        matrix, ngrams, rows = self.vectors.matrix, self.vectors.ngrams, self.vectors.ngram_rows
        if ngrams is None or rows is None:
            return {"word/inputs": matrix}
        own = np.empty_like(matrix)  # a vector is the mean of its word's own row and its n-grams' rows
        for number, word in enumerate(self.vectors.words):
            others = rows[ngrams.rows(word)]
            own[number] = (1 + len(others)) * matrix[number] - others.sum(axis=0)
        return {"word/inputs": own, "ngrams": rows}

    def network_words(self) -> str:
        """A few words on the vectors."""
        return f"{self.config.method}, {len(self.vectors.words):,} words x {self.vectors.size}"

    def longer(self, reason: str) -> str:
        """The option that makes a run longer."""
        return f"`epochs` {2 * (self.config.epochs or 1)}" if reason == "epochs" else super().longer(reason)

    def __repr__(self) -> str:
        return f"<{self.task} model {self.name!r}: {self.network_words()}>"
