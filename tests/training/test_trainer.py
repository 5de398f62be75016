"""The training loop, on objectives small enough to know the answer."""

from __future__ import annotations

import errno
import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recurra import files
from recurra.errors import RecurraError
from recurra.models.cells import State
from recurra.models.dropout import DropoutGenerator
from recurra.training import checkpoint
from recurra.training import run_folder as runfolder
from recurra.training.history import Measurement, plot_history
from recurra.training.options import Training
from recurra.training.run import gone_on_with
from recurra.training.trainer import Trainer
from recurra.training.workers import make_workers

SMALL = Training(steps=40, learning_rate=0.05, weight_decay=0.0, device="cpu", patience=0, evaluations=10)


class Line(nn.Module):
    """One number to learn."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[0.0]]))


class Parabola:
    """Minimise (weight - 3)^2; the validation loss can be told to do something else."""

    batch_size = 4

    def __init__(self, validation: list[float] | None = None, bad_at: int | None = None) -> None:
        self.figures = validation
        self.bad_at = bad_at
        self.seen: list[float] = []

    def loss(
        self, model: nn.Module, step: int, state: State | None, generator: DropoutGenerator, device: torch.device
    ) -> tuple[Tensor, int, State | None]:
        rows = generator.rows.stop - generator.rows.start
        loss = rows * (model.weight - 3).square().sum()
        if step == self.bad_at:
            loss = loss * math.nan
        return loss, rows, None

    def validation_loss(self, model: nn.Module, device: torch.device) -> float:
        self.seen.append(float(model.weight.detach()))
        return self.figures.pop(0) if self.figures else float((model.weight.detach() - 3).square())


def trainer(folder: Path, training: Training = SMALL, objective: Parabola | None = None) -> Trainer:
    made = Trainer(Line(), objective or Parabola(), training, folder, {}, make_workers(training))
    if (folder / runfolder.CHECKPOINT).exists():
        made.restore()
    return made


def test_the_course_of_plain_adamw_is_followed(tmp_path: Path) -> None:
    """The oracle: the same number learned by a bare loop with PyTorch's optimiser, clipping and a schedule by hand."""
    ours = trainer(tmp_path, replace(SMALL, weight_decay=0.1, warmup=0.25))
    ours.run()
    model = Line()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05, betas=(0.9, 0.99), weight_decay=0.1)
    for step in range(40):
        progress = step / 40
        cosine = (1 + math.cos(math.pi * (progress - 0.25) / 0.75)) / 2
        optimizer.param_groups[0]["lr"] = 0.05 * (max(progress / 0.25, 0.01) if progress < 0.25 else cosine)
        optimizer.zero_grad()
        (model.weight - 3).square().sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
    assert float(ours.model.weight.detach()) == pytest.approx(float(model.weight.detach()), abs=1e-6)


class Slope(Line):
    """A number to learn beside another that is frozen, and one that is learned slowly."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Parameter(torch.tensor([2.0]), requires_grad=False)
        self.slow = nn.Module()
        self.slow.weight = nn.Parameter(torch.tensor([1.0]))


class Both(Parabola):
    """Minimise (weight - 3)^2 + (frozen * slow - 10)^2."""

    def loss(self, model: nn.Module, *rest: Any) -> tuple[Tensor, int, State | None]:
        loss, rows, state = super().loss(model, *rest)
        return loss + rows * (model.frozen * model.slow.weight - 10).square().sum(), rows, state


def test_parameters_have_the_rates_that_are_given_and_frozen_ones_stay_and_are_kept_once(tmp_path: Path) -> None:
    training = replace(SMALL, warmup=0.0, steps=1, average=1.0)
    made = Trainer(Slope(), Both(), training, tmp_path, {}, make_workers(training), rates={"slow.": 0.1})
    order: list[str] = []
    outcome = made.run(lambda: order.append("checkpoint" if (tmp_path / runfolder.CHECKPOINT).exists() else "nothing"))
    assert order == ["checkpoint"]
    # AdamW's first step moves every weight by the learning rate that it has.
    assert float(outcome.best["weight"]) == pytest.approx(0.05, rel=1e-3)
    assert float(outcome.best["slow.weight"]) == pytest.approx(1.005, abs=1e-5)
    assert float(outcome.best["frozen"]) == 2
    groups, _ = checkpoint.load(tmp_path)
    assert set(groups["model"]) == {"weight", "frozen", "slow.weight"}
    assert set(groups["best"]) == {"weight", "slow.weight"}
    again = Slope()
    again.frozen.data.fill_(7.0)
    restored = Trainer(again, Both(), training, tmp_path, {}, make_workers(training))
    restored.restore()
    assert float(restored.best["frozen"]) == float(again.frozen) == 2


def test_the_best_weights_are_kept_not_the_last(tmp_path: Path) -> None:
    figures = [5.0, 4.0, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    ours = trainer(tmp_path, objective=Parabola(list(figures)))
    outcome = ours.run()
    assert outcome.state.best == 1.0
    assert outcome.state.best_step == 12

    assert float(outcome.best["weight"]) < float(ours.model.weight.detach())


@pytest.mark.parametrize("better", [True, False])
def test_the_average_of_the_last_weights_is_kept_if_it_is_the_best(tmp_path: Path, better: bool) -> None:
    """Over the last half of ten evaluations: those at steps 24, 28, 32, 36 and 40; the one at 20 is not within it."""
    objective = Parabola([5.0, 4.0, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 0.5 if better else 1.5])
    ours = trainer(tmp_path, replace(SMALL, average=0.5), objective)
    outcome = ours.run()
    *evaluations, average = objective.seen
    assert average == pytest.approx(np.mean(evaluations[-5:]), abs=1e-6)
    assert len(evaluations) == 10
    assert float(outcome.best["weight"]) == pytest.approx(average if better else evaluations[2], abs=1e-6)
    assert outcome.state.best == (0.5 if better else 1.0)
    assert float(ours.model.weight.detach()) == evaluations[-1]


def test_an_average_goes_on_where_a_run_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = replace(SMALL, average=0.5, learning_rate=0.3)
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = trainer(tmp_path / "whole", training).run()

    class Stop(Exception):
        pass

    stopped = trainer(tmp_path / "cut", training)
    step = stopped._step

    def until_33(learning_rate: float) -> None:
        if stopped.trainer_state.step == 33:
            stopped._save()
            raise Stop
        step(learning_rate)

    monkeypatch.setattr(stopped, "_step", until_33)
    with pytest.raises(Stop):
        stopped.run()
    resumed = trainer(tmp_path / "cut", training).run()
    assert resumed.state.averaged == whole.state.averaged == 5
    assert float(resumed.best["weight"]) == float(whole.best["weight"])


def test_patience_ends_a_run_that_gets_no_better(tmp_path: Path) -> None:
    figures = [5.0, 4.0, 4.5, 4.5, 4.5, 4.5, 4.5, 4.5, 4.5, 4.5]
    outcome = trainer(tmp_path, replace(SMALL, patience=3), Parabola(figures)).run()
    assert outcome.reason == "patience"
    assert outcome.state.step == 20


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_weights(tmp_path: Path) -> None:
    with pytest.raises(RecurraError, match=r"not finite at step 31.*`learning_rate`"):
        trainer(tmp_path, objective=Parabola(bad_at=30)).run()
    groups, figures = checkpoint.load(tmp_path)
    assert figures["trainer_state"]["best_step"] > 0
    assert bool(torch.isfinite(groups["best"]["weight"]).all())
    assert float(groups["best"]["weight"]) > 0.5


def test_gradients_that_are_not_finite_stop_the_run_though_the_loss_is(tmp_path: Path) -> None:
    class Cliff(Parabola):
        def loss(
            self, model: nn.Module, step: int, state: State | None, generator: DropoutGenerator, device: torch.device
        ) -> tuple[Tensor, int, State | None]:
            loss, rows, _ = super().loss(model, step, state, generator, device)
            edge = (model.weight - model.weight.detach()).abs().sqrt().sum()  # 0, and infinitely steep
            return loss + edge if step == 7 else loss, rows, None

    with pytest.raises(RecurraError, match="not finite at step 8"):
        trainer(tmp_path, objective=Cliff()).run()


def test_the_state_goes_from_step_to_step_without_its_gradient(tmp_path: Path) -> None:
    given: list[State | None] = []

    class Counting(Parabola):
        def loss(
            self, model: nn.Module, step: int, state: State | None, generator: DropoutGenerator, device: torch.device
        ) -> tuple[Tensor, int, State | None]:
            given.append(state)
            loss, rows, _ = super().loss(model, step, state, generator, device)
            return loss, rows, (model.weight * 0 + step,)

    trainer(tmp_path, replace(SMALL, steps=4), Counting()).run()
    assert given[0] is None
    assert [float(state[0]) for state in given[1:] if state] == [0.0, 1.0, 2.0]
    assert not any(part.requires_grad for state in given[1:] if state for part in state)


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = trainer(tmp_path)
    ours.run()
    before = (tmp_path / runfolder.CHECKPOINT).read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RecurraError, match="the disk is full"):
        trainer(tmp_path, replace(SMALL, steps=80)).run()
    assert (tmp_path / runfolder.CHECKPOINT).read_bytes() == before
    assert not list(tmp_path.glob("*.new"))


def test_resuming_continues_the_figures(tmp_path: Path) -> None:
    trainer(tmp_path).run()
    outcome = trainer(tmp_path, replace(SMALL, steps=80)).run()
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == sorted({row["step"] for row in rows})
    assert rows[-1]["step"] == outcome.state.step == 80
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_made_longer_is_scored_and_averaged_as_a_part_of_the_longer_one(tmp_path: Path) -> None:
    training = replace(SMALL, average=0.5)
    trainer(tmp_path, training).run()
    objective = Parabola()
    outcome = trainer(tmp_path, replace(training, steps=80), objective).run()
    *evaluations, average = objective.seen
    scored = [row.step for row in outcome.state.history if row.validation_loss is not None]
    assert scored == [4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 72, 80]
    assert len(evaluations) == outcome.state.averaged == 5
    assert average == pytest.approx(np.mean(evaluations), abs=1e-6)


def test_a_run_that_ends_before_its_first_look_is_scored_all_the_same(tmp_path: Path) -> None:
    first = trainer(tmp_path, replace(SMALL, steps=4000, evaluations=1))
    for _ in range(3):
        first._step(0.05)
    first._save()
    outcome = trainer(tmp_path, replace(SMALL, steps=3)).run()
    assert outcome.state.best == pytest.approx((float(outcome.best["weight"]) - 3) ** 2)
    assert outcome.reason == "steps"


def test_patience_begins_anew_in_a_run_made_longer(tmp_path: Path) -> None:
    """At a high learning rate the validation loss is at first above that of the first run's end."""
    training = replace(SMALL, patience=3)
    trainer(tmp_path, training, Parabola([5.0, 4.0, 3.0, 2.0, 1.0, 1.0, 0.9, 0.8, 0.8, 0.8])).run()
    longer = replace(training, steps=160)
    outcome = trainer(tmp_path, longer, Parabola([3.0, 2.9, 2.8, 2.0, 1.0, 0.5, 0.6, 0.7])).run()
    assert outcome.reason == "steps"
    assert (outcome.state.best, outcome.state.best_step) == (0.5, 128)
    worse = trainer(tmp_path, replace(training, steps=320), Parabola([3.0, 2.9, 3.0, 3.0, 3.0])).run()
    assert worse.reason == "patience"
    assert worse.state.best == 0.5


def test_steps_given_to_a_resumed_run_hold_whatever_its_clock_said() -> None:
    saved = runfolder.SavedRun(asdict(replace(SMALL, minutes=10.0)), "", None, Path(), Path())
    longer = gone_on_with(saved, Training(steps=500))
    assert (longer.steps, longer.minutes) == (500, None)
    both = gone_on_with(saved, Training(steps=500, minutes=20.0))
    assert (both.steps, both.minutes) == (500, 20.0)
    same = gone_on_with(saved, Training())
    assert (same.steps, same.minutes) == (SMALL.steps, 10.0)


@pytest.mark.parametrize("damage", ["truncated", "garbage", "other run"])
def test_a_damaged_checkpoint_is_refused_in_a_sentence(tmp_path: Path, damage: str) -> None:
    trainer(tmp_path).run()
    path = tmp_path / runfolder.CHECKPOINT
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-10])
    elif damage == "garbage":
        path.write_bytes(np.random.default_rng(0).bytes(1000))
    else:
        checkpoint.save(tmp_path, {"model": {"other": torch.zeros(1)}}, {"run": {}})
    with pytest.raises(RecurraError, match="`overwrite`"):
        trainer(tmp_path)


def test_the_clock_ends_a_run_and_its_schedule(tmp_path: Path) -> None:
    training = replace(SMALL, steps=None, minutes=0.01)
    assert training.progress(10**9, 0.3) == pytest.approx(0.5)
    outcome = trainer(tmp_path, training).run()
    assert outcome.reason == "time"
    assert 0.6 <= outcome.state.seconds < 5
    assert outcome.state.history[-1].learning_rate < 0.01 * training.learning_rate + 0.005


def test_runs_of_one_process_may_choose_differently(tmp_path: Path) -> None:
    for precision in ("float32", "bfloat16", "float32"):
        ours = trainer(tmp_path / precision, replace(SMALL, precision=precision))
        with ours.workers.autocast():
            product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert product.dtype == getattr(torch, precision)


def test_a_gpu_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RecurraError, match="`device` is cuda, but PyTorch sees no such device here; use cpu"):
        make_workers(replace(SMALL, device="cuda"))


def test_tensorboard_gets_the_figures_too(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is an extra: pip install recurra[tensorboard]")
    trainer(tmp_path, replace(SMALL, tensorboard=True)).run()
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_a_picture_survives_a_history_with_infinite_losses(tmp_path: Path) -> None:
    rows = [Measurement(n, float(n), n, math.inf if n == 1 else 1 / n, 1 / n, 0.1) for n in range(1, 5)]
    plot_history(rows, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").stat().st_size > 5000
