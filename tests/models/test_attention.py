"""Attention scores against the papers' formulas, number by number."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.models import attention as module
from recurra.models.attention import Attention, AttentionName, attention_scores

sizes = st.integers(1, 5)
each_kind = pytest.mark.parametrize("kind", ["additive", "multiplicative"])


def test_many_scores_are_worked_out_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    query, keys, vector = torch.randn(2, 7, 4), torch.randn(2, 3, 4), torch.randn(4)
    whole = attention_scores(query, keys, vector)
    for most in (1, 2 * keys.numel(), 5 * keys.numel()):
        monkeypatch.setattr(module, "MOST_FEATURES", most)
        torch.testing.assert_close(attention_scores(query, keys, vector), whole, rtol=0, atol=1e-6)


@each_kind
@given(batch=sizes, queries=sizes, positions=sizes, size=sizes, seed=st.integers(0, 1000))
def test_scores_are_the_formula(
    kind: AttentionName, batch: int, queries: int, positions: int, size: int, seed: int
) -> None:
    torch.manual_seed(seed)
    attention = Attention(kind, 3, 4, size).double()
    if attention.score is not None:
        attention.key.bias.data.normal_()
    query, values = torch.randn(batch, queries, 3).double(), torch.randn(batch, positions, 4).double()
    scores = attention_scores(attention.query(query), attention.key(values), attention.score).detach()
    assert scores.shape == (batch, queries, positions)
    w, u = attention.query.weight.tolist(), attention.key.weight.tolist()
    for row in range(batch):
        for place, one in enumerate(query[row].tolist()):
            for position, value in enumerate(values[row].tolist()):
                asked = [sum(a * b for a, b in zip(line, one, strict=True)) for line in w]
                found = [sum(a * b for a, b in zip(line, value, strict=True)) for line in u]
                if attention.score is None:
                    expected = sum(a * b for a, b in zip(asked, found, strict=True)) / math.sqrt(size)
                else:
                    v, bias = attention.score.tolist(), attention.key.bias.tolist()
                    expected = sum(v[n] * math.tanh(asked[n] + found[n] + bias[n]) for n in range(size))
                assert float(scores[row, place, position]) == pytest.approx(expected, rel=1e-10, abs=1e-12)


@each_kind
@torch.no_grad()
def test_scores_begin_with_a_variance_of_about_one(kind: AttentionName) -> None:
    torch.manual_seed(0)
    attention = Attention(kind, 64, 96, 128)
    query, values = torch.randn(40, 10, 64), torch.randn(40, 12, 96)
    scores = attention_scores(attention.query(query), attention.key(values), attention.score)
    assert 0.4 < float(scores.std()) < 1.4
    assert abs(float(scores.mean())) < 0.2


def test_only_additive_attention_has_a_vector_and_a_bias() -> None:
    def names(kind: AttentionName) -> list[str]:
        return sorted(name for name, _ in Attention(kind, 2, 3, 4).named_parameters())

    assert names("additive") == ["key.bias", "key.weight", "query.weight", "score"]
    assert names("multiplicative") == ["key.weight", "query.weight"]
