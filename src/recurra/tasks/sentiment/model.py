"""A network reads a text and gives each label a probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from recurra.arrays import FloatArray
from recurra.config import required
from recurra.data.columns import Header
from recurra.data.sources import several
from recurra.evaluation.classification import Scores, measure, softmax
from recurra.progress import Report, bar, note, unreported
from recurra.tasks.sentiment.classifier import TASK, AnyClassifier, Label
from recurra.tasks.sentiment.config import Config
from recurra.tasks.sentiment.contrast import CONTRAST, Score, labelled, score_answers
from recurra.tasks.sentiment.data import Encoded, Vocabulary, encode_texts, hasher_of, open_texts
from recurra.tasks.sentiment.explanation import Explained, explain_texts
from recurra.tasks.sentiment.networks import Average, Recurrent, score_texts
from recurra.tasks.sentiment.ngrams import Mix, Ngrams
from recurra.tasks.shared.card import network_summary
from recurra.tasks.shared.model import SavedModel


class Evaluation(NamedTuple):
    """How good a model is on labelled texts.

    Attributes:
        texts: as they were read.
        labels: the right ones.
        answers: the model's.
        scores: how they compare.
    """

    texts: list[str]
    labels: list[str]
    answers: list[Label]
    scores: Scores


class Model(SavedModel[nn.Module, Vocabulary, Config], AnyClassifier):
    """A trained sentiment model; `SavedModel` says what it is made of.

    Its record holds the `temperature` that logits are divided by, fitted on the validation part.
    """

    task = TASK
    config_type = Config
    trained_on = "{data}, {texts:,} texts, {steps:,} steps in {seconds:.0f} s"
    quality = "{validation}: accuracy {accuracy:.1%}, {nats:.4f} nats a text"
    manner = (
        "It tells labels apart in texts like those it was trained on; of texts of another kind its probabilities say\n"
        "less than they seem to."
    )
    use = 'classify {name} "not feeling happy"'
    free_options = (*SavedModel.free_options, "word_dropout", "class_weights", "max_length")

    @staticmethod
    def read_vocabulary(values: object, where: str) -> Vocabulary:
        """The vocabulary of JSON values; `where` names their origin in errors."""
        return Vocabulary.from_json(values, where)

    @staticmethod
    def build(config: Config, vocabulary: Vocabulary) -> nn.Module:
        """The network of a resolved configuration, with its first weights."""
        if config.model == "ngrams":
            return _ngrams(config, vocabulary)
        network = (Average if config.model == "average" else Recurrent)(vocabulary, config)
        return Mix(network, _ngrams(config, vocabulary)) if config.reads_ngrams else network

    def network_words(self) -> str:
        """A few words on what was trained."""
        return self.words_on(self.config)

    @staticmethod
    def words_on(config: Config) -> str:
        """A few words on the network of a configuration."""
        if config.model == "average":
            return f"the average of vectors of {config.embedding_size} numbers"
        if config.model == "ngrams":
            return _ngram_words(config)
        directions = ", both directions" if config.bidirectional else ""
        network = f"{network_summary(config)}{directions}, {config.pooling} pooling"
        return f"{network}, and {_ngram_words(config)}" if config.reads_ngrams else network

    def score(self, texts: Sequence[Encoded], report: Report = unreported) -> FloatArray:
        """The network's logits of at least one text, `(texts, labels)`, unchecked."""
        return score_texts(self.network, texts, self.device, self.config.max_length, report)

    def answers(
        self,
        data: str | Path | Sequence[Any],
        *,
        encoding: str = "utf-8",
        columns: str = "",
        header: Header = "auto",
    ) -> Evaluation:
        """Classify labelled texts and compare with their labels; see `evaluate`."""
        given = labelled(self.labels) if several(data) == [CONTRAST] else several(data)
        texts = open_texts(given, encoding, columns, header)
        for reason in texts.skipped:
            note(f"left out: {reason}")
        encoded = encode_texts(texts, self.vocabulary, hasher_of(self.config))
        with bar("classifying") as shown:
            probabilities = softmax(self._logits(encoded.texts, shown.update) / self.temperature)
        return Evaluation(
            texts.texts, texts.labels, self._labels(probabilities), measure(probabilities, encoded.labels)
        )

    def evaluate(
        self,
        data: str | Path | Sequence[Any],
        *,
        encoding: str = "utf-8",
        columns: str = "",
        header: Header = "auto",
    ) -> dict[str, Any]:
        """Classify labelled texts and compare with their labels.

        Args:
            data: a table, a sample, pairs of text and label, or `sample:contrast`, see `contrast`.
            encoding: how the files encode text.
            columns: which columns or keys of a table hold text and label.
            header: whether the first line of a table names its columns.

        Returns:
            `accuracy`, `ece` (expected calibration error), `ece_range` (where it would be if the probabilities were
            exactly right), `nats`, `macro_f1`, `count`, `classes` (of each label `precision`, `recall`, `f1`, `count`),
            `confusion` (of each label, how often it was given each label) and `bins` (of the reliability picture). Of
            the contrast set also `pairs_right` and `kinds` (of each kind `accuracy`, `pairs_right`, `pairs`).

        Raises:
            RecurraError: if the texts cannot be read, or a label is not one of the model's.
        """
        found = self.answers(data, encoding=encoding, columns=columns, header=header)
        shown = figures(found.scores, self.labels)
        return shown | contrast_figures(found) if several(data) == [CONTRAST] else shown

    def explain(
        self,
        texts: str | Sequence[str],
        out: str | Path | None = None,
        *,
        examples: str | Path | Sequence[Any] = (),
        encoding: str = "utf-8",
        columns: str = "",
        header: Header = "auto",
    ) -> Explained:
        """Explain the answers to some texts: which words mattered, and which together; the mood after each word.

        Args:
            texts: one, or a list of at most 50.
            out: the page to write, HTML; a picture is put beside it. None writes nothing.
            examples: labelled texts, as the model was trained on, to look for the nearest among.
            encoding: how the files of examples encode text.
            columns: which columns or keys of a table of examples hold text and label.
            header: whether the first line of a table of examples names its columns.

        Raises:
            RecurraError: if there is no text, one is too long, the examples cannot be read, or writing fails.
        """
        from recurra.tasks.sentiment.page import write_page

        known = open_texts(several(examples), encoding, columns, header) if examples else None
        explanations = explain_texts(self, [texts] if isinstance(texts, str) else texts, known)
        files = write_page(Path(out), self.name, self.facts(), explanations) if out is not None else ()
        return Explained(explanations, files)


def _ngrams(config: Config, vocabulary: Vocabulary) -> Ngrams:
    return Ngrams(1 << required(config.bits, "bits"), len(vocabulary.labels))


def _ngram_words(config: Config) -> str:
    return f"n-grams of up to {config.longest_ngram} words in a table of {1 << required(config.bits, 'bits'):,} rows"


def contrast_figures(found: Evaluation) -> dict[str, Any]:
    """What answers to the contrast set come to, as JSON values."""
    scores = contrast_scores(found)
    kinds = {kind: score._asdict() for kind, score in scores.items() if kind != "all"}
    return {"pairs_right": scores["all"].pairs_right, "kinds": kinds}


def contrast_scores(found: Evaluation) -> dict[str, Score]:
    """The scores of answers to the contrast set."""
    return score_answers([answer.label == label for answer, label in zip(found.answers, found.labels, strict=True)])


def figures(scores: Scores, labels: Sequence[str]) -> dict[str, Any]:
    """Scores as JSON values."""
    values = asdict(scores)
    values["classes"] = [{"label": label} | score for label, score in zip(labels, values["classes"], strict=True)]
    values["confusion"] = {
        label: dict(zip(labels, row, strict=True)) for label, row in zip(labels, scores.confusion.tolist(), strict=True)
    }
    values["ece_range"] = list(scores.ece_range)
    return values
