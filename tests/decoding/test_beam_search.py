"""Beam search by example: numbers worked out by hand, the tree, the options, and what is refused."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recurra.decoding.beam_search import BeamResult, BeamSearch, Normalization, beam_search, length_penalty
from recurra.decoding.candidates import DecodingProblem, OutputRules
from recurra.decoding.decoder_step import BLOCK, Stepped, TensorStep, most_probable
from recurra.decoding.sampling import Sampling
from recurra.decoding.sequence_sampling import sample_sequences
from recurra.errors import OptionError, RecurraError

START, END, A, B = 0, 1, 2, 3
Probabilities = Mapping[str, Sequence[float]]


class Said:
    """A model that says what it is told to: probabilities of (start, end, a, b) after the letters so far.

    State: the letters of each row, `(1, rows, 8)`, and how many there are, `(1, rows)`; the start is no letter.
    """

    def __init__(self, probabilities: Probabilities, weights: Mapping[str, Sequence[float]] | None = None) -> None:
        self.probabilities, self.weights = probabilities, weights
        self.rows: list[int] = []

    def state(self, sentences: int = 1) -> tuple[Tensor, Tensor]:
        return torch.zeros(1, sentences, 8, dtype=torch.int64), torch.full((1, sentences), -1)

    def step(self, tokens: Tensor, state: tuple[Tensor, ...]) -> Stepped:
        letters, lengths = state[0][0].clone(), state[1][0] + 1
        self.rows.append(len(tokens))
        texts = []
        for row, token in enumerate(tokens.tolist()):
            if lengths[row] > 0:
                letters[row, lengths[row] - 1] = token
            texts.append("".join("se ab"[number + (number > 1)] for number in letters[row, : lengths[row]].tolist()))
        log_probs = torch.tensor([self.probabilities[text] for text in texts], dtype=torch.float64).log()
        weights = None if self.weights is None else torch.tensor([self.weights[text] for text in texts])
        return Stepped(log_probs, (letters[None], lengths[None]), weights)


GARDEN: Probabilities = {
    "": (0, 0.1, 0.6, 0.3),
    "a": (0, 0.4, 0.35, 0.25),
    "b": (0, 0.9, 0.05, 0.05),
    "aa": (0, 0.8, 0.1, 0.1),
    "ab": (0, 0.5, 0.25, 0.25),
    "ba": (0, 1, 0, 0),
    "bb": (0, 1, 0, 0),
}
"""Where the most probable first token leads away from the most probable output: b has 0.27, a only 0.24."""


def find(model: Said, limit: int = 2, trees: bool = False, **options: Any) -> BeamResult:
    (found,) = beam_search(
        TensorStep(model.step),
        model.state(),
        DecodingProblem(START, END, [limit]),
        BeamSearch(**{"normalization": "none", **options}),
        trees=trees,
    )
    return found


def test_greedy_is_led_away_and_a_beam_is_not() -> None:
    (greedy,) = find(Said(GARDEN), beam_size=1).hypotheses
    assert greedy.tokens == (A,)
    assert math.exp(greedy.score) == pytest.approx(0.24)
    (best,) = find(Said(GARDEN), beam_size=2).hypotheses
    assert best.tokens == (B,)
    assert math.exp(best.score) == pytest.approx(0.27)
    assert np.exp(best.log_probs) == pytest.approx([0.3, 0.9])
    assert best.weights is None
    assert best.node is None


@pytest.mark.parametrize(
    ("normalization", "expected"),
    [("none", math.log(0.27)), ("average", math.log(0.27) / 2), ("gnmt", math.log(0.27) / (7 / 6) ** 0.6)],
)
def test_normalizations_by_hand(normalization: Normalization, expected: float) -> None:
    scores = {each.tokens: each.score for each in find(Said(GARDEN), n_best=5, normalization=normalization).hypotheses}
    assert scores[B,] == pytest.approx(expected)


def test_a_long_output_wins_by_its_average() -> None:
    """With log 0.24 / 2 = -0.714 for "a", log 0.168 / 3 = -0.595 for "aa" and log 0.27 / 2 = -0.655 for "b"."""
    assert find(Said(GARDEN), normalization="average").hypotheses[0].tokens == (A, A)


def test_coverage_by_hand() -> None:
    """Positions that are seen by 0.5 and by more than 1: only the first is missed, by log 0.5. The third is padding."""
    weights = {"": (0.25, 0.75, 0.0), "a": (0.25, 0.75, 0.0), "b": (0.9, 0.1, 0.0)}
    model = Said(GARDEN, {**weights, **dict.fromkeys(["aa", "ab", "ba", "bb"], (0.0, 1.0, 0.0))})
    options = BeamSearch(n_best=5, normalization="none", coverage_penalty=0.5)
    (found,) = beam_search(
        TensorStep(model.step), model.state(), DecodingProblem(START, END, [1], positions=[2]), options
    )
    outputs = {each.tokens: each for each in found.hypotheses}
    assert outputs[A,].score == pytest.approx(math.log(0.24) + 0.5 * math.log(0.5), abs=1e-6)
    assert outputs[B,].score == pytest.approx(math.log(0.27) + 0.5 * math.log(0.85), abs=1e-6)
    np.testing.assert_allclose(outputs[B,].weights, [[0.25, 0.75], [0.9, 0.1]])


def test_a_position_that_is_never_seen_is_no_infinite_loss() -> None:
    model = Said(GARDEN, dict.fromkeys(GARDEN, (1.0, 0.0)))
    assert all(math.isfinite(each.score) for each in find(model, n_best=3, coverage_penalty=1).hypotheses)


def test_a_coverage_penalty_without_attention_is_refused() -> None:
    with pytest.raises(OptionError, match="needs attention, which this model does not have; leave it out"):
        find(Said(GARDEN), coverage_penalty=0.2)


def test_what_is_done_leaves_the_batch() -> None:
    """Four sentences: limits 0 and 1 end first; the others stop as soon as nothing better can come."""
    model = Said(GARDEN)
    options = BeamSearch(beam_size=2, normalization="none")
    found = beam_search(TensorStep(model.step), model.state(4), DecodingProblem(START, END, [0, 1, 2, 2]), options)
    # All start; the first must end. The others keep a and b. "b" ends with 0.27, above whatever follows "a" (0.21).
    assert model.rows == [4, 6]
    assert [each.hypotheses[0].tokens for each in found] == [(), (B,), (B,), (B,)]


def test_of_equal_scores_what_ended_earlier_is_first() -> None:
    model = Said({"": (0, 0.5, 0.5, 0), "a": (0, 1, 0, 0)})
    found = find(model, limit=3, n_best=2, beam_size=2).hypotheses
    assert [(each.tokens, each.score) for each in found] == [((), math.log(0.5)), ((A,), math.log(0.5))]


def test_what_gets_better_late_is_waited_for() -> None:
    """With log 0.35 / 4 = -0.26, "aaa" beats the end at once with log 0.6 = -0.51, but only when it is done."""
    model = Said(
        {"": (0, 0.6, 0.35, 0.05), "b": (0, 1, 0, 0), **{"a" * length: (0, 0, 1, 0) for length in range(1, 5)}}
        | {"aaa": (0, 1, 0, 0)}
    )
    for limit, expected in [(1, ()), (3, (A, A, A)), (6, (A, A, A))]:
        assert find(model, limit, beam_size=2, normalization="average").hypotheses[0].tokens == expected


def test_max_length_takes_the_place_of_the_limits() -> None:
    assert find(Said(GARDEN), limit=1, max_length=2, min_length=2).hypotheses[0].tokens == (A, A)
    assert find(Said(GARDEN), limit=2, max_length=0).hypotheses[0].tokens == ()


def test_no_repeat_ends_where_nothing_else_is_left() -> None:
    """With a and b written and no token twice, the end comes before the shortest length."""
    assert find(Said(GARDEN), limit=5, min_length=4, no_repeat_ngram_size=1, n_best=2).hypotheses[0].tokens in [
        (A, B),
        (B, A),
    ]


def test_a_prefix_may_be_impossible_banned_and_too_long() -> None:
    model = Said({**GARDEN, "ba": (0, 0.5, 0, 0.5), "bab": (0, 0, 1, 0)})
    for prefix in [(B, A), (B, A, B)]:
        (found,) = beam_search(
            TensorStep(model.step),
            model.state(),
            DecodingProblem(START, END, [1], prefixes=[prefix], suppressed=[A, B]),
            BeamSearch(no_repeat_ngram_size=1),
        )
        (hypothesis,) = found.hypotheses
        assert hypothesis.tokens == prefix
        assert np.exp(hypothesis.log_probs)[:2] == pytest.approx([0.3, 0.05])
    # The end of the longer one is impossible, and its score is low, but a number.
    assert hypothesis.log_probs[-1] == -math.inf
    assert -math.inf < hypothesis.score < -1e5


def test_the_tree_by_hand() -> None:
    found = find(Said(GARDEN), beam_size=2, n_best=2, trees=True)
    assert found.tree is not None
    shown = [
        (node.parent, node.token, node.depth, node.state, round(math.exp(node.total), 6)) for node in found.tree.nodes
    ]
    assert shown == [
        (None, START, 0, "kept", 1),
        (0, A, 1, "kept", 0.6),
        (0, B, 1, "kept", 0.3),
        (0, END, 1, "pruned", 0.1),
        (2, END, 2, "finished", 0.27),
        (1, END, 2, "finished", 0.24),
        (1, A, 2, "pruned", 0.21),
        (1, B, 2, "pruned", 0.15),
    ]
    assert [each.node for each in found.hypotheses] == [4, 5]


def test_a_tree_leads_to_every_output() -> None:
    found = find(Said(GARDEN), beam_size=5, n_best=5, trees=True)
    assert found.tree is not None
    plain = find(Said(GARDEN), beam_size=5, n_best=5)
    assert [each.tokens for each in plain.hypotheses] == [each.tokens for each in found.hypotheses]
    for hypothesis in found.hypotheses:
        path, place = [], hypothesis.node
        while place is not None:
            path.append(found.tree.nodes[place])
            place = path[-1].parent
        assert [node.token for node in reversed(path)] == [START, *hypothesis.tokens, END]
        assert [node.depth for node in reversed(path)] == list(range(len(path)))
        assert [node.log_prob for node in reversed(path[:-1])] == list(hypothesis.log_probs)
        assert path[0].state == "finished"
        assert {node.state for node in path[1:]} == {"kept"}


def uniform(size: int) -> TensorStep:
    """A model of which nothing is to be seen."""
    return TensorStep(lambda tokens, state: Stepped(torch.full((len(tokens), size), -math.log(size)), state, None))


@pytest.mark.parametrize("beam_size", [1, 3])
def test_of_equal_outputs_the_same_is_found_alone_and_in_company(beam_size: int) -> None:
    def found(sentences: int) -> list[tuple[int, ...]]:
        results = beam_search(
            uniform(2000), (), DecodingProblem(0, 1, [3] * sentences), BeamSearch(beam_size=beam_size)
        )
        return [result.hypotheses[0].tokens for result in results]

    assert found(6) == found(1) * 6


@given(beam_size=st.integers(1, 6), seed=st.integers(0, 999))
def test_the_tree_has_the_best_of_what_fell_out_of_the_beam(beam_size: int, seed: int) -> None:
    size = 4 * beam_size + 3
    chances = torch.randn(size, size, generator=torch.Generator().manual_seed(seed)).mul(3).log_softmax(dim=1)

    def step(tokens: Tensor, state: tuple[Tensor, ...]) -> Stepped:
        return Stepped(chances[tokens], state, None)

    options = BeamSearch(beam_size=beam_size, normalization="none")
    (found,) = beam_search(TensorStep(step), (), DecodingProblem(0, 1, [3], suppressed=[0, 2]), options, trees=True)
    assert found.tree is not None
    nodes = found.tree.nodes
    for depth in (1, 2, 3):
        parents = [place for place, node in enumerate(nodes) if node.depth == depth - 1 and node.state == "kept"]
        scored = sorted(
            (nodes[place].total + float(chances[nodes[place].token, token]), place, token)
            for place in parents
            for token in range(size)
            if token not in (0, 2)
        )
        best = scored[::-1][: 2 * beam_size]
        there = [node for node in nodes if node.depth == depth]
        assert {(node.parent, node.token) for node in there} == {(place, token) for _, place, token in best}
        within = {(place, token) for _, place, token in best[:beam_size]}
        for node in there:
            if node.token == 1 and (node.parent, 1) in within:
                assert node.state == "finished"
            elif node.state == "kept":
                assert (node.parent, node.token) in within
            else:
                assert node.state == "pruned"
                assert not any(other.parent == nodes.index(node) for other in nodes)


def test_no_sentences() -> None:
    nothing = (torch.zeros(1, 0, 3),)
    assert beam_search(uniform(4), nothing, DecodingProblem(0, 1, []), BeamSearch()) == []
    assert sample_sequences(uniform(4), nothing, DecodingProblem(0, 1, []), Sampling()) == []


def test_a_model_without_state() -> None:
    (found,) = beam_search(uniform(4), (), DecodingProblem(0, 1, [2]), BeamSearch(n_best=3))
    assert len(found.hypotheses) == 3
    assert len(sample_sequences(uniform(4), (), DecodingProblem(0, 1, [2, 1]), Sampling())) == 2


def test_what_the_step_gave_is_not_written_on() -> None:
    table = torch.randn(1, 6, generator=torch.Generator().manual_seed(0)).log_softmax(dim=1)
    before = table.clone()

    def step(tokens: Tensor, state: tuple[Tensor, ...]) -> Stepped:
        return Stepped(table.expand(len(tokens), 6), state, None)

    beam_search(
        TensorStep(step),
        (),
        DecodingProblem(0, 1, [4], suppressed=[0]),
        BeamSearch(no_repeat_ngram_size=1, min_length=2),
    )
    sample_sequences(
        TensorStep(step),
        (),
        DecodingProblem(0, 1, [4], suppressed=[0]),
        Sampling(),
        no_repeat_ngram_size=1,
        min_length=2,
    )
    torch.testing.assert_close(table, before, rtol=0, atol=0)


def test_nan_is_refused() -> None:
    def step(tokens: Tensor, state: tuple[Tensor, ...]) -> Stepped:
        return Stepped(torch.full((len(tokens), 5), math.nan), state, None)

    with pytest.raises(RecurraError, match="are not numbers"):
        beam_search(TensorStep(step), (), DecodingProblem(0, 1, [3]), BeamSearch())
    with pytest.raises(RecurraError, match="are not numbers"):
        sample_sequences(TensorStep(step), (), DecodingProblem(0, 1, [3]), Sampling())


def test_nothing_is_differentiated() -> None:
    weight = torch.zeros(5, requires_grad=True)

    def step(tokens: Tensor, state: tuple[Tensor, ...]) -> Stepped:
        log_probs = weight.log_softmax(dim=0).expand(len(tokens), 5)
        assert not log_probs.requires_grad
        return Stepped(log_probs, state, None)

    beam_search(TensorStep(step), (), DecodingProblem(0, 1, [3]), BeamSearch())
    sample_sequences(TensorStep(step), (), DecodingProblem(0, 1, [3]), Sampling())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_size": 0}, "`beam_size` is 0, but must be between 1 and 1,000"),
        ({"beam_size": 10_000}, "`beam_size` is 10000, but must be between 1 and 1,000"),
        ({"n_best": 0}, "`n_best` is 0"),
        ({"n_best": 6}, "`n_best` is 6, but must be at most `beam_size`, which is 5"),
        ({"normalization": "length"}, "`normalization` is 'length', but must be one of none, average, gnmt"),
        ({"alpha": -0.1}, "`alpha` is -0.1"),
        ({"alpha": math.nan}, "`alpha` is nan"),
        ({"coverage_penalty": -1.0}, "`coverage_penalty` is -1.0"),
        ({"min_length": -1}, "`min_length` is -1"),
        ({"max_length": -1}, "`max_length` is -1"),
        ({"min_length": 4, "max_length": 3}, "`min_length` is 4, but must be at most `max_length`, which is 3"),
        ({"no_repeat_ngram_size": -1}, "`no_repeat_ngram_size` is -1"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        BeamSearch(**options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limits": [1, -1]}, "below 0"),
        ({"limits": [1], "prefixes": [(), ()]}, "1 limits, but 2 prefixes"),
        ({"limits": [1], "prefixes": [(2, 1)]}, "a prefix holds the end"),
        ({"limits": [1], "positions": [1, 2]}, "1 limits"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DecodingProblem(0, 1, **arguments)


def test_sentences_drawn_for_have_an_index_each() -> None:
    with pytest.raises(ValueError, match="1 limits, but 2 indices"):
        sample_sequences(uniform(4), (), DecodingProblem(0, 1, [3]), Sampling(), indices=[0, 1])


@given(length=st.integers(1, 300), alpha=st.floats(0, 10))
def test_a_length_penalty_never_falls(length: int, alpha: float) -> None:
    """Without which the bound that searches stop by would not be one."""
    for normalization in ("none", "average", "gnmt"):
        penalty = length_penalty(length, normalization, alpha)
        assert 0 < penalty <= length_penalty(length + 1, normalization, alpha)
    assert length_penalty(7, "gnmt", 1.0) == pytest.approx(2)


@settings(max_examples=max(100, settings().max_examples))
@given(
    rows=st.sampled_from([1, 5, 9]),
    size=st.integers(1, 30 * BLOCK),
    count=st.integers(1, 9),
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(["", "ties", "impossible", "strided", "rising"]),
)
def test_most_probable_is_topk(rows: int, size: int, count: int, seed: int, kind: str) -> None:
    generator = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(rows, size, generator=generator).log_softmax(dim=1)
    if kind == "ties":
        log_probs = log_probs.round()
    elif kind == "impossible":
        log_probs[torch.rand(rows, size, generator=generator) < 0.999] = -torch.inf
    elif kind == "strided":
        log_probs = torch.cat([log_probs, torch.zeros(rows, 3)], dim=1)[:, :size]
    elif kind == "rising":
        log_probs += torch.linspace(-20, 0, size)
    values, indices = most_probable(log_probs, min(count, size))
    torch.testing.assert_close(values, log_probs.topk(min(count, size)).values, rtol=0, atol=0)
    torch.testing.assert_close(log_probs.gather(1, indices), values, rtol=0, atol=0)
    assert all(len(set(row)) == len(row) for row in indices.tolist())


@given(
    written=st.lists(st.lists(st.integers(0, 3), min_size=9, max_size=9), min_size=1, max_size=4),
    length=st.integers(0, 9),
    run=st.integers(1, 4),
)
def test_no_run_ends_twice(written: list[list[int]], length: int, run: int) -> None:
    """Against the plain definition."""
    rules = OutputRules(DecodingProblem(0, 4, [9] * len(written)), no_repeat_ngram_size=run)
    shortened = np.array([row[:length] for row in written], dtype=np.int64).reshape(len(written), length)
    barred = set(zip(*(part.tolist() for part in rules.impossible(np.arange(len(written)), shortened)), strict=True))
    for number, row in enumerate(shortened.tolist()):
        for token in range(5):
            longer = [*row, token]
            runs = [tuple(longer[begin : begin + run]) for begin in range(len(longer) - run + 1)]
            earlier = runs[:-1]
            assert ((number, token) in barred) == (runs != [] and runs[-1] in earlier)


def test_a_large_vocabulary_at_full_width_of_one_step() -> None:
    """One token and the end: every one of 1,000 outputs, in order, none of them suppressed."""
    size = 1003
    log_probs = torch.randn(2, size, generator=torch.Generator().manual_seed(1)).log_softmax(dim=1)

    def step(tokens: Tensor, state: tuple[Tensor, ...]) -> Stepped:
        return Stepped(log_probs[(tokens != 0).long()], state, None)

    options = BeamSearch(beam_size=1000, n_best=1000, normalization="none", min_length=1)
    (found,) = beam_search(TensorStep(step), (), DecodingProblem(0, 1, [1], suppressed=[0, 7]), options)
    expected = sorted(set(range(size)) - {0, 1, 7}, key=lambda token: -float(log_probs[0, token]))
    assert [each.tokens for each in found.hypotheses] == [(token,) for token in expected]


def test_rows_of_a_state() -> None:
    state = (torch.arange(6).reshape(2, 3), torch.arange(12).reshape(1, 3, 4))
    first, second = uniform(3).select(state, np.array([2, 0, 2, 2]))
    assert first.tolist() == [[2, 0, 2, 2], [5, 3, 5, 5]]
    assert second[0, :, 0].tolist() == [8, 0, 8, 8]


def test_drawn_numbers_decide() -> None:
    """A sentence's number and the seed decide what is drawn, not its place in the batch."""
    sampling = Sampling(temperature=1.0, seed=3)

    def draw(numbers: Sequence[int]) -> list[tuple[int, ...]]:
        limits = [8] * len(numbers)
        drawn = sample_sequences(uniform(50), (), DecodingProblem(0, 1, limits), sampling, indices=numbers)
        return [each.tokens for each in drawn]

    assert draw([0, 1, 2, 3])[1:] == draw([1, 2, 3])
    assert len(set(draw(range(6)))) == 6
