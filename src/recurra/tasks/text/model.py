"""Text: a recurrent language model of a corpus, which writes, is measured and shows what it sees."""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

import recurra
from recurra import modelfile
from recurra.config import AUTO, check_range, dump_json, fill_in, from_dict, read_json
from recurra.data import tokenizer as tokenizers
from recurra.data.sources import several
from recurra.data.streams import Streams, TokenFile, write_tokens
from recurra.data.text import Corpus, open_corpus
from recurra.data.tokenizer import Tokenizer, TokenKind, Tokens
from recurra.decoding.sampling import Sampling, fresh_seed, read, sample
from recurra.errors import RecurraError
from recurra.explain.measurements import searched_length
from recurra.explain.passage import Subject
from recurra.explain.report import Explained, explain
from recurra.models.language_model import Architecture, LanguageModel
from recurra.models.packed import PackedLanguageModel
from recurra.progress import bar, note
from recurra.tasks.text import features as text_features
from recurra.tasks.text.agreement import Agreement, agreement
from recurra.training import run_folder as runfolder
from recurra.training.language_modeling import NextToken, StreamTraining, described, score, score_dynamic
from recurra.training.run import RunResult, RunSpec, closing, fit, record_of
from recurra.training.run_folder import SavedRun
from recurra.training.trainer import DEFAULT_MINUTES

MIN_TOKENS = 1000
"""A shorter corpus is refused: there is nothing to learn from it, and nothing to validate on."""

VALIDATION_SHARE = 0.1
"""What is cut off the end of a corpus for validation, if no file is given for that ..."""

MAX_VALIDATION = 500_000
"""... but not more tokens than this."""

MAX_EPOCHS = 60
"""More passes over a text than this only make a model learn it by heart; a run that is given more time ends earlier."""

Preset = Literal["tiny", "small", "medium", "large"]

_RECIPES: dict[Preset, dict[str, Any]] = {
    "tiny": dict(
        hidden_size=160, embedding_size=32, dropout=0.0, batch_size=16, sequence_length=24, learning_rate=1e-2
    ),
    "small": dict(
        hidden_size=256, embedding_size=32, dropout=0.0, batch_size=32, sequence_length=64, learning_rate=8e-3
    ),
    "medium": dict(
        hidden_size=384, embedding_size=64, dropout=0.25, batch_size=32, sequence_length=64, learning_rate=6e-3
    ),
    "large": dict(
        hidden_size=640, embedding_size=64, dropout=0.4, batch_size=32, sequence_length=128, learning_rate=4e-3
    ),
}
"""What is best for a megabyte of text and seconds, a minute, five minutes and half an hour on two cores."""

MANY_TOKENS = 512
"""A vocabulary beyond this (Chinese, words, pieces) gets larger embeddings, which are the output layer too."""

DEFAULT_SAMPLING = Sampling()

SMALL, LARGE = 200_000, 5_000_000
"""Texts of fewer tokens than the first are learned by heart without more dropout; of more than the second, never."""


@dataclass(frozen=True)
class Config(Architecture, StreamTraining):
    """Everything that can be chosen about a text model."""

    preset: Preset = AUTO
    """What sets the options not given: best for seconds, for one minute, five, or thirty; by --minutes if not given."""
    tokens: TokenKind = "characters"
    """What text is made of."""
    vocabulary_size: int = AUTO
    """At most so many tokens; the rarest become the unknown one."""
    min_count: int = 2
    """What the corpus has less often becomes the unknown token."""
    encoding: str = "utf-8"
    """How the corpus encodes text."""

    def __post_init__(self) -> None:
        Architecture.__post_init__(self)
        StreamTraining.__post_init__(self)
        check_range("vocabulary_size", self.vocabulary_size, 2, 2**20)
        check_range("min_count", self.min_count, 1, 2**31)


_VOCABULARY_SIZES: dict[TokenKind, int] = {"characters": 20_000, "bytes": 256, "words": 30_000, "subwords": 4_000}


def resolve(config: Config, length: int, vocabulary_size: int) -> Config:
    """Fill in what was not given, by preset and data.

    Args:
        config: as the user gave it.
        length: tokens to train on.
        vocabulary_size: distinct tokens.
    """
    config = fill_in(config, preset=_preset_for(config))
    recipe = dict(_RECIPES[config.preset])
    if vocabulary_size > MANY_TOKENS:
        recipe |= {"embedding_size": 256, "learning_rate": min(recipe["learning_rate"], 4e-3)}
    if length < SMALL:
        few = {"hidden_size": min(recipe["hidden_size"], 256), "dropout": max(recipe["dropout"], 0.4)}
        recipe |= few | {"batch_size": 8}
    elif length > LARGE:
        recipe["dropout"] = 0.0
    config = fill_in(config, num_layers=1, forget_bias=-1.0, weight_decay=0.1, **recipe)
    config = fill_in(config, tied=vocabulary_size > MANY_TOKENS, vocabulary_size=_VOCABULARY_SIZES[config.tokens])
    if length <= 2 * config.sequence_length:
        raise RecurraError(
            f"--sequence-length is {config.sequence_length}, but must be below {length // 2} for a text this short"
        )
    config = replace(config, batch_size=max(1, min(config.batch_size, (length - 1) // (4 * config.sequence_length))))
    if config.steps is None:
        enough = math.ceil(MAX_EPOCHS * length / (config.batch_size * config.sequence_length))
        config = replace(config, minutes=config.minutes or DEFAULT_MINUTES, steps=enough)
    return config


def _preset_for(config: Config) -> Preset:
    """By the time there is; a run of a given number of steps is taken for one of the default length."""
    minutes = config.minutes or DEFAULT_MINUTES
    return "tiny" if minutes <= 0.25 else "small" if minutes <= 2 else "medium" if minutes <= 15 else "large"


def build(config: Config, vocabulary_size: int) -> LanguageModel:
    """The network of a resolved configuration."""
    return LanguageModel(vocabulary_size, config)


@dataclass(frozen=True)
class Data:
    """A corpus as tokens.

    Attributes:
        corpus: where it came from.
        tokenizer: what made the tokens.
        train: to learn from.
        validation: to choose the best weights on.
        validation_name: what the validation part is, for the model card.
        file: of the whole corpus's tokens.
    """

    corpus: Corpus
    tokenizer: Tokenizer
    train: Tokens
    validation: Tokens
    validation_name: str
    file: TokenFile


def read_data(
    sources: Sequence[str | Path],
    validation: str | Path | None,
    config: Config,
    folder: Path,
    tokenizer: Tokenizer | None = None,
) -> Data:
    """Read a corpus into token files.

    Args:
        sources: files, folders or a sample, see `open_corpus`.
        validation: a file to validate on; None cuts a part off the end.
        config: which tokens.
        folder: where the token files go.
        tokenizer: an existing one, for a resumed run; None builds one.

    Raises:
        RecurraError: if the corpus cannot be read or is too short.
    """
    raw = config.tokens == "bytes"
    corpus = open_corpus(sources, config.encoding, raw)
    if tokenizer is None:
        limit = fill_in(config, vocabulary_size=_VOCABULARY_SIZES[config.tokens]).vocabulary_size
        tokenizer = tokenizers.build(config.tokens, corpus.blocks(), limit, config.min_count)
    file = write_tokens(corpus.blocks(), tokenizer, folder / "tokens.bin")
    if file.length < MIN_TOKENS:
        raise RecurraError(
            f"{corpus.name} is too short to train on: {file.length} {config.tokens}, at least {MIN_TOKENS} are needed"
        )
    tokens = file.open()
    if validation is None:
        cut = file.length - min(int(np.ceil(VALIDATION_SHARE * file.length)), MAX_VALIDATION)
        name = f"the last {file.length - cut:,} {config.tokens}"
        return Data(corpus, tokenizer, tokens[:cut], tokens[cut:], name, file)
    other = open_corpus([validation], config.encoding, raw)
    other_file = write_tokens(other.blocks(), tokenizer, folder / "validation.bin")
    if other_file.length < 2:
        raise RecurraError(f"{validation} is too short to validate on; give a file with more text")
    return Data(corpus, tokenizer, tokens, other_file.open(), other.name, file)


def train(
    data: str | Path | Sequence[str | Path],
    out: str | Path,
    config: Config = Config(),
    validation: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Model:
    """Train a model on a corpus and save it.

    Args:
        data: text files (also .gz), folders of them, or `sample:pydocs`.
        out: the model folder to make.
        config: the options.
        validation: a file that is not trained on, to choose the best weights; a part is cut off the end if not given.
        resume: go on with the run that was stopped or has ended in `out`.
        overwrite: replace what is in `out`.

    Raises:
        RecurraError: if data or options are at fault, or the machine is.
        Interrupted: at SIGINT or SIGTERM, with everything saved.
    """
    sources = several(data)
    out = Path(out)
    read: Data | None = None

    def prepare(config: Config, run: SavedRun | None, folder: Path) -> RunSpec[Config, LanguageModel]:
        nonlocal read
        tokenizer = tokenizers.from_json(read_json(run.vocabulary), str(run.vocabulary)) if run else None
        read = read_data(sources, validation, config, folder, tokenizer)
        if run and run.data != read.file.sha256:
            raise RecurraError(f"{read.corpus.name} is not the text the run of {out} began with; give the same one")
        config = resolve(config, len(read.train), read.tokenizer.size)
        streams = Streams(read.train, config.batch_size, config.sequence_length, config.seed)
        return RunSpec(
            config,
            partial(build, config, read.tokenizer.size),
            NextToken(streams, read.validation),
            read.file.sha256,
            dump_json(read.tokenizer.to_json()),
            f"{_describe(config, read)}\n{described(config, config)}",
        )

    result = fit(out, config, resume, overwrite, prepare)
    assert read is not None
    model = _finish(result, read, out.name)
    if result.main:
        model.save(out, result.work)
        figure = model.record
        quality = f"{figure['nats']:.4f} nats ({figure['bits']:.3f} bits) a token"
        note(closing(out, result.outcome, quality, f"write with: recurra text write {out}"))
    return model


def _describe(config: Config, data: Data) -> str:
    share = 100 * data.file.unknown / data.file.length
    rare = f"{data.file.unknown:,} rare {config.tokens} ({share:.2f} %) became the unknown token\n"
    return (
        "".join(f"left out: {reason}\n" for reason in data.corpus.skipped)
        + (rare if data.file.unknown else "")
        + f"{data.corpus.name}: {len(data.train):,} {config.tokens} to train on, {len(data.validation):,} "
        f"for validation, {data.tokenizer.size:,} distinct"
    )


def _finish(result: RunResult[Config, LanguageModel], data: Data, name: str) -> Model:
    with bar("scoring") as shown:
        figure = score(result.network, data.validation, result.device, report=shown.update)
    record = {
        "data": data.corpus.name,
        "validation": data.validation_name,
        "validation_count": figure.count,
        "nats": figure.nats,
        "bits": figure.bits,
        "unknown": data.file.unknown,
        **record_of(result.outcome),
        "recurra": recurra.__version__,
    }
    return Model(result.network, data.tokenizer, result.config, record, name)


class Piece(NamedTuple):
    """A piece of written text: one token's, empty where a character is not complete yet."""

    text: str
    token: int
    log_prob: float


class Model:
    """A trained text model.

    Args:
        network: the weights, on the device to use.
        tokenizer: text to tokens and back.
        config: how it was made.
        record: how it was trained and how good it is.
        name: what to call it in pictures.
    """

    task = "text"

    def __init__(
        self, network: LanguageModel, tokenizer: Tokenizer, config: Config, record: dict[str, Any], name: str
    ) -> None:
        self.name = name
        self.network = network
        self.tokenizer = tokenizer
        self.config = config
        self.record = record
        self._packed: PackedLanguageModel | None = None

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        """Read a model folder; see `modelfile.load` for what is refused."""
        folder = Path(folder)
        file = modelfile.load(folder, cls.task)
        config = from_dict(Config, file.config, str(folder / modelfile.CONFIG))
        tokenizer = tokenizers.from_json(file.vocabulary, str(folder / modelfile.VOCABULARY))
        network = modelfile.restore(lambda: build(config, tokenizer.size), file, folder)
        return cls(network, tokenizer, config, file.record, folder.name)

    def save(self, folder: Path, work: Path | None = None) -> None:
        """Write the model folder; `work`, the folder of the run, goes into it."""
        tensors = modelfile.unique_tensors(self.network)
        file = modelfile.ModelFile(self.task, asdict(self.config), self.record, self.tokenizer.to_json(), tensors)
        runfolder.finish(folder, file, _card(self, folder.name), work)

    def evaluate(self, data: str | Path, dynamic: bool = False, encoding: str = "utf-8") -> dict[str, float]:
        """Score a text.

        Args:
            data: a file, a folder or a sample.
            dynamic: let a copy of the model learn from the text as it goes.
            encoding: how the text is encoded.

        Returns:
            `nats`, `bits`, `perplexity` a token, the `count` of tokens predicted, and the `unknown` in the text.
        """
        corpus = open_corpus([data], encoding, self.config.tokens == "bytes")
        with tempfile.TemporaryDirectory() as folder:
            file = write_tokens(corpus.blocks(), self.tokenizer, Path(folder) / "tokens.bin")
            if file.length < 2:
                raise RecurraError(f"{data} is too short to score; give a text of at least two {self.config.tokens}")
            scorer = score_dynamic if dynamic else score
            with bar("scoring") as shown:
                figure = scorer(self.network, file.open(), self.device, report=shown.update)
        return {
            "nats": figure.nats,
            "bits": figure.bits,
            "perplexity": figure.perplexity,
            "count": figure.count,
            "unknown": file.unknown,
        }

    def explain(
        self,
        data: str | Path,
        out: str | Path,
        against: Mapping[str, Model] | None = None,
        encoding: str = "utf-8",
    ) -> Explained:
        """Show what the model does on a text: its neurons, its effective context, its surprisal.

        Args:
            data: a text the model has not been trained on; its beginning is read.
            out: the page to write, HTML; pictures are put beside it.
            against: further models by name, trained on the same text, to compare the effective context of.
            encoding: how the text is encoded.
        """
        others = dict(against or {})
        text_features.require_same_vocabulary(
            [self.name, *others], [self.tokenizer, *(other.tokenizer for other in others.values())]
        )
        corpus = open_corpus([data], encoding, self.config.tokens == "bytes")
        tokens = self.tokenizer.encode(next(corpus.blocks()))[: searched_length(self.network)]
        passage = text_features.passage(self.tokenizer, tokens, corpus.name)
        subjects = [Subject(self.name, self.network, _facts(self))]
        subjects += [Subject(name, other.network, _facts(other)) for name, other in others.items()]
        return explain(subjects, passage, Path(out))

    def agreement(self, test: str | Path) -> Agreement:
        """How often the right form of a verb is the more probable one; see `explain.agreement`."""
        return agreement(self.network, self.tokenizer, Path(test))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.output.weight.device

    def unknown_in(self, text: str) -> list[str]:
        """The characters or words of a text that the model has no token for, each once."""
        if self.tokenizer.unknown is None:
            return []
        parts = dict.fromkeys(self.tokenizer.split(text))
        return [part for part in parts if self.tokenizer.unknown in self.tokenizer.encode(part)]

    def stream(self, prompt: str = "", sampling: Sampling = DEFAULT_SAMPLING) -> Iterator[Piece]:
        """Write without end, piece by piece, going on from a prompt (which is not repeated).

        Without a prompt the text begins as after a line end. The unknown token is never written.
        """
        if self._packed is None:
            self._packed = PackedLanguageModel(self.network)
        step = self._packed.step
        start = self.tokenizer.encode(prompt or "\n")
        logits, state = read(step, [int(token) for token in start], self._packed.zero_state())
        suppressed = np.array([] if self.tokenizer.unknown is None else [self.tokenizer.unknown], dtype=np.int64)
        seed = fresh_seed() if sampling.seed is None else sampling.seed
        decode = tokenizers.decoder()
        for drawn in sample(step, logits, state, sampling, np.random.default_rng(seed), lambda _: suppressed):
            yield Piece(decode(self.tokenizer.piece(drawn.token)), drawn.token, drawn.log_prob)

    def write_pieces(
        self, prompt: str = "", length: int = 400, sampling: Sampling = DEFAULT_SAMPLING, stop: str | None = None
    ) -> Iterator[Piece]:
        """At most `length` pieces that go on from a prompt, ending before the string `stop`."""
        held: list[Piece] = []
        for piece in itertools.islice(self.stream(prompt, sampling), length):
            held.append(piece)
            text = "".join(item.text for item in held)
            if stop and stop in text:
                yield from _cut(held, text.index(stop))
                return
            # What may still become the beginning of `stop` is held back.
            while held and len(text) - len(held[0].text) >= len(stop or "") - 1:
                text = text[len(held[0].text) :]
                yield held.pop(0)
        yield from held

    def write(
        self, prompt: str = "", length: int = 400, sampling: Sampling = DEFAULT_SAMPLING, stop: str | None = None
    ) -> str:
        """The text of `write_pieces`, the prompt included."""
        return prompt + "".join(piece.text for piece in self.write_pieces(prompt, length, sampling, stop))


def _cut(pieces: list[Piece], length: int) -> Iterator[Piece]:
    """The first pieces, as far as `length` characters go."""
    for piece in pieces:
        if length <= 0:
            return
        yield piece._replace(text=piece.text[:length])
        length -= len(piece.text)


def _facts(model: Model) -> dict[str, str]:
    record = model.record
    return {
        "trained on": modelfile.tell(record, "{data}, {tokens_trained_on:,} tokens read in {seconds:.0f} s"),
        "validation": modelfile.tell(record, "{validation}: {nats:.4f} nats, {bits:.3f} bits a token"),
        "network": f"{model.config.cell}, {model.config.num_layers} x {model.config.hidden_size} units",
    }


def _card(model: Model, name: str) -> str:
    record = model.record
    return f"""# {name}

A text model made with Recurra {record["recurra"]}.

- trained on {record["data"]} ({record["tokens_trained_on"]:,} tokens read in {record["steps"]:,} steps, \
{record["seconds"]:.0f} s)
- validation: {record["validation"]}
- validation loss: {record["nats"]:.4f} nats, {record["bits"]:.3f} bits a token

It writes in the manner of what it was trained on, facts and prejudices included, and knows nothing else.

    recurra text write {name}
"""
