"""Ensembles against the mean of probabilities computed plainly."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recurra.decoding.beam_search import BeamSearch, DecodingProblem, beam_search
from recurra.decoding.decoder_step import Stepped, TensorStep
from recurra.decoding.ensemble import Ensemble
from recurra.decoding.step import DecoderStep, StepOutput

SIZE = 6


class Member:
    """A model whose state, of some parts, counts and gathers what it read."""

    def __init__(self, seed: int, parts: int, attention: bool = True, size: int = SIZE) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.parts = parts
        self.table = torch.randn(40, size, generator=generator).double().log_softmax(dim=1)
        self.weights = torch.rand(40, 3, generator=generator).double().softmax(dim=1) if attention else None

    def state(self, rows: int) -> tuple[Tensor, ...]:
        return tuple(torch.zeros(1, rows, dtype=torch.int64) for _ in range(self.parts))

    def step(self, tokens: Tensor, state: tuple[Tensor, ...]) -> Stepped:
        state = tuple((part * (place + 3) + tokens + 1) % 1000 for place, part in enumerate(state))
        place = sum(state)[0] % 40  # type: ignore[index]
        weights = None if self.weights is None else self.weights[place]
        return Stepped(self.table[place], state, weights)


def run(step: DecoderStep[Any], state: Any, tokens: list[list[int]]) -> list[StepOutput[Any]]:
    """What a step says to each row of tokens."""
    said = []
    for column in zip(*tokens, strict=True):
        said.append(step(np.array(column), state))
        state = said[-1].state
    return said


texts = st.lists(st.lists(st.integers(0, SIZE - 1), min_size=4, max_size=4), min_size=1, max_size=3)


@given(parts=st.lists(st.integers(1, 3), min_size=1, max_size=4), tokens=texts, data=st.data())
def test_the_mean_of_probabilities(parts: list[int], tokens: list[list[int]], data: st.DataObject) -> None:
    members = [Member(seed, count, data.draw(st.booleans())) for seed, count in enumerate(parts)]
    rows = len(tokens)
    together = run(Ensemble([TensorStep(m.step) for m in members]), tuple(m.state(rows) for m in members), tokens)
    alone = [run(TensorStep(member.step), member.state(rows), tokens) for member in members]
    for place, said in enumerate(together):
        each = [one[place] for one in alone]
        mean = np.mean([stepped.log_probs.tensor.exp().numpy() for stepped in each], axis=0)
        np.testing.assert_allclose(said.log_probs.tensor.exp().numpy(), mean, rtol=1e-12)
        for mine, alone_said in zip(said.state, each, strict=True):
            assert all(a.equal(b) for a, b in zip(mine, alone_said.state, strict=True))
        attended = [stepped.weights for stepped in each if stepped.weights is not None]
        if attended:
            assert said.weights is not None
            np.testing.assert_allclose(said.weights, np.mean(attended, axis=0), rtol=1e-6)
        else:
            assert said.weights is None


def test_copies_of_a_model_are_that_model() -> None:
    member = Member(1, 2)

    def find(step: DecoderStep[Any], state: Callable[[int], Any]) -> list[tuple[int, ...]]:
        found = beam_search(step, state(5), DecodingProblem(0, 1, [3, 4, 5, 6, 7]), BeamSearch(n_best=3))
        return [each.tokens for sentence in found for each in sentence.hypotheses]

    one = TensorStep(member.step)
    assert find(Ensemble([one] * 3), lambda rows: (member.state(rows),) * 3) == find(one, member.state)


def test_what_one_member_thinks_impossible_is_left_to_the_other() -> None:
    def said(*probs: float) -> TensorStep:
        return TensorStep(lambda tokens, state: Stepped(torch.tensor([probs]).log(), state, None))

    step = Ensemble([said(1.0, 0.0, 0.0), said(0.5, 0.5, 0.0)])
    log_probs = step(np.array([0]), ((), ())).log_probs.numpy()[0].tolist()
    assert log_probs == pytest.approx([math.log(0.75), math.log(0.25), -math.inf])


def test_certainty_is_not_above_0() -> None:
    certain = torch.tensor([[0.0, -math.inf]])
    for count in range(1, 20):
        step = Ensemble([TensorStep(lambda tokens, state: Stepped(certain, state, None))] * count)
        assert step(np.array([0]), ((),) * count).log_probs.numpy().max() <= 0


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="needs members"):
        Ensemble([])
    members = [Member(0, 1), Member(0, 1, size=SIZE + 1)]
    step = Ensemble([TensorStep(member.step) for member in members])
    with pytest.raises(ValueError, match="vocabularies"):
        step(np.array([0]), tuple(member.state(1) for member in members))
