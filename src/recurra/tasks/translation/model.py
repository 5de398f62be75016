"""Translation: an encoder reads a sentence, a decoder that looks back at it writes another."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import recurra
from recurra import modelfile
from recurra.config import AUTO, check_range, dump_json, fill_in, from_dict, read_json
from recurra.data.buckets import Buckets
from recurra.data.sources import several
from recurra.data.tables import Pairs, open_pairs, split_validation
from recurra.data.tokenizer import TokenKind, Tokens
from recurra.data.vocabulary import Sequences, VocabularyPair
from recurra.decoding.beam_search import BeamResult, BeamSearch
from recurra.decoding.hypothesis import Hypothesis
from recurra.decoding.sampling import Sampling
from recurra.decoding.seq2seq import Request, draw_all, require_room, search_all
from recurra.errors import OptionError, RecurraError
from recurra.evaluation.text_metrics import Tokenize, by_length, length_of, measure
from recurra.models.architecture import Architecture
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.progress import bar, in_groups, note
from recurra.tasks.translation.page import MOST_LISTED, Explanation, write_translation_page
from recurra.training import run_folder as runfolder
from recurra.training.run import RunResult, RunSpec, closing, fit, record_of
from recurra.training.run_folder import SavedRun
from recurra.training.seq2seq import PairTraining, TeacherForced, score_pairs
from recurra.training.trainer import DEFAULT_MINUTES

MIN_PAIRS = 10
"""Fewer pairs are refused: there is nothing to learn from them, and nothing to validate on."""

MAX_EPOCHS = 200
"""More passes over the pairs than this only make a model learn them by heart; a run that is given more time ends
earlier."""

MAX_TOKENS = 1000
"""A sentence of more tokens than this is not translated: it is none."""

SPARE = 20
"""An output may have so many tokens more than `max_ratio` allows."""

UNUSUAL = 3.0
"""A pair whose target is more than so many times as long as is usual is taken for a mistake in the data, and does not
make all outputs longer."""

GROUP = 512
"""Sentences of a long text that are translated together, in batches of similar lengths."""

DEFAULT_SEARCH = BeamSearch()

_VOCABULARY_SIZES: dict[TokenKind, int] = {"characters": 5_000, "bytes": 256, "words": 30_000}

_EXACT = dict(hidden_size=128, embedding_size=64, dropout=0.0, word_dropout=0.0, label_smoothing=0.0)

_RECIPES: dict[TokenKind, dict[str, Any]] = {
    "characters": _EXACT,
    "bytes": _EXACT,
    "words": dict(hidden_size=256, embedding_size=128, dropout=0.2, word_dropout=0.0, label_smoothing=0.0),
    "subwords": dict(
        hidden_size=256,
        embedding_size=256,
        dropout=0.25,
        word_dropout=0.0,
        label_smoothing=0.1,
        learning_rate=2e-3,
    ),
}
"""Subwords are for vocabularies, of which one never sees enough; letters are for what can be learned to the last
one."""


def _vocabulary_size(kind: TokenKind, pairs: int) -> int:
    """The more pairs there are, the rarer the words that can be learned whole."""
    if kind == "subwords":
        return 4000 if pairs >= 5_000 else 2000
    return _VOCABULARY_SIZES[kind]


@dataclass(frozen=True)
class Config(Architecture, PairTraining):
    """Everything that can be chosen about a translation model."""

    tokens: TokenKind = "subwords"
    """What sentences are made of."""
    joint: bool = AUTO
    """One vocabulary, and one embedding, for both sides; pieces share one if not given."""
    vocabulary_size: int = AUTO
    """At most so many tokens in a vocabulary; the rarest become the unknown one."""
    min_count: int = 2
    """What a side has less often becomes the unknown token."""
    longest: int = 200
    """Pairs with more tokens than this on a side are not trained on."""
    max_ratio: float = AUTO
    """Longest output, in tokens for each of the source's (and 20 more); what the training pairs need if not given, but
    at most three times what is usual among them."""
    encoding: str = "utf-8"
    """How the files of pairs encode text."""

    def __post_init__(self) -> None:
        Architecture.__post_init__(self)
        PairTraining.__post_init__(self)
        check_range("vocabulary_size", self.vocabulary_size, 2, 2**20)
        check_range("min_count", self.min_count, 1, 2**31)
        check_range("longest", self.longest, 1, MAX_TOKENS)
        check_range("max_ratio", self.max_ratio, 0.0, 1000.0)


def resolve(config: Config, pairs: Sequences) -> Config:
    """Fill in what was not given, by the pairs.

    Args:
        config: with the vocabularies' options, as `read_data` gives it.
        pairs: to train on.
    """
    lengths = pairs.lengths()
    usual = lengths[:, 1].sum() / lengths[:, 0].sum()
    largest = ((lengths[:, 1] - SPARE) / lengths[:, 0]).max()
    ratio = float(np.clip(largest, usual, UNUSUAL * usual))
    recipe = dict(num_layers=1, forget_bias=0.0, tied=True, batch_size=1000, learning_rate=4e-3, weight_decay=0.01)
    recipe |= dict(max_ratio=math.ceil(10 * ratio) / 10)
    config = fill_in(config, **recipe | _RECIPES[config.tokens])
    if config.steps is None:
        enough = MAX_EPOCHS * Buckets(lengths, config.batch_size).steps_per_epoch
        config = replace(config, minutes=config.minutes or DEFAULT_MINUTES, steps=enough)
    return config


def build(config: Config, vocabularies: VocabularyPair) -> EncoderDecoder:
    """The network of a resolved configuration."""
    return EncoderDecoder(vocabularies.source.size, None if vocabularies.joint else vocabularies.target.size, config)


@dataclass(frozen=True)
class Data:
    """Sentence pairs as tokens.

    Attributes:
        name: where they came from.
        config: as it was given, with what decides on the vocabularies filled in.
        vocabularies: what made the tokens.
        train: to learn from.
        validation: to choose the best weights on.
        validation_name: what the validation part is, for the model card.
        left_out: sentences on what was left out.
    """

    name: str
    config: Config
    vocabularies: VocabularyPair
    train: Sequences
    validation: Sequences
    validation_name: str
    left_out: list[str]

    @property
    def digest(self) -> str:
        """Of all tokens, in their order."""
        digest = hashlib.sha256()
        for side in (*self.train, *self.validation):
            digest.update(np.concatenate(side).tobytes())
        return digest.hexdigest()


def read_data(
    sources: Sequence[str | Path],
    validation: Sequence[str | Path],
    config: Config,
    vocabularies: VocabularyPair | None = None,
) -> Data:
    """Read sentence pairs.

    Args:
        sources: a table, two parallel files, or a sample, see `open_pairs`.
        validation: likewise, to validate on; nothing cuts a part off.
        config: which tokens.
        vocabularies: existing ones, for a resumed run; None builds them.

    Raises:
        RecurraError: if the pairs cannot be read or are too few.
    """
    pairs = open_pairs(sources, config.encoding)
    if len(pairs) < MIN_PAIRS:
        raise RecurraError(f"there are {len(pairs)} pairs in {pairs.name}; at least {MIN_PAIRS} are needed to train on")
    train, other = (pairs, open_pairs(validation, config.encoding)) if validation else split_validation(pairs)
    name = other.name if validation else f"{len(other):,} pairs drawn from it"
    kind = config.tokens
    size = _vocabulary_size(kind, len(train))
    config = fill_in(config, joint=kind in ("subwords", "bytes"), vocabulary_size=size)
    if vocabularies is None:
        limit, least = config.vocabulary_size, config.min_count
        vocabularies = VocabularyPair.build(kind, train.sources, train.targets, config.joint, limit, least)
    learned, long = _encode(train, vocabularies, config.longest)
    kept, other_long = _encode(other, vocabularies, MAX_TOKENS)
    left_out = [*pairs.skipped, *(other.skipped if validation else ())]
    if long:
        left_out.append(f"{long:,} pair(s) of more than {config.longest} {kind} a side (--longest)")
    if other_long:
        left_out.append(f"{other_long:,} validation pair(s) of more than {MAX_TOKENS} {kind} a side")
    return Data(pairs.name, config, vocabularies, learned, kept, name, left_out)


def _encode(pairs: Pairs, vocabularies: VocabularyPair, longest: int) -> tuple[Sequences, int]:
    """Pairs as tokens, and how many were too long; not all may be."""
    sequences, long = vocabularies.encode(pairs.sources, pairs.targets, longest)
    if not sequences.sources:
        kind, remedy = vocabularies.source.tokenizer.kind, "" if longest == MAX_TOKENS else ", or a larger --longest"
        raise RecurraError(f"no pair of {pairs.name} has at most {longest} {kind} a side; give shorter ones{remedy}")
    return sequences, long


def train(
    data: str | Path | Sequence[str | Path],
    out: str | Path,
    config: Config = Config(),
    validation: str | Path | Sequence[str | Path] = (),
    resume: bool = False,
    overwrite: bool = False,
) -> Model:
    """Train a model on sentence pairs and save it.

    Args:
        data: a table of two columns (.tsv, .csv, .jsonl, also .gz), two parallel files, or `sample:dates`.
        out: the model folder to make.
        config: the options.
        validation: the same, not trained on, to choose the best weights; a part is cut off if not given.
        resume: go on with the run that was stopped or has ended in `out`.
        overwrite: replace what is in `out`.

    Raises:
        RecurraError: if data or options are at fault, or the machine is.
        Interrupted: at SIGINT or SIGTERM, with everything saved.
    """
    out = Path(out)
    read: Data | None = None

    def prepare(config: Config, run: SavedRun | None, folder: Path) -> RunSpec[Config, EncoderDecoder]:
        nonlocal read
        vocabularies = VocabularyPair.from_json(read_json(run.vocabulary), str(run.vocabulary)) if run else None
        read = read_data(several(data), several(validation), config, vocabularies)
        if run and run.data != read.digest:
            raise RecurraError(f"{read.name} does not hold the pairs the run of {out} began with; give the same")
        config = resolve(read.config, read.train)
        buckets = Buckets(read.train.lengths(), config.batch_size, config.seed)
        start = read.vocabularies.target.start
        return RunSpec(
            config,
            partial(build, config, read.vocabularies),
            TeacherForced(read.train, read.validation, start, buckets, config.label_smoothing, config.dropout_passes),
            read.digest,
            dump_json(read.vocabularies.to_json()),
            _describe(config, read),
        )

    result = fit(out, config, resume, overwrite, prepare)
    assert read is not None
    model = _finish(result, read, out.name)
    if result.main:
        model.save(out, result.work)
        quality = f"{model.record['nats']:.4f} nats a token"
        note(closing(out, result.outcome, quality, f"translate with: recurra translation translate {out}"))
    return model


def _describe(config: Config, data: Data) -> str:
    vocabularies, tokens = data.vocabularies, sum(map(len, data.train.targets))
    size = f"{vocabularies.source.size:,}"
    sizes = f"{size} for both sides" if vocabularies.joint else f"{size} and {vocabularies.target.size:,}"
    attention = "no attention" if config.attention == "none" else f"{config.attention} attention"
    return (
        "".join(f"left out: {reason}\n" for reason in data.left_out)
        + f"{data.name}: {len(data.train.sources):,} pairs with {tokens:,} target {config.tokens} to train on, "
        f"{len(data.validation.sources):,} for validation, vocabulary {sizes}\n"
        + _unknown(config, data)
        + f"{config.cell}, {config.num_layers} x {config.hidden_size} units, {attention}; "
        f"{config.batch_size:,} tokens a step"
    )


def _unknown(config: Config, data: Data) -> str:
    """How much of the validation pairs the vocabularies do not know; nothing if that is nothing."""
    source = data.vocabularies.source.unknown_share(data.validation.sources)
    target = data.vocabularies.target.unknown_share(data.validation.targets)
    if max(source, target) < 0.0005:
        return ""
    shares = f"{source:.1%} of the sources and {target:.1%} of the targets"
    return f"read as the unknown token in the validation pairs: {shares} ({config.tokens})\n"


def _finish(result: RunResult[Config, EncoderDecoder], data: Data, name: str) -> Model:
    with bar("scoring") as shown:
        start = data.vocabularies.target.start
        figure = score_pairs(result.network, data.validation, start, result.device, report=shown.update)
    record = {
        "data": data.name,
        "pairs": len(data.train.sources),
        "validation": data.validation_name,
        "validation_count": figure.count,
        "nats": figure.nats,
        **record_of(result.outcome),
        "recurra": recurra.__version__,
    }
    return Model(result.network, data.vocabularies, result.config, record, name)


class Model:
    """A trained translation model.

    Args:
        network: the weights, on the device to use.
        vocabularies: text to tokens and back, on both sides.
        config: how it was made.
        record: how it was trained and how good it is.
        name: what to call it in pictures.
    """

    task = "translation"

    def __init__(
        self, network: EncoderDecoder, vocabularies: VocabularyPair, config: Config, record: dict[str, Any], name: str
    ) -> None:
        self.network = network
        self.vocabularies = vocabularies
        self.config = config
        self.record = record
        self.name = name

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        """Read a model folder; see `modelfile.load` for what is refused."""
        folder = Path(folder)
        file = modelfile.load(folder, cls.task)
        config = from_dict(Config, file.config, str(folder / modelfile.CONFIG))
        vocabularies = VocabularyPair.from_json(file.vocabulary, str(folder / modelfile.VOCABULARY))
        network = modelfile.restore(lambda: build(config, vocabularies), file, folder)
        return cls(network, vocabularies, config, file.record, folder.name)

    def save(self, folder: Path, work: Path | None = None) -> None:
        """Write the model folder; `work`, the folder of the run, goes into it."""
        tensors = modelfile.unique_tensors(self.network)
        file = modelfile.ModelFile(self.task, asdict(self.config), self.record, self.vocabularies.to_json(), tensors)
        runfolder.finish(folder, file, _card(self, folder.name), work)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.decoder.output.weight.device

    def encode(self, sentences: Sequence[str]) -> list[Tokens]:
        """The tokens of sentences without white space around them, as in training; each with its end.

        Raises:
            RecurraError: if one is too long.
        """
        tokens = [self.vocabularies.source.encode(sentence.strip()) for sentence in sentences]
        for sentence, those in zip(sentences, tokens, strict=True):
            if len(those) > MAX_TOKENS + 1:
                raise RecurraError(
                    f"the sentence that begins with {sentence[:20]!r} is {len(those) - 1:,} {self.config.tokens} "
                    f"long, but at most {MAX_TOKENS:,} are translated at once; split it into sentences"
                )
        return tokens

    def require_possible(self, sentence: str, options: BeamSearch = DEFAULT_SEARCH) -> None:
        """Refuse a sentence that cannot be translated.

        Raises:
            RecurraError: if it is too long, or too long for as wide a beam.
        """
        (tokens,) = self.encode([sentence])
        if self.network.decoder.attention:
            require_room(len(tokens), self.limit(len(tokens), options), options.beam_size)

    def search(
        self,
        sentences: Sequence[str],
        options: BeamSearch = DEFAULT_SEARCH,
        others: Sequence[Model] = (),
        prefixes: Sequence[str] | None = None,
        trees: bool = False,
    ) -> list[BeamResult]:
        """The best translations of sentences, with all that is known of them; see `decoding.beam.search`.

        Args:
            sentences: what to translate; any number, searched for in batches of similar lengths.
            options: how to search.
            others: models that translate together with this one, by the mean of their probabilities; they must share
                its vocabularies.
            prefixes: what each translation must begin with.
            trees: keep what was considered.
        """
        return search_all(self._request(sentences, options, others, prefixes), options, trees)

    def _request(
        self, sentences: Sequence[str], options: BeamSearch, others: Sequence[Model], prefixes: Sequence[str] | None
    ) -> Request:
        _require_same(self, others)
        tokens = self.encode(sentences)
        return Request(
            [model.network for model in (self, *others)],
            tokens,
            self.vocabularies.target,
            [self.limit(len(those), options) for those in tokens],
            [self._forced(prefix) for prefix in prefixes or [""] * len(tokens)],
        )

    def limit(self, length: int, options: BeamSearch = DEFAULT_SEARCH) -> int:
        """The longest output, in tokens, of a source of `length` tokens, its end counted."""
        if options.max_length is not None:
            return options.max_length
        return max(math.ceil(self.config.max_ratio * length) + SPARE, options.min_length)

    def _forced(self, prefix: str) -> list[int]:
        if not prefix:
            return []
        unknown = self.vocabularies.target.unknown_in(prefix)
        if unknown:
            raise OptionError(f"--prefix {prefix!r} holds {unknown[0]!r}, which the model cannot write; leave it out")
        return [int(token) for token in self.vocabularies.target.encode(prefix)[:-1]]

    def text_of(self, hypothesis: Hypothesis) -> str:
        """A translation as text."""
        return self.vocabularies.target.decode(hypothesis.tokens)

    def outputs(
        self,
        sentences: Sequence[str],
        options: BeamSearch = DEFAULT_SEARCH,
        others: Sequence[Model] = (),
        prefix: str = "",
        sampling: Sampling | None = None,
        first: int = 0,
    ) -> list[list[Hypothesis]]:
        """The best translations of each sentence, the best first; of an empty sentence none.

        Args:
            sentences: what to translate.
            options: how to search.
            others: see `search`.
            prefix: what each translation must begin with.
            sampling: draw one translation of each instead.
            first: the number of the first sentence among all that are drawn for with one seed.
        """
        indices = [index for index, sentence in enumerate(sentences) if sentence.strip()]
        filled, prefixes = [sentences[index] for index in indices], [prefix] * len(indices)
        if sampling:
            request = self._request(filled, options, others, prefixes)
            drawn = draw_all(request, options, sampling, [first + index for index in indices])
            made = dict(zip(indices, ([hypothesis] for hypothesis in drawn), strict=True))
        else:
            found = self.search(filled, options, others, prefixes)
            made = dict(zip(indices, (each.hypotheses for each in found), strict=True))
        return [made.get(index, []) for index in range(len(sentences))]

    def translate(self, sentence: str, options: BeamSearch = DEFAULT_SEARCH, others: Sequence[Model] = ()) -> str:
        """The best translation of a sentence; of nothing, nothing."""
        return self.translate_all([sentence], options, others)[0]

    def translate_all(
        self, sentences: Sequence[str], options: BeamSearch = DEFAULT_SEARCH, others: Sequence[Model] = ()
    ) -> list[str]:
        """The best translations of sentences, in their order."""
        return [self.text_of(best[0]) if best else "" for best in self.outputs(sentences, options, others)]

    def evaluate(
        self,
        data: str | Path | Sequence[str | Path],
        options: BeamSearch = DEFAULT_SEARCH,
        others: Sequence[Model] = (),
        tokenize: Tokenize = "13a",
        lowercase: bool = False,
        encoding: str = "utf-8",
    ) -> dict[str, Any]:
        """Translate the sources of pairs and compare with their targets.

        Args:
            data: a table, two parallel files or a sample.
            options: how to search.
            others: models that translate together with this one.
            tokenize: how BLEU splits sentences into words.
            lowercase: count capital letters as small ones in BLEU and chrF.
            encoding: how the files encode text.

        Returns:
            `bleu`, `chrf`, `exact_match`, `count`, `signature`, `nats` a target token (of all models together), and
            `by_length`: the other figures once more of parts of the pairs, from the `shortest` to the `longest` source
            in words.
        """
        pairs = open_pairs(several(data), encoding)
        for reason in pairs.skipped:
            note(f"left out: {reason}")
        sequences, long = _encode(pairs, self.vocabularies, MAX_TOKENS)
        if long:
            note(f"left out of nats: {long:,} pair(s) of more than {MAX_TOKENS} {self.config.tokens} a side")
        made: list[str] = []
        for group in in_groups(pairs.sources, GROUP, "translating"):
            made += self.translate_all(group, options, others)
        networks = [model.network for model in others]
        with bar("scoring") as shown:
            start = self.vocabularies.target.start
            nats = score_pairs(self.network, sequences, start, self.device, networks, shown.update).nats
        quality = measure(made, pairs.targets, tokenize, lowercase)
        groups = by_length(made, pairs.targets, [length_of(source) for source in pairs.sources], tokenize, lowercase)
        return asdict(quality) | {"nats": nats, "by_length": groups}

    def explain(self, sentence: str, out: str | Path, options: BeamSearch = DEFAULT_SEARCH) -> tuple[Path, ...]:
        """Show how a sentence is translated: its attention map, its beam tree, its runners-up.

        Args:
            sentence: what to translate.
            out: the page to write, HTML; the map is put beside it as a picture.
            options: how to search.

        Returns:
            The files written: the page, then the picture.
        """
        if not sentence.strip():
            raise RecurraError("there is no sentence to explain; give one that is not empty")
        sentence, options = sentence.strip(), replace(options, n_best=min(options.beam_size, MOST_LISTED))
        (found,) = self.search([sentence], options, trees=True)
        source, target = self.vocabularies.source, self.vocabularies.target
        explanation = Explanation(
            model=self.name,
            facts=_facts(self),
            source=sentence,
            source_tokens=[*source.shown(source.encode(sentence)[:-1].tolist()), ""],
            hypotheses=found.hypotheses,
            name=lambda token: "" if token == target.end else target.shown([token])[0],
            text=target.decode,
            normalization=options.normalization,
            alpha=options.alpha,
            tree=found.tree,
        )
        return write_translation_page(Path(out), explanation)


def _require_same(model: Model, others: Sequence[Model]) -> None:
    for other in others:
        if other.vocabularies.to_json() != model.vocabularies.to_json():
            raise RecurraError(
                f"{other.name} and {model.name} have not the same vocabularies and cannot translate together; train "
                "both on the same pairs, each with another --seed"
            )


def _facts(model: Model) -> dict[str, str]:
    record, config = model.record, model.config
    return {
        "trained on": modelfile.tell(record, "{data}, {pairs:,} pairs, {steps:,} steps in {seconds:.0f} s"),
        "validation": modelfile.tell(record, "{validation}: {nats:.4f} nats a token"),
        "network": f"{config.cell}, {config.num_layers} x {config.hidden_size} units, attention: {config.attention}",
    }


def _card(model: Model, name: str) -> str:
    record = model.record
    return f"""# {name}

A translation model made with Recurra {record["recurra"]}.

- trained on {record["data"]} ({record["pairs"]:,} pairs, {record["steps"]:,} steps, {record["seconds"]:.0f} s)
- validation: {record["validation"]}
- validation loss: {record["nats"]:.4f} nats a token

It translates what is like the sentences it was trained on, and knows nothing else: of other sentences it makes
something that reads well and may be wrong.

    recurra translation translate {name}
"""
