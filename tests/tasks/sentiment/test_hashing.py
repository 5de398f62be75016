"""N-grams as rows of a table: the kernel against its plain twin, the hash against published values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.sentiment.hashing import MAX_BITS, MIN_BITS, Hasher, load, shared_share, suitable_bits

words = st.lists(st.text(max_size=6), max_size=12)


@given(words, st.integers(1, 5), st.integers(4, 28))
def test_rows_are_those_of_all_ngrams_each_once(text: list[str], longest: int, bits: int) -> None:
    hasher = Hasher(longest, bits)
    ngrams = [text[begin : begin + length] for length in range(1, longest + 1) for begin in range(len(text))]
    ngrams = [ngram for begin, ngram in enumerate(ngrams) if len(ngram) == begin // max(len(text), 1) + 1]
    assert sorted(map(tuple, ngrams)) == sorted(map(tuple, hasher.ngrams(text)))
    rows = hasher.rows(text)
    assert rows.tolist() == sorted({hasher.row(ngram) for ngram in ngrams})
    assert hasher.size == 2**bits


@pytest.mark.parametrize(
    ("word", "fnv"), [("", 0xCBF29CE484222325), ("a", 0xAF63DC4C8601EC8C), ("foobar", 0x85944171F73967E8)]
)
def test_the_hash_is_fnv_1a_and_murmurs_finaliser(word: str, fnv: int) -> None:
    with np.errstate(over="ignore"):
        code = np.uint64(fnv)
        for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
            code = (code ^ (code >> np.uint64(33))) * np.uint64(factor)
    assert Hasher(bits=28).row([word]) == int(code ^ (code >> np.uint64(33))) >> 36


def test_words_that_are_put_together_otherwise_have_other_rows() -> None:
    hasher = Hasher(bits=28)
    rows = {hasher.row(ngram) for ngram in (["ab", "c"], ["a", "bc"], ["abc"], ["a", "b", "c"], ["c", "ab"])}
    assert len(rows) == 5


@given(words, st.integers(4, 22))
def test_a_narrower_table_has_the_upper_bits(text: list[str], bits: int) -> None:
    wide, narrow = Hasher(3, 22), Hasher(3, bits)
    np.testing.assert_array_equal(wide.narrowed(wide.rows(text), bits), narrow.rows(text))


def test_shared_rows_are_as_many_as_a_count_finds() -> None:
    hasher, ngrams = Hasher(1, 12), [f"word {number}" for number in range(5000)]
    counts = np.bincount([hasher.row([ngram]) for ngram in ngrams], minlength=hasher.size)
    occupied = int((counts > 0).sum())
    assert shared_share(occupied, hasher.size) == pytest.approx((counts > 1).sum() / occupied, abs=0.03)
    assert load(occupied, hasher.size) * hasher.size == pytest.approx(len(ngrams), rel=0.05)
    assert shared_share(0, 8) == 0
    assert shared_share(8, 8) == 1


def test_a_table_has_four_rows_for_each_ngram() -> None:
    assert 2 ** suitable_bits(60_000) >= 4 * 60_000 > 2 ** (suitable_bits(60_000) - 1)
    assert suitable_bits(0) == MIN_BITS
    assert suitable_bits(2**MAX_BITS) == MAX_BITS
