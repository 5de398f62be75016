"""Training a speech model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from recurra.config import required, with_options
from recurra.data.buckets import Buckets
from recurra.data.sources import PREFIX, several
from recurra.tasks.shared.begin import Progress
from recurra.tasks.shared.card import network_summary
from recurra.tasks.shared.run import train_model
from recurra.tasks.speech.accuracy import measure
from recurra.tasks.speech.attending import Reach
from recurra.tasks.speech.attention_network import AttentionNetwork, SpeechNetwork
from recurra.tasks.speech.config import Config, resolve, with_preset
from recurra.tasks.speech.data import Data, describe, lengths_of, read_data
from recurra.tasks.speech.evaluation import confidences, hear
from recurra.tasks.speech.model import Model
from recurra.tasks.speech.networks import CtcNetwork
from recurra.tasks.speech.objective import Transcribing, guessing
from recurra.tasks.speech.transcript import fit_temperature
from recurra.tasks.speech.vocabulary import Vocabulary
from recurra.tasks.speech.wakeword.training import detector_spec, scored_detector
from recurra.training.run import RunResult, RunSpec

SHARED = 16
"""The steps of a batch are a multiple of this, so that processes can share them."""


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
    """Train a model on recordings and save it.

    Args:
        data: tables of file and transcript, LJSpeech's or Common Voice's among them, a folder with a folder of
            recordings for each word, `sample:morse`, or pairs (file, transcript).
        out: the model folder to make; None keeps the model in memory only.
        config: the options.
        validation: the same, not trained on, to choose the best weights; a part is drawn if not given.
        resume: go on with the run that was stopped or has ended in `out`.
        overwrite: replace what is in `out`.
        from_model: a trained model, or its folder, to begin from: its weights and its symbols. A model that attends
            may begin from one under CTC, which becomes its listener.
        progress: show progress; False for silence, or a function that is called with each point of the loss curve.
        options: fields of `Config`, which go before `config`: `minutes=2, hidden_size=128`.

    Raises:
        RecurraError: if data or options are at fault, or the machine is.
        Interrupted: at SIGINT or SIGTERM, with everything saved.
    """
    config = with_options(config or Config(), options)
    config.require_effect()
    if from_model is not None and config.network == "attention":
        from_model = _attending(from_model, config)
    given = several(data)
    sample = len(given) == 1 and str(given[0]).startswith(f"{PREFIX}morse")

    def prepare(config: Config, vocabulary: Any, folder: Path) -> RunSpec[Config, SpeechNetwork, Data]:
        known = None if vocabulary is None else Model.read_vocabulary(vocabulary, "the vocabulary of the run")
        config = with_preset(config, sample)
        if config.detect:
            return detector_spec(given, several(validation), config, known, folder)
        read = read_data(
            given, several(validation), config, folder, (known.symbols, known.normalization) if known else None
        )
        config = resolve(replace(config, tokens="words" if read.symbols.words else "characters"), read.seconds)
        lengths = lengths_of(read.train, config)
        size = round(required(config.batch_seconds, "batch_seconds") / config.features.step_seconds)
        size = max(1, size // SHARED) * SHARED
        own = Vocabulary(read.symbols, read.normalization)
        return RunSpec(
            config=config,
            data=read,
            build=partial(Model.build, config, own),
            objective=Transcribing(
                config=config,
                train=read.train,
                validation=read.validation,
                normalization=read.normalization,
                buckets=Buckets(lengths, size, config.seed),
            ),
            digest=read.digest,
            vocabulary=own.to_json(),
            notes=describe(read),
            network=f"{config.network}, {network_summary(config)}; steps of {1000 * config.features.step_seconds:g} ms",
            guessing=guessing(read.validation, read.symbols, config),
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


def _attending(start: str | Path | Model, config: Config) -> Model:
    """A trained model to begin from, with a decoder that has learned nothing yet if it is one under CTC."""
    model = start if isinstance(start, Model) else Model.load(start)
    if not isinstance(model.network, CtcNetwork):
        return model
    resolved = replace(model.config, network="attention", decoder_layers=config.decoder_layers)
    # Without the learning rate, of which a model that begins from another would take a part: the decoder is new.
    resolved = replace(with_preset(resolved, sample=False), learning_rate=None)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        network = AttentionNetwork(model.symbols.size, resolved)
    network.encoder = model.network
    return Model(network, model.vocabulary, resolved, model.record, model.name)


def _scored(result: RunResult[Config, SpeechNetwork, Data]) -> Model:
    if result.spec.config.detect:
        return scored_detector(result)
    data = result.spec.data
    vocabulary = Vocabulary(data.symbols, data.normalization)
    model = Model(result.network, vocabulary, result.spec.config, Reach.of(data.train, result.spec.config).to_record())
    heard = hear(model, data.validation)
    figures = measure([transcript.text for transcript in heard], data.validation.texts)
    sure, right = confidences(model, heard, data.validation.texts)
    model.record |= {
        "data": data.train.name,
        "recordings": len(data.train),
        "minutes": round(data.seconds / 60, 2),
        "validation": data.validation.name,
        "validation_count": len(data.validation),
        "nats": result.outcome.state.best,
        "wer": figures.wer,
        "cer": figures.cer,
        "temperature": fit_temperature(sure, right) if len(right) else 1.0,
    }
    return model
