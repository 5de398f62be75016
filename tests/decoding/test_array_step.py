"""Searches on arrays are those on tensors; the largest of a row are the largest."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data.buckets import pad
from recurra.decoding.array_step import BLOCK, ArrayLogProbs, ArrayReader, most_probable, token_encoder
from recurra.decoding.beam_search import BeamSearch
from recurra.decoding.decoder_step import TensorLogProbs, TensorReader
from recurra.decoding.decoder_step import token_encoder as tensor_encoder
from recurra.decoding.ensemble import Ensemble
from recurra.decoding.sampling import Sampling
from recurra.decoding.seq2seq import Request, draw_all, search_all
from recurra.modelfile import unique_tensors
from recurra.models.architecture import EncoderDecoderArchitecture
from recurra.models.encoder_decoder import EncoderDecoder
from recurra.runtime import encoder_decoder as light
from recurra.tasks.shared.sizes import decoder_sizes

SIZE, START, END = 40, 0, 1


class Target:
    """What is written: the start is not."""

    start, end, unwritable = START, END, [START]


def twins(seed: int, attention: Any = "additive", cell: Any = "lstm") -> tuple[EncoderDecoder, light.EncoderDecoder]:
    """The same network twice, of random weights."""
    torch.manual_seed(seed)
    architecture = EncoderDecoderArchitecture(
        cell, 8, 2, 6, 0.0, 0.0, tied=False, attention=attention, word_dropout=0.0
    )
    heavy = EncoderDecoder(SIZE, None, architecture)
    with torch.no_grad():
        for parameter in heavy.parameters():
            parameter.normal_(std=0.7)
        heavy.decoder.output.bias[END] += 2
    weights = {name: tensor.numpy() for name, tensor in unique_tensors(heavy).items()}
    sizes = light.EncoderDecoderSizes(SIZE, decoder_sizes(architecture, SIZE, 16), True)
    return heavy, light.EncoderDecoder(sizes, weights)


def requests(pairs: list[tuple[EncoderDecoder, light.EncoderDecoder]], count: int, seed: int) -> list[Request]:
    """The same wish to networks and to their twins: prefixes, required runs and suppressed tokens among it."""
    rng = np.random.default_rng(seed)
    sources = [rng.integers(2, SIZE, size=rng.integers(1, 7)) for _ in range(count)]
    readers = (
        [TensorReader(heavy, tensor_encoder(sources)) for heavy, _ in pairs],
        [ArrayReader(twin.decoder, token_encoder(twin, sources)) for _, twin in pairs],
    )
    prefixes = [rng.integers(2, SIZE, size=rng.integers(0, 2)).tolist() for _ in sources]
    required = [[[rng.integers(2, SIZE, size=2).tolist()]] if n % 3 == 0 else [] for n in range(count)]
    suppressed = [rng.choice(SIZE - 2, size=3, replace=False) + 2 for _ in sources]
    suppressed = [[t for t in each.tolist() if not need or t not in need[0][0]]
                  for each, need in zip(suppressed, required, strict=True)]  # fmt: skip
    positions, limits = [len(source) for source in sources], [len(source) + 4 for source in sources]
    return [Request(each, positions, Target(), limits, prefixes, required, suppressed) for each in readers]


@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**16),
    members=st.integers(1, 3),
    count=st.integers(1, 9),
    attention=st.sampled_from(["additive", "multiplicative", "none"]),
    beam_size=st.integers(1, 6),
    runs=st.integers(0, 2),
)
def test_a_search_finds_the_same_on_arrays_and_on_tensors(
    seed: int, members: int, count: int, attention: str, beam_size: int, runs: int
) -> None:
    heavy, twin = requests([twins(seed + n, attention) for n in range(members)], count, seed)
    options = BeamSearch(
        beam_size=beam_size,
        n_best=beam_size,
        no_repeat_ngram_size=runs,
        coverage_penalty=0.0 if attention == "none" else 0.1,
    )
    for expected, found in zip(search_all(heavy, options), search_all(twin, options), strict=True):
        assert [each.tokens for each in found.hypotheses] == [each.tokens for each in expected.hypotheses]
        for mine, other in zip(found.hypotheses, expected.hypotheses, strict=True):
            assert mine.score == pytest.approx(other.score, abs=1e-4)
            assert mine.log_probs == pytest.approx(other.log_probs, abs=1e-4)
            if other.weights is not None:
                np.testing.assert_allclose(mine.weights, other.weights, atol=1e-4)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**16), count=st.integers(1, 5))
def test_a_seed_draws_the_same_on_arrays_and_on_tensors(seed: int, count: int) -> None:
    heavy, twin = (request._replace(required=None) for request in requests([twins(seed), twins(seed + 1)], count, seed))
    asked = BeamSearch(no_repeat_ngram_size=2), Sampling(seed=seed, temperature=0.9), range(count)
    for expected, found in zip(draw_all(heavy, *asked), draw_all(twin, *asked), strict=True):
        assert found.tokens == expected.tokens
        assert found.log_probs == pytest.approx(expected.log_probs, abs=1e-4)


def test_what_is_suppressed_for_a_sentence_is_not_written_for_it() -> None:
    heavy, twin = requests([twins(3)], 6, 3)
    free = search_all(twin._replace(suppressed=None, required=None), BeamSearch())
    best = [each.hypotheses[0].tokens for each in free]
    barred = [sorted(set(tokens))[:2] for tokens in best]
    for request in (heavy, twin):
        found = search_all(request._replace(suppressed=barred, required=None), BeamSearch())
        for each, never, prefix in zip(found, barred, request.prefixes, strict=True):
            assert not set(each.hypotheses[0].tokens[len(prefix) :]) & set(never)
    assert any(barred)


@given(
    rows=st.sampled_from([1, 5]),
    size=st.integers(1, 30 * BLOCK),
    count=st.integers(1, 9),
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(["", "ties", "impossible", "rising", "nan"]),
)
def test_the_most_probable_are_the_largest(rows: int, size: int, count: int, seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    log_probs = rng.normal(-10, 3, (rows, size)).astype(np.float32)
    if kind == "ties":
        log_probs = log_probs.round()
    elif kind == "impossible":
        log_probs[rng.random(log_probs.shape) < 0.999] = -np.inf
    elif kind == "rising":
        log_probs += np.linspace(-20, 0, size, dtype=np.float32)
    elif kind == "nan":
        log_probs[:, rng.integers(size)] = np.nan
    count = min(count, size)
    tokens = most_probable(log_probs, count)
    values = np.take_along_axis(log_probs, tokens, axis=1)
    if kind == "nan":
        assert np.isnan(values).any(axis=1).all(), "what is no number is seen"
        return
    np.testing.assert_array_equal(values, -np.sort(-log_probs, axis=1)[:, :count])
    assert all(len(set(row)) == len(row) for row in tokens.tolist())


@given(seed=st.integers(0, 2**32), others=st.integers(0, 3))
def test_log_probabilities_in_arrays_are_those_in_tensors(seed: int, others: int) -> None:
    rng = np.random.default_rng(seed)
    kept = [np.log(rng.dirichlet(np.ones(30), 4)).astype(np.float32) for _ in range(others + 1)]
    kept[0][0] = [0.0] + [-math.inf] * 29
    rows, tokens, named = rng.integers(0, 4, 5), rng.integers(1, 30, 5), rng.integers(0, 30, (4, 2))
    answers = []
    for kind in (ArrayLogProbs, lambda array: TensorLogProbs(torch.from_numpy(array))):
        first, *rest = (kind(array.copy()) for array in kept)
        mean = first.mean(rest)
        assert mean.numpy().max() <= 0
        assert mean.vocabulary_size == 30
        less = mean.without(rows, tokens)
        assert np.isneginf(less.numpy()[rows, tokens]).all()
        answers.append((mean.numpy(), less.numpy(), less.largest(3, named)[0]))
    for mine, other in zip(*answers, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)


def test_an_ensemble_of_one_model_is_that_model() -> None:
    _, twin = twins(5)
    padded = pad([np.array([2, 3, 4]), np.array([5])])
    reader = ArrayReader(twin.decoder, lambda batch: twin.encode(padded.tokens[batch], padded.mask[batch]))
    (step, state), (other, other_state) = reader.begin([0, 1]), reader.begin([0, 1])
    together = Ensemble([step, other])
    tokens = np.array([6, 7])
    alone, both = step(tokens, state), together(tokens, (state, other_state))
    np.testing.assert_allclose(both.log_probs.numpy(), alone.log_probs.numpy(), atol=1e-6)
    np.testing.assert_allclose(both.weights, alone.weights, atol=1e-6)
