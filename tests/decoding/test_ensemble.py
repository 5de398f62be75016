"""Ensembles against the mean of probabilities computed plainly."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recurra.decoding.beam_search import BeamSearch, DecodingProblem, beam_search
from recurra.decoding.ensemble import ensemble, join, split
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

    def step(self, tokens: Tensor, state: tuple[Tensor, ...]) -> StepOutput:
        state = tuple((part * (place + 3) + tokens + 1) % 1000 for place, part in enumerate(state))
        place = sum(state)[0] % 40  # type: ignore[index]
        weights = None if self.weights is None else self.weights[place]
        return StepOutput(self.table[place], state, weights)


def run(step: DecoderStep, state: tuple[Tensor, ...], tokens: list[list[int]]) -> list[StepOutput]:
    """What a step says to each row of tokens."""
    said = []
    for column in zip(*tokens, strict=True):
        said.append(step(torch.tensor(column), state))
        state = said[-1].state
    return said


texts = st.lists(st.lists(st.integers(0, SIZE - 1), min_size=4, max_size=4), min_size=1, max_size=3)


@given(parts=st.lists(st.integers(1, 3), min_size=1, max_size=4), tokens=texts, data=st.data())
def test_the_mean_of_probabilities(parts: list[int], tokens: list[list[int]], data: st.DataObject) -> None:
    members = [Member(seed, count, data.draw(st.booleans())) for seed, count in enumerate(parts)]
    rows = len(tokens)
    together = run(ensemble([m.step for m in members], parts), join([m.state(rows) for m in members]), tokens)
    alone = [run(member.step, member.state(rows), tokens) for member in members]
    for place, said in enumerate(together):
        each = [one[place] for one in alone]
        mean = np.mean([stepped.log_probs.exp().numpy() for stepped in each], axis=0)
        np.testing.assert_allclose(said.log_probs.exp().numpy(), mean, rtol=1e-12)
        assert all(a.equal(b) for a, b in zip(said.state, join([s.state for s in each]), strict=True))
        attended = [stepped.weights.numpy() for stepped in each if stepped.weights is not None]
        if attended:
            assert said.weights is not None
            np.testing.assert_allclose(said.weights.numpy(), np.mean(attended, axis=0), rtol=1e-12)
        else:
            assert said.weights is None


def test_copies_of_a_model_are_that_model() -> None:
    member = Member(1, 2)

    def find(step: DecoderStep, state: Callable[[int], tuple[Tensor, ...]]) -> list[tuple[int, ...]]:
        found = beam_search(step, state(5), DecodingProblem(0, 1, [3, 4, 5, 6, 7]), BeamSearch(n_best=3))
        return [each.tokens for sentence in found for each in sentence.hypotheses]

    three = ensemble([member.step] * 3, [2] * 3)
    assert find(three, lambda rows: join([member.state(rows)] * 3)) == find(member.step, member.state)


def test_what_one_member_thinks_impossible_is_left_to_the_other() -> None:
    def said(*probs: float) -> DecoderStep:
        return lambda tokens, state: StepOutput(torch.tensor([probs]).log(), state, None)

    step = ensemble([said(1.0, 0.0, 0.0), said(0.5, 0.5, 0.0)], [0, 0])
    log_probs = step(torch.tensor([0]), ()).log_probs[0].tolist()
    assert log_probs == pytest.approx([math.log(0.75), math.log(0.25), -math.inf])


def test_certainty_is_not_above_0() -> None:
    certain = torch.tensor([[0.0, -math.inf]])
    for count in range(1, 20):
        step = ensemble([lambda tokens, state: StepOutput(certain, state, None)] * count, [0] * count)
        assert float(step(torch.tensor([0]), ()).log_probs.max()) <= 0


@given(parts=st.lists(st.integers(0, 4), max_size=5))
def test_states_split_as_they_were_joined(parts: list[int]) -> None:
    states = [tuple(torch.full((1, 2), 10 * member + place) for place in range(n)) for member, n in enumerate(parts)]
    again = split(join(states), parts)
    assert [[int(part[0, 0]) for part in state] for state in again] == [
        [int(part[0, 0]) for part in state] for state in states
    ]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="needs members"):
        ensemble([], [])
    with pytest.raises(ValueError, match="needs members"):
        ensemble([Member(0, 1).step], [1, 1])
    with pytest.raises(ValueError, match="of 3 tensors"):
        split(Member(0, 3).state(1), [1, 1])
    other = Member(0, 1, size=SIZE + 1)
    step = ensemble([Member(0, 1).step, other.step], [1, 1])
    with pytest.raises(ValueError, match="vocabularies"):
        step(torch.tensor([0]), join([other.state(1), other.state(1)]))
