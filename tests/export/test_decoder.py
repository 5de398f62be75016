"""A decoder's beginning and its step as ONNX graphs beside PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from recurra.export.decoder import add_beginning, add_decoder_step
from recurra.export.graph import Graph
from recurra.export.network import decoder_weights
from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.models.decoder import Decoder

LENGTHS = torch.tensor([5, 2, 3])
VALUES, TOKENS = 6, 11


def made(tied: bool, project_values: bool, **options: Any) -> Decoder:
    torch.manual_seed(7)
    sizes: dict[str, Any] = {"dropout": 0.0, "word_dropout": 0.0, "forget_bias": 0.0, "hidden_size": 8}
    architecture = EncoderDecoderArchitecture(**sizes | options, tied=tied)
    decoder = Decoder(nn.Embedding(TOKENS, 4), 2.0 if tied else 1.0, VALUES, architecture, project_values)
    for parameter in decoder.parameters():
        nn.init.normal_(parameter, std=0.5)
    return decoder


def run(graph: Graph, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(graph.model({}).SerializeToString())
    taken = {each.name: given[each.name] for each in session.get_inputs()}
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, taken), strict=True))


def graphs_of(decoder: Decoder, ragged: bool, int8: bool = False) -> tuple[Graph, Graph]:
    beginning, step = Graph("beginning", int8), Graph("step", int8)
    values = beginning.input("annotations", np.float32, "batch", "source", VALUES)
    weights = decoder_weights(decoder)
    add_beginning(beginning, weights, values, beginning.input("summary", np.float32, "batch", VALUES))
    add_decoder_step(step, weights, ragged)
    return beginning, step


def annotations() -> tuple[Tensor, Tensor, Tensor]:
    """Those of three sources, their mask and summaries."""
    torch.manual_seed(8)
    mask = torch.arange(5) < LENGTHS[:, None]
    return torch.randn(3, 5, VALUES) * mask[:, :, None], mask, torch.randn(3, VALUES)


@pytest.mark.parametrize("project_values", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"cell": "lstm", "attention": "additive", "num_layers": 1, "tied": True},
        {"cell": "gru", "attention": "additive", "num_layers": 3, "attention_size": 5, "tied": False},
        {"cell": "lstm", "attention": "multiplicative", "num_layers": 2, "attention_size": 3, "tied": False},
        {"cell": "gru", "attention": "multiplicative", "num_layers": 1, "tied": True},
        {"cell": "lstm", "attention": "none", "num_layers": 2, "tied": False},
        {"cell": "gru", "attention": "none", "num_layers": 1, "tied": True},
    ],
)
@torch.no_grad()
def test_steps_are_those_of_the_decoder(options: dict[str, Any], project_values: bool) -> None:
    decoder = made(project_values=project_values, **options)
    values, mask, summary = annotations()
    memory = decoder.attention_memory(values, mask) if decoder.attention else None
    state = decoder.initial_state(summary)
    beginning, step = graphs_of(decoder, ragged=memory is not None)
    known = run(beginning, {"annotations": values.numpy(), "summary": summary.numpy()})
    known["lengths"] = LENGTHS.numpy()
    for number in range(4):
        tokens = torch.tensor([number, 10 - number, 3])
        features, weights, state = decoder.step(tokens, state, memory)
        answer = run(step, {"tokens": tokens.numpy(), **known})
        assert np.allclose(answer["logits"], decoder.output(features), atol=1e-4)
        if weights is not None:
            assert np.allclose(answer["attention"], weights, atol=1e-5)
        for name, part in zip("hc", state, strict=False):
            assert np.allclose(answer[f"next_{name}"], part, atol=1e-5)
            known[name] = answer[f"next_{name}"]


@torch.no_grad()
def test_sources_of_one_length_need_no_lengths() -> None:
    decoder = made(tied=False, project_values=False, num_layers=1)
    values, _, summary = annotations()
    memory = decoder.attention_memory(values, torch.ones(3, 5, dtype=torch.bool))
    features, weights, _ = decoder.step(LENGTHS, decoder.initial_state(summary), memory)
    beginning, step = graphs_of(decoder, ragged=False)
    known = run(beginning, {"annotations": values.numpy(), "summary": summary.numpy()})
    answer = run(step, {"tokens": LENGTHS.numpy(), **known})
    assert np.allclose(answer["logits"], decoder.output(features), atol=1e-4)
    assert weights is not None
    assert np.allclose(answer["attention"], weights, atol=1e-5)


@torch.no_grad()
def test_eight_bits_are_near_and_smaller() -> None:
    decoder = made(tied=False, project_values=True, num_layers=2, hidden_size=64)
    values, mask, summary = annotations()
    features, _, _ = decoder.step(LENGTHS, decoder.initial_state(summary), decoder.attention_memory(values, mask))
    beginning, step = graphs_of(decoder, ragged=True, int8=True)
    known = run(beginning, {"annotations": values.numpy(), "summary": summary.numpy()}) | {"lengths": LENGTHS.numpy()}
    difference = np.abs(run(step, {"tokens": LENGTHS.numpy(), **known})["logits"] - decoder.output(features).numpy())
    assert 0 < difference.max() < 0.5
    whole = graphs_of(decoder, ragged=True)[1].model({}).ByteSize()
    assert step.model({}).ByteSize() < 0.4 * whole
