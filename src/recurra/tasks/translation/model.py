"""An encoder reads a sentence, a decoder that attends to it writes another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, overload

from recurra.config import required, with_options
from recurra.data.columns import Header
from recurra.data.sources import several
from recurra.data.vocabulary import VocabularyPair
from recurra.decoding.beam_search import BeamResult, BeamSearch
from recurra.decoding.hypothesis import Hypothesis
from recurra.decoding.sampling import Sampling
from recurra.decoding.seq2seq import Request, draw_all, require_room, search_all, token_encoder
from recurra.errors import OptionError, RecurraError
from recurra.evaluation.seq2seq import score_pairs
from recurra.evaluation.text_metrics import Tokenize, by_length, length_of, measure
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.progress import bar, in_groups, note
from recurra.tasks.shared.model import SavedModel
from recurra.tasks.translation.config import MAX_TOKENS, SPARE, Config
from recurra.tasks.translation.data import Sentence, encode_pairs, open_pairs, too_long
from recurra.tasks.translation.page import MOST_LISTED, Explanation, write_translation_page

GROUP = 512
"""Sentences of a long text that are translated together, in batches of similar lengths."""

DEFAULT_SEARCH = BeamSearch()


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

    def source(self, sentence: str, search: BeamSearch = DEFAULT_SEARCH) -> Sentence:
        """A sentence as it is translated.

        Raises:
            RecurraError: if it is too long, or too long for as wide a beam.
        """
        text = sentence.strip()
        source = Sentence(text, self.vocabularies.source.encode(text))
        if reason := too_long(source, self.config.tokens):
            raise RecurraError(reason)
        if self.network.decoder.attention:
            length = len(source.tokens)
            require_room(length, self.limit(length, search), search.beam_size)
        return source

    def unknown_in(self, source: Sentence) -> list[str]:
        """The characters or words of a sentence that the model has no token for, each once."""
        return self.vocabularies.source.unknown_in(source.text, source.tokens)

    def search(
        self,
        sentences: Sequence[str | Sentence],
        search: BeamSearch = DEFAULT_SEARCH,
        *,
        ensemble: Sequence[Model] = (),
        prefixes: Sequence[str] | None = None,
        trees: bool = False,
    ) -> list[BeamResult]:
        """The best translations of sentences, with all that is known of them; see `decoding.beam_search`.

        Args:
            sentences: what to translate; any number, searched for in batches of similar lengths.
            search: how to search.
            ensemble: models that translate together with this one, by the mean of their probabilities; they must share
                its vocabularies.
            prefixes: what each translation must begin with.
            trees: keep what was considered.
        """
        return search_all(self._request(sentences, search, ensemble, prefixes), search, trees)

    def _request(
        self,
        sentences: Sequence[str | Sentence],
        search: BeamSearch,
        ensemble: Sequence[Model],
        prefixes: Sequence[str] | None,
    ) -> Request:
        self.require_same_vocabulary(ensemble)
        sources = [item if isinstance(item, Sentence) else self.source(item, search) for item in sentences]
        return Request(
            [model.network for model in (self, *ensemble)],
            [len(source.tokens) for source in sources],
            token_encoder([source.tokens for source in sources]),
            self.vocabularies.target,
            [self.limit(len(source.tokens), search) for source in sources],
            [self._forced(prefix) for prefix in prefixes or [""] * len(sources)],
        )

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

    def text_of(self, hypothesis: Hypothesis) -> str:
        """A translation as text."""
        return self.vocabularies.target.decode(hypothesis.tokens)

    def hypotheses(
        self,
        sentences: Sequence[str | Sentence],
        search: BeamSearch = DEFAULT_SEARCH,
        *,
        ensemble: Sequence[Model] = (),
        prefix: str = "",
        sampling: Sampling | None = None,
        first: int = 0,
    ) -> list[list[Hypothesis]]:
        """The best translations of each sentence, the best first; of an empty sentence none.

        Args:
            sentences: what to translate.
            search: how to search.
            ensemble: see `search`.
            prefix: what each translation must begin with.
            sampling: draw one translation of each instead.
            first: the number of the first sentence among all that are drawn for with one seed.
        """
        texts = [item.text if isinstance(item, Sentence) else item for item in sentences]
        indices = [index for index, text in enumerate(texts) if text.strip()]
        filled, prefixes = [sentences[index] for index in indices], [prefix] * len(indices)
        if sampling:
            request = self._request(filled, search, ensemble, prefixes)
            drawn = draw_all(request, search, sampling, [first + index for index in indices])
            made = dict(zip(indices, ([hypothesis] for hypothesis in drawn), strict=True))
        else:
            found = self.search(filled, search, ensemble=ensemble, prefixes=prefixes)
            made = dict(zip(indices, (each.hypotheses for each in found), strict=True))
        return [made.get(index, []) for index in range(len(sentences))]

    @overload
    def translate(
        self, sentence: str, search: BeamSearch | None = None, *, ensemble: Sequence[Model] = ..., **options: Any
    ) -> str: ...

    @overload
    def translate(
        self,
        sentence: Sequence[str],
        search: BeamSearch | None = None,
        *,
        ensemble: Sequence[Model] = ...,
        **options: Any,
    ) -> list[str]: ...

    def translate(
        self,
        sentence: str | Sequence[str],
        search: BeamSearch | None = None,
        *,
        ensemble: Sequence[Model] = (),
        **options: Any,
    ) -> str | list[str]:
        """The best translation of a sentence, or of each of several; of nothing, nothing.

        Args:
            sentence: what to translate, or several sentences.
            search: how to search.
            ensemble: models that translate together with this one.
            options: fields of `BeamSearch`: `beam_size=10`.
        """
        chosen = with_options(search or DEFAULT_SEARCH, options)
        sentences = [sentence] if isinstance(sentence, str) else sentence
        found = self.hypotheses(sentences, chosen, ensemble=ensemble)
        texts = [self.text_of(best[0]) if best else "" for best in found]
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
        **options: Any,
    ) -> dict[str, Any]:
        """Translate the sources of pairs and compare with their targets.

        Args:
            data: a table, two parallel files, a sample, or pairs.
            search: how to search.
            ensemble: models that translate together with this one.
            tokenize: how BLEU splits sentences into words.
            lowercase: count capital letters as small ones in BLEU and chrF.
            encoding: how the files encode text.
            columns: which columns or keys of a table hold source and target.
            header: whether the first line of a table names its columns.
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
        sequences, long = encode_pairs(pairs, self.vocabularies, MAX_TOKENS)
        if long:
            note(f"left out of nats: {long:,} pair(s) of more than {MAX_TOKENS} {self.config.tokens} a side")
        made: list[str] = []
        for group in in_groups(pairs.sources, GROUP, "translating"):
            made += self.translate(group, chosen, ensemble=ensemble)
        networks = [model.network for model in ensemble]
        with bar("scoring") as shown:
            start = self.vocabularies.target.start
            nats = score_pairs(self.network, sequences, start, self.device, networks, shown.update).nats
        quality = measure(made, pairs.targets, tokenize, lowercase)
        groups = by_length(made, pairs.targets, [length_of(source) for source in pairs.sources], tokenize, lowercase)
        return asdict(quality) | {"nats": nats, "by_length": groups}

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
        if not sentence.strip():
            raise RecurraError("there is no sentence to explain; give one that is not empty")
        chosen = with_options(search or DEFAULT_SEARCH, options)
        chosen = replace(chosen, n_best=min(chosen.beam_size, MOST_LISTED))
        source = self.source(sentence, chosen)
        (found,) = self.search([source], chosen, trees=True)
        read, target = self.vocabularies.source, self.vocabularies.target
        explanation = Explanation(
            model=self.name,
            facts=self.facts(),
            source=source.text,
            source_tokens=[*read.shown(source.tokens[:-1].tolist()), ""],
            hypotheses=found.hypotheses,
            name=lambda token: "" if token == target.end else target.shown([token])[0],
            text=target.decode,
            normalization=chosen.normalization,
            alpha=chosen.alpha,
            tree=found.tree,
        )
        return write_translation_page(Path(out), explanation)
