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
from recurra.data.tables import Pairs, hold_out, open_pairs
from recurra.data.tokenizer import Kind, Symbols
from recurra.data.vocabulary import Languages, Sequences
from recurra.decoding.beam_search import Found, Search
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
from recurra.training.run import Fitted, Prepared, closing, fit, record_of
from recurra.training.run_folder import Saved
from recurra.training.seq2seq import PairTraining, TeacherForced, score
from recurra.training.trainer import DEFAULT_MINUTES

MIN_PAIRS = 10
"""Fewer pairs are refused: there is nothing to learn from them, and nothing to hold out."""

MAX_EPOCHS = 200
"""More passes over the pairs than this only make a model learn them by heart; a run that is given more time ends
earlier."""

MAX_SYMBOLS = 1000
"""A sentence of more symbols than this is not translated: it is none."""

SPARE = 20
"""An output may have so many symbols more than `max_ratio` allows."""

UNUSUAL = 3.0
"""A pair whose target is more than so many times as long as is usual is taken for a mistake in the data, and does not
make all outputs longer."""

GROUP = 512
"""Sentences of a long text that are translated together, in batches of similar lengths."""

DEFAULT_SEARCH = Search()

_VOCABULARY_SIZES: dict[Kind, int] = {"characters": 5_000, "bytes": 256, "words": 30_000}

_EXACT = dict(hidden_size=128, embedding_size=64, dropout=0.0, symbol_dropout=0.0, label_smoothing=0.0)

_RECIPES: dict[Kind, dict[str, Any]] = {
    "characters": _EXACT,
    "bytes": _EXACT,
    "words": dict(hidden_size=256, embedding_size=128, dropout=0.2, symbol_dropout=0.0, label_smoothing=0.0),
    "pieces": dict(
        hidden_size=256,
        embedding_size=256,
        dropout=0.25,
        symbol_dropout=0.0,
        label_smoothing=0.1,
        learning_rate=2e-3,
    ),
}
"""Pieces are for languages, of which one never sees enough; letters are for what can be learned to the last one."""


def _vocabulary_size(kind: Kind, pairs: int) -> int:
    """The more pairs there are, the rarer the words that can be learned whole."""
    if kind == "pieces":
        return 4000 if pairs >= 5_000 else 2000
    return _VOCABULARY_SIZES[kind]


@dataclass(frozen=True)
class Config(Architecture, PairTraining):
    """Everything that can be chosen about a translation model."""

    symbols: Kind = "pieces"
    """What sentences are made of."""
    joint: bool = AUTO
    """One vocabulary, and one embedding, for both sides; pieces share one if not given."""
    vocabulary_size: int = AUTO
    """At most so many symbols in a vocabulary; the rarest become the unknown one."""
    min_count: int = 2
    """What a side has less often becomes the unknown symbol."""
    longest: int = 200
    """Pairs with more symbols than this on a side are not trained on."""
    max_ratio: float = AUTO
    """Longest output, in symbols for each of the source's (and 20 more); what the training pairs need if not given, but
    at most three times what is usual among them."""
    encoding: str = "utf-8"
    """How the files of pairs encode text."""

    def __post_init__(self) -> None:
        Architecture.__post_init__(self)
        PairTraining.__post_init__(self)
        check_range("vocabulary_size", self.vocabulary_size, 2, 2**20)
        check_range("min_count", self.min_count, 1, 2**31)
        check_range("longest", self.longest, 1, MAX_SYMBOLS)
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
    config = fill_in(config, **recipe | _RECIPES[config.symbols])
    if config.steps is None:
        enough = MAX_EPOCHS * Buckets(lengths, config.batch_size).steps_per_epoch
        config = replace(config, minutes=config.minutes or DEFAULT_MINUTES, steps=enough)
    return config


def build(config: Config, languages: Languages) -> EncoderDecoder:
    """The network of a resolved configuration."""
    return EncoderDecoder(languages.source.size, None if languages.joint else languages.target.size, config)


@dataclass(frozen=True)
class Data:
    """Sentence pairs as symbols.

    Attributes:
        name: where they came from.
        config: as it was given, with what decides on the vocabularies filled in.
        languages: what made the symbols.
        train: to learn from.
        held_out: to choose the best weights on.
        held_out_name: what the held-out part is, for the model card.
        left_out: sentences on what was left out.
    """

    name: str
    config: Config
    languages: Languages
    train: Sequences
    held_out: Sequences
    held_out_name: str
    left_out: list[str]

    @property
    def digest(self) -> str:
        """Of all symbols, in their order."""
        digest = hashlib.sha256()
        for side in (*self.train, *self.held_out):
            digest.update(np.concatenate(side).tobytes())
        return digest.hexdigest()


def read_data(
    sources: Sequence[str | Path],
    held_out: Sequence[str | Path],
    config: Config,
    languages: Languages | None = None,
) -> Data:
    """Read sentence pairs.

    Args:
        sources: a table, two parallel files, or a sample, see `open_pairs`.
        held_out: likewise, to hold out; nothing cuts a part off.
        config: which symbols.
        languages: existing ones, for a resumed run; None builds them.

    Raises:
        RecurraError: if the pairs cannot be read or are too few.
    """
    pairs = open_pairs(sources, config.encoding)
    if len(pairs) < MIN_PAIRS:
        raise RecurraError(f"there are {len(pairs)} pairs in {pairs.name}; at least {MIN_PAIRS} are needed to train on")
    train, other = (pairs, open_pairs(held_out, config.encoding)) if held_out else hold_out(pairs)
    name = other.name if held_out else f"{len(other):,} pairs drawn from it"
    kind = config.symbols
    size = _vocabulary_size(kind, len(train))
    config = fill_in(config, joint=kind in ("pieces", "bytes"), vocabulary_size=size)
    if languages is None:
        limit, least = config.vocabulary_size, config.min_count
        languages = Languages.build(kind, train.sources, train.targets, config.joint, limit, least)
    learned, long = _encode(train, languages, config.longest)
    kept, other_long = _encode(other, languages, MAX_SYMBOLS)
    left_out = [*pairs.skipped, *(other.skipped if held_out else ())]
    if long:
        left_out.append(f"{long:,} pair(s) of more than {config.longest} {kind} a side (--longest)")
    if other_long:
        left_out.append(f"{other_long:,} held-out pair(s) of more than {MAX_SYMBOLS} {kind} a side")
    return Data(pairs.name, config, languages, learned, kept, name, left_out)


def _encode(pairs: Pairs, languages: Languages, longest: int) -> tuple[Sequences, int]:
    """Pairs as symbols, and how many were too long; not all may be."""
    sequences, long = languages.encode(pairs.sources, pairs.targets, longest)
    if not sequences.sources:
        kind, remedy = languages.source.tokenizer.kind, "" if longest == MAX_SYMBOLS else ", or a larger --longest"
        raise RecurraError(f"no pair of {pairs.name} has at most {longest} {kind} a side; give shorter ones{remedy}")
    return sequences, long


def train(
    data: str | Path | Sequence[str | Path],
    out: str | Path,
    config: Config = Config(),
    held_out: str | Path | Sequence[str | Path] = (),
    resume: bool = False,
    overwrite: bool = False,
) -> Model:
    """Train a model on sentence pairs and save it.

    Args:
        data: a table of two columns (.tsv, .csv, .jsonl, also .gz), two parallel files, or `sample:dates`.
        out: the model folder to make.
        config: the options.
        held_out: the same, not trained on, to choose the best weights; a part is cut off if not given.
        resume: go on with the run that was stopped or has ended in `out`.
        overwrite: replace what is in `out`.

    Raises:
        RecurraError: if data or options are at fault, or the machine is.
        Interrupted: at SIGINT or SIGTERM, with everything saved.
    """
    out = Path(out)
    read: Data | None = None

    def prepare(config: Config, run: Saved | None, folder: Path) -> Prepared[Config, EncoderDecoder]:
        nonlocal read
        languages = Languages.from_json(read_json(run.vocabulary), str(run.vocabulary)) if run else None
        read = read_data(several(data), several(held_out), config, languages)
        if run and run.data != read.digest:
            raise RecurraError(f"{read.name} does not hold the pairs the run of {out} began with; give the same")
        config = resolve(read.config, read.train)
        buckets = Buckets(read.train.lengths(), config.batch_size, config.seed)
        start = read.languages.target.start
        return Prepared(
            config,
            partial(build, config, read.languages),
            TeacherForced(read.train, read.held_out, start, buckets, config.label_smoothing, config.dropout_passes),
            read.digest,
            dump_json(read.languages.to_json()),
            _describe(config, read),
        )

    fitted = fit(out, config, resume, overwrite, prepare)
    assert read is not None
    model = _finish(fitted, read, out.name)
    if fitted.main:
        model.save(out, fitted.work)
        quality = f"{model.record['nats']:.4f} nats a symbol"
        note(closing(out, fitted.outcome, quality, f"translate with: recurra translation translate {out}"))
    return model


def _describe(config: Config, data: Data) -> str:
    languages, symbols = data.languages, sum(map(len, data.train.targets))
    size = f"{languages.source.size:,}"
    sizes = f"{size} for both sides" if languages.joint else f"{size} and {languages.target.size:,}"
    attention = "no attention" if config.attention == "none" else f"{config.attention} attention"
    return (
        "".join(f"left out: {reason}\n" for reason in data.left_out)
        + f"{data.name}: {len(data.train.sources):,} pairs with {symbols:,} target {config.symbols} to train on, "
        f"{len(data.held_out.sources):,} held out, vocabulary {sizes}\n"
        + _unknown(config, data)
        + f"{config.cell}, {config.num_layers} x {config.hidden_size} units, {attention}; "
        f"{config.batch_size:,} symbols a step"
    )


def _unknown(config: Config, data: Data) -> str:
    """How much of the held-out pairs the vocabularies do not know; nothing if that is nothing."""
    source = data.languages.source.unknown_share(data.held_out.sources)
    target = data.languages.target.unknown_share(data.held_out.targets)
    if max(source, target) < 0.0005:
        return ""
    shares = f"{source:.1%} of the sources and {target:.1%} of the targets"
    return f"read as the unknown symbol in the held-out pairs: {shares} ({config.symbols})\n"


def _finish(fitted: Fitted[Config, EncoderDecoder], data: Data, name: str) -> Model:
    with bar("scoring") as shown:
        start = data.languages.target.start
        figure = score(fitted.network, data.held_out, start, fitted.device, report=shown.update)
    record = {
        "data": data.name,
        "pairs": len(data.train.sources),
        "held_out": data.held_out_name,
        "held_out_count": figure.count,
        "nats": figure.nats,
        **record_of(fitted.outcome),
        "recurra": recurra.__version__,
    }
    return Model(fitted.network, data.languages, fitted.config, record, name)


class Model:
    """A trained translation model.

    Args:
        network: the weights, on the device to use.
        languages: text to symbols and back, on both sides.
        config: how it was made.
        record: how it was trained and how good it is.
        name: what to call it in pictures.
    """

    task = "translation"

    def __init__(
        self, network: EncoderDecoder, languages: Languages, config: Config, record: dict[str, Any], name: str
    ) -> None:
        self.network = network
        self.languages = languages
        self.config = config
        self.record = record
        self.name = name

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        """Read a model folder; see `modelfile.load` for what is refused."""
        folder = Path(folder)
        file = modelfile.load(folder, cls.task)
        config = from_dict(Config, file.config, str(folder / modelfile.CONFIG))
        languages = Languages.from_json(file.vocabulary, str(folder / modelfile.VOCABULARY))
        network = modelfile.restore(lambda: build(config, languages), file, folder)
        return cls(network, languages, config, file.record, folder.name)

    def save(self, folder: Path, work: Path | None = None) -> None:
        """Write the model folder; `work`, the folder of the run, goes into it."""
        tensors = modelfile.unique_tensors(self.network)
        file = modelfile.ModelFile(self.task, asdict(self.config), self.record, self.languages.to_json(), tensors)
        runfolder.finish(folder, file, _card(self, folder.name), work)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.decoder.output.weight.device

    def encode(self, sentences: Sequence[str]) -> list[Symbols]:
        """The symbols of sentences without white space around them, as in training; each with its end.

        Raises:
            RecurraError: if one is too long.
        """
        symbols = [self.languages.source.encode(sentence.strip()) for sentence in sentences]
        for sentence, those in zip(sentences, symbols, strict=True):
            if len(those) > MAX_SYMBOLS + 1:
                raise RecurraError(
                    f"the sentence that begins with {sentence[:20]!r} is {len(those) - 1:,} {self.config.symbols} "
                    f"long, but at most {MAX_SYMBOLS:,} are translated at once; split it into sentences"
                )
        return symbols

    def require_possible(self, sentence: str, options: Search = DEFAULT_SEARCH) -> None:
        """Refuse a sentence that cannot be translated.

        Raises:
            RecurraError: if it is too long, or too long for as wide a beam.
        """
        (symbols,) = self.encode([sentence])
        if self.network.decoder.attention:
            require_room(len(symbols), self.limit(len(symbols), options), options.beam_size)

    def search(
        self,
        sentences: Sequence[str],
        options: Search = DEFAULT_SEARCH,
        others: Sequence[Model] = (),
        prefixes: Sequence[str] | None = None,
        trees: bool = False,
    ) -> list[Found]:
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
        self, sentences: Sequence[str], options: Search, others: Sequence[Model], prefixes: Sequence[str] | None
    ) -> Request:
        _require_same(self, others)
        symbols = self.encode(sentences)
        return Request(
            [model.network for model in (self, *others)],
            symbols,
            self.languages.target,
            [self.limit(len(those), options) for those in symbols],
            [self._forced(prefix) for prefix in prefixes or [""] * len(symbols)],
        )

    def limit(self, length: int, options: Search = DEFAULT_SEARCH) -> int:
        """The longest output, in symbols, of a source of `length` symbols, its end counted."""
        if options.max_length is not None:
            return options.max_length
        return max(math.ceil(self.config.max_ratio * length) + SPARE, options.min_length)

    def _forced(self, prefix: str) -> list[int]:
        if not prefix:
            return []
        unknown = self.languages.target.unknown_in(prefix)
        if unknown:
            raise OptionError(f"--prefix {prefix!r} holds {unknown[0]!r}, which the model cannot write; leave it out")
        return [int(symbol) for symbol in self.languages.target.encode(prefix)[:-1]]

    def text_of(self, hypothesis: Hypothesis) -> str:
        """A translation as text."""
        return self.languages.target.decode(hypothesis.symbols)

    def outputs(
        self,
        sentences: Sequence[str],
        options: Search = DEFAULT_SEARCH,
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
        places = [place for place, sentence in enumerate(sentences) if sentence.strip()]
        filled, prefixes = [sentences[place] for place in places], [prefix] * len(places)
        if sampling:
            request = self._request(filled, options, others, prefixes)
            drawn = draw_all(request, options, sampling, [first + place for place in places])
            made = dict(zip(places, ([hypothesis] for hypothesis in drawn), strict=True))
        else:
            found = self.search(filled, options, others, prefixes)
            made = dict(zip(places, (each.hypotheses for each in found), strict=True))
        return [made.get(place, []) for place in range(len(sentences))]

    def translate(self, sentence: str, options: Search = DEFAULT_SEARCH, others: Sequence[Model] = ()) -> str:
        """The best translation of a sentence; of nothing, nothing."""
        return self.translate_all([sentence], options, others)[0]

    def translate_all(
        self, sentences: Sequence[str], options: Search = DEFAULT_SEARCH, others: Sequence[Model] = ()
    ) -> list[str]:
        """The best translations of sentences, in their order."""
        return [self.text_of(best[0]) if best else "" for best in self.outputs(sentences, options, others)]

    def evaluate(
        self,
        data: str | Path | Sequence[str | Path],
        options: Search = DEFAULT_SEARCH,
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
            `bleu`, `chrf`, `exact_match`, `count`, `signature`, `nats` a target symbol (of all models together), and
            `by_length`: the other figures once more of parts of the pairs, from the `shortest` to the `longest` source
            in words.
        """
        pairs = open_pairs(several(data), encoding)
        for reason in pairs.skipped:
            note(f"left out: {reason}")
        sequences, long = _encode(pairs, self.languages, MAX_SYMBOLS)
        if long:
            note(f"left out of nats: {long:,} pair(s) of more than {MAX_SYMBOLS} {self.config.symbols} a side")
        made: list[str] = []
        for group in in_groups(pairs.sources, GROUP, "translating"):
            made += self.translate_all(group, options, others)
        networks = [model.network for model in others]
        with bar("scoring") as shown:
            start = self.languages.target.start
            nats = score(self.network, sequences, start, self.device, networks, shown.update).nats
        quality = measure(made, pairs.targets, tokenize, lowercase)
        groups = by_length(made, pairs.targets, [length_of(source) for source in pairs.sources], tokenize, lowercase)
        return asdict(quality) | {"nats": nats, "by_length": groups}

    def explain(self, sentence: str, out: str | Path, options: Search = DEFAULT_SEARCH) -> tuple[Path, ...]:
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
        source, target = self.languages.source, self.languages.target
        explanation = Explanation(
            model=self.name,
            facts=_facts(self),
            source=sentence,
            source_symbols=[*source.shown(source.encode(sentence)[:-1].tolist()), ""],
            hypotheses=found.hypotheses,
            name=lambda symbol: "" if symbol == target.end else target.shown([symbol])[0],
            text=target.decode,
            normalization=options.normalization,
            alpha=options.alpha,
            tree=found.tree,
        )
        return write_translation_page(Path(out), explanation)


def _require_same(model: Model, others: Sequence[Model]) -> None:
    for other in others:
        if other.languages.to_json() != model.languages.to_json():
            raise RecurraError(
                f"{other.name} and {model.name} have not the same vocabularies and cannot translate together; train "
                "both on the same pairs, each with another --seed"
            )


def _facts(model: Model) -> dict[str, str]:
    record, config = model.record, model.config
    return {
        "trained on": modelfile.tell(record, "{data}, {pairs:,} pairs, {steps:,} steps in {seconds:.0f} s"),
        "held out": modelfile.tell(record, "{held_out}: {nats:.4f} nats a symbol"),
        "network": f"{config.cell}, {config.num_layers} x {config.hidden_size} units, attention: {config.attention}",
    }


def _card(model: Model, name: str) -> str:
    record = model.record
    return f"""# {name}

A translation model made with Recurra {record["recurra"]}.

- trained on {record["data"]} ({record["pairs"]:,} pairs, {record["steps"]:,} steps, {record["seconds"]:.0f} s)
- held out: {record["held_out"]}
- held-out loss: {record["nats"]:.4f} nats a symbol

It translates what is like the sentences it was trained on, and knows nothing else: of other sentences it makes
something that reads well and may be wrong.

    recurra translation translate {name}
"""
