"""What is copied: against plain search for every substring."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import RecurraError
from recurra.tasks.text import novelty
from recurra.tasks.text.novelty import LEAST, compare, plain

Command = Callable[..., Any]


def longest_by_trying(written: str, corpus: list[str]) -> int:
    """The length of the longest passage of at least LEAST characters, by trying all; 0 if there is none."""
    for length in range(len(written), LEAST - 1, -1):
        for begin in range(len(written) - length + 1):
            if any(written[begin : begin + length] in part for part in corpus):
                return length
    return 0


def covered_by_trying(written: str, corpus: list[str]) -> float:
    inside = np.zeros(len(written), dtype=bool)
    for begin in range(len(written) - LEAST + 1):
        if any(written[begin : begin + LEAST] in part for part in corpus):
            inside[begin : begin + LEAST] = True
    return float(inside.mean())


@st.composite
def mixtures(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A text of new words and of passages of a corpus of two parts, of few letters, so that much comes again."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    letters = "ab" if rng.random() < 0.3 else "abcdefgh"

    def words(count: int) -> str:
        return plain(" ".join("".join(rng.choice(list(letters), rng.integers(1, 6))) for _ in range(count)))

    parts = [words(int(rng.integers(1, 60))), words(int(rng.integers(1, 60)))]
    pieces = []
    for _ in range(int(rng.integers(1, 5))):
        part = parts[int(rng.integers(2))]
        begin = int(rng.integers(len(part)))
        pieces.append(
            words(int(rng.integers(1, 6))) if rng.random() < 0.4 else part[begin : begin + int(rng.integers(200))]
        )
    return plain(" ".join(pieces)) or "a", parts


@given(mixtures())
def test_the_longest_passage_and_the_share_are_those_of_trying_all(case: tuple[str, list[str]]) -> None:
    written, parts = case
    found = compare(written, [("one", parts[0]), ("two", parts[1])])
    longest = longest_by_trying(written, parts)
    assert (len(found.passages[0].text) if found.passages else 0) == longest
    assert found.copied == pytest.approx(covered_by_trying(written, parts))
    taken = np.zeros(len(written), dtype=int)
    for passage in found.passages:
        assert passage.text in parts[["one", "two"].index(passage.source)]
        assert written[passage.begin : passage.begin + len(passage.text)] == passage.text
        taken[passage.begin : passage.begin + len(passage.text)] += 1
    assert taken.max() <= 1
    sizes = [len(passage.text) for passage in found.passages]
    assert sizes == sorted(sizes, reverse=True)
    own = written.split()
    for size, share in found.new.items():
        grams = [tuple(own[n : n + size]) for n in range(len(own) - size + 1)]
        old = {tuple(words[n : n + size]) for words in map(str.split, parts) for n in range(len(words) - size + 1)}
        assert share == pytest.approx(np.mean([gram not in old for gram in grams]))


def test_white_space_and_normal_forms_do_not_hide_a_copy() -> None:
    verse = "Tyger Tyger, burning bright, in the forests of the né night"
    found = compare(verse.replace(" ", "\n  "), [("poem", "x " + verse.replace("é", "e\u0301") + " y")])
    assert found.passages[0].text == verse
    assert found.copied == 1
    assert set(found.new.values()) == {0.0}


def test_a_script_without_spaces_has_words_too() -> None:
    assert compare("床前明月光", [("poem", "床前看月光")]).new[2] == pytest.approx(0.5)


def test_nothing_to_compare_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecurraError, match="is empty"):
        compare(" ", [("a", "b")])
    monkeypatch.setattr(novelty, "MAX_CHARACTERS", 3)
    with pytest.raises(RecurraError, match="more than 3 characters"):
        compare("a", [("a", "abcd")])


def test_the_command(recurra: Command, tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_text(
        "new words here. the cat which ate already was full of fish and rice. more new ones"
    )
    (tmp_path / "c.txt").write_text("once the cat which ate already was full of fish and rice. the end")
    value = json.loads(recurra("text", "compare", tmp_path / "w.txt", tmp_path / "c.txt", "--json").out)
    assert value["passages"][0]["text"] == " the cat which ate already was full of fish and rice. "
    shown = recurra("text", "compare", tmp_path / "w.txt", tmp_path / "c.txt").out
    assert f"{value['copied']:.1%}" in shown
    assert "the cat which ate already" in shown
