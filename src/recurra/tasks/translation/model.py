"""An encoder reads a sentence, a decoder that attends to it writes another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recurra.config import with_options
from recurra.data.columns import Header
from recurra.data.sources import several
from recurra.data.tokenizer import Tokens
from recurra.data.vocabulary import VocabularyPair
from recurra.decoding.beam_search import BeamSearch
from recurra.decoding.decoder_step import TensorReader, token_encoder
from recurra.evaluation.seq2seq import TargetScore, score_each_pair
from recurra.evaluation.text_metrics import Tokenize, by_length, length_of, measure
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.progress import bar, in_groups, note
from recurra.tasks.shared.model import SavedModel
from recurra.tasks.translation.config import MAX_TOKENS, Config
from recurra.tasks.translation.data import Pairs, encode_pairs, open_pairs
from recurra.tasks.translation.explaining import explanation_of
from recurra.tasks.translation.glossary import Glossary
from recurra.tasks.translation.page import write_translation_page
from recurra.tasks.translation.pair_scores import write_pair_scores
from recurra.tasks.translation.translator import DEFAULT_SEARCH, GROUP, TASK, Translating


class Model(SavedModel[EncoderDecoder, VocabularyPair, Config], Translating):
    """A trained translation model; `SavedModel` says what it is made of."""

    task = TASK
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

    def reader(self, sources: Sequence[Tokens]) -> TensorReader:
        """The network, where the model is, and the sources it is to read, each with its end."""
        return TensorReader(self.network, token_encoder(sources))

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
        return write_translation_page(Path(out), explanation_of(self, sentence, chosen, self.facts()))
