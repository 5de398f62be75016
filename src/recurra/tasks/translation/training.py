"""Training a translation model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from recurra.config import required, with_options
from recurra.data.buckets import Buckets
from recurra.data.sources import several
from recurra.evaluation.seq2seq import score_pairs
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.progress import bar
from recurra.tasks.shared.begin import Progress
from recurra.tasks.shared.card import network_summary
from recurra.tasks.shared.run import train_model
from recurra.tasks.translation.config import Config, resolve
from recurra.tasks.translation.data import Data, describe, read_data
from recurra.tasks.translation.model import Model
from recurra.training.run import RunResult, RunSpec
from recurra.training.seq2seq import TeacherForced


def train(
    data: str | Path | Sequence[Any],
    out: str | Path | None = None,
    config: Config | None = None,
    *,
    validation: str | Path | Sequence[Any] = (),
    resume: bool = False,
    overwrite: bool = False,
    from_model: str | Path | Model | None = None,
    progress: Progress = True,
    **options: Any,
) -> Model:
    """Train a model on sentence pairs and save it.

    Args:
        data: tables of two columns (.tsv, .csv, .jsonl, .json), two parallel files, `sample:dates`, or a list of
            (source, target) pairs.
        out: the model folder to make; None keeps the model in memory only.
        config: the options.
        validation: the same, not trained on, to choose the best weights; a part is drawn if not given.
        resume: go on with the run that was stopped or has ended in `out`.
        overwrite: replace what is in `out`.
        from_model: a trained model, or its folder, to begin from: its weights and its vocabularies.
        progress: show progress; False for silence, or a function that is called with each point of the loss curve.
        options: fields of `Config`, which go before `config`: `minutes=1, hidden_size=128`.

    Raises:
        RecurraError: if data or options are at fault, or the machine is.
        Interrupted: at SIGINT or SIGTERM, with everything saved.
    """

    def prepare(config: Config, vocabulary: Any, folder: Path) -> RunSpec[Config, EncoderDecoder, Data]:
        pair = None if vocabulary is None else Model.read_vocabulary(vocabulary, "the vocabulary of the run")
        read = read_data(several(data), several(validation), config, pair)
        config = resolve(read.config, read.train)
        size = required(config.batch_size, "batch_size")
        objective = TeacherForced(
            train=read.train,
            validation_pairs=read.validation,
            start=read.vocabularies.target.start,
            buckets=Buckets(read.train.lengths(), size, config.seed),
            label_smoothing=required(config.label_smoothing, "label_smoothing"),
            dropout_passes=config.dropout_passes,
        )
        return RunSpec(
            config=config,
            data=read,
            build=partial(Model.build, config, read.vocabularies),
            objective=objective,
            digest=read.digest,
            vocabulary=read.vocabularies.to_json(),
            notes=describe(config, read),
            network=f"{network_summary(config)}; {size:,} tokens a step",
            guessing=math.log(read.vocabularies.target.size),
        )

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


def _scored(result: RunResult[Config, EncoderDecoder, Data]) -> Model:
    data = result.spec.data
    with bar("scoring") as shown:
        start = data.vocabularies.target.start
        figure = score_pairs(result.network, data.validation, start, result.device, report=shown.update)
    record = {
        "data": data.name,
        "pairs": len(data.train.sources),
        "validation": data.validation_name,
        "validation_count": figure.count,
        "nats": figure.nats,
    }
    return Model(result.network, data.vocabularies, result.spec.config, record)
