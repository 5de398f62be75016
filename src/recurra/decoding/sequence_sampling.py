"""Whole outputs drawn at random, with the interface of a beam search."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.arrays import DoubleArray, IntArray
from recurra.decoding.candidates import IMPOSSIBLE, DecodingProblem, OutputRules, check_numbers
from recurra.decoding.hypothesis import Ended, History, Hypothesis
from recurra.decoding.sampling import Sampling, fresh_seed
from recurra.decoding.step import DecoderStep, LogProbs, StateT


def sample_sequences(
    step: DecoderStep[StateT],
    state: StateT,
    problem: DecodingProblem,
    sampling: Sampling,
    *,
    min_length: int = 0,
    no_repeat_ngram_size: int = 0,
    indices: Sequence[int] | None = None,
) -> list[Hypothesis]:
    """Draw one output for each sentence; what is drawn for one does not depend on the others.

    The rules are those of `beam_search`. Temperature, top-k and top-p act on what may come; the log-probabilities are
    the model's own, and their sum is the score.

    Args:
        step: the decoder.
        state: before the first token, one row a sentence.
        problem: what is to be written.
        sampling: how to choose.
        min_length: shortest output, in tokens.
        no_repeat_ngram_size: no run of this many tokens comes twice in an output; 0 for any.
        indices: what, with the seed, decides the choices of each sentence: its index among all that are asked for.
            0, 1, ... if not given.

    Raises:
        RecurraError: if the step gives NaN.
        ValueError: if the arguments do not fit each other.
    """
    count = len(problem.limits)
    rules = OutputRules(problem, min_length, no_repeat_ngram_size)
    indices = range(count) if indices is None else indices
    if len(indices) != count:
        raise ValueError(f"there are {count} limits, but {len(indices)} indices")
    seed = fresh_seed() if sampling.seed is None else sampling.seed
    generators = [np.random.default_rng((seed, index)) for index in indices]

    history = History(problem.positions)
    outputs: dict[int, Ended] = {}
    sentences = np.arange(count)
    written = np.empty((count, 0), dtype=np.int64)
    totals = np.zeros(count)
    tokens = np.full(count, problem.start, dtype=np.int64)
    while len(sentences):
        stepped = step(tokens, state)
        history.record_weights(stepped.weights)
        tokens, log_probs = _draw(stepped.log_probs, rules, sentences, written, sampling, generators)
        totals = totals + np.maximum(log_probs, IMPOSSIBLE)
        ends = tokens == problem.end
        for row in np.flatnonzero(ends):
            ended = Ended(float(totals[row]), written.shape[1], int(row), float(log_probs[row]))
            outputs[int(sentences[row])] = ended
        rows = np.flatnonzero(~ends)
        tokens = tokens[rows]
        history.extend(rows, tokens, log_probs[rows])
        state = step.select(stepped.state, rows) if ends.any() else stepped.state
        sentences, totals = sentences[rows], totals[rows]
        written = np.concatenate([written[rows], tokens[:, None]], axis=1)
    return [history.read(outputs[sentence], sentence) for sentence in range(count)]


def _draw(
    log_probs: LogProbs,
    rules: OutputRules,
    sentences: IntArray,
    written: IntArray,
    sampling: Sampling,
    generators: Sequence[np.random.Generator],
) -> tuple[IntArray, DoubleArray]:
    """The next token of each row and its log-probability under the model, `(rows,)` each."""
    from recurra.kernels.sampling import draw  # see `sampling`

    length = written.shape[1]
    own = log_probs.numpy()
    check_numbers(own)
    allowed = own.copy()  # the step's array is not ours to write on
    allowed[rules.impossible(sentences, written if rules.no_repeat_ngram_size else None)] = -np.inf
    allowed[:, rules.excluded] = -np.inf
    if length >= rules.min_length:
        allowed[:, rules.end] = own[:, rules.end]
    tokens = rules.forced(sentences, length)
    tokens[(tokens < 0) & (allowed.max(axis=1) == -np.inf)] = rules.end

    temperature = 0.0 if sampling.greedy else sampling.temperature
    weights, keys = np.empty(own.shape[1], np.float32), np.empty(own.shape[1], np.int32)
    for row in np.flatnonzero(tokens < 0):
        uniform = generators[sentences[row]].random()
        drawn, _ = draw(allowed[row], temperature, sampling.top_k, sampling.top_p, uniform, weights, keys)
        tokens[row] = drawn
    chosen: DoubleArray = own[np.arange(len(own)), tokens].astype(np.float64)
    return tokens, chosen
