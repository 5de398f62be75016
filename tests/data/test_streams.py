"""Tokens on disk, and the streams they are trained on: every token in its place, whoever reads and whenever."""

import errno
import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recurra.data import streams as batching
from recurra.data.streams import Streams, VariedStreams, write_tokens
from recurra.data.tokenizer import Bytes, Characters, Words
from recurra.errors import RecurraError


@st.composite
def streams(draw: st.DrawFn) -> Streams:
    """Tokens are their own places, so that a batch tells where it was read."""
    batch_size, chunk = draw(st.integers(1, 6)), draw(st.integers(1, 9))
    length = draw(st.integers(2 * batch_size * chunk + 1, 2 * batch_size * chunk + 200))
    return Streams(np.arange(length), batch_size, chunk, draw(st.integers(0, 2**31)))


@given(data=streams(), epoch=st.integers(0, 3))
def test_targets_are_the_inputs_shifted_by_one_and_rows_go_on_where_they_stopped(data: Streams, epoch: int) -> None:
    everything = slice(0, data.batch_size)
    first = epoch * data.steps_per_epoch
    last_targets = None
    for step in range(first, first + data.steps_per_epoch):
        batch = data.batch(step, everything)
        assert batch.inputs.shape == batch.targets.shape == (data.batch_size, data.sequence_length)
        np.testing.assert_array_equal(batch.inputs[:, 1:], batch.inputs[:, :-1] + 1)  # consecutive text
        np.testing.assert_array_equal(batch.targets, batch.inputs + 1)
        if last_targets is not None:
            np.testing.assert_array_equal(batch.inputs[:, 0], last_targets)
        last_targets = batch.targets[:, -1]


@given(data=streams(), epoch=st.integers(0, 3))
def test_no_token_is_predicted_twice_in_an_epoch_and_few_are_left_out(data: Streams, epoch: int) -> None:
    first = epoch * data.steps_per_epoch
    steps = range(first, first + data.steps_per_epoch)
    predicted = np.concatenate([data.batch(step, slice(0, data.batch_size)).targets.ravel() for step in steps])
    assert len(np.unique(predicted)) == len(predicted)
    assert predicted.min() > 0
    assert predicted.max() < len(data.tokens)
    left_out = len(data.tokens) - 1 - len(predicted)
    # In each row what is before the shifted borders and behind the last, not two chunks; and less than a row's worth.
    assert left_out < data.batch_size * 2 * data.sequence_length + data.batch_size


@given(data=streams())
def test_in_the_long_run_every_row_is_read_from_its_first_token_to_its_last(data: Streams) -> None:
    starts, ends = set(), set()
    for epoch in range(400):
        first = epoch * data.steps_per_epoch
        starts |= {data.batch(first, slice(0, 1)).targets[0, 0]}
        ends |= {data.batch(first + data.steps_per_epoch - 1, slice(0, 1)).targets[0, -1]}
    assert min(starts) == 1
    assert max(ends) == data.stream_length


@given(data=streams(), border=st.integers(0, 6), step=st.integers(0, 10**6))
def test_rows_of_two_processes_are_the_rows_of_one(data: Streams, border: int, step: int) -> None:
    whole = data.batch(step, slice(0, data.batch_size))
    border = min(border, data.batch_size)
    assume(0 < border < data.batch_size)
    parts = [data.batch(step, slice(0, border)), data.batch(step, slice(border, data.batch_size))]
    for one, other in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(one, np.concatenate(other))


@given(data=streams(), steps=st.lists(st.integers(0, 10**6), min_size=1, max_size=5))
def test_a_batch_is_a_function_of_its_step_alone(data: Streams, steps: list[int]) -> None:
    everything = slice(0, data.batch_size)
    again = Streams(data.tokens, data.batch_size, data.sequence_length, data.seed)
    expected = {step: data.batch(step, everything) for step in steps}
    for step in reversed(steps):
        for one, other in zip(expected[step], again.batch(step, everything), strict=True):
            np.testing.assert_array_equal(one, other)


def test_state_is_carried_within_an_epoch_but_for_the_odd_fresh_start() -> None:
    data = Streams(np.arange(100_001), batch_size=10, sequence_length=10)
    everything = slice(0, 10)
    assert not data.batch(0, everything).carried.any()
    assert not data.batch(data.steps_per_epoch, everything).carried.any()
    carried = np.stack([data.batch(step, everything).carried for step in range(1, data.steps_per_epoch)])
    share = 1 - carried.mean()
    assert abs(share - batching.RESTART) < 5 * (batching.RESTART / carried.size) ** 0.5
    assert carried[:, 0].tolist() != carried[:, 1].tolist()


def test_chunk_borders_shift_and_the_seed_matters() -> None:
    data = [Streams(np.arange(10_001), batch_size=2, sequence_length=50, seed=seed) for seed in (1, 2)]
    starts = [
        [int(one.batch(epoch * one.steps_per_epoch, slice(0, 1)).inputs[0, 0]) for epoch in range(20)] for one in data
    ]
    assert len(set(starts[0])) > 10
    assert starts[0] != starts[1]
    assert all(0 <= start < 100 for start in starts[0])


def test_too_few_tokens_for_two_chunks_a_row_are_refused() -> None:
    Streams(np.arange(41), batch_size=2, sequence_length=10)
    with pytest.raises(ValueError, match="40 tokens are too few for 2 rows of 10 steps"):
        Streams(np.arange(40), batch_size=2, sequence_length=10)


@pytest.mark.parametrize(("size", "dtype"), [(255, "uint8"), (256, "uint16"), (65_535, "uint16"), (65_536, "uint32")])
def test_tokens_are_as_narrow_as_the_vocabulary_allows(tmp_path: Path, size: int, dtype: str) -> None:
    words = [f"w{number}" for number in range(size)]  # and the unknown one
    blocks = ["w0\n", f"{words[-1]}\n", "what\n"]
    file = write_tokens(blocks, Words([*words, "\n"][1:]), tmp_path / "tokens.bin")
    assert file.dtype == dtype
    assert file.path.stat().st_size == file.length * np.dtype(dtype).itemsize
    assert file.open().tolist() == [0, size, size - 1, size, 0, size]
    assert file.unknown == 2


@given(blocks=st.lists(st.text("abc春\n", max_size=20), max_size=6))
def test_a_token_file_holds_the_tokens_of_the_text(tmp_path_factory: pytest.TempPathFactory, blocks: list[str]) -> None:
    path = tmp_path_factory.mktemp("tokens") / "tokens.bin"
    tokenizer = Characters(["a", "b", "\n"])
    file = write_tokens(iter(blocks), tokenizer, path)
    text = "".join(blocks)
    assert file.open().tolist() == tokenizer.encode(text).tolist()
    assert file.length == len(text)
    assert file.unknown == text.count("c") + text.count("春")
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(file.open()) == len(text)


def test_tokens_are_mapped_not_read_and_cannot_be_changed(tmp_path: Path) -> None:
    tokens = write_tokens(["abc"], Bytes(), tmp_path / "tokens.bin").open()
    assert isinstance(tokens, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        tokens[0] = 1


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(RecurraError, match="writing /dev/full failed: the disk is full; free some space") as error:
        write_tokens(["abc" * 100_000], Bytes(), full)
    assert isinstance(error.value.__cause__, OSError)
    assert error.value.__cause__.errno == errno.ENOSPC


@st.composite
def varied_streams(draw: st.DrawFn) -> VariedStreams:
    """Tokens below 50 in pieces of any length; the variants add 100, 200, ..., so that a batch tells them apart."""
    plain = draw(streams())
    length = len(plain.tokens)
    begins = np.array(sorted({0, *draw(st.sets(st.integers(1, length - 1), max_size=12))}))
    variants = np.arange(50)[None] + 100 * np.arange(draw(st.integers(1, 4)))[:, None]
    tokens = plain.tokens % 50
    return VariedStreams(tokens, plain.batch_size, plain.sequence_length, plain.seed, begins=begins, variants=variants)


@given(data=varied_streams(), epoch=st.integers(0, 3))
def test_varied_streams_read_each_piece_in_one_variant_a_pass(data: VariedStreams, epoch: int) -> None:
    places = Streams(np.arange(len(data.tokens)), data.batch_size, data.sequence_length, data.seed, data.restart)
    drawn: dict[int, set[int]] = {}
    for step in range(epoch * data.steps_per_epoch, (epoch + 1) * data.steps_per_epoch):
        batch, where = (one.batch(step, slice(0, data.batch_size)) for one in (data, places))
        np.testing.assert_array_equal(batch.carried, where.carried)
        for mine, theirs in ((batch.inputs, where.inputs), (batch.targets, where.targets)):
            np.testing.assert_array_equal(mine % 100, data.tokens[theirs])
            for variant, place in zip((mine // 100).ravel(), theirs.ravel(), strict=True):
                drawn.setdefault(max(at for at, begin in enumerate(data.begins) if begin <= place), set()).add(variant)
    assert all(len(variants) == 1 for variants in drawn.values())


@given(data=varied_streams(), step=st.integers(0, 1000), border=st.integers(1, 5))
def test_varied_rows_of_two_processes_are_the_rows_of_one(data: VariedStreams, step: int, border: int) -> None:
    assume(border < data.batch_size)
    whole = data.batch(step, slice(0, data.batch_size))
    parts = [data.batch(step, slice(0, border)), data.batch(step, slice(border, data.batch_size))]
    for one, other in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(one, np.concatenate(other))


def test_variants_are_drawn_anew_in_every_pass_and_evenly() -> None:
    begins, variants = np.arange(0, 100, 2), np.arange(4)[:, None] * np.ones(1, np.int64)
    data = VariedStreams(np.zeros(100, np.int64), 1, 49, begins=begins, variants=variants.astype(np.int64))
    passes = np.stack([data.cut(np.array([0, 49]), epoch).ravel() for epoch in range(100)])
    counts = np.bincount(passes[:, :48:2].ravel(), minlength=4)
    assert len(np.unique(passes, axis=0)) == 100
    assert abs(counts / counts.sum() - 0.25).max() < 0.05
