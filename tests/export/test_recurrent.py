"""Recurrent layers as ONNX graphs beside those of PyTorch."""

from __future__ import annotations

from typing import get_args

import numpy as np
import onnxruntime
import pytest
import torch

from recurra.export.graph import Graph
from recurra.export.network import weights_of
from recurra.export.recurrent import (
    ends_of,
    layers_of,
    mask_of,
    sequence_layers,
    state_inputs,
    state_outputs,
    step_layers,
)
from recurra.models.recurrent import Recurrent
from recurra.runtime.cells import CellName, state_parts

CELLS = get_args(CellName)
LENGTHS = np.array([6, 1, 4])


def made(cell: CellName, bidirectional: bool) -> Recurrent:
    """Two layers with weights, biases too, that are drawn."""
    torch.manual_seed(3)
    network = Recurrent(cell, 4, 5, 2, bidirectional=bidirectional)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return network


def run(graph: Graph, **given: np.ndarray) -> list[np.ndarray]:
    return list(onnxruntime.InferenceSession(graph.model({}).SerializeToString()).run(None, given))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_sequences_of_different_lengths(cell: CellName, bidirectional: bool) -> None:
    network = made(cell, bidirectional)
    graph = Graph("test")
    inputs, lengths = graph.input("x", np.float32, "b", "t", 4), graph.input("n", np.int64, "b")
    layers = layers_of(weights_of(network), "")
    outputs, _ = sequence_layers(graph, cell, inputs, lengths, layers)
    graph.output("y", outputs, "b", "t", network.output_size)
    graph.output("mask", mask_of(graph, inputs, lengths), "b", "t")
    graph.output("ends", ends_of(graph, outputs, lengths, 5, len(layers[0])), "b", network.output_size)
    x = torch.randn(3, 6, 4)
    mask = torch.arange(6) < torch.from_numpy(LENGTHS)[:, None]
    found, found_mask, ends = run(graph, x=x.numpy(), n=LENGTHS)
    wanted = network.annotate(x, mask).numpy()
    assert np.allclose(found, wanted, atol=1e-5)
    assert (found_mask == mask.numpy()).all()
    last = wanted[np.arange(3), LENGTHS - 1]
    assert np.allclose(ends, np.concatenate([last[:, :5], wanted[:, 0, 5:]], axis=1), atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_a_stream_goes_on_from_its_state_by_chunks_and_by_steps(cell: CellName) -> None:
    network = made(cell, False)
    layers = layers_of(weights_of(network), "")
    chunks, steps = Graph("chunks"), Graph("steps")
    outputs, ends = sequence_layers(
        chunks, cell, chunks.input("x", np.float32, "b", "t", 4), None, layers, state_inputs(chunks, cell, 2, 5)
    )
    chunks.output("y", outputs, "b", "t", 5)
    state_outputs(chunks, ends, 5)
    ends = step_layers(
        steps, cell, steps.input("x", np.float32, "b", 4), [each[0] for each in layers], state_inputs(steps, cell, 2, 5)
    )
    steps.output("y", ends[-1][0], "b", 5)
    state_outputs(steps, ends, 5)
    x, state = torch.randn(3, 6, 4), tuple(torch.randn(2, 3, 5) for _ in range(state_parts(cell)))
    wanted, wanted_state = network(x, state)
    before = dict(zip("hc", (part.numpy() for part in state), strict=False))
    first, *middle = run(chunks, x=x[:, :4].numpy(), **before)
    second, *after = run(chunks, x=x[:, 4:].numpy(), **dict(zip("hc", middle, strict=False)))
    assert np.allclose(np.concatenate([first, second], axis=1), wanted, atol=1e-5)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(after, wanted_state, strict=True))
    for time in range(6):
        output, *parts = run(steps, x=x[:, time].numpy(), **before)
        before = dict(zip("hc", parts, strict=False))
        assert np.allclose(output, wanted[:, time], atol=1e-5)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(before.values(), wanted_state, strict=True))


@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_eight_bits_are_near(cell: CellName) -> None:
    network = made(cell, True)
    graph = Graph("test", int8=True)
    layers = layers_of(weights_of(network), "")
    lengths = graph.input("n", np.int64, "b")
    outputs, _ = sequence_layers(graph, cell, graph.input("x", np.float32, "b", "t", 4), lengths, layers)
    graph.output("y", outputs, "b", "t", 10)
    x = torch.randn(3, 6, 4)
    (found,) = run(graph, x=x.numpy(), n=LENGTHS)
    wanted = network.annotate(x, torch.arange(6) < torch.from_numpy(LENGTHS)[:, None]).numpy()
    assert 0 < np.abs(found - wanted).max() < 0.02 * max(1, np.abs(wanted).max())
