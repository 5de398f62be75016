"""Word vectors as other tasks read them: mapped, looked up, refused when damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from embedding import made_vectors, save_vectors
from hypothesis import given
from hypothesis import strategies as st

from recurra import arrayfile, modelfolder
from recurra.config import dump_json
from recurra.data import vectors as module
from recurra.data.vectors import CharacterNgrams, Vectors
from recurra.data.word_index import WordIndex
from recurra.errors import RecurraError

WORDS = ["the", "cat", "naïve", "Ärger", "a"]


def vectors(ngrams: CharacterNgrams | None = None) -> Vectors:
    return made_vectors(WORDS, 4, ngrams)


@given(st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=30), st.text(max_size=6))
def test_an_index_finds_just_the_words_it_holds(words: list[str], other: str) -> None:
    words = [word for word in words if word.isprintable()]
    index = WordIndex.of(words)
    assert list(index) == words
    assert [index.find(word) for word in words] == list(range(len(words)))
    assert (index.find(other) is None) == (other not in words)
    assert index.by_word == {word: number for number, word in enumerate(words)}


def distance(first: str, second: str) -> int:
    """The restricted distance of Damerau, by its definition."""
    table = {(i, j): max(i, j) for i in range(len(first) + 1) for j in range(len(second) + 1) if not i * j}
    for i, a in enumerate(first, 1):
        for j, b in enumerate(second, 1):
            options = [table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (a != b)]
            if i > 1 and j > 1 and first[i - 2] == b and second[j - 2] == a:
                options.append(table[i - 2, j - 2] + 1)
            table[i, j] = min(options)
    return table[len(first), len(second)]


@given(st.lists(st.text("abcé春", min_size=1, max_size=8), unique=True, max_size=60), st.text("abcé春", max_size=8))
def test_near_spellings_are_those_few_edits_away(words: list[str], word: str) -> None:
    most = 1 if len(word) < 5 else 2
    near = sorted(
        (distance(word, other), number)
        for number, other in enumerate(words)
        if len(other) > most and len(word) > 1 and distance(word, other) <= most
    )
    assert WordIndex.of(words).near(word, 4) == [words[number] for _, number in near[:4]]


def test_which_spellings_are_near_and_in_which_order() -> None:
    index = WordIndex.of(["it", "kings", "kind", "king", "ikng", "kin", "thinking", "strings", "singer", "sing", "g"])
    assert index.near("knig", 9) == ["king"], "swapped; of four letters one edit"
    assert index.near("king", 9) == ["king", "kings", "kind", "ikng", "kin", "sing"], "the frequent ones first"
    assert index.near("sings", 9) == ["kings", "sing", "king", "strings", "singer"], "of five letters two edits"
    assert WordIndex.of(["a", "it", "cat"]).near("at") == ["it", "cat"], "one letter is no spelling of two"
    many = WordIndex.of([f"word{number}" for number in range(1000, 1100)])
    assert many.near("word10x", 20) == [f"word{number}" for number in range(1000, 1020)], "as they are numbered"


def test_near_spellings_of_what_is_no_word() -> None:
    index = WordIndex.of(["a" * 40, "the", "a" * 41])
    assert index.near("a" * 40, 2) == ["a" * 40, "a" * 41]
    assert index.near("a" * 41) == index.near("") == index.near("t") == WordIndex.of([]).near("the") == []
    damaged = WordIndex(np.frombuffer(b"th\xff", np.uint8), np.array([0, 3]), np.array([0], np.int32))
    assert damaged.near("the") == []


@pytest.mark.parametrize("ngrams", [None, CharacterNgrams(3, 5, 50)])
def test_saved_vectors_are_the_same(tmp_path: Path, ngrams: CharacterNgrams | None) -> None:
    made = vectors(ngrams)
    read = Vectors.open(save_vectors(tmp_path / "v", made))
    assert list(read.words) == WORDS
    assert (read.matrix == made.matrix).all()
    assert (read.counts == made.counts).all()
    assert (read.splitter, read.ngrams) == (made.splitter, ngrams)
    with pytest.raises(ValueError, match="read-only"):
        read.matrix[0] = 0


def test_a_word_is_looked_up_in_small_letters_and_then_made_of_its_parts() -> None:
    plain, composed = vectors(), vectors(CharacterNgrams(3, 4, 50))
    matrix, found = plain.of(["The", "dog", "Ärger"])
    assert found.tolist() == [True, False, True]
    assert (matrix[0] == plain.matrix[0]).all()
    assert (matrix[1] == 0).all()
    matrix, found = composed.of(["Dog"])
    assert composed.ngrams is not None
    assert composed.ngram_rows is not None
    assert found.all()
    np.testing.assert_allclose(matrix[0], composed.ngram_rows[composed.ngrams.rows("dog")].mean(axis=0))


def test_the_hash_of_a_run_of_characters_is_fnv_1a() -> None:
    # Of the authors' test vectors (Fowler, Noll, Vo): "a" gives e40c292c, "foobar" bf9cf968.
    assert (module._fnv("a"), module._fnv("foobar")) == (0xE40C292C, 0xBF9CF968)
    assert len(CharacterNgrams(3, 4, 2**20).rows("ab")) == 3, "<ab, ab> and <ab> itself"


@pytest.mark.parametrize("damage", ["cut", "order", "offsets", "rows", "kind", "vocabulary", "task"])
def test_damaged_vectors_are_refused(tmp_path: Path, damage: str) -> None:
    made = vectors()
    folder = save_vectors(tmp_path / "v", made)
    arrays, weights = made.arrays(), folder / modelfolder.WEIGHTS
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-3])
    elif damage == "vocabulary":
        (folder / modelfolder.VOCABULARY).write_text("[]")
    elif damage == "task":
        config = modelfolder.read_config(folder) | {"task": "text", "format_version": modelfolder.FORMAT_VERSION}
        (folder / modelfolder.CONFIG).write_text(dump_json(config))
    else:
        changes = {
            "order": {"word_order": arrays["word_order"] + 1},
            "offsets": {"word_offsets": arrays["word_offsets"][::-1]},
            "rows": {"vectors": made.matrix[1:]},
            "kind": {"vectors": made.matrix.astype(np.float64)},
        }[damage]
        arrayfile.write_arrays(weights, arrays | changes)
    with pytest.raises(RecurraError):
        Vectors.open(folder)
