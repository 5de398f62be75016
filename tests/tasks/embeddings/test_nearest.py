"""Neighbours, analogies and the odd one out equal a search of every word in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RecurraError
from recurra.tasks.embeddings import analogies, nearest
from recurra.tasks.embeddings.nearest import Found, Nearest


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few words are many blocks and groups."""
    monkeypatch.setattr(nearest, "LARGEST", 32)
    monkeypatch.setattr(nearest, "BLOCK", 70)
    monkeypatch.setattr(nearest, "GROUP", 4)
    monkeypatch.setattr(nearest, "QUERIES", 5)
    monkeypatch.setattr(analogies, "BLOCK_BYTES", 400)
    monkeypatch.setattr(analogies, "LEAST_WORDS", 7)


def matrix_of(seed: int, words: int, size: int) -> np.ndarray:
    """Random vectors, some of them equal, half or twice as long, nearly equal, or zero."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(words, size)).astype(np.float32)
    for kind in range(4):
        some, others = rng.integers(words, size=(2, words // 8))
        matrix[some] = matrix[others] * np.float32((1, 0.5, 2, 1)[kind])
        if kind == 3:
            matrix[some] *= (1 + 1e-7 * rng.normal(size=(len(some), size))).astype(np.float32)
    matrix[rng.integers(words, size=words // 10)] = 0
    return matrix


def cosines(matrix: np.ndarray, query: np.ndarray) -> np.ndarray:
    """The cosine of every word with a query, by the formula; NaN for a zero vector."""
    rows, query = matrix.astype(np.float64), query.astype(np.float64)
    with np.errstate(invalid="ignore"):
        units = rows / np.sqrt((rows**2).sum(axis=1))[:, None]
    return (units * (query / np.sqrt((query**2).sum()))).sum(axis=1)


def best(scores: np.ndarray, count: int, exclude: list[int]) -> list[int]:
    """The indices of the best scores, of equal ones the first first."""
    allowed = [i for i in range(len(scores)) if not np.isnan(scores[i]) and i not in exclude]
    return sorted(allowed, key=lambda index: (-scores[index], index))[:count]


def agrees(found: Found, scores: np.ndarray, expected: list[int]) -> bool:
    """Whether what was found is right, words with scores that differ by rounding in float64 being interchangeable."""
    assert len(set(found.indices.tolist())) == len(found.indices) == len(expected)
    np.testing.assert_allclose(found.scores, scores[found.indices], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.scores, scores[expected], rtol=0, atol=1e-12)
    return found.indices.tolist() == expected


sizes = st.tuples(st.integers(0, 10**6), st.integers(1, 200), st.integers(1, 12))


@given(sizes, st.integers(1, 250), st.integers(1, 8))
def test_neighbours_are_those_of_a_search_in_float64(shape: tuple[int, int, int], count: int, asked: int) -> None:
    matrix = matrix_of(*shape)
    rng = np.random.default_rng(shape[0])
    queries = rng.normal(size=(asked, shape[2])) * 3
    exclude = [rng.integers(shape[1], size=rng.integers(0, 4)).tolist() for _ in queries]
    search = Nearest(matrix)
    for query, taken, found in zip(queries, exclude, search.similar(queries, count, exclude), strict=True):
        scores = cosines(matrix, query)
        assert agrees(found, scores, best(scores, count, taken))
        (alone,) = search.similar(query[None], count, [taken])
        assert (alone.indices == found.indices).all()
        assert (alone.scores == found.scores).all(), "in a batch and alone are the same bits"


def test_what_float32_cannot_tell_apart_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "GROUP", 1)
    rng = np.random.default_rng(0)
    matrix = (rng.normal(size=50) * (1 + 1e-7 * rng.normal(size=(200, 50)))).astype(np.float32)
    query = rng.normal(size=50)
    scores = cosines(matrix, query)
    assert np.ptp(scores) < 1e-7
    (found,) = Nearest(matrix).similar(query[None], 5)
    assert found.indices.tolist() == best(scores, 5, [])


@pytest.mark.parametrize("method", ["add", "multiply"])
def test_zero_vectors_are_not_found_and_hide_nothing(method: nearest.AnalogyMethod) -> None:
    matrix = np.zeros((60, 2), np.float32)
    matrix[[3, 4, 5]] = [[1, 0], [-1, 0], [0, 1]]
    matrix[20:24] = [1, -0.2]  # a whole group, whose best is below zero
    question = np.array([[3, 4, 5]])
    search = Nearest(matrix)
    assert search.analogy(matrix[question[0]], 2, [3, 4, 5], method).indices.tolist() == [20, 21]
    assert analogies.answers(search, question, question.tolist(), 60, method).tolist() == [20]


def test_of_equal_words_the_first_come_first() -> None:
    matrix = np.tile(np.float32([3, 1, 2]), (100, 1))
    (found,) = Nearest(matrix).similar(np.float32([[1, 1, 1]]), 5, [[1]])
    assert found.indices.tolist() == [0, 2, 3, 4, 5]


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_the_length_of_vectors_does_not_matter(scale: float) -> None:
    matrix = matrix_of(1, 100, 5)
    query = matrix[:1] + 1
    (plain,), (scaled,) = (Nearest(matrix * np.float32(s)).similar(query * s, 9) for s in (1, scale))
    assert (plain.indices == scaled.indices).all()


@given(sizes, st.integers(1, 20))
def test_both_kinds_of_analogy_are_those_of_the_formulas(shape: tuple[int, int, int], count: int) -> None:
    matrix = matrix_of(*shape)
    rng = np.random.default_rng(shape[0])
    question = rng.normal(size=(3, shape[2]))
    exclude = rng.integers(shape[1], size=3).tolist()
    a, b, c = (cosines(matrix, vector) for vector in question)
    units = question / np.sqrt((question**2).sum(axis=1))[:, None]
    search = Nearest(matrix)
    total = units[1] - units[0] + units[2]
    if np.sqrt((total**2).sum()) > 1e-6:
        sums = cosines(matrix, total)
        found = search.analogy(question, count, exclude)
        agrees(found, sums, best(sums, count, exclude))
    products = ((b + 1) / 2) * ((c + 1) / 2) / ((a + 1) / 2 + 0.001)
    agrees(search.analogy(question, count, exclude, "multiply"), products, best(products, count, exclude))


@given(st.integers(0, 10**6), st.sampled_from(["add", "multiply"]))
def test_a_whole_test_is_answered_as_its_questions_are(seed: int, method: nearest.AnalogyMethod) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(90, 8)).astype(np.float32)
    matrix[[5, 40]] = 0
    search = Nearest(matrix)
    known = [index for index in range(60) if index not in (5, 40)]
    questions = rng.choice(known, size=(12, 3))
    excluded = [[*row.tolist(), *rng.integers(90, size=2).tolist()] for row in questions]
    given_answers = analogies.answers(search, questions, excluded, 60, method)
    small = Nearest(matrix[:60])
    for question, taken, answer in zip(questions, excluded, given_answers, strict=True):
        found = small.analogy(matrix[question], 1, taken, method)
        assert answer == found.indices[0]


@given(st.integers(0, 10**6))
def test_the_kernel_is_its_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    plus, minus = rng.integers(-3, 4, size=(2, 6, 11)).astype(np.float32)  # few values: there are ties
    questions = rng.integers(6, size=(9, 3))
    offsets = np.cumsum([0, *rng.integers(0, 5, size=9)])
    excluded = rng.integers(0, 40, size=offsets[-1])
    scores = rng.integers(-5, 5, size=9).astype(np.float32)
    compiled, plain = ((np.full(9, 77), scores.copy()) for _ in range(2))
    analogies.keep_best(plus, minus, questions, excluded, offsets, 10, *compiled)
    analogies.keep_best_reference(plus, minus, questions, excluded, offsets, 10, *plain)
    assert (compiled[0] == plain[0]).all()
    assert (compiled[1] == plain[1]).all()


def test_the_odd_one_is_farthest_from_the_mean() -> None:
    vectors = np.float32([[1, 0.1], [2, 0.2], [50, -3], [-0.1, 0.2]])
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = cosines(vectors, units.mean(axis=0))
    np.testing.assert_allclose(nearest.odd_ones(vectors), expected, rtol=0, atol=1e-7)
    assert nearest.odd_ones(vectors).argmin() == 3


def test_what_points_nowhere_or_is_no_number_is_refused() -> None:
    search = Nearest(matrix_of(0, 20, 4), "vec")
    with pytest.raises(RecurraError, match="a zero vector of vec points nowhere and has no neighbours; ask"):
        search.similar(np.zeros((1, 4)), 3)
    with pytest.raises(RecurraError, match="points nowhere"):
        search.analogy(np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]), 3)
    for number in (np.nan, np.inf, -np.inf, 3e38):
        matrix = matrix_of(0, 40, 4)
        matrix[35, 2] = number
        with pytest.raises(RecurraError, match="the vectors of vec are not finite numbers; make or fetch them again"):
            Nearest(matrix, "vec").similar(np.ones((1, 4)), 3)


def test_nothing_is_found_where_nothing_may_be() -> None:
    (found,) = Nearest(np.zeros((9, 3), np.float32)).similar(np.ones((1, 3)), 3)
    assert found.indices.tolist() == found.scores.tolist() == []
    (found,) = Nearest(np.eye(3, dtype=np.float32)).similar(np.ones((1, 3)), 9, [[0, 1, 2]])
    assert found.indices.tolist() == []
