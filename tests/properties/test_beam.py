"""Beam search on small models that were made at random: held against plain recursion over all outputs."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from recurra.decoding.beam_search import BeamResult, BeamSearch, DecodingProblem, Hypothesis, beam_search
from recurra.decoding.constraints import Constraints, Required, fewest_tokens, holds
from recurra.decoding.decoder_step import Stepped, TensorStep
from recurra.decoding.sampling import Sampling
from recurra.decoding.sequence_sampling import sample_sequences
from recurra.errors import RecurraError

MODELS = 24
"""In a case; each is the model of one sentence of the batch."""

many = settings(max_examples=max(50, settings().max_examples))
"""So that there are 1,200 models at least."""

DEPTH = 5
"""Longest output, a prefix included."""

POSITIONS = 4
END = 1
START = 0


class Models:
    """Models whose next token depends on all before: a tree of random distributions each, and random weights.

    State: (number of the model, node of its tree), each `(1, rows)`; node -1 is before the start. The children of a
    node n are n * size + 1 and those after it.

    Args:
        size: tokens, the end included.
        kinds: of the models, any letters of "p" peaked, "f" flat, "l" loath to end, "z" with zero probabilities, and
            "s", in doubt only whether to end at once or, for surely, later: with the better average.
    """

    def __init__(self, seed: int, size: int, kinds: str, count: int = MODELS) -> None:
        rng = np.random.default_rng(seed)
        self.size, self.count = size, count
        nodes = sum(size**depth for depth in range(DEPTH + 1))
        logits = rng.standard_normal((count, nodes, size)) * np.where("p" in kinds, 4.0, 0.7)
        # The first of these leave it to chance which token is the most probable.
        self.flat = count // 4 if "f" in kinds else 0
        logits[: self.flat] = 0.0
        if "s" in kinds:
            depths = np.repeat(np.arange(DEPTH + 1), [size**depth for depth in range(DEPTH + 1)])
            ends_at = rng.integers(1, DEPTH + 1, size=(count, 1))
            logits[:, 1:] *= 8
            logits[:, :, END] = np.where(depths < ends_at, -8, 8)
            logits[:, 0, END] = rng.uniform(0, 2, size=count)
        if "l" in kinds:
            logits[:, :, END] -= 6.0
        if "z" in kinds:
            zero = rng.random(logits.shape) < 0.3
            zero[zero.all(axis=2)] = False
            logits[zero] = -np.inf
        self.log_probs = torch.from_numpy(logits).float().log_softmax(dim=2)
        self.positions = rng.integers(1, POSITIONS + 1, size=count).tolist()
        scores = rng.standard_normal((count, nodes, POSITIONS)) * 2
        padding = np.arange(POSITIONS) >= np.array(self.positions)[:, None]
        self.weights = torch.from_numpy(np.where(padding[:, None], -np.inf, scores)).float().softmax(dim=2)

    def state(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        return torch.tensor([list(numbers)]), torch.full((1, len(numbers)), -1)

    def step(self, tokens: Tensor, state: tuple[Tensor, ...]) -> Stepped:
        (model,), (node,) = state
        node = torch.where(node < 0, 0, node * self.size + tokens + 1)
        return Stepped(self.log_probs[model, node], (model[None], node[None]), self.weights[model, node])

    def say(self, model: int, tokens: Sequence[int]) -> tuple[list[float], list[float]]:
        """Log-probabilities and weights after some tokens."""
        node = 0
        for token in tokens:
            node = node * self.size + token + 1
        return self.log_probs[model, node].tolist(), self.weights[model, node, : self.positions[model]].tolist()


@dataclass(frozen=True)
class Case:
    """Models, and what is asked of each."""

    models: Models
    options: BeamSearch
    limits: list[int]
    prefixes: list[list[int]]
    suppressed: list[int]
    required: list[Required] | None = None

    def limit(self, number: int) -> int:
        """The longest output of a sentence: what it begins with and what is required have room in it."""
        if self.required is None:
            return self.limits[number]
        return max(self.limits[number], len(self.prefixes[number]) + fewest_tokens(self.required[number]))

    def find(self, numbers: Sequence[int] | None = None, **changed: Any) -> list[BeamResult]:
        """What is found for some of the sentences, in one batch."""
        numbers = range(self.models.count) if numbers is None else numbers
        stop_early, trees = changed.pop("stop_early", True), changed.pop("trees", False)
        return beam_search(
            TensorStep(self.models.step),
            self.models.state(numbers),
            DecodingProblem(
                START,
                END,
                [self.limits[number] for number in numbers],
                positions=[self.models.positions[number] for number in numbers],
                prefixes=[self.prefixes[number] for number in numbers],
                suppressed=self.suppressed,
                required=None if self.required is None else [self.required[number] for number in numbers],
            ),
            replace(self.options, **changed),
            stop_early=stop_early,
            trees=trees,
        )

    def follow(self, number: int, tokens: tuple[int, ...]) -> list[int]:
        """What may come after some tokens of a sentence."""
        options, prefix = self.options, self.prefixes[number]
        if len(tokens) < len(prefix):
            return [prefix[len(tokens)]]
        if len(tokens) >= self.limit(number):
            return [END]
        log_probs, _ = self.models.say(number, tokens)
        found = []
        for token, log_prob in enumerate(log_probs):
            early = token == END and len(tokens) < options.min_length
            suppressed = token in self.suppressed and token != END
            if (
                log_prob > -math.inf
                and not early
                and not suppressed
                and not repeats(tokens, token, options.no_repeat_ngram_size)
            ):
                found.append(token)
        return found or [END]

    def admitted(self, number: int) -> list[tuple[int, ...]]:
        """Every output of a sentence that is admitted and has what is required."""
        required = () if self.required is None else self.required[number]
        return [tokens for tokens in self.outputs(number) if holds(tokens, required)]

    def outputs(self, number: int, tokens: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
        """Every output of a sentence that would be admitted if nothing were required."""
        for token in self.follow(number, tokens):
            if token == END:
                yield tokens
            else:
                yield from self.outputs(number, (*tokens, token))

    def forced(self, number: int, tokens: Sequence[int]) -> tuple[list[float], list[list[float]]]:
        """Log-probabilities of the tokens of an output and its end, and what each attended to."""
        said = [self.models.say(number, tokens[:length]) for length in range(len(tokens) + 1)]
        log_probs = [each[token] for (each, _), token in zip(said, [*tokens, END], strict=True)]
        return log_probs, [weights for _, weights in said]

    def score(self, number: int, tokens: Sequence[int]) -> float:
        """What an output is ranked by, from the equations."""
        log_probs, weights = self.forced(number, tokens)
        length, total = len(tokens) + 1, counted(log_probs)
        score = {
            "none": total,
            "average": total / length,
            "gnmt": total / ((5 + length) ** self.options.alpha / (5 + 1) ** self.options.alpha),
        }[self.options.normalization]
        if self.options.coverage_penalty:
            sums = [sum(column) for column in zip(*weights, strict=True)]
            score += self.options.coverage_penalty * sum(math.log(min(total, 1.0)) for total in sums)
        return score


def counted(log_probs: Sequence[float]) -> float:
    """Their sum, with a million for what is impossible."""
    return sum(max(log_prob, -1e6) for log_prob in log_probs)


def repeats(tokens: Sequence[int], token: int, run: int) -> bool:
    """Whether one more token would end a run of that many for the second time."""
    longer = [*tokens, token]
    runs = [longer[begin : begin + run] for begin in range(len(longer) - run + 1)]
    return run > 0 and token != END and runs[-1:] != [] and runs[-1] in runs[:-1]


def make_case(seed: int) -> Case:
    """Everything by chance, so that large and small models, plain and intricate demands come equally often."""
    rng = np.random.default_rng(seed)
    kinds = ["", "p", "f", "l", "z", "pl", "lz", "flz", "s", "s", "s", "sz"]
    models = Models(seed, int(rng.choice([2, 3, 3, 4, 4, 5, 5])), str(rng.choice(kinds)))
    options = BeamSearch(
        beam_size=int(rng.integers(1, 7)),
        normalization=rng.choice(["none", "average", "gnmt"]),
        alpha=float(rng.choice([0.0, 0.6, 1.0, 2.0])),
        coverage_penalty=float(rng.choice([0.0, 0.0, 0.2, 1.0])),
        min_length=int(rng.choice([0, 0, 0, 1, 2, 3])),
        no_repeat_ngram_size=int(rng.choice([0, 0, 0, 0, 0, 0, 1, 2])),
    )
    limits = np.minimum(rng.integers(0, 12, size=MODELS), 4 if models.size > 3 else DEPTH).tolist()
    others = [token for token in range(models.size) if token != END]
    longest = int(rng.choice([1, 1, 1, 4]))
    prefixes = [rng.choice(others, size=rng.integers(0, longest)).tolist() for _ in limits]
    suppressed = [int(rng.choice(others))] if models.size > 2 and rng.random() < 0.25 else []
    return Case(models, options, limits, prefixes, suppressed)


cases = st.builds(make_case, st.integers(0, 2**62))


def same(found: Hypothesis, other: Hypothesis) -> bool:
    """Whether two outputs are the same to the last bit."""
    assert found.weights is not None
    assert other.weights is not None
    return (
        (found.tokens, found.log_probs, found.score) == (other.tokens, other.log_probs, other.score)
        and found.weights.shape == other.weights.shape
        and bool((found.weights == other.weights).all())
    )


def all_same(found: Sequence[Hypothesis], others: Sequence[Hypothesis]) -> bool:
    return len(found) == len(others) and all(map(same, found, others))


def close(value: float) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-9)


@many
@given(case=cases, n_best=st.sampled_from([1, 3, 1000]))
def test_full_width_is_exhaustive(case: Case, n_best: int, tried: Counter[str]) -> None:
    for number, found in enumerate(case.find(beam_size=1000, n_best=n_best)):
        scores = {tokens: case.score(number, tokens) for tokens in case.outputs(number)}
        hypotheses = found.hypotheses
        assert len({hypothesis.tokens for hypothesis in hypotheses}) == len(hypotheses) == min(n_best, len(scores))
        assert [each.score for each in hypotheses] == close(sorted(scores.values(), reverse=True)[:n_best])
        assert [each.score for each in hypotheses] == close([scores[each.tokens] for each in hypotheses])
        tried["beam search, models: the full width gives what exhaustive enumeration gives"] += 1
        tried["beam search, outputs enumerated for that"] += len(scores)


@many
@given(case=cases)
def test_stopping_early_changes_nothing(case: Case, tried: Counter[str]) -> None:
    late = case.find(n_best=case.options.beam_size, stop_early=False)
    for n_best in range(1, case.options.beam_size + 1):
        for early, other in zip(case.find(n_best=n_best), late, strict=True):
            assert all_same(early.hypotheses, other.hypotheses[:n_best])
    tried["beam search, models: stopping early changes nothing, however many are asked for"] += MODELS


@many
@given(case=cases)
def test_batch_mates_change_nothing(case: Case, tried: Counter[str]) -> None:
    case = replace(case, options=replace(case.options, n_best=case.options.beam_size))
    numbers = list(itertools.islice(itertools.cycle(range(MODELS)), 64))
    large = case.find(numbers)
    for begin in range(0, MODELS, 7):
        for number, found in zip(numbers[begin : begin + 7], case.find(numbers[begin : begin + 7]), strict=True):
            assert all_same(found.hypotheses, large[number].hypotheses)
    for number in range(MODELS):
        (alone,) = case.find([number])
        assert all_same(alone.hypotheses, large[number].hypotheses)
        tried["beam search, models: the same in batches of 1, 7 and 64, whatever limits and prefixes others have"] += 1


@many
@given(case=cases)
def test_the_best_do_not_depend_on_how_many_are_asked_for(case: Case, tried: Counter[str]) -> None:
    every = case.find(n_best=case.options.beam_size)
    for n_best in range(1, case.options.beam_size):
        for found, most in zip(case.find(n_best=n_best), every, strict=True):
            assert all_same(found.hypotheses, most.hypotheses[:n_best])
    tried["beam search, models: the best do not depend on how many are asked for"] += MODELS


@many
@given(case=cases)
def test_scores_and_weights_are_the_teacher_forced_ones(case: Case, tried: Counter[str]) -> None:
    for number, found in enumerate(case.find(n_best=case.options.beam_size)):
        assert found.hypotheses
        for hypothesis in found.hypotheses:
            # One row, one token at a time, through the step itself.
            log_probs, weights, state = [], [], case.models.state([number])
            token = START
            for following in (*hypothesis.tokens, END):
                stepped = case.models.step(torch.tensor([token]), state)
                state, token = stepped.state, following  # type: ignore[assignment]
                log_probs.append(float(stepped.log_probs[0, following]))
                weights.append(stepped.weights[0, : case.models.positions[number]].numpy())
            assert hypothesis.log_probs == tuple(log_probs)
            assert hypothesis.score == close(case.score(number, hypothesis.tokens))
            assert hypothesis.weights is not None
            np.testing.assert_array_equal(hypothesis.weights, np.stack(weights))
            tried["beam search, outputs: score, log-probabilities and weights are the teacher-forced ones"] += 1
        tried["beam search, models those are from"] += 1


def greedy(case: Case, number: int) -> tuple[int, ...]:
    """The most probable token each time; of equally probable ones the end, then the first."""
    tokens: tuple[int, ...] = ()
    while True:
        log_probs, _ = case.models.say(number, tokens)
        ranked = sorted(case.follow(number, tokens), key=lambda token: (-log_probs[token], token != END, token))
        if ranked[0] == END:
            return tokens
        tokens = (*tokens, ranked[0])


@many
@given(case=cases)
def test_width_1_is_greedy(case: Case, tried: Counter[str]) -> None:
    drawn = draw_all(case, range(MODELS), Sampling(greedy=True, seed=1))
    for number, (found, one) in enumerate(zip(case.find(beam_size=1), drawn, strict=True)):
        (hypothesis,) = found.hypotheses
        if number >= case.models.flat:
            assert hypothesis.tokens == one.tokens == greedy(case, number)
            assert hypothesis.log_probs == one.log_probs
            assert one.weights is not None
            assert hypothesis.weights is not None
            np.testing.assert_array_equal(hypothesis.weights, one.weights)
            tried["beam search, models: width 1 is greedy, and so is sampling by argmax"] += 1


def draw_all(case: Case, numbers: Sequence[int], sampling: Sampling) -> list[Hypothesis]:
    return sample_sequences(
        TensorStep(case.models.step),
        case.models.state(numbers),
        DecodingProblem(
            START,
            END,
            [case.limits[number] for number in numbers],
            positions=[case.models.positions[number] for number in numbers],
            prefixes=[case.prefixes[number] for number in numbers],
            suppressed=case.suppressed,
        ),
        sampling,
        min_length=case.options.min_length,
        no_repeat_ngram_size=case.options.no_repeat_ngram_size,
        indices=numbers,
    )


@many
@given(case=cases, temperature=st.sampled_from([0.5, 1.0, 3.0]), seed=st.integers(0, 2**32))
def test_what_is_drawn_is_admitted_and_does_not_depend_on_the_batch(
    case: Case, temperature: float, seed: int, tried: Counter[str]
) -> None:
    sampling = Sampling(temperature=temperature, seed=seed)
    together = draw_all(case, range(MODELS), sampling)
    for number, hypothesis in enumerate(together):
        assert hypothesis.tokens in set(case.outputs(number))
        log_probs, weights = case.forced(number, hypothesis.tokens)
        assert hypothesis.log_probs == tuple(log_probs)
        assert hypothesis.score == close(counted(log_probs))
        np.testing.assert_array_equal(hypothesis.weights, np.array(weights, dtype=np.float32))
        tried["sampling, models: what is drawn is admitted, with the teacher-forced log-probabilities and weights"] += 1
    sevens = [draw_all(case, range(MODELS)[begin : begin + 7], sampling) for begin in range(0, MODELS, 7)]
    assert all_same(list(itertools.chain(*sevens)), together)
    assert all_same([draw_all(case, [number], sampling)[0] for number in range(MODELS)], together)
    tried["sampling, models: a seed draws the same in batches of 1, 7 and more"] += MODELS


def test_frequencies_of_what_is_drawn() -> None:
    """How often each output of a tiny model is drawn, against its probability."""
    limits: list[int] = [2] * MODELS
    case = Case(Models(3, 3, ""), BeamSearch(min_length=1), limits, [[] for _ in limits], [])
    draws = 6000
    drawn = sample_sequences(
        TensorStep(case.models.step),
        case.models.state([7] * draws),
        DecodingProblem(START, END, [2] * draws),
        Sampling(temperature=1.0, seed=0),
        min_length=1,
    )
    frequencies = Counter(each.tokens for each in drawn)
    mass = 0.0
    for tokens in case.outputs(7):
        # What is suppressed is drawn by nobody; the others have its share.
        probability = 1.0
        for length, token in enumerate([*tokens, END]):
            log_probs, _ = case.models.say(7, tokens[:length])
            allowed = case.follow(7, tokens[:length])
            probability *= math.exp(log_probs[token]) / sum(math.exp(log_probs[each]) for each in allowed)
        deviation = math.sqrt(draws * probability * (1 - probability))
        assert abs(frequencies[tokens] - draws * probability) < 4 * deviation
        mass += probability
    assert mass == pytest.approx(1)


def make_requirements(case: Case, seed: int) -> Case:
    """The same case with what must be in its outputs: up to three requirements of one or two short runs, or nothing."""
    rng = np.random.default_rng(seed)
    others = [token for token in range(case.models.size) if token != END and token not in case.suppressed]
    required: list[Required] = []
    for number in range(MODELS):
        room = (4 if case.models.size > 3 else DEPTH) - len(case.prefixes[number])
        each: list[list[list[int]]] = []
        for _ in range(rng.integers(0, 4)):
            forms = [rng.choice(others, size=rng.integers(1, 4)).tolist() for _ in range(rng.integers(1, 3))]
            if fewest_tokens([*each, forms]) <= room:
                each.append(forms)
        required.append(each)
    return replace(case, required=required)


demanding = st.builds(make_requirements, cases, st.integers(0, 2**62))


def free(case: Case) -> Case:
    """A case in which every token may come anywhere, so that whatever is required can be had."""
    possible = bool(torch.isfinite(case.models.log_probs).all())
    assume(possible and not case.options.no_repeat_ngram_size)
    return case


@many
@given(case=demanding.map(lambda case: replace(case, options=replace(case.options, no_repeat_ngram_size=0))),
       n_best=st.sampled_from([1, 3, 1000]))  # fmt: skip
def test_the_best_with_what_is_required_by_enumeration(case: Case, n_best: int, tried: Counter[str]) -> None:
    for number, found in enumerate(free(case).find(beam_size=1000, n_best=n_best)):
        scores = {tokens: case.score(number, tokens) for tokens in case.admitted(number)}
        assert [each.score for each in found.hypotheses] == close(sorted(scores.values(), reverse=True)[:n_best])
        assert [each.score for each in found.hypotheses] == close([scores[each.tokens] for each in found.hypotheses])
        tried["beam search, models: what is required is there, and the full width is exhaustive with it"] += 1


@many
@given(case=demanding)
def test_what_is_required_is_in_every_output_however_narrow_the_beam(case: Case) -> None:
    case = replace(free(case), options=replace(case.options, n_best=case.options.beam_size))
    assert case.required is not None
    together = case.find(trees=True)
    for number, found in enumerate(together):
        assert found.hypotheses
        for hypothesis in found.hypotheses:
            assert holds(hypothesis.tokens, case.required[number])
            assert hypothesis.tokens[: len(case.prefixes[number])] == tuple(case.prefixes[number])
            assert len(hypothesis.tokens) <= case.limit(number)
            assert hypothesis.score == close(case.score(number, hypothesis.tokens))
        # Neither stopping early, trees, how many are asked for, nor batch mates change anything.
        if number % 4:
            continue
        (alone,) = case.find([number], stop_early=number % 8 == 0, n_best=1)
        assert all_same(alone.hypotheses, found.hypotheses[:1])


@many
@given(case=demanding)
def test_nothing_is_found_only_where_there_is_nothing_or_the_beam_is_narrow(case: Case) -> None:
    """With tokens that cannot come or must not repeat, what is required may be out of reach: then it is refused."""
    for number in range(0, MODELS, 6):
        scores = [case.score(number, tokens) for tokens in case.admitted(number)]
        if scores:
            (found,) = case.find([number], beam_size=1000)
            assert found.hypotheses[0].score == close(max(scores))
        else:
            with pytest.raises(RecurraError, match="no output that has all that is required is found"):
                case.find([number], beam_size=1000)


def test_nothing_that_is_required_changes_nothing() -> None:
    case = make_case(7)
    for found, other in zip(case.find(), replace(case, required=[[] for _ in range(MODELS)]).find(), strict=True):
        assert all_same(found.hypotheses, other.hypotheses)


def test_an_empty_run_is_refused() -> None:
    with pytest.raises(ValueError, match="a run of no tokens is required"):
        Constraints([[[[]]]])
