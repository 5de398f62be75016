"""Decoder and encoder in NumPy: every step is that of the network in PyTorch, whose weights they have."""

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from recurra.data.buckets import pad
from recurra.decoding.array_step import ArrayStep
from recurra.decoding.decoder_step import decoder_step
from recurra.modelfile import unique_tensors
from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.runtime import decoder as decoders
from recurra.runtime import encoder_decoder as light
from recurra.runtime.encoder_decoder import EncoderDecoderSizes, shapes_of
from recurra.tasks.shared.sizes import decoder_sizes

SOURCES, TARGETS = 9, 7
CASES = [
    dict(cell=cell, attention=attention, num_layers=layers, tied=tied, joint=joint)
    for cell, attention, (layers, tied, joint) in product(
        ("lstm", "gru"),
        ("additive", "multiplicative", "none"),
        ((1, True, False), (1, False, True), (3, True, True), (3, False, False)),
    )
]


@cache
def networks(
    cell: Any, attention: Any, num_layers: int, tied: bool, joint: bool, attention_size: int | None = 5
) -> tuple[EncoderDecoder, light.EncoderDecoder]:
    """A network of random weights, and its twin."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = dict(hidden_size=6, num_layers=num_layers, embedding_size=4, tied=tied)
    architecture = EncoderDecoderArchitecture(
        cell,
        **sizes,
        dropout=0.0,
        word_dropout=0.0,
        forget_bias=0.0,
        attention=attention,
        attention_size=attention_size,
    )
    heavy = EncoderDecoder(TARGETS if joint else SOURCES, None if joint else TARGETS, architecture)
    with torch.no_grad():
        for parameter in heavy.parameters():
            parameter.normal_(std=0.6)
    decoder = decoder_sizes(architecture, TARGETS, 12)
    found = EncoderDecoderSizes(TARGETS if joint else SOURCES, decoder, joint)
    assert shapes_of(found) == {name: tuple(tensor.shape) for name, tensor in unique_tensors(heavy).items()}
    return heavy, light.EncoderDecoder(found, arrays_of(heavy))


def arrays_of(network: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in unique_tensors(network).items()}


sources = st.lists(st.lists(st.integers(0, TARGETS - 1), min_size=1, max_size=5).map(np.array), min_size=1, max_size=4)


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case.values())))
@settings(max_examples=8)
@given(sources=sources, data=st.data())
@torch.no_grad()
def test_a_step_is_that_of_the_network(case: dict[str, Any], sources: list[np.ndarray], data: st.DataObject) -> None:
    """For sources of different lengths, and rows that come, go and are repeated, as in a search."""
    heavy, twin = networks(**case)
    padded = pad(sources)
    step, state = decoder_step(
        heavy.decoder, heavy.encode(torch.from_numpy(padded.tokens), torch.from_numpy(padded.mask))
    )
    light_step = ArrayStep(twin.decoder, twin.encode(padded.tokens, padded.mask))
    light_state = light_step.first
    rows = np.arange(len(sources))
    for _ in range(3):
        for mine, its in zip(light_state, state, strict=True):
            np.testing.assert_allclose(mine, its.numpy(), atol=1e-5)
        tokens = np.array([data.draw(st.integers(0, TARGETS - 1)) for _ in rows])
        expected, said = step(tokens, state), light_step(tokens, light_state)
        np.testing.assert_allclose(said.log_probs.numpy(), expected.log_probs.numpy(), atol=1e-5)
        assert (said.log_probs.numpy() <= 0).all()
        assert (said.weights is None) == (expected.weights is None) == (case["attention"] == "none")
        if said.weights is not None and expected.weights is not None:
            np.testing.assert_allclose(said.weights, expected.weights, atol=1e-5)
            np.testing.assert_array_equal(said.weights == 0, expected.weights == 0)
        count = len(rows)
        rows = np.array(sorted(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=6))))
        state, light_state = step.select(expected.state, rows), light_step.select(said.state, rows)


@pytest.mark.parametrize("at_once", [1, 40, 10**9])
def test_how_many_scores_are_worked_out_at_once_changes_nothing(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _, twin = networks("lstm", "additive", 1, False, False)
    padded = pad([np.array([1, 2, 3]), np.array([4]), np.array([5, 6])])
    step = ArrayStep(twin.decoder, twin.encode(padded.tokens, padded.mask))
    state = step.select(step.first, np.array([0, 0, 1, 2, 2, 2]))
    tokens = np.arange(6)
    expected = step(tokens, state).log_probs.numpy()
    monkeypatch.setattr(decoders, "AT_ONCE", at_once)
    np.testing.assert_allclose(step(tokens, state).log_probs.numpy(), expected, atol=1e-6)


def test_an_attention_as_wide_as_the_layer_is_the_default() -> None:
    heavy, _ = networks("gru", "multiplicative", 1, False, False, attention_size=None)
    assert heavy.decoder.attention is not None
    assert heavy.decoder.attention.attention_size == 6
