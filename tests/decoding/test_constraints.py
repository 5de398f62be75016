"""What is required of outputs: followed token by token, against looking at the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recurra.decoding import seq2seq
from recurra.decoding.constraints import Constraints, fewest_tokens, holds
from recurra.errors import OptionError

runs = st.lists(st.integers(0, 2), min_size=1, max_size=4)
requirements = st.lists(st.lists(runs, min_size=1, max_size=3), max_size=3)


@given(st.lists(requirements, min_size=1, max_size=4), st.lists(st.integers(0, 3), max_size=12))
def test_progress_says_whether_an_output_has_all(required: list, tokens: list[int]) -> None:
    assume(any(required))
    constraints = Constraints(required)
    sentences = np.arange(len(required))
    progress = constraints.first()
    for length in range(len(tokens) + 1):
        lacking = constraints.lacking(progress, sentences)
        expected = [holds(tokens[:length], each) for each in required]
        assert (lacking == 0).tolist() == constraints.met(progress, sentences).tolist() == expected
        assert (lacking <= [fewest_tokens(each) for each in required]).all()
        # One token at least leads on.
        following = constraints.advance(progress, sentences, np.tile(np.arange(4), (len(required), 1)))
        assert (constraints.lacking(following, sentences).min(axis=1) < lacking)[lacking > 0].all()
        if length < len(tokens):
            column = np.full((len(required), 1), tokens[length])
            progress = constraints.advance(progress, sentences, column)[:, 0]


def test_a_batch_has_room_for_the_banks_of_all_its_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seq2seq, "MAX_ROWS", 10)
    batches = list(seq2seq._batches([1] * 6, [5, 5, 10, 2, 3, 20]))
    assert batches == [[0, 1], [2], [3, 4], [5]]


def test_many_banks_take_as_much_memory_as_a_wide_beam() -> None:
    seq2seq.require_room(1000, 1000, 50)
    with pytest.raises(OptionError, match="give at most 26"):
        seq2seq.require_room(1000, 1000, 50, banks=10)
