"""Trained word embeddings: compared, searched, drawn, saved."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, Self, overload

import numpy as np

from recurra import modelfolder
from recurra.arrayfile import Arrays, map_arrays, write_arrays
from recurra.arrays import FloatArray
from recurra.config import check_range, from_dict
from recurra.data.sources import listed, several
from recurra.data.vectors import TASK, Vectors
from recurra.data.word_index import WordIndex
from recurra.errors import OptionError, RecurraError
from recurra.progress import note
from recurra.tasks.embeddings.config import Config
from recurra.tasks.embeddings.counted import Counted
from recurra.tasks.embeddings.evaluation import VOCABULARY_SIZE, Examiner, read_test
from recurra.tasks.embeddings.io.formats import Format, write_vectors
from recurra.tasks.embeddings.nearest import AnalogyMethod, Found, Nearest, odd_ones
from recurra.tasks.shared.card import Described
from recurra.training import run_folder
from recurra.training.history import HISTORY, Measurement, read_history, write_history

COUNT = 10
"""Neighbours that are found if nothing else is asked for ..."""

MAX_COUNT = 1_000_000
"""... and at most."""

IMPORTED = "imported"
"""The entry of a record that says in which format vectors came that were not trained here."""

NAMED = 10
"""Words without a vector that a note names, at most."""


class Neighbour(NamedTuple):
    """A word and how near it is: the cosine similarity, or the score of an analogy."""

    word: str
    similarity: float


def neighbours(words: Sequence[str], found: Found) -> list[Neighbour]:
    """What was found, as words."""
    return [Neighbour(words[int(i)], float(s)) for i, s in zip(found.indices, found.scores, strict=True)]


def shortened(word: str) -> str:
    """A word as a message shows it."""
    return reprlib.repr(word)


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

    def vector(self, word: str) -> FloatArray:
        """The vector of a word, `(size,)`; one the model has not is looked up in small letters, or made of its n-grams.

        Raises:
            RecurraError: if there is none; words spelled nearly like it are named.
        """
        vector: FloatArray = self._vectors([word])[0]
        return vector

    def __getitem__(self, word: str) -> FloatArray:
        return self.vector(word)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and bool(self.vectors.of([word])[1][0])

    def _vectors(self, words: Sequence[str]) -> FloatArray:
        """The vectors of words, `(words, size)`, if all of them have one that points somewhere."""
        result, found = self.vectors.of(words)
        for word, vector, there in zip(words, result, found, strict=True):
            if not there:
                near = self.vectors.words.near(word.lower() if self.vectors.splitter.lowercase else word)
                hint = f"did you mean {listed(near)}?" if near else "check its spelling, or ask for another"
                raise RecurraError(f"{self.name} has no word {shortened(word)}; {hint}")
            if not vector.any():
                raise RecurraError(
                    f"{shortened(word)} has a zero vector in {self.name}, which is near nothing; ask for another"
                )
        return result

    @cached_property
    def nearest(self) -> Nearest:
        """The search among all words."""
        return Nearest(self.vectors.matrix, self.name)

    @overload
    def similar(  # type: ignore[overload-overlap]
        self, words: str, *, count: int = ..., among: Sequence[str] = ...
    ) -> list[Neighbour]: ...

    @overload
    def similar(
        self, words: Sequence[str], *, count: int = ..., among: Sequence[str] = ...
    ) -> list[list[Neighbour]]: ...

    def similar(
        self, words: str | Sequence[str], *, count: int = COUNT, among: Sequence[str] = ()
    ) -> list[Neighbour] | list[list[Neighbour]]:
        """The words nearest to a word by cosine similarity, without itself; of several words, a list for each.

        Args:
            words: what to look for.
            count: neighbours to find of each.
            among: find them among these words instead of all; those without a vector are named in a note.

        Raises:
            RecurraError: if a word has no vector.
        """
        check_range("count", count, 1, MAX_COUNT)
        asked = [words] if isinstance(words, str) else list(words)
        queries = self._vectors(asked)
        names, nearest = self._searched(among)
        found = nearest.similar(queries, count, self._own(asked, names if among else None))
        answers = [neighbours(names, each) for each in found]
        return answers[0] if isinstance(words, str) else answers

    def _own(self, asked: Sequence[str], among: Sequence[str] | None) -> list[list[int]]:
        """For each word that is asked for, where it stands itself among all words, or among these."""
        if among is None:
            return [[] if (index := self.vectors.find(word)) is None else [index] for word in asked]
        places: dict[int | str, list[int]] = {}
        for place, word in enumerate(among):
            places.setdefault(self._identity(word), []).append(place)
        return [places.get(self._identity(word), []) for word in asked]

    def _identity(self, word: str) -> int | str:
        """What is the same for spellings of one word: its index, if it has one."""
        index = self.vectors.find(word)
        return word if index is None else index

    def _searched(self, among: Sequence[str]) -> tuple[Sequence[str], Nearest]:
        """Words to search among, and the search."""
        if not among:
            return self.vectors.words, self.nearest
        distinct = list(dict.fromkeys(among))
        matrix, there = self.vectors.of(distinct)
        missing = [shortened(word) for word, known in zip(distinct, there, strict=True) if not known]
        if len(missing) == len(distinct):
            raise RecurraError(f"{self.name} has none of the {len(distinct):,} words to search among; give others")
        if missing:
            more = " ..." if len(missing) > NAMED else ""
            note(f"{len(missing):,} of the words to search among have no vector: {', '.join(missing[:NAMED])}{more}")
        return [word for word, known in zip(distinct, there, strict=True) if known], Nearest(matrix[there], self.name)

    def analogy(self, a: str, b: str, c: str, *, count: int = COUNT, method: AnalogyMethod = "add") -> list[Neighbour]:
        """What is to `c` as `b` is to `a`: `analogy("man", "king", "woman")`.

        Args:
            a: a word, never among the answers, as the next two.
            b: what goes with it.
            c: what an answer is to go with.
            count: answers, the best first.
            method: 3CosAdd or 3CosMul, see `Nearest.analogy`.

        Raises:
            RecurraError: if a word has no vector.
        """
        check_range("count", count, 1, MAX_COUNT)
        asked = [index for word in (a, b, c) if (index := self.vectors.find(word)) is not None]
        found = self.nearest.analogy(self._vectors((a, b, c)), count, asked, method)
        return neighbours(self.vectors.words, found)

    def fitting(self, words: Sequence[str]) -> list[Neighbour]:
        """Words by how well they fit the rest, worst first: the cosine with the mean of all, each of unit length.

        Raises:
            RecurraError: if there are fewer than three, or one has no vector.
        """
        if len(words) < 3:
            raise OptionError("of fewer than three words none is the odd one; give more")
        cosines = odd_ones(self._vectors(words))
        return [Neighbour(words[number], float(cosines[number])) for number in np.argsort(cosines, kind="stable")]

    def odd_one_out(self, words: Sequence[str]) -> str:
        """The word that fits the others worst, see `fitting`."""
        return self.fitting(words)[0].word

    def evaluate(
        self,
        files: str | Path | Sequence[str | Path],
        *,
        vocabulary_size: int = VOCABULARY_SIZE,
        method: AnalogyMethod = "add",
    ) -> dict[str, dict[str, Any]]:
        """Measure the vectors by tests of analogies and of word similarity.

        Args:
            files: tests, see `evaluation.read_test`; lines that are not understood are told in a note.
            vocabulary_size: only so many of the first words are known, and may be answers.
            method: how analogies are answered, see `Nearest.analogy`.

        Returns:
            For each file by its name as given: `kind`, `score`, `coverage`, `count`, and `sections` of analogies; see
            `evaluation.Examiner.examine`.

        Raises:
            RecurraError: if a file is not such a test.
        """
        check_range("vocabulary_size", vocabulary_size, 1, 2**31)
        tests = {str(file): read_test(Path(file)) for file in several(files)}
        for test in tests.values():
            for sentence in test.skipped:
                note(sentence)
        examiner = Examiner(self.vectors, self.nearest, vocabulary_size)
        return {name: examiner.examine(test, method) for name, test in tests.items()}

    def export(self, out: str | Path, format: Format = "auto") -> tuple[Path, ...]:
        """Write the vectors for other programs; see `formats.write_vectors`."""
        return write_vectors(self.vectors, Path(out), format)

    def facts(self) -> dict[str, str]:
        """What a person wants to know of the model; of imported vectors that is only where they are from."""
        if IMPORTED not in self.record:
            return super().facts()
        return {"imported from": modelfolder.tell(self.record, "{data}, {imported}"), "vectors": self.network_words()}

    def network_words(self) -> str:
        """A few words on the vectors."""
        method = "imported" if IMPORTED in self.record else self.config.method
        return f"{method}, {len(self.vectors.words):,} words x {self.vectors.size}"

    def longer(self, reason: str) -> str:
        """The option that makes a run longer."""
        return f"`epochs` {2 * (self.config.epochs or 1)}" if reason == "epochs" else super().longer(reason)

    def __repr__(self) -> str:
        return f"<{self.task} model {self.name!r}: {self.network_words()}>"
