"""What each step of a stream is, and the loss of saying so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from detecting import DETECTOR

from recurra.models.dropout import DropoutGenerator
from recurra.tasks.speech.config import Config, resolve, with_preset
from recurra.tasks.speech.networks import CtcNetwork
from recurra.tasks.speech.wakeword.data import read_detector_data
from recurra.tasks.speech.wakeword.objective import Detecting, marks
from recurra.tasks.speech.wakeword.streams import Mixer

CPU = torch.device("cpu")


def test_steps_after_a_word_are_marked_and_those_around_them_do_not_count() -> None:
    config = with_preset(Config(detect="a", rate=8000, stack=2), False)  # a step is 20 ms
    targets, weights = marks(100, [8000, 8000 + 4800], config)
    begins = np.arange(100) * 0.02
    for step, begin in enumerate(begins.tolist()):
        after = [round(begin - end, 6) for end in (1.0, 1.6)]
        assert targets[step] == any(0 <= each < 0.24 for each in after)
        unsure = any(-0.12 <= each < 0 or 0.24 <= each < 0.36 for each in after)
        assert weights[step] == (0 if unsure and not targets[step] else 1)


@pytest.fixture
def objective(words_file: Path, tmp_path: Path) -> Detecting:
    config = with_preset(Config(**DETECTOR | {"detect": "cab", "steps": 1}), False)
    read = read_detector_data([words_file], [], config, tmp_path)
    config = resolve(config, read.seconds)
    return Detecting(config, Mixer(read.train, config), Mixer(read.validation, config), read.normalization, 4)


def generator(rows: slice) -> DropoutGenerator:
    return DropoutGenerator.of_step(1, 7, rows, 4)


def test_the_loss_is_the_sum_over_the_rows_of_all_processes(objective: Detecting) -> None:
    torch.manual_seed(0)
    network = CtcNetwork(2, objective.config)
    whole, count, state = objective.loss(network, 7, None, generator(slice(0, 4)), CPU)
    parts = [objective.loss(network, 7, None, generator(slice(row, row + 1)), CPU) for row in range(4)]
    assert float(whole.detach()) == pytest.approx(sum(float(loss.detach()) for loss, _, _ in parts), rel=1e-5)
    assert count == sum(number for _, number, _ in parts)
    assert state is None
    whole.backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_the_validation_loss_is_the_mean_over_the_steps_that_count(objective: Detecting) -> None:
    network = CtcNetwork(2, objective.config)
    with torch.no_grad():
        network.output.weight.zero_()
        network.output.bias.copy_(torch.tensor([2.0, 0.0]))
    batch = objective._scored
    share = float((batch.targets == 1).sum() / batch.weights.sum())
    log_probs = torch.log_softmax(network.output.bias.detach(), 0)
    expected = -(1 - share) * log_probs[0] - share * log_probs[1]
    assert objective.validation_loss(network, CPU) == pytest.approx(float(expected), rel=1e-4)
    assert 0.02 < share < 0.2
    assert objective.guessing() == pytest.approx(-share * np.log(share) - (1 - share) * np.log(1 - share), rel=1e-5)
