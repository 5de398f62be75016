"""Training a sentiment model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from recurra.config import required, with_options
from recurra.data.sources import several
from recurra.data.vectors import Vectors
from recurra.errors import OptionError
from recurra.evaluation.classification import fit_temperature, measure, softmax
from recurra.models.pretrained import Pretrained
from recurra.progress import bar, note
from recurra.tasks.sentiment.config import Config, buckets_of, resolve
from recurra.tasks.sentiment.data import UNKNOWN_WORD, Data, Vocabulary, describe, read_data
from recurra.tasks.sentiment.hashing import occupation
from recurra.tasks.sentiment.model import Model
from recurra.tasks.sentiment.networks import WordVectors, score_texts
from recurra.tasks.sentiment.ngrams import Mix, Ngrams
from recurra.tasks.sentiment.objective import Classification, class_weights
from recurra.tasks.shared.begin import Progress
from recurra.tasks.shared.pretrained import require_fresh
from recurra.tasks.shared.run import train_model
from recurra.training.run import RunResult, RunSpec


def train(
    data: str | Path | Sequence[Any],
    out: str | Path | None = None,
    config: Config | None = None,
    *,
    validation: str | Path | Sequence[Any] = (),
    embeddings: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    from_model: str | Path | Model | None = None,
    progress: Progress = True,
    **options: Any,
) -> Model:
    """Train a model on labelled texts and save it.

    Args:
        data: tables with a text and its label in each row (.tsv, .csv, .jsonl, .json), `sample:moods`, or a list of
            (text, label) pairs.
        out: the model folder to make; None keeps the model in memory only.
        config: the options.
        validation: the same, not trained on, to choose the best weights and the temperature; a part is drawn if not
            given.
        embeddings: an embeddings model's folder, whose vectors the network begins with.
        resume: go on with the run that was stopped or has ended in `out`.
        overwrite: replace what is in `out`.
        from_model: a trained model, or its folder, to begin from: its weights, its words and its labels.
        progress: show progress; False for silence, or a function that is called with each point of the loss curve.
        options: fields of `Config`, which go before `config`: `minutes=1, hidden_size=128`.

    Raises:
        RecurraError: if data or options are at fault, or the machine is.
        Interrupted: at SIGINT or SIGTERM, with everything saved.
    """
    config = with_options(config or Config(), options)
    require_fresh(embeddings, from_model)
    _require_vectors(config, embeddings, resume or from_model is not None)

    def prepare(config: Config, vocabulary: Any, folder: Path) -> RunSpec[Config, nn.Module, Data]:
        words = None if vocabulary is None else Model.read_vocabulary(vocabulary, "the vocabulary of the run")
        vectors = None if embeddings is None else Vectors.open(Path(embeddings))
        read = read_data(several(data), several(validation), config, words, vectors)
        pretrained = None if embeddings is None else Pretrained.read(embeddings, read.vocabulary.words)
        lengths = read.train.lengths()
        config = resolve(pretrained.fit(read.config) if pretrained else read.config, lengths)
        labels = read.vocabulary.labels
        objective = Classification(
            train=read.train,
            validation=read.validation,
            buckets=buckets_of(config, lengths),
            weights=class_weights(read.train.labels, len(labels), config.class_weights == "balanced"),
            max_length=config.max_length,
        )
        return RunSpec(
            config=config,
            data=read,
            build=lambda: _built(config, read, pretrained),
            objective=objective,
            digest=read.digest,
            vocabulary=read.vocabulary.to_json(),
            notes=(*describe(read), *([_told(pretrained, read.vocabulary)] if pretrained else ())),
            network=f"{Model.words_on(config)}; {config.batch_size:,} words a step",
            guessing=math.log(len(labels)),
        )

    return train_model(
        Model,
        out,
        config,
        prepare,
        _scored,
        resume=resume,
        overwrite=overwrite,
        from_model=from_model,
        progress=progress,
    )


def _require_vectors(config: Config, embeddings: object, begun: bool) -> None:
    """Refuse vectors that would do nothing, and options on vectors without any; `begun` is a run that has some."""
    if embeddings is None and config.freeze_embeddings and not begun:
        raise OptionError("`freeze_embeddings` is about vectors that are begun from; give `embeddings` too")
    if embeddings is not None and not config.reads_vectors:
        raise OptionError(f"`model` {config.model} has no word vectors; leave `embeddings` out, or take another model")


def _told(pretrained: Pretrained, vocabulary: Vocabulary) -> str:
    """What a person is told of the vectors that are begun from, a line."""
    own = pretrained.found[UNKNOWN_WORD + 1 : vocabulary.learned]
    has = f"{pretrained.name} has vectors for {int(own.sum()):,} of {len(own):,} words of the texts"
    return f"{has}; {vocabulary.given:,} of its other words are known by theirs (`extra_words`)"


def _built(config: Config, data: Data, pretrained: Pretrained | None) -> nn.Module:
    """The network with its first weights: those of its words from an embeddings model, if there is one, and those of
    its n-grams from the texts.
    """
    network = Model.build(config, data.vocabulary)
    for part in network.modules():
        if pretrained and isinstance(part, WordVectors):
            part.fill(pretrained)
        if isinstance(part, Ngrams):
            note(occupation(part.count(data.train), required(config.bits, "bits")))
    return network


def _scored(result: RunResult[Config, nn.Module, Data]) -> Model:
    data, config = result.spec.data, result.spec.config
    kept = data.validation
    network = result.network
    with bar("scoring") as shown:
        parts = np.stack(
            [
                score_texts(part, kept.texts, result.device, config.max_length, shown.update)
                for part in ((network.network, network.ngrams) if isinstance(network, Mix) else (network,))
            ]
        )
    logits = network.weigh(parts, kept.labels) if isinstance(network, Mix) else parts[0]
    temperature = fit_temperature(logits, kept.labels)
    scores = measure(softmax(logits / temperature), kept.labels)
    record = {
        "data": data.name,
        "texts": len(data.train.texts),
        "validation": data.validation_name,
        "validation_count": scores.count,
        "nats": scores.nats,
        "accuracy": scores.accuracy,
        "ece": scores.ece,
        "temperature": temperature,
    }
    return Model(network, data.vocabulary, config, record)
