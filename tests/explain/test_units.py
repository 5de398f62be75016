"""Finding units, against counting pairs by hand and units planted to be found."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.explain import units as neurons
from recurra.explain.units import MARGIN, Findings, activations, auc, find_trackers


def counted_auc(values: np.ndarray, holds: np.ndarray) -> float:
    """The share of (holds, does not hold) pairs in which the first is higher, a tie counting half."""
    pairs = [(a > b) + 0.5 * (a == b) for a in values[holds] for b in values[~holds]]
    return float(np.mean(pairs)) if pairs else 0.5


@given(
    rows=st.lists(st.tuples(st.integers(-3, 3), st.floats(-1, 1, width=32), st.booleans(), st.booleans()), max_size=40),
    at_once=st.integers(1, 3),
)
def test_auc_counts_pairs(rows: list[tuple[int, float, bool, bool]], at_once: int) -> None:
    values = np.array([row[:2] for row in rows], dtype=np.float32).reshape(-1, 2)
    holds = np.array([row[2:] for row in rows], dtype=bool).reshape(-1, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neurons, "UNITS_AT_ONCE", at_once)
        measured = auc(values, holds)
    expected = [[counted_auc(values[:, unit], holds[:, feature]) for feature in range(2)] for unit in range(2)]
    np.testing.assert_allclose(measured, expected, atol=1e-12)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "rnn-relu"])
def test_activations_are_the_states_of_single_steps(make_model, tokens, cell, monkeypatch) -> None:
    monkeypatch.setattr(neurons, "CHUNK", 32)
    model = make_model(cell=cell)
    state, rows = None, []
    with torch.no_grad():
        for token in tokens:
            _, state = model.step(torch.tensor([int(token)]), state)
            rows.append(state[0][:, 0].flatten().numpy())
    np.testing.assert_allclose(activations(model, tokens), rows, rtol=1e-6, atol=2e-5)


def planted() -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    time = 400
    high, low = rng.random(time) < 0.3, rng.random(time) < 0.5
    values = rng.normal(size=(time, 20)).astype(np.float32)
    values[:, 7] = 3 * high + rng.normal(size=time) * 0.1
    values[:, 11] = -3.0 * low + rng.normal(size=time) * 0.1
    values[:, 3] = 0.25  # never changes
    return values, rng.integers(0, 4, time), {"high": high, "low": low}


def test_planted_units_are_found_with_their_signs() -> None:
    values, tokens, features = planted()
    found = {tracker.feature: tracker for tracker in find_trackers(values, tokens, features).trackers}
    assert (found["high"].unit, found["high"].sign) == (7, 1)
    assert (found["low"].unit, found["low"].sign) == (11, -1)
    assert min(found["high"].auc, found["low"].auc) > 0.99
    assert found["high"].share == pytest.approx(features["high"][200:].mean())
    assert found["high"].token_auc == pytest.approx(0.5, abs=0.12)


def test_measured_on_the_part_it_was_not_chosen_on() -> None:
    values, tokens, features = planted()
    values[200:, 7] *= -1  # the unit changes its mind in the second half
    tracker = next(t for t in find_trackers(values, tokens, features).trackers if t.feature == "high")
    assert tracker.unit == 7
    assert tracker.chosen_auc == pytest.approx(counted_auc(values[:200, 7], features["high"][:200]))
    assert tracker.auc == pytest.approx(counted_auc(values[200:, 7], features["high"][200:]))
    assert tracker.auc < 0.01


def test_luck_is_not_credited() -> None:
    """The best of many units on noise looks good where it was chosen, and is worth nothing elsewhere."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(400, 500)).astype(np.float32)
    features = {str(n): rng.random(400) < 0.2 for n in range(10)}
    trackers = find_trackers(values, rng.integers(0, 4, 400), features).trackers
    assert min(tracker.chosen_auc for tracker in trackers) > 0.6
    assert np.mean([tracker.auc for tracker in trackers]) == pytest.approx(0.5, abs=0.05)


def test_what_the_token_alone_tells() -> None:
    values, tokens, _ = planted()
    trackers = find_trackers(values, tokens, {"is token 2": tokens == 2}).trackers
    assert trackers[0].token_auc == 1.0


def test_tokens_seen_only_in_the_second_half_tell_nothing() -> None:
    values, tokens, features = planted()
    tokens[200:] = 9
    assert all(tracker.token_auc == 0.5 for tracker in find_trackers(values, tokens, features).trackers)


def test_rare_and_too_common_features_are_named_and_left_out() -> None:
    values, tokens, features = planted()
    never, first_half = np.zeros(400, dtype=bool), np.arange(400) < 150
    findings = find_trackers(values, tokens, {"never": never, "always": ~never, "first half": first_half, **features})
    assert findings.rare == ("never", "always", "first half")
    assert {tracker.feature for tracker in findings.trackers} == {"high", "low"}
    assert find_trackers(values, tokens, {"never": never}).trackers == ()


def test_constant_units_track_nothing_and_the_first_of_equals_is_taken() -> None:
    values, tokens, features = planted()
    values[:] = 1.0
    tracker = find_trackers(values, tokens, features).trackers[0]
    assert (tracker.unit, tracker.auc) == (0, 0.5)
    values[:, 4] = values[:, 9] = features["high"]
    tracker = next(t for t in find_trackers(values, tokens, features).trackers if t.feature == "high")
    assert (tracker.unit, tracker.auc) == (4, 1.0)


def test_a_unit_is_held_against_what_the_model_is_given() -> None:
    values, tokens, features = planted()
    rng = np.random.default_rng(5)
    rule_features = (rng.random((400, 7)) < 0.5).astype(np.float32)
    rule_features[:, 3] = ~features["high"]  # tells it by being off
    findings = find_trackers(values, tokens, features, rule_features=rule_features)
    told = {tracker.feature: tracker.given_auc for tracker in findings.trackers}
    assert told["high"] == 1.0
    assert told["low"] < 0.7
    assert findings.trackers[-1].feature == "high"  # however good the unit is
    assert all(tracker.own <= tracker.auc - tracker.given_auc for tracker in findings.trackers)
    assert {tracker.given_auc for tracker in find_trackers(values, tokens, features).trackers} == {None}


def test_what_a_model_is_given_is_what_its_reader_shows(make_model, music_network, music_passage) -> None:
    tokens = music_passage.tokens
    rule_features = neurons.given(music_network, tokens.astype(np.uint8))
    state = np.zeros((1, music_network.rules.state_size), dtype=np.float32)
    for place, token in enumerate(tokens):
        shown, state = music_network.rules.read(np.array([[token]]), state)
        assert rule_features[place].tolist() == shown[0, 0].tolist()
    assert neurons.given(make_model(), tokens) is None


def test_only_what_the_token_does_not_tell_is_a_discovery() -> None:
    """One unit knows what came before, which no token tells; the other only passes on the present token."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 4, 2000)
    before = np.r_[0, tokens[:-1]] == 1
    here = tokens == 2
    values = np.stack([before + 0.1 * rng.standard_normal(2000), here + 0.1 * rng.standard_normal(2000)], axis=1)
    findings = find_trackers(values.astype(np.float32), tokens, {"after 1": before, "is 2": here})
    assert [(tracker.feature, tracker.unit) for tracker in findings.discoveries] == [("after 1", 0)]
    assert [tracker.feature for tracker in findings.trackers] == ["after 1", "is 2"]
    told = replace(findings.trackers[0], token_auc=findings.trackers[0].auc - MARGIN / 2)
    assert Findings((told,), ()).discoveries == ()
