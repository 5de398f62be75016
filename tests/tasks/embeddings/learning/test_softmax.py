"""Skip-gram by the full softmax: its loss in float64, its gradient by autograd, its runs byte for byte."""

import math
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import Interrupted, OptionError, RecurraError
from recurra.tasks.embeddings import Config, Texts, train
from recurra.tasks.embeddings.config import resolve
from recurra.tasks.embeddings.data import read_data
from recurra.tasks.embeddings.learning import softmax
from recurra.tasks.embeddings.learning.softmax import Batch, Softmax, gradients, kept_share, mean_loss, pairs
from recurra.training.history import Measurement

SMALL: dict[str, Any] = dict(method="softmax", embedding_size=12, min_count=1, epochs=3, window=3, subsample=0.0)


def sentences(count: int, seed: int = 0, words: int = 20) -> str:
    """Lines of seven words, all about one of two topics: those of even numbers or those of odd ones."""
    rng = np.random.default_rng(seed)
    lines = 2 * rng.integers(words // 2, size=(count, 7)) + rng.integers(2, size=(count, 1))
    return "\n".join(" ".join(f"w{chr(97 + number)}" for number in line) for line in lines)


def learner(folder: Path, text: str = sentences(300), validation: str = sentences(40, 1), **options: Any) -> Softmax:
    config = resolve(Config(**SMALL | options))
    folder.mkdir(exist_ok=True)
    return Softmax(config, read_data([Texts([text])], [Texts([validation])], config, folder))


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softmax, "PART", 256)


def some_batch(count: int, words: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.random.default_rng(seed).integers(words, size=(2, count)).astype(np.int32))  # type: ignore[return-value]


def some_vectors(words: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((words, 6)).astype(np.float32) for _ in range(2)]


@pytest.fixture(params=[1, 17, 2**24])
def logits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of one centre, of a few, and of all."""
    monkeypatch.setattr(softmax, "_LOGITS", request.param)


@pytest.mark.usefixtures("logits")
@pytest.mark.parametrize("words", [2, 8, 300])
def test_the_loss_is_that_of_float64_pair_by_pair(words: int) -> None:
    centres, contexts = some_batch(500, words, words)
    inputs, outputs = some_vectors(words, 1)
    total = 0.0
    for centre, context in zip(centres, contexts, strict=True):
        logits = [sum(float(a) * float(b) for a, b in zip(inputs[centre], row, strict=True)) for row in outputs]
        total += math.log(math.fsum(math.exp(logit) for logit in logits)) - logits[context]
    found = mean_loss(torch.from_numpy(inputs), torch.from_numpy(outputs), Batch.of(centres, contexts))
    assert found == pytest.approx(total / 500, rel=1e-10)


@pytest.mark.usefixtures("logits")
def test_the_gradient_is_that_of_automatic_differentiation() -> None:
    centres, contexts = some_batch(60, 9, 0)
    given = [torch.from_numpy(array) for array in some_vectors(12, 2)]
    leaves = [tensor.double().requires_grad_() for tensor in given]
    log_probs = torch.log_softmax(leaves[0][torch.from_numpy(centres)] @ leaves[1].T, 1)
    loss = -log_probs.gather(1, torch.from_numpy(contexts).long()[:, None]).sum()
    expected = torch.autograd.grad(loss, leaves)
    batch = Batch.of(centres, contexts)
    by_inputs, by_outputs = gradients(*given, batch)
    assert by_inputs.dtype == torch.float32
    np.testing.assert_allclose(by_inputs, expected[0][batch.centres], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(by_outputs, expected[1], rtol=1e-4, atol=1e-4)


def test_the_loss_is_exact_where_float32_would_not_do() -> None:
    inputs, outputs = torch.full((2, 1), 40.0), torch.tensor([[5.0], [5.0 - 1e-4]])
    batch = Batch.of(np.zeros(1, np.int32), np.zeros(1, np.int32))
    difference = 40.0 * (float(outputs[0, 0]) - float(outputs[1, 0]))
    assert mean_loss(inputs, outputs, batch) == pytest.approx(math.log1p(math.exp(-difference)), rel=1e-9)


@given(
    st.lists(st.integers(-1, 6), max_size=30),
    st.lists(st.integers(1, 5), min_size=30, max_size=30),
)
def test_pairs_are_those_within_reach_in_a_line(text: list[int], radii: list[int]) -> None:
    expected: Counter[tuple[int, int]] = Counter()
    for place, centre in enumerate(text):
        for other in range(max(place - radii[place], 0), min(place + radii[place] + 1, len(text))):
            between = text[min(place, other) : max(place, other) + 1]
            if other != place and -1 not in between:
                expected[centre, text[other]] += 1
    centres, contexts = pairs(np.array(text, np.int32), np.array(radii[: len(text)]))
    assert Counter(zip(centres.tolist(), contexts.tolist(), strict=True)) == expected
    batch = Batch.of(centres, contexts)
    found = {
        (int(batch.centres[row]), int(context)): int(count)
        for row, context, count in zip(batch.rows, batch.contexts, batch.counts, strict=True)
    }
    assert found == expected
    assert bool(batch) == bool(expected)


def test_frequent_words_are_left_out_as_word2vec_does() -> None:
    counts = np.array([9000, 990, 10])
    shares = np.array([0.9, 0.099, 0.001])
    expected = (np.sqrt(shares / 1e-2) + 1) * 1e-2 / shares  # as word2vec.c writes it
    np.testing.assert_allclose(kept_share(counts, 1e-2), np.minimum(expected, 1))
    assert (kept_share(counts, 0.0) == 1).all()


def test_draws_follow_window_and_subsample(tmp_path: Path) -> None:
    learning = learner(tmp_path, window=4)
    text = np.tile(np.arange(9, dtype=np.int32), 400)
    centres, contexts = learning._drawn(text, np.random.default_rng(0))
    distances = Counter(np.minimum((centres - contexts) % 9, (contexts - centres) % 9).tolist())
    assert [distances[d] / len(text) for d in range(1, 6)] == pytest.approx([2, 1.5, 1, 0.5, 0], abs=0.08)
    learning.keep = np.full(len(learning.keep), 0.25)
    assert len(learning._drawn(text, np.random.default_rng(0))[0]) == pytest.approx(len(centres) / 4, rel=0.1)


def test_a_step_is_by_the_rule_of_adagrad(tmp_path: Path) -> None:
    learning = learner(tmp_path)
    learning.outputs += torch.from_numpy(some_vectors(20, 0)[0]).repeat(1, 2)
    before = {name: tensor.clone() for name, tensor in learning._named().items()}
    batch = Batch.of(*learning._drawn(np.asarray(learning.text), np.random.default_rng([1, 2, 0, 0])))
    by_inputs, by_outputs = gradients(before["inputs"], before["outputs"], batch)
    assert learning.learn(0, 0.5) == 2100
    everything = torch.zeros_like(by_outputs)
    everything[batch.centres] = by_inputs
    for name, gradient in (("input", everything), ("output", by_outputs)):
        squares = before[f"{name}_squares"] + gradient**2
        after = before[f"{name}s"] - 0.5 * gradient / squares.sqrt()
        torch.testing.assert_close(learning._named()[f"{name}_squares"], squares)
        torch.testing.assert_close(learning._named()[f"{name}s"], after)


def run_of(learning: Softmax, parts: range) -> bytes:
    for part in parts:
        learning.learn(part, 0.1)
    return b"".join(array.tobytes() for array in learning.arrays().values())


@pytest.mark.usefixtures("small_parts")
def test_the_bytes_are_the_same_for_any_threads(tmp_path: Path) -> None:
    text = sentences(600, words=26)
    found = []
    before = torch.get_num_threads()
    for threads in (1, 2, 4):
        torch.set_num_threads(threads)
        try:
            learning = learner(tmp_path / str(threads), text, threads=threads, embedding_size=70)
            found.append((run_of(learning, range(4)), learning.losses()))
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
    assert found[0] == found[1] == found[2]
    assert run_of(learner(tmp_path / "other", text, seed=2, embedding_size=70), range(4)) != found[0][0]


def test_one_thread_multiplies_unless_several_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    monkeypatch.setattr(torch, "set_num_threads", used.append)
    learner(tmp_path / "one", threads=3).learn(0, 0.1)
    learner(tmp_path / "three", threads=3, deterministic=False).learn(0, 0.1)
    assert used[::2] == [1, 3]


@pytest.mark.usefixtures("small_parts")
def test_a_run_goes_on_from_its_arrays_as_if_never_stopped(tmp_path: Path) -> None:
    whole, first, second = (learner(tmp_path / name) for name in ("whole", "first", "second"))
    assert whole.parts == 10
    expected = run_of(whole, range(13))
    run_of(first, range(6))
    second.restore({name: array.copy() for name, array in first.arrays().items()})
    assert run_of(second, range(6, 13)) == expected


@pytest.mark.usefixtures("small_parts")
def test_an_epoch_takes_every_part_once_in_an_order_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learning = learner(tmp_path)
    read: list[bytes] = []
    drawn = learning._drawn
    monkeypatch.setattr(learning, "_drawn", lambda text, rng: (read.append(text.tobytes()), drawn(text, rng))[1])
    words = sum(learning.learn(part, 0.1) for part in range(20))
    expected = np.asarray(learning.text)
    parts = [expected[begin : begin + 256].tobytes() for begin in range(0, len(expected), 256)]
    assert words == 2 * 2100
    assert sorted(read[:10]) == sorted(read[10:]) == sorted(parts)
    assert read[:10] != read[10:] != parts


def test_it_begins_with_guessing_and_learns_what_stands_together(tmp_path: Path) -> None:
    config = resolve(Config(**SMALL))
    data = read_data([Texts([sentences(300)])], [Texts([sentences(100, 1)])], config, tmp_path)
    learning = Softmax(config, data)
    assert learning.guessing == pytest.approx(math.log(20))
    assert learning.losses() == pytest.approx((math.log(20), math.log(20)))
    run_of(learning, range(60))
    loss, validation = learning.losses()
    assert math.log(10) - 0.05 < loss < validation < math.log(10) + 0.1  # ten words of a topic are as likely
    unit = learning.vectors() / np.linalg.norm(learning.vectors(), axis=1, keepdims=True)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -1)
    topics = np.array([ord(word[1]) % 2 for word in data.words])
    assert (topics[similar.argmax(axis=1)] == topics).all()


def test_the_learning_rate_falls_to_nearly_nothing(tmp_path: Path) -> None:
    learning = learner(tmp_path, learning_rate=0.2)
    assert [learning.learning_rate(share) for share in (0, 0.5, 1)] == pytest.approx([0.2, 0.1, 2e-5])


def test_a_loss_is_measured_on_several_places_of_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softmax, "SAMPLE", 64)
    lines = [" ".join([f"w{chr(97 + number // 12)}"] * 8) for number in range(240)]
    learning = learner(tmp_path, "\n".join(lines))
    assert len(learning.sample.centres) >= 7
    assert learning.sample.counts.sum() < 64 * 6


def test_a_validation_text_without_pairs_is_answered_by_the_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learning = learner(tmp_path, validation="wa\nwb")
    assert learning.losses()[0] == learning.losses()[1]
    assert "says nothing of pairs" in capsys.readouterr().err


def test_a_text_of_lines_of_one_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecurraError, match=r"no two words of .* stand in one line"):
        learner(tmp_path, sentences(60).replace(" ", "\n"))


def test_too_many_words_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softmax, "MOST_WORDS", 19)
    with pytest.raises(OptionError, match="`method` negative-sampling, or a `vocabulary_size` of at most 19"):
        learner(tmp_path)


@pytest.mark.usefixtures("small_parts")
def test_a_run_that_was_stopped_and_resumed_gives_the_bytes_of_one_that_was_not(tmp_path: Path) -> None:
    data = Texts([sentences(300)])
    points = []

    def stop(point: Measurement) -> None:
        points.append(point)
        if len(points) == 5:
            os.kill(os.getpid(), signal.SIGINT)

    whole = train(data, tmp_path / "whole", **SMALL, progress=False)
    with pytest.raises(Interrupted):
        train(data, tmp_path / "halves", **SMALL, progress=stop)
    halves = train(data, tmp_path / "halves", **SMALL, resume=True, progress=False)
    assert 0 < points[-1].step < whole.history[-1].step
    assert halves.learned().keys() == whole.learned().keys() > {"word/outputs", "word/input_squares"}
    for name, array in whole.learned().items():
        assert array.tobytes() == halves.learned()[name].tobytes()
    assert whole.vectors.matrix.tobytes() == whole.learned()["word/inputs"].tobytes()
    assert whole.record["loss_unit"] == "nats a pair"
    assert whole.record["validation_loss"] < whole.record["guessing"]
