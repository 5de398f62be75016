"""An encoder reads a sentence, a decoder that attends to it writes another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple, overload

from recurra.config import required, with_options
from recurra.data.columns import Header
from recurra.data.sources import several
from recurra.data.vocabulary import Vocabulary, VocabularyPair
from recurra.decoding.beam_search import BeamResult, BeamSearch
from recurra.decoding.hypothesis import Hypothesis
from recurra.decoding.sampling import Sampling
from recurra.decoding.seq2seq import Request, Target, draw_all, require_room, search_all, token_encoder
from recurra.errors import OptionError, RecurraError
from recurra.evaluation.seq2seq import TargetScore, score_each_pair
from recurra.evaluation.text_metrics import Tokenize, by_length, length_of, measure
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.progress import bar, in_groups, note
from recurra.tasks.shared.model import SavedModel
from recurra.tasks.translation.config import MAX_TOKENS, SPARE, Config
from recurra.tasks.translation.data import Pairs, Sentence, encode_pairs, encode_sentence, open_pairs, too_long
from recurra.tasks.translation.glossary import Glossary
from recurra.tasks.translation.page import MOST_LISTED, Explanation, write_translation_page
from recurra.tasks.translation.pair_scores import write_pair_scores
from recurra.tasks.translation.reading import foreign_placeholders
from recurra.tasks.translation.word_alignment import Pairs as WordPairs
from recurra.tasks.translation.word_alignment import align_words, words_of

GROUP = 512
"""Sentences of a long text that are translated together, in batches of similar lengths."""

DEFAULT_SEARCH = BeamSearch()


class _WithUnknown(NamedTuple):
    """A target whose unknown token may be written."""

    start: int
    end: int
    unwritable: Sequence[int]


class Model(SavedModel[EncoderDecoder, VocabularyPair, Config]):
    """A trained translation model; `SavedModel` says what it is made of."""

    task = "translation"
    config_type = Config
    trained_on = "{data}, {pairs:,} pairs, {steps:,} steps in {seconds:.0f} s"
    quality = "{validation}: {nats:.4f} nats a token"
    manner = (
        "It translates sentences like those it was trained on and knows nothing else: its translations of others may\n"
        "read well and be wrong."
    )
    use = "translate {name}"
    free_options = (*SavedModel.free_options, "word_dropout", "label_smoothing", "longest", "max_ratio")

    @staticmethod
    def read_vocabulary(values: object, where: str) -> VocabularyPair:
        """The vocabularies of JSON values; `where` names their origin in errors."""
        return VocabularyPair.from_json(values, where)

    @staticmethod
    def build(config: Config, vocabulary: VocabularyPair) -> EncoderDecoder:
        """The network of a resolved configuration, with its first weights."""
        target_size = None if vocabulary.joint else vocabulary.target.size
        network = EncoderDecoder(vocabulary.source.size, target_size, config)
        network.encoder.embedding.weight.requires_grad_(not config.freeze_embeddings)
        if not vocabulary.joint:
            network.decoder.embedding.weight.requires_grad_(not config.freeze_target_embeddings)
        return network

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
        if self.network.decoder.attention:
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
        ensemble: Sequence[Model] = (),
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
            prefixes: what each translation must begin with.
            trees: keep what was considered.
            copy_unknown: let the unknown token be written.
        """
        return search_all(self._request(sentences, search, ensemble, prefixes, copy_unknown), search, trees)

    def _request(
        self,
        sentences: Sequence[str | Sentence],
        search: BeamSearch,
        ensemble: Sequence[Model],
        prefixes: Sequence[str] | None,
        copy_unknown: bool,
    ) -> Request:
        self.require_same_vocabulary(ensemble)
        target: Target = self.vocabularies.target
        if copy_unknown:
            self._require_copies()
            unknown = self.vocabularies.target.tokenizer.unknown
            target = _WithUnknown(target.start, target.end, [token for token in target.unwritable if token != unknown])
        sources = [item if isinstance(item, Sentence) else self.source(item, search) for item in sentences]
        return Request(
            [model.network for model in (self, *ensemble)],
            [len(source.tokens) for source in sources],
            token_encoder([source.tokens for source in sources]),
            target,
            [self.limit(len(source.tokens), search) for source in sources],
            [self._forced(prefix) for prefix in prefixes or [""] * len(sources)],
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
        if not self.network.decoder.attention:
            raise OptionError("`copy_unknown` needs attention, which this model does not have; leave it out")

    def limit(self, length: int, search: BeamSearch = DEFAULT_SEARCH) -> int:
        """The longest output, in tokens, of a source of `length` tokens, its end counted."""
        if search.max_length is not None:
            return search.max_length
        return max(math.ceil(required(self.config.max_ratio, "max_ratio") * length) + SPARE, search.min_length)

    def _forced(self, prefix: str) -> list[int]:
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
        ensemble: Sequence[Model] = (),
        prefix: str = "",
        sampling: Sampling | None = None,
        first: int = 0,
        copy_unknown: bool = False,
    ) -> list[list[Hypothesis]]:
        """The best translations of each sentence, the best first; of an empty sentence none.

        Args:
            sentences: what to translate.
            search: how to search.
            ensemble: see `search`.
            prefix: what each translation must begin with.
            sampling: draw one translation of each instead.
            first: the number of the first sentence among all that are drawn for with one seed.
            copy_unknown: let the unknown token be written, for which `text_of` puts what it attends to most.
        """
        texts = [item.text if isinstance(item, Sentence) else item for item in sentences]
        indices = [index for index, text in enumerate(texts) if text.strip()]
        filled, prefixes = [sentences[index] for index in indices], [prefix] * len(indices)
        if sampling:
            request = self._request(filled, search, ensemble, prefixes, copy_unknown)._replace(required=None)
            drawn = draw_all(request, search, sampling, [first + index for index in indices])
            made = dict(zip(indices, ([hypothesis] for hypothesis in drawn), strict=True))
        else:
            found = self.search(filled, search, ensemble=ensemble, prefixes=prefixes, copy_unknown=copy_unknown)
            made = dict(zip(indices, (each.hypotheses for each in found), strict=True))
        return [made.get(index, []) for index in range(len(sentences))]

    @overload
    def translate(
        self,
        sentence: str,
        search: BeamSearch | None = None,
        *,
        ensemble: Sequence[Model] = ...,
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
        ensemble: Sequence[Model] = ...,
        glossary: str | Path | Glossary | None = ...,
        copy_unknown: bool = ...,
        **options: Any,
    ) -> list[str]: ...

    def translate(
        self,
        sentence: str | Sequence[str],
        search: BeamSearch | None = None,
        *,
        ensemble: Sequence[Model] = (),
        glossary: str | Path | Glossary | None = None,
        copy_unknown: bool = False,
        **options: Any,
    ) -> str | list[str]:
        """The best translation of a sentence, or of each of several; of nothing, nothing.

        Args:
            sentence: what to translate, or several sentences.
            search: how to search.
            ensemble: models that translate together with this one.
            glossary: how terms are to be translated: a table of terms and translations, or what `glossary` read.
            copy_unknown: write words the model does not know as they are in the source, where it attends to them.
            options: fields of `BeamSearch`: `beam_size=10`.
        """
        chosen = with_options(search or DEFAULT_SEARCH, options)
        terms = self.glossary(glossary) if isinstance(glossary, str | Path) else glossary
        sentences = [sentence] if isinstance(sentence, str) else sentence
        sources = [self.source(each, chosen, terms) for each in sentences]
        found = self.hypotheses(sources, chosen, ensemble=ensemble, copy_unknown=copy_unknown)
        texts = [self.text_of(best[0], source) if best else "" for source, best in zip(sources, found, strict=True)]
        return texts[0] if isinstance(sentence, str) else texts

    def evaluate(
        self,
        data: str | Path | Sequence[Any],
        search: BeamSearch | None = None,
        *,
        ensemble: Sequence[Model] = (),
        tokenize: Tokenize = "13a",
        lowercase: bool = False,
        encoding: str = "utf-8",
        columns: str = "",
        header: Header = "auto",
        glossary: str | Path | Glossary | None = None,
        copy_unknown: bool = False,
        out: str | Path | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Translate the sources of pairs and compare with their targets.

        A source that comes again with another target has several right answers: it is translated and counted once.

        Args:
            data: a table, two parallel files, a sample, or pairs.
            search: how to search.
            ensemble: models that translate together with this one.
            tokenize: how BLEU splits sentences into words.
            lowercase: count capital letters as small ones in BLEU and chrF.
            encoding: how the files encode text.
            columns: which columns or keys of a table hold source and target.
            header: whether the first line of a table names its columns.
            glossary: see `translate`.
            copy_unknown: see `translate`.
            out: a table to write (.tsv, .csv, .jsonl): a row for each pair, with what is made of it and its scores.
            options: fields of `BeamSearch`: `beam_size=10`.

        Returns:
            `bleu`, `chrf`, `exact_match`, `count`, `signature`, `nats` a target token (of all models together), and
            `by_length`: the other figures once more of parts of the pairs, from the `shortest` to the `longest` source
            in words.
        """
        chosen = with_options(search or DEFAULT_SEARCH, options)
        pairs = open_pairs(several(data), encoding, columns, header)
        for reason in pairs.skipped:
            note(f"left out: {reason}")
        terms = self.glossary(glossary) if isinstance(glossary, str | Path) else glossary
        answers = pairs.answers()
        sources, references = list(answers), list(answers.values())
        made: list[str] = []
        for group in in_groups(sources, GROUP, "translating"):
            made += self.translate(group, chosen, ensemble=ensemble, glossary=terms, copy_unknown=copy_unknown)
        scores = self._score_targets(pairs, ensemble)
        quality = measure(made, references, tokenize, lowercase)
        groups = by_length(made, references, [length_of(source) for source in sources], tokenize, lowercase)
        if out is not None:
            write_pair_scores(Path(out), pairs, dict(zip(sources, made, strict=True)), scores, lowercase)
        known = [score for score in scores if score is not None]
        nats = -sum(score.log_prob for score in known) / sum(score.tokens for score in known)
        return asdict(quality) | {"nats": nats, "by_length": groups}

    def _score_targets(self, pairs: Pairs, ensemble: Sequence[Model]) -> list[TargetScore | None]:
        """How probable the target of each pair is given its source; None where a side is too long."""
        sequences, long = encode_pairs(pairs, self.vocabularies, MAX_TOKENS)
        if long:
            note(f"left out of nats: {long:,} pair(s) of more than {MAX_TOKENS} {self.vocabularies.kind} a side")
        networks = [model.network for model in ensemble]
        with bar("scoring") as shown:
            start = self.vocabularies.target.start
            scored = iter(score_each_pair(self.network, sequences, start, self.device, networks, shown.update))
        return [
            next(scored) if fits else None
            for fits in self.vocabularies.fitting(pairs.sources, pairs.targets, MAX_TOKENS)
        ]

    def explanation(self, sentence: str, search: BeamSearch) -> Explanation:
        """What `explain` shows of how a sentence is translated; all outputs of the beam are among it.

        Raises:
            RecurraError: if there is no sentence, or it is too long.
        """
        if not sentence.strip():
            raise RecurraError("there is no sentence to explain; give one that is not empty")
        chosen = replace(search, n_best=min(search.beam_size, MOST_LISTED))
        source = self.source(sentence, chosen)
        (found,) = self.search([source], chosen, trees=True)
        read, target = self.vocabularies.source, self.vocabularies.target

        def text(tokens: Iterable[int]) -> str:
            return source.reading.restored(target.decode(tokens), self.vocabularies.placeholders)

        return Explanation(
            model=self.name,
            facts=self.facts(),
            source=source.text,
            source_tokens=[*self.shown(read, source, source.tokens[:-1].tolist()), ""],
            hypotheses=found.hypotheses,
            name=lambda token: "" if token == target.end else self.shown(target, source, [token])[0],
            text=text,
            normalization=chosen.normalization,
            alpha=chosen.alpha,
            tree=found.tree,
        )

    def explain(
        self, sentence: str, out: str | Path, search: BeamSearch | None = None, **options: Any
    ) -> tuple[Path, ...]:
        """Show how a sentence is translated: its attention map, its beam tree, its runners-up.

        Args:
            sentence: what to translate.
            out: the page to write, HTML; the map is put beside it as a picture.
            search: how to search.
            options: fields of `BeamSearch`: `beam_size=10`.

        Returns:
            The files written: the page, then the picture.
        """
        chosen = with_options(search or DEFAULT_SEARCH, options)
        return write_translation_page(Path(out), self.explanation(sentence, chosen))
