"""Training a text model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from recurra.config import required, with_options
from recurra.data.corpus import Source
from recurra.data.sources import several
from recurra.data.streams import Streams
from recurra.data.tokenizer import Tokenizer
from recurra.evaluation.language_model import score_tokens
from recurra.models.language_model import LanguageModel
from recurra.models.pretrained import Pretrained
from recurra.progress import bar
from recurra.tasks.shared.begin import Progress
from recurra.tasks.shared.card import collisions_record, network_summary
from recurra.tasks.shared.pretrained import require_fresh, word_vectors
from recurra.tasks.shared.run import train_model
from recurra.tasks.text.config import Config, resolve
from recurra.tasks.text.data import Data, describe, read_data
from recurra.tasks.text.model import Model
from recurra.training.language_modeling import MONITOR_TOKENS, NextToken
from recurra.training.run import RunResult, RunSpec


def train(
    data: Source | Sequence[Source],
    out: str | Path | None = None,
    config: Config | None = None,
    *,
    validation: Source | Sequence[Source] = (),
    resume: bool = False,
    overwrite: bool = False,
    from_model: str | Path | Model | None = None,
    embeddings: str | Path | None = None,
    progress: Progress = True,
    **options: Any,
) -> Model:
    """Train a model on a corpus and save it.

    Args:
        data: text files, folders of them, `Texts([...])`, or `sample:pydocs`.
        out: the model folder to make; None keeps the model in memory only.
        config: the options.
        validation: the same, not trained on, to choose the best weights; a part is cut off the end if not given.
        resume: go on with the run that was stopped or has ended in `out`.
        overwrite: replace what is in `out`.
        from_model: a trained model, or its folder, to begin from: its weights and its vocabulary.
        embeddings: the folder of an embeddings model, to begin from its vectors; for `tokens` words.
        progress: show progress; False for silence, or a function that is called with each point of the loss curve.
        options: fields of `Config`, which go before `config`: `minutes=1, hidden_size=128`.

    Raises:
        RecurraError: if data or options are at fault, or the machine is.
        Interrupted: at SIGINT or SIGTERM, with everything saved.
    """

    def prepare(config: Config, vocabulary: Any, folder: Path) -> RunSpec[Config, LanguageModel, Data]:
        tokenizer = None if vocabulary is None else Model.read_vocabulary(vocabulary, "the vocabulary of the run")
        read = read_data(several(data), several(validation), config, folder, tokenizer)
        if tokenizer and config.ngrams is None:  # what it goes on from was made before there were any
            config = replace(config, ngrams=0)
        vectors = None if embeddings is None else word_vectors(embeddings, read.tokenizer)
        config = vectors.fit(config) if vectors else config
        config = resolve(replace(config, documents=read.corpus.documents), len(read.train), read.tokenizer.size)
        config = replace(config, evaluations=_affordable(config, len(read.validation)))
        rows, steps = required(config.batch_size, "batch_size"), required(config.sequence_length, "sequence_length")
        return RunSpec(
            config=config,
            data=read,
            build=partial(_built, config, read.tokenizer, vectors),
            objective=NextToken(Streams(read.train, rows, steps, config.seed), read.validation),
            digest=read.file.sha256,
            vocabulary=read.tokenizer.to_json(),
            notes=(*describe(read, config.tokens), *([vectors.told()] if vectors else [])),
            network=f"{network_summary(config)}; {rows} x {steps} tokens a step",
            guessing=math.log(read.tokenizer.size),
        )

    require_fresh(embeddings, from_model)
    return train_model(
        Model,
        out,
        with_options(config or Config(), options),
        prepare,
        _scored,
        resume=resume,
        overwrite=overwrite,
        from_model=from_model,
        progress=progress,
    )


def _affordable(config: Config, length: int) -> int:
    """As many evaluations as are asked for, but no more tokens in them all than are trained on.

    Args:
        config: resolved.
        length: of the validation part, in tokens.
    """
    if config.steps is None:
        return config.evaluations
    rows, steps = required(config.batch_size, "batch_size"), required(config.sequence_length, "sequence_length")
    trained = config.steps * rows * steps
    return max(1, min(config.evaluations, trained // max(1, min(length, MONITOR_TOKENS))))


def _built(config: Config, tokenizer: Tokenizer, vectors: Pretrained | None) -> LanguageModel:
    """The network with its first weights, those of its embedding from an embeddings model if there is one."""
    network = Model.build(config, tokenizer)
    if vectors:
        vectors.fill(network.embedding)
    return network


def _scored(result: RunResult[Config, LanguageModel, Data]) -> Model:
    data = result.spec.data
    with bar("scoring") as shown:
        figure = score_tokens(result.network, data.validation, result.device, report=shown.update)
    record = {
        "data": data.corpus.name,
        "validation": data.validation_name,
        "validation_count": figure.count,
        "nats": figure.nats,
        "bits": figure.bits,
        "unknown": data.file.unknown,
    } | collisions_record(data.train, result.spec.config)
    return Model(result.network, data.tokenizer, result.spec.config, record)
