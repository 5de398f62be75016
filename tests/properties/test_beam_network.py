"""Beam search on a recurrent network, whose numbers are rounded differently at each batch size."""

import itertools
from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from recurra.decoding.beam_search import BeamResult, BeamSearch, DecodingProblem, beam_search
from recurra.decoding.decoder_step import Stepped, TensorStep


class Net(NamedTuple):
    """A recurrent decoder with attention, of random weights; State: (hidden, annotations of the row's sentence)."""

    embedding: Tensor
    recurrent: Tensor
    output: Tensor

    def step(self, tokens: Tensor, state: tuple[Tensor, ...]) -> Stepped:
        hidden, keys = state[0][0], state[1][0]
        scores = (keys * hidden[:, None]).sum(dim=2)
        weights = scores.masked_fill((keys == 0).all(dim=2), -torch.inf).softmax(dim=1)
        context = (weights[:, :, None] * keys).sum(dim=1)
        hidden = torch.tanh(torch.cat([self.embedding[tokens], hidden, context], dim=1) @ self.recurrent)
        return Stepped((hidden @ self.output).log_softmax(dim=1), (hidden[None], keys[None]), weights)


def test_a_network_in_batches_of_1_7_and_64(tried: Counter[str]) -> None:
    """Whose sums are rounded differently at each batch size."""
    generator = torch.Generator().manual_seed(5)
    size, units, count, length = 200, 24, 64, 9
    net = Net(
        torch.randn(size, units, generator=generator),
        torch.randn(3 * units, units, generator=generator) / 3,
        torch.randn(units, size, generator=generator) / 3,
    )
    positions = torch.randint(1, length + 1, (count,), generator=generator).tolist()
    keys = torch.randn(count, length, units, generator=generator)
    for row, real in zip(keys, positions, strict=True):
        row[real:] = 0
    hidden = torch.randn(count, units, generator=generator)
    options = BeamSearch(beam_size=4, n_best=4, coverage_penalty=0.1, no_repeat_ngram_size=2)

    def find(begin: int, batch: int) -> list[BeamResult]:
        some = slice(begin, begin + batch)
        longest = max(positions[some])
        state = (hidden[None, some], keys[None, some, :longest])
        limits = [real + 5 for real in positions[some]]
        return beam_search(
            TensorStep(net.step), state, DecodingProblem(0, 1, limits, positions=positions[some]), options
        )

    large = find(0, count)
    for batch in (1, 7):
        found = list(itertools.chain(*(find(begin, batch) for begin in range(0, count, batch))))
        for one, other in zip(found, large, strict=True):
            assert [each.tokens for each in one.hypotheses] == [each.tokens for each in other.hypotheses]
            for hypothesis, twin in zip(one.hypotheses, other.hypotheses, strict=True):
                assert hypothesis.score == pytest.approx(twin.score, abs=1e-5)
                assert hypothesis.log_probs == pytest.approx(twin.log_probs, abs=1e-4)
                np.testing.assert_allclose(hypothesis.weights, twin.weights, atol=1e-4)
    tried["beam search, sentences: a recurrent network's are the same in batches of 1, 7 and 64"] += count
