"""Training a model of any task: what the three `train` functions have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from torch import nn

import recurra
from recurra.config import with_options
from recurra.errors import Interrupted, OptionError
from recurra.modelfile import unique_tensors
from recurra.progress import note, silence
from recurra.tasks.shared.card import closing
from recurra.tasks.shared.model import SavedModel
from recurra.training.history import Measurement
from recurra.training.options import Training
from recurra.training.run import Beginning, Prepare, RunResult, run_training

ConfigT = TypeVar("ConfigT", bound=Training)
NetworkT = TypeVar("NetworkT", bound=nn.Module)
DataT = TypeVar("DataT")
ModelT = TypeVar("ModelT", bound=SavedModel[Any, Any, Any])

Progress = bool | Callable[[Measurement], None]
"""Whether to show progress, or a function that is called with each point of the loss curve instead."""

SLOWER = 0.3
"""Of the usual learning rate, what a model that begins from a trained one learns with."""


def train_model(
    model_type: type[ModelT],
    out: str | Path | None,
    config: ConfigT,
    prepare: Prepare[ConfigT, NetworkT, DataT],
    score: Callable[[RunResult[ConfigT, NetworkT, DataT]], ModelT],
    *,
    resume: bool,
    overwrite: bool,
    from_model: str | Path | ModelT | None,
    progress: Progress,
) -> ModelT:
    """Train a model and save it.

    Args:
        model_type: the task's `Model`.
        out: the model folder to make; None keeps the model in memory only.
        config: the options as given.
        prepare: reads the data.
        score: makes the model of what came out, with the figures of the validation part in its record.
        resume: go on with the run that was stopped or has ended in `out`.
        overwrite: replace what is in `out`.
        from_model: a trained model, or its folder, to begin from.
        progress: whether to show progress, or a function that is called instead.
    """
    beginning = None
    if from_model is not None:
        start = from_model if isinstance(from_model, SavedModel) else model_type.load(from_model)
        if start.task != model_type.task:
            raise OptionError(f"{start.name} is a {start.task} model; a {model_type.task} model cannot begin from it")
        config = config if resume else inherited(config, start)
        beginning = Beginning(start.name, start.vocabulary.to_json(), unique_tensors(start.network))
    if out is None and (resume or overwrite):
        raise OptionError("`resume` and `overwrite` are for a model folder; give `out` too")
    made: list[ModelT] = []

    def finish(result: RunResult[ConfigT, NetworkT, DataT], work: Path | None) -> None:
        model = score(result)
        model.record |= result.record() | {"recurra": recurra.__version__}
        model.name, model.history = folder.name, tuple(result.outcome.state.history)
        if work and out is not None:
            model.save_run(folder, work)
            note(closing(model, folder, result.outcome.reason))
        made.append(model)

    with silence(progress is not True), TemporaryDirectory() if out is None else nullcontext(str(out)) as place:
        folder = Path(place) / "model" if out is None else Path(place)
        try:
            run_training(
                folder,
                config,
                prepare,
                finish,
                resume=resume,
                overwrite=overwrite,
                beginning=beginning,
                on_point=progress if callable(progress) else None,
            )
        except Interrupted as error:
            if out is None:
                raise Interrupted("stopped; nothing is kept, as there is no `out`", error.signal_number) from error
            raise
    return made[0]


def inherited(config: ConfigT, start: SavedModel[Any, Any, Any]) -> ConfigT:
    """The options of a run that begins from a trained model: what makes up its network and tokens is the model's.

    Raises:
        OptionError: if another value was given for any of that.
    """
    training = {field.name for field in dataclasses.fields(Training)} | {"batch_size", "sequence_length"}
    free = training | set(start.free_options)
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        own, its = getattr(config, field.name), getattr(start.config, field.name)
        if field.name in free or own == its:
            continue
        if own != field.default:
            raise OptionError(
                f"`{field.name}` is {own}, but {start.name}, from which this model begins, has {its}; leave it out"
            )
        changes[field.name] = its
    if config.learning_rate is None and start.config.learning_rate is not None:
        changes["learning_rate"] = SLOWER * start.config.learning_rate
    return with_options(config, changes)
