"""A trained recogniser: it transcribes recordings, is measured, and shows what it heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.arrays import FloatArray
from recurra.data.columns import Header
from recurra.data.sources import several
from recurra.decoding.beam_search import BeamSearch
from recurra.decoding.decoder_step import TensorReader
from recurra.progress import in_groups, note
from recurra.tasks.shared.model import SavedModel
from recurra.tasks.speech.attending import GROUP
from recurra.tasks.speech.attention_network import AttentionNetwork, SpeechNetwork, reader_of
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.evaluation import Evaluation, alarms, compare, figures
from recurra.tasks.speech.explanation import LONGEST, Explanation
from recurra.tasks.speech.networks import CtcNetwork
from recurra.tasks.speech.page import write_page
from recurra.tasks.speech.prefix_search import PrefixSearch
from recurra.tasks.speech.recordings import open_recordings
from recurra.tasks.speech.transcriber import TASK, AnyTranscriber, LanguageModel
from recurra.tasks.speech.transcript import Transcript
from recurra.tasks.speech.vocabulary import Vocabulary
from recurra.tasks.speech.wakeword.data import of_word_or_not


class Model(SavedModel[SpeechNetwork, Vocabulary, Config], AnyTranscriber):
    """A trained speech model; `SavedModel` says what it is made of."""

    task = TASK
    config_type = Config
    trained_on = "{data}, {recordings:,} recordings of {minutes:g} minutes, {steps:,} steps in {seconds:.0f} s"
    quality = "{validation}: {wer:.1%} of words wrong, {cer:.1%} of characters, {nats:.4f} nats a symbol"
    manner = (
        "It hears what is like the recordings it was trained on: the same words, voices and microphones. Of others it\n"
        "makes something too."
    )
    use = "transcribe {name} RECORDING"
    detector_told = (
        "{validation}: {missed} of {words} words missed (95 % interval {misses_low:.1%} to {misses_high:.1%}) at "
        "threshold {threshold:.4g}; {proved}; {nats:.4f} nats a step",
        "It marks when its word has just ended. How often it does so without the word, in other rooms and other speech "
        "than it was\nmeasured on, nobody knows: measure it on hours of your own sound.",
        "detect {name} RECORDING",
    )
    free_options = (
        *SavedModel.free_options,
        *("batch_seconds", "curriculum", "speed", "gain_db", "noise_db", "mask_bands", "mask_ms", "min_count"),
        *("ctc_weight", "label_smoothing", "false_alarms"),
    )

    @staticmethod
    def read_vocabulary(values: object, where: str) -> Vocabulary:
        """The vocabulary of JSON values; `where` names their origin in errors."""
        return Vocabulary.from_json(values, where)

    @staticmethod
    def build(config: Config, vocabulary: Vocabulary) -> SpeechNetwork:
        """The network of a resolved configuration, with its first weights."""
        kind = AttentionNetwork if config.network == "attention" else CtcNetwork
        return kind(vocabulary.symbols.size, config)

    def network_words(self) -> str:
        """A few words on what was trained."""
        words = super().network_words()
        return f"{words}, attending" if self.config.network == "attention" else words

    def told(self) -> tuple[str, str, str]:
        """See `Described.told`."""
        return self.detector_told if self.config.detect else super().told()

    def hearing(self) -> CtcNetwork:
        """The network, of a model under CTC, where the model is."""
        assert isinstance(self.network, CtcNetwork)
        return self.network

    def reader(self, steps: Sequence[FloatArray]) -> TensorReader:
        """The network, of a model that attends, and the steps `(S, I)` of the recordings that it is to write down."""
        assert isinstance(self.network, AttentionNetwork)
        return reader_of(self.network, steps)

    def explain(
        self,
        recording: str | Path,
        out: str | Path | None = None,
        *,
        start: float = 0.0,
        seconds: float = LONGEST,
        search: PrefixSearch | BeamSearch | None = None,
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
            options: fields of `PrefixSearch`, or `BeamSearch` of a network that attends, which go before `search`.

        Raises:
            RecurraError: if the recording cannot be read or is too short, or the page cannot be written.
        """
        wanted = self._search(search, hot_words, language_model, options)
        explanation = self.explanation(
            recording, wanted, start=start, seconds=seconds, hot_words=hot_words, language_model=language_model
        )
        if out is not None:
            write_page(Path(out), self.name, explanation)
        return explanation

    def answers(
        self,
        data: str | Path | Sequence[Any],
        *,
        search: PrefixSearch | BeamSearch | None = None,
        hot_words: Mapping[str, float] | None = None,
        language_model: LanguageModel = None,
        encoding: str = "utf-8",
        columns: str = "",
        header: Header = "auto",
        **options: Any,
    ) -> Evaluation:
        """Transcribe recordings and compare with what is said in them; see `evaluate`."""
        wanted = self._search(search, hot_words, language_model, options)
        found = open_recordings(several(data), encoding, columns, header)
        for reason in found.skipped:
            note(f"left out: {reason}")
        said = [self.symbols.clean(item.text) for item in found.items]
        transcripts: list[Transcript] = []
        if isinstance(wanted, BeamSearch):
            for group in in_groups(found.items, GROUP, "transcribing"):
                transcripts += self._spelled([item.load(self.config.features.rate) for item in group], wanted)
        else:
            decoder = self.decoder(wanted, hot_words, language_model)
            for group in in_groups(found.items, 1, "transcribing"):
                transcripts.append(self._transcribed(group[0].load(self.config.features.rate), decoder))
        return compare(self, [item.name for item in found.items], said, transcripts)

    def alarms(
        self,
        data: str | Path | Sequence[Any],
        *,
        threshold: float | None = None,
        encoding: str = "utf-8",
        columns: str = "",
        header: Header = "auto",
    ) -> dict[str, Any]:
        """Words missed and false alarms of a detector, on recordings one after another as one stream; see `evaluate`.

        Args:
            data: what `train` takes; those of the word must have nothing else for a transcript.
            threshold: see `detector`.
            encoding: how tables encode text.
            columns: which columns of a table hold file and transcript.
            header: whether the first line of a table names its columns.
        """
        found = of_word_or_not(open_recordings(several(data), encoding, columns, header, noise=True), self.symbols)
        for reason in found.skipped:
            note(f"left out: {reason}")
        return alarms(self, found.items, self._threshold(threshold))

    def evaluate(self, data: str | Path | Sequence[Any], **options: Any) -> dict[str, Any]:
        """Transcribe recordings and compare with what is said in them.

        Args:
            data: what `train` takes.
            options: those of `answers`; of a detector those of `alarms`.

        Returns:
            `wer`, `cer`, `wer_interval`, `exact_match`, `ece` (of the confidences of words), `count`, and
            `confusions`: the ten most frequent. Of a detector those of `Rates.to_json`, `threshold` and `count`.
        """
        if self.config.detect:
            return self.alarms(data, **options)
        return figures(self.answers(data, **options))
