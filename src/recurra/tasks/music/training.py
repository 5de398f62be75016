"""Training a music model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from recurra.config import with_options
from recurra.models.language_model import LanguageModel
from recurra.tasks.music.config import Config, require_effect, resolve
from recurra.tasks.music.data import Data, Source, describe, read_data, streams
from recurra.tasks.music.model import Model
from recurra.tasks.music.notation import Notation
from recurra.tasks.music.packed_pieces import pack
from recurra.tasks.music.training_pieces import TrainingPieces
from recurra.tasks.shared.begin import Progress
from recurra.tasks.shared.card import collisions_record, network_summary
from recurra.tasks.shared.run import train_model
from recurra.training.language_modeling import NextToken
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
    progress: Progress = True,
    **options: Any,
) -> Model:
    """Train a model on pieces of music and save it.

    Args:
        data: files (MIDI, MusicXML, ABC, kern, piano rolls in JSON), folders of them, `sample:chorales`, or pieces.
        out: the model folder to make; None keeps the model in memory only.
        config: the options.
        validation: the same, not trained on, to choose the best weights; some of the pieces if not given.
        resume: go on with the run that was stopped or has ended in `out`.
        overwrite: replace what is in `out`.
        from_model: a trained model, or its folder, to begin from: its weights and its notation.
        progress: show progress; False for silence, or a function that is called with each point of the loss curve.
        options: fields of `Config`, which go before `config`: `minutes=1, hidden_size=128`.

    Raises:
        RecurraError: if data or options are at fault, or the machine is.
        Interrupted: at SIGINT or SIGTERM, with everything saved.
    """

    def prepare(config: Config, vocabulary: Any, folder: Path) -> RunSpec[Config, LanguageModel, Data]:
        require_effect(config)
        notation = None if vocabulary is None else Model.read_vocabulary(vocabulary, "the vocabulary of the run")
        read = read_data(data, validation, config, notation)
        known = read.notation.lookback if isinstance(read.notation, Notation) else ()
        config = replace(config, lookback=max(known, default=0))
        config = resolve(config, sum(map(len, read.train_tokens)))
        batches = streams(read, config)
        return RunSpec(
            config=config,
            data=read,
            build=partial(Model.build, config, read.notation),
            objective=NextToken(batches, np.concatenate(read.validation_tokens)),
            digest=read.digest,
            vocabulary=read.notation.to_json(),
            notes=describe(read),
            network=f"{network_summary(config)}; {batches.batch_size} x {batches.sequence_length} tokens a step",
            guessing=math.log(read.notation.size),
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


def _scored(result: RunResult[Config, LanguageModel, Data]) -> Model:
    data = result.spec.data
    model = Model(result.network, data.notation, result.spec.config, {})
    model.training = TrainingPieces(pack(data.train), tuple(piece.name for piece in data.train))
    model.record = {"data": data.collection.name, "validation": data.validation_name, "pieces": len(data.train)}
    model.record |= collisions_record(np.concatenate(data.train_tokens), result.spec.config)
    if model.played:
        played = model.score_performances(data.validation_tokens)
        model.record |= {"validation_count": played.events, **played.figures()}
        return model
    figure = model.score(data.validation_tokens)
    model.record |= {
        "validation_count": round(figure.frames - figure.pieces),
        "nats_per_frame": figure.nats_per_frame,
        "bits_per_note": figure.bits_per_note,
    }
    return model
