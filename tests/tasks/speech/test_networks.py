"""The network under CTC: padding, batch mates and chunks change nothing; its loss is that of the definition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.speech.config import Config, resolve, with_preset
from recurra.tasks.speech.ctc import labelling_log_prob
from recurra.tasks.speech.networks import CtcNetwork, Heard, heard, loss_of
from recurra.tasks.speech.objective import masked, moved
from recurra.tasks.speech.symbols import BLANK

CONFIG = resolve(
    with_preset(Config(mel_bands=4, stack=2, hidden_size=6, num_layers=2, dropout=0.0, steps=1), False), 60.0
)


def network(bidirectional: bool = True, cell: str = "lstm") -> CtcNetwork:
    torch.manual_seed(3)
    made = CtcNetwork(5, replace(CONFIG, bidirectional=bidirectional, cell=cell))  # type: ignore[arg-type]
    with torch.no_grad():
        made.output.weight.mul_(20)
    return made


def steps(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(length, 8)).astype(np.float32)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_padding_and_batch_mates_change_nothing(bidirectional: bool, cell: str) -> None:
    recordings = [steps(7, 1), steps(20, 2), steps(1, 3)]
    model = network(bidirectional, cell)
    together = model(heard(recordings))
    for row, recording in enumerate(recordings):
        alone = model(heard([recording]))[0]
        torch.testing.assert_close(together[row, : len(recording)], alone, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(alone.exp().sum(-1), torch.ones(len(recording)))


@pytest.mark.parametrize("size", [1, 3, 20])
def test_chunks_are_the_whole(size: int) -> None:
    model, recording = network(False), torch.from_numpy(steps(20))
    state, parts = None, []
    for begin in range(0, 20, size):
        log_probs, state = model.advance(recording[None, begin : begin + size], state)
        parts.append(log_probs[0])
    whole = model(Heard(recording[None], torch.tensor([20])))[0]
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-5, rtol=1e-5)


def test_what_reads_from_both_ends_has_no_state_to_go_on_from() -> None:
    with pytest.raises(ValueError, match="bidirectional"):
        network(True).advance(torch.zeros(1, 2, 8), None)


def test_the_loss_is_the_probability_of_the_labelling() -> None:
    recordings, symbols = [steps(9, 1), steps(14, 2), steps(3, 3)], [[1, 1, 2], [3, 4, 4, 1], [2]]
    model = network()
    batch = heard(recordings)
    loss = loss_of(model(batch), batch, [np.array(each, np.int32) for each in symbols])
    log_probs = model(batch).double().detach().numpy()
    expected = 0.0
    for row, (recording, each) in enumerate(zip(recordings, symbols, strict=True)):
        expected -= labelling_log_prob(log_probs[row, : len(recording)], each, BLANK)
    assert loss.item() == pytest.approx(expected, abs=1e-4)
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())


def test_masks_are_runs_of_bands_and_of_time() -> None:
    config = Config(mask_bands=3, mask_ms=80.0)
    frames = np.ones((100, 12), np.float32)
    for seed in range(30):
        kept = masked(frames, config, np.random.default_rng(seed))
        assert (kept == 0).all(axis=0).sum() <= 6
        assert (kept == 0).all(axis=1).sum() <= 16
        rows, columns = (kept != 0).any(axis=1), (kept != 0).any(axis=0)
        assert np.array_equal(kept != 0, rows[:, None] & columns)
    assert (frames == 1).all()
    assert (masked(frames, Config(mask_bands=0, mask_ms=0.0), np.random.default_rng(0)) == 1).all()


@given(st.integers(2, 60), st.integers(0, 10**6))
def test_frames_are_spread_and_moved_within_bounds(count: int, seed: int) -> None:
    """A ramp in time stays one from end to end, and a ramp over bands is moved as a whole."""
    config = Config(stretch=0.2, shift_bands=2)
    frames = np.linspace(0, 1, count, dtype=np.float32)[:, None] * 100 + np.arange(6, dtype=np.float32)
    found = moved(frames, config, np.random.default_rng(seed))
    assert round(count / 1.2) <= len(found) <= round(count * 1.2)
    shift = round(float(found[0, 3] - 3))
    assert abs(shift) <= 2
    bands = (np.arange(6) + shift).clip(0, 5)
    expected = np.linspace(0, 100, len(found))[:, None] + bands
    assert np.abs(found - expected).max() <= 50 / (count - 1) + 1e-3, "no frame is further away than half a frame"
    assert {tuple(row) for row in found} <= {tuple(row) for row in frames[:, bands]}
    assert np.array_equal(moved(frames, Config(stretch=0.0, shift_bands=0), np.random.default_rng(seed)), frames)
