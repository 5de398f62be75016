"""Training a captions model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from recurra.config import with_options
from recurra.data.sources import several
from recurra.progress import bar
from recurra.tasks.captions.backbone_encoder import BackboneEncoder, encoder_words, settled
from recurra.tasks.captions.config import Config
from recurra.tasks.captions.data import Data, describe, read_data
from recurra.tasks.captions.feature_cache import cached_features
from recurra.tasks.captions.model import Model
from recurra.tasks.captions.networks import CaptionNetwork
from recurra.tasks.captions.objective import Captioning, score_captions
from recurra.tasks.shared.begin import Progress
from recurra.tasks.shared.card import network_summary
from recurra.tasks.shared.run import train_model
from recurra.training.run import RunResult, RunSpec


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
    """Train a model on pictures with captions and save it.

    Args:
        data: captions files (COCO's or Karpathy's .json, or a table of file and caption), folders with one inside,
            `sample:shapes`, or pairs (file, caption or captions).
        out: the model folder to make; None keeps the model in memory only.
        config: the options.
        validation: the same, not trained on, to choose the best weights; what the data call that, else a part of the
            pictures is drawn.
        resume: go on with the run that was stopped or has ended in `out`.
        overwrite: replace what is in `out`.
        from_model: a trained model, or its folder, to begin from: its weights and its vocabulary.
        progress: show progress; False for silence, or a function that is called with each point of the loss curve.
        options: fields of `Config`, which go before `config`: `minutes=2, hidden_size=128`.

    Raises:
        RecurraError: if data or options are at fault, or the machine is.
        Interrupted: at SIGINT or SIGTERM, with everything saved.
    """

    def prepare(config: Config, vocabulary: Any, folder: Path) -> RunSpec[Config, CaptionNetwork, Data]:
        known = None if vocabulary is None else Model.read_vocabulary(vocabulary, "the vocabulary of the run")
        config, backbone = settled(config)
        read = read_data(several(data), several(validation), config, folder, known)
        config = read.config
        return RunSpec(
            config=config,
            data=read,
            build=partial(Model.build, config, read.vocabulary, backbone),
            objective=Captioning(config, read.train, read.validation, read.vocabulary.start),
            digest=read.digest,
            vocabulary=read.vocabulary.to_json(),
            notes=describe(read),
            network=f"{encoder_words(config)}; {network_summary(config)}; {config.batch_size:,} pictures a step",
            guessing=math.log(read.vocabulary.size),
            rates={"encoder.": config.tune_rate} if config.tune else {},
            ready=None if config.encoder == "small" or config.tune else partial(read_once, read),
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


def read_once(data: Data, network: CaptionNetwork, work: Path, device: torch.device) -> None:
    """Let a frozen backbone read all pictures, before the training; a run that is gone on with finds what is made."""
    assert isinstance(network.encoder, BackboneEncoder)
    folder = Path(data.config.cache) if data.config.cache else work / "features"
    for part in (data.train, data.validation):
        part.features = cached_features(folder, network.encoder.backbone, part.pixels, device)


def _scored(result: RunResult[Config, CaptionNetwork, Data]) -> Model:
    data = result.spec.data
    with bar("scoring") as shown:
        start = data.vocabulary.start
        figure = score_captions(result.network, data.validation, start, result.device, report=shown.update)
    record = {
        "data": data.name,
        "pictures": len(data.train),
        "captions": data.train.caption_count,
        "validation": data.validation.name,
        "validation_count": len(data.validation),
        "nats": figure.nats,
    }
    return Model(result.network, data.vocabulary, result.spec.config, record)
