"""How good vectors are: tests of analogies, and of word similarity as people judge it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recurra.arrays import DoubleArray, FloatArray
from recurra.data.tables import read_lines
from recurra.data.vectors import Vectors
from recurra.errors import RecurraError
from recurra.tasks.embeddings.nearest import AnalogyMethod, Nearest, unit

VOCABULARY_SIZE = 300_000
"""Of so many of the first words tests are asked, as gensim does, if nothing else is asked for."""

Quadruple = tuple[str, str, str, str]


class Pair(NamedTuple):
    """Two words and how similar people find them."""

    first: str
    second: str
    score: float


@dataclass(frozen=True)
class Test:
    """A file of questions.

    Attributes:
        name: of the file.
        sections: questions by the name of their section, in the order of the file; without sections there is one, "".
        pairs: pairs of words, if it is a test of word similarity; there are no sections then.
        skipped: a sentence for the user on lines that were not understood.
    """

    name: str
    sections: dict[str, list[Quadruple]]
    pairs: list[Pair]
    skipped: list[str]


def read_test(path: Path) -> Test:
    """Read a test of analogies or of word similarity; the file itself tells which it is.

    Analogies are lines of four words, with lines `: section` between them or not. Word similarity is two words a line
    and, in the first column after them that is a number, a score; there may be more columns, and one line of their
    names. Columns stand between tabs, or else between white space. Lines that begin with # are comments.

    Raises:
        RecurraError: if the file cannot be read, or most of its lines are neither.
    """
    lines = [(number, line) for number, line in enumerate(read_lines(path), 1) if line.strip() and line[0] != "#"]
    rows = [(number, _columns(line)) for number, line in lines]
    column = next((place for _, row in rows[:2] if (place := _score_column(row)) is not None), None)
    sections: dict[str, list[Quadruple]] = {}
    pairs: list[Pair] = []
    understood, odd, section = 0, list[int](), ""
    for (number, row), (_, line) in zip(rows, lines, strict=True):
        if column is None and line.startswith(":"):
            section = line.removeprefix(":").strip()
            sections.setdefault(section, [])
        elif column is None and len(row) == 4 and all(row):
            sections.setdefault(section, []).append((row[0], row[1], row[2], row[3]))
            understood += 1
        elif column is not None and len(row) > column and all(row[:2]) and _is_number(row[column]):
            pairs.append(Pair(row[0], row[1], float(row[column])))
            understood += 1
        elif column is None or number != rows[0][0]:  # the names of columns are no question
            odd.append(number)
    what = "two words and a score" if pairs else "four words"
    if not understood or len(odd) > understood:
        raise RecurraError(
            f"{path} is no test of word vectors: line {(odd or [1])[0]} is not {what}; give lines of four words "
            "(analogies), or of two words and a score"
        )
    more = f", and {len(odd) - 1:,} more" if len(odd) > 1 else ""
    skipped = [f"{path}: left out line {odd[0]:,}{more}: not {what}"] if odd else []
    return Test(path.name, sections, pairs, skipped)


def _columns(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")] if "\t" in line else line.split()


def _score_column(row: Sequence[str]) -> int | None:
    """The first column after two words that is a number."""
    return next((place for place, cell in enumerate(row) if place > 1 and _is_number(cell)), None)


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


class Examiner:
    """Asks vectors the questions of tests, in which capital letters count as small ones.

    Args:
        vectors: to be measured.
        nearest: the search among them.
        vocabulary_size: only so many of the first words are known, and may be answers.
    """

    def __init__(self, vectors: Vectors, nearest: Nearest, vocabulary_size: int = VOCABULARY_SIZE) -> None:
        self.vectors = vectors
        self.nearest = nearest
        self.vocabulary_size = min(vocabulary_size, len(vectors.words))
        # In capitals, as gensim has it: "ß" and "ss" are one, which they are not in small letters.
        self.spelled: dict[str, list[int]] = {}
        for index, word in enumerate(vectors.words[: self.vocabulary_size]):
            self.spelled.setdefault(word.upper(), []).append(index)

    def examine(self, test: Test, method: AnalogyMethod = "add") -> dict[str, Any]:
        """The figures of one test.

        Args:
            test: its questions.
            method: how analogies are answered, see `Nearest.analogy`.

        Returns:
            `kind`, analogies or similarity; `score`, the share of right answers or Spearman's rank correlation, None if
            there is none; `coverage`, the share of questions whose words are all known: others do not count; `count`,
            how many those are; and, where a test has sections, `sections` with the same figures of each by name.
        """
        return self._analogies(test, method) if test.sections else self._similarity(test.pairs)

    def _analogies(self, test: Test, method: AnalogyMethod) -> dict[str, Any]:
        """How often the best answer is the right one, the words asked with left out."""
        from recurra.tasks.embeddings.analogies import answers  # Numba takes a while to import, which others are spared

        known = {
            section: [found for question in questions if (found := self._known(question))]
            for section, questions in test.sections.items()
        }
        asked = [question for questions in known.values() for question in questions]
        indices = np.array([[self.spelled[word][0] for word in question] for question in asked], np.int64).reshape(
            -1, 4
        )
        excluded = [[index for word in question[:3] for index in self.spelled[word]] for question in asked]
        given = answers(self.nearest, indices.reshape(-1, 4)[:, :3], excluded, self.vocabulary_size, method)
        right = [index in self.spelled[question[3]] for index, question in zip(given.tolist(), asked, strict=True)]
        figures, begin = {}, 0
        for section, questions in test.sections.items():
            end = begin + len(known[section])
            figures[section] = _figures(right[begin:end], len(questions))
            begin = end
        total = sum(map(len, test.sections.values()))
        whole = {"kind": "analogies", **_figures(right, total)}
        return whole if list(figures) == [""] else whole | {"sections": figures}

    def _known(self, question: Quadruple) -> Quadruple | None:
        """A question in capitals; None if a word is not known, or points nowhere."""
        a, b, c, d = (word.upper() for word in question)
        known = all(word in self.spelled and self.nearest.scales[self.spelled[word][0]] > 0 for word in (a, b, c, d))
        return (a, b, c, d) if known else None

    def _similarity(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """Spearman's correlation of cosines with the scores that people gave."""
        first, second = (unit(self._vectors(words)) for words in list(zip(*pairs, strict=True))[:2])
        known = first.any(axis=1) & second.any(axis=1)
        scores = np.array([pair.score for pair in pairs])[known]
        score = spearman(scores, (first[known] * second[known]).sum(axis=1))
        count = int(known.sum())
        return {"kind": "similarity", "score": score, "coverage": count / len(pairs), "count": count}

    def _vectors(self, words: Sequence[str]) -> FloatArray:
        """The vectors of words, `(words, size)`: made of character n-grams if need be; zeros where there is none."""
        result = np.zeros((len(words), self.vectors.size), np.float32)
        for number, word in enumerate(words):
            spelled = self.spelled.get(word.upper())
            vector = self.vectors.matrix[spelled[0]] if spelled else self.vectors.composed(word)
            if vector is not None:
                result[number] = vector
        return result


def _figures(right: Sequence[bool], total: int) -> dict[str, Any]:
    """The figures of questions that were asked, of `total`."""
    score = sum(right) / len(right) if right else None
    return {"score": score, "coverage": len(right) / total if total else 0.0, "count": len(right)}


def spearman(first: DoubleArray, second: DoubleArray) -> float | None:
    """Spearman's rank correlation; None where it is not defined: of fewer than two values, or of equal ones.

    Args:
        first: values, `(values,)`.
        second: likewise.
    """
    if len(first) < 2:
        return None
    x, y = (ranks(values) - (len(values) + 1) / 2 for values in (first, second))
    spread = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / spread if spread else None


def ranks(values: DoubleArray) -> DoubleArray:
    """The ranks of values, from 1; equal values share the mean of theirs, `(values,)`."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last: DoubleArray = np.cumsum(counts).astype(np.float64)
    return (last - (counts - 1) / 2)[places]
