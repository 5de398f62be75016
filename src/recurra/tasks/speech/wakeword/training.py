"""Training a detector, and choosing its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from recurra.config import required
from recurra.tasks.shared.card import network_summary
from recurra.tasks.speech.attention_network import SpeechNetwork
from recurra.tasks.speech.config import Config, resolve
from recurra.tasks.speech.data import Data
from recurra.tasks.speech.model import Model
from recurra.tasks.speech.vocabulary import Vocabulary
from recurra.tasks.speech.wakeword.data import describe_detector, read_detector_data
from recurra.tasks.speech.wakeword.measuring import measured_stream
from recurra.tasks.speech.wakeword.objective import Detecting
from recurra.tasks.speech.wakeword.rates import choose_threshold, rates
from recurra.tasks.speech.wakeword.streams import Mixer, any_noise, levelled
from recurra.training.run import RunResult, RunSpec


def detector_spec(
    data: Sequence[Any], validation: Sequence[Any], config: Config, vocabulary: Vocabulary | None, folder: Path
) -> RunSpec[Config, SpeechNetwork, Data]:
    """What a detector's run needs to begin.

    Args:
        data: to learn from.
        validation: to choose the threshold on; if empty, a part is drawn.
        config: with its preset.
        vocabulary: of a run to go on with, or a model to begin from.
        folder: where the samples go.
    """
    known = (vocabulary.symbols, vocabulary.normalization) if vocabulary else None
    read = read_detector_data(data, validation, config, folder, known)
    config = resolve(config, read.seconds)
    own = Vocabulary(read.symbols, read.normalization)
    train, held = Mixer(read.train, config), Mixer(read.validation, config)
    seconds = train.length / config.features.rate
    size = max(1, round(required(config.batch_seconds, "batch_seconds") / seconds))
    objective = Detecting(config, train, held, read.normalization, size)
    return RunSpec(
        config=config,
        data=read,
        build=partial(Model.build, config, own),
        objective=objective,
        digest=read.digest,
        vocabulary=own.to_json(),
        notes=describe_detector(read),
        network=f"{network_summary(config)}; steps of {1000 * config.features.step_seconds:g} ms",
        guessing=objective.guessing(),
    )


def scored_detector(result: RunResult[Config, SpeechNetwork, Data]) -> Model:
    """A detector with a threshold, chosen on the validation recordings at the level and in noise as in training."""
    data, config = result.spec.data, result.spec.config
    model = Model(result.network, Vocabulary(data.symbols, data.normalization), config, {})
    part = data.validation
    over = any_noise(required(config.noise_db, "noise_db"))
    recordings = (
        (levelled(part.sounds[n], config.features.rate), bool(len(part.symbols[n]))) for n in range(len(part))
    )
    stream = measured_stream(model.probability_stream(), recordings, config, over=over, seed=config.seed)
    step = config.features.step_seconds
    threshold = choose_threshold(*stream, config.false_alarms, step)
    found = rates(*stream, threshold, step)
    low, high = found.interval
    model.record = {
        "data": data.train.name,
        "recordings": len(data.train),
        "minutes": round(data.seconds / 60, 2),
        "validation": part.name,
        "validation_count": len(part),
        "nats": result.outcome.state.best,
        "threshold": threshold,
        "false_alarms_allowed": config.false_alarms,
        "words": found.words,
        "missed": found.missed,
        "misses_low": low,
        "misses_high": high,
        "proved": found.proved(),
    }
    return model
