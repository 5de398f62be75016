"""A trained recogniser: it transcribes recordings, is measured, and shows what it heard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from recurra import load
from recurra.arrays import BoolArray, DoubleArray, FloatArray
from recurra.config import with_options
from recurra.data.columns import Header
from recurra.data.sources import several
from recurra.errors import OptionError, RecurraError
from recurra.evaluation.classification import calibration_error, reliability
from recurra.progress import bar, in_groups, note
from recurra.tasks.shared.model import SavedModel
from recurra.tasks.speech.accuracy import Accuracy, measure, right_words
from recurra.tasks.speech.audio import SILENCE, sound_blocks
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.ctc import Labelling, empty_labelling, greedy, joined
from recurra.tasks.speech.data import Part
from recurra.tasks.speech.explanation import ALTERNATIVES, LONGEST, Explanation, explain, passage
from recurra.tasks.speech.features import Normalization
from recurra.tasks.speech.hot_words import compile_hot_words
from recurra.tasks.speech.language import TextModel, text_scorer
from recurra.tasks.speech.listening import Listener, log_probs_of
from recurra.tasks.speech.networks import CtcNetwork
from recurra.tasks.speech.objective import batches_of, heard, steps_of
from recurra.tasks.speech.page import write_page
from recurra.tasks.speech.prefix_search import PrefixDecoder, PrefixSearch
from recurra.tasks.speech.recordings import open_recordings
from recurra.tasks.speech.symbols import BLANK, Symbols
from recurra.tasks.speech.transcript import Transcript, spoken

DEFAULT_SEARCH = PrefixSearch()

LanguageModel = TextModel | str | Path | None
"""A text model, its folder, or none."""


@dataclass(frozen=True)
class Vocabulary:
    """What a speech model writes, and what it hears with.

    Attributes:
        symbols: of its transcripts.
        normalization: of its features.
    """

    symbols: Symbols
    normalization: Normalization

    def to_json(self) -> dict[str, Any]:
        """Everything needed to make it again, as JSON values."""
        arrays = (self.normalization.mean, self.normalization.std)
        mean, std = ([float(f"{value:.9g}") for value in array] for array in arrays)
        return self.symbols.to_json() | {"mean": mean, "std": std}

    @classmethod
    def from_json(cls, values: object, where: str) -> Vocabulary:
        """The vocabulary that `to_json` described; `where` names the origin in errors."""
        match values:
            case {"mean": list(mean), "std": list(std)} if len(mean) == len(std) and all(
                isinstance(value, int | float) for value in (*mean, *std)
            ):
                normalization = Normalization(np.array(mean, np.float32), np.array(std, np.float32))
                if np.isfinite(normalization.mean).all() and (normalization.std > 0).all():
                    return cls(Symbols.from_json(values, where), normalization)
        raise RecurraError(f"{where} holds no symbols or no features' mean; copy or train the model again")


class Evaluation(NamedTuple):
    """How good a model is on recordings.

    Attributes:
        names: of the recordings.
        said: what is said in each.
        heard: what the model heard.
        accuracy: how they compare.
        calibration_error: of the confidences of words (ECE), see `recurra.evaluation.classification`.
    """

    names: list[str]
    said: list[str]
    heard: list[Transcript]
    accuracy: Accuracy
    calibration_error: float


class Model(SavedModel[CtcNetwork, Vocabulary, Config]):
    """A trained speech model; `SavedModel` says what it is made of."""

    task = "speech"
    config_type = Config
    trained_on = "{data}, {recordings:,} recordings of {minutes:g} minutes, {steps:,} steps in {seconds:.0f} s"
    quality = "{validation}: {wer:.1%} of words wrong, {cer:.1%} of characters, {nats:.4f} nats a symbol"
    manner = (
        "It hears what is like the recordings it was trained on: the same words, voices and microphones. Of others it\n"
        "makes something too."
    )
    use = "transcribe {name} RECORDING"
    free_options = (
        *SavedModel.free_options,
        *("batch_seconds", "curriculum", "speed", "gain_db", "noise_db", "mask_bands", "mask_ms", "min_count"),
    )

    @staticmethod
    def read_vocabulary(values: object, where: str) -> Vocabulary:
        """The vocabulary of JSON values; `where` names their origin in errors."""
        return Vocabulary.from_json(values, where)

    @staticmethod
    def build(config: Config, vocabulary: Vocabulary) -> CtcNetwork:
        """The network of a resolved configuration, with its first weights."""
        return CtcNetwork(vocabulary.symbols.size, config)

    @property
    def symbols(self) -> Symbols:
        """What transcripts are made of."""
        return self.vocabulary.symbols

    def decoder(
        self,
        search: PrefixSearch = DEFAULT_SEARCH,
        hot_words: Mapping[str, float] | None = None,
        language_model: LanguageModel = None,
    ) -> PrefixDecoder:
        """The search for the best text.

        Args:
            search: how to search.
            hot_words: words and phrases to favour, and by how many nats each.
            language_model: a text model, or its folder, whose opinion counts too, by the weight `alpha`.

        Raises:
            OptionError: if a hot word has a symbol that the model does not write.
        """
        encoded = {}
        for word, weight in (hot_words or {}).items():
            if unknown := self.symbols.unknown_in(word):
                raise OptionError(f"the model cannot write the hot word {word!r}: it has no symbol {unknown[0]!r}")
            encoded[tuple(self.symbols.encode(word).tolist())] = weight
        automaton = compile_hot_words(encoded, self.symbols.size, BLANK, self.symbols.space)
        if isinstance(language_model, str | Path):
            language_model = load(language_model, "cpu", task="text")
        scorer = text_scorer(language_model, self.symbols) if language_model and search.alpha else None
        return PrefixDecoder(self.symbols.size, BLANK, search, automaton, scorer)

    def listen(
        self,
        search: PrefixSearch = DEFAULT_SEARCH,
        hot_words: Mapping[str, float] | None = None,
        language_model: LanguageModel = None,
    ) -> Listener:
        """A listener for sound as it comes; see `decoder`.

        Raises:
            RecurraError: if the model reads recordings from both ends.
        """
        if self.config.bidirectional:
            raise RecurraError(
                f"{self.name} reads recordings from both ends and cannot transcribe while it listens; train one with "
                "`bidirectional` off"
            )
        decoder = self.decoder(search, hot_words, language_model)
        return Listener(self.network, self.config, self.vocabulary.normalization, decoder)

    def log_probs(self, recording: str | Path | FloatArray) -> FloatArray:
        """Log-probabilities of the symbols at each step, `(steps, symbols)`, the blank first.

        Args:
            recording: a file, or samples at the model's rate, `(samples,)`, from -1 to 1.
        """
        pieces = log_probs_of(self._blocks(recording), self.network, self.config, self.vocabulary.normalization)
        return np.concatenate([np.zeros((0, self.symbols.size), np.float32), *pieces])

    def _blocks(self, recording: str | Path | FloatArray) -> Iterable[FloatArray]:
        """A recording in blocks of samples."""
        if isinstance(recording, str | Path):
            return sound_blocks(Path(recording), self.config.features.rate)
        return [recording]

    def transcribe(
        self,
        recording: str | Path | FloatArray,
        *,
        search: PrefixSearch | None = None,
        hot_words: Mapping[str, float] | None = None,
        language_model: LanguageModel = None,
        **options: Any,
    ) -> Transcript:
        """What is said in a recording.

        Args:
            recording: a file of any length, or samples at the model's rate, `(samples,)`, from -1 to 1.
            search: how to search.
            hot_words: words and phrases to favour, and by how many nats each.
            language_model: a text model, or its folder, whose opinion counts too.
            options: fields of `PrefixSearch`: `beam_size=10`.

        Raises:
            RecurraError: if the file is not sound.
        """
        chosen = with_options(search or DEFAULT_SEARCH, options)
        return self._transcribed(recording, self.decoder(chosen, hot_words, language_model))

    def _transcribed(self, recording: str | Path | FloatArray, decoder: PrefixDecoder) -> Transcript:
        state, found, steps = decoder.start(), empty_labelling(), 0
        loudest = 0.0

        def heard_blocks() -> Iterator[FloatArray]:
            nonlocal loudest
            for block in self._blocks(recording):
                loudest = max(loudest, float(np.abs(block).max(initial=0)))
                yield block

        for piece in log_probs_of(heard_blocks(), self.network, self.config, self.vocabulary.normalization):
            settled, state = decoder.advance(piece, state)
            found, steps = joined(found, settled), steps + len(piece)
        if loudest < SILENCE:  # of which a network makes something, too
            return self.transcript(empty_labelling(), 0.0, steps)
        best = decoder.finish(state)[0]
        return self.transcript(joined(found, best.labelling), best.log_prob, steps)

    def transcript(self, labelling: Labelling, log_prob: float, steps: int) -> Transcript:
        """A labelling as it is read."""
        text = self.symbols.read(labelling.symbols.tolist())
        step = self.config.features.step_seconds
        words = spoken(labelling, self.symbols, step, self.temperature)
        return Transcript(text, tuple(words), log_prob, round(steps * step, 3))

    def explain(
        self,
        recording: str | Path,
        out: str | Path | None = None,
        *,
        start: float = 0.0,
        seconds: float = LONGEST,
        search: PrefixSearch | None = None,
        hot_words: Mapping[str, float] | None = None,
        language_model: LanguageModel = None,
        **options: Any,
    ) -> Explanation:
        """Show what the model hears in a passage of a recording, moment by moment.

        Args:
            recording: a sound file.
            out: the page to write, with a picture beside it, `page.png`; None for none.
            start: where the passage begins, seconds.
            seconds: how long it is, at most.
            search: how to search; None for the defaults.
            hot_words: words and phrases to favour, and by how many nats each.
            language_model: a text model, or its folder, whose opinion counts too.
            options: fields of `PrefixSearch`, which go before `search`.

        Raises:
            RecurraError: if the recording cannot be read or is too short, or the page cannot be written.
        """
        samples = passage(Path(recording), self.config.features.rate, start, seconds)
        chosen = with_options(search or DEFAULT_SEARCH, options)
        chosen = replace(chosen, n_best=min(ALTERNATIVES, chosen.beam_size), lag=None)
        explanation = explain(self, str(recording), samples, start, self.decoder(chosen, hot_words, language_model))
        if out is not None:
            write_page(Path(out), self.name, explanation)
        return explanation

    @property
    def temperature(self) -> float:
        """What the log-odds of words are divided by, fitted on the validation part.

        Raises:
            RecurraError: if the record holds another value.
        """
        match self.record.get("temperature", 1.0):
            case int() | float() as temperature if 0 < temperature < np.inf:
                return float(temperature)
        raise RecurraError(f"the record of {self.name} holds no temperature; copy the model again")

    def hear(self, part: Part) -> list[Transcript]:
        """The greedy transcripts of recordings."""
        transcripts: dict[int, Transcript] = {}
        with bar("scoring") as shown:
            for batch in batches_of(part, self.config):
                steps = [steps_of(part.sounds[n], self.config, self.vocabulary.normalization) for n in batch]
                with torch.inference_mode():
                    log_probs = self.network(heard(steps).to(self.device)).cpu().numpy()
                for row, number in enumerate(batch):
                    labelling = greedy(log_probs[row, : len(steps[row])], BLANK)
                    transcripts[number] = self.transcript(labelling, 0.0, len(steps[row]))
                shown.update(len(transcripts) / len(part))
        if not any(transcript.text for transcript in transcripts.values()):
            note("the model has learned only blanks; train longer, with short recordings too, or from another model")
        return [transcripts[number] for number in range(len(part))]

    def confidences(self, heard: Sequence[Transcript], said: Sequence[str]) -> tuple[DoubleArray, BoolArray]:
        """How sure the model is of each word that it heard, and whether that is right, `(words,)` both."""
        split = self.symbols.split if self.symbols.space is None else str.split
        words = [[word.text for word in transcript.words] for transcript in heard]
        sure = [word.confidence for transcript in heard for word in transcript.words]
        return np.array(sure), right_words(words, [split(text) for text in said])

    def answers(
        self,
        data: str | Path | Sequence[Any],
        *,
        search: PrefixSearch | None = None,
        hot_words: Mapping[str, float] | None = None,
        language_model: LanguageModel = None,
        encoding: str = "utf-8",
        columns: str = "",
        header: Header = "auto",
        **options: Any,
    ) -> Evaluation:
        """Transcribe recordings and compare with what is said in them; see `evaluate`."""
        found = open_recordings(several(data), encoding, columns, header)
        for reason in found.skipped:
            note(f"left out: {reason}")
        said = [self.symbols.clean(item.text) for item in found.items]
        decoder = self.decoder(with_options(search or DEFAULT_SEARCH, options), hot_words, language_model)
        transcripts = []
        for group in in_groups(found.items, 1, "transcribing"):
            transcripts.append(self._transcribed(group[0].load(self.config.features.rate), decoder))
        accuracy = measure([transcript.text for transcript in transcripts], said)
        error = calibration_error(reliability(*self.confidences(transcripts, said)))
        return Evaluation([item.name for item in found.items], said, transcripts, accuracy, error)

    def evaluate(self, data: str | Path | Sequence[Any], **options: Any) -> dict[str, Any]:
        """Transcribe recordings and compare with what is said in them.

        Args:
            data: what `train` takes.
            options: those of `answers`.

        Returns:
            `wer`, `cer`, `wer_interval`, `exact_match`, `ece` (of the confidences of words), `count`, and
            `confusions`: the ten most frequent.
        """
        return figures(self.answers(data, **options))


def figures(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as JSON values."""
    accuracy = evaluation.accuracy
    return {
        "wer": accuracy.wer,
        "cer": accuracy.cer,
        "wer_interval": list(accuracy.interval),
        "exact_match": accuracy.exact_match,
        "ece": evaluation.calibration_error,
        "count": accuracy.count,
        "confusions": [{"said": a, "heard": b, "count": times} for a, b, times in accuracy.confusions[:10]],
    }
