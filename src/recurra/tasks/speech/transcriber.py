"""Transcribing, whatever the network is computed with; and a model that only does that, without PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

import recurra
from recurra.arrays import FloatArray
from recurra.config import check_range, from_dict
from recurra.decoding.beam_search import BeamSearch
from recurra.decoding.seq2seq import Reader
from recurra.errors import OptionError, RecurraError
from recurra.progress import note
from recurra.runtime import stored
from recurra.tasks.speech.attending import Attended, Reach, Speller, told, weights_of
from recurra.tasks.speech.audio import MAX_SECONDS, SILENCE, sound_blocks
from recurra.tasks.speech.config import Config
from recurra.tasks.speech.ctc import Labelling, empty_labelling, joined
from recurra.tasks.speech.explanation import ALTERNATIVES, LONGEST, Explanation, explain, explain_attention, passage
from recurra.tasks.speech.hot_words import compile_hot_words
from recurra.tasks.speech.language import TextModel, text_scorer
from recurra.tasks.speech.light import AttentionNetwork, CtcNetwork, shapes_of
from recurra.tasks.speech.listening import Hearing, Listener, log_probs_of
from recurra.tasks.speech.prefix_search import PrefixDecoder, PrefixSearch
from recurra.tasks.speech.search import chosen
from recurra.tasks.speech.symbols import BLANK, Symbols
from recurra.tasks.speech.transcript import Transcript, spoken
from recurra.tasks.speech.vocabulary import Vocabulary
from recurra.tasks.speech.wakeword.detection import Detection, Detector, ProbabilityStream

TASK = "speech"

DEFAULT_SEARCH = PrefixSearch()

LanguageModel = TextModel | str | Path | None
"""A text model, its folder, or none."""


class AnyTranscriber:
    """What can transcribe and detect words: sound to features, a network, and a search for the best text.

    Attributes:
        vocabulary: what it writes, and what it hears with.
        config: how the model was made, resolved.
        record: how it was trained, with the `temperature` of its confidences.
        name: what to call it.
    """

    vocabulary: Vocabulary
    config: Config
    record: dict[str, Any]
    name: str

    @property
    def symbols(self) -> Symbols:
        """What transcripts are made of."""
        return self.vocabulary.symbols

    def hearing(self) -> Hearing:
        """The network, of a model under CTC."""
        raise NotImplementedError

    def reader(self, steps: Sequence[FloatArray]) -> Reader:
        """The network, of a model that attends, and the steps `(S, I)` of the recordings that it is to write down."""
        raise NotImplementedError

    def _by_ctc(self, what: str) -> Hearing:
        """The network, for what only one under CTC can do.

        Raises:
            OptionError: if it is another.
        """
        if self.config.network == "attention":
            raise OptionError(f"{what} is for `network` ctc, and {self.name} attends; leave it out or train another")
        return self.hearing()

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
            RecurraError: if the model is a detector.
        """
        if self.config.detect:
            raise RecurraError(
                f"{self.name} only detects {self.config.detect!r} and writes no text; use `recurra speech detect`"
            )
        self._by_ctc("a search over prefixes")
        if language_model is None and search.alpha != DEFAULT_SEARCH.alpha:
            raise OptionError("`alpha` is the weight of a text model; give `language_model` too, or leave it out")
        encoded = {}
        for word, weight in (hot_words or {}).items():
            if unknown := self.symbols.unknown_in(word):
                raise OptionError(f"the model cannot write the hot word {word!r}: it has no symbol {unknown[0]!r}")
            encoded[tuple(self.symbols.encode(word).tolist())] = weight
        automaton = compile_hot_words(encoded, self.symbols.size, BLANK, self.symbols.space)
        if isinstance(language_model, str | Path):
            language_model = recurra.text.Writer.load(language_model)
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
        network = self._by_ctc("transcribing while it listens")
        if self.config.bidirectional:
            raise RecurraError(
                f"{self.name} reads recordings from both ends and cannot transcribe while it listens; train one that "
                "reads from one end (--no-bidirectional)"
            )
        decoder = self.decoder(search, hot_words, language_model)
        return Listener(network, self.config, self.vocabulary.normalization, decoder)

    def detector(self, threshold: float | None = None) -> Detector:
        """A detector for sound as it comes.

        Args:
            threshold: the least probability of a detection, above 0; the one that was chosen in training if None.

        Raises:
            OptionError: if it is not a probability.
            RecurraError: if the model is a recogniser.
        """
        least = self._threshold(threshold)
        word, step_seconds = self.symbols.names[0], self.config.features.step_seconds
        return Detector(self.probability_stream(), word, least, step_seconds)

    def probability_stream(self) -> ProbabilityStream:
        """Sound as it comes to the probability that the word has just ended.

        Raises:
            RecurraError: if the model is a recogniser.
        """
        if not self.config.detect:
            raise RecurraError(f"{self.name} transcribes and detects no word; train a detector with `detect`")
        return ProbabilityStream(self._by_ctc("a detector"), self.config, self.vocabulary.normalization)

    def _threshold(self, given: float | None) -> float:
        if given is not None and not 0 < given <= 1:
            raise OptionError(f"`threshold` is {given}, but must be a probability above 0")
        return float(self.record.get("threshold", 0.5)) if given is None else given

    def detect(self, recording: str | Path | FloatArray, threshold: float | None = None) -> list[Detection]:
        """When the model's word ends in a recording.

        Args:
            recording: a file of any length, or samples at the model's rate, `(samples,)`, from -1 to 1.
            threshold: see `detector`.

        Raises:
            RecurraError: if the file is not sound, or the model is a recogniser.
        """
        detector = self.detector(threshold)
        found = [detection for block in self._blocks(recording) for detection in detector.feed(block)]
        return found + detector.finish()

    def log_probs(self, recording: str | Path | FloatArray) -> FloatArray:
        """Log-probabilities of the symbols at each step, `(steps, symbols)`, the blank first.

        Args:
            recording: a file, or samples at the model's rate, `(samples,)`, from -1 to 1.
        """
        network = self._by_ctc("a probability at each step")
        pieces = log_probs_of(self._blocks(recording), network, self.config, self.vocabulary.normalization)
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
        search: PrefixSearch | BeamSearch | None = None,
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
            options: fields of `PrefixSearch`, or `BeamSearch` of a network that attends: `beam_size=10`.

        Raises:
            OptionError: if an option is for the other network.
            RecurraError: if the file is not sound.
        """
        wanted = self._search(search, hot_words, language_model, options)
        if isinstance(wanted, BeamSearch):
            return self._spelled([recording], wanted)[0]
        return self._transcribed(recording, self.decoder(wanted, hot_words, language_model))

    def _transcribed(self, recording: str | Path | FloatArray, decoder: PrefixDecoder) -> Transcript:
        network = self._by_ctc("a search over prefixes")
        state, found, steps = decoder.start(), empty_labelling(), 0
        loudest = 0.0

        def heard_blocks() -> Iterator[FloatArray]:
            nonlocal loudest
            for block in self._blocks(recording):
                loudest = max(loudest, float(np.abs(block).max(initial=0)))
                yield block

        for piece in log_probs_of(heard_blocks(), network, self.config, self.vocabulary.normalization):
            settled, state = decoder.advance(piece, state)
            found, steps = joined(found, settled), steps + len(piece)
        if loudest < SILENCE:  # of which a network makes something, too
            return self.transcript(empty_labelling(), 0.0, steps)
        best, *others = decoder.finish(state)
        texts = tuple(self.symbols.read(joined(found, each.labelling).symbols.tolist()) for each in others)
        return self.transcript(joined(found, best.labelling), best.log_prob, steps)._replace(others=texts)

    def attention(
        self, recording: str | Path | FloatArray, *, search: BeamSearch | None = None, **options: Any
    ) -> Attended:
        """What is said in a recording, and where the decoder attended while it wrote that down.

        Args:
            recording: see `transcribe`.
            search: how to search.
            options: fields of `BeamSearch`.

        Raises:
            OptionError: if the model has another network.
            RecurraError: if the file is not sound, or it is too long.
        """
        found = self.speller().write([self._blocks(recording)], chosen(BeamSearch, search, options), keep_weights=True)
        transcript = self.transcript(found[0].labelling, found[0].log_prob, found[0].steps)
        return Attended(found[0].labelling.symbols, weights_of(found[0]), transcript)

    def speller(self) -> Speller:
        """What writes recordings down, of a network that attends.

        Raises:
            OptionError: if the model has another network.
        """
        if self.config.network != "attention":
            raise OptionError(f"attention is for `network` attention, and {self.name} has ctc; train another model")
        reach = Reach.from_record(self.record)
        return Speller(self.reader, self.config, self.vocabulary.normalization, self.symbols.space, reach)

    def _search(
        self,
        search: PrefixSearch | BeamSearch | None,
        hot_words: Mapping[str, float] | None,
        language_model: LanguageModel,
        options: Mapping[str, Any],
    ) -> PrefixSearch | BeamSearch:
        """The options of the network's search, which are refused if they are for the other one."""
        for name, given in (("hot_words", hot_words), ("language_model", language_model)):
            if given:
                self._by_ctc(f"`{name}`")
        if self.config.network == "attention":
            return chosen(BeamSearch, search, options)
        return chosen(PrefixSearch, search, options)

    def _spelled(self, recordings: Sequence[str | Path | FloatArray], search: BeamSearch) -> list[Transcript]:
        """What is said in recordings, by a network that attends."""
        speller = self.speller()
        found = speller.write(map(self._blocks, recordings), search)
        for sentence in told(found, speller.longest):
            note(sentence)
        return [self.transcript(each.labelling, each.log_prob, each.steps) for each in found]

    def transcript(self, labelling: Labelling, log_prob: float, steps: int) -> Transcript:
        """A labelling as it is read."""
        text = self.symbols.read(labelling.symbols.tolist())
        step = self.config.features.step_seconds
        words = spoken(labelling, self.symbols, step, self.temperature)
        return Transcript(text, tuple(words), log_prob, round(steps * step, 3))

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

    def explanation(
        self,
        recording: str | Path | bytes,
        search: PrefixSearch | BeamSearch,
        *,
        start: float = 0.0,
        seconds: float = LONGEST,
        hot_words: Mapping[str, float] | None = None,
        language_model: LanguageModel = None,
    ) -> Explanation:
        """What `explain` shows; `recording` may be what is in a file."""
        check_range("start", start, 0.0, MAX_SECONDS)
        check_range("seconds", seconds, 0.1, LONGEST)
        source = recording if isinstance(recording, bytes) else Path(recording)
        called = "the recording" if isinstance(recording, bytes) else str(recording)
        samples = passage(source, self.config.features.rate, start, seconds)
        if isinstance(search, BeamSearch):
            return explain_attention(self, called, samples, start, search)
        search = replace(search, n_best=min(ALTERNATIVES, search.beam_size), lag=None)
        return explain(self, called, samples, start, self.decoder(search, hot_words, language_model))


class Transcriber(AnyTranscriber):
    """A trained speech model that only transcribes; it needs no PyTorch, starts at once and computes on the CPU.

    Args:
        vocabulary: what it writes, and what it hears with.
        config: how the model was made, resolved.
        record: how it was trained.
        weights: by name, see `light.shapes_of`.
        name: what to call it.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        config: Config,
        record: dict[str, Any],
        weights: stored.Weights,
        name: str = "model",
    ) -> None:
        self.vocabulary = vocabulary
        self.config = config
        self.record = record
        self.name = name
        self._weights = weights

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
            shapes = shapes_of(config, vocabulary.symbols.size)
        file.require_shapes(shapes)
        return cls(vocabulary, config, file.record, file.weights, file.folder.name)

    def hearing(self) -> CtcNetwork:
        """See `AnyTranscriber`."""
        return CtcNetwork(self.config, self._weights)

    def reader(self, steps: Sequence[FloatArray]) -> Reader:
        """See `AnyTranscriber`."""
        return AttentionNetwork(self.config, self.symbols.size, self._weights).reader(steps)

    def __repr__(self) -> str:
        return f"<transcriber {self.name!r}>"
