"""Drawing tokens one after another: what may be drawn, how often, and that a seed says it all."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from recurra.arrays import FloatArray
from recurra.decoding.sampling import Drawn, Sampling, read, sample_tokens
from recurra.errors import OptionError, RecurraError


class Table:
    """A model whose next token depends on the last one and on how many there were, to be seen through."""

    def __init__(self, size: int, seed: int, scale: float = 2.0) -> None:
        rng = np.random.default_rng(seed)
        self.logits = (scale * rng.standard_normal((size, size))).astype(np.float32)
        self.read: list[int] = []

    def step(self, token: int, state: int) -> tuple[FloatArray, int]:
        self.read.append(token)
        return np.roll(self.logits[token], state), state + 1


def draws(table: Table, length: int, sampling: Sampling, seed: int = 0, forbidden: Sequence[int] = ()) -> list[Drawn]:
    logits, state = read(table.step, [0], 0)
    suppressed = np.array(forbidden, dtype=np.int64)
    generator = np.random.default_rng(seed)
    return list(islice(sample_tokens(table.step, logits, state, sampling, generator, lambda state: suppressed), length))


def log_softmax(logits: FloatArray) -> NDArray[np.float64]:
    wide = logits.astype(np.float64)
    return wide - np.log(np.exp(wide - wide.max()).sum()) - wide.max()


def first(logits: Sequence[float], sampling: Sampling, count: int = 4000, **options: Any) -> Counter[int]:
    """How often each token is drawn first in `count` texts that differ in nothing but chance."""
    array = np.array(logits, dtype=np.float32)
    generator = np.random.default_rng(0)

    def still(token: int, state: None) -> tuple[FloatArray, None]:
        return array, None

    drawn = islice(sample_tokens(still, array, None, sampling, generator, **options), count)
    return Counter(item.token for item in drawn)


samplings = st.builds(
    Sampling,
    temperature=st.floats(0.1, 3),
    top_k=st.integers(0, 6),
    top_p=st.floats(0.05, 1),
    greedy=st.booleans(),
)


@given(size=st.integers(2, 9), seed=st.integers(0, 1000), sampling=samplings, data=st.data())
def test_each_draw_is_fed_back_and_has_the_models_own_log_probability(
    size: int, seed: int, sampling: Sampling, data: st.DataObject
) -> None:
    forbidden = data.draw(st.lists(st.integers(0, size - 1), max_size=size - 1, unique=True))
    table = Table(size, seed)
    before = table.logits.copy()
    drawn = draws(table, 12, sampling, seed, forbidden)
    assert table.read == [0, *(item.token for item in drawn)][: len(table.read)]
    last = 0
    for place, item in enumerate(drawn):
        # As if there were no options: temperature 1, nothing cut off, nothing forbidden.
        expected = log_softmax(np.roll(before[last], place))[item.token]
        assert item.log_prob == pytest.approx(expected, abs=1e-5)
        assert item.token not in forbidden
        last = item.token
    np.testing.assert_array_equal(table.logits, before)


@given(seed=st.integers(0, 1000), sampling=samplings)
def test_the_same_seed_draws_the_same(seed: int, sampling: Sampling) -> None:
    assert draws(Table(7, 1), 20, sampling, seed) == draws(Table(7, 1), 20, sampling, seed)


def test_another_seed_draws_something_else() -> None:
    drawn = {tuple(item.token for item in draws(Table(7, 1), 20, Sampling(), seed)) for seed in range(20)}
    assert len(drawn) == 20


@given(seed=st.integers(0, 1000), forbidden=st.none() | st.integers(0, 6))
def test_argmax_takes_the_most_probable_whatever_else_is_asked(seed: int, forbidden: int | None) -> None:
    table = Table(7, seed)
    options = Sampling(greedy=True, temperature=50.0, top_k=3, top_p=0.9)
    suppressed = [] if forbidden is None else [forbidden]
    last = 0
    for place, item in enumerate(draws(table, 15, options, seed, suppressed)):
        logits = np.roll(table.logits[last], place)
        logits[suppressed] = -np.inf
        assert item.token == int(np.argmax(logits))
        last = item.token


@pytest.mark.parametrize("temperature", [0.25, 1.0, 4.0])
def test_frequencies_are_those_of_the_distribution_at_its_temperature(temperature: float) -> None:
    logits = np.array([2.0, 1.0, 0.0, -1.0, 0.5], dtype=np.float32)
    count = 20_000
    seen = first(logits.tolist(), Sampling(temperature=temperature), count)
    shares = np.exp(log_softmax(logits / np.float32(temperature)))
    for token, share in enumerate(shares):
        assert abs(seen[token] / count - share) < 5 * math.sqrt(share * (1 - share) / count) + 1e-9


@pytest.mark.parametrize("top_k", [1, 2, 3, 5, 100])
def test_top_k_keeps_the_k_most_probable_in_their_proportion(top_k: int) -> None:
    logits = [0.0, 3.0, 1.0, 2.5, -1.0]
    count = 10_000
    seen = first(logits, Sampling(temperature=1.0, top_k=top_k), count)
    kept = np.argsort(logits)[::-1][:top_k]
    assert set(seen) == set(kept.tolist())
    shares = np.exp([logits[token] for token in kept])
    for token, share in zip(kept, shares / shares.sum(), strict=True):
        assert abs(seen[int(token)] / count - share) < 5 * math.sqrt(share * (1 - share) / count) + 1e-9


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.3, {1}), (0.49, {1}), (0.51, {1, 3}), (0.79, {1, 3}), (0.85, {0, 1, 3})]
)
def test_top_p_keeps_the_fewest_that_reach_it(top_p: float, kept: set[int]) -> None:
    shares = [0.15, 0.5, 0.05, 0.3]
    assert set(first(np.log(shares).tolist(), Sampling(temperature=1.0, top_p=top_p))) == kept


def test_top_p_counts_at_the_temperature_and_after_top_k() -> None:
    logits = np.log([0.15, 0.5, 0.05, 0.3]).tolist()
    # Colder, the first alone has more than 0.6; warmer, the first two have less.
    assert set(first(logits, Sampling(temperature=0.3, top_p=0.6))) == {1}
    assert set(first(logits, Sampling(temperature=5.0, top_p=0.6))) == {0, 1, 3}
    # Of the two that are kept, the first has 0.625.
    assert set(first(logits, Sampling(temperature=1.0, top_k=2, top_p=0.6))) == {1}


def test_what_is_forbidden_is_never_drawn_and_the_rest_keep_their_proportion() -> None:
    seen = first([5.0, 1.0, 0.0], Sampling(temperature=1.0), 10_000, forbidden=lambda state: np.array([0]))
    assert set(seen) == {1, 2}
    assert abs(seen[1] / 10_000 - math.e / (1 + math.e)) < 0.03


class Rule(NamedTuple):
    """A state in which a token is forbidden that comes out of all before it."""

    seen: int = 0

    def forbidden(self, size: int) -> NDArray[np.int64]:
        return np.array([place for place in range(size) if (self.seen * 7 + place) % 3 == 0 and place], dtype=np.int64)


@given(size=st.integers(2, 9), seed=st.integers(0, 1000), sampling=samplings)
def test_what_is_forbidden_may_depend_on_the_state(size: int, seed: int, sampling: Sampling) -> None:
    logits = np.random.default_rng(seed).normal(0, 3, (50, size)).astype(np.float32)

    def step(token: int, state: Rule) -> tuple[FloatArray, Rule]:
        after = Rule(state.seen + 1 + token)
        return logits[after.seen % 50], after

    def draw() -> list[Drawn]:
        generator = np.random.default_rng(seed)
        drawn = sample_tokens(step, logits[0], Rule(), sampling, generator, lambda state: state.forbidden(size))
        return list(islice(drawn, 20))

    state = Rule()
    for item in draw():
        suppressed = state.forbidden(size)
        assert item.token not in suppressed
        # Of the whole distribution, the forbidden tokens in it.
        assert item.log_prob == pytest.approx(log_softmax(logits[state.seen % 50])[item.token], abs=1e-5)
        if sampling.greedy:
            allowed = logits[state.seen % 50].copy()
            allowed[suppressed] = -np.inf
            assert item.token == int(allowed.argmax())
        state = Rule(state.seen + 1 + item.token)
    assert draw() == draw()


def test_top_k_and_top_p_count_among_what_is_allowed() -> None:
    logits = np.log([0.5, 0.3, 0.15, 0.05]).tolist()

    def without_the_first(state: None) -> NDArray[np.int64]:
        return np.array([0])

    # Of the three that are left, 0.6 and 0.3 and 0.1.
    for options, kept in [
        ({"top_k": 1}, {1}),
        ({"top_k": 2}, {1, 2}),
        ({"top_p": 0.59}, {1}),
        ({"top_p": 0.8}, {1, 2}),
    ]:
        assert set(first(logits, Sampling(temperature=1.0, **options), forbidden=without_the_first)) == kept


def test_without_a_rule_nothing_is_forbidden() -> None:
    assert set(first([0.0, 0.0, 0.0], Sampling(temperature=1.0), 200)) == {0, 1, 2}


def test_reading_feeds_every_token_and_gives_the_last_answer() -> None:
    table = Table(5, 3)
    logits, state = read(table.step, [2, 4, 1], 0)
    assert table.read == [2, 4, 1]
    assert state == 3
    np.testing.assert_array_equal(logits, np.roll(table.logits[1], 2))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"temperature": 0.0}, "`temperature` is 0.0, but must be above 0; `greedy`"),
        ({"temperature": -1.0}, "`temperature` is -1.0, but must be above 0; `greedy`"),
        ({"temperature": float("nan")}, "`temperature` is nan"),
        ({"temperature": float("inf")}, "`temperature` is inf, but must be between"),
        ({"temperature": 1e-300}, "`temperature` is 1e-300, but must be between"),
        ({"top_k": -1}, "`top_k` is -1, but must be between 0"),
        ({"top_p": 0.0}, "`top_p` is 0.0, but must be between"),
        ({"top_p": 1.5}, "`top_p` is 1.5, but must be between"),
        ({"top_p": float("nan")}, "`top_p` is nan"),
        ({"seed": -1}, "`seed` is -1, but must be between 0"),
    ],
)
def test_impossible_options_are_refused_by_name(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OptionError) as error:
        Sampling(**options)
    assert complaint in str(error.value)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_logits_that_are_not_numbers_get_one_sentence(broken: float) -> None:
    table = Table(5, seed=0)
    table.logits[2, 1] = broken
    with pytest.raises(RecurraError, match="not numbers"):
        draws(table, 200, Sampling(temperature=1.0))
