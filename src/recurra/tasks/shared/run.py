"""Training a network of any task: what the `train` functions have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

import recurra
from recurra.errors import OptionError
from recurra.modelfile import unique_tensors
from recurra.progress import note
from recurra.tasks.shared.begin import Progress, inherited, place_of
from recurra.tasks.shared.card import closing
from recurra.tasks.shared.model import SavedModel
from recurra.training.options import Training
from recurra.training.run import Beginning, Prepare, RunResult, run_training

ConfigT = TypeVar("ConfigT", bound=Training)
NetworkT = TypeVar("NetworkT", bound=nn.Module)
DataT = TypeVar("DataT")
ModelT = TypeVar("ModelT", bound=SavedModel[Any, Any, Any])


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
        free = {field.name for field in dataclasses.fields(Training)} | {"batch_size", "sequence_length"}
        config = config if resume else inherited(config, start.config, start.name, free | set(start.free_options))
        beginning = Beginning(start.name, start.vocabulary.to_json(), unique_tensors(start.network))
    made: list[ModelT] = []

    def finish(result: RunResult[ConfigT, NetworkT, DataT], work: Path | None) -> None:
        model = score(result)
        model.record |= result.record() | {"recurra": recurra.__version__}
        model.name, model.history = folder.name, tuple(result.outcome.state.history)
        if work and out is not None:
            model.save_run(folder, work)
            note(closing(model, folder, result.outcome.reason))
        made.append(model)

    with place_of(out, resume, overwrite, progress) as folder:
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
    return made[0]
