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
from recurra.data.vocabulary import VocabularyPair
from recurra.errors import OptionError
from recurra.evaluation.seq2seq import score_pairs
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.models.pretrained import Pretrained
from recurra.progress import bar
from recurra.tasks.shared.begin import Progress
from recurra.tasks.shared.card import network_summary
from recurra.tasks.shared.pretrained import require_fresh, word_vectors
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
    embeddings: str | Path | None = None,
    target_embeddings: str | Path | None = None,
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
        embeddings: the folder of an embeddings model, whose vectors the words of the source begin with; for `tokens`
            words.
        target_embeddings: likewise for the words of the target.
        progress: show progress; False for silence, or a function that is called with each point of the loss curve.
        options: fields of `Config`, which go before `config`: `minutes=1, hidden_size=128`.

    Raises:
        RecurraError: if data or options are at fault, or the machine is.
        Interrupted: at SIGINT or SIGTERM, with everything saved.
    """

    def prepare(config: Config, vocabulary: Any, folder: Path) -> RunSpec[Config, EncoderDecoder, Data]:
        pair = None if vocabulary is None else Model.read_vocabulary(vocabulary, "the vocabulary of the run")
        read = read_data(several(data), several(validation), config, pair)
        vectors = _read_vectors(embeddings, target_embeddings, read.vocabularies)
        fitted = read.config
        for side in vectors.values():
            fitted = side.fit(fitted)
        config = resolve(fitted, read.train)
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
            build=partial(_built, config, read.vocabularies, vectors),
            objective=objective,
            digest=read.digest,
            vocabulary=read.vocabularies.to_json(),
            notes=(*describe(config, read), *(side.told(f"{name} words") for name, side in vectors.items())),
            network=f"{network_summary(config)}; {size:,} tokens a step",
            guessing=math.log(read.vocabularies.target.size),
        )

    require_fresh(embeddings or target_embeddings, from_model)
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


def _read_vectors(
    source: str | Path | None, target: str | Path | None, vocabularies: VocabularyPair
) -> dict[str, Pretrained]:
    """The vectors that are given, by the side they are for."""
    if target is not None and vocabularies.joint:
        raise OptionError("`target_embeddings` is for a target with a vocabulary of its own; leave `joint` out")
    given = {"source": (source, vocabularies.source), "target": (target, vocabularies.target)}
    return {
        side: word_vectors(folder, vocabulary.tokenizer)
        for side, (folder, vocabulary) in given.items()
        if folder is not None
    }


def _built(config: Config, vocabularies: VocabularyPair, vectors: dict[str, Pretrained]) -> EncoderDecoder:
    """The network with its first weights, those of its embeddings from embeddings models where there are any."""
    network = Model.build(config, vocabularies)
    for side, part in (("source", network.encoder), ("target", network.decoder)):
        if side in vectors:
            vectors[side].fill(part.embedding)
    return network


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
