"""Translating, whatever the network is computed with; and a model that only translates, without PyTorch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, overload

from recurra.config import from_dict, required, with_options
from recurra.data.tokenizer import Tokens
from recurra.data.vocabulary import Vocabulary, VocabularyPair
from recurra.decoding.array_step import ArrayReader, token_encoder
from recurra.decoding.beam_search import BeamResult, BeamSearch
from recurra.decoding.hypothesis import Hypothesis
from recurra.decoding.sampling import Sampling
from recurra.decoding.seq2seq import Reader, Request, Target, draw_all, require_room, search_all
from recurra.errors import OptionError, RecurraError
from recurra.runtime import stored
from recurra.runtime.encoder_decoder import EncoderDecoder, EncoderDecoderSizes, shapes_of
from recurra.tasks.shared.sizes import decoder_sizes
from recurra.tasks.shared.vocabularies import require_same_vocabulary
from recurra.tasks.translation.config import SPARE, Config
from recurra.tasks.translation.data import Sentence, encode_sentence, too_long
from recurra.tasks.translation.glossary import Glossary
from recurra.tasks.translation.reading import foreign_placeholders
from recurra.tasks.translation.word_alignment import Pairs as WordPairs
from recurra.tasks.translation.word_alignment import align_words, words_of

TASK = "translation"

GROUP = 512
"""Sentences of a long text that are translated together, in batches of similar lengths."""

DEFAULT_SEARCH = BeamSearch()


class _WithUnknown(NamedTuple):
    """A target whose unknown token may be written."""

    start: int
    end: int
    unwritable: Sequence[int]


class Translating:
    """What can translate: sentences to tokens and back, and a network that reads and writes.

    Attributes:
        vocabulary: text to tokens and back, on both sides.
        config: how the model was made, resolved.
        name: what to call it.
    """

    vocabulary: VocabularyPair
    config: Config
    name: str

    def reader(self, sources: Sequence[Tokens]) -> Reader:
        """The network and the sources it is to read, each with its end."""
        raise NotImplementedError

    @property
    def attends(self) -> bool:
        """Whether the decoder attends to what was read."""
        return self.config.attention != "none"

    @property
    def vocabularies(self) -> VocabularyPair:
        """Text to tokens and back, on both sides."""
        return self.vocabulary

    def glossary(self, path: str | Path) -> Glossary:
        """The terms of a table and their translations; see `tasks.translation.glossary`."""
        return Glossary.read(Path(path), self.vocabularies.target)

    def source(self, sentence: str, search: BeamSearch = DEFAULT_SEARCH, glossary: Glossary | None = None) -> Sentence:
        """A sentence as it is translated.

        Args:
            sentence: any text.
            search: how the best translation will be searched for.
            glossary: how terms are to be translated.

        Raises:
            RecurraError: if it is too long, or too long for as wide a beam.
        """
        source = encode_sentence(sentence, self.vocabularies, glossary)
        if reason := too_long(source, self.config.tokens):
            raise RecurraError(reason)
        if self.attends:
            length = len(source.tokens)
            require_room(length, self.limit(length, search), search.beam_size)
        return source

    def unknown_in(self, source: Sentence) -> list[str]:
        """The characters or words of a sentence that the model has no token for, each once."""
        return self.vocabularies.source.unknown_in(source.reading.text, source.tokens)

    def search(
        self,
        sentences: Sequence[str | Sentence],
        search: BeamSearch = DEFAULT_SEARCH,
        *,
        ensemble: Sequence[Self] = (),
        prefixes: Sequence[str] | None = None,
        trees: bool = False,
        copy_unknown: bool = False,
    ) -> list[BeamResult]:
        """The best translations of sentences, with all that is known of them; see `decoding.beam_search`.

        Args:
            sentences: what to translate; any number, searched for in batches of similar lengths.
            search: how to search.
            ensemble: models that translate together with this one, by the mean of their probabilities; they must share
                its vocabularies.
            prefixes: what each translation must begin with; "" for nothing.
            trees: keep what was considered.
            copy_unknown: let the unknown token be written.
        """
        return search_all(self._request(sentences, search, ensemble, prefixes, copy_unknown), search, trees)

    def _request(
        self,
        sentences: Sequence[str | Sentence],
        search: BeamSearch,
        ensemble: Sequence[Self],
        prefixes: Sequence[str] | None,
        copy_unknown: bool,
    ) -> Request:
        require_same_vocabulary(self, ensemble)
        target: Target = self.vocabularies.target
        if copy_unknown:
            self._require_copies()
            unknown = self.vocabularies.target.tokenizer.unknown
            target = _WithUnknown(target.start, target.end, [token for token in target.unwritable if token != unknown])
        sources = [item if isinstance(item, Sentence) else self.source(item, search) for item in sentences]
        return Request(
            [model.reader([source.tokens for source in sources]) for model in (self, *ensemble)],
            [len(source.tokens) for source in sources],
            target,
            [self.limit(len(source.tokens), search) for source in sources],
            [self.forced(prefix) for prefix in _one_each(prefixes, len(sources))],
            [source.required for source in sources],
            [foreign_placeholders(source.reading.text, self.vocabularies) for source in sources],
        )

    def _require_copies(self) -> None:
        """Refuse to copy the unknown where there is no such thing, or nothing says what it stands for."""
        if self.vocabularies.target.tokenizer.unknown is None or self.vocabularies.source.tokenizer.unknown is None:
            raise OptionError(
                f"`copy_unknown` is for a model of words or characters, but nothing is unknown to {self.name}, whose "
                f"tokens are {self.config.tokens}; leave it out, and train with `copy_words` to have new words copied"
            )
        if not self.attends:
            raise OptionError("`copy_unknown` needs attention, which this model does not have; leave it out")

    def limit(self, length: int, search: BeamSearch = DEFAULT_SEARCH) -> int:
        """The longest output, in tokens, of a source of `length` tokens, its end counted."""
        if search.max_length is not None:
            return search.max_length
        return max(math.ceil(required(self.config.max_ratio, "max_ratio") * length) + SPARE, search.min_length)

    def forced(self, prefix: str) -> list[int]:
        """The tokens of what a translation must begin with.

        Raises:
            OptionError: if the model cannot write it.
        """
        if not prefix:
            return []
        unknown = self.vocabularies.target.unknown_in(prefix)
        if unknown:
            raise OptionError(f"`prefix` {prefix!r} holds {unknown[0]!r}, which the model cannot write; leave it out")
        return [int(token) for token in self.vocabularies.target.encode(prefix)[:-1]]

    def text_of(self, hypothesis: Hypothesis, source: str | Sentence = "") -> str:
        """A translation as text.

        Args:
            hypothesis: the translation.
            source: what it is a translation of: says what placeholders and unknown tokens in it stand for.
        """
        sentence = source if isinstance(source, Sentence) else encode_sentence(source, self.vocabularies)
        text = self.vocabularies.target.decode(hypothesis.tokens, self._copied(hypothesis, sentence))
        return sentence.reading.restored(text, self.vocabularies.placeholders)

    def _copied(self, hypothesis: Hypothesis, sentence: Sentence) -> list[str]:
        """What the unknown tokens of a translation stand for: what they attend to most, as the source has it."""
        unknown = self.vocabularies.target.tokenizer.unknown
        parts = self.vocabularies.source.split(sentence.reading.text)
        if unknown not in hypothesis.tokens or hypothesis.weights is None or not parts:
            return []
        weights = hypothesis.weights[:, : len(parts)]
        return [
            parts[int(row.argmax())] for row, token in zip(weights, hypothesis.tokens, strict=False) if token == unknown
        ]

    def alignment(self, hypothesis: Hypothesis, source: Sentence) -> WordPairs:
        """Which words of a source the words of its translation attend to most; see `word_alignment`.

        Raises:
            OptionError: if the model has no attention.
        """
        if hypothesis.weights is None:
            raise OptionError("`alignments` needs attention, which this model does not have; leave it out")
        placeholders, reading = self.vocabularies.placeholders, source.reading
        read, copied = self.vocabularies.source, iter(self._copied(hypothesis, source))
        named, written = read.tokenizer, self.vocabularies.target.tokenizer
        parts = (
            [named.piece(token) for token in source.tokens[:-1].tolist()]
            if named.unknown is None
            else [part.encode() for part in read.split(reading.text)]
        )
        made = [
            next(copied, "").encode() if token == written.unknown else written.piece(token)
            for token in hypothesis.tokens
        ]
        from_words, to_words = (words_of(pieces, reading, placeholders) for pieces in (parts, made))
        return align_words(hypothesis.weights, from_words, to_words)

    def shown(self, side: Vocabulary, source: Sentence, tokens: Sequence[int]) -> list[str]:
        """The tokens of a side as a person reads them one by one, with what placeholders stand for."""
        values = source.reading.values
        return [self.vocabularies.placeholders.unmask(text, values) for text in side.shown(tokens)]

    def hypotheses(
        self,
        sentences: Sequence[str | Sentence],
        search: BeamSearch = DEFAULT_SEARCH,
        *,
        ensemble: Sequence[Self] = (),
        prefix: str = "",
        prefixes: Sequence[str] | None = None,
        sampling: Sampling | None = None,
        first: int = 0,
        copy_unknown: bool = False,
    ) -> list[list[Hypothesis]]:
        """The best translations of each sentence, the best first; of an empty sentence none.

        Args:
            sentences: what to translate.
            search: how to search.
            ensemble: see `search`.
            prefix: what all translations must begin with.
            prefixes: what each translation must begin with, if not all with the same; "" for nothing.
            sampling: draw one translation of each instead.
            first: the number of the first sentence among all that are drawn for with one seed.
            copy_unknown: let the unknown token be written, for which `text_of` puts what it attends to most.
        """
        texts = [item.text if isinstance(item, Sentence) else item for item in sentences]
        indices = [index for index, text in enumerate(texts) if text.strip()]
        if prefix and prefixes is not None:
            raise OptionError("`prefix` and `prefixes` are given; give one of them")
        begins = [prefix] * len(sentences) if prefix else _one_each(prefixes, len(sentences))
        filled, forced = [sentences[index] for index in indices], [begins[index] for index in indices]
        if sampling:
            request = self._request(filled, search, ensemble, forced, copy_unknown)._replace(required=None)
            drawn = draw_all(request, search, sampling, [first + index for index in indices])
            made = dict(zip(indices, ([hypothesis] for hypothesis in drawn), strict=True))
        else:
            found = self.search(filled, search, ensemble=ensemble, prefixes=forced, copy_unknown=copy_unknown)
            made = dict(zip(indices, (each.hypotheses for each in found), strict=True))
        return [made.get(index, []) for index in range(len(sentences))]

    @overload
    def translate(
        self,
        sentence: str,
        search: BeamSearch | None = None,
        *,
        ensemble: Sequence[Self] = ...,
        prefixes: Sequence[str] | None = ...,
        glossary: str | Path | Glossary | None = ...,
        copy_unknown: bool = ...,
        **options: Any,
    ) -> str: ...

    @overload
    def translate(
        self,
        sentence: Sequence[str],
        search: BeamSearch | None = None,
        *,
        ensemble: Sequence[Self] = ...,
        prefixes: Sequence[str] | None = ...,
        glossary: str | Path | Glossary | None = ...,
        copy_unknown: bool = ...,
        **options: Any,
    ) -> list[str]: ...

    def translate(
        self,
        sentence: str | Sequence[str],
        search: BeamSearch | None = None,
        *,
        ensemble: Sequence[Self] = (),
        prefixes: Sequence[str] | None = None,
        glossary: str | Path | Glossary | None = None,
        copy_unknown: bool = False,
        **options: Any,
    ) -> str | list[str]:
        """The best translation of a sentence, or of each of several; of nothing, nothing.

        Args:
            sentence: what to translate, or several sentences.
            search: how to search.
            ensemble: models that translate together with this one.
            prefixes: what each translation must begin with, one for each sentence; "" for nothing.
            glossary: how terms are to be translated: a table of terms and translations, or what `glossary` read.
            copy_unknown: write words the model does not know as they are in the source, where it attends to them.
            options: fields of `BeamSearch`: `beam_size=10`.
        """
        chosen = with_options(search or DEFAULT_SEARCH, options)
        terms = self.glossary(glossary) if isinstance(glossary, str | Path) else glossary
        sentences = [sentence] if isinstance(sentence, str) else sentence
        sources = [self.source(each, chosen, terms) for each in sentences]
        found = self.hypotheses(sources, chosen, ensemble=ensemble, prefixes=prefixes, copy_unknown=copy_unknown)
        texts = [self.text_of(best[0], source) if best else "" for source, best in zip(sources, found, strict=True)]
        return texts[0] if isinstance(sentence, str) else texts


def _one_each(prefixes: Sequence[str] | None, count: int) -> Sequence[str]:
    """A prefix for each of `count` sentences."""
    if prefixes is None:
        return [""] * count
    if isinstance(prefixes, str) or len(prefixes) != count:
        given = "one text" if isinstance(prefixes, str) else f"{len(prefixes):,} texts"
        raise OptionError(f"`prefixes` are {given} for {count:,} sentence(s); give a list with one for each")
    return prefixes


class Translator(Translating):
    """A trained translation model that only translates; it needs no PyTorch, starts at once and computes on the CPU.

    Args:
        vocabulary: text to tokens and back, on both sides.
        config: how the model was made, resolved.
        network: its weights.
        name: what to call it.
    """

    def __init__(
        self, vocabulary: VocabularyPair, config: Config, network: EncoderDecoder, name: str = "model"
    ) -> None:
        self.vocabulary = vocabulary
        self.config = config
        self.network = network
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
        vocabulary = VocabularyPair.from_json(file.vocabulary, file.vocabulary_file)
        with file.damaged_configuration():
            annotation_size = 2 * required(config.hidden_size, "hidden_size")
            decoder = decoder_sizes(config, vocabulary.target.size, annotation_size)
        sizes = EncoderDecoderSizes(vocabulary.source.size, decoder, vocabulary.joint)
        file.require_shapes(shapes_of(sizes))
        return cls(vocabulary, config, EncoderDecoder(sizes, file.weights), file.folder.name)

    def reader(self, sources: Sequence[Tokens]) -> Reader:
        """See `Translating`."""
        return ArrayReader(self.network.decoder, token_encoder(self.network, sources))

    def __repr__(self) -> str:
        return f"<translator {self.name!r}>"
