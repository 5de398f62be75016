"""A whole run for any task: prepared, trained in its folder, resumed, and its record."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from recurra import modelfile
from recurra.errors import os_errors
from recurra.progress import note
from recurra.training import run_folder as runfolder
from recurra.training.history import PICTURE
from recurra.training.run_folder import SavedRun
from recurra.training.trainer import Objective, Outcome, Trainer, Training, make_accelerator

ConfigT = TypeVar("ConfigT", bound=Training)
NetworkT = TypeVar("NetworkT", bound=nn.Module)


@dataclass(frozen=True)
class RunSpec(Generic[ConfigT, NetworkT]):
    """What a run needs to begin.

    Attributes:
        config: resolved.
        build: makes the network; called once the seed is set.
        objective: what to minimise.
        digest: of the data; tells whether a resumed run has the same.
        vocabulary: JSON text.
        description: what a person is told before training of the data and, in the last line, of the network.
    """

    config: ConfigT
    build: Callable[[], NetworkT]
    objective: Objective
    digest: str
    vocabulary: str
    description: str


@dataclass(frozen=True)
class RunResult(Generic[ConfigT, NetworkT]):
    """What came out of a run.

    Attributes:
        network: with the best weights, on the device it was trained on.
        config: resolved.
        outcome: how the run went.
        device: where the network is.
        work: the run folder, to go into the model folder.
        main: whether this process is the one that writes.
    """

    network: NetworkT
    config: ConfigT
    outcome: Outcome
    device: torch.device
    work: Path
    main: bool


def fit(
    out: Path,
    config: ConfigT,
    resume: bool,
    overwrite: bool,
    prepare: Callable[[ConfigT, SavedRun | None, Path], RunSpec[ConfigT, NetworkT]],
) -> RunResult[ConfigT, NetworkT]:
    """Train a model.

    Args:
        out: the model folder to come.
        config: the options as given.
        resume: go on with the run that was stopped or has ended in `out`.
        overwrite: replace what is in `out`.
        prepare: reads the data; told the options (the saved ones of a resumed run), the saved run, and a folder of this
            process's own for files.

    Raises:
        RecurraError: if data or options are at fault, or the machine is.
        Interrupted: at SIGINT or SIGTERM, with everything saved.
    """
    accelerator = make_accelerator(config)
    main = accelerator.is_main_process
    with runfolder.opened(out, resume, overwrite) if main else nullcontext(runfolder.of(out)) as work:
        accelerator.wait_for_everyone()
        run = runfolder.saved(out) if resume else None
        if run:
            config = runfolder.resumed(run, config)
        files = work if main else work / f"process-{accelerator.process_index}"
        with os_errors("writing", files):
            files.mkdir(exist_ok=True)
        prepared = prepare(config, run, files)
        config = prepared.config
        torch.manual_seed(config.seed)
        network = prepared.build()
        if main:
            runfolder.begin(work, run, prepared.vocabulary)
        count = sum(parameter.numel() for parameter in network.parameters())
        note(f"{prepared.description}; {count:,} parameters")
        accelerator.wait_for_everyone()
        about = {"config": asdict(config), "data": prepared.digest}
        trainer = Trainer(network, prepared.objective, config, work, about, accelerator)
        outcome = trainer.run()
    network = network.to(trainer.device)
    modelfile.fill(network, outcome.best, "the run")
    return RunResult(network, config, outcome, trainer.device, work, main)


def record_of(outcome: Outcome) -> dict[str, Any]:
    """What a model's record says of its run, whatever the task."""
    state = outcome.state
    return {
        "best_step": state.best_step,
        "steps": state.step,
        "seconds": round(state.seconds, 1),
        "core_seconds": round(state.core_seconds, 1),
        "tokens_trained_on": state.tokens,
        "ended_by": outcome.reason,
        "torch": torch.__version__,
    }


def closing(out: Path, outcome: Outcome, validation: str, use: str) -> str:
    """What a person is told at the end of a run, lines.

    Args:
        out: the model folder.
        outcome: how the run went.
        validation: how good the model is on what was validation.
        use: what to type next.
    """
    ended = {
        "steps": "all steps are done",
        "time": "time is up",
        "patience": "the validation loss fell no further",
    }[outcome.reason]
    lines = [f"{out}: {ended}; validation {validation}", f"loss curve: {out / PICTURE}", use]
    state = outcome.state
    scores = [row.validation_loss for row in state.history if row.validation_loss is not None]
    if scores and scores[-1] == min(scores) and outcome.reason != "patience":
        more = {"time": f"--minutes {2 * max(1, round(state.seconds / 60))}", "steps": f"--steps {2 * state.step}"}
        lines.append(f"it was still getting better; go on with the same command, --resume and {more[outcome.reason]}")
    return "\n".join(lines)
