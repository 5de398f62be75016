"""The training loop of every task.

A run is a function of its configuration and data: batches and dropout masks depend on the step alone, so a run that was
killed and resumed, or spread over several processes, goes the same way as one that was not.
"""

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol, Self

import torch
from torch import Tensor, nn

from recurra import modelfile
from recurra.config import required
from recurra.errors import Interrupted, RecurraError
from recurra.models.cells import State
from recurra.models.dropout import DropoutGenerator
from recurra.progress import Bar, bar, note
from recurra.training import checkpoint
from recurra.training.history import HISTORY, PICTURE, Measurement, plot_history, write_history
from recurra.training.options import Training
from recurra.training.signals import caught_signals
from recurra.training.tables import RowAdagrad, clip_gradients, tables_of
from recurra.training.workers import Workers

POINTS = 100
"""Points of a whole run's loss curve."""

EVALUATION_SHARE = 10
"""In a run by the clock, scoring the validation part takes at most one part in this many."""

PICTURE_SECONDS = 15.0
"""Time between redrawings of `loss.png`."""


class Objective(Protocol):
    """What a task tells the trainer about itself."""

    @property
    def batch_size(self) -> int:
        """Rows of a whole batch."""

    def loss(
        self, model: nn.Module, step: int, state: State | None, generator: DropoutGenerator, device: torch.device
    ) -> tuple[Tensor, int, State | None]:
        """The summed loss of this process's rows (`generator.rows`) of a step, the number of terms, the state."""

    def validation_loss(self, model: nn.Module, device: torch.device) -> float:
        """The mean loss on the validation part, nats."""


@dataclass
class TrainerState:
    """Where a run is: everything about it that is not a tensor, as it goes into a checkpoint."""

    step: int = 0
    seconds: float = 0.0
    core_seconds: float = 0.0
    tokens: int = 0
    best: float = math.inf
    best_step: int = 0
    lowest: float = math.inf
    """Validation loss since the run was begun, or last made longer, ..."""
    since_best: int = 0
    """... and evaluations since then: what patience goes by."""
    evaluations: int = 0
    averaged: int = 0
    points: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    history: list[Measurement] = field(default_factory=list)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Back from `asdict`."""
        run = cls(**values)
        run.history = [Measurement(**row) for row in values["history"]]
        run.best, run.lowest = (math.inf if loss is None else loss for loss in (run.best, run.lowest))
        return run

    def to_json(self) -> dict[str, Any]:
        """As JSON values; a loss that is not known yet is null."""
        return {name: None if value == math.inf else value for name, value in asdict(self).items()}

    def lengthened(self, evaluations: int, points: int) -> None:
        """Go on as part of a longer run, of which `evaluations` evaluations and `points` of the curve would be past
        by now.

        The average begins anew, and so does patience: weights of a learning rate that is high again are at first worse
        than those of a run's end.
        """
        self.evaluations, self.points, self.averaged = evaluations, points, 0
        self.lowest, self.since_best = math.inf, 0


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        best: the weights with the lowest validation loss, by name.
        state: the figures.
        reason: why it ended: `steps`, `time` or `patience`.
    """

    best: dict[str, Tensor]
    state: TrainerState
    reason: Literal["steps", "time", "patience"]


class Trainer:
    """Trains a model towards an objective, with its state in a folder.

    Args:
        model: the network, freshly made.
        objective: what to minimise.
        training: how; must be resolved.
        folder: for checkpoint, metrics and `loss.png`.
        config: kept in the checkpoint, to tell whether a resumed run is the same.
        workers: the processes that train together.
        on_point: called with each point of the loss curve, in the first process.
        rates: of the learning rate, what parameters have whose names begin so; all of it if there is none.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        training: Training,
        folder: Path,
        config: Mapping[str, Any],
        workers: Workers,
        on_point: Callable[[Measurement], None] | None = None,
        rates: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self.objective = objective
        self.training = training
        self.folder = folder
        self.config = dict(config)
        self.workers = workers
        self.main = workers.process_index == 0
        self.on_point = on_point
        self.device = workers.device
        self.model = model.to(self.device)
        share = objective.batch_size // workers.num_processes
        self.rows = slice(share * workers.process_index, share * (workers.process_index + 1))
        if share * workers.num_processes != objective.batch_size:
            raise RecurraError(
                f"`batch_size` {objective.batch_size} cannot be shared by {workers.num_processes} processes; "
                "choose a multiple"
            )
        self.names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
        self.frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
        decay = required(training.weight_decay, "weight_decay")
        tables = tables_of(model)
        for table in tables:
            # NCCL adds up dense gradients only, and Apple's GPUs know no sparse ones.
            table.sparse = workers.num_processes == 1 and self.device.type in ("cpu", "cuda")
        self.optimizers: list[torch.optim.Optimizer] = []
        if tables:
            self.optimizers.append(RowAdagrad([table.weight for table in tables], decay))
        groups = _groups(model, rates, {table.weight for table in tables})
        self.optimizers.append(torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=decay, fused=True))
        self.best = self._weights()
        self.average = self._weights()
        self.state: State | None = None
        self.trainer_state = TrainerState()
        self._drawn_at = 0.0
        self._evaluation_cost = 0.0
        self.runner = workers.prepare(self.model)

    def run(self, ready: Callable[[], None] | None = None) -> Outcome:
        """Train to the end.

        Args:
            ready: called once there is a checkpoint to go on from, before the clock starts.

        Raises:
            Interrupted: at SIGINT or SIGTERM, with everything saved.
            RecurraError: if the loss is not finite any more, or the disk is full.
        """
        if self.trainer_state.step == 0:
            self._save()
        if ready:
            ready()
        with caught_signals() as caught, bar("training") as shown:
            reason = self._loop(caught, shown)
        if math.isinf(self.trainer_state.best):  # the run ended before its first evaluation
            self._evaluate(self.training.learning_rate_at(1))
        self._consider_average()
        self._save()
        if self.main:
            write_history(self.trainer_state.history, self.folder / HISTORY)
            plot_history(self.trainer_state.history, self.folder / PICTURE)
        return Outcome(self.best, self.trainer_state, reason)

    def _loop(self, caught: list[int], shown: Bar) -> Literal["steps", "time", "patience"]:
        run, training = self.trainer_state, self.training
        started, cores_started = time.monotonic() - run.seconds, time.process_time() - run.core_seconds
        saved = shown_at = run.seconds
        progress = training.progress(run.step, run.seconds)
        evaluations = int(progress * training.evaluations)
        if evaluations < run.evaluations:
            run.lengthened(evaluations, int(progress * POINTS))
        while progress < 1:
            learning_rate = training.learning_rate_at(progress)
            self._step(learning_rate)
            run.seconds, signal_number = self._agree(time.monotonic() - started, caught)
            run.core_seconds = time.process_time() - cores_started
            progress = training.progress(run.step, run.seconds)
            if self._evaluation_is_due(progress):
                self._evaluate(learning_rate)
                self._evaluation_cost = time.monotonic() - started - run.seconds
                if training.patience and run.since_best >= training.patience:
                    return "patience"
            elif int(progress * POINTS) > run.points:
                self._note_point(learning_rate, None)
            if signal_number:
                self._save()
                raise Interrupted(
                    f"stopped at step {run.step}; everything is saved, go on with the same command and `resume`",
                    signal_number,
                )
            if run.seconds - saved > training.checkpoint_seconds:
                self._save()
                saved = run.seconds
            if run.seconds - shown_at > 0.2:
                shown_at = run.seconds
                shown.update(progress, self._bar_text())
        return "steps" if training.steps and run.step >= training.steps else "time"

    def _step(self, learning_rate: float) -> None:
        """One optimiser step on one batch."""
        run, workers = self.trainer_state, self.workers
        generator = DropoutGenerator.of_step(self.training.seed, run.step, self.rows, self.objective.batch_size)
        with workers.autocast():
            loss, count, state = self.objective.loss(self.runner, run.step, self.state, generator, self.device)
        mine = torch.tensor([float(loss.detach()), count], dtype=torch.float64, device=self.device)
        totals = workers.reduce(mine)
        loss_sum, total = totals.tolist()
        if not math.isfinite(loss_sum):
            self._give_up()
        # DistributedDataParallel averages over the processes; what is wanted is the sum over all, by the total count.
        workers.backward(loss * (workers.num_processes / total))
        norm = clip_gradients(self.model.parameters(), self.training.clip_norm)
        if not math.isfinite(float(norm)):
            self._give_up()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * group["rate"]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.state = None if state is None else tuple(part.detach() for part in state)
        run.step += 1
        run.tokens += int(total)
        run.loss_sum += loss_sum
        run.loss_count += int(total)

    def _agree(self, seconds: float, caught: list[int]) -> tuple[float, int]:
        """The first process's clock and any process's signal: all stop, and change their pace, at the same step."""
        mine = torch.tensor([[seconds, caught[0] if caught else 0]], dtype=torch.float64, device=self.device)
        everyone = self.workers.gather(mine)
        return float(everyone[0, 0]), int(everyone[:, 1].max())

    def _evaluation_is_due(self, progress: float) -> bool:
        """At every `1 / evaluations` of the run; if the clock counts, never so often that it takes much of the time."""
        evaluations = int(progress * self.training.evaluations)
        last = max((row.seconds for row in self.trainer_state.history if row.validation_loss is not None), default=0.0)
        too_soon = (
            self.training.minutes is not None
            and self.trainer_state.seconds - last < EVALUATION_SHARE * self._evaluation_cost
        )
        return progress >= 1 or (evaluations > self.trainer_state.evaluations and not too_soon)

    def _evaluate(self, learning_rate: float) -> None:
        """Score the weights on the validation part, and keep them if they are the best."""
        run = self.trainer_state
        validation = self.objective.validation_loss(self.model, self.device)
        run.evaluations = int(self.training.progress(run.step, run.seconds) * self.training.evaluations)
        row = self._note_point(learning_rate, validation)
        self._add_to_average(self.training.progress(run.step, run.seconds))
        run.since_best += 1
        if validation < run.lowest:
            run.lowest, run.since_best = validation, 0
        best = validation < run.best
        if best:
            run.best, run.best_step = validation, run.step
            self.best = self._weights()
        if self.main:
            write_history(run.history, self.folder / HISTORY)
            if run.seconds - self._drawn_at > PICTURE_SECONDS:
                plot_history(run.history, self.folder / PICTURE)
                self._drawn_at = run.seconds
            if self.training.tensorboard:
                _write_tensorboard(row, self.folder / "tensorboard")
        pace = run.tokens / max(run.seconds, 1e-9)
        note(
            f"step {run.step:>7,}   {run.seconds:6.0f} s   loss {row.loss:.3f}   validation {validation:.4f}"
            f"{' *' if best else '  '}   {pace:,.0f} tokens/s"
        )

    def _add_to_average(self, progress: float) -> None:
        """Take the present weights into the average, at the end of the run; before it there is none."""
        run = self.trainer_state
        run.averaged = run.averaged + 1 if progress > 1 - self.training.average else 0
        if run.averaged:
            for name, weights in self._learned(self._weights()).items():
                self.average[name].lerp_(weights, 1 / run.averaged)

    def _consider_average(self) -> None:
        """Keep the average of the last weights if it is better than any of them."""
        if self.trainer_state.averaged < 2:
            return
        last = self._weights()
        modelfile.fill(self.model, self.average, "the average")
        validation = self.objective.validation_loss(self.model, self.device)
        modelfile.fill(self.model, last, "the run")
        better = validation < self.trainer_state.best
        note(
            f"the average of the last {self.trainer_state.averaged} evaluations' weights: validation {validation:.4f}"
            + (" *" if better else f", not better than {self.trainer_state.best:.4f}")
        )
        if better:
            self.trainer_state.best, self.trainer_state.best_step = validation, self.trainer_state.step
            self.best = {name: weights.clone() for name, weights in self.average.items()}

    def _note_point(self, learning_rate: float, validation: float | None) -> Measurement:
        """Add a point to the history."""
        run = self.trainer_state
        run.points = int(self.training.progress(run.step, run.seconds) * POINTS)
        loss = run.loss_sum / max(run.loss_count, 1)
        row = Measurement(run.step, run.seconds, run.tokens, loss, validation, learning_rate)
        run.history.append(row)
        if self.on_point and self.main:
            self.on_point(row)
        run.loss_sum, run.loss_count = 0.0, 0
        return row

    def _weights(self) -> dict[str, Tensor]:
        """All weights by name, copied; those that are frozen are the network's own."""
        found = modelfile.unique_tensors(self.model)
        return {name: tensor if name in self.frozen else tensor.clone() for name, tensor in found.items()}

    def _learned(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Without those that are frozen, which are the same at any time."""
        return {name: tensor for name, tensor in weights.items() if name not in self.frozen}

    def _bar_text(self) -> str:
        run = self.trainer_state
        pace = run.tokens / max(run.seconds, 1e-9)
        loss = run.loss_sum / max(run.loss_count, 1)
        return f"loss {loss:.3f}  {pace:,.0f} tokens/s"

    def _give_up(self) -> None:
        """End the run before the bad gradient reaches the weights."""
        run = self.trainer_state
        self._save()
        raise RecurraError(
            f"the loss was not finite at step {run.step + 1}; the good weights before it are kept, go on with `resume` "
            f"and a lower `learning_rate` than {self.training.learning_rate:g} (or a lower `clip_norm`)"
        )

    def _save(self) -> None:
        state = self._whole_state()
        if not self.main:
            return
        groups = {
            "model": self._weights(),
            "best": self._learned(self.best),
            "average": self._learned(self.average) if self.trainer_state.averaged else {},
            "optimizer": checkpoint.optimizer_tensors(self.optimizers, self.names),
            "state": {str(number): part for number, part in enumerate(state)},
        }
        checkpoint.save(self.folder, groups, {"config": self.config, "trainer_state": self.trainer_state.to_json()})

    def _whole_state(self) -> State:
        """The carried state of all processes' rows."""
        parts = self.state or ()
        return tuple(self.workers.gather(part.transpose(0, 1).contiguous()).transpose(0, 1) for part in parts)

    def restore(self) -> None:
        """Go on from the checkpoint in the folder.

        Raises:
            RecurraError: if it is damaged or of another run.
        """
        groups, figures = checkpoint.load(self.folder)
        try:
            self.trainer_state = TrainerState.from_json(figures["trainer_state"])
            with torch.no_grad():
                for name, tensor in modelfile.unique_tensors(self.model).items():
                    tensor.copy_(groups["model"][name])
                    if name in self.frozen:
                        continue
                    self.best[name].copy_(groups["best"][name])
                    if self.trainer_state.averaged:
                        self.average[name].copy_(groups["average"][name])
            checkpoint.restore_optimizers(self.optimizers, self.names, groups.get("optimizer", {}))
        except (KeyError, TypeError, RuntimeError) as error:
            raise RecurraError(
                f"the checkpoint in {self.folder} does not fit this run ({error}); start again with `overwrite`"
            ) from error
        if "state" in groups:
            parts = [groups["state"][str(number)] for number in range(len(groups["state"]))]
            self.state = tuple(part[:, self.rows].contiguous().to(self.device) for part in parts)


def _groups(model: nn.Module, rates: Mapping[str, float], tables: Collection[Tensor]) -> list[dict[str, Any]]:
    """The parameters but for tables as the optimiser takes them: those of each rate together, see `Trainer`."""
    together: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter in tables:
            continue
        rate = next((rate for start, rate in rates.items() if name.startswith(start)), 1.0)
        together.setdefault(rate, []).append(parameter)
    return [{"params": parameters, "rate": rate} for rate, parameters in together.items()]


def _write_tensorboard(row: Measurement, folder: Path) -> None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise RecurraError("`tensorboard` needs one more package: pip install tensorboard") from error
    with SummaryWriter(str(folder)) as writer:
        for name, value in asdict(row).items():
            if value is not None:
                writer.add_scalar(name, value, row.step)
