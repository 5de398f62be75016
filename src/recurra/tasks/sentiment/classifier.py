"""Classifying texts, whatever the network is computed with; and a model that only classifies, without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, overload

import numpy as np

from recurra.arrays import DoubleArray, FloatArray
from recurra.config import from_dict
from recurra.errors import NOT_NUMBERS, RecurraError
from recurra.evaluation.classification import softmax
from recurra.progress import Report, unreported
from recurra.runtime import stored
from recurra.runtime.stored import Weights
from recurra.tasks.sentiment.config import Config
from recurra.tasks.sentiment.data import Encoded, Vocabulary, encode, hasher_of
from recurra.tasks.sentiment.light import logits_of, shapes_of
from recurra.tasks.sentiment.scoring import in_batches

TASK = "sentiment"

Text = str | Sequence[str]
"""A text, or the words of one that has been taken apart."""


class Label(NamedTuple):
    """What a text was found to be.

    Attributes:
        label: the most probable one.
        probability: its own.
        probabilities: of every label.
    """

    label: str
    probability: float
    probabilities: dict[str, float]


class AnyClassifier:
    """What can classify: texts to numbers, and a network's logits.

    Attributes:
        vocabulary: words and labels.
        config: how the model was made, resolved.
        record: how it was trained, with the `temperature` that logits are divided by.
        name: what to call it.
    """

    vocabulary: Vocabulary
    config: Config
    record: dict[str, Any]
    name: str

    def score(self, texts: Sequence[Encoded], report: Report = unreported) -> FloatArray:
        """The network's logits of at least one text, `(texts, labels)`, unchecked."""
        raise NotImplementedError

    @property
    def labels(self) -> list[str]:
        """The classes by name."""
        return self.vocabulary.labels

    @property
    def temperature(self) -> float:
        """What logits are divided by before they become probabilities.

        Raises:
            RecurraError: if the record, which is a file that can be edited, has none.
        """
        match self.record.get("temperature"):
            case int() | float() as temperature if 0 < temperature < np.inf:
                return float(temperature)
        raise RecurraError(f"the record of {self.name} holds no temperature; copy the model again")

    def encode(self, text: Text) -> Encoded:
        """A text as the network reads it; a sequence of words is taken as it is."""
        words = self.vocabulary.split(text) if isinstance(text, str) else text
        return encode(words, self.vocabulary, hasher_of(self.config))

    def unknown_in(self, text: str) -> list[str]:
        """The words of a text that the model has not seen, each once; none if it reads n-grams, which are hashed."""
        if self.config.reads_ngrams:
            return []
        return [word for word in dict.fromkeys(self.vocabulary.split(text)) if word not in self.vocabulary.index]

    def logits(self, texts: Sequence[Text], report: Report = unreported) -> FloatArray:
        """The network's own answers to any number of texts, `(texts, labels)`, before the temperature.

        Raises:
            RecurraError: if they are not numbers: the weights are damaged.
        """
        if not texts:
            return np.empty((0, len(self.labels)), np.float32)
        return self._logits([self.encode(text) for text in texts], report)

    def _logits(self, texts: Sequence[Encoded], report: Report = unreported) -> FloatArray:
        logits = self.score(texts, report)
        if not np.isfinite(logits).all():
            raise RecurraError(NOT_NUMBERS)
        return logits

    def probabilities(self, texts: Sequence[Text]) -> DoubleArray:
        """The calibrated probabilities of each label, `(texts, labels)`.

        Args:
            texts: any number; a sequence of words is taken as it is, a text is split.
        """
        return softmax(self.logits(texts) / self.temperature)

    @overload
    def classify(self, text: str) -> Label: ...  # type: ignore[overload-overlap] # a str is no sequence of texts here

    @overload
    def classify(self, text: Sequence[Text]) -> list[Label]: ...

    def classify(self, text: str | Sequence[Text]) -> Label | list[Label]:
        """What a text is, or each of several.

        Args:
            text: one, or a list of them.
        """
        found = self._labels(self.probabilities([text] if isinstance(text, str) else text))
        return found[0] if isinstance(text, str) else found

    def _labels(self, probabilities: DoubleArray) -> list[Label]:
        best = probabilities.argmax(axis=1)
        return [
            Label(self.labels[number], float(row[number]), dict(zip(self.labels, row.tolist(), strict=True)))
            for number, row in zip(best.tolist(), probabilities, strict=True)
        ]


class Classifier(AnyClassifier):
    """A trained sentiment model that only classifies; it needs no PyTorch, starts at once and computes on the CPU.

    Args:
        vocabulary: words and labels.
        config: how the model was made, resolved.
        record: how it was trained.
        weights: by name, see `light.shapes_of`.
        name: what to call it.
    """

    def __init__(
        self, vocabulary: Vocabulary, config: Config, record: dict[str, Any], weights: Weights, name: str = "model"
    ) -> None:
        self.vocabulary = vocabulary
        self.config = config
        self.record = record
        self.weights = weights
        self.name = name

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
        vocabulary = Vocabulary.from_json(file.vocabulary, file.vocabulary_file)
        with file.damaged_configuration():
            file.require_shapes(shapes_of(config, vocabulary))
        return cls(vocabulary, config, file.record, file.weights, file.folder.name)

    def score(self, texts: Sequence[Encoded], report: Report = unreported) -> FloatArray:
        """The network's logits of at least one text, `(texts, labels)`, unchecked."""
        with np.errstate(over="ignore", invalid="ignore"):  # huge weights are for who reads the logits to refuse
            return in_batches(
                lambda some: logits_of(self.config, self.weights, some), texts, self.config.max_length, report
            )

    def __repr__(self) -> str:
        return f"<sentiment classifier {self.name!r}>"
