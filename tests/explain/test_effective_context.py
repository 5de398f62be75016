"""Gradients against finite differences, loss with cut context against one prediction at a time."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recurra.explain import effective_context as module
from recurra.explain.effective_context import ContextLoss, GradientNorms, context_loss, gradient_norms

CELLS = ["lstm", "gru", "rnn", "rnn-relu"]


def states_of(model, tokens):
    """The state after each token, one step at a time."""
    state, states = None, []
    for token in tokens:
        _, state = model.step(torch.tensor([int(token)]), state)
        states.append(state)
    return states


def loss_from(model, state, tokens, target) -> float:
    """-log p of `target` when `tokens` follow a state, read off the state alone."""
    for token in tokens:
        _, state = model.step(torch.tensor([int(token)]), state)
    return float(-F.log_softmax(model.compute_logits(state[0][-1]), dim=-1)[0, int(target)])


@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_gradients_are_finite_differences(make_model, tokens, cell, monkeypatch) -> None:
    monkeypatch.setattr(module, "ROWS", 2)
    model = make_model(cell=cell, hidden=3).double()
    steps, positions, epsilon = 4, 3, 1e-6
    measured = gradient_norms(model, tokens[:20], steps, positions).norms
    states = states_of(model, tokens[:20])
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
                            loss_from(model, tuple(moved), tokens[place - k + 1 : place + 1], tokens[place + 1])
                        )
                    squares += ((both[0] - both[1]) / (2 * epsilon)) ** 2
            expected[row, k] = np.sqrt(squares)
    np.testing.assert_allclose(measured, expected, rtol=1e-5, atol=1e-9)


@torch.no_grad()
def test_what_a_reader_keeps_is_no_part_of_the_gradient(make_model, music_network, music_passage) -> None:
    vocabulary = int(music_network.vocabulary_size)
    model = make_model(vocabulary, hidden=3, layers=1, rules=music_network.rules).double()
    tokens, epsilon = music_passage.tokens, 1e-6
    measured = gradient_norms(model, tokens[:12], 3, 1).norms[0]
    states = states_of(model, tokens[:12])
    for k in range(4):
        state, squares = states[3 - k], 0.0
        for part in range(len(state) - 1):  # the last is the reader's
            for entry in range(state[part].numel()):
                both = []
                for sign in (1, -1):
                    moved = [tensor.clone() for tensor in state]
                    moved[part].view(-1)[entry] += sign * epsilon
                    both.append(loss_from(model, tuple(moved), tokens[4 - k : 4], tokens[4]))
                squares += ((both[0] - both[1]) / (2 * epsilon)) ** 2
        assert measured[k] == pytest.approx(np.sqrt(squares), rel=1e-5)


@torch.no_grad()
def test_what_tables_of_n_grams_keep_is_no_part_of_the_gradient(make_model, tokens) -> None:
    model = make_model(hidden=3, layers=1, ngrams=3).double()
    tokens, epsilon = tokens[:12], 1e-6
    measured = gradient_norms(model, tokens, 3, 1).norms[0]
    states = states_of(model, tokens)
    for k in range(4):
        *learned, recent = states[3 - k]
        squares = 0.0
        for part in range(len(learned)):
            for entry in range(learned[part].numel()):
                both = []
                for sign in (1, -1):
                    moved = [tensor.clone() for tensor in learned]
                    moved[part].view(-1)[entry] += sign * epsilon
                    both.append(loss_from(model, (*moved, recent), tokens[4 - k : 4], tokens[4]))
                squares += ((both[0] - both[1]) / (2 * epsilon)) ** 2
        assert measured[k] == pytest.approx(np.sqrt(squares), rel=1e-5)


@torch.no_grad()
def test_a_cut_context_empties_the_reader_too(music_network, music_passage) -> None:
    tokens = music_passage.tokens[:30]
    measured = context_loss(music_network, tokens, (1, 4), targets=5)
    places = np.unique(np.linspace(4, 29, 5).astype(int))
    for column, length in enumerate((1, 4)):
        losses = []
        for place in places:
            logits, _ = music_network(torch.tensor(tokens[place - length : place])[None])
            losses.append(float(-F.log_softmax(logits[0, -1], dim=-1)[tokens[place]]))
        np.testing.assert_allclose(measured.losses[:, column], losses, rtol=1e-5)


def test_gradients_leave_no_trace_and_shorten_with_the_sequence(make_model, tokens) -> None:
    model = make_model()
    told = []
    measured = gradient_norms(model, tokens[:10], steps=100, report=told.append)
    assert measured.norms.shape == (1, 9)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert told[-1] == 1.0
    with pytest.raises(ValueError, match="three tokens"):
        gradient_norms(model, tokens[:2])


def test_summary_of_gradients() -> None:
    decay = 0.5 ** np.arange(12.0)
    flat = GradientNorms(np.array([decay * 2, decay * 4]))
    np.testing.assert_allclose(flat.mean, decay * 3)
    np.testing.assert_allclose(flat.relative, decay * 2)
    assert flat.steps == 8  # 0.5 ** 7 < 0.01
    assert GradientNorms(np.ones((2, 5))).steps is None
    assert GradientNorms(np.array([[1.0, 1.0, 0.001, 1.0, 0.001]])).steps == 4
    assert GradientNorms(np.array([[1.0, np.inf, np.inf]])).relative[0] == 0
    assert GradientNorms(np.zeros((2, 4))).steps == 1


@pytest.mark.parametrize("cell", CELLS)
def test_context_loss_predicts_from_the_last_tokens_alone(make_model, tokens, cell) -> None:
    model = make_model(cell=cell)
    measured = context_loss(model, tokens, (1, 2, 4, 8, 64), targets=11)
    assert measured.lengths == (1, 2, 4, 8)
    places = np.unique(np.linspace(8, len(tokens) - 1, 11).astype(int))
    with torch.no_grad():
        for column, length in enumerate(measured.lengths):
            losses = [loss_from(model, None, tokens[p - length : p], tokens[p]) for p in places]
            np.testing.assert_allclose(measured.losses[:, column], losses, atol=1e-5)


def test_all_lengths_meet_the_same_targets_to_the_end(make_model, tokens) -> None:
    told = []
    measured = context_loss(make_model(), tokens[:16], (1, 2, 4, 8), targets=400, report=told.append)
    assert measured.losses.shape == (8, 4)
    assert told == [pytest.approx(share / 15) for share in (1, 3, 7, 15)]
    with pytest.raises(ValueError, match="too few"):
        context_loss(make_model(), tokens[:3], (2, 4))


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
