"""One step of a language model as an ONNX graph beside PyTorch's."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import onnxruntime
import pytest
import torch

from recurra.export.graph import Graph
from recurra.export.language_model import add_step
from recurra.export.network import weights_of
from recurra.models.architecture import Architecture
from recurra.models.language_model import LanguageModel
from recurra.runtime.cells import CellName

SIZES: dict[str, Any] = {"dropout": 0.0, "forget_bias": 0.5}


def made(vocabulary_size: int, **options: Any) -> LanguageModel:
    torch.manual_seed(5)
    network = LanguageModel(vocabulary_size, Architecture(**SIZES | options))
    torch.nn.init.normal_(network.output.bias)
    return network


def session_of(network: LanguageModel, int8: bool = False) -> tuple[onnxruntime.InferenceSession, int]:
    graph = Graph("step", int8)
    add_step(graph, network.recurrent.cell, weights_of(network), graph.input("tokens", np.int64, "batch"))
    data = graph.model({}).SerializeToString()
    return onnxruntime.InferenceSession(data), len(data)


def logits_of(session: onnxruntime.InferenceSession, tokens: np.ndarray) -> np.ndarray:
    """Logits after every token of rows `(batch, time)`, each read from an empty state, step by step."""
    sizes = {each.name: each.shape for each in session.get_inputs()[1:]}
    state = {name: np.zeros((layers, len(tokens), size), np.float32) for name, (layers, _, size) in sizes.items()}
    found = []
    for column in tokens.T:
        logits, *parts = session.run(None, {"tokens": column, **state})
        state = dict(zip(state, parts, strict=True))
        found.append(logits)
    return np.stack(found, axis=1)


@pytest.mark.parametrize("cell", get_args(CellName))
@pytest.mark.parametrize(
    ("vocabulary_size", "options"),
    [
        (7, {"embedding_size": 6, "tied": False, "num_layers": 2}),  # as a table of the first layer's products
        (60, {"embedding_size": 3, "tied": False, "num_layers": 1}),  # by the embedding
        (60, {"embedding_size": 5, "tied": True, "num_layers": 2}),  # through a projection
        (7, {"embedding_size": 8, "tied": True, "num_layers": 1}),
    ],
)
@torch.no_grad()
def test_steps_are_those_of_the_model(cell: CellName, vocabulary_size: int, options: dict[str, Any]) -> None:
    network = made(vocabulary_size, cell=cell, hidden_size=8, **options)
    tokens = np.random.default_rng(0).integers(vocabulary_size, size=(3, 9))
    wanted, _ = network(torch.from_numpy(tokens))
    found = logits_of(session_of(network)[0], tokens)
    assert np.allclose(found, wanted.numpy(), atol=1e-4)
    assert np.abs(logits_of(session_of(network, int8=True)[0], tokens) - found).max() < 0.5


def test_the_first_product_is_a_table_where_that_is_smaller() -> None:
    """One of rows of gates, instead of an embedding and a matrix: for few tokens only."""
    few = made(4, hidden_size=8, embedding_size=64, tied=False, num_layers=1)
    many = made(4000, hidden_size=64, embedding_size=8, tied=False, num_layers=1)
    weights = [4 * sum(parameter.numel() for parameter in network.parameters()) for network in (few, many)]
    assert session_of(few)[1] < weights[0]
    assert weights[1] < session_of(many)[1] < weights[1] + 5000
