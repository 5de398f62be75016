"""The compiled draw against its NumPy twin and against what the options promise."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.arrays import FloatArray
from recurra.decoding.drawing import draw_plainly
from recurra.kernels.sampling import draw

LAST_UNIFORM = math.nextafter(1.0, 0.0)

# Few different values, so that ties are frequent, among them the hard ones.
logit_values = st.one_of(
    st.sampled_from([-math.inf, -0.0, 0.0, 1.0, -1e4, 3e38, -3e38, 88.0, -88.0, 1e-40]), st.floats(-30, 30, width=32)
)
logit_lists = st.lists(logit_values, min_size=1, max_size=40).filter(lambda values: max(values) > -math.inf)
uniforms = st.one_of(st.sampled_from([0.0, LAST_UNIFORM, 0.5]), st.floats(0, LAST_UNIFORM))
temperatures = st.sampled_from([0.0, 5e-324, 1e-6, 0.3, 1.0, 2.5, 1e6, 1e300])


def sample(
    logits: FloatArray, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, uniform: float = 0.5
) -> tuple[int, float]:
    """`draw` with scratch space of its own, full of leftovers."""
    weights, keys = np.full(len(logits), np.nan, np.float32), np.full(len(logits), 12345, np.int32)
    return draw(logits, temperature, top_k, top_p, uniform, weights, keys)


def drawable(logits: FloatArray, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> set[int]:
    """What can be drawn at all, found by trying 500 uniform numbers."""
    return {sample(logits, temperature, top_k, top_p, float(uniform))[0] for uniform in np.arange(500) / 500}


def test_draw_is_its_reference() -> None:
    rng = np.random.default_rng(0)
    for _ in range(2000):
        vocabulary_size = int(rng.integers(1, 2000))
        logits = (rng.uniform(0.1, 6) * rng.standard_normal(vocabulary_size)).astype(np.float32)
        if rng.random() < 0.3:
            logits = np.round(logits)  # many ties
        if rng.random() < 0.3:
            logits[1:][rng.random(vocabulary_size - 1) < 0.5] = -np.inf
        temperature = float(rng.choice([0.0, 0.2, 0.7, 1.0, 1.7, 50.0]))
        top_k = int(rng.choice([0, 0, 1, 2, 5, 40, 3000]))
        top_p = float(rng.choice([1.0, 1.0, rng.uniform(0.001, 1), 0.95]))
        uniform = float(rng.random())
        token, log_prob = sample(logits, temperature, top_k, top_p, uniform)

        # Within float32's rounding of a boundary either side of it is right.
        expected = [
            draw_plainly(logits, temperature, top_k, near_top_p, near_uniform)
            for near_top_p in {top_p, min(top_p + 2e-6, 1.0) if top_p < 1 else 1.0, max(top_p - 2e-6, 1e-9)}
            for near_uniform in {uniform, max(uniform - 2e-6, 0.0), min(uniform + 2e-6, LAST_UNIFORM)}
        ]
        assert token in [expected_token for expected_token, _ in expected]
        assert log_prob == pytest.approx(dict(expected)[token], abs=1e-5)


@settings(deadline=None, max_examples=400)
@given(logit_lists, temperatures, st.integers(0, 45), st.floats(1e-6, 1), uniforms)
def test_what_is_drawn_is_possible_and_kept(
    values: list[float], temperature: float, top_k: int, top_p: float, uniform: float
) -> None:
    logits = np.array(values, np.float32)
    before = logits.copy()
    token, log_prob = sample(logits, temperature, top_k, top_p, uniform)

    assert logits[token] > -np.inf
    np.testing.assert_array_equal(logits, before)
    # The rank of the token: how many are more probable, or as probable and earlier.
    rank = int(np.sum(logits > logits[token]) + np.sum(logits[:token] == logits[token]))
    if temperature == 0:
        assert rank == 0
    elif top_k > 0:
        assert rank < top_k
    expected = torch.log_softmax(torch.from_numpy(logits).double(), dim=0)[token]
    assert log_prob == pytest.approx(float(expected), rel=1e-6, abs=2e-6)
    assert type(token) is int
    assert type(log_prob) is float


@settings(deadline=None, max_examples=200)
@given(logit_lists, temperatures.filter(lambda temperature: temperature > 0), st.floats(1e-3, 0.999), uniforms)
def test_top_p_draws_from_the_smallest_set_with_that_mass(
    values: list[float], temperature: float, top_p: float, uniform: float
) -> None:
    logits = np.array(values, np.float32)
    token, _ = sample(logits, temperature, 0, top_p, uniform)
    with np.errstate(over="ignore"):
        probs = torch.softmax(torch.from_numpy((logits.astype(np.float64) - logits.max()) / temperature), dim=0).numpy()
    assert probs[token] > 0
    before_it = probs[logits > logits[token]].sum() + probs[:token][logits[:token] == logits[token]].sum()
    assert before_it < top_p + 1e-5


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(1.0, 0, 1.0), (0.6, 0, 1.0), (1.4, 6, 1.0), (1.0, 0, 0.8), (0.9, 8, 0.9)]
)
def test_frequencies_are_the_probabilities(temperature: float, top_k: int, top_p: float) -> None:
    rng = np.random.default_rng(7)
    logits = (1.5 * rng.standard_normal(12)).astype(np.float32)
    probs = torch.softmax(torch.from_numpy(logits).double() / temperature, dim=0).numpy()
    order = np.argsort(-probs)
    if top_k:
        probs[order[top_k:]] = 0
        probs /= probs.sum()
    if top_p < 1:
        probs[order[1:][np.cumsum(probs[order])[:-1] >= top_p]] = 0
        probs /= probs.sum()

    draws = 20_000
    tokens = [sample(logits, temperature, top_k, top_p, float(uniform))[0] for uniform in rng.random(draws)]
    counts = np.bincount(tokens, minlength=12)
    sigma = np.sqrt(draws * probs * (1 - probs))
    assert np.all(np.abs(counts - draws * probs) <= 4.5 * sigma)  # also: zero where the probability is


def test_uniform_inverts_the_cumulative_distribution() -> None:
    logits = np.log(np.array([0.5, 0.25, 0.125, 0.125], np.float32))
    at = {0.0: 0, 0.49: 0, 0.51: 1, 0.74: 1, 0.76: 2, 0.87: 2, 0.88: 3, LAST_UNIFORM: 3}
    assert {uniform: sample(logits, uniform=uniform)[0] for uniform in at} == at
    equal = np.zeros(4096, np.float32)  # Its weights are ones: every boundary is exact.
    for token in (0, 1, 511, 512, 513, 1023, 1024, 4095):
        assert sample(equal, uniform=token / 4096)[0] == token
        assert sample(equal, uniform=(token + 1) / 4096 - 1e-12)[0] == token


def test_temperature_zero_takes_the_first_of_the_most_probable() -> None:
    assert sample(np.array([1, 3, -2, 3, 3], np.float32), temperature=0.0)[0] == 1
    assert sample(np.array([-1, -0.0, 0.0], np.float32), temperature=0.0)[0] == 1
    assert sample(np.array([-np.inf, -np.inf, -1e30], np.float32), temperature=0.0)[0] == 2
    assert sample(np.zeros(3, np.float32), temperature=0.0, top_k=2, top_p=0.5, uniform=0.9)[0] == 0


def test_ties_are_kept_from_the_lowest_index_on() -> None:
    equal = np.zeros(10, np.float32)
    assert drawable(equal, top_k=3) == {0, 1, 2}
    assert drawable(equal, top_p=0.5) == {0, 1, 2, 3, 4}
    assert drawable(equal, top_p=0.51) == {0, 1, 2, 3, 4, 5}
    assert drawable(equal, top_k=4, top_p=0.5) == {0, 1}  # Half the mass of what top-k left.
    assert drawable(np.array([0, 1, 0, -0.0, 0], np.float32), top_k=3) == {0, 1, 2}


def test_top_k_of_one_and_a_tiny_top_p_take_the_most_probable() -> None:
    logits = np.random.default_rng(0).standard_normal(300).astype(np.float32)
    best = int(logits.argmax())
    assert drawable(logits, 30.0, top_k=1) == {best}
    assert drawable(logits, 30.0, top_p=1e-9) == {best}
    assert len(drawable(logits, 1e6, top_k=300)) > 200


def test_masked_tokens_are_never_drawn() -> None:
    logits = np.zeros(2000, np.float32)
    logits[::2] = -np.inf
    logits[1500:] = -np.inf
    for options in ({}, {"top_k": 1800}, {"top_p": 0.999}, {"temperature": 1e300}, {"temperature": 5e-324}):
        for uniform in (0.0, 0.3, 0.9999999, LAST_UNIFORM):
            token = sample(logits, uniform=uniform, **options)[0]  # type: ignore[arg-type]
            assert token % 2 == 1
            assert token < 1500


def test_the_last_uniform_is_safe_whatever_the_sums_round_to() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        logits = (rng.uniform(1, 40) * rng.standard_normal(int(rng.integers(1, 3000)))).astype(np.float32)
        logits[rng.random(len(logits)) < 0.2] = -np.inf
        logits[0] = 0
        token = sample(logits, uniform=LAST_UNIFORM)[0]
        assert logits[token] > logits.max() - 87.001


def test_the_result_is_the_same_each_time() -> None:
    logits = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    assert len({sample(logits, 0.8, 50, 0.9, 0.77) for _ in range(20)}) == 1


@pytest.mark.parametrize("draw_it", [sample, draw_plainly])
@pytest.mark.parametrize(
    ("logits", "temperature", "top_k", "top_p", "uniform"),
    [
        ([0.0, 1.0], -1.0, 0, 1.0, 0.5),
        ([0.0, 1.0], math.nan, 0, 1.0, 0.5),
        ([0.0, 1.0], 1.0, -1, 1.0, 0.5),
        ([0.0, 1.0], 1.0, 0, 0.0, 0.5),
        ([0.0, 1.0], 1.0, 0, 1.1, 0.5),
        ([0.0, 1.0], 1.0, 0, 1.0, 1.0),
        ([0.0, 1.0], 1.0, 0, 1.0, -0.1),
        ([0.0, math.nan], 1.0, 0, 1.0, 0.5),
        ([0.0, math.inf], 1.0, 0, 1.0, 0.5),
        ([-math.inf, -math.inf], 1.0, 0, 1.0, 0.5),
        ([], 1.0, 0, 1.0, 0.5),
    ],
)
def test_what_cannot_be_drawn_from_is_an_error(draw_it, logits, temperature, top_k, top_p, uniform) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="draw"):
        draw_it(np.array(logits, np.float32), temperature, top_k, top_p, uniform)


def test_scratch_of_another_size_is_an_error() -> None:
    logits = np.zeros(5, np.float32)
    with pytest.raises(ValueError, match="draw"):
        draw(logits, 1.0, 0, 1.0, 0.5, np.empty(4, np.float32), np.empty(5, np.int32))
    with pytest.raises(ValueError, match="draw"):
        draw(logits, 1.0, 0, 1.0, 0.5, np.empty(5, np.float32), np.empty(4, np.int32))
