"""Gradients against finite differences, loss with cut context against one prediction at a time."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recurra.explain import effective_context as reach
from recurra.explain.effective_context import ContextLoss, GradientReach, context_loss, gradient_reach

CELLS = ["lstm", "gru", "rnn", "rnn-relu"]


def states_of(model, symbols):
    """The state after each symbol, one step at a time."""
    state, states = None, []
    for symbol in symbols:
        _, state = model.step(torch.tensor([int(symbol)]), state)
        states.append(state)
    return states


def loss_from(model, state, symbols, target) -> float:
    """-log p of `target` when `symbols` follow a state, read off the state alone."""
    for symbol in symbols:
        _, state = model.step(torch.tensor([int(symbol)]), state)
    return float(-F.log_softmax(model.read_out(state[0][-1]), dim=-1)[0, int(target)])


@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_gradients_are_finite_differences(make_model, symbols, cell, monkeypatch) -> None:
    monkeypatch.setattr(reach, "ROWS", 2)
    model = make_model(cell=cell, hidden=3).double()
    steps, positions, epsilon = 4, 3, 1e-6
    measured = gradient_reach(model, symbols[:20], steps, positions).norms
    states = states_of(model, symbols[:20])
    starts = np.linspace(0, 20 - 2 - steps, positions).astype(int)
    expected = np.zeros((positions, steps + 1))
    for row, start in enumerate(starts):
        place = start + steps
        for k in range(steps + 1):
            state = states[place - k]
            squares = 0.0
            for part in range(len(state)):
                for entry in range(state[part].numel()):
                    both = []
                    for sign in (1, -1):
                        moved = [tensor.clone() for tensor in state]
                        moved[part].view(-1)[entry] += sign * epsilon
                        both.append(
                            loss_from(model, tuple(moved), symbols[place - k + 1 : place + 1], symbols[place + 1])
                        )
                    squares += ((both[0] - both[1]) / (2 * epsilon)) ** 2
            expected[row, k] = np.sqrt(squares)
    np.testing.assert_allclose(measured, expected, rtol=1e-5, atol=1e-9)


@torch.no_grad()
def test_what_a_reader_keeps_is_no_part_of_the_gradient(make_model, music_model, music_passage) -> None:
    vocabulary = int(music_model.vocabulary_size)
    model = make_model(vocabulary, hidden=3, layers=1, reader=music_model.reader).double()
    symbols, epsilon = music_passage.symbols, 1e-6
    measured = gradient_reach(model, symbols[:12], 3, 1).norms[0]
    states = states_of(model, symbols[:12])
    for k in range(4):
        state, squares = states[3 - k], 0.0
        for part in range(len(state) - 1):  # the last is the reader's
            for entry in range(state[part].numel()):
                both = []
                for sign in (1, -1):
                    moved = [tensor.clone() for tensor in state]
                    moved[part].view(-1)[entry] += sign * epsilon
                    both.append(loss_from(model, tuple(moved), symbols[4 - k : 4], symbols[4]))
                squares += ((both[0] - both[1]) / (2 * epsilon)) ** 2
        assert measured[k] == pytest.approx(np.sqrt(squares), rel=1e-5)


@torch.no_grad()
def test_a_cut_context_empties_the_reader_too(music_model, music_passage) -> None:
    symbols = music_passage.symbols[:30]
    measured = context_loss(music_model, symbols, (1, 4), targets=5)
    places = np.unique(np.linspace(4, 29, 5).astype(int))
    for column, length in enumerate((1, 4)):
        losses = []
        for place in places:
            logits, _ = music_model(torch.tensor(symbols[place - length : place])[None])
            losses.append(float(-F.log_softmax(logits[0, -1], dim=-1)[symbols[place]]))
        np.testing.assert_allclose(measured.losses[:, column], losses, rtol=1e-5)


def test_gradients_leave_no_trace_and_shorten_with_the_sequence(make_model, symbols) -> None:
    model = make_model()
    told = []
    measured = gradient_reach(model, symbols[:10], steps=100, report=told.append)
    assert measured.norms.shape == (1, 9)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert told[-1] == 1.0
    with pytest.raises(ValueError, match="three symbols"):
        gradient_reach(model, symbols[:2])


def test_summary_of_gradients() -> None:
    decay = 0.5 ** np.arange(12.0)
    flat = GradientReach(np.array([decay * 2, decay * 4]))
    np.testing.assert_allclose(flat.mean, decay * 3)
    np.testing.assert_allclose(flat.relative, decay * 2)
    assert flat.steps == 8  # 0.5 ** 7 < 0.01
    assert GradientReach(np.ones((2, 5))).steps is None
    assert GradientReach(np.array([[1.0, 1.0, 0.001, 1.0, 0.001]])).steps == 4
    assert GradientReach(np.array([[1.0, np.inf, np.inf]])).relative[0] == 0
    assert GradientReach(np.zeros((2, 4))).steps == 1


@pytest.mark.parametrize("cell", CELLS)
def test_context_loss_predicts_from_the_last_symbols_alone(make_model, symbols, cell) -> None:
    model = make_model(cell=cell)
    measured = context_loss(model, symbols, (1, 2, 4, 8, 64), targets=11)
    assert measured.lengths == (1, 2, 4, 8)
    places = np.unique(np.linspace(8, len(symbols) - 1, 11).astype(int))
    with torch.no_grad():
        for column, length in enumerate(measured.lengths):
            losses = [loss_from(model, None, symbols[p - length : p], symbols[p]) for p in places]
            np.testing.assert_allclose(measured.losses[:, column], losses, atol=1e-5)


def test_all_lengths_meet_the_same_targets_to_the_end(make_model, symbols) -> None:
    told = []
    measured = context_loss(make_model(), symbols[:16], (1, 2, 4, 8), targets=400, report=told.append)
    assert measured.losses.shape == (8, 4)
    assert told == [pytest.approx(share / 15) for share in (1, 3, 7, 15)]
    with pytest.raises(ValueError, match="too few"):
        context_loss(make_model(), symbols[:3], (2, 4))


def test_effective_context() -> None:
    def effective(means: list[float]) -> int:
        return ContextLoss((1, 2, 4, 8), np.array([means, means])).effective

    assert effective([3.0, 2.0, 1.505, 1.5]) == 4
    assert effective([3.0, 1.5, 1.6, 1.5]) == 8  # good by chance, then not: not yet enough
    assert effective([1.495, 1.5, 1.5, 1.5]) == 1
    assert effective([1.4, 1.5, 1.5, 1.5]) == 2  # a shorter context may also be better


def test_error_is_that_of_paired_differences() -> None:
    losses = np.array([[1.0, 3.0], [2.0, 5.0], [4.0, 6.0]])
    difference = losses[:, 0] - losses[:, 1]
    expected = np.sqrt(((difference - difference.mean()) ** 2).sum() / 2 / 3)
    np.testing.assert_allclose(ContextLoss((1, 2), losses).error, [expected, 0.0])
