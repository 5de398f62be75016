"""The step of a real decoder, in a search: what it says is what the whole network says of whole outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recurra.data.buckets import Padded, pad
from recurra.decoding.beam_search import BeamSearch, DecodingProblem, beam_search
from recurra.decoding.decoder_step import decoder_step
from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.models.encoder_decoder import EncoderDecoder

SOURCES, TARGETS = 9, 7
START, END = 5, 6
each_attention = pytest.mark.parametrize("attention", ["additive", "multiplicative", "none"])
some_sources = st.lists(
    st.lists(st.integers(0, SOURCES - 1), min_size=1, max_size=5).map(np.array), min_size=1, max_size=4
)


def make(attention: Any, cell: Any = "lstm", num_layers: int = 2) -> EncoderDecoder:
    torch.manual_seed(0)
    architecture = EncoderDecoderArchitecture(
        cell, 6, num_layers, 5, 0.0, 0.0, tied=False, attention=attention, word_dropout=0.0
    )
    model = EncoderDecoder(SOURCES, TARGETS, architecture)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.6)
    return model


def tensors(padded: Padded) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(padded.tokens), torch.from_numpy(padded.mask)


@torch.no_grad()
def told(model: EncoderDecoder, source: np.ndarray, tokens: list[int]) -> tuple[Tensor, Tensor | None]:
    """Log-probabilities of everything before each of the tokens and after the last; and the weights."""
    mask = torch.ones(1, len(source), dtype=torch.bool)
    features, weights = model.forward_features(torch.from_numpy(source)[None], mask, torch.tensor([[START, *tokens]]))
    return torch.log_softmax(model.compute_logits(features)[0], dim=-1), None if weights is None else weights[0]


@each_attention
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@given(sources=some_sources, data=st.data())
@torch.no_grad()
def test_steps_say_what_teacher_forcing_says(
    attention: str, cell: str, sources: list[np.ndarray], data: st.DataObject
) -> None:
    """For rows that come, go and are repeated, as in a search."""
    model = make(attention, cell)
    step, state = decoder_step(model.decoder, model.encode(*tensors(pad(sources))))
    texts: list[list[int]] = [[] for _ in sources]
    owners = list(range(len(sources)))
    tokens = [START] * len(sources)
    for _ in range(3):
        said = step(np.array(tokens), state)
        log_probs = said.log_probs.tensor
        assert bool((log_probs <= 0).all())
        torch.testing.assert_close(log_probs.exp().sum(dim=1), torch.ones(len(owners)))
        assert said.state[-1][0].tolist() == owners
        for row, owner in enumerate(owners):
            expected, weights = told(model, sources[owner], texts[row])
            torch.testing.assert_close(log_probs[row], expected[-1], rtol=1e-5, atol=1e-5)
            if weights is None:
                assert said.weights is None
            else:
                assert said.weights is not None
                length = len(sources[owner])
                np.testing.assert_allclose(said.weights[row, :length], weights[-1].numpy(), rtol=1e-5, atol=1e-6)
                assert not said.weights[row, length:].any()
        rows = sorted(data.draw(st.lists(st.integers(0, len(owners) - 1), min_size=1, max_size=6)))
        tokens = [data.draw(st.integers(0, TARGETS - 1)) for _ in rows]
        state = step.select(said.state, np.array(rows))
        texts = [[*texts[row], token] for row, token in zip(rows, tokens, strict=True)]
        owners = [owners[row] for row in rows]


@each_attention
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@given(sources=some_sources)
@torch.no_grad()
def test_the_scores_of_a_search_are_those_of_teacher_forcing(
    attention: str, cell: str, sources: list[np.ndarray]
) -> None:
    model = make(attention, cell)
    step, state = decoder_step(model.decoder, model.encode(*tensors(pad(sources))))
    options = BeamSearch(beam_size=3, n_best=3, normalization="none")
    limits = [2 + len(source) for source in sources]
    positions = [len(source) for source in sources]
    problem = DecodingProblem(START, END, limits, positions, suppressed=[START])
    found = beam_search(step, state, problem, options)
    for source, sentence in zip(sources, found, strict=True):
        assert len(sentence.hypotheses) == 3
        for hypothesis in sentence.hypotheses:
            written = [*hypothesis.tokens, END]
            log_probs, weights = told(model, source, list(hypothesis.tokens))
            expected = log_probs[torch.arange(len(written)), torch.tensor(written)]
            assert START not in written
            assert hypothesis.score == pytest.approx(float(expected.sum()), abs=1e-4)
            assert hypothesis.log_probs == pytest.approx(expected.tolist(), abs=1e-4)
            if weights is None:
                assert hypothesis.weights is None
            else:
                np.testing.assert_allclose(hypothesis.weights, weights, atol=1e-5)


@each_attention
def test_half_precision_is_normalised_in_full(attention: str) -> None:
    model = make(attention).bfloat16()
    with torch.no_grad():
        step, state = decoder_step(
            model.decoder, model.encode(torch.tensor([[1, 2]]), torch.ones(1, 2, dtype=torch.bool))
        )
        said = step(np.array([START]), state)
    assert said.log_probs.tensor.dtype == torch.float32
    assert float(said.log_probs.tensor.exp().sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("attention", ["additive", "multiplicative"])
@torch.no_grad()
def test_a_source_that_was_left_out_may_be_asked_for_again(attention: str) -> None:
    """A step is a function of its arguments, whatever was asked for between."""
    model = make(attention)
    step, state = decoder_step(model.decoder, model.encode(*tensors(pad([np.array([n, 2, n]) for n in range(6)]))))
    tokens = np.arange(6)
    first = step(tokens, state)
    for rows in ([3], [0, 3, 5, 5], [1, 1], [5], [0, 1, 2, 3, 4, 5]):
        said = step(tokens[rows], step.select(state, np.array(rows)))
        torch.testing.assert_close(said.log_probs.tensor, first.log_probs.tensor[rows], rtol=1e-5, atol=1e-6)
        assert said.weights is not None
        assert first.weights is not None
        np.testing.assert_allclose(said.weights, first.weights[rows], rtol=1e-5, atol=1e-6)
