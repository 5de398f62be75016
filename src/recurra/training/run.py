"""A whole run for any task: prepared, trained in its folder, resumed, or begun from a trained model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from recurra import modelfile
from recurra.config import dump_json, read_json
from recurra.errors import RecurraError, os_errors
from recurra.progress import note
from recurra.training import run_folder
from recurra.training.history import Measurement
from recurra.training.options import Training
from recurra.training.run_folder import SavedRun
from recurra.training.trainer import Objective, Outcome, Trainer
from recurra.training.workers import Workers, make_workers

ConfigT = TypeVar("ConfigT", bound=Training)
NetworkT = TypeVar("NetworkT", bound=nn.Module)
DataT = TypeVar("DataT")


@dataclass(frozen=True)
class RunSpec(Generic[ConfigT, NetworkT, DataT]):
    """What a run needs to begin.

    Attributes:
        config: resolved.
        data: what was read.
        build: makes the network.
        objective: what to minimise.
        digest: of the data; tells whether a resumed run has the same.
        vocabulary: JSON values.
        notes: lines for a person, on the data.
        network: a few words for a person, on the network.
        guessing: the validation loss of guessing evenly, nats.
        rates: of the learning rate, what parameters have whose names begin so; all of it if there is none.
        ready: called with the network, its weights as the run begins, the run's folder and the device, once there is
            something to go on from and before the clock starts; of several processes in one after another.
    """

    config: ConfigT
    data: DataT
    build: Callable[[], NetworkT]
    objective: Objective
    digest: str
    vocabulary: Any
    notes: tuple[str, ...]
    network: str
    guessing: float
    rates: Mapping[str, float] = field(default_factory=dict)
    ready: Callable[[NetworkT, Path, torch.device], None] | None = None


@dataclass(frozen=True)
class RunResult(Generic[ConfigT, NetworkT, DataT]):
    """What came out of a run.

    Attributes:
        network: with the best weights, on the device it was trained on.
        spec: what the run was.
        outcome: how it went.
        begun_from: the name of the model whose weights it began with; None if there was none.
        device: where the network is.
    """

    network: NetworkT
    spec: RunSpec[ConfigT, NetworkT, DataT]
    outcome: Outcome
    begun_from: str | None
    device: torch.device

    def record(self) -> dict[str, Any]:
        """What a model's record says of its run, whatever the task."""
        state = self.outcome.state
        return {
            "best_step": state.best_step,
            "steps": state.step,
            "seconds": round(state.seconds, 1),
            "core_seconds": round(state.core_seconds, 1),
            "tokens_trained_on": state.tokens,
            "ended_by": self.outcome.reason,
            "guessing": self.spec.guessing,
            "begun_from": self.begun_from,
            "torch": torch.__version__,
        }


@dataclass(frozen=True)
class Beginning:
    """The trained model that a run begins from.

    Attributes:
        name: what a person calls it.
        vocabulary: JSON values.
        weights: by name.
    """

    name: str
    vocabulary: Any
    weights: Mapping[str, Tensor]


Prepare = Callable[[ConfigT, Any, Path], RunSpec[ConfigT, NetworkT, DataT]]
"""Reads the data; told the options (the saved ones of a resumed run), the vocabulary to keep as JSON values (None to
make one), and a folder of this process's own for files."""

Finish = Callable[[RunResult[ConfigT, NetworkT, DataT], Path | None], None]
"""Takes what came out; told the run folder to keep, None in all processes but the first."""


def run_training(
    out: Path,
    config: ConfigT,
    prepare: Prepare[ConfigT, NetworkT, DataT],
    finish: Finish[ConfigT, NetworkT, DataT],
    *,
    resume: bool = False,
    overwrite: bool = False,
    beginning: Beginning | None = None,
    on_point: Callable[[Measurement], None] | None = None,
) -> None:
    """Train a model.

    Args:
        out: the model folder to come.
        config: the options as given.
        prepare: see `Prepare`.
        finish: see `Finish`; called while the run folder is still locked.
        resume: go on with the run that was stopped or has ended in `out`.
        overwrite: replace what is in `out`.
        beginning: a trained model to begin from.
        on_point: called with each point of the loss curve.

    Raises:
        RecurraError: if data or options are at fault, or the machine is.
        Interrupted: at SIGINT or SIGTERM, with everything saved.
    """
    workers = make_workers(config)
    main = workers.process_index == 0
    with run_folder.opened(out, resume, overwrite) if main else nullcontext(run_folder.of(out)) as work:
        workers.wait_for_everyone()
        run = run_folder.saved(out) if resume else None
        if run:
            config = gone_on_with(run, config)
            begun_from, vocabulary = _begun_from(run, beginning), read_json(run.vocabulary)
        else:
            begun_from = beginning.name if beginning else None
            vocabulary = beginning.vocabulary if beginning else None
        files = work if main else work / f"process-{workers.process_index}"
        with os_errors("writing", files):
            files.mkdir(exist_ok=True)
        spec = prepare(config, vocabulary, files)
        if run:
            run_folder.require_same_data(run, spec.digest, out)
        network = _built(spec, None if run else beginning)
        if main:
            run_folder.begin(work, run, dump_json(spec.vocabulary))
        count = sum(parameter.numel() for parameter in network.parameters())
        note("\n".join((*spec.notes, f"{spec.network}; {count:,} parameters")))
        workers.wait_for_everyone()
        about = {"config": asdict(spec.config), "data": spec.digest, "begun_from": begun_from}
        trainer = Trainer(network, spec.objective, spec.config, work, about, workers, on_point, spec.rates)
        if run:
            trainer.restore()
        ready = partial(_in_turn, spec.ready, network, work, workers) if spec.ready else None
        outcome = trainer.run(ready)
        network = network.to(trainer.device)
        modelfile.fill(network, outcome.best, "the run")
        finish(RunResult(network, spec, outcome, begun_from, trainer.device), work if main else None)


def _in_turn(
    ready: Callable[[NetworkT, Path, torch.device], None], network: NetworkT, work: Path, workers: Workers
) -> None:
    """Call `ready` in one process after another: what the first has made, the others find."""
    for index in range(workers.num_processes):
        if index == workers.process_index:
            ready(network, work, workers.device)
        workers.wait_for_everyone()


def gone_on_with(run: SavedRun, given: ConfigT) -> ConfigT:
    """The options of a resumed run, see `run_folder.resumed`; steps that are given hold whatever the clock said before.

    Args:
        run: the saved run.
        given: the options as given anew.
    """
    config = run_folder.resumed(run, given)
    return replace(config, minutes=None) if given.steps is not None and given.minutes is None else config


def _begun_from(run: SavedRun, beginning: Beginning | None) -> str | None:
    if beginning and beginning.name != run.begun_from:
        began = f"from {run.begun_from}" if run.begun_from else "from nothing"
        raise RecurraError(f"this run began {began}, not from {beginning.name}; leave that out to go on with it")
    return run.begun_from


def _built(spec: RunSpec[ConfigT, NetworkT, DataT], beginning: Beginning | None) -> NetworkT:
    """The network, its first weights drawn by the seed without touching PyTorch's, or those of a trained model."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(spec.config.seed)
        network = spec.build()
    if beginning:
        modelfile.fill(network, beginning.weights, beginning.name)
    return network
