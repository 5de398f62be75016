"""Recurrent stacks in NumPy are those in PyTorch, whole, and chunk by chunk."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.modelfile import unique_tensors
from recurra.models.recurrent import Recurrent
from recurra.runtime.compiled import run_stream
from recurra.runtime.recurrent import advance, annotate, run_layer, stack_shapes

each_cell = pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "rnn-relu"])
each_run = pytest.mark.parametrize("run", [run_layer, run_stream], ids=lambda run: run.__name__)


def stack(cell: Any, bidirectional: bool, layers: int = 2) -> tuple[Recurrent, dict[str, np.ndarray]]:
    """A stack of random weights, and these."""
    torch.manual_seed(1)
    network = Recurrent(cell, 3, 5, layers, bidirectional)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.5)
    weights = {name: tensor.numpy() for name, tensor in unique_tensors(network).items()}
    assert stack_shapes(cell, 3, 5, layers, bidirectional) == {name: each.shape for name, each in weights.items()}
    return network, weights


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)


@each_cell
@each_run
@pytest.mark.parametrize("bidirectional", [False, True])
@torch.no_grad()
def test_a_sequence_is_annotated_as_by_the_network(cell: str, run: Any, bidirectional: bool) -> None:
    network, weights = stack(cell, bidirectional)
    inputs = noise(1, 7, 3)
    expected = network.annotate(torch.from_numpy(inputs), torch.ones(1, 7, dtype=torch.bool))
    np.testing.assert_allclose(annotate(cell, weights, inputs, np.array([7]), run), expected.numpy(), atol=1e-5)


@each_cell
@torch.no_grad()
def test_sequences_of_different_lengths(cell: str) -> None:
    network, weights = stack(cell, True)
    inputs, lengths = noise(3, 6, 3), np.array([2, 6, 1])
    mask = np.arange(6) < lengths[:, None]
    expected = network.annotate(torch.from_numpy(inputs), torch.from_numpy(mask))
    np.testing.assert_allclose(annotate(cell, weights, inputs, lengths), expected.numpy(), atol=1e-5)


@each_cell
@each_run
@given(cuts=st.lists(st.integers(1, 8), max_size=3))
@torch.no_grad()
def test_chunks_go_on_where_the_last_one_ended(cell: str, run: Any, cuts: list[int]) -> None:
    network, weights = stack(cell, False)
    inputs = noise(1, 9, 3)
    outputs, end = network(torch.from_numpy(inputs))
    state, found = None, []
    for chunk in np.split(inputs, sorted(set(cuts)), axis=1):
        out, state = advance(cell, weights, chunk, state, run)
        found.append(out)
    np.testing.assert_allclose(np.concatenate(found, axis=1), outputs.numpy(), atol=1e-5)
    assert state is not None
    for part, layers in zip(end, zip(*state, strict=True), strict=True):
        np.testing.assert_allclose(np.stack(layers), part.numpy(), atol=1e-5)
