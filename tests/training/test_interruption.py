"""A run that was killed, interrupted or spread over processes ends like one that was not.

What is to be killed has a process of its own; what is compared with it runs in this one, which saves starting it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import TINY, TINY_PAIRS, corpus, pairs, run, start
from safetensors.torch import load_file

from recurra.cli import main
from recurra.training import checkpoint, run_folder

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--module", "recurra")


TASKS = {"text": (corpus, TINY, "400"), "translation": (pairs, TINY_PAIRS, "150")}


def training(task: str, folder: Path) -> tuple[str, ...]:
    """What to type to train a model in a folder."""
    data, options, steps = TASKS[task]
    return (task, "train", str(data(folder)), "--out", str(folder / "model"), "--steps", steps, *options)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The models of runs that nothing happened to, each trained when it is first asked for."""

    @cache
    def train(task: str) -> Path:
        folder = tmp_path_factory.mktemp("uninterrupted")
        assert main(list(training(task, folder))) == 0
        return folder / "model"

    return train


def wait_for_step(work: Path, step: int) -> None:
    """Until the run in a folder has written a checkpoint of this step or later."""
    for _ in range(2000):
        path = work / run_folder.CHECKPOINT
        if path.exists() and run_folder.read_figures(path)["trainer_state"]["step"] >= step:
            return
        time.sleep(0.02)
    raise AssertionError("no checkpoint came")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=lambda n: str(n)
)
def test_a_stopped_run_that_is_resumed_gives_the_same_bits(
    tmp_path: Path,
    recurra: Callable[..., Any],
    uninterrupted: Callable[[str], Path],
    task: str,
    number: signal.Signals,
    expected: int,
) -> None:
    arguments = training(task, tmp_path)
    process = start(*arguments)
    wait_for_step(tmp_path / "model.training", 20)
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == expected
    assert "Traceback" not in said
    assert not (tmp_path / "model").exists()
    if number != signal.SIGKILL:
        assert "--resume" in said

    answer = recurra(*arguments, "--resume")
    assert answer.status == 0, answer
    once, twice = (
        load_file(uninterrupted(task) / "model.safetensors"),
        load_file(tmp_path / "model" / "model.safetensors"),
    )
    assert once.keys() == twice.keys()
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_killed_before_the_first_checkpoint_there_is_nothing_to_go_on_with_and_the_same_command_begins_anew(
    tmp_path: Path, uninterrupted: Callable[[str], Path]
) -> None:
    (tmp_path / "model.training").mkdir()
    arguments = training("text", tmp_path)
    status, said = run(*arguments, "--resume")
    assert status == 1
    assert "there is no checkpoint of" in said
    status, said = run(*arguments)
    assert status == 0, said
    once, twice = (
        load_file(uninterrupted("text") / "model.safetensors"),
        load_file(tmp_path / "model" / "model.safetensors"),
    )
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_two_processes_give_the_weights_of_one(tmp_path: Path) -> None:
    text = str(corpus(tmp_path))
    options = ("--steps", "25", *TINY)
    assert main(["text", "train", text, "--out", str(tmp_path / "one"), *options]) == 0
    status, said = run("text", "train", text, "--out", str(tmp_path / "two"), *options, launcher=TORCHRUN)
    assert status == 0, said
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert max(float((one[name] - two[name]).abs().max()) for name in one) <= 1e-6


def test_sigterm_stops_every_process_at_the_same_step_and_one_process_can_go_on(tmp_path: Path) -> None:
    text = str(corpus(tmp_path, repeats=400))
    arguments = ("text", "train", text, "--out", str(tmp_path / "model"), *TINY)
    process = start(*arguments, "--steps", "100000", launcher=TORCHRUN)
    wait_for_step(tmp_path / "model.training", 0)
    time.sleep(1)
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert said.count("everything is saved") == 1, said
    groups, figures = checkpoint.load(tmp_path / "model.training")
    step = figures["trainer_state"]["step"]
    assert f"stopped at step {step}" in said
    assert groups["state"]["0"].shape[1] == 4, "the rows of both processes are in the checkpoint"

    assert main([*arguments, "--steps", str(step + 5), "--resume"]) == 0


def test_rows_that_cannot_be_shared_are_refused_in_a_sentence(tmp_path: Path) -> None:
    options = ["3" if before == "--batch-size" else option for before, option in zip(["", *TINY], TINY, strict=False)]
    arguments = ("text", "train", str(corpus(tmp_path)), "--out", str(tmp_path / "m"), "--steps", "5", *options)
    status, said = run(*arguments, launcher=TORCHRUN)
    assert status != 0
    assert "--batch-size 3 cannot be shared by 2 processes" in said
